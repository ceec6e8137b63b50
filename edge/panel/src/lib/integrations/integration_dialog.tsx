// The dialog in which an integration is made or changed.
//
// Must stay true: credentials leave their fields when they are sent, whatever comes of it.
import { type ReactNode, useEffect, useRef, useState } from "react";
import { ArrowLeft } from "lucide-react";
import type { Reading } from "../connection/reads.ts";
import { useMessages } from "../connection/provider.tsx";
import type { SecretValue } from "../connection/secret_value.ts";
import type { Failure } from "../connection/failure.ts";
import { type Integration, useChangeIntegration, useCreateIntegration } from "../hooks/integrations.ts";
import type { Membership } from "../hooks/me.ts";
import type { CatalogueProvider } from "../hooks/providers.ts";
import {
  Button,
  Dialog,
  ExternalLink,
  FailureBanner,
  Loaded,
  Select,
  Skeleton,
  TextField,
} from "../primitives/index.ts";

import { CredentialFields, type CredentialFieldsHandle, submitting } from "../providers/credential_form.tsx";
import { rowsOf, type SettingRow, SettingRows } from "./setting_rows.tsx";
import { configOf, settingsOf } from "./settings.ts";
import { type Template, templatesFor } from "./templates.ts";
import { TypePicker } from "./type_picker.tsx";

/** The props of the dialog. */
export interface IntegrationDialogProps {
  /** The one that is changed; a new one is made when there is none. */
  former?: Integration;
  catalogue: Reading<CatalogueProvider[]>;
  memberships: Membership[];
  onClose: () => void;
  /** It is saved under this name; `isTried`: with credentials that are being verified. */
  onDone: (name: string, isTried: boolean) => void;
}

/** Makes or changes an integration: first what to connect to, then the form. */
export function IntegrationDialog({ former, catalogue, ...rest }: IntegrationDialogProps) {
  const { integrations: words } = useMessages();
  const [picked, pick] = useState<Template | null>(null);
  const labelOf = (type: string) => catalogue.data?.find(({ name }) => name === type)?.label ?? type;
  const title = former
    ? words.editOf(former.name)
    : picked
    ? words.newOf(labelOf(picked.type))
    : words.chooseType;
  return (
    <Dialog
      title={title}
      isOpen
      onOpenChange={(isOpen) => isOpen || rest.onClose()}
      size={former || picked ? "medium" : "large"}
    >
      <Loaded reading={catalogue} skeleton={<Skeleton lines={4} height="row" />}>
        {(providers) => {
          const template = picked ?? templatesFor([former?.type ?? ""])[0];
          if (!former && !picked) return <TypePicker catalogue={providers} onPick={pick} />;
          return template && (
            <IntegrationForm
              key={template.id}
              former={former}
              template={template}
              provider={providers.find(({ name }) => name === template.type)}
              onBack={() => pick(null)}
              {...rest}
            />
          );
        }}
      </Loaded>
    </Dialog>
  );
}

interface IntegrationFormProps extends Omit<IntegrationDialogProps, "catalogue"> {
  template: Template;
  /** None when it was switched off since: then only name and settings can be changed. */
  provider: CatalogueProvider | undefined;
  onBack: () => void;
}

/** What was typed, without the credentials. */
interface Draft {
  name: string;
  orgId: string;
  rows: SettingRow[];
}

function IntegrationForm(
  { former, template, provider, memberships, onBack, onClose, onDone }: IntegrationFormProps,
) {
  const { integrations: words, common } = useMessages();
  const [draft, setDraft] = useState((): Draft => ({
    name: former?.name ?? provider?.label ?? template.type,
    orgId: "",
    rows: rowsOf(former ? settingsOf(former.config) : template.presets),
  }));
  const [isFilled, setFilled] = useState(false);
  const credentials = useRef<CredentialFieldsHandle>(null);
  const saving = useSaving(former, template, onDone);
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const submit = () => {
    const value = credentials.current?.take() ?? null;
    // Something that is needed is missing, and its field says so.
    if (value === null && (!former || isFilled)) return;
    saving.save(draft, value);
  };
  const form = useRef<HTMLFormElement>(null);
  // Whoever picked something at the end of a long list begins at the top of the form.
  useEffect(() => {
    // Newer browsers answer with a promise, which is no cleaning up.
    void form.current?.parentElement?.scrollTo(0, 0);
  }, []);
  return (
    <form ref={form} className="hftok-form" onSubmit={submitting(submit)} noValidate autoComplete="off">
      <TextField
        label={words.name}
        description={words.nameHint}
        value={draft.name}
        onChange={(name) => change({ name })}
        maxLength={200}
        autoFocus
      />
      {!former && (
        <OwnerSelect
          memberships={memberships}
          value={draft.orgId}
          onChange={(orgId) => change({ orgId })}
        />
      )}
      {provider && (
        <section className="hftok-section" aria-label={words.credentials}>
          <SectionHead title={words.credentials}>
            {provider.docsUrl && <ExternalLink href={provider.docsUrl}>{words.getKey}</ExternalLink>}
          </SectionHead>
          <CredentialFields
            ref={credentials}
            provider={provider}
            whenEmpty={former ? "kept" : "missing"}
            onFilledChange={setFilled}
          />
        </section>
      )}
      <section className="hftok-section" aria-label={words.settings}>
        <SectionHead title={words.settings} hint={words.settingsHint} />
        <SettingRows rows={draft.rows} presets={template.presets} onChange={(rows) => change({ rows })} />
      </section>
      {saving.failure && <FailureBanner failure={saving.failure} />}
      <div className="hftok-form-foot">
        {!former && <Button variant="quiet" icon={ArrowLeft} onPress={onBack}>{words.back}</Button>}
        <Button onPress={onClose}>{common.cancel}</Button>
        <Button type="submit" variant="primary" isPending={saving.isPending}>
          {former && !isFilled ? words.saveOnly : words.save}
        </Button>
      </div>
    </form>
  );
}

interface Saving {
  save: (draft: Draft, credentials: SecretValue | null) => void;
  isPending: boolean;
  failure: Failure | null;
}

/** Makes a new one, or changes the former one. */
function useSaving(
  former: Integration | undefined,
  template: Template,
  onDone: IntegrationDialogProps["onDone"],
): Saving {
  const create = useCreateIntegration();
  const change = useChangeIntegration();
  const { isPending, error } = former ? change : create;
  return {
    isPending,
    failure: error,
    save: ({ name: typed, orgId, rows }, credentials) => {
      const name = typed.trim() || template.type;
      const config = configOf(rows, former?.config);
      const onSuccess = () => onDone(name, credentials !== null);
      if (former) {
        const changed = { id: former.id, name, config, credentials: credentials ?? undefined };
        change.mutate(changed, { onSuccess });
      } else if (credentials) {
        const made = { name, type: template.type, config, orgId: orgId || undefined, credentials };
        create.mutate(made, { onSuccess });
      }
    },
  };
}

function SectionHead({ title, hint, children }: { title: string; hint?: string; children?: ReactNode }) {
  return (
    <header className="hftok-section-head">
      <div>
        <h3 className="hftok-section-title">{title}</h3>
        {hint && <p className="hftok-hint">{hint}</p>}
      </div>
      {children}
    </header>
  );
}

interface OwnerSelectProps {
  memberships: Membership[];
  value: string;
  onChange: (orgId: string) => void;
}

/** Whose it is: an organisation's is made by its owners and admins. */
function OwnerSelect({ memberships, value, onChange }: OwnerSelectProps) {
  const { integrations: words } = useMessages();
  const orgs = memberships.filter(({ role }) => role !== "member");
  if (orgs.length === 0) return null;
  const choices = [
    { id: "", label: words.mine },
    ...orgs.map(({ orgId }) => ({ id: orgId, label: orgId })),
  ];
  return (
    <Select
      label={words.owner}
      description={words.ownerHint}
      choices={choices}
      value={value}
      onChange={onChange}
    />
  );
}
