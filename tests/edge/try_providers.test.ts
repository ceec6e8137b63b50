// The stand-in for the providers, which other tests and `make try-edge` rely on: it takes and refuses keys as the catalogue says that
// the real ones do, and it is where the catalogue leads to.
import assert from "node:assert/strict";
import { pointAt, takeBack } from "../../edge/try/catalogue.ts";
import { type Arrival, Providers } from "../../edge/try/providers.ts";
import { operator } from "../rpc/lib/people.ts";
import { until } from "../rpc/lib/server.ts";
import { test } from "./lib/functions.ts";

const stub = new Providers();
await pointAt(stub.url, operator);
const providers = await operator.rows("providers");
// The next file begins with the catalogue as it is.
await takeBack(operator);
const original = await operator.rows("providers");

const fill = (text: string, values: Record<string, string>) =>
  text.replaceAll(/\{(\w+)\}/g, (_, name) => values[name] ?? "?");

/** A row of the catalogue, as far as a test needs it. */
interface Tested {
  fields: { name: string }[];
  test: {
    method: string;
    url: string;
    headers: Record<string, string>;
    body?: string;
    answers: Record<string, string>;
  };
}

/** The catalogue's request with a word in every part of the credential: its answer is a verdict, by the catalogue's own table. */
async function verdict(provider: Tested, word: string): Promise<string> {
  const jwt = ["{}", JSON.stringify({ iss: `${word}@project` }), "x"].map(btoa).join(".");
  const signed = "SignedHeaders=host;x-amz-date, Signature=" + "0".repeat(64);
  const values: Record<string, string> = {
    ...Object.fromEntries(provider.fields.map(({ name }) => [name, `key-${word}`])),
    endpoint: `${stub.url}/azure_openai`,
    signed_jwt: jwt,
    aws_sigv4:
      `AWS4-HMAC-SHA256 Credential=AKIA${word.toUpperCase()}/20261129/us-east-1/sts/aws4_request, ${signed}`,
  };
  const { method, url, headers, body, answers } = provider.test;
  const sent = Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name, fill(text, values)]),
  );
  const answer = await fetch(fill(url, values), {
    method,
    headers: { ...sent, "X-Amz-Date": "20261129T000000Z" },
    body: body && fill(body, values),
    redirect: "manual",
  });
  const said = await answer.text();
  const holds = (condition: string | undefined) => {
    const [member, wanted] = condition?.split("=") ?? [];
    if (member === undefined) return true;
    return wanted === undefined ? said.includes(member) : String(JSON.parse(said)[member]) === wanted;
  };
  const found = Object.entries(answers).find(([key]) => {
    const [status, condition] = key.split(" ");
    return status === String(answer.status) && holds(condition);
  });
  return String(found?.[1] ?? answer.status);
}

test("the catalogue leads to the stand-in, with path and query as they were", () => {
  const moved = providers.filter(({ test }) => test?.url && !test.url.startsWith("{"));
  assert(moved.length > 20, "nothing was moved");
  for (const { name, hosts, test } of moved) {
    const real = original.find((it) => it.name === name);
    assert.equal(test.url, real.test.url.replace(/^https:\/\/[^/]+/, `${stub.url}/${name}`));
    assert.deepEqual(hosts, [...real.hosts, "127.0.0.1"]);
  }
});

test("every provider takes a good key and refuses a bad one, as the catalogue has it", async () => {
  const tested = providers.filter(({ test }) => test);
  for (const provider of tested) {
    const verdicts = [await verdict(provider, "good"), await verdict(provider, "bad")];
    assert.deepEqual(verdicts, ["verified", "invalid"], provider.name);
  }
  const asked = new Set(stub.seen().map((it) => it.provider));
  assert.deepEqual([...asked].sort(), tested.map((it) => it.name).sort());
});

test("words in a key have the other answers", async () => {
  const ask = (word: string) =>
    fetch(`${stub.url}/groq/openai/v1/models`, {
      headers: { Authorization: `Bearer gsk_${word}` },
      redirect: "manual",
    });
  const statuses: Record<string, number> = {};
  for (const word of ["forbidden", "gated", "unpaid", "limited", "broken", "elsewhere"]) {
    const answer = await ask(word);
    statuses[word] = answer.status;
    if (word === "limited") assert.equal(answer.headers.get("Retry-After"), "7");
    if (word === "gated") assert.equal(answer.headers.get("X-Error-Code"), "GatedRepo");
    if (word === "elsewhere") {
      assert.equal(answer.headers.get("Location"), `${stub.elsewhere}/groq/openai/v1/models`);
    }
    await answer.body?.cancel();
  }
  assert.deepEqual(statuses, {
    forbidden: 403,
    gated: 403,
    unpaid: 402,
    limited: 429,
    broken: 500,
    elsewhere: 307,
  });
  assert.deepEqual(stub.seenElsewhere(), []);
  stub.seen();
  const leaving = new AbortController();
  const slow = fetch(`${stub.url}/groq/openai/v1/models`, {
    headers: { Authorization: "Bearer slow" },
    signal: leaving.signal,
  });
  const arrived: Arrival[] = [];
  await until(() => Promise.resolve(arrived.push(...stub.seen()) === 1));
  // An answer that does not wait would come meanwhile.
  setTimeout(() => leaving.abort(), 300);
  await assert.rejects(slow);
  await arrived[0]!.left;
});

test("models answer by the OpenAI protocol, whole and as a stream", async () => {
  const post = (path: string, body: object) =>
    fetch(`${stub.url}/mistral/v1${path}`, {
      method: "POST",
      headers: { Authorization: "Bearer key", "Content-Type": "application/json" },
      body: JSON.stringify({ model: "mistral-small", ...body }),
    });
  const messages = [{ role: "user", content: "Hello there" }];
  const whole = await (await post("/chat/completions", { messages })).json();
  assert.deepEqual([whole.choices[0].message.content, whole.usage.total_tokens], [
    "You said: Hello there",
    18,
  ]);
  const streamed = await post("/chat/completions", {
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  const events = (await streamed.text()).trim().split("\n\n").map((it) => it.replace(/^data: /, ""));
  assert.equal(events.pop(), "[DONE]");
  const parts = events.map((it) => JSON.parse(it));
  assert.equal(
    parts.map((it) => it.choices[0]?.delta.content ?? "").join(""),
    "You said: Hello there",
  );
  assert.equal(parts.at(-1).usage.total_tokens, 18);
  const kinds = ["/completions", "/embeddings", "/responses", "/images/generations"];
  for (const path of kinds) {
    const answer = await post(path, { input: "Hello", prompt: "Hello" });
    assert.equal(answer.status, 200, path);
    await answer.body?.cancel();
  }
});
