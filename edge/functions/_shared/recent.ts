// The latest reports, so that a token in heavy use is not reported as verified with every request.
//
// Must stay true: it holds ids and times only, and not many of them.

const MOST = 1000;

/** Things that are news once in a while. */
export class RecentKeys {
  readonly #ms: number;
  readonly #seen = new Map<string, number>();

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Whether this was noted within that time. */
  has(key: string, now = Date.now()): boolean {
    const noted = this.#seen.get(key);
    return noted !== undefined && now - noted < this.#ms;
  }

  /** Notes it. */
  note(key: string, now = Date.now()): void {
    if (this.#seen.size >= MOST) this.#seen.clear();
    this.#seen.set(key, now);
  }
}
