// The languages. English is there from the beginning, another one is loaded when it is asked for: nobody reads two.
import { en, type Messages } from "./en.ts";

/** A language of the panel. */
export type Locale = "en" | "es";
export type { Messages } from "./en.ts";

/** The languages by their own names. */
export const LOCALES: { id: Locale; label: string }[] = [{ id: "en", label: "English" }, {
  id: "es",
  label: "Español",
}];

const loaded = new Map<Locale, Messages>([["en", en]]);
const loading = new Map<Locale, Promise<Messages>>();

/** The texts of a language that is loaded; English until then. */
export function messagesOf(locale: Locale): Messages {
  return loaded.get(locale) ?? en;
}

/** Whether the texts of a language are there. */
export function isLoaded(locale: Locale): boolean {
  return loaded.has(locale);
}

/** Loads the texts of a language, once. */
export function loadMessages(locale: Locale): Promise<Messages> {
  const begun = loading.get(locale);
  if (begun) return begun;
  const texts = locale === "es" ? import("./es.ts").then(({ es }) => es) : Promise.resolve(en);
  const kept = texts.then((messages) => {
    loaded.set(locale, messages);
    return messages;
  }, (error: unknown) => {
    // The next who asks tries again.
    loading.delete(locale);
    throw error;
  });
  loading.set(locale, kept);
  return kept;
}
