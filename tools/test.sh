#!/usr/bin/env bash
# Every test that runs on this machine, for the Postgres of PG_CONFIG. Behind `make test`.
#
# Must stay true:
# - A part that fails doesn't keep the others from running; only without a build there is nothing to test.
# - The last line is `N passed, N failed`, and the exit status is 0 only when nothing failed. A part that ran no test failed.
# - A check that could not be made here (exit status 77) counts as neither, and is named above the last line.
# - Nothing is left behind outside the target folder, also when interrupted.
# shellcheck disable=SC2317 # some functions are called only by way of `run`
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

readonly max_lines=400
passed=0 failed=0
failures=()
unchecked=()
times=()

finish() {
    printf '%s\n' "${times[@]}"
    [ ${#unchecked[@]} -eq 0 ] || printf 'NOT CHECKED in full: %s\n' "${unchecked[@]}"
    [ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

# Runs a command in a process group of its own, so that an interruption ends it at once and as a whole: bash would
# otherwise wait for it to end by itself. Its output goes to the terminal and to $log.
run() {
    local status=0
    set -m
    ("$@" </dev/null 2>&1 | tee "$log") &
    running=$!
    set +m
    wait "$running" || status=$?
    running=
    return "$status"
}

# Says what is tried from here on. The list of times shows where the minutes of a whole run go.
begin() { # TITLE
    printf '\n== %s\n' "$1"
    begun=$SECONDS
}

record() { # TITLE PASSED FAILED
    times+=("$(printf '%5d s  %s' $((SECONDS - begun)) "$1")")
    passed=$((passed + $2)) failed=$((failed + $3))
    [ "$3" -eq 0 ] || failures+=("$1")
}

# One command, one result.
check() {
    local status=0
    begin "$1"
    run "${@:2}" || status=$?
    case "$status" in
    0) record "$1" 1 0 ;;
    77) unchecked+=("$1") ;;
    *) record "$1" 0 1; return 1 ;;
    esac
}

# One command with many results of its own: those of cargo test, or of pg_regress (before and since version 16).
suite() {
    local status=0 ok bad
    begin "$1"
    run "${@:2}" || status=$?
    read -r ok bad < <(awk '
        /^test result: / { ok += $4; bad += $6 }
        /^test .* \.\.\. ok +[0-9]+ ms/ || /^ok [0-9]+ / { ok++ }
        /^test .* \.\.\. FAILED.* [0-9]+ ms/ || /^not ok [0-9]+ / { bad++ }
        /^[0-9]+ passed, [0-9]+ failed$/ { ok += $1; bad += $3 }
        END { print ok + 0, bad + 0 }' "$log")
    # It did not compile, did not start, died in the middle, or found no test.
    if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$ok" -eq 0 ]; }; then bad=1; fi
    record "$1" "$ok" "$bad"
}

# The files that are ours, whether git knows them already or not.
sources() { git ls-files -z --cached --others --exclude-standard -- "$@"; }

short_files() {
    # Scripts of released versions are composed, and frozen.
    sources '*.rs' '*.sql' '*.sh' '*.py' ':!sql/released/' | xargs -0 -r awk -v max="$max_lines" '
        FNR == max + 1 { print FILENAME " has more than " max " lines"; bad = 1 }
        END { exit bad }'
}

unsafe_in_one_place() {
    # shellcheck disable=SC2016 # the variables are awk's
    sources '*.rs' ':!src/pg/' | xargs -0 -r awk '
        { code = $0; sub(/\/\/.*/, "", code) }
        code ~ /(^|[^A-Za-z0-9_])unsafe([^A-Za-z0-9_]|$)/ { print FILENAME ":" FNR ": " $0; bad = 1 }
        END { exit bad }'
}

shell_scripts() { sources '*.sh' .ci/run | xargs -0 -r shellcheck --external-sources; }

regression() (
    # An ANALYZE in between would change the costs that 74_hidden_rows compares.
    cluster_start "autovacuum = off"
    make --no-print-directory installcheck
)

scratch=
log=/dev/null
check "set-up" tools/setup.sh --tests || finish
scratch_make
log=$scratch/log

check "format" cargo fmt --all --check || true
check "lints" make --no-print-directory clippy || true
check "links of the documentation" make --no-print-directory doc || true
check "shell scripts" shell_scripts || true
check "crates" tools/deny.sh || true
suite "core" cargo test -p hftok-core --locked --no-fail-fast
# In a release build a smaller part of the stack is overwritten, and ciphers reach less deep.
suite "traces of keys, built for release" cargo test -p hftok-core --locked --release --lib trace
suite "extension" make --no-print-directory unit-tests
check "build and install" make --no-print-directory install || finish
suite "SQL regression" regression
# The servers that these tests start live in $scratch as well, so that none survives an interruption.
as_server mkdir -m 777 "$scratch/tests"
TMPDIR=$scratch/tests suite "black box" tools/at_once.sh tests
suite "RPC" tests/rpc/run.sh
suite "command" crates/cli/tests/run.sh
check "the command as it is installed" tools/command.sh || true
suite "edge functions" tests/edge/run.sh
suite "applications of others" tests/edge/run.sh teams.test.ts
suite "panel in a browser" tests/panel/run.sh
suite "client and panel as packages" tests/npm/run.sh
check "pgspot" tools/pgspot.sh || true
check "no file above $max_lines lines" short_files || true
check "unsafe only under src/pg" unsafe_in_one_place || true
finish
