#!/usr/bin/env bash
# The tests of a package that start servers of their own, two programs at a time: most of a test's time goes by while it waits.
# `tools/at_once.sh FOLDER [--test NAME…]`
#
# Must stay true:
# - What a program says is printed as a whole, once it has ended.
# - The exit status is 0 only when every program's was.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# Those that take longest begin first, so that none of them is left over at the end.
readonly long='injected|disasters|drill_|upgrade|readme|leaks|run_|worker'
# What these wait for has to come within two or three seconds, or they take most of the machine.
readonly alone='audit_locks|audit_replicated|audit_transactions|audit_trouble|seal_in_panic'

folder=$PWD/$1
chosen=("${@:2}")
lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
export folder lock

# As under cargo, in the folder of the package.
# shellcheck disable=SC2317 # run_each calls it
run_one() { # PROGRAM
    local said status=0
    said=$(cd "$folder" && "$1" 2>&1) || status=$?
    exec 9>"$lock"
    flock 9
    printf '\n%s\n%s\n' "${1##*/}" "$said"
    return "$status"
}
export -f run_one

# Those of $programs, or those not, with names that begin so.
named() { grep -E "/($1)" <<<"$programs" || true; }
unnamed() { grep -vE "/($1)" <<<"$programs" || true; }

# shellcheck disable=SC2016 # the argument is the inner shell's
run_each() { xargs -d '\n' -r -P "$1" -I '{}' bash -c 'run_one "$1"' _ '{}'; }

programs=$(cargo test --manifest-path "$folder/Cargo.toml" --locked --no-run "${chosen[@]}" 2>&1 | tee >(cat >&2) |
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p' | sed "s|^[^/]|$PWD/&|")
[ -n "$programs" ] || fail "no tests in $folder"
status=0
{
    named "$long"
    unnamed "$long|$alone"
} | run_each 2 || status=1
named "$alone" | run_each 1 || status=1
exit "$status"
