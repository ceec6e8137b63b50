// Everything that can fail in the panel, as one class: a call of hftok by PostgREST, and a call of an edge function.
//
// Must stay true: nothing in a failure is a value. Texts are those of the edge functions and of the client, which promise it; whatever
// else was thrown is known by its kind alone.
import { HftokError } from "../../../../client/mod.ts";

/** Facts beyond code and message. */
export interface FailureFacts {
  status?: number;
  level?: string;
  outcome?: string;
  field?: string;
  retryAfter?: number;
}

/** A call that failed: a code to decide by, and a sentence in English that the panel's messages replace where they know the code. */
export class Failure extends Error {
  override readonly name = "Failure";
  /** A kind of the client (`sealed`, `not_allowed`, …) or a code of an edge function (`no_token`, …). */
  readonly code: string;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The level of the walk, and why its credential cannot be used. */
  readonly level: string | null;
  readonly outcome: string | null;
  /** The field of a credential that is missing or wrong. */
  readonly field: string | null;
  /** Seconds until the next time. */
  readonly retryAfter: number | null;

  constructor(code: string, message: string, facts: FailureFacts = {}) {
    super(message);
    this.code = code;
    this.status = facts.status ?? 0;
    this.level = facts.level ?? null;
    this.outcome = facts.outcome ?? null;
    this.field = facts.field ?? null;
    this.retryAfter = facts.retryAfter ?? null;
  }

  /** What was thrown, as a failure. */
  static of(error: unknown): Failure {
    if (error instanceof Failure) return error;
    if (!(error instanceof HftokError)) return new Failure("unexpected", "Something unexpected happened.");
    return new Failure(error.kind, error.message, {
      status: error.status,
      level: error.level ?? undefined,
      outcome: error.outcome ?? undefined,
      field: error.field ?? undefined,
      retryAfter: error.retryAfter ?? undefined,
    });
  }

  /** The refusal that an edge function answered. */
  static answered(status: number, body: unknown, retryAfter: string | null): Failure {
    const error = member(body, "error");
    const text = (name: string) => {
      const value = member(error, name);
      return typeof value === "string" ? value : undefined;
    };
    const seconds = Number(retryAfter ?? Number.NaN);
    return new Failure(text("code") ?? codeOf(status), text("message") ?? "Something unexpected happened.", {
      status,
      level: text("level"),
      outcome: text("outcome"),
      field: text("field"),
      retryAfter: Number.isFinite(seconds) ? seconds : undefined,
    });
  }

  /** Whether the same call may succeed in a moment. */
  get passes(): boolean {
    return ["unreachable", "timeout", "busy"].includes(this.code);
  }
}

/** The code of an answer that is not one of ours: of a gateway that stands in front. */
function codeOf(status: number): string {
  if (status === 401) return "unauthenticated";
  if (status === 403) return "not_allowed";
  if (status === 404) return "no_such_call";
  if (status === 429) return "too_often";
  return status >= 500 ? "unreachable" : "unexpected";
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
