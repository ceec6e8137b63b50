// The settings of an integration: its `config`, as rows that a form can show and give back.
//
// Must stay true:
// - What is no text (a number, an object of the application's) comes back as it was, unless somebody typed something else.
// - Settings lie in the open: a name that promises a secret is pointed out.

/** JSON, as PostgREST answers it. */
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

/** One setting, as text. */
export interface Setting {
  name: string;
  value: string;
}

/** The settings in a config; one that is no object has none. */
export function settingsOf(config: Json | null | undefined): Setting[] {
  return Object.entries(members(config)).map(([name, value]) => ({ name, value: shown(value) }));
}

/** The config that rows of a form make. Rows without a name are left out; of two of one name the later counts. */
export function configOf(rows: readonly Setting[], former: Json | null = null): { [key: string]: Json } {
  const before = members(former);
  const config: { [key: string]: Json } = {};
  for (const { name, value } of rows) {
    const key = name.trim();
    if (key === "") continue;
    const was = before[key];
    const isUntouched = was !== undefined && shown(was) === value;
    // Object.defineProperty: a setting named __proto__ is a setting, too.
    Object.defineProperty(config, key, {
      value: isUntouched ? was : value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return config;
}

/** Whether a name promises something that does not belong into the open. */
export function looksSecret(name: string): boolean {
  return /(^|[_\-. ])(api[_-]?key|secret|token|password|passwd|private[_-]?key|credentials?)($|[_\-. ])/i
    .test(
      name.replace(/([a-z])([A-Z])/g, "$1_$2"),
    );
}

function members(config: Json | null | undefined): { [key: string]: Json } {
  if (typeof config !== "object" || config === null || Array.isArray(config)) return {};
  return Object.fromEntries(
    Object.entries(config).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]),
  );
}

function shown(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
