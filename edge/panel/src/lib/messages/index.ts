// The languages, and how dates and numbers are written in them.
import { en } from "./en.ts";
import { es } from "./es.ts";

/** A language of the panel. */
export type Locale = "en" | "es";
export type { Messages } from "./en.ts";

const LANGUAGES = { en, es } as const;

/** The languages by their own names. */
export const LOCALES: { id: Locale; label: string }[] = [{ id: "en", label: "English" }, {
  id: "es",
  label: "Español",
}];

/** The texts of a language. */
export function messagesOf(locale: Locale) {
  return LANGUAGES[locale];
}
