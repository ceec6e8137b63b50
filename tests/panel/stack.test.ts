// The gateway of `make try-edge` by itself: what it serves, to whom, and with which headers. No browser.
import assert from "node:assert/strict";
import { jwt } from "../rpc/lib/people.ts";
import { ADDRESS } from "./lib/panel.ts";

const PUBLISHABLE = "sb_publishable_try";
const SECRET = "sb_secret_try";
const HFTOK = { "Accept-Profile": "hftok", "Content-Profile": "hftok", "Content-Type": "application/json" };

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: object;
}

/** The status, and the body where it is JSON. */
async function ask(path: string, { method = "GET", headers = {}, body }: Asked = {}) {
  const answer = await fetch(ADDRESS + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : null };
}

async function signIn(id: string): Promise<string> {
  const headers = { "Content-Type": "application/json" };
  const { json } = await ask("/try/sign-in", { method: "POST", headers, body: { id } });
  return `Bearer ${json.token}`;
}

const whoami = (headers: Record<string, string>) =>
  ask("/rest/v1/rpc/whoami", { method: "POST", headers: { ...HFTOK, ...headers }, body: {} });

Deno.test("every answer of its own has the security headers, and pages are not kept", async () => {
  for (const path of ["/", "/huggingface", "/config.json", "/try/people", "/nothing.js", "/assets/../x.js"]) {
    const { headers } = await ask(path);
    const policy = headers.get("Content-Security-Policy") ?? "";
    assert(policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self';"), path);
    assert(/connect-src 'self';.*frame-ancestors 'none'$/.test(policy) && !policy.includes("unsafe"), path);
    assert.deepEqual(
      ["X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options"].map((it) => headers.get(it)),
      ["nosniff", "no-referrer", "DENY"],
    );
    assert(/no-store|no-cache/.test(headers.get("Cache-Control") ?? ""), path);
  }
});

Deno.test("only files of the panel are served", async () => {
  for (
    const path of ["/.sources", "/%2e%2e/package.json", "/assets/%2e%2e%2findex.html", "/..;/x.json", "/x.ts"]
  ) {
    const { status, text } = await ask(path);
    assert(status === 404 || text.includes('<div id="root">'), `${path}: ${status} ${text}`);
  }
});

Deno.test("a page of another site cannot call what is behind the address, though its keys are known", async () => {
  const headers = { ...HFTOK, apikey: SECRET };
  for (const Origin of ["https://attacker.example", "null", "http://127.0.0.1.attacker.example"]) {
    const asked = [
      "/rest/v1/providers?limit=1",
      "/functions/v1/save-hf-token",
      "/try/people",
      "/config.json",
    ];
    for (const path of asked) {
      const { status } = await ask(path, { headers: { ...headers, Origin } });
      assert.equal(status, 403, `${Origin} ${path}`);
      assert.equal((await ask(path, { method: "OPTIONS", headers: { Origin } })).status, 403);
    }
  }
  for (const Origin of [ADDRESS, "http://localhost:5173"]) {
    assert.equal(
      (await whoami({ apikey: PUBLISHABLE, Origin, Authorization: await signIn("ana") })).json,
      "ana",
    );
  }
});

Deno.test("another host's name, as a page of another site would have it, is refused", async () => {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(ADDRESS).port) });
  const request = "GET /try/people HTTP/1.1\r\nHost: attacker.example\r\nConnection: close\r\n\r\n";
  await connection.write(new TextEncoder().encode(request));
  const answer = await new Response(connection.readable).text();
  assert(answer.startsWith("HTTP/1.1 421"), answer);
});

Deno.test("keys: the role comes from apikey, unless there is a JWT", async () => {
  const ana = await signIn("ana");
  const statusOf = async (headers: Record<string, string>) => (await whoami(headers)).status;
  assert.equal(await statusOf({}), 401);
  assert.equal(await statusOf({ apikey: "sb_secret_wrong" }), 401);
  assert.equal(await statusOf({ Authorization: ana }), 401);
  assert.equal((await whoami({ apikey: PUBLISHABLE, Authorization: ana })).json, "ana");
  assert.notEqual(await statusOf({ apikey: PUBLISHABLE }), 200);
  const resolve = async (headers: Record<string, string>) => {
    const body = { p_provider: "openai", p_user_id: "ana" };
    const answer = await ask("/rest/v1/rpc/resolve_token", {
      method: "POST",
      headers: { ...HFTOK, ...headers },
      body,
    });
    return answer.json.source ?? answer.json.code;
  };
  const both = { apikey: SECRET, Authorization: `Bearer ${SECRET}` };
  // Keys as they were before are JWTs.
  const former = await jwt({ role: "service_role" });
  const ways: Record<string, string>[] = [
    { apikey: SECRET },
    both,
    { Authorization: both.Authorization },
    { apikey: former, Authorization: `Bearer ${former}` },
  ];
  for (const headers of ways) assert.equal(await resolve(headers), "user");
  const others: Record<string, string>[] = [{ apikey: PUBLISHABLE }, {
    apikey: PUBLISHABLE,
    Authorization: ana,
  }];
  for (const headers of others) assert.equal(await resolve(headers), "42501");
});

Deno.test("functions run, and know who asks", async () => {
  const ana = await signIn("ana");
  const { status, json } = await ask("/functions/v1/save-hf-token", { headers: { Authorization: ana } });
  assert.deepEqual([status, json.ok, json.configured], [200, true, false]);
  assert.equal((await ask("/functions/v1/save-hf-token", { headers: { apikey: PUBLISHABLE } })).status, 401);
  assert.equal((await ask("/functions/v1/nothing", { headers: { Authorization: ana } })).status, 404);
});

Deno.test("three people to be, each with their own; nobody else", async () => {
  const { json } = await ask("/try/people");
  assert.deepEqual(json.people.map((it: { id: string }) => it.id), ["ana", "luis", "mira"]);
  const headers = { "Content-Type": "application/json" };
  for (const id of ["olga", "", null, { id: "ana" }]) {
    assert.equal((await ask("/try/sign-in", { method: "POST", headers, body: { id } })).status, 404);
  }
  const rows = async (id: string, view: string) => {
    const { json } = await ask(`/rest/v1/${view}`, {
      headers: { ...HFTOK, apikey: PUBLISHABLE, Authorization: await signIn(id) },
    });
    return json;
  };
  const keys = await rows("ana", "user_api_keys");
  assert(keys.length >= 3, "Ana has keys");
  const administrators = await rows("mira", "administrators");
  assert(administrators.some((it: { user_id: string }) => it.user_id === "mira"));
  const daily = await rows("ana", "usage_daily");
  assert(new Set(daily.map((it: { day: string }) => it.day)).size > 14, "there is use of some weeks");
});
