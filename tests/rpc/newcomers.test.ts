// Mistakes of a first day over PostgREST. What comes back names the remedy; where the words are Postgres' or PostgREST's own,
// docs/troubleshooting.md has them with the remedy.
import assert from "node:assert/strict";
import { make } from "./lib/exchange.ts";
import { anon, people, type Person, service } from "./lib/people.ts";
import { nothingLeaked, sql, until } from "./lib/server.ts";

const { alice } = await people("newcomers");
const page = await Deno.readTextFile(new URL("../../docs/troubleshooting.md", import.meta.url));

/** An answer that refuses: its status, its message, and everything that it says in one text. */
async function answer(
  who: Person,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = { "Content-Profile": "hftok" },
) {
  const { status, body: text } = await who.raw(method, path, body, headers);
  const { code, message, details, hint } = JSON.parse(text);
  return { status, code, message, said: [message, details, hint].filter((it) => it).join("\n") };
}

/** The remedy that the page has in the row of a message. */
function remedy(message: string): string {
  const row = page.split("\n").find((line) => line.startsWith("| `") && line.includes(message));
  assert(row, `docs/troubleshooting.md has no row for: ${message}`);
  return row.split("|").at(-2)!;
}

Deno.test("enable_rpc() was forgotten", async () => {
  await sql("SELECT hftok.disable_rpc()");
  try {
    const { status, code, message } = await answer(alice, "POST", "/rpc/whoami", {});
    assert.deepEqual([status, code, message], [403, "42501", "permission denied for schema hftok"]);
    assert.match(remedy(message), /enable_rpc\(\)/);
  } finally {
    await sql("SELECT hftok.enable_rpc()");
    await until(async () => (await alice.raw("POST", "/rpc/whoami", {})).status === 200);
  }
});

Deno.test("GET", async () => {
  const { status, said } = await answer(service, "GET", "/rpc/resolve_hf_token");
  assert.equal(status, 405);
  assert.match(said, /by POST only/);
  assert.match(remedy("Method Not Allowed"), /POST/);
});

Deno.test("nobody is signed in", async () => {
  const { status, message } = await answer(anon, "POST", "/rpc/save_hf_token", { p_token: make.hf() });
  assert.deepEqual([status, anon.last.headers.get("www-authenticate")], [401, "Bearer"]);
  assert.match(remedy(message), /JWT/);
});

Deno.test("a schema that is not exposed, and the default one", async () => {
  const other = await answer(alice, "POST", "/rpc/whoami", {}, { "Content-Profile": "vault" });
  assert.deepEqual([other.status, other.code], [406, "PGRST106"]);
  assert.match(other.said, /hftok/);
  assert.match(remedy("The schema must be one of the following"), /exposes/);
  assert.match(remedy("Could not find the function public."), /install_api\(\)/);
});

Deno.test("a provider that is in no catalogue", async () => {
  const given = { p_provider: "hugging_face", p_secret: make.hf() };
  const { status, message, said } = await answer(alice, "POST", "/rpc/save_credential", given);
  assert.equal(status, 400);
  assert.match(said, /hftok\.providers|view providers/);
  assert.match(said, /huggingface/, "the nearest name");
  assert.match(remedy(message), /register_provider\(\)/);
});

Deno.test("another name of an argument", async () => {
  const given = { token: make.hf() };
  const { status, code, message, said } = await answer(alice, "POST", "/rpc/save_hf_token", given);
  assert.deepEqual([status, code], [404, "PGRST202"], message);
  assert.match(said, /with parameter token/);
  assert.match(remedy("Could not find the function hftok."), /argument/);
});

Deno.test("a token with a line break", async () => {
  const { status, message, said } = await answer(alice, "POST", "/rpc/save_hf_token", {
    p_token: make.hf().slice(0, 20) + "\n" + make.hf(),
  });
  assert.equal(status, 400);
  assert.match(said, /white space/);
  assert.match(remedy(message), /one piece/);
});

nothingLeaked();
