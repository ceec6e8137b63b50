// Models that have a key of their own.
import type { Views } from "../../../../client/mod.ts";
import { type Reading, useRead } from "../connection/reads.ts";

/** A model's key, as far as it is shown. */
export type ModelSecret = Pick<
  Views["credentials"]["Row"],
  | "secret_id"
  | "provider"
  | "model"
  | "label"
  | "preview"
  | "status"
  | "version"
  | "updated_at"
  | "last_verified_at"
>;

/** The models for which the reader has a key of their own. */
export function useModelSecrets(): Reading<ModelSecret[]> {
  // The name begins as that of all secrets does: what changes one has these read again.
  return useRead(["secrets", "of-models"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const select = "secret_id,provider,model,label,preview,status,version,updated_at,last_verified_at";
    // A further key in another slot is the same model's.
    const own = { scope: "eq.user", model: "neq.", slot: "eq.", order: "provider,model", select };
    return await hftok.rows("credentials", own, signal);
  });
}
