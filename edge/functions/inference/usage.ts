// The tokens that an answer counts in its `usage`: at the end of a JSON object, or in the last events of a stream.
//
// Must stay true: only the end of an answer is kept, and nothing but one number of it leaves.
import type { Onlooker } from "../_shared/relay.ts";
import { joined } from "../_shared/bytes.ts";

/** As much of the end as is looked at. */
const TAIL_BYTES = 64 * 1024;
const COUNTED = /^(application\/json|text\/event-stream)\s*(;|$)/i;
/** Within a text of JSON every quote has a backslash, so that a model's own words are none of these. */
const USAGE = /(?<!\\)"usage"\s*:\s*(?=\{)/g;
const MOST = 1e12;

/** Looks at an answer that passes by. */
export class Usage implements Onlooker {
  readonly #isCounted: boolean;
  readonly #ended = Promise.withResolvers<number | undefined>();
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** `type` is the answer's content type: sounds and pictures count nothing. */
  constructor(type: string) {
    this.#isCounted = COUNTED.test(type);
  }

  /** The tokens, once the answer has ended; undefined where it said none. */
  get ended(): Promise<number | undefined> {
    return this.#ended.promise;
  }

  push(bytes: Uint8Array): void {
    if (!this.#isCounted) return;
    this.#chunks.push(bytes.slice(-TAIL_BYTES));
    this.#length += Math.min(bytes.length, TAIL_BYTES);
    for (
      let [first] = this.#chunks;
      first && this.#length - first.length >= TAIL_BYTES;
      [first] = this.#chunks
    ) {
      this.#chunks.shift();
      this.#length -= first.length;
    }
  }

  end(): void {
    this.#ended.resolve(tokens(new TextDecoder().decode(joined(this.#chunks))));
    this.#chunks = [];
  }
}

/** The tokens by the last count in a text. */
function tokens(text: string): number | undefined {
  for (const found of [...text.matchAll(USAGE)].reverse()) {
    const counted = total(objectAt(text, found.index + found[0].length));
    if (counted !== undefined) return counted;
  }
  return undefined;
}

/** The sum, under the names that the protocol has for it. */
function total(usage: Record<string, unknown>): number | undefined {
  const count = (...names: string[]) => {
    const counts = names.map((name) => usage[name]).filter((it) => typeof it === "number");
    return counts.find((it) => Number.isSafeInteger(it) && it >= 0 && it <= MOST);
  };
  const asked = count("prompt_tokens", "input_tokens");
  const answered = count("completion_tokens", "output_tokens");
  const parts = asked === undefined && answered === undefined ? undefined : (asked ?? 0) + (answered ?? 0);
  return count("total_tokens") ?? parts;
}

/** The JSON object that begins at a place; an empty one where there is none. */
function objectAt(text: string, start: number): Record<string, unknown> {
  let depth = 0;
  for (const { 0: token, index } of text.slice(start).matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === "{") depth++;
    if (token === "}") depth--;
    if (depth > 0) continue;
    try {
      return JSON.parse(text.slice(start, start + index + 1));
    } catch {
      return {};
    }
  }
  return {};
}
