#!/usr/bin/env bash
# The client as a package of npm: packed, installed, and imported by an application for Node, Deno, Next.js and Vite, each built and
# run as its users do, without a flag. `tests/npm/run.sh [node|deno|next|vite]…`
#
# Needs no Postgres: what the client says to one is tests/edge. npm brings everything, by the lock files of this folder and tests/rpc.
#
# Must stay true:
# - What is built lies in the target folder, and nothing runs on when this ends.
# - The last line is `N passed, N failed`, and the exit status is 0 only when nothing failed.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/environment.sh"
# shellcheck source=tests/postgrest.sh
source tests/postgrest.sh

work=$CARGO_TARGET_DIR/npm
passed=0 failed=0 running=()
readonly answer="alice true bad_input"

stop() {
    local pid
    for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
}
trap stop EXIT

prepare() {
    install_clients
    mkdir -p "$work"
    rm -rf "$work/edge" "$work"/{node,deno,next,vite}
    mkdir "$work/edge"
    cp -R edge/client edge/npm "$work/edge/"
    cp -R tests/npm/. "$work/"
    if [ ! "$work/node_modules/.package-lock.json" -nt tests/npm/package-lock.json ]; then
        npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$work/node_modules/.package-lock.json"
    fi
    # As `npm install hftok-client-….tgz` puts it there.
    local packed
    packed=$(cd "$work/edge/npm" && npm pack --silent --pack-destination "$work")
    [ "$packed" = "hftok-client-$(hftok_version).tgz" ] || fail "the package is called $packed"
    rm -rf "$work/node_modules/hftok-client"
    mkdir "$work/node_modules/hftok-client"
    tar -xzf "$work/$packed" --strip-components=1 -C "$work/node_modules/hftok-client"
    node "$work/server.mjs" >"$work/server.log" &
    running+=($!)
    until HFTOK_URL=$(grep -m 1 '^http' "$work/server.log"); do sleep 0.1; done
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

app_next() {
    next build >build.log 2>&1 || { cat build.log; return 1; }
    local port=$((33000 + RANDOM % 12000)) tries
    next start --hostname 127.0.0.1 --port "$port" >start.log 2>&1 &
    running+=($!)
    for ((tries = 0; tries < 300; tries++)); do
        grep -q Ready start.log && break
        sleep 0.1
    done
    [ "$(curl -fsS "http://127.0.0.1:$port/api/hftok")" = "$answer" ] || return
    curl -fsS "http://127.0.0.1:$port/" | grep -q 'Save'
}

app_vite() {
    tsc || return
    vite build --logLevel warn || return
    [ "$(node dist/assets/index-*.js)" = "$answer" ]
}

prepare
for app in "${@:-node deno next vite}"; do
    for name in $app; do
        if (cd "$work/$name" && "app_$name"); then
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
