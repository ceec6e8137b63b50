// The page for administrators of the application: the state of the vault, tokens for everybody, providers switched on and off.
//
// Must stay true: of a token for everybody only whether there is one is shown.
import { ShieldAlert } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useReader } from "../hooks/reader.ts";
import { EmptyState, Frame, Loaded, PageHead, Skeleton } from "../primitives/index.ts";
import { ProvidersOfSystem } from "./providers.tsx";
import { VaultState } from "./vault_state.tsx";

/** Whether the vault works, and what everybody may use. */
export function SystemSettings() {
  const { system } = useMessages();
  return (
    <Frame>
      <PageHead title={system.title} description={system.intro} />
      <Loaded reading={useReader()} skeleton={<Skeleton lines={3} height="card" />}>
        {(reader) =>
          reader === "nobody"
            ? <EmptyState icon={ShieldAlert} title={system.notYours}>{system.notYoursHelp}</EmptyState>
            : (
              <VaultState reader={reader}>
                {reader === "administrator" && <ProvidersOfSystem />}
              </VaultState>
            )}
      </Loaded>
    </Frame>
  );
}
