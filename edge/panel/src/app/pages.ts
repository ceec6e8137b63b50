// The pages of the app: a page is an entry here, and is loaded when it is opened.
import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import {
  Blocks,
  Box,
  Building2,
  ChartNoAxesColumn,
  KeyRound,
  type LucideIcon,
  Plug,
  Route,
  ScrollText,
  ServerCog,
} from "lucide-react";
import type { Me, Messages } from "../lib/index.ts";

/** A page. */
export interface Page {
  path: string;
  icon: LucideIcon;
  title: (messages: Messages) => string;
  /** The part of the navigation that it stands in. */
  group: "keys" | "organisation" | "administration";
  /** Whose it is. This keeps the navigation short; hftok decides what anybody may do. */
  isFor: (me: Me) => boolean;
  Component: LazyExoticComponent<ComponentType>;
}

/** The pages, in the order of the navigation. */
export const PAGES: Page[] = [
  {
    path: "/huggingface",
    icon: KeyRound,
    title: ({ huggingface }) => huggingface.title,
    group: "keys",
    isFor: () => true,
    Component: lazy(async () => ({
      default: (await import("../lib/huggingface/huggingface_token.tsx")).HuggingFaceToken,
    })),
  },
  {
    path: "/providers",
    icon: Blocks,
    title: ({ providers }) => providers.title,
    group: "keys",
    isFor: () => true,
    Component: lazy(async () => ({
      default: (await import("../lib/providers/provider_secrets.tsx")).ProviderSecrets,
    })),
  },
  {
    path: "/integrations",
    icon: Plug,
    title: ({ integrations }) => integrations.title,
    group: "keys",
    isFor: () => true,
    Component: lazy(async () => ({
      default: (await import("../lib/integrations/integrations.tsx")).Integrations,
    })),
  },
  {
    path: "/models",
    icon: Box,
    title: ({ models }) => models.title,
    group: "keys",
    isFor: () => true,
    Component: lazy(async () => ({ default: (await import("./pages/models.tsx")).ModelsPage })),
  },
  {
    path: "/why",
    icon: Route,
    title: ({ why }) => why.title,
    group: "keys",
    isFor: () => true,
    Component: lazy(async () => ({ default: (await import("./pages/why.tsx")).WhyPage })),
  },
  {
    path: "/usage",
    icon: ChartNoAxesColumn,
    title: ({ usage }) => usage.title,
    group: "keys",
    isFor: () => true,
    Component: lazy(async () => ({ default: (await import("../lib/usage/usage.tsx")).Usage })),
  },
  {
    path: "/organisation",
    icon: Building2,
    title: ({ organisation }) => organisation.title,
    group: "organisation",
    isFor: ({ memberships }) => memberships.length > 0,
    Component: lazy(async () => ({
      default: (await import("../lib/organisation/organisation.tsx")).Organisation,
    })),
  },
  {
    path: "/system",
    icon: ServerCog,
    title: ({ system }) => system.title,
    group: "administration",
    isFor: ({ isAdministrator, isAuditor }) => isAdministrator || isAuditor,
    Component: lazy(async () => ({
      default: (await import("../lib/system/system_settings.tsx")).SystemSettings,
    })),
  },
  {
    path: "/audit",
    icon: ScrollText,
    title: ({ audit }) => audit.title,
    group: "administration",
    isFor: ({ isAdministrator, isAuditor }) => isAdministrator || isAuditor,
    Component: lazy(async () => ({ default: (await import("../lib/audit/audit.tsx")).Audit })),
  },
];
