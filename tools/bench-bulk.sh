#!/usr/bin/env bash
# Opening many values in one statement, beside Supabase Vault's method (benches/vault_method.c). Behind `make bench-bulk`; the second
# half needs libsodium's headers, and is left out where they are not.
#
# Must stay true:
# - A value costs what the statement takes beyond the same one that reads the rows and opens none; both come in turn within each round.
# - Of ours the audit is on, and its writer's processor time counts. The other method records nothing.
#
#   BENCH_VALUES=100000 BENCH_ROUNDS=9 make bench-bulk
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tools/pgbench.sh
source tools/pgbench.sh

readonly values=${BENCH_VALUES:-100000} rounds=${BENCH_ROUNDS:-9}

has_libsodium() { echo '#include <sodium.h>' | cc -E - >/dev/null 2>&1; }

# Reads a column of a view: the seconds that the statement took, those of its backend's processor, and those of all processes.
measure() { # SCHEMA COLUMN
    local before
    calm
    before=$(used)
    PGOPTIONS='-c client_min_messages=log' psql -XqtA -v ON_ERROR_STOP=1 \
        -c "SELECT count(created_at) + count(decrypted_secret) FILTER (WHERE name = 'secret-1') FROM $1.decrypted_secrets" \
        -c 'SET log_statement_stats = on' -c "SELECT count($2) FROM $1.decrypted_secrets" >"$scratch/answer" 2>&1
    calm
    [ "$(grep -cx "$values" "$scratch/answer")" = 1 ] || fail "other values than were stored: $(cat "$scratch/answer")"
    awk -v all="$(($(used) - before))" '/ s elapsed$/ { print $8, $2 + $5, all / 100; exit }' "$scratch/answer"
}

tools/setup.sh
make --no-print-directory install >/dev/null
scratch_make
cluster_start 'fsync = on' 'shared_buffers = 1GB' 'max_wal_size = 16GB' 'checkpoint_timeout = 1h' \
    'max_parallel_workers_per_gather = 0' 'enable_indexscan = off' 'enable_indexonlyscan = off' 'enable_bitmapscan = off'
schemas=(hftok)
if has_libsodium; then
    cc -O2 -fPIC -shared -I "$("$PG_CONFIG" --includedir-server)" -o "$scratch/vault_method.so" benches/vault_method.c -lsodium
    schemas+=(vault_method)
else
    echo "Supabase Vault's method is left out: libsodium's headers are missing (libsodium-dev)"
fi
psql -Xq -v ON_ERROR_STOP=1 -v values="$values" -v has_vault="$((${#schemas[@]} - 1))" -v library="$scratch/vault_method" \
    -f benches/bulk.sql >/dev/null
psql -Xq -c CHECKPOINT
for ((round = 0; round < rounds; round++)); do
    for schema in "${schemas[@]}"; do
        for column in created_at decrypted_secret; do echo "$round $schema $column $(measure "$schema" "$column")"; done
    done
done >"$scratch/results"

folder=$CARGO_TARGET_DIR/bench
if [ "$rounds" -ge 9 ] && [ "$values" -ge 100000 ] && [ "${#schemas[@]}" = 2 ]; then folder=docs/performance; fi
mkdir -p "$folder"
{
    echo "$values values, $rounds rounds, $(nproc) processors: microseconds a value beyond reading its row"
    awk -v values="$values" -f benches/middle.awk -f benches/bulk.awk "$scratch/results"
} | tee "$folder/bulk.txt"
