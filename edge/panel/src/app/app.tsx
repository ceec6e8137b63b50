// The app from outside in: configuration, sign-in, provider, shell.
import { useCallback, useEffect, useMemo, useState } from "react";
import { BrowserRouter } from "react-router";
import { HftokProvider, messagesOf } from "../lib/index.ts";
import { Boundary } from "./boundary.tsx";
import { type Config, readConfig } from "./config.ts";
import { usePreferences } from "./preferences.ts";
import type { Session } from "./session.ts";
import { Shell } from "./shell.tsx";
import { SignIn } from "./sign_in.tsx";
import { Splash, Trouble } from "./splash.tsx";

/** The app. */
export function App() {
  const preferences = usePreferences();
  const { locale, theme } = preferences;
  const [config, setConfig] = useState<Config | "unread" | "unreadable">("unread");
  const [session, setSession] = useState<Session | null>(null);
  useEffect(() => void readConfig().then(setConfig, () => setConfig("unreadable")), []);
  const leave = useCallback(() => setSession(null), []);
  const connection = useMemo(() => {
    if (typeof config === "string" || session === null) return null;
    const { rest, functions, apikey } = config;
    return { rest, functions, apikey, getToken: session.getToken, user: session.user };
  }, [config, session]);

  const { app } = messagesOf(locale);
  if (config === "unread") return <Splash />;
  if (config === "unreadable") return <Trouble title={app.notReachedTitle}>{app.notReachedBody}</Trouble>;
  if (session === null || connection === null) {
    // Nothing is read of hftok here; components want a provider all the same.
    const nobody = { rest: config.rest, functions: config.functions, getToken: () => null, user: null };
    return (
      <HftokProvider connection={nobody} locale={locale} theme={theme}>
        <SignIn config={config} preferences={preferences} onSession={setSession} onEnd={leave} />
      </HftokProvider>
    );
  }
  return (
    <HftokProvider key={session.user} connection={connection} locale={locale} theme={theme}>
      <Boundary messages={app}>
        <BrowserRouter basename={import.meta.env.BASE_URL}>
          <Shell session={session} preferences={preferences} onLeave={leave} />
        </BrowserRouter>
      </Boundary>
    </HftokProvider>
  );
}
