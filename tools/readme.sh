#!/usr/bin/env bash
# The README's section on one's own Postgres, run as it stands and in its order on a bare Debian. Behind `make test-readme`.
#
# The machine is a chroot under target/readme, made by debootstrap and kept; what is run is run in a copy of it.
#
# Must stay true:
# - The text of the README is what runs: its shell by a shell of root, its SQL by psql as it tells to start it.
# - All mounts lie in a mount namespace of this script's own, and all processes of the chroot in a pid namespace: the kernel undoes
#   both, however the script ends.
# - The source tree is read-only in there.
# - The last line is `N passed, N failed`. Exit status 77: a machine on which this cannot be tried.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

readonly release=bookworm
readonly heading="## In your own Postgres"
readonly home=$CARGO_TARGET_DIR/readme
# From where this machine has its own packages.
# shellcheck disable=SC2016 # apt replaces it
readonly mirror=${HFTOK_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | head -n 1)}

cannot() {
    echo "readme: $*" >&2
    exit 77
}

# The blocks of one language in the section, as they stand.
blocks() { # LANGUAGE
    awk -v heading="$heading" -v fence="\`\`\`$1" '
        /^## / && !shown { inside = ($0 == heading) }
        shown && /^```/ { shown = 0; next }
        shown { print }
        inside && $0 == fence { shown = 1 }' README.md
}

# Nothing but what a Debian cannot be without; packages that were fetched once are kept beside it.
machine_make() {
    [ ! -d "$home/$release" ] || return 0
    echo "readme: making a Debian $release"
    rm -rf "$home/$release.new"
    debootstrap --variant=minbase --include=ca-certificates "$release" "$home/$release.new" "$mirror" >"$home/debootstrap.log" 2>&1 ||
        cannot "debootstrap failed (see $home/debootstrap.log)"
    mv "$home/$release.new" "$home/$release"
}

machine_mount() { # FOLDER
    rm -rf "$1"
    cp -a "$home/$release" "$1"
    # A mirror that has stood still is good enough here.
    printf 'Acquire::Check-Valid-Until "false";\n' >"$1/etc/apt/apt.conf.d/99hftok"
    mkdir -p "$1/hftok" "$1/opt/cargo" "$1/opt/rustup" "$1/var/cache/hftok" "$home/packages" "$home/target"
    mount --bind "$PWD" "$1/hftok"
    mount -o remount,bind,ro "$1/hftok"
    mount --bind "$home/packages" "$1/var/cache/apt/archives"
    mount --bind "$home/target" "$1/var/cache/hftok"
    # Rust as the machine has it: rustup's own way here is tried by `make test-matrix` on no machine, and by every new one.
    mount --bind "${CARGO_HOME:-$HOME/.cargo}" "$1/opt/cargo"
    mount --bind "${RUSTUP_HOME:-$HOME/.rustup}" "$1/opt/rustup"
    mount --rbind /dev "$1/dev"
    # Name resolution and trust in certificates as the machine has them.
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
    mkdir -p "$1/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

# One process is the whole life of the machine. Variables of cargo's profiles pass, for whoever is in a hurry.
machine_run() { # FOLDER COMMAND...
    local profile=()
    mapfile -t profile < <(env | grep '^CARGO_PROFILE_' || true)
    unshare --pid --ipc --fork --kill-child --mount-proc="$1/proc" \
        chroot "$1" /usr/bin/env -i HOME=/root PATH=/opt/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive CARGO_HOME=/opt/cargo RUSTUP_HOME=/opt/rustup CARGO_TARGET_DIR=/var/cache/hftok \
        GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=/hftok "${profile[@]}" \
        "${@:2}" </dev/null
}

# What a reader does, in a file that bash runs; and then whether it did what the README says.
write_story() { # FILE
    {
        echo 'set -euo pipefail; cd /hftok'
        blocks sh
        echo 'cd /; cat >/tmp/section.sql <<"END OF THE SECTION"'
        blocks sql
        echo 'END OF THE SECTION'
        cat <<'AFTER'
runuser -u postgres -- psql -XAt -v ON_ERROR_STOP=1 -f /tmp/section.sql | tee /tmp/answers
told() { grep -qxF -- "$1" /tmp/answers || { echo "readme: the SQL did not answer: $1" >&2; exit 1; }; }
told sk_test_4242
told 'f|'
told 'global|used'
[ "$(stat -c '%a %U %G' /etc/hftok/keyring)" = '600 postgres postgres' ] || { ls -l /etc/hftok >&2; exit 1; }
cp /etc/hftok/keyring /tmp/keyring
# The line that writes it, once more.
second() (
AFTER
        blocks sh | sed -n '/^(umask /p'
        cat <<'AFTER'
)
if second 2>/dev/null; then
    echo "readme: a second run replaced the keyring" >&2
    exit 1
fi
cmp /tmp/keyring /etc/hftok/keyring
echo "1 passed, 0 failed"
AFTER
    } >"$1"
}

if [ "${1:-}" != --inside ]; then
    { is_root || command -v sudo >/dev/null; } || cannot "this needs root or sudo"
    if ! command -v debootstrap >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y debootstrap debian-archive-keyring >/dev/null ||
            cannot "debootstrap could not be installed"
    fi
    # shellcheck disable=SC2046 # one word each
    as_root env HOME="$HOME" PATH="$PATH" CARGO_TARGET_DIR="$CARGO_TARGET_DIR" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" \
        CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" $(env | grep '^CARGO_PROFILE_' || true) \
        unshare --mount --propagation private tools/readme.sh --inside
    exit
fi

for language in sh sql; do
    [ -n "$(blocks "$language")" ] || fail "the README has no $language in its section \"${heading#\#\# }\""
done
mkdir -p "$home"
machine_make
readonly machine=$home/machine
machine_mount "$machine"
write_story "$machine/root/story"
machine_run "$machine" bash /root/story || { echo "0 passed, 1 failed"; exit 1; }
