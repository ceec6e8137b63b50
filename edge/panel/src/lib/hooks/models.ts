// Models that have a key of their own.
import { type Reading, useRead } from "../connection/reads.ts";
import type { SecretStatus } from "./secrets.ts";

/** A model's key, as far as it is shown. */
export interface ModelSecret {
  provider: string;
  model: string;
  label: string | null;
  preview: string;
  status: SecretStatus;
  updated_at: string | null;
}

const STATUSES: readonly SecretStatus[] = [
  "verified",
  "unverified",
  "invalid",
  "indeterminate",
  "rate_limited",
  "expired",
  "disabled",
];

/** The models for which the reader has a key of their own. */
export function useModelSecrets(): Reading<ModelSecret[]> {
  // The name begins as that of all secrets does: what changes one has these read again.
  return useRead(["secrets", "of-models"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const select = "provider,model,label,preview,status,updated_at";
    // A further key in another slot is the same model's.
    const own = { scope: "eq.user", model: "neq.", slot: "eq.", order: "provider,model", select };
    const rows = await hftok.rows("credentials", own, signal);
    return rows.flatMap(({ provider, model, label, preview, status, updated_at }) =>
      provider === null || model === null ? [] : [{
        provider,
        model,
        label,
        preview: preview ?? "",
        status: STATUSES.find((it) => it === status) ?? "unverified",
        updated_at,
      }]
    );
  });
}
