// Dialogs: for a form, and for a question before something is lost.
import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { X } from "lucide-react";
import type { Failure } from "../connection/failure.ts";
import { useMessages } from "../connection/provider.tsx";
import { Button, IconButton } from "./button.tsx";
import { FailureBanner } from "./banner.tsx";
import { useFrame } from "./frame.tsx";

/** The props of a dialog. */
export interface DialogProps {
  title: string;
  description?: ReactNode;
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
  children: ReactNode;
  size?: "small" | "medium" | "large";
  /** Asks about something that will be lost: it does not close by a click beside it. */
  isAlert?: boolean;
}

/** A dialog; what is in it is there only while it is open. */
export function Dialog(
  { title, description, isOpen, onOpenChange, children, size = "medium", isAlert }: DialogProps,
) {
  const { common } = useMessages();
  const frame = useFrame();
  return (
    <ModalOverlay
      {...frame}
      className="hftok hftok-overlay"
      isOpen={isOpen}
      onOpenChange={onOpenChange}
      isDismissable={!isAlert}
    >
      <Modal className={`hftok-modal hftok-modal-${size}`}>
        <AriaDialog className="hftok-dialog" role={isAlert ? "alertdialog" : "dialog"}>
          <header className="hftok-dialog-head">
            <Heading slot="title" className="hftok-dialog-title">{title}</Heading>
            {!isAlert && <IconButton slot="close" label={common.close} icon={X} />}
          </header>
          {description && <div className="hftok-dialog-text">{description}</div>}
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

/** The row of buttons at the end of a dialog or form; the one that does it comes last. */
export function Buttons({ children, align = "end" }: { children: ReactNode; align?: "start" | "end" }) {
  return <div className={`hftok-buttons hftok-buttons-${align}`}>{children}</div>;
}

/** The props of a question. */
export interface ConfirmDialogProps {
  title: string;
  body: ReactNode;
  /** The verb of what is done, not "OK". */
  confirmLabel: string;
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
  onConfirm: () => void;
  isPending?: boolean;
  failure?: Failure | null;
  variant?: "danger" | "primary";
}

/** Asks before something is lost. Whoever opened it closes it when the action succeeded. */
export function ConfirmDialog(
  { title, body, confirmLabel, isOpen, onOpenChange, onConfirm, isPending, failure, variant = "danger" }:
    ConfirmDialogProps,
) {
  const { common } = useMessages();
  return (
    <Dialog
      title={title}
      description={body}
      isOpen={isOpen}
      onOpenChange={onOpenChange}
      size="small"
      isAlert
    >
      {failure && <FailureBanner failure={failure} />}
      <Buttons>
        <Button onPress={() => onOpenChange(false)} isDisabled={isPending} autoFocus>
          {common.cancel}
        </Button>
        <Button variant={variant} onPress={onConfirm} isPending={isPending}>{confirmLabel}</Button>
      </Buttons>
    </Dialog>
  );
}
