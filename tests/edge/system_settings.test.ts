// system-settings: the keys of the installation, for administrators of the application alone, and never more of them than a boolean.
import assert from "node:assert/strict";
import { operator, people, Person, service } from "../rpc/lib/people.ts";
import { query, until, written } from "../rpc/lib/server.ts";
import { key, putAway, standIn, verdict } from "./lib/broker.ts";
import { nothingLeaked, Running, test } from "./lib/functions.ts";
import { Gateway, PUBLISHABLE, SECRET } from "./lib/gateway.ts";

const stub = await standIn();
const settings = await Running.start("system-settings");
const { alice, bob, carol, admin } = await people("settings");

async function ask(who: Person | null, method: string, body?: unknown, headers: Record<string, string> = {}) {
  const { status, body: text } = await settings.ask(who, method, { body, headers });
  const answer = JSON.parse(text);
  return { status, answer, code: answer.error?.code, text };
}
interface Shown {
  settings: Record<string, { label: string; token_provided: boolean }>;
}
const provided = ({ settings }: Shown): string[] =>
  Object.entries(settings).filter(([_, it]) => it.token_provided).map(([name]) => name).sort();
const rows = () =>
  query("SELECT id, provider, version FROM hftok_private.secrets WHERE scope = 'global' ORDER BY 2");

test("nothing is provided at first: a label and a boolean for each provider that is used", async () => {
  const { status, answer } = await ask(admin, "GET");
  assert.deepEqual([status, answer.ok, answer.huggingface_token_provided, provided(answer)], [
    200,
    true,
    false,
    [],
  ]);
  assert.deepEqual(answer.settings.groq, { label: "Groq", token_provided: false });
  assert(Object.keys(answer.settings).length >= 23);
});

test("every caller: only an administrator of the application sees or changes anything", async () => {
  const [anonymous, served] = await Promise.all(
    ["anon", "service_role"].map((role) => Person.of(role, { role })),
  );
  const callers: [name: string, who: Person | null, status: number][] = [
    ["nobody", null, 401],
    ["the anonymous key", anonymous, 401],
    ["the service", served, 401],
    ["an organisation's owner", alice, 403],
    ["an organisation's admin", bob, 403],
    ["a member", carol, 403],
  ];
  for (const [name, who, status] of callers) {
    for (
      const [method, body] of [["GET", undefined], ["PUT", {
        huggingface_token: key("good", "huggingface"),
      }]] as const
    ) {
      const said = await ask(who, method, body);
      assert.deepEqual(
        [said.status, said.code],
        [status, status === 401 ? "unauthenticated" : "not_allowed"],
        `${name} ${method}`,
      );
      assert(!said.text.includes("token_provided"));
    }
  }
  assert.deepEqual(await rows(), []);
  // Nobody who was one sees more than others.
  await service.call("revoke_administrator", { p_user_id: admin.name });
  assert.equal((await ask(admin, "GET")).status, 403);
  await service.call("grant_administrator", { p_user_id: admin.name });
});

test("saved at once, tested by themselves, and named to the audit as the administrator's", async () => {
  const azure = { endpoint: `${stub.url}/azure_openai`, api_key: key() };
  const tokens = { mistral: key(), groq: { api_key: key("bad", "groq") }, azure_openai: azure };
  const { status, answer, text } = await ask(admin, "PUT", {
    huggingface_token: key("good", "huggingface"),
    tokens,
  });
  assert.equal(status, 200, text);
  assert.deepEqual(provided(answer), ["azure_openai", "groq", "huggingface", "mistral"]);
  assert.equal(answer.huggingface_token_provided, true);
  assert(!/preview|secret_id|•/.test(text), text);
  const saved = await rows();
  assert.deepEqual(saved.map(({ provider }) => provider), ["azure_openai", "groq", "huggingface", "mistral"]);
  const verdicts = async () => await Promise.all(saved.map(({ id }) => verdict(id)));
  await until(async () => !(await verdicts()).includes(null));
  assert.deepEqual(await verdicts(), ["verified", "invalid", "verified", "verified"]);
  // What the provider refused is there, and is not used.
  const { answer: now } = await ask(admin, "GET");
  assert.deepEqual(provided(now), ["azure_openai", "huggingface", "mistral"]);
  await written();
  const ids = saved.map(({ id }) => `'${id}'`).join();
  const actors = await query(
    `SELECT DISTINCT actor_user FROM hftok.audit_events WHERE object_id IN (${ids}) AND action = 'save_credential'`,
  );
  assert.deepEqual(actors, [{ actor_user: admin.name }]);
});

test("null removes, a text replaces, and what is not named stays", async () => {
  const before = await rows();
  const { status, answer } = await ask(admin, "PUT", {
    huggingface_token: null,
    tokens: { groq: key("good", "groq"), azure_openai: null },
  });
  assert.deepEqual([status, provided(answer)], [200, ["groq", "mistral"]]);
  const after = await rows();
  assert.deepEqual(after.map(({ provider, version }) => [provider, version]), [["groq", 2], ["mistral", 1]]);
  assert.equal(after[1].id, before[3].id);
  // To remove what is not there is no error.
  assert.equal((await ask(admin, "PUT", { huggingface_token: null })).status, 200);
});

test("a request of which one part cannot be saved changes nothing, and quotes nothing", async () => {
  const before = await rows();
  const good = { mistral: key() };
  await operator.call("switch_provider", { p_provider: "cohere", p_enabled: false });
  const bad: [body: unknown, status: number, code: string][] = [
    [{ tokens: { ...good, groq: key("good", "huggingface") } }, 400, "bad_input"],
    [{ tokens: { ...good, groq: "gsk_••••••1234" } }, 400, "bad_input"],
    [{ tokens: { ...good, groq: { wrong: key() } } }, 400, "bad_input"],
    [{ tokens: { ...good, google_cloud: { type: "service_account" } } }, 400, "bad_input"],
    [{ tokens: { ...good, groq: 5 } }, 400, "bad_input"],
    [{ tokens: { ...good, groq: "" } }, 400, "bad_input"],
    [{ tokens: { ...good, [key()]: null } }, 404, "no_provider"],
    [{ tokens: { ...good, cohere: key() } }, 422, "unusable"],
    [{ tokens: [key()] }, 400, "bad_input"],
    [{ tokens: good, huggingface_token: 1 }, 400, "bad_input"],
    [{ tokens: { huggingface: null }, huggingface_token: null }, 400, "bad_input"],
    [{ tokens: good, more: 1 }, 400, "bad_input"],
    [{ tokens: {} }, 400, "bad_input"],
    [{}, 400, "bad_input"],
    ["x", 400, "bad_input"],
  ];
  for (const [body, status, code] of bad) {
    const said = await ask(admin, "PUT", body);
    assert.deepEqual([said.status, said.code], [status, code], said.text);
  }
  assert.deepEqual(await rows(), before);
  // One that is switched off is not shown, and can be removed.
  const { answer } = await ask(admin, "PUT", { tokens: { cohere: null } });
  assert(!("cohere" in answer.settings));
  await operator.call("switch_provider", { p_provider: "cohere", p_enabled: true });
});

test("other paths and methods are not served", async () => {
  for (
    const [method, path, status] of [["GET", "/groq", 404], ["POST", "", 405], ["DELETE", "", 405]] as const
  ) {
    assert.equal(
      (await settings.ask(admin, method, { path, body: method === "POST" ? {} : undefined })).status,
      status,
    );
  }
  const long = await settings.ask(admin, "PUT", { body: { huggingface_token: "x".repeat(300_000) } });
  assert.equal(long.status, 413);
});

test("behind Supabase's gateway with new keys: an administrator's JWT serves, a key does not", async () => {
  const gateway = await Gateway.start();
  const behind = await Running.start("system-settings", gateway.hosted);
  const { status, body } = await behind.ask(admin, "GET", { headers: { apikey: PUBLISHABLE } });
  assert.deepEqual([status, provided(JSON.parse(body))], [200, ["groq", "mistral"]]);
  for (const apikey of [PUBLISHABLE, SECRET]) {
    const said = await behind.ask(null, "GET", { headers: { apikey, Authorization: `Bearer ${apikey}` } });
    assert.equal(said.status, 401);
  }
  behind.kill();
  await gateway.stop();
});

putAway(stub);
nothingLeaked();
