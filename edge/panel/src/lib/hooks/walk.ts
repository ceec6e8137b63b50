// The walk of the person who reads: which credential a request would use, and why.
import { type Reading, useRead } from "../connection/reads.ts";
import type { Me } from "./me.ts";
import type { ProvidedRow, WalkRow } from "../walk/ladder.ts";
import type { Hftok, Views } from "../../../../client/mod.ts";

/** The request to explain. */
export interface WalkQuestion {
  provider: string;
  orgId?: string;
  model?: string;
  /** The host that it would be sent to: a key that is limited to some is refused without one. */
  host?: string;
}

/** What is known of a key that the reader may see. */
export type KeyFacts = Pick<
  Views["credentials"]["Row"],
  "secret_id" | "label" | "expires_at" | "last_verified_at" | "verdict_message" | "writable"
>;

/** The walk, level by level, which levels would give a token by themselves, and the keys on the way. */
export interface WalkAnswer {
  rows: WalkRow[];
  provided: ProvidedRow[];
  keys: KeyFacts[];
}

/** The organisation that a person's requests are taken to name: the only one that they belong to. */
export function usualOrg({ memberships: [only, ...others] }: Me): string | undefined {
  return others.length === 0 ? only?.orgId : undefined;
}

/** Explains a request of one's own; nothing is asked as long as there is no provider. */
export function useWalk(question: WalkQuestion | null): Reading<WalkAnswer> {
  const { provider = "", orgId, model, host } = question ?? {};
  return useRead(["walk", provider, orgId, model, host], async (vault, signal) => {
    const hftok = await vault.hftok();
    const need = { p_provider: provider, p_org_id: orgId, p_model: model, p_host: host };
    const [rows, provided] = await Promise.all([
      hftok.call("explain_token", need, signal),
      hftok.call("tokens_provided", need, signal),
    ]);
    return { rows, provided, keys: await keysOf(hftok, rows, signal) };
  }, { enabled: provider !== "" });
}

async function keysOf(hftok: Hftok, rows: WalkRow[], signal: AbortSignal): Promise<KeyFacts[]> {
  const ids = rows.flatMap(({ secret_id }) => secret_id === null ? [] : [secret_id]);
  if (ids.length === 0) return [];
  const select = "secret_id,label,expires_at,last_verified_at,verdict_message,writable";
  return await hftok.rows("credentials", { secret_id: `in.(${ids.join()})`, select }, signal);
}
