#!/usr/bin/env bash
# A rotation of data keys: the time in which all values are sealed anew, alone and beside readers, and what it costs these. Behind
# `make bench-rotation`.
#
# Must stay true:
# - Readers are measured just before each rotation, in the same way: only that ratio says anything of them.
# - A rotation counts from the call until the former key is destroyed.
#
#   BENCH_SECRETS=1000000 BENCH_READERS='0 1 4' BENCH_SECONDS=20 make bench-rotation
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tools/pgbench.sh
source tools/pgbench.sh

readonly secrets=${BENCH_SECRETS:-1000000} seconds=${BENCH_SECONDS:-20}
read -ra readers <<<"${BENCH_READERS:-0 1 4}"

ask() { psql -XqtA -v ON_ERROR_STOP=1 -c "$1"; }

# Calls a second of so many readers, for so long.
reading() { # READERS SECONDS
    pgbench -n -M prepared -c "$1" -j "$1" -T "$2" -P 1 -f "$scratch/resolve.sql" 2>>"$scratch/progress.$1" |
        awk -v batch="$batch" '/^tps/ { print $3 * batch }'
}

tools/setup.sh
make --no-print-directory install >/dev/null
scratch_make
buffers=$(awk '/^MemTotal/ { print int($2 / 3 / 1024) }' /proc/meminfo)
cluster_start 'fsync = on' "shared_buffers = ${buffers}MB" 'max_wal_size = 16GB' 'checkpoint_timeout = 1h'
ask 'CREATE EXTENSION hftok'
for ((from = 0; from < secrets; from += 100000)); do
    to=$((from + 100000 < secrets ? from + 100000 : secrets))
    ask "SELECT count((hftok.save_credential('huggingface', 'hf_' || md5(n::text) || '00', p_user_id => 'user-' || n)).secret_id)
        FROM generate_series($from + 1, $to) n" >/dev/null
done
calm
pgbench_script 'SELECT hftok.resolve_hf_token(:u)' "$secrets" "$batch" >"$scratch/resolve.sql"
chmod 755 "$scratch"

folder=$CARGO_TARGET_DIR/bench
if [ "$secrets" -ge 1000000 ] && [ -z "${BENCH_READERS:-}" ]; then folder=docs/performance; fi
mkdir -p "$folder"
{
    echo "$secrets secrets, $(nproc) processors; load before the run: $(cut -d ' ' -f 1-3 /proc/loadavg)"
    printf '%8s %12s %14s %14s %16s %16s %8s %8s\n' readers 'sealed, s' 'destroyed, s' 'secrets a s' 'reads a s before' 'meanwhile' ratio 'WAL, MB'
    for count in "${readers[@]}"; do
        ask 'VACUUM ANALYZE'
        ask CHECKPOINT
        before=0 meanwhile=0
        if [ "$count" -gt 0 ]; then
            reading "$count" 5 >/dev/null
            before=$(reading "$count" "$seconds")
        fi
        calm
        lsn=$(ask 'SELECT pg_current_wal_lsn()')
        former=$(ask 'SELECT active_data_key_id FROM hftok.status()')
        ask 'SELECT hftok.rotate_data_key()' >/dev/null
        if [ "$count" -gt 0 ]; then
            pgbench -n -M prepared -c "$count" -j "$count" -T 600 -P 1 -f "$scratch/resolve.sql" >/dev/null 2>"$scratch/progress.$count" &
            reader=$!
        fi
        until [ "$(ask "SELECT state FROM hftok.rotation_progress WHERE key_id = $former")" = finished ]; do sleep 1; done
        if [ "$count" -gt 0 ]; then
            # Its progress, second by second: the first is its beginning.
            meanwhile=$(awk -v batch="$batch" '/^progress/ && ++n > 1 { sum += $4 } END { print (n > 1 ? sum / (n - 1) * batch : 0) }' "$scratch/progress.$count")
            kill -s TERM "$reader"
            wait "$reader" 2>/dev/null || true
        fi
        ask "SELECT format('%s %s %s', extract(epoch FROM last_at - started_at), extract(epoch FROM finished_at - started_at), done)
            FROM hftok_private.rotations WHERE key_id = $former" |
            awk -v readers="$count" -v before="$before" -v meanwhile="$meanwhile" \
                -v wal="$(ask "SELECT (pg_current_wal_lsn() - '$lsn') / 1048576")" '{
                ratio = before > 0 ? sprintf("%.2f", meanwhile / before) : "-"
                printf "%8d %12.1f %14.1f %14.0f %16.0f %16.0f %8s %8.0f\n", readers, $1, $2, $3 / $1, before, meanwhile, ratio, wal }'
        [ "$(ask "SELECT failed FROM hftok.verify() WHERE kind = 'total'")" = 0 ] || fail 'verify() found something'
    done
} | tee "$folder/rotation.txt"
