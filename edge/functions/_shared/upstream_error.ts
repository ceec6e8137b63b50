// Refusals by a provider that was asked for a model, in words for people.
//
// Must stay true: nothing of the provider's answer is passed on except what it says of the request's own content, and that only with
// the token out of it. A refusal of the token is not 401 to the client, who would take it for the end of their session.
import { readUpTo } from "./body.ts";
import { Refusal } from "./refusal.ts";
import { redacted } from "./redact.ts";

/** The provider that was asked, and the key that pays. */
export interface Payer {
  /** The provider's name for people. */
  provider: string;
  /** The word for a key of this provider. */
  noun: "token" | "key";
  /** The page where the model's conditions are accepted, where it has one. */
  page: string | null;
  /** The level of the walk, or `none`. */
  source: string;
  /** The value, or null when there is none. */
  token: string | null;
}

const LARGEST = 64 * 1024;
const LONGEST_COMPLAINT = 500;

/** The refusal for an answer that is no success. `isRefused`: the key itself is refused. */
export async function upstreamError(answer: Response, payer: Payer, isRefused: boolean): Promise<Refusal> {
  const because = (status: number, code: string, message: string, headers: Record<string, string> = {}) =>
    new Refusal(status, code, message, {}, headers);
  const gated = answer.headers.get("X-Error-Code") === "GatedRepo";
  const { provider, noun } = payer;
  const whose = `the ${noun} of level ${payer.source}`;
  if (gated && (answer.status === 401 || answer.status === 403)) {
    const conditions = payer.page === null ? "its conditions" : `its conditions on ${payer.page}`;
    return because(
      403,
      "gated",
      payer.token === null
        ? `This model is gated: accept ${conditions}, and save a ${noun} of that account.`
        : `This model is gated: the account of ${whose} has to accept ${conditions}.`,
    );
  }
  if (isRefused) return because(422, "token_refused", `${provider} refuses ${whose}. Save a new one.`);
  switch (answer.status) {
    case 401:
      if (payer.token === null) {
        return because(
          403,
          "token_needed",
          `This model needs a ${provider} ${noun}, and there is none. Save one.`,
        );
      }
      return because(
        403,
        "forbidden",
        `${provider} does not show this model to ${whose}: it is private, or not there.`,
      );
    case 402:
      return because(402, "no_credit", `The account of ${whose} has no credit left.`);
    case 403:
      return because(
        403,
        "forbidden",
        payer.token === null
          ? `${provider} does not let this model be used without a ${noun}.`
          : `${provider} does not let ${whose} use this model: it lacks a permission, or a policy blocks it.`,
      );
    case 404:
      return because(404, "no_model", "There is no such model, or it is private or not served.");
    case 429: {
      const seconds = wait(answer.headers);
      const when = seconds === null ? "later" : `in ${seconds} seconds`;
      const limited = payer.token === null ? `requests without a ${noun}` : `the account of ${whose}`;
      const headers: Record<string, string> = seconds === null ? {} : { "Retry-After": String(seconds) };
      return because(429, "rate_limited", `${provider} limits ${limited}. Try again ${when}.`, headers);
    }
    case 400:
    case 413:
    case 422: {
      const complaint = await complained(answer, payer.token);
      return because(answer.status, "bad_request", `The model cannot take this request${complaint}.`);
    }
    case 503:
      return because(503, "unavailable", "The model is being loaded, or is not available. Try again later.");
    default:
      return because(502, "failed", `${provider} answered with status ${answer.status}.`);
  }
}

/** The seconds to wait, by either of the headers that say so. */
function wait(headers: Headers): number | null {
  const after = headers.get("Retry-After") ?? "";
  const left = headers.get("RateLimit")?.match(/;\s*t=(\d{1,6})/)?.[1];
  const seconds = /^\d{1,6}$/.test(after) ? after : left;
  if (seconds !== undefined) return Number(seconds);
  const date = after.endsWith("GMT") ? Date.parse(after) : NaN;
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

/** The complaint about the request, without the token in case it is quoted. */
async function complained(answer: Response, token: string | null): Promise<string> {
  const bytes = await readUpTo(LARGEST, answer.body).catch(() => null);
  let text: unknown;
  try {
    const parsed = JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
    // Google puts it into a list.
    const { error, message } = Array.isArray(parsed) ? parsed[0] : parsed;
    text = typeof error === "string" ? error : error?.message ?? message;
  } catch {
    return "";
  }
  if (typeof text !== "string") return "";
  return `: ${redacted(text, token).slice(0, LONGEST_COMPLAINT).replace(/\.+$/, "")}`;
}
