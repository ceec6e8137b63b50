// A broker of models: any client of the OpenAI protocol asks a provider with the key that is the user's to use, and never holds it.
//
//   GET|POST /<provider>/v1/<path>     base_url = <functions>/inference/<provider>/v1, api_key = the user's JWT
//
// `x-hftok-org` lets an organisation pay, `x-hftok-levels` limits whose keys may be used, `x-hftok-model` names the model that a key
// was saved for where it is not the request's own. `x-hftok-source` of the answer says which level paid.
//
// Must stay true:
// - The key is the one that hftok resolves for this user and this host. There is no other in this function, and none in its environment.
// - It is sent to that host, and appears in no answer and no log.
// - No request of a user can make a key invalid: only the catalogue's own test request decides that.
// - Of a key that people share who may not see each other's, nothing is kept in the provider's account.
import { inBackground } from "../_shared/background.ts";
import { IdleDeadline } from "../_shared/deadline.ts";
import { send } from "../_shared/outbound.ts";
import { Refusal } from "../_shared/refusal.ts";
import { relay } from "../_shared/relay.ts";
import { serve } from "../_shared/serve.ts";
import { read, variable } from "../_shared/settings.ts";
import { isRefused } from "../_shared/token_verdict.ts";
import { upstreamError } from "../_shared/upstream_error.ts";
import { authenticate, service } from "../_shared/user.ts";
import { bodyFor, parseQuestion, routeOf } from "./question.ts";
import { release } from "./release.ts";
import { mayRefuseKey, pageOf, speakerOf } from "./speaker.ts";
import { Usage } from "./usage.ts";

const NAME = "inference";

const settings = read();
const deadlineMs = Number(variable("INFERENCE_TIMEOUT_SECONDS") ?? 60) * 1000;
if (!(deadlineMs > 0)) throw new Error("INFERENCE_TIMEOUT_SECONDS must be a number above 0");

serve(NAME, ["GET", "POST"], settings, async (request) => {
  const route = routeOf(request, NAME);
  const user = await authenticate(request, settings);
  const question = await parseQuestion(request, route);
  const hftok = service(settings);
  const speaker = await speakerOf(hftok, route.provider);
  const need = { userId: user.id, orgId: question.orgId, model: question.model, levels: question.levels };
  const released = await release(hftok, speaker, need, route.path, request.signal);
  const { resolved, key, to } = released;
  const source = resolved.source ?? "none";
  const deadline = new IdleDeadline(deadlineMs, request.signal);
  try {
    const headers = { ...question.headers, [speaker.header]: speaker.prefix + key };
    const body = bodyFor(source, question, route);
    const answer = await send(to, { method: request.method, headers, body }, deadline);
    if (!answer.ok) {
      const isAsked = mayRefuseKey(speaker, answer.status);
      const refused = isAsked && await isRefused(hftok, speaker.name, need, resolved);
      const page = pageOf(speaker, question.model);
      throw await upstreamError(
        answer,
        { provider: speaker.label, noun: "key", page, source, token: key },
        refused,
      );
    }
    const type = answer.headers.get("Content-Type") ?? "application/octet-stream";
    const usage = new Usage(type);
    inBackground(NAME, [usage.ended.then((units) => hftok.recordUsage(resolved, { units }))]);
    return new Response(relay(answer, key, deadline, usage), {
      status: answer.status,
      headers: { "Content-Type": type, "x-hftok-source": source },
    });
  } catch (error) {
    deadline.end();
    if (error instanceof Refusal) error.headers["x-hftok-source"] = source;
    throw error;
  }
});
