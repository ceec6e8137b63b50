#!/usr/bin/env bash
# What takes longer than `make test` may. Behind `make soak`; `tools/soak.sh kills`, `disasters`, `injected`, `smith` or `waits` runs one part of it,
# against the hftok that is installed.
#
#   kills   processes of a server with clients at work are killed, ROUNDS times, with a new server for each piece of twenty
#   disasters   the same while keys of all kinds are rotated, with clients that know what they were told
#   injected   each call into Postgres that a function makes fails in turn
#   smith   sqlsmith sends COUNT statements as a user, as the service and as an auditor: no crash, no internal error, no value in the log
#   waits   each file of black-box tests that waits for time, TIMES times in a row, with all processors busy
#
# Must stay true:
# - A failure is had again by what is printed: the seed and rounds of its piece, or the name of its file.
# - One failure keeps nothing else from running; the last line is `N passed, N failed`, and the exit status is 0 only when
#   nothing failed.
# - Nothing that was started here outlives it.
#
#   SEED=7 ROUNDS=200 COUNT=100000 TIMES=10 ONLY=audit_sync make soak
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

readonly rounds=${ROUNDS:-200} piece=20 times=${TIMES:-10} only=${ONLY:-.} count=${COUNT:-100000}
# A test that waits has one of these in its file: for a condition, for a time, or for the audit's writer.
readonly waits='wait_until|sleep|elapsed|settled|without_writer'
passed=0 failed=0
failures=()
busy=()

# shellcheck disable=SC2317 # called by the trap
soak_stop() {
    local status=$? pid
    trap '' HUP INT TERM
    # They never end by themselves, so their ids cannot have passed on to others.
    for pid in "${busy[@]}"; do kill -s KILL "$pid" 2>/dev/null || true; done
    scratch_remove "$status"
}

# Runs a test in a process group of its own, so that an interruption ends it at once and as a whole.
once() { # TITLE ARG_OF_CARGO_TEST...
    local status=0 begin=$SECONDS
    set -m
    TMPDIR=$scratch/tests cargo test --quiet -p hftok-tests --locked --test "${@:2}" </dev/null >"$scratch/log" 2>&1 &
    running=$!
    set +m
    wait "$running" || status=$?
    running=
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
        sed -n 's/^HFTOK_SEED=.*: /  /p' "$scratch/log"
    else
        failed=$((failed + 1)) failures+=("$1")
        cat "$scratch/log"
    fi
    echo "$1: $([ "$status" -eq 0 ] && echo passed || echo FAILED) after $((SECONDS - begin)) s"
}

# A test in pieces, each with a server and a seed of its own.
rounds_of() { # PART FILE TEST
    local seed=${SEED:-$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')} left=$rounds part
    while [ "$left" -gt 0 ]; do
        part=$((left < piece ? left : piece))
        export HFTOK_SEED=$seed HFTOK_ROUNDS=$part
        once "SEED=$seed ROUNDS=$part tools/soak.sh $1" "$2" -- --exact --nocapture "$3"
        seed=$((seed + 1)) left=$((left - part))
    done
    unset HFTOK_SEED HFTOK_ROUNDS
}

soak_kills() { rounds_of kills audit_crashes whatever_is_killed_at_any_moment_the_chain_holds; }

soak_disasters() { rounds_of disasters disasters whatever_is_killed_while_keys_rotate_nothing_is_lost_and_nothing_comes_back; }

soak_injected() {
    HFTOK_BLOWS=1000000 once "tools/soak.sh injected" injected -- --nocapture
    grep -E 'calls struck$' "$scratch/log" || true
}

# A value that is in every place where one can lie, and so must be found in the log of no server.
readonly planted=hf_SMITHabcdefghijklmnopqrstuvwxyzABCD

smith_start() {
    cluster_start "log_line_prefix = '%e '" "log_error_verbosity = verbose" "autovacuum = off" "max_locks_per_transaction = 256"
    psql -Xq -v ON_ERROR_STOP=1 -v value="$planted" <<'END'
CREATE EXTENSION hftok;
SELECT hftok.put_secret('named', :'value'), hftok.put_secret('named', :'value' || '1') \g /dev/null
SELECT hftok.save_hf_token(:'value', p_user_id => u) FROM unnest('{role:smith_user,alice}'::text[]) u \g /dev/null
SELECT hftok.save_hf_token(:'value', p_org_id => 'acme'), hftok.save_hf_token(:'value', p_global => true), hftok.give_org_key('acme') \g /dev/null
SELECT hftok.create_integration_with_vault('ours', 'huggingface', :'value', p_user_id => 'alice') \g /dev/null
CREATE ROLE smith_user LOGIN IN ROLE hftok_user;
CREATE ROLE smith_service LOGIN IN ROLE hftok_service;
CREATE ROLE smith_auditor LOGIN IN ROLE hftok_auditor;
ALTER ROLE smith_user SET statement_timeout = '1s';
ALTER ROLE smith_service SET statement_timeout = '1s';
ALTER ROLE smith_auditor SET statement_timeout = '1s';
END
}

# What sqlsmith has found so far, if anything.
smith_found() {
    grep -aE "$planted|PANIC:|terminated by signal|internal error in hftok" "$scratch/server.log" | head -n 5
    # Postgres' own functions have internal errors for arguments that nobody gives; they name a file of C.
    grep -aA8 '^XX000 ERROR:' "$scratch/server.log" | grep -a 'LOCATION:' | grep -av '\.c:[0-9]' | head -n 5
    psql -XqtA -c "SELECT 'verify: ' || count(*) FROM hftok.verify() WHERE reason IS NOT NULL HAVING count(*) > 0" \
        -c "SELECT 'verify_audit: ' || coalesce(reason, 'nothing was checked') FROM hftok.verify_audit() WHERE ok IS DISTINCT FROM true"
}

soak_smith() {
    local seed=${SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')} role found title
    command -v sqlsmith >/dev/null || as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y sqlsmith >/dev/null || fail "sqlsmith could not be installed"
    smith_start
    for role in user service auditor; do
        title="SEED=$seed COUNT=$count tools/soak.sh smith: $role"
        sqlsmith --target="host=$PGHOST port=$PGPORT user=smith_$role dbname=postgres" --seed="$seed" --exclude-catalog --max-queries="$count" \
            >"$scratch/smith.log" 2>&1 || tail -n 3 "$scratch/smith.log"
        found=$(smith_found)
        if [ -z "$found" ]; then passed=$((passed + 1)); else failed=$((failed + 1)) failures+=("$title"); fi
        echo "$title: ${found:-passed}, $(grep -ac '^[0-9A-Z]\{5\} ERROR:' "$scratch/server.log") errors so far"
    done
}

soak_waits() {
    local file name n processor
    for ((processor = 0; processor < $(nproc); processor++)); do
        while :; do :; done &
        busy+=($!)
        # The shell would tell of their end.
        disown
    done
    for ((n = 1; n <= times; n++)); do
        while IFS= read -r file; do
            name=$(basename "$file" .rs)
            [[ ! $name =~ $only ]] || once "$name, $n of $times" "$name"
        done < <(grep -lE "$waits" tests/tests/*.rs)
    done
}

parts=("$@")
[ $# -gt 0 ] || parts=(kills disasters injected smith waits)
scratch_make
trap soak_stop EXIT
# The servers of the tests live in $scratch, so that none survives an interruption.
as_server mkdir -m 777 "$scratch/tests"
cargo test --quiet -p hftok-tests --locked --no-run
for part in "${parts[@]}"; do
    case "$part" in
    kills | disasters | injected | smith | waits) "soak_$part" ;;
    *) fail "there is no part '$part': kills, disasters, injected, smith, waits" ;;
    esac
done
[ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
