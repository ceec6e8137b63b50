// A credential out of the fields of a form, as hftok takes it.
//
// Must stay true: a value passes through here on its way to the request, and is kept nowhere.

/** hftok keeps what is stored where a field of an integration's credentials holds a mask. */
const MASK = "•••";

/**
 * A credential of one field is its text, as people paste it; others are an object without what was left empty. `keeps`: what was left empty
 * stays as it is stored.
 */
export function credentialsOf<Field extends { name: string }>(
  fields: readonly Field[],
  read: (field: Field) => string,
  keeps: boolean,
): string | Record<string, string> {
  const [first, second] = fields;
  if (first && !second) return read(first);
  const values = fields.map((field): [string, string] => [field.name, read(field)]);
  const given = values.map(([name, value]): [string, string] => [name, value === "" && keeps ? MASK : value]);
  return Object.fromEntries(given.filter(([_, value]) => value !== ""));
}
