// The state of the vault: open or sealed, what is in it, whether the audit keeps up, and what will be a trouble.
import type { ReactNode } from "react";
import { Activity, HeartPulse, LockKeyhole, LockKeyholeOpen } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useFormat } from "../hooks/format.ts";
import type { Reader } from "../hooks/reader.ts";
import { useVaultHealth, useVaultStatus, type VaultStatus } from "../hooks/system.ts";
import {
  type BadgeTone,
  Banner,
  Card,
  Facts,
  Loaded,
  ProgressBar,
  Skeleton,
  StatusBadge,
} from "../primitives/index.ts";

/** The card with the state, read again every few seconds; what comes below waits for it, so that nothing moves, and needs it open. */
export function VaultState({ reader, children }: { reader: Reader; children: ReactNode }) {
  return (
    <Loaded reading={useVaultStatus()} skeleton={<Skeleton lines={3} height="card" />}>
      {(status) => (
        <>
          {status.sealed && <Sealed status={status} />}
          {status.audit_trouble && <Trouble status={status} />}
          <State status={status} />
          {reader === "auditor" && <Health />}
          {!status.sealed && children}
        </>
      )}
    </Loaded>
  );
}

function Sealed({ status: { reason } }: { status: VaultStatus }) {
  const { system, sealed } = useMessages();
  return (
    <Banner tone="warning" icon={LockKeyhole} title={sealed.title}>
      <p>{system.sealedHelp}</p>
      {reason && <p lang="en">{reason}</p>}
      <p>{sealed.remedy}</p>
    </Banner>
  );
}

function Trouble({ status: { audit_trouble } }: { status: VaultStatus }) {
  const { system } = useMessages();
  return (
    <Banner tone="bad" title={system.trouble}>
      <p lang="en">{audit_trouble}</p>
    </Banner>
  );
}

function State({ status }: { status: VaultStatus }) {
  const { system } = useMessages();
  const format = useFormat();
  const { sealed, secrets, secrets_on_old_keys, audit_waiting, audit_mode, version, primary_root_key_id } =
    status;
  const [all, left] = [secrets ?? 0, secrets_on_old_keys ?? 0];
  const mode = Object.entries(system.auditModes).find(([id]) => id === audit_mode)?.[1] ?? audit_mode;
  return (
    <Card
      icon={sealed ? LockKeyhole : LockKeyholeOpen}
      title={system.state}
      description={sealed ? system.sealedHelp : system.openHelp}
      actions={
        <StatusBadge tone={sealed ? "warning" : "good"}>{sealed ? system.sealed : system.open}</StatusBadge>
      }
    >
      <Facts
        facts={[
          { name: system.secrets, value: format.number(all) },
          { name: system.audit, value: <Writer status={status} /> },
          { name: system.waiting, value: system.auditWaiting(audit_waiting ?? 0) },
          { name: system.mode, value: mode },
          ...(primary_root_key_id === null
            ? []
            : [{ name: system.rootKey, value: system.rootKeyOf(primary_root_key_id) }]),
          { name: system.version, value: version },
        ]}
      />
      {sealed ? <p className="hftok-muted">{system.keys}: {system.keysUnknown}</p> : (
        <ProgressBar
          label={system.keys}
          value={all === 0 ? 1 : all - left}
          max={Math.max(all, 1)}
          valueLabel={left === 0 ? format.percent(1) : system.keysLeft(left, all)}
          tone={left === 0 ? "good" : "accent"}
        />
      )}
    </Card>
  );
}

const WRITER_TONES: Record<string, BadgeTone> = { blocked: "bad", failing: "bad", none: "warning" };

function Writer({ status: { audit_writer } }: { status: VaultStatus }) {
  const { system } = useMessages();
  const said = Object.entries(system.writers).find(([id]) => id === audit_writer)?.[1] ?? audit_writer;
  return <StatusBadge tone={WRITER_TONES[audit_writer ?? ""] ?? "good"} icon={Activity}>{said}</StatusBadge>;
}

/** What a monitor is told; hftok tells it to auditors and operators, not to administrators of the application. */
function Health() {
  const { system } = useMessages();
  return (
    <Loaded reading={useVaultHealth(true)}>
      {({ ok, reasons }) => (
        <Card
          icon={HeartPulse}
          title={system.health}
          actions={
            <StatusBadge tone={ok ? "good" : "bad"}>{ok ? system.healthy : system.unhealthy}</StatusBadge>
          }
        >
          {!reasons?.length
            ? <p className="hftok-muted">{system.noReasons}</p>
            : (
              <ul className="hftok-stack-small" lang="en">
                {reasons.map((reason) => <li key={reason}>{reason}</li>)}
              </ul>
            )}
        </Card>
      )}
    </Loaded>
  );
}
