// Verification by a schedule: of all integrations that want it, whosever they are.
//
// Must stay true: which those are, hftok tells the key that the schedule brings, and only this function's own key opens what it found. So
// the key that lies where the schedule is kept can begin verifications, and nothing else.
import { inBackground } from "../_shared/background.ts";
import { type Begun, type Due, type Hftok, HftokError, type Views } from "../_shared/client/mod.ts";
import { refusing } from "../_shared/refusal.ts";
import { log } from "../_shared/serve.ts";
import type { Settings } from "../_shared/settings.ts";
import { service } from "../_shared/user.ts";

/** What came of it, in numbers. */
export interface Counts {
  tested: number;
  verified: number;
  invalid: number;
  /** No clear answer; those too that the provider put off. */
  indeterminate: number;
  /** Could not be opened: deleted, switched off or sealed by now. */
  skipped: number;
}

type Provider = Views["providers"]["Row"];

/** As many providers are asked at a time. */
const AT_A_TIME = 8;

/** Verifies those that want it. It goes on when whoever asked for it has left: what has begun is not left verifying. */
export async function verifyDue(
  name: string,
  schedule: Hftok,
  due: Due,
  settings: Settings,
): Promise<Counts> {
  const hftok = service(settings);
  const begun = await refusing("user", schedule.integrations.beginDue(due));
  const counts: Counts = { tested: 0, verified: 0, invalid: 0, indeterminate: 0, skipped: 0 };
  const work = begun.length === 0 ? Promise.resolve() : verifyAll(name, hftok, begun, counts);
  inBackground(name, [work]);
  await refusing("service", work);
  return counts;
}

async function verifyAll(name: string, hftok: Hftok, begun: Begun[], counts: Counts): Promise<void> {
  const providers = new Map((await hftok.rows("providers")).map((it) => [it.name, it]));
  const waiting = begun.values();
  const worker = async () => {
    for (const one of waiting) await verifyOne(name, hftok, one, providers.get(one.type), counts);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

async function verifyOne(
  name: string,
  hftok: Hftok,
  begun: Begun,
  provider: Provider | undefined,
  counts: Counts,
): Promise<void> {
  try {
    const { finding } = await hftok.integrations.verify(begun, provider);
    counts.tested++;
    counts[finding.verdict === "rate_limited" ? "indeterminate" : finding.verdict]++;
  } catch (error) {
    if (!(error instanceof HftokError)) throw error;
    counts.skipped++;
    if (error.kind !== "not_found" && error.kind !== "unusable") {
      log(name, { skipped: begun.id, code: error.code ?? error.kind });
    }
  }
}
