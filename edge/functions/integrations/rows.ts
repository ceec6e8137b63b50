// Integrations as their users see them.
//
// Must stay true: rows are read as the user, so that row security decides what there is to be seen; no row holds a credential.
import type { Views } from "../_shared/client/mod.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";
import type { User } from "../_shared/user.ts";

type Row = Views["integrations"]["Row"];

/** An integration, and what this user may do with it. */
export interface Shown extends Row {
  /** The organisations that it is shared with, as far as the user may know. */
  shared_with: string[];
  /** Whether the user may change it: it is theirs, or that of an organisation whose owner or admin they are. */
  owned: boolean;
}

/** Rows with what belongs to them. */
export async function shown(user: User, rows: Row[]): Promise<Shown[]> {
  if (rows.length === 0) return [];
  const [only, ...others] = rows;
  const isOfOrg = rows.some(({ org_id }) => org_id !== null);
  const shared = user.hftok.integrations.shares(others.length === 0 ? only?.id ?? undefined : undefined);
  const orgsOf = isOfOrg ? administered(user) : Promise.resolve<string[]>([]);
  const [shares, orgs] = await refusing("user", Promise.all([shared, orgsOf]));
  return rows.map((row) => ({
    ...row,
    shared_with: shares.filter((it) => it.integration_id === row.id).flatMap(({ org_id }) => org_id ?? []),
    owned: row.org_id === null ? row.user_id === user.id : orgs.includes(row.org_id),
  }));
}

/** One of them; a refusal when there is none that the user may see. */
export async function one(user: User, id: string): Promise<Shown> {
  const row = await refusing("user", user.hftok.integrations.get(id));
  const [found] = row === null ? [] : await shown(user, [row]);
  if (!found) {
    throw new Refusal(404, "not_found", "There is no such integration, or it belongs to somebody else.");
  }
  return found;
}

/** The organisations that the user is an owner or admin of. */
async function administered({ id, hftok }: User): Promise<string[]> {
  const members = await hftok.rows("members", { user_id: `eq.${id}`, role: "in.(owner,admin)" });
  return members.flatMap(({ org_id }) => org_id ?? []);
}
