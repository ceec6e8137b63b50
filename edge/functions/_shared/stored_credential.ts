// The stored credentials that a request is about: whose, and for what.
//
// Must stay true: rows are read as the user, so that row security decides what there is to be seen.
import type { Filter, Views } from "./client/mod.ts";
import { members } from "./body.ts";
import { Refusal, refusing } from "./refusal.ts";
import type { User } from "./user.ts";

/** A credential as its owner sees it: never the value. */
export type Stored = Views["credentials"]["Row"];

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The members of a request that name another owner or use. */
export const WHOSE = { model: "text", org_id: "text", global: "boolean" } as const;

/** The owner and the model of a credential: the user's own for all models when nothing is named. */
export interface Whose {
  model?: string;
  org_id?: string;
  global?: boolean;
}

/** The owner and the model that the query of a request names. */
export function queried(request: Request): Whose {
  const query: Record<string, unknown> = Object.fromEntries(new URL(request.url).searchParams);
  if ("global" in query) query.global = query.global === "true";
  return members(query, WHOSE);
}

/** The scope that it has. */
export function scope({ org_id, global }: Whose): "user" | "org" | "global" {
  if (org_id !== undefined && global) {
    throw new Refusal(400, "bad_input", "Name an organisation, or global, not both.");
  }
  return global ? "global" : org_id === undefined ? "user" : "org";
}

/** The level of the walk that it has. */
export function levelOf(whose: Whose): string {
  return scope(whose) + (whose.model === undefined ? "" : "_model");
}

/** The rows of an owner for a use: of each provider the usual key, if there is one that this user may see. */
export async function storedCredentials(user: User, whose: Whose, provider?: string): Promise<Stored[]> {
  const owner = scope(whose);
  const filter: Filter<"credentials"> = {
    model: `eq.${whose.model ?? ""}`,
    scope: `eq.${owner}`,
    slot: "eq.",
  };
  if (provider !== undefined) filter.provider = `eq.${provider}`;
  if (owner !== "global") {
    filter.scope_id = `eq.${whose.org_id === undefined ? user.id : identifier(whose.org_id)}`;
  }
  return await refusing("user", user.hftok.rows("credentials", filter));
}

/** An organisation as hftok keeps it: a UUID in lower case, whatever case it came in. */
function identifier(orgId: string): string {
  return UUID.test(orgId) ? orgId.toLowerCase() : orgId;
}

/** The row of one provider; undefined when there is none that this user may see. */
export async function storedCredential(
  user: User,
  provider: string,
  whose: Whose,
): Promise<Stored | undefined> {
  const [row] = await storedCredentials(user, whose, provider);
  return row;
}
