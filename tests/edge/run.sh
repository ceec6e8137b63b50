#!/usr/bin/env bash
# The edge functions, the typed client and the example over a real PostgREST. `tests/edge/run.sh [file…]`
# `tests/edge/run.sh --types` writes edge/client/schema anew, after a change of the schema.
#
# Wants hftok installed in the Postgres of PG_CONFIG (`make install`); npm brings everything else, by the lock file of
# tests/rpc. What the functions talk to besides PostgREST is a stand-in for Hugging Face, in the tests' own process.
#
# Must stay true:
# - The servers live in a throw-away folder, reachable from this machine only, and are stopped however this ends.
# - The last line is `N passed, N failed`, and the exit status is 0 only when nothing failed.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tests/postgrest.sh
source tests/postgrest.sh

# shellcheck disable=SC2119 # with no settings of its own
suite_start
if [ "${1:-}" = --types ]; then
    deno_in edge run --allow-run=psql --allow-env --allow-write=client/schema generate_types.ts
    exit 0
fi
# An application's own schema beside hftok's: what the example moves in lies there.
postgrest_start postgrest "$scratch/socket" "hftok, public" true
export HFTOK_RPC_URL=http://127.0.0.1:$port
export HFTOK_DENO=$deno
# As they are deployed, apart from everything else of the repository.
export HFTOK_FUNCTIONS=$scratch/functions
cp -RL edge/functions "$HFTOK_FUNCTIONS"
# Code of other applications, as docs/porting.md changes it.
export HFTOK_TEAMS=$scratch/teams
mkdir "$HFTOK_TEAMS"
# They bring tables and a Supabase Vault of their own, so they have a database for themselves: `tests/edge/run.sh teams.test.ts`.
[ $# -gt 0 ] || set -- --ignore=teams.test.ts .
suite_run tests/edge --config ../rpc/deno.json --unstable-no-legacy-abort --allow-env --allow-read \
    --allow-net=127.0.0.1,localhost --allow-run=psql,python3,"$deno" --allow-write="$HFTOK_TEAMS" "$@"
