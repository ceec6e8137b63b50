# shellcheck shell=bash
# The whole of hftok on this machine, as a browser meets it: what `make try-edge` shows, and what tests/panel tests. For whoever sources this
# (after environment.sh, cluster.sh and postgrest.sh).
#
#   panel_install    what the panel is built with
#   panel_build      builds the panel; $panel is then its folder, or nothing where this tree has none. HFTOK_PANEL names one that is built
#   try_stack_start  after suite_start: PostgREST, the functions, the stand-in of the providers, data, and the gateway; $stack_url then
#                    is its address
#
# Must stay true: everything listens on this machine only, and ends with whoever started it.
# shellcheck disable=SC2154 # whoever sources this has the variables of the others

panel=

# Vite wants a Node that some distributions do not have.
panel_install() {
    node_new_enough
    local own=edge/panel/node_modules
    if [ ! "$own/.package-lock.json" -nt edge/panel/package-lock.json ]; then
        npm ci --prefix edge/panel --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$own/.package-lock.json"
    fi
}

panel_build() {
    panel=${HFTOK_PANEL:-}
    [ -z "$panel" ] || return 0
    [ -e edge/panel/package.json ] || return 0
    panel_install
    # Built once for what it is made of.
    local sources stamp=edge/panel/dist/app/.sources
    sources=$(find edge/panel edge/client -name node_modules -prune -o -name dist -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$sources" ]; then
        npm run --prefix edge/panel --silent build:app
        echo "$sources" >"$stamp"
    fi
    panel=$PWD/edge/panel/dist/app
}

# try_stack_start [PORT]: 0, or nothing, for a free one.
try_stack_start() {
    local tries pid
    : >"$scratch/stack.url"
    postgrest_start postgrest "$scratch/socket" "hftok, public" true
    export HFTOK_RPC_URL=http://127.0.0.1:$port
    cp -RL edge/functions "$scratch/functions"
    set -m
    HFTOK_DENO=$deno HFTOK_FUNCTIONS=$scratch/functions HFTOK_PANEL=$panel HFTOK_PORT=${1:-0} \
        deno_in edge run --cached-only --allow-env --allow-read --allow-net=127.0.0.1,localhost --allow-run="$deno" try/main.ts \
        >"$scratch/stack.url" 2>"$scratch/stack.log" </dev/null &
    pid=$!
    set +m
    postgrests+=("$pid")
    for ((tries = 0; tries < 1200; tries++)); do
        stack_url=$(cat "$scratch/stack.url")
        if [ -n "$stack_url" ]; then
            psql -X -q -v ON_ERROR_STOP=1 -f edge/try/usage.sql
            return
        fi
        kill -s 0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    fail "the functions and the gateway did not start: $(tail -n 10 "$scratch/stack.log")"
}
