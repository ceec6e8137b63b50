#!/usr/bin/env bash
# hftok's main job in a minute, in a Postgres of its own that is gone afterwards. Behind `make try`.
#
# Must stay true:
# - It claims nothing that it did not just see: every step is checked, and a step that went otherwise ends the story with
#   a message and a status that is not 0.
# - The demo token reaches psql through the environment, never through arguments that other users could list.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

answer=

heading() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || heading() { printf '\n%s\n' "$*"; }
tell() { printf '  %s\n' "$@"; }

# Runs one statement as a role and shows both; what came back is in $answer, with the SQLSTATE when it was an error.
ask() { # ROLE STATEMENT
    printf '\n  %s> %s\n' "$1" "$2"
    answer=$(psql -X --quiet --username="$1" --pset=footer=off 2>&1 <<EOF
\getenv token DEMO_TOKEN
$2
\if :ERROR
\echo SQLSTATE :LAST_ERROR_SQLSTATE
\endif
EOF
    ) || true
    [ -z "$answer" ] || printf '    %s\n' "${answer//$'\n'/$'\n    '}"
}

expect() { # TEXT WHAT
    [[ "$answer" == *"$1"* ]] || stray "$2"
}

expect_without() { # TEXT WHAT
    [[ "$answer" != *"$1"* ]] || stray "$2"
}

expect_success() { expect_without SQLSTATE "this should have succeeded"; }

stray() {
    printf '\n' >&2
    fail "the story went otherwise than told: $*"
}

# The files of the server that hold a text: tables, indexes, WAL, everything.
# A live server removes files while we look, so grep's status says nothing; that the search works is shown by finding.
files_with() { grep -rlsF -e "$1" "$scratch/data" || true; }

heading "Building hftok"
tools/setup.sh
make --no-print-directory install

heading "A Postgres of its own"
scratch_make
# shellcheck disable=SC2119 # with no settings of its own
cluster_start
tell "Server $("$PG_CONFIG" --version | cut -d ' ' -f 2) runs in $scratch, on a Unix socket only, with hftok preloaded." \
    "Its keyring is a file outside the database, $(stat -c 'mode %a, owner %U' "$scratch/keyring"):"
sed 's/:.*/:(64 hex digits)/; s/^/    /' "$scratch/keyring"
createdb app
export PGDATABASE=app

heading "1. Create the extension"
ask postgres "CREATE EXTENSION hftok;"
expect_success
ask postgres "CREATE ROLE backend LOGIN; GRANT hftok_service TO backend; CREATE ROLE visitor LOGIN; GRANT hftok_user TO visitor;"
expect_success

heading "2. Store a secret"
DEMO_TOKEN=hf_$(head -c 1024 /dev/urandom | tr -dc 'A-Za-z' | head -c 34)
export DEMO_TOKEN
tell "The token ${DEMO_TOKEN:0:6}… is made up, and handed over in a psql variable."
ask postgres "SELECT hftok.put_secret('huggingface', :'token', 'for the demo');"
expect_success

heading "3. Everybody who may look sees a mask"
ask postgres "SELECT id, name, preview, version FROM hftok.secrets;"
expect huggingface "the secret is not listed"
expect_without "$DEMO_TOKEN" "the list shows the secret"

heading "4. The backend, a member of hftok_service, reads it"
ask backend "SELECT hftok.get_secret('huggingface');"
expect "$DEMO_TOKEN" "the backend did not get the secret"

heading "5. An end user, a member of hftok_user, is refused"
ask visitor "SELECT hftok.get_secret('huggingface');"
expect "SQLSTATE 42501" "an end user should have been refused"

heading "6. On disk there is only ciphertext"
ask postgres "SELECT name, left(secret, 40) || '…' AS sealed FROM hftok.decrypted_secrets;"
expect huggingface "the sealed value was not found"
expect_without "$DEMO_TOKEN" "the sealed value is the plaintext"
ask postgres "CHECKPOINT;"
found=$(files_with "$DEMO_TOKEN")
[ -z "$found" ] || stray "the plaintext lies in $found"
tell "" "The token itself, searched in every file of the server, WAL included: found in none."
# Three rows: where one page of the WAL ends, a row may be cut in two.
ask postgres "CREATE TABLE notes AS SELECT :'token'::text AS note FROM generate_series(1, 3); CHECKPOINT;"
expect_success
found=$(files_with "$DEMO_TOKEN")
[[ "$found" == */pg_wal/* && "$found" == */base/* ]] || stray "the search does not even find an ordinary row"
tell "" "The same token in an ordinary table, and the same search: found in $(wc -l <<<"$found") files, WAL included."

heading "7. Sealed: the keys leave the server's memory"
ask postgres "SELECT hftok.seal();"
expect_success
ask backend "SELECT hftok.get_secret('huggingface');"
expect "SQLSTATE 53HF1" "a sealed hftok should have refused"
ask postgres "SELECT * FROM hftok.unseal();"
expect_success
ask backend "SELECT hftok.get_secret('huggingface') IS NOT NULL AS readable_again;"
expect " t" "the secret did not come back"

heading "8. Does everything still open?"
ask postgres "SELECT * FROM hftok.verify();"
expect_success
[[ "$answer" =~ total[^$'\n']*\|\ +0$ ]] || stray "verify() counts failures"

heading "That was it: everything above was checked while it ran."
if [ -t 0 ]; then
    tell "Now it is yours: psql as the superuser, in the demo's database. Some things to try:" "" \
        "  SELECT hftok.create_secret('hf_…', 'another');" \
        "  SELECT * FROM hftok.status();" \
        "  \\df hftok.*" "" \
        "Leave with \\q; server, keyring and secrets are gone then." ""
    psql || true
fi
