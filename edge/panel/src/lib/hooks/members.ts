// Organisations and their members.
import { type Action, type Reading, useAction, useRead } from "../connection/reads.ts";
import type { Views } from "../../../../client/mod.ts";

/** What a member may do in an organisation. */
export type MemberRole = "owner" | "admin" | "member";

/** The roles, the one that may do most first. */
export const MEMBER_ROLES: readonly MemberRole[] = ["owner", "admin", "member"];

/** Somebody who belongs to an organisation. */
export interface Member {
  orgId: string;
  userId: string;
  role: MemberRole;
  since: string | null;
}

/** The members of every organisation that the reader belongs to. */
export function useMembers(): Reading<Member[]> {
  return useRead(["members"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const rows = await hftok.rows("members", { order: "org_id,created_at,user_id" }, signal);
    return rows.flatMap(memberOf);
  });
}

/** Makes somebody a member, or gives a member another role. */
export function useAddMember(): Action<void, Pick<Member, "orgId" | "userId" | "role">> {
  return useAction(
    async (vault, { orgId, userId, role }) => {
      const hftok = await vault.hftok();
      await hftok.call("add_member", { p_org_id: orgId, p_user_id: userId, p_role: role });
    },
    "members",
    "me",
  );
}

/** Ends a membership; false when there was none. */
export function useRemoveMember(): Action<boolean, Pick<Member, "orgId" | "userId">> {
  return useAction(
    async (vault, { orgId, userId }) => {
      const hftok = await vault.hftok();
      return await hftok.call("remove_member", { p_org_id: orgId, p_user_id: userId });
    },
    "members",
    "me",
  );
}

function memberOf(row: Views["members"]["Row"]): Member[] {
  const role = MEMBER_ROLES.find((known) => known === row.role);
  if (row.org_id === null || row.user_id === null || role === undefined) return [];
  return [{ orgId: row.org_id, userId: row.user_id, role, since: row.created_at }];
}
