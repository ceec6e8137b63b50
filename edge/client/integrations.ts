// Integrations: connections to providers that users bring, each with credentials of its own.
//
// Must stay true: an end user is who their JWT says, whatever `userId` says; only the service names somebody.
import type { Hftok } from "./client.ts";
import { HftokError } from "./error.ts";
import type { Json } from "./schema/database.ts";
import type { Views } from "./schema/views.ts";
import type { Finding } from "./test_answer.ts";
import { type Begun, begunOf, type Verification, verify } from "./verification.ts";

/** The state of an integration, as the backend found it. */
export type Status = "pending" | "verifying" | "connected" | "error" | "disabled";

/** The fields that can be changed. */
export interface Change {
  name?: string;
  config?: Json;
  enabled?: boolean;
  /** A key, or an object; all of a change is made, or nothing. */
  credentials?: string | Json;
}

/** Which integrations want to be verified: as many at most, and those of which something is known when it is so old. */
export interface Due {
  limit?: number;
  olderThanSeconds?: number;
}

/** The integrations that the caller of a client may see or use. */
export class Integrations {
  readonly #hftok: Hftok;

  constructor(hftok: Hftok) {
    this.#hftok = hftok;
  }

  /** The caller's own and those shared with them, without credentials. */
  list(): Promise<Views["integrations"]["Row"][]> {
    return this.#hftok.rows("integrations", { order: "created_at" });
  }

  /** One of them; null when there is none that the caller may see. */
  async get(id: string): Promise<Views["integrations"]["Row"] | null> {
    const [row] = await this.#hftok.rows("integrations", { id: `eq.${id}` });
    return row ?? null;
  }

  /**
   * Asks the provider whether it takes the credentials, by the test request of the catalogue, and keeps what it said. Providers without
   * such a request are indeterminate. For the service, on a server.
   */
  async test(id: string, userId: string, signal?: AbortSignal): Promise<Finding> {
    const { finding } = await this.verify(await this.begin(id, userId), undefined, signal);
    return finding;
  }

  /** Says that the caller is about to verify one that this user may use: what was pending is verifying from then on. For the service. */
  async begin(id: string, userId: string): Promise<Begun> {
    const of = { p_integration_id: id, p_user_id: userId };
    const [row] = await this.#hftok.call("begin_verification", of);
    // Switched off or deleted in the same moment.
    if (!row) throw new HftokError("not_found");
    return begunOf(row);
  }

  /** The same of all that want it, whosever they are. Nobody else is given them meanwhile. For the service. */
  async beginDue({ limit, olderThanSeconds }: Due = {}): Promise<Begun[]> {
    const which = { p_limit: limit, p_older_than_seconds: olderThanSeconds };
    return (await this.#hftok.call("begin_verification", which)).map(begunOf);
  }

  /** Verifies one that was begun with, and keeps what was found; `provider` is its row of the catalogue, read when not given. */
  async verify(
    begun: Begun,
    provider?: Views["providers"]["Row"],
    signal?: AbortSignal,
  ): Promise<Verification> {
    const [known] = provider ? [provider] : await this.#hftok.rows("providers", { name: `eq.${begun.type}` });
    return await verify(this.#hftok, begun, known, signal);
  }

  /** With which organisations those that the caller sees are shared, as far as the caller may know. */
  shares(id?: string): Promise<Views["integration_shares"]["Row"][]> {
    const filter = { order: "created_at" };
    return this.#hftok.rows(
      "integration_shares",
      id === undefined ? filter : { ...filter, integration_id: `eq.${id}` },
    );
  }

  /**
   * Makes one, and gives its id. Credentials are a key, or an object that is sent as JSON text. With `orgId` it is the organisation's: its
   * members use it.
   */
  create(
    name: string,
    type: string,
    credentials: string | Json,
    config: Json = {},
    userId?: string,
    orgId?: string,
  ): Promise<string> {
    return this.#hftok.call("create_integration_with_vault", {
      p_name: name,
      p_type: type,
      p_credentials: text(credentials),
      p_config: config,
      p_user_id: userId,
      p_org_id: orgId,
    });
  }

  /** The credentials, if they are this user's or shared with them. For the service. */
  credentials(id: string, userId: string): Promise<Json> {
    return this.#hftok.call("get_integration_credentials", { p_integration_id: id, p_user_id: userId });
  }

  /** Changes what is given. */
  async update(id: string, { name, config, enabled, credentials }: Change, userId?: string): Promise<void> {
    await this.#hftok.call("update_integration", {
      p_integration_id: id,
      p_name: name,
      p_config: config,
      p_enabled: enabled,
      p_credentials: credentials === undefined ? undefined : text(credentials),
      p_user_id: userId,
    });
  }

  /** Replaces the credentials; a field that holds the mask keeps what is stored. */
  async replaceCredentials(id: string, credentials: string | Json, userId?: string): Promise<void> {
    await this.#hftok.call("update_integration_credentials", {
      p_integration_id: id,
      p_credentials: text(credentials),
      p_user_id: userId,
    });
  }

  /** Keeps what the backend found out about this user's, with credentials of this version if it is given. For the service. */
  async report(
    id: string,
    userId: string,
    status: Status,
    message?: string,
    version?: number | null,
  ): Promise<void> {
    await this.#hftok.call("update_integration_status", {
      p_integration_id: id,
      p_status: status,
      p_error_message: message,
      p_user_id: userId,
      p_version: version,
    });
  }

  /** Deletes one with its credentials; false when there was none. */
  remove(id: string, userId?: string): Promise<boolean> {
    return this.#hftok.call("delete_integration_with_vault", { p_integration_id: id, p_user_id: userId });
  }

  /** Lets the members of an organisation use one. */
  async share(id: string, orgId: string, userId?: string): Promise<void> {
    await this.#hftok.call("share_integration", { p_integration_id: id, p_org_id: orgId, p_user_id: userId });
  }

  /** No longer lets them. */
  async unshare(id: string, orgId: string, userId?: string): Promise<void> {
    await this.#hftok.call("unshare_integration", {
      p_integration_id: id,
      p_org_id: orgId,
      p_user_id: userId,
    });
  }
}

function text(credentials: string | Json): string {
  return typeof credentials === "string" ? credentials : JSON.stringify(credentials);
}
