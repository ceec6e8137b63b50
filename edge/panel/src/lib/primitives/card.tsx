// Cards, heads of pages, and what stands in them.
import type { ReactNode } from "react";
import {
  Circle,
  CircleCheck,
  CircleDashed,
  CircleMinus,
  CircleX,
  LoaderCircle,
  type LucideIcon,
  TriangleAlert,
} from "lucide-react";
import { useFormat } from "../hooks/format.ts";

/** The props of a card. */
export interface CardProps {
  /** A heading of the second level. */
  title?: ReactNode;
  description?: ReactNode;
  icon?: LucideIcon;
  /** At the end of the head. */
  actions?: ReactNode;
  /** Set off by a line, for what is done with the card. */
  footer?: ReactNode;
  children?: ReactNode;
}

/** A card. */
export function Card({ title, description, icon: Icon, actions, footer, children }: CardProps) {
  return (
    <section className="hftok-card">
      {(title || actions) && (
        <header className="hftok-card-head">
          {Icon && (
            <span className="hftok-card-icon">
              <Icon aria-hidden className="hftok-icon" />
            </span>
          )}
          <div className="hftok-card-heading">
            {title && <h2 className="hftok-card-title">{title}</h2>}
            {description && <div className="hftok-card-description">{description}</div>}
          </div>
          {actions && <div className="hftok-card-actions">{actions}</div>}
        </header>
      )}
      {children && <div className="hftok-card-body">{children}</div>}
      {footer && <footer className="hftok-card-foot">{footer}</footer>}
    </section>
  );
}

/** The head of a component: its name, what it is for, what can be done with all of it. */
export function PageHead(
  { title, description, actions }: { title: string; description?: string; actions?: ReactNode },
) {
  return (
    <header className="hftok-head">
      <div className="hftok-head-text">
        <h1 className="hftok-title">{title}</h1>
        {description && <p className="hftok-lead">{description}</p>}
      </div>
      {actions && <div className="hftok-head-actions">{actions}</div>}
    </header>
  );
}

/** How something is doing. */
export type BadgeTone = "good" | "bad" | "warning" | "neutral" | "accent" | "busy";

const BADGE_ICONS: Record<BadgeTone, LucideIcon> = {
  good: CircleCheck,
  bad: CircleX,
  warning: TriangleAlert,
  neutral: CircleDashed,
  accent: Circle,
  busy: LoaderCircle,
};

/** A state in a word: never by colour alone. */
export function StatusBadge(
  { tone, children, icon }: { tone: BadgeTone; children: ReactNode; icon?: LucideIcon },
) {
  const Icon = icon ?? BADGE_ICONS[tone];
  return (
    <span className={`hftok-badge hftok-badge-${tone}`}>
      <Icon aria-hidden className={`hftok-icon${tone === "busy" ? " hftok-spin" : ""}`} />
      {children}
    </span>
  );
}

/** The icon of what is switched off, beside those that a badge has by its tone. */
export const SwitchedOff = CircleMinus;

/** What may be shown of a value. */
export function Mask({ children }: { children: string }) {
  return <code className="hftok-mask">{children}</code>;
}

/** A time as people say it; the exact one when pointed at. */
export function Timestamp({ at }: { at: string }) {
  const format = useFormat();
  return <time dateTime={at} title={format.dateTime(at)}>{format.relative(at)}</time>;
}

/** Facts as pairs of a name and what it is. */
export function Facts({ facts }: { facts: { name: string; value: ReactNode }[] }) {
  return (
    <dl className="hftok-facts">
      {facts.map(({ name, value }) => (
        <div key={name} className="hftok-fact">
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
