// A provider's key as a page shows it.
//
// Must stay true: no value, and nothing of it but the preview that hftok made.
import type { Views } from "../_shared/client/mod.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import {
  type Stored,
  storedCredential,
  storedCredentials,
  type Whose,
} from "../_shared/stored_credential.ts";
import type { User } from "../_shared/user.ts";

/** A provider, and whether there is a key for it. */
export interface Secret {
  provider: string;
  label: string;
  /** Whether the application uses the provider. Keys of one that it does not are kept, and not used. */
  enabled: boolean;
  configured: boolean;
  id?: string | null;
  preview?: string | null;
  /** unverified, verified, invalid, expired, disabled or rate_limited. */
  status?: string | null;
  warnings?: string[];
  /** The reason for a refusal. */
  message?: string | null;
  model?: string;
  /** The name that its owner gave the key. */
  name?: string;
  version?: number | null;
  expires_at?: string | null;
  last_verified_at?: string | null;
  updated_at?: string | null;
  /** Whether this user may change it. */
  writable?: boolean;
}

type Provider = Pick<Views["providers"]["Row"], "name" | "label" | "enabled">;

const COLUMNS = "name,label,enabled";

/** Those of an owner for a use: a row for each provider that is switched on, or that there is a key for. */
export async function listed(user: User, whose: Whose): Promise<Secret[]> {
  const [providers, rows] = await Promise.all([
    refusing("user", user.hftok.rows("providers", { select: COLUMNS, order: "label" })),
    storedCredentials(user, whose),
  ]);
  const secrets = providers.map((it) => secretOf(it, rows.find((row) => row.provider === it.name)));
  return secrets.filter(({ enabled, configured }) => enabled || configured);
}

/** That of one provider. */
export async function shown(user: User, provider: string, whose: Whose): Promise<Secret> {
  const [known] = await refusing(
    "user",
    user.hftok.rows("providers", { name: `eq.${provider}`, select: COLUMNS }),
  );
  if (!known) throw new Refusal(404, "no_provider", "The catalogue has no provider of this name.");
  return secretOf(known, await storedCredential(user, provider, whose));
}

function secretOf({ name, label, enabled }: Provider, row: Stored | undefined): Secret {
  const provider = { provider: name ?? "", label: label ?? name ?? "", enabled: enabled !== false };
  if (!row) return { ...provider, configured: false };
  const { secret_id, preview, status, warnings, verdict_message, version } = row;
  const { expires_at, last_verified_at, updated_at } = row;
  return {
    ...provider,
    configured: true,
    id: secret_id,
    preview,
    status,
    warnings: warnings ?? [],
    message: verdict_message,
    ...(row.model ? { model: row.model } : {}),
    ...(row.label ? { name: row.label } : {}),
    version,
    expires_at,
    last_verified_at,
    updated_at,
    writable: row.writable === true,
  };
}
