// The language and the colours that somebody chose, on this device.
import { useEffect, useState } from "react";
import { loadMessages, type Locale, type Theme } from "../lib/index.ts";

const LOCALE = "hftok-panel:locale";
const THEME = "hftok-panel:theme";

/** The preferences, and how they are changed. */
export interface Preferences {
  locale: Locale;
  theme: Theme;
  setLocale: (locale: Locale) => void;
  setTheme: (theme: Theme) => void;
}

/** Language and colours; the document follows them. */
export function usePreferences(): Preferences {
  const [locale, setLocale] = useState<Locale>(chosenLocale);
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  useEffect(() => {
    document.documentElement.lang = locale;
    document.documentElement.dataset.hftokTheme = theme;
  }, [locale, theme]);
  return {
    locale,
    theme,
    setLocale: (it) => {
      localStorage.setItem(LOCALE, it);
      void loadMessages(it).then(() => setLocale(it));
    },
    setTheme: (it) => {
      localStorage.setItem(THEME, it);
      setTheme(it);
    },
  };
}

/** The language to begin with. */
export function chosenLocale(): Locale {
  const chosen = localStorage.getItem(LOCALE);
  if (chosen === "en" || chosen === "es") return chosen;
  return navigator.languages.find((it) => /^(en|es)\b/.test(it))?.startsWith("es") ? "es" : "en";
}

function chosenTheme(): Theme {
  const chosen = localStorage.getItem(THEME);
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}
