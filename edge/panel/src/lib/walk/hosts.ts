// The hosts that a request of a provider may go to, for a walk that is to be explained as a request makes it.
import type { CatalogueProvider } from "../hooks/providers.ts";

/** Hosts of this machine stand in the catalogue for tests and for servers beside the backend. */
const LOCAL = ["localhost", "127.0.0.1"];

/** The hosts that are one; a pattern of several is none that a request could be sent to. */
export function hostsOf(provider: CatalogueProvider | undefined): string[] {
  return (provider?.hosts ?? []).filter((host) => !host.includes("*") && !LOCAL.includes(host));
}
