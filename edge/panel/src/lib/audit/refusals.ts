// Refusals that are alike, counted: who was refused what, and why.
import type { Views } from "../../../../client/schema/views.ts";

/** What is looked at of an event. */
type RefusedEvent = Pick<
  Views["audit_events"]["Row"],
  "kind" | "actor_user" | "role_name" | "action" | "outcome" | "count" | "at"
>;

/** Refusals of one person, of one call, for one reason. */
export interface Refusals {
  who: string;
  action: string;
  outcome: string;
  count: number;
  /** When it was last so; ISO 8601. */
  lastAt: string;
}

/** The refusals among these events, most of a kind first; of as many, the latest. */
export function refusalsOf(events: readonly RefusedEvent[]): Refusals[] {
  const alike = new Map<string, Refusals>();
  for (const { kind, actor_user, role_name, action, outcome, count, at } of events) {
    if (kind !== "refusal" || at === null) continue;
    const who = actor_user ?? role_name ?? "";
    const key = JSON.stringify([who, action, outcome]);
    const before = alike.get(key);
    const lastAt = before === undefined || before.lastAt < at ? at : before.lastAt;
    alike.set(key, {
      who,
      action: action ?? "",
      outcome: outcome ?? "",
      count: (before?.count ?? 0) + (count ?? 1),
      lastAt,
    });
  }
  return [...alike.values()].sort((a, b) => b.count - a.count || (a.lastAt < b.lastAt ? 1 : -1));
}
