// Every function of schema hftok, by everybody who may not, on what is not theirs, and by GET and HEAD.
import assert from "node:assert/strict";
import { callers, credentials, type Group, integrations, may, vault } from "./lib/contract.ts";
import { describe, few, make, plaintext } from "./lib/exchange.ts";
import { anon, nobody, operator, people, type Person, reviewer, service } from "./lib/people.ts";
import { everything, nothingLeaked, query } from "./lib/server.ts";

const { alice, bob, carol, admin, acme, globex } = await people("attack");

// The target of the attacks: rows of alice.
const token = make.hf();
const { secret_id } = await alice.call("save_hf_token", { p_token: make.hf() });
await alice.call("save_hf_token", { p_token: token });
const org = await alice.call("save_credential", {
  p_provider: "openai",
  p_secret: make.openai(),
  p_org_id: acme,
});
await alice.call("save_hf_token", { p_token: make.hf(), p_model: "m" });
await admin.call("save_credential", { p_provider: "anthropic", p_secret: make.anthropic(), p_global: true });
const integration = await alice.call("create_integration_with_vault", {
  p_name: "a",
  p_type: "openai",
  p_credentials: make.openai(),
});
const named = await service.call("put_secret", { p_name: "attack named", p_secret: make.text() });
await service.call("put_secret", { p_name: "attack named", p_secret: make.text() });

interface Function {
  name: string;
  volatile: boolean;
  parameters: { name: string; type: string; optional: boolean }[];
}
const functionsOf = (schema: string): Promise<Function[]> =>
  query(
    `SELECT p.proname AS name, p.provolatile = 'v' AS volatile, coalesce((
         SELECT json_agg(json_build_object('name', p.proargnames[at], 'type', format_type(p.proargtypes[at - 1], NULL),
             'optional', at > p.pronargs - p.pronargdefaults) ORDER BY at)
         FROM generate_series(1, p.pronargs) at), '[]') AS parameters
     FROM pg_proc p WHERE p.pronamespace = '${schema}'::regnamespace AND p.prokind = 'f'
       AND p.prorettype <> 'trigger'::regtype ORDER BY 1`,
  );
const functions = await functionsOf("hftok");

/** Arguments with which a function would do harm. */
function harm({ parameters }: Function): Record<string, unknown> {
  const byName: Record<string, unknown> = {
    p_provider: "huggingface",
    p_type: "openai",
    p_user_id: alice.name,
    p_secret_id: secret_id,
    secret_id: named,
    p_integration_id: integration,
    p_name: "attack named",
    new_name: "attack new",
    p_rows: [{ provider: "openai", secret: make.openai(), user_id: alice.name }],
    p_provider_jsonb: { id: "evil", label: "Evil", fields: [{ name: "key", secret: true }] },
    p_verdict: "invalid",
    p_status: "error",
    p_token: make.hf(),
    p_secret: make.hf(),
    p_credentials: make.openai(),
    p_value: token,
    p_version: 1,
    p_login_role: "authenticator",
    p_user_role: "anon",
    p_service_role: "authenticated",
  };
  const wanted = parameters.filter(({ name, optional }) =>
    !optional || ["p_user_id", "p_user_role", "p_service_role"].includes(name)
  );
  return Object.fromEntries(wanted.map(({ name, type }) => {
    const value = byName[`${name}_${type}`] ?? byName[name];
    const byType = {
      text: "x",
      uuid: secret_id,
      integer: 1,
      bigint: 1,
      jsonb: {},
      boolean: true,
      "timestamp with time zone": "2026-01-01T00:00:00Z",
    }[type] ?? "x";
    return [name, value ?? byType];
  }));
}

const everybody: [Person, Group | "none"][] = [
  [anon, "none"],
  [nobody, "user"],
  [alice, "user"],
  [bob, "user"],
  [carol, "user"],
  [admin, "administrator"],
  [service, "service"],
  [operator, "admin"],
  [reviewer, "auditor"],
];

/** Runs attacks; nothing in the database may be another afterwards. */
async function harmless(attack: (wrong: string[]) => Promise<void>) {
  const before = await everything();
  const wrong: string[] = [];
  await attack(wrong);
  assert.deepEqual(few(wrong), []);
  assert.equal(await everything(), before, "something was changed");
}

Deno.test("who may not call a function is refused before it runs", () =>
  harmless(async (wrong) => {
    let refusals = 0;
    for (const each of functions) {
      if (!callers(each.name)) wrong.push(`${each.name} is not written down in lib/contract.ts`);
      for (const [who, group] of everybody) {
        if (may(group, each.name)) continue;
        const answer = await who.raw("POST", `/rpc/${each.name}`, harm(each));
        const expected = who === anon ? 401 : 403;
        if (answer.status !== expected || JSON.parse(answer.body).code !== "42501") {
          wrong.push(describe(who.last));
        }
        refusals++;
      }
    }
    assert(refusals > 200, String(refusals));
  }));

Deno.test("a user without a sub is nobody, in every function", () =>
  harmless(async (wrong) => {
    for (const each of functions.filter(({ name }) => may("user", name))) {
      for (const given of [harm(each), { ...harm(each), p_user_id: undefined }]) {
        const answer = await nobody.raw("POST", `/rpc/${each.name}`, given);
        // Looking at a value needs nobody's identity.
        const expected = each.name === "check_credential" ? [200, 404] : [400, 403, 404];
        if (!expected.includes(answer.status)) wrong.push(describe(nobody.last));
      }
    }
  }));

/** The answers that a stranger and a member get for everything that users may call, aimed at alice's rows. */
const aimed: Record<string, [given: object, stranger: number | false, member: number | false][]> = {
  save_credential: [
    [{ p_provider: "openai", p_secret: make.openai(), p_user_id: alice.name }, 404, 404],
    [
      { p_provider: "openai", p_secret: make.openai(), p_user_id: alice.name, p_expected_version: 1 },
      404,
      404,
    ],
    [{ p_provider: "openai", p_secret: make.openai(), p_org_id: acme }, 404, 403],
    [{ p_provider: "anthropic", p_secret: make.anthropic(), p_global: true }, 403, 403],
  ],
  save_hf_token: [
    [{ p_token: make.hf(), p_user_id: alice.name }, 404, 404],
    [{ p_token: make.hf(), p_model: "m", p_user_id: alice.name }, 404, 404],
    [{ p_token: make.hf(), p_org_id: acme }, 404, 403],
    [{ p_token: make.hf(), p_global: true }, 403, 403],
  ],
  delete_credential: [
    [{ p_provider: "huggingface", p_user_id: alice.name }, false, false],
    [{ p_provider: "huggingface", p_user_id: alice.name, p_model: "m" }, false, false],
    [{ p_provider: "huggingface" }, false, false],
    [{ p_provider: "openai", p_org_id: acme }, false, 403],
    [{ p_provider: "anthropic", p_global: true }, 403, 403],
  ],
  explain_token: [
    [{ p_provider: "huggingface", p_user_id: alice.name }, 404, 404],
    [{ p_provider: "huggingface", p_user_id: alice.name, p_org_id: acme }, 404, 404],
    [{ p_provider: "huggingface", p_org_id: acme }, 404, 200],
  ],
  token_provided: [
    [{ p_provider: "huggingface", p_user_id: alice.name }, 404, 404],
    [{ p_provider: "huggingface", p_org_id: acme }, 404, 200],
  ],
  tokens_provided: [
    [{ p_provider: "huggingface", p_user_id: alice.name }, 404, 404],
    [{ p_provider: "huggingface", p_org_id: acme }, 404, 200],
    [{ p_provider: "no provider", p_user_id: alice.name, p_unknown: "none" }, 404, 404],
  ],
  credential_history: [[{ p_secret_id: secret_id }, 404, 404]],
  restore_credential: [[{ p_secret_id: secret_id, p_version: 1 }, 404, 404]],
  seal_org: [[{ p_org_id: acme }, 404, 403]],
  unseal_org: [[{ p_org_id: acme }, 404, 403]],
  add_member: [
    [{ p_org_id: acme, p_user_id: bob.name }, 404, 403],
    [{ p_org_id: acme, p_user_id: carol.name, p_role: "owner" }, 404, 403],
    [{ p_org_id: acme, p_user_id: alice.name, p_role: "member" }, 404, 403],
  ],
  remove_member: [[{ p_org_id: acme, p_user_id: alice.name }, 404, 403]],
  update_integration: [[{ p_integration_id: integration, p_name: "mine", p_user_id: alice.name }, 404, 404]],
  update_integration_credentials: [
    [{ p_integration_id: integration, p_credentials: make.openai(), p_user_id: alice.name }, 404, 404],
    [{ p_integration_id: integration, p_credentials: "••••" }, 404, 404],
  ],
  create_integration_with_vault: [
    [{ p_name: "theirs", p_type: "openai", p_credentials: make.openai(), p_org_id: acme }, 404, 403],
  ],
  delete_integration_with_vault: [[{ p_integration_id: integration, p_user_id: alice.name }, false, false]],
  share_integration: [
    [{ p_integration_id: integration, p_org_id: globex, p_user_id: alice.name }, 404, 404],
    [{ p_integration_id: integration, p_org_id: acme }, 404, 404],
  ],
  unshare_integration: [[{ p_integration_id: integration, p_org_id: acme, p_user_id: alice.name }, 404, 404]],
  // These are about the caller and nobody else.
  check_credential: [],
  whoami: [],
  public_key: [],
};

Deno.test("what users may call does nothing to what is not theirs", () =>
  harmless(async (wrong) => {
    for (const { name } of functions.filter((each) => may("user", each.name))) {
      if (!aimed[name]) wrong.push(`${name} is not aimed at anything here`);
      for (const [given, stranger, member] of aimed[name] ?? []) {
        for (const [who, expected] of [[bob, stranger], [carol, member]] as const) {
          const { status, body } = await who.raw("POST", `/rpc/${name}`, given);
          const right = expected === false ? status === 200 && body === "false" : status === expected;
          if (!right) wrong.push(`${JSON.stringify(given)} ${describe(who.last)}`);
        }
      }
    }
  }));

Deno.test("GET and HEAD on everything: no value given or taken, nothing changed", () =>
  harmless(async (wrong) => {
    const sealing = { ...vault, ...credentials, ...integrations };
    for (const each of functions) {
      const parameters = Object.entries(harm(each)).map(([name, value]) =>
        `${name}=${encodeURIComponent(typeof value === "object" ? JSON.stringify(value) : String(value))}`
      ).join("&");
      for (const [who, group] of everybody) {
        const allowed = may(group, each.name);
        for (const method of ["GET", "HEAD"]) {
          // Sealing would end the tests; that a GET may do it is the test of another file.
          if (allowed && ["seal", "unseal"].includes(each.name)) continue;
          const answer = await who.raw(method, `/rpc/${each.name}?${parameters}`);
          const code = answer.body === "" ? "" : JSON.parse(answer.body)?.code;
          // A HEAD asks for no columns, so a function that only reveals is not even called: nothing comes of it.
          const notCalled = method === "HEAD" && !each.volatile && answer.status === 200;
          if (!allowed) {
            if (![401, 403].includes(answer.status) && !notCalled) wrong.push(describe(who.last));
          } else if (sealing[each.name]?.plaintext && who !== nobody) {
            const refused = answer.status === 405 && (method === "HEAD" || code === "PT405");
            if (!refused && !notCalled) wrong.push(describe(who.last));
          }
          if (method === "HEAD" && answer.body !== "") wrong.push(describe(who.last));
        }
      }
    }
  }));

Deno.test("other methods are none of a function's", async () => {
  for (const method of ["PUT", "PATCH", "DELETE"]) {
    for (const who of [anon, alice, service]) {
      const answer = await who.raw(method, "/rpc/resolve_hf_token", {});
      assert([404, 405].includes(answer.status), describe(who.last));
    }
  }
});

Deno.test("functions of other schemas are not there, for anybody", async () => {
  const inside = [...await functionsOf("hftok_import"), ...await functionsOf("hftok_private")];
  const hidden = inside.filter(({ name }) => !functions.some((each) => each.name === name));
  assert(hidden.length > 10);
  const elsewhere = [
    "pg_sleep",
    "pg_read_file",
    "set_config",
    "current_setting",
    "query_to_xml",
    "pg_ls_dir",
    "lo_import",
  ];
  for (const name of [...hidden.map((each) => each.name), ...elsewhere]) {
    for (const who of [anon, bob, service]) {
      for (const path of [name, `hftok_import.${name}`, `hftok_private.${name}`]) {
        const answer = await who.raw("POST", `/rpc/${path}`, {});
        assert.equal(answer.status, 404, describe(who.last));
      }
      for (const profile of ["hftok_import", "hftok_private", "pg_catalog", "public"]) {
        const answer = await who.raw("POST", `/rpc/${name}`, {}, { "Content-Profile": profile });
        assert.equal(answer.status, 406, describe(who.last));
      }
    }
  }
});

Deno.test("a service that names the wrong user gets nothing of another", async () => {
  await harmless(async () => {
    for (const p_user_id of [bob.name, carol.name, nobody.name]) {
      const of = { p_integration_id: integration, p_user_id };
      await service.refused("get_integration_credentials", of, 404, "PT404");
      await service.refused("update_integration", { ...of, p_enabled: false }, 404, "PT404");
      await service.refused("update_integration_status", { ...of, p_status: "error" }, 404, "PT404");
      assert.equal(await service.call("delete_integration_with_vault", of), false);
      for (const p_model of [null, "m"]) {
        assert.equal(await service.call("resolve_hf_token", { p_user_id, p_model }), null);
      }
    }
    await service.refused(
      "resolve_token",
      { p_provider: "openai", p_user_id: bob.name, p_org_id: acme },
      422,
      "PT422",
    );
    // A credential's id is not the name of a secret, and the reverse.
    await service.refused("restore_secret", { p_secret_id: secret_id, p_version: 1 }, 404, "PT404");
    await service.refused("secret_history", { p_secret_id: org.secret_id }, 404, "PT404");
    await service.refused(
      "update_secret",
      { secret_id, new_secret: plaintext("not to be stored here") },
      404,
      "PT404",
    );
    assert.equal(await service.call("delete_secret", { p_secret_id: secret_id }), false);
    await service.refused("previous_token", { p_secret_id: named }, 404, "PT404");
  });
  assert.equal(await service.call("resolve_hf_token", { p_user_id: alice.name }), token);
  await admin.call("delete_credential", { p_provider: "anthropic", p_global: true });
});

nothingLeaked();
