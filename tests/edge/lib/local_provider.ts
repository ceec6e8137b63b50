// A provider on this machine, in the tests' own process: it keeps what it gets, and answers as it is told. And the tests of the built-in
// catalogue, led to it by their hosts alone.
import assert from "node:assert/strict";
import type { Json, Views } from "../../../edge/client/mod.ts";
import type { Finding } from "../../../edge/client/test_answer.ts";
import { ask, type ProviderTest, testOf } from "../../../edge/client/test_request.ts";
import { letters } from "../../rpc/lib/exchange.ts";

type Row = Views["providers"]["Row"];
type Entry = { id: string; label: string; fields: Json; hosts: string[]; test?: { url: string } };

/** The built-in catalogue. */
export const catalogue: Entry[] = JSON.parse(
  await Deno.readTextFile(new URL("../../../crates/core/src/provider/catalogue.json", import.meta.url)),
);

/** A request that arrived. */
export interface Got {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}
export const got: Got[] = [];
const nothing = () => new Response(null);
let answer: () => Response | Promise<Response> = nothing;
/** Answers in another way from now on; as at first when nothing is said. */
export function answering(how: () => Response | Promise<Response> = nothing): void {
  answer = how;
}
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
  const { pathname, search } = new URL(request.url);
  got.push({
    method: request.method,
    path: pathname + search,
    headers: request.headers,
    body: await request.text(),
  });
  return await answer();
});
/** Its address. */
export const here = `http://127.0.0.1:${server.addr.port}`;
/** What arrived at another port, which must stay nothing. */
export const elsewhere: string[] = [];
/** The other port. */
export const other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
  elsewhere.push(request.url);
  return Response.json({ valid: true });
});
globalThis.addEventListener("unload", () => void Promise.all([server.shutdown(), other.shutdown()]));

/** Servers of a file outlive its tests, which is what the sanitizers look for. */
export function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** A row of view `providers`, of the built-in catalogue. */
export function row(id: string, more: Partial<Row> = {}): Row {
  const entry = catalogue.find((it) => it.id === id);
  assert(entry, id);
  const { label, fields, hosts } = entry;
  const unused = {
    openai: null,
    docs_url: null,
    env: null,
    formats: null,
    environment: null,
    builtin: true,
    enabled: true,
  };
  return { name: id, label, fields, hosts, test: entry.test ?? null, ...unused, ...more };
}

/** A provider's test, led to this machine by its host alone. */
export function local(id: string): ProviderTest {
  const { test, hosts } = row(id);
  assert(typeof test === "object" && test !== null && !Array.isArray(test));
  const url = String(test.url).replace(/^https:\/\/[^/]+/, here);
  const made = testOf(row(id, { test: { ...test, url }, hosts: [...hosts ?? [], "127.0.0.1"] }));
  assert(made, id);
  return made;
}

/** What was sent, when it was sent once. */
export async function sent(id: string, credential: Json, now?: Date): Promise<Got> {
  got.length = 0;
  await ask(local(id), credential, undefined, { now });
  assert.equal(got.length, 1, id);
  return got[0] as Got;
}

/** A private key as Google hands them out. */
export const pem = await (async () => {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048 };
  const { privateKey } = await crypto.subtle.generateKey(
    { ...algorithm, publicExponent: new Uint8Array([1, 0, 1]) },
    true,
    ["sign", "verify"],
  );
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  return `-----BEGIN PRIVATE KEY-----\n${btoa(String.fromCharCode(...der))}\n-----END PRIVATE KEY-----\n`;
})();
/** Credentials of several fields. */
export const google = {
  type: "service_account",
  client_email: "a@p.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
  private_key: pem,
};
/** Credentials of several fields. */
export const amazon = { access_key_id: "AKIAIOSFODNN7XYZXYZQ", secret_access_key: letters(40) };
/** Credentials of several fields. */
export const entra = { client_id: crypto.randomUUID(), client_secret: "a~Q~&= +b/é", tenant_id: "acme/../x" };

/** A finding in short. */
export const short = ({ verdict, reason }: Finding): string => `${verdict}: ${reason}`;
