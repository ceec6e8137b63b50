// The page for the audit: how much there was of it, what was done and by whom, whether it is whole, and how far keys are rotated.
// For administrators of the application and auditors.
import { useRef, useState } from "react";
import { ShieldAlert } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { EmptyState, Frame, Loaded, PageHead, Skeleton } from "../primitives/index.ts";
import { type AuditSearch, useRotations } from "../hooks/audit.ts";
import { type Reader, useReader } from "../hooks/reader.ts";
import { Activity } from "./activity_card.tsx";
import { Events } from "./events.tsx";
import { Integrity } from "./integrity.tsx";
import { RefusalsCard, useRecentRefusals } from "./refusals_card.tsx";
import { Rotation } from "./rotation.tsx";

/** The audit, for who may read the whole of it. */
export function Audit() {
  const { audit } = useMessages();
  return (
    <Frame>
      <PageHead title={audit.title} description={audit.intro} />
      <Loaded reading={useReader()} skeleton={<Skeleton lines={3} height="card" />}>
        {(reader) =>
          reader === "nobody"
            ? <EmptyState icon={ShieldAlert} title={audit.notYours}>{audit.notYoursHelp}</EmptyState>
            : <Parts reader={reader} />}
      </Loaded>
    </Frame>
  );
}

function Parts({ reader }: { reader: Reader }) {
  const [search, setSearch] = useState<AuditSearch>({});
  const events = useRef<HTMLDivElement>(null);
  const refusals = useRecentRefusals();
  const rotations = useRotations(reader === "auditor");
  // What comes below cards that grow waits for them, so that nothing moves.
  const isSettled = !refusals.isPending && (reader !== "auditor" || !rotations.isPending);
  const look = (next: AuditSearch) => {
    setSearch(next);
    events.current?.scrollIntoView();
  };
  return (
    <>
      <Activity />
      <div className="hftok-halves">
        <Integrity />
        <div className="hftok-stack-middle">
          <Rotation reader={reader} />
          <RefusalsCard reading={refusals} onLook={() => look({ kind: "refusal" })} />
        </div>
      </div>
      <div ref={events}>
        {isSettled && <Events search={search} onSearch={setSearch} />}
      </div>
    </>
  );
}
