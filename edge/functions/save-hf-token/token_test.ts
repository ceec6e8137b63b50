// Whether Hugging Face takes a token, by the test request of hftok's catalogue.
//
// Must stay true:
// - A stored token is opened only for who may write it, and only if it may be sent to the host of the test; what was found
//   is reported for the version that was tested.
// - A token that cannot be one is not sent anywhere.
import { Refusal, refusing } from "../_shared/refusal.ts";
import type { Settings } from "../_shared/settings.ts";
import { service, type User } from "../_shared/user.ts";
import { type Finding, judge, testOf } from "../_shared/verdict.ts";
import { PROVIDER, savedToken, scope, type Whose } from "./saved_token.ts";

/** The answer to a test. */
export interface TestAnswer {
  verdict: Finding["verdict"];
  message: string;
  warnings: string[];
}

/** Tests a token that is not saved. */
export async function testUnsaved(user: User, token: string, client: AbortSignal): Promise<TestAnswer> {
  const { ok, warnings } = await refusing("user", user.hftok.check(PROVIDER, token));
  const complaints = warnings ?? [];
  if (!ok) {
    return {
      verdict: "invalid",
      message: "This cannot be a Hugging Face token. It was not sent.",
      warnings: complaints,
    };
  }
  const finding = await judge(await refusing("user", testOf(user.hftok, PROVIDER)), token.trim(), client);
  return { verdict: finding.verdict, message: sentence(finding), warnings: complaints };
}

/** Tests the token that is stored, and keeps what was found. */
export async function testStored(
  user: User,
  whose: Whose,
  settings: Settings,
  client: AbortSignal,
): Promise<TestAnswer> {
  const row = await savedToken(user, whose);
  if (!row) throw new Refusal(404, "no_token", "There is no token to test.");
  if (!row.writable) {
    throw new Refusal(403, "not_allowed", "Only who may change this token may have it tested.");
  }
  const hftok = service(settings);
  const test = await refusing("service", testOf(hftok, PROVIDER));
  const need = {
    userId: user.id,
    orgId: whose.org_id,
    model: whose.model,
    host: test.host ?? undefined,
    levels: [scope(whose) + (whose.model === undefined ? "" : "_model")],
  };
  const resolved = await refusing("service", hftok.resolve(PROVIDER, need));
  // Deleted or replaced while this was running.
  if (resolved.token === null || resolved.secret_id !== row.secret_id) {
    throw new Refusal(404, "no_token", "There is no token to test.");
  }
  const finding = await judge(test, resolved.token, client);
  await refusing("service", hftok.report(resolved, finding.verdict, sentence(finding)));
  return { verdict: finding.verdict, message: sentence(finding), warnings: row.warnings ?? [] };
}

function sentence({ verdict, status }: Finding): string {
  if (verdict === "verified") return "Hugging Face accepts this token.";
  if (verdict === "invalid") return "Hugging Face refuses this token.";
  if (status === 403) return "Hugging Face knows this token, but a policy keeps it from being used.";
  if (status === 429) return "Hugging Face is asked too often at the moment. Try again in a few minutes.";
  return "Hugging Face gave no clear answer, so nothing is known about this token.";
}
