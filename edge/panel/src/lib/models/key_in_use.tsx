// Which key a model uses now: its own, or whose else, or none. It is the end of the walk, in a line.
import { Box, CircleSlash2, KeyRound, type LucideIcon } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useMe } from "../hooks/me.ts";
import type { CatalogueProvider } from "../hooks/providers.ts";
import { useWalk, usualOrg } from "../hooks/walk.ts";
import { Banner, type BannerTone, FailureBanner, Mask, Skeleton } from "../primitives/index.ts";
import type { Messages } from "../messages/index.ts";
import { hostsOf } from "../walk/hosts.ts";
import { type Ladder, ladderOf } from "../walk/ladder.ts";
import { reasonOf } from "../walk/words.ts";

/** The props of the line. */
export interface KeyInUseProps {
  provider: CatalogueProvider;
  model: string;
  /** The organisation that requests name; the only one of the reader's when not given. */
  orgId?: string;
}

/** Says which key requests for a model use. */
export function KeyInUse({ provider, model, orgId }: KeyInUseProps) {
  const { models: words, why } = useMessages();
  const me = useMe();
  const org = orgId ?? (me.data && usualOrg(me.data));
  const host = hostsOf(provider)[0];
  const isKnown = me.data !== undefined && model !== "";
  const walk = useWalk(isKnown ? { provider: provider.name, orgId: org, model, host } : null);
  const error = walk.error ?? me.error;
  if (error) return <FailureBanner failure={error} onRetry={() => void walk.refetch()} />;
  if (walk.data === undefined || me.data === undefined) return <Skeleton lines={1} height="row" />;
  const { memberships, isAdministrator } = me.data;
  const orgRole = memberships.find((it) => it.orgId === org)?.role ?? null;
  const reader = { orgRole, isAdministrator };
  const ladder = ladderOf(walk.data.rows, walk.data.provided, { orgId: org, model }, reader);
  const { title, tone, icon } = inWords(ladder, provider.label, words);
  return (
    <Banner tone={tone} icon={icon} title={title} announce="polite">
      {ladder.last?.preview && <Mask>{ladder.last.preview}</Mask>}
      {ladder.last && ladder.end === "stopped" && <p>{reasonOf(ladder.last, ladder, why)}</p>}
      {ladder.end === "none" && <p>{words.noKeyText(provider.label)}</p>}
    </Banner>
  );
}

interface InWords {
  title: string;
  tone: BannerTone;
  icon: LucideIcon;
}

function inWords({ end, last }: Ladder, label: string, words: Messages["models"]): InWords {
  if (end === "none" || last === null) return { title: words.noKey, tone: "warning", icon: CircleSlash2 };
  if (end === "stopped") return { title: words.cannotBeUsed, tone: "bad", icon: CircleSlash2 };
  switch (last.level) {
    case "user_model":
      return { title: words.ownKey, tone: "good", icon: Box };
    case "user":
    case "org":
    case "global":
      return { title: words.uses[last.level](label), tone: "info", icon: KeyRound };
    default:
      return { title: words.uses[last.level], tone: "info", icon: KeyRound };
  }
}
