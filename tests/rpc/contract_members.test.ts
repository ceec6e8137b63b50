// Organisations, their members, and administrators.
import assert from "node:assert/strict";
import { make } from "./lib/exchange.ts";
import { operator, people, type Person, service } from "./lib/people.ts";
import { nothingLeaked } from "./lib/server.ts";

const { alice, bob, carol, admin, acme, globex, id } = await people("members");

Deno.test("members: who may make whom what", async () => {
  const org = id("team");
  await alice.refused("add_member", { p_org_id: org, p_user_id: alice.name, p_role: "owner" }, 404, "PT404");
  await operator.call("add_member", { p_org_id: org, p_user_id: alice.name, p_role: "owner" });
  assert.equal(operator.last.status, 204);
  const add = (of: Person, p_role: string) => ({ p_org_id: org, p_user_id: of.name, p_role });
  await alice.call("add_member", add(bob, "admin"));
  await bob.call("add_member", add(carol, "member"));
  await bob.refused("add_member", add(carol, "owner"), 403, "42501");
  await bob.refused("add_member", add(alice, "member"), 403, "42501");
  await bob.refused("remove_member", { p_org_id: org, p_user_id: alice.name }, 403, "42501");
  await carol.refused("add_member", add(admin, "member"), 403, "42501");
  await carol.refused("remove_member", { p_org_id: org, p_user_id: bob.name }, 403, "42501");
  await admin.refused("add_member", add(admin, "member"), 404, "PT404");
  await alice.refused("add_member", add(carol, "king"), 400, "22023");
  await alice.refused("add_member", add(alice, "admin"), 400, "22023");
  await alice.refused("remove_member", { p_org_id: org, p_user_id: alice.name }, 400, "22023");
  const seen = (await carol.rows("members", { org_id: org })).map((row) => [row.user_id, row.role]);
  assert.deepEqual(seen.sort(), [[alice.name, "owner"], [bob.name, "admin"], [carol.name, "member"]]);
  assert.deepEqual(await admin.rows("members", { org_id: org }), []);
  assert.equal(
    await carol.call("remove_member", { p_org_id: org, p_user_id: carol.name }),
    true,
    "anybody may leave",
  );
  await carol.refused("remove_member", { p_org_id: org, p_user_id: carol.name }, 404, "PT404");
  assert.equal(await alice.call("remove_member", { p_org_id: org, p_user_id: carol.name }), false);
  await alice.call("add_member", add(bob, "owner"));
  await alice.call("remove_member", { p_org_id: org, p_user_id: alice.name });
  assert.deepEqual(await alice.rows("members", { org_id: org }), []);
});

Deno.test("administrators write global credentials, and see who else does", async () => {
  const p_secret = make.openai();
  const given = { p_provider: "openai", p_secret, p_global: true };
  await alice.refused("save_credential", given, 403, "42501");
  await admin.call("save_credential", given);
  assert.equal((await admin.rows("credentials", { scope: "global", provider: "openai" })).length, 1);
  assert.deepEqual(await alice.rows("credentials", { scope: "global" }), []);
  assert.deepEqual(await alice.rows("administrators"), []);
  assert((await admin.rows("administrators")).some((row) => row.user_id === admin.name));
  await alice.refused("grant_administrator", { p_user_id: alice.name }, 403, "42501");
  await admin.refused("grant_administrator", { p_user_id: alice.name }, 403, "42501");
  assert.equal(await admin.call("delete_credential", { p_provider: "openai", p_global: true }), true);
  await operator.call("grant_administrator", { p_user_id: id("second") });
  assert.equal(await service.call("revoke_administrator", { p_user_id: id("second") }), true);
  assert.equal(await service.call("revoke_administrator", { p_user_id: id("second") }), false);
});

Deno.test("organisations: owners and admins write, members and strangers do not", async () => {
  const given = (p_org_id: string) => ({ p_provider: "anthropic", p_secret: make.anthropic(), p_org_id });
  await alice.call("save_credential", given(acme));
  await bob.call("save_credential", given(globex));
  await carol.refused("save_credential", given(acme), 403, "42501");
  await bob.refused("save_credential", given(acme), 404, "PT404");
  await alice.refused("save_credential", given("there is none"), 404, "PT404");
  await carol.refused("delete_credential", { p_provider: "anthropic", p_org_id: acme }, 403, "42501");
  assert.equal(await bob.call("delete_credential", { p_provider: "anthropic", p_org_id: acme }), false);
  assert.equal(await alice.call("delete_credential", { p_provider: "anthropic", p_org_id: acme }), true);
});

nothingLeaked();
