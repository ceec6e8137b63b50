// The keys of the installation, for administrators of the application: whether there are any, and saving them.
//
//   GET                                                          {ok, settings: {<provider>: {label, token_provided}}, huggingface_token_provided}
//   PUT {huggingface_token?, tokens?: {<provider>: token|null}}  the same; null removes one
//
// Must stay true:
// - Answers have booleans only: no value, no preview, no id.
// - Everything but the test of what was saved is called with the caller's own JWT, so that hftok decides and its audit names them.
// - Everything in a request is looked at before any of it is saved.
import { readObject } from "../_shared/body.ts";
import { testInBackground } from "../_shared/credential_test.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { json, place, serve } from "../_shared/serve.ts";
import { read } from "../_shared/settings.ts";
import { storedCredentials } from "../_shared/stored_credential.ts";
import { authenticate, type User } from "../_shared/user.ts";
import { admit, apply, parseChanges, type Provider } from "./changes.ts";

const NAME = "system-settings";
/** A service account's file has a few thousand bytes, and there may be several. */
const LARGEST = 256 * 1024;
const GLOBAL = { global: true } as const;
/** States in which a key is there, and is not used. */
const UNUSED = ["disabled", "expired", "invalid"];

const settings = read();

serve(NAME, ["GET", "PUT"], settings, async (request) => {
  place(request, NAME, [""]);
  const user = await administrator(request);
  if (request.method === "PUT") {
    const changes = parseChanges(await readObject(request, LARGEST));
    await admit(user, changes, await catalogue(user));
    await apply(user, changes);
    const saved = changes.filter(({ secret }) => secret !== null);
    for (const { provider } of saved) testInBackground(NAME, user, provider, GLOBAL, settings);
  }
  return json({ ok: true, ...await shown(user) });
});

/** The user who sent the request, if they are an administrator: nobody else sees the list of them. */
async function administrator(request: Request): Promise<User> {
  const user = await authenticate(request, settings);
  const rows = user.hftok.rows("administrators", { user_id: `eq.${user.id}`, select: "user_id" });
  if ((await refusing("user", rows)).length > 0) return user;
  throw new Refusal(
    403,
    "not_allowed",
    "Only administrators of the application see and change its settings.",
  );
}

async function catalogue(user: User): Promise<Provider[]> {
  return await refusing(
    "user",
    user.hftok.rows("providers", { select: "name,label,enabled", order: "label" }),
  );
}

async function shown(user: User) {
  const [providers, rows] = await Promise.all([catalogue(user), storedCredentials(user, GLOBAL)]);
  const provided = new Set(
    rows.filter(({ status }) => !UNUSED.includes(status ?? "")).map(({ provider }) => provider),
  );
  const shown = providers.filter(({ enabled }) => enabled !== false).map((
    { name, label },
  ) => [name, { label: label ?? name, token_provided: provided.has(name) }]);
  return { settings: Object.fromEntries(shown), huggingface_token_provided: provided.has("huggingface") };
}
