// Verification of integrations: what the status and the message are after each answer of a provider, and what may happen meanwhile.
import assert from "node:assert/strict";
import { service } from "../rpc/lib/people.ts";
import { until } from "../rpc/lib/server.ts";
import { Running, test } from "./lib/functions.ts";
import { done, ending, key, made, plain, row, scene, state, status } from "./lib/integrations.ts";
import { answering, got } from "./lib/local_provider.ts";

const { stub, integrations, alice, said, create, remove, connected } = await scene("verification", [
  "groq",
  "azure_openai",
]);

const FAILED = "Failed to verify credentials: ";
/** Words in a key, and what becomes of an integration with it. */
const VERDICTS: Record<string, { verdict: string; reason: string; status: string; message: RegExp | null }> =
  {
    good: { verdict: "verified", reason: "accepted", status: "connected", message: null },
    bad: { verdict: "invalid", reason: "refused", status: "error", message: /Groq refuses this key\.$/ },
    forbidden: { verdict: "indeterminate", reason: "forbidden", status: "pending", message: /\(403\)/ },
    gated: {
      verdict: "indeterminate",
      reason: "gated",
      status: "pending",
      message: /accepted the conditions/,
    },
    unpaid: {
      verdict: "indeterminate",
      reason: "unpaid",
      status: "pending",
      message: /no credit left at Groq/,
    },
    limited: {
      verdict: "rate_limited",
      reason: "rate_limited",
      status: "pending",
      message: /again in 7 seconds/,
    },
    broken: {
      verdict: "indeterminate",
      reason: "unavailable",
      status: "pending",
      message: /disturbance \(500\)/,
    },
    slow: {
      verdict: "indeterminate",
      reason: "timeout",
      status: "pending",
      message: /did not answer in time/,
    },
    elsewhere: {
      verdict: "indeterminate",
      reason: "redirected",
      status: "pending",
      message: /redirects elsewhere/,
    },
  };

test("each answer of a provider, and the status and the message then", async () => {
  await Promise.all(
    Object.entries(VERDICTS).map(async ([word, expected]) => {
      const value = key(word);
      const { http, id, status } = await create("groq", value);
      assert.deepEqual([http, status], [201, "verifying"], word);
      await done(id);
      const [found, message] = await state(id);
      assert.equal(found, expected.status, word);
      if (expected.message === null) assert.equal(message, null);
      else assert(message.startsWith(FAILED) && expected.message.test(message), `${word}: ${message}`);
      assert.equal((await row(id)).last_verified_at !== null, word === "good");
      assert((await row(id)).last_tested_at !== null);
      // The same on request, and the answer says it.
      const tested = await said(alice, "POST", `/${id}/test`);
      const { verdict, reason } = expected;
      assert.deepEqual(
        [tested.http, tested.ok, tested.verdict, tested.reason, tested.status, tested.retry_after],
        [200, word === "good", verdict, reason, expected.status, word === "limited" ? 7 : undefined],
        JSON.stringify(tested),
      );
      assert.equal(tested.message, word === "good" ? "Groq accepts this key." : message);
      await remove(id);
    }),
  );
  assert.deepEqual(stub.seenElsewhere(), []);
});

test("credentials go to the provider's hosts only, and a provider without a test is not asked", async () => {
  stub.seen();
  const at = (endpoint: string) => ({ api_key: plain(), endpoint });
  const cases: [string, unknown, string, RegExp | null, number][] = [
    ["azure_openai", at(`${stub.url}/azure_openai`), "connected", null, 1],
    ["azure_openai", at(`${stub.elsewhere}/azure_openai`), "pending", /none of Azure OpenAI's/, 0],
    ["azure_openai", at("https://openai.azure.com.evil.example"), "pending", /none of Azure OpenAI's/, 0],
    ["custom", plain(), "pending", /nothing is known by which/, 0],
  ];
  for (const [type, credentials, expected, message, requests] of cases) {
    const { id } = await create(type, credentials);
    await done(id);
    const [found, why] = await state(id);
    assert.equal(found, expected, `${type}: ${why}`);
    assert(message === null ? why === null : message.test(why), why);
    assert.equal(stub.seen().length, requests);
    await remove(id);
  }
  assert.deepEqual(stub.seenElsewhere(), []);
});

test("what is known stays while nothing else is known, and of what worked the second refusal in a row counts", async () => {
  const id = await connected();
  for (const code of [500, 403, 402, 429, 307]) {
    status(code);
    const { verdict, status: after } = await said(alice, "POST", `/${id}/test`);
    assert.deepEqual([verdict, after], ["indeterminate", "connected"], String(code));
  }
  assert.deepEqual(await state(id), ["connected", null]);
  got.length = 0;
  // A refusal that is not repeated.
  let times = 0;
  answering(() => new Response(null, { status: times++ === 0 ? 401 : 200 }));
  const { ok, status: after } = await said(alice, "POST", `/${id}/test`);
  assert.deepEqual([ok, after, got.length], [true, "connected", 2]);
  status(401);
  const refused = await said(alice, "POST", `/${id}/test`);
  assert.deepEqual([refused.verdict, refused.status, got.length], ["invalid", "error", 4]);
  // Of what is refused already once is enough, and an answer that is not clear leaves the message.
  await said(alice, "POST", `/${id}/test`);
  assert.equal(got.length, 5);
  status(500);
  await said(alice, "POST", `/${id}/test`);
  assert.deepEqual(await state(id), ["error", `${FAILED}Told refuses this key.`]);
  status(200);
  assert.equal((await said(alice, "POST", `/${id}/test`)).status, "connected");
  await remove(id);
});

test("while one is being tested its status is as it was, so that whoever uses it is not stopped", async () => {
  const id = await connected();
  const seen: string[] = [];
  answering(async () => {
    seen.push((await row(id)).status);
    await service.call("get_integration_credentials", { p_integration_id: id, p_user_id: alice.name });
    return new Response();
  });
  await said(alice, "POST", `/${id}/test`);
  assert.deepEqual(seen, ["connected"]);
  await remove(id);
});

test("two verifications at once are one request, and both have the answer", async () => {
  const id = await connected();
  const waiting = Promise.withResolvers<void>();
  answering(async () => {
    await waiting.promise;
    return new Response();
  });
  const both = [1, 2, 3].map(() => said(alice, "POST", `/${id}/test`));
  await until(() => Promise.resolve(got.length > 0));
  await new Promise((done) => setTimeout(done, 300));
  waiting.resolve();
  const verdicts = (await Promise.all(both)).map(({ verdict }) => verdict);
  assert.deepEqual([verdicts, got.length], [["verified", "verified", "verified"], 1]);
  await remove(id);
});

test("credentials that are replaced meanwhile: the answer is about the former ones", async () => {
  const [former, next] = [plain(), plain()];
  // The former ones are refused, but late; the next ones are accepted at once.
  const late = Promise.withResolvers<void>();
  answering(async () => {
    if (got.at(-1)?.headers.get("x-key") !== former) return new Response();
    await late.promise;
    return new Response(null, { status: 401 });
  });
  got.length = 0;
  const { id } = await create("edge_told", former);
  await until(() => Promise.resolve(got.length === 1));
  const replaced = await said(alice, "PUT", `/${id}`, { credentials: next });
  assert.deepEqual([replaced.status, replaced.version], ["verifying", 2]);
  await done(id);
  assert.deepEqual(await state(id), ["connected", null]);
  late.resolve();
  // Whatever comes of it is there before a test that begins later.
  await new Promise((done) => setTimeout(done, 500));
  assert.deepEqual(await state(id), ["connected", null]);
  assert.deepEqual(got.map(({ headers }) => headers.get("x-key")), [former, next]);
  // By a client of PostgREST, which begins nothing: they are untried until the schedule comes.
  answering(async () => {
    await alice.call("update_integration_credentials", { p_integration_id: id, p_credentials: plain() });
    return new Response();
  });
  const tested = await said(alice, "POST", `/${id}/test`);
  assert.deepEqual([tested.verdict, tested.status], ["verified", "pending"]);
  assert.deepEqual(await state(id), ["pending", null]);
  await remove(id);
});

test("switched off meanwhile, by its owner or by the backend: the answer lifts no switch", async () => {
  stub.seen();
  const { id } = await create("groq", key("pausing"));
  await until(() => Promise.resolve(stub.seen().length > 0));
  await said(alice, "PUT", `/${id}`, { enabled: false });
  assert.equal((await row(id)).status, "disabled");
  await until(async () => (await row(id)).last_verified_at !== null);
  assert.equal((await row(id)).status, "disabled");
  const on = await said(alice, "PUT", `/${id}`, { enabled: true });
  assert.deepEqual([on.status, on.enabled], ["connected", true], "what came meanwhile is known");
  await remove(id);

  for (const code of [200, 401, 500]) {
    const other = await connected();
    answering(async () => {
      const off = {
        p_integration_id: other,
        p_status: "disabled",
        p_error_message: "unpaid",
        p_user_id: alice.name,
      };
      await service.call("update_integration_status", off);
      return new Response(null, { status: code });
    });
    const { status: after } = await said(alice, "POST", `/${other}/test`);
    assert.deepEqual([after, await state(other)], ["disabled", ["disabled", "unpaid"]], String(code));
    await remove(other);
  }
});

test("deleted meanwhile: nothing is left, and nothing is made a fuss of", async () => {
  const before = integrations.printed.length;
  const { id } = await create("groq", key("pausing"));
  assert.equal((await remove(id)).deleted, true);
  const other = await connected();
  answering(async () => {
    await alice.call("delete_integration_with_vault", { p_integration_id: other });
    return new Response();
  });
  const { http, error } = await said(alice, "POST", `/${other}/test`);
  assert.deepEqual([http, error.code], [404, "not_found"]);
  assert.equal((await said(alice, "GET", `/${other}`)).http, 404);
  await new Promise((done) => setTimeout(done, 2000));
  assert.equal(integrations.printed.slice(before), "", "nothing is told in the log");
});

test("a client that leaves does not end what it began", async () => {
  status(200);
  const { id } = await create("groq", key("pausing"));
  await until(async () => (await row(id)).status === "connected");
  await remove(id);
  const gate = Promise.withResolvers<void>();
  answering(async () => {
    await gate.promise;
    return new Response();
  });
  const of = await made({ p_user_id: alice.name });
  const leaving = new AbortController();
  const asked = integrations.ask(service, "POST", { path: "/verify", body: {}, signal: leaving.signal });
  await until(async () => (await row(of)).status === "verifying");
  leaving.abort();
  await assert.rejects(asked);
  gate.resolve();
  await until(async () => (await row(of)).status === "connected");
  await remove(of);
});

test("a user has no more verified in a minute than a pace allows: what is not begun waits for the schedule", async () => {
  const running = await Running.start("integrations", { HFTOK_TESTS_PER_MINUTE: "2" });
  const via = { running };
  const first = await create("groq", key("good"), via);
  assert.equal(first.status, "verifying");
  await until(async () => (await row(first.id)).status === "connected");
  assert.equal((await said(alice, "POST", `/${first.id}/test`, {}, via)).ok, true);
  stub.seen();
  const { http, error } = await said(alice, "POST", `/${first.id}/test`, {}, via);
  assert.deepEqual([http, error.code], [429, "too_often"]);
  const second = await create("groq", key("good"), via);
  assert.deepEqual([second.http, second.status, (await row(second.id)).status], [201, "pending", "pending"]);
  assert.deepEqual(stub.seen(), []);
  const { verified } = await said(service, "POST", "/verify", {}, via);
  assert(verified >= 1);
  assert.equal((await row(second.id)).status, "connected");
  for (const { id } of [first, second]) await remove(id);
});

ending(stub);
