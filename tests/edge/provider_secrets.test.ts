// provider-secrets: every caller times every route times every owner, with old keys and behind Supabase's gateway with new ones; and
// what each route does.
import assert from "node:assert/strict";
import { pointAt, takeBack } from "../../edge/try/catalogue.ts";
import { Providers } from "../../edge/try/providers.ts";
import { letters } from "../rpc/lib/exchange.ts";
import { jwt, operator, people, Person, service, user } from "../rpc/lib/people.ts";
import { until } from "../rpc/lib/server.ts";
import { nothingLeaked, Running, test, unseen, worded } from "./lib/functions.ts";
import { Gateway, PUBLISHABLE } from "./lib/gateway.ts";

const stub = new Providers();
await pointAt(stub.url, operator, ["groq", "openrouter", "cohere", "aws", "mistral"]);
const pace = { HFTOK_TESTS_PER_MINUTE: "1000" };
const secrets = await Running.start("provider-secrets", pace);
const { alice, bob, carol, admin, acme, id } = await people("secrets");
const [dave, eve] = await Promise.all([user(id("dave")), user(id("eve"))]);
await service.call("add_member", { p_org_id: acme, p_user_id: dave.name, p_role: "admin" });
const anon = new Person("anon", await jwt({ role: "anon" }));

const key = () => worded("good");
const mask = (value: string) => `•${value.slice(-4)}`;

async function said(
  who: Person | null,
  method: string,
  path = "",
  body?: unknown,
  running = secrets,
  headers: Record<string, string> = {},
) {
  const { status, body: answer } = await running.ask(who, method, { path, body, headers });
  const { status: state, ...rest } = JSON.parse(answer);
  return { status, ...rest, ...(state === undefined ? {} : { state }) };
}
const resolved = (who: Person, provider: string) =>
  service.call("resolve_token", { p_provider: provider, p_user_id: who.name, p_levels: ["user"] });

/** The owners that a request can name, in the body or in the query. */
const OWNERS: Record<string, { named: Record<string, unknown>; query: string; address: object }> = {
  own: { named: {}, query: "", address: {} },
  org: { named: { org_id: acme }, query: `?org_id=${acme}`, address: { p_org_id: acme } },
  global: { named: { global: true }, query: "?global=true", address: { p_global: true } },
};
type Outcome = (string | number | boolean | undefined)[];
const refused = (status: number, code: string): Outcome => [status, false, code];
const NOBODY = refused(401, "unauthenticated");

/** The routes, and how each ends for one who may, one who sees but may not, and one who sees nothing (of whom the code depends). */
const ROUTES: Record<string, {
  method: string;
  path: (provider: string) => string;
  body?: (provider: string) => Record<string, unknown>;
  may: Outcome;
  sees: Outcome;
}> = {
  list: { method: "GET", path: () => "", may: [200, true], sees: [200, true] },
  one: { method: "GET", path: (it) => `/${it}`, may: [200, true], sees: [200, true] },
  create: {
    method: "POST",
    path: () => "",
    body: (it) => ({ provider: it, secret: key() }),
    may: refused(409, "exists"),
    sees: refused(403, "not_allowed"),
  },
  replace: {
    method: "PUT",
    path: (it) => `/${it}`,
    body: () => ({ secret: key() }),
    may: [200, true],
    sees: refused(403, "not_allowed"),
  },
  test: {
    method: "POST",
    path: (it) => `/${it}/test`,
    body: () => ({}),
    may: [200, true],
    sees: refused(403, "not_allowed"),
  },
  history: {
    method: "GET",
    path: (it) => `/${it}/history`,
    may: [200, true],
    sees: refused(403, "not_allowed"),
  },
  restore: {
    method: "POST",
    path: (it) => `/${it}/restore`,
    body: () => ({}),
    may: [200, true],
    sees: refused(403, "not_allowed"),
  },
  remove: { method: "DELETE", path: (it) => `/${it}`, may: [200, true], sees: refused(403, "not_allowed") },
};
const STRANGER: Record<string, Record<string, Outcome>> = {
  org: {
    create: refused(404, "not_found"),
    replace: refused(404, "not_found"),
    test: refused(404, "no_token"),
    history: refused(404, "no_token"),
    restore: refused(404, "no_token"),
    remove: [200, true],
  },
  global: {
    create: refused(403, "not_allowed"),
    replace: refused(403, "not_allowed"),
    test: refused(404, "no_token"),
    history: refused(404, "no_token"),
    restore: refused(404, "no_token"),
    remove: refused(403, "not_allowed"),
  },
};

/** Who may do what with whose: `may`, `sees`, `nothing`, or nobody at all. */
const CALLERS: Record<string, [Person | null, own: string, org: string, global: string]> = {
  "nobody": [null, "nobody", "nobody", "nobody"],
  "anon": [anon, "nobody", "nobody", "nobody"],
  "the service": [service, "nobody", "nobody", "nobody"],
  "an owner of the organisation": [alice, "may", "may", "nothing"],
  "an admin of the organisation": [dave, "may", "may", "nothing"],
  "a member of the organisation": [carol, "may", "sees", "nothing"],
  "another user": [eve, "may", "nothing", "nothing"],
  "an admin of another organisation": [bob, "may", "nothing", "nothing"],
  "an administrator of the application": [admin, "may", "nothing", "may"],
};

/** The state before a request: two versions for each owner. */
async function prepared(provider: string, address: object): Promise<string> {
  await service.call("delete_credential", { p_provider: provider, ...address });
  for (const _ of [1, 2]) {
    await service.call("save_credential", { p_provider: provider, p_secret: key(), ...address });
  }
  const { secret_id } = await service.call("save_credential", {
    p_provider: provider,
    p_secret: key(),
    ...address,
  });
  return secret_id;
}

async function everybody(running: Running, provider: string, headers: Record<string, string>) {
  for (const [caller, [who, ...rights]] of Object.entries(CALLERS)) {
    for (const [at, [owner, { named, query, address }]] of Object.entries(OWNERS).entries()) {
      for (const [name, { method, path, body, may, sees }] of Object.entries(ROUTES)) {
        const whose = owner === "own" ? { p_user_id: who?.name ?? alice.name } : address;
        const before = await prepared(provider, whose);
        const right = rights[at];
        const asked = body ? { ...body(provider), ...named } : undefined;
        const answer = await said(who, method, path(provider) + (body ? "" : query), asked, running, headers);
        const expected = right === "nobody"
          ? NOBODY
          : right === "may"
          ? may
          : right === "sees"
          ? sees
          : STRANGER[owner]?.[name] ?? may;
        const what = `${caller}, ${name}, ${owner}: ${JSON.stringify(answer)}`;
        assert.deepEqual(
          [answer.status, answer.ok, answer.error?.code].slice(0, expected.length),
          expected,
          what,
        );
        const seen = right === "may" || right === "sees";
        if (name === "one" && right !== "nobody") assert.equal(answer.configured, seen, what);
        if (name === "one" && seen) {
          assert.deepEqual([answer.id, answer.writable], [before, right === "may"], what);
        }
        if (name === "list" && right !== "nobody") {
          const row = answer.secrets.find((it: { provider: string }) => it.provider === provider);
          assert.equal(row.configured, seen, what);
        }
        // What nobody was to change is as it was.
        const filter = { secret_id: before };
        const [{ version } = { version: 0 }] = await service.rows("credentials", filter);
        const after = right === "may" ? { replace: 4, restore: 4, remove: 0 }[name] ?? 3 : 3;
        assert.equal(version, after, what);
      }
    }
  }
}

test("every caller times every route times every owner, with a JWT of the old kind", async () => {
  await everybody(secrets, "groq", {});
});

test("the same behind Supabase's gateway, which knows only the new keys", async () => {
  const gateway = await Gateway.start();
  const behind = await Running.start("provider-secrets", { ...gateway.hosted, ...pace });
  await everybody(behind, "openrouter", { apikey: PUBLISHABLE });
  assert(gateway.seen.includes(`${PUBLISHABLE} beside a JWT`));
  assert(gateway.seen.includes("sb_secret_new alone"), "the service's key tests what is stored");
  assert(!gateway.seen.some((it) => it.endsWith("twice")));
  for (const apikey of [PUBLISHABLE, "sb_secret_new"]) {
    const headers = { Authorization: `Bearer ${apikey}`, apikey };
    assert.equal((await said(null, "GET", "", undefined, behind, headers)).status, 401);
  }
  behind.kill();
  await gateway.stop();
});

test("a key is saved once, shown by its mask, replaced, undone and deleted", async () => {
  const [first, second] = [key(), key()];
  const asked = { provider: "cohere", secret: first, label: "mine", expires_at: "2999-01-01T00:00:00Z" };
  const made = await said(eve, "POST", "", asked);
  assert.deepEqual([made.status, made.ok, made.version], [201, true, 1]);
  assert(made.preview.endsWith(mask(first)) && made.id, made.preview);
  assert.equal((await resolved(eve, "cohere")).token, first);
  const shown = await said(eve, "GET", "/cohere");
  assert.deepEqual(
    [shown.provider, shown.label, shown.enabled, shown.configured, shown.name, shown.version, shown.id],
    ["cohere", "Cohere", true, true, "mine", 1, made.id],
  );
  assert.match(shown.expires_at, /^2999-01-01/);
  const again = await said(eve, "POST", "", { ...asked, secret: second });
  assert.deepEqual([again.status, again.error.code], [409, "exists"]);

  const replaced = await said(eve, "PUT", "/cohere", { secret: second, version: 1 });
  assert.deepEqual([replaced.status, replaced.version, replaced.id], [200, 2, made.id]);
  const late = await said(eve, "PUT", "/cohere", { secret: key(), version: 1 });
  assert.deepEqual([late.status, late.error.code], [409, "conflict"]);
  assert.equal((await resolved(eve, "cohere")).token, second);

  const { versions } = await said(eve, "GET", "/cohere/history");
  assert.deepEqual(versions.map((it: Record<string, unknown>) => [it.version, it.is_current]), [[2, true], [
    1,
    false,
  ]]);
  assert.deepEqual(await said(eve, "POST", "/cohere/restore", {}), { status: 200, ok: true, version: 3 });
  assert.equal((await resolved(eve, "cohere")).token, first);
  assert.equal((await said(eve, "POST", "/cohere/restore", { version: 2 })).version, 4);
  assert.equal((await resolved(eve, "cohere")).token, second);
  assert.equal((await said(eve, "POST", "/cohere/restore", { version: 99 })).status, 404);

  assert.deepEqual(await said(eve, "DELETE", "/cohere"), { status: 200, ok: true, deleted: true });
  assert.deepEqual(await said(eve, "DELETE", "/cohere"), { status: 200, ok: true, deleted: false });
  for (
    const [method, path] of [["PUT", "/cohere"], ["GET", "/cohere/history"], ["POST", "/cohere/restore"]]
  ) {
    const body = method === "PUT" ? { secret: key() } : method === "POST" ? {} : undefined;
    const gone = await said(eve, method ?? "", path, body);
    assert.deepEqual([gone.status, gone.error.code], [404, "no_token"], method);
  }
  assert.equal((await said(eve, "PUT", "/cohere", { secret: key(), version: 3 })).status, 404);
});

test("the first key has none before it to go back to", async () => {
  await said(bob, "POST", "", { provider: "cohere", secret: key() });
  const { status, error } = await said(bob, "POST", "/cohere/restore", {});
  assert.deepEqual([status, error.code], [404, "no_version"]);
});

test("a key for one model, beside the one for all", async () => {
  const [all, one] = [key(), key()];
  const model = "acme/large, very";
  await said(alice, "POST", "", { provider: "cohere", secret: all });
  await said(alice, "POST", "", { provider: "cohere", secret: one, model });
  const query = `?model=${encodeURIComponent(model)}`;
  const shown = await said(alice, "GET", `/cohere${query}`);
  assert.deepEqual([shown.model, shown.preview.endsWith(mask(one))], [model, true]);
  assert((await said(alice, "GET", "/cohere")).preview.endsWith(mask(all)));
  assert.equal((await said(alice, "POST", "/cohere/test", { model })).ok, true);
  assert.deepEqual(stub.seen().at(-1)?.key, one);
  assert.equal((await said(alice, "DELETE", `/cohere${query}`)).deleted, true);
  assert.equal((await said(alice, "GET", "/cohere")).configured, true);
});

test("a credential of several fields is an object, and so may be one of a single field", async () => {
  const secret_access_key = unseen(letters(40));
  const secret = { access_key_id: "AKIAGOODGOODGOODGOOD", secret_access_key };
  const saved = await said(eve, "POST", "", { provider: "aws", secret });
  assert.equal(saved.status, 201, JSON.stringify(saved));
  assert.deepEqual(JSON.parse((await resolved(eve, "aws")).token), secret);
  const missing = await said(eve, "PUT", "/aws", { secret: { access_key_id: secret.access_key_id } });
  assert.deepEqual([missing.status, missing.error.code, missing.error.field], [
    400,
    "bad_input",
    "secret_access_key",
  ]);
  const single = key();
  assert.equal(
    (await said(eve, "POST", "", { provider: "mistral", secret: { api_key: single } })).status,
    201,
  );
  assert.equal((await resolved(eve, "mistral")).token, single);
  for (const wrong of [{ token: single }, { api_key: single, more: "x" }, { api_key: 5 }, {}]) {
    const answer = await said(eve, "PUT", "/mistral", { secret: wrong });
    assert.deepEqual([answer.status, answer.error.code], [400, "bad_input"], JSON.stringify(wrong));
  }
});

test("an organisation is the same in whatever case its UUID is written", async () => {
  const org = crypto.randomUUID();
  await service.call("add_member", { p_org_id: org, p_user_id: dave.name, p_role: "admin" });
  const named = { provider: "groq", secret: key(), org_id: org.toUpperCase() };
  assert.equal((await said(dave, "POST", "", named)).status, 201);
  assert.equal((await said(dave, "GET", `/groq?org_id=${org.toUpperCase()}`)).configured, true);
});

test("the list has every provider that is switched on, and those that are not where there is a key", async () => {
  await operator.call("switch_provider", { p_provider: "mistral", p_enabled: false });
  try {
    const listed = async (who: Person) => (await said(who, "GET")).secrets;
    const off = (await listed(eve)).find((it: { provider: string }) => it.provider === "mistral");
    assert.deepEqual([off.configured, off.enabled], [true, false]);
    const others = await listed(dave);
    assert(!others.some((it: { provider: string }) => it.provider === "mistral"));
    assert(
      others.length >= 20 &&
        others.every((it: { configured: boolean }) => typeof it.configured === "boolean"),
    );
    const { status, error } = await said(dave, "POST", "", { provider: "mistral", secret: key() });
    assert.deepEqual([status, error.code, error.outcome], [422, "unusable", "disabled"]);
    assert.equal((await said(eve, "DELETE", "/mistral")).deleted, true);
  } finally {
    await operator.call("switch_provider", { p_provider: "mistral", p_enabled: true });
  }
});

test("what is not understood is refused, and not taken for something else", async () => {
  const secret = key();
  for (
    const [method, path, body, status, code] of [
      ["POST", "", { provider: "groq" }, 400, "bad_input"],
      ["POST", "", { secret }, 400, "bad_input"],
      ["POST", "", { provider: "groq", secret: 5 }, 400, "bad_input"],
      ["POST", "", { provider: "groq", secret, api_key: secret }, 400, "bad_input"],
      ["POST", "", { provider: "groq", secret, version: 1 }, 400, "bad_input"],
      ["POST", "", { provider: "groq", secret, org_id: acme, global: true }, 400, "bad_input"],
      ["POST", "", { provider: "groq", secret, expires_at: "soon" }, 400, "bad_input"],
      ["POST", "", { provider: "qroq", secret }, 400, "bad_input"],
      ["POST", "", [secret], 400, "bad_input"],
      ["POST", "", `{"secret": "${secret}`, 400, "bad_input"],
      ["POST", "", "x".repeat(70_000), 413, "too_large"],
      ["PUT", "/groq", { secret, provider: "groq" }, 400, "bad_input"],
      ["PUT", "/groq", { secret, version: 0 }, 400, "bad_input"],
      ["PUT", "/groq", { secret, version: -1 }, 400, "bad_input"],
      ["PUT", "/groq", { secret, version: "1" }, 400, "bad_input"],
      ["GET", "?user_id=somebody", undefined, 400, "bad_input"],
      ["GET", "/qroq", undefined, 404, "no_provider"],
      ["GET", "/groq/keys", undefined, 404, "not_found"],
      ["GET", "/groq/history/1", undefined, 404, "not_found"],
      ["GET", "/groq/constructor", undefined, 404, "not_found"],
      ["GET", "/groq/test", undefined, 405, "method_not_allowed"],
      ["POST", "/groq/history", {}, 405, "method_not_allowed"],
      ["GET", "/groq/restore", undefined, 405, "method_not_allowed"],
      ["POST", "/groq", { secret }, 405, "method_not_allowed"],
      ["PUT", "", { secret }, 405, "method_not_allowed"],
      ["DELETE", "", undefined, 405, "method_not_allowed"],
      ["PATCH", "/groq", { secret }, 405, "method_not_allowed"],
    ] as const
  ) {
    const answer = await said(alice, method, path, body);
    const what = `${method} ${path} ${JSON.stringify(answer)}`;
    assert.deepEqual([answer.status, answer.ok, answer.error.code], [status, false, code], what);
    assert(!JSON.stringify(answer).includes(secret), what);
  }
});

test("sealed: said to the user as it is", async () => {
  await operator.call("seal");
  try {
    const { status, error } = await said(alice, "POST", "", { provider: "cohere", secret: key() });
    assert.deepEqual([status, error.code], [503, "sealed"]);
    assert.equal((await said(alice, "GET", "/cohere")).configured, true);
  } finally {
    await operator.call("unseal");
    await until(async () => (await service.call("status")).sealed === false);
  }
});

test("nothing went where no key may go, and the catalogue is as it was", async () => {
  assert.deepEqual(stub.seenElsewhere(), []);
  await takeBack(operator);
  await stub.stop();
});

nothingLeaked();
