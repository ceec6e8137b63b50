// The page for the audit: how much there was of it, what was done and by whom, whether it is whole, and how far keys are rotated.
// For administrators of the application and auditors.
import { ShieldAlert } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { EmptyState, Frame, Loaded, PageHead, Skeleton } from "../primitives/index.ts";
import { useReader } from "../hooks/reader.ts";
import { Activity } from "./activity_card.tsx";
import { Events } from "./events.tsx";
import { Integrity } from "./integrity.tsx";
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
            : (
              <>
                <Activity />
                <div className="hftok-halves">
                  <Integrity />
                  <Rotation reader={reader} />
                </div>
                <Events />
              </>
            )}
      </Loaded>
    </Frame>
  );
}
