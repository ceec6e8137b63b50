// The broker of models: every caller and every answer of a provider, streams and their ends, sizes, and what is said of it.
import assert from "node:assert/strict";
import { takeBack } from "../../edge/try/catalogue.ts";
import { APIError } from "../rpc/lib/clients.ts";
import { jwt, operator, people, Person, service, user } from "../rpc/lib/people.ts";
import { sql, until } from "../rpc/lib/server.ts";
import { chat, counted, key, putAway, saved, sdk, standIn, verdict } from "./lib/broker.ts";
import { nothingLeaked, Running, test } from "./lib/functions.ts";
import { Gateway, PUBLISHABLE, SECRET } from "./lib/gateway.ts";

const stub = await standIn();
const broker = await Running.start("inference");
/** For what is about its patience: the others may take as long as a busy machine needs. */
const hasty = await Running.start("inference", { INFERENCE_TIMEOUT_SECONDS: "3" });
const { alice, bob, carol, admin, acme, id } = await people("answers");
const eve = await user(id("eve"));
const json = { "Content-Type": "application/json" };

/** Asks by hand, and gives what was answered. */
async function ask(
  who: Person | null,
  {
    provider = "mistral",
    path = "chat/completions",
    method = "POST",
    headers = {} as Record<string, string>,
    body = chat as unknown,
    running = broker,
  } = {},
) {
  const sent = method === "GET" ? undefined : body;
  const answered = await running.ask(who, method, {
    path: `/${provider}/v1/${path}`,
    headers: { ...json, ...headers },
    body: sent,
  });
  const source = answered.headers.get("x-hftok-source");
  const { error } = JSON.parse(answered.body);
  return {
    status: answered.status,
    source,
    code: error?.code,
    message: error?.message ?? "",
    headers: answered.headers,
  };
}

test("every caller: users are served with what is theirs, and nobody else is", async () => {
  await saved({ p_user_id: alice.name });
  await saved({ p_org_id: acme });
  const [anonymous, served] = await Promise.all(
    ["anon", "service_role"].map((role) => Person.of(role, { role })),
  );
  const callers: [name: string, who: Person | null, org: boolean, expected: string][] = [
    ["nobody", null, false, "401 unauthenticated"],
    ["the anonymous key", anonymous, false, "401 unauthenticated"],
    ["the service", served, false, "401 unauthenticated"],
    ["a user with a key", alice, false, "user"],
    ["a user without one", eve, false, "403 token_needed"],
    ["a member, by the organisation", carol, true, "org"],
    ["a member, by themselves", carol, false, "403 token_needed"],
    ["another organisation's admin", bob, true, "422 unusable"],
    ["an administrator of the application", admin, false, "403 token_needed"],
  ];
  for (const [name, who, isOrg, expected] of callers) {
    const headers: Record<string, string> = isOrg ? { "x-hftok-org": acme } : {};
    for (const [method, path] of [["POST", "chat/completions"], ["POST", "embeddings"], ["GET", "models"]]) {
      const { status, source, code } = await ask(who, { method, path, headers });
      assert.equal(status === 200 ? source : `${status} ${code}`, expected, `${name}: ${method} ${path}`);
    }
  }
});

test("behind Supabase's gateway with new keys: a user's JWT serves, a key does not", async () => {
  const gateway = await Gateway.start();
  const behind = await Running.start("inference", gateway.hosted);
  const { data, response } = await sdk(behind, alice, "mistral", { apikey: PUBLISHABLE }).chat.completions
    .create(chat).withResponse();
  assert.deepEqual([data.choices.length, response.headers.get("x-hftok-source")], [1, "user"]);
  for (const apikey of [PUBLISHABLE, SECRET]) {
    const headers = { ...json, apikey, Authorization: `Bearer ${apikey}` };
    const { status } = await behind.ask(null, "POST", {
      path: "/mistral/v1/chat/completions",
      headers,
      body: chat,
    });
    assert.equal(status, 401);
  }
  behind.kill();
  await gateway.stop();
});

test("every answer of a provider has its status and its words, and no key in it", async () => {
  const cases: [word: string, status: number, code: string, words: RegExp][] = [
    ["forbidden", 403, "forbidden", /Mistral does not let the key of level user use this model/],
    ["gated", 403, "gated", /account of the key of level user has to accept its conditions/],
    ["unpaid", 402, "no_credit", /key of level user has no credit left/],
    [
      "limited",
      429,
      "rate_limited",
      /Mistral limits the account of the key of level user. Try again in 7 seconds/,
    ],
    ["broken", 502, "failed", /Mistral answered with status 500/],
    ["slow", 504, "timeout", /did not answer in time/],
    ["elsewhere", 502, "redirected", /redirects elsewhere/],
  ];
  for (const [word, status, code, words] of cases) {
    const { secret } = await saved({ p_user_id: bob.name }, key(word));
    const said = await ask(bob, { running: word === "slow" ? hasty : broker });
    assert.deepEqual([said.status, said.code, said.source], [status, code, "user"], word);
    assert.match(said.message, words);
    assert.equal(said.headers.get("retry-after"), word === "limited" ? "7" : null);
    assert.deepEqual([await verdict(secret), await counted(secret)], [null, [0, 0]], word);
  }
  assert.deepEqual(stub.seenElsewhere(), []);
});

test("the SDK sees errors as it knows them", async () => {
  await saved({ p_user_id: bob.name }, key("limited"));
  const error = await sdk(broker, bob).chat.completions.create(chat).catch((error) => error);
  assert(error instanceof APIError);
  assert.deepEqual([error.status, error.code, error.headers?.get("retry-after")], [429, "rate_limited", "7"]);
  assert.match(error.message, /Try again in 7 seconds/);
});

test("the page of a gated model of the Hub is named", async () => {
  await saved({ p_user_id: bob.name }, key("gated", "huggingface"), "huggingface");
  const { code, message } = await ask(bob, {
    provider: "huggingface",
    body: { ...chat, model: "owner/name:fast" },
  });
  assert.equal(code, "gated");
  assert.match(message, /https:\/\/huggingface\.co\/owner\/name\./);
});

test("a refused key is tested as the catalogue has it, whatever status refuses it, and then stops the walk", async () => {
  for (const provider of ["openai", "google", "bedrock", "xai", "cohere"]) {
    const { secret } = await saved({ p_user_id: bob.name }, key("bad", provider), provider);
    stub.seen();
    const first = await ask(bob, { provider });
    const paths = stub.seen().map((it) => it.path);
    // Cohere's stand-in answers 200 to any key at a model's path, as its test does.
    if (provider === "cohere") continue;
    assert.deepEqual(
      [first.status, first.code, paths.length],
      [422, "token_refused", 2],
      `${provider} ${paths}`,
    );
    assert.equal(await verdict(secret), "invalid", provider);
    assert.deepEqual([(await ask(bob, { provider })).code, stub.seen().length], ["unusable", 0], provider);
  }
});

test("a bad request is no verdict on the key, and has it tested once at most", async () => {
  const { secret } = await saved({ p_global: true }, key("good", "google"), "google");
  stub.seen();
  for (let n = 0; n < 3; n++) {
    const { status, code, message } = await ask(eve, { provider: "google", body: { messages: [] } });
    assert.deepEqual([status, code], [400, "bad_request"]);
    assert.match(message, /model is missing/);
  }
  const asked = stub.seen().map((it) => it.path);
  assert.equal(asked.filter((path) => path.startsWith("/v1beta/models")).length, 1, `${asked}`);
  assert.notEqual(await verdict(secret), "invalid");
});

test("a provider that repeats the key does not get it to the user, in no form of answer", async () => {
  await saved({ p_user_id: bob.name });
  const echo = { ...chat, model: "echo" };
  const whole = await sdk(broker, bob).chat.completions.create(echo);
  assert.equal(whole.choices[0]?.message.content, "your key is •••");
  let streamed = "";
  for await (const part of await sdk(broker, bob).chat.completions.create({ ...echo, stream: true })) {
    streamed += part.choices[0]?.delta.content ?? "";
  }
  assert.equal(streamed, "your key is •••");
});

test("when the client leaves a stream, the provider is let go of, and the request was one", async () => {
  const { secret } = await saved({ p_user_id: eve.name });
  stub.seen();
  const stream = await sdk(broker, eve).chat.completions.create({ ...chat, model: "endless", stream: true });
  for await (const _ of stream) break;
  await stub.seen()[0]?.left;
  await until(async () => (await counted(secret))[0] === 1);
  assert.deepEqual(await counted(secret), [1, 0]);
});

test("a stream may take longer than any one pause of it", async () => {
  const stream = await sdk(hasty, bob).chat.completions.create({
    ...chat,
    messages: [{ role: "user", content: "word ".repeat(200) }],
    stream: true,
  });
  let length = 0;
  for await (const part of stream) length += (part.choices[0]?.delta.content ?? "").length;
  assert.equal(length, "You said: ".length + 1000);
});

test("other paths, methods and forms are not served, and nothing is sent", async () => {
  stub.seen();
  const none = [
    "",
    "files",
    "batches",
    "fine_tuning/jobs",
    "assistants",
    "vector_stores",
    "responses/resp_1",
    "models/..%2f..%2ffiles",
    "models/%2e%2e/files",
    "models/a%3Fb",
    "models/a/b/c/d",
    "chat/completions/x",
    "chat",
    "constructor",
  ];
  for (const path of none) {
    for (const method of ["GET", "POST"]) {
      const { status, code } = await ask(bob, { method, path });
      assert.deepEqual([status, code], [404, "not_found"], `${method} ${path}`);
    }
  }
  for (const provider of ["nobody", "aws", "custom", "MISTRAL"]) {
    assert.deepEqual((await ask(bob, { provider })).code, "no_provider", provider);
  }
  for (const [method, path, allow] of [["GET", "chat/completions", "POST"], ["POST", "models", "GET"]]) {
    const { status, headers } = await ask(bob, { method, path });
    assert.deepEqual([status, headers.get("allow")], [405, `${allow}, OPTIONS`]);
  }
  assert.equal((await broker.ask(bob, "DELETE", { path: "/mistral/v1/models/a" })).status, 405);
  assert.equal((await ask(bob, { headers: { "Content-Type": "text/plain" } })).status, 415);
  assert.equal((await ask(bob, { path: "audio/transcriptions" })).status, 415);
  assert.equal(
    (await ask(bob, {
      path: "audio/transcriptions",
      headers: { "Content-Type": "multipart/form-data; boundary=x" },
    })).status,
    400,
  );
  for (const body of ["[]", "null", "x", '{"model": 5}']) {
    assert.equal((await ask(bob, { body })).code, "bad_input", body);
  }
  assert.deepEqual(stub.seen(), []);
});

test("a request that is too large is not sent, and not read to its end", async () => {
  stub.seen();
  let left = 40 << 20;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if ((left -= 1 << 16) < 0) controller.close();
      else controller.enqueue(new Uint8Array(1 << 16).fill(32));
    },
  });
  const answer = await fetch(`${broker.url}/mistral/v1/chat/completions`, {
    method: "POST",
    headers: { ...bob.headers, ...json },
    body,
  });
  assert.deepEqual([answer.status, (await answer.json()).error.code], [413, "too_large"]);
  assert.deepEqual(stub.seen(), []);
});

test("a page may use the SDK: its headers are among those that may be sent", async () => {
  const asked = "authorization,content-type,x-stainless-lang,x-stainless-retry-count,x-hftok-org,x-evil";
  const { headers } = await broker.ask(null, "OPTIONS", {
    path: "/mistral/v1/chat/completions",
    headers: {
      Origin: "https://app.example",
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": asked,
    },
  });
  const allowed = headers.get("access-control-allow-headers")!.split(", ");
  assert.deepEqual(asked.split(",").filter((name) => !allowed.includes(name)), ["x-evil"]);
});

test("a role that may do these four things and nothing else is enough, and a wrong key is said as what it is", async () => {
  await sql(
    `CREATE ROLE broker_functions NOLOGIN; GRANT broker_functions TO authenticator; GRANT USAGE ON SCHEMA hftok TO broker_functions;
     GRANT EXECUTE ON FUNCTION hftok.resolve_token, hftok.report_credential, hftok.record_usage TO broker_functions;
     GRANT SELECT ON hftok.providers TO broker_functions`,
  );
  const narrow = await Running.start("inference", {
    HFTOK_SERVICE_KEY: await jwt({ role: "broker_functions" }),
  });
  // Of this key nothing was counted before.
  const { secret } = await saved({ p_user_id: carol.name });
  assert.equal((await sdk(narrow, carol).chat.completions.create(chat)).choices.length, 1);
  await until(async () => (await counted(secret))[1] === 18);
  assert(!narrow.printed.includes("failed"), narrow.printed);
  const misled = await Running.start("inference", {
    HFTOK_SERVICE_KEY: await jwt({ role: "authenticated", sub: "x" }),
  });
  const { status, body } = await misled.ask(bob, "POST", {
    path: "/mistral/v1/chat/completions",
    headers: json,
    body: chat,
  });
  assert.deepEqual([status, JSON.parse(body).error.code], [500, "misconfigured"]);
  assert.match(
    await Running.refusedToStart("inference", { INFERENCE_TIMEOUT_SECONDS: "soon" }),
    /must be a number above 0/,
  );
});

test("without the stand-in, nothing of these users goes anywhere else", async () => {
  await takeBack(operator, ["mistral"]);
  stub.seen();
  await saved({ p_user_id: bob.name, p_allowed_hosts: ["127.0.0.1"] });
  const { status, code } = await ask(bob);
  assert.deepEqual([status, code, stub.seen().length], [422, "unusable", 0]);
  assert.equal((await service.rows("credentials", { scope_id: bob.name, provider: "mistral" })).length, 1);
});

putAway(stub);
nothingLeaked();
