// Banners: what happened, and who must do what about it.
import type { ReactNode } from "react";
import {
  CircleAlert,
  CircleCheck,
  Info,
  LockKeyhole,
  type LucideIcon,
  RotateCw,
  TriangleAlert,
} from "lucide-react";
import type { Failure } from "../connection/failure.ts";
import { useMessages } from "../connection/provider.tsx";
import type { Messages } from "../messages/index.ts";
import { Button } from "./button.tsx";

/** What a banner is about. */
export type BannerTone = "info" | "good" | "warning" | "bad";

const ICONS: Record<BannerTone, LucideIcon> = {
  info: Info,
  good: CircleCheck,
  warning: TriangleAlert,
  bad: CircleAlert,
};

/** The props of a banner. */
export interface BannerProps {
  tone: BannerTone;
  title: ReactNode;
  children?: ReactNode;
  /** Stands at the end: a button or two. */
  action?: ReactNode;
  /** Instead of the tone's own. */
  icon?: LucideIcon;
  /** Says it to who cannot see it when it appears: politely, at once, or not at all when it was there from the beginning. */
  announce?: "polite" | "assertive" | "off";
}

/** Says something above or within what it is about. */
export function Banner({ tone, title, children, action, icon, announce = "off" }: BannerProps) {
  const Icon = icon ?? ICONS[tone];
  const role = announce === "assertive" ? "alert" : announce === "polite" ? "status" : undefined;
  return (
    <div className={`hftok-banner hftok-banner-${tone}`} role={role}>
      <Icon aria-hidden className="hftok-icon hftok-banner-icon" />
      <div className="hftok-banner-text">
        <p className="hftok-banner-title">{title}</p>
        {children && <div className="hftok-banner-body">{children}</div>}
      </div>
      {action && <div className="hftok-banner-action">{action}</div>}
    </div>
  );
}

/** Says why a call failed, what to do about it, and the code to tell others. */
export function FailureBanner({ failure, onRetry }: { failure: Failure; onRetry?: () => void }) {
  const { common, failures, remedies, sealed } = useMessages();
  if (failure.code === "sealed") {
    return (
      <Banner tone="warning" icon={LockKeyhole} title={sealed.title} announce="assertive">
        <p>{sealed.body}</p>
        <p>{sealed.remedy}</p>
      </Banner>
    );
  }
  const title = known(failures, failure.code) ?? failure.message;
  // The server's own sentence says more where it says which part of an input is wrong.
  const detail = failure.code === "bad_input" || failure.code === "unusable" ? failure.message : null;
  const remedy = remedyOf(failure, remedies);
  return (
    <Banner
      tone="bad"
      title={title}
      announce="assertive"
      action={onRetry && <Button size="small" icon={RotateCw} onPress={onRetry}>{common.retry}</Button>}
    >
      {detail && <p lang="en">{detail}</p>}
      {remedy && <p>{remedy}</p>}
      <p className="hftok-faint">
        {common.code} <code>{failure.code}</code>
      </p>
    </Banner>
  );
}

function remedyOf(failure: Failure, remedies: Messages["remedies"]): string | null {
  if (failure.retryAfter !== null) return remedies.seconds(failure.retryAfter);
  if (failure.passes || failure.code === "too_often") return remedies.passing;
  const remedy = known(remedies, failure.code);
  return typeof remedy === "string" ? remedy : null;
}

/** The text of a code, where there is one: codes come from the server. */
function known<Texts extends object>(texts: Texts, code: string): Texts[keyof Texts] | null {
  const entry: [string, Texts[keyof Texts]] | undefined = Object.entries(texts).find(([key]) => key === code);
  return entry?.[1] ?? null;
}
