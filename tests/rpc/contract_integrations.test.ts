// Integrations: what users bring for an application's connections.
import assert from "node:assert/strict";
import { letters, make, plaintext } from "./lib/exchange.ts";
import { ok, people, type Person, service } from "./lib/people.ts";
import { nothingLeaked, until, withSetting } from "./lib/server.ts";

const { alice, bob, carol, acme, globex } = await people("integrations");
const notCached = (who: Person) =>
  assert.equal(who.last.headers.get("cache-control"), "no-store", who.last.url);

function aws() {
  return {
    access_key_id: "AKIA" + letters(16).toUpperCase().replace(/[0189]/g, "A"),
    secret_access_key: plaintext(letters(40)),
    region: "eu-west-1",
  };
}

async function create(who: Person, type: string, credentials: unknown, more: object = {}): Promise<string> {
  const given = { p_name: `my ${type}`, p_type: type, p_credentials: credentials, ...more };
  return await who.call("create_integration_with_vault", given);
}

const reveal = (id: string, p_user_id = alice.name) =>
  service.call("get_integration_credentials", { p_integration_id: id, p_user_id });
const row = async (who: Person, id: string) => (await who.rows("integrations", { id }))[0];

Deno.test("the life of an integration", async () => {
  const [first, second] = [make.openai(), make.openai()];
  const id = await create(alice, "openai", first, { p_config: { team: "a" } });
  notCached(alice);
  const made = await row(alice, id);
  assert.deepEqual(
    [
      made.user_id,
      made.name,
      made.type,
      made.status,
      made.config,
      made.error_message,
      made.credentials_migrated,
    ],
    [alice.name, "my openai", "openai", "pending", { team: "a" }, null, false],
  );
  assert.equal(made.last_used_at, null);
  assert.equal(await reveal(id), first);
  notCached(service);
  assert.equal(await reveal(id), first);

  const status = (p_status: string, p_error_message?: string) =>
    service.call("update_integration_status", {
      p_integration_id: id,
      p_status,
      p_error_message,
      p_user_id: alice.name,
    });
  for (const word of ["verifying", "disabled", "pending"]) {
    await status(word);
    assert.equal((await row(alice, id)).status, word);
  }
  await status("error", "quota is used up");
  assert.deepEqual([(await row(alice, id)).status, (await row(alice, id)).error_message], [
    "error",
    "quota is used up",
  ]);
  await status("connected");
  const connected = await row(alice, id);
  assert.deepEqual([connected.status, connected.error_message], ["connected", null]);
  await service.refused(
    "update_integration_status",
    { p_integration_id: id, p_status: "great" },
    400,
    "22023",
  );

  await alice.call("update_integration", {
    p_integration_id: id,
    p_name: "renamed",
    p_config: { team: "b" },
  });
  assert.equal(alice.last.status, 204);
  const renamed = await row(alice, id);
  assert.deepEqual([renamed.name, renamed.config, renamed.status], ["renamed", { team: "b" }, "connected"]);
  await alice.call("update_integration", { p_integration_id: id, p_enabled: false });
  assert.deepEqual([(await row(alice, id)).enabled, (await row(alice, id)).name], [false, "renamed"]);
  const disabled = { p_integration_id: id, p_user_id: alice.name };
  const error = await service.refused("get_integration_credentials", disabled, 422, "PT422");
  assert.equal(JSON.parse(error.details!).outcome, "disabled");
  await alice.call("update_integration", { p_integration_id: id, p_enabled: true });

  await alice.call("update_integration_credentials", { p_integration_id: id, p_credentials: second });
  assert.equal(await reveal(id), second);
  assert.equal((await row(alice, id)).status, "pending", "new credentials are not verified");

  await service.call("record_usage", { p_secret_id: made.secret_id, p_units: 7, p_cost: 0.25 });
  await service.call("record_usage", { p_secret_id: made.secret_id, p_requests: 2, p_units: 3, p_cost: 0.5 });
  await service.call("record_usage", { p_secret_id: null });
  const used = async () => (await service.rows("usage_daily", { secret_id: made.secret_id }))[0];
  await until(async () => (await used())?.requests === 3);
  const usage = await used();
  assert.deepEqual([usage.requests, usage.units, usage.cost, usage.currency, usage.provider], [
    3,
    10,
    0.75,
    "USD",
    "openai",
  ]);
  // That its credentials were opened is counted by itself, and may be later.
  await until(async () => (await row(alice, id)).last_used_at !== null);
  assert.deepEqual(
    (await alice.rows("usage_daily", { secret_id: made.secret_id })).length,
    1,
    "the owner sees the usage",
  );
  assert.deepEqual(await bob.rows("usage_daily"), []);

  assert.equal(await alice.call("delete_integration_with_vault", { p_integration_id: id }), true);
  assert.equal(await alice.call("delete_integration_with_vault", { p_integration_id: id }), false);
  assert.equal(await row(alice, id), undefined);
  await service.refused(
    "get_integration_credentials",
    { p_integration_id: id, p_user_id: alice.name },
    404,
    "PT404",
  );
});

Deno.test("credentials may be text, JSON text or an object", async () => {
  const given = aws();
  for (const credentials of [given, JSON.stringify(given)]) {
    const id = await create(alice, "aws", credentials);
    assert.deepEqual(await reveal(id), given);
  }
  const token = make.hf();
  assert.equal(await reveal(await create(alice, "huggingface", token)), token);
  const account = {
    type: "service_account",
    project_id: "p",
    private_key_id: "1",
    client_email: "a@p.iam.gserviceaccount.com",
    token_uri: "https://oauth2.googleapis.com/token",
    private_key: plaintext(`-----BEGIN PRIVATE KEY-----\n${letters(64)}\n-----END PRIVATE KEY-----\n`),
  };
  const file = JSON.stringify(account, null, 2);
  assert.deepEqual(await reveal(await create(alice, "google_cloud", file)), account);
  const azure = {
    client_id: crypto.randomUUID(),
    tenant_id: crypto.randomUUID(),
    client_secret: plaintext(letters(34) + "~.x"),
  };
  assert.deepEqual(await reveal(await create(alice, "azure", azure)), azure);
});

Deno.test("a masked field keeps what is stored", async () => {
  const given = aws();
  const id = await create(alice, "aws", given);
  const change = (credentials: unknown) =>
    alice.call("update_integration_credentials", { p_integration_id: id, p_credentials: credentials });
  await change({ ...given, region: "us-east-1", secret_access_key: "••••••••" });
  assert.deepEqual(await reveal(id), { ...given, region: "us-east-1" });
  await change({ access_key_id: "•••", secret_access_key: "•••", region: "•••" });
  assert.deepEqual(await reveal(id), { ...given, region: "us-east-1" });
});

Deno.test("what cannot be credentials is refused without being quoted", async () => {
  const secret = plaintext(letters(40));
  const bad: [string, unknown][] = [
    ["aws", { access_key_id: "AKIA" + "A".repeat(16) }],
    ["aws", secret],
    ["openai", ""],
    ["openai", "Bearer " + secret],
    ["openai", make.hf()],
    ["openai", "••••"],
    ["google_cloud", { type: "authorized_user", private_key: secret }],
    ["azure", { client_id: "no uuid", tenant_id: crypto.randomUUID(), client_secret: secret }],
    ["no such provider", secret],
    ["openai", null],
  ];
  for (const [p_type, p_credentials] of bad) {
    await alice.refused(
      "create_integration_with_vault",
      { p_name: "x", p_type, p_credentials },
      400,
      "22023",
    );
  }
  await alice.refused(
    "create_integration_with_vault",
    { p_name: "", p_type: "openai", p_credentials: make.openai() },
    400,
    "22023",
  );
  const id = await create(alice, "openai", make.openai());
  await alice.refused(
    "update_integration_credentials",
    { p_integration_id: id, p_credentials: "Bearer " + secret },
    400,
    "22023",
  );
  const large = plaintext("y" + letters(10).repeat(110_000));
  await alice.refused(
    "create_integration_with_vault",
    { p_name: "x", p_type: "openai", p_credentials: large },
    413,
    "PT413",
  );
});

Deno.test("nobody fills the disk: how many integrations, and how long what goes beside them", async () => {
  const team = { p_config: { team: letters(70).repeat(1000) } };
  const given = { p_name: "x", p_type: "openai", p_credentials: make.openai() };
  await carol.refused("create_integration_with_vault", { ...given, ...team }, 413, "PT413");
  await withSetting("hftok.max_integrations_per_user", "2", async () => {
    const first = await create(carol, "openai", make.openai());
    await create(carol, "openai", make.openai());
    await carol.refused("create_integration_with_vault", given, 413, "PT413");
    // The backend cannot add one either, but existing ones can be changed.
    const named = { ...given, p_user_id: carol.name };
    await service.refused("create_integration_with_vault", named, 413, "PT413");
    await carol.refused("update_integration", { p_integration_id: first, ...team }, 413, "PT413");
    await carol.call("update_integration_credentials", {
      p_integration_id: first,
      p_credentials: make.openai(),
    });
    for (const { id } of await carol.rows("integrations", { user_id: carol.name })) {
      await carol.call("delete_integration_with_vault", { p_integration_id: id });
    }
  });
});

Deno.test("the service creates for a user, and an end user is always themselves", async () => {
  const value = make.openai();
  const id = await create(service, "openai", value, { p_user_id: bob.name });
  assert.equal((await row(bob, id)).user_id, bob.name);
  await service.refused(
    "create_integration_with_vault",
    { p_name: "x", p_type: "openai", p_credentials: value },
    400,
    "22023",
  );
  const own = await create(alice, "openai", make.openai(), { p_user_id: bob.name });
  assert.equal((await row(alice, own)).user_id, alice.name);
  assert.equal(await row(bob, own), undefined);
});

Deno.test("a service that names a user has that user's rights", async () => {
  const id = await create(alice, "openai", make.openai());
  const of = { p_integration_id: id, p_user_id: bob.name };
  await service.refused("get_integration_credentials", of, 404, "PT404");
  await service.refused("update_integration", { ...of, p_name: "x" }, 404, "PT404");
  await service.refused(
    "update_integration_credentials",
    { ...of, p_credentials: make.openai() },
    404,
    "PT404",
  );
  await service.refused("update_integration_status", { ...of, p_status: "connected" }, 404, "PT404");
  await service.refused("share_integration", { ...of, p_org_id: globex }, 404, "PT404");
  await service.refused("unshare_integration", { ...of, p_org_id: globex }, 404, "PT404");
  assert.equal(await service.call("delete_integration_with_vault", of), false);
  assert.equal((await row(alice, id)).name, "my openai");
});

Deno.test("a service that names nobody reaches nobody's", async () => {
  const p_integration_id = await create(alice, "openai", make.openai());
  const calls: [string, object][] = [
    ["get_integration_credentials", {}],
    ["update_integration", { p_name: "x" }],
    ["update_integration_credentials", { p_credentials: make.openai() }],
    ["update_integration_status", { p_status: "connected" }],
    ["delete_integration_with_vault", {}],
    ["share_integration", { p_org_id: acme }],
    ["unshare_integration", { p_org_id: acme }],
  ];
  for (const [name, more] of calls) {
    for (const p_user_id of [undefined, null, ""]) {
      await service.refused(name, { p_integration_id, ...more, p_user_id }, 400, "22023");
    }
  }
});

Deno.test("where the operator says never, a service that names nobody reaches what its id says", async () => {
  const p_integration_id = await create(alice, "openai", make.openai());
  await service.refused("get_integration_credentials", { p_integration_id }, 400, "22023");
  await withSetting("hftok.require_user", "never", async () => {
    await service.call("get_integration_credentials", { p_integration_id });
    await service.call("update_integration_status", { p_integration_id, p_status: "connected" });
    const stranger = { p_integration_id, p_user_id: bob.name };
    await service.refused("get_integration_credentials", stranger, 404, "PT404");
    await bob.refused("update_integration", { p_integration_id, p_name: "x" }, 404, "PT404");
  });
  await service.refused("get_integration_credentials", { p_integration_id }, 400, "22023");
});

Deno.test("where the operator says always, a walk for nobody is an error and not the platform's bill", async () => {
  const p_provider = "openai";
  assert.equal((await service.call("resolve_token", { p_provider, p_levels: ["user"] })).source, "none");
  await withSetting("hftok.require_user", "always", async () => {
    for (const nobody of [{}, { p_user_id: null }, { p_model: "gpt" }]) {
      const error = await service.refused("resolve_token", { p_provider, ...nobody }, 400, "22023");
      assert(error.message.includes("hftok.require_user"), error.message);
    }
    await service.call("resolve_token", { p_provider, p_user_id: alice.name });
    await service.call("resolve_token", { p_provider, p_levels: ["global"] });
    await alice.call("token_provided", { p_provider });
  });
});

Deno.test("sharing with an organisation: its members use it, its owner changes it", async () => {
  const value = make.anthropic();
  const id = await create(alice, "anthropic", value);
  const of = { p_integration_id: id };
  assert.equal(await row(carol, id), undefined);
  await service.refused("get_integration_credentials", { ...of, p_user_id: carol.name }, 404, "PT404");
  await alice.refused("share_integration", { ...of, p_org_id: globex }, 403, "42501");
  await alice.call("share_integration", { ...of, p_org_id: acme });
  await alice.call("share_integration", { ...of, p_org_id: acme });

  const seen = await row(carol, id);
  assert.deepEqual([seen.id, seen.user_id], [id, alice.name]);
  assert.equal(await reveal(id, carol.name), value);
  await service.call("update_integration_status", { ...of, p_status: "connected", p_user_id: carol.name });
  await carol.refused("update_integration", { ...of, p_name: "mine" }, 404, "PT404");
  await carol.refused(
    "update_integration_credentials",
    { ...of, p_credentials: make.anthropic() },
    404,
    "PT404",
  );
  await carol.refused("unshare_integration", { ...of, p_org_id: acme }, 404, "PT404");
  assert.equal(await carol.call("delete_integration_with_vault", of), false);
  assert.equal(await row(bob, id), undefined);
  await service.refused("get_integration_credentials", { ...of, p_user_id: bob.name }, 404, "PT404");

  await alice.call("unshare_integration", { ...of, p_org_id: acme });
  assert.equal(await row(carol, id), undefined);
  await service.refused("get_integration_credentials", { ...of, p_user_id: carol.name }, 404, "PT404");
  assert.equal(await reveal(id), value);
});

Deno.test("who leaves the organisation no longer reaches what is shared with it", async () => {
  const id = await create(alice, "openai", make.openai());
  await alice.call("share_integration", { p_integration_id: id, p_org_id: acme });
  await alice.call("add_member", { p_org_id: acme, p_user_id: "integrations-erin" });
  await reveal(id, "integrations-erin");
  await alice.call("remove_member", { p_org_id: acme, p_user_id: "integrations-erin" });
  const of = { p_integration_id: id, p_user_id: "integrations-erin" };
  await service.refused("get_integration_credentials", of, 404, "PT404");
  // Nobody has access either once the person who shared it has left.
  const other = await create(carol, "openai", make.openai());
  await carol.call("share_integration", { p_integration_id: other, p_org_id: acme });
  assert.equal((await ok(alice.db.from("integrations").select("id").eq("id", other))).length, 1);
});

Deno.test("a view of rows only: nothing is written through it", async () => {
  const id = await create(alice, "openai", make.openai());
  for (
    const [method, body] of [["PATCH", { name: "x" }], ["DELETE", undefined], ["POST", {
      name: "x",
      type: "openai",
    }]] as const
  ) {
    for (const who of [alice, service]) {
      const answer = await who.raw(method, `/integrations?id=eq.${id}`, body, {
        Prefer: "return=representation",
      });
      assert.equal(answer.status, 403, `${who.name} ${method}: ${answer.body}`);
    }
  }
});

nothingLeaked();
