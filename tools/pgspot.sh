#!/usr/bin/env bash
# Lints the generated install script for unsafe search paths, definers and object creation (pgspot, in a venv of its own).
# What it finds is held against tools/pgspot.ignore by tools/pgspot_findings.py.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/venv.sh
source tools/venv.sh

# Pinned, so that a new rule turns up when we ask for it and not on the day of a release.
readonly packages=$'pgspot==0.9.4\npglast==7.21'
readonly venv=$CARGO_TARGET_DIR/pgspot-venv

script="$CARGO_TARGET_DIR/extension/hftok--$(hftok_version).sql"
[ -s "$script" ] || fail "$script is missing or empty: make build"

venv_make "$venv" "$packages" || fail "pgspot could not be brought"

exec "$venv/bin/python" tools/pgspot_findings.py "$script" tools/pgspot.ignore
