// The keys that are saved, a row a provider: mask, state, and what can be done with each.
import { History, PlugZap, RefreshCw, Trash2 } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useFormat } from "../hooks/format.ts";
import type { CatalogueProvider } from "../hooks/providers.ts";
import { type Secret, type Use, useTestSecret } from "../hooks/secrets.ts";
import {
  ActionMenu,
  Button,
  Card,
  type Column,
  Mask,
  type MenuAction,
  Table,
  Timestamp,
} from "../primitives/index.ts";
import { SecretBadge } from "../secrets/shown.tsx";
import type { Done } from "./provider_secrets.tsx";

/** The props of the list. */
export interface SavedKeysProps {
  secrets: Secret[];
  catalogue: CatalogueProvider[];
  use: Use;
  onDone: (done: Done | null) => void;
  onOpen: (dialog: "save" | "history" | "delete", secret: Secret) => void;
}

/** The keys that are saved. */
export function SavedKeys({ secrets, ...rest }: SavedKeysProps) {
  const { providers, common } = useMessages();
  const columns: Column<Secret>[] = [
    { id: "provider", header: providers.provider, cell: (it) => <Name secret={it} />, isRowHeader: true },
    { id: "key", header: providers.key, cell: ({ preview }) => <Mask>{preview ?? ""}</Mask> },
    { id: "state", header: providers.state, cell: (it) => <State secret={it} /> },
    {
      id: "verified",
      header: providers.verified,
      cell: ({ last_verified_at }) => (
        <span className="hftok-muted">
          {last_verified_at ? <Timestamp at={last_verified_at} /> : common.never}
        </span>
      ),
    },
    {
      id: "actions",
      header: providers.actions,
      isHeaderHidden: true,
      isNarrow: true,
      align: "end",
      cell: (it) => <Actions secret={it} {...rest} />,
    },
  ];
  return (
    <Card>
      <Table caption={providers.table} columns={columns} rows={secrets} rowKey={({ provider }) => provider} />
    </Card>
  );
}

/** Two letters of a provider's name, in place of its mark. */
export function Monogram({ label, isConfigured }: { label: string; isConfigured?: boolean }) {
  const [first = "", second = ""] = label.replace(/[^\p{L}\p{N} ]/gu, "").split(/\s+/);
  const letters = second ? first.slice(0, 1) + second.slice(0, 1) : first.slice(0, 2);
  return (
    <span className="hftok-monogram" aria-hidden data-configured={isConfigured || undefined}>{letters}</span>
  );
}

function Name({ secret: { label, name, enabled, warnings = [], writable } }: { secret: Secret }) {
  const { providers, warnings: texts } = useMessages();
  const known = (warning: string) => Object.entries(texts).find(([code]) => code === warning)?.[1] ?? warning;
  const notes = [
    ...(name ? [name] : []),
    ...(enabled === false ? [providers.switchedOff] : []),
    ...warnings.map(known),
    ...(writable === false ? [providers.readOnly] : []),
  ];
  return (
    <span className="hftok-named">
      <Monogram label={label} isConfigured />
      <span className="hftok-named-text">
        {label}
        {notes.map((note) => <span key={note} className="hftok-faint">{note}</span>)}
      </span>
    </span>
  );
}

function State({ secret: { status = "unverified", isVerifying, message, expires_at } }: { secret: Secret }) {
  const { providers } = useMessages();
  const format = useFormat();
  const ends = expires_at
    ? (status === "expired" ? providers.expired : providers.expires)(format.relative(expires_at))
    : null;
  return (
    <span className="hftok-state">
      <SecretBadge status={status} isVerifying={isVerifying} />
      {status === "invalid" && message && <span className="hftok-faint" lang="en">{message}</span>}
      {ends && <span className="hftok-faint">{ends}</span>}
    </span>
  );
}

function Actions(
  { secret, catalogue, use, onDone, onOpen }: Omit<SavedKeysProps, "secrets"> & { secret: Secret },
) {
  const { common, providers } = useMessages();
  const test = useTestSecret();
  if (secret.writable === false) return null;
  const { provider, label } = secret;
  const isTestable = catalogue.find(({ name }) => name === provider)?.isTestable ?? false;
  const testIt = () => {
    onDone(null);
    test.mutate({ provider, ...use }, {
      onSuccess: (test) => onDone({ kind: "tested", test, label }),
      onError: (failure) => onDone({ kind: "failed", failure }),
    });
  };
  const actions: MenuAction[] = [
    { id: "replace", label: common.replace, icon: RefreshCw, onAction: () => onOpen("save", secret) },
    { id: "history", label: providers.history, icon: History, onAction: () => onOpen("history", secret) },
    {
      id: "delete",
      label: common.delete,
      icon: Trash2,
      onAction: () => onOpen("delete", secret),
      isDanger: true,
    },
  ];
  return (
    <span className="hftok-row-actions">
      {isTestable && (
        <Button
          size="small"
          icon={PlugZap}
          onPress={testIt}
          isPending={test.isPending}
          aria-label={providers.test(label)}
        >
          {common.test}
        </Button>
      )}
      <ActionMenu label={common.moreFor(label)} actions={actions} />
    </span>
  );
}
