-- Every privilege, and the owner of everything. PUBLIC gets nothing that it can name.

-- Only what belongs to the extension is touched, and of that only what is new: the owner tells. Default privileges of the
-- installing superuser are taken back, so that nothing holds but what stands below; grants that a DBA made since stay.
DO $members$
DECLARE
    member record;
    grantee text;
BEGIN
    FOR member IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, 'TABLE' AS acl_kind,
            pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relacl AS acl
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind IN ('r', 'v')
        AND c.relowner <> 'hftok_owner'::pg_catalog.regrole
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok')
        UNION ALL
        SELECT 'ROUTINE', 'ROUTINE', p.oid::pg_catalog.regprocedure::text, p.proacl
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.proowner <> 'hftok_owner'::pg_catalog.regrole
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok')
        UNION ALL
        SELECT 'TYPE', 'TYPE', t.oid::pg_catalog.regtype::text, t.typacl
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON t.oid = d.objid
        JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
        WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.typowner <> 'hftok_owner'::pg_catalog.regrole
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s %s OWNER TO hftok_owner', member.kind, member.name);
        EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM PUBLIC', member.acl_kind, member.name);
        FOR grantee IN
            SELECT DISTINCT r.rolname FROM pg_catalog.aclexplode(member.acl) a
            JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
            WHERE r.rolname NOT IN (CURRENT_USER, 'hftok_owner')
        LOOP
            EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %I', member.acl_kind, member.name, grantee);
        END LOOP;
    END LOOP;
END
$members$;

GRANT USAGE ON SCHEMA hftok TO hftok_owner, hftok_user, hftok_service, hftok_admin, hftok_auditor;
GRANT USAGE ON SCHEMA hftok_private TO hftok_owner;
GRANT USAGE ON SCHEMA hftok_import TO hftok_owner, hftok_admin;

-- Views, policies and functions call these with the privileges of their reader or caller. Each is executable, checks for itself, and
-- lies in a schema that nobody has USAGE on.
GRANT EXECUTE ON FUNCTION
    hftok_private.open_vault_row, hftok_private.explain, hftok_private.tokens_provided, hftok_private.caller_id, hftok_private.is_caller, hftok_private.caller_is_in,
    hftok_private.caller_is_administrator, hftok_private.planned_for, hftok_private.planned_for_administrator,
    hftok_private.sees_all, hftok_private.catalogue_rows, hftok_private.visible_credentials,
    hftok_private.visible_members, hftok_private.visible_administrators, hftok_private.visible_integrations,
    hftok_private.visible_shares,
    hftok_private.visible_usage, hftok_private.visible_audit_events, hftok_private.unpacked, hftok_private.may_hold, hftok_private.reveals,
    hftok_private.loaded_root_keys, hftok_private.resealing_state,
    hftok_private.vault_create_secret, hftok_private.vault_update_secret
    TO PUBLIC;

-- LOCK TABLE locks what is below a view as well, with the rights of the view's owner, if these allow more than to read. So the
-- owner may only read the views that lie between those that others may write to and the tables.
DO $between$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['credential_rows', 'member_rows', 'administrator_rows', 'integration_rows', 'share_rows',
        'usage_rows', 'counted_uses', 'audit_rows', 'audit_of_rows', 'stored_vault_rows']
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON hftok_private.%I FROM hftok_owner', name);
        EXECUTE pg_catalog.format('GRANT SELECT ON hftok_private.%I TO hftok_owner', name);
    END LOOP;
END
$between$;

GRANT EXECUTE ON FUNCTION
    hftok.create_secret, hftok.update_secret, hftok.put_secret, hftok.get_secret, hftok.delete_secret, hftok.restore_secret
    TO hftok_admin, hftok_service;
GRANT EXECUTE ON FUNCTION hftok.secret_history TO hftok_admin, hftok_service, hftok_auditor;
GRANT EXECUTE ON FUNCTION
    hftok.find_secret, hftok.verify, hftok.logging_risks
    TO hftok_admin, hftok_auditor;
-- To users because some of them are administrators of the application.
GRANT EXECUTE ON FUNCTION
    hftok.verify_audit, hftok.audit_head, hftok.audit_public_key, hftok.audit_proof, hftok.audit_consistency, hftok.audit_tiles,
    hftok.find_audit_events, hftok.audit_activity
    TO hftok_user, hftok_admin, hftok_auditor;
GRANT EXECUTE ON FUNCTION hftok.purge_audit, hftok.adopt_role TO hftok_admin;
GRANT SELECT ON hftok.secrets TO hftok_admin, hftok_service, hftok_auditor;
GRANT SELECT, DELETE ON hftok.decrypted_secrets TO hftok_admin, hftok_service;

GRANT EXECUTE ON FUNCTION
    hftok.save_credential, hftok.save_hf_token, hftok.delete_credential, hftok.credential_history,
    hftok.restore_credential, hftok.explain_token, hftok.token_provided, hftok.tokens_provided,
    hftok.add_member, hftok.remove_member
    TO hftok_user, hftok_service, hftok_admin;
GRANT EXECUTE ON FUNCTION
    hftok.create_integration_with_vault, hftok.update_integration, hftok.update_integration_credentials,
    hftok.delete_integration_with_vault, hftok.share_integration, hftok.unshare_integration
    TO hftok_user, hftok_service;
GRANT EXECUTE ON FUNCTION hftok.explain_token, hftok.token_provided, hftok.tokens_provided, hftok.credential_history TO hftok_auditor;
GRANT EXECUTE ON FUNCTION hftok.check_credential TO hftok_user, hftok_service;
GRANT EXECUTE ON FUNCTION
    hftok.save_credentials, hftok.forget_user, hftok.forget_org, hftok.grant_administrator, hftok.revoke_administrator,
    hftok.revoke_runner_token
    TO hftok_service, hftok_admin;
GRANT EXECUTE ON FUNCTION
    hftok.resolve_token, hftok.resolve_hf_token, hftok.previous_token, hftok.runner_env, hftok.report_credential,
    hftok.get_integration_credentials, hftok.update_integration_status, hftok.begin_verification, hftok.record_usage,
    hftok.create_runner_token, hftok.check_runner_token, hftok.runner_environment, hftok.runner_states
    TO hftok_service;
-- To users because some of them are administrators of the application.
GRANT EXECUTE ON FUNCTION hftok.register_provider, hftok.unregister_provider, hftok.switch_provider TO hftok_admin, hftok_user;

GRANT SELECT ON hftok.credentials, hftok.expiring_credentials, hftok.members, hftok.administrators, hftok.providers,
    hftok.integrations, hftok.integration_shares, hftok.usage_daily
    TO hftok_user, hftok_service, hftok_admin, hftok_auditor;
GRANT SELECT ON hftok.runner_tokens TO hftok_service, hftok_admin, hftok_auditor;
GRANT SELECT ON hftok.audit_events TO hftok_user, hftok_admin, hftok_auditor;
GRANT SELECT ON hftok.recent_reveals, hftok.refusals_by_role, hftok.unused_secrets, hftok.new_applications
    TO hftok_admin, hftok_auditor;
GRANT UPDATE (label, position, enabled, allowed_hosts, on_unusable, expires_at), DELETE ON hftok.credentials
    TO hftok_user, hftok_service, hftok_admin;
-- The table of the two views that run with their reader's privileges: row security decides on the rows. By column, because a role that
-- may write a whole table may lock it. The views' triggers do the changes and deletes that come through them.
GRANT SELECT (id, user_id, service, api_key, created_at, updated_at), INSERT (id, user_id, service, api_key, created_at, updated_at), UPDATE (id, user_id, service, api_key, created_at, updated_at)
    ON hftok_private.user_api_keys TO hftok_user, hftok_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON hftok.user_api_keys, hftok.provider_secrets TO hftok_user, hftok_service;
GRANT SELECT ON hftok.provider_overview TO hftok_user, hftok_service;

GRANT EXECUTE ON FUNCTION hftok.seal, hftok.unseal, hftok.rotate_root_key, hftok.rotate_data_key, hftok.give_org_key TO hftok_admin;
GRANT EXECUTE ON FUNCTION hftok.seal_org, hftok.unseal_org TO hftok_admin, hftok_user;
GRANT SELECT ON hftok.root_keys, hftok.rotation_progress TO hftok_admin, hftok_auditor;
GRANT EXECUTE ON FUNCTION hftok.health TO hftok_service, hftok_admin, hftok_auditor;
GRANT EXECUTE ON FUNCTION hftok.status, hftok.whoami TO hftok_user, hftok_service, hftok_admin, hftok_auditor;
-- enable_rpc, disable_rpc and install_vault_schema are the superuser's alone.

-- Moving in. Those in hftok_private are called by import_value() and import_integration(), which run as their caller.
GRANT EXECUTE ON PROCEDURE hftok.import_column, hftok.blank_column, hftok.import_integrations, hftok.import_members, hftok.import_administrators,
    hftok_import.import_people, hftok_import.import_all
    TO hftok_admin;
-- Whoever creates a trigger with these needs them; whoever fires it does not.
GRANT EXECUTE ON FUNCTION hftok.follow_members, hftok.follow_administrators, hftok.forget_user_row TO hftok_admin;
GRANT EXECUTE ON FUNCTION
    hftok_import.import_source, hftok_import.import_value, hftok_import.import_note, hftok_import.import_holds, hftok_import.import_saw,
    hftok_import.import_keys, hftok_import.import_row, hftok_import.import_empty, hftok_import.import_admit,
    hftok_import.import_attempt, hftok_import.import_summary, hftok_import.blank_attempt, hftok_import.blank_remains,
    hftok.import_vault, hftok_import.import_vault_names, hftok_import.import_vault_value, hftok_import.import_vault_holds,
    hftok_import.import_vault_secret, hftok_import.import_vault_attempt, hftok_import.import_listed, hftok_import.import_deserted, hftok_import.import_member,
    hftok_import.import_administrator, hftok_import.import_person, hftok_import.import_people_summary, hftok_import.import_table_name,
    hftok.install_api, hftok.remove_api,
    hftok_import.import_look, hftok_import.import_integration, hftok_import.import_integration_admit,
    hftok_private.import_step, hftok_private.import_saved, hftok_private.move_integration, hftok_private.save_moved_integration
    TO hftok_admin;
-- The parts of install_api() and remove_api(), which run as their caller.
GRANT EXECUTE ON FUNCTION
    hftok_private.admit_api_schema, hftok_private.api_objects, hftok_private.admit_api_names, hftok_private.make_api_object,
    hftok_private.copy_privileges, hftok_private.open_api_schema, hftok_private.announce_api, hftok_private.drop_api_objects
    TO hftok_admin;
GRANT SELECT ON hftok.import_report TO hftok_admin, hftok_auditor;
-- Wrappers that install_api() makes name these as what they return.
GRANT USAGE ON TYPE hftok.saved_credential, hftok.checked_credential, hftok.resolved_token, hftok.runner_token, hftok.server_status,
    hftok.server_health, hftok.verified_audit TO hftok_admin;
