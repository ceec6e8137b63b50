#!/usr/bin/env bash
# Whether reading adds up: a primary and two standbys, each by itself and all three at once. Behind `make bench-standbys`.
#
# Must stay true:
# - All three share the processors here, so calls a second say nothing of three machines. Processor time of a call does: it adds up if a
#   call on a standby takes what one on the primary takes, and takes no more while the others answer too.
# - Processor time is that of each server's processes that have ended, the audit's writer with them: a measure is over once they have.
#
#   BENCH_USERS=100000 BENCH_ROUNDS=9 BENCH_SECONDS=3 make bench-standbys
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tools/pgbench.sh
source tools/pgbench.sh

readonly users=${BENCH_USERS:-100000} rounds=${BENCH_ROUNDS:-9} seconds=${BENCH_SECONDS:-3}
# Who answers at the same time.
readonly parties=(primary standby1 standby2 'primary standby1 standby2')

socket() { if [ "$1" = primary ]; then echo "$scratch/socket"; else echo "$scratch/$1/socket"; fi; }
data() { if [ "$1" = primary ]; then echo "$scratch/data"; else echo "$scratch/$1/data"; fi; }

# A standby with the keyring of its primary, in a folder of its own.
standby_start() { # NAME
    local folder=$scratch/$1
    as_server mkdir -m 700 "$folder" "$folder/socket"
    as_server env PGHOST="$PGHOST" "$(command -v pg_basebackup)" --username=postgres --pgdata="$folder/data" --checkpoint=fast --no-sync \
        --write-recovery-conf
    printf '%s\n' "unix_socket_directories = '$folder/socket'" "wal_receiver_status_interval = 1s" | as_server tee -a "$folder/data/postgresql.conf" >/dev/null
    as_server "$(command -v pg_ctl)" start --silent --wait --pgdata="$folder/data" --log="$folder/log" </dev/null ||
        fail "$1 did not start: $(tail -n 10 "$folder/log")"
}

# Processor time of a server's processes that have ended, in hundredths of a second.
used_by() { awk '{ sub(/\(.*\)/, "name"); print $16 + $17 }' "/proc/$(head -n 1 "$(data "$1")/postmaster.pid")/stat"; }

# Waits until a server has nothing to do, and its sessions have ended: a process is counted when it is gone, which is after it has left
# pg_stat_activity.
settle() { # SERVER
    PGHOST=$(socket "$1") calm
    while has_session "$(data "$1")"; do sleep 0.1; done
}

# Not that of a standby, which is a walsender's.
has_session() { # DATA
    local process
    for process in /proc/[0-9]*; do
        if sits_in "${process#/proc/}" "$1" 2>/dev/null && grep -qs '^postgres: postgres ' "$process/cmdline"; then return; fi
    done
    return 1
}

calls() { sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$scratch/$1.calls"; }

# Calls of all, and the processor time that they took.
measure() { # SERVER...
    local server before=0 after=0 total=0 running_here=()
    for server in "$@"; do
        settle "$server"
        before=$((before + $(used_by "$server")))
    done
    for server in "$@"; do
        PGHOST=$(socket "$server") pgbench -n -M prepared -T "$seconds" -c 1 -f "$scratch/resolve.sql" >"$scratch/$server.calls" 2>>"$scratch/pgbench.log" &
        running_here+=($!)
    done
    wait "${running_here[@]}" || fail "pgbench: $(tail -n 3 "$scratch/pgbench.log")"
    for server in "$@"; do
        settle "$server"
        after=$((after + $(used_by "$server")))
        total=$((total + $(calls "$server") * batch))
        # The lines of a standby's uses, as a rotation of logs takes them away.
        [ "$server" = primary ] || : >"$scratch/$server/log"
    done
    echo "$total $((after - before))"
}

tools/setup.sh
make --no-print-directory install >/dev/null
scratch_make
cluster_start 'shared_buffers = 512MB' 'max_wal_size = 4GB' 'checkpoint_timeout = 1h'
echo "Loading $users users"
psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION hftok' -c "SELECT count((hftok.save_credential('huggingface', 'hf_' || md5(n::text) || '00',
    p_user_id => 'user-' || n)).secret_id) FROM generate_series(1, $users) n" >/dev/null
pgbench_script 'SELECT hftok.resolve_hf_token(:u)' "$users" "$batch" >"$scratch/resolve.sql"
standby_start standby1
standby_start standby2

# Round -1 fills the caches of each.
for ((round = -1; round < rounds; round++)); do
    for party in "${parties[@]}"; do
        # shellcheck disable=SC2086 # one word for each server
        figures=$(measure $party)
        [ "$round" -lt 0 ] || echo "${party// /+} $figures" >>"$scratch/results"
    done
done

folder=$CARGO_TARGET_DIR/bench
if [ "$rounds" -ge 9 ] && [ "$users" -ge 100000 ]; then folder=docs/performance; fi
mkdir -p "$folder"
{
    machine "$users" "$rounds" "$seconds"
    printf '%-28s %28s %8s %8s\n' answering 'processor time a call, us' least most
    for party in "${parties[@]}"; do
        awk -v party="${party// /+}" '$1 == party { printf "%.3f\n", $3 * 10000 / $2 }' "$scratch/results" | sort -n |
            awk -v party="$party" '{ us[NR] = $1 } END { printf "%-28s %28.2f %8.2f %8.2f\n", party, us[int((NR + 1) / 2)], us[1], us[NR] }'
    done
} | tee "$folder/standbys.txt"
echo "table: $folder"
