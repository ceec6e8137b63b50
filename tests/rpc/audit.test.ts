// The audit as it is seen through PostgREST: who reads which of its rows, and what a request leaves in it.
import assert from "node:assert/strict";
import { make } from "./lib/exchange.ts";
import {
  anon,
  nobody,
  ok,
  operator,
  people,
  type Person,
  refused,
  reviewer,
  service,
  user,
} from "./lib/people.ts";
import { nothingLeaked, sql, until, written } from "./lib/server.ts";

const { alice, bob, carol, admin, acme, globex, id } = await people("audit");
const stranger = await user(id("stranger"));
const token = make.hf();

// The first save makes data keys, and each of them is an event of that request: carol's, and no request that a test
// looks at.
await carol.call("save_hf_token", { p_token: make.hf() });

/** A call by hand, with the id of its request. */
async function call(who: Person, name: string, given: object, request: string): Promise<number> {
  return (await who.raw("POST", `/rpc/${name}`, given, { "X-Request-Id": request })).status;
}

/** The events of a request, as whoever audits sees them. */
async function eventsOf(request: string): Promise<any[]> {
  await written();
  return await ok(reviewer.db.from("audit_events").select("*").eq("request_id", request).order("id"));
}

/** The parts of an event that say what was done. */
function deed(event: any): unknown[] {
  const { kind, action, outcome, owner_scope, owner_id, provider, level, actor_user } = event;
  return [kind, action, outcome, owner_scope, owner_id, provider, level, actor_user];
}

Deno.test("a change by a user: who the JWT says, and the id of the request", async () => {
  const given = { p_provider: "huggingface", p_secret: token };
  assert.equal(await call(alice, "save_credential", given, "audit-change-1"), 200);
  const [event, ...more] = await eventsOf("audit-change-1");
  assert.deepEqual(more, []);
  assert.deepEqual(deed(event), [
    "change",
    "save_credential",
    "committed",
    "user",
    alice.name,
    "huggingface",
    null,
    alice.name,
  ]);
  assert.deepEqual(
    [event.role_name, event.login_role, event.version, event.count, event.client_addr],
    ["authenticated", "authenticator", 1, 1, null],
  );
  const [{ secret_id }] = await alice.rows("credentials", { provider: "huggingface" });
  assert.equal(event.object_id, secret_id);
  assert.match(event.digest, /^[0-9a-f]{64}$/);
  assert.match(event.chain_hash, /^[0-9a-f]{64}$/);
});

Deno.test("a use by the backend: whom it names; its owner sees it, and nobody else", async () => {
  assert.equal(await call(service, "resolve_hf_token", { p_user_id: alice.name }, "audit-use-1"), 200);
  const [event] = await eventsOf("audit-use-1");
  assert.deepEqual(deed(event), [
    "reveal",
    "resolve_hf_token",
    "used",
    "user",
    alice.name,
    "huggingface",
    "user",
    alice.name,
  ]);
  assert.deepEqual([event.role_name, event.login_role, event.digest], [
    "service_role",
    "authenticator",
    null,
  ]);
  const seen = (who: Person) => who.rows("audit_events", { id: event.id }).then((rows) => rows.length);
  assert.deepEqual(await Promise.all([alice, bob, carol, admin, reviewer, operator].map(seen)), [
    1,
    0,
    0,
    1,
    1,
    1,
  ]);
});

Deno.test("the id of a request is one, or is left out", async () => {
  const ids = ["not an id", "x".repeat(129), 'a"b', "a/b", "<script>"];
  const before = await sql("SELECT coalesce(max(id), 0) FROM hftok.audit_events");
  for (const request of ids) {
    assert.equal(await call(service, "resolve_hf_token", { p_user_id: alice.name }, request), 200);
  }
  await written();
  const events = await ok(reviewer.db.from("audit_events").select("request_id").gt("id", before));
  assert.deepEqual(events, ids.map(() => ({ request_id: null })));
  for (const request of ["x".repeat(128), "6f9619ff-8b86-d011-b42d-00c04fc964ff", "a_b.c:d"]) {
    assert.equal(await call(service, "resolve_hf_token", { p_user_id: alice.name }, request), 200);
    assert.equal((await eventsOf(request)).length, 1, request);
  }
});

Deno.test("what was refused is told, with the error that rolled it back", async () => {
  const secret = { p_integration_id: "00000000-0000-4000-8000-000000000000" };
  assert.equal(await call(bob, "update_integration", { ...secret, p_name: "x" }, "audit-refused-1"), 404);
  assert.equal(await call(bob, "get_secret", { p_name: "x" }, "audit-refused-2"), 403);
  const given = { p_provider: "openai", p_secret: make.openai() };
  const hers = { ...given, p_user_id: alice.name };
  assert.equal(await call(bob, "save_credential", hers, "audit-refused-3"), 404);
  assert.equal(await call(nobody, "save_credential", given, "audit-refused-4"), 403);
  const named = { ...secret, p_user_id: bob.name };
  assert.equal(await call(service, "get_integration_credentials", named, "audit-refused-5"), 404);
  const told = async (request: string) =>
    (await eventsOf(request)).map(({ kind, action, outcome, role_name, actor_user, object_id }) =>
      [kind, action, outcome, role_name, actor_user, object_id].join(" ")
    );
  const unknown = secret.p_integration_id;
  assert.deepEqual(await told("audit-refused-1"), [
    `refusal update_integration not_found authenticated ${bob.name} ${unknown}`,
  ]);
  assert.deepEqual(await told("audit-refused-2"), [
    `refusal get_secret not_allowed authenticated ${bob.name} `,
  ]);
  assert.deepEqual(await told("audit-refused-3"), [
    `refusal save_credential not_found authenticated ${bob.name} `,
  ]);
  assert.deepEqual(await told("audit-refused-4"), [
    "refusal save_credential no_identity authenticated  ",
  ]);
  // The audit names the user whom the backend named.
  assert.deepEqual(await told("audit-refused-5"), [
    `refusal get_integration_credentials not_found service_role ${bob.name} ${unknown}`,
  ]);
  const get = await service.raw("GET", `/rpc/resolve_hf_token?p_user_id=${alice.name}`, undefined, {
    "X-Request-Id": "audit-refused-6",
  });
  assert.equal(get.status, 405);
  assert.deepEqual((await eventsOf("audit-refused-6")).map(({ outcome }) => outcome), ["method_not_allowed"]);
});

Deno.test("rows: a user their own and their organisations', administrators and auditors all, others none", async () => {
  await bob.call("save_hf_token", { p_token: make.hf() });
  await written();
  const rows = async (who: Person): Promise<any[]> => await ok(who.db.from("audit_events").select("*"));
  // carol is a member only.
  for (const [who, administered] of [[alice, acme], [bob, globex], [carol, null]] as const) {
    const seen = await rows(who);
    assert(seen.length > 0, who.name);
    const concerned = ({ actor_user, subject, owner_scope, owner_id }: any) =>
      actor_user === who.name || subject === who.name ||
      (["user", "integration"].includes(owner_scope) && owner_id === who.name) ||
      (["org", "org_integration"].includes(owner_scope) && owner_id === administered);
    assert.deepEqual(seen.filter((event) => !concerned(event)), [], who.name);
  }
  assert.deepEqual([(await rows(stranger)).length, (await rows(nobody)).length], [0, 0]);
  const all = Number(await sql("SELECT count(*) FROM hftok_private.audit_rows"));
  for (const who of [admin, reviewer, operator]) assert((await rows(who)).length >= all, who.name);
  await refused(service.db.from("audit_events").select("id"), 403, "42501");
  await refused(anon.db.from("audit_events").select("id"), 401, "42501");
});

Deno.test("filters, order and pages; what is not one's own is not counted either", async () => {
  const newest = await ok(
    alice.db.from("audit_events").select("id,action").order("id", { ascending: false }).limit(2),
  );
  assert.equal(newest.length, 2);
  assert(newest[0].id > newest[1].id);
  const counted = await stranger.raw("GET", "/audit_events?select=id&limit=1", undefined, {
    Prefer: "count=exact",
  });
  assert.equal(counted.headers.get("content-range"), "*/0");
  const others = await stranger.raw("GET", `/audit_events?owner_id=eq.${alice.name}`);
  assert.equal(others.body, "[]");
});

Deno.test("nobody writes it", async () => {
  for (const who of [alice, admin, reviewer, operator, service]) {
    for (
      const view of [
        "audit_events",
        "recent_reveals",
        "refusals_by_role",
        "unused_secrets",
        "new_applications",
      ]
    ) {
      for (
        const [method, body] of [["POST", { action: "x" }], ["PATCH", { action: "x" }], [
          "DELETE",
          undefined,
        ]] as const
      ) {
        const answer = await who.raw(method, `/${view}?action=eq.x`, body);
        const unknown = answer.status === 400 && /^(42703|PGRST204)$/.test(JSON.parse(answer.body).code);
        assert(
          answer.status === 403 || unknown,
          `${who.name} ${method} ${view}: ${answer.status} ${answer.body}`,
        );
      }
    }
  }
  assert.equal((await reviewer.call("verify_audit")).ok, true);
});

Deno.test("verifying, pinning, purging: by whom it is for", async () => {
  const head = await reviewer.call("audit_head");
  assert.match(head, /^(hftok\/\S+)\n\d+\n[A-Za-z0-9+/]{43}=\n\n— \1 [A-Za-z0-9+/]+=*\n$/);
  const verdict = await reviewer.call("verify_audit", { p_head: head });
  assert.deepEqual([verdict.ok, verdict.first_bad, verdict.reason], [true, null, null]);
  assert(verdict.checked > 0);
  assert.deepEqual(await operator.call("verify_audit", { p_from: 1, p_to: 3 }), {
    checked: 3,
    ok: true,
    first_bad: null,
    unprotected: 0,
    reason: null,
  });
  await reviewer.refused("verify_audit", { p_head: "x" }, 400, "22023");
  assert.equal(await operator.call("purge_audit", { p_before: "2000-01-01" }), 0);
  await operator.refused("purge_audit", { p_before: null }, 400, "22023");
  // An administrator of the application reads all of it, and so may verify it.
  assert.equal((await admin.call("verify_audit", { p_head: await admin.call("audit_head") })).ok, true);
  for (const who of [alice, service]) {
    await who.refused("verify_audit", {}, 403, "42501");
    await who.refused("audit_head", {}, 403, "42501");
    await who.refused("audit_activity", { p_from: "2020-01-01" }, 403, "42501");
  }
  for (const who of [alice, admin, service, reviewer]) {
    await who.refused("purge_audit", { p_before: "2000-01-01" }, 403, "42501");
  }
});

Deno.test("activity over time: as many events as are found, for whoever may find them", async () => {
  await written();
  const p_from = new Date(Date.now() - 3_600_000).toISOString();
  const p_to = new Date().toISOString();
  for (const who of [admin, reviewer, operator]) {
    const counted = await who.call("audit_activity", { p_from, p_to, p_seconds: 60 });
    const found = await who.call("find_audit_events", { p_from, p_to });
    const of = (rows: any[], name: string) => rows.reduce((sum, row) => sum + row[name], 0);
    assert.equal(of(counted, "events"), of(found, "count"), who.name);
    assert.deepEqual(
      new Set(counted.map((row: any) => row.kind)),
      new Set(found.map((row: any) => row.kind)),
    );
  }
  await admin.refused("audit_activity", { p_from, p_seconds: 0 }, 400, "22023");
  await admin.refused("audit_activity", { p_from: "-infinity" }, 400, "22008");
});

Deno.test("uses are counted, and shown with the credential", async () => {
  const count = async () => (await alice.rows("credentials", { provider: "huggingface" }))[0];
  await written();
  const before = await count();
  for (let times = 0; times < 3; times++) await service.call("resolve_hf_token", { p_user_id: alice.name });
  await until(async () => (await count()).use_count === before.use_count + 3);
  assert((await count()).last_used_at > before.last_used_at);
  // Explaining and checking is no use.
  await alice.call("explain_token", { p_provider: "huggingface" });
  await service.call("token_provided", { p_provider: "huggingface", p_user_id: alice.name });
  await written();
  assert.equal((await count()).use_count, before.use_count + 3);
});

Deno.test("reporting usage is a POST: a link that somebody follows counts nothing", async () => {
  const { secret_id } = await alice.call("save_credential", {
    p_provider: "openai",
    p_secret: make.openai(),
    p_org_id: acme,
  });
  for (const method of ["GET", "HEAD"]) {
    const answer = await service.raw(method, `/rpc/record_usage?p_secret_id=${secret_id}`);
    assert(answer.status >= 400 && answer.status < 500, `${method} ${answer.status}`);
  }
  await written();
  assert.deepEqual(await service.rows("usage_daily", { secret_id }), []);
});

Deno.test("for those who look after a server: who read what, what was refused, what nobody uses", async () => {
  await alice.call("save_credential", {
    p_provider: "groq",
    p_secret: "gsk_" + make.hf().slice(3).padEnd(52, "A"),
  });
  await written();
  const reveals = await ok(
    reviewer.db.from("recent_reveals").select("*").eq("owner_id", alice.name).eq(
      "action",
      "resolve_hf_token",
    ),
  );
  assert.equal(reveals.length, 1);
  assert.deepEqual([reveals[0].role_name, reveals[0].actor_user], ["service_role", alice.name]);
  assert(reveals[0].reveals >= 4);
  const refusals = await ok(reviewer.db.from("refusals_by_role").select("*").eq("action", "save_credential"));
  assert(
    refusals.some(({ role_name, outcome }: any) => role_name === "authenticated" && outcome === "not_found"),
  );
  const unused = await ok(reviewer.db.from("unused_secrets").select("*").eq("scope_id", alice.name));
  assert.deepEqual(unused.map(({ provider }: any) => provider), ["groq"]);
  assert.deepEqual(await ok(reviewer.db.from("new_applications").select("*").eq("scope_id", alice.name)), []);
  for (const who of [alice, admin, service, nobody]) {
    await refused(who.db.from("recent_reveals").select("*"), 403, "42501");
  }
  const status = await reviewer.call("status");
  assert.equal(status.audit_mode, "async");
  assert(["running", "idle", "starting"].includes(status.audit_writer), status.audit_writer);
});

nothingLeaked();
