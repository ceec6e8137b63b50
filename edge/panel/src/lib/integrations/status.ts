// What the status of an integration means for a page: whether it will change by itself, and what can be done about it.
//
// Must stay true: an unknown status is shown as pending, and never as connected.

/** The status that the view shows. */
export type IntegrationStatus = "pending" | "verifying" | "connected" | "error" | "disabled";

/** The members of a row that decide. */
export interface StatusRow {
  status: string | null;
  enabled: boolean | null;
  updated_at: string | null;
}

const STATUSES: readonly IntegrationStatus[] = ["pending", "verifying", "connected", "error", "disabled"];
const FAST_MS = 2_000;
const SLOW_MS = 15_000;
/** The time for which a page looks often: a test of a provider ends sooner. */
const PATIENCE_MS = 60_000;

/** The status of a row. */
export function statusOf(row: StatusRow): IntegrationStatus {
  return STATUSES.find((it) => it === row.status) ?? "pending";
}

/** Who switched a disabled one off: only its owner can take back the owner's switch, and only the backend the backend's. */
export function disabledBy(row: StatusRow): "owner" | "backend" | null {
  if (statusOf(row) !== "disabled") return null;
  return row.enabled === false ? "owner" : "backend";
}

/** How soon a page looks again; false when nothing changes by itself. What takes long is looked at seldom. */
export function lookAgainAfter(rows: readonly StatusRow[], now: number): number | false {
  const moving = rows.filter((row) => ["pending", "verifying"].includes(statusOf(row)));
  if (moving.length === 0) return false;
  const isFresh = moving.some(({ updated_at }) => {
    const age = now - Date.parse(updated_at ?? "");
    // A server whose clock is ahead, or a time that cannot be read, is no reason to be slow.
    return !(age > PATIENCE_MS);
  });
  return isFresh ? FAST_MS : SLOW_MS;
}
