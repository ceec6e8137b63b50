// Says on a page of credentials that the vault is sealed: masks are still to be seen, but nothing opens and nothing can be saved.
import { LockKeyhole } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useVaultStatus } from "../hooks/system.ts";
import { Banner } from "../primitives/banner.tsx";

/** A banner while the vault is sealed; nothing else. */
export function SealedNotice() {
  const { sealed } = useMessages();
  const status = useVaultStatus();
  if (status.data?.sealed !== true) return null;
  return (
    <Banner tone="warning" icon={LockKeyhole} title={sealed.title} announce="polite">
      <p>{sealed.body}</p>
      <p>{sealed.remedy}</p>
    </Banner>
  );
}
