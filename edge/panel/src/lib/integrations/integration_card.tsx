// An integration as a card: its status with the reason, its mask, whom it serves, and what can be done with it.
//
// Must stay true: whoever may not change an integration sees no button that would be refused.
import { useState } from "react";
import {
  Ban,
  Building2,
  CirclePlay,
  LockKeyhole,
  Pencil,
  PlugZap,
  Share2,
  Trash2,
  UserRound,
  Users,
} from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import {
  type Integration,
  type IntegrationTest,
  useChangeIntegration,
  useTestIntegration,
} from "../hooks/integrations.ts";
import {
  ActionMenu,
  type BadgeTone,
  Banner,
  Button,
  FailureBanner,
  Mask,
  type MenuAction,
  StatusBadge,
  SwitchedOff,
  Timestamp,
} from "../primitives/index.ts";
import { TestBanner } from "../secrets/shown.tsx";
import { settingsOf } from "./settings.ts";
import { disabledBy, type IntegrationStatus, statusOf } from "./status.ts";
import { ProviderMark } from "./provider_mark.tsx";

/** The props of a card. */
export interface IntegrationCardProps {
  integration: Integration;
  /** The provider's name for people. */
  typeLabel: string;
  onEdit: () => void;
  onShare: () => void;
  onDelete: () => void;
}

interface StateProps {
  integration: Integration;
  typeLabel: string;
  /** The last test of this visit. */
  test: IntegrationTest | undefined;
}

const TONES: Record<IntegrationStatus, BadgeTone> = {
  pending: "neutral",
  verifying: "busy",
  connected: "good",
  error: "bad",
  disabled: "warning",
};

/** Shows an integration. */
export function IntegrationCard({ integration, typeLabel, onEdit, onShare, onDelete }: IntegrationCardProps) {
  const { integrations: words, common } = useMessages();
  const test = useTestIntegration();
  const change = useChangeIntegration();
  const { id, name, owned, enabled, version } = integration;
  // What was said of former credentials is no longer told.
  const [tested, setTested] = useState<number | null>(null);
  const status = statusOf(integration);
  const isOff = status === "disabled";
  const switchTo = (on: boolean) => change.mutate({ id, enabled: on });
  return (
    <article className={`hftok-card hftok-integration hftok-integration-${status}`} aria-label={name}>
      <header className="hftok-integration-head">
        <ProviderMark label={typeLabel} />
        <div className="hftok-integration-heading">
          <h2 className="hftok-integration-name">{name}</h2>
          <p className="hftok-faint">{typeLabel}</p>
        </div>
        {owned && (
          <Actions
            integration={integration}
            onSwitch={switchTo}
            on={{ edit: onEdit, share: onShare, remove: onDelete }}
          />
        )}
      </header>
      <div className="hftok-integration-state" aria-live="polite">
        <StatusBadge tone={TONES[status]} icon={isOff ? SwitchedOff : undefined}>
          {words.status[status]}
        </StatusBadge>
        <State
          integration={integration}
          typeLabel={typeLabel}
          test={tested === version ? test.data : undefined}
        />
      </div>
      {test.error && <FailureBanner failure={test.error} />}
      {change.error && <FailureBanner failure={change.error} />}
      <Details integration={integration} />
      <footer className="hftok-integration-foot">
        <Belonging integration={integration} />
        {owned && !isOff && (
          <Button
            size="small"
            icon={PlugZap}
            onPress={() => {
              setTested(version);
              test.mutate({ id });
            }}
            isPending={test.isPending || status === "verifying"}
            aria-label={`${common.testConnection}: ${name}`}
          >
            {common.testConnection}
          </Button>
        )}
        {owned && enabled === false && (
          <Button
            size="small"
            icon={CirclePlay}
            onPress={() => switchTo(true)}
            isPending={change.isPending}
            aria-label={`${words.enable}: ${name}`}
          >
            {words.enable}
          </Button>
        )}
      </footer>
    </article>
  );
}

interface ActionsProps {
  integration: Integration;
  onSwitch: (on: boolean) => void;
  on: { edit: () => void; share: () => void; remove: () => void };
}

/** What its owner can do with it, besides testing. */
function Actions({ integration: { name, org_id, enabled }, onSwitch, on }: ActionsProps) {
  const { integrations: words, common } = useMessages();
  const actions: MenuAction[] = [
    { id: "edit", label: words.edit, icon: Pencil, onAction: on.edit },
    ...(org_id === null ? [{ id: "share", label: words.share, icon: Share2, onAction: on.share }] : []),
    enabled === false
      ? { id: "enable", label: words.enable, icon: CirclePlay, onAction: () => onSwitch(true) }
      : { id: "disable", label: words.disable, icon: Ban, onAction: () => onSwitch(false) },
    { id: "delete", label: words.remove, icon: Trash2, onAction: on.remove, isDanger: true },
  ];
  return <ActionMenu label={common.moreFor(name)} actions={actions} />;
}

/** What the status means, and why. */
function State({ integration, typeLabel, test }: StateProps) {
  const { integrations: words, verdict } = useMessages();
  const { owned, error_message } = integration;
  const status = statusOf(integration);
  // An answer that leaves the status as it was is told all the same; a refusal is the status.
  if (test && test.verdict !== "invalid" && status !== "disabled") {
    return <TestBanner test={test} provider={typeLabel} />;
  }
  switch (status) {
    case "connected":
      return null;
    case "error":
      return (
        <Banner tone="bad" title={verdict.invalid}>
          {error_message && <p lang="en">{reasonIn(error_message)}</p>}
          <p>{owned ? words.statusText.errorYours : words.statusText.errorOthers}</p>
        </Banner>
      );
    case "disabled": {
      const isOwners = disabledBy(integration) === "owner";
      const { disabledByOwner, disabledByBackend } = words.statusText;
      return <p className="hftok-faint">{isOwners ? disabledByOwner : disabledByBackend}</p>;
    }
    default:
      return <p className="hftok-faint">{words.statusText[status]}</p>;
  }
}

/** The message of a verification begins with what the title says already. */
function reasonIn(message: string): string {
  const reason = message.replace(/^Failed to verify credentials: */, "");
  return reason.slice(0, 1).toUpperCase() + reason.slice(1);
}

/** The mask with the seal, the settings, and the last use. */
function Details({ integration }: { integration: Integration }) {
  const { integrations: words, warnings: remarks } = useMessages();
  const { preview, version, config, last_used_at, warnings } = integration;
  const settings = settingsOf(config);
  const known: Record<string, string> = remarks;
  return (
    <div className="hftok-integration-details">
      <p className="hftok-seal" title={words.sealedHint(version ?? 1)}>
        <LockKeyhole aria-hidden className="hftok-icon" />
        <span>{words.sealed}</span>
        {preview && <Mask>{preview}</Mask>}
      </p>
      {(warnings ?? []).map((warning) => (
        <p key={warning} className="hftok-faint">{known[warning] ?? warning}</p>
      ))}
      {settings.length > 0 && (
        <dl className="hftok-settings">
          {settings.map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <p className="hftok-faint">
        {last_used_at
          ? (
            <>
              {words.lastUsed} <Timestamp at={last_used_at} />
            </>
          )
          : words.neverUsed}
      </p>
    </div>
  );
}

/** Whose it is, and whom it serves. */
function Belonging({ integration: { org_id, owned, shared_with } }: { integration: Integration }) {
  const { integrations: words } = useMessages();
  const [Icon, text] = org_id !== null
    ? [Building2, words.ofOrg(org_id)] as const
    : !owned
    ? [Users, words.sharedWithYou] as const
    : shared_with.length > 0
    ? [Users, words.sharedWith(shared_with.join(", "))] as const
    : [UserRound, words.onlyYours] as const;
  return (
    <p className="hftok-belonging">
      <Icon aria-hidden className="hftok-icon" />
      <span>{text}</span>
    </p>
  );
}
