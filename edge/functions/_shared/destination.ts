// The hosts that a token may be sent to.
//
// Must stay true: only over TLS, except to a server on this machine; and the host that hftok is asked about is exactly the
// one that is connected to.
import { Refusal } from "./refusal.ts";

const LOOPBACK = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** Whether a host is one of a list, read as hftok reads it: `*` is one label, and `*.` in front one or more. */
export function matchesAny(patterns: string[], host: string): boolean {
  return patterns.some((pattern) => matches(pattern.toLowerCase(), host.toLowerCase()));
}

function matches(pattern: string, host: string): boolean {
  const isOpen = pattern.startsWith("*.");
  const wanted = (isOpen ? pattern.slice(2) : pattern).split(".").reverse();
  const labels = host.split(".").reverse();
  const isAsLong = isOpen ? labels.length > wanted.length : labels.length === wanted.length;
  return isAsLong && wanted.every((label, at) => label === "*" || label === labels[at]);
}

/** An address that a token may be sent to. */
export class Destination {
  readonly url: URL;

  private constructor(url: URL) {
    this.url = url;
  }

  /** The address in a text from the operator: the catalogue, or the environment. */
  static of(text: string): Destination {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isLocal = url !== undefined && LOOPBACK.has(url.hostname);
    if (!url || !(url.protocol === "https:" || (url.protocol === "http:" && isLocal))) {
      throw new Refusal(500, "misconfigured", "The address to call is none that a token may be sent to.");
    }
    if (url.username !== "" || url.password !== "" || url.hash !== "") {
      throw new Refusal(
        500,
        "misconfigured",
        "The address to call must hold neither a user name nor a fragment.",
      );
    }
    return new Destination(url);
  }

  /** The host that a token must be released for. hftok refuses a port other than 443; a server on this machine has none. */
  get host(): string {
    return LOOPBACK.has(this.url.hostname) ? this.url.hostname : this.url.host;
  }
}
