// The numbers behind the charts of pages Usage and Audit, and the parts of a checkpoint.
import assert from "node:assert/strict";
import { checkpointOf } from "../../edge/panel/src/lib/audit/checkpoint.ts";
import { refusalsOf } from "../../edge/panel/src/lib/audit/refusals.ts";
import { rangeOf, SPANS, stretches, totals } from "../../edge/panel/src/lib/audit/activity.ts";
import {
  lastDays,
  measures,
  OTHERS,
  series,
  sum,
  sums,
  type UsageRow,
} from "../../edge/panel/src/lib/usage/series.ts";

const days = lastDays(3, new Date("2026-03-01T00:30:00Z"));

function used(day: string, provider: string, requests: number, cost = 0, currency = "USD"): UsageRow {
  return { day, provider, scope: "user", scope_id: "ana", requests, units: 10 * requests, cost, currency };
}

Deno.test("the last days end today, as UTC has it, and leave none out", () => {
  assert.deepEqual(days, ["2026-02-27", "2026-02-28", "2026-03-01"]);
});

Deno.test("a day without use is there, and rows of a day are added up by provider", () => {
  const rows = [
    used(days[0]!, "openai", 2),
    used(days[0]!, "openai", 3),
    used(days[2]!, "groq", 9),
    used("2020-01-01", "groq", 100),
  ];
  const of = series(rows, { of: "requests" }, days);
  assert.deepEqual(of.providers, ["groq", "openai"]);
  assert.deepEqual(of.days.map((day) => day.total), [5, 0, 9]);
  assert.deepEqual(of.days[0]!.byProvider, { openai: 5 });
});

Deno.test("costs of two currencies are never added up", () => {
  const rows = [
    used(days[0]!, "openai", 1, 0.5, "USD"),
    used(days[0]!, "openai", 1, 2, "EUR"),
    used(days[0]!, "groq", 1),
  ];
  assert.deepEqual(measures(rows), [
    { of: "requests" },
    { of: "units" },
    { of: "cost", currency: "EUR" },
    { of: "cost", currency: "USD" },
  ]);
  assert.equal(series(rows, { of: "cost", currency: "EUR" }, days).days[0]!.total, 2);
  assert.deepEqual(sum(rows), { requests: 3, units: 30, costs: { USD: 0.5, EUR: 2 } });
  assert.deepEqual(sums(rows).map(([provider, of]) => [provider, of.costs]), [["openai", {
    USD: 0.5,
    EUR: 2,
  }], ["groq", {}]]);
});

Deno.test("beyond six providers the smallest are added up as one, and nothing is lost", () => {
  const rows = Array.from({ length: 9 }, (_, at) => used(days[1]!, `p${at}`, at + 1));
  const of = series(rows, { of: "requests" }, days);
  assert.deepEqual(of.providers, ["p8", "p7", "p6", "p5", "p4", OTHERS]);
  assert.equal(of.days[1]!.byProvider[OTHERS], 1 + 2 + 3 + 4);
  assert.equal(of.days[1]!.total, 45);
});

Deno.test("activity: every stretch is there, and events fall into theirs", () => {
  const now = new Date("2026-03-01T10:20:00Z");
  for (const span of SPANS) {
    const range = rangeOf(span, now);
    assert(range.from < now && now < range.to, span);
    const at = (number: number) =>
      new Date(range.from.getTime() + number * range.seconds * 1000).toISOString();
    const rows = [
      { at: at(0), kind: "reveal", events: 3 },
      { at: at(1), kind: "refusal", events: 1 },
      { at: at(1), kind: "reveal", events: 2 },
      { at: at(1000), kind: "reveal", events: 7 },
      { at: at(1), kind: "unheard of", events: 7 },
    ];
    const all = stretches(rows, range);
    assert.equal(all.at(-1)!.at.getTime() + range.seconds * 1000, range.to.getTime(), span);
    assert.deepEqual(all.slice(0, 3).map((stretch) => stretch.total), [3, 3, 0], span);
    assert.deepEqual(totals(all), { reveal: 5, change: 0, refusal: 1, key: 0, audit: 0 });
  }
});

Deno.test("a checkpoint is read, and what is none is not", () => {
  const text =
    "hftok/7176a6c03cdb03f5\n55\newwyUqCUIRifZBzlF1PUIJ=\n\n— hftok/7176a6c03cdb03f5 DlKrpxIH8Z45QYA=\n";
  assert.deepEqual(checkpointOf(text), {
    origin: "hftok/7176a6c03cdb03f5",
    size: 55,
    root: "ewwyUqCUIRifZBzlF1PUIJ=",
  });
  for (
    const other of [
      "",
      "hftok",
      text.replace("55", "five"),
      text.replace("\n\n—", "\n—"),
      text.replace("— ", ""),
    ]
  ) {
    assert.equal(checkpointOf(other), undefined, other);
  }
});

Deno.test("refusals that are alike are counted, those that stand for several as so many", () => {
  const refused = (actor_user: string | null, action: string, at: string, count = 1) => ({
    kind: "refusal",
    actor_user,
    role_name: "authenticated",
    action,
    outcome: "not_allowed",
    count,
    at,
  });
  const of = refusalsOf([
    refused("bob", "get_secret", "2026-03-01T10:00:00Z"),
    refused("bob", "get_secret", "2026-03-01T12:00:00Z", 5),
    refused("bob", "put_secret", "2026-03-01T11:00:00Z"),
    refused(null, "put_secret", "2026-03-01T11:30:00Z"),
    { ...refused("bob", "get_secret", "2026-03-01T13:00:00Z"), kind: "reveal" },
  ]);
  assert.deepEqual(of.map(({ who, action, count }) => [who, action, count]), [
    ["bob", "get_secret", 6],
    ["authenticated", "put_secret", 1],
    ["bob", "put_secret", 1],
  ]);
  assert.equal(of[0]!.lastAt, "2026-03-01T12:00:00Z");
});
