// The stored token that a request is about.
//
// Must stay true: rows are read as the user, so that row security decides what there is to be seen.
import type { Views } from "../_shared/client/mod.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import type { User } from "../_shared/user.ts";

/** The provider of these tokens. */
export const PROVIDER = "huggingface";

/** The owner and the model of a token: the user's own for all models when nothing is named. */
export interface Whose {
  model?: string;
  org_id?: string;
  global?: boolean;
}

/** The scope, and so the level of the walk, that it has. */
export function scope({ org_id, global }: Whose): "user" | "org" | "global" {
  if (org_id !== undefined && global) {
    throw new Refusal(400, "bad_input", "Name an organisation, or global, not both.");
  }
  return global ? "global" : org_id === undefined ? "user" : "org";
}

/** The row that shows a stored token; undefined when there is none that this user may see. */
export async function savedToken(user: User, whose: Whose): Promise<Views["credentials"]["Row"] | undefined> {
  const owner = scope(whose);
  const named = { provider: `eq.${PROVIDER}`, model: `eq.${whose.model ?? ""}`, scope: `eq.${owner}` };
  const filter = owner === "global" ? named : { ...named, scope_id: `eq.${whose.org_id ?? user.id}` };
  const [row] = await refusing("user", user.hftok.rows("credentials", filter));
  return row;
}
