// One address for everything, as a project of Supabase has it: the panel, PostgREST, the edge functions, and the people to be.
//
//   /                      the built panel, with the security headers that whoever serves it should send
//   /config.json           what the panel is told
//   /rest/v1/…             PostgREST
//   /functions/v1/NAME/…   an edge function
//   /try/people, /try/sign-in
//
// Must stay true:
// - It listens on this machine only: whoever reaches it can be anybody. A page of another site that a browser of this machine shows is
//   not let in: the keys are known to everybody, and PostgREST lets every origin read.
// - Supabase's rule of keys: `sb_…` keys are no JWTs. The role comes from `apikey`, and a JWT of the gateway's own takes the place of an
//   `Authorization` that is missing or repeats the key.
import { pageOf, SECURITY } from "./panel_files.ts";
import { type People, PUBLISHABLE_KEY, SECRET_KEY } from "./people.ts";

/** The parts behind the gateway. */
export interface Parts {
  /** The folder of the built panel; null when there is none. */
  panel: string | null;
  /** PostgREST. */
  rest: string;
  /** The addresses of the functions that run, by their names. */
  functions: Map<string, string>;
  people: People;
}

const CONFIG = { auth: "try", rest: "/rest/v1", functions: "/functions/v1", apikey: PUBLISHABLE_KEY };
/** Headers of one connection, and those that whoever connects anew says anew. */
const OF_A_CONNECTION = [
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "host",
  "accept-encoding",
];

/** The gateway, listening. */
export class Gateway {
  readonly url: string;
  readonly #parts: Parts;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #hosts: string[];

  /** With port 0 a free one is taken; one that is taken already is an error. */
  constructor(parts: Parts, port = 0) {
    this.#parts = parts;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {}, onError: () => said(502, "The gateway failed.") },
      (request) => this.#answer(request),
    );
    this.#hosts = ["127.0.0.1", "localhost"].map((name) => `${name}:${this.#server.addr.port}`);
    this.url = `http://${this.#hosts[0]}`;
  }

  async stop(): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    // A page of another site must not find its way here by a name that leads to this machine.
    if (!this.#hosts.includes(request.headers.get("Host") ?? "")) return said(421, "Another host was meant.");
    if (!isOfThisMachine(request.headers.get("Origin"))) {
      return said(403, "Pages of other sites are not let in.");
    }
    const url = new URL(request.url);
    const [, first = "", second = ""] = url.pathname.split("/");
    const place = `${first}/${second}`;
    if (place === "rest/v1") return await this.#rest(request, url);
    if (place === "functions/v1") return await this.#function(request, url);
    if (first === "try") return await this.#try(request, url.pathname);
    if (url.pathname === "/config.json") return json(CONFIG);
    if (!["GET", "HEAD"].includes(request.method)) return said(405, "Pages are only read.");
    return await pageOf(this.#parts.panel, url.pathname, request);
  }

  async #rest(request: Request, url: URL): Promise<Response> {
    const headers = await this.#admitted(request);
    if (headers === null) return said(401, "Invalid API key");
    if (!headers.has("apikey") && request.method !== "OPTIONS") {
      return said(401, "No API key found in request");
    }
    return await passOn(
      request,
      this.#parts.rest + url.pathname.slice("/rest/v1".length) + url.search,
      headers,
    );
  }

  async #function(request: Request, url: URL): Promise<Response> {
    const rest = url.pathname.slice("/functions/v1".length);
    const address = this.#parts.functions.get(rest.split("/")[1] ?? "");
    if (address === undefined) return said(404, "Requested function was not found");
    const headers = await this.#admitted(request);
    if (headers === null) return said(401, "Invalid API key");
    return await passOn(request, address + rest + url.search, headers);
  }

  /** The headers to pass on; null when the key is none of this project. */
  async #admitted(request: Request): Promise<Headers | null> {
    const headers = new Headers(request.headers);
    const authorization = headers.get("Authorization");
    const bearer = authorization?.match(/^Bearer (sb_\S+)$/)?.[1];
    const key = headers.get("apikey") ?? bearer;
    // A JWT as key, as before there were others, is the caller's own to PostgREST.
    if (key === undefined || !key.startsWith("sb_")) return headers;
    const role = { [PUBLISHABLE_KEY]: "anon", [SECRET_KEY]: "service_role" }[key];
    if (role === undefined) return null;
    headers.set("apikey", key);
    if (authorization === null || bearer !== undefined) {
      headers.set("Authorization", `Bearer ${await this.#parts.people.jwt({ role })}`);
    }
    return headers;
  }

  async #try(request: Request, path: string): Promise<Response> {
    const { people } = this.#parts;
    if (path === "/try/people" && request.method === "GET") return json({ people: people.list });
    if (path !== "/try/sign-in" || request.method !== "POST") return said(404, "There is nothing here.");
    const asked: { id?: unknown } | null = await request.json().catch(() => null);
    const session = await people.signIn(asked?.id);
    return session === null ? said(404, "There is nobody of this id.") : json(session);
  }
}

/** Whether a request comes from no page, or from one of this machine: `npm run dev` has another port. */
function isOfThisMachine(origin: string | null): boolean {
  return origin === null || /^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/.test(origin);
}

async function passOn(request: Request, to: string, headers: Headers): Promise<Response> {
  for (const name of OF_A_CONNECTION) headers.delete(name);
  const { method, body, signal } = request;
  const answer = await fetch(to, { method, headers, body, signal, redirect: "manual" });
  const answered = new Headers(answer.headers);
  // The body has been unpacked.
  for (const name of [...OF_A_CONNECTION, "content-encoding", "content-length"]) answered.delete(name);
  answered.set("X-Content-Type-Options", "nosniff");
  return new Response(answer.body, {
    status: answer.status,
    statusText: answer.statusText,
    headers: answered,
  });
}

function json(body: object): Response {
  return Response.json(body, { headers: { ...SECURITY, "Cache-Control": "no-store" } });
}

function said(status: number, message: string): Response {
  return Response.json({ message }, { status, headers: { ...SECURITY, "Cache-Control": "no-store" } });
}
