// As what somebody reads the whole of the audit, and the state of the vault.
//
// Must stay true: it is found out by what somebody sees, never by a call that is refused: each refusal is an event of the audit.
import { type Reading, useRead } from "../connection/reads.ts";
import { HftokError } from "../../../../client/mod.ts";

/** An administrator of the application; an auditor or operator, who sees what is kept from administrators too; nobody of these. */
export type Reader = "administrator" | "auditor" | "nobody";

/** Finds out as what somebody reads. An auditor is seen by that they see administrators, or members, among whom they are not. */
export function useReader(): Reading<Reader> {
  return useRead(["me", "reader"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const [me, administrators, members] = await Promise.all([
      whoami(() => hftok.whoami(signal)),
      hftok.rows("administrators", { select: "user_id", limit: "1000" }, signal),
      hftok.rows("members", { select: "org_id,user_id", limit: "1000" }, signal),
    ]);
    if (administrators.some(({ user_id }) => user_id === me)) return "administrator";
    const own = new Set(members.filter(({ user_id }) => user_id === me).map(({ org_id }) => org_id));
    const seesAll = administrators.length > 0 || members.some(({ org_id }) => !own.has(org_id));
    return seesAll || me === null ? "auditor" : "nobody";
  });
}

/** The identity; null for a role without one, which an auditor's may be and no user's is. */
async function whoami(ask: () => Promise<string>): Promise<string | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof HftokError && error.kind === "not_allowed") return null;
    throw error;
  }
}
