// Buttons, and links that look like them.
import type { ReactNode } from "react";
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from "react-aria-components";
import { ArrowUpRight, LoaderCircle, type LucideIcon } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";

/** How much a button wants to be pressed. */
export type ButtonVariant = "primary" | "secondary" | "quiet" | "danger";

/** The props of a button. */
export interface ButtonProps extends Omit<AriaButtonProps, "className" | "style" | "children"> {
  children: ReactNode;
  variant?: ButtonVariant;
  size?: "small" | "medium";
  icon?: LucideIcon;
  /** Fills the width that there is. */
  isWide?: boolean;
}

/** A button. While it is pending it keeps its width and its place in the order of keys. */
export function Button(
  { children, variant = "secondary", size = "medium", icon: Icon, isWide, isPending, ...rest }: ButtonProps,
) {
  const classes = [
    "hftok-button",
    `hftok-button-${variant}`,
    `hftok-button-${size}`,
    isWide ? "hftok-button-wide" : "",
  ];
  return (
    <AriaButton {...rest} isPending={isPending} className={classes.join(" ")}>
      {isPending
        ? <LoaderCircle aria-hidden className="hftok-icon hftok-spin" />
        : Icon && <Icon aria-hidden className="hftok-icon" />}
      <span>{children}</span>
    </AriaButton>
  );
}

/** The props of a button that is an icon alone. */
export interface IconButtonProps
  extends Omit<AriaButtonProps, "className" | "style" | "children" | "aria-label"> {
  /** What it does, for who cannot see it. */
  label: string;
  icon: LucideIcon;
}

/** A button that is an icon alone. */
export function IconButton({ label, icon: Icon, ...rest }: IconButtonProps) {
  return (
    <AriaButton {...rest} aria-label={label} className="hftok-icon-button">
      <Icon aria-hidden className="hftok-icon" />
    </AriaButton>
  );
}

/** The props of a link to another site. */
export interface ExternalLinkProps {
  href: string;
  children: ReactNode;
  /** As a button looks; else as text. */
  variant?: ButtonVariant;
  size?: "small" | "medium";
}

/** A link to another site, which opens in a new tab and is not told where it was followed. */
export function ExternalLink({ href, children, variant, size = "medium" }: ExternalLinkProps) {
  const { common } = useMessages();
  const look = variant ? `hftok-button hftok-button-${variant} hftok-button-${size}` : "hftok-link";
  return (
    <a className={look} href={href} target="_blank" rel="noopener noreferrer">
      <span>{children}</span>
      <ArrowUpRight aria-hidden className="hftok-icon" />
      <span className="hftok-hidden">({common.opensNewTab})</span>
    </a>
  );
}
