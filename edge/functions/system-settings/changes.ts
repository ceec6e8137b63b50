// Changes to the keys of the installation: which ones a request wants, whether all of them can be made, and making them.
//
// Must stay true: nothing of a request is quoted, but the name of a provider that there is; no change is made before all were looked at; should one fail all the same, the answer says which were made.
import { isObject } from "../_shared/client/json.ts";
import type { Views } from "../_shared/client/mod.ts";
import { textOf } from "../_shared/credential_text.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import type { User } from "../_shared/user.ts";

/** A key that is to be saved, or removed. */
export interface Change {
  provider: string;
  secret: string | Record<string, unknown> | null;
}

/** A provider of the catalogue. */
export type Provider = Pick<Views["providers"]["Row"], "name" | "label" | "enabled">;

const HUGGINGFACE = "huggingface";

/** The changes that a request wants. */
export function parseChanges(body: Record<string, unknown>): Change[] {
  const { huggingface_token, tokens, ...more } = body;
  if (Object.keys(more).length > 0) throw bad("The members of a request are: huggingface_token, tokens.");
  const named = isObject(tokens) ? Object.entries(tokens) : [];
  if (tokens !== undefined && !isObject(tokens)) throw bad("tokens must be an object of providers.");
  const all = huggingface_token === undefined ? named : [[HUGGINGFACE, huggingface_token] as const, ...named];
  if (all.length === 0) throw bad("A token must be given, or null to remove one.");
  if (new Set(all.map(([provider]) => provider)).size < all.length) {
    throw bad(`${HUGGINGFACE} is given twice.`);
  }
  return all.map(([provider, secret]) => {
    if (secret === null || typeof secret === "string" || isObject(secret)) return { provider, secret };
    throw bad("A token must be a text, an object or null.");
  });
}

/** Fails where one of them could not be made. */
export async function admit(user: User, changes: Change[], catalogue: Provider[]): Promise<void> {
  for (const { provider, secret } of changes) {
    const known = catalogue.find(({ name }) => name === provider);
    if (!known) throw new Refusal(404, "no_provider", "The catalogue has no provider of this name.");
    if (secret === null) continue;
    if (known.enabled === false) {
      throw new Refusal(422, "unusable", `${known.label} is switched off.`, {
        provider,
        outcome: "disabled",
      });
    }
    const text = await textOf(user, provider, secret);
    const { ok, warnings } = await refusing("user", user.hftok.check(provider, text));
    if (ok) continue;
    const why = warnings?.[0] ? `: ${warnings[0]}` : "";
    throw new Refusal(400, "bad_input", `This cannot be a key of ${known.label}${why}.`, { provider });
  }
}

/** Makes them: what is saved first, because what is removed cannot be refused any more. */
export async function apply(user: User, changes: Change[]): Promise<void> {
  const made: string[] = [];
  const ordered = [...changes].sort((a, b) => Number(a.secret === null) - Number(b.secret === null));
  for (const { provider, secret } of ordered) {
    try {
      await refusing("user", make(user, { provider, secret }));
    } catch (error) {
      if (error instanceof Refusal && made.length > 0) error.facts.made = made.join(", ");
      throw error;
    }
    made.push(provider);
  }
}

async function make(user: User, { provider, secret }: Change): Promise<unknown> {
  if (secret === null) return await user.hftok.remove(provider, { global: true });
  return await user.hftok.save(provider, await textOf(user, provider, secret), { global: true });
}

function bad(message: string): Refusal {
  return new Refusal(400, "bad_input", message);
}
