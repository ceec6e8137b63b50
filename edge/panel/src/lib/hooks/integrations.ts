// Integrations, as the edge function `integrations` serves them.
//
// Must stay true: credentials go into a request as a SecretValue, which is taken once; no answer holds any.
import { type Action, type Reading, useAction, useRead } from "../connection/reads.ts";
import type { SecretValue } from "../connection/secret_value.ts";
import type { SecretTest } from "./secrets.ts";
import { lookAgainAfter } from "../integrations/status.ts";
import type { Json } from "../integrations/settings.ts";

/** An integration, without its credentials. */
export interface Integration {
  id: string;
  /** Its owner; null when it is an organisation's. */
  user_id: string | null;
  org_id: string | null;
  name: string;
  /** The provider. */
  type: string;
  status: string | null;
  enabled: boolean | null;
  config: Json | null;
  error_message: string | null;
  preview: string | null;
  version: number | null;
  warnings: string[] | null;
  last_used_at: string | null;
  created_at: string | null;
  updated_at: string | null;
  /** The organisations that it is shared with, as far as the reader sees them. */
  shared_with: string[];
  /** Whether the reader may change it. */
  owned: boolean;
}

/** A new integration. */
export interface NewIntegration {
  name: string;
  type: string;
  credentials: SecretValue;
  config: Json;
  /** The organisation that it belongs to; the caller when not given. */
  orgId?: string;
}

/** A change: what is given is changed, all of it or nothing. New credentials are verified by themselves. */
export interface IntegrationChange {
  id: string;
  name?: string;
  config?: Json;
  enabled?: boolean;
  credentials?: SecretValue;
}

/** What a provider said of an integration's credentials, and the status that it has now. */
export interface IntegrationTest extends Omit<SecretTest, "warnings"> {
  status: string;
}

const NAME = "integrations";

/** The integrations that the reader may see. They are read again by themselves while one is being verified. */
export function useIntegrations(): Reading<Integration[]> {
  return useRead([NAME], async (vault, signal) => {
    const { integrations } = await vault.call<{ integrations: Integration[] }>(NAME, {
      method: "GET",
      signal,
    });
    return integrations;
  }, { again: (rows) => lookAgainAfter(rows, Date.now()) });
}

/** Makes an integration; verification begins by itself. */
export function useCreateIntegration(): Action<{ id: string }, NewIntegration> {
  return useAction(
    (vault, { credentials, orgId, ...asked }) =>
      vault.call(NAME, {
        method: "POST",
        body: { ...asked, org_id: orgId, credentials: credentials.take() },
      }),
    NAME,
  );
}

/** Changes one. */
export function useChangeIntegration(): Action<Integration, IntegrationChange> {
  return useAction(
    (vault, { id, credentials, ...change }) =>
      vault.call(NAME, { method: "PUT", path: id, body: { ...change, credentials: credentials?.take() } }),
    NAME,
  );
}

/** Asks the provider whether it takes the stored credentials. */
export function useTestIntegration(): Action<IntegrationTest, { id: string }> {
  return useAction(
    (vault, { id }) => vault.call(NAME, { method: "POST", path: `${id}/test`, body: {} }),
    NAME,
  );
}

/** Lets the members of an organisation use one, or no longer. */
export function useShareIntegration(): Action<void, { id: string; orgId: string; isShared: boolean }> {
  return useAction(async (vault, { id, orgId, isShared }) => {
    const path = `${id}/${isShared ? "share" : "unshare"}`;
    await vault.call(NAME, { method: "POST", path, body: { org_id: orgId } });
  }, NAME);
}

/** Deletes one with its credentials. */
export function useDeleteIntegration(): Action<{ deleted: boolean }, { id: string }> {
  return useAction((vault, { id }) => vault.call(NAME, { method: "DELETE", path: id }), NAME);
}
