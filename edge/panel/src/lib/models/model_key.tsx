// A model's key: one of its own, or its provider's. The key is optional in the form, as it is in an application's own form of a model.
//
// Must stay true: a key that is typed is tested as it stands there; it leaves the field when it is saved.
import { useRef, useState } from "react";
import { PlugZap, Trash2 } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type CatalogueProvider, useProviders } from "../hooks/providers.ts";
import { type Secret, useDeleteSecret, useSaveSecret, useSecret, useTestSecret } from "../hooks/secrets.ts";
import {
  Banner,
  Button,
  Buttons,
  ConfirmDialog,
  EmptyState,
  FailureBanner,
  Frame,
  Loaded,
  Skeleton,
} from "../primitives/index.ts";
import { CredentialFields, type CredentialFieldsHandle, submitting } from "../providers/credential_form.tsx";
import { TestBanner, Warnings } from "../secrets/shown.tsx";
import { KeyInUse } from "./key_in_use.tsx";

/** The model that is meant, by the name that requests have. */
export interface ModelKeyProps {
  provider: string;
  model: string;
  /** The organisation that requests name; the only one of the reader's when not given. */
  orgId?: string;
  /** The key was saved or removed. */
  onChanged?: () => void;
}

/** The key of one model; to be put into an application's form of this model. */
export function ModelKey(props: ModelKeyProps) {
  return (
    <Frame>
      <ModelKeyForm {...props} />
    </Frame>
  );
}

/** The same without a frame of its own. */
export function ModelKeyForm(props: ModelKeyProps) {
  const { failures } = useMessages();
  const providers = useProviders();
  const own = useSecret(props.provider, { model: props.model });
  return (
    <Loaded reading={providers} skeleton={<Skeleton lines={2} height="field" />}>
      {(catalogue) => {
        const provider = catalogue.find(({ name }) => name === props.provider);
        if (provider === undefined) return <EmptyState icon={PlugZap} title={failures.not_found} />;
        return (
          <Loaded reading={own} skeleton={<Skeleton lines={2} height="field" />}>
            {(secret) => (
              <Form
                {...props}
                of={provider}
                own={secret}
                key={`${props.provider} ${props.model}`}
              />
            )}
          </Loaded>
        );
      }}
    </Loaded>
  );
}

interface FormProps extends ModelKeyProps {
  of: CatalogueProvider;
  own: Secret;
}

function Form({ provider, model, orgId, of, own, onChanged }: FormProps) {
  const { models: words, common } = useMessages();
  const fields = useRef<CredentialFieldsHandle>(null);
  const [isFilled, setFilled] = useState(false);
  const usual = useSecret(provider);
  const save = useSaveSecret();
  const test = useTestSecret();
  const changed = () => onChanged?.();
  const submit = () => {
    const secret = fields.current?.take();
    if (!secret) return;
    test.reset();
    const version = own.configured ? own.version : undefined;
    const saved = { provider, model, secret, replaces: own.configured, version };
    save.mutate(saved, { onSuccess: changed });
  };
  const testIt = () => {
    const secret = fields.current?.read() ?? undefined;
    // Something that is needed is missing, and its field says so.
    if (isFilled && !secret) return;
    save.reset();
    // Without a key of its own the model uses the provider's: that is what is asked about.
    const use = secret || own.configured ? { model } : {};
    test.mutate({ provider, secret, ...use });
  };
  const tested = isFilled
    ? words.testsForm
    : own.configured
    ? words.testsOwn
    : usual.data?.configured
    ? words.testsProvider
    : null;
  const failure = save.error ?? test.error;
  return (
    <form className="hftok-form" onSubmit={submitting(submit)} noValidate autoComplete="off">
      <KeyInUse provider={of} model={model} orgId={orgId} />
      <div className="hftok-stack-small">
        <CredentialFields ref={fields} provider={of} whenEmpty="none" onFilledChange={setFilled} />
        <p className="hftok-hint">{own.configured ? words.keyReplaceHint : words.keyHint}</p>
      </div>
      {save.isSuccess && <Banner tone="good" title={words.saved(model)} announce="polite" />}
      {save.data && <Warnings warnings={save.data.warnings} />}
      {failure && <FailureBanner failure={failure} />}
      {test.data && <TestBanner test={test.data} provider={of.label} />}
      <div className="hftok-stack-small">
        <Buttons align="start">
          <Button type="submit" variant="primary" isDisabled={!isFilled} isPending={save.isPending}>
            {own.configured ? words.replace : words.save}
          </Button>
          {of.isTestable && (
            <Button
              icon={PlugZap}
              onPress={testIt}
              isPending={test.isPending}
              isDisabled={tested === null}
            >
              {common.testConnection}
            </Button>
          )}
          {own.configured && <Removal provider={provider} model={model} onRemoved={changed} />}
        </Buttons>
        {of.isTestable && <p className="hftok-hint">{tested ?? words.nothingToTest}</p>}
      </div>
    </form>
  );
}

function Removal({ provider, model, onRemoved }: { provider: string; model: string; onRemoved: () => void }) {
  const { models: words } = useMessages();
  const [isAsking, setAsking] = useState(false);
  const remove = useDeleteSecret();
  const confirm = () =>
    remove.mutate({ provider, model }, {
      onSuccess: () => {
        setAsking(false);
        onRemoved();
      },
    });
  return (
    <>
      <Button variant="quiet" icon={Trash2} onPress={() => setAsking(true)}>{words.remove}</Button>
      <ConfirmDialog
        title={words.removeTitle(model)}
        body={words.removeText}
        confirmLabel={words.remove}
        isOpen={isAsking}
        onOpenChange={setAsking}
        onConfirm={confirm}
        isPending={remove.isPending}
        failure={remove.error}
      />
    </>
  );
}
