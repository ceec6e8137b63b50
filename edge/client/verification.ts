// Verification of an integration: the provider is asked by the catalogue's request whether it takes the credentials, and what it said is
// kept. For the service, on a server.
//
// Must stay true:
// - What was found is reported for the version that was tested: about credentials that were replaced meanwhile it says nothing.
// - Whatever becomes of a verification that has begun is reported, so that nothing is left verifying.
import type { Hftok } from "./client.ts";
import { HftokError } from "./error.ts";
import type { Functions } from "./schema/functions.ts";
import type { Json } from "./schema/database.ts";
import type { Views } from "./schema/views.ts";
import { type Finding, sentence, unanswered } from "./test_answer.ts";
import { ask, testOf } from "./test_request.ts";

/** An integration that the caller is about to verify. */
export interface Begun {
  id: string;
  secretId: string;
  /** The provider. */
  type: string;
  /** On whose behalf its credentials are read; null where an organisation has no member, or nobody was named. */
  userId: string | null;
  /** The organisation that owns it. */
  orgId: string | null;
  /** The version of its credentials. */
  version: number;
  /** Whether the provider accepted this version before: then the second refusal in a row counts. */
  wasVerified: boolean;
}

/** The outcome of a verification. */
export interface Verification {
  finding: Finding;
  /** The finding in words for people. */
  message: string;
}

type Provider = Views["providers"]["Row"];

/** An answer of `begin_verification()`. */
export function begunOf(row: Functions["begin_verification"]["Returns"][number]): Begun {
  const { integration_id: id, secret_id: secretId, type, version } = row;
  if (id === null || secretId === null || type === null || version === null) {
    throw new HftokError("unexpected");
  }
  const wasVerified = row.verdict === "verified";
  return { id, secretId, type, userId: row.user_id, orgId: row.org_id, version, wasVerified };
}

/** Verifies an integration that was begun with; `provider` is its row of the catalogue. */
export async function verify(
  hftok: Hftok,
  begun: Begun,
  provider: Provider | undefined,
  signal?: AbortSignal,
): Promise<Verification> {
  const test = provider ? testOf(provider) : null;
  const report = async (finding: Finding): Promise<Verification> => {
    const message = sentence(provider?.label ?? begun.type, finding, (test?.fields.length ?? 1) > 1);
    await tell(hftok, begun, finding, message);
    return { finding, message };
  };
  if (test === null) return await report(unanswered("no_test"));
  const credentials = await opened(hftok, begun);
  const first = await report(await ask(test, credentials, signal));
  if (first.finding.verdict !== "invalid" || !begun.wasVerified) return first;
  return await report(await ask(test, credentials, signal));
}

/** The credentials; where they cannot be had, that is what is found. */
async function opened(hftok: Hftok, begun: Begun): Promise<Json> {
  try {
    const of = { p_integration_id: begun.id, p_user_id: begun.userId };
    return await hftok.call("get_integration_credentials", of);
  } catch (error) {
    // What failed is passed on, also where nothing can be told of it.
    const message = "Failed to verify credentials: they cannot be opened at the moment. Nothing was sent.";
    await tell(hftok, begun, unanswered("unsendable"), message).catch(() => {});
    throw error;
  }
}

async function tell(
  hftok: Hftok,
  { secretId, version }: Begun,
  { verdict, retryAfter }: Finding,
  message: string,
): Promise<void> {
  const of = { secret_id: secretId, version };
  await hftok.report(of, verdict, verdict === "verified" ? undefined : message, retryAfter ?? undefined);
}
