// The names users call, and who may call them: what the documentation promises, written down once more, so that the
// catalog can be compared with it.

/** The groups that may call; `administrator` is a user who administers the application. */
export type Group = "user" | "administrator" | "service" | "admin" | "auditor";

/** A function of schema hftok. */
export interface Call {
  /** Parameters as `name type`, with `?` after those that have a default. */
  parameters: string;
  who: Group[];
  /** Takes or gives plaintext, and so refuses GET. */
  plaintext?: true;
}

const everybody: Group[] = ["user", "service", "admin", "auditor"];
const operators: Group[] = ["admin", "service"];
const owners: Group[] = ["user", "service", "admin"];
const backed: Group[] = ["user", "service"];
const request = "p_user_id text?, p_org_id text?, p_model text?, p_host text?, p_levels text[]?";
const address = "p_user_id text?, p_org_id text?, p_global boolean?";

export const vault: Record<string, Call> = {
  create_secret: {
    parameters: "new_secret text, new_name text?, new_description text?, new_key_id uuid?",
    who: operators,
    plaintext: true,
  },
  update_secret: {
    parameters: "secret_id uuid, new_secret text?, new_name text?, new_description text?, new_key_id uuid?",
    who: operators,
    plaintext: true,
  },
  put_secret: {
    parameters: "p_name text, p_secret text, p_description text?, p_expected_version integer?",
    who: operators,
    plaintext: true,
  },
  get_secret: {
    parameters: "p_name text, p_version integer?, p_recipient text?",
    who: operators,
    plaintext: true,
  },
  delete_secret: { parameters: "p_secret_id uuid", who: operators },
  secret_history: { parameters: "p_secret_id uuid", who: ["admin", "service", "auditor"] },
  restore_secret: { parameters: "p_secret_id uuid, p_version integer", who: operators, plaintext: true },
  find_secret: { parameters: "p_value text", who: ["admin", "auditor"], plaintext: true },
  install_vault_schema: { parameters: "", who: [] },
};

export const credentials: Record<string, Call> = {
  save_credential: {
    parameters:
      "p_provider text, p_secret text, p_model text?, p_user_id text?, p_org_id text?, p_global boolean?, " +
      "p_label text?, p_expires_at timestamp with time zone?, p_allowed_hosts text[]?, p_on_unusable text?, " +
      "p_expected_version integer?, p_slot text?, p_position integer?",
    who: owners,
    plaintext: true,
  },
  save_hf_token: { parameters: `p_token text, p_model text?, ${address}`, who: owners, plaintext: true },
  save_credentials: { parameters: "p_rows jsonb", who: operators, plaintext: true },
  check_credential: {
    parameters: "p_provider text, p_secret text",
    who: ["user", "service"],
    plaintext: true,
  },
  delete_credential: { parameters: `p_provider text, p_model text?, ${address}, p_slot text?`, who: owners },
  report_credential: {
    parameters:
      "p_secret_id uuid, p_verdict text, p_message text?, p_version integer?, p_retry_after integer?",
    who: ["service"],
  },
  resolve_token: {
    parameters:
      `p_provider text, ${request}, p_version integer?, p_recipient text?, p_slot text?, p_unknown text?`,
    who: ["service"],
    plaintext: true,
  },
  resolve_hf_token: { parameters: request, who: ["service"], plaintext: true },
  explain_token: { parameters: `p_provider text, ${request}, p_slot text?, p_unknown text?`, who: everybody },
  token_provided: {
    parameters: `p_provider text, ${request}, p_slot text?, p_unknown text?`,
    who: everybody,
  },
  tokens_provided: {
    parameters: `p_provider text, ${request}, p_slot text?, p_unknown text?`,
    who: everybody,
  },
  runner_env: {
    parameters: "p_providers text[]?, p_user_id text?, p_org_id text?, p_model text?, p_levels text[]?",
    who: ["service"],
    plaintext: true,
  },
  create_runner_token: {
    parameters:
      "p_label text, p_providers text[]?, p_user_id text?, p_org_id text?, p_model text?, p_levels text[]?, " +
      "p_expires_at timestamp with time zone?",
    who: ["service"],
    plaintext: true,
  },
  revoke_runner_token: { parameters: "p_id uuid", who: operators },
  check_runner_token: { parameters: "p_runner_token text", who: ["service"], plaintext: true },
  runner_environment: { parameters: "p_runner_token text", who: ["service"], plaintext: true },
  runner_states: { parameters: "p_ids uuid[]", who: ["service"] },
  previous_token: { parameters: "p_secret_id uuid", who: ["service"], plaintext: true },
  forget_user: { parameters: "p_user_id text", who: operators },
  forget_org: { parameters: "p_org_id text", who: operators },
  register_provider: { parameters: "p_provider jsonb", who: ["admin", "administrator"] },
  unregister_provider: { parameters: "p_provider text", who: ["admin", "administrator"] },
  switch_provider: { parameters: "p_provider text, p_enabled boolean", who: ["admin", "administrator"] },
  add_member: { parameters: "p_org_id text, p_user_id text, p_role text?", who: owners },
  remove_member: { parameters: "p_org_id text, p_user_id text", who: owners },
  grant_administrator: { parameters: "p_user_id text", who: operators },
  revoke_administrator: { parameters: "p_user_id text", who: operators },
};

export const integrations: Record<string, Call> = {
  create_integration_with_vault: {
    parameters:
      "p_name text, p_type text, p_credentials text, p_config jsonb?, p_user_id text?, p_org_id text?",
    who: backed,
    plaintext: true,
  },
  get_integration_credentials: {
    parameters: "p_integration_id uuid, p_user_id text?, p_recipient text?",
    who: ["service"],
    plaintext: true,
  },
  update_integration: {
    parameters:
      "p_integration_id uuid, p_name text?, p_config jsonb?, p_enabled boolean?, p_user_id text?, p_credentials text?",
    who: backed,
    plaintext: true,
  },
  update_integration_credentials: {
    parameters: "p_integration_id uuid, p_credentials text, p_user_id text?",
    who: backed,
    plaintext: true,
  },
  update_integration_status: {
    parameters:
      "p_integration_id uuid, p_status text, p_error_message text?, p_user_id text?, p_version integer?",
    who: ["service"],
  },
  begin_verification: {
    parameters: "p_integration_id uuid?, p_user_id text?, p_limit integer?, p_older_than_seconds integer?",
    who: ["service"],
  },
  delete_integration_with_vault: { parameters: "p_integration_id uuid, p_user_id text?", who: backed },
  share_integration: { parameters: "p_integration_id uuid, p_org_id text, p_user_id text?", who: backed },
  unshare_integration: { parameters: "p_integration_id uuid, p_org_id text, p_user_id text?", who: backed },
  record_usage: {
    parameters: "p_secret_id uuid, p_requests bigint?, p_units bigint?, p_cost numeric?, p_currency text?",
    who: ["service"],
  },
};

/** The other functions: only their callers are looked at here. */
export const operation: Record<string, Group[]> = {
  status: ["admin", "auditor", "service", "administrator"],
  health: ["admin", "auditor", "service"],
  seal: ["admin"],
  unseal: ["admin"],
  rotate_root_key: ["admin"],
  rotate_data_key: ["admin"],
  credential_history: ["user", "service", "admin", "auditor"],
  restore_credential: ["user", "service", "admin"],
  give_org_key: ["admin"],
  seal_org: ["admin", "user"],
  unseal_org: ["admin", "user"],
  verify: ["admin", "auditor"],
  verify_audit: ["admin", "auditor", "administrator"],
  audit_head: ["admin", "auditor", "administrator"],
  audit_activity: ["admin", "auditor", "administrator"],
  audit_public_key: ["admin", "auditor", "administrator"],
  audit_proof: ["admin", "auditor", "administrator"],
  audit_consistency: ["admin", "auditor", "administrator"],
  audit_tiles: ["admin", "auditor", "administrator"],
  find_audit_events: ["admin", "auditor", "administrator"],
  purge_audit: ["admin"],
  logging_risks: ["admin", "auditor"],
  public_key: everybody,
  whoami: everybody,
  adopt_role: ["admin"],
  adopt_database: [],
  enable_rpc: [],
  disable_rpc: [],
  install_api: ["admin"],
  remove_api: ["admin"],
  import_column: ["admin"],
  blank_column: ["admin"],
  import_vault: ["admin"],
  import_integrations: ["admin"],
  import_members: ["admin"],
  import_administrators: ["admin"],
  follow_members: ["admin"],
  follow_administrators: ["admin"],
  forget_user_row: ["admin"],
};

/** The groups that may call a function; undefined for a function that is not written down here. */
export function callers(name: string): Group[] | undefined {
  return { ...vault, ...credentials, ...integrations }[name]?.who ?? operation[name];
}

/** Whether this group may call a function. */
export function may(group: Group | "none", name: string): boolean {
  const groups: (Group | "none")[] = callers(name) ?? [];
  return groups.includes(group) || (group === "administrator" && groups.includes("user"));
}

/** A view, its columns that must be there, and who may read it. */
export const views: Record<string, { columns: string; who: Group[] }> = {
  secrets: { columns: "id name created_at updated_at", who: ["admin", "service", "auditor"] },
  decrypted_secrets: {
    columns: "id name description secret decrypted_secret key_id nonce created_at updated_at",
    who: operators,
  },
  credentials: {
    columns:
      "secret_id provider scope scope_id model label preview status enabled warnings allowed_hosts on_unusable " +
      "expires_at last_verified_at last_used_at use_count version created_at updated_at",
    who: everybody,
  },
  expiring_credentials: { columns: "secret_id provider scope scope_id model expires_at", who: everybody },
  user_api_keys: { columns: "id user_id service api_key created_at updated_at", who: ["user", "service"] },
  provider_secrets: {
    columns: "id user_id provider label is_configured api_key api_key_preview created_at updated_at",
    who: ["user", "service"],
  },
  provider_overview: {
    columns: "user_id provider label is_configured api_key_preview created_at updated_at",
    who: ["user", "service"],
  },
  providers: {
    columns: "name label fields docs_url env hosts test formats environment builtin enabled openai",
    who: everybody,
  },
  members: { columns: "org_id user_id role", who: everybody },
  administrators: { columns: "user_id", who: everybody },
  integrations: {
    columns:
      "id user_id name type status config secret_id last_used_at error_message credentials_migrated created_at " +
      "updated_at preview version warnings org_id last_verified_at last_tested_at",
    who: everybody,
  },
  integration_shares: { columns: "integration_id org_id user_id created_at", who: everybody },
  usage_daily: { columns: "day provider scope secret_id requests units cost currency", who: everybody },
  runner_tokens: {
    columns: "id label providers user_id org_id model levels created_at expires_at revoked_at",
    who: ["service", "admin", "auditor"],
  },
  root_keys: {
    columns: "id fingerprint in_keyring is_primary data_keys needed_by_backups_from needed_by_backups_before",
    who: ["admin", "auditor"],
  },
  rotation_progress: {
    columns: "key_id org_id total done failed started_at finished_at rate eta state waits_for",
    who: ["admin", "auditor"],
  },
  audit_events: {
    columns:
      "id at role_name outer_role login_role actor_user kind action object_id version owner_scope owner_id provider level " +
      "subject outcome count protected client_addr application_name request_id digest chain_hash",
    who: ["user", "admin", "auditor"],
  },
  recent_reveals: {
    columns:
      "role_name actor_user application_name action object_id owner_scope owner_id provider reveals first_at last_at " +
      "protected",
    who: ["admin", "auditor"],
  },
  refusals_by_role: {
    columns: "role_name login_role action outcome refusals users first_at last_at protected",
    who: ["admin", "auditor"],
  },
  unused_secrets: {
    columns: "secret_id scope scope_id provider model name label created_at",
    who: ["admin", "auditor"],
  },
  new_applications: {
    columns: "secret_id scope scope_id provider name application_name first_at reveals protected",
    who: ["admin", "auditor"],
  },
  import_report: { columns: "source", who: ["admin", "auditor"] },
};
