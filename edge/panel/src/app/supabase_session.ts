// Signing in with Supabase; loaded only where config.json says so. Its client keeps the session in localStorage, for all windows.
//
// Must stay true:
// - No address signs anybody in: a link could sign somebody in as another one, in whose vault they would put their keys.
// - A window calls as who it shows. Another one that signs in elsewhere takes the session, so this window asks anew who it is.
// - Whoever signs out is signed out, whether Supabase can be reached or not.
import { type AuthChangeEvent, AuthClient, type Session as SupabaseSession } from "@supabase/auth-js";
import type { Config } from "./config.ts";
import type { Session } from "./session.ts";

const KEPT = "hftok-panel:session";
/** One for each address: two that keep their session in one place would be in each other's way. */
const made = new Map<string | undefined, SupabaseSignIn>();

/** Supabase's sign-in. */
export class SupabaseSignIn {
  readonly #auth: InstanceType<typeof AuthClient>;
  /** Who is shown as signed in. */
  #shown: string | null = null;
  #end = () => {};

  private constructor({ authUrl, apikey }: Config) {
    const headers: Record<string, string> = apikey === undefined ? {} : { apikey };
    this.#auth = new AuthClient({ url: authUrl, headers, storageKey: KEPT, detectSessionInUrl: false });
    this.#auth.onAuthStateChange((event: AuthChangeEvent, session: SupabaseSession | null) => {
      const isAnothers = session !== null && this.#shown !== null && session.user.id !== this.#shown;
      if (event !== "SIGNED_OUT" && !isAnothers) return;
      this.#shown = null;
      this.#end();
    });
  }

  /** That of a configuration. */
  static of(config: Config): SupabaseSignIn {
    const known = made.get(config.authUrl) ?? new SupabaseSignIn(config);
    made.set(config.authUrl, known);
    return known;
  }

  /** Who was signed in before; null when nobody. */
  async restored(): Promise<Session | null> {
    const { data } = await this.#auth.getSession();
    return data.session && this.#session(data.session);
  }

  /** Signs in; null when address or password is wrong. */
  async enter(email: string, password: string): Promise<Session | null> {
    const { data, error } = await this.#auth.signInWithPassword({ email, password });
    if (error && (error.status === undefined || error.status >= 500)) throw error;
    return data.session && this.#session(data.session);
  }

  /** Calls when the session has ended, or is another one's, wherever that was. */
  onEnd(call: () => void): void {
    this.#end = call;
  }

  #session({ user }: SupabaseSession): Session {
    this.#shown = user.id;
    return {
      user: user.id,
      name: user.email ?? user.id,
      getToken: async () => {
        const { session } = (await this.#auth.getSession()).data;
        return session?.user.id === user.id ? session.access_token : null;
      },
      signOut: async () => {
        this.#shown = null;
        const { error } = await this.#auth.signOut({ scope: "local" });
        // Without an answer the client keeps the session, for whoever sits here next.
        if (error) localStorage.removeItem(KEPT);
      },
    };
  }
}
