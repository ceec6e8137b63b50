// A user's Hugging Face token: saving it, asking whether there is one, deleting it, testing it. So too an organisation's and
// the installation's, by who may write those.
//
//   POST   {token}                     {ok, id, preview, warnings}
//   GET                                {ok, configured, preview, status, …}: never the token
//   DELETE                             {ok, deleted}
//   POST   /test {} or {token}         {ok, verdict, reason, message, warnings}: of the stored token, or of one that is not saved
//
// `model`, `org_id` and `global` name another owner or use: in the body of POST, in the query of GET and DELETE.
//
// Must stay true: everything that a user may do themselves is called with their own JWT, so that hftok decides. The
// service's key serves only to test what is stored, after hftok said that this user may write it.
import { type Members, members, readObject } from "../_shared/body.ts";
import { testStored, testUnsaved } from "../_shared/credential_test.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { json, place, serve } from "../_shared/serve.ts";
import { read } from "../_shared/settings.ts";
import { queried, storedCredential, WHOSE, type Whose } from "../_shared/stored_credential.ts";
import { authenticate, type User } from "../_shared/user.ts";

const NAME = "save-hf-token";
const PROVIDER = "huggingface";
/** A token is a line; JSON around it, and a model's name, are not much more. */
const LARGEST = 16 * 1024;
const BODY = { token: "text", ...WHOSE } as const;

const settings = read();

serve(NAME, ["GET", "POST", "DELETE"], settings, async (request) => {
  const isTest = place(request, NAME, ["", "test"]) === "test";
  const user = await authenticate(request, settings);
  if (request.method === "POST") {
    const body = members(await readObject(request, LARGEST), BODY);
    return isTest ? await test(request, user, body) : await save(user, body);
  }
  if (isTest) {
    throw new Refusal(405, "method_not_allowed", "Tests are made by POST.", {}, { Allow: "POST, OPTIONS" });
  }
  const whose = queried(request);
  return request.method === "GET" ? await show(user, whose) : await remove(user, whose);
});

async function save(user: User, { token, ...whose }: Members<typeof BODY>): Promise<Response> {
  if (token === undefined) throw new Refusal(400, "bad_input", "token must be given.");
  const saved = await refusing(
    "user",
    user.hftok.call("save_hf_token", {
      p_token: token,
      p_model: whose.model,
      p_org_id: whose.org_id,
      p_global: whose.global,
    }),
  );
  return json({ ok: true, id: saved.secret_id, preview: saved.preview, warnings: saved.warnings ?? [] });
}

async function show(user: User, whose: Whose): Promise<Response> {
  const row = await storedCredential(user, PROVIDER, whose);
  if (!row) return json({ ok: true, configured: false });
  const { secret_id, preview, status, warnings, expires_at, last_verified_at, updated_at } = row;
  const known = { preview, status, warnings: warnings ?? [], expires_at, last_verified_at, updated_at };
  return json({ ok: true, configured: true, id: secret_id, ...known });
}

async function remove(user: User, { model, org_id, global }: Whose): Promise<Response> {
  const deleted = await refusing("user", user.hftok.remove(PROVIDER, { model, orgId: org_id, global }));
  return json({ ok: true, deleted });
}

async function test(
  request: Request,
  user: User,
  { token, ...whose }: Members<typeof BODY>,
): Promise<Response> {
  const tested = token === undefined
    ? await testStored(user, PROVIDER, whose, settings, request.signal)
    : await testUnsaved(user, PROVIDER, token, request.signal);
  return json({ ok: tested.verdict === "verified", ...tested });
}
