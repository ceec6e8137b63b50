// A credential that a request brings, as hftok takes it.
//
// Must stay true: what is brought is not quoted in any refusal.
import { Refusal, refusing } from "./refusal.ts";
import type { User } from "./user.ts";

/** A credential as hftok takes it: the text of a single field, or an object as JSON. */
export async function textOf(
  user: User,
  provider: string,
  secret: string | Record<string, unknown>,
): Promise<string> {
  if (typeof secret === "string") return secret;
  const filter = { name: `eq.${provider}`, select: "fields" };
  const [known] = await refusing("user", user.hftok.rows("providers", filter));
  const fields: unknown[] = Array.isArray(known?.fields) ? known.fields : [];
  const [first] = fields;
  if (fields.length !== 1 || typeof first !== "object" || first === null) return JSON.stringify(secret);
  const name = "name" in first ? String(first.name) : "";
  const value = secret[name];
  if (typeof value === "string" && Object.keys(secret).length === 1) return value;
  throw new Refusal(400, "bad_input", `secret must be a text, or an object with the member ${name}.`);
}
