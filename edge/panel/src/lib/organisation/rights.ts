// What somebody may change of a membership, as hftok decides it: so that nobody is offered what would be refused.
import { type Member, MEMBER_ROLES, type MemberRole } from "../hooks/members.ts";

/** Why a membership cannot be changed by who looks at it. */
export type Obstacle = "not_theirs" | "owners_only" | "last_owner";

/** The roles that somebody with this role may give to others. */
export function givenBy(role: MemberRole): readonly MemberRole[] {
  if (role === "owner") return MEMBER_ROLES;
  return role === "admin" ? MEMBER_ROLES.filter((given) => given !== "owner") : [];
}

/** Why a member cannot be given another role; null when they can. */
export function obstacleToChange(member: Member, all: readonly Member[], own: MemberRole): Obstacle | null {
  if (own === "member") return "not_theirs";
  if (member.role === "owner" && own !== "owner") return "owners_only";
  return isLastOwner(member, all) ? "last_owner" : null;
}

/** Why a membership cannot be ended; null when it can. Anybody may leave, but for the last owner. */
export function obstacleToRemoval(
  member: Member,
  all: readonly Member[],
  own: MemberRole,
  me: string,
): Obstacle | null {
  if (isLastOwner(member, all)) return "last_owner";
  return member.userId === me ? null : obstacleToChange(member, all, own);
}

function isLastOwner(member: Member, all: readonly Member[]): boolean {
  return member.role === "owner" &&
    all.filter(({ orgId, role }) => orgId === member.orgId && role === "owner").length === 1;
}
