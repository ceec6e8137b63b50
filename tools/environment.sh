# shellcheck shell=bash
# What every script starts from: the repository as working directory, one PATH, one PG_CONFIG, one way to fail.
# Sourced, never run.
#
# Must stay true: nothing here changes the machine or needs anything beyond a bare Debian, since setup.sh starts here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Continuous integration and chroots may start without a HOME; `~` then comes from the user database.
export HOME="${HOME:-$(cd ~ && pwd)}"
# A plain `su` leaves the administrator's folders out, and a shell from before rustup its own.
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH:/usr/sbin:/sbin"
export PG_CONFIG="${PG_CONFIG:-pg_config}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Runs a command with the rights to change the machine.
as_root() {
    if is_root; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root, and there is no sudo: $*"
    fi
}

# The major version of the Postgres that PG_CONFIG belongs to; nothing when there is none.
pg_major() { { "$PG_CONFIG" --version 2>/dev/null || true; } | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p'; }

hftok_version() { sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" hftok.control; }
