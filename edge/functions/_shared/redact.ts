// Keeps a token out of a provider's answer: an echo, an error that quotes the request, a debugging endpoint. The token
// may be an organisation's or the platform's, and the answer goes to a user.
//
// Must stay true: bytes are held back only while they could be the beginning of the token, so that a stream stays one.
import { joined } from "./bytes.ts";

const MASK = new TextEncoder().encode("•••");

/** A stream of bytes with the token replaced by a mask. */
export class Redactor {
  readonly #token: Uint8Array;
  #held = new Uint8Array();

  constructor(token: string) {
    this.#token = new TextEncoder().encode(token);
  }

  /** The bytes that can be passed on by now. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
    const bytes = joined([this.#held, chunk]);
    const passed: Uint8Array[] = [];
    let from = 0;
    let at = this.#candidate(bytes, 0);
    while (at < bytes.length) {
      const alike = this.#alike(bytes, at);
      if (alike === this.#token.length) {
        passed.push(bytes.subarray(from, at), MASK);
        from = at + alike;
        at = this.#candidate(bytes, from);
      } else if (at + alike === bytes.length) {
        break;
      } else {
        at = this.#candidate(bytes, at + 1);
      }
    }
    this.#held = bytes.slice(at);
    return joined([...passed, bytes.subarray(from, at)]);
  }

  /** The bytes that were held back: the token is not among them, because nothing follows. */
  end(): Uint8Array<ArrayBuffer> {
    const held = this.#held;
    this.#held = new Uint8Array();
    return held;
  }

  /** The next place, from `from` on, at which the token could begin. */
  #candidate(bytes: Uint8Array, from: number): number {
    const at = bytes.indexOf(this.#token[0] ?? -1, from);
    return at < 0 ? bytes.length : at;
  }

  /** The number of bytes from `at` on that are equal to the token's. */
  #alike(bytes: Uint8Array, at: number): number {
    let alike = 0;
    while (
      alike < this.#token.length && at + alike < bytes.length && bytes[at + alike] === this.#token[alike]
    ) alike++;
    return alike;
  }
}

/** The same for a text that is there as a whole. */
export function redacted(text: string, token: string | null): string {
  return token ? text.replaceAll(token, "•••") : text;
}
