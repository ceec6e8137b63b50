// The user who sent a request.
//
// A JWT is never decoded here. The request's own JWT is sent to PostgREST, which checks signature, end and audience,
// and hftok says whose it is: one place verifies, whatever the keys and algorithms are, and the function needs no
// secret that could sign. The user's rights are then decided there as well, because calls for the user are made with
// the user's JWT.
//
// Must stay true: nothing that a request says of its sender counts, except that JWT.
import { Hftok, HftokError } from "./client/mod.ts";
import { Refusal, refusing } from "./refusal.ts";
import type { Connection, Settings } from "./settings.ts";

/** Somebody whose JWT was verified. */
export interface User {
  /** As hftok writes it. */
  id: string;
  /** hftok, called as this user. */
  hftok: Hftok;
}

/** Three parts in base64url, and nothing else: what is sent on must not be able to become another header. */
const BEARER = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i;
/** One of Supabase's new keys. */
const SECRET = /^Bearer +(sb_[\w-]{1,512})$/i;
const LONGEST = 8192;

/** The user who sent the request, or a refusal. */
export async function authenticate(request: Request, settings: Connection): Promise<User> {
  const token = bearer(request, BEARER);
  if (token === undefined) throw nobody();
  const hftok = new Hftok({ url: settings.url, token, apikey: settings.apikey });
  const id = await refusing("user", hftok.whoami(request.signal).catch(signedOut));
  // A caller without a sub is a database role to hftok, so all callers without one would be the same user.
  if (typeof id !== "string" || id === "" || id.startsWith("role:")) throw nobody();
  return { id, hftok };
}

/** hftok as the service, for calls that a user may not make themselves. The caller of this function names the user. */
export function service(settings: Settings): Hftok {
  return new Hftok({ url: settings.url, token: settings.serviceKey, apikey: settings.apikey });
}

/** hftok as whoever sent the request, with the key that they sent: hftok decides what it may do. For functions without a key of their own. */
export function asCaller(request: Request, settings: Connection): Hftok {
  const apikey = request.headers.get("apikey") ?? "";
  const token = bearer(request, BEARER) ?? bearer(request, SECRET) ?? `Bearer ${apikey}`.match(SECRET)?.[1];
  if (token === undefined) {
    throw new Refusal(401, "unauthenticated", "A key of the service is needed: its JWT, or a secret key.");
  }
  return new Hftok({ url: settings.url, token, apikey: settings.apikey });
}

function bearer(request: Request, form: RegExp): string | undefined {
  const header = request.headers.get("Authorization") ?? "";
  return header.length <= LONGEST ? header.match(form)?.[1] : undefined;
}

/** A JWT without a user, as the anonymous key is one, or of a role that there is not (bad input, to Postgres). */
function signedOut(error: unknown): never {
  const isNobody = error instanceof HftokError &&
    (error.kind === "not_allowed" || error.kind === "bad_input");
  throw isNobody ? nobody() : error;
}

function nobody(): Refusal {
  return new Refusal(401, "unauthenticated", "Sign in: a JWT of a user is needed.");
}
