#!/usr/bin/env bash
# Lints the generated install script for unsafe search paths, definers and object creation (pgspot, in a venv of its own).
# What it finds is held against tools/pgspot.ignore by tools/pgspot_findings.py.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# Pinned, so that a new rule turns up when we ask for it and not on the day of a release.
readonly packages=(pgspot==0.9.4 pglast==7.21)
readonly venv=$CARGO_TARGET_DIR/pgspot-venv

script="$CARGO_TARGET_DIR/extension/hftok--$(hftok_version).sql"
[ -s "$script" ] || fail "$script is missing or empty: make build"

# The list of packages lies in the venv as the mark of a complete one: an interrupted pip leaves none.
if ! printf '%s\n' "${packages[@]}" | cmp -s - "$venv/packages"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    printf '%s\n' "${packages[@]}" >"$venv/packages"
fi

exec "$venv/bin/python" tools/pgspot_findings.py "$script" tools/pgspot.ignore
