// A row that is hidden and one that is not there are answered alike, in what is counted, planned and estimated as well.
import assert from "node:assert/strict";
import { describe, few, make } from "./lib/exchange.ts";
import { people, type Person, service } from "./lib/people.ts";
import { nothingLeaked, query, sql, until, written } from "./lib/server.ts";

const { alice, bob, admin, acme, id } = await people("hidden");

// Often enough to be in the statistics: alice's, her organisation's and the global one. bob has one of each kind.
for (let n = 0; n < 12; n++) {
  await service.call("save_credential", {
    p_provider: "openai",
    p_secret: make.openai(),
    p_user_id: n === 0 ? alice.name : id(`alice-${n}`),
    p_model: "project-nightingale",
    p_label: "merger-2027",
    p_expires_at: "2999-01-01",
    p_allowed_hosts: ["hidden.example"],
    p_on_unusable: "continue",
  });
}
await service.call("save_hf_token", { p_token: make.hf(), p_user_id: alice.name });
await service.call("save_credential", { p_provider: "openai", p_secret: make.openai(), p_org_id: acme });
await service.call("save_hf_token", { p_token: make.hf(), p_user_id: bob.name });
const integration = await alice.call("create_integration_with_vault", {
  p_name: "merger-2027",
  p_type: "openai",
  p_credentials: make.openai(),
  p_config: { hidden: true },
});
await alice.call("share_integration", { p_integration_id: integration, p_org_id: acme });
await bob.call("create_integration_with_vault", {
  p_name: "own",
  p_type: "openai",
  p_credentials: make.openai(),
});
const used = await service.rows("credentials", { provider: "openai" });
for (const { secret_id } of used) {
  await service.call("record_usage", { p_secret_id: secret_id, p_requests: 7, p_currency: "JPY" });
}
await service.call("resolve_hf_token", { p_user_id: alice.name });
await service.call("resolve_hf_token", { p_user_id: bob.name });
await written();
// What is counted later would be in the middle of a comparison.
await until(async () => (await service.rows("usage_daily", { currency: "JPY" })).length === used.length);
const isCounted = async (who: Person) =>
  (await service.rows("credentials", { provider: "huggingface", scope_id: who.name }))[0].use_count === 1;
await until(async () => await isCounted(alice) && await isCounted(bob));
await sql("ANALYZE");

const views = [
  "credentials",
  "expiring_credentials",
  "members",
  "administrators",
  "integrations",
  "usage_daily",
  "audit_events",
  "user_api_keys",
  "provider_secrets",
  "provider_overview",
];

interface Probe {
  column: string;
  hidden: string;
  absent: string;
}

/** For each column of a view a value that only others have, the most frequent, and one that nobody has. */
async function probes(view: string): Promise<Probe[]> {
  const columns: { column: string; type: string }[] = await query(
    `SELECT attname AS column, atttypid::regtype::text AS type FROM pg_attribute
     WHERE attrelid = 'hftok.${view}'::regclass AND attnum > 0 AND atttypid <> 'boolean'::regtype`,
  );
  const own = (await bob.rows(view)).map((row) => row as Record<string, unknown>);
  const found: Probe[] = [];
  for (const { column, type } of columns) {
    const values: { text: string; json: unknown }[] = await query(
      `SELECT "${column}"::text AS text, to_json("${column}") AS json FROM hftok.${view}
       WHERE "${column}" IS NOT NULL GROUP BY "${column}" ORDER BY count(*) DESC`,
    );
    const there = new Set(own.map((row) => JSON.stringify(row[column])));
    const hidden = values.find(({ json }) => !there.has(JSON.stringify(json)))?.text;
    if (hidden === undefined) continue;
    const absent = {
      text: hidden + "~",
      uuid: crypto.randomUUID(),
      jsonb: '{"absent":1}',
      "text[]": "{absent}",
      date: "1999-01-01",
      "timestamp with time zone": "1999-01-01T00:00:00.000001Z",
    }[type] ?? "123456789";
    found.push({ column, hidden, absent });
  }
  return found;
}

Deno.test("counted, planned and estimated: a hidden value like an absent one, in every column of every view", async () => {
  const wrong: string[] = [];
  let asked = 0;
  for (const view of views) {
    for (const { column, hidden, absent } of await probes(view)) {
      for (const count of ["planned", "estimated", "exact"]) {
        for (const method of ["GET", "HEAD"]) {
          const answers = [];
          for (const value of [hidden, absent]) {
            const { status, headers, body } = await bob.raw(
              method,
              `/${view}?${column}=eq.${encodeURIComponent(value)}`,
              undefined,
              { Prefer: `count=${count}` },
            );
            answers.push([status, headers.get("content-range"), body]);
            asked++;
          }
          if (JSON.stringify(answers[0]) !== JSON.stringify(answers[1])) {
            wrong.push(`${count} ${describe(bob.last)} ${JSON.stringify(answers)}`);
          }
        }
      }
    }
  }
  assert(asked > 500, `only ${asked} requests`);
  assert.deepEqual(few(wrong), []);
});

Deno.test("a histogram of hidden identifiers cannot be read off planned counts", async () => {
  for (const view of ["credentials", "user_api_keys", "provider_secrets", "members", "audit_events"]) {
    const column = { credentials: "scope_id", audit_events: "owner_id" }[view] ?? "user_id";
    const planned = async (filter: string) =>
      (await bob.raw("HEAD", `/${view}?${column}=${filter}`, undefined, { Prefer: "count=planned" }))
        .headers.get("content-range")?.split("/")[1];
    const bounds = ["a", "hidden-alice", "hidden-alice-5", "hidden-b", "z"];
    const seen = new Set(await Promise.all(bounds.map((bound) => planned(`gte.${bound}`))));
    assert.equal(seen.size, 1, `${view} ${[...seen]}`);
  }
});

Deno.test("filters, order, ranges and exact counts of one's own, as of a table", async () => {
  const { data, count, error } = await bob.db.from("credentials").select("provider,scope", { count: "exact" })
    .eq("scope", "user").like("provider", "hugging%").order("created_at", { ascending: false }).range(0, 0);
  assert.equal(error, null);
  assert.deepEqual([data, count], [[{ provider: "huggingface", scope: "user" }], 1]);
  const events = await bob.db.from("audit_events").select("action,owner_id").eq("action", "resolve_hf_token")
    .order("id", { ascending: false }).limit(5);
  assert.deepEqual(events.data, [{ action: "resolve_hf_token", owner_id: bob.name }]);
  const updated = await bob.db.from("credentials").update({ label: "mine" }).eq("scope_id", bob.name).select(
    "label",
  );
  assert.deepEqual(updated.data, [{ label: "mine" }]);
  const others = await bob.db.from("credentials").update({ label: "mine" }).eq("scope_id", alice.name).select(
    "label",
  );
  assert.deepEqual(others.data, []);
  assert.equal((await admin.rows("audit_events", { owner_id: alice.name })).length > 0, true);
});

nothingLeaked();
