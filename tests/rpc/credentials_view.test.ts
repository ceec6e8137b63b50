// The view credentials: changed by PATCH, deleted by DELETE, and the value still opens with what it is now bound to.
import assert from "node:assert/strict";
import { make } from "./lib/exchange.ts";
import { anon, nobody, ok, operator, people, type Person, refused, reviewer, service } from "./lib/people.ts";
import { everything, nothingLeaked, query } from "./lib/server.ts";

const { alice, bob, carol, admin, acme, globex } = await people("view");
const resolve = (who: Person, more: object = {}) =>
  service.call("resolve_token", { p_provider: "openai", p_user_id: who.name, ...more });
const unusable = (who: Person, more: object = {}) =>
  service.refused("resolve_token", { p_provider: "openai", p_user_id: who.name, ...more }, 422, "PT422")
    .then(({ details }) => JSON.parse(details!).outcome);
const patch = (who: Person, secret_id: string, change: object) =>
  ok(who.db.from("credentials").update(change).eq("secret_id", secret_id).select());
/** Saves one anew: nothing of a former one is left. */
const save = async (who: Person, more: object = {}) => {
  const { p_expires_at: _, ...address } = more as any;
  await who.call("delete_credential", { p_provider: "openai", ...address });
  return await replace(who, more);
};
const replace = async (who: Person, more: object = {}) => {
  const p_secret = make.openai();
  return { ...await who.call("save_credential", { p_provider: "openai", p_secret, ...more }), p_secret };
};
const soon = () => new Date(Date.now() + 3_600_000).toISOString();

/** Whether everything that is stored opens, under any key. */
async function sound() {
  assert.deepEqual(
    await query("SELECT * FROM hftok.verify() WHERE kind <> 'total' AND reason IS NOT NULL"),
    [],
  );
}

Deno.test("label, enabled and on_unusable", async () => {
  const { secret_id, p_secret } = await save(alice);
  const [row] = await patch(alice, secret_id, { label: "work", on_unusable: "continue", enabled: false });
  assert.deepEqual([row.label, row.on_unusable, row.enabled, row.version], ["work", "continue", false, 1]);
  assert.equal((await alice.rows("credentials", { secret_id }))[0].status, "disabled");
  assert.equal((await resolve(alice)).source, "none", "its owner lets the walk go on");
  await patch(alice, secret_id, { on_unusable: "stop" });
  assert.equal(await unusable(alice), "disabled");
  const [enabled] = await patch(alice, secret_id, { enabled: true });
  // Before it is used, which is counted some time later.
  const [read] = await alice.rows("credentials", { secret_id });
  assert(Date.parse(read.updated_at) > Date.parse(read.created_at));
  assert.deepEqual(enabled, read, "what an update returns is what is read afterwards");
  assert.equal((await resolve(alice)).token, p_secret);
  await sound();
});

Deno.test("allowed_hosts binds the value to hosts", async () => {
  const { secret_id, p_secret } = await save(alice);
  const [row] = await patch(alice, secret_id, { allowed_hosts: ["proxy.test", "*.openai.test"] });
  assert.deepEqual(row.allowed_hosts, ["proxy.test", "*.openai.test"]);
  assert.equal((await resolve(alice, { p_host: "proxy.test" })).token, p_secret);
  assert.equal((await resolve(alice, { p_host: "EU.openai.test" })).token, p_secret);
  for (const more of [{}, { p_host: "api.openai.com" }, { p_host: "openai.test" }]) {
    assert.equal(await unusable(alice, more), "host_refused");
  }
  await sound();
  await patch(alice, secret_id, { allowed_hosts: [] });
  assert.equal(await unusable(alice, { p_host: "proxy.test" }), "host_refused");
  await patch(alice, secret_id, { allowed_hosts: null });
  assert.equal((await resolve(alice)).token, p_secret);
  await sound();
});

Deno.test("expires_at ends it", async () => {
  const { secret_id, p_secret } = await save(alice);
  const expires_at = soon();
  const [row] = await patch(alice, secret_id, { expires_at });
  assert.equal(new Date(row.expires_at).toISOString(), expires_at);
  const resolved = await resolve(alice);
  assert.deepEqual([resolved.token, new Date(resolved.expires_at).toISOString()], [p_secret, expires_at]);
  assert.equal((await alice.rows("expiring_credentials", { secret_id })).length, 1);
  const [ended] = await patch(alice, secret_id, { expires_at: "2020-01-01T00:00:00Z" });
  assert.equal(new Date(ended.expires_at).getUTCFullYear(), 2020);
  assert.equal((await alice.rows("credentials", { secret_id }))[0].status, "expired");
  assert.equal(await unusable(alice), "expired");
  await patch(alice, secret_id, { expires_at: null });
  assert.equal((await resolve(alice)).token, p_secret);
  for (const forever of ["infinity", "-infinity"]) await patch(alice, secret_id, { expires_at: forever });
  assert.equal(await unusable(alice), "expired");
  await patch(alice, secret_id, { expires_at: null });
  await sound();
});

Deno.test("everything at once, several rows at once, and previous versions stay readable", async () => {
  const first = await save(alice);
  const second = await replace(alice);
  const model = await save(alice, { p_model: "gpt" });
  const change = {
    label: "all",
    expires_at: soon(),
    allowed_hosts: ["a.test"],
    on_unusable: "continue",
    enabled: true,
  };
  const changed = await ok(
    alice.db.from("credentials").update(change).eq("provider", "openai").select("secret_id"),
  );
  assert.deepEqual(
    changed.map((row: any) => row.secret_id).sort(),
    [second.secret_id, model.secret_id].sort(),
  );
  const of = { p_host: "a.test" };
  assert.equal((await resolve(alice, of)).token, second.p_secret);
  assert.equal((await resolve(alice, { ...of, p_model: "gpt" })).token, model.p_secret);
  assert.equal((await resolve(alice, { ...of, p_version: 1 })).token, first.p_secret);
  await refused(service.db.rpc("previous_token", { p_secret_id: second.secret_id }), 404, "PT404");
  await sound();
});

Deno.test("other columns are refused", async () => {
  const { secret_id } = await save(alice);
  const before = await everything();
  const others = {
    secret_id: crypto.randomUUID(),
    provider: "anthropic",
    scope: "global",
    scope_id: bob.name,
    model: "x",
    preview: "x",
    status: "verified",
    warnings: ["x"],
    last_verified_at: soon(),
    version: 7,
    created_at: soon(),
    updated_at: soon(),
  };
  for (const [column, value] of Object.entries(others)) {
    for (const who of [alice, service, operator]) {
      const answer = await who.raw("PATCH", `/credentials?secret_id=eq.${secret_id}`, {
        [column]: value,
        label: "x",
      });
      const expected = column === "status" ? [400, 403] : [403];
      assert(expected.includes(answer.status), `${who.name} ${column}: ${answer.status} ${answer.body}`);
    }
  }
  const answer = await alice.raw("PATCH", `/credentials?secret_id=eq.${secret_id}`, { sealed: "x" });
  assert.equal(answer.status, 400, "there is no such column");
  for (const change of [{ on_unusable: "perhaps" }, { enabled: null }, { label: null }]) {
    const refused = await alice.raw("PATCH", `/credentials?secret_id=eq.${secret_id}`, change);
    assert(refused.status >= 400 && refused.status < 500, refused.body);
  }
  const insert = await alice.raw("POST", "/credentials", { provider: "openai", label: "x" });
  assert.equal(insert.status, 403, insert.body);
  assert.equal(await everything(), before);
});

Deno.test("organisations: owners and admins change, members see, strangers see nothing", async () => {
  const { secret_id, p_secret } = await save(alice, { p_org_id: acme });
  const other = await save(bob, { p_org_id: globex });
  const [seen] = await carol.rows("credentials", { secret_id });
  assert.equal(seen.preview, "sk-proj-" + "•".repeat(8) + p_secret.slice(-4));
  for (const who of [bob, admin]) assert.deepEqual(await who.rows("credentials", { secret_id }), []);
  const before = await everything();
  for (const who of [bob, admin]) {
    assert.deepEqual(
      await patch(who, secret_id, { enabled: false, allowed_hosts: ["evil.test"] }),
      [],
      who.name,
    );
    assert.deepEqual(await ok(who.db.from("credentials").delete().eq("secret_id", secret_id).select()), []);
  }
  const closedToMember = async () => {
    assert.deepEqual(await patch(carol, secret_id, { enabled: false }), []);
    assert.deepEqual(await ok(carol.db.from("credentials").delete().eq("secret_id", secret_id).select()), []);
  };
  await closedToMember();
  assert.equal(await everything(), before);
  assert.equal((await patch(bob, other.secret_id, { label: "by an admin", expires_at: soon() })).length, 1);
  await alice.call("add_member", { p_org_id: acme, p_user_id: carol.name, p_role: "admin" });
  assert.equal(
    (await patch(carol, secret_id, { label: "by an admin", allowed_hosts: ["a.test"] })).length,
    1,
  );
  await alice.call("add_member", { p_org_id: acme, p_user_id: carol.name, p_role: "member" });
  await closedToMember();
  const of = { p_org_id: acme, p_levels: ["org"], p_host: "a.test" };
  assert.equal((await resolve(carol, of)).token, p_secret);
  assert.deepEqual(
    await ok(alice.db.from("credentials").delete().eq("secret_id", secret_id).select("secret_id")),
    [{ secret_id }],
  );
  assert.equal((await resolve(carol, of)).source, "none");
  await sound();
});

Deno.test("global ones: administrators; all of them: service and operator; looking only: reviewer", async () => {
  const { secret_id } = await save(admin, { p_global: true });
  const own = await save(carol);
  for (const who of [alice, bob, carol]) {
    assert.deepEqual(await who.rows("credentials", { secret_id }), []);
    assert.deepEqual(await patch(who, secret_id, { enabled: false }), []);
  }
  assert.equal((await patch(admin, secret_id, { label: "by an administrator" })).length, 1);
  assert.deepEqual(await admin.rows("credentials", { secret_id: own.secret_id }), [], "not the users' own");
  for (const who of [service, operator]) {
    for (const it of [secret_id, own.secret_id]) {
      assert.equal((await patch(who, it, { label: who.name, expires_at: soon() })).length, 1);
    }
  }
  assert.equal((await reviewer.rows("credentials", { secret_id })).length, 1);
  assert.equal(
    (await reviewer.raw("PATCH", `/credentials?secret_id=eq.${secret_id}`, { label: "x" })).status,
    403,
  );
  assert.equal((await reviewer.raw("DELETE", `/credentials?secret_id=eq.${secret_id}`)).status, 403);
  assert.equal(
    (await anon.raw("PATCH", `/credentials?secret_id=eq.${secret_id}`, { label: "x" })).status,
    401,
  );
  assert.deepEqual(await nobody.rows("credentials"), []);
  assert.deepEqual(
    await ok(admin.db.from("credentials").delete().eq("secret_id", secret_id).select("secret_id")),
    [{ secret_id }],
  );
  await sound();
});

Deno.test("delete: its row, its history, its masked key", async () => {
  const { secret_id } = await save(bob);
  await replace(bob);
  assert.equal((await bob.rows("user_api_keys", { service: "openai" })).length, 1);
  assert.equal((await ok(bob.db.from("credentials").delete().eq("secret_id", secret_id).select())).length, 1);
  assert.deepEqual(await bob.rows("user_api_keys", { service: "openai" }), []);
  assert.deepEqual(
    await query(`SELECT * FROM hftok_private.secret_versions WHERE secret_id = '${secret_id}'`),
    [],
  );
  // Named secrets and those of integrations are out of reach from here, for everybody.
  const named = await service.call("create_secret", { new_secret: make.text() });
  for (const who of [bob, service, operator]) {
    assert.deepEqual(await ok(who.db.from("credentials").delete().eq("secret_id", named).select()), []);
    assert.deepEqual(await patch(who, named, { label: "x" }), []);
  }
});

nothingLeaked();
