#!/usr/bin/env bash
# The cost of the audit's log as it grows: WAL, disk and processor time an event, then verify_audit() and what a user and a DBA ask, on
# a log of as many events as wanted. Behind `make bench-audit`.
#
# Must stay true: bytes are those of a busy server between two checkpoints, with counters of use, commits and indexes; times are those
# of a session that has made its first call, the middle of all rounds.
#
#   BENCH_EVENTS=20000000 BENCH_USERS=100000 BENCH_ROUNDS=9 BENCH_SECONDS=30 make bench-audit
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tools/pgbench.sh
source tools/pgbench.sh

readonly events=${BENCH_EVENTS:-2000000} users=${BENCH_USERS:-100000} rounds=${BENCH_ROUNDS:-9} seconds=${BENCH_SECONDS:-30}
readonly tables="'audit', 'audit_bundles', 'audit_nodes', 'audit_checkpoints'"

ask() { psql -XqtA -v ON_ERROR_STOP=1 -c "$1"; }

size() { ask "SELECT coalesce(max(size), 0) FROM hftok_private.audit_checkpoints"; }

disk() { ask "SELECT sum(pg_total_relation_size(('hftok_private.' || name)::regclass)) FROM unnest(ARRAY[$tables]) AS name"; }

cost() { # CLIENTS: a line of what an audited reveal costs
    local events_before disk_before used_before wal_before
    calm
    events_before=$(size) disk_before=$(disk) used_before=$(used) wal_before=$(ask 'SELECT pg_current_wal_insert_lsn()')
    pgbench -n -M prepared -T "$seconds" -c "$1" -j 2 -f "$scratch/resolve.sql" >/dev/null 2>>"$scratch/pgbench.log"
    calm
    awk -v clients="$1" -v n="$(($(size) - events_before))" -v used="$(($(used) - used_before))" -v disk="$(($(disk) - disk_before))" \
        -v wal="$(ask "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$wal_before')")" \
        'BEGIN { printf "%d clients: %.1f us of backends and writer, %.0f bytes of WAL, %.0f on disk an event\n", clients, used * 1e4 / n, wal / n, disk / n }'
}

fill() { # Two sessions, in portions, so that the audit's writer keeps up.
    local portion=500000 session
    while [ "$(size)" -lt "$events" ]; do
        for session in 1 2; do
            ask "SELECT count(hftok.resolve_hf_token('user-' || 1 + (n * 7919 + $session) % $users)) FROM generate_series(1::bigint, $portion) n" >/dev/null &
        done
        wait
    done
    calm
    ask 'VACUUM ANALYZE'
    ask 'CHECKPOINT'
}

# Milliseconds of a statement in the middle of all rounds.
time_of() { # STATEMENT, WHAT A SESSION BEGINS WITH
    local round
    {
        printf '%s;\n' "${2-SELECT hftok.resolve_hf_token('user-1') IS NULL}"
        printf '%s\n' '\timing on'
        for ((round = 0; round < rounds; round++)); do printf '%s;\n' "$1"; done
    } >"$scratch/statement.sql"
    psql -XqtA -v ON_ERROR_STOP=1 -f "$scratch/statement.sql" | awk '/^Time:/ { print $2 }' | sort -n |
        awk '{ list[NR] = $1 } END { print NR % 2 ? list[(NR + 1) / 2] : (list[NR / 2] + list[NR / 2 + 1]) / 2 }'
}

reader() { # NAME STATEMENT, WHAT A SESSION BEGINS WITH
    printf '%-44s %10.0f ms\n' "$1" "$(time_of "${@:2}")"
}

# The view as an application's user reads it: behind a gateway, by their claims.
own_events() { # NAME USER
    PGUSER=authenticator reader "$1" 'SELECT count(*) FROM hftok.audit_events' \
        "SET ROLE authenticated; SET request.jwt.claims = '{\"sub\": \"$2\"}'; SELECT count(*) FROM hftok.audit_events"
}

tools/setup.sh
make --no-print-directory install >/dev/null
scratch_make
cluster_start 'fsync = on' 'shared_buffers = 2GB' 'max_wal_size = 16GB' 'min_wal_size = 4GB' 'checkpoint_timeout = 1h'
psql -Xq -v ON_ERROR_STOP=1 -v users="$users" -f benches/data.sql >/dev/null
ask "CREATE ROLE authenticated NOLOGIN; CREATE ROLE service_role NOLOGIN; CREATE ROLE authenticator LOGIN NOINHERIT;
    GRANT authenticated, service_role TO authenticator; SELECT hftok.enable_rpc(); SELECT hftok.add_member('org-1', 'user-78', 'owner')" >/dev/null
pgbench_script 'SELECT hftok.resolve_hf_token(:u)' "$users" "$batch" >"$scratch/resolve.sql"
chmod 755 "$scratch"
folder=$CARGO_TARGET_DIR/bench
if [ "$rounds" -ge 9 ] && [ "$events" -ge 20000000 ]; then folder=docs/performance; fi
mkdir -p "$folder"
{
    # The first use of each counter is an insertion, so it is not measured.
    ask "SELECT count(hftok.resolve_hf_token('user-' || n)) FROM generate_series(1, $users) n" >/dev/null
    for clients in 1 8; do cost "$clients"; done
    fill
    count=$(size)
    # A day of a log of a month, though all of it was written within minutes.
    begin=$(ask "SELECT first_at FROM hftok_private.audit_bundles WHERE last_id >= $count / 30 * 29 ORDER BY last_id LIMIT 1")
    echo "$count events"
    verify=$(time_of "SELECT hftok.verify_audit($((users + 20000)))")
    awk -v n="$((count - users - 20000))" -v t="$verify" 'BEGIN { printf "%-44s %10.1f million events a second\n", "verify_audit()", n / t / 1000 }'
    own_events "a user's own events" user-77
    own_events 'with those of an organisation' user-78
    reader 'one user' "SELECT count(*) FROM hftok.find_audit_events(p_user => 'user-77')"
    reader 'one secret' "SELECT count(*) FROM hftok.find_audit_events(p_object_id => (SELECT id FROM hftok_private.secrets WHERE scope_id = 'user-77'))"
    reader 'a role that was not there' "SELECT count(*) FROM hftok.find_audit_events(p_role => 'nobody')"
    reader 'refusals' "SELECT count(*) FROM hftok.find_audit_events(p_kind => 'refusal')"
    reader 'refusals_by_role' 'SELECT count(*) FROM hftok.refusals_by_role'
    reader 'recent_reveals, all of it of one day' 'SELECT count(*) FROM hftok.recent_reveals'
    reader 'new_applications' 'SELECT count(*) FROM hftok.new_applications'
    reader 'the newest 100' 'SELECT count(*) FROM hftok.find_audit_events(p_newest => 100)'
    reader 'the newest thirtieth' "SELECT count(*) FROM hftok.find_audit_events(p_from => '$begin')"
} | tee "$folder/audit.txt"
