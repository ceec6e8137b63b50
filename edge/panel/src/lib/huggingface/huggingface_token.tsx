// The page for the Hugging Face token: save, test, replace, remove, and what happens without one.
//
// Must stay true: the token is in the field only, and leaves it when it is saved. For a test it stays there, because it is saved after.
import { type FormEvent, useRef, useState } from "react";
import { KeyRound, PlugZap, Server, Trash2 } from "lucide-react";
import type { Failure } from "../connection/failure.ts";
import { useMessages } from "../connection/provider.tsx";
import { SecretValue } from "../connection/secret_value.ts";
import {
  type HuggingFaceSecret,
  useDeleteHuggingFaceToken,
  useHuggingFaceToken,
  useSaveHuggingFaceToken,
  useTestHuggingFaceToken,
} from "../hooks/huggingface.ts";
import { useProviders } from "../hooks/providers.ts";
import { type SecretTest, type Use, useTokensProvided } from "../hooks/secrets.ts";
import {
  Banner,
  Button,
  Buttons,
  Card,
  ConfirmDialog,
  ExternalLink,
  Facts,
  FailureBanner,
  Frame,
  Loaded,
  Mask,
  PageHead,
  SecretField,
  type SecretFieldHandle,
  Skeleton,
  Timestamp,
} from "../primitives/index.ts";
import { SecretBadge, TestBanner, Warnings } from "../secrets/shown.tsx";

const PROVIDER = "huggingface";
const LABEL = "Hugging Face";

/** What was done last. */
type Outcome =
  | { kind: "saved"; test?: SecretTest }
  | { kind: "removed" }
  | { kind: "tested"; test: SecretTest }
  | { kind: "failed"; failure: Failure };

/** The props of the page. */
export interface HuggingFaceTokenProps extends Use {
  /** Without a head it stands within another page. */
  hasHead?: boolean;
}

/** The Hugging Face token of who is signed in, or of an organisation, a model, the installation. */
export function HuggingFaceToken({ hasHead = true, ...use }: HuggingFaceTokenProps) {
  const { huggingface } = useMessages();
  const token = useHuggingFaceToken(use);
  return (
    <Frame width="narrow">
      {hasHead && <PageHead title={huggingface.title} description={huggingface.description} />}
      <Loaded reading={token} skeleton={<TokenSkeleton />}>
        {(token) => (
          <>
            <TokenCard token={token} use={use} />
            <Platform isConfigured={token.configured} use={use} />
          </>
        )}
      </Loaded>
    </Frame>
  );
}

function TokenSkeleton() {
  const { huggingface } = useMessages();
  return (
    <Card title={huggingface.current} icon={KeyRound}>
      <Skeleton lines={2} height="field" />
      <Skeleton lines={2} />
    </Card>
  );
}

function TokenCard({ token, use }: { token: HuggingFaceSecret; use: Use }) {
  const { huggingface } = useMessages();
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  return (
    <Card
      icon={KeyRound}
      title={token.configured ? huggingface.current : huggingface.noneTitle}
      actions={token.configured && token.status && <SecretBadge status={token.status} />}
      footer={<TokenFoot token={token} use={use} onOutcome={setOutcome} />}
    >
      {token.configured && <TokenFacts token={token} />}
      <TokenForm token={token} use={use} onOutcome={setOutcome} />
      <OutcomeBanner outcome={outcome} />
    </Card>
  );
}

function TokenFacts({ token }: { token: HuggingFaceSecret }) {
  const { common, huggingface } = useMessages();
  const { preview, updated_at, last_verified_at, warnings = [] } = token;
  return (
    <>
      <Facts
        facts={[
          { name: huggingface.shownAs, value: <Mask>{preview ?? ""}</Mask> },
          {
            name: huggingface.changed,
            value: updated_at ? <Timestamp at={updated_at} /> : common.never,
          },
          {
            name: huggingface.lastVerified,
            value: last_verified_at ? <Timestamp at={last_verified_at} /> : common.never,
          },
        ]}
      />
      <Warnings warnings={warnings} />
    </>
  );
}

/** The parts of the card tell what they did. */
interface TokenPart {
  token: HuggingFaceSecret;
  use: Use;
  onOutcome: (outcome: Outcome | null) => void;
}

function TokenForm({ token: { configured }, use, onOutcome }: TokenPart) {
  const { common, huggingface } = useMessages();
  const field = useRef<SecretFieldHandle>(null);
  const [isMissing, setMissing] = useState(false);
  const save = useSaveHuggingFaceToken();
  const test = useTestHuggingFaceToken();
  const onError = (failure: Failure) => onOutcome({ kind: "failed", failure });
  const missing = () => {
    setMissing(true);
    field.current?.focus();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const value = field.current?.take().trim() ?? "";
    if (value === "") return missing();
    onOutcome(null);
    save.mutate({ token: new SecretValue(value), ...use }, {
      onSuccess: () => {
        onOutcome({ kind: "saved" });
        // Nobody has to press another button to learn whether it works.
        test.mutate(use, { onSuccess: (test) => onOutcome({ kind: "saved", test }) });
      },
      onError,
    });
  };
  const testIt = () => {
    const value = field.current?.read().trim() ?? "";
    if (value === "" && !configured) return missing();
    onOutcome(null);
    const asked = value === "" ? use : { token: new SecretValue(value), ...use };
    test.mutate(asked, { onSuccess: (test) => onOutcome({ kind: "tested", test }), onError });
  };
  return (
    <form className="hftok-form" onSubmit={submit} noValidate autoComplete="off">
      <SecretField
        ref={field}
        label={configured ? huggingface.replaceField : huggingface.field}
        description={huggingface.fieldHint}
        placeholder="hf_…"
        error={isMissing ? huggingface.enterFirst : undefined}
        onFilledChange={() => setMissing(false)}
      />
      <Buttons align="start">
        <Button type="submit" variant="primary" isPending={save.isPending}>{huggingface.save}</Button>
        <Button icon={PlugZap} onPress={testIt} isPending={test.isPending}>
          {common.testConnection}
        </Button>
      </Buttons>
    </form>
  );
}

function TokenFoot({ token: { configured }, use, onOutcome }: TokenPart) {
  const { huggingface } = useMessages();
  const docsUrl = useProviders().data?.find(({ name }) => name === PROVIDER)?.docsUrl;
  const [isAsking, setAsking] = useState(false);
  const remove = useDeleteHuggingFaceToken();
  const confirm = () =>
    remove.mutate(use, {
      onSuccess: () => {
        setAsking(false);
        onOutcome({ kind: "removed" });
      },
    });
  return (
    <>
      {docsUrl ? <ExternalLink href={docsUrl}>{huggingface.getToken}</ExternalLink> : <span />}
      {configured && (
        <Button variant="quiet" size="small" icon={Trash2} onPress={() => setAsking(true)}>
          {huggingface.remove}
        </Button>
      )}
      <ConfirmDialog
        title={huggingface.removeTitle}
        body={huggingface.removeBody}
        confirmLabel={huggingface.remove}
        isOpen={isAsking}
        onOpenChange={setAsking}
        onConfirm={confirm}
        isPending={remove.isPending}
        failure={remove.error}
      />
    </>
  );
}

function OutcomeBanner({ outcome }: { outcome: Outcome | null }) {
  const { huggingface } = useMessages();
  if (outcome === null) return null;
  if (outcome.kind === "failed") return <FailureBanner failure={outcome.failure} />;
  if (outcome.kind === "tested") return <TestBanner test={outcome.test} provider={LABEL} />;
  if (outcome.kind === "removed") {
    return <Banner tone="good" title={huggingface.removed} announce="polite" />;
  }
  return (
    <>
      <Banner tone="good" title={huggingface.saved} announce="polite">{huggingface.savedBody}</Banner>
      {outcome.test && <TestBanner test={outcome.test} provider={LABEL} />}
    </>
  );
}

/** Says whether requests work without a token of one's own. */
function Platform({ isConfigured, use }: { isConfigured: boolean; use: Use }) {
  const { huggingface } = useMessages();
  const { data: provided, error } = useTokensProvided(PROVIDER, use);
  if (error) return null;
  if (provided === undefined) return <Skeleton lines={1} height="row" />;
  const isThere = provided.global || provided.global_model || provided.environment;
  if (!isThere) {
    return isConfigured ? null : (
      <Banner tone="info" icon={Server} title={huggingface.platformNone}>
        {huggingface.platformNoneBody}
      </Banner>
    );
  }
  return (
    <Banner tone="info" icon={Server} title={huggingface.platformTitle}>
      {isConfigured ? huggingface.platformWith : huggingface.platformWithout}
    </Banner>
  );
}
