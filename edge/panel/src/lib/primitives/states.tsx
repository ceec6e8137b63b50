// What stands in the place of content: while it is read, when there is none, when it cannot be read.
import type { ReactNode } from "react";
import { LockKeyhole, type LucideIcon } from "lucide-react";
import type { Reading } from "../connection/reads.ts";
import { useMessages } from "../connection/provider.tsx";
import { FailureBanner } from "./banner.tsx";
import { Button } from "./button.tsx";

/** The props of an empty state. */
export interface EmptyStateProps {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  /** The one thing to do about it. */
  action?: ReactNode;
}

/** Says that there is nothing yet, and what to do about it. */
export function EmptyState({ icon: Icon, title, children, action }: EmptyStateProps) {
  return (
    <div className="hftok-empty">
      <span className="hftok-empty-icon">
        <Icon aria-hidden className="hftok-icon" />
      </span>
      <p className="hftok-empty-title">{title}</p>
      {children && <div className="hftok-empty-text">{children}</div>}
      {action}
    </div>
  );
}

/** Says that the vault is sealed (53HF1): nothing opens, nothing is lost, and an operator must act. */
export function SealedState({ onRetry }: { onRetry?: () => void }) {
  const { sealed, common } = useMessages();
  return (
    <div className="hftok-empty hftok-sealed" role="status">
      <span className="hftok-empty-icon">
        <LockKeyhole aria-hidden className="hftok-icon" />
      </span>
      <p className="hftok-empty-title">{sealed.title}</p>
      <div className="hftok-empty-text">
        <p>{sealed.body} {sealed.again}</p>
        <p className="hftok-faint">{sealed.remedy}</p>
      </div>
      {onRetry && <Button onPress={onRetry}>{common.retry}</Button>}
    </div>
  );
}

/** Stands for lines of text while they are read; as high as these will be. */
export function Skeleton({ lines = 3, height }: { lines?: number; height?: "row" | "card" | "field" }) {
  const { common } = useMessages();
  return (
    <div className="hftok-skeleton" role="status" aria-label={common.loading} aria-busy="true">
      {Array.from(
        { length: lines },
        (_, line) => <span key={line} className={`hftok-bone hftok-bone-${height ?? "line"}`} />,
      )}
    </div>
  );
}

/** The props of Loaded. */
export interface LoadedProps<Data> {
  reading: Reading<Data>;
  /** Stands there while it is read for the first time: Skeletons as high as the content. */
  skeleton?: ReactNode;
  children: (data: Data) => ReactNode;
}

/** Shows what was read; until then a skeleton, and when it cannot be read why, and who must act. */
export function Loaded<Data>({ reading, skeleton, children }: LoadedProps<Data>) {
  if (reading.data !== undefined) return children(reading.data);
  if (reading.error === null) return skeleton ?? <Skeleton />;
  const again = () => void reading.refetch();
  if (reading.error.code === "sealed") return <SealedState onRetry={again} />;
  return <FailureBanner failure={reading.error} onRetry={again} />;
}
