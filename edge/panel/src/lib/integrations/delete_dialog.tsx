// The question before an integration is deleted with its credentials.
import { useMessages } from "../connection/provider.tsx";
import { type Integration, useDeleteIntegration } from "../hooks/integrations.ts";
import { ConfirmDialog } from "../primitives/index.ts";

/** The props of the question. */
export interface DeleteDialogProps {
  integration: Integration;
  onClose: () => void;
  onDone: () => void;
}

/** Asks whether an integration is to be deleted, and deletes it. */
export function DeleteDialog({ integration, onClose, onDone }: DeleteDialogProps) {
  const { integrations: words } = useMessages();
  const removal = useDeleteIntegration();
  return (
    <ConfirmDialog
      title={words.removeTitle(integration.name)}
      body={words.removeText}
      confirmLabel={words.remove}
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
      onConfirm={() => removal.mutate({ id: integration.id }, { onSuccess: onDone })}
      isPending={removal.isPending}
      failure={removal.error}
    />
  );
}
