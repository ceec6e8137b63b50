// Saving a provider's key: a new one, or another value of one that is there.
//
// Must stay true: two people who save at the same time cannot undo each other's work without being told.
import { HftokError } from "../_shared/client/mod.ts";
import type { Members } from "../_shared/body.ts";
import { textOf } from "../_shared/credential_text.ts";
import { Refusal, refusalOf } from "../_shared/refusal.ts";
import { scope, storedCredential, WHOSE } from "../_shared/stored_credential.ts";
import type { User } from "../_shared/user.ts";

/** The members of a request that saves. */
export const SAVING = { secret: "text or an object", label: "text", expires_at: "text", ...WHOSE } as const;

/** A request that saves. */
export type Saving = Members<typeof SAVING>;

/** The answer to it. */
export interface Saved {
  id: string | null;
  preview: string | null;
  version: number | null;
  warnings: string[];
}

/** hftok's `p_expected_version`: there must be none, or there must be one. */
const NONE = 0;
const ANY = -1;

/** Saves the first one; a refusal when there is one already. */
export async function create(user: User, provider: string, saving: Saving): Promise<Saved> {
  try {
    return await save(user, provider, saving, NONE);
  } catch (error) {
    if (!isConflict(error)) throw refused(error);
    throw new Refusal(409, "exists", "There is a key already: replace it by PUT.");
  }
}

/** Saves another value; a refusal when there is none, or when `version` is not the current one. */
export async function replace(
  user: User,
  provider: string,
  { version, ...saving }: Saving & { version?: number },
): Promise<Saved> {
  // hftok takes these for conditions of other kinds.
  if (version !== undefined && version < 1) {
    throw new Refusal(400, "bad_input", "version must be that of a stored key.");
  }
  try {
    return await save(user, provider, saving, version ?? ANY);
  } catch (error) {
    if (!isConflict(error)) throw refused(error);
    if (await storedCredential(user, provider, saving)) throw refused(error);
    throw new Refusal(404, "no_token", "There is no key to replace: save one by POST.");
  }
}

async function save(user: User, provider: string, saving: Saving, expectedVersion: number): Promise<Saved> {
  scope(saving);
  if (saving.secret === undefined) throw new Refusal(400, "bad_input", "secret must be given.");
  const { secret_id, preview, version, warnings } = await user.hftok.save(
    provider,
    await textOf(user, provider, saving.secret),
    {
      model: saving.model,
      orgId: saving.org_id,
      global: saving.global,
      label: saving.label,
      expiresAt: saving.expires_at,
      expectedVersion,
    },
  );
  return { id: secret_id, preview, version, warnings: warnings ?? [] };
}

function isConflict(error: unknown): boolean {
  return error instanceof HftokError && error.kind === "conflict";
}

function refused(error: unknown): unknown {
  return error instanceof HftokError ? refusalOf(error, "user") : error;
}
