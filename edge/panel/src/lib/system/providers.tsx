// Every provider: whether there is a token for everybody, and whether it is switched on.
import { useState } from "react";
import { Boxes, SearchX } from "lucide-react";
import type { Failure } from "../connection/failure.ts";
import { useMessages } from "../connection/provider.tsx";
import {
  type ProviderSwitch,
  type SystemTokens,
  useProviderSwitches,
  useSetSystemToken,
  useSwitchProvider,
  useSystemSettings,
} from "../hooks/system.ts";
import {
  Banner,
  Button,
  Card,
  type Column,
  ConfirmDialog,
  EmptyState,
  FailureBanner,
  Loaded,
  SearchField,
  Skeleton,
  StatusBadge,
  Switch,
  Table,
} from "../primitives/index.ts";
import { TokenDialog } from "./token_dialog.tsx";

/** A provider with all that is shown of it. */
interface Row extends ProviderSwitch {
  hasToken: boolean;
}

/** What is being asked about a provider. */
type Asking = { row: Row; about: "token" | "removal" | "switch" } | null;

/** What was done last. */
type Outcome = { kind: "done"; text: string } | { kind: "failed"; failure: Failure };

/** The card with the providers. */
export function ProvidersOfSystem() {
  const { system } = useMessages();
  const settings = useSystemSettings();
  const switches = useProviderSwitches();
  return (
    <Card icon={Boxes} title={system.providers} description={system.providersHelp}>
      <Loaded reading={switches} skeleton={<Skeleton lines={6} height="row" />}>
        {(switches) => (
          <Loaded reading={settings} skeleton={<Skeleton lines={6} height="row" />}>
            {(settings) => (
              <ProviderList rows={switches.map((it) => ({ ...it, hasToken: provided(settings, it.name) }))} />
            )}
          </Loaded>
        )}
      </Loaded>
    </Card>
  );
}

function provided({ settings, huggingface_token_provided }: SystemTokens, provider: string): boolean {
  return provider === "huggingface"
    ? huggingface_token_provided
    : settings[provider]?.token_provided === true;
}

function ProviderList({ rows }: { rows: Row[] }) {
  const { system } = useMessages();
  const [text, setText] = useState("");
  const [asking, setAsking] = useState<Asking>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const turn = useSwitchProvider();
  const wanted = text.trim().toLowerCase();
  // Those with a token come first.
  const shown = rows.filter(({ name, label }) => `${label} ${name}`.toLowerCase().includes(wanted))
    .sort((a, b) => Number(b.hasToken) - Number(a.hasToken));
  const done = (text: string) => setOutcome({ kind: "done", text });
  const turnTo = (row: Row, enabled: boolean) => {
    setOutcome(null);
    turn.mutate({ provider: row.name, enabled }, {
      onSuccess: () => {
        setAsking(null);
        done(enabled ? system.turnedOn(row.label) : system.turnedOff(row.label));
      },
      onError: (failure) => enabled && setOutcome({ kind: "failed", failure }),
    });
  };
  const columns = useColumns((row, about) => {
    turn.reset();
    setAsking({ row, about });
  }, (row) => turnTo(row, true));
  const close = (isOpen: boolean) => isOpen || setAsking(null);
  return (
    <>
      {outcome?.kind === "done" && <Banner tone="good" title={outcome.text} announce="polite" />}
      {outcome?.kind === "failed" && <FailureBanner failure={outcome.failure} />}
      <div className="hftok-toolbar">
        <SearchField label={system.find} value={text} onChange={setText} />
      </div>
      {shown.length === 0
        ? <EmptyState icon={SearchX} title={system.nothing(text.trim())} />
        : (
          <div className="hftok-bleed">
            <Table caption={system.providers} columns={columns} rows={shown} rowKey={({ name }) => name} />
          </div>
        )}
      <TokenDialog
        provider={asking?.about === "token" ? asking.row : null}
        replaces={asking?.row.hasToken === true}
        onOpenChange={close}
        onSaved={() => {
          if (asking) done(system.saved(asking.row.label));
          setAsking(null);
        }}
      />
      <Removal row={asking?.about === "removal" ? asking.row : null} onOpenChange={close} onDone={done} />
      <ConfirmDialog
        title={system.turnOffTitle(asking?.row.label ?? "")}
        body={system.turnOffHelp(asking?.row.label ?? "")}
        confirmLabel={system.turnOff}
        isOpen={asking?.about === "switch"}
        onOpenChange={close}
        onConfirm={() => asking && turnTo(asking.row, false)}
        isPending={turn.isPending}
        failure={turn.error}
      />
    </>
  );
}

function useColumns(
  onAsk: (row: Row, about: "token" | "removal" | "switch") => void,
  onTurnOn: (row: Row) => void,
): Column<Row>[] {
  const { system } = useMessages();
  return [
    { id: "provider", header: system.provider, isRowHeader: true, cell: ({ label }) => label },
    {
      id: "token",
      header: system.token,
      cell: ({ hasToken }) => (
        <StatusBadge tone={hasToken ? "good" : "neutral"}>
          {hasToken ? system.set : system.notSet}
        </StatusBadge>
      ),
    },
    {
      id: "actions",
      header: system.actions,
      isHeaderHidden: true,
      isNarrow: true,
      cell: (row) => row.enabled && <TokenButtons row={row} onAsk={(about) => onAsk(row, about)} />,
    },
    {
      id: "available",
      header: system.available,
      isNarrow: true,
      align: "end",
      cell: (row) =>
        row.enabled === null ? <StatusBadge tone="bad">{system.unvouched}</StatusBadge> : (
          <Switch
            label={row.enabled ? system.on : system.off}
            aria-label={`${row.label}: ${row.enabled ? system.on : system.off}`}
            isSelected={row.enabled}
            onChange={(isOn) => isOn ? onTurnOn(row) : onAsk(row, "switch")}
          />
        ),
    },
  ];
}

function TokenButtons({ row, onAsk }: { row: Row; onAsk: (about: "token" | "removal") => void }) {
  const { system } = useMessages();
  if (!row.hasToken) {
    return (
      <Button
        size="small"
        variant="quiet"
        aria-label={`${system.add}: ${row.label}`}
        onPress={() => onAsk("token")}
      >
        {system.add}
      </Button>
    );
  }
  return (
    <span className="hftok-row-actions">
      <Button
        size="small"
        variant="quiet"
        aria-label={`${system.replace}: ${row.label}`}
        onPress={() => onAsk("token")}
      >
        {system.replace}
      </Button>
      <Button
        size="small"
        variant="quiet"
        aria-label={`${system.remove}: ${row.label}`}
        onPress={() => onAsk("removal")}
      >
        {system.remove}
      </Button>
    </span>
  );
}

function Removal(
  { row, onOpenChange, onDone }: {
    row: Row | null;
    onOpenChange: (isOpen: boolean) => void;
    onDone: (text: string) => void;
  },
) {
  const { system } = useMessages();
  const set = useSetSystemToken();
  const confirm = () => {
    if (row === null) return;
    set.mutate({ provider: row.name, value: null }, {
      onSuccess: () => {
        onOpenChange(false);
        onDone(system.removed(row.label));
      },
    });
  };
  return (
    <ConfirmDialog
      title={system.removeTitle(row?.label ?? "")}
      body={system.removeHelp}
      confirmLabel={system.remove}
      isOpen={row !== null}
      onOpenChange={onOpenChange}
      onConfirm={confirm}
      isPending={set.isPending}
      failure={set.error}
    />
  );
}
