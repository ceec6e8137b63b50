// Whether a 401 is about the token.
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
import { type CompositeTypes, type Hftok, HftokError, type Need } from "../_shared/client/mod.ts";
import { Refusal } from "../_shared/refusal.ts";
import { judge, testOf } from "../_shared/verdict.ts";
import { RecentKeys } from "./recent.ts";

/** Tokens that were just tested and not refused. A refused token is tested again until hftok believes the refusal. */
const notRefused = new RecentKeys(60 * 1000);
/** Tests that are being made. A request that comes meanwhile shares the answer. */
const underWay = new Map<string, Promise<boolean>>();

/** Tests the token that was resolved, keeps the verdict, and says whether it is refused. */
export async function isRefused(
  hftok: Hftok,
  need: Need,
  resolved: CompositeTypes["resolved_token"],
): Promise<boolean> {
  if (resolved.token === null || resolved.source === null) return false;
  const key = `${resolved.secret_id} ${resolved.version}`;
  if (notRefused.has(key)) return false;
  let test = underWay.get(key);
  if (!test) {
    test = askProvider(hftok, need, resolved.token, resolved.source).finally(() => underWay.delete(key));
    underWay.set(key, test);
  }
  const refused = await test;
  if (!refused) notRefused.note(key);
  return refused;
}

async function askProvider(hftok: Hftok, need: Need, token: string, source: string): Promise<boolean> {
  try {
    const test = await testOf(hftok, "huggingface");
    const released = await hftok.resolve("huggingface", {
      ...need,
      host: test.host ?? undefined,
      levels: [source],
    });
    // Replaced in the meantime.
    if (released.token !== token) return false;
    const { verdict } = await judge(test, released.token, new AbortController().signal);
    await hftok.report(released, verdict, "Hugging Face refused it when a model was asked.");
    return verdict === "invalid";
  } catch (error) {
    // Nothing is known of the token then, and that is no reason not to answer.
    if (error instanceof HftokError || error instanceof Refusal) return false;
    throw error;
  }
}
