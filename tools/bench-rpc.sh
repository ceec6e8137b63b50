#!/usr/bin/env bash
# A token over PostgREST, as a user sees it, beside the plaintext that one would read without hftok. Behind `make bench-rpc`.
#
# Must stay true:
# - The rivals come in turn within each round, with one connection and with sixteen, so that a machine that slows down slows all.
# - All of them carry the same JWT and name their schema, and each request is for a user drawn anew.
# - The client keeps its connections, and is not what is waited for: its processor time stands in the table beside the server's.
#
#   BENCH_USERS=100000 BENCH_ROUNDS=9 BENCH_SECONDS=3 make bench-rpc
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tests/postgrest.sh
source tests/postgrest.sh
# shellcheck source=tools/pgbench.sh
source tools/pgbench.sh

readonly users=${BENCH_USERS:-100000} rounds=${BENCH_ROUNDS:-9} seconds=${BENCH_SECONDS:-3}
# The connections that PostgREST has to the database.
readonly pool=8
# Name, method, schema, path; a GET has the user at the end of its path.
readonly requests=(
    'trivial POST bench /rpc/trivial'
    'table_by_key GET bench /plain?select=secret&user_id=eq.'
    'rpc_plaintext POST bench /rpc/plain_secret'
    'rpc_resolve POST hftok /rpc/resolve_hf_token'
)

install_client() {
    command -v wrk >/dev/null && return
    as_root apt-get -qq update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends wrk >/dev/null
}

# The backend's token, as Supabase's key of the service role is one.
token() {
    python3 - <<'PY'
import base64, hashlib, hmac, os
def text(data): return base64.urlsafe_b64encode(data).rstrip(b"=")
signed = text(b'{"alg":"HS256","typ":"JWT"}') + b"." + text(b'{"role":"service_role","iss":"bench","exp":4102444800}')
print((signed + b"." + text(hmac.digest(os.environ["HFTOK_JWT_SECRET"].encode(), signed, hashlib.sha256))).decode())
PY
}

# Every request answers with the token that was stored.
check_values() {
    local name method schema path user=user-77 token answer
    token=hf_$(printf 77 | md5sum | cut -d ' ' -f 1)00
    for request in "${requests[@]}"; do
        read -r name method schema path <<<"$request"
        [ "$name" != trivial ] || continue
        if [ "$method" = GET ]; then
            answer=$(curl -sS -H "Authorization: Bearer $BENCH_TOKEN" -H "Accept-Profile: $schema" "http://127.0.0.1:$port$path$user")
        else
            answer=$(curl -sS -H "Authorization: Bearer $BENCH_TOKEN" -H "Content-Profile: $schema" \
                --json "{\"p_user_id\":\"$user\"}" "http://127.0.0.1:$port$path")
        fi
        [[ $answer == *"\"$token\""* ]] || fail "$name answers $answer"
    done
}

# Processor time until now, in hundredths of a second: of the database, with its processes that have ended, and of PostgREST.
used() {
    cat /proc/[0-9]*/stat 2>/dev/null |
        awk -v server="$(head -n 1 "$scratch/data/postmaster.pid")" -v group="${postgrests[-1]}" '
            { sub(/\(.*\)/, "name") }
            $1 == server { database += $14 + $15 + $16 + $17 }
            $4 == server { database += $14 + $15 }
            $5 == group { postgrest += $14 + $15 }
            END { print database + 0, postgrest + 0 }'
}

# Calls a second, p50, p99, calls, and processor time of database, PostgREST and client.
measure() { # CONNECTIONS SECONDS METHOD SCHEMA PATH
    local database postgrest database_after postgrest_after rate middle most calls failed
    calm
    read -r database postgrest < <(used)
    TIMEFORMAT='%U %S'
    { time BENCH_METHOD=$3 BENCH_SCHEMA=$4 BENCH_PATH=$5 wrk --threads 1 --connections "$1" --duration "$2s" --timeout 10s \
        --script benches/rpc.lua "http://127.0.0.1:$port" >"$scratch/wrk.log" 2>&1; } 2>"$scratch/wrk.time" ||
        fail "wrk: $(cat "$scratch/wrk.log")"
    calm
    read -r database_after postgrest_after < <(used)
    read -r rate middle most calls failed < <(sed -n 's/^figures //p' "$scratch/wrk.log") || fail "wrk: $(cat "$scratch/wrk.log")"
    [ "$failed" = 0 ] || fail "$failed of $calls calls of $5 failed: $(tail -n 3 "$scratch/postgrest.log" "$scratch/server.log")"
    echo "$rate $middle $most $calls $((database_after - database)) $((postgrest_after - postgrest))" \
        "$(awk '{ print ($1 + $2) * 100 }' "$scratch/wrk.time")"
}

tools/setup.sh
make --no-print-directory install >/dev/null
install_client
suite_start 'fsync = on' 'shared_buffers = 2GB' 'max_wal_size = 16GB' 'min_wal_size = 1GB' 'checkpoint_timeout = 1h'
echo "Loading $users users"
PGOPTIONS="-c client_min_messages=warning" psql -Xq -v ON_ERROR_STOP=1 -v users="$users" -f benches/data.sql -f benches/rpc.sql >/dev/null
psql -Xq -c CHECKPOINT
postgrest_start postgrest "$scratch/socket" bench,hftok true "$pool"
BENCH_TOKEN=$(token) BENCH_USERS=$users
export BENCH_TOKEN BENCH_USERS
check_values

echo "$rounds rounds of $seconds s each, $(nproc) processors"
# Round -1 opens PostgREST's connections and plans its statements.
for ((round = -1; round < rounds; round++)); do
    for connections in 1 16; do
        for request in "${requests[@]}"; do
            read -r name method schema path <<<"$request"
            figures=$(measure "$connections" "$((round < 0 ? 1 : seconds))" "$method" "$schema" "$path")
            [ "$round" -lt 0 ] || echo "$round $connections $name $figures" >>"$scratch/results"
        done
    done
done

# Only a whole run is one to quote.
folder=$CARGO_TARGET_DIR/bench
if [ "$rounds" -ge 9 ] && [ "$users" -ge 100000 ] && [ "$seconds" -ge 3 ]; then folder=docs/performance; fi
mkdir -p "$folder"
{
    machine "$users" "$rounds" "$seconds"
    awk -f benches/middle.awk -f benches/rpc.awk "$scratch/results"
} | tee "$folder/rpc.txt"
[ "$folder" != docs/performance ] || tools/figures.sh
echo "table: $folder"
