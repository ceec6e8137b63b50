// Authentication: the functions decide whom they serve, from where, and how much may be sent, before anything is opened
// or sent.
import assert from "node:assert/strict";
import { jwt, people, Person, service, url } from "../rpc/lib/people.ts";
import { Gateway, PUBLISHABLE, SECRET } from "./lib/gateway.ts";
import { huggingFace, nothingLeaked, Running, test, token } from "./lib/functions.ts";

const hub = await huggingFace();
const settings = { HF_BASE_URL: hub.url };
const save = await Running.start("save-hf-token");
const inference = await Running.start("huggingface-inference", settings);
const { alice, id } = await people("authentication");
const value = token();
hub.known.add(value);
await service.call("save_hf_token", { p_token: value, p_user_id: alice.name });

const requests: [Running, string, string, unknown][] = [
  [save, "POST", "", { token: token() }],
  [save, "GET", "", undefined],
  [save, "DELETE", "", undefined],
  [save, "POST", "/test", {}],
  [save, "POST", "/test", { token: value }],
  [inference, "POST", "", { model: "public/model", inputs: "hello" }],
];
const claims = (more: object = {}) => ({ role: "authenticated", sub: alice.name, ...more });
const seconds = Math.floor(Date.now() / 1000);
const [header, payload, signature] = (await jwt(claims())).split(".");
const encoded = (it: object) =>
  btoa(JSON.stringify(it)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** JWTs that are none, and headers that hold none. */
const impostors: Record<string, string> = {
  "nothing": "",
  "no token": "Bearer ",
  "another scheme": "Basic " + btoa("alice:secret"),
  "not signed": `Bearer ${encoded({ alg: "none", typ: "JWT" })}.${payload}.`,
  "not signed, with a signature": `Bearer ${encoded({ alg: "none", typ: "JWT" })}.${payload}.${signature}`,
  "signed with another key": `Bearer ${await jwt(
    claims(),
    undefined,
    "another key that is long enough for it",
  )}`,
  "signed with an empty header": `Bearer ${encoded({})}.${payload}.${signature}`,
  "another user under this signature": `Bearer ${header}.${
    encoded({ role: "authenticated", sub: "mallory" })
  }.${signature}`,
  "ended": `Bearer ${await jwt(claims({ exp: seconds - 3600 }))}`,
  "not begun": `Bearer ${await jwt(claims({ nbf: seconds + 3600 }))}`,
  "no sub": `Bearer ${await jwt({ role: "authenticated" })}`,
  "an empty sub": `Bearer ${await jwt(claims({ sub: "" }))}`,
  "a sub that is no text": `Bearer ${await jwt(claims({ sub: [alice.name] }))}`,
  "a database role as sub": `Bearer ${await jwt(claims({ sub: "role:postgres" }))}`,
  "the anonymous key": `Bearer ${await jwt({ role: "anon" })}`,
  "anonymous, with a sub": `Bearer ${await jwt({ role: "anon", sub: alice.name })}`,
  "the service's key": `Bearer ${await jwt({ role: "service_role" })}`,
  "a role that there is not": `Bearer ${await jwt(claims({ role: "nobody_of_this_name" }))}`,
  "two tokens": `Bearer ${header}.${payload}.${signature}, Bearer ${header}.${payload}.${signature}`,
  "a token and more": `Bearer ${header}.${payload}.${signature} X-Other: 1`,
  "too long": `Bearer ${header}.${payload}${"x".repeat(9000)}.${signature}`,
};

for (const [what, authorization] of Object.entries(impostors)) {
  test(`not served: ${what}`, async () => {
    hub.seen();
    const headers: Record<string, string> = authorization === "" ? {} : { Authorization: authorization };
    for (const [running, method, path, body] of requests) {
      const { status, body: answer } = await running.ask(null, method, { path, body, headers });
      const { ok, error } = JSON.parse(answer);
      assert.deepEqual(
        [status, ok, error.code],
        [401, false, "unauthenticated"],
        `${method} ${path}: ${answer}`,
      );
      assert(!answer.includes(alice.name) && error.message.length > 0);
    }
    assert.deepEqual(hub.seen(), [], "nothing was sent to Hugging Face");
    assert.equal(
      (await service.call("resolve_token", { p_provider: "huggingface", p_user_id: alice.name })).version,
      1,
    );
  });
}

test("a user named in the request counts for nothing", async () => {
  const eve = new Person(id("eve"), await jwt({ role: "authenticated", sub: id("eve") }));
  const headers = { "x-user-id": alice.name, "x-hftok-user": alice.name, cookie: `sub=${alice.name}` };
  const { body, headers: answered } = await inference.ask(eve, "POST", {
    path: `?user_id=${alice.name}&sub=${alice.name}`,
    body: { model: "public/model", inputs: "hello", user_id: alice.name, p_user_id: alice.name },
    headers,
  });
  assert.deepEqual([answered.get("x-hftok-source"), JSON.parse(body).paid], ["none", false]);
});

test("a user's id in another case is the same user, as a UUID is", async () => {
  const uuid = crypto.randomUUID().toUpperCase();
  const upper = new Person(uuid, await jwt({ role: "authenticated", sub: uuid }));
  const saved = await save.ask(upper, "POST", { body: { token: token() } });
  assert.equal(saved.status, 200, saved.body);
  assert.equal(JSON.parse((await save.ask(upper, "GET")).body).configured, true);
  const { headers } = await inference.ask(upper, "POST", { body: { model: "loading/model", inputs: "" } });
  assert.equal(headers.get("x-hftok-source"), "user");
});

test("a body that is too long is not read to its end", async () => {
  const long = "x".repeat(17 * 1024);
  const declared = await save.ask(alice, "POST", { body: { token: long } });
  assert.equal(declared.status, 413);
  // Without a length, so that counting is all there is.
  const stream = (bytes: number) =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if ((bytes -= 65536) < 0) controller.close();
        else controller.enqueue(new Uint8Array(65536).fill(32));
      },
    });
  for (const [running, bytes] of [[save, 1 << 18], [inference, 12 << 20]] as const) {
    const answer = await fetch(running.url, { method: "POST", headers: alice.headers, body: stream(bytes) });
    assert.equal(answer.status, 413);
    assert.equal((await answer.json()).error.code, "too_large");
  }
});

test("what is no JSON object is refused, and not quoted in answer or log", async () => {
  for (const body of [value, `{"token": ${value}}`, `"${value}"`, "[]", "null", "1", "\u0000"]) {
    for (const running of [save, inference]) {
      const { status, body: answer } = await running.ask(alice, "POST", { body });
      assert.deepEqual([status, JSON.parse(answer).error.code], [400, "bad_input"], answer);
      assert(!(answer + running.printed).includes(value.slice(0, 7)), answer);
    }
  }
});

test("a browser may ask from any origin unless there is a list, and is told which headers it may read", async () => {
  const origin = "https://app.example";
  const preflight = {
    Origin: origin,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization",
  };
  for (const running of [save, inference]) {
    const { status, headers, body } = await running.ask(null, "OPTIONS", { headers: preflight });
    assert.deepEqual([status, body, headers.get("access-control-allow-origin")], [204, "", "*"]);
    assert.match(headers.get("access-control-allow-headers")!, /authorization.*apikey.*content-type/);
    assert.match(headers.get("access-control-allow-methods")!, /POST/);
    const refused = await running.ask(null, "POST", { headers: { Origin: origin }, body: {} });
    assert.deepEqual([refused.status, refused.headers.get("access-control-allow-origin")], [401, "*"]);
    assert.match(refused.headers.get("access-control-expose-headers")!, /x-hftok-source/);
    assert.equal(refused.headers.get("access-control-allow-credentials"), null);
  }
  const choosy = await Running.start("save-hf-token", {
    HFTOK_ALLOWED_ORIGINS: "https://a.example, https://b.example",
  });
  for (
    const [asked, allowed] of [["https://b.example", "https://b.example"], [origin, null], [
      "https://b.example.evil.test",
      null,
    ]]
  ) {
    const { headers } = await choosy.ask(alice, "GET", { headers: { Origin: asked! } });
    assert.deepEqual([headers.get("access-control-allow-origin"), headers.get("vary")?.includes("Origin")], [
      allowed,
      true,
    ]);
  }
});

test("answers are JSON, and kept by nobody", async () => {
  for (const [running, method, path, body] of requests) {
    const { headers } = await running.ask(alice, method, { path, body });
    assert.deepEqual(
      [headers.get("content-type"), headers.get("cache-control"), headers.get("x-content-type-options")],
      ["application/json", "no-store", "nosniff"],
      `${method} ${path}`,
    );
  }
});

test("behind Supabase's gateway: its path, and its key beside the JWT", async () => {
  const gateway = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const rest = pathname.match(/^\/rest\/v1(\/.*)$/)?.[1];
    if (!rest || request.headers.get("apikey") !== "anon-key") {
      return new Response("No API key", { status: 401 });
    }
    const { method, headers } = request;
    return await fetch(url + rest + search, { method, headers, body: await request.text() || undefined });
  });
  const env = {
    HFTOK_REST_URL: "",
    HFTOK_SERVICE_KEY: "",
    SUPABASE_URL: `http://127.0.0.1:${gateway.addr.port}/`,
    SUPABASE_ANON_KEY: "anon-key",
    SUPABASE_SERVICE_ROLE_KEY: await jwt({ role: "service_role" }),
  };
  const behind = await Running.start("save-hf-token", env);
  await alice.call("save_hf_token", { p_token: value });
  const { status, body } = await behind.ask(alice, "POST", { path: "/test", body: {} });
  assert.deepEqual([status, JSON.parse(body).verdict], [200, "verified"]);
  behind.kill();
  await gateway.shutdown();
});

test("with Supabase's new keys: the role is what the apikey header says, beside a user's JWT or alone", async () => {
  const gateway = await Gateway.start();
  const { seen } = gateway;
  const alone = {
    ...gateway.address,
    SUPABASE_PUBLISHABLE_KEY: PUBLISHABLE,
    SUPABASE_SECRET_KEY: SECRET,
  };
  await alice.call("save_hf_token", { p_token: value });
  for (const env of [gateway.hosted, alone]) {
    seen.length = 0;
    const behind = await Running.start("save-hf-token", env);
    const { status, body } = await behind.ask(alice, "POST", { path: "/test", body: {} });
    assert.deepEqual([status, JSON.parse(body).verdict], [200, "verified"]);
    assert(
      seen.includes("sb_publishable_new beside a JWT") && seen.includes("sb_secret_new alone"),
      `${seen}`,
    );
    assert(!seen.some((call) => call.endsWith("twice")), `${seen}`);
    // A key is nobody: who asks for a user's sends the user's JWT.
    for (const key of [PUBLISHABLE, SECRET]) {
      const asked = await fetch(`${behind.url}/test`, {
        method: "POST",
        headers: { Authorization: `Bearer ${key}`, apikey: key },
      });
      assert.deepEqual([asked.status, (await asked.json()).error.code], [401, "unauthenticated"]);
    }
    behind.kill();
  }
  await gateway.stop();
  for (
    const [wrong, words] of [
      ["sb_secret_new", /SUPABASE_SECRET_KEYS must be a JSON object of keys/],
      ['{"a": "sb_secret_new", "b": "x"}', /SUPABASE_SECRET_KEYS must have a key named default/],
    ] as const
  ) {
    const printed = await Running.refusedToStart("save-hf-token", {
      HFTOK_SERVICE_KEY: "",
      SUPABASE_SECRET_KEYS: wrong,
    });
    assert.match(printed, words);
    assert.doesNotMatch(printed, /sb_secret_new/);
  }
});

test("no function starts without what it needs, and it names what is missing", async () => {
  for (
    const [missing, words] of [
      ["HFTOK_REST_URL", /SUPABASE_URL or HFTOK_REST_URL must be set/],
      [
        "HFTOK_SERVICE_KEY",
        /SUPABASE_SECRET_KEYS, SUPABASE_SERVICE_ROLE_KEY or HFTOK_SERVICE_KEY must be set/,
      ],
    ] as const
  ) {
    assert.match(await Running.refusedToStart("save-hf-token", { [missing]: "" }), words);
  }
  assert.match(
    await Running.refusedToStart("huggingface-inference", { HF_TIMEOUT_SECONDS: "soon" }),
    /HF_TIMEOUT_SECONDS must be a number/,
  );
});

nothingLeaked();
