// Whether a provider takes a credential, by the test request of hftok's catalogue.
//
// Must stay true:
// - A stored credential is opened only for who may write it, and is sent only to a host that hftok released it for; what was
//   found is reported for the version that was tested.
// - A credential that cannot be one of its provider's is not sent anywhere.
// - A user has no more keys tested than a pace allows, saved or not.
import { inBackground } from "./background.ts";
import type { CompositeTypes, Hftok, Need } from "./client/mod.ts";
import { hostFor } from "./client/test_request.ts";
import { Pace } from "./pace.ts";
import { Refusal, refusing } from "./refusal.ts";
import type { Settings } from "./settings.ts";
import { levelOf, type Stored, storedCredential, type Whose } from "./stored_credential.ts";
import { service, type User } from "./user.ts";
import { type Finding, judge, type ProviderTest, sentence, testOf } from "./verdict.ts";

/** The answer to a test. */
export interface TestAnswer {
  verdict: Finding["verdict"];
  /** Why, for a program; `malformed` where it was not even sent. */
  reason: Finding["reason"] | "malformed";
  message: string;
  /** The seconds until the provider may be asked again, where it says so. */
  retry_after?: number;
  warnings: string[];
}

const pace = Pace.ofTests();

/** Tests a credential that is not saved. */
export async function testUnsaved(
  user: User,
  provider: string,
  secret: string,
  client: AbortSignal,
): Promise<TestAnswer> {
  const { ok, warnings } = await refusing("user", user.hftok.check(provider, secret));
  const complaints = warnings ?? [];
  const test = await refusing("user", testOf(user.hftok, provider));
  if (!ok) {
    const message = `Failed to verify credentials: this cannot be a key of ${test.label}. It was not sent.`;
    return { verdict: "invalid", reason: "malformed", message, warnings: complaints };
  }
  pace.admit(user.id);
  return answerOf(test, await judge(test, secret.trim(), client), complaints);
}

/** Tests the credential that is stored, and keeps what was found. */
export async function testStored(
  user: User,
  provider: string,
  whose: Whose,
  settings: Settings,
  client: AbortSignal,
): Promise<TestAnswer> {
  const row = await storedCredential(user, provider, whose);
  if (!row) throw none();
  if (!row.writable) {
    throw new Refusal(403, "not_allowed", "Only who may change this token may have it tested.");
  }
  pace.admit(user.id);
  const hftok = service(settings);
  const test = await refusing("service", testOf(hftok, provider));
  const need = { userId: user.id, orgId: whose.org_id, model: whose.model, levels: [levelOf(whose)] };
  const released = await release(hftok, provider, need, test, row);
  const finding = await judge(test, released.token, client);
  const answer = answerOf(test, finding, row.warnings ?? []);
  const report = hftok.report(released, answer.verdict, answer.message, answer.retry_after);
  await refusing("service", report);
  return answer;
}

/** Tests what was just saved, while the user already has the answer; what is found shows in its status. */
export function testInBackground(
  name: string,
  user: User,
  provider: string,
  whose: Whose,
  settings: Settings,
): void {
  const test = testStored(user, provider, whose, settings, new AbortController().signal);
  const expected = test.catch((error) => {
    // Nobody can be asked about it, it is gone by now, or its owner saves in a loop.
    const expected = ["no_test", "no_token", "unusable", "too_often"];
    if (error instanceof Refusal && expected.includes(error.code)) return;
    throw error;
  });
  inBackground(name, [expected]);
}

type Released = CompositeTypes["resolved_token"] & { token: string };

/** The stored credential, released for the host of the test; a refusal where it may not go there. */
async function release(
  hftok: Hftok,
  provider: string,
  need: Need,
  test: ProviderTest,
  row: Stored,
): Promise<Released> {
  const resolved = async (host: string | undefined): Promise<Released> => {
    const it = await refusing("service", hftok.resolve(provider, { ...need, host }));
    if (it.token !== null && it.secret_id === row.secret_id) return { ...it, token: it.token };
    // Another key of the same owner serves in its place, or it was deleted while this was running.
    const isResting = ["disabled", "expired", "invalid", "rate_limited"].find((status) =>
      status === row.status
    );
    if (!isResting) throw none();
    const facts = { level: need.levels?.[0] ?? "", outcome: isResting };
    throw new Refusal(
      422,
      "unusable",
      "This key cannot be used, and another one serves in its place.",
      facts,
    );
  };
  if (test.host !== null) return await resolved(test.host);
  // Its own address says the host. One with hosts of its own is released for one of those alone, so that is what is asked first.
  const own = row.allowed_hosts?.find((host) => !host.includes("*"));
  const host = hostFor(test, (await resolved(own)).token);
  if (host === null) throw refusedHost(need);
  return await resolved(host);
}

function answerOf(test: ProviderTest, finding: Finding, warnings: string[]): TestAnswer {
  const { verdict, reason, retryAfter } = finding;
  const message = sentence(test.label, finding, test.fields.length > 1);
  return { verdict, reason, message, ...(retryAfter === null ? {} : { retry_after: retryAfter }), warnings };
}

function refusedHost({ levels }: Need): Refusal {
  const facts = { level: levels?.[0] ?? "", outcome: "host_refused" };
  return new Refusal(422, "unusable", "The address in it is none that it may be sent to.", facts);
}

function none(): Refusal {
  return new Refusal(404, "no_token", "There is no token to test.");
}
