// With whom an integration is shared: one switch for each organisation that its owner belongs to.
import { Building2 } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type Integration, useShareIntegration } from "../hooks/integrations.ts";
import type { Membership } from "../hooks/me.ts";
import { Button, Buttons, Dialog, EmptyState, FailureBanner, Switch } from "../primitives/index.ts";

/** The props of the dialog. */
export interface ShareDialogProps {
  integration: Integration;
  memberships: Membership[];
  onClose: () => void;
}

/** Shares an integration with organisations, and ends that. */
export function ShareDialog({ integration, memberships, onClose }: ShareDialogProps) {
  const { integrations: words, common } = useMessages();
  const share = useShareIntegration();
  const shared = integration.shared_with;
  const asked = share.isPending ? share.variables : undefined;
  // One that is left over from an organisation that its owner left can be taken back, too.
  const orgs = [...new Set([...memberships.map(({ orgId }) => orgId), ...shared])].sort();
  return (
    <Dialog
      title={words.shareTitle(integration.name)}
      description={words.shareText}
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
      size="small"
    >
      {share.error && <FailureBanner failure={share.error} />}
      {orgs.length === 0
        ? <EmptyState icon={Building2} title={words.shareNone} />
        : (
          <div className="hftok-fields">
            {orgs.map((orgId) => (
              <Switch
                key={orgId}
                label={orgId}
                isSelected={asked?.orgId === orgId ? asked.isShared : shared.includes(orgId)}
                isDisabled={share.isPending}
                onChange={(isShared) => share.mutate({ id: integration.id, orgId, isShared })}
              />
            ))}
          </div>
        )}
      <Buttons>
        <Button onPress={onClose}>{common.close}</Button>
      </Buttons>
    </Dialog>
  );
}
