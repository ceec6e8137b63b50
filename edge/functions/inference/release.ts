// Having a key released by hftok for the host that it will be sent to.
//
// Must stay true:
// - Whatever address a credential names, hftok was asked for exactly that host before anything is sent there.
// - It is one of the provider's hosts: an owner may give a credential others, and this function reaches what its users do not.
import { type CompositeTypes, type Hftok, HftokError, type Need } from "../_shared/client/mod.ts";
import { matchesAny } from "../_shared/destination.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { destination, isElsewhere, open, type Opened, type Speaker } from "./speaker.ts";

/** A credential that may be sent to an address. */
export interface Released extends Opened {
  resolved: CompositeTypes["resolved_token"];
}

/** The credential for this need, and the address of a path. */
export async function release(
  hftok: Hftok,
  speaker: Speaker,
  need: Need,
  path: string,
  client: AbortSignal,
): Promise<Released> {
  const resolve = async (host: string | undefined): Promise<Released> => {
    const resolved = await hftok.resolve(speaker.name, { ...need, host }, client);
    if (resolved.token === null) {
      const words = `A key of ${speaker.label} is needed, and there is none for you. Save one.`;
      throw new Refusal(403, "token_needed", words, {}, { "x-hftok-source": "none" });
    }
    return { resolved, ...open(speaker, resolved.token, path) };
  };
  if (!isElsewhere(speaker)) {
    return await refusing("service", resolve(destination(speaker, speaker.base, path).host));
  }
  // The credential says the host, so it is looked at first, and then released for it.
  const { to, resolved } = await refusing(
    "service",
    resolve(undefined).catch(async (error) => await resolve(await ownHost(hftok, error))),
  );
  if (!matchesAny(speaker.hosts, to.host)) throw refusedHost(resolved.source);
  const released = await refusing("service", resolve(to.host));
  if (released.to.host === to.host) return released;
  throw new Refusal(409, "conflict", "The credential was replaced in the meantime. Try again.");
}

function refusedHost(level: string | null): Refusal {
  const facts = { level: level ?? "", outcome: "host_refused" };
  return new Refusal(422, "unusable", "The address in it is none of the provider's.", facts);
}

/** A host of the credential's own list: one that has such a list is released for these alone. Without one the error stays. */
async function ownHost(hftok: Hftok, error: unknown): Promise<string> {
  const isOfHosts = error instanceof HftokError && error.outcome === "host_refused" &&
    error.secretId !== null;
  if (!isOfHosts) throw error;
  const filter = { secret_id: `eq.${error.secretId}`, select: "allowed_hosts" };
  // A role that may not look there leaves it at that.
  const [row] = await hftok.rows("credentials", filter).catch(() => []);
  const own = row?.allowed_hosts?.find((host) => !host.includes("*"));
  if (own === undefined) throw error;
  return own;
}
