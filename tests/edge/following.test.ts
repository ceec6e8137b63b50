// An application's own table of memberships, written to by its users over PostgREST, and followed.
import assert from "node:assert/strict";
import { make } from "../rpc/lib/exchange.ts";
import { service, user } from "../rpc/lib/people.ts";
import { query, sql, until, written } from "../rpc/lib/server.ts";

const [alice, bob] = await Promise.all(["follow-alice", "follow-bob"].map(user));
const profile = { "Accept-Profile": "public", "Content-Profile": "public" };
const token = make.hf();

await sql(
  `CREATE TABLE public.team_members (team text, user_id text, role text, PRIMARY KEY (team, user_id));
   ALTER TABLE public.team_members ENABLE ROW LEVEL SECURITY;
   -- As an application has it: users leave and join by themselves.
   CREATE POLICY own ON public.team_members USING (user_id = current_setting('request.jwt.claims')::json ->> 'sub');
   GRANT SELECT, INSERT, UPDATE, DELETE ON public.team_members TO authenticated;
   CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON public.team_members
       FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team', 'user_id', 'role', 'guest=none');
   NOTIFY pgrst, 'reload schema'`,
);
// Only writing asks PostgREST's own list of tables.
await until(async () => (await alice.raw("OPTIONS", "/team_members", undefined, profile)).status === 200);
await service.call("save_hf_token", { p_token: token, p_org_id: "follow-team" });

const resolve = { p_user_id: alice.name, p_org_id: "follow-team" };
const members = () =>
  query("SELECT user_id, role FROM hftok.members WHERE org_id = 'follow-team' ORDER BY 1");

Deno.test("whoever joins uses the organisation's token at once, and whoever leaves no more", async () => {
  await service.refused("resolve_hf_token", resolve, 422, "PT422");
  const joined = await alice.raw("POST", "/team_members", {
    team: "follow-team",
    user_id: alice.name,
    role: "admin",
  }, profile);
  assert.equal(joined.status, 201);
  assert.deepEqual(await members(), [{ user_id: alice.name, role: "admin" }]);
  assert.equal(await service.call("resolve_hf_token", resolve), token);
  // With what the table says of her she writes the organisation's credentials.
  await alice.call("save_hf_token", { p_token: token, p_org_id: "follow-team" });

  const mine = `/team_members?team=eq.follow-team&user_id=eq.${alice.name}`;
  assert.equal((await alice.raw("PATCH", mine, { role: "guest" }, profile)).status, 204);
  await service.refused("resolve_hf_token", resolve, 422, "PT422");
  assert.equal((await alice.raw("PATCH", mine, { role: "member" }, profile)).status, 204);
  assert.equal(await service.call("resolve_hf_token", resolve), token);
  await alice.refused("save_hf_token", { p_token: token, p_org_id: "follow-team" }, 403, "42501");
  assert.equal((await alice.raw("DELETE", mine, undefined, profile)).status, 204);
  assert.deepEqual(await members(), []);
  await service.refused("resolve_hf_token", resolve, 422, "PT422");
});

Deno.test("what the application refuses is followed by nothing", async () => {
  const row = { team: "follow-team", user_id: alice.name, role: "owner" };
  assert.equal((await bob.raw("POST", "/team_members", row, profile)).status, 403);
  assert.deepEqual(await members(), []);
});

Deno.test("the audit names the user who wrote to the table", async () => {
  await written();
  const events = await query(
    `SELECT role_name, actor_user, subject, level FROM hftok.audit_events
     WHERE action = 'follow_members' AND owner_id = 'follow-team' AND outcome = 'committed' ORDER BY id`,
  );
  const by = { role_name: "authenticated", actor_user: alice.name, subject: alice.name };
  assert.deepEqual(events, ["admin", null, "member", null].map((level) => ({ ...by, level })));
});
