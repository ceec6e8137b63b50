// The small parts of the functions that no request can show in full: every way to cut a token, addresses, waiting times.
import assert from "node:assert/strict";
import type { Hftok } from "../../edge/functions/_shared/client/mod.ts";
import { members, readUpTo } from "../../edge/functions/_shared/body.ts";
import { Destination, matchesAny } from "../../edge/functions/_shared/destination.ts";
import { IdleDeadline } from "../../edge/functions/_shared/deadline.ts";
import { Pace } from "../../edge/functions/_shared/pace.ts";
import { Refusal } from "../../edge/functions/_shared/refusal.ts";
import { answerOf, place, segments } from "../../edge/functions/_shared/serve.ts";
import { testOf } from "../../edge/functions/_shared/verdict.ts";
import { Redactor } from "../../edge/functions/_shared/redact.ts";
import { upstreamError } from "../../edge/functions/_shared/upstream_error.ts";
import { relay } from "../../edge/functions/_shared/relay.ts";
import { RecentKeys } from "../../edge/functions/_shared/recent.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (parts: Uint8Array[]) =>
  new TextDecoder().decode(Uint8Array.from(parts.flatMap((part) => [...part])));
const unredacted = (token: string, parts: string[]) => {
  const redactor = new Redactor(token);
  return text([...parts.map((part) => redactor.push(bytes(part))), redactor.end()]);
};

Deno.test("a token is masked wherever the stream is cut", () => {
  const token = "hf_hfhf_x";
  for (
    const whole of [
      `${token}`,
      `a${token}b`,
      `${token}${token}`,
      `hf_hf${token}`,
      `h${token}hf_hfhf_`,
      "nothing of it",
      "",
    ]
  ) {
    const wanted = whole.replaceAll(token, "•••");
    for (let cut = 0; cut <= whole.length; cut++) {
      for (let next = cut; next <= whole.length; next++) {
        const parts = [whole.slice(0, cut), whole.slice(cut, next), whole.slice(next)];
        assert.equal(unredacted(token, parts), wanted, JSON.stringify(parts));
      }
    }
    assert.equal(unredacted(token, [...whole]), wanted);
  }
});

Deno.test("what cannot be the beginning of a token is passed on at once", () => {
  const redactor = new Redactor("hf_secret");
  assert.equal(text([redactor.push(bytes("data: hf_sorry\n\n"))]), "data: hf_sorry\n\n");
  assert.equal(text([redactor.push(bytes("data: hf_sec"))]), "data: ");
  assert.equal(text([redactor.push(bytes("ond"))]), "hf_second");
  assert.equal(new Redactor("").push(bytes("anything")).length, 8);
});

Deno.test("hosts are read as hftok reads them", () => {
  const hosts = ["huggingface.co", "*.endpoints.huggingface.cloud", "sts.*.amazonaws.com"];
  for (
    const host of [
      "huggingface.co",
      "HuggingFace.co",
      "a.endpoints.huggingface.cloud",
      "a.b.endpoints.huggingface.cloud",
      "sts.eu-west-1.amazonaws.com",
    ]
  ) {
    assert(matchesAny(hosts, host), host);
  }
  for (
    const host of [
      "evil.example",
      "huggingface.co.evil.example",
      "xhuggingface.co",
      "huggingface.co:8443",
      "endpoints.huggingface.cloud",
      "sts.a.b.amazonaws.com",
      "",
    ]
  ) {
    assert(!matchesAny(hosts, host), host);
  }
});

Deno.test("a test that goes to none of the provider's hosts is not made, whatever the catalogue says", async () => {
  const catalogue = (url: string, hosts: string[] | null) => {
    const test = { method: "GET", url, headers: { Authorization: "Bearer {token}" }, answers: {} };
    const row = { test, fields: [{ name: "token", secret: true }], hosts };
    return testOf({ rows: () => Promise.resolve([row]) } as unknown as Hftok, "huggingface");
  };
  const { host } = await catalogue("https://huggingface.co/api/whoami-v2", ["huggingface.co"]);
  assert.equal(host, "huggingface.co");
  for (
    const [url, hosts] of [
      ["https://evil.example/collect", ["huggingface.co"]],
      ["https://huggingface.co.evil.example/", ["huggingface.co"]],
      ["https://huggingface.co:8443/", ["huggingface.co"]],
      ["http://huggingface.co/", ["huggingface.co"]],
      ["http://127.0.0.1:9/", ["huggingface.co"]],
      ["https://huggingface.co/", []],
      ["https://huggingface.co/", null],
    ] as [string, string[] | null][]
  ) {
    await assert.rejects(catalogue(url, hosts), { status: 500 }, url);
  }
});

Deno.test("a token goes over TLS, or to this machine, and the host that is asked for is the one that is meant", () => {
  const hosts = {
    "https://router.huggingface.co/v1": "router.huggingface.co",
    "https://router.huggingface.co:443": "router.huggingface.co",
    "https://ROUTER.huggingface.co": "router.huggingface.co",
    // hftok releases nothing for another port.
    "https://router.huggingface.co:8443": "router.huggingface.co:8443",
    "https://huggingface.co.evil.test/": "huggingface.co.evil.test",
    "https://huggingface.co\\@evil.test/": "huggingface.co",
    "http://127.0.0.1:8080": "127.0.0.1",
    "http://localhost:8080/x": "localhost",
  };
  for (const [address, host] of Object.entries(hosts)) {
    assert.equal(Destination.of(address).host, host, address);
  }
  const none = [
    "http://huggingface.co",
    "http://127.0.0.2",
    "http://localhost.evil.test",
    "file:///etc/passwd",
    "https://user:word@huggingface.co",
    "https://huggingface.co/#x",
    "//huggingface.co",
    "",
  ];
  for (const address of none) {
    assert.throws(() => Destination.of(address), { code: "misconfigured" }, address);
  }
});

Deno.test("a path is what stands behind the function's name, however it is mounted", () => {
  const at = (path: string) => place(new Request(`http://x${path}`), "f", ["", "test"]);
  for (const path of ["/", "/f", "/f/", "/functions/v1/f", "/functions/v1/f?x=/test"]) {
    assert.equal(at(path), "", path);
  }
  for (const path of ["/test", "/f/test", "/functions/v1/f/test/"]) assert.equal(at(path), "test", path);
  for (const path of ["/f/tests", "/test/f/x", "/g", "/f/test/test"]) {
    assert.throws(() => at(path), { code: "not_found" }, path);
  }
});

Deno.test("segments of a path are decoded, and what cannot be is nowhere", () => {
  const at = (path: string) => segments(new Request(`http://x${path}`), "f");
  assert.deepEqual(at("/functions/v1/f/openai/test"), ["openai", "test"]);
  assert.deepEqual([at("/f"), at("/"), at("/a%2Fb/c%20d/")], [[], [], ["a/b", "c d"]]);
  assert.throws(() => at("/f/%ff"), { code: "not_found" });
});

Deno.test("what is thrown unforeseen is neither answered nor logged, beyond the name of its class", async () => {
  const logged: unknown[] = [];
  const before = console.error;
  console.error = (...words: unknown[]) => logged.push(...words);
  try {
    const failing = () => Promise.reject(new TypeError('invalid header value: "Bearer hf_secretsecret"'));
    const answer = await answerOf("f", ["POST"], new Request("http://x/f", { method: "POST" }), failing);
    const { error } = await answer.json();
    assert.deepEqual([answer.status, error.code], [500, "internal"]);
    assert(!error.message.includes("secret"));
  } finally {
    console.error = before;
  }
  assert.match(String(logged), /TypeError/);
  assert(!String(logged).includes("secret"), String(logged));
});

Deno.test("members: of their shape, null like none, others refused without being named", () => {
  const shapes = { a: "text", b: "boolean", c: "list of texts" } as const;
  assert.deepEqual(members({ a: "x", b: false, c: ["y"] }, shapes), { a: "x", b: false, c: ["y"] });
  assert.deepEqual(members({ a: null }, shapes), {});
  const more = { n: "whole number", o: "text or an object" } as const;
  assert.deepEqual(members({ n: -1, o: "x" }, more), { n: -1, o: "x" });
  assert.deepEqual(members({ n: 0, o: { x: 1 } }, more), { n: 0, o: { x: 1 } });
  for (const wrong of [{ n: 1.5 }, { n: "1" }, { o: 1 }, { o: [] }, { o: true }]) {
    assert.throws(() => members(wrong, more), { status: 400 }, JSON.stringify(wrong));
  }
  for (const wrong of [{ a: 1 }, { b: "true" }, { c: "x" }, { c: ["x", 1] }, { a: {} }]) {
    assert.throws(() => members(wrong, shapes), { status: 400 }, JSON.stringify(wrong));
  }
  assert.throws(
    () => members({ hf_secretsecret: 1 }, shapes),
    (error: Error) => !error.message.includes("hf_secretsecret"),
  );
});

Deno.test("no more is read than allowed", async () => {
  const stream = () => ReadableStream.from([bytes("abc"), bytes("def")]);
  assert.equal(text([(await readUpTo(6, stream()))!]), "abcdef");
  assert.equal(await readUpTo(5, stream()), null);
  assert.equal((await readUpTo(5, null))!.length, 0);
});

Deno.test("whoever looks at an answer learns that it ends, also when the client was gone before it began", () => {
  const gone = new AbortController();
  const deadline = new IdleDeadline(60_000, gone.signal);
  gone.abort();
  let ends = 0;
  relay(new Response("late"), null, deadline, { push: () => {}, end: () => ends++ });
  assert.equal(ends, 1);
});

Deno.test("an answer that nobody reads any more is let go of", async () => {
  let cancelled = false;
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(bytes("x")),
    cancel: () => void (cancelled = true),
  });
  const deadline = new IdleDeadline(60_000, new AbortController().signal);
  const stream = relay(new Response(source), null, deadline)!;
  const reader = stream.getReader();
  await reader.read();
  await reader.cancel();
  assert.deepEqual([cancelled, deadline.signal.aborted, deadline.ranOut], [true, true, false]);
});

Deno.test("how long to wait is taken from whichever header says it", async () => {
  const waiting = async (headers: Record<string, string>) =>
    (await upstreamError(
      new Response(null, { status: 429, headers }),
      { provider: "Hugging Face", noun: "token", page: null, source: "user", token: "t" },
      false,
    )).headers;
  assert.deepEqual(await waiting({ "Retry-After": "12" }), { "Retry-After": "12" });
  assert.deepEqual(await waiting({ RateLimit: '"resolvers";r=0;t=137' }), { "Retry-After": "137" });
  assert.deepEqual(await waiting({ "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT" }), { "Retry-After": "0" });
  for (const nonsense of ["", "soon", "-1", "9".repeat(20)]) {
    assert.deepEqual(await waiting({ "Retry-After": nonsense }), {}, nonsense);
  }
});

Deno.test("a user has so many times in a minute, and the next minute as many", () => {
  const pace = new Pace(2);
  const after = (ms: number, user = "a") => {
    try {
      pace.admit(user, ms);
      return 0;
    } catch (error) {
      assert(error instanceof Refusal && error.status === 429);
      return Number(error.headers["Retry-After"]);
    }
  };
  assert.deepEqual([after(0), after(1000), after(2000), after(59_999)], [0, 0, 58, 1]);
  assert.deepEqual([after(2000, "b"), after(60_000), after(60_001), after(60_002)], [0, 0, 0, 60]);
  for (let n = 0; n < 12_000; n++) after(60_003, `user ${n}`);
  assert.equal(after(60_004), 0, "not many are kept");
});

Deno.test("what was noted lately is known for a while, and not for ever", () => {
  const recent = new RecentKeys(100);
  assert.equal(recent.has("a", 0), false);
  recent.note("a", 0);
  assert.deepEqual([recent.has("a", 99), recent.has("a", 100), recent.has("b", 99)], [true, false, false]);
  recent.note("a", 140);
  for (let n = 0; n < 3000; n++) recent.note(`key ${n}`, 150);
  assert.equal(recent.has("a", 151), false);
});
