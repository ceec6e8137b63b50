// The words for outcomes of events, and how they are to be taken.
import type { AuditEvent } from "../hooks/audit.ts";
import type { Messages } from "../messages/index.ts";
import type { BadgeTone } from "../primitives/card.tsx";

/** Outcomes by which something went as it should. */
const GOOD = ["used", "many_follow", "committed", "done", "ok", "found"];
/** Outcomes that somebody should look at. */
const BAD = ["bad", "damaged", "decrypt_failed", "reseal_failed", "left_out"];

/** An outcome in words; as hftok names it where there are none. */
export function outcomeNamed(outcome: string | null, audit: Messages["audit"]): string {
  return Object.entries(audit.outcomes).find(([id]) => id === outcome)?.[1] ?? outcome ?? "–";
}

/** How an event is to be taken. */
export function toneOf({ kind, outcome }: AuditEvent): BadgeTone {
  if (outcome !== null && BAD.includes(outcome)) return "bad";
  if (kind === "refusal") return "warning";
  return outcome !== null && GOOD.includes(outcome) ? "good" : "neutral";
}
