// A small typed client for hftok over PostgREST, for browsers, edge functions and Node. No dependencies.
//
// Must stay true:
// - Everything that can hold a value goes by POST, and no redirect is followed: what is sent holds tokens.
// - The key that it calls with is in a private field, so that an object that is logged does not show it.
// - It fails with HftokError only, or with the reason of the caller's own signal.
import { HftokError } from "./error.ts";
import { Integrations } from "./integrations.ts";
import { parsed } from "./json.ts";
import type { CompositeTypes } from "./schema/database.ts";
import type { Functions } from "./schema/functions.ts";
import type { Views } from "./schema/views.ts";

/** The name of a function of hftok. */
export type Call = keyof Functions & string;
/** The name of a view of hftok. */
export type View = keyof Views & string;
/** Filters as PostgREST writes them: `{ provider: "eq.huggingface" }`. */
export type Filter<V extends View> = Partial<
  Record<(keyof Views[V]["Row"] & string) | "select" | "order" | "limit" | "offset", string>
>;

/** The address of hftok, and the identity that it is called with. */
export interface Connection {
  /** The address of PostgREST; `https://<project>/rest/v1` with Supabase. */
  url: string;
  /** The JWT of a user, or the key of the service: a JWT too, or one of Supabase's secret keys (`sb_secret_…`). */
  token: string;
  /** The key that Supabase's gateway wants beside a JWT. */
  apikey?: string;
  /** The time that an answer may take; 10 seconds when not given. */
  timeoutMs?: number;
}

/** The owner of a credential: the caller when nothing is named. */
export interface Owner {
  userId?: string;
  orgId?: string;
  global?: boolean;
}

/** A credential to be saved, beyond its provider and its value. */
export interface Saving extends Owner {
  model?: string;
  label?: string;
  /** ISO 8601. */
  expiresAt?: string;
  allowedHosts?: string[];
  onUnusable?: "stop" | "continue";
  /** The version that must be the current one; 0: there must be none; -1: there must be one. */
  expectedVersion?: number;
  /** Which of several keys for the same use; the usual one when not given. */
  slot?: string;
  /** Its place among them: the lowest that can be used is used. */
  position?: number;
}

/** One row of `saveMany`, as SQL names its members. */
export interface Row {
  provider: string;
  secret: string;
  model?: string | null;
  user_id?: string | null;
  org_id?: string | null;
  global?: boolean | null;
  label?: string | null;
  expires_at?: string | null;
  allowed_hosts?: string[] | null;
  on_unusable?: "stop" | "continue" | null;
  expected_version?: number | null;
  slot?: string | null;
  position?: number | null;
}

/**
 * The use that a credential is needed for. The user is always said, because hftok cannot tell a user that was forgotten from none: `null`
 * asks for what an organisation or the installation pays for.
 */
export interface Need {
  userId: string | null;
  orgId?: string;
  model?: string;
  /** The host that it will be sent to. */
  host?: string;
  /** The only levels to ask: `["user_model", "user"]` is "my key or nothing". */
  levels?: string[];
  /** The only slot to ask; without it the first key that can be used, of all that an owner has. */
  slot?: string;
}

/** The same for a walk that shows no value: an end user is who their JWT says. */
export type Walk = Partial<Need>;

/** A provider's answer about a credential. */
export type Verdict = "verified" | "invalid" | "indeterminate" | "rate_limited";

/** The credential that was resolved, and its version. */
export type Resolved = Pick<CompositeTypes["resolved_token"], "secret_id" | "version">;

/** A use of a credential; one request when nothing is said. */
export interface Usage {
  requests?: number;
  units?: number;
  cost?: number;
  currency?: string;
}

/** hftok, called as somebody. */
export class Hftok {
  readonly #connection: Connection;
  /** Connections to providers that users bring. */
  readonly integrations: Integrations;

  constructor(connection: Connection) {
    this.#connection = { ...connection, url: connection.url.replace(/\/+$/, "") };
    this.integrations = new Integrations(this);
  }

  /** Calls a function by its name, with its arguments. */
  async call<N extends Call>(
    name: N,
    args: Functions[N]["Args"],
    signal?: AbortSignal,
  ): Promise<Functions[N]["Returns"]> {
    return await this.#send("POST", `/rpc/${name}`, JSON.stringify(args), signal) as Functions[N]["Returns"];
  }

  /** Reads rows of a view. No view that is read this way holds a value. */
  async rows<V extends View>(
    view: V,
    filter: Filter<V> = {},
    signal?: AbortSignal,
  ): Promise<Views[V]["Row"][]> {
    const query = new URLSearchParams(filter as Record<string, string>);
    return await this.#send("GET", `/${view}?${query}`, undefined, signal) as Views[V]["Row"][];
  }

  /** The identity that hftok takes the caller for. */
  whoami(signal?: AbortSignal): Promise<string> {
    return this.call("whoami", {}, signal);
  }

  /** Saves a credential; replaces the one for the same owner, provider and model. */
  save(provider: string, secret: string, as: Saving = {}): Promise<CompositeTypes["saved_credential"]> {
    return this.call("save_credential", {
      p_provider: provider,
      p_secret: secret,
      p_model: as.model,
      p_label: as.label,
      p_expires_at: as.expiresAt,
      p_allowed_hosts: as.allowedHosts,
      p_on_unusable: as.onUnusable,
      p_expected_version: as.expectedVersion,
      p_slot: as.slot,
      p_position: as.position,
      ...address(as),
    });
  }

  /** Saves many, all or nothing. For the service. */
  saveMany(rows: Row[]): Promise<Functions["save_credentials"]["Returns"]> {
    return this.call("save_credentials", { p_rows: rows.map((row) => ({ ...row })) });
  }

  /** Looks at a value as a provider's, and stores nothing. */
  check(
    provider: string,
    secret: string,
    signal?: AbortSignal,
  ): Promise<CompositeTypes["checked_credential"]> {
    return this.call("check_credential", { p_provider: provider, p_secret: secret }, signal);
  }

  /** Deletes a credential; false when there was none. */
  remove(provider: string, of: Owner & { model?: string; slot?: string } = {}): Promise<boolean> {
    const key = { p_provider: provider, p_model: of.model, p_slot: of.slot };
    return this.call("delete_credential", { ...key, ...address(of) });
  }

  /** The credential to use; `source` is `none` when there is none. For the service. */
  async resolve(
    provider: string,
    need: Need,
    signal?: AbortSignal,
  ): Promise<CompositeTypes["resolved_token"]> {
    // JavaScript has no compiler that asks for it, and JSON would drop it.
    if (need?.userId === undefined) {
      throw new HftokError("bad_input", {
        reason: "userId must be a user, or null for nobody in particular",
      });
    }
    return await this.call("resolve_token", { p_provider: provider, ...walk(need) }, signal);
  }

  /** The whole walk, a row a level, without a value. */
  explain(
    provider: string,
    need: Walk = {},
    signal?: AbortSignal,
  ): Promise<Functions["explain_token"]["Returns"]> {
    return this.call("explain_token", { p_provider: provider, ...walk(need) }, signal);
  }

  /**
   * Keeps what the provider says of a credential that was resolved; of the server's environment nothing. `rate_limited`
   * lets it rest, for as many seconds as the provider's Retry-After says. For the service.
   */
  async report(of: Resolved, verdict: Verdict, message?: string, restSeconds?: number): Promise<void> {
    if (of.secret_id === null) return;
    const said = {
      p_verdict: verdict,
      p_message: message,
      p_version: of.version,
      p_retry_after: restSeconds,
    };
    await this.call("report_credential", { p_secret_id: of.secret_id, ...said });
  }

  /** Counts a use of a credential that was resolved. For the service. */
  async recordUsage(of: Resolved, usage: Usage = {}): Promise<void> {
    if (of.secret_id === null) return;
    await this.call("record_usage", {
      p_secret_id: of.secret_id,
      p_requests: usage.requests,
      p_units: usage.units,
      p_cost: usage.cost,
      p_currency: usage.currency,
    });
  }

  async #send(
    method: "GET" | "POST",
    path: string,
    body: string | undefined,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const { url, token, apikey, timeoutMs = 10_000 } = this.#connection;
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(url + path, {
        method,
        body,
        redirect: "error",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        headers: {
          ...identity(token, apikey),
          Accept: "application/json",
          "Accept-Profile": "hftok",
          ...(body === undefined ? {} : { "Content-Type": "application/json", "Content-Profile": "hftok" }),
        },
      });
      const text = await response.text();
      if (!response.ok) throw HftokError.of(response.status, parsed(text));
      if (text === "") return undefined;
      const answer = parsed(text);
      if (answer === undefined) throw new HftokError("unexpected", { status: response.status });
      return answer;
    } catch (error) {
      if (error instanceof HftokError) throw error;
      if (signal?.aborted) throw signal.reason;
      // The error may quote the address of the request, and perhaps its content: only its kind is passed on.
      throw new HftokError(limit.aborted ? "timeout" : "unreachable");
    }
  }
}

function address({ userId, orgId, global }: Owner) {
  return { p_user_id: userId, p_org_id: orgId, p_global: global };
}

function walk({ userId, orgId, model, host, levels, slot }: Walk) {
  const whose = { p_user_id: userId, p_org_id: orgId, p_model: model };
  return { ...whose, p_host: host, p_levels: levels, p_slot: slot };
}

/** The headers that say who calls. Supabase's new keys are no JWTs: its gateway takes the role from `apikey`. */
function identity(token: string, apikey: string | undefined): Record<string, string> {
  if (token.startsWith("sb_")) return { apikey: token };
  const jwt = { Authorization: `Bearer ${token}` };
  return apikey === undefined ? jwt : { ...jwt, apikey };
}
