// The catalogue's test requests, one by one: what each provider is sent, and what is not sent.
import assert from "node:assert/strict";
import type { Json } from "../../edge/client/mod.ts";
import { ask, hostFor, testOf } from "../../edge/client/test_request.ts";
import { letters } from "../rpc/lib/exchange.ts";
import {
  amazon,
  catalogue,
  entra,
  google,
  got,
  here,
  local,
  pem,
  row,
  sent,
  short,
  test,
} from "./lib/local_provider.ts";

/** Of each provider with one key: method, path, the header that holds the key, and a body. */
const SINGLE: Record<string, [method: string, path: string, header: string | null, body?: string]> = {
  huggingface: ["GET", "/api/whoami-v2", "authorization: Bearer "],
  openai: ["GET", "/v1/models", "authorization: Bearer "],
  anthropic: ["GET", "/v1/models", "x-api-key: "],
  google: ["GET", "/v1beta/models", "x-goog-api-key: "],
  bedrock: ["GET", "/foundation-models", "authorization: Bearer "],
  groq: ["GET", "/openai/v1/models", "authorization: Bearer "],
  mistral: ["GET", "/v1/models", "authorization: Bearer "],
  cohere: ["POST", "/v1/check-api-key", "authorization: Bearer "],
  replicate: ["GET", "/v1/account", "authorization: Bearer "],
  together: ["GET", "/v1/models", "authorization: Bearer "],
  openrouter: ["GET", "/api/v1/key", "authorization: Bearer "],
  deepseek: ["GET", "/user/balance", "authorization: Bearer "],
  fireworks: ["GET", "/inference/v1/models", "authorization: Bearer "],
  xai: ["GET", "/v1/api-key", "authorization: Bearer "],
  nvidia: ["POST", "/v3/keys/get-caller-info", null, "credentials="],
  perplexity: ["POST", "/chat/completions", "authorization: Bearer ", "{}"],
  github: ["GET", "/user", "authorization: Bearer "],
  runpod: ["GET", "/v1/endpoints", "authorization: Bearer "],
};

test("every provider of the catalogue that describes a test can be tested, at one of its hosts", () => {
  const known = [...Object.keys(SINGLE), "google_cloud", "aws", "azure", "azure_openai"];
  const described = catalogue.filter((it) => it.test).map((it) => it.id);
  assert.deepEqual(described.filter((id) => !known.includes(id)), [], "its form is told below");
  for (const id of described) {
    const made = testOf(row(id));
    assert(made, id);
    const host = made.host ?? hostFor(made, { api_key: "x", endpoint: "https://acme.openai.azure.com/" });
    assert(host !== null && host.includes("."), id);
  }
  assert.equal(testOf(row("custom")), null);
});

for (const [id, [method, path, header, body]] of Object.entries(SINGLE)) {
  test(`the request of ${id}`, async () => {
    const key = `k-${letters(30)}+/=`;
    const request = await sent(id, key);
    assert.deepEqual([request.method, request.path], [method, path]);
    const holding = [...request.headers].filter(([_, value]) => value.includes(key)).map((it) =>
      it.join(": ")
    );
    assert.deepEqual(holding, header === null ? [] : [header + key]);
    const written = header === null ? `${body}${encodeURIComponent(key)}` : body ?? "";
    assert.equal(request.body, written);
  });
}

test("more of single requests: a version, a type of the body", async () => {
  assert.equal((await sent("anthropic", "k")).headers.get("anthropic-version"), "2023-06-01");
  assert.equal((await sent("perplexity", "k")).headers.get("content-type"), "application/json");
  assert.equal(
    (await sent("nvidia", "k")).headers.get("content-type"),
    "application/x-www-form-urlencoded",
  );
});

test("the request of google_cloud: a JWT that its key signed, and no key", async () => {
  const { method, path, body } = await sent("google_cloud", JSON.stringify(google));
  assert.deepEqual([method, path], ["POST", "/token"]);
  const form = new URLSearchParams(body);
  assert.equal(form.get("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
  const [_, claims = ""] = form.get("assertion")?.split(".") ?? [];
  const said = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/")));
  assert.deepEqual([said.iss, said.aud], [google.client_email, `${here}/token`]);
  assert(!body.includes(encodeURIComponent(pem.slice(40, 80))));
});

test("the request of aws: signed for its host, and no secret", async () => {
  const now = new Date("2026-11-29T21:00:00Z");
  const temporary = { ...amazon, session_token: "to/ken==", region: "eu-west-1" };
  for (const credential of [amazon, temporary]) {
    const { method, path, headers } = await sent("aws", credential, now);
    assert.deepEqual([method, path], ["GET", "/?Action=GetCallerIdentity&Version=2011-06-15"]);
    const token = credential === temporary ? ";x-amz-security-token" : "";
    const signed = headers.get("authorization") ?? "";
    const expected =
      `AWS4-HMAC-SHA256 Credential=${amazon.access_key_id}/20261129/us-east-1/sts/aws4_request, ` +
      `SignedHeaders=host;x-amz-date${token}, Signature=`;
    assert.equal(signed.slice(0, expected.length), expected);
    assert.match(signed.slice(expected.length), /^[0-9a-f]{64}$/);
    assert.equal(headers.get("x-amz-date"), "20261129T210000Z");
    assert.equal(headers.get("x-amz-security-token"), token === "" ? null : "to/ken==");
    assert(![...headers].some(([_, value]) => value.includes(amazon.secret_access_key)));
  }
});

test("the request of azure: fields in the path and in the form, each encoded for its place", async () => {
  const { method, path, body, headers } = await sent("azure", entra);
  assert.deepEqual([method, path], ["POST", "/acme%2F..%2Fx/oauth2/v2.0/token"]);
  assert.equal(headers.get("content-type"), "application/x-www-form-urlencoded");
  assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
    grant_type: "client_credentials",
    client_id: entra.client_id,
    client_secret: entra.client_secret,
    scope: "https://management.azure.com/.default",
  });
});

test("the request of azure_openai: at the customer's own address", async () => {
  for (const endpoint of [here, `${here}/`, `${here}/base/`]) {
    const { path, headers } = await sent("azure_openai", { api_key: "k1", endpoint });
    const base = endpoint.endsWith("base/") ? "/base" : "";
    assert.deepEqual([path, headers.get("api-key")], [
      `${base}/openai/models?api-version=2024-10-21`,
      "k1",
    ]);
  }
});

test("what cannot be sent is not sent, and is no verdict", async () => {
  got.length = 0;
  const cases: [string, Json, string][] = [
    ["openai", "", "incomplete"],
    ["openai", 5, "incomplete"],
    ["openai", "two\r\nX-Other: lines", "unsendable"],
    ["openai", "clé", "unsendable"],
    ["nvidia", "half \ud800", "unsendable"],
    ["aws", { access_key_id: "AKIA" }, "incomplete"],
    ["aws", "no JSON", "incomplete"],
    ["aws", { ...amazon, access_key_id: "A\nB" }, "unsendable"],
    ["aws", { ...amazon, region: "us-gov-west-1" }, "no_test"],
    ["aws", { ...amazon, region: "cn-north-1" }, "no_test"],
    ["azure", { ...entra, tenant_id: ".." }, "unsendable"],
    ["google_cloud", { ...google, private_key: "-----BEGIN RSA PRIVATE KEY-----\nx" }, "unsendable"],
    ["azure_openai", { api_key: "k", endpoint: "https://evil.example" }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: "https://acme.openai.azure.com.evil.example" }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: "https://acme.openai.azure.com:8443" }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: "http://acme.openai.azure.com" }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: `${here}?x=` }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: `${here}#` + "x" }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: here.replace("//", "//user@") }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: "http://169.254.169.254/" }, "other_host"],
    ["azure_openai", { api_key: "k", endpoint: "acme" }, "other_host"],
  ];
  for (const [id, credential, reason] of cases) {
    const finding = await ask(local(id), credential);
    assert.deepEqual(finding, { verdict: "indeterminate", status: null, reason, retryAfter: null }, id);
  }
  assert.deepEqual(got, []);
});

test("a value that looks like a placeholder stays a value", async () => {
  const { body } = await sent("azure", { ...entra, client_id: "{client_secret}", client_secret: "s" });
  assert.equal(new URLSearchParams(body).get("client_id"), "{client_secret}");
  assert.equal(
    (await sent("openai", "$& {api_key} $1")).headers.get("authorization"),
    "Bearer $& {api_key} $1",
  );
});

test("a body in JSON: a value is a text of it, whatever it holds", async () => {
  const fields = [{ name: "api_key", secret: true }];
  const described = {
    method: "POST",
    url: `${here}/x`,
    body: '{"key": "{api_key}"}',
    answers: { "200": "verified" },
  };
  const made = testOf(row("openai", { fields, hosts: ["127.0.0.1"], test: described }));
  assert(made);
  got.length = 0;
  const value = 'a"b\\c", "admin": "yes';
  assert.equal(short(await ask(made, value)), "verified: accepted");
  assert.deepEqual(JSON.parse(got[0]?.body ?? ""), { key: value });
  assert.equal(got[0]?.headers.get("content-type"), "application/json");
});

test("a description that leads nowhere, elsewhere, or without the credential is none", () => {
  const described = (
    url: string,
    headers: Json = { "x-key": "{api_key}" },
    hosts: string[] | null = ["a.example"],
  ) => testOf(row("openai", { hosts, test: { method: "GET", url, headers, answers: {} } }));
  assert.equal(described("https://a.example/x")?.host, "a.example");
  const none = [
    described("https://b.example/x"),
    described("https://a.example:8443/x"),
    described("https://{api_key}.a.example/x", {}, ["*.a.example"]),
    described("http://a.example/x"),
    described("https://user:word@a.example/x"),
    described("https://a.example/x", {}),
    described("https://a.example/x", { "x-key": "{other}" }),
    described("https://a.example/x", undefined, null),
    described("http://127.0.0.1/x"),
    described("nonsense"),
    testOf(row("openai", { test: null })),
    testOf(row("openai", { fields: null })),
  ];
  assert.deepEqual(none.filter((it) => it !== null), []);
});
