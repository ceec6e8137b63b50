// Applications of others come to hftok: each runs as it was, is moved in by the SQL of docs/porting.md, changed by the differences
// that stand there and by nothing else, and runs again.
import assert from "node:assert/strict";
import { createClient } from "../rpc/lib/clients.ts";
import { jwt, url } from "../rpc/lib/people.ts";
import { query, sql, until } from "../rpc/lib/server.ts";

const page = await Deno.readTextFile(new URL("../../docs/porting.md", import.meta.url));
const fixtures = new URL("../fixtures/teams/", import.meta.url);

/** The blocks of one language in a section of the page. */
function blocks(section: string, language: string): string[] {
  const text = page.split("\n## ").find((it) => it.startsWith(section + "\n"));
  assert(text, `docs/porting.md has no section: ${section}`);
  return [...text.matchAll(new RegExp("```" + language + "\\n([^]*?)```", "g"))].map(([_, block]) => block!);
}

/** An application's functions, which take clients, ids and values. */
type Code = Record<string, (...given: unknown[]) => Promise<unknown>>;

/** A folder with the application's code; with a section of the page, as it tells to change `app`. */
async function folder(team: string, section?: string): Promise<string> {
  const made = await Deno.makeTempDir({ dir: Deno.env.get("HFTOK_TEAMS")! });
  for await (const { name } of Deno.readDir(new URL(team, fixtures))) {
    let code = await Deno.readTextFile(new URL(`${team}/${name}`, fixtures));
    for (const difference of name.startsWith("app.") && section ? blocks(section, "diff") : []) {
      // A line of neither sign is an empty one of both.
      const lines = difference.trimEnd().split("\n").map((line) => line === "" ? " " : line);
      const side = (sign: string) =>
        lines.filter((line) => line.startsWith(sign) || line.startsWith(" "))
          .map((line) => line.slice(1) + "\n").join("");
      assert.equal(code.split(side("-")).length, 2, `once in ${team}:\n${side("-")}`);
      code = code.replace(side("-"), () => side("+"));
    }
    await Deno.writeTextFile(`${made}/${name}`, code);
  }
  return made;
}

/** An application in TypeScript. */
async function app(team: string, section?: string): Promise<Code> {
  return await import(`file://${await folder(team, section)}/app.ts`);
}

/** A client as the application makes it, for the default schema. */
async function client(claims: object) {
  const options = {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      headers: { Authorization: `Bearer ${await jwt(claims)}` },
      fetch: (input: RequestInfo | URL, init?: RequestInit) =>
        fetch(String(input).replace("/rest/v1", ""), init),
    },
  };
  return createClient(url, "anon-key", options);
}
const admin = await client({ role: "service_role" });
const person = (letter: string) => `a0000000-0000-4000-8000-00000000000${letter}`;
const user = (sub: string) => client({ role: "authenticated", sub });

let looks = 0;
/** Waits until PostgREST knows what was made so far: it looks at everything at once. */
async function seen(): Promise<void> {
  const last = `looked_${++looks}`;
  await sql(
    `CREATE TABLE public.${last} (); GRANT SELECT ON public.${last} TO anon; NOTIFY pgrst, 'reload schema'`,
  );
  const asked = { method: "OPTIONS", headers: { "Accept-Profile": "public" } };
  await until(async () => (await fetch(`${url}/${last}`, asked)).status === 200);
  await sql(`DROP TABLE public.${last}`);
}

async function refuses(called: Promise<unknown>): Promise<void> {
  await assert.rejects(called);
}

Deno.test("000: keys of users, and one of the server", async () => {
  const section = "Keys of users, and one of the server";
  const [alice, bob, carol, dora] = await Promise.all(["a", "b", "c", "d"].map((it) => user(person(it))));
  await sql(await Deno.readTextFile(new URL("000/tables.sql", fixtures)));
  await seen();

  const day = async (code: Code, server: string) => {
    assert.equal(await code.inferenceToken!(admin, person("a")), "hf_aliceAliceAliceAliceAliceAlice0001");
    assert.equal(await code.inferenceToken!(admin, person("b")), server, "who has none uses the server's");
    const own = `hf_carolCarolCarolCarolCarolCarol${server.slice(-4)}`;
    await code.saveKey!(carol, person("c"), "huggingface", own);
    await code.saveKey!(carol, person("c"), "huggingface", own);
    assert.equal(await code.inferenceToken!(admin, person("c")), own);
    assert.deepEqual(await code.services!(alice), ["huggingface"]);
    await refuses(code.saveKey!(alice, person("c"), "huggingface", "hf_malloryMalloryMalloryMallory00000"));
    await code.deleteKey!(carol, "huggingface");
    assert.equal(await code.inferenceToken!(admin, person("c")), server);
    await refuses(code.saveServerToken!(bob, admin, "hf_malloryMalloryMalloryMallory00000"));
    const next = `hf_serverServerServerServerServer${Number(server.slice(-4)) + 1000}`;
    await code.saveServerToken!(dora, admin, next);
    assert.equal(await code.inferenceToken!(admin, person("b")), next);
    return next;
  };
  const server = await day(await app("000"), "hf_serverServerServerServerServer0009");
  for (const block of blocks(section, "sql")) await sql(block);
  await seen();
  await day(await app("000", section), server);

  // Rubbish stays behind, each with its reason.
  const left = await query(
    `SELECT o.service, r.outcome FROM hftok.import_report r JOIN old_user_api_keys o ON o.id::text = r.key
     WHERE r.source LIKE '%user_api_keys%' AND r.outcome <> 'imported' ORDER BY 1, 2`,
  );
  assert.deepEqual(left.map(({ service, outcome }) => `${service}: ${outcome}`), [
    "anthropic: rejected",
    "hugging face (old): rejected",
    "openai: blank",
    "openai: blank",
    "openai: rejected",
  ]);
  const [dorasOwn] = await query(
    `SELECT hftok.resolve_hf_token('${person("d")}', p_levels => '{user}') AS token`,
  );
  assert.equal(dorasOwn.token, "hf_doraDoraDoraDoraDoraDoraDora00004", "without what was around it");
  // An administrator who is none any more in the application is none here.
  await sql(`DELETE FROM user_roles WHERE user_id = '${person("d")}'`);
  await refuses((await app("000", section)).saveServerToken!(dora, admin, server));
  await sql(
    `SELECT hftok.remove_api(); SELECT hftok.forget_user('${person("a")}'), hftok.forget_user('${
      person("d")
    }');
     DELETE FROM hftok.credentials WHERE scope = 'global';
     DROP TABLE old_user_api_keys, integration_secrets, user_roles; DROP FUNCTION has_role, caller`,
  );
});

Deno.test("001: a control plane with runners", async () => {
  const section = "A control plane with runners";
  await sql(await Deno.readTextFile(new URL("001/tables.sql", fixtures)));
  await seen();
  const acme = "hf_acmeAcmeAcmeAcmeAcmeAcmeAcmeA0005";
  const own = "hf_aliceAliceAliceAliceAliceAlice0001";
  const day = async (code: Code, system: string) => {
    const token = (userId: string, orgId: string, model: string) =>
      code.runnerToken!(admin, { userId, orgId, model });
    assert.equal(await token("usr_alice", "", "acme/llama"), "hf_modelModelModelModelModelModel0007");
    assert.equal(await token("usr_alice", "org_acme", "org/public"), own, "before the organisation's");
    assert.equal(await token("usr_bob", "org_acme", "org/public"), acme);
    assert.equal(await token("usr_bob", "org_empty", "org/blank"), system);
    assert.equal(await token("usr_carol", "", ""), system, "a placeholder is none");
    assert.equal(await token("", "", ""), system);
    assert.equal(await code.tokenProvided!(admin), true);
    const next = system.slice(0, -4) + String(Number(system.slice(-4)) + 1000);
    await code.setSystemToken!(admin, next);
    assert.equal(await token("usr_bob", "", "org/public"), next);
    // A member from now on, by the application's own statement.
    await sql("INSERT INTO organization_memberships VALUES ('org_acme', 'usr_carol', 'member')");
    assert.equal(await token("usr_carol", "org_acme", ""), acme);
    await sql("DELETE FROM organization_memberships WHERE user_id = 'usr_carol'");
    return next;
  };
  // Before hftok a placeholder was sent as a token.
  await sql("UPDATE users SET huggingface_token = '' WHERE id = 'usr_carol'");
  const system = await day(await app("001"), "hf_systemSystemSystemSystemSystem0009");
  await sql("UPDATE users SET huggingface_token = 'changeme' WHERE id = 'usr_carol'");
  for (const block of blocks(section, "sql")) await sql(block);
  const moved = await app("001", section);
  await day(moved, system);
  // Who is invited is no member, and is not served by the system's token for that.
  await refuses(moved.runnerToken!(admin, { userId: "usr_dora", orgId: "org_acme", model: "" }));
  const left = await query(
    `SELECT key, outcome FROM hftok.import_report WHERE outcome NOT IN ('imported', 'blank') AND key IS NOT NULL
     AND source ~ 'public.(users|organizations|models|system_settings)\\.' ORDER BY 1`,
  );
  assert.deepEqual(left, [{ key: "org_odd", outcome: "rejected" }, {
    key: "usr_carol",
    outcome: "rejected",
  }]);
  await sql(
    `SELECT hftok.forget_org('org_acme'); SELECT hftok.forget_user('usr_alice'); DELETE FROM hftok.credentials WHERE scope = 'global';
     DROP TABLE system_settings, organizations, users, models, organization_memberships`,
  );
});

/** Runs a command of the page as it stands there, with this machine's Deno. */
async function command(line: string, env: Record<string, string>): Promise<string> {
  const [name, ...args] = line.split(" ");
  assert.equal(name, "deno");
  const { stdout, stderr } = await new Deno.Command(Deno.env.get("HFTOK_DENO")!, {
    args,
    cwd: new URL("../../", import.meta.url).pathname,
    env: { HFTOK_REST_URL: url, HFTOK_SERVICE_KEY: await jwt({ role: "service_role" }), ...env },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("002: keys of providers and models that a server has encrypted", async () => {
  const section = "Keys of providers and models that a server has encrypted";
  const key = "0b".repeat(32);
  Deno.env.set("APP_ENCRYPTION_KEY", key);
  const { encrypt } = await import("../fixtures/teams/002/encryption.ts");
  // Another test's table of this name.
  await sql("DROP TABLE IF EXISTS llm_models");
  await sql(await Deno.readTextFile(new URL("002/tables.sql", fixtures)));
  await seen();
  const own = (id: number) => `sk-proj-model${id}model${id}model${id}model${id}model${id}`;
  const models: unknown[][] = [1, 2, 3, 4, 5].map((
    id,
  ) => [id, "team-alice", "openai", `gpt-${id}`, encrypt(own(id))]);
  models.push([6, "team-alice", "openai", "gpt-6", null], [7, "team-alice", "ollama", "llama", null]);
  // Of another user, who has no key; and rubbish: cut off, and blank.
  models.push([8, "team-bob", "openai", "gpt-6", null], [9, "team-bob", "openai", "gpt-9", "00ff:00"]);
  models.push([10, "team-bob", "openai", "gpt-10", ""]);
  const text = (value: unknown) => value === null ? "NULL" : `'${value}'`;
  const usual = "sk-proj-aliceAliceAliceAliceAliceAlice";
  await sql(
    `INSERT INTO llm_models VALUES ${models.map((it) => `(${it.map(text).join(",")})`).join(",")};
     INSERT INTO provider_keys VALUES (1, 'team-alice', 'openai', '${encrypt(usual)}')`,
  );

  const day = async (code: Code) => {
    const config = async (id: number, who: string) =>
      (await code.getModelConfig!(admin, id, who) as { apiKey?: string }).apiKey;
    for (const id of [1, 2, 3, 4, 5]) assert.equal(await config(id, "team-alice"), own(id), `model ${id}`);
    assert.equal(await config(6, "team-alice"), usual, "its provider's");
    assert.equal(await config(7, "team-alice"), undefined, "a provider that needs none");
    assert.equal(await config(8, "team-bob"), undefined, "nobody else's");
    await code.saveSecret!(admin, "team-bob", "openai", "sk-proj-bobBobBobBobBobBobBobBobBob01");
    await code.saveSecret!(admin, "team-bob", "openai", "sk-proj-bobBobBobBobBobBobBobBobBob02");
    assert.equal(await config(8, "team-bob"), "sk-proj-bobBobBobBobBobBobBobBobBob02");
    assert.deepEqual(await code.listSecrets!(admin, "team-bob"), ["openai"]);
    await code.deleteSecret!(admin, "team-bob", "openai");
    assert.equal(await config(8, "team-bob"), undefined);
    assert.deepEqual(await code.listSecrets!(admin, "team-bob"), []);
    assert.deepEqual(await code.listSecrets!(admin, "team-alice"), ["openai"]);
  };
  await day(await app("002"));
  const said: string[] = [];
  for (const line of blocks(section, "sh").join("").trim().split("\n")) {
    said.push(await command(line, { APP_ENCRYPTION_KEY: key }));
  }
  assert.match(said[0]!, /1 read, 1 moved/);
  assert.match(said[1]!, /10 read, 5 moved/);
  await sql("UPDATE llm_models SET api_key_encrypted = NULL; DROP TABLE provider_keys");
  await day(await app("002", section));
  await sql("SELECT hftok.forget_user('team-alice'); DROP TABLE llm_models");
});

Deno.test("003: integrations whose keys lie in Supabase Vault", async () => {
  const section = "Integrations";
  const [alice, bob] = await Promise.all(["a", "b"].map((it) => user(person(it))));
  const mine = "11700000-0000-4000-8000-000000000001";
  const usual = "sk-proj-aliceAliceAliceAliceAliceAlice";
  await sql(await Deno.readTextFile(new URL("003/tables.sql", fixtures)));
  await seen();

  /** Statuses by name. */
  const listed = async (code: Code, who: unknown) => {
    const rows = await code.listIntegrations!(who) as { name: string; status: string }[];
    return rows.map(({ name, status }) => `${name}: ${status}`);
  };
  const day = async (code: Code, others: string[]) => {
    assert.deepEqual(await listed(code, alice), [...others, "Mine: connected"].sort());
    const asked: string[] = [];
    const refuse = (key: string) => (asked.push(key), "Incorrect API key provided");
    await code.testIntegration!(alice, admin, person("a"), mine, refuse);
    assert.deepEqual(asked, [usual]);
    assert.deepEqual(await listed(code, alice), [...others, "Mine: error"].sort());
    await code.testIntegration!(alice, admin, person("a"), mine, () => null);
    assert.deepEqual(await listed(code, alice), [...others, "Mine: connected"].sort());
    await refuses(code.testIntegration!(bob, admin, person("b"), mine, refuse));
    const made = await code.createIntegration!(
      alice,
      "New",
      "openai",
      "sk-proj-newNewNewNewNewNewNewNewNewNew",
    );
    assert.deepEqual(await listed(code, alice), [...others, "Mine: connected", "New: pending"].sort());
    await sql(`INSERT INTO webhooks VALUES (2, '${made}'); DELETE FROM webhooks WHERE id = 2`);
    await refuses(sql("INSERT INTO webhooks VALUES (3, gen_random_uuid())"));
    assert.equal(await code.deleteIntegration!(bob, made), false);
    assert.equal(await code.deleteIntegration!(alice, made), true);
    assert.deepEqual(await listed(code, alice), [...others, "Mine: connected"].sort());
  };
  await day(await app("003"), ["Begun: pending"]);
  for (const block of blocks(section, "sql")) await sql(block);
  await seen();
  await day(await app("003", section), []);

  const [kept] = await query(
    `SELECT name, config, created_at::date AS day, credentials_migrated FROM hftok.integrations WHERE id = '${mine}'`,
  );
  assert.deepEqual(kept, {
    name: "Mine",
    config: { team: "a" },
    day: "2025-01-31",
    credentials_migrated: true,
  });
  const left = await query(
    `SELECT o.name, r.outcome FROM hftok.import_report r JOIN old_integrations o ON o.id::text = r.key
     WHERE r.source LIKE 'public.integrations%' AND r.outcome <> 'imported' ORDER BY 1`,
  );
  assert.deepEqual(left.map(({ name, outcome }) => `${name}: ${outcome}`), [
    "Begun: blank",
    "CRM: rejected",
    "Later: rejected",
  ]);
  await sql(
    `SELECT hftok.remove_api(); SELECT hftok.forget_user('${person("a")}');
     DROP TABLE webhooks, old_integrations; DROP FUNCTION integration_is_there, caller; DROP SCHEMA vault CASCADE`,
  );
});

Deno.test("004: a worker in a container", async () => {
  const section = "A worker in a container";
  const hftok = { HFTOK_REST_URL: url, HFTOK_SERVICE_KEY: await jwt({ role: "service_role" }) };
  const start = async (where: string, env: Record<string, string>) => {
    const { success, stdout, stderr } = await new Deno.Command("python3", {
      args: [`${where}/app.py`],
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH")!, ...env },
    }).output();
    const said = new TextDecoder().decode(success ? stdout : stderr).trim();
    return success ? JSON.parse(said) : said;
  };
  const [typed, saved] = ["hf_typedTypedTypedTypedTypedTyped0001", "hf_savedSavedSavedSavedSavedSaved0002"];
  const before = await folder("004");
  assert.deepEqual(await start(before, { HF_TOKEN: typed }), { HF_TOKEN: typed });
  assert.deepEqual(await start(before, {}), {}, "public models need none");

  const now = await folder("004", section);
  const erin = { ...hftok, HFTOK_USER_ID: "team-erin" };
  assert.deepEqual(
    await start(now, { ...erin, HF_TOKEN: typed }),
    { HF_TOKEN: typed },
    "what was typed stays",
  );
  assert.deepEqual(await start(now, erin), {}, "public models need none");
  await admin.schema("hftok").rpc("save_hf_token", { p_token: saved, p_user_id: "team-erin" });
  const others = { HF_TOKEN: typed, HF_OIDC_RESOURCE: "typed" };
  // Neither what was typed, nor another way to a token, nor the key of the service.
  assert.deepEqual(await start(now, { ...erin, ...others }), { HF_TOKEN: saved });
  await sql("UPDATE hftok.credentials SET enabled = false WHERE scope_id = 'team-erin'");
  assert.match(await start(now, { ...erin, HF_TOKEN: typed }), /^hftok gave no token: .*422/);
  await sql("SELECT hftok.forget_user('team-erin')");
});
