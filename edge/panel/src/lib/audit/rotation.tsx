// How far the rotation of keys is: of the vault as a whole from its state, which administrators see; key by key for auditors.
import { KeyRound } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type Rotation as RotatedKey, useRotations } from "../hooks/audit.ts";
import { useFormat } from "../hooks/format.ts";
import type { Reader } from "../hooks/reader.ts";
import { useVaultStatus } from "../hooks/system.ts";
import { type BadgeTone, Card, Loaded, ProgressBar, Skeleton, StatusBadge } from "../primitives/index.ts";

/** The card about keys. */
export function Rotation({ reader }: { reader: Reader }) {
  const { audit } = useMessages();
  return (
    <Card icon={KeyRound} title={audit.rotation} description={audit.rotationHelp}>
      <div className="hftok-rotated">
        <WholeVault />
      </div>
      {reader === "auditor" && <KeyByKey />}
    </Card>
  );
}

/** The values that are sealed with the newest key. */
export function WholeVault() {
  const { audit, system } = useMessages();
  const format = useFormat();
  return (
    <Loaded reading={useVaultStatus()} skeleton={<Skeleton lines={2} />}>
      {({ sealed, secrets, secrets_on_old_keys }) => {
        if (sealed) return <p className="hftok-muted">{system.keys}: {system.keysUnknown}</p>;
        const [all, left] = [secrets ?? 0, secrets_on_old_keys ?? 0];
        return (
          <>
            <ProgressBar
              label={system.keys}
              value={all === 0 ? 1 : all - left}
              max={Math.max(all, 1)}
              valueLabel={audit.rotationDone(format.number(all - left), format.number(all))}
              tone={left === 0 ? "good" : "accent"}
            />
            <p className="hftok-muted">
              {left === 0 ? audit.rotationAll : audit.rotationLeft(format.number(left))}
            </p>
          </>
        );
      }}
    </Loaded>
  );
}

function KeyByKey() {
  const { audit } = useMessages();
  return (
    <Loaded reading={useRotations(true)} skeleton={<Skeleton lines={2} />}>
      {(keys) =>
        keys.length === 0
          ? <p className="hftok-muted">{audit.noRotation}</p>
          : (
            <ul className="hftok-stack-small">
              {keys.map((key) => (
                <li key={key.key_id}>
                  <OneKey rotated={key} />
                </li>
              ))}
            </ul>
          )}
    </Loaded>
  );
}

const TONES: Record<string, BadgeTone> = {
  running: "busy",
  waiting: "warning",
  sealed: "warning",
  standby: "neutral",
  finished: "good",
  kept: "warning",
};

function OneKey({ rotated }: { rotated: RotatedKey }) {
  const { audit } = useMessages();
  const format = useFormat();
  const { key_id, org_id, total, done, failed, eta, state, waits_for, finished_at } = rotated;
  const name = [audit.rotationOf(String(key_id)), org_id && audit.rotationOrg(org_id)].filter(Boolean).join(
    " ",
  );
  const notes = [
    failed ? audit.rotationFailed(format.number(failed)) : null,
    eta && finished_at === null ? audit.rotationEta(format.relative(eta)) : null,
  ];
  const said = Object.entries(audit.rotationStates).find(([id]) => id === state)?.[1] ?? state;
  return (
    <div className="hftok-stack-small">
      <ProgressBar
        label={name}
        value={total === null ? null : total === 0 ? 1 : (done ?? 0) + (failed ?? 0)}
        max={Math.max(total ?? 1, 1)}
        valueLabel={total === null
          ? undefined
          : audit.rotationDone(format.number(done ?? 0), format.number(total))}
        tone={failed ? "warning" : finished_at === null ? "accent" : "good"}
      />
      <div className="hftok-row">
        <StatusBadge tone={TONES[state ?? ""] ?? "neutral"}>{said}</StatusBadge>
        <span className="hftok-faint">{notes.filter(Boolean).join(", ")}</span>
        {waits_for && <span className="hftok-faint" lang="en">{waits_for}</span>}
      </div>
    </div>
  );
}
