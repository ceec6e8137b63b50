// A value on its way from a field to an edge function.
//
// Must stay true: it is taken once, and nothing that prints, copies or stores objects shows it. So the variables that a mutation
// keeps, which are objects with such a value, hold nothing any more once it was sent.

/** A key as one text, or the fields of a credential that consists of several. */
export type Plain = string | Record<string, string>;

/** A value that can be taken once. */
export class SecretValue {
  #plain: Plain | null;

  constructor(plain: Plain) {
    this.#plain = plain;
  }

  /** The value; afterwards it is not here any more. */
  take(): Plain {
    const plain = this.#plain;
    this.#plain = null;
    if (plain === null) throw new Error("This value was taken before.");
    return plain;
  }

  /** Forgets a value that nobody took. */
  wipe(): void {
    this.#plain = null;
  }

  /** JSON has nothing of it. */
  toJSON(): undefined {
    return undefined;
  }
}
