#!/usr/bin/env bash
# The cost of hftok as it grows, and where nobody calls it. Behind `make bench-growth`: time a call beside a plain SELECT, bytes
# a secret and memory of a session at each number of users, then pgbench's own SELECTs with hftok preloaded and without.
#
# Must stay true: rivals come in turn within each round, as in bench.sh; times of different sizes are of one server in one run.
#
#   BENCH_SIZES='1000 100000 1000000 10000000' BENCH_ROUNDS=9 BENCH_SECONDS=2 make bench-growth
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tools/pgbench.sh
source tools/pgbench.sh

read -ra sizes <<<"${BENCH_SIZES:-1000 100000 1000000}"
readonly rounds=${BENCH_ROUNDS:-9} seconds=${BENCH_SECONDS:-2}

ask() { psql -XqtA -v ON_ERROR_STOP=1 -c "$1"; }

middle() { sort -n | awk '{ list[NR] = $1 } END { print NR % 2 ? list[(NR + 1) / 2] : (list[NR / 2] + list[NR / 2 + 1]) / 2 }'; }

time_of() { # NAME: microseconds a call
    calm
    pgbench -n -M prepared -T "$seconds" -f "$scratch/$1.sql" 2>>"$scratch/pgbench.log" |
        awk -v batch="$batch" '/^tps/ { print 1e6 / $3 / batch }'
}

# Memory that a session's process has for itself, after this many calls, in kilobytes.
memory_after() { # USERS CALLS...
    local users=$1 process calls
    shift
    coproc SESSION { psql -XqtA; }
    echo 'SELECT pg_backend_pid();' >&"${SESSION[1]}"
    read -r process <&"${SESSION[0]}"
    for calls in "$@"; do
        echo "SELECT count(hftok.resolve_hf_token('user-' || 1 + n % $users)) FROM (SELECT generate_series(1, $calls) AS n OFFSET 0) c;" >&"${SESSION[1]}"
        read -r _ <&"${SESSION[0]}"
        awk '/^RssAnon/ { print $2 }' "/proc/$process/status"
    done
    echo '\q' >&"${SESSION[1]}"
    wait "$SESSION_PID"
}

grow() { # FROM TO
    local from to
    # In portions, so that the audit's writer keeps up.
    for ((from = $1; from < $2; from = to)); do
        to=$((from + 100000 < $2 ? from + 100000 : $2))
        ask "SELECT count((hftok.save_credential('huggingface', 'hf_' || md5(n::text) || '00', p_user_id => 'user-' || n)).secret_id)
            FROM generate_series($from + 1, $to) n" >/dev/null
    done
    ask "INSERT INTO plain SELECT 'user-' || n, 'hf_' || md5(n::text) || '00' FROM generate_series($1 + 1, $2) n"
    calm
    ask 'VACUUM ANALYZE'
    ask 'CHECKPOINT'
    # Every page that a call needs was needed before.
    ask "SELECT count(hftok.resolve_hf_token(user_id)) FROM plain" >/dev/null
    calm
}

tools/setup.sh
make --no-print-directory install >/dev/null
scratch_make
# A third of the machine's memory. Neither what loading leaves behind nor what tidies up afterwards is to be measured.
buffers=$(awk '/^MemTotal/ { print int($2 / 3 / 1024) }' /proc/meminfo)
# Room for every credential that is found again without its index, 64 bytes each.
shortcuts=$((sizes[-1] * 64 >> 20))
cluster_start "shared_buffers = ${buffers}MB" "hftok.shortcut_memory = $((shortcuts > 32 ? shortcuts : 32))MB" 'max_wal_size = 2GB' 'checkpoint_timeout = 1h' 'autovacuum = off'
ask 'CREATE EXTENSION hftok'
ask 'CREATE TABLE plain (user_id text COLLATE "C" PRIMARY KEY, secret text NOT NULL)'
folder=$CARGO_TARGET_DIR/bench
if [ "$rounds" -ge 9 ] && [ "${sizes[-1]}" -ge 10000000 ]; then folder=docs/performance; fi
mkdir -p "$folder"

{
    printf '%-12s %12s %12s %12s %12s %12s %20s\n' users 'us a call' 'as at first' 'plain SELECT' 'as at first' 'bytes each' 'session kB 1e3, 1e6'
    had=0
    for users in "${sizes[@]}"; do
        grow "$had" "$users"
        had=$users
        pgbench_script 'SELECT hftok.resolve_hf_token(:u)' "$users" "$batch" >"$scratch/resolve.sql"
        pgbench_script 'SELECT secret FROM plain WHERE user_id = :u' "$users" "$batch" >"$scratch/plain.sql"
        chmod 755 "$scratch"
        rm -f "$scratch/resolve.times" "$scratch/plain.times"
        for ((round = 0; round < rounds; round++)); do
            for name in plain resolve; do time_of "$name" >>"$scratch/$name.times"; done
        done
        resolve=$(middle <"$scratch/resolve.times") plain=$(middle <"$scratch/plain.times")
        first_resolve=${first_resolve:-$resolve} first_plain=${first_plain:-$plain}
        bytes=$(ask "SELECT pg_total_relation_size('hftok_private.secrets') / count(*) FROM hftok_private.secrets")
        mapfile -t memory < <(memory_after "$users" 1000 1000000)
        awk -v u="$users" -v r="$resolve" -v p="$plain" -v fr="$first_resolve" -v fp="$first_plain" -v b="$bytes" \
            -v m="${memory[*]}" 'BEGIN { printf "%-12d %12.1f %12.2f %12.1f %12.2f %12d %20s\n", u, r, r / fr, p, p / fp, b, m }'
    done
} | tee "$folder/growth.txt"

# With hftok and without, on the same data.
data=$scratch/data
restart() { # SETTING
    as_server pg_ctl restart --silent --wait --pgdata="$data" --log="$scratch/server.log" --options="-c shared_preload_libraries=$1" </dev/null
}
createdb untouched
pgbench -i -q -s 10 untouched >/dev/null 2>&1
for ((round = 0; round < rounds; round++)); do
    for library in hftok ''; do
        restart "$library"
        pgbench -n -S -M prepared -T 1 untouched >/dev/null 2>&1
        tps=$(pgbench -n -S -M prepared -T "$seconds" untouched 2>>"$scratch/pgbench.log" | awk '/^tps/ { print $3 }')
        echo "$tps" >>"$scratch/untouched.${library:-without}"
    done
done
paste "$scratch/untouched.hftok" "$scratch/untouched.without" | awk '{ print $1 / $2 }' | middle |
    xargs printf 'pgbench -S with hftok preloaded, beside without: %s\n' | tee -a "$folder/growth.txt"
