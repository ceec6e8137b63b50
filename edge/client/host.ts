// The hosts that a credential may be sent to.
//
// Must stay true: only over TLS, except to a server on this machine; and the host that hftok is asked about is exactly the
// one that is connected to.

const LOOPBACK = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** Whether a credential may be sent to an address at all: over TLS, or to this machine, and with nothing hidden in it. */
export function isSafe(url: URL): boolean {
  const isEncrypted = url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname));
  return isEncrypted && url.username === "" && url.password === "" && url.hash === "";
}

/** The host that a credential must be released for. hftok refuses a port other than 443; a server on this machine has none. */
export function hostOf(url: URL): string {
  return LOOPBACK.has(url.hostname) ? url.hostname : url.host;
}

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
