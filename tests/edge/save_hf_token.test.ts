// save-hf-token, as a page calls it: saving, showing, deleting and testing tokens of users and organisations.
import assert from "node:assert/strict";
import { make } from "../rpc/lib/exchange.ts";
import { operator, people, type Person, service } from "../rpc/lib/people.ts";
import { query, until } from "../rpc/lib/server.ts";
import { huggingFace, nothingLeaked, Running, test, token } from "./lib/functions.ts";

const hub = await huggingFace();
const save = await Running.start("save-hf-token");
const { alice, bob, carol, admin, acme, globex } = await people("save");

const said = async (who: Person | null, method: string, path = "", body?: unknown) => {
  const { status, body: answer } = await save.ask(who, method, { path, body });
  return { status, ...JSON.parse(answer) };
};
const resolved = (who: Person, levels = ["user"], p_org_id?: string) =>
  service.call("resolve_token", {
    p_provider: "huggingface",
    p_user_id: who.name,
    p_levels: levels,
    p_org_id,
  });
const mask = (value: string) => `hf_•••••••••••••${value.slice(-4)}`;
const row = async (id: string) =>
  (await query(
    `SELECT verdict, verdict_message, refusals, version FROM hftok_private.secrets WHERE id = '${id}'`,
  ))[0];

test("a token is saved for who is signed in, and answered with its mask", async () => {
  const value = token();
  const { status, ok, id, preview, warnings, ...rest } = await said(alice, "POST", "", {
    token: `  ${value}\n`,
  });
  assert.deepEqual([status, ok, preview, warnings, rest], [200, true, mask(value), [], {}]);
  const { token: stored, secret_id } = await resolved(alice);
  assert.deepEqual([stored, secret_id], [value, id]);
  assert.equal((await resolved(bob)).source, "none");
});

test("what is unusual is saved with a warning, what cannot be is refused without being quoted", async () => {
  const short = make.hf().slice(0, 30);
  const saved = await said(bob, "POST", "", { token: short });
  assert.equal(saved.status, 200);
  assert.equal(saved.warnings.length, 1);
  for (const wrong of [make.openai(), "", "  ", "hf_ two words", "hf_•••••••••••••abcd", make.anthropic()]) {
    const refused = await said(bob, "POST", "", { token: wrong });
    assert.deepEqual(
      [refused.status, refused.ok, refused.error.code],
      [400, false, "bad_input"],
      JSON.stringify(refused),
    );
    if (wrong.trim() !== "") assert(!refused.error.message.includes(wrong.trim()));
  }
  assert.equal((await resolved(bob)).token, short);
});

test("GET says whether there is one, and its mask", async () => {
  const value = token();
  await said(carol, "POST", "", { token: value });
  const { status, ok, configured, preview, status: _, warnings, ...rest } = await said(carol, "GET");
  assert.deepEqual([ok, configured, preview, warnings], [true, true, mask(value), []]);
  assert(rest.id && rest.updated_at);
  assert.equal(status, "unverified");
  assert.deepEqual(await said(admin, "GET"), { status: 200, ok: true, configured: false });
});

test("DELETE deletes one's own", async () => {
  assert.deepEqual(await said(carol, "DELETE"), { status: 200, ok: true, deleted: true });
  assert.deepEqual(await said(carol, "DELETE"), { status: 200, ok: true, deleted: false });
  assert.equal((await said(carol, "GET")).configured, false);
  assert.equal((await said(alice, "GET")).configured, true);
});

test("a token for one model", async () => {
  const value = token();
  const model = "acme/large, very";
  await said(carol, "POST", "", { token: value, model });
  assert.equal((await said(carol, "GET")).configured, false);
  const query = `?model=${encodeURIComponent(model)}`;
  assert.equal((await said(carol, "GET", query)).preview, mask(value));
  assert.equal((await said(carol, "DELETE", query)).deleted, true);
  assert.equal((await said(carol, "GET", query)).configured, false);
});

test("an organisation's: written by its owner, seen by its members, neither by others", async () => {
  const value = token();
  assert.equal((await said(alice, "POST", "", { token: value, org_id: acme })).status, 200);
  assert.equal((await resolved(carol, ["org"], acme)).token, value);
  assert.equal((await said(carol, "GET", `?org_id=${acme}`)).preview, mask(value));
  assert.deepEqual(await said(bob, "GET", `?org_id=${acme}`), { status: 200, ok: true, configured: false });
  for (const who of [carol, bob]) {
    const refused = await said(who, "POST", "", { token: token(), org_id: acme });
    assert.deepEqual(
      [refused.status, refused.error.code],
      who === carol ? [403, "not_allowed"] : [404, "not_found"],
    );
    assert.notEqual((await said(who, "DELETE", `?org_id=${acme}`)).deleted, true);
  }
  assert.equal((await resolved(alice, ["org"], acme)).token, value);
});

test("of two organisations, the one that was named", async () => {
  await service.call("add_member", { p_org_id: globex, p_user_id: carol.name });
  const value = token();
  await service.call("save_hf_token", { p_token: value, p_org_id: globex });
  assert.equal((await said(carol, "GET", `?org_id=${globex}`)).preview, mask(value));
  assert.notEqual((await said(carol, "GET", `?org_id=${acme}`)).preview, mask(value));
  assert.equal((await said(carol, "GET")).configured, false);
});

test("the installation's: by administrators of the application only", async () => {
  const value = token();
  const refused = await said(alice, "POST", "", { token: value, global: true });
  assert.equal(refused.status, 403);
  assert.equal((await said(admin, "POST", "", { token: value, global: true })).status, 200);
  assert.equal((await said(admin, "GET", "?global=true")).preview, mask(value));
  assert.equal((await said(alice, "DELETE", "?global=true")).status, 403);
  assert.equal((await said(admin, "DELETE", "?global=true")).deleted, true);
});

test("test: a token that is not saved", async () => {
  const [good, bad] = [token(), token()];
  hub.known.add(good);
  hub.seen();
  const verified = await said(bob, "POST", "/test", { token: ` ${good} ` });
  assert.deepEqual([verified.status, verified.ok, verified.verdict], [200, true, "verified"]);
  const invalid = await said(bob, "POST", "/test", { token: bad });
  assert.deepEqual([invalid.status, invalid.ok, invalid.verdict], [200, false, "invalid"]);
  assert.deepEqual(hub.seen().map((it) => [it.method, it.path, it.authorization]), [
    ["GET", "/api/whoami-v2", `Bearer ${good}`],
    ["GET", "/api/whoami-v2", `Bearer ${bad}`],
  ]);
  const impossible = await said(bob, "POST", "/test", { token: make.openai() });
  assert.deepEqual([impossible.ok, impossible.verdict], [false, "invalid"]);
  assert.deepEqual(hub.seen(), [], "what cannot be a token is not sent");
  assert.notEqual((await resolved(bob)).token, good, "nothing is saved");
});

test("test: the stored token, and what was found is kept", async () => {
  const value = token();
  hub.known.add(value);
  const { id } = await said(carol, "POST", "", { token: value });
  assert.equal((await said(carol, "POST", "/test", {})).verdict, "verified");
  assert.equal((await said(carol, "GET")).status, "verified");
  assert((await said(carol, "GET")).last_verified_at);

  hub.known.delete(value);
  assert.equal((await said(carol, "POST", "/test")).verdict, "invalid");
  assert.equal((await row(id)).verdict, "verified", "once is not enough for one that was good");
  assert.equal((await said(carol, "POST", "/test")).verdict, "invalid");
  assert.equal((await row(id)).verdict, "invalid");
  const { status, error } = await said(carol, "POST", "/test");
  assert.deepEqual([status, error.code, error.level, error.outcome], [422, "unusable", "user", "invalid"]);

  const next = token();
  hub.known.add(next);
  await said(carol, "POST", "", { token: next });
  assert.equal((await said(carol, "POST", "/test")).ok, true);
});

test("test: no clear answer is no verdict", async () => {
  const { id } = await said(carol, "GET");
  for (const status of [403, 429, 500, 302]) {
    hub.whoamiStatus = status;
    const { ok, verdict, message } = await said(carol, "POST", "/test");
    assert.deepEqual([ok, verdict], [false, "indeterminate"], String(status));
    assert(message.length > 20);
  }
  hub.whoamiStatus = null;
  assert.deepEqual(await row(id), { verdict: "verified", verdict_message: null, refusals: 0, version: 2 });
});

test("test: a verdict on a version that was replaced meanwhile is not the new one's", async () => {
  const [old, next] = [token(), token()];
  const { id } = await said(bob, "POST", "", { token: old });
  hub.onWhoami = async () => {
    hub.onWhoami = () => Promise.resolve();
    await bob.call("save_hf_token", { p_token: next });
  };
  assert.equal((await said(bob, "POST", "/test")).verdict, "invalid");
  assert.deepEqual(await row(id), { verdict: null, verdict_message: null, refusals: 0, version: 3 });
});

test("test: an organisation's by who may change it, and not by a member or a stranger", async () => {
  hub.known.add((await resolved(alice, ["org"], acme)).token);
  hub.seen();
  assert.equal((await said(alice, "POST", "/test", { org_id: acme })).verdict, "verified");
  assert.equal(hub.seen().length, 1);
  assert.equal((await said(carol, "POST", "/test", { org_id: acme })).error.code, "not_allowed");
  assert.equal((await said(bob, "POST", "/test", { org_id: acme })).error.code, "no_token");
  assert.equal((await said(bob, "POST", "/test", { global: true })).error.code, "no_token");
  assert.equal((await said(admin, "POST", "/test", { global: true })).error.code, "no_token");
  assert.deepEqual(hub.seen(), []);
});

test("test: a token that may not go to the host of the test stays", async () => {
  await admin.call("save_credential", {
    p_provider: "huggingface",
    p_secret: token(),
    p_allowed_hosts: ["router.huggingface.co"],
  });
  hub.seen();
  const { status, error } = await said(admin, "POST", "/test");
  assert.deepEqual([status, error.outcome], [422, "host_refused"]);
  assert.deepEqual(hub.seen(), []);
});

test("what is not understood is refused, and not taken for something else", async () => {
  for (
    const [method, path, body, status] of [
      ["POST", "", {}, 400],
      ["POST", "", { token: 5 }, 400],
      ["POST", "", { token: token(), organisation: acme }, 400],
      ["POST", "", [token()], 400],
      ["POST", "", `{"token": "${token()}`, 400],
      ["POST", "", { token: token(), global: "true" }, 400],
      ["POST", "", { token: token(), org_id: acme, global: true }, 400],
      ["POST", "/tests", { token: token() }, 404],
      ["GET", "/test", undefined, 405],
      ["GET", "?user_id=somebody", undefined, 400],
      ["PUT", "", { token: token() }, 405],
      ["PATCH", "", { token: token() }, 405],
    ] as const
  ) {
    const answer = await said(alice, method, path, body);
    assert.deepEqual(
      [answer.status, answer.ok],
      [status, false],
      `${method} ${path} ${JSON.stringify(answer)}`,
    );
  }
});

test("sealed: said to the user as it is", async () => {
  await operator.call("seal");
  try {
    const { status, error } = await said(alice, "POST", "", { token: token() });
    assert.deepEqual([status, error.code], [503, "sealed"]);
    assert.equal((await said(alice, "GET")).configured, true);
  } finally {
    await operator.call("unseal");
    await until(async () => (await service.call("status")).sealed === false);
  }
});

nothingLeaked();
