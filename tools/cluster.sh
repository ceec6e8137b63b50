# shellcheck shell=bash
# A throw-away Postgres with hftok preloaded and a fresh keyring, for whoever sources this (after environment.sh).
#
#   scratch_make            a private folder in $scratch; everything in it goes when the script ends, however it ends, but
#                           with HFTOK_KEEP=1 what a script that failed had in it
#   cluster_start           a server in it; PGHOST, PGPORT and PGUSER then point there
#
# Must stay true:
# - Reachable over a Unix socket in a folder of mode 0700 and in no other way, so that `trust` is safe.
# - The server never runs as root, and the keyring lies outside the data directory, readable by the server's user alone.
# - Only servers that live in $scratch are stopped, each by the pid that its own data directory names; processes of theirs
#   that outlive it are known by their working directory.

scratch=
# The part of the script that runs in a process group of its own at the moment, if any.
running=

as_server() (
    # Postgres wants to enter its working directory again, and its user may not see into ours.
    cd /
    if is_root; then
        # No PAM session and no process in between, as su, runuser and sudo have.
        exec setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups -- "$@"
    fi
    exec "$@"
)

scratch_make() {
    server_user=$(id -un)
    if is_root; then
        server_user=${HFTOK_TEST_USER:-postgres}
        id "$server_user" >/dev/null 2>&1 || fail "there is no user '$server_user' to run Postgres as: set HFTOK_TEST_USER"
    fi
    trap scratch_remove EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # TMPDIR is not asked: the path of a socket may not be longer than 107 bytes.
    scratch=$(mktemp -d /tmp/hftok.XXXXXX)
    chown "$server_user" "$scratch"
}

# cluster_start SETTING...: beside those that every one of these servers has.
cluster_start() {
    local bindir
    bindir=$("$PG_CONFIG" --bindir)
    as_server mkdir -m 700 "$scratch/socket"
    as_server "$bindir/initdb" --pgdata="$scratch/data" --username=postgres --auth=trust \
        --no-locale --encoding=UTF8 --no-sync >"$scratch/initdb.log" 2>&1 ||
        fail "initdb failed: $(tail -n 5 "$scratch/initdb.log")"

    (umask 077 && printf '1:%s\n' "$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')" >"$scratch/keyring")
    chown "$server_user" "$scratch/keyring"
    # Nobody needs this data after a crash of the machine, hence no fsync.
    printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$scratch/socket'" "port = 5432" "fsync = off" \
        "shared_preload_libraries = 'hftok'" "hftok.key_file = '$scratch/keyring'" "hftok.gateways = 'authenticator'" "$@" \
        >>"$scratch/data/postgresql.conf"

    # Settings for other servers in the caller's environment must not reach this one.
    unset PGSERVICE PGPASSWORD PGOPTIONS PGHOSTADDR PGSSLMODE
    export PGHOST=$scratch/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
    # CONTRIBUTING.md says what a limit on memory is for.
    (
        [ -z "${HFTOK_ADDRESS_SPACE:-}" ] || ulimit -v "$HFTOK_ADDRESS_SPACE"
        as_server "$bindir/pg_ctl" start --silent --wait --pgdata="$scratch/data" --log="$scratch/server.log" </dev/null
    ) || fail "the server did not start: $(tail -n 10 "$scratch/server.log")"
    export PATH="$bindir:$PATH"
}

# Every process of a server, and every command it started, sits in its data directory; a pid alone may have passed on to
# somebody else.
sits_in() { [ "$(readlink "/proc/$1/cwd")" = "$2" ]; }

# Stops the server of one data directory, and what a postmaster that was killed has left behind.
server_stop() {
    local data=$1 postmaster process signal tries
    postmaster=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 0
    for signal in INT QUIT; do
        sits_in "$postmaster" "$data" || break
        kill -s "$signal" "$postmaster"
        for ((tries = 0; tries < 50; tries++)); do
            sits_in "$postmaster" "$data" || break
            sleep 0.1
        done
    done
    for process in /proc/[0-9]*; do
        if sits_in "${process#/proc/}" "$data"; then kill -s KILL "${process#/proc/}" 2>/dev/null || true; fi
    done
}

# scratch_remove [STATUS]: of the script that ends; that of the last command where a trap calls this itself.
scratch_remove() {
    local status=${1:-$?}
    # Cleaning up is not itself interrupted, neither by a signal nor by a step that finds its work done.
    trap '' HUP INT TERM
    set +e
    [ -z "$running" ] || kill -s TERM -- "-$running" 2>/dev/null
    [ -n "$scratch" ] || return 0
    local pidfile
    while IFS= read -r pidfile; do
        server_stop "${pidfile%/postmaster.pid}"
    done < <(find "$scratch" -name postmaster.pid 2>/dev/null)
    if [ "${HFTOK_KEEP:-}" = 1 ] && [ "$status" -ne 0 ]; then
        echo "kept: $scratch" >&2
        return
    fi
    rm -rf "$scratch"
}
