// Identity: tokens that are missing, forged or malformed, and claims set by a login that is no gateway.
import assert from "node:assert/strict";
import { describe, few, make } from "./lib/exchange.ts";
import { anon, jwt, ok, people, Person, service, url } from "./lib/people.ts";
import { everything, nothingLeaked, psql, query, sql, until, withSetting } from "./lib/server.ts";

const { alice, bob, acme } = await people("claims");
const token = make.hf();
const saved = await alice.call("save_hf_token", { p_token: token });
const p_expires_at = new Date(Date.now() + 86_400_000).toISOString();
await alice.call("save_credential", {
  p_provider: "openai",
  p_secret: make.openai(),
  p_org_id: acme,
  p_expires_at,
});
await service.call("record_usage", { p_secret_id: saved.secret_id });
await until(async () => (await alice.rows("usage_daily")).length === 1);
const integration = await alice.call("create_integration_with_vault", {
  p_name: "a",
  p_type: "openai",
  p_credentials: make.openai(),
});

/** Attempts that only alice may make; each returns whether it was refused or empty. */
const attempts: [string, (who: Person) => Promise<boolean>][] = [
  [
    "whoami",
    async (who) =>
      (await who.raw("POST", "/rpc/whoami", {})).status >= 400 || JSON.parse(who.last.body) !== alice.name,
  ],
  [
    "save",
    async (who) =>
      (await who.raw("POST", "/rpc/save_hf_token", { p_token: make.hf(), p_user_id: alice.name })).status >=
        400,
  ],
  ["delete", async (who) => {
    const { status, body } = await who.raw("POST", "/rpc/delete_credential", {
      p_provider: "huggingface",
      p_user_id: alice.name,
    });
    return status >= 400 || body === "false";
  }],
  [
    "explain",
    async (who) =>
      (await who.raw("POST", "/rpc/explain_token", { p_provider: "huggingface", p_user_id: alice.name }))
        .status >= 400,
  ],
  [
    "resolve",
    async (who) => (await who.raw("POST", "/rpc/resolve_hf_token", { p_user_id: alice.name })).status >= 400,
  ],
  [
    "integration",
    async (who) =>
      (await who.raw("POST", "/rpc/update_integration", { p_integration_id: integration, p_name: "x" }))
        .status >= 400,
  ],
  ...["credentials", "user_api_keys", "integrations", "members"].flatMap((view): typeof attempts => [
    [
      `GET ${view}`,
      async (who) => (await who.raw("GET", `/${view}`)).status >= 400 || !who.last.body.includes(alice.name),
    ],
    [
      `DELETE ${view}`,
      async (who) =>
        (await who.raw("DELETE", `/${view}`, undefined, { Prefer: "return=representation" })).status >= 400 ||
        who.last.body === "[]",
    ],
  ]),
];

async function attack(who: Person): Promise<string[]> {
  const wrong = [];
  for (const [name, attempt] of attempts) {
    if (!(await attempt(who))) wrong.push(`${name}: ${describe(who.last)}`);
  }
  return wrong;
}

Deno.test("a sub that is none: missing, empty, of another type, a role's, with control characters", async () => {
  const before = await everything();
  const nobodies = [
    {},
    { sub: null },
    { sub: "" },
    { sub: "  " },
    { sub: 7 },
    { sub: true },
    { sub: [] },
    { sub: [alice.name] },
    { sub: { sub: alice.name } },
    { Sub: alice.name },
    { user_id: alice.name },
    { sub: "role:postgres" },
    { sub: "role:" },
    { sub: `role:${alice.name}` },
    { sub: alice.name + "\n" },
    { sub: "\u0000" + alice.name },
    { sub: alice.name + "\u0000" },
    { sub: "\t" },
    { sub: "\u007f" + alice.name },
    { sub: "\r\nX-Injected: 1" },
    { sub: `${alice.name}\u0085` },
  ];
  for (const claims of nobodies) {
    const who = await Person.of(JSON.stringify(claims), { role: "authenticated", ...claims });
    assert.deepEqual(few(await attack(who)), []);
    const { status } = await who.raw("POST", "/rpc/whoami", {});
    // A sub that is no text is refused by PostgREST already.
    assert([400, 401, 403].includes(status), describe(who.last));
    const { status: keys } = await who.raw("POST", "/user_api_keys", {
      service: "openai",
      api_key: make.openai(),
    });
    assert([400, 401, 403].includes(keys), describe(who.last));
  }
  assert.equal(await everything(), before);
});

Deno.test("a sub that is almost hers", async () => {
  const before = await everything();
  for (
    const sub of [
      alice.name.toUpperCase(),
      ` ${alice.name}`,
      `${alice.name} `,
      `${alice.name}%`,
      `${alice.name}\u200b`,
      `${alice.name}' OR '1'='1`,
      "*",
      "postgres",
      "hftok_owner",
      "service_role",
    ]
  ) {
    const who = await Person.of(sub, { role: "authenticated", sub });
    assert.deepEqual(few(await attack(who)), []);
    assert.equal(await who.call("whoami"), sub);
  }
  assert.equal(await everything(), before);
});

Deno.test("a UUID is the same person in any case", async () => {
  const sub = crypto.randomUUID();
  const [lower, upper] = [
    await Person.of(sub, { role: "authenticated", sub }),
    await Person.of("upper", { role: "authenticated", sub: sub.toUpperCase() }),
  ];
  await upper.call("save_hf_token", { p_token: make.hf() });
  assert.deepEqual((await lower.rows("credentials")).map((row) => row.scope_id), [sub]);
  assert.equal((await ok(upper.db.from("user_api_keys").select("*"))).length, 1);
  await service.call("forget_user", { p_user_id: sub.toUpperCase() });
  assert.deepEqual(await lower.rows("credentials"), []);
});

Deno.test("keys given twice make one person, the same everywhere", async () => {
  for (const [first, second] of [[alice.name, bob.name], [bob.name, alice.name]]) {
    const who = await Person.of("twice", `{"role":"authenticated","sub":"${first}","sub":"${second}"}`);
    const name = await who.call("whoami");
    assert([first, second].includes(name));
    const ids = (await who.rows("credentials", { scope: "user" })).map((row) => row.scope_id);
    assert.deepEqual(ids, name === alice.name ? [alice.name] : []);
  }
  const roles = await Person.of(
    "two roles",
    `{"role":"service_role","role":"authenticated","sub":"${bob.name}"}`,
  );
  const reverse = await Person.of(
    "two roles",
    `{"role":"authenticated","role":"service_role","sub":"${bob.name}"}`,
    true,
  );
  const statuses = [
    await roles.raw("POST", "/rpc/resolve_hf_token", {}),
    await reverse.raw("POST", "/rpc/resolve_hf_token", {}),
  ].map(({ status }) => status);
  assert(statuses.every((status) => [200, 403].includes(status)), String(statuses));
});

Deno.test("the service's token with a sub is still the service, a user's with more claims still a user", async () => {
  const both = await Person.of("service with a sub", { role: "service_role", sub: bob.name }, true);
  assert.equal(await both.call("resolve_hf_token", { p_user_id: alice.name }), token);
  const more = {
    role: "authenticated",
    sub: bob.name,
    app_metadata: { role: "service_role" },
    user_role: "service_role",
    is_admin: true,
    org_id: acme,
  };
  assert.deepEqual(few(await attack(await Person.of("more claims", more))), []);
});

Deno.test("tokens that are not ours", async () => {
  const before = await everything();
  const claims = { role: "authenticated", sub: alice.name };
  const encode = (value: object) =>
    btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
  const tokens = {
    "another key": await jwt(claims, undefined, "0".repeat(64)),
    "no signature": `${encode({ alg: "none" })}.${encode(claims)}.`,
    "alg none, signed": await jwt(claims, { alg: "none" }),
    expired: await jwt({ ...claims, exp: 1 }),
    "not yet": await jwt({ ...claims, nbf: 9_999_999_999 }),
    "no JSON": await jwt("role=authenticated"),
    "a list": await jwt("[]"),
    "half of one": (await jwt(claims)).slice(0, 40),
    "the service's, signed as a user's":
      (await jwt({ role: "service_role" })).split(".").slice(0, 2).join(".") + "." +
      (await jwt(claims)).split(".")[2],
    nothing: "",
  };
  for (const [name, bearer] of Object.entries(tokens)) {
    const who = new Person(name, bearer);
    for (const path of ["/rpc/whoami", "/rpc/resolve_hf_token"]) {
      assert.equal((await who.raw("POST", path, {})).status, 401, describe(who.last));
    }
    assert.deepEqual(few(await attack(who)), []);
  }
  for (
    const role of [
      "postgres",
      "hftok_owner",
      "direct",
      "backend",
      "authenticator",
      "anon",
      "",
      "there is none",
    ]
  ) {
    const who = await Person.of(role, { ...claims, role });
    assert.deepEqual(few(await attack(who)), []);
    assert(
      [400, 401, 403].includes((await who.raw("POST", "/rpc/resolve_hf_token", {})).status),
      describe(who.last),
    );
  }
  assert.equal(await everything(), before);
});

Deno.test("headers and parameters that would be settings", async () => {
  for (
    const path of [
      `/credentials?request.jwt.claims=eq.x`,
      `/credentials?sub=eq.${alice.name}`,
      `/rpc/whoami?sub=${alice.name}`,
    ]
  ) {
    const answer = await bob.raw("GET", path);
    assert(answer.status >= 400, describe(answer));
  }
  const headers = {
    "request.jwt.claims": `{"sub":"${alice.name}"}`,
    "X-User": alice.name,
    "X-HTTP-Method-Override": "POST",
    Prefer: `tx=commit, timezone=UTC, handling=lenient, role=postgres`,
  };
  assert.equal(JSON.parse((await bob.raw("POST", "/rpc/whoami", {}, headers)).body), bob.name);
  assert.equal((await anon.raw("POST", "/rpc/whoami", {}, headers)).status, 401);
  assert.equal(
    (await service.raw("GET", "/rpc/resolve_token?p_provider=openai", undefined, headers)).status,
    405,
  );
  const twice = new Headers({ Authorization: anon.headers.Authorization ?? "Bearer x" });
  twice.append("Authorization", alice.headers.Authorization);
  const response = await fetch(url + "/rpc/whoami", { method: "POST", headers: twice });
  assert.equal(response.status, 401, await response.text());
});

/** A session of a login that is no gateway, with a JWT's claims set by itself. */
const forged = (login: string, statement: string, role = login) =>
  psql(
    `BEGIN; SET LOCAL ROLE ${role}; SET LOCAL request.jwt.claims = '{"role":"authenticated","sub":"${alice.name}"}'; ${statement}; ROLLBACK`,
    login,
  );

Deno.test("claims that a direct login sets are an error in every call for users, and show nothing in views", async () => {
  const calls = [
    "hftok.whoami()",
    `hftok.save_hf_token('${make.hf()}')`,
    "hftok.delete_credential('huggingface')",
    "hftok.explain_token('huggingface')",
    "hftok.token_provided('huggingface')",
    `hftok.add_member('${acme}', 'x')`,
    `hftok.remove_member('${acme}', '${alice.name}')`,
    `hftok.create_integration_with_vault('x', 'openai', '${make.openai()}')`,
    `hftok.update_integration('${integration}', 'x')`,
    `hftok.update_integration_credentials('${integration}', '${make.openai()}')`,
    `hftok.delete_integration_with_vault('${integration}')`,
    `hftok.share_integration('${integration}', '${acme}')`,
    `hftok.unshare_integration('${integration}', '${acme}')`,
  ];
  const statements = calls.map((call) => `SELECT ${call}`).concat([
    `INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', '${make.openai()}')`,
    `INSERT INTO hftok.provider_secrets (provider, api_key) VALUES ('openai', '${make.openai()}')`,
    `INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('${alice.name}', 'openai', '${make.openai()}')`,
  ]);
  // No error here: beside a condition of the reader's own it would tell of rows that they may not see.
  const views = [
    "credentials",
    "expiring_credentials",
    "user_api_keys",
    "provider_secrets",
    "provider_overview WHERE is_configured",
    "integrations",
    "members",
    "usage_daily",
    "audit_events",
  ];
  const looks = views.map((view) => `SELECT * FROM hftok.${view}`).concat([
    "UPDATE hftok.credentials SET label = 'x' RETURNING secret_id",
    "DELETE FROM hftok.credentials RETURNING secret_id",
    "DELETE FROM hftok.user_api_keys RETURNING id",
    "UPDATE hftok.provider_secrets SET api_key = api_key RETURNING id",
    "DELETE FROM hftok.provider_secrets RETURNING id",
  ]);
  const before = await everything();
  for (const role of ["direct", "authenticated"]) {
    for (const statement of statements) {
      const done = await forged("direct", statement, role);
      assert(!done.ok && done.error.includes("42501"), `${role}: ${statement}\n${done.out}\n${done.error}`);
      assert(!done.out.includes(saved.secret_id) && !done.error.includes(token), statement);
    }
    for (const statement of looks) {
      const done = await forged("direct", statement, role);
      assert.deepEqual([done.out, done.error], ["", ""], `${role}: ${statement}`);
    }
  }
  assert.equal(await everything(), before);
});

Deno.test("a login of a name that is listed is no gateway until it was recorded", async () => {
  await sql("CREATE ROLE squatter LOGIN; GRANT hftok_user TO squatter");
  await withSetting("hftok.gateways", "authenticator,squatter", async () => {
    assert.deepEqual((await service.call("status")).gateways, ["authenticator"]);
    for (const statement of ["SELECT hftok.whoami()", `SELECT hftok.save_hf_token('${make.hf()}')`]) {
      const done = await forged("squatter", statement);
      assert(!done.ok && done.error.includes("42501"), `${statement}\n${done.out}\n${done.error}`);
      assert(done.error.includes("not recorded in this database"), done.error);
    }
  });
  await sql("DROP OWNED BY squatter; DROP ROLE squatter");
});

Deno.test("claims are nothing to a definer of somebody else, under the gateway too", async () => {
  await sql(`CREATE ROLE helpdesk; GRANT hftok_user TO helpdesk;
    CREATE FUNCTION hftok.of_somebody_else(q text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
      $$ DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; END $$;
    ALTER FUNCTION hftok.of_somebody_else OWNER TO helpdesk; NOTIFY pgrst, 'reload schema'`);
  const before = await everything();
  const call = (q: string) => alice.raw("POST", "/rpc/of_somebody_else", { q });
  await until(async () => (await call("SELECT 1")).status === 200);
  for (
    const q of [
      "SELECT hftok.whoami()",
      `SELECT hftok.save_hf_token('${make.hf()}')`,
      "SELECT hftok.delete_credential('huggingface')",
      `SELECT hftok.update_integration('${integration}', 'x')`,
    ]
  ) {
    const { status, body } = await call(q);
    assert.equal(status, 403, describe(alice.last));
    assert(JSON.parse(body).message.includes("not for this role"), body);
  }
  assert.equal(await everything(), before);
  await sql("DROP FUNCTION hftok.of_somebody_else; DROP OWNED BY helpdesk; DROP ROLE helpdesk");
});

Deno.test("a gateway that is dismissed is none, for sessions that have known it as well", async () => {
  assert.equal(await alice.call("whoami"), alice.name);
  await sql("REVOKE EXECUTE ON FUNCTION hftok_private.gateways() FROM authenticator");
  const error = await alice.refused("whoami", {}, 403, "42501");
  assert(error.details?.includes("not recorded in this database"), String(error.details));
  await sql("SELECT hftok.enable_rpc()");
  assert.equal(await alice.call("whoami"), alice.name);
});

Deno.test("without claims a direct login is its role, and nobody's JWT can be that", async () => {
  const done = await psql(`SELECT hftok.whoami(); SELECT count(*) FROM hftok.credentials`, "direct");
  assert.equal(done.out, "role:direct\n0");
  const [{ n }] = await query(
    `SELECT count(*)::int AS n FROM hftok.credentials WHERE scope_id LIKE 'role:%'`,
  );
  assert.equal(n, 0);
  const backend = await psql(`SELECT hftok.resolve_hf_token('${alice.name}') = '${token}'`, "backend");
  assert.equal(backend.out, "t", "a backend that logs in itself");
  const user = await psql(`SELECT hftok.resolve_hf_token('${alice.name}')`, "direct");
  assert(!user.ok && user.error.includes("42501"), user.error);
});

nothingLeaked();
