#!/usr/bin/env bash
# SQL regression tests in a throw-away server, all or those that are named; or a psql in one. Behind `make regress`.
#
#   tools/regress.sh [TEST…]    00_install goes before the others by itself
#   tools/regress.sh --psql     psql as superuser, hftok created; the server is gone when it ends
#
# Must stay true: hftok is tested as it is installed in the Postgres of PG_CONFIG, and nothing of that Postgres is changed.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

[ -e "$("$PG_CONFIG" --sharedir)/extension/hftok.control" ] || fail "hftok is not installed: run make install first"
scratch_make
# An ANALYZE in between would change the costs that 74_hidden_rows compares.
cluster_start "autovacuum = off"
if [ "${1:-}" = --psql ]; then
    psql -X --quiet --command='CREATE EXTENSION hftok'
    echo "server log: $scratch/server.log"
    psql -X
    exit
fi
[ $# -eq 0 ] || [ "$1" = 00_install ] || set -- 00_install "$@"
make --no-print-directory installcheck TESTS="$*"
