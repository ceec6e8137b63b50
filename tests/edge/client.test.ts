// The typed client against a real PostgREST: what it sends, what it gives back, and every error of the contract.
import assert from "node:assert/strict";
import { Hftok, HftokError, type Kind } from "../../edge/client/mod.ts";
import { make } from "../rpc/lib/exchange.ts";
import { jwt, operator, people, url } from "../rpc/lib/people.ts";
import { until, withSetting } from "../rpc/lib/server.ts";

const { alice, bob, acme } = await people("client");
const as = async (claims: object) => new Hftok({ url: `${url}/`, token: await jwt(claims) });
const user = await as({ role: "authenticated", sub: alice.name });
const stranger = await as({ role: "authenticated", sub: bob.name });
const service = await as({ role: "service_role" });
const reviewing = await as({ role: "reviewer" });

/** A call that must fail in exactly this way, and say nothing of what was sent. */
async function fails(kind: Kind, call: Promise<unknown>, ...unsaid: string[]): Promise<HftokError> {
  const error: unknown = await call.then(() => assert.fail(`expected ${kind}`), (error) => error);
  assert(error instanceof HftokError, String(error));
  assert.equal(error.kind, kind, error.message);
  const said = `${error.message} ${error.stack} ${JSON.stringify(error)} ${Deno.inspect(error)}`;
  for (const value of unsaid) assert(!said.includes(value), said);
  return error;
}

Deno.test("save, check, resolve, explain, report, count, remove", async () => {
  const value = make.hf();
  assert.equal(await user.whoami(), alice.name);
  assert.deepEqual(await user.check("huggingface", value), { ok: true, warnings: [] });
  const saved = await user.save("huggingface", value, { label: "mine", onUnusable: "continue" });
  assert.deepEqual([saved.version, saved.warnings], [1, []]);

  const resolved = await service.resolve("huggingface", { userId: alice.name, host: "huggingface.co" });
  assert.deepEqual([resolved.token, resolved.source, resolved.secret_id], [value, "user", saved.secret_id]);
  const walk = await user.explain("huggingface", { levels: ["user"] });
  assert.deepEqual(walk.map(({ level, outcome }) => [level, outcome]).find(([level]) => level === "user"), [
    "user",
    "used",
  ]);

  await service.report(resolved, "verified");
  await service.recordUsage(resolved, { requests: 3, units: 40, cost: 0.25 });
  const [row] = await user.rows("credentials", { secret_id: `eq.${saved.secret_id}` });
  assert.deepEqual([row?.label, row?.status, row?.on_unusable], ["mine", "verified", "continue"]);
  const filter = { secret_id: `eq.${saved.secret_id}`, select: "requests,units,cost" };
  // Counted outside the call, soon.
  await until(async () => (await user.rows("usage_daily", filter)).length === 1);
  assert.deepEqual(await user.rows("usage_daily", filter), [{ requests: 3, units: 40, cost: 0.25 }]);

  assert.equal(await user.remove("huggingface"), true);
  assert.equal(await user.remove("huggingface"), false);
  assert.equal((await service.resolve("huggingface", { userId: alice.name })).source, "none");
});

Deno.test("saving for an organisation, for a model, and many at once", async () => {
  const [forOrg, forModel, ...many] = [make.hf(), make.hf(), make.openai(), make.anthropic()];
  await user.save("huggingface", forOrg!, {
    orgId: acme,
    expiresAt: "2999-01-01T00:00:00Z",
    allowedHosts: ["huggingface.co"],
  });
  await user.save("huggingface", forModel!, { model: "acme/m" });
  const need = { userId: alice.name, orgId: acme, host: "huggingface.co" };
  assert.equal((await service.resolve("huggingface", need)).token, forOrg);
  assert.equal((await service.resolve("huggingface", { ...need, model: "acme/m" })).token, forModel);
  const saved = await service.saveMany([
    { provider: "openai", secret: many[0]!, user_id: alice.name },
    { provider: "anthropic", secret: many[1]!, user_id: alice.name, expected_version: 0 },
  ]);
  assert.deepEqual(saved.map(({ n, version }) => [n, version]), [[1, 1], [2, 1]]);
});

Deno.test("several keys for one use: the next one serves while one rests", async () => {
  const [first, second] = [make.openai(), make.openai()];
  const whose = { userId: bob.name };
  await service.save("openai", first!, { ...whose, slot: "first", position: 0 });
  await service.save("openai", second!, { ...whose, slot: "second" });
  const resolved = await service.resolve("openai", whose);
  assert.deepEqual([resolved.token, resolved.slot], [first, "first"]);
  await service.report(resolved, "rate_limited", undefined, 90);
  assert.equal((await service.resolve("openai", whose)).slot, "second");
  const resting = await fails("unusable", service.resolve("openai", { ...whose, slot: "first" }));
  assert.equal(resting.outcome, "rate_limited");
  assert(resting.retryAfter !== null && resting.retryAfter > 30 && resting.retryAfter <= 90);
  assert.equal(await stranger.remove("openai"), false);
  for (const slot of ["first", "second"]) assert.equal(await stranger.remove("openai", { slot }), true);
});

Deno.test("integrations", async () => {
  const key = make.openai();
  const id = await user.integrations.create("mine", "openai", key, { project: "p" });
  assert.equal(await service.integrations.credentials(id, alice.name), key);
  await user.integrations.update(id, { name: "renamed" });
  await service.integrations.report(id, alice.name, "connected");
  await user.integrations.share(id, acme);
  const [row] = await user.integrations.list();
  assert.deepEqual([row?.name, row?.status, row?.config], ["renamed", "connected", { project: "p" }]);
  const cloud = {
    access_key_id: "AKIA" + "A".repeat(16),
    secret_access_key: "s".repeat(40),
    region: "eu-west-1",
  };
  const other = await user.integrations.create("cloud", "aws", cloud);
  assert.deepEqual(await service.integrations.credentials(other, alice.name), cloud);
  await user.integrations.replaceCredentials(other, { ...cloud, region: "eu-west-2" });
  assert.deepEqual(await service.integrations.credentials(other, alice.name), {
    ...cloud,
    region: "eu-west-2",
  });
  assert.deepEqual((await user.integrations.get(id))?.name, "renamed");
  assert.equal(await user.integrations.get(crypto.randomUUID()), null);
  assert.equal(await stranger.integrations.get(other), null);
  const ours = await user.integrations.create("ours", "openai", make.openai(), {}, undefined, acme);
  assert.equal((await user.integrations.get(ours))?.org_id, acme);
  assert.equal(await user.integrations.remove(ours), true);
  await user.integrations.unshare(id, acme);
  assert.equal(await user.integrations.remove(id), true);
  await fails("not_found", service.integrations.credentials(id, alice.name));
});

Deno.test("an integration is tested by the request of the catalogue, and keeps what was found", async () => {
  const good = make.hf().slice(3);
  let status = 200;
  const arrived: (string | null)[] = [];
  let meanwhile = () => Promise.resolve();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    await meanwhile();
    arrived.push(request.headers.get("x-key"));
    const isFine = request.headers.get("x-key") === good;
    return new Response(null, { status: isFine ? status : 401, headers: { Location: "/elsewhere" } });
  });
  const provider = {
    name: "client_tested",
    label: "Tested",
    fields: [{ name: "api_key", secret: true }],
    hosts: ["127.0.0.1"],
    test: {
      method: "GET",
      url: `http://127.0.0.1:${server.addr.port}/me`,
      headers: { "x-key": "{api_key}" },
      answers: { 200: "verified", 401: "invalid" },
    },
  };
  await operator.call("register_provider", { p_provider: provider });
  const id = await user.integrations.create("tested", "client_tested", good);
  const state = async () => {
    const row = await user.integrations.get(id);
    return [row?.status, row?.error_message];
  };
  const verified = { verdict: "verified", status: 200, reason: "accepted", retryAfter: null };
  assert.deepEqual(await service.integrations.test(id, alice.name), verified);
  assert.deepEqual(await state(), ["connected", null]);
  for (status of [302, 500]) {
    assert.equal((await service.integrations.test(id, alice.name)).verdict, "indeterminate");
    assert.deepEqual(await state(), ["connected", null]);
  }
  await user.integrations.replaceCredentials(id, "another-key-that-is-wrong");
  const invalid = { verdict: "invalid", status: 401, reason: "refused", retryAfter: null };
  assert.deepEqual(await service.integrations.test(id, alice.name), invalid);
  assert.deepEqual(await state(), ["error", "Failed to verify credentials: Tested refuses this key."]);
  assert.deepEqual(arrived, [good, good, good, "another-key-that-is-wrong"], "no redirect is followed");
  // The answer comes when the credentials are others.
  status = 200;
  await user.integrations.replaceCredentials(id, good);
  meanwhile = () => user.integrations.update(id, { credentials: "a-third-key-that-is-wrong" });
  assert.equal((await service.integrations.test(id, alice.name)).verdict, "verified");
  assert.deepEqual(await state(), ["pending", null]);
  meanwhile = () => Promise.resolve();
  await fails("not_allowed", user.integrations.test(id, alice.name));
  await fails("not_found", service.integrations.test(id, bob.name));
  // No request is described.
  await operator.call("register_provider", { p_provider: { ...provider, test: null } });
  const none = { verdict: "indeterminate", status: null, reason: "no_test", retryAfter: null };
  assert.deepEqual(await service.integrations.test(id, alice.name), none);
  assert.equal(arrived.length, 5);
  await server.shutdown();
  await user.integrations.remove(id);
  await operator.call("unregister_provider", { p_provider: "client_tested" });
});

Deno.test("every error of the contract is one of ours, with words", async () => {
  const value = make.hf();
  const bad = await fails("bad_input", user.save("huggingface", make.openai()));
  assert.deepEqual([bad.status, bad.code], [400, "22023"]);
  assert(bad.reason && bad.message.includes(bad.reason));
  await fails("not_allowed", user.resolve("huggingface", { userId: null }));
  const forgotten = {} as { userId: string };
  assert.equal((await fails("bad_input", service.resolve("huggingface", forgotten))).status, 0);
  await fails("not_found", stranger.save("huggingface", value, { orgId: acme }), value);
  await fails("conflict", user.save("openai", make.openai(), { expectedVersion: 7 }));
  const nobody = new Hftok({
    url,
    token: await jwt({ role: "authenticated", sub: "x" }, undefined, "another"),
  });
  assert.equal((await fails("unauthenticated", nobody.whoami())).status, 401);
  await service.call("create_secret", { new_secret: value, new_name: "client twice" });
  const exists = service.call("create_secret", { new_secret: value, new_name: "client twice" });
  await fails("exists", exists, value);
  await fails(
    "too_large",
    service.call("put_secret", { p_name: "client large", p_secret: "x".repeat(2 << 20) }),
  );

  await withSetting("hftok.max_guesses_per_minute", "1", async () => {
    const guess = () => reviewing.call("find_secret", { p_value: "guessed" });
    // One is allowed, and what a session answers that has not yet heard of the setting.
    await until(() => guess().then(() => false, () => true));
    const often = await fails("too_often", guess());
    assert.equal(often.status, 429);
    assert(
      often.retryAfter! > 0 && often.retryAfter! <= 60 && often.message.includes(`${often.retryAfter} `),
    );
  });

  await service.save("openai", make.openai(), { userId: alice.name, expiresAt: "2001-01-01T00:00:00Z" });
  const stopped = await fails("unusable", service.resolve("openai", { userId: alice.name }));
  assert.deepEqual([stopped.status, stopped.level, stopped.outcome], [422, "user", "expired"]);
  assert.match(stopped.secretId!, /^[0-9a-f-]{36}$/);
  assert.match(stopped.message, /level user.*expired/);

  await service.save("openai", make.openai(), { userId: alice.name });
  await service.call("report_credential", {
    p_secret_id: stopped.secretId!,
    p_verdict: "rate_limited",
    p_retry_after: 30,
  });
  const resting = await fails("unusable", service.resolve("openai", { userId: alice.name }));
  assert.deepEqual([resting.status, resting.outcome], [422, "rate_limited"]);
  assert(resting.retryAfter! > 0 && resting.retryAfter! <= 30);

  await operator.call("seal");
  try {
    assert.equal((await fails("sealed", user.save("huggingface", value), value)).status, 503);
  } finally {
    await operator.call("unseal");
    await until(async () => !(await service.call("status", {})).sealed);
  }
});

Deno.test("what Postgres quotes is dropped", async () => {
  const value = make.hf();
  const asUuid = service.call("delete_secret", { p_secret_id: value });
  const error = await fails("bad_input", asUuid, value);
  assert.deepEqual([error.code, error.reason, error.message], [
    "22P02",
    null,
    "What was sent cannot be used.",
  ]);
});

Deno.test("every SQLSTATE that can come has a kind", async () => {
  const row = { service: "openai", api_key: null };
  const { error, status } = await alice.db.from("user_api_keys").insert(row);
  assert.equal(HftokError.of(status, error).kind, "bad_input");
  const as = (code: string, status = 400) => HftokError.of(status, { code, message: "m", details: "d" }).kind;
  const kinds: [Kind, string[]][] = [
    ["bad_input", ["22023", "22P02", "22001", "23502", "23514", "0A000", "PGRST102"]],
    ["no_such_call", ["42883", "42P01", "42703", "3F000", "PGRST202", "PGRST204", "PGRST106"]],
    ["unauthenticated", ["PGRST301", "PGRST302"]],
    ["busy", ["53200", "53100", "53300", "55P03"]],
    ["timeout", ["57014"]],
    ["unreachable", ["57P01", "57P03", "08006", "PGRST000", "PGRST003", ""]],
    ["read_only", ["25006"]],
    ["conflict", ["40001", "40P01", "PT409"]],
    ["unexpected", ["XX000", "58000"]],
  ];
  for (const [kind, codes] of kinds) for (const code of codes) assert.equal(as(code), kind, code);
  const wrong = { code: "22023", message: "m", details: '{"field": "private_key"}' };
  assert.deepEqual([HftokError.of(400, wrong).field, HftokError.of(400, wrong).reason], ["private_key", "m"]);
  await fails("no_such_call", service.call("no_such_function" as "whoami", {}));
});

Deno.test("answers that are none of PostgREST's, redirects, silence and distance", async () => {
  const value = make.hf();
  let answer: (request: Request) => Response | Promise<Response> = () => new Response(null);
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    seen.push(new URL(request.url).pathname);
    return answer(request);
  });
  const there = { url: `http://127.0.0.1:${server.addr.port}`, token: "t" };
  const odd = new Hftok({ ...there, timeoutMs: 10_000 });
  answer = () => new Response(`<html>${value}`, { status: 200 });
  await fails("unexpected", odd.whoami(), value);
  answer = () => new Response(`Bad Gateway ${value}`, { status: 502 });
  assert.equal((await fails("unexpected", odd.whoami(), value)).status, 502);
  answer = () =>
    Response.json({ code: "PT422", details: `{"level": ${value}`, message: value }, { status: 422 });
  await fails("unusable", odd.whoami(), value);
  answer = () => new Response(null, { status: 307, headers: { Location: "/elsewhere" } });
  seen.splice(0);
  await fails("unreachable", odd.save("huggingface", value), value);
  assert.deepEqual(seen, ["/rpc/save_credential"]);
  const silent = Promise.withResolvers<Response>();
  answer = () => silent.promise;
  await fails("timeout", new Hftok({ ...there, timeoutMs: 300 }).whoami());
  await assert.rejects(odd.whoami(AbortSignal.abort(new Error("mine"))), { message: "mine" });
  silent.resolve(new Response(null));
  await server.shutdown();
  await fails("unreachable", odd.whoami());
});

Deno.test("an error of supabase-js becomes the same", async () => {
  const { error, status } = await bob.db.rpc("resolve_token", { p_provider: "huggingface" });
  assert.equal(HftokError.of(status, error).kind, "not_allowed");
});

Deno.test("a client that is printed does not show its key", () => {
  const client = new Hftok({ url, token: "a key to hide", apikey: "another one" });
  const printed = Deno.inspect(client, { depth: 10, showHidden: true }) + JSON.stringify(client) +
    Deno.inspect(client.integrations, { depth: 10 });
  assert(!/a key to hide|another one/.test(printed), printed);
});
