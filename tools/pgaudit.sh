# shellcheck shell=bash
# A second server for the benchmark's rival that audits by pgaudit. Sourced, after cluster.sh.
#
# Must stay true: pgaudit works at every statement of its server, so it has one of its own, and no other measure bears it. Backends
# write the log themselves: that costs the rival least.

has_pgaudit() { [ -e "$("$PG_CONFIG" --pkglibdir)/pgaudit.so" ]; }

# A server with the plain table in it, whose reads are logged, with the user that was asked for, into a file.
# shellcheck disable=SC2154 # scratch_make sets it
pgaudit_start() { # USERS SETTING...
    local bindir folder=$scratch/pgaudit
    bindir=$("$PG_CONFIG" --bindir)
    # shellcheck disable=SC2174 # none of them is there
    as_server mkdir -m 700 "$folder" "$folder/socket"
    as_server "$bindir/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --no-locale --encoding=UTF8 --no-sync \
        >"$scratch/initdb.log" 2>&1 || fail "initdb failed: $(tail -n 5 "$scratch/initdb.log")"
    printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$folder/socket'" "port = 5432" \
        "shared_preload_libraries = 'pgaudit'" "pgaudit.role = 'auditor'" "pgaudit.log_parameter = on" "${@:2}" \
        >>"$folder/data/postgresql.conf"
    as_server "$bindir/pg_ctl" start --silent --wait --pgdata="$folder/data" --log="$folder/log" </dev/null ||
        fail "the server with pgaudit did not start: $(tail -n 10 "$folder/log")"
    PGHOST=$folder/socket psql -Xq -v ON_ERROR_STOP=1 -v users="$1" -f benches/pgaudit.sql >/dev/null
    grep -q 'AUDIT: OBJECT,.*READ,SELECT,TABLE,public.plain,.*user-77' "$folder/log" || fail "pgaudit did not log what was read"
}

# The log is forgotten after each measure, as a rotation of logs does it.
pgaudit_forget() { : >"$scratch/pgaudit/log"; }
