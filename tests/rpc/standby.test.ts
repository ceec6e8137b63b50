// Every reveal through a PostgREST that is connected to a streaming standby, and its event in that server's log.
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { letters, make, plaintext } from "./lib/exchange.ts";
import { jwt, people, Person, service, standbyUrl } from "./lib/people.ts";
import { nothingLeaked, query, sql, until } from "./lib/server.ts";

const { alice, bob, carol, acme } = await people("standby");
const there = await Person.of("service on the standby", { role: "service_role" }, true, standbyUrl);
const onStandby = async (who: Person) =>
  new Person(
    who.name + " on the standby",
    await jwt({ role: "authenticated", sub: who.name }),
    false,
    standbyUrl,
  );
const [aliceThere, bobThere, carolThere] = await Promise.all([alice, bob, carol].map(onStandby));

const value = {
  hf: make.hf(),
  org: make.openai(),
  named: make.text(),
  former: make.text(),
  aws: plaintext(letters(40)),
};
const credentials = { access_key_id: "AKIA" + "ABCDEFGH".repeat(2), secret_access_key: value.aws };
const { secret_id } = await alice.call("save_hf_token", { p_token: make.hf() });
await alice.call("save_hf_token", { p_token: value.hf });
await alice.call("save_credential", { p_provider: "openai", p_secret: value.org, p_org_id: acme });
await service.call("put_secret", { p_name: "standby named", p_secret: value.former });
const named = await service.call("put_secret", { p_name: "standby named", p_secret: value.named });
const integration = await alice.call("create_integration_with_vault", {
  p_name: "s",
  p_type: "aws",
  p_credentials: credentials,
});

/** Waits until the standby has replayed what is written so far. */
async function replayed() {
  const behind = `SELECT count(*)::int AS n FROM pg_stat_replication WHERE replay_lsn >= '${await sql(
    "SELECT pg_current_wal_lsn()",
  )}'`;
  await until(async () => (await query(behind))[0].n === 1);
}
await replayed();

Deno.test("it is a standby: what writes fails, without a value in the answer", async () => {
  const answer = await aliceThere.raw("POST", "/rpc/save_hf_token", { p_token: make.hf() });
  assert(
    answer.status >= 400 && answer.status < 600 && answer.status !== 500,
    `${answer.status} ${answer.body}`,
  );
});

Deno.test("resolve_token, resolve_hf_token, previous_token", async () => {
  const resolved = await there.call("resolve_token", { p_provider: "huggingface", p_user_id: alice.name });
  assert.deepEqual([resolved.token, resolved.source, resolved.version], [value.hf, "user", 2]);
  assert.equal(there.last.headers.get("cache-control"), "no-store");
  assert.equal(await there.call("resolve_hf_token", { p_user_id: alice.name }), value.hf);
  assert.equal(await there.call("resolve_hf_token", { p_user_id: bob.name }), null);
  assert.match(await there.call("previous_token", { p_secret_id: secret_id }), /^hf_/);
  assert.equal(
    (await there.call("resolve_token", { p_provider: "openai", p_user_id: carol.name, p_org_id: acme }))
      .token,
    value.org,
  );
  await there.refused(
    "resolve_token",
    { p_provider: "openai", p_user_id: bob.name, p_org_id: acme },
    422,
    "PT422",
  );
});

Deno.test("get_secret and the views of named secrets", async () => {
  assert.equal(await there.call("get_secret", { p_name: "standby named" }), value.named);
  assert.equal(await there.call("get_secret", { p_name: "standby named", p_version: 1 }), value.former);
  await there.refused("get_secret", { p_name: "standby none" }, 404, "PT404");
  assert.equal((await there.call("secret_history", { p_secret_id: named })).length, 2);
  assert.equal((await there.rows("secrets", { id: named })).length, 1);
  assert.equal((await there.raw("GET", `/decrypted_secrets?select=name&id=eq.${named}`)).status, 200);
  assert.equal((await there.raw("GET", `/decrypted_secrets?select=decrypted_secret`)).status, 405);
});

Deno.test("runner_env", async () => {
  const variables = await there.call("runner_env", { p_user_id: carol.name, p_org_id: acme });
  assert.equal(variables.OPENAI_API_KEY, value.org);
});

Deno.test("get_integration_credentials", async () => {
  const of = { p_integration_id: integration, p_user_id: alice.name };
  assert.deepEqual(await there.call("get_integration_credentials", of), credentials);
  await there.refused("get_integration_credentials", { ...of, p_user_id: bob.name }, 404, "PT404");
});

Deno.test("explain_token, token_provided, check_credential, whoami, status", async () => {
  const asked = { p_provider: "openai", p_org_id: acme };
  const walk = await carolThere.call("explain_token", asked);
  assert.deepEqual(walk.map((row: any) => row.outcome), [
    "absent",
    "absent",
    "absent",
    "absent",
    "used",
    "not_reached",
    "not_reached",
  ]);
  assert.equal(await carolThere.call("token_provided", asked), true);
  await bobThere.refused("explain_token", asked, 404, "PT404");
  assert.equal(
    (await aliceThere.call("check_credential", { p_provider: "openai", p_secret: make.openai() })).ok,
    true,
  );
  assert.equal(await aliceThere.call("whoami"), alice.name);
  assert.equal((await there.call("status")).sealed, false);
});

Deno.test("the views show each their own, masked", async () => {
  const counts = async (who: Person) => {
    const views = ["credentials", "user_api_keys", "integrations", "members"];
    return await Promise.all(views.map((view) => who.rows(view).then((rows) => rows.length)));
  };
  assert.deepEqual(await counts(aliceThere), [2, 1, 1, 2]);
  assert.deepEqual(await counts(carolThere), [1, 0, 0, 2]);
  assert.deepEqual(await counts(bobThere), [0, 0, 0, 2]);
  assert(
    (await aliceThere.rows("provider_secrets")).some((row) =>
      row.provider === "huggingface" && row.is_configured
    ),
  );
  assert((await aliceThere.rows("providers")).length > 10);
  for (const view of ["expiring_credentials", "administrators", "usage_daily"]) await aliceThere.rows(view);
});

Deno.test("every reveal and refusal is a line in the server's log, without a value", async () => {
  // As run.sh lays it out: the folder of the sockets, and beside it the log of the standby.
  const log = dirname(await sql("SHOW unix_socket_directories")) + "/standby.log";
  const before = (await Deno.readTextFile(log)).length;
  const asked = { "X-Request-Id": "standby-1" };
  const ask = (name: string, given: object) => there.raw("POST", `/rpc/${name}`, given, asked);
  assert.equal((await ask("resolve_hf_token", { p_user_id: alice.name })).status, 200);
  assert.equal((await ask("get_secret", { p_name: "standby named", p_version: 1 })).status, 200);
  assert.equal((await ask("get_secret", { p_name: "standby none" })).status, 404);
  assert.equal(
    (await bobThere.raw("POST", "/rpc/get_secret", { p_name: "standby named" }, asked)).status,
    403,
  );

  const text = (await Deno.readTextFile(log)).slice(before);
  const events = text.split("\n").filter((line) => line.includes('"hftok_audit"'))
    .map((line) => JSON.parse(line.slice(line.indexOf("{"))).hftok_audit)
    .filter((event) => event.request_id === "standby-1");
  const facts = events.map((
    event,
  ) => [
    event.kind,
    event.action,
    event.outcome,
    event.version,
    event.object_id,
    event.level,
    event.actor_user,
  ]);
  assert.deepEqual(facts, [
    ["reveal", "resolve_hf_token", "used", 2, secret_id, "user", alice.name],
    ["reveal", "get_secret", "used", 1, named, null, null],
    ["refusal", "get_secret", "not_found", null, null, null, null],
    ["refusal", "get_secret", "not_allowed", null, null, null, bob.name],
  ]);
  assert.deepEqual(
    events.map((event) => [event.role_name, event.login_role, event.count]),
    [["service_role"], ["service_role"], ["service_role"], ["authenticated"]].map((
      [role],
    ) => [role, "authenticator", 1]),
  );
  const columns = (await query(
    `SELECT a.attname AS name FROM pg_attribute a WHERE a.attrelid = 'hftok.audit_events'::regclass AND a.attnum > 0`,
  )).map(({ name }) => name);
  const fields = [...Object.keys(events[0]), "id", "chain_hash"].filter((name) => name !== "database");
  assert.deepEqual(fields.sort(), columns.sort(), "the same fields as a row has");
  assert.equal(
    events[0].database,
    Number(await sql("SELECT oid FROM pg_database WHERE datname = current_database()")),
  );
  assert(Math.abs(Date.now() - Date.parse(events[0].at)) < 60_000);
  for (const secret of Object.values(value)) assert(!text.includes(secret), "a value is in the log");
});

Deno.test("what changes on the primary is seen: a new value, a membership that ended, a deletion", async () => {
  const next = make.hf();
  await alice.call("save_hf_token", { p_token: next });
  await alice.call("remove_member", { p_org_id: acme, p_user_id: carol.name });
  await service.call("delete_integration_with_vault", {
    p_integration_id: integration,
    p_user_id: alice.name,
  });
  await replayed();
  assert.equal(await there.call("resolve_hf_token", { p_user_id: alice.name }), next);
  await there.refused(
    "resolve_token",
    { p_provider: "openai", p_user_id: carol.name, p_org_id: acme },
    422,
    "PT422",
  );
  await there.refused(
    "get_integration_credentials",
    { p_integration_id: integration, p_user_id: alice.name },
    404,
    "PT404",
  );
});

nothingLeaked();
