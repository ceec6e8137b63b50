// What was refused of late: somebody who tries doors, or an application that was given the wrong key.
import { useMemo } from "react";
import { ShieldX } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import type { Reading } from "../connection/reads.ts";
import { type AuditEvent, useAuditEvents } from "../hooks/audit.ts";
import { useFormat } from "../hooks/format.ts";
import { Button, Card, Loaded, Skeleton, Timestamp } from "../primitives/index.ts";
import { outcomeNamed } from "./outcomes.ts";
import { type Refusals, refusalsOf } from "./refusals.ts";

/** The refusals that are looked through; older ones are found by searching. */
const NEWEST = 500;
const SHOWN = 4;
const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/** The refusals of a week. */
export function useRecentRefusals(): Reading<AuditEvent[]> {
  const from = useMemo(() => new Date(Date.now() - WEEK_MS).toISOString(), []);
  return useAuditEvents({ kind: "refusal", from }, NEWEST);
}

/** The card with what was refused most in a week. */
export function RefusalsCard({ reading, onLook }: { reading: Reading<AuditEvent[]>; onLook: () => void }) {
  const { audit } = useMessages();
  return (
    <Card
      icon={ShieldX}
      title={audit.refusals}
      description={audit.refusalsHelp}
      actions={<Button size="small" onPress={onLook}>{audit.refusalsAll}</Button>}
    >
      <div className="hftok-refusals">
        <Loaded reading={reading} skeleton={<Skeleton lines={3} />}>
          {(events) => {
            const refusals = refusalsOf(events).slice(0, SHOWN);
            if (refusals.length === 0) return <p className="hftok-muted">{audit.noRefusals}</p>;
            return (
              <ul>
                {refusals.map((it) => <Line key={`${it.who} ${it.action} ${it.outcome}`} refusals={it} />)}
              </ul>
            );
          }}
        </Loaded>
      </div>
    </Card>
  );
}

function Line({ refusals: { who, action, outcome, count, lastAt } }: { refusals: Refusals }) {
  const { audit } = useMessages();
  const format = useFormat();
  return (
    <li className="hftok-refusal">
      <span className="hftok-two-lines">
        <span>
          <strong>{who}</strong> <code>{action}</code>
        </span>
        <span className="hftok-faint">
          {outcomeNamed(outcome, audit)}, <Timestamp at={lastAt} />
        </span>
      </span>
      <span className="hftok-refusal-count">{audit.times(format.number(count))}</span>
    </li>
  );
}
