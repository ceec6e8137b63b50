// Credentials of one's own, of an organisation, of a model and of the installation: by edge function provider-secrets.
//
// Must stay true: a value goes to the function in a SecretValue, and comes back from nowhere.
import { type Action, type Reading, useAction, useRead } from "../connection/reads.ts";
import type { SecretValue } from "../connection/secret_value.ts";

/** Whose, and for what: one's own for all models when nothing is named. */
export interface Use {
  model?: string;
  orgId?: string;
  global?: boolean;
}

/** A state of a credential. */
export type SecretStatus =
  | "verified"
  | "unverified"
  | "invalid"
  | "indeterminate"
  | "rate_limited"
  | "expired"
  | "disabled";

/** What is known of a provider's credential; with `configured` false there is none. */
export interface Secret {
  provider: string;
  label: string;
  /** Whether the application uses the provider: keys of one that it does not are kept, and not used. */
  enabled?: boolean;
  configured: boolean;
  id?: string;
  preview?: string;
  status?: SecretStatus;
  /** It was just saved, and the provider is being asked. */
  isVerifying?: boolean;
  warnings?: string[];
  /** What the provider said when it was last tested. */
  message?: string | null;
  model?: string;
  /** The name that its owner gave it. */
  name?: string;
  version?: number;
  expires_at?: string | null;
  last_verified_at?: string | null;
  updated_at?: string | null;
  writable?: boolean;
}

/** The result of saving. */
export interface SavedSecret {
  id: string;
  preview: string;
  version: number;
  warnings: string[];
}

/** The result of a test. */
export interface SecretTest {
  verdict: "verified" | "invalid" | "indeterminate" | "rate_limited";
  /** Why: `refused`, `unpaid`, `timeout`, …; the messages of the panel have a sentence for each. */
  reason?: string;
  /** A sentence in English. */
  message: string;
  warnings: string[];
}

/** A version of a credential that was saved earlier, or the one that is in use. */
export interface SecretVersion {
  version: number;
  is_current: boolean;
  preview: string;
  expires_at: string | null;
  created_at: string;
  superseded_at: string | null;
}

/** Which credential an action is about. */
export interface OfProvider extends Use {
  provider: string;
}

/** A credential to be saved. */
export interface SavingSecret extends OfProvider {
  secret: SecretValue;
  /** Whether it takes the place of one that is there. */
  replaces: boolean;
  /** For one that takes another's place: the version that was seen, so that nobody else's is overwritten. */
  version?: number;
  label?: string;
  /** ISO 8601. */
  expiresAt?: string;
}

const FUNCTION = "provider-secrets";
/** The time that a provider is given to answer after saving, and how often it is looked whether it did. */
const VERIFIES_WITHIN_MS = 12_000;
const LOOKS_EVERY_MS = 1_500;
/** Readings that are made again when a credential changed. */
const CHANGED = ["secrets", "secret-history", "walk", "tokens-provided"];

/** Reads one row for each provider that is switched on. */
export function useSecrets(use: Use = {}): Reading<Secret[]> {
  const query = named(use);
  return useRead(["secrets", ...keyOf(use)], async (vault, signal) => {
    const { secrets } = await vault.call<{ secrets: Secret[] }>(FUNCTION, { method: "GET", query, signal });
    return secrets.map(dated);
  }, { again: (secrets) => secrets.some(({ isVerifying }) => isVerifying) && LOOKS_EVERY_MS });
}

/** Reads the credential for one provider. */
export function useSecret(provider: string, use: Use = {}): Reading<Secret> {
  const query = named(use);
  const path = encodeURIComponent(provider);
  return useRead(
    ["secrets", ...keyOf(use), provider],
    async (vault, signal) =>
      dated(await vault.call<Secret>(FUNCTION, { method: "GET", path, query, signal })),
    { again: ({ isVerifying }) => isVerifying === true && LOOKS_EVERY_MS },
  );
}

/** Reads the versions of a credential, the newest first. */
export function useSecretHistory({ provider, ...use }: OfProvider, enabled = true): Reading<SecretVersion[]> {
  const path = `${encodeURIComponent(provider)}/history`;
  const query = named(use);
  return useRead(["secret-history", ...keyOf(use), provider], async (vault, signal) => {
    const { versions } = await vault.call<{ versions: SecretVersion[] }>(FUNCTION, {
      method: "GET",
      path,
      query,
      signal,
    });
    return versions;
  }, { enabled });
}

/** Saves a credential. */
export function useSaveSecret(): Action<SavedSecret, SavingSecret> {
  return useAction((vault, { provider, secret, replaces, version, label, expiresAt, ...use }) => {
    const saved = { secret: secret.take(), label, expires_at: expiresAt, ...named(use) };
    return replaces
      ? vault.call<SavedSecret>(FUNCTION, {
        method: "PUT",
        path: encodeURIComponent(provider),
        body: { ...saved, version },
      })
      : vault.call<SavedSecret>(FUNCTION, { method: "POST", body: { provider, ...saved } });
  }, ...CHANGED);
}

/** Asks the provider whether it takes a credential: the stored one, or one that is not saved. */
export function useTestSecret(): Action<SecretTest, OfProvider & { secret?: SecretValue }> {
  return useAction((vault, { provider, secret, ...use }) => {
    const body = { ...named(use), ...(secret === undefined ? {} : { secret: secret.take() }) };
    return vault.call<SecretTest>(FUNCTION, {
      method: "POST",
      path: `${encodeURIComponent(provider)}/test`,
      body,
    });
  }, ...CHANGED);
}

/** Deletes a credential and its history; false when there was none. */
export function useDeleteSecret(): Action<boolean, OfProvider> {
  return useAction(async (vault, { provider, ...use }) => {
    const path = encodeURIComponent(provider);
    const answer = await vault.call<{ deleted: boolean }>(FUNCTION, {
      method: "DELETE",
      path,
      query: named(use),
    });
    return answer.deleted;
  }, ...CHANGED);
}

/** Takes a former version back, the one before when none is named; answers the number that it has now. */
export function useRestoreSecret(): Action<number, OfProvider & { version?: number }> {
  return useAction(async (vault, { provider, version, ...use }) => {
    const request = { method: "POST", path: `${encodeURIComponent(provider)}/restore` } as const;
    const answer = await vault.call<{ version: number }>(FUNCTION, {
      ...request,
      body: { version, ...named(use) },
    });
    return answer.version;
  }, ...CHANGED);
}

/** Reads, for each level of the walk, whether it by itself would give a credential. */
export function useTokensProvided(provider: string, use: Use = {}): Reading<Record<string, boolean>> {
  return useRead(["tokens-provided", provider, ...keyOf(use)], async (vault, signal) => {
    const hftok = await vault.hftok();
    const asked = { p_provider: provider, p_org_id: use.orgId, p_model: use.model };
    const rows = await hftok.call("tokens_provided", asked, signal);
    return Object.fromEntries(
      rows.flatMap(({ level, provided }) => level === null ? [] : [[level, provided === true]]),
    );
  });
}

/** Says whether the provider is being asked at the moment: one that was just saved is, by the function itself. */
function dated(secret: Secret): Secret {
  const age = Math.abs(Date.now() - new Date(secret.updated_at ?? 0).getTime());
  return { ...secret, isVerifying: secret.status === "unverified" && age < VERIFIES_WITHIN_MS };
}

/** As the functions name it. */
export function named({ model, orgId, global }: Use) {
  return { model, org_id: orgId, global: global === true ? true : undefined };
}

/** As a reading is known by it. */
export function keyOf({ model, orgId, global }: Use) {
  return [orgId ?? null, model ?? null, global ?? false] as const;
}
