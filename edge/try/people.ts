// The people that somebody who tries hftok can be, and the keys of the project.
//
// Must stay true: whoever asks becomes one of them without a password, so whoever serves this listens on this machine only.

/** Somebody to be. */
export interface Person {
  id: string;
  name: string;
  /** For the page where one chooses. */
  about: string;
}

/** A signed-in person, for so many seconds. */
export interface Session {
  token: string;
  expires_in: number;
}

/** Keys of Supabase's new form; they open nothing but this machine's gateway. */
export const PUBLISHABLE_KEY = "sb_publishable_try";
/** The backend's. */
export const SECRET_KEY = "sb_secret_try";

/** The organisation that two of them belong to. */
export const ORGANISATION = "acme";

const PEOPLE: Person[] = [
  { id: "ana", name: "Ana", about: "a member of acme, with some keys of her own" },
  { id: "luis", name: "Luis", about: "an admin of acme" },
  { id: "mira", name: "Mira", about: "an administrator of the application" },
];
const SESSION_SECONDS = 3600;

/** The people, and what signs their JWTs. */
export class People {
  readonly list: readonly Person[] = PEOPLE;
  readonly #secret: string;

  /** The secret is the one that PostgREST has. */
  constructor(secret: string) {
    this.#secret = secret;
  }

  /** Signs one of them in; null when there is nobody of this id. */
  async signIn(id: unknown): Promise<Session | null> {
    const person = this.list.find((it) => it.id === id);
    if (person === undefined) return null;
    const exp = Math.floor(Date.now() / 1000) + SESSION_SECONDS;
    const token = await this.jwt({ role: "authenticated", sub: person.id, exp });
    return { token, expires_in: SESSION_SECONDS };
  }

  /** A JWT with these claims. */
  async jwt(claims: object): Promise<string> {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const base64url = (of: Uint8Array) => of.toBase64({ alphabet: "base64url", omitPadding: true });
    const parts = [{ alg: "HS256", typ: "JWT" }, claims].map((it) => base64url(bytes(JSON.stringify(it))));
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", bytes(this.#secret), algorithm, false, ["sign"]);
    const signature = await crypto.subtle.sign("HMAC", key, bytes(parts.join(".")));
    return [...parts, base64url(new Uint8Array(signature))].join(".");
  }
}
