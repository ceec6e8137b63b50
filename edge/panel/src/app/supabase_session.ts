// Signing in with Supabase; loaded only where config.json says so. Its client keeps the session where it always does.
import { type AuthChangeEvent, AuthClient, type Session as SupabaseSession } from "@supabase/auth-js";
import type { Config } from "./config.ts";
import type { Session } from "./session.ts";

/** Supabase's sign-in. */
export class SupabaseSignIn {
  readonly #auth: InstanceType<typeof AuthClient>;

  constructor({ authUrl, apikey }: Config) {
    this.#auth = new AuthClient({ url: authUrl, headers: apikey === undefined ? {} : { apikey } });
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

  /** Calls when the session has ended, wherever that was. */
  onEnd(call: () => void): () => void {
    const { data } = this.#auth.onAuthStateChange((event: AuthChangeEvent) => {
      if (event === "SIGNED_OUT") call();
    });
    return () => data.subscription.unsubscribe();
  }

  #session({ user }: SupabaseSession): Session {
    return {
      user: user.id,
      name: user.email ?? user.id,
      getToken: async () => (await this.#auth.getSession()).data.session?.access_token ?? null,
      signOut: async () => {
        await this.#auth.signOut({ scope: "local" });
      },
    };
  }
}
