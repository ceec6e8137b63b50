// The broker of models: OpenAI's SDK as it is, with a user's JWT; whose key pays, where it goes, and what is counted.
import assert from "node:assert/strict";
import { toFile } from "../rpc/lib/clients.ts";
import { operator, people, user } from "../rpc/lib/people.ts";
import { until } from "../rpc/lib/server.ts";
import { chat, counted, key, putAway, saved, sdk, standIn, verdict } from "./lib/broker.ts";
import { nothingLeaked, Running, test } from "./lib/functions.ts";

const stub = await standIn();
const broker = await Running.start("inference");
const { alice, bob, carol, acme, id } = await people("broker");
const [dora, eve, frank] = await Promise.all(["dora", "eve", "frank"].map((it) => user(id(it))));
const own = await saved({ p_user_id: alice.name });

/** Asks by hand. */
async function ask(who: typeof alice, headers: Record<string, string> = {}, model = "small") {
  const { status, headers: said, body } = await broker.ask(who, "POST", {
    path: "/mistral/v1/chat/completions",
    headers: { "Content-Type": "application/json", ...headers },
    body: { ...chat, model },
  });
  const answer = JSON.parse(body);
  return {
    status,
    source: said.get("x-hftok-source"),
    code: answer.error?.code,
    outcome: answer.error?.outcome,
  };
}
const paid = () => stub.seen().map((it) => it.key);

test("the SDK asks a model with the user's JWT, and only the provider gets the key", async () => {
  stub.seen();
  const { data, response } = await sdk(broker, alice).chat.completions.create(chat).withResponse();
  assert.equal(data.choices[0]?.message.content, "You said: Hello there");
  assert.equal(response.headers.get("x-hftok-source"), "user");
  const [arrived] = stub.seen();
  assert.deepEqual([arrived?.provider, arrived?.method, arrived?.path, arrived?.key], [
    "mistral",
    "POST",
    "/v1/chat/completions",
    own.value,
  ]);
  assert.deepEqual(JSON.parse(arrived!.body), chat);
  const headers = JSON.stringify([...arrived!.headers]);
  assert(!/x-stainless|cookie|apikey|x-hftok/.test(headers), headers);
  assert(!headers.includes(alice.headers.Authorization!.slice(7)), "the JWT stays here");
});

test("the SDK's streams come word by word, and the tokens of the last event are counted", async () => {
  const { secret } = await saved({ p_user_id: eve.name });
  const stream = await sdk(broker, eve).chat.completions.create({
    ...chat,
    stream: true,
    stream_options: { include_usage: true },
  });
  const words: string[] = [];
  for await (const part of stream) words.push(part.choices[0]?.delta.content ?? "");
  assert.equal(words.join(""), "You said: Hello there");
  assert(words.length >= 4);
  await until(async () => (await counted(secret))[0] === 1);
  assert.deepEqual(await counted(secret), [1, 18]);
  // A stream that says nothing of tokens is one request.
  for await (const _ of await sdk(broker, eve).chat.completions.create({ ...chat, stream: true }));
  await until(async () => (await counted(secret))[0] === 2);
  assert.deepEqual(await counted(secret), [2, 18]);
  // It was accepted, and that is no verdict: some paths of some providers accept any key.
  assert.equal(await verdict(secret), null);
});

test("all that keeps nothing in the account is served to the SDK", async () => {
  const { secret } = await saved({ p_user_id: dora.name });
  const client = sdk(broker, dora);
  stub.seen();
  assert.equal((await client.models.list()).data.length, 2);
  assert.equal((await client.models.retrieve("owner/large")).object, "model");
  const { usage } = await client.completions.create({ model: "small", prompt: "Hello" });
  assert.equal(usage?.total_tokens, 18);
  const { data } = await client.embeddings.create({
    model: "small",
    input: "Hello",
    encoding_format: "float",
  });
  assert.deepEqual(data[0]?.embedding, [0.5, -0.25, 0.125]);
  assert.equal(
    (await client.responses.create({ model: "small", input: "Hello" })).output_text,
    "You said: Hello",
  );
  assert.equal((await client.images.generate({ model: "small", prompt: "Hello" })).data?.length, 1);
  assert.deepEqual(stub.seen().map((it) => `${it.method} ${it.path}`), [
    "GET /v1/models",
    "GET /v1/models/owner%2Flarge",
    "POST /v1/completions",
    "POST /v1/embeddings",
    "POST /v1/responses",
    "POST /v1/images/generations",
  ]);
  // 18 for the completion and the response, 7 for the embedding, and none for the rest.
  await until(async () => (await counted(secret))[0] === 6);
  assert.deepEqual(await counted(secret), [6, 43]);
});

test("a sound goes through as the form that it is, and its model chooses the key", async () => {
  const { value } = await saved({ p_user_id: dora.name, p_model: "whisper" });
  stub.seen();
  const file = await toFile(new Uint8Array([1, 2, 3, 0, 255]), "a.wav");
  await assert.rejects(
    sdk(broker, dora).audio.transcriptions.create({ model: "whisper", file }),
    /no such model/,
  );
  const [arrived] = stub.seen();
  assert.deepEqual([arrived?.path, arrived?.key], ["/v1/audio/transcriptions", value]);
  assert.match(arrived!.headers.get("content-type")!, /^multipart\/form-data; ?boundary=/);
  assert.match(arrived!.body, /name="file"; filename="a.wav"/);
});

test("every provider that speaks the protocol is asked, each with its key where it wants it", async () => {
  const speaking = (await operator.rows("providers")).filter((it) => it.openai);
  assert(speaking.length >= 17);
  for (const { name, fields, openai } of speaking) {
    const { value } = await saved(
      { p_user_id: bob.name, endpoint: `${stub.url}/${name}/` },
      key("good", name),
      name,
    );
    stub.seen();
    const answer = await sdk(broker, bob, name).chat.completions.create(chat);
    assert.equal(answer.choices[0]?.message.content, "You said: Hello there", name);
    const [arrived] = stub.seen();
    const base = openai.startsWith("{") ? "/openai/v1" : "/v1";
    assert.deepEqual([arrived?.provider, arrived?.key, arrived?.path], [
      name,
      value,
      `${base}/chat/completions`,
    ]);
    const header = name === "azure_openai" ? ["api-key", value] : ["authorization", `Bearer ${value}`];
    assert.deepEqual([...arrived!.headers].filter(([_, it]) => it.includes(value)), [header], fields[0].name);
  }
});

test("an organisation pays for its members, and for nobody else", async () => {
  const { value, secret } = await saved({ p_org_id: acme });
  stub.seen();
  const { source } = await ask(carol, { "x-hftok-org": acme });
  assert.deepEqual([source, paid()], ["org", [value]]);
  await until(async () => (await counted(secret))[0] === 1);
  const { response } = await sdk(broker, carol, "mistral", { "x-hftok-org": acme }).models.list()
    .withResponse();
  assert.equal(response.headers.get("x-hftok-source"), "org");
  paid();
  const stranger = await ask(frank, { "x-hftok-org": acme });
  assert.deepEqual([stranger.status, stranger.outcome, paid()], [422, "not_member", []]);
});

test("a key for a model goes first: the request's own, or the one that is named", async () => {
  const special = await saved({ p_user_id: alice.name, p_model: "special" });
  const platform = await saved({ p_global: true });
  stub.seen();
  assert.equal((await ask(alice, {}, "special")).source, "user_model");
  assert.equal((await ask(alice)).source, "user");
  assert.equal((await ask(alice, { "x-hftok-model": "special" })).source, "user_model");
  assert.equal((await ask(carol)).source, "global");
  assert.deepEqual(paid(), [special.value, own.value, special.value, platform.value]);
});

test("a key that others keep for a model asks that model alone, whatever a request says of itself", async () => {
  const kept = await saved({ p_org_id: acme, p_model: "kept" });
  const acmes = { "x-hftok-org": acme };
  const send = async (headers: Record<string, string>, path: string, body: string) => {
    stub.seen();
    const { status } = await broker.ask(carol, "POST", { path: `/mistral/v1/${path}`, headers, body });
    const [arrived] = stub.seen();
    return [status, arrived?.key === kept.value, arrived?.body];
  };
  const json = { "Content-Type": "application/json", ...acmes };
  const sent = '{"model":"kept","messages":[]}';
  assert.deepEqual(await send(json, "chat/completions", sent), [200, true, sent]);
  // Another model than the one that is named.
  const large = '{"model":"large","messages":[]}';
  const [, isKept] = await send({ ...json, "x-hftok-model": "kept" }, "chat/completions", large);
  assert.equal(isKept, false);
  // Two models, of which a provider may take the other one.
  const two = '{"model":"large","model":"kept","messages":[]}';
  assert.deepEqual(await send(json, "chat/completions", two), [200, true, sent]);
  const part = (name: string) => `--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n${name}\r\n`;
  const form = { ...acmes, "Content-Type": "multipart/form-data; boundary=b" };
  const twice = `${part("kept")}${part("large")}--b--\r\n`;
  assert.deepEqual(await send(form, "audio/transcriptions", twice), [400, false, undefined]);
});

test("with a key that others share nothing is kept in its account, nor taken from there", async () => {
  await saved({ p_org_id: acme });
  const mine = await saved({ p_user_id: dora.name });
  const send = async (who: typeof carol, path: string, body: Record<string, unknown> | string) => {
    stub.seen();
    const headers = { "Content-Type": "application/json", "x-hftok-levels": "user,org", "x-hftok-org": acme };
    const { status } = await broker.ask(who, "POST", { path: `/mistral/v1/${path}`, headers, body });
    const [arrived] = stub.seen();
    return [status, arrived && JSON.parse(arrived.body)];
  };
  const asked = { model: "small", input: "Hello" };
  assert.deepEqual(await send(carol, "responses", asked), [200, { ...asked, store: false }]);
  assert.deepEqual(await send(carol, "responses", { ...asked, store: true }), [200, {
    ...asked,
    store: false,
  }]);
  assert.deepEqual(await send(carol, "chat/completions", { ...chat, store: true }), [200, {
    ...chat,
    store: false,
  }]);
  assert.deepEqual(await send(carol, "chat/completions", chat), [200, chat]);
  const escaped = JSON.stringify({ ...chat, store: true }).replace("store", "st\\u006fre");
  assert.deepEqual(await send(carol, "chat/completions", escaped), [200, { ...chat, store: false }]);
  for (const former of [{ previous_response_id: "resp_1" }, { conversation: { id: "conv_1" } }]) {
    assert.deepEqual(await send(carol, "responses", { ...asked, ...former }), [400, undefined]);
  }
  // What is in one's own account is one's own.
  const further = { ...asked, previous_response_id: "resp_1" };
  const headers = { "Content-Type": "application/json" };
  await broker.ask(dora, "POST", { path: "/mistral/v1/responses", headers, body: further });
  const [arrived] = stub.seen();
  assert.deepEqual([arrived?.key, JSON.parse(arrived?.body ?? "{}")], [mine.value, further]);
});

test("my key or nothing: levels limit whose key is used", async () => {
  stub.seen();
  const mine = { "x-hftok-levels": "user_model, user" };
  assert.deepEqual(await ask(carol, mine), {
    status: 403,
    source: "none",
    code: "token_needed",
    outcome: undefined,
  });
  assert.deepEqual([(await ask(carol, { "x-hftok-levels": "mine" })).code, paid()], ["bad_input", []]);
  assert.equal((await ask(alice, mine)).source, "user");
});

test("a key that cannot be used stops the request, and the platform's is not taken instead", async () => {
  await saved({ p_user_id: carol.name, p_expires_at: "2001-01-01T00:00:00Z" });
  stub.seen();
  const { status, code, outcome } = await ask(carol);
  assert.deepEqual([status, code, outcome, paid()], [422, "unusable", "expired", []]);
});

test("a key with hosts of its own goes to these only", async () => {
  await saved({
    p_user_id: carol.name,
    p_allowed_hosts: ["api.mistral.ai"],
    p_expires_at: "2100-01-01T00:00:00Z",
  });
  stub.seen();
  assert.deepEqual([(await ask(carol)).outcome, paid()], ["host_refused", []]);
});

test("an address that a credential brings along is asked only if the credential may go there", async () => {
  const azure = async (endpoint: string, address: Record<string, unknown> = {}) => {
    await saved({ p_user_id: alice.name, endpoint, ...address }, key(), "azure_openai");
    const { status, body } = await broker.ask(alice, "GET", { path: "/azure_openai/v1/models" });
    const { error } = JSON.parse(body);
    return [status, error?.outcome ?? error?.code];
  };
  stub.seen();
  for (const endpoint of ["https://evil.example", stub.elsewhere, "https://evil.example/.openai.azure.com"]) {
    assert.deepEqual(await azure(endpoint), [422, "host_refused"], endpoint);
  }
  const port = new URL(stub.url).host;
  for (
    const endpoint of [
      `ftp://${port}`,
      `http://a:b@${port}`,
      `${stub.url}?a=b`,
      `${stub.url}#x`,
      "nowhere",
    ]
  ) {
    assert.deepEqual((await azure(endpoint))[0], 422, endpoint);
  }
  assert.deepEqual([paid(), stub.seenElsewhere()], [[], []]);
  assert.deepEqual(await azure(`${stub.url}/azure_openai`), [200, undefined]);
  // One with hosts of its own is released for these alone.
  assert.deepEqual(await azure(`${stub.url}/azure_openai`, { p_allowed_hosts: ["127.0.0.1"] }), [
    200,
    undefined,
  ]);
  assert.equal(paid().length, 2);
  // An owner who gives it other hosts leads no request of this function there: it may reach what they cannot.
  const further = { p_allowed_hosts: [new URL(stub.elsewhere).hostname] };
  assert.deepEqual([await azure(stub.elsewhere, further), stub.seenElsewhere()], [[422, "host_refused"], []]);
  const other = { p_allowed_hosts: ["a.openai.azure.com"] };
  assert.deepEqual([await azure(`${stub.url}/azure_openai`, other), paid()], [[422, "host_refused"], []]);
});

test("a provider that is switched off is not asked", async () => {
  await operator.call("switch_provider", { p_provider: "mistral", p_enabled: false });
  stub.seen();
  const { status, outcome } = await ask(alice);
  await operator.call("switch_provider", { p_provider: "mistral", p_enabled: true });
  assert.deepEqual([status, outcome, paid()], [422, "disabled", []]);
  assert.equal((await ask(alice)).status, 200);
});

putAway(stub);
nothingLeaked();
