// The credentials of an integration, out of the fields of a form.
//
// Must stay true: a value passes through here on its way to the request, and is kept nowhere.

/** A field of a credential, as the catalogue describes it. */
export interface CredentialField {
  name: string;
  isOptional: boolean;
}

/** hftok keeps what is stored where a field holds a mask. */
const MASK = "•••";

/**
 * The credentials that were typed: one text for a credential of one field, else an object without the optional fields that were left empty.
 * Null when nothing was typed. `keeps`: what was left empty is to stay as it is stored.
 */
export function credentialsOf(
  fields: readonly CredentialField[],
  typed: (name: string) => string,
  keeps: boolean,
): string | Record<string, string> | null {
  const given = fields.map(({ name, isOptional }) => ({ name, isOptional, value: typed(name).trim() }));
  if (given.every(({ value }) => value === "")) return null;
  const [only] = given;
  if (only && given.length === 1) return only.value;
  const sent = given.filter(({ value, isOptional }) => value !== "" || keeps || !isOptional);
  return Object.fromEntries(sent.map(({ name, value }) => [name, value === "" && keeps ? MASK : value]));
}
