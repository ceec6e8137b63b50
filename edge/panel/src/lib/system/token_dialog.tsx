// The dialog in which a provider's token for everybody is entered: by the form that the catalogue describes.
//
// Must stay true: React never has the value, and an answer has none.
import { useRef } from "react";
import { useMessages } from "../connection/provider.tsx";
import { type CatalogueProvider, useProviders } from "../hooks/providers.ts";
import { type ProviderSwitch, useSetSystemToken } from "../hooks/system.ts";
import { Button, Buttons, Dialog, ExternalLink, FailureBanner, Loaded } from "../primitives/index.ts";
import { CredentialFields, type CredentialFieldsHandle, submitting } from "../providers/credential_form.tsx";

/** The props of the dialog. */
export interface TokenDialogProps {
  /** Null: it is closed. */
  provider: ProviderSwitch | null;
  replaces: boolean;
  onOpenChange: (isOpen: boolean) => void;
  onSaved: () => void;
}

/** Asks for a token. */
export function TokenDialog({ provider, replaces, onOpenChange, onSaved }: TokenDialogProps) {
  const { system } = useMessages();
  const providers = useProviders();
  const label = provider?.label ?? "";
  return (
    <Dialog
      title={replaces ? system.replaceOf(label) : system.addTo(label)}
      description={system.dialogHelp}
      isOpen={provider !== null}
      onOpenChange={onOpenChange}
    >
      <Loaded reading={providers}>
        {(all) => {
          const found = all.find(({ name }) => name === provider?.name);
          return found && <TokenForm provider={found} onSaved={onSaved} />;
        }}
      </Loaded>
    </Dialog>
  );
}

function TokenForm({ provider, onSaved }: { provider: CatalogueProvider; onSaved: () => void }) {
  const { providers, system } = useMessages();
  const fields = useRef<CredentialFieldsHandle>(null);
  const set = useSetSystemToken();
  const save = () => {
    const value = fields.current?.take();
    if (value) set.mutate({ provider: provider.name, value }, { onSuccess: onSaved });
  };
  return (
    <form className="hftok-form" onSubmit={submitting(save)} noValidate autoComplete="off">
      <CredentialFields provider={provider} ref={fields} />
      {set.error && <FailureBanner failure={set.error} />}
      <div className="hftok-dialog-foot">
        {provider.docsUrl
          ? <ExternalLink href={provider.docsUrl}>{providers.getKey}</ExternalLink>
          : <span />}
        <Buttons>
          <Button type="submit" variant="primary" isPending={set.isPending}>{system.save}</Button>
        </Buttons>
      </div>
    </form>
  );
}
