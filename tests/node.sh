# shellcheck shell=bash
# A Node that is new enough for what is built with it. For whoever sources this (after environment.sh, and after npm is there).
#
#   node_new_enough   where the machine's own is older, Node and npm from npm itself, by the lock file of tests/node, first in PATH
#
# Must stay true: the machine's own Node stays as it is.

# Debian 12 has Node 18; Next.js and Vite want 20.19.
readonly node_least=20.19.0

node_new_enough() {
    local found own=$PWD/tests/node/node_modules
    found=$(node --version 2>/dev/null | tr -d v)
    if [ -n "$found" ] && [ "$(printf '%s\n' "$node_least" "$found" | sort -V | head -n 1)" = "$node_least" ]; then return 0; fi
    if [ ! "$own/.package-lock.json" -nt "$PWD/tests/node/package-lock.json" ]; then
        npm ci --prefix "$PWD/tests/node" --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$own/.package-lock.json"
    fi
    export PATH="$own/.bin:$PATH"
    # Debian's Node trusts whom the machine trusts, and so does this one.
    local trusted=/etc/ssl/certs/ca-certificates.crt
    if [ -e "$trusted" ]; then export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$trusted}; fi
    hash -r
}
