-- Needs a function of again/private.sql.

ALTER TABLE hftok_private.secrets
    ADD CONSTRAINT secrets_words CHECK (hftok_private.is_secret(scope, slot, kind, on_unusable, verdict, version));
