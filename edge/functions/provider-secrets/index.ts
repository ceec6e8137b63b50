// A user's keys for all providers: which there are, saving, replacing, deleting and testing them, and their former values. So too an
// organisation's and the installation's, by who may write those.
//
//   GET    /                               {ok, secrets}: one for each provider that is switched on
//   GET    /<provider>                     {ok, provider, label, configured, …}: never the value
//   POST   /  {provider, secret, …}        201 {ok, id, preview, version, warnings}; 409 when there is one
//   PUT    /<provider> {secret, version?}  the same; 404 when there is none, 409 when another version is the current one
//   DELETE /<provider>                     {ok, deleted}
//   POST   /<provider>/test {secret?}      {ok, verdict, reason, message, warnings}: of the stored one, or of one that is not saved
//   GET    /<provider>/history             {ok, versions}
//   POST   /<provider>/restore {version?}  {ok, version}: the one before, when none is named
//
// `model`, `org_id` and `global` name another owner or use: in the body of POST and PUT, in the query of GET and DELETE.
//
// Must stay true: everything that a user may do themselves is called with their own JWT, so that hftok decides. The
// service's key serves only to test what is stored, after hftok said that this user may write it.
import { members, readObject } from "../_shared/body.ts";
import { textOf } from "../_shared/credential_text.ts";
import { testInBackground, testStored, testUnsaved } from "../_shared/credential_test.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { json, nowhere, segments, serve } from "../_shared/serve.ts";
import { read } from "../_shared/settings.ts";
import { queried, WHOSE, type Whose } from "../_shared/stored_credential.ts";
import { authenticate, type User } from "../_shared/user.ts";
import { create, replace, SAVING } from "./saving.ts";
import { listed, shown } from "./secret.ts";
import { restore, versions } from "./versions.ts";

const NAME = "provider-secrets";
/** A service account's file has a few thousand bytes. */
const LARGEST = 64 * 1024;

const settings = read();

/** A request for one provider. */
interface Asked {
  request: Request;
  user: User;
  provider: string;
}

type Route = (asked: Asked) => Promise<Response>;

const ONE: Record<string, Route> = { GET: show, PUT: put, DELETE: remove };
const PARTS: Record<string, Record<string, Route>> = {
  test: { POST: test },
  history: { GET: history },
  restore: { POST: bringBack },
};

serve(NAME, ["GET", "POST", "PUT", "DELETE"], settings, async (request) => {
  const [provider, part, ...more] = segments(request, NAME);
  const routes = provider === undefined
    ? { GET: list, POST: post }
    : part === undefined
    ? ONE
    : own(PARTS, part);
  if (!routes || more.length > 0) throw nowhere();
  const route = own<Route>(routes, request.method);
  if (!route) {
    const allow = [...Object.keys(routes), "OPTIONS"].join(", ");
    throw new Refusal(405, "method_not_allowed", `Only ${allow} are served here.`, {}, { Allow: allow });
  }
  return await route({ request, user: await authenticate(request, settings), provider: provider ?? "" });
});

/** A member of an object's own, by a name that came with a request. */
function own<Value>(object: Record<string, Value>, name: string): Value | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

async function list({ request, user }: Asked): Promise<Response> {
  return json({ ok: true, secrets: await listed(user, queried(request)) });
}

async function show({ request, user, provider }: Asked): Promise<Response> {
  return json({ ok: true, ...await shown(user, provider, queried(request)) });
}

async function post({ request, user }: Asked): Promise<Response> {
  const body = members(await readObject(request, LARGEST), { provider: "text", ...SAVING });
  const { provider, ...saving } = body;
  if (provider === undefined) throw new Refusal(400, "bad_input", "provider must be given.");
  const saved = await create(user, provider, saving);
  verify(user, provider, saving);
  return json({ ok: true, ...saved }, 201);
}

async function put({ request, user, provider }: Asked): Promise<Response> {
  const saving = members(await readObject(request, LARGEST), { ...SAVING, version: "whole number" });
  const saved = await replace(user, provider, saving);
  verify(user, provider, saving);
  return json({ ok: true, ...saved });
}

async function remove({ request, user, provider }: Asked): Promise<Response> {
  const { model, org_id, global } = queried(request);
  const deleted = await refusing("user", user.hftok.remove(provider, { model, orgId: org_id, global }));
  return json({ ok: true, deleted });
}

async function test({ request, user, provider }: Asked): Promise<Response> {
  const body = members(await readObject(request, LARGEST), { secret: "text or an object", ...WHOSE });
  const { secret, ...whose } = body;
  const tested = secret === undefined
    ? await testStored(user, provider, whose, settings, request.signal)
    : await testUnsaved(user, provider, await textOf(user, provider, secret), request.signal);
  return json({ ok: tested.verdict === "verified", ...tested });
}

async function history({ request, user, provider }: Asked): Promise<Response> {
  return json({ ok: true, versions: await versions(user, provider, queried(request)) });
}

async function bringBack({ request, user, provider }: Asked): Promise<Response> {
  const body = members(await readObject(request, LARGEST), { version: "whole number", ...WHOSE });
  const { version, ...whose } = body;
  const current = await restore(user, provider, whose, version);
  verify(user, provider, whose);
  return json({ ok: true, version: current });
}

/** The provider is asked by itself after saving; the status shows what it said. */
function verify(user: User, provider: string, { model, org_id, global }: Whose): void {
  testInBackground(NAME, user, provider, { model, org_id, global }, settings);
}
