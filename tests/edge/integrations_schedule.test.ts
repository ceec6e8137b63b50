// The schedule by which integrations are verified, and keys that may do no more than it needs.
import assert from "node:assert/strict";
import { jwt, Person, service, url } from "../rpc/lib/people.ts";
import { query, sql, written } from "../rpc/lib/server.ts";
import { Running, test } from "./lib/functions.ts";
import { done, ending, key, made, plain, row, scene, state, status } from "./lib/integrations.ts";
import { answering, got } from "./lib/local_provider.ts";

const { stub, alice, carol, acme, said, create, remove } = await scene("schedule", ["groq"]);

const seconds = (of: string, ago: number) =>
  sql(
    `UPDATE hftok_private.integrations SET last_tested_at = now() - interval '${ago} seconds' WHERE id = '${of}'`,
  );
/** Nothing of the tests before is due. */
const nothingDue = () => sql("UPDATE hftok_private.integrations SET last_tested_at = now()");

const verify = async (body: object = {}, who: Person = service, running?: Running) => {
  const { http, ok, ...counts } = await said(who, "POST", "/verify", body, { running });
  assert.deepEqual([http, ok], [200, true], JSON.stringify(counts));
  return counts;
};
const NONE = { tested: 0, verified: 0, invalid: 0, indeterminate: 0, skipped: 0 };

test("the schedule: pending ones, those whose verifier has died, and those that were tested long ago", async () => {
  await nothingDue();
  assert.deepEqual(await verify(), NONE);
  status(200);
  const pending = await made({ p_user_id: alice.name });
  const ofOrg = await made({ p_org_id: acme });
  const bad = await made({ p_user_id: alice.name }, "groq", key("bad"));
  const broken = await made({ p_user_id: alice.name }, "groq", key("broken"));
  const limited = await made({ p_user_id: alice.name }, "groq", key("limited"));
  const off = await made({ p_user_id: alice.name });
  await said(alice, "PUT", `/${off}`, { enabled: false });
  got.length = 0;
  assert.deepEqual(await verify({ limit: 1 }), { ...NONE, tested: 1, verified: 1 });
  assert.deepEqual(await verify(), { tested: 4, verified: 1, invalid: 1, indeterminate: 2, skipped: 0 });
  assert.deepEqual(await verify(), NONE, "each was tested just now");
  assert.equal(got.length, 2);
  const all = [pending, ofOrg, bad, broken, limited, off];
  const states = async () => (await Promise.all(all.map(row))).map((it) => it.status);
  assert.deepEqual(await states(), ["connected", "connected", "error", "pending", "pending", "disabled"]);

  // An hour later only what is not known is tried again; one that asked for a rest, after that.
  for (const of of all) await seconds(of, 3600);
  // Longer than the seconds that the provider asked for, which may be over by now.
  await sql(
    "UPDATE hftok_private.secrets SET rested_until = now() + interval '1 hour' WHERE rested_until IS NOT NULL",
  );
  assert.deepEqual(await verify(), { ...NONE, tested: 1, indeterminate: 1 });
  await sql("UPDATE hftok_private.secrets SET rested_until = now() WHERE rested_until IS NOT NULL");
  assert.deepEqual(await verify(), { ...NONE, tested: 1, indeterminate: 1 });
  // Whoever was verifying this one has died.
  const [{ secret_id }] = await service.rows("integrations", { id: pending });
  await service.call("begin_verification", { p_integration_id: pending, p_user_id: alice.name });
  await sql(`UPDATE hftok_private.integrations SET status = 'verifying' WHERE id = '${pending}'`);
  assert.deepEqual(await verify(), NONE);
  await seconds(pending, 601);
  assert.deepEqual(await verify(), { ...NONE, tested: 1, verified: 1 });
  assert.equal((await row(pending)).secret_id, secret_id);
  // A day later all that is switched on.
  for (const of of all) await seconds(of, 86_401);
  await sql("UPDATE hftok_private.secrets SET rested_until = now() WHERE rested_until IS NOT NULL");
  assert.equal((await verify()).tested, 5);
  assert.deepEqual(await verify({ older_than_seconds: 60 }), NONE);
  for (const  of of[pending, ofOrg]) await seconds(of, 61);
  assert.equal((await verify({ older_than_seconds: 60 })).verified, 2);
  assert.deepEqual(await states(), ["connected", "connected", "error", "pending", "pending", "disabled"]);

  // On behalf of their owners, which the audit says.
  await written();
  const actors = await query(
    `SELECT DISTINCT actor_user FROM hftok.audit_events WHERE object_id = '${ofOrg}' AND action = 'get_integration_credentials'`,
  );
  assert.deepEqual(actors, [{ actor_user: alice.name }]);
  for (const of of all) await remove(of);
});

test("two schedules at once share the work: nobody is asked twice", async () => {
  await nothingDue();
  answering(async () => {
    await new Promise((done) => setTimeout(done, 50));
    return new Response();
  });
  const all = await Promise.all(Array.from({ length: 24 }, () => made({ p_user_id: alice.name })));
  got.length = 0;
  const other = await Running.start("integrations");
  const counts = await Promise.all([verify(), verify({}, service, other), verify({ limit: 7 })]);
  assert.deepEqual([counts.reduce((sum, it) => sum + it.verified, 0), got.length], [24, 24]);
  assert.deepEqual(new Set(got.map(({ headers }) => headers.get("x-key"))).size, 24);
  other.kill();
  for (const of of all) await remove(of);
});

test("what cannot be opened is skipped, and the others are not kept from it", async () => {
  await nothingDue();
  status(200);
  const [damaged, gone, fine] = [
    await made({ p_user_id: alice.name }),
    await made({ p_user_id: alice.name }),
    await made({ p_user_id: alice.name }),
  ];
  await sql(
    `UPDATE hftok_private.secrets s SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)
     FROM hftok_private.integrations i WHERE i.secret_id = s.id AND i.id = '${damaged}'`,
  );
  answering(async () => {
    await alice.call("delete_integration_with_vault", { p_integration_id: gone });
    return new Response();
  });
  const { verified, skipped } = await verify();
  assert(verified >= 1 && skipped >= 1, `${verified} ${skipped}`);
  assert.equal((await row(fine)).status, "connected");
  const [found, message] = await state(damaged);
  assert.equal(found, "pending");
  assert.match(message, /cannot be opened/);
  for (const  of of[damaged, fine]) await remove(of);
});

test("with the keys of docs/integrations.md: the function's opens integrations, the schedule's only begins", async () => {
  await nothingDue();
  const statements = (await Deno.readTextFile(new URL("../../docs/integrations.md", import.meta.url)))
    .match(/```sql\n(CREATE ROLE hf_integrations[\s\S]*?)```/)?.[1];
  assert(statements, "the document has no roles");
  await sql(statements);
  const as = (role: string) => Person.of(role, { role }, true);
  const [ours, schedule] = [await as("hf_integrations"), await as("hf_schedule")];
  const least = await Running.start("integrations", {
    HFTOK_SERVICE_KEY: await jwt({ role: "hf_integrations" }),
  });
  try {
    status(200);
    const { http, id, status: begun } = await create("edge_told", plain(), { running: least });
    assert.deepEqual([http, begun], [201, "verifying"]);
    await done(id);
    assert.equal((await row(id)).status, "connected");
    assert.equal((await said(alice, "POST", `/${id}/test`, {}, { running: least })).ok, true);
    const of = await made({ p_user_id: carol.name });
    assert.deepEqual(await verify({}, schedule, least), { ...NONE, tested: 1, verified: 1 });
    assert.deepEqual(await verify({}, ours, least), NONE);
    // Neither does more.
    const named = { p_integration_id: of, p_user_id: carol.name };
    await schedule.refused("get_integration_credentials", named, 403, "42501");
    for (const who of [ours, schedule]) {
      await who.refused("update_integration_status", { ...named, p_status: "disabled" }, 403, "42501");
      await who.refused("resolve_token", { p_provider: "groq", p_user_id: alice.name }, 403, "42501");
      await who.refused("get_secret", { p_name: "any" }, 403, "42501");
      const view = await fetch(`${url}/integrations`, {
        headers: { ...who.headers, "Accept-Profile": "hftok" },
      });
      assert.equal(view.status, 403);
      await view.body?.cancel();
    }
    await service.call("delete_integration_with_vault", named);
    await remove(id);
  } finally {
    least.kill();
    await sql("DROP OWNED BY hf_integrations, hf_schedule; DROP ROLE hf_integrations, hf_schedule");
  }
});

test("a function's key that may not verify: what was saved stands, and the status says that nothing is known", async () => {
  const unable = await Running.start("integrations", { HFTOK_SERVICE_KEY: await jwt({ role: "anon" }) });
  const { http, id, status: begun } = await create("edge_told", plain(), { running: unable });
  assert.deepEqual([http, begun], [201, "pending"]);
  assert.match(unable.printed, /"beginning":"failed"/);
  const { http: refused, error } = await said(alice, "POST", `/${id}/test`, {}, { running: unable });
  assert.deepEqual([refused, error.code], [500, "misconfigured"]);
  await remove(id);
  unable.kill();
});

ending(stub);
