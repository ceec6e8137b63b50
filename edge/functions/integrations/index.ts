// Integrations: an application's connections to providers, which users and organisations bring. Verification begins by itself after new
// credentials, and goes on in the background: the status says how far it is.
//
//   GET    /                     {ok, integrations}: one's own, one's organisations', and those that are shared with these
//   POST   /  {name, type, credentials, config?, org_id?}      201 {ok, id, status}
//   GET    /<id>                 {ok, id, name, type, status, …}: never the credentials
//   PUT    /<id> {name?, config?, enabled?, credentials?}      the same, after the change: all of it or nothing
//   DELETE /<id>                 {ok, deleted}
//   POST   /<id>/test            {ok, verdict, reason, status, message}
//   POST   /<id>/share {org_id}  {ok}; /<id>/unshare too
//   POST   /verify {limit?, older_than_seconds?}               {ok, tested, verified, invalid, indeterminate, skipped}: for a schedule
//
// Must stay true: everything that a user may do themselves is called with their own JWT, so that hftok decides. The service's key serves
// only to verify: what the user may change, or what a key that hftok lets call `begin_verification()` has begun with.
import { type Members, members, readObject } from "../_shared/body.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { json, nowhere, segments, serve } from "../_shared/serve.ts";
import { read } from "../_shared/settings.ts";
import { asCaller, authenticate, type User } from "../_shared/user.ts";
import { one, shown } from "./rows.ts";
import { verifyDue } from "./schedule.ts";
import { Verifier } from "./verifier.ts";

const NAME = "integrations";
/** A service account's file has a few thousand bytes; the configuration may have as many. */
const LARGEST = 256 * 1024;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const CREATION = {
  name: "text",
  type: "text",
  credentials: "text or an object",
  config: "object",
  org_id: "text",
} as const;
const CHANGE = {
  name: "text",
  config: "object",
  enabled: "boolean",
  credentials: "text or an object",
} as const;

const settings = read();
const verifier = new Verifier(NAME, settings);

/** A request of a user, for one integration where it names one. */
interface Asked {
  request: Request;
  user: User;
  id: string;
}

type Route = (asked: Asked) => Promise<Response>;

const ALL: Record<string, Route> = { GET: list, POST: create };
const ONE: Record<string, Route> = { GET: show, PUT: change, DELETE: remove };
const PARTS: Record<string, Record<string, Route>> = {
  test: { POST: test },
  share: { POST: (asked) => share(asked, "share") },
  unshare: { POST: (asked) => share(asked, "unshare") },
};

serve(NAME, ["GET", "POST", "PUT", "DELETE"], settings, async (request) => {
  const [id, part, ...more] = segments(request, NAME);
  if (id === "verify" && part === undefined) return await verify(request);
  if (more.length > 0 || (id !== undefined && !ID.test(id))) throw nowhere();
  const routes = id === undefined ? ALL : part === undefined ? ONE : own(PARTS, part);
  const route = routes && own(routes, request.method);
  if (!routes) throw nowhere();
  if (!route) throw unserved(Object.keys(routes));
  return await route({ request, user: await authenticate(request, settings), id: id ?? "" });
});

async function list({ user }: Asked): Promise<Response> {
  const rows = await refusing("user", user.hftok.integrations.list());
  return json({ ok: true, integrations: await shown(user, rows) });
}

async function create({ request, user }: Asked): Promise<Response> {
  const body = members(await readObject(request, LARGEST), CREATION);
  const { name, type, credentials, config, org_id } = body;
  if (name === undefined || type === undefined || credentials === undefined) {
    throw new Refusal(400, "bad_input", "name, type and credentials must be given.");
  }
  const made = user.hftok.integrations.create(name, type, textOf(credentials), config, undefined, org_id);
  const id = await refusing("user", made);
  const isBegun = await verifier.begin({ id, version: 1 }, user);
  return json({ ok: true, id, status: isBegun ? "verifying" : "pending" }, 201);
}

async function show({ user, id }: Asked): Promise<Response> {
  return json({ ok: true, ...await one(user, id) });
}

async function change({ request, user, id }: Asked): Promise<Response> {
  const given: Members<typeof CHANGE> = members(await readObject(request, LARGEST), CHANGE);
  if (Object.keys(given).length === 0) {
    throw new Refusal(400, "bad_input", `One of ${Object.keys(CHANGE).join(", ")} must be given.`);
  }
  const { credentials, ...others } = given;
  const changed = credentials === undefined ? others : { ...others, credentials: textOf(credentials) };
  await refusing("user", user.hftok.integrations.update(id, changed));
  const row = await one(user, id);
  // The mask of what is stored is no new key, and what is known of that stays.
  const isUnknown = row.status === "pending" || row.status === "verifying";
  const isAsked = isUnknown && (credentials !== undefined || given.enabled === true);
  const status = isAsked && await verifier.begin({ id, version: row.version }, user)
    ? "verifying"
    : row.status;
  return json({ ok: true, ...row, status });
}

async function remove({ user, id }: Asked): Promise<Response> {
  return json({ ok: true, deleted: await refusing("user", user.hftok.integrations.remove(id)) });
}

async function test({ request, user, id }: Asked): Promise<Response> {
  members(await readObject(request, LARGEST), {});
  const { owned, version } = await one(user, id);
  if (!owned) {
    throw new Refusal(403, "not_allowed", "Only who may change this integration may have it tested.");
  }
  const { finding, message } = await verifier.test({ id, version }, user);
  const { verdict, reason, retryAfter } = finding;
  const { status } = await one(user, id);
  const wait = retryAfter === null ? {} : { retry_after: retryAfter };
  return json({ ok: verdict === "verified", verdict, reason, status, message, ...wait });
}

async function share({ request, user, id }: Asked, how: "share" | "unshare"): Promise<Response> {
  const { org_id } = members(await readObject(request, LARGEST), { org_id: "text" });
  if (org_id === undefined) throw new Refusal(400, "bad_input", "org_id must be given.");
  await refusing("user", user.hftok.integrations[how](id, org_id));
  return json({ ok: true });
}

async function verify(request: Request): Promise<Response> {
  if (request.method !== "POST") throw unserved(["POST"]);
  const shapes = { limit: "whole number", older_than_seconds: "whole number" } as const;
  const { limit, older_than_seconds } = members(await readObject(request, LARGEST), shapes);
  const due = { limit, olderThanSeconds: older_than_seconds };
  return json({ ok: true, ...await verifyDue(NAME, asCaller(request, settings), due, settings) });
}

/** A key, or an object as JSON. */
function textOf(credentials: string | Record<string, unknown>): string {
  return typeof credentials === "string" ? credentials : JSON.stringify(credentials);
}

/** A member of an object's own, by a name that came with a request. */
function own<Value>(object: Record<string, Value>, name: string): Value | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function unserved(methods: string[]): Refusal {
  const allow = [...methods, "OPTIONS"].join(", ");
  return new Refusal(405, "method_not_allowed", `Only ${allow} are served here.`, {}, { Allow: allow });
}
