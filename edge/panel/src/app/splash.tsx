// What stands there before there is anything else: the mark, and what is wrong.
import type { ReactNode } from "react";

/** The mark: a vault's door, as a keyhole in a rounded square. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg className="app-logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <rect width="32" height="32" rx="9" fill="var(--hftok-accent)" />
      <circle cx="16" cy="13" r="4.5" fill="none" stroke="var(--hftok-on-accent)" strokeWidth="2.6" />
      <path
        d="M16 17.5v7M16 21.4h3.6"
        fill="none"
        stroke="var(--hftok-on-accent)"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
    </svg>
  );
}

/** The mark alone, while the app starts. */
export function Splash() {
  return (
    <div className="hftok app-splash">
      <Logo size={44} />
    </div>
  );
}

/** Says that the app cannot go on. */
export function Trouble(
  { title, children, action }: { title: string; children: ReactNode; action?: ReactNode },
) {
  return (
    <main className="hftok app-splash">
      <Logo size={44} />
      <h1 className="hftok-title">{title}</h1>
      <p className="hftok-muted">{children}</p>
      {action}
    </main>
  );
}
