// Logins with SQL of their own lock what they can, while PostgREST's clients work: the views that they may delete through, and
// nothing that lies below these.
import assert from "node:assert/strict";
import { make } from "./lib/exchange.ts";
import { people, service } from "./lib/people.ts";
import { nothingLeaked, psql, sql, until } from "./lib/server.ts";

const { alice } = await people("locks");
const token = make.hf();
await alice.call("save_hf_token", { p_token: token });
await service.call("put_secret", { p_name: "locks", p_secret: make.text() });
await sql(`
  DROP ROLE IF EXISTS locker, backend; CREATE ROLE locker LOGIN; GRANT hftok_user TO locker;
  CREATE ROLE backend LOGIN; GRANT hftok_service TO backend`);

/** Runs the work while one session of a login is reading a view, and another one waits to have it for itself alone. */
async function whileLocked(login: string, view: string, work: () => Promise<void>): Promise<void> {
  const sleeper = `FROM pg_stat_activity WHERE usename = '${login}' AND wait_event = 'PgSleep'`;
  const waiting = `FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE usename = '${login}' AND relation = 'hftok.${view}'::regclass AND NOT granted`;
  const are = async (these: string) => await sql(`SELECT count(*) ${these}`) === "1";
  const reading = psql(`BEGIN; SELECT FROM hftok.${view} LIMIT 0; SELECT pg_sleep(60); COMMIT`, login);
  await until(() => are(sleeper));
  const locking = psql(`BEGIN; LOCK TABLE hftok.${view} IN ACCESS EXCLUSIVE MODE; COMMIT`, login);
  await until(() => are(waiting));
  try {
    await work();
    assert(await are(waiting), "the work was done only when nobody waited any more");
  } finally {
    await sql(`SELECT pg_cancel_backend(pid) ${sleeper}`);
  }
  const read = await reading;
  assert(!read.ok && read.error.includes("57014"), read.error);
  const locked = await locking;
  assert(!locked.ok && locked.error.includes("42501"), locked.error);
}

/** The calls that everybody needs. */
async function everydayWork(): Promise<void> {
  assert.equal(await service.call("resolve_hf_token", { p_user_id: alice.name }), token);
  await alice.call("save_credential", { p_provider: "openai", p_secret: make.openai() });
  await service.call("get_secret", { p_name: "locks" });
  await service.call("delete_credential", { p_provider: "openai", p_user_id: alice.name });
}

Deno.test("a user who locks credentials: functions and the other views answer", () =>
  whileLocked("locker", "credentials", async () => {
    await everydayWork();
    assert.equal((await alice.rows("user_api_keys")).length, 1);
    assert.equal((await alice.rows("provider_secrets")).length, 1);
    assert.equal((await alice.rows("provider_overview", { is_configured: true })).length, 1);
  }));

Deno.test("a user who locks user_api_keys: functions and the other views answer", () =>
  whileLocked("locker", "user_api_keys", async () => {
    await everydayWork();
    assert.equal((await alice.rows("credentials")).length, 1);
  }));

Deno.test("a backend that locks decrypted_secrets: functions answer, named secrets included", () =>
  whileLocked("backend", "decrypted_secrets", async () => {
    await everydayWork();
    assert.equal((await alice.rows("credentials")).length, 1);
    assert.equal((await service.rows("secrets", { name: "locks" })).length, 1);
  }));

Deno.test("nobody who may delete through a view gets hold of a table", async () => {
  for (const login of ["locker", "backend"]) {
    for (const view of ["credentials", "user_api_keys", "provider_secrets", "decrypted_secrets"]) {
      const done = await psql(`BEGIN; LOCK TABLE hftok.${view} IN ACCESS EXCLUSIVE MODE; COMMIT`, login);
      assert(!done.ok && done.error.includes("42501"), `${login} ${view}: ${done.error}`);
    }
  }
  await sql("DROP ROLE locker, backend");
});

nothingLeaked();
