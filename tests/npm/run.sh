#!/usr/bin/env bash
# Client and panel as packages of npm: packed, installed, and imported by an application for Node, Deno, Next.js and Vite, each built and
# run as its users do, without a flag. `tests/npm/run.sh [node|deno|next|vite|panel_next|panel_vite]…`
#
# Needs no Postgres: what they say to one is tests/edge and tests/panel. npm brings everything, by the lock files of this folder, tests/rpc
# and edge/panel; the panel is looked at in a Chromium.
#
# Must stay true:
# - What is built lies in the target folder, and nothing runs on when this ends.
# - The last line is `N passed, N failed`, and the exit status is 0 only when nothing failed.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/environment.sh"
# shellcheck source=tests/postgrest.sh
source tests/postgrest.sh
# shellcheck source=tests/node.sh
source tests/node.sh
# shellcheck source=tests/try_stack.sh
source tests/try_stack.sh

work=$CARGO_TARGET_DIR/npm
passed=0 failed=0 running=()
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    fail "there is no Chromium: tools/setup.sh --tests installs one"
readonly browser
readonly answer="alice true bad_input"

stop() {
    local pid
    for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
}
trap stop EXIT

# install_package NAME FOLDER: as `npm install NAME-….tgz` puts it there.
install_package() {
    local packed to=$work/node_modules/$1
    packed=$(cd "$2" && npm pack --silent --pack-destination "$work" | tail -n 1)
    [ "$packed" = "$1-$(hftok_version).tgz" ] || fail "the package is called $packed"
    rm -rf "$to"
    mkdir "$to"
    tar -xzf "$work/$packed" --strip-components=1 -C "$to"
}

prepare() {
    install_clients
    panel_install
    mkdir -p "$work"
    rm -rf "$work/edge" "$work"/{node,deno,next,vite,vite-panel}
    mkdir -p "$work/edge/panel"
    cp -R edge/client edge/npm "$work/edge/"
    tar -C edge/panel --exclude=./node_modules --exclude=./dist -c . | tar -C "$work/edge/panel" -x
    ln -s "$PWD/edge/panel/node_modules" "$work/edge/panel/node_modules"
    tar -C tests/npm --exclude=./node_modules -c . | tar -C "$work" -x
    if [ ! "$work/node_modules/.package-lock.json" -nt tests/npm/package-lock.json ]; then
        npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$work/node_modules/.package-lock.json"
    fi
    install_package hftok-client "$work/edge/npm"
    install_package hftok-panel "$work/edge/panel"
    # Emptied before it is read: an earlier run's has another address.
    : >"$work/server.log"
    node "$work/server.mjs" >"$work/server.log" &
    running+=($!)
    until HFTOK_URL=$(grep -m 1 '^http' "$work/server.log"); do
        kill -s 0 "${running[-1]}" 2>/dev/null || fail "the stand-in for PostgREST did not start"
        sleep 0.1
    done
    export HFTOK_URL NEXT_TELEMETRY_DISABLED=1 VITE_HFTOK_URL=$HFTOK_URL
    export PATH="$work/node_modules/.bin:$PATH"
}

app_node() {
    [ "$(node app.mjs)" = "$answer" ] || return
    tsc --project . || return
    tsc --project . --noEmit --module esnext --moduleResolution bundler || return
    [ "$(node out/app.mjs)" = "$answer" ]
}

app_deno() {
    echo '{"dependencies": {"hftok-client": "*"}}' >package.json
    deno_in . check app.ts || return
    [ "$(deno_in . run --allow-env=HFTOK_URL --allow-net=127.0.0.1 app.ts)" = "$answer" ]
}

# listens COMMAND...: starts a server that wants --port, in this folder; $address is then where it listens.
listens() {
    local port tries
    # Whether a port is free is known only when it is taken.
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        # Somebody else's server would answer before this one has found that the port is taken.
        if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
        "$@" --port "$port" >start.log 2>&1 </dev/null &
        running+=($!)
        address=http://127.0.0.1:$port
        for ((tries = 0; tries < 600; tries++)); do
            kill -s 0 "${running[-1]}" 2>/dev/null || continue 2
            curl -fsS -o /dev/null "$address/" 2>/dev/null && return
            sleep 0.1
        done
        # It is too slow, and does not stay beside the next one.
        kill "${running[-1]}" 2>/dev/null || true
    done
    cat start.log
    return 1
}

# The page as a browser has it once its scripts have run.
seen() { # ADDRESS
    "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking --disable-component-update \
        --user-data-dir="$(mktemp -d -p "$work")" --virtual-time-budget=10000 --dump-dom "$1" 2>/dev/null
}

# holds TEXT WANTED…
holds() {
    local wanted
    for wanted in "${@:2}"; do
        [[ "$1" == *"$wanted"* ]] || { echo "not there: $wanted" && return 1; }
    done
}

build_next() {
    [ -e .next/BUILD_ID ] || next build >build.log 2>&1 || { cat build.log; return 1; }
}

app_next() {
    build_next || return
    listens next start --hostname 127.0.0.1 || return
    [ "$(curl -fsS "$address/api/hftok")" = "$answer" ] || return
    curl -fsS "$address/" | grep -q 'Save'
}

app_panel_next() {
    cd ../next || return
    build_next || return
    listens next start --hostname 127.0.0.1 || return
    # By the server already, and still there once the browser has taken over.
    holds "$(curl -fsS "$address/panel")" "From a hook: Integrations" 'class="hftok' || return
    holds "$(seen "$address/panel")" "From a hook: Integrations" 'class="hftok'
}

app_panel_vite() {
    cd ../vite-panel || return
    tsc || return
    vite build --logLevel error || return
    listens vite preview --host 127.0.0.1 --strictPort || return
    # Two components in Spanish, and the stylesheet, which puts everything into its layer.
    holds "$(seen "$address/")" "Hugging Face" "Proveedores" 'class="hftok' || return
    holds "$(cat dist/assets/*.css)" "@layer hftok"
}

app_vite() {
    tsc || return
    vite build --logLevel warn || return
    [ "$(node dist/assets/index-*.js)" = "$answer" ]
}

prepare
for app in "${@:-node deno next vite panel_next panel_vite}"; do
    for name in $app; do
        # Each ends what it started.
        if (running=() && trap stop EXIT && cd "$work" && mkdir -p "$name" && cd "$name" && "app_$name"); then
            echo "$name ... ok"
            passed=$((passed + 1))
        else
            echo "$name ... FAILED"
            failed=$((failed + 1))
        fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
