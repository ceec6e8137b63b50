// A request of the OpenAI protocol: the path that it goes to, and what is looked at of it on the way.
//
// Must stay true:
// - A request chooses one of the paths below; host and everything else of the address are the catalogue's. Its body is passed on as it
//   came, and no header of its own goes along but the type of that body.
// - A key that an organisation or the installation keeps for a model asks that model and no other one.
// - With a key that people share who may not see each other's, nothing is kept in its account, nor taken from there.
import { readBytes } from "../_shared/body.ts";
import { Refusal } from "../_shared/refusal.ts";
import { nowhere, segments } from "../_shared/serve.ts";

/** The provider that is asked, and the path behind its base address. */
export interface Route {
  provider: string;
  /** In its encoded form. */
  path: string;
  /** What the body must be. */
  body: "none" | "json" | "form";
}

/** What is asked, and whose key may pay. */
export interface Question {
  /** The model, as credentials for a model name it. */
  model: string | undefined;
  orgId: string | undefined;
  levels: string[] | undefined;
  headers: Record<string, string>;
  body: Uint8Array<ArrayBuffer> | undefined;
}

/** Sounds and pictures: what OpenAI takes at most, and a little for the form around it. */
const LARGEST = 26 * 1024 * 1024;
const LONGEST_NAME = 256;
/** The levels of the walk whose keys others keep for a model, and all the others. */
const KEPT_FOR_MODELS = ["org_model", "global_model"];
const OTHER_LEVELS = ["user_model", "user", "org", "global", "environment"];
/** The levels whose keys the user has alone. */
const OWN = ["user_model", "user"];
/** Members of a request that go on with what lies in the account of the key. */
const FORMER = ["previous_response_id", "conversation"];

/** Paths that need not keep anything in the account of the key: no files, batches, assistants or fine-tuned models. */
const POSTED: Record<string, "json" | "form"> = {
  "chat/completions": "json",
  "completions": "json",
  "embeddings": "json",
  "responses": "json",
  "moderations": "json",
  "images/generations": "json",
  "images/edits": "form",
  "images/variations": "form",
  "audio/speech": "json",
  "audio/transcriptions": "form",
  "audio/translations": "form",
};
const FORMS: Record<"json" | "form", RegExp> = {
  json: /^application\/json\s*(;|$)/i,
  form: /^multipart\/form-data\s*;/i,
};

/** The route in the path of a request; any other path is not found. */
export function routeOf(request: Request, name: string): Route {
  const [provider, version, ...rest] = segments(request, name);
  if (provider === undefined || version !== "v1" || !/^\w+$/.test(provider)) throw nowhere();
  const path = rest.join("/");
  const body = Object.hasOwn(POSTED, path) ? POSTED[path] : undefined;
  if (body !== undefined) return routed(request, "POST", { provider, path, body });
  const isModel = rest[0] === "models" && rest.length <= 4 && rest.every(isName);
  if (!isModel) throw nowhere();
  return routed(request, "GET", { provider, path: rest.map(encodeURIComponent).join("/"), body: "none" });
}

/** A request as it is to be passed on. */
export async function parseQuestion(request: Request, route: Route): Promise<Question> {
  const levels = request.headers.get("x-hftok-levels")?.split(",").map((level) => level.trim());
  const orgId = request.headers.get("x-hftok-org")?.trim() || undefined;
  const named = request.headers.get("x-hftok-model")?.trim() || undefined;
  if (route.body === "none") return { model: named, orgId, levels, headers: {}, body: undefined };
  const type = request.headers.get("Content-Type") ?? "";
  if (!FORMS[route.body].test(type)) {
    const wanted = route.body === "json" ? "application/json" : "multipart/form-data";
    throw new Refusal(415, "bad_input", `A request to this path is ${wanted}.`);
  }
  const body = await readBytes(request, LARGEST);
  const model = route.body === "json" ? modelOfObject(body) : await modelOfForm(body, type);
  const isAnother = named !== undefined && model !== undefined && named !== model;
  return {
    model: named ?? model,
    orgId,
    levels: isAnother ? (levels ?? OTHER_LEVELS).filter((it) => !KEPT_FOR_MODELS.includes(it)) : levels,
    headers: { "Content-Type": type },
    body,
  };
}

/** The body as it is sent with a key of this level: as it came, or, with one that others have too, without what they do not want of it. */
export function bodyFor(source: string, { body }: Question, route: Route): Question["body"] {
  if (body === undefined || route.body !== "json" || OWN.includes(source)) return body;
  const isKept = KEPT_FOR_MODELS.includes(source);
  // Looked for before a long body is read once more; its letters may be escaped.
  const mayStore = route.path === "responses" || /"store"|\\u00[67]/.test(new TextDecoder().decode(body));
  if (!isKept && !mayStore) return body;
  // Of a member that is there twice a provider may read the one that was not looked at.
  const asked: Record<string, unknown> = JSON.parse(new TextDecoder().decode(body));
  if (FORMER.some((name) => (asked[name] ?? null) !== null)) {
    const names = FORMER.join(" and ");
    throw new Refusal(400, "bad_input", `With a key that others share there are no ${names}.`);
  }
  if (route.path === "responses" || asked.store === true) asked.store = false;
  return new TextEncoder().encode(JSON.stringify(asked));
}

function routed(request: Request, method: string, route: Route): Route {
  if (request.method === method) return route;
  const allow = `${method}, OPTIONS`;
  throw new Refusal(405, "method_not_allowed", `This path is served by ${method}.`, {}, { Allow: allow });
}

/** Nothing that climbs: an encoded path is decoded by some servers. */
function isName(segment: string): boolean {
  return segment.length <= LONGEST_NAME && /^[\w@.:/+-]+$/.test(segment) &&
    !segment.split("/").some((part) => part === "" || part === "." || part === "..");
}

function modelOfObject(body: Uint8Array): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refusal(400, "bad_input", "The request is not JSON.");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new Refusal(400, "bad_input", "The request must be a JSON object.");
  }
  return nameOf("model" in parsed ? parsed.model : undefined);
}

async function modelOfForm(body: Uint8Array<ArrayBuffer>, type: string): Promise<string | undefined> {
  try {
    const form = await new Response(body, { headers: { "Content-Type": type } }).formData();
    const [model, another] = form.getAll("model");
    if (another !== undefined) throw new Refusal(400, "bad_input", "A request has one model.");
    return nameOf(model);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, "bad_input", "The request is not a form.");
  }
}

function nameOf(model: unknown): string | undefined {
  if (model === undefined || model === null) return undefined;
  if (typeof model !== "string") throw new Refusal(400, "bad_input", "model must be a text.");
  return model;
}
