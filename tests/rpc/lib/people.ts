// The callers: each has a JWT and a client of their own.
import assert from "node:assert/strict";
import { PostgrestClient } from "@supabase/postgrest-js";
import { type Exchange, exchange } from "./exchange.ts";

export const url = Deno.env.get("HFTOK_RPC_URL")!;
export const standbyUrl = Deno.env.get("HFTOK_STANDBY_URL")!;
const secret = Deno.env.get("HFTOK_JWT_SECRET")!;

/** An error as PostgREST puts it. */
export interface Refusal {
  code: string;
  message: string;
  details: string | null;
  hint: string | null;
}

interface Answer {
  data: any;
  error: any;
  status: number;
}

/** The data of an answer; an error fails the test. */
export async function ok(asked: PromiseLike<Answer>): Promise<any> {
  const { data, error, status } = await asked;
  assert.equal(error, null, `${status} ${JSON.stringify(error)}`);
  return data;
}

/** The error; an answer, or another error, fails the test. */
export async function refused(asked: PromiseLike<Answer>, status: number, code: string): Promise<Refusal> {
  const answer = await asked;
  assert.notEqual(answer.error, null, `expected ${status} ${code}, got ${JSON.stringify(answer.data)}`);
  assert.deepEqual([answer.status, answer.error.code], [status, code], JSON.stringify(answer.error));
  return answer.error;
}

/** A JWT with these claims, which may be any text. */
export async function jwt(
  claims: object | string,
  header: object = { alg: "HS256", typ: "JWT" },
  key = secret,
) {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const encode = (data: Uint8Array) =>
    btoa(String.fromCharCode(...data)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const payload = typeof claims === "string" ? claims : JSON.stringify(claims);
  const text = encode(bytes(JSON.stringify(header))) + "." + encode(bytes(payload));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", bytes(key), algorithm, false, ["sign"]);
  return text + "." + encode(new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytes(text))));
}

/** Somebody who calls. */
export class Person {
  readonly db: PostgrestClient<any, any, any>;
  /** The last exchange. */
  last!: Exchange;
  readonly headers: Record<string, string>;

  constructor(
    readonly name: string,
    token: string | null,
    readonly trusted = false,
    readonly base = url,
  ) {
    this.headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    this.db = new PostgrestClient(base, { schema: "hftok", headers: this.headers, fetch: this.fetch });
  }

  /** For clients that take one. */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const [response, kept] = await exchange(this.name, this.trusted, input, init);
    this.last = kept;
    return response;
  };

  /** Calls a function by name with named arguments. */
  call(name: string, parameters: object = {}): Promise<any> {
    return ok(this.db.rpc(name, parameters as any));
  }

  /** Calls a function that must be refused in exactly this way. */
  refused(name: string, parameters: object, status: number, code: string): Promise<Refusal> {
    return refused(this.db.rpc(name, parameters as any), status, code);
  }

  /** Rows of a view. */
  rows(view: string, filter: object = {}): Promise<any[]> {
    return ok(this.db.from(view).select("*").match(filter as any));
  }

  /** A request by hand. */
  async raw(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Exchange> {
    const sent = {
      ...this.headers,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    };
    const init = { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body) };
    const [response, kept] = await exchange(this.name, this.trusted, this.base + path, init);
    await response.body?.cancel();
    return this.last = kept;
  }

  /** A PostgREST role with other claims. */
  static async of(name: string, claims: object | string, trusted = false, base = url): Promise<Person> {
    return new Person(name, await jwt(claims), trusted, base);
  }
}

/** A signed-in user. */
export function user(sub: string): Promise<Person> {
  return Person.of(sub, { role: "authenticated", sub });
}

export const anon = new Person("anon", null);
export const service = await Person.of("service", { role: "service_role" }, true);
export const operator = await Person.of("operator", { role: "operator" }, true);
export const reviewer = await Person.of("reviewer", { role: "reviewer" });
/** Signed in, but nobody: no `sub`. */
export const nobody = await Person.of("nobody", { role: "authenticated" });

/** Two organisations and their people, named after the test file so that files don't meet. */
export async function people(file: string) {
  const id = (name: string) => `${file}-${name}`;
  const [alice, bob, carol, admin] = await Promise.all(
    ["alice", "bob", "carol", "admin"].map((it) => user(id(it))),
  );
  const [acme, globex] = [id("acme"), id("globex")];
  await service.call("add_member", { p_org_id: acme, p_user_id: alice.name, p_role: "owner" });
  await service.call("add_member", { p_org_id: globex, p_user_id: id("dora"), p_role: "owner" });
  await service.call("add_member", { p_org_id: globex, p_user_id: bob.name, p_role: "admin" });
  await alice.call("add_member", { p_org_id: acme, p_user_id: carol.name });
  await service.call("grant_administrator", { p_user_id: admin.name });
  return { alice, bob, carol, admin, acme, globex, id };
}
