// The dialog that adds a provider's key, or replaces it.
import { useRef, useState } from "react";
import { ChevronRight, PlugZap } from "lucide-react";
import type { Failure } from "../connection/failure.ts";
import { useMessages } from "../connection/provider.tsx";
import type { CatalogueProvider } from "../hooks/providers.ts";
import { type Secret, type SecretTest, type Use, useSaveSecret, useTestSecret } from "../hooks/secrets.ts";
import { Button, Buttons, Dialog, ExternalLink, FailureBanner, TextField } from "../primitives/index.ts";
import { TestBanner } from "../secrets/shown.tsx";
import { CredentialFields, type CredentialFieldsHandle, submitting } from "./credential_form.tsx";

/** The props of the dialog. */
export interface SaveDialogProps {
  provider: CatalogueProvider;
  /** What there is: configured, the dialog replaces it. */
  secret: Secret;
  use: Use;
  onClose: () => void;
  onSaved: () => void;
}

/** Adds a key, or replaces the one that is there. */
export function SaveDialog({ provider, secret, use, onClose, onSaved }: SaveDialogProps) {
  const { providers } = useMessages();
  const title = secret.configured ? providers.replaceKey(provider.label) : providers.addKey(provider.label);
  return (
    <Dialog
      title={title}
      description={secret.configured ? providers.replaceBody : undefined}
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
    >
      <SaveForm provider={provider} secret={secret} use={use} onSaved={onSaved} />
    </Dialog>
  );
}

function SaveForm({ provider, secret, use, onSaved }: Omit<SaveDialogProps, "onClose">) {
  const { common, providers } = useMessages();
  const fields = useRef<CredentialFieldsHandle>(null);
  const [name, setName] = useState("");
  const [end, setEnd] = useState("");
  const [outcome, setOutcome] = useState<SecretTest | Failure | null>(null);
  const save = useSaveSecret();
  const test = useTestSecret();
  const about = { provider: provider.name, ...use };
  const saveIt = () => {
    const value = fields.current?.take();
    if (!value) return;
    setOutcome(null);
    const { configured, version } = secret;
    const more = {
      label: name || undefined,
      expiresAt: end ? new Date(`${end}T00:00`).toISOString() : undefined,
    };
    save.mutate({ ...about, secret: value, replaces: configured, version, ...more }, {
      onSuccess: onSaved,
      onError: setOutcome,
    });
  };
  const testIt = () => {
    const value = fields.current?.read();
    if (!value) return;
    setOutcome(null);
    test.mutate({ ...about, secret: value }, { onSuccess: setOutcome, onError: setOutcome });
  };
  return (
    <form className="hftok-form" onSubmit={submitting(saveIt)} noValidate autoComplete="off">
      <CredentialFields provider={provider} ref={fields} />
      <NameAndEnd name={name} onName={setName} end={end} onEnd={setEnd} />
      {outcome !== null && <Outcome outcome={outcome} label={provider.label} />}
      <div className="hftok-dialog-foot">
        {provider.docsUrl
          ? <ExternalLink href={provider.docsUrl}>{providers.getKey}</ExternalLink>
          : <span />}
        <Buttons>
          {provider.isTestable && (
            <Button icon={PlugZap} onPress={testIt} isPending={test.isPending}>
              {common.testConnection}
            </Button>
          )}
          <Button type="submit" variant="primary" isPending={save.isPending}>{providers.save}</Button>
        </Buttons>
      </div>
    </form>
  );
}

/** What may be said of a key, and need not be. */
interface NameAndEndProps {
  name: string;
  onName: (name: string) => void;
  /** A day, as the browser writes it; empty for none. */
  end: string;
  onEnd: (end: string) => void;
}

function NameAndEnd({ name, onName, end, onEnd }: NameAndEndProps) {
  const { providers: texts } = useMessages();
  return (
    <details className="hftok-details">
      <summary>
        <ChevronRight aria-hidden className="hftok-icon" />
        {texts.more}
      </summary>
      <div className="hftok-form">
        <TextField
          label={texts.name}
          description={texts.nameHint}
          isRequired={false}
          value={name}
          onChange={onName}
        />
        <TextField
          label={texts.end}
          description={texts.endHint}
          isRequired={false}
          type="date"
          value={end}
          onChange={onEnd}
        />
      </div>
    </details>
  );
}

function Outcome({ outcome, label }: { outcome: SecretTest | Failure; label: string }) {
  if ("verdict" in outcome) return <TestBanner test={outcome} provider={label} />;
  return <FailureBanner failure={outcome} />;
}
