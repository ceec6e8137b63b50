// Whose credentials were used: everybody's that the reader sees, their own, an organisation's, the platform's.
import type { Messages } from "../messages/index.ts";
import type { Choice } from "../primitives/fields.tsx";
import type { UsageRow } from "./series.ts";

/** What there is to choose from in these rows; everything stands first. */
export function whoseChoices(
  rows: readonly UsageRow[],
  me: string | null,
  usage: Messages["usage"],
): Choice[] {
  const orgs = new Set(rows.flatMap((row) => ofOrg(row) && row.scope_id !== null ? [row.scope_id] : []));
  const some = (id: string) => rows.some((row) => isOf(row, id, me));
  return [
    { id: "all", label: usage.everything },
    ...(some("own") ? [{ id: "own", label: usage.own }] : []),
    ...[...orgs].sort().map((org) => ({ id: `org ${org}`, label: org })),
    ...(some("global") ? [{ id: "global", label: usage.ofGlobal }] : []),
  ];
}

/** Whether a row is of the one that was chosen. */
export function isOf(row: UsageRow, whose: string, me: string | null): boolean {
  if (whose === "all") return true;
  if (whose === "global") return row.scope === "global";
  if (whose === "own") return (row.scope === "user" || row.scope === "integration") && row.scope_id === me;
  return ofOrg(row) && whose === `org ${row.scope_id}`;
}

function ofOrg({ scope }: UsageRow): boolean {
  return scope === "org" || scope === "org_integration";
}
