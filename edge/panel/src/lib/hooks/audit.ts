// The audit: searching it, counting it, and holding it against its checkpoints. For administrators of the application and auditors.
import { type Action, type Reading, useAction, useRead } from "../connection/reads.ts";
import type { CompositeTypes, Functions, Views } from "../../../../client/mod.ts";
import type { Range } from "../audit/activity.ts";

/** An event of the audit. */
export type AuditEvent = Views["audit_events"]["Row"];
/** A data key that was retired, and how far its values are sealed anew. */
export type Rotation = Views["rotation_progress"]["Row"];
/** The result of a verification. */
export type Verification = CompositeTypes["verified_audit"];

/** Every event is read and hashed: of many millions that takes longer than other answers. */
const VERIFIED_WITHIN_MS = 120_000;

/** What is looked for; everything when nothing is given. */
export interface AuditSearch {
  /** Who did it, whose credential it was, or whom it was about. */
  user?: string;
  /** The credential or integration. */
  objectId?: string;
  /** The database role that was used. */
  role?: string;
  kind?: string;
  /** ISO 8601. */
  from?: string;
  to?: string;
}

/** The newest events that fit, the newest first. */
export function useAuditEvents(search: AuditSearch, newest: number): Reading<AuditEvent[]> {
  const { user, objectId, role, kind, from, to } = search;
  return useRead(["audit", "events", newest, user, objectId, role, kind, from, to], async (vault, signal) => {
    const hftok = await vault.hftok();
    const asked = { ...named(search), p_from: from, p_to: to, p_newest: newest };
    return await hftok.call("find_audit_events", asked, signal);
  });
}

/** The number of events that fit, by kind and time; the search's own times are not asked. */
export function useAuditActivity(
  search: AuditSearch,
  range: Range,
): Reading<Functions["audit_activity"]["Returns"]> {
  const { user, objectId, role, kind } = search;
  const [from, to] = [range.from.toISOString(), range.to.toISOString()];
  return useRead(
    ["audit", "activity", from, range.seconds, user, objectId, role, kind],
    async (vault, signal) => {
      const hftok = await vault.hftok();
      const asked = { ...named(search), p_from: from, p_to: to, p_seconds: range.seconds };
      return await hftok.call("audit_activity", asked, signal);
    },
  );
}

/** The newest checkpoint and the key that it is checked with; null before the first event. */
export function useCheckpoint(): Reading<{ head: string | null; publicKey: string | null }> {
  return useRead(["audit", "checkpoint"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const [head, publicKey] = await Promise.all([
      hftok.call("audit_head", {}, signal),
      hftok.call("audit_public_key", {}, signal),
    ]);
    return { head: head ?? null, publicKey: publicKey ?? null };
  });
}

/** Verifies the whole log, and that it has only grown since a checkpoint that was kept elsewhere, if one is given. */
export function useVerifyAudit(): Action<Verification, { head?: string }> {
  return useAction(async (vault, { head }) => {
    const hftok = await vault.hftok(VERIFIED_WITHIN_MS);
    return await hftok.call("verify_audit", { p_head: head });
  }, "audit");
}

/** Keys that were retired; for auditors and operators, not for administrators of the application. */
export function useRotations(enabled: boolean): Reading<Rotation[]> {
  return useRead(["audit", "rotations"], async (vault, signal) => {
    const hftok = await vault.hftok();
    return await hftok.rows("rotation_progress", { order: "started_at.desc", limit: "20" }, signal);
  }, { enabled, again: (rotations) => rotations.some((rotation) => rotation.finished_at === null) && 5_000 });
}

function named({ user, objectId, role, kind }: AuditSearch) {
  return { p_user: user, p_object_id: objectId, p_role: role, p_kind: kind };
}
