# shellcheck shell=bash
# pgbench's scripts for the benchmarks, a pause that keeps work of before out of a measure, and where it was measured. Sourced, after
# cluster.sh.

# Statements that go in one pipeline.
# shellcheck disable=SC2034 # whoever sources this uses it
readonly batch=50

# A transaction of pgbench: COUNT statements, in one pipeline if they are several. A placeholder is drawn anew for each (:u a
# user, :n its number, :h one of a thousand users, :s one of 10,000 names), but only if it is named, because pgbench works
# beside the server.
pgbench_script() { # STATEMENT USERS COUNT
    local n statement
    for ((n = 0; n < $3; n++)); do
        case "$1" in
        *:u* | *:n*) printf '\\set n%d random(1, %d)\n' "$n" "$2" ;;
        *:h*) printf '\\set h%d random(1, 1000)\n' "$n" ;;
        *:s*) printf '\\set s%d random(1, 10000)\n' "$n" ;;
        esac
    done
    [ "$3" -eq 1 ] || printf '%s\n' '\startpipeline'
    for ((n = 0; n < $3; n++)); do
        statement=${1//:u/\'user-\' || :n$n::text}
        statement=${statement//:h/\'user-\' || :h$n::text}
        statement=${statement//:s/\'secret-\' || :s$n::text}
        # The :n that are left are the number alone.
        sed -E "s/:n\\b/:n$n/g; s/\$/;/" <<<"$statement"
    done
    [ "$3" -eq 1 ] || printf '%s\n' '\endpipeline'
}

# The servers' first processes: that of cluster.sh, and that of pgaudit.sh, where there is one.
postmasters() {
    local pidfile
    # shellcheck disable=SC2154 # cluster.sh makes it
    for pidfile in "$scratch"/data/postmaster.pid "$scratch"/pgaudit/data/postmaster.pid; do
        if [ -e "$pidfile" ]; then head -n 1 "$pidfile"; fi
    done
}

# Whether a session's process is there. One that ends has no title any more, and its time counts only once it has ended.
has_session() {
    local parent child title
    for parent in $(postmasters); do
        for child in $(pgrep -P "$parent"); do
            title=$(tr '\0' ' ' 2>/dev/null <"/proc/$child/cmdline") || continue
            case "$title" in '' | *'[local]'*) return 0 ;; esac
        done
    done
    return 1
}

# Waits until the audit's writer has done the work of the measure before, pgbench's sessions have ended, and the kernel has brought to disk
# what all of them wrote, so that the next measure does not bear it.
calm() {
    while [ "$(psql -XqtA -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'hftok audit writer' OR application_name = 'pgbench'")" != 0 ]; do
        sleep 0.2
    done
    while has_session; do sleep 0.05; done
    sync
}

# Processor time of everything that the server's processes have used and that have ended, in hundredths of a second: of backends, and
# of the audit's writer, which ends when it has nothing to do.
used() {
    local parent
    for parent in $(postmasters); do cat "/proc/$parent/stat"; done | awk '{ used += $16 + $17 } END { print used }'
}

# The first line of a table.
machine() { # USERS ROUNDS SECONDS [MORE]
    local huge
    huge=$(awk '/^HugePages_Total/ { all = $2 } /^HugePages_Free/ { print $2 < all ? ", huge pages" : "" }' /proc/meminfo)
    printf '# Postgres %s, %s, %d processors%s, %d users, %d rounds of %d s%s\n' "$(psql -XqtA -c 'SHOW server_version' | cut -d ' ' -f 1)" \
        "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$huge" "$1" "$2" "$3" "${4:-}"
}
