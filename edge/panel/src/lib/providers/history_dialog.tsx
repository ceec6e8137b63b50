// The dialog with the former values of a key, to take one back.
import { Undo2 } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type OfProvider, type SecretVersion, useRestoreSecret, useSecretHistory } from "../hooks/secrets.ts";
import {
  Button,
  Dialog,
  FailureBanner,
  Loaded,
  Mask,
  Skeleton,
  StatusBadge,
  Timestamp,
} from "../primitives/index.ts";

/** The props of the dialog. */
export interface HistoryDialogProps {
  of: OfProvider;
  label: string;
  onClose: () => void;
  onRestored: () => void;
}

/** Shows the values that a key had, as masks. */
export function HistoryDialog({ of, label, onClose, onRestored }: HistoryDialogProps) {
  const { providers } = useMessages();
  const history = useSecretHistory(of);
  const restore = useRestoreSecret();
  const takeBack = (version: number) => restore.mutate({ ...of, version }, { onSuccess: onRestored });
  return (
    <Dialog
      title={providers.historyTitle(label)}
      description={providers.historyBody}
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
    >
      {restore.error && <FailureBanner failure={restore.error} />}
      <Loaded reading={history} skeleton={<Skeleton lines={3} height="row" />}>
        {(versions) => (
          <>
            <ol className="hftok-versions">
              {versions.map((it) => (
                <Version key={it.version} it={it} isPending={restore.isPending} onTakeBack={takeBack} />
              ))}
            </ol>
            {versions.length < 2 && <p className="hftok-muted">{providers.historyNone}</p>}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}

/** The props of one version. */
interface VersionProps {
  it: SecretVersion;
  isPending: boolean;
  onTakeBack: (version: number) => void;
}

function Version({ it: { version, is_current, preview, created_at }, isPending, onTakeBack }: VersionProps) {
  const { providers } = useMessages();
  return (
    <li className="hftok-version">
      <div className="hftok-version-text">
        <Mask>{preview}</Mask>
        <span className="hftok-faint">
          {providers.version} {version} · {providers.from} <Timestamp at={created_at} />
        </span>
      </div>
      {is_current ? <StatusBadge tone="good">{providers.current}</StatusBadge> : (
        <Button
          size="small"
          icon={Undo2}
          onPress={() => onTakeBack(version)}
          isDisabled={isPending}
          aria-label={providers.takeBackVersion(version)}
        >
          {providers.takeBack}
        </Button>
      )}
    </li>
  );
}
