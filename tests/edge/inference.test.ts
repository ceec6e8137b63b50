// huggingface-inference: whose token is used, what is said when a model declines, and what is kept of it.
import assert from "node:assert/strict";
import { jwt, operator, people, type Person, service, user } from "../rpc/lib/people.ts";
import { query, sql, until } from "../rpc/lib/server.ts";
import { huggingFace, nothingLeaked, Running, test, token } from "./lib/functions.ts";

const hub = await huggingFace();
const env = { HF_BASE_URL: hub.url, HF_TIMEOUT_SECONDS: "3" };
// Tokens that a function must never use: hftok was not asked about them.
const stray = { HF_TOKEN: token(), HUGGING_FACE_HUB_TOKEN: token() };
const inference = await Running.start("huggingface-inference", { ...env, ...stray });
const { alice, bob, carol, acme, globex, id } = await people("inference");
const [dora, eve, frank, gina] = await Promise.all(
  ["dora", "eve", "frank", "gina"].map((it) => user(id(it))),
);

/** Asks a model; gives the status, the level that paid and the parsed answer. */
async function ask(who: Person, body: Record<string, unknown>) {
  const { status, headers, body: text } = await inference.ask(who, "POST", {
    body: { inputs: "hello", ...body },
  });
  return { status, source: headers.get("x-hftok-source"), headers, answer: JSON.parse(text) };
}
const sent = () => hub.seen().map((it) => it.authorization);
const tested = () => hub.seen().filter(({ path }) => path === "/api/whoami-v2").length;
const row = async (secret: string) =>
  (await query(`SELECT verdict, refusals FROM hftok_private.secrets WHERE id = '${secret}'`))[0];
const uses = async (secret: string): Promise<number> =>
  (await query(
    `SELECT coalesce(sum(requests), 0)::int AS n FROM hftok.usage_daily WHERE secret_id = '${secret}'`,
  ))[0].n;

/** Saves a token as the service does; one that Hugging Face knows unless said otherwise. */
async function saved(
  address: Record<string, unknown>,
  known = true,
): Promise<{ value: string; secret: string }> {
  const value = token();
  if (known) hub.known.add(value);
  const { secret_id } = await service.call("save_credential", {
    p_provider: "huggingface",
    p_secret: value,
    ...address,
  });
  return { value, secret: secret_id };
}

test("nobody has a token: public models answer without one, and tokens lying around are not used", async () => {
  const { status, source, answer } = await ask(alice, { model: "public/model" });
  assert.deepEqual([status, source, answer], [200, "none", { answer: "fine", paid: false }]);
  assert.deepEqual(sent(), [null]);
});

test("nobody has a token: what needs one says so", async () => {
  for (const [model, code] of [["private/model", "token_needed"], ["gated/model", "gated"]]) {
    const { status, source, answer } = await ask(alice, { model });
    assert.deepEqual([status, source, answer.error.code], [403, "none", code]);
  }
  assert.match(
    (await ask(alice, { model: "gated/model" })).answer.error.message,
    /huggingface\.co\/gated\/model/,
  );
  const limited = await ask(alice, { model: "limited/model" });
  assert.match(limited.answer.error.message, /without a token/);
});

test("the user's own token is used, the verdict kept and the use counted", async () => {
  const { value, secret } = await saved({ p_user_id: alice.name });
  hub.seen();
  const { status, source, answer } = await ask(alice, { model: "public/model", parameters: { top_k: 3 } });
  assert.deepEqual([status, source, answer.paid], [200, "user", true]);
  const [arrived] = hub.seen();
  assert.deepEqual([arrived?.method, arrived?.path, arrived?.authorization], [
    "POST",
    "/hf-inference/models/public/model",
    `Bearer ${value}`,
  ]);
  assert.deepEqual(JSON.parse(arrived!.body), { inputs: "hello", parameters: { top_k: 3 } });
  await until(async () => (await row(secret)).verdict === "verified" && await uses(secret) === 1);
  await ask(alice, { model: "public/model" });
  await until(async () => await uses(secret) === 2);
});

test("a verified token in heavy use is not written to with every request", async () => {
  const { secret_id } = await service.call("resolve_token", {
    p_provider: "huggingface",
    p_user_id: alice.name,
  });
  const written = () => sql(`SELECT xmin FROM hftok_private.secrets WHERE id = '${secret_id}'`);
  const before = [await written(), await uses(secret_id)] as const;
  await ask(alice, { model: "public/model" });
  await until(async () => await uses(secret_id) === before[1] + 1);
  assert.equal(await written(), before[0]);
});

test("a chat goes to the router's path, with the model in the body", async () => {
  hub.seen();
  const body = {
    model: "public/model:some-provider",
    messages: [{ role: "user", content: "hi" }],
    stream: false,
  };
  const { status, body: text } = await inference.ask(alice, "POST", { body: { ...body, levels: ["user"] } });
  assert.deepEqual([status, JSON.parse(text).paid], [200, true]);
  const [arrived] = hub.seen();
  assert.deepEqual([arrived?.path, JSON.parse(arrived!.body)], ["/v1/chat/completions", body]);
});

test("an organisation pays for its members, and for nobody else", async () => {
  const { value, secret } = await saved({ p_org_id: acme });
  hub.seen();
  const paid = await ask(carol, { model: "public/model", org_id: acme });
  assert.deepEqual([paid.status, paid.source], [200, "org"]);
  assert.deepEqual(sent(), [`Bearer ${value}`]);
  await until(async () => await uses(secret) === 1);
  const stranger = await ask(bob, { model: "public/model", org_id: acme });
  assert.deepEqual([stranger.status, stranger.answer.error.code, stranger.answer.error.outcome], [
    422,
    "unusable",
    "not_member",
  ]);
  assert(!JSON.stringify(stranger.answer).includes(secret), "a stranger learns no ids");
  assert.deepEqual(sent(), [], "nothing was sent for a stranger");
  assert.equal((await ask(bob, { model: "public/model", org_id: globex })).source, "none");
  sent();
});

test("a token for a model goes before the user's own, and the platform's comes last", async () => {
  const platform = await saved({ p_global: true });
  const special = await saved({ p_user_id: alice.name, p_model: "public/special" });
  hub.seen();
  assert.equal((await ask(alice, { model: "public/special" })).source, "user_model");
  assert.equal((await ask(alice, { model: "public/model" })).source, "user");
  assert.equal((await ask(dora, { model: "public/model" })).source, "global");
  const [first, , last] = sent();
  assert.deepEqual([first, last], [`Bearer ${special.value}`, `Bearer ${platform.value}`]);
});

test("my key or nothing: levels limit whose token is used", async () => {
  hub.seen();
  const { source, answer } = await ask(dora, { model: "public/model", levels: ["user_model", "user"] });
  assert.deepEqual([source, answer.paid], ["none", false]);
  const unknown = await ask(dora, { model: "public/model", levels: ["mine"] });
  assert.deepEqual([unknown.status, unknown.answer.error.code], [400, "bad_input"]);
  assert.deepEqual(sent(), [null]);
});

test("a token that cannot be used stops the request, and the platform's is not taken instead", async () => {
  const { secret } = await saved({ p_user_id: dora.name, p_expires_at: "2001-01-01T00:00:00Z" });
  hub.seen();
  const { status, answer } = await ask(dora, { model: "public/model" });
  assert.deepEqual([status, answer.error.code, answer.error.level, answer.error.outcome], [
    422,
    "unusable",
    "user",
    "expired",
  ]);
  assert.match(answer.error.message, /expired/);
  assert(!JSON.stringify(answer).includes(secret));
  assert.deepEqual(sent(), []);
  await service.call("delete_credential", { p_provider: "huggingface", p_user_id: dora.name });
});

test("a token with hosts of its own goes to these only", async () => {
  await saved({ p_user_id: dora.name, p_allowed_hosts: ["huggingface.co"] });
  hub.seen();
  const { status, answer } = await ask(dora, { model: "public/model" });
  assert.deepEqual([status, answer.error.outcome], [422, "host_refused"]);
  assert.deepEqual(sent(), []);
  await service.call("delete_credential", { p_provider: "huggingface", p_user_id: dora.name });
});

test("gated and private models: admitted accounts are served, others are told what to do", async () => {
  const { value, secret } = await saved({ p_user_id: bob.name });
  const gated = await ask(bob, { model: "gated/model" });
  assert.deepEqual([gated.status, gated.source, gated.answer.error.code], [403, "user", "gated"]);
  assert.match(
    gated.answer.error.message,
    /accept its conditions on https:\/\/huggingface\.co\/gated\/model/,
  );
  const hidden = await ask(bob, { model: "private/model" });
  assert.deepEqual([hidden.status, hidden.answer.error.code], [403, "forbidden"]);
  hub.admitted.add(value);
  assert.equal((await ask(bob, { model: "gated/model" })).answer.answer, "admitted");
  assert.equal((await ask(bob, { model: "private/model" })).answer.answer, "private");
  assert.notEqual((await row(secret)).verdict, "invalid");
});

test("what else a model declines is said in words", async () => {
  const cases: [string, number, string, RegExp][] = [
    ["policy/model", 403, "forbidden", /level user/],
    ["unpaid/model", 402, "no_credit", /level user/],
    ["missing/model", 404, "no_model", /no such model/],
    ["loading/model", 503, "unavailable", /loaded/],
    ["broken/model", 502, "failed", /500/],
    ["particular/model", 422, "bad_request", /inputs missing; you sent Bearer •••/],
  ];
  for (const [model, status, code, words] of cases) {
    const { source, answer, ...got } = await ask(bob, { model });
    assert.deepEqual([got.status, source, answer.error.code], [status, "user", code], model);
    assert.match(answer.error.message, words);
  }
});

test("rate limits say when to try again", async () => {
  for (const [model, seconds] of [["limited/model", "7"], ["limited-api/model", "42"]]) {
    const { status, headers, answer } = await ask(bob, { model });
    assert.deepEqual([status, headers.get("retry-after"), answer.error.code], [429, seconds, "rate_limited"]);
    assert.match(answer.error.message, new RegExp(`level user.*in ${seconds} seconds`));
  }
});

test("a token that Hugging Face refuses is reported, and from then on stops the walk", async () => {
  const { value, secret } = await saved({ p_user_id: dora.name }, false);
  hub.seen();
  const { status, source, answer } = await ask(dora, { model: "public/model" });
  assert.deepEqual([status, source, answer.error.code], [422, "user", "token_refused"]);
  assert.deepEqual(hub.seen().map((it) => [it.path, it.authorization]), [
    ["/hf-inference/models/public/model", `Bearer ${value}`],
    ["/api/whoami-v2", `Bearer ${value}`],
  ]);
  assert.equal((await row(secret)).verdict, "invalid");
  const next = await ask(dora, { model: "public/model" });
  assert.deepEqual([next.status, next.answer.error.outcome], [422, "invalid"]);
  assert.deepEqual(sent(), []);
});

test("a token that was good until now is believed refused the second time", async () => {
  const { value, secret } = await saved({ p_user_id: dora.name });
  assert.equal((await ask(dora, { model: "public/model" })).status, 200);
  await until(async () => (await row(secret)).verdict === "verified");
  hub.known.delete(value);
  for (const verdict of ["verified", "invalid"]) {
    const { status, answer } = await ask(dora, { model: "public/model" });
    assert.deepEqual([status, answer.error.code], [422, "token_refused"]);
    assert.equal((await row(secret)).verdict, verdict);
  }
  assert.equal((await ask(dora, { model: "public/model" })).answer.error.outcome, "invalid");
});

test("nobody can switch off the platform's token by asking for a model that refuses everybody", async () => {
  const { secret } = await saved({ p_global: true });
  assert.equal((await ask(eve, { model: "public/model" })).source, "global");
  await until(async () => (await row(secret)).verdict === "verified");
  hub.seen();
  const refusing = async () => {
    const { status, source, answer } = await ask(eve, { model: "refusing/model" });
    assert.deepEqual([status, source, answer.error.code], [403, "global", "forbidden"]);
  };
  await Promise.all(Array.from({ length: 10 }, refusing));
  await refusing();
  assert.equal(tested(), 1, "nor have it tested again and again");
  assert.deepEqual(await row(secret), { verdict: "verified", refusals: 0 });
});

test("a test without an answer is no verdict", async () => {
  const { secret } = await saved({ p_global: true });
  hub.seen();
  hub.whoamiStatus = 429;
  assert.equal((await ask(eve, { model: "refusing/model" })).answer.error.code, "forbidden");
  hub.whoamiStatus = null;
  assert.equal(tested(), 1);
  assert.deepEqual(await row(secret), { verdict: null, refusals: 0 });
  assert.equal((await ask(eve, { model: "public/model" })).source, "global");
});

test("a refusal of a version that was replaced meanwhile is not the new one's", async () => {
  const { secret } = await saved({ p_user_id: frank.name }, false);
  hub.onWhoami = async () => {
    hub.onWhoami = () => Promise.resolve();
    await saved({ p_user_id: frank.name });
  };
  assert.equal((await ask(frank, { model: "public/model" })).answer.error.code, "token_refused");
  assert.deepEqual(await row(secret), { verdict: null, refusals: 0 });
  assert.equal((await ask(frank, { model: "public/model" })).status, 200);
});

test("a token that may not go to the test's host is not sent there, and gets no verdict", async () => {
  const { secret } = await saved({ p_user_id: gina.name, p_allowed_hosts: ["127.0.0.1"] }, false);
  const [{ test, hosts }] = await operator.rows("providers", { name: "huggingface" });
  const moved = { ...test, url: `${hub.elsewhere}/api/whoami-v2` };
  await operator.call("register_provider", {
    p_provider: { name: "huggingface", hosts: [...hosts, "localhost"], test: moved },
  });
  hub.seen();
  assert.equal((await ask(gina, { model: "public/model" })).answer.error.code, "forbidden");
  assert.equal(hub.seen().length, 1);
  assert.equal(hub.arrivedElsewhere.length, 0);
  assert.deepEqual(await row(secret), { verdict: null, refusals: 0 });
  await operator.call("register_provider", {
    p_provider: { name: "huggingface", hosts, test },
  });
});

test("models are names, and nothing that climbs", async () => {
  hub.seen();
  for (
    const model of [
      "../../v1/chat",
      "a/../b",
      "/a",
      "a//b",
      "a/b/c",
      "a b",
      "a%2fb",
      "a?b",
      "https://evil.test/a",
      "..",
      "",
      5,
      null,
    ]
  ) {
    const { status, answer } = await ask(alice, { model });
    assert.deepEqual([status, answer.error.code], [400, "bad_input"], String(model));
  }
  const asked = await inference.ask(alice, "POST", { body: { model: "public/model" } });
  assert.equal(asked.status, 400, "neither inputs nor messages");
  assert.deepEqual(sent(), []);
});

test("a role that may do these four things and nothing else is enough", async () => {
  await sql(
    `CREATE ROLE hf_functions NOLOGIN; GRANT hf_functions TO authenticator; GRANT USAGE ON SCHEMA hftok TO hf_functions;
     GRANT EXECUTE ON FUNCTION hftok.resolve_token, hftok.report_credential, hftok.record_usage TO hf_functions;
     GRANT SELECT ON hftok.providers TO hf_functions`,
  );
  const { secret } = await saved({ p_user_id: eve.name });
  const HFTOK_SERVICE_KEY = await jwt({ role: "hf_functions" });
  const narrow = await Running.start("huggingface-inference", { ...env, HFTOK_SERVICE_KEY });
  for (const [model, status] of [["public/model", 200], ["refusing/model", 403]]) {
    const answer = await narrow.ask(eve, "POST", { body: { model, inputs: "hello" } });
    assert.deepEqual([answer.status, answer.headers.get("x-hftok-source")], [status, "user"], answer.body);
  }
  await until(async () => (await row(secret)).verdict === "verified" && await uses(secret) === 1);
  const narrowSave = await Running.start("save-hf-token", { HFTOK_SERVICE_KEY });
  assert.equal(
    JSON.parse((await narrowSave.ask(eve, "POST", { path: "/test", body: {} })).body).verdict,
    "verified",
  );
  assert(!narrow.printed.includes("failed"), narrow.printed);
});

test("hftok's own key is wrong: said as what it is, and not as the user's fault", async () => {
  for (
    const key of [
      await jwt({ role: "authenticated", sub: "x" }),
      await jwt({ role: "service_role" }, undefined, "other"),
    ]
  ) {
    const misled = await Running.start("huggingface-inference", { ...env, HFTOK_SERVICE_KEY: key });
    const { status, body } = await misled.ask(alice, "POST", {
      body: { model: "public/model", inputs: "hi" },
    });
    assert.deepEqual([status, JSON.parse(body).error.code], [500, "misconfigured"]);
  }
});

test("the tokens of this file are put away", async () => {
  await service.call("delete_credential", { p_provider: "huggingface", p_global: true });
});

nothingLeaked();
