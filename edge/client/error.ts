// Every way in which a call of hftok fails, as one class: what the caller can decide by, and words for people.
//
// Must stay true: no error holds a value. The server's SQLSTATE and status are kept, and the texts that hftok promises
// to be free of values; anything else is dropped, because Postgres quotes a value that it could not read. Every SQLSTATE has a
// kind: hftok's own by name, Postgres' and PostgREST's by their class.
import { isObject } from "./json.ts";

/** The kind of error, which a program can decide by. */
export type Kind =
  | "bad_input"
  | "unauthenticated"
  | "not_allowed"
  | "not_found"
  | "not_by_get"
  | "exists"
  | "conflict"
  | "too_large"
  | "too_often"
  | "unusable"
  | "sealed"
  | "audit_full"
  | "no_such_call"
  | "read_only"
  | "busy"
  | "timeout"
  | "unreachable"
  | "unexpected";

/** The meaning of each kind, in words for people. */
const MEANINGS: Record<Kind, string> = {
  bad_input: "What was sent cannot be used",
  unauthenticated: "Nobody is signed in, or the session has ended",
  not_allowed: "This is not allowed",
  not_found: "There is none, or it belongs to somebody else",
  not_by_get: "Secrets are given and taken by POST only",
  exists: "There is one already",
  conflict: "It was changed by somebody else in the meantime",
  too_large: "It is larger, or there are more of them, than allowed",
  too_often: "It was asked for too often",
  unusable: "A credential is there, but it cannot be used",
  sealed: "The vault is sealed: an operator has to open it",
  no_such_call: "The database has nothing of this name for the caller",
  read_only: "This server only reads",
  busy: "The database has no room for this at the moment",
  audit_full: "The audit cannot take the event, so nothing is handed out",
  timeout: "The database did not answer in time",
  unreachable: "The database cannot be reached",
  unexpected: "The database answered something unexpected",
};

const KINDS: Record<string, Kind> = {
  // PostgREST, where its session broke off within the request; supabase-js, where it had no answer.
  "": "unreachable",
  "22023": "bad_input",
  "42501": "not_allowed",
  PT404: "not_found",
  PT405: "not_by_get",
  "23505": "exists",
  PT409: "conflict",
  PT413: "too_large",
  PT422: "unusable",
  PT429: "too_often",
  "53HF1": "sealed",
  "53HF2": "audit_full",
  "25006": "read_only",
  "57014": "timeout",
  "55P03": "busy",
  // A type, schema, table, column or function that is not there, or not under this name.
  "3F000": "no_such_call",
  "42P01": "no_such_call",
  "42703": "no_such_call",
  "42883": "no_such_call",
};

/** The kind of what has no entry of its own, by how its code begins: the longest comes first. */
const CLASSES: [beginning: string, kind: Kind][] = [
  // PostgREST: its database, its schemas and names, the JWT.
  ["PGRST00", "unreachable"],
  ["PGRST106", "no_such_call"],
  ["PGRST20", "no_such_call"],
  ["PGRST30", "unauthenticated"],
  ["PGRST1", "bad_input"],
  // Postgres: values and constraints, a form that it does not have, resources, two at once, its end, its connection.
  ["22", "bad_input"],
  ["23", "bad_input"],
  ["0A", "bad_input"],
  ["53", "busy"],
  ["40", "conflict"],
  ["57P", "unreachable"],
  ["08", "unreachable"],
];

/** Why a credential that is there cannot be used. */
const OUTCOMES: Record<string, string> = {
  expired: "it has expired",
  disabled: "it is switched off",
  invalid: "the provider refused it",
  decrypt_failed: "it was changed outside the vault",
  not_member: "the user does not belong to the organisation",
  host_refused: "it may not be sent to this host",
  rate_limited: "its provider asked for a rest",
  sealed: "its organisation has sealed it",
  not_vouched_for: "what the catalogue says of its provider was changed outside the vault",
};

/** Facts that are known beyond the kind. */
interface Facts {
  status?: number;
  code?: string;
  reason?: string;
  level?: string;
  outcome?: string;
  secretId?: string;
  retryAfter?: number;
  field?: string;
}

/** A call that failed. */
export class HftokError extends Error {
  override readonly name = "HftokError";
  readonly kind: Kind;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The SQLSTATE, or PostgREST's own code. */
  readonly code: string | null;
  /** For bad input: what is wrong with it, without quoting it. */
  readonly reason: string | null;
  /** For bad input: the field of the credential that is missing or wrong, where it is one. */
  readonly field: string | null;
  /** For unusable: the level at which the walk stopped, why, and which credential it is. */
  readonly level: string | null;
  readonly outcome: string | null;
  readonly secretId: string | null;
  /** The seconds until the next time: for too_often, and for unusable with the outcome rate_limited. */
  readonly retryAfter: number | null;

  constructor(kind: Kind, facts: Facts = {}) {
    super(sentence(kind, facts));
    this.kind = kind;
    this.status = facts.status ?? 0;
    this.code = facts.code ?? null;
    this.reason = facts.reason ?? null;
    this.field = facts.field ?? null;
    this.level = facts.level ?? null;
    this.outcome = facts.outcome ?? null;
    this.secretId = facts.secretId ?? null;
    this.retryAfter = facts.retryAfter ?? null;
  }

  /** The error in an answer of PostgREST; `body` is the parsed answer, or what `error` holds in supabase-js. */
  static of(status: number, body: unknown): HftokError {
    const answer = isObject(body) ? body : {};
    const code = typeof answer.code === "string" ? answer.code : undefined;
    const kind = kindOf(status, code);
    // Only hftok's own messages: Postgres quotes.
    if (code === "22023" && typeof answer.message === "string") {
      return new HftokError(kind, { status, code, reason: answer.message, ...told(answer.details) });
    }
    const beyond = kind === "unusable"
      ? told(answer.details)
      : kind === "too_often"
      ? wait(answer.details)
      : {};
    return new HftokError(kind, { status, code, ...beyond });
  }
}

function kindOf(status: number, code: string | undefined): Kind {
  // PostgREST answers 401 to a role that is not signed in, and with codes of its own to a JWT that is none.
  if (status === 401) return "unauthenticated";
  if (code === undefined) return "unexpected";
  return KINDS[code] ?? CLASSES.find(([beginning]) => code.startsWith(beginning))?.[1] ?? "unexpected";
}

/** What hftok says as JSON: the level at which the walk stopped, or the field that is wrong. */
function told(details: unknown): Facts {
  if (typeof details !== "string") return {};
  try {
    const said: unknown = JSON.parse(details);
    if (!isObject(said)) return {};
    const text = (name: string) => typeof said[name] === "string" ? said[name] : undefined;
    const retryAfter = typeof said.retry_after === "number" ? said.retry_after : undefined;
    const secretId = text("secret_id");
    return { level: text("level"), outcome: text("outcome"), secretId, retryAfter, field: text("field") };
  } catch {
    return {};
  }
}

/** The wait, out of the sentence in which hftok says it. */
function wait(details: unknown): Facts {
  const seconds = typeof details === "string" ? /\bthe next in (\d+) s\b/.exec(details)?.[1] : undefined;
  return seconds === undefined ? {} : { retryAfter: Number(seconds) };
}

function sentence(kind: Kind, { reason, level, outcome, retryAfter }: Facts): string {
  if (kind === "bad_input" && reason) return `${MEANINGS[kind]}: ${reason}.`;
  if (kind === "too_often") return `${MEANINGS[kind]}: try again in ${retryAfter ?? 60} seconds.`;
  if (kind !== "unusable" || !level || !outcome) return `${MEANINGS[kind]}.`;
  return `${MEANINGS[kind]} (level ${level}): ${OUTCOMES[outcome] ?? outcome}.`;
}
