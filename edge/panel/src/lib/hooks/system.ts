// The application as a whole, for its administrators: tokens for everybody, providers that are switched off, the state of the vault.
//
// Must stay true: of a token for everybody only whether there is one is ever read.
import { type Action, type Reading, useAction, useRead } from "../connection/reads.ts";
import type { SecretValue } from "../connection/secret_value.ts";
import type { CompositeTypes } from "../../../../client/mod.ts";

/** The state of the vault. */
export type VaultStatus = CompositeTypes["server_status"];

/** Which tokens there are for everybody, by provider. */
export interface SystemTokens {
  settings: Record<string, { label: string; token_provided: boolean }>;
  huggingface_token_provided: boolean;
}

/** The state of the vault: whether it is open, how much is in it, whether the audit is written. */
export function useVaultStatus(): Reading<VaultStatus> {
  return useRead(["status"], async (vault, signal) => {
    const hftok = await vault.hftok();
    return await hftok.call("status", {}, signal);
  }, { again: () => 15_000 });
}

/** What a monitor is told: for auditors and operators. */
export function useVaultHealth(enabled: boolean): Reading<CompositeTypes["server_health"]> {
  return useRead(["status", "health"], async (vault, signal) => {
    const hftok = await vault.hftok();
    return await hftok.call("health", {}, signal);
  }, { enabled });
}

/** A provider of the catalogue, switched on or off; unknown where hftok cannot vouch for it. */
export interface ProviderSwitch {
  name: string;
  label: string;
  enabled: boolean | null;
}

/** Every provider of the catalogue, also those that are switched off. */
export function useProviderSwitches(): Reading<ProviderSwitch[]> {
  return useRead(["providers", "switches"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const rows = await hftok.rows("providers", { select: "name,label,enabled", order: "label" }, signal);
    return rows.flatMap(({ name, label, enabled }) =>
      name === null ? [] : [{ name, label: label ?? name, enabled }]
    );
  });
}

/** Which providers have a token for everybody. */
export function useSystemSettings(): Reading<SystemTokens> {
  return useRead(
    ["settings"],
    (vault, signal) => vault.call<SystemTokens>("system-settings", { method: "GET", signal }),
  );
}

/** Sets the token of a provider for everybody, or removes it where none is given. */
export function useSetSystemToken(): Action<SystemTokens, { provider: string; value: SecretValue | null }> {
  return useAction(
    async (vault, { provider, value }) => {
      const tokens = { [provider]: value === null ? null : value.take() };
      return await vault.call<SystemTokens>("system-settings", { method: "PUT", body: { tokens } });
    },
    "settings",
    "status",
    "walk",
    "secrets",
  );
}

/** Switches a provider off for everybody, or on again; false when it was so already. */
export function useSwitchProvider(): Action<boolean, { provider: string; enabled: boolean }> {
  return useAction(
    async (vault, { provider, enabled }) => {
      const hftok = await vault.hftok();
      return await hftok.call("switch_provider", { p_provider: provider, p_enabled: enabled });
    },
    "providers",
    "settings",
    "secrets",
    "walk",
  );
}
