// The walk as a ladder: what each level came to, where the walk ended, and who can change that.
//
// Must stay true:
// - Whether a level ended the walk is read from the rows behind it, never from a sentence: `detail` is for people who read SQL.
// - A level of which hftok shows no preview has none here either; nothing is guessed about keys that are not the reader's.

/** The levels, in the order in which they are asked. */
export const LEVELS = [
  "user_model",
  "org_model",
  "global_model",
  "user",
  "org",
  "global",
  "environment",
] as const;
/** One of the places where a credential can be. */
export type Level = typeof LEVELS[number];

/** What a level came to. */
export type Outcome =
  | "used"
  | "absent"
  | "expired"
  | "disabled"
  | "invalid"
  | "rate_limited"
  | "host_refused"
  | "not_member"
  | "decrypt_failed"
  | "sealed"
  | "not_reached";

/** What a level did to the walk. `unnamed`: the request named no owner or model that this level could have a key for. */
export type Effect = "won" | "empty" | "unnamed" | "went_on" | "stopped" | "not_asked";

/** Whose turn it is. `time`: nobody's, it passes by itself. */
export type Actor = "you" | "org_admin" | "org_owner" | "administrator" | "operator" | "time";

/** What they have to do. */
export type Remedy =
  | "replace"
  | "extend"
  | "switch_on"
  | "wait"
  | "allow_host"
  | "allow_host_in_catalogue"
  | "become_member"
  | "save_anew"
  | "unseal_org";

/** A row of explain_token(), as PostgREST answers it. */
export interface WalkRow {
  level: string | null;
  outcome: string | null;
  secret_id: string | null;
  preview: string | null;
  slot?: string | null;
}

/** A row of tokens_provided(). */
export interface ProvidedRow {
  level: string | null;
  provided: boolean | null;
}

/** The request that is explained. */
export interface WalkRequest {
  orgId?: string;
  model?: string;
}

/** Who reads: their role in the organisation of the request, and whether they administrate the application. */
export interface WalkReader {
  orgRole: "owner" | "admin" | "member" | null;
  isAdministrator: boolean;
}

/** One level of the ladder. */
export interface Rung {
  level: Level;
  outcome: Outcome;
  effect: Effect;
  /** Null where hftok does not show it to this reader. */
  secretId: string | null;
  preview: string | null;
  /** Which of several keys of one owner; empty for the usual one. */
  slot: string;
  /** Whether this level alone would give a token. */
  isProvided: boolean;
  /** Whose turn it is, and for what; null where nothing is wrong. */
  actor: Actor | null;
  remedy: Remedy | null;
}

/** The walk, and how it ended. */
export interface Ladder {
  rungs: Rung[];
  end: "won" | "stopped" | "none";
  /** The level that won, or stopped the walk. */
  last: Rung | null;
}

/** Makes the ladder of a walk. Rows of levels that this panel does not know are left out. */
export function ladderOf(
  rows: readonly WalkRow[],
  provided: readonly ProvidedRow[],
  request: WalkRequest,
  reader: WalkReader,
): Ladder {
  const known = LEVELS.flatMap((level) => {
    const row = rows.find((it) => it.level === level);
    return row && isOutcome(row.outcome) ? [{ level, row, outcome: row.outcome }] : [];
  });
  const rungs = known.map(({ level, row, outcome }, at): Rung => {
    const isLastAsked = known.slice(at + 1).every((later) => later.outcome === "not_reached");
    const remedy = remedyOf(level, outcome);
    return {
      level,
      outcome,
      effect: effectOf(level, outcome, isLastAsked, request),
      secretId: row.secret_id,
      preview: row.preview,
      slot: row.slot ?? "",
      isProvided: provided.some((it) => it.level === level && it.provided === true),
      actor: remedy === null ? null : actorOf(level, remedy, reader),
      remedy,
    };
  });
  const last = rungs.find(({ effect }) => effect === "won" || effect === "stopped") ?? null;
  return { rungs, end: last === null ? "none" : last.effect === "won" ? "won" : "stopped", last };
}

/** The level that would be used if the walk had not ended where it did: the first one behind it that has a usable key. */
export function nextInLine(ladder: Ladder): Rung | null {
  const at = ladder.last === null ? -1 : ladder.rungs.indexOf(ladder.last);
  return ladder.rungs.slice(at + 1).find(({ isProvided }) => isProvided) ?? null;
}

/** The scope of the credentials that a level has; null for the environment. */
export function scopeOf(level: Level): "user" | "org" | "global" | null {
  if (level === "environment") return null;
  return level.startsWith("user") ? "user" : level.startsWith("org") ? "org" : "global";
}

/** Whether a level's credentials are for one model alone. */
export function isOfModel(level: Level): boolean {
  return level.endsWith("_model");
}

const OUTCOMES: Record<Outcome, true> = {
  used: true,
  absent: true,
  expired: true,
  disabled: true,
  invalid: true,
  rate_limited: true,
  host_refused: true,
  not_member: true,
  decrypt_failed: true,
  sealed: true,
  not_reached: true,
};

function isOutcome(text: string | null): text is Outcome {
  return text !== null && Object.hasOwn(OUTCOMES, text);
}

function effectOf(level: Level, outcome: Outcome, isLastAsked: boolean, request: WalkRequest): Effect {
  switch (outcome) {
    case "used":
      return "won";
    case "not_reached":
      return "not_asked";
    case "absent": {
      const lacksModel = isOfModel(level) && !request.model;
      const lacksOrg = scopeOf(level) === "org" && !request.orgId;
      return lacksModel || lacksOrg ? "unnamed" : "empty";
    }
    default:
      // What can go on has a level behind it that was asked: only the environment has none, and nobody can allow it to.
      return isLastAsked ? "stopped" : "went_on";
  }
}

function remedyOf(level: Level, outcome: Outcome): Remedy | null {
  switch (outcome) {
    case "used":
    case "absent":
    case "not_reached":
      return null;
    case "expired":
      return "extend";
    case "disabled":
      return "switch_on";
    case "invalid":
      return "replace";
    case "rate_limited":
      return "wait";
    case "host_refused":
      return level === "environment" ? "allow_host_in_catalogue" : "allow_host";
    case "not_member":
      return "become_member";
    case "decrypt_failed":
      return "save_anew";
    case "sealed":
      return "unseal_org";
  }
}

function actorOf(level: Level, remedy: Remedy, reader: WalkReader): Actor {
  if (remedy === "wait") return "time";
  switch (scopeOf(level)) {
    case "user":
      return "you";
    case "org": {
      const isOwner = reader.orgRole === "owner";
      if (remedy === "unseal_org") return isOwner ? "you" : "org_owner";
      return isOwner || reader.orgRole === "admin" ? "you" : "org_admin";
    }
    case "global":
      return reader.isAdministrator ? "you" : "administrator";
    case null:
      return "operator";
  }
}
