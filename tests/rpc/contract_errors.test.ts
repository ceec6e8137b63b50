// Every status code of the documentation, provoked; and what errors say.
import assert from "node:assert/strict";
import { letters, make, plaintext } from "./lib/exchange.ts";
import { anon, nobody, ok, operator, people, type Person, service, url } from "./lib/people.ts";
import { nothingLeaked, query, sql, withSetting } from "./lib/server.ts";

const { alice, bob, carol, acme, id } = await people("errors");
const unusable = async (provider: string, more: object = {}) => {
  const given = { p_provider: provider, p_user_id: alice.name, ...more };
  const error = await service.refused("resolve_token", given, 422, "PT422");
  return JSON.parse(error.details!);
};

Deno.test("400: bad input, in every parameter", async () => {
  const p_secret = make.openai();
  const bad: [Person, string, object][] = [
    [alice, "save_credential", { p_provider: null, p_secret }],
    [alice, "save_credential", { p_provider: "openai", p_secret: null }],
    [alice, "save_credential", { p_provider: "openai", p_secret: "  " }],
    [alice, "save_credential", { p_provider: "openai", p_secret: "Bearer " + p_secret }],
    [alice, "save_credential", { p_provider: "openai", p_secret: `"${p_secret}"` }],
    [alice, "save_credential", { p_provider: "openai", p_secret: p_secret + "\u0007" }],
    [alice, "save_credential", { p_provider: "openai", p_secret: "sk-••••••••1234" }],
    [alice, "save_credential", { p_provider: "openai", p_secret: make.anthropic() }],
    [alice, "save_credential", { p_provider: "huggingface", p_secret }],
    [alice, "save_credential", { p_provider: "aws", p_secret }],
    [alice, "save_credential", { p_provider: "openai", p_secret: { key: p_secret } }],
    [alice, "save_credential", { p_provider: "there is none", p_secret }],
    [alice, "save_credential", { p_provider: "openai", p_secret, p_on_unusable: "perhaps" }],
    [alice, "save_credential", { p_provider: "openai", p_secret, p_user_id: alice.name, p_global: true }],
    [alice, "save_credential", { p_provider: "openai", p_secret, p_org_id: acme, p_global: true }],
    [alice, "save_credential", { p_provider: "openai", p_secret, p_org_id: "" }],
    [service, "resolve_token", { p_provider: "there is none" }],
    [service, "resolve_token", { p_provider: null }],
    [service, "resolve_token", { p_provider: "openai", p_levels: ["user", "moon"] }],
    [service, "resolve_token", { p_provider: "openai", p_recipient: "age1" }],
    [service, "resolve_token", { p_provider: "openai", p_user_id: "" }],
    [service, "resolve_hf_token", { p_org_id: " " }],
    [service, "previous_token", { p_secret_id: null }],
    [service, "forget_user", { p_user_id: "" }],
    [service, "forget_org", { p_org_id: null }],
    [service, "add_member", { p_org_id: "", p_user_id: "x" }],
    [service, "grant_administrator", { p_user_id: "\n" }],
    [alice, "explain_token", { p_provider: "there is none" }],
    [alice, "share_integration", { p_integration_id: null, p_org_id: acme }],
    [service, "get_integration_credentials", { p_integration_id: null, p_user_id: alice.name }],
  ];
  for (const [who, name, given] of bad) await who.refused(name, given, 400, "22023");
});

Deno.test("401 without a user, 403 with one", async () => {
  await anon.refused("resolve_hf_token", {}, 401, "42501");
  await anon.refused("save_hf_token", { p_token: make.hf() }, 401, "42501");
  await alice.refused("resolve_hf_token", {}, 403, "42501");
  await nobody.refused("whoami", {}, 403, "42501");
  await service.refused("seal", {}, 403, "42501");
  assert.equal((await anon.raw("GET", "/credentials")).status, 401);
});

Deno.test("404: not there and not yours are the same answer", async () => {
  const mine = await bob.call("create_integration_with_vault", {
    p_name: "b",
    p_type: "openai",
    p_credentials: make.openai(),
  });
  const answers = [];
  for (const p_integration_id of [mine, crypto.randomUUID()]) {
    const error = await alice.refused("update_integration", { p_integration_id, p_name: "x" }, 404, "PT404");
    answers.push(JSON.stringify(error).replaceAll(p_integration_id, ""));
  }
  assert.equal(answers[0], answers[1]);
  for (const p_user_id of [bob.name, id("nobody at all")]) {
    await alice.refused("explain_token", { p_provider: "openai", p_user_id }, 404, "PT404");
    await alice.refused("token_provided", { p_provider: "openai", p_user_id }, 404, "PT404");
    await alice.refused("save_hf_token", { p_token: make.hf(), p_user_id }, 404, "PT404");
  }
});

Deno.test("405: GET and HEAD", async () => {
  const answer = await service.raw("GET", "/rpc/resolve_hf_token");
  assert.deepEqual([answer.status, JSON.parse(answer.body).code], [405, "PT405"]);
  assert.equal((await service.raw("HEAD", "/rpc/resolve_token?p_provider=openai")).status, 405);
});

Deno.test("409: exists, and another version", async () => {
  await service.call("create_secret", { new_secret: make.text(), new_name: "errors taken" });
  const error = await service.refused(
    "create_secret",
    { new_secret: make.text(), new_name: "errors taken" },
    409,
    "23505",
  );
  assert(error.details?.includes("errors taken"));
  await alice.refused(
    "save_credential",
    { p_provider: "openai", p_secret: make.openai(), p_expected_version: 4 },
    409,
    "PT409",
  );
});

Deno.test("413: the size of a value, and how many a user may have", async () => {
  const p_secret = plaintext("z" + letters(32).repeat(33_000));
  await alice.refused("save_credential", { p_provider: "openai", p_secret }, 413, "PT413");
  await withSetting("hftok.max_credentials_per_user", "2", async () => {
    const save = (p_model: string) => ({ p_provider: "huggingface", p_secret: make.hf(), p_model });
    for (const model of ["a", "b", "b"]) await carol.call("save_credential", save(model));
    await carol.refused("save_credential", save("c"), 413, "PT413");
    const insert = await carol.raw("POST", "/user_api_keys", { service: "huggingface", api_key: make.hf() });
    assert.equal(insert.status, 413, insert.body);
    assert.equal((await carol.rows("user_api_keys")).length, 0);
  });
});

Deno.test("422: every way in which a credential is there and cannot be used", async () => {
  const save = (p_provider: string, more: object = {}) =>
    alice.call("save_credential", { p_provider, p_secret: letters(40), ...more }).then((saved) =>
      saved.secret_id
    );
  let secret_id = await save("cohere", { p_expires_at: "2020-01-01T00:00:00Z" });
  assert.deepEqual(await unusable("cohere"), { level: "user", outcome: "expired", secret_id });
  secret_id = await save("mistral");
  await ok(alice.db.from("credentials").update({ enabled: false }).eq("secret_id", secret_id));
  assert.deepEqual(await unusable("mistral"), { level: "user", outcome: "disabled", secret_id });
  secret_id = await save("deepseek", { p_allowed_hosts: ["proxy.test"], p_model: "r1" });
  assert.deepEqual(await unusable("deepseek", { p_model: "r1" }), {
    level: "user_model",
    outcome: "host_refused",
    secret_id,
  });
  secret_id = await save("together", { p_org_id: acme });
  const stranger = { p_user_id: bob.name, p_org_id: acme };
  assert.deepEqual(await unusable("together", stranger), { level: "org", outcome: "not_member", secret_id });
  secret_id = await save("runpod");
  for (let times = 0; times < 2; times++) {
    await service.call("report_credential", { p_secret_id: secret_id, p_verdict: "invalid" });
  }
  assert.deepEqual(await unusable("runpod"), { level: "user", outcome: "invalid", secret_id });
  secret_id = await save("google", { p_on_unusable: "continue" });
  await sql(`UPDATE hftok_private.secrets SET sealed = sealed || '\\x00' WHERE id = '${secret_id}'`);
  assert.deepEqual(await unusable("google"), { level: "user", outcome: "decrypt_failed", secret_id });
  const [row] = await alice.rows("credentials", { secret_id });
  assert.equal(row.provider, "google", "its row is still seen");
  const walk = await alice.call("explain_token", { p_provider: "google" });
  assert.equal(walk[3].outcome, "decrypt_failed");
  await alice.call("delete_credential", { p_provider: "google" });

  await service.call("put_secret", { p_name: "errors damaged", p_secret: make.text() });
  await service.call("put_secret", { p_name: "errors sound", p_secret: make.text() });
  await sql("UPDATE hftok_private.secrets SET sealed = sealed || '\\x00' WHERE name = 'errors damaged'");
  await service.refused("get_secret", { p_name: "errors damaged" }, 422, "PT422");
  await service.call("get_secret", { p_name: "errors sound" });
  await sql("SELECT hftok.delete_secret(id) FROM hftok.secrets WHERE name = 'errors damaged'");
});

Deno.test("503: sealed; masked views and metadata go on", async () => {
  const value = make.openai();
  await alice.call("save_credential", { p_provider: "openai", p_secret: value });
  const made = await alice.call("create_integration_with_vault", {
    p_name: "s",
    p_type: "openai",
    p_credentials: make.openai(),
  });
  const { secret_id } = await alice.call("save_credential", {
    p_provider: "nvidia",
    p_secret: letters(70),
    p_label: "before",
  });
  await alice.call("save_hf_token", { p_token: make.hf() });
  await operator.call("seal");
  try {
    const needing: [Person, string, object][] = [
      [alice, "save_credential", { p_provider: "openai", p_secret: value }],
      [alice, "save_hf_token", { p_token: make.hf() }],
      [alice, "create_integration_with_vault", { p_name: "t", p_type: "openai", p_credentials: value }],
      [alice, "update_integration_credentials", { p_integration_id: made, p_credentials: value }],
      [service, "resolve_token", { p_provider: "openai", p_user_id: alice.name }],
      [service, "resolve_hf_token", { p_user_id: alice.name }],
      [service, "runner_env", { p_user_id: alice.name }],
      [service, "get_integration_credentials", { p_integration_id: made, p_user_id: alice.name }],
      [service, "get_secret", { p_name: "errors sound" }],
      [service, "create_secret", { new_secret: "x" }],
      [service, "save_credentials", { p_rows: [{ provider: "openai", secret: value, user_id: alice.name }] }],
    ];
    const wrong: string[] = [];
    for (const [who, name, given] of needing) {
      const answer = await who.raw("POST", `/rpc/${name}`, given);
      if (answer.status !== 503 || JSON.parse(answer.body).code !== "53HF1") {
        wrong.push(`${name}: ${answer.status} ${answer.body}`);
      }
      assert(!answer.body.includes("/"), `no path for ${who.name}: ${answer.body}`);
    }
    const key = await alice.raw("POST", "/user_api_keys", {
      service: "anthropic",
      api_key: make.anthropic(),
    });
    if (key.status !== 503) wrong.push(`user_api_keys: ${key.status} ${key.body}`);
    assert.deepEqual(wrong, []);

    for (
      const view of [
        "credentials",
        "expiring_credentials",
        "user_api_keys",
        "provider_secrets",
        "provider_overview",
        "providers",
        "members",
        "integrations",
        "usage_daily",
      ]
    ) {
      assert.equal((await alice.raw("GET", `/${view}`)).status, 200, view);
    }
    assert.equal((await service.call("status")).sealed, true);
    await ok(alice.db.from("credentials").update({ label: "after" }).eq("secret_id", secret_id));
    assert.equal(await alice.call("delete_credential", { p_provider: "nvidia" }), true);
  } finally {
    const keyring = await operator.call("unseal");
    assert.deepEqual(keyring, { primary_key_id: 1, key_ids: [1] });
  }
  assert.equal(
    (await service.call("resolve_token", { p_provider: "openai", p_user_id: alice.name })).token,
    value,
  );
});

/** The bytes of an answer, before a client has read them. */
async function bytes(name: string, given: object, who: Person): Promise<string> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const body = JSON.stringify(given);
  const length = new TextEncoder().encode(body).length;
  const head = [
    `POST /rpc/${name} HTTP/1.1`,
    "Host: x",
    "Connection: close",
    "Content-Type: application/json",
  ];
  head.push(`Authorization: ${who.headers.Authorization}`, `Content-Length: ${length}`, "", body);
  await connection.write(new TextEncoder().encode(head.join("\r\n")));
  return await new Response(connection.readable).text();
}

Deno.test("what a caller names never becomes a header or a status line", async () => {
  const evil = "x\r\nX-Injected: 1\r\n\r\n<script>";
  const calls: [Person, string, object, RegExp][] = [
    [service, "get_secret", { p_name: evil }, /^HTTP\/1.1 404 Not Found\r\n/],
    [
      service,
      "put_secret",
      { p_name: evil, p_secret: "v", p_expected_version: 7 },
      /^HTTP\/1.1 409 Conflict\r\n/,
    ],
    [service, "put_secret", { p_name: evil, p_secret: "v" }, /^HTTP\/1.1 200 /],
    [service, "create_secret", { new_name: evil, new_secret: "v" }, /^HTTP\/1.1 409 /],
    [
      service,
      "create_secret",
      { new_secret: "v".repeat(1024 * 1024 + 1) },
      /^HTTP\/1.1 413 Content Too Large\r\n/,
    ],
    [service, "resolve_token", { p_provider: evil }, /^HTTP\/1.1 400 /],
    [service, "resolve_token", { p_provider: "openai", p_levels: [evil] }, /^HTTP\/1.1 400 /],
    [service, "resolve_token", { p_provider: "openai", p_user_id: evil }, /^HTTP\/1.1 400 /],
    [service, "resolve_token", { p_provider: "openai", p_model: evil }, /^HTTP\/1.1 200 /],
    [
      service,
      "resolve_token",
      { p_provider: "cohere", p_user_id: alice.name, p_host: evil },
      /^HTTP\/1.1 422 Unprocessable Entity\r\n/,
    ],
    [service, "runner_env", { p_providers: [evil] }, /^HTTP\/1.1 400 /],
    [
      service,
      "get_integration_credentials",
      { p_integration_id: crypto.randomUUID(), p_user_id: alice.name },
      /^HTTP\/1.1 404 Not Found\r\n/,
    ],
    [alice, "save_credential", { p_provider: evil, p_secret: "v" }, /^HTTP\/1.1 400 /],
    [alice, "save_credential", { p_provider: "openai", p_secret: evil }, /^HTTP\/1.1 400 /],
    [alice, "save_hf_token", { p_token: "hf_" + letters(34), p_org_id: evil }, /^HTTP\/1.1 400 /],
    [alice, "save_hf_token", { p_token: make.hf(), p_model: evil }, /^HTTP\/1.1 200 /],
    [
      alice,
      "create_integration_with_vault",
      { p_name: evil, p_type: "openai", p_credentials: make.openai() },
      /^HTTP\/1.1 200 /,
    ],
    [
      alice,
      "create_integration_with_vault",
      { p_name: "x", p_type: evil, p_credentials: "v" },
      /^HTTP\/1.1 400 /,
    ],
    [alice, "add_member", { p_org_id: acme, p_user_id: evil }, /^HTTP\/1.1 400 /],
    [alice, "add_member", { p_org_id: acme, p_user_id: bob.name, p_role: evil }, /^HTTP\/1.1 400 /],
    [alice, "explain_token", { p_provider: "openai", p_user_id: "x" }, /^HTTP\/1.1 404 Not Found\r\n/],
  ];
  for (const [who, name, given, status] of calls) {
    const answer = await bytes(name, given, who);
    assert.match(answer, status, `${name} ${JSON.stringify(given).slice(0, 100)}`);
    assert(!answer.split("\r\n\r\n")[0].toLowerCase().includes("x-injected"), answer);
  }
  const [{ names }] = await query(
    "SELECT count(*)::int AS names FROM hftok_private.secrets WHERE name LIKE E'x\\r%'",
  );
  assert.equal(names, 1);
});

nothingLeaked();
