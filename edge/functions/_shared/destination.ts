// The hosts that a token may be sent to.
//
// Must stay true: only over TLS, except to a server on this machine; and the host that hftok is asked about is exactly the
// one that is connected to.
import { hostOf, isSafe, matchesAny } from "./client/host.ts";
import { Refusal } from "./refusal.ts";

export { matchesAny };

/** An address that a token may be sent to. */
export class Destination {
  readonly url: URL;

  private constructor(url: URL) {
    this.url = url;
  }

  /** The address in a text from the operator: the catalogue, or the environment. */
  static of(text: string): Destination {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !isSafe(url)) {
      throw new Refusal(
        500,
        "misconfigured",
        "The address to call is none that a token may be sent to: by https, without a user name or a fragment.",
      );
    }
    return new Destination(url);
  }

  /** The host that a token must be released for. hftok refuses a port other than 443; a server on this machine has none. */
  get host(): string {
    return hostOf(this.url);
  }
}
