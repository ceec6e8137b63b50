// Supabase's gateway, as far as its rule of keys goes: the role is what the `apikey` header says, beside a user's JWT or alone. A key that
// is none ends the request; a JWT of the gateway's own stands in for a JWT that is missing, or for a key in its place.
import { jwt, url } from "../../rpc/lib/people.ts";

/** The publishable key that the gateway knows, and the secret one. */
export const PUBLISHABLE = "sb_publishable_new";
/** The key of the service. */
export const SECRET = "sb_secret_new";

/** A gateway in front of PostgREST that knows only the new keys. */
export class Gateway {
  /** Which key came, and whether beside a JWT, alone, or twice. */
  readonly seen: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(roles: Record<string, string | undefined>) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { pathname, search } = new URL(request.url);
      const rest = pathname.match(/^\/rest\/v1(\/.*)$/)?.[1];
      const headers = new Headers(request.headers);
      const apikey = headers.get("apikey") ?? "";
      const own = roles[apikey];
      if (!rest || !own) return new Response("No API key", { status: 401 });
      const sent = headers.get("Authorization");
      this.seen.push(
        `${apikey} ${sent === null ? "alone" : /^Bearer sb_/.test(sent) ? "twice" : "beside a JWT"}`,
      );
      if (sent === null || /^Bearer sb_/.test(sent)) headers.set("Authorization", `Bearer ${own}`);
      const { method } = request;
      return await fetch(url + rest + search, { method, headers, body: await request.text() || undefined });
    });
  }

  static async start(): Promise<Gateway> {
    return new Gateway({
      [PUBLISHABLE]: await jwt({ role: "anon" }),
      [SECRET]: await jwt({ role: "service_role" }),
    });
  }

  /** The environment of a function behind it, without its keys. */
  get address(): Record<string, string> {
    const SUPABASE_URL = `http://127.0.0.1:${this.#server.addr.port}`;
    return { HFTOK_REST_URL: "", HFTOK_SERVICE_KEY: "", SUPABASE_URL };
  }

  /** The environment of a function behind it, as Supabase hosts one: the old keys are there as long as they are, and end with them. */
  get hosted(): Record<string, string> {
    return {
      ...this.address,
      SUPABASE_PUBLISHABLE_KEYS: `{"default": "${PUBLISHABLE}", "other": "sb_publishable_wrong"}`,
      SUPABASE_SECRET_KEYS: `{"default": "${SECRET}", "other": "sb_secret_wrong"}`,
      SUPABASE_ANON_KEY: "of the past",
      SUPABASE_SERVICE_ROLE_KEY: "of the past",
    };
  }

  async stop(): Promise<void> {
    await this.#server.shutdown();
  }
}
