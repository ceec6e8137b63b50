#!/usr/bin/env bash
# Brings a bare Debian or Ubuntu to the point where hftok builds and tests: compiler, Postgres with headers, Rust. With `--tests` a
# browser too, in which the panel is tested.
#
# Must stay true:
# - It asks whether a thing *works*, not which package it came from, and installs only what does not: on a machine that
#   has everything it changes nothing, needs no rights and takes no second.
# - It neither creates, upgrades nor restarts a database cluster of the machine.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

readonly with_tests=${1:-}
readonly cluster_conf=/etc/postgresql-common/createcluster.conf
missing=()

# need PACKAGES COMMAND...: these packages are missing unless the command succeeds.
need() {
    local packages=$1
    shift
    # shellcheck disable=SC2206 # several packages in one word, split on purpose
    "$@" >/dev/null 2>&1 || missing+=($packages)
}

has() { command -v "$1"; }
# Ubuntu's package of this name leads to a snap, which does not run everywhere: whether a browser works is asked, as always.
has_browser() { "$(command -v chromium || command -v chromium-browser || command -v google-chrome)" --version; }
has_libclang() { compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' || [ -n "${LIBCLANG_PATH:-}" ]; }
has_libc_headers() { echo '#include <stdio.h>' | gcc -E -; }
has_server() { [ -x "$("$PG_CONFIG" --bindir)/postgres" ]; }
has_server_headers() { [ -e "$("$PG_CONFIG" --includedir-server)/postgres.h" ]; }

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

# Packages that are there already stay as they are: an upgrade would restart the machine's own servers.
apt_install() {
    echo "setup: installing $*"
    apt_get install --no-install-recommends --no-upgrade -y "$@" >/dev/null || fail "apt-get could not install: $*"
}

# The package of a Postgres server starts a cluster of its own unless it is told not to, for just as long as we install.
install_servers() {
    apt_install postgresql-common
    local saved
    saved=$(mktemp)
    cat "$cluster_conf" >"$saved"
    # shellcheck disable=SC2064 # the path as it is now
    trap "as_root cp '$saved' '$cluster_conf'; rm -f '$saved'" EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM
    { cat "$saved" && echo 'create_main_cluster = false'; } | as_root tee "$cluster_conf" >/dev/null
    apt_install "$@"
    as_root cp "$saved" "$cluster_conf"
    rm -f "$saved"
    trap - EXIT INT HUP TERM
}

# The version that the distribution calls `postgresql`, when it is one of ours.
distribution_major() {
    local major
    major=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
    case "$major" in
    15 | 16 | 17 | 18) echo "$major" ;;
    *) fail "this distribution offers Postgres '${major:-none}', hftok supports 15 to 18:" \
        "install one of these with its headers and pass PG_CONFIG=..." ;;
    esac
}

install_packages() {
    need gcc has gcc
    need libc6-dev has_libc_headers
    need make has make
    need clang has clang
    need libclang-dev has_libclang
    need pkg-config has pkg-config
    need git has git
    need shellcheck has shellcheck
    need "curl ca-certificates" has curl
    need "python3 python3-venv" python3 -c 'import ensurepip, venv'
    # Without a font of its own it would measure none.
    if [ "$with_tests" = --tests ]; then need "chromium fonts-dejavu-core" has_browser; fi

    local server=() major
    if ! { has "$PG_CONFIG" && has_server && has_server_headers; } >/dev/null; then
        [ "$PG_CONFIG" = pg_config ] || fail "$PG_CONFIG has no server with headers beside it"
        server=(yes)
    fi
    [ ${#missing[@]} -gt 0 ] || [ ${#server[@]} -gt 0 ] || return 0

    command -v apt-get >/dev/null ||
        fail "only Debian and Ubuntu are set up by this script; missing here: ${missing[*]} ${server:+Postgres 15 to 18 with headers}"
    # A broken third-party source is not our business; a package that is really not to be had fails below.
    apt_get update >/dev/null || true
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
    if [ ${#server[@]} -gt 0 ]; then
        major=$(distribution_major)
        install_servers "postgresql-$major" "postgresql-server-dev-$major"
    fi
}

# The version that rust-toolchain.toml names. A cargo that does not come from rustup may be newer.
rust=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
readonly rust

rust_is_new_enough() {
    local found
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2)
    [ -n "$found" ] && [ "$(printf '%s\n' "$rust" "$found" | sort -V | head -n 1)" = "$rust" ]
}

install_rust() {
    if ! rust_is_new_enough; then
        echo "setup: installing Rust $rust with rustup"
        if command -v rustup >/dev/null; then
            rustup -q toolchain install "$rust" --profile minimal
        else
            # The installer that https://sh.rustup.rs leads to, from the host that everything else comes from as well.
            curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh |
                sh -s -- -y -q --no-modify-path --profile minimal --default-toolchain "$rust" >/dev/null
        fi || true
        hash -r
        rust_is_new_enough ||
            fail "Rust $rust is missing and rustup could not bring it: install it from https://rustup.rs"
    fi
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        rustup -q component add rustfmt clippy || fail "cargo fmt and cargo clippy are missing"
    fi
}

install_packages
case "$(pg_major)" in
15 | 16 | 17 | 18) ;;
*) fail "$PG_CONFIG belongs to Postgres $(pg_major), hftok supports 15 to 18: pass PG_CONFIG=..." ;;
esac
install_rust
