// Credentials of users, organisations, models and the installation, as an edge function calls them.
import assert from "node:assert/strict";
import { letters, make, plaintext } from "./lib/exchange.ts";
import { anon, nobody, operator, people, type Person, reviewer, service } from "./lib/people.ts";
import { nothingLeaked } from "./lib/server.ts";

const { alice, bob, carol, admin, acme, id } = await people("credentials");
const notCached = (who: Person) =>
  assert.equal(who.last.headers.get("cache-control"), "no-store", who.last.url);
const resolve = (p_provider: string, more: object = {}) =>
  service.call("resolve_token", { p_provider, ...more });
const hf = (more: object = {}) => service.call("resolve_hf_token", more);

Deno.test("a user saves, the service resolves, nobody else sees it", async () => {
  const [first, second] = [make.hf(), make.hf()];
  const saved = await alice.call("save_hf_token", { p_token: ` ${first}\n` });
  notCached(alice);
  assert.deepEqual(Object.keys(saved).sort(), ["preview", "secret_id", "version", "warnings"]);
  assert.deepEqual([saved.version, saved.warnings], [1, []]);
  assert.equal(saved.preview, "hf_" + "•".repeat(13) + first.slice(-4));
  assert.equal(await hf({ p_user_id: alice.name }), first, "without the white space");
  notCached(service);

  const again = await alice.call("save_hf_token", { p_token: second });
  assert.deepEqual([again.secret_id, again.version], [saved.secret_id, 2]);
  assert.deepEqual(await resolve("huggingface", { p_user_id: alice.name }), {
    token: second,
    source: "user",
    secret_id: saved.secret_id,
    version: 2,
    expires_at: null,
    slot: "",
  });
  notCached(service);
  assert.equal(await service.call("previous_token", { p_secret_id: saved.secret_id }), first);
  notCached(service);
  assert.equal((await resolve("huggingface", { p_user_id: alice.name, p_version: 1 })).token, first);
  await service.refused(
    "resolve_token",
    { p_provider: "huggingface", p_user_id: alice.name, p_version: 9 },
    404,
    "PT404",
  );

  assert.equal(
    await bob.call("delete_credential", { p_provider: "huggingface", p_user_id: alice.name }),
    false,
  );
  assert.equal(await alice.call("delete_credential", { p_provider: "huggingface" }), true);
  assert.equal(await alice.call("delete_credential", { p_provider: "huggingface" }), false);
  assert.equal(await hf({ p_user_id: alice.name }), null);
  assert.deepEqual(await resolve("huggingface", { p_user_id: alice.name }), {
    token: null,
    source: "none",
    secret_id: null,
    version: null,
    expires_at: null,
    slot: null,
  });
  await service.refused("previous_token", { p_secret_id: saved.secret_id }, 404, "PT404");
});

Deno.test("the walk: model before user, user before organisation, organisation before everybody", async () => {
  const value = {
    user_model: make.hf(),
    org_model: make.hf(),
    global_model: make.hf(),
    user: make.hf(),
    org: make.hf(),
    global: make.hf(),
  };
  const p_model = "meta-llama/Llama-3.1-8B";
  await alice.call("save_hf_token", { p_token: value.user_model, p_model });
  await alice.call("save_hf_token", { p_token: value.org_model, p_model, p_org_id: acme });
  await admin.call("save_hf_token", { p_token: value.global_model, p_model, p_global: true });
  await alice.call("save_hf_token", { p_token: value.user });
  await alice.call("save_hf_token", { p_token: value.org, p_org_id: acme });
  await admin.call("save_hf_token", { p_token: value.global, p_global: true });

  const of = { p_user_id: alice.name, p_org_id: acme, p_model };
  const levels = Object.keys(value) as (keyof typeof value)[];
  for (const [at, level] of levels.entries()) {
    assert.equal((await resolve("huggingface", { ...of, p_levels: levels.slice(at) })).source, level);
    assert.equal(await hf({ ...of, p_levels: [level] }), value[level]);
  }
  assert.equal(await hf({ p_user_id: carol.name, p_org_id: acme }), value.org, "a member");
  assert.equal(await hf({ p_user_id: carol.name, p_model }), value.global_model, "not somebody else's");
  assert.equal(await hf({ p_user_id: bob.name }), value.global);
  assert.equal(await hf(), value.global);
  assert.equal(await hf({ p_user_id: bob.name, p_levels: ["user"] }), null);
  await service.refused("resolve_hf_token", { p_user_id: bob.name, p_org_id: acme }, 422, "PT422");

  const walk = await alice.call("explain_token", { p_provider: "huggingface", p_org_id: acme, p_model });
  assert.deepEqual(walk.map((row: any) => row.level), [...levels, "environment"]);
  assert.deepEqual(walk.map((row: any) => row.outcome), ["used", ...Array(6).fill("not_reached")]);
  assert(walk[0].preview.includes("•"));
  for (const who of [alice, service, operator, reviewer]) {
    const asked = { p_provider: "huggingface", p_user_id: alice.name, p_org_id: acme, p_model };
    assert.equal((await who.call("explain_token", asked)).length, 7);
    assert.equal(await who.call("token_provided", asked), true);
  }
  const levelled = await carol.call("explain_token", { p_provider: "huggingface", p_levels: ["global"] });
  const global = levelled.find((row: any) => row.level === "global");
  assert.deepEqual(
    [global.outcome, global.secret_id, global.preview],
    ["used", null, null],
    "not to be seen by users",
  );
  assert.equal(await carol.call("token_provided", { p_provider: "huggingface", p_levels: ["user"] }), false);
  assert.deepEqual((await admin.call("explain_token", { p_provider: "huggingface" }))[5].outcome, "used");

  for (const given of [{ p_model }, {}]) {
    assert.equal(
      await admin.call("delete_credential", { p_provider: "huggingface", p_global: true, ...given }),
      true,
    );
  }
  assert.equal(await hf({ p_user_id: bob.name }), null);
});

Deno.test("save_credential: everything that can be said, and what replacing keeps", async () => {
  const p_expires_at = new Date(Date.now() + 86_400_000).toISOString();
  const values = [make.openai(), make.openai()];
  const said = { p_label: "mine", p_allowed_hosts: ["api.openai.com"], p_on_unusable: "continue" };
  const first = { p_provider: "openai", p_secret: values[0], p_expires_at, ...said, p_expected_version: 0 };
  const saved = await alice.call("save_credential", first);
  notCached(alice);
  const row = async () => (await alice.rows("credentials", { secret_id: saved.secret_id }))[0];
  let seen = await row();
  assert.deepEqual(
    [
      seen.provider,
      seen.scope,
      seen.scope_id,
      seen.model,
      seen.label,
      seen.allowed_hosts,
      seen.on_unusable,
      seen.status,
    ],
    ["openai", "user", alice.name, "", "mine", ["api.openai.com"], "continue", "unverified"],
  );
  assert.equal(new Date(seen.expires_at).toISOString(), p_expires_at);
  assert.equal((await alice.rows("expiring_credentials", { secret_id: saved.secret_id })).length, 1);
  const resolved = await resolve("openai", { p_user_id: alice.name, p_host: "api.openai.com" });
  assert.deepEqual([resolved.token, new Date(resolved.expires_at).toISOString()], [values[0], p_expires_at]);

  await alice.refused("save_credential", { ...first, p_expected_version: 2 }, 409, "PT409");
  await alice.refused("save_credential", first, 409, "PT409");
  await service.call("report_credential", { p_secret_id: saved.secret_id, p_verdict: "verified" });
  assert.equal((await row()).status, "verified");
  assert.notEqual((await row()).last_verified_at, null);
  await alice.call("save_credential", { p_provider: "openai", p_secret: values[1], p_expected_version: 1 });
  seen = await row();
  assert.deepEqual(
    [
      seen.label,
      seen.allowed_hosts,
      seen.on_unusable,
      seen.expires_at,
      seen.status,
      seen.last_verified_at,
      seen.version,
    ],
    ["mine", ["api.openai.com"], "continue", null, "unverified", null, 2],
  );
  assert.deepEqual(await alice.rows("expiring_credentials", { secret_id: saved.secret_id }), []);
});

Deno.test("verdicts: refusals count, an old version's do not, a later success heals", async () => {
  const { secret_id, version } = await alice.call("save_credential", {
    p_provider: "groq",
    p_secret: plaintext("gsk_" + letters(52)),
  });
  const report = (p_verdict: string, more: object = {}) =>
    service.call("report_credential", { p_secret_id: secret_id, p_verdict, ...more });
  const status = async () => (await alice.rows("credentials", { secret_id }))[0].status;
  await report("indeterminate", { p_message: "429" });
  assert.equal(await status(), "unverified");
  await report("invalid", { p_version: version + 1 });
  assert.equal(await status(), "unverified");
  await report("invalid", { p_version: version, p_message: "401" });
  assert.equal(await status(), "invalid");
  const error = await service.refused(
    "resolve_token",
    { p_provider: "groq", p_user_id: alice.name },
    422,
    "PT422",
  );
  assert.deepEqual(JSON.parse(error.details!), { level: "user", outcome: "invalid", secret_id });
  await report("verified");
  assert.equal(await status(), "verified");
  await resolve("groq", { p_user_id: alice.name });
  await service.call("report_credential", { p_secret_id: null, p_verdict: "invalid" });
  await service.refused("report_credential", { p_secret_id: secret_id, p_verdict: "perhaps" }, 400, "22023");
});

Deno.test("save_credentials: many at once, all or nothing", async () => {
  const values = [make.hf(), make.openai(), make.anthropic()];
  const rows = [
    { provider: "huggingface", secret: values[0], user_id: id("bulk") },
    { provider: "openai", secret: values[1], org_id: acme, label: "bulk", allowed_hosts: ["api.openai.com"] },
    {
      provider: "anthropic",
      secret: values[2],
      user_id: id("bulk"),
      model: "large",
      on_unusable: "continue",
    },
  ];
  for (const who of [service, operator]) {
    const saved = await who.call("save_credentials", { p_rows: rows });
    assert.deepEqual(saved.map((row: any) => row.n), [1, 2, 3]);
    assert(saved.every((row: any) => row.secret_id && row.version && row.preview.includes("•")));
    notCached(who);
  }
  assert.equal(await hf({ p_user_id: id("bulk") }), values[0]);
  await service.refused(
    "save_credentials",
    {
      p_rows: [{ ...rows[0], user_id: id("half") }, { provider: "openai", secret: "", user_id: id("half") }],
    },
    400,
    "22023",
  );
  assert.deepEqual(await service.rows("credentials", { scope_id: id("half") }), []);
  assert.deepEqual(await service.call("save_credentials", { p_rows: [] }), []);
  await service.refused(
    "save_credentials",
    { p_rows: [{ provider: "openai", secret: values[1] }] },
    400,
    "22023",
  );
});

Deno.test("check_credential: an object, and nothing stored", async () => {
  for (const who of [alice, service]) {
    const check = async (p_provider: string, p_secret: string) => {
      const checked = await who.call("check_credential", { p_provider, p_secret });
      notCached(who);
      return checked;
    };
    assert.deepEqual(await check("mistral", plaintext(letters(32))), { ok: true, warnings: [] });
    assert.deepEqual(await check("mistral", "short1"), { ok: true, warnings: ["format_unrecognised"] });
    for (
      const bad of [
        "",
        "  ",
        "Bearer " + make.hf(),
        "your-key-here",
        "hf_••••1234",
        make.openai(),
        "two words",
      ]
    ) {
      const checked = await check("huggingface", bad);
      assert.deepEqual([checked.ok, checked.warnings.length], [false, 1], bad);
    }
    await who.refused("check_credential", { p_provider: "no such", p_secret: "x" }, 400, "22023");
  }
  assert.equal((await alice.rows("credentials", { provider: "mistral" })).length, 0);
});

Deno.test("runner_env: variables, and null for those to unset", async () => {
  const [token, key] = [make.hf(), make.openai()];
  const who = id("runner");
  await service.call("save_credentials", {
    p_rows: [
      { provider: "huggingface", secret: token, user_id: who },
      { provider: "openai", secret: key, user_id: who, allowed_hosts: ["api.openai.com"] },
    ],
  });
  const all = await service.call("runner_env", { p_user_id: who });
  notCached(service);
  assert.deepEqual([all.HF_TOKEN, all.OPENAI_API_KEY ?? null], [token, null], "bound to hosts: left out");
  assert.equal(all.HF_OIDC_RESOURCE, null);
  await service.refused("runner_env", { p_user_id: who, p_providers: ["openai"] }, 422, "PT422");
  const one = await service.call("runner_env", { p_user_id: who, p_providers: ["huggingface"] });
  assert.deepEqual(one, { HF_OIDC_RESOURCE: null, HF_TOKEN: token });
  const none = await service.call("runner_env", { p_user_id: id("none"), p_providers: ["huggingface"] });
  assert.deepEqual([none.HF_TOKEN, none.HF_HUB_DISABLE_IMPLICIT_TOKEN], [null, "1"]);
  await service.refused("runner_env", { p_providers: ["no such"] }, 400, "22023");
});

Deno.test("the catalogue: for everybody who uses hftok; the operator adds to it", async () => {
  for (const who of [alice, service, operator, reviewer]) {
    const [row] = await who.rows("providers", { name: "huggingface" });
    assert.equal(row.label, "Hugging Face");
    assert(
      row.hosts.includes("huggingface.co") && row.docs_url.startsWith("https://") &&
        row.env.includes("HF_TOKEN"),
    );
  }
  const p_provider = {
    name: "acme_ai",
    label: "Acme AI",
    fields: [{ name: "key", secret: true, env: ["ACME_KEY"] }],
    hosts: ["api.acme.test"],
  };
  assert.equal(await operator.call("register_provider", { p_provider }), "acme_ai");
  await alice.call("save_credential", { p_provider: "acme_ai", p_secret: make.text().replaceAll(" ", "") });
  for (const name of ["PATH", "LD_PRELOAD", "PGPASSWORD", "NODE_OPTIONS"]) {
    const bad = { ...p_provider, fields: [{ name: "key", secret: true, env: [name] }] };
    await operator.refused("register_provider", { p_provider: bad }, 400, "22023");
  }
  for (const bad of [{}, { ...p_provider, name: "Acme AI" }, { ...p_provider, fields: [] }, null]) {
    await operator.refused("register_provider", { p_provider: bad }, 400, "22023");
  }
  // A row of the view, changed and given back: what is not said of a built-in provider stays, and it goes no further.
  const [known] = await operator.rows("providers", { name: "huggingface" });
  const narrowed = { ...known, hosts: ["huggingface.co"] };
  assert.equal(await operator.call("register_provider", { p_provider: narrowed }), "huggingface");
  const [described] = await alice.rows("providers", { name: "huggingface" });
  // Where it speaks the OpenAI protocol is on a host that was taken away.
  assert.deepEqual(described, { ...narrowed, builtin: false, openai: null });
  const moved = { name: "huggingface", hosts: ["evil.example"] };
  await operator.refused("register_provider", { p_provider: moved }, 400, "22023");
  assert.equal(await operator.call("unregister_provider", { p_provider: "huggingface" }), true);
  assert.equal(await operator.call("unregister_provider", { p_provider: "huggingface" }), false);
  assert.deepEqual((await alice.rows("providers", { name: "huggingface" }))[0], known);
  await operator.refused("unregister_provider", { p_provider: "acme_ai" }, 400, "22023");
  const own = await alice.rows("provider_overview");
  assert.equal(own.length, (await alice.rows("providers")).length);
  const configured = own.filter((row) => row.is_configured).map((row) => row.provider).sort();
  const there = (await alice.rows("credentials", { scope: "user", scope_id: alice.name, model: "" })).map((
    row,
  ) => row.provider);
  assert.deepEqual(configured, there.sort());
  assert(own.every((row) => row.user_id === alice.name));
});

Deno.test("forgetting counts and leaves nothing", async () => {
  const [who, org] = [id("erin"), id("gone")];
  for (const p_token of [make.hf(), make.hf()]) {
    await service.call("save_hf_token", { p_token, p_user_id: who });
  }
  await service.call("create_integration_with_vault", {
    p_name: "x",
    p_type: "openai",
    p_credentials: make.openai(),
    p_user_id: who,
  });
  await service.call("add_member", { p_org_id: org, p_user_id: who, p_role: "owner" });
  await service.call("save_hf_token", { p_token: make.hf(), p_org_id: org });
  assert.deepEqual(await service.call("forget_user", { p_user_id: who }), [{
    credentials: 1,
    versions: 1,
    integrations: 1,
    memberships: 1,
  }]);
  assert.deepEqual(await service.call("forget_user", { p_user_id: who }), [{
    credentials: 0,
    versions: 0,
    integrations: 0,
    memberships: 0,
  }]);
  await service.call("add_member", { p_org_id: org, p_user_id: id("fred"), p_role: "owner" });
  assert.deepEqual(await operator.call("forget_org", { p_org_id: org }), [{
    credentials: 1,
    versions: 0,
    integrations: 0,
    memberships: 1,
  }]);
  for (const view of ["credentials", "integrations", "members"]) {
    assert(!JSON.stringify(await service.rows(view)).match(`"(${who}|${org})"`), view);
  }
});

Deno.test("nobody saves for nobody", async () => {
  const p_token = make.hf();
  await anon.refused("save_hf_token", { p_token }, 401, "42501");
  await service.refused("save_hf_token", { p_token }, 400, "22023");
  await service.refused("save_hf_token", { p_token, p_user_id: alice.name, p_org_id: acme }, 400, "22023");
  await service.refused("save_hf_token", { p_token, p_user_id: "" }, 400, "22023");
  assert([400, 403].includes((await nobody.raw("POST", "/rpc/save_hf_token", { p_token })).status));
});

nothingLeaked();
