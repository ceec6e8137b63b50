// The page of providers: which have keys, and everything that is done with a key.
import { useState } from "react";
import { KeyRound, Plus } from "lucide-react";
import type { Failure } from "../connection/failure.ts";
import { useMessages } from "../connection/provider.tsx";
import { type CatalogueProvider, useProviders } from "../hooks/providers.ts";
import { type Secret, type SecretTest, type Use, useDeleteSecret, useSecrets } from "../hooks/secrets.ts";
import {
  Banner,
  ConfirmDialog,
  EmptyState,
  FailureBanner,
  Frame,
  Loaded,
  PageHead,
  SearchField,
  Skeleton,
} from "../primitives/index.ts";
import { TestBanner } from "../secrets/shown.tsx";
import { HistoryDialog } from "./history_dialog.tsx";
import { Monogram, SavedKeys } from "./saved_keys.tsx";
import { SaveDialog } from "./save_dialog.tsx";

/** The props of the page. */
export interface ProviderSecretsProps extends Use {
  /** Without a head it stands within another page. */
  hasHead?: boolean;
}

/** What was done last. */
export type Done =
  | { kind: "said"; title: string }
  | { kind: "tested"; test: SecretTest; label: string }
  | { kind: "failed"; failure: Failure };

/** What is open. */
type Open = { dialog: "save" | "history" | "delete"; secret: Secret } | null;

/** The keys of who is signed in for each provider; with `orgId`, `model` or `global` those of another owner, or for another use. */
export function ProviderSecrets({ hasHead = true, ...use }: ProviderSecretsProps) {
  const { providers } = useMessages();
  const secrets = useSecrets(use);
  return (
    <Frame>
      {hasHead && <PageHead title={providers.title} description={providers.description} />}
      <Loaded reading={secrets} skeleton={<PageSkeleton />}>
        {(secrets) => <Keys secrets={secrets} use={use} />}
      </Loaded>
    </Frame>
  );
}

function PageSkeleton() {
  return (
    <>
      <Skeleton lines={1} height="field" />
      <Skeleton lines={4} height="row" />
      <Skeleton lines={2} height="card" />
    </>
  );
}

function Keys({ secrets, use }: { secrets: Secret[]; use: Use }) {
  const { providers } = useMessages();
  const catalogue = useProviders().data ?? [];
  const [sought, setSought] = useState("");
  const [open, setOpen] = useState<Open>(null);
  const [done, setDone] = useState<Done | null>(null);
  const found = secrets.filter(({ label, provider }) =>
    `${label} ${provider}`.toLowerCase().includes(sought.trim().toLowerCase())
  );
  const configured = found.filter((it) => it.configured);
  const others = found.filter((it) => !it.configured);
  const isAny = secrets.some((it) => it.configured);
  return (
    <>
      <div className="hftok-toolbar">
        <p className="hftok-muted">
          {providers.count(secrets.filter((it) => it.configured).length, secrets.length)}
        </p>
        <SearchField label={providers.search} value={sought} onChange={setSought} />
      </div>
      {done && <DoneBanner done={done} />}
      {configured.length > 0 && (
        <SavedKeys
          secrets={configured}
          catalogue={catalogue}
          use={use}
          onDone={setDone}
          onOpen={(dialog, secret) => {
            setDone(null);
            setOpen({ dialog, secret });
          }}
        />
      )}
      {!isAny && <EmptyState icon={KeyRound} title={providers.noneTitle}>{providers.noneBody}</EmptyState>}
      {others.length > 0 && (
        <Others
          secrets={others}
          onChoose={(secret) => {
            setDone(null);
            setOpen({ dialog: "save", secret });
          }}
        />
      )}
      {found.length === 0 && <p className="hftok-muted" role="status">{providers.noneFound}</p>}
      <OpenDialog
        open={open}
        catalogue={catalogue}
        use={use}
        onClose={() => setOpen(null)}
        onDone={setDone}
      />
    </>
  );
}

function Others({ secrets, onChoose }: { secrets: Secret[]; onChoose: (secret: Secret) => void }) {
  const { common, providers } = useMessages();
  return (
    <section className="hftok-stack-small">
      <div>
        <h2 className="hftok-card-title">{providers.others}</h2>
        <p className="hftok-card-description">{providers.othersBody}</p>
      </div>
      <ul className="hftok-tiles">
        {secrets.map((secret) => (
          <li key={secret.provider}>
            <button
              type="button"
              className="hftok-tile"
              onClick={() => onChoose(secret)}
            >
              <Monogram label={secret.label} />
              <span>
                {secret.label}
                <span className="hftok-hidden">: {common.add}</span>
              </span>
              <Plus aria-hidden className="hftok-icon" />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function DoneBanner({ done }: { done: Done }) {
  if (done.kind === "failed") return <FailureBanner failure={done.failure} />;
  if (done.kind === "tested") {
    return <TestBanner test={done.test} provider={done.label} subject={done.label} />;
  }
  return <Banner tone="good" title={done.title} announce="polite" />;
}

/** The props of whatever is open. */
interface OpenDialogProps {
  open: Open;
  catalogue: CatalogueProvider[];
  use: Use;
  onClose: () => void;
  onDone: (done: Done) => void;
}

function OpenDialog({ open, catalogue, use, onClose, onDone }: OpenDialogProps) {
  const { common, providers } = useMessages();
  const remove = useDeleteSecret();
  if (open === null) return null;
  const { secret, dialog } = open;
  const say = (title: string) => {
    onClose();
    onDone({ kind: "said", title });
  };
  if (dialog === "history") {
    const of = { provider: secret.provider, ...use };
    const restored = () => say(providers.restored(secret.label));
    return <HistoryDialog of={of} label={secret.label} onClose={onClose} onRestored={restored} />;
  }
  if (dialog === "delete") {
    return (
      <ConfirmDialog
        title={providers.deleteTitle(secret.label)}
        body={providers.deleteBody}
        confirmLabel={common.delete}
        isOpen
        onOpenChange={(isOpen) => isOpen || onClose()}
        onConfirm={() =>
          remove.mutate({ provider: secret.provider, ...use }, {
            onSuccess: () => say(providers.deleted(secret.label)),
          })}
        isPending={remove.isPending}
        failure={remove.error}
      />
    );
  }
  const provider = catalogue.find(({ name }) => name === secret.provider);
  if (provider === undefined) return null;
  const saved = () => say(providers.saved(provider.label));
  return <SaveDialog provider={provider} secret={secret} use={use} onClose={onClose} onSaved={saved} />;
}
