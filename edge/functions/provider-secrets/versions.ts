// The former values of a provider's key, without their text, and bringing one back.
import type { Functions } from "../_shared/client/mod.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import { storedCredential, type Whose } from "../_shared/stored_credential.ts";
import type { User } from "../_shared/user.ts";

/** One value that a key had or has. */
export type Version = Functions["credential_history"]["Returns"][number];

/** The versions of a key, the newest first. */
export async function versions(user: User, provider: string, whose: Whose): Promise<Version[]> {
  return await historyOf(user, await idOf(user, provider, whose));
}

/** Makes a former value the current one, under a new version; the one before when none is named. */
export async function restore(
  user: User,
  provider: string,
  whose: Whose,
  version: number | undefined,
): Promise<number> {
  const id = await idOf(user, provider, whose);
  const wanted = version ?? (await historyOf(user, id)).find((it) => !it.is_current)?.version;
  if (typeof wanted !== "number") {
    throw new Refusal(404, "no_version", "There is no value before the current one.");
  }
  const args = { p_secret_id: id, p_version: wanted };
  return await refusing("user", user.hftok.call("restore_credential", args));
}

async function idOf(user: User, provider: string, whose: Whose): Promise<string> {
  const id = (await storedCredential(user, provider, whose))?.secret_id;
  if (typeof id !== "string") throw new Refusal(404, "no_token", "There is no key of this provider.");
  return id;
}

async function historyOf(user: User, id: string): Promise<Version[]> {
  const rows = await refusing("user", user.hftok.call("credential_history", { p_secret_id: id }));
  return rows.sort((a, b) => (b.version ?? 0) - (a.version ?? 0));
}
