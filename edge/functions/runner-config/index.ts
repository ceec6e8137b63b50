// The variables of the environment that a process needs to call providers for a user: for those who start such processes.
//
//   POST {user_id, providers?, org_id?, model?, levels?}    {ok, environment}: a value a name, or null for a name to be unset
//
// `user_id` is always said: null where it is nobody's in particular, and an organisation or the installation pays.
//
// Must stay true:
// - It has no key of its own. The caller's is sent on, and hftok decides whether it is the service's.
// - Its answer holds values, which is what it is for. Nothing else of it does: no log, no error.
import { members, readObject } from "../_shared/body.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { json, place, serve } from "../_shared/serve.ts";
import { readConnection } from "../_shared/settings.ts";
import { asCaller } from "../_shared/user.ts";

const NAME = "runner-config";
const LARGEST = 16 * 1024;
const BODY = {
  user_id: "text",
  providers: "list of texts",
  org_id: "text",
  model: "text",
  levels: "list of texts",
} as const;

const settings = readConnection();

serve(NAME, ["POST"], settings, async (request) => {
  place(request, NAME, [""]);
  const hftok = asCaller(request, settings);
  const body = await readObject(request, LARGEST);
  // hftok cannot tell a user that was forgotten from none, whose processes the installation pays for.
  if (!("user_id" in body)) {
    throw new Refusal(400, "bad_input", "user_id must be a user, or null for nobody in particular.");
  }
  const { user_id, providers, org_id, model, levels } = members(body, BODY);
  const environment = await refusing(
    "user",
    hftok.call("runner_env", {
      p_user_id: user_id ?? null,
      p_providers: providers,
      p_org_id: org_id,
      p_model: model,
      p_levels: levels,
    }, request.signal),
  );
  return json({ ok: true, environment });
});
