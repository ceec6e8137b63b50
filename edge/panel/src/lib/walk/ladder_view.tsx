// The ladder as people see it: the levels from the top, each with what it came to, and how the walk ended.
//
// Must stay true: colour and line say nothing that the words do not say, too.
import {
  ArrowRight,
  Building2,
  Check,
  CircleMinus,
  CircleSlash2,
  CornerRightDown,
  Globe,
  type LucideIcon,
  Server,
  UserRound,
} from "lucide-react";
import { Link } from "react-aria-components";
import { useMessages } from "../connection/provider.tsx";
import { useFormat } from "../hooks/format.ts";
import type { KeyFacts } from "../hooks/walk.ts";
import { type BadgeTone, Mask, StatusBadge } from "../primitives/index.ts";
import {
  type Effect,
  type Ladder,
  type Level,
  nextInLine,
  type Rung,
  scopeOf,
  type WalkRequest,
} from "./ladder.ts";
import { endOf, levelTitle, reasonOf, turnOf } from "./words.ts";

/** A place where something can be done about a level. */
export interface WalkPlace {
  level: Level;
  provider: string;
  orgId?: string;
  model?: string;
}

/** The address of the page for a place; undefined where there is none for this person. */
export type LinkTo = (place: WalkPlace) => string | undefined;

/** The walk that is shown. */
export interface WalkShown {
  ladder: Ladder;
  request: WalkRequest & { provider: string };
  keys: KeyFacts[];
  linkTo?: LinkTo;
}

const OWNERS: Record<"user" | "org" | "global", LucideIcon> = {
  user: UserRound,
  org: Building2,
  global: Globe,
};

const LOOKS: Record<Effect, { tone: BadgeTone; icon: LucideIcon }> = {
  won: { tone: "good", icon: Check },
  empty: { tone: "neutral", icon: CornerRightDown },
  unnamed: { tone: "neutral", icon: CornerRightDown },
  went_on: { tone: "warning", icon: CornerRightDown },
  stopped: { tone: "bad", icon: CircleSlash2 },
  not_asked: { tone: "neutral", icon: CircleMinus },
};

/** The headline: which key is used, or why none, and what waits behind it. */
export function WalkEnd({ ladder, request, keys }: WalkShown) {
  const { why, levels } = useMessages();
  const format = useFormat();
  const { end, last } = ladder;
  const next = nextInLine(ladder);
  const nextTitle = next && levelTitle(next.level, why, levels, request);
  const key = keys.find(({ secret_id }) => secret_id !== null && secret_id === last?.secretId);
  const expired = key?.expires_at ? format.date(key.expires_at) : undefined;
  const Icon = end === "won" ? Check : end === "stopped" ? CircleSlash2 : CircleMinus;
  return (
    <section className={`hftok-walk-end hftok-walk-end-${end}`} role="status">
      <span className="hftok-walk-end-icon">
        <Icon aria-hidden className="hftok-icon" />
      </span>
      <div className="hftok-walk-end-text">
        <h2 className="hftok-walk-end-title">{endOf(ladder, why)}</h2>
        {last?.preview && (
          <p className="hftok-walk-key">
            <Mask>{last.preview}</Mask>
            {key?.label && <span>{key.label}</span>}
            {last.slot !== "" && <span className="hftok-faint">{why.slot(last.slot)}</span>}
          </p>
        )}
        {end === "none" && <p className="hftok-faint">{why.ends.noneText}</p>}
        {end === "stopped" && last && (
          <>
            <p>
              {why.ends.because(
                levelTitle(last.level, why, levels, request),
                reasonOf(last, ladder, why, { expired }),
              )}
            </p>
            <Turn rung={last} />
          </>
        )}
        {nextTitle && end !== "none" && (
          <p className="hftok-faint">
            {end === "won" ? why.ends.next(nextTitle) : why.ends.nextAfterStop(nextTitle)}
          </p>
        )}
      </div>
    </section>
  );
}

/** The levels. */
export function LadderList(shown: WalkShown) {
  const { why } = useMessages();
  return (
    <ol className="hftok-ladder" aria-label={why.legend}>
      {shown.ladder.rungs.map((rung) => <RungItem key={rung.level} rung={rung} shown={shown} />)}
    </ol>
  );
}

function RungItem({ rung, shown: { ladder, request, keys, linkTo } }: { rung: Rung; shown: WalkShown }) {
  const { why, levels } = useMessages();
  const format = useFormat();
  const scope = scopeOf(rung.level);
  const Owner = scope === null ? Server : OWNERS[scope];
  const key = keys.find(({ secret_id }) => secret_id !== null && secret_id === rung.secretId);
  const expired = key?.expires_at ? format.date(key.expires_at) : undefined;
  const title = levelTitle(rung.level, why, levels, request);
  const { tone, icon } = LOOKS[rung.effect];
  const isSpare = rung.effect === "not_asked" && rung.isProvided;
  const isQuiet = rung.effect === "unnamed" || rung.effect === "not_asked" || rung.effect === "empty";
  const href = rung.actor === "you" || (scope === "user" && rung.effect === "empty")
    ? linkTo?.({ ...request, level: rung.level })
    : undefined;
  return (
    <li className={`hftok-rung hftok-rung-${rung.effect}`}>
      <span className="hftok-rung-node">
        <Owner aria-hidden className="hftok-icon" />
      </span>
      <div className="hftok-rung-body">
        <div className="hftok-rung-head">
          <h3 className="hftok-rung-title">{title}</h3>
          {rung.effect !== "unnamed" && (
            <StatusBadge tone={isSpare ? "accent" : tone} icon={icon}>
              {isSpare ? why.reserve : why.outcomes[rung.outcome]}
            </StatusBadge>
          )}
        </div>
        {rung.preview && (
          <p className="hftok-walk-key">
            <Mask>{rung.preview}</Mask>
            {key?.label && <span>{key.label}</span>}
            {rung.slot !== "" && <span className="hftok-faint">{why.slot(rung.slot)}</span>}
          </p>
        )}
        <p className={isQuiet ? "hftok-faint" : undefined}>
          {reasonOf(rung, ladder, why, { expired })}
        </p>
        {key?.verdict_message && rung.outcome === "invalid" && (
          <p className="hftok-faint" lang="en">{key.verdict_message}</p>
        )}
        {/* Of the level that stopped the walk the headline says it. */}
        {rung.effect !== "stopped" && <Turn rung={rung} />}
        {href && (
          <Link
            className="hftok-link"
            href={href}
            aria-label={`${rung.effect === "empty" ? why.addKey : why.open}: ${title}`}
          >
            <span>{rung.effect === "empty" ? why.addKey : why.open}</span>
            <ArrowRight aria-hidden className="hftok-icon" />
          </Link>
        )}
      </div>
    </li>
  );
}

/** Who must act, and what they have to do. */
function Turn({ rung }: { rung: Rung }) {
  const { why } = useMessages();
  const turn = turnOf(rung, why);
  if (turn === null) return null;
  return (
    <p className="hftok-turn">
      <span className="hftok-turn-label">{why.mustAct}</span>
      <span>
        <strong>{turn.who}:</strong> {turn.what}
      </span>
    </p>
  );
}
