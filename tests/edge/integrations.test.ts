// integrations: every caller times every route, of a user's integration that is shared and of an organisation's, with old keys and behind
// Supabase's gateway with new ones; and what each route does.
import assert from "node:assert/strict";
import { letters } from "../rpc/lib/exchange.ts";
import { jwt, operator, Person, service, user } from "../rpc/lib/people.ts";
import { until } from "../rpc/lib/server.ts";
import { Running, test, unseen } from "./lib/functions.ts";
import { Gateway, PUBLISHABLE, SECRET } from "./lib/gateway.ts";
import { ending, key, made, PACE, plain, row, scene } from "./lib/integrations.ts";
import { answering, got } from "./lib/local_provider.ts";

const { stub, integrations, alice, bob, carol, admin, acme, globex, id, said } = await scene("integrations", [
  "groq",
  "aws",
]);
const [dave, eve] = await Promise.all([user(id("dave")), user(id("eve"))]);
await service.call("add_member", { p_org_id: acme, p_user_id: dave.name, p_role: "admin" });
const anon = new Person("anon", await jwt({ role: "anon" }));

const mask = (value: string) => `•${value.slice(-4)}`;
/** The row once nobody is verifying it any more. */
async function settled(of: string) {
  await until(async () => !["pending", "verifying"].includes((await row(of))?.status));
  return await row(of);
}

/** An integration as it is before a request: known to work, and a user's shared with the organisation. */
async function prepared(owner: "own" | "org"): Promise<string> {
  const of = await made(owner === "own" ? { p_user_id: alice.name } : { p_org_id: acme }, "groq", key());
  const { secret_id } = await row(of);
  await service.call("report_credential", { p_secret_id: secret_id, p_verdict: "verified" });
  const sharing = { p_integration_id: of, p_org_id: acme, p_user_id: alice.name };
  if (owner === "own") await service.call("share_integration", sharing);
  return of;
}

type Outcome = (string | number | boolean | undefined)[];
type Right = "nobody" | "may" | "sees" | "nothing";
const refused = (status: number, code: string): Outcome => [status, false, code];
const UNSEEN = refused(404, "not_found");
const FORBIDDEN = refused(403, "not_allowed");

/** The routes, and how each ends by what the caller may. A member does not learn whose a shared one is by trying to change it. */
const ROUTES: Record<string, {
  method: string;
  path: (of: string) => string;
  body?: object;
  may: { own: Outcome; org: Outcome };
  sees: { own: Outcome; org: Outcome };
  nothing: Outcome;
}> = {
  one: {
    method: "GET",
    path: (of) => `/${of}`,
    may: { own: [200, true], org: [200, true] },
    sees: { own: [200, true], org: [200, true] },
    nothing: UNSEEN,
  },
  change: {
    method: "PUT",
    path: (of) => `/${of}`,
    body: { name: "changed" },
    may: { own: [200, true], org: [200, true] },
    sees: { own: UNSEEN, org: FORBIDDEN },
    nothing: UNSEEN,
  },
  test: {
    method: "POST",
    path: (of) => `/${of}/test`,
    body: {},
    may: { own: [200, true], org: [200, true] },
    sees: { own: FORBIDDEN, org: FORBIDDEN },
    nothing: UNSEEN,
  },
  share: {
    method: "POST",
    path: (of) => `/${of}/share`,
    body: { org_id: acme },
    may: { own: [200, true], org: FORBIDDEN },
    sees: { own: UNSEEN, org: FORBIDDEN },
    nothing: UNSEEN,
  },
  unshare: {
    method: "POST",
    path: (of) => `/${of}/unshare`,
    body: { org_id: acme },
    may: { own: [200, true], org: [200, true] },
    sees: { own: UNSEEN, org: FORBIDDEN },
    nothing: UNSEEN,
  },
  remove: {
    method: "DELETE",
    path: (of) => `/${of}`,
    may: { own: [200, true], org: [200, true] },
    sees: { own: [200, true], org: FORBIDDEN },
    nothing: [200, true],
  },
};

/** Who may do what with alice's, with the organisation's, and whether they may make one for the organisation. */
const CALLERS: Record<string, [Person | null, own: Right, org: Right]> = {
  "nobody": [null, "nobody", "nobody"],
  "anon": [anon, "nobody", "nobody"],
  "the service": [service, "nobody", "nobody"],
  "the owner, who owns the organisation": [alice, "may", "may"],
  "an admin of the organisation": [dave, "sees", "may"],
  "a member of the organisation": [carol, "sees", "sees"],
  "another user": [eve, "nothing", "nothing"],
  "an admin of another organisation": [bob, "nothing", "nothing"],
  "an administrator of the application": [admin, "nothing", "nothing"],
};

async function everybody(running: Running, headers: Record<string, string>) {
  for (const [caller, [who, ...rights]] of Object.entries(CALLERS)) {
    for (const [at, owner] of (["own", "org"] as const).entries()) {
      const right = rights[at] ?? "nobody";
      for (const [name, route] of Object.entries(ROUTES)) {
        const of = await prepared(owner);
        const answer = await said(who, route.method, route.path(of), route.body, { running, headers });
        const expected = right === "nobody"
          ? refused(401, "unauthenticated")
          : right === "nothing"
          ? route.nothing
          : route[right][owner];
        const what = `${caller}, ${name}, ${owner}: ${JSON.stringify(answer)}`;
        const got = [answer.http, answer.ok, answer.error?.code];
        assert.deepEqual(got.slice(0, expected.length), expected, what);
        if (name === "one" && answer.ok) {
          const shared = owner === "own" ? [acme] : [];
          assert.deepEqual(
            [answer.id, answer.owned, answer.shared_with],
            [of, right === "may", shared],
            what,
          );
        }
        if (name === "remove" && answer.ok) assert.equal(answer.deleted, right === "may", what);
        // What nobody was to change is as it was.
        const after = await row(of);
        assert.equal(after === undefined, name === "remove" && right === "may", what);
        assert.equal(after?.name === "changed", name === "change" && right === "may", what);
        const shares = await service.rows("integration_shares", { integration_id: of });
        const isUnshared = after === undefined || owner === "org" || (name === "unshare" && right === "may");
        assert.equal(shares.length, isUnshared ? 0 : 1, what);
        await service.call("delete_integration_with_vault", { p_integration_id: of, p_user_id: alice.name });
      }
    }
    await making(running, caller, headers);
    await scheduling(running, caller, headers);
  }
}

/** Making one of one's own, and one of the organisation's; then the list has both. */
async function making(running: Running, caller: string, headers: Record<string, string>) {
  const [who, _, org] = CALLERS[caller]!; // A caller of the table.
  const asked = { name: "made", type: "groq", credentials: key() };
  const ofOrg = { nobody: 401, may: 201, sees: 403, nothing: 404 }[org];
  const mine = [];
  for (
    const [body, status] of [[asked, who && org !== "nobody" ? 201 : 401], [
      { ...asked, org_id: acme },
      ofOrg,
    ]]
  ) {
    const answer = await said(who, "POST", "", body, { running, headers });
    assert.equal(answer.http, status, `${caller}: ${JSON.stringify(answer)}`);
    if (answer.ok) mine.push(answer.id);
  }
  const listed = await said(who, "GET", "", undefined, { running, headers });
  assert.equal(listed.http, org === "nobody" ? 401 : 200, caller);
  for (const of of mine) {
    assert(
      listed.integrations.some((it: { id: string; owned: boolean }) => it.id === of && it.owned),
      caller,
    );
    await settled(of);
    assert.equal((await said(who, "DELETE", `/${of}`, undefined, { running, headers })).deleted, true);
  }
}

/** The schedule is the service's alone. */
async function scheduling(running: Running, caller: string, headers: Record<string, string>) {
  const [who] = CALLERS[caller]!; // A caller of the table.
  const { http, error } = await said(who, "POST", "/verify", {}, { running, headers });
  const isNobody = who === null || who === anon;
  assert.deepEqual(
    [http, error?.code],
    who === service ? [200, undefined] : isNobody ? [401, "unauthenticated"] : [403, "not_allowed"],
    caller,
  );
}

test("every caller times every route, with a JWT of the old kind", async () => {
  await everybody(integrations, {});
});

test("the same behind Supabase's gateway, which knows only the new keys", async () => {
  const gateway = await Gateway.start();
  const behind = await Running.start("integrations", { ...gateway.hosted, ...PACE });
  await everybody(behind, { apikey: PUBLISHABLE });
  assert(gateway.seen.includes(`${PUBLISHABLE} beside a JWT`));
  assert(gateway.seen.includes(`${SECRET} alone`), "the service's key verifies");
  assert(!gateway.seen.some((it) => it.endsWith("twice")));
  const ask = (headers: Record<string, string>) =>
    said(null, "POST", "/verify", {}, { running: behind, headers });
  assert.equal((await ask({ apikey: SECRET })).ok, true);
  assert.equal((await ask({ Authorization: `Bearer ${SECRET}` })).ok, true);
  for (const apikey of [PUBLISHABLE, "sb_secret_wrong", "sb_secret_new\u00e9"]) {
    assert.notEqual((await ask({ Authorization: `Bearer ${PUBLISHABLE}`, apikey })).ok, true, apikey);
  }
  for (const apikey of [PUBLISHABLE, SECRET]) {
    const headers = { Authorization: `Bearer ${apikey}`, apikey };
    assert.equal((await said(null, "GET", "", undefined, { running: behind, headers })).http, 401);
  }
  behind.kill();
  await gateway.stop();
});

test("one is made, verified by itself, shown by its mask, changed and deleted", async () => {
  const gate = Promise.withResolvers<void>();
  answering(() => gate.promise.then(() => new Response()));
  const [first, second] = [plain(), plain()];
  const config = { model: "m", deep: [1, null] };
  const asked = { name: "mine", type: "edge_told", credentials: first, config };
  const made = await said(eve, "POST", "", asked);
  assert.deepEqual([made.http, made.ok, made.status], [201, true, "verifying"]);
  assert.equal((await said(eve, "GET", `/${made.id}`)).status, "verifying");
  gate.resolve();
  assert.equal((await settled(made.id)).status, "connected");
  const shown = await said(eve, "GET", `/${made.id}`);
  assert.deepEqual(
    [shown.name, shown.type, shown.status, shown.config, shown.version, shown.error_message, shown.user_id],
    ["mine", "edge_told", "connected", config, 1, null, eve.name],
  );
  assert(shown.preview.endsWith(mask(first)) && shown.last_verified_at && shown.last_tested_at);
  assert.deepEqual([shown.shared_with, shown.owned], [[], true]);

  // Without new credentials nobody is asked.
  got.length = 0;
  const renamed = await said(eve, "PUT", `/${made.id}`, {
    name: "ours",
    config: {},
    credentials: shown.preview,
  });
  assert.deepEqual([renamed.name, renamed.config, renamed.status, renamed.version], [
    "ours",
    {},
    "connected",
    1,
  ]);
  const replaced = await said(eve, "PUT", `/${made.id}`, { credentials: { api_key: second } });
  assert.deepEqual([replaced.http, replaced.status, replaced.version, replaced.name], [
    200,
    "verifying",
    2,
    "ours",
  ]);
  assert.equal(replaced.last_verified_at, null);
  assert.equal((await settled(made.id)).status, "connected");
  assert.deepEqual(got.map(({ headers }) => headers.get("x-key")), [second]);
  // All of it or nothing.
  const wrong = await said(eve, "PUT", `/${made.id}`, { name: "never", credentials: "Bearer x" });
  assert.deepEqual([wrong.http, wrong.error.code], [400, "bad_input"]);
  assert.equal((await row(made.id)).name, "ours");

  assert.deepEqual(await said(eve, "DELETE", `/${made.id}`), { http: 200, ok: true, deleted: true });
  assert.deepEqual(await said(eve, "DELETE", `/${made.id}`), { http: 200, ok: true, deleted: false });
  assert.equal((await said(eve, "GET", `/${made.id}`)).http, 404);
});

test("credentials of several fields are an object, and what is wrong with one names it", async () => {
  const credentials = {
    access_key_id: "AKIAGOODGOODGOODGOOD",
    secret_access_key: unseen(letters(40)),
    region: "eu-west-1",
  };
  const made = await said(eve, "POST", "", { name: "cloud", type: "aws", credentials });
  assert.equal(made.http, 201, JSON.stringify(made));
  assert.equal((await settled(made.id)).status, "connected");
  const { access_key_id } = credentials;
  const missing = await said(eve, "PUT", `/${made.id}`, { credentials: { access_key_id } });
  assert.deepEqual([missing.http, missing.error.code, missing.error.field], [
    400,
    "bad_input",
    "secret_access_key",
  ]);
  await said(eve, "DELETE", `/${made.id}`);
});

test("shared by its owner with an organisation of theirs, seen by its members, and no longer when it ends", async () => {
  const { id: of } = await said(alice, "POST", "", { name: "shared", type: "groq", credentials: key() });
  const seenBy = async (who: Person) =>
    (await said(who, "GET")).integrations.filter((it: { id: string }) => it.id === of);
  assert.deepEqual(await seenBy(carol), []);
  assert.equal(
    (await said(alice, "POST", `/${of}/share`, { org_id: globex })).http,
    403,
    "not of that one",
  );
  assert.deepEqual(await said(alice, "POST", `/${of}/share`, { org_id: acme }), { http: 200, ok: true });
  const [seen] = await seenBy(carol);
  assert.deepEqual([seen.name, seen.owned, seen.shared_with, seen.user_id], [
    "shared",
    false,
    [acme],
    alice.name,
  ]);
  assert.deepEqual(await seenBy(bob), []);
  assert.deepEqual(await said(alice, "POST", `/${of}/unshare`, { org_id: acme }), { http: 200, ok: true });
  assert.deepEqual(await seenBy(carol), []);
  await said(alice, "DELETE", `/${of}`);
});

test("switched off by its owner it is not asked about, and switched on it goes on", async () => {
  const { id: of } = await said(eve, "POST", "", { name: "switched", type: "groq", credentials: key() });
  await settled(of);
  const off = await said(eve, "PUT", `/${of}`, { enabled: false });
  assert.deepEqual([off.status, off.enabled], ["disabled", false]);
  stub.seen();
  const tested = await said(eve, "POST", `/${of}/test`);
  assert.deepEqual([tested.http, tested.error.code, tested.error.outcome], [422, "unusable", "disabled"]);
  const replaced = await said(eve, "PUT", `/${of}`, { credentials: key() });
  assert.deepEqual([replaced.status, stub.seen().length], ["disabled", 0]);
  const on = await said(eve, "PUT", `/${of}`, { enabled: true });
  assert.equal(on.status, "verifying", "the new credentials were not tried yet");
  assert.equal((await settled(of)).status, "connected");
  await said(eve, "DELETE", `/${of}`);
});

test("what is not understood is refused, and not taken for something else", async () => {
  const credentials = key();
  const { id: of } = await said(eve, "POST", "", { name: "any", type: "groq", credentials });
  const whole = { name: "x", type: "groq", credentials };
  for (
    const [method, path, body, status, code] of [
      ["POST", "", { type: "groq", credentials }, 400, "bad_input"],
      ["POST", "", { name: "x", credentials }, 400, "bad_input"],
      ["POST", "", { name: "x", type: "groq" }, 400, "bad_input"],
      ["POST", "", { ...whole, credentials: 5 }, 400, "bad_input"],
      ["POST", "", { ...whole, credentials: [credentials] }, 400, "bad_input"],
      ["POST", "", { ...whole, config: "text" }, 400, "bad_input"],
      ["POST", "", { ...whole, user_id: "somebody" }, 400, "bad_input"],
      ["POST", "", { ...whole, type: "qroq" }, 400, "bad_input"],
      ["POST", "", { ...whole, name: "" }, 400, "bad_input"],
      ["POST", "", [whole], 400, "bad_input"],
      ["POST", "", `{"credentials": "${credentials}`, 400, "bad_input"],
      ["POST", "", "x".repeat(300_000), 413, "too_large"],
      ["PUT", `/${of}`, {}, 400, "bad_input"],
      ["PUT", `/${of}`, { enabled: "true" }, 400, "bad_input"],
      ["PUT", `/${of}`, { status: "connected" }, 400, "bad_input"],
      ["POST", `/${of}/test`, { credentials }, 400, "bad_input"],
      ["POST", `/${of}/share`, {}, 400, "bad_input"],
      ["POST", `/${of}/share`, { org_id: 5 }, 400, "bad_input"],
      ["GET", "/not-an-id", undefined, 404, "not_found"],
      ["GET", `/${of}/keys`, undefined, 404, "not_found"],
      ["POST", `/${of}/constructor`, {}, 404, "not_found"],
      ["POST", `/${of}/test/more`, {}, 404, "not_found"],
      ["GET", `/${of}/test`, undefined, 405, "method_not_allowed"],
      ["POST", `/${of}`, whole, 405, "method_not_allowed"],
      ["PUT", "", whole, 405, "method_not_allowed"],
      ["PATCH", `/${of}`, { name: "x" }, 405, "method_not_allowed"],
      ["GET", "/verify", undefined, 405, "method_not_allowed"],
    ] as const
  ) {
    const answer = await said(eve, method, path, body);
    const what = `${method} ${path} ${JSON.stringify(answer)}`;
    assert.deepEqual([answer.http, answer.ok, answer.error.code], [status, false, code], what);
    assert(!JSON.stringify(answer).includes(credentials), what);
  }
  for (
    const body of [{ limit: 0 }, { limit: 1001 }, { limit: "5" }, { older_than_seconds: -1 }, { all: true }]
  ) {
    const { http, error } = await said(service, "POST", "/verify", body);
    assert.deepEqual([http, error.code], [400, "bad_input"], JSON.stringify(body));
  }
  await said(eve, "DELETE", `/${of}`);
});

test("sealed: said to the user as it is", async () => {
  await operator.call("seal");
  try {
    const asked = { name: "sealed", type: "groq", credentials: key() };
    const { http, error } = await said(eve, "POST", "", asked);
    assert.deepEqual([http, error.code], [503, "sealed"]);
    assert.equal((await said(eve, "GET")).ok, true);
    const { http: late, error: why } = await said(service, "POST", "/verify", {});
    assert.deepEqual([late, why.code], [503, "sealed"]);
  } finally {
    await operator.call("unseal");
    await until(async () => (await service.call("status")).sealed === false);
  }
});

ending(stub);
