// Whether a refusal is about the key.
//
// A model answers 401 also when it is private, when it is not there, and when a server behind the router has troubles of its
// own. A user chooses the model. If that were taken for a verdict, anybody could switch off the organisation's token or the
// platform's by asking for the right model twice. So the catalogue's test request, which nobody chooses, decides.
//
// Must stay true:
// - The token goes to the test's host only if hftok releases it for that host, and the verdict is about the version that was
//   tested.
// - A user who asks for such a model in a loop does not have a good token tested in a loop. A user who leaves at once does not
//   keep others from learning that it is refused.
import { type CompositeTypes, type Hftok, HftokError, type Need } from "./client/mod.ts";
import { Refusal } from "./refusal.ts";
import { hostFor } from "./client/test_request.ts";
import { judge, sentence, testOf } from "./verdict.ts";
import { RecentKeys } from "./recent.ts";

/** Tokens that were just tested and not refused. A refused token is tested again until hftok believes the refusal. */
const notRefused = new RecentKeys(60 * 1000);
/** Tests that are being made. A request that comes meanwhile shares the answer. */
const underWay = new Map<string, Promise<boolean>>();

/** Tests the credential that was resolved, keeps the verdict, and says whether it is refused. */
export async function isRefused(
  hftok: Hftok,
  provider: string,
  need: Need,
  resolved: CompositeTypes["resolved_token"],
): Promise<boolean> {
  if (resolved.token === null || resolved.source === null) return false;
  const key = `${resolved.secret_id} ${resolved.version}`;
  if (notRefused.has(key)) return false;
  let test = underWay.get(key);
  if (!test) {
    test = askProvider(hftok, provider, need, resolved.token, resolved.source).finally(() =>
      underWay.delete(key)
    );
    underWay.set(key, test);
  }
  const refused = await test;
  if (!refused) notRefused.note(key);
  return refused;
}

async function askProvider(
  hftok: Hftok,
  provider: string,
  need: Need,
  token: string,
  source: string,
): Promise<boolean> {
  try {
    const test = await testOf(hftok, provider);
    const host = test.host ?? hostFor(test, token);
    if (host === null) return false;
    const released = await hftok.resolve(provider, { ...need, host, levels: [source] });
    // Replaced in the meantime.
    if (released.token !== token) return false;
    const finding = await judge(test, released.token, new AbortController().signal);
    await hftok.report(
      released,
      finding.verdict,
      sentence(test.label, finding),
      finding.retryAfter ?? undefined,
    );
    return finding.verdict === "invalid";
  } catch (error) {
    // Nothing is known of the token then, and that is no reason not to answer.
    if (error instanceof HftokError || error instanceof Refusal) return false;
    throw error;
  }
}
