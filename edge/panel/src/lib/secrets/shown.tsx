// What is known of a credential, as it is shown wherever there is one: its state, its warnings, the result of a test.
import { Ban, CirclePause, Clock } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import type { SecretStatus, SecretTest } from "../hooks/secrets.ts";
import { Banner, type BannerTone } from "../primitives/banner.tsx";
import { type BadgeTone, StatusBadge } from "../primitives/card.tsx";

const TONES: Record<SecretStatus, BadgeTone> = {
  verified: "good",
  unverified: "neutral",
  invalid: "bad",
  indeterminate: "warning",
  rate_limited: "warning",
  expired: "bad",
  disabled: "neutral",
};

const ICONS = { rate_limited: CirclePause, expired: Clock, disabled: Ban } as const;

/** The state of a credential. */
export function SecretBadge({ status, isVerifying }: { status: SecretStatus; isVerifying?: boolean }) {
  const messages = useMessages();
  if (isVerifying) return <StatusBadge tone="busy">{messages.verdict.verifying}</StatusBadge>;
  const icon = Object.entries(ICONS).find(([name]) => name === status)?.[1];
  return (
    <StatusBadge tone={TONES[status] ?? "neutral"} icon={icon}>
      {messages.status[status] ?? status}
    </StatusBadge>
  );
}

/** What hftok noticed about a value. */
export function Warnings({ warnings }: { warnings: string[] }) {
  const { warnings: texts } = useMessages();
  const known = (warning: string) => Object.entries(texts).find(([code]) => code === warning)?.[1] ?? warning;
  return warnings.map((warning) => <Banner key={warning} tone="warning" title={known(warning)} />);
}

const VERDICT_TONES: Record<SecretTest["verdict"], BannerTone> = {
  verified: "good",
  invalid: "bad",
  indeterminate: "warning",
  rate_limited: "warning",
};

/** The reason where a function names none. */
const BY_VERDICT = {
  verified: "accepted",
  invalid: "refused",
  indeterminate: "unclear",
  rate_limited: "rate_limited",
} as const;

/** The result of a test; with `subject` it says of what. */
export function TestBanner(
  { test, provider, subject }: { test: Omit<SecretTest, "warnings">; provider: string; subject?: string },
) {
  const { verdict, reasons } = useMessages();
  const sentence = Object.entries(reasons).find(([reason]) => reason === test.reason)?.[1] ??
    reasons[BY_VERDICT[test.verdict]];
  const title = verdict[test.verdict];
  return (
    <Banner
      tone={VERDICT_TONES[test.verdict]}
      title={subject ? `${subject}: ${title}` : title}
      announce="polite"
    >
      {sentence(provider)}
    </Banner>
  );
}
