// runner-config: the variables of a process, for the service alone, with the key that the caller brings.
import assert from "node:assert/strict";
import { jwt, operator, people, Person, service } from "../rpc/lib/people.ts";
import { key, saved } from "./lib/broker.ts";
import { nothingLeaked, Running, test } from "./lib/functions.ts";
import { Gateway, PUBLISHABLE, SECRET } from "./lib/gateway.ts";

// No key of the function's own.
const runner = await Running.start("runner-config", { HFTOK_SERVICE_KEY: "" });
const { alice, bob, carol, admin, acme } = await people("runner");
const runnerService = await Person.of("service", { role: "service_role" });
const own = key("good", "groq");
await saved({ p_user_id: alice.name }, own, "groq");

/** Asks by hand: its answers are for the service, so they are not among those that must hold no value. */
async function ask(headers: Record<string, string>, body: unknown, url = runner.url) {
  const answer = await fetch(url, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const { ok, environment, error } = await answer.json();
  return { status: answer.status, ok, environment, code: error?.code, error, headers: answer.headers };
}
const served = (body: unknown) => ask(runnerService.headers, body);

test("the service gets the variables of a user, and null for those to be unset", async () => {
  const { status, ok, environment, headers } = await served({
    user_id: alice.name,
    providers: ["groq", "openai"],
  });
  assert.deepEqual([status, ok, environment], [200, true, { GROQ_API_KEY: own, OPENAI_API_KEY: null }]);
  assert.equal(headers.get("cache-control"), "no-store");
  const all = await served({ user_id: alice.name });
  assert.equal(all.environment.GROQ_API_KEY, own);
  assert(Object.keys(all.environment).length > 20);
});

test("organisation, model and levels are as the walk has them", async () => {
  const [pays, special] = [key("good", "groq"), key("good", "groq")];
  await saved({ p_org_id: acme }, pays, "groq");
  await saved({ p_user_id: alice.name, p_model: "special" }, special, "groq");
  const variable = async (more: object) =>
    (await served({ providers: ["groq"], ...more })).environment?.GROQ_API_KEY;
  assert.equal(await variable({ user_id: carol.name, org_id: acme }), pays);
  assert.equal(await variable({ user_id: carol.name }), null);
  assert.equal(await variable({ user_id: alice.name, model: "special" }), special);
  assert.equal(await variable({ user_id: alice.name, model: "special", levels: ["user"] }), own);
  assert.equal(await variable({ user_id: null, org_id: acme }), pays);
});

test("every caller: only the service is answered, with old keys", async () => {
  const body = { user_id: alice.name, providers: ["groq"] };
  const callers: [name: string, headers: Record<string, string>, status: number, code: string][] = [
    ["nobody", {}, 401, "unauthenticated"],
    ["no key", { Authorization: "Bearer x", apikey: "x" }, 401, "unauthenticated"],
    ["the anonymous key", { Authorization: `Bearer ${await jwt({ role: "anon" })}` }, 401, "unauthenticated"],
    ["the user", alice.headers, 403, "not_allowed"],
    ["another user", bob.headers, 403, "not_allowed"],
    ["a member", carol.headers, 403, "not_allowed"],
    ["an administrator", admin.headers, 403, "not_allowed"],
    [
      "another signature",
      {
        Authorization: `Bearer ${await jwt(
          { role: "service_role" },
          undefined,
          "another key that is long enough",
        )}`,
      },
      401,
      "unauthenticated",
    ],
  ];
  for (const [name, headers, status, code] of callers) {
    const said = await ask(headers, body);
    assert.deepEqual([said.status, said.code, said.environment], [status, code, undefined], name);
  }
  assert.equal((await served(body)).status, 200);
});

test("with Supabase's new keys: the secret one serves as apikey or as bearer, and no other", async () => {
  const gateway = await Gateway.start();
  const { SUPABASE_SECRET_KEYS: _, SUPABASE_SERVICE_ROLE_KEY: __, ...hosted } = gateway.hosted;
  const behind = await Running.start("runner-config", hosted);
  const body = { user_id: alice.name, providers: ["groq"] };
  for (
    const headers of [{ apikey: SECRET }, { Authorization: `Bearer ${SECRET}` }, {
      Authorization: `Bearer ${SECRET}`,
      apikey: SECRET,
    }]
  ) {
    const { status, environment } = await ask(headers as Record<string, string>, body, behind.url);
    assert.deepEqual([status, environment], [200, { GROQ_API_KEY: own }]);
  }
  for (
    const headers of [{ apikey: PUBLISHABLE }, { apikey: "sb_secret_guess" }, {
      ...alice.headers,
      apikey: PUBLISHABLE,
    }, { ...alice.headers, apikey: SECRET }]
  ) {
    const { status, environment } = await ask(headers as Record<string, string>, body, behind.url);
    assert(status === 401 || status === 403, `${status}`);
    assert.equal(environment, undefined);
  }
  behind.kill();
  await gateway.stop();
});

test("a user that was forgotten is not taken for nobody", async () => {
  const { status, error } = await served({ providers: ["groq"] });
  assert.deepEqual([status, error.code], [400, "bad_input"]);
  assert.match(error.message, /user_id must be a user, or null/);
});

test("what cannot be answered says why", async () => {
  await saved({ p_user_id: bob.name, p_expires_at: "2001-01-01T00:00:00Z" }, key("good", "groq"), "groq");
  const named = await served({ user_id: bob.name, providers: ["groq"] });
  assert.deepEqual([named.status, named.error.level, named.error.outcome], [422, "user", "expired"]);
  assert.equal(
    (await served({ user_id: bob.name })).environment.GROQ_API_KEY,
    null,
    "left out where it was not named",
  );
  for (
    const body of [
      { user_id: 5 },
      { user_id: "a", providers: "groq" },
      { user_id: "a", providers: ["nobody"] },
      { user_id: "a", more: 1 },
      "[]",
      "x",
    ]
  ) {
    assert.equal((await served(body)).code, "bad_input", JSON.stringify(body));
  }
  assert.equal((await runner.ask(runnerService, "GET")).status, 405);
  assert.equal((await runner.ask(runnerService, "POST", { path: "/more", body: {} })).status, 404);
  assert.equal(
    (await runner.ask(runnerService, "POST", { body: { user_id: "x".repeat(20_000) } })).status,
    413,
  );
});

test("a provider that is switched off has its variables unset", async () => {
  await operator.call("switch_provider", { p_provider: "groq", p_enabled: false });
  const all = await served({ user_id: alice.name });
  const named = await served({ user_id: alice.name, providers: ["groq"] });
  await operator.call("switch_provider", { p_provider: "groq", p_enabled: true });
  assert.deepEqual([all.environment.GROQ_API_KEY, named.error.outcome], [null, "disabled"]);
  assert.equal((await service.rows("credentials", { scope_id: alice.name, provider: "groq" })).length, 2);
});

nothingLeaked();
