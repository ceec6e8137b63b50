// hftok as the panel calls it: reads by PostgREST, everything that writes or tests by an edge function, both with the JWT of the person
// who sits in front.
//
// Must stay true:
// - A value goes in the body of a request to an edge function, and nowhere else: not into an address, a header, or a cache.
// - No redirect is followed: what is sent holds tokens.
import { parsed } from "../../../../client/json.ts";
import { Hftok } from "../../../../client/mod.ts";
import { Failure } from "./failure.ts";

/** Where hftok is, and who calls it. */
export interface PanelConnection {
  /** The address of PostgREST; `https://<project>/rest/v1` with Supabase. */
  rest: string;
  /** The address of the edge functions; `https://<project>/functions/v1` with Supabase. */
  functions: string;
  /** The publishable key that Supabase's gateway wants beside a JWT. */
  apikey?: string;
  /** The JWT of who is signed in, or null when nobody is. It is asked before each call, so that it may be renewed. */
  getToken: () => string | null | Promise<string | null>;
  /**
   * Who is signed in, by any name that stays; null for nobody. When it changes, everything that was read for the former one is forgotten.
   * It is always said: nobody can tell a person that was forgotten from one that stayed.
   */
  user: string | null;
}

/** A request to an edge function. */
export interface FunctionRequest {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** The part of the path behind the function's name, without the first slash. */
  path?: string;
  /** Members without a value are left out. */
  query?: Record<string, string | boolean | undefined>;
  /** Made to JSON; members that are undefined are left out. */
  body?: Record<string, unknown>;
  signal?: AbortSignal;
}

/** A provider's answer to a test may take ten seconds. */
const TIMEOUT_MS = 30_000;

/** hftok, called as who is signed in. */
export class Vault {
  readonly #connection: Omit<PanelConnection, "user">;

  constructor(connection: Omit<PanelConnection, "user">) {
    this.#connection = connection;
  }

  /** The typed client, for reads and for calls that hold no value; 10 seconds for an answer, unless it may take longer. */
  async hftok(timeoutMs?: number): Promise<Hftok> {
    const { rest, apikey } = this.#connection;
    return new Hftok({ url: rest, token: await this.#token(), apikey, timeoutMs });
  }

  /** Calls an edge function; an answer that is no success is a Failure. */
  async call<Answer>(name: string, request: FunctionRequest): Promise<Answer> {
    const { functions, apikey } = this.#connection;
    const token = await this.#token();
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    const { method, body, signal } = request;
    try {
      const response = await fetch(address(functions, name, request), {
        method,
        body: body === undefined ? undefined : JSON.stringify(body),
        redirect: "error",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        headers: {
          Authorization: `Bearer ${token}`,
          Accept: "application/json",
          ...(apikey === undefined ? {} : { apikey }),
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
      });
      return await answer<Answer>(response);
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (signal?.aborted) throw signal.reason;
      // The error may quote what was sent: only its kind is passed on.
      throw limit.aborted
        ? new Failure("timeout", "There was no answer in time.")
        : new Failure("unreachable", "The server cannot be reached.");
    }
  }

  async #token(): Promise<string> {
    const token = await this.#connection.getToken();
    if (token) return token;
    throw new Failure("unauthenticated", "Nobody is signed in.", { status: 401 });
  }
}

function address(functions: string, name: string, { path, query = {} }: FunctionRequest): string {
  const given = Object.entries(query).flatMap(([key, value]): [string, string][] =>
    value === undefined || value === false ? [] : [[key, String(value)]]
  );
  const where = [functions.replace(/\/+$/, ""), name, ...(path ? [path] : [])].join("/");
  return given.length === 0 ? where : `${where}?${new URLSearchParams(given)}`;
}

async function answer<Answer>(response: Response): Promise<Answer> {
  const body = parsed(await response.text());
  if (!response.ok) throw Failure.answered(response.status, body, response.headers.get("Retry-After"));
  if (body === undefined) {
    throw new Failure("unexpected", "The answer is not JSON.", { status: response.status });
  }
  // The functions are ours, and tests/edge holds them to their answers.
  return body as Answer;
}
