// What a person is told of each level of the walk: what it is, what it came to, and who must act.
//
// Must stay true: every outcome has words in every language, which the compiler sees to.
import type { why as WhyMessages } from "../messages/en/why.ts";
import type { Ladder, Level, Rung, WalkRequest } from "./ladder.ts";
import { isOfModel, scopeOf } from "./ladder.ts";

/** The texts of the page. */
export type WhyWords = typeof WhyMessages;

/** What is known of a rung's key beyond the walk. */
export interface KeyWords {
  /** The day on which it expired, written for people. */
  expired?: string;
}

/** The name of a level; an organisation that is named stands in it. */
export function levelTitle(
  level: Level,
  words: WhyWords,
  levels: Record<Level, string>,
  { orgId }: WalkRequest,
): string {
  if (orgId && (level === "org" || level === "org_model")) return words.orgLevels[level](orgId);
  return levels[level];
}

/** What a level came to, in sentences. */
export function reasonOf(rung: Rung, ladder: Ladder, words: WhyWords, key: KeyWords = {}): string {
  const { reasons } = words;
  const { effect, outcome } = rung;
  if (effect === "unnamed") return reasons[isOfModel(rung.level) ? unnamed(rung, ladder) : "unnamedOrg"];
  if (effect === "not_asked") {
    const why = ladder.end === "stopped" ? reasons.behindStop : reasons.behindWinner;
    return rung.isProvided ? `${why} ${reasons.spare}` : why;
  }
  if (outcome === "used" || outcome === "not_reached") {
    return words.pays[scopeOf(rung.level) ?? "environment"];
  }
  if (outcome === "absent" && rung.level === "environment") return reasons.absentLast;
  const said = outcome === "expired" && key.expired ? reasons.expiredOn(key.expired) : reasons[outcome];
  if (effect === "stopped") return `${said} ${words.stops}`;
  return effect === "went_on" ? `${said} ${words.goesOn}` : said;
}

/** The sentence on who must act; null where nobody has to. */
export function turnOf({ actor, remedy }: Rung, words: WhyWords): { who: string; what: string } | null {
  if (actor === null || remedy === null) return null;
  return { who: words.actors[actor], what: words.remedies[remedy] };
}

/** The headline: how the walk ended. */
export function endOf({ end, last }: Ladder, words: WhyWords): string {
  if (end === "none" || last === null) return words.ends.none;
  return end === "won" ? words.ends.won[last.level] : words.ends.stopped;
}

/** An organisation's level for a model lacks the one or the other: a model that is missing is missing at other levels, too. */
function unnamed(rung: Rung, { rungs }: Ladder): "unnamedModel" | "unnamedOrg" {
  if (scopeOf(rung.level) !== "org") return "unnamedModel";
  return rungs.some(({ level, effect }) => level === "user_model" && effect === "unnamed")
    ? "unnamedModel"
    : "unnamedOrg";
}
