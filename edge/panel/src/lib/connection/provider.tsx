// What every component and hook stands in: the connection to hftok, the language, the theme.
//
// Must stay true: another connection, or another person, begins with an empty cache.
import {
  createContext,
  type ReactNode,
  Suspense,
  use,
  useContext,
  useInsertionEffect,
  useMemo,
  useRef,
} from "react";
import type { QueryClient } from "@tanstack/react-query";
import { I18nProvider } from "react-aria-components";
import { isLoaded, loadMessages, type Locale, type Messages, messagesOf } from "../messages/index.ts";
import { makeQueries } from "./reads.ts";
import { type PanelConnection, Vault } from "./vault.ts";

/** Which colours: those of the system, unless said otherwise. */
export type Theme = "system" | "light" | "dark";

/** What the provider gives. */
export interface Panel {
  vault: Vault;
  queries: QueryClient;
  locale: Locale;
  messages: Messages;
  theme: Theme;
}

/** The props of the provider. */
export interface HftokProviderProps {
  connection: PanelConnection;
  /** English when not given. */
  locale?: Locale;
  theme?: Theme;
  children: ReactNode;
}

const PanelContext = createContext<Panel | null>(null);

/** Everything of hftok-panel stands in one. Until the texts of its language are loaded there is nothing in it. */
export function HftokProvider(props: HftokProviderProps) {
  return (
    <Suspense fallback={null}>
      <Provided {...props} />
    </Suspense>
  );
}

function Provided({ connection, locale = "en", theme = "system", children }: HftokProviderProps) {
  const messages = isLoaded(locale) ? messagesOf(locale) : use(loadMessages(locale));

  const { rest, functions, apikey, user } = connection;
  // An application may give a new function with each rendering: the newest is called, and nothing begins anew because of it.
  const getToken = useRef(connection.getToken);
  getToken.current = connection.getToken;
  const { vault, queries } = useMemo(() => ({
    vault: new Vault({ rest, functions, apikey, getToken: () => getToken.current() }),
    queries: makeQueries(),
    // The user is no part of what is made, but of when it is made anew.
  }), [rest, functions, apikey, user]);
  useInsertionEffect(keepStylesOut, []);
  const panel = useMemo(
    () => ({ vault, queries, locale, messages, theme }),
    [vault, queries, locale, messages, theme],
  );
  return (
    <PanelContext value={panel}>
      <I18nProvider locale={locale}>{children}</I18nProvider>
    </PanelContext>
  );
}

/** What the provider gives; for hooks and components of one's own. */
export function usePanel(): Panel {
  const panel = useContext(PanelContext);
  if (panel === null) throw new Error("Components and hooks of hftok-panel stand in a HftokProvider.");
  return panel;
}

/** The texts in the provider's language. */
export function useMessages(): Messages {
  return usePanel().messages;
}

/**
 * React Aria adds a style element for what can be pressed unless an element has its id. A strict Content-Security-Policy refuses it,
 * and says so in the console; the rule stands in our stylesheet.
 */
function keepStylesOut(): void {
  const id = "react-aria-pressable-style";
  if (document.getElementById(id)) return;
  const mark = document.createElement("meta");
  mark.id = id;
  document.head.append(mark);
}
