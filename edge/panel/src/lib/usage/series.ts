// Rows of the view usage_daily, added up for a chart and for tables: by day and provider, and in all.
//
// Must stay true: costs of different currencies are never added up; a day without use is there, with zero.
import type { Views } from "../../../../client/schema/views.ts";

/** A row of the view, with the columns that are added up. */
export type UsageRow = Pick<
  Views["usage_daily"]["Row"],
  "day" | "provider" | "scope" | "scope_id" | "requests" | "units" | "cost" | "currency"
>;

/** The number to look at: how often, how much, or what it cost in one currency. */
export type Measure = { of: "requests" } | { of: "units" } | { of: "cost"; currency: string };

/** One day of a chart: a number for each provider. */
export interface Day {
  /** As hftok counts days: `2026-11-29`, in UTC. */
  day: string;
  byProvider: Record<string, number>;
  total: number;
}

/** The days of a range, and the providers that have a number in it, the greatest first. */
export interface Series {
  days: Day[];
  providers: string[];
}

/** What one provider, or all of them, came to. */
export interface Sum {
  requests: number;
  units: number;
  /** The costs, one for each currency. */
  costs: Record<string, number>;
}

/** The name that providers beyond the first few are added up under: no provider can have it. */
export const OTHERS = "*";

/** The number of providers that a chart tells apart: as many as colours that can be told apart. */
const PROVIDERS_SHOWN = 6;
const DAY_MS = 24 * 60 * 60 * 1000;

/** The last days up to today, oldest first, as hftok counts them. */
export function lastDays(count: number, now: Date): string[] {
  return Array.from(
    { length: count },
    (_, at) => new Date(now.getTime() - (count - 1 - at) * DAY_MS).toISOString().slice(0, 10),
  );
}

/** The number of a row that a measure looks at; zero where the row is of another currency. */
export function measured(row: UsageRow, measure: Measure): number {
  switch (measure.of) {
    case "requests":
      return row.requests ?? 0;
    case "units":
      return row.units ?? 0;
    case "cost":
      return row.currency === measure.currency ? row.cost ?? 0 : 0;
  }
}

/** What there is to look at: requests and units always, and a cost for each currency that something was paid in. */
export function measures(rows: readonly UsageRow[]): Measure[] {
  const paid = rows.flatMap((row) => row.currency !== null && (row.cost ?? 0) > 0 ? [row.currency] : []);
  const costs = [...new Set(paid)].sort().map((currency): Measure => ({ of: "cost", currency }));
  return [{ of: "requests" }, { of: "units" }, ...costs];
}

/** A text that tells measures apart. */
export function measureKey(measure: Measure): string {
  return measure.of === "cost" ? `cost ${measure.currency}` : measure.of;
}

/** The numbers of a chart. Rows of other days are passed over. */
export function series(rows: readonly UsageRow[], measure: Measure, days: readonly string[]): Series {
  const numbers = new Map(days.map((day) => [day, new Map<string, number>()]));
  const totals = new Map<string, number>();
  for (const row of rows) {
    const number = measured(row, measure);
    const ofDay = numbers.get(row.day ?? "");
    if (ofDay === undefined || row.provider === null || number === 0) continue;
    ofDay.set(row.provider, (ofDay.get(row.provider) ?? 0) + number);
    totals.set(row.provider, (totals.get(row.provider) ?? 0) + number);
  }
  const ranked = [...totals.keys()].sort((a, b) =>
    (totals.get(b) ?? 0) - (totals.get(a) ?? 0) || compare(a, b)
  );
  const fits = ranked.length <= PROVIDERS_SHOWN;
  const shown = fits ? ranked : ranked.slice(0, PROVIDERS_SHOWN - 1);
  return {
    days: days.map((day) => dayOf(day, numbers.get(day) ?? new Map(), new Set(shown))),
    providers: fits ? shown : [...shown, OTHERS],
  };
}

function dayOf(day: string, numbers: ReadonlyMap<string, number>, shown: ReadonlySet<string>): Day {
  const byProvider: Record<string, number> = {};
  let total = 0;
  for (const [provider, number] of numbers) {
    const name = shown.has(provider) ? provider : OTHERS;
    byProvider[name] = (byProvider[name] ?? 0) + number;
    total += number;
  }
  return { day, byProvider, total };
}

/** What everything came to. */
export function sum(rows: readonly UsageRow[]): Sum {
  const all: Sum = { requests: 0, units: 0, costs: {} };
  for (const row of rows) {
    all.requests += row.requests ?? 0;
    all.units += row.units ?? 0;
    const cost = row.cost ?? 0;
    if (row.currency !== null && cost > 0) all.costs[row.currency] = (all.costs[row.currency] ?? 0) + cost;
  }
  return all;
}

/** What each provider came to, the one with most requests first. */
export function sums(rows: readonly UsageRow[]): [provider: string, sum: Sum][] {
  const byProvider = new Map<string, UsageRow[]>();
  for (const row of rows) {
    const provider = row.provider ?? "";
    byProvider.set(provider, [...(byProvider.get(provider) ?? []), row]);
  }
  return [...byProvider]
    .map(([provider, its]): [string, Sum] => [provider, sum(its)])
    .sort(([a, one], [b, other]) => other.requests - one.requests || compare(a, b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
