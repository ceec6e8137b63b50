// Who is signed in, whatever way they did it.
//
// Must stay true: nothing of a session is in an address. The JWT of a person to try is in memory only.

/** Somebody who is signed in. */
export interface Session {
  /** As hftok knows them. */
  user: string;
  /** To be shown. */
  name: string;
  /** A JWT that is good for a while longer; null when the session has ended. */
  getToken: () => Promise<string | null>;
  signOut: () => Promise<void>;
}
