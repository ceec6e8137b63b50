// A user who has themselves refused as often as PostgREST answers, each time for something else: the audit counts them, and
// names what the backend and another user were refused meanwhile.
import assert from "node:assert/strict";
import { make } from "./lib/exchange.ts";
import { people, refused, service } from "./lib/people.ts";
import { nothingLeaked, query, sql, written } from "./lib/server.ts";

const { alice, bob } = await people("floods");
await alice.call("save_hf_token", { p_token: make.hf() });
const flood = 2_000;
const hands = 16;

Deno.test("a flood of refusals over RPC is counted, and hides nobody's", async () => {
  const begin = Date.now();
  const flooding = Array.from({ length: hands }, async () => {
    for (let n = 0; n < flood / hands; n++) {
      const given = { p_integration_id: crypto.randomUUID() };
      assert.equal(await bob.call("delete_integration_with_vault", given), false);
    }
  });
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) {
    const id = crypto.randomUUID();
    const given = { p_integration_id: id, p_user_id: alice.name };
    await refused(service.db.rpc("get_integration_credentials", given), 404, "PT404");
    await refused(
      alice.db.rpc("update_integration", { p_integration_id: id, p_enabled: true }),
      404,
      "PT404",
    );
    ids.push(id);
  }
  await Promise.all(flooding);
  const lasted = Date.now() - begin;
  await written();
  const [{ told, rows }] = await query(
    `SELECT coalesce(sum(count), 0) AS told, count(*) AS rows FROM hftok_private.audit_rows
     WHERE kind = 'refusal' AND actor_user = '${bob.name}' AND action = 'delete_integration_with_vault'`,
  );
  assert.equal(Number(told), flood);
  // The first of a kind in each round, and one for the rest; rounds of a fifth of a second, or shorter when they are called. On a
  // machine so slow that a round has no more of them than that, each rightly has a row.
  const isFew = Number(rows) <= 17 * (lasted / 20 + 1) && (lasted > 10_000 || Number(rows) < flood);
  assert(isFew, `${rows} rows in ${lasted} ms`);
  const named = await sql(
    `SELECT string_agg(found, ' ') FROM (
       SELECT role_name || ' ' || count(*) AS found FROM hftok_private.audit_rows
       WHERE kind = 'refusal' AND object_id = ANY ('{${ids}}') GROUP BY role_name ORDER BY role_name) f`,
  );
  assert.equal(named, "authenticated 20 service_role 20");
});

nothingLeaked();
