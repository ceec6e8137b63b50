// Usage of credentials by day.
import { type Reading, useRead } from "../connection/reads.ts";
import { lastDays, type UsageRow } from "../usage/series.ts";
import type { Vault } from "../connection/vault.ts";

/** The usage that is asked for. */
export interface UsageAsked {
  /** The number of days, today among them. */
  days: number;
  /** Only what an organisation's credentials were used for. */
  orgId?: string;
}

/** What was read. */
export interface UsageRead {
  rows: UsageRow[];
  /** Whether there was more than is read at once: then the earliest days are missing. */
  isCut: boolean;
}

/** PostgREST gives no more rows at once: Supabase's own limit, unless a project has another. */
const PAGE = 1000;
const PAGES_MAX = 10;

/** The use of one's own credentials, and of those of organisations whose owner or admin one is; an administrator's: everybody's. */
export function useUsage({ days, orgId }: UsageAsked): Reading<UsageRead> {
  return useRead(["usage", days, orgId], (vault, signal) => read(vault, { days, orgId }, signal));
}

async function read(vault: Vault, { days, orgId }: UsageAsked, signal: AbortSignal): Promise<UsageRead> {
  const hftok = await vault.hftok();
  const [first] = lastDays(days, new Date());
  const ofOrg = orgId === undefined ? {} : { scope: "in.(org,org_integration)", scope_id: `eq.${orgId}` };
  const rows: UsageRow[] = [];
  for (let page = 0; page < PAGES_MAX; page++) {
    const next = await hftok.rows("usage_daily", {
      select: "day,provider,scope,scope_id,requests,units,cost,currency",
      day: `gte.${first}`,
      ...ofOrg,
      order: "day.desc,secret_id,currency",
      limit: String(PAGE),
      offset: String(page * PAGE),
    }, signal);
    rows.push(...next);
    if (next.length < PAGE) return { rows, isCut: false };
  }
  return { rows, isCut: true };
}
