#!/usr/bin/env bash
# Freezes the version of hftok.control as a released one: its install script, a database in which it has worked, and the hashes of
# both and of the upgrade that leads to it. Every later version is tried on them (tests/tests/upgrade.rs); docs/how-to.md says when.
#
# Must stay true:
# - A version is frozen once, and a file that is frozen does not change.
# - The database is made by the library and the script that are installed for PG_CONFIG, and those are of this version.
set -euo pipefail
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

version=$(hftok_version)
released=sql/released/hftok--$version

[ ! -e "$released.sql" ] || fail "$version is frozen: give hftok.control and Cargo.toml the next version first"
# Every later Postgres reads what this one dumps.
[ "$(pg_major)" = 15 ] || fail "PG_CONFIG must be the oldest Postgres that is supported: 15"
make --silent scripts
script=$CARGO_TARGET_DIR/extension/hftok--$version.sql
cmp -s "$script" "$("$PG_CONFIG" --sharedir)/extension/hftok--$version.sql" ||
    fail "another script is installed for $PG_CONFIG: make install"

scratch_make
# shellcheck disable=SC2119 # no further settings
cluster_start
# The root key of every released database. All that it opens stands in fill.sql.
printf '1:%s\n' "$(printf '11%.0s' {1..32})" >"$scratch/keyring"
run_sql() { psql --no-psqlrc --quiet --output=/dev/null --set=ON_ERROR_STOP=1 "$@"; }
run_sql --command='CREATE DATABASE app'
run_sql --dbname=app --command='CREATE EXTENSION hftok' --command='SELECT hftok.unseal()'
run_sql --dbname=app --file=sql/released/fill.sql
# Lines that begin with a backslash are psql's own, and newer than some that read this; the server's minor version is no matter.
pg_dump --dbname=app | sed '/^\\\(un\)\?restrict /d; /^-- Dumped /d' >"$scratch/dump"
cp "$script" "$released.sql"
cp "$scratch/dump" "$released.data"
mapfile -t steps < <(compgen -G "sql/upgrade/hftok--*--$version.sql")
sha256sum "$released.sql" "$released.data" "${steps[@]}" >>sql/released/SHA256SUMS
echo "$version is frozen. The next version: hftok.control, Cargo.toml, and a sql/upgrade/hftok--$version--NEXT.sql"
