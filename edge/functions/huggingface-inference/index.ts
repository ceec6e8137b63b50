// Asks a model of Hugging Face with the token that is the user's to use, and streams what it answers.
//
//   POST {model, messages, …}    a chat, by the router's OpenAI-compatible path
//   POST {model, inputs, …}      any other task
//
// `org_id` lets an organisation pay, `levels` limits whose tokens may be used. `x-hftok-source` of the answer says which level
// paid, or `none`: public models are asked without a token when there is none.
//
// Must stay true:
// - The token is the one that hftok resolves for this user and this host, or none. There is no other in this function, and
//   none in its environment: whoever pays was found by the walk.
// - It is sent to that host, and appears in no answer and no log.
// - No request of a user can make a token invalid: only the catalogue's own test request decides that.
import { inBackground } from "../_shared/background.ts";
import { readObject } from "../_shared/body.ts";
import { Destination } from "../_shared/destination.ts";
import { send } from "../_shared/outbound.ts";
import { IdleDeadline } from "../_shared/deadline.ts";
import { RecentKeys } from "../_shared/recent.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { relay } from "../_shared/relay.ts";
import { place, serve } from "../_shared/serve.ts";
import { read, variable } from "../_shared/settings.ts";
import { isRefused } from "../_shared/token_verdict.ts";
import { upstreamError } from "../_shared/upstream_error.ts";
import { authenticate, service } from "../_shared/user.ts";
import { parseRequest } from "./inference_request.ts";

const NAME = "huggingface-inference";
const PROVIDER = "huggingface";
/** Pictures and sounds come in base64. */
const LARGEST = 8 * 1024 * 1024;

const settings = read();
const base = baseOf(variable("HF_BASE_URL") ?? "https://router.huggingface.co");
const deadlineMs = Number(variable("HF_TIMEOUT_SECONDS") ?? 60) * 1000;
if (!(deadlineMs > 0)) throw new Error("HF_TIMEOUT_SECONDS must be a number above 0");
const verified = new RecentKeys(5 * 60 * 1000);

serve(NAME, ["POST"], settings, async (request) => {
  place(request, NAME, [""]);
  const user = await authenticate(request, settings);
  const { model, orgId, levels, path, body } = parseRequest(await readObject(request, LARGEST));
  const to = Destination.of(base + path);
  const hftok = service(settings);
  const need = { userId: user.id, orgId, model, host: to.host, levels };
  const resolved = await refusing("service", hftok.resolve(PROVIDER, need, request.signal));
  const { token } = resolved;
  const source = resolved.source ?? "none";
  const deadline = new IdleDeadline(deadlineMs, request.signal);
  try {
    const authorization: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` };
    const headers = { "Content-Type": "application/json", ...authorization };
    const answer = await send(to, { method: "POST", headers, body }, deadline);
    if (!answer.ok) {
      const refused = answer.status === 401 && await isRefused(hftok, PROVIDER, need, resolved);
      const page = `https://huggingface.co/${model}`;
      throw await upstreamError(
        answer,
        { provider: "Hugging Face", noun: "token", page, source, token },
        refused,
      );
    }
    const key = `${resolved.secret_id} ${resolved.version}`;
    const isNews = !verified.has(key);
    if (isNews) verified.note(key);
    inBackground(NAME, [
      hftok.recordUsage(resolved),
      ...(isNews ? [hftok.report(resolved, "verified")] : []),
    ]);
    const type = answer.headers.get("Content-Type") ?? "application/octet-stream";
    return new Response(relay(answer, token, deadline), {
      status: answer.status,
      headers: { "Content-Type": type, "x-hftok-source": source },
    });
  } catch (error) {
    deadline.end();
    if (error instanceof Refusal) error.headers["x-hftok-source"] = source;
    throw error;
  }
});

/** The base address. A wrong one is of no use to anybody, so it fails at the start and not at the first request. */
function baseOf(text: string): string {
  try {
    const { url } = Destination.of(text);
    if (url.search === "") return url.href.replace(/\/+$/, "");
  } catch {
    // Said below.
  }
  throw new Error(
    "HF_BASE_URL must be an https address, or an http address on this machine, without a query",
  );
}
