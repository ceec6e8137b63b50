// What audit_activity() counts, as stretches of time for a chart: those without events are there too.
import type { Functions } from "../../../../client/schema/functions.ts";

/** The kinds of events, in the order in which a chart stacks them. */
export const KINDS = ["reveal", "change", "refusal", "key", "audit"] as const;
/** One of them. */
export type Kind = (typeof KINDS)[number];

/** The time that a chart looks back over. */
export type Span = "day" | "week" | "month" | "quarter";

/** The stretches of each span: their number, and their length in seconds. */
const STRETCHES: Record<Span, { count: number; seconds: number }> = {
  day: { count: 24, seconds: 3_600 },
  week: { count: 28, seconds: 21_600 },
  month: { count: 30, seconds: 86_400 },
  quarter: { count: 13, seconds: 604_800 },
};

/** The spans that there are to choose from, the shortest first. */
export const SPANS: readonly Span[] = ["day", "week", "month", "quarter"];

/** The time that is asked for. */
export interface Range {
  from: Date;
  to: Date;
  seconds: number;
}

/** A stretch of time, and how many events of each kind there were in it. */
export interface Stretch {
  at: Date;
  events: Record<Kind, number>;
  total: number;
}

/** The range that ends with the hour, or the day, that is not over yet: its stretches begin where a clock's do. */
export function rangeOf(span: Span, now: Date): Range {
  const { count, seconds } = STRETCHES[span];
  const end = new Date(now);
  end.setMinutes(0, 0, 0);
  if (span === "day") end.setHours(end.getHours() + 1);
  else end.setHours(24);
  return { from: new Date(end.getTime() - count * seconds * 1000), to: end, seconds };
}

/** The stretches of a range, oldest first. Events outside it and of unknown kinds are passed over. */
export function stretches(rows: Functions["audit_activity"]["Returns"], range: Range): Stretch[] {
  const step = range.seconds * 1000;
  const count = Math.ceil((range.to.getTime() - range.from.getTime()) / step);
  const all = Array.from({ length: count }, (_, at): Stretch => ({
    at: new Date(range.from.getTime() + at * step),
    events: { reveal: 0, change: 0, refusal: 0, key: 0, audit: 0 },
    total: 0,
  }));
  for (const { at, kind, events } of rows) {
    const stretch = all[Math.floor((Date.parse(at ?? "") - range.from.getTime()) / step)];
    if (stretch === undefined || !isKind(kind) || events === null) continue;
    stretch.events[kind] += events;
    stretch.total += events;
  }
  return all;
}

/** Whether a text names a kind of events. */
export function isKind(text: string | null): text is Kind {
  return KINDS.some((kind) => kind === text);
}

/** The number of events of each kind in all stretches. */
export function totals(of: readonly Stretch[]): Record<Kind, number> {
  const all: Record<Kind, number> = { reveal: 0, change: 0, refusal: 0, key: 0, audit: 0 };
  for (const { events } of of) for (const kind of KINDS) all[kind] += events[kind];
  return all;
}
