// The frame of every function: CORS, JSON, and errors that say nothing they must not.
//
// Must stay true:
// - Nothing that was thrown is logged or answered as it is: parsers and HTTP clients quote what they stumble over. An
//   error that is no refusal of ours is known by the name of its class alone.
// - Answers are cached by nobody.
import { Refusal } from "./refusal.ts";
import type { Connection } from "./settings.ts";

/** Headers that a page may send. */
const HEADERS = [
  "authorization",
  "x-client-info",
  "apikey",
  "content-type",
  "x-hftok-org",
  "x-hftok-levels",
  "x-hftok-model",
];

/** Serves a function; `methods` are those that it has. */
export function serve(
  name: string,
  methods: string[],
  settings: Connection,
  handle: (request: Request) => Promise<Response>,
): void {
  Deno.serve(async (request: Request) => {
    const answer = await answerOf(name, methods, request, handle);
    for (const [header, value] of Object.entries(cors(request, methods, settings.origins))) {
      answer.headers.set(header, value);
    }
    answer.headers.set("Cache-Control", "no-store");
    answer.headers.set("X-Content-Type-Options", "nosniff");
    return answer;
  });
}

/** A JSON answer. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json", ...headers },
  });
}

/** The segments of the path behind the function's name, decoded. */
export function segments(request: Request, name: string): string[] {
  const parts = new URL(request.url).pathname.split("/").filter((part) => part !== "");
  // A gateway may have put something in front, or have taken the name away.
  return parts.slice(parts.lastIndexOf(name) + 1).map(decoded);
}

/** The part of the path behind the function's name: one of these places, or the request is not found. */
export function place<Place extends string>(request: Request, name: string, places: Place[]): Place {
  const rest = segments(request, name).join("/");
  const found = places.find((it) => it === rest);
  if (found === undefined) throw nowhere();
  return found;
}

/** The refusal of a path that there is not. */
export function nowhere(): Refusal {
  return new Refusal(404, "not_found", "There is nothing at this path.");
}

/** Writes a line to the log: names and codes only. */
export function log(name: string, what: Record<string, string | number>): void {
  console.error(JSON.stringify({ function: name, ...what }));
}

/** The answer to a request, whatever happens. */
export async function answerOf(
  name: string,
  methods: string[],
  request: Request,
  handle: (request: Request) => Promise<Response>,
): Promise<Response> {
  if (request.method === "OPTIONS") return new Response(null, { status: 204 });
  try {
    if (!methods.includes(request.method)) {
      const allow = [...methods, "OPTIONS"].join(", ");
      throw new Refusal(405, "method_not_allowed", `Only ${allow} are served here.`, {}, { Allow: allow });
    }
    return await handle(request);
  } catch (error) {
    // Nobody reads this answer any more, and whatever was under way was broken off.
    if (request.signal.aborted) return new Response(null, { status: 499 });
    const refusal = error instanceof Refusal ? error : unforeseen(name, error);
    if (refusal.status >= 500) log(name, { status: refusal.status, code: refusal.code });
    const { status, code, message, facts, headers } = refusal;
    return json({ ok: false, error: { code, message, ...facts } }, status, headers);
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw nowhere();
  }
}

function unforeseen(name: string, error: unknown): Refusal {
  log(name, { unforeseen: error instanceof Error ? error.constructor.name : typeof error });
  return new Refusal(500, "internal", "Something went wrong in this function.");
}

/** What OpenAI's SDK says of itself in a browser: the names change with its versions. */
function ofSdk(request: Request): string[] {
  const asked = request.headers.get("Access-Control-Request-Headers")?.toLowerCase().split(/\s*,\s*/) ?? [];
  return asked.filter((name) => /^x-stainless-[a-z-]{1,40}$/.test(name)).slice(0, 20);
}

function cors(request: Request, methods: string[], origins: string[] | null): Record<string, string> {
  const origin = request.headers.get("Origin");
  // The JWT is a header that a page must know, not a cookie that comes along: any origin may ask, unless told otherwise.
  const allowed = origins === null ? "*" : origins.find((it) => it === origin);
  return {
    ...(origins === null ? {} : { Vary: "Origin" }),
    ...(allowed === undefined ? {} : {
      "Access-Control-Allow-Origin": allowed,
      "Access-Control-Allow-Methods": [...methods, "OPTIONS"].join(", "),
      "Access-Control-Allow-Headers": [...HEADERS, ...ofSdk(request)].join(", "),
      "Access-Control-Expose-Headers": "x-hftok-source, retry-after",
      "Access-Control-Max-Age": "86400",
    }),
  };
}
