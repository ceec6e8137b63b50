// huggingface-inference over time and over redirects: streams, slow and torn answers, clients that leave, other hosts, echoes.
import assert from "node:assert/strict";
import { people, service } from "../rpc/lib/people.ts";
import { until } from "../rpc/lib/server.ts";
import { huggingFace, nothingLeaked, Running, test, token } from "./lib/functions.ts";

const hub = await huggingFace();
const inference = await Running.start("huggingface-inference", {
  HF_BASE_URL: hub.url,
  HF_TIMEOUT_SECONDS: "1",
});
const { alice } = await people("stream");
const value = token();
hub.known.add(value);
await service.call("save_hf_token", { p_token: value, p_user_id: alice.name });

const ask = (model: string, signal?: AbortSignal) =>
  fetch(inference.url, {
    method: "POST",
    headers: alice.headers,
    body: JSON.stringify({ model, inputs: "hello" }),
    signal,
  });
const refusal = async (model: string) => {
  const { status, headers, body } = await inference.ask(alice, "POST", { body: { model, inputs: "hello" } });
  return { status, source: headers.get("x-hftok-source"), code: JSON.parse(body).error.code };
};

/** Fails instead of waiting for ever. */
async function within(ms: number, happens: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) =>
    timer = setTimeout(() => reject(new Error("it did not happen")), ms)
  );
  await Promise.race([happens, late]).finally(() => clearTimeout(timer));
}

test("an answer is passed on while it comes, longer than any one pause may be", async () => {
  const begun = Date.now();
  const answer = await ask("streaming/model");
  assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "text/event-stream"]);
  assert.equal(answer.headers.get("x-hftok-source"), "user");
  const arrived: [text: string, after: number][] = [];
  for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
    arrived.push([text, Date.now() - begun]);
  }
  assert.equal(
    arrived.map(([text]) => text).join(""),
    Array.from({ length: 9 }, (_, n) => `data: {"part":${n}}\n\n`).join(""),
  );
  assert(arrived.length >= 9, `it came in ${arrived.length} parts`);
  const [first, last] = [arrived[0]![1], arrived.at(-1)![1]];
  // Gathered, they would all come at once.
  assert(last - first > 300 && last > 1100, JSON.stringify(arrived));
});

test("a model that does not answer in time is given up", async () => {
  const begun = Date.now();
  assert.deepEqual(await refusal("slow/model"), { status: 504, source: "user", code: "timeout" });
  assert(Date.now() - begun < 4500);
});

test("an answer that stops coming, or breaks off, does not end as if it were complete", async () => {
  for (const model of ["stalled/model", "torn/model"]) {
    const answer = await ask(model);
    assert.equal(answer.status, 200);
    const begun = Date.now();
    await assert.rejects(answer.text(), model);
    assert(Date.now() - begun < 4500, model);
  }
});

test("a client that reads slowly gets all of it", async () => {
  const answer = await ask("large/model");
  const reader = answer.body!.getReader();
  let length = 0;
  for (let part = 0;; part++) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (part === 3) await new Promise((done) => setTimeout(done, 2500));
  }
  assert.equal(length, 64 << 20);
});

test("when the client leaves while the answer comes, Hugging Face is let go of", async () => {
  hub.seen();
  const leaving = new AbortController();
  const answer = await ask("endless/model", leaving.signal);
  const reader = answer.body!.getReader();
  await reader.read();
  leaving.abort();
  await reader.read().catch(() => {});
  await within(5000, hub.seen()[0]!.left);
});

test("when the client leaves before there is an answer, Hugging Face is let go of", async () => {
  // Long before its own patience ends.
  const patient = await Running.start("huggingface-inference", {
    HF_BASE_URL: hub.url,
    HF_TIMEOUT_SECONDS: "60",
  });
  hub.seen();
  const leaving = new AbortController();
  const asked = fetch(patient.url, {
    method: "POST",
    headers: alice.headers,
    body: JSON.stringify({ model: "slow/model", inputs: "hello" }),
    signal: leaving.signal,
  });
  await until(() => Promise.resolve(hub.arrived.length === 1));
  leaving.abort();
  await assert.rejects(asked);
  await within(4000, hub.seen()[0]!.left);
  patient.kill();
});

test("a redirect to another host, another port or another request is not followed", async () => {
  for (const owner of ["elsewhere", "other-port", "as-get", "circling", "nowhere"]) {
    const model = `${owner}/model`;
    hub.seen();
    assert.deepEqual(await refusal(model), { status: 502, source: "user", code: "redirected" }, model);
    assert.equal(hub.seen().length, model === "circling/model" ? 4 : 1, model);
  }
  assert.deepEqual(hub.arrivedElsewhere, [], "nothing went there, with or without a token");
});

test("a redirect on the same host is followed, with the request as it was", async () => {
  hub.seen();
  const answer = await ask("renamed/model");
  assert.deepEqual([answer.status, await answer.json()], [200, { answer: "fine", paid: true }]);
  const [first, second] = hub.seen();
  assert.deepEqual([second?.path, second?.method, second?.body, second?.authorization], [
    "/hf-inference/models/public/model",
    "POST",
    first?.body,
    `Bearer ${value}`,
  ]);
});

test("a model that repeats the token does not get it to the user", async () => {
  const answer = await ask("echo/model");
  assert.equal(await answer.text(), "you are Bearer •••; again: ••••••, or hf_ hf");
});

test("an address that nobody listens at", async () => {
  const lost = await Running.start("huggingface-inference", { HF_BASE_URL: "http://127.0.0.1:1" });
  const { status, body } = await lost.ask(alice, "POST", {
    body: { model: "public/model", inputs: "hello" },
  });
  assert.deepEqual([status, JSON.parse(body).error.code], [502, "unreachable"]);
});

test("a token is not sent to a host that the catalogue does not name for it", async () => {
  // The stand-in by another name: reachable, and not listed.
  const unlisted = await Running.start("huggingface-inference", { HF_BASE_URL: hub.elsewhere });
  const { status, body } = await unlisted.ask(alice, "POST", {
    body: { model: "public/model", inputs: "hello" },
  });
  assert.deepEqual([status, JSON.parse(body).error.outcome], [422, "host_refused"]);
  assert.deepEqual(hub.arrivedElsewhere, []);
});

test("over plain HTTP nothing is sent but to this machine", async () => {
  for (
    const base of [
      "http://huggingface.co",
      "ftp://127.0.0.1",
      "huggingface.co",
      "https://a:b@huggingface.co",
      "https://huggingface.co/?a=b",
    ]
  ) {
    const printed = await Running.refusedToStart("huggingface-inference", { HF_BASE_URL: base });
    assert.match(printed, /HF_BASE_URL must be an https address/, base);
  }
});

nothingLeaked();
