// The verdict for every answer that a provider may give to the catalogue's test request, and for none.
import assert from "node:assert/strict";
import type { Json } from "../../edge/client/mod.ts";
import { type Finding, sentence } from "../../edge/client/test_answer.ts";
import { ask } from "../../edge/client/test_request.ts";
import {
  amazon,
  answering,
  elsewhere,
  entra,
  google,
  got,
  here,
  local,
  other,
  short,
  test,
} from "./lib/local_provider.ts";

async function found(
  id: string,
  credential: Json,
  said: () => Response | Promise<Response>,
): Promise<Finding> {
  answering(said);
  try {
    return await ask(local(id), credential);
  } finally {
    answering();
  }
}

test("verdicts by status, of every provider whose catalogue says no more", async () => {
  const simple = [
    "huggingface",
    "openai",
    "groq",
    "mistral",
    "replicate",
    "together",
    "openrouter",
    "deepseek",
    "fireworks",
    "nvidia",
    "github",
    "runpod",
  ];
  for (const id of simple) {
    for (
      const [status, expected] of [
        [200, "verified: accepted"],
        [401, "invalid: refused"],
        [403, "indeterminate: forbidden"],
        [402, "indeterminate: unpaid"],
        [404, "indeterminate: unclear"],
        [408, "indeterminate: unavailable"],
        [429, "indeterminate: rate_limited"],
        [500, "indeterminate: unavailable"],
        [529, "indeterminate: unavailable"],
      ] as const
    ) {
      const finding = await found(id, "k", () => new Response("{}", { status }));
      assert.deepEqual([finding.status, short(finding)], [status, expected], id);
    }
  }
});

test("verdicts that a provider gives in its own way", async () => {
  const json = (body: unknown, status = 200) => () => Response.json(body, { status });
  const said: [string, Json, () => Response, string][] = [
    ["anthropic", "k", json({}, 403), "verified: accepted"],
    ["google", "k", json({}, 403), "verified: accepted"],
    [
      "google",
      "k",
      json({ error: { status: "INVALID_ARGUMENT", details: [{ reason: "API_KEY_INVALID" }] } }, 400),
      "invalid: refused",
    ],
    ["google", "k", json({ error: { status: "INVALID_ARGUMENT" } }, 400), "indeterminate: unclear"],
    ["google", "k", json({ error: { reason: "NOT_API_KEY_INVALID" } }, 400), "indeterminate: unclear"],
    ["google_cloud", google, json({ access_token: "ya29" }), "verified: accepted"],
    ["google_cloud", google, json({ error: "invalid_grant" }, 400), "invalid: refused"],
    ["google_cloud", google, json({ error: "invalid_scope" }, 400), "indeterminate: unclear"],
    ["aws", amazon, json({ GetCallerIdentityResponse: {} }), "verified: accepted"],
    [
      "aws",
      amazon,
      () => new Response("<Code>InvalidClientTokenId</Code>", { status: 403 }),
      "invalid: refused",
    ],
    [
      "aws",
      amazon,
      () => new Response("<Code>SignatureDoesNotMatch</Code>", { status: 403 }),
      "invalid: refused",
    ],
    ["aws", amazon, () => new Response("<Code>ExpiredToken</Code>", { status: 403 }), "invalid: refused"],
    [
      "aws",
      amazon,
      () => new Response("<Code>AccessDenied</Code>", { status: 403 }),
      "indeterminate: forbidden",
    ],
    ["bedrock", "k", json({}, 403), "invalid: refused"],
    ["azure", entra, json({ access_token: "eyJ" }), "verified: accepted"],
    [
      "azure",
      entra,
      json({ error_description: "AADSTS7000215: Invalid client secret" }, 401),
      "invalid: refused",
    ],
    ["azure", entra, json({ error_codes: [7000222], error: "AADSTS7000222: x" }, 401), "invalid: refused"],
    ["azure", entra, json({ error_description: "AADSTS700016: no application" }, 400), "invalid: refused"],
    // Conditional access: the secret is right.
    ["azure", entra, json({ error_description: "AADSTS53003: blocked" }, 400), "indeterminate: unclear"],
    ["azure", entra, json({ error_description: "AADSTS7000161: another" }, 400), "indeterminate: unclear"],
    ["azure_openai", { api_key: "k", endpoint: here }, json({}), "verified: accepted"],
    ["azure_openai", { api_key: "k", endpoint: here }, json({}, 401), "invalid: refused"],
    ["cohere", "k", json({ valid: true }), "verified: accepted"],
    ["cohere", "k", json({ valid: false }), "invalid: refused"],
    ["cohere", "k", json({ valid: "perhaps" }), "indeterminate: unclear"],
    ["cohere", "k", () => new Response("no JSON, valid=true"), "indeterminate: unclear"],
    ["xai", "k", json({ api_key_blocked: false }), "verified: accepted"],
    ["xai", "k", json({ api_key_blocked: true }), "invalid: refused"],
    // It is not blocked, and yet of no use: the worst of several conditions counts.
    ["xai", "k", json({ api_key_blocked: false, api_key_disabled: true }), "invalid: refused"],
    ["xai", "k", json({ api_key_blocked: false, team_blocked: true }), "invalid: refused"],
    ["xai", "k", json({}, 400), "invalid: refused"],
    ["perplexity", "k", json({}, 400), "verified: accepted"],
    ["perplexity", "k", json({}, 401), "invalid: refused"],
    [
      "huggingface",
      "k",
      () => new Response(null, { status: 403, headers: { "X-Error-Code": "GatedRepo" } }),
      "indeterminate: gated",
    ],
  ];
  for (const [id, credential, says, expected] of said) {
    assert.equal(short(await found(id, credential, says)), expected, `${id} ${await says().text()}`);
  }
});

test("a refusal of Amazon's is asked for twice: a right secret after a wrong one is refused once", async () => {
  const said = ["SignatureDoesNotMatch", null, "SignatureDoesNotMatch", "SignatureDoesNotMatch"];
  const amazons = () => {
    const code = said.shift();
    return code ? new Response(`<Code>${code}</Code>`, { status: 403 }) : Response.json({});
  };
  got.length = 0;
  assert.equal(short(await found("aws", amazon, amazons)), "verified: accepted");
  assert.equal(short(await found("aws", amazon, amazons)), "invalid: refused");
  assert.deepEqual([got.length, said.length], [4, 0]);
  // Others mean what they say.
  got.length = 0;
  await found("bedrock", "k", () => new Response(null, { status: 403 }));
  assert.equal(got.length, 1);
});

test("a rest that a provider asks for is told in seconds", async () => {
  const limited = (after: string) => () =>
    new Response(null, { status: 429, headers: { "Retry-After": after } });
  for (
    const [after, seconds] of [
      ["7", 7],
      ["0", 1],
      ["999999999", 86400],
      [new Date(Date.now() + 90_000).toUTCString(), 90],
      ["Wed, 21 Oct 2015 07:28:00 GMT", 1],
    ] as const
  ) {
    const finding = await found("openai", "k", limited(after));
    assert.equal(short(finding), "rate_limited: rate_limited");
    assert(finding.retryAfter !== null && Math.abs(finding.retryAfter - seconds) <= 2, after);
  }
  for (const nonsense of ["soon", "-1", "", "1.5"]) {
    assert.equal(
      short(await found("openai", "k", limited(nonsense))),
      "indeterminate: rate_limited",
      nonsense,
    );
  }
});

test("no redirect is followed, neither elsewhere nor on the same host", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const to of [`http://127.0.0.1:${other.addr.port}/v1/check-api-key`, "/v1/elsewhere"]) {
      got.length = 0;
      const headers = { Location: to };
      const finding = await found("cohere", "k", () => new Response(null, { status, headers }));
      assert.deepEqual([short(finding), got.length], ["indeterminate: redirected", 1], `${status} ${to}`);
    }
  }
  assert.deepEqual(elsewhere, []);
});

test("a provider that is slow, gone or breaks off is no verdict", async () => {
  let release = () => {};
  const never = new Promise<Response>((done) => release = () => done(new Response(null)));
  answering(() => never);
  assert.equal(
    short(await ask(local("openai"), "k", undefined, { deadlineMs: 100 })),
    "indeterminate: timeout",
  );
  // An answer that begins and does not end, where the body is looked into.
  answering(() => new Response(new ReadableStream({ pull: () => never.then(() => {}) })));
  assert.equal(
    short(await ask(local("cohere"), "k", undefined, { deadlineMs: 100 })),
    "indeterminate: timeout",
  );
  const gone = new AbortController();
  answering(() => never);
  const left = ask(local("openai"), "k", gone.signal);
  gone.abort(new Error("left"));
  await assert.rejects(left, { message: "left" });
  release();
  answering();
  const nowhere = { ...local("openai"), url: "http://127.0.0.1:9/v1/models" };
  assert.equal(short(await ask(nowhere, "k")), "indeterminate: unreachable");
});

test("of a body 64 kB are read, and only where the catalogue looks into it", async () => {
  const filler = "x".repeat(60 * 1024);
  const says = (text: string) => () => new Response(text, { status: 400 });
  assert.equal(short(await found("google", "k", says(`${filler} API_KEY_INVALID`))), "invalid: refused");
  const long = says(`${filler}${"x".repeat(8 * 1024)} API_KEY_INVALID`);
  assert.equal(short(await found("google", "k", long)), "indeterminate: unclear");
  let pulls = 0;
  const endless = () =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull(controller) {
          pulls++;
          controller.enqueue(new Uint8Array(16 * 1024).fill(120));
        },
      }),
      { status: 400 },
    );
  assert.equal(short(await found("google", "k", endless)), "indeterminate: unclear");
  assert(pulls < 1000);
});

test("every finding has a sentence for people", () => {
  const of = (finding: Partial<Finding>, isMany = false) =>
    sentence("Acme", {
      verdict: "indeterminate",
      status: 500,
      reason: "unclear",
      retryAfter: null,
      ...finding,
    }, isMany);
  assert.equal(of({ verdict: "verified", reason: "accepted" }), "Acme accepts this key.");
  assert.equal(
    of({ verdict: "invalid", reason: "refused" }),
    "Failed to verify credentials: Acme refuses this key.",
  );
  assert.match(
    of({ verdict: "rate_limited", reason: "rate_limited", retryAfter: 7 }),
    /Try again in 7 seconds\.$/,
  );
  assert.match(of({ reason: "unavailable" }, true), /Nothing is known about these credentials/);
  const reasons = [
    "refused",
    "forbidden",
    "gated",
    "unpaid",
    "rate_limited",
    "unavailable",
    "redirected",
    "timeout",
    "unreachable",
    "unclear",
    "incomplete",
    "unsendable",
    "other_host",
    "no_test",
  ] as const;
  const said = reasons.map((reason) => of({ reason }));
  assert.equal(new Set(said).size, reasons.length);
  for (const it of said) assert.match(it, /^Failed to verify credentials: .{20,}\.$/);
});
