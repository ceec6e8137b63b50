// A stand-in for every provider of the catalogue, on this machine: `make try-edge` and the tests have it in the providers' place.
//
//   /<provider><path of the real request>   the request by which the catalogue tests a key
//   /<provider>/v1/…                        the OpenAI protocol
//
// The text of a key says how the provider takes it, so nothing has to be told beforehand: a key with `bad` in it is refused as this
// provider refuses one, and WORDS has the others. A key without such a word is a good one. Where only a part of a credential reaches the
// provider (AWS: the access key's ID; Google Cloud: the account's e-mail), the word belongs into that part.
//
// `deno run --allow-net=127.0.0.1 edge/try/providers.ts` runs it by itself.
//
// Must stay true:
// - It listens on this machine only.
// - It repeats keys in its refusals, as some providers do: whoever passes one on is found out.
import { modelAnswer } from "./models.ts";

/** A request that arrived. */
export interface Arrival {
  /** The provider that was meant. */
  provider: string;
  method: string;
  /** Path and query behind the provider's name. */
  path: string;
  headers: Headers;
  body: string;
  /** The part of the credential that arrived. */
  key: string | null;
  /** Settled when the request, or its answer, was broken off. */
  left: Promise<void>;
}

type Answer = Response | Promise<Response>;
type Behaviour = (it: Arrival, elsewhere: string) => Answer;

const SLOW_MS = 20_000;
const PAUSE_MS = 1500;

/** Words in a key, and what becomes of a request with it. */
const WORDS: Record<string, Behaviour> = {
  bad: refusal,
  forbidden: (it) => said(403, `The key ${it.key} may not do this.`, "permission_denied"),
  gated: (it) =>
    said(403, `The account of ${it.key} has not accepted the conditions.`, "gated", {
      "X-Error-Code": "GatedRepo",
    }),
  unpaid: (it) => said(402, `No credit is left for ${it.key}.`, "insufficient_credit"),
  limited: (it) =>
    said(429, `Too many requests of ${it.key}.`, "rate_limit_exceeded", { "Retry-After": "7" }),
  broken: (it) => new Response(`<html>Something broke at ${it.key}</html>`, { status: 500 }),
  slow: (it) => after(SLOW_MS, it, () => accepted(it)),
  // Long enough to be seen, and no more.
  pausing: (it) => after(PAUSE_MS, it, () => accepted(it)),
  elsewhere: (it, elsewhere) =>
    new Response(null, { status: 307, headers: { Location: `${elsewhere}/${it.provider}${it.path}` } }),
};

/** How a provider refuses a key that is none, where it is not 401 with an error of OpenAI's form. */
const REFUSALS: Record<string, (it: Arrival) => Answer> = {
  huggingface: () =>
    Response.json({ error: "Invalid username or password." }, {
      status: 401,
      headers: { "X-Error-Message": "Invalid credentials in Authorization header" },
    }),
  anthropic: () =>
    Response.json({ type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } }, {
      status: 401,
    }),
  google: () =>
    Response.json({
      error: {
        code: 400,
        message: "API key not valid. Please pass a valid API key.",
        status: "INVALID_ARGUMENT",
        details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }],
      },
    }, { status: 400 }),
  google_cloud: () =>
    Response.json({ error: "invalid_grant", error_description: "Invalid JWT Signature." }, { status: 400 }),
  aws: () => amazon(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
  bedrock: () => Response.json({ message: "Authentication failed: invalid API key." }, { status: 403 }),
  azure: () =>
    Response.json({
      error: "invalid_client",
      error_description: "AADSTS7000215: Invalid client secret provided.",
      error_codes: [7000215],
    }, { status: 401 }),
  cohere: () => Response.json({ valid: false }),
  xai: () =>
    Response.json({ code: "invalid-argument", error: "Incorrect API key provided." }, { status: 400 }),
};

/** Answers to a good key, at the paths of the catalogue's tests. A path that is none of these and no model's is not found. */
const ACCOUNTS: Record<string, (it: Arrival) => Answer> = {
  "/api/whoami-v2": () =>
    Response.json({ type: "user", name: "somebody", auth: { accessToken: { role: "read" } } }),
  "/v1/check-api-key": () => Response.json({ valid: true }),
  "/v1/account": () => Response.json({ type: "user", username: "somebody" }),
  "/api/v1/key": () => Response.json({ data: { label: "a key", limit: null, usage: 0 } }),
  "/user/balance": () => Response.json({ is_available: true, balance_infos: [] }),
  "/v1/api-key": () =>
    Response.json({ api_key_blocked: false, api_key_disabled: false, team_blocked: false }),
  "/v3/keys/get-caller-info": () => Response.json({ type: "personal", user: { name: "somebody" } }),
  "/user": () => Response.json({ login: "somebody" }),
  "/v1/endpoints": () => Response.json([]),
  "/foundation-models": () => Response.json({ modelSummaries: [] }),
  "/token": (it) => oauth(it, "assertion"),
  "/oauth2/v2.0/token": (it) => oauth(it, "client_secret"),
  "/": identity,
};

/** The stand-in, and what it was sent. */
export class Providers {
  /** Its address; a provider's name follows as the first part of the path. */
  readonly url: string;
  /** Another host, where `elsewhere` redirects to. No key may ever arrive there. */
  readonly elsewhere: string;
  readonly #arrived: Arrival[] = [];
  readonly #arrivedElsewhere: Arrival[] = [];
  readonly #servers: Deno.HttpServer<Deno.NetAddr>[];

  constructor() {
    const listen = (seen: Arrival[]) =>
      Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        (request) => this.#answer(request, seen),
      );
    const [here, there] = [listen(this.#arrived), listen(this.#arrivedElsewhere)];
    this.#servers = [here, there];
    this.url = `http://127.0.0.1:${here.addr.port}`;
    this.elsewhere = `http://localhost:${there.addr.port}`;
  }

  /** The requests since this was asked the last time. */
  seen(): Arrival[] {
    return this.#arrived.splice(0);
  }

  /** The same at the other host. */
  seenElsewhere(): Arrival[] {
    return this.#arrivedElsewhere.splice(0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.shutdown()));
  }

  async #answer(request: Request, seen: Arrival[]): Promise<Response> {
    const left = new Promise<void>((done) => request.signal.addEventListener("abort", () => done()));
    const url = new URL(request.url);
    const [, provider = "", rest = ""] = url.pathname.match(/^\/(\w+)(\/.*)?$/) ?? [];
    const body = await request.text();
    const { method, headers } = request;
    const key = keyOf(headers, body);
    const it: Arrival = { provider, method, path: (rest || "/") + url.search, headers, body, key, left };
    seen.push(it);
    // The oldest go first where nobody asks.
    if (seen.length > 1000) seen.shift();
    if (key === null) return await refusal(it);
    const [, answer = accepted] = Object.entries(WORDS).find(([word]) => key.includes(word)) ?? [];
    return await answer(it, this.elsewhere);
  }
}

/** The part of a credential that a request brings along, wherever its provider wants it. */
function keyOf(headers: Headers, body: string): string | null {
  const authorization = headers.get("Authorization") ?? "";
  const amazon = authorization.match(/^AWS4-HMAC-SHA256 Credential=([^/]+)\//)?.[1];
  if (amazon !== undefined) return amazon.toLowerCase();
  const bearer = authorization.match(/^Bearer (.+)$/)?.[1];
  const named = ["x-api-key", "x-goog-api-key", "api-key"].map((name) => headers.get(name));
  const form = headers.get("Content-Type")?.startsWith("application/x-www-form-urlencoded")
    ? new URLSearchParams(body)
    : new URLSearchParams();
  const posted = form.get("credentials") ?? form.get("client_secret") ?? issuer(form.get("assertion"));
  return bearer ?? named.find((it) => it !== null) ?? posted;
}

/** The account that signed a JWT, which is read and not verified: there is no public key here. */
function issuer(assertion: string | null): string | null {
  try {
    const claims = JSON.parse(
      atob(assertion?.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? ""),
    );
    return typeof claims.iss === "string" ? claims.iss : null;
  } catch {
    return null;
  }
}

function refusal(it: Arrival): Answer {
  const own = REFUSALS[it.provider];
  return own ? own(it) : said(401, `Incorrect API key provided: ${it.key}.`, "invalid_api_key");
}

function accepted(it: Arrival): Answer {
  const [path = "/"] = it.path.split("?");
  // Of Microsoft's address the first part is the tenant.
  const account = ACCOUNTS[it.provider === "azure" ? path.replace(/^\/[^/]+/, "") : path];
  return account?.(it) ?? modelAnswer(it) ?? said(404, `There is nothing at ${path}.`, "not_found");
}

function said(status: number, message: string, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error: { message, type: "invalid_request_error", code } }, { status, headers });
}

async function after(ms: number, it: Arrival, answer: () => Answer): Promise<Response> {
  const waited = Promise.withResolvers<void>();
  const timer = setTimeout(waited.resolve, ms);
  await Promise.race([waited.promise, it.left]);
  clearTimeout(timer);
  return await answer();
}

/** A token for a token: the form has to be whole. */
function oauth(it: Arrival, wanted: string): Response {
  const form = new URLSearchParams(it.body);
  const isWhole = form.has("grant_type") && form.has(wanted) &&
    (wanted !== "assertion" || form.get(wanted)?.split(".").length === 3);
  if (!isWhole) return Response.json({ error: "invalid_request" }, { status: 400 });
  return Response.json({ access_token: "made-up", token_type: "Bearer", expires_in: 3599 });
}

/** AWS's identity of a caller: the signature must have its form, though nobody here could compute it again. */
function identity(it: Arrival): Response {
  if (it.provider !== "aws") return said(404, "There is nothing here.", "not_found");
  const form =
    /^AWS4-HMAC-SHA256 Credential=\w+\/\d{8}\/[\w-]+\/sts\/aws4_request, ?SignedHeaders=[\w;-]*host[\w;-]*, ?Signature=[0-9a-f]{64}$/;
  if (
    !form.test(it.headers.get("Authorization") ?? "") ||
    !/^\d{8}T\d{6}Z$/.test(it.headers.get("X-Amz-Date") ?? "")
  ) {
    return amazon(400, "IncompleteSignature", "The request signature does not conform to AWS standards.");
  }
  return new Response(
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    { headers: { "Content-Type": "text/xml" } },
  );
}

function amazon(status: number, code: string, message: string): Response {
  const text =
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`;
  return new Response(text, { status, headers: { "Content-Type": "text/xml" } });
}

if (import.meta.main) console.log(new Providers().url);
