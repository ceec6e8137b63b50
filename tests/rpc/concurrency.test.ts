// Many at once.
import assert from "node:assert/strict";
import { make } from "./lib/exchange.ts";
import { people, service } from "./lib/people.ts";
import { nothingLeaked, query, sql } from "./lib/server.ts";

const { alice, bob, admin, acme, id } = await people("many");

Deno.test("100 writers of the same credential: one row, versions 1 to 100, no error", async () => {
  for (const owner of [{ p_user_id: id("user") }, { p_org_id: acme }]) {
    const values = Array.from({ length: 100 }, () => make.openai());
    const answers = await Promise.all(
      values.map((p_secret) =>
        service.db.rpc("save_credential", { p_provider: "openai", p_secret, ...owner } as any)
      ),
    );
    const errors = answers.filter(({ error }) => error).map(({ error }) => error);
    assert.deepEqual(errors, []);
    const saved = answers.map(({ data }) => data);
    assert.deepEqual(
      saved.map(({ version }) => version).sort((a, b) => a - b),
      values.map((_, at) => at + 1),
    );
    assert.equal(new Set(saved.map(({ secret_id }) => secret_id)).size, 1);
    const rows = await service.rows("credentials", { secret_id: saved[0].secret_id });
    assert.deepEqual([rows.length, rows[0].version], [1, 100]);
    const last = saved.findIndex(({ version }) => version === 100);
    const resolved = await service.call("resolve_token", { p_provider: "openai", ...owner });
    assert.equal(resolved.token, values[last], "what is stored is what version 100 was saved with");
    const history = await query(
      `SELECT version FROM hftok_private.secret_versions WHERE secret_id = '${
        saved[0].secret_id
      }' ORDER BY 1`,
    );
    assert.deepEqual(history.map(({ version }) => version), Array.from({ length: 10 }, (_, at) => 90 + at));
  }
});

Deno.test("with the version expected, no update is lost", async () => {
  // Each adds one mark to what is there, and tries again when somebody was faster.
  const p_name = "many marks";
  await service.call("put_secret", { p_name, p_secret: "" });
  let conflicts = 0;
  const add = async (mark: string) => {
    for (;;) {
      const [{ version }] = await service.rows("secrets", { name: p_name });
      const marks = await service.call("get_secret", { p_name, p_version: version });
      const given = { p_name, p_secret: marks + mark, p_expected_version: version };
      const { error, status } = await service.db.rpc("put_secret", given as any);
      if (!error) return;
      assert.deepEqual([status, error.code], [409, "PT409"], JSON.stringify(error));
      conflicts++;
    }
  };
  const marks = Array.from("abcdefghijklmnopqrst");
  await Promise.all(marks.map(add));
  assert.deepEqual([...await service.call("get_secret", { p_name })].sort(), marks);
  assert(conflicts > 0, "nobody met anybody");
});

Deno.test("save_credential with the version expected: one wins each round", async () => {
  for (let version = 0; version < 5; version++) {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        alice.db.rpc(
          "save_credential",
          { p_provider: "openai", p_secret: make.openai(), p_expected_version: version } as any,
        )),
    );
    assert.equal(answers.filter(({ error }) => !error).length, 1);
    assert(answers.every(({ error, status }) => !error || (status === 409 && error.code === "PT409")));
  }
});

Deno.test("saving, deleting, resolving and changing at once ends in no error but the expected", async () => {
  const save = () =>
    bob.raw("POST", "/rpc/save_credential", { p_provider: "openai", p_secret: make.openai() });
  const key = () =>
    bob.raw("POST", "/user_api_keys", { service: "openai", api_key: make.openai() }, {
      Prefer: "resolution=merge-duplicates",
    });
  const remove = () => bob.raw("POST", "/rpc/delete_credential", { p_provider: "openai" });
  const removeRow = () => bob.raw("DELETE", "/user_api_keys?service=eq.openai");
  const change = () =>
    bob.raw("PATCH", "/credentials?provider=eq.openai", { allowed_hosts: ["a.test"], label: "x" });
  const resolve = () =>
    service.raw("POST", "/rpc/resolve_token", {
      p_provider: "openai",
      p_user_id: bob.name,
      p_host: "a.test",
    });
  const all = Array.from({ length: 20 }, () => [save, key, remove, removeRow, change, resolve]).flat();
  const answers = await Promise.all(all.map((it) => it()));
  const wrong = answers.filter(({ status }) => ![200, 201, 204, 422].includes(status));
  const summary = wrong.map(({ method, url, status, body }) =>
    `${method} ${new URL(url).pathname} ${status} ${JSON.parse(body).code}`
  );
  assert.deepEqual([...new Set(summary)].sort(), [], "deadlocks, most likely");
  const rows = await bob.rows("credentials", { provider: "openai" });
  assert.equal((await bob.rows("user_api_keys")).length, rows.length);
  assert.deepEqual(await query("SELECT * FROM hftok.verify() WHERE reason IS NOT NULL"), []);
});

Deno.test("a label changed while somebody else binds the credential to hosts: both hold", async () => {
  const given = { p_provider: "anthropic", p_secret: make.anthropic() };
  const { secret_id } = await alice.call("save_credential", given);
  // A transaction that takes its time, as PostgREST's do not.
  const slow = sql(
    `BEGIN; SELECT hftok.save_credential('anthropic', '${make.anthropic()}', p_user_id => '${alice.name}',
       p_allowed_hosts => '{a.test}', p_expires_at => '2099-01-01'); SELECT pg_sleep(0.7); COMMIT`,
  );
  await new Promise((done) => setTimeout(done, 350));
  const label = await alice.raw("PATCH", `/credentials?secret_id=eq.${secret_id}`, { label: "mine" });
  await slow;
  assert([204, 409].includes(label.status), label.body);
  const [row] = await alice.rows("credentials", { secret_id });
  assert.deepEqual(row.allowed_hosts, ["a.test"], "nobody took that back");
  assert.match(row.expires_at, /^2099/);
});

Deno.test("two owners that leave at once: one stays", async () => {
  for (let round = 0; round < 5; round++) {
    const org = id(`pair-${round}`);
    for (const who of [alice, admin]) {
      await service.call("add_member", { p_org_id: org, p_user_id: who.name, p_role: "owner" });
    }
    const leave = (who: typeof alice) =>
      who.raw("POST", "/rpc/remove_member", { p_org_id: org, p_user_id: who.name });
    const statuses = (await Promise.all([leave(alice), leave(admin)])).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [200, 400]);
    assert.equal((await service.rows("members", { org_id: org, role: "owner" })).length, 1);
  }
});

nothingLeaked();
