// Who is signed in, as hftok knows them: which pages are theirs is decided by this, and what they may do by hftok alone.
import { type Reading, useRead } from "../connection/reads.ts";

/** A membership. */
export interface Membership {
  orgId: string;
  role: "owner" | "admin" | "member";
}

/** Who is signed in. */
export interface Me {
  id: string;
  /** Of the application: may set global credentials. */
  isAdministrator: boolean;
  /** Sees the administrators without being one: an auditor or operator. */
  isAuditor: boolean;
  memberships: Membership[];
}

/** Reads who is signed in. */
export function useMe(): Reading<Me> {
  return useRead(["me"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const id = await hftok.whoami(signal);
    const [administrators, members] = await Promise.all([
      hftok.rows("administrators", {}, signal),
      hftok.rows("members", { user_id: `eq.${id}`, order: "org_id" }, signal),
    ]);
    const isAdministrator = administrators.some(({ user_id }) => user_id === id);
    return {
      id,
      isAdministrator,
      isAuditor: administrators.length > 0 && !isAdministrator,
      memberships: members.flatMap(({ org_id, role }) =>
        org_id !== null && (role === "owner" || role === "admin" || role === "member")
          ? [{ orgId: org_id, role }]
          : []
      ),
    };
  });
}

/** Whether somebody decides for an organisation; without one, for any. */
export function decides({ memberships }: Me, orgId?: string): boolean {
  return memberships.some((it) => it.role !== "member" && (orgId === undefined || it.orgId === orgId));
}
