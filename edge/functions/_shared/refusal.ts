// Answers that are no success: a status, a code to decide by, and a sentence for people.
//
// Must stay true: everything in a refusal is ours, or is a text that hftok promises to be free of values. A user learns
// the level of a credential that is not their own, and why it cannot be used, but never its id.
import { HftokError, type Kind } from "./client/mod.ts";

/** The reason for which a request is not served. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  /** More to decide by, beside code and message. */
  readonly facts: Record<string, string | number>;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    message: string,
    facts: Record<string, string | number> = {},
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.facts = facts;
    this.headers = headers;
  }
}

const STATUS: Record<Kind, number> = {
  bad_input: 400,
  unauthenticated: 401,
  not_allowed: 403,
  not_found: 404,
  not_by_get: 405,
  exists: 409,
  conflict: 409,
  too_large: 413,
  unusable: 422,
  too_often: 429,
  no_such_call: 500,
  unexpected: 502,
  unreachable: 502,
  sealed: 503,
  audit_full: 503,
  read_only: 503,
  busy: 503,
  timeout: 504,
};

/** The refusal that a user gets for a failed call of hftok; `as` says with whose key the call was made. */
export function refusalOf(error: HftokError, as: "user" | "service"): Refusal {
  if (as === "service" && (error.kind === "unauthenticated" || error.kind === "not_allowed")) {
    return new Refusal(500, "misconfigured", "This function's own key is not accepted by the vault.");
  }
  const facts: Record<string, string> = {};
  if (error.level) facts.level = error.level;
  if (error.outcome) facts.outcome = error.outcome;
  if (error.field) facts.field = error.field;
  const headers: Record<string, string> = error.retryAfter ? { "Retry-After": String(error.retryAfter) } : {};
  return new Refusal(STATUS[error.kind], error.kind, error.message, facts, headers);
}

/** Runs calls of hftok, and turns a failure into a refusal. */
export async function refusing<Answer>(as: "user" | "service", calls: Promise<Answer>): Promise<Answer> {
  try {
    return await calls;
  } catch (error) {
    throw error instanceof HftokError ? refusalOf(error, as) : error;
  }
}
