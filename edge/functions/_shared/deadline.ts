// The wait for an answer: it ends when no byte has come for too long, or when the client is gone.
//
// Must stay true: the call to the provider ends as soon as the client is gone, so that nobody pays for an answer that nobody
// reads.

/** A limit that begins anew whenever bytes came. */
export class IdleDeadline {
  readonly #controller = new AbortController();
  readonly #ms: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ranOut = false;

  /** `client` is the signal of the request: it fires when the client is gone. */
  constructor(ms: number, client: AbortSignal) {
    this.#ms = ms;
    if (client.aborted) this.end();
    client.addEventListener("abort", () => this.end());
    this.renew();
  }

  /** Fires when waiting is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the time that ended it. */
  get ranOut(): boolean {
    return this.#ranOut;
  }

  /** Something is waited for from now on. */
  renew(): void {
    this.#wait(this.#ms);
  }

  /** The answer is on its way to the client. The client may take long, but not for ever: it holds somebody's connection. */
  rest(): void {
    this.#wait(10 * this.#ms);
  }

  /** Nothing is expected any more; what is still under way ends. */
  end(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    if (this.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#ranOut = true;
      this.#controller.abort();
    }, ms);
  }
}
