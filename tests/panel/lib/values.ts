// Values that a test types into the panel, known as such: none of them may be found anywhere afterwards.
//
// Must stay true: the part that is looked for is one that no preview shows.
import { letters } from "../../rpc/lib/exchange.ts";

const values: string[] = [];

/** Makes it known as a value. */
export function value(text: string): string {
  values.push(text);
  return text;
}

/** Keys in their providers' forms. A word says how the stand-in takes one: `bad`, `limited`, … (edge/try/providers.ts). */
export const key = {
  huggingface: (word = "") => value(`hf_${word}${letters(34 - word.length)}`),
  openai: (word = "") => value(`sk-proj-${word}${letters(48)}`),
  anthropic: (word = "") => value(`sk-ant-api03-${word}${letters(93 - word.length)}AA`),
  groq: (word = "") => value(`gsk_${word}${letters(52 - word.length)}`),
  mistral: (word = "") => value(`${word}${letters(32 - word.length)}`),
};

/** The values that a text holds, plain or as an address or a page would write them; each by its first characters. */
export function found(text: string): string[] {
  return values.filter((it) => formsOf(it).some((form) => text.includes(form))).map((it) =>
    `${it.slice(0, 8)}…`
  );
}

/** The values so far. */
export function count(): number {
  return values.length;
}

/** The part that no preview shows, also in base64. */
function formsOf(it: string): string[] {
  const core = it.length > 24 ? it.slice(13, -4) : it;
  // Encoded text begins at a third: the other two begin with characters that cannot be told apart from others.
  const encoded = [0, 1, 2].map((at) => btoa(core.slice(at)).slice(0, -4));
  return [core, encodeURIComponent(core), ...encoded];
}
