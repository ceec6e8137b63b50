#!/usr/bin/env bash
# The whole suite on every supported Postgres that can be had: the one of this machine, and those of other Debian
# releases in chroots under target/matrix, which are kept between runs. Behind `make test-matrix`.
#
# Must stay true:
# - All mounts lie in a mount namespace of this script's own, and all processes of a chroot in a pid namespace: the
#   kernel undoes both, however the script ends.
# - The source tree is read-only in a chroot, and each has a target folder of its own.
# - The last line of each run and its exit status decide; a version that could not be had is shown as such.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# Version and Debian release. No Debian release carries 16: it is tested where it is the machine's own.
readonly releases=("15 bookworm" "17 trixie" "18 forky")
readonly matrix=$CARGO_TARGET_DIR/matrix
# From where this machine has its own packages.
# shellcheck disable=SC2016 # apt replaces it
readonly mirror=${HFTOK_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | head -n 1)}
table=()

if [ "${1:-}" != --inside ]; then
    tools/setup.sh
    if ! command -v debootstrap >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y debootstrap debian-archive-keyring >/dev/null ||
            fail "debootstrap could not be installed"
    fi
    mkdir -p "$matrix/logs"
    # The machine's own Postgres is tested as who we are, before anything needs root.
    tools/test.sh 2>&1 | tee "$matrix/logs/$(pg_major).log" || true
    tools/readme.sh 2>&1 | tee "$matrix/logs/readme.log" || true
    as_root env HOME="$HOME" PATH="$PATH" PG_CONFIG="$PG_CONFIG" CARGO_TARGET_DIR="$CARGO_TARGET_DIR" \
        RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" \
        unshare --mount --propagation private tools/matrix.sh --inside
    exit
fi

# A release that debootstrap doesn't know by name yet is made the way unstable is.
chroot_make() { # RELEASE FOLDER
    local scripts=/usr/share/debootstrap/scripts recipe=()
    [ -e "$scripts/$1" ] || recipe=("$scripts/sid")
    rm -rf "$2" "$2.new"
    echo "matrix: making a chroot of Debian $1"
    debootstrap --variant=minbase --include=ca-certificates,make "$1" "$2.new" "$mirror" "${recipe[@]}" >"$matrix/logs/$1-debootstrap.log" 2>&1 || return 1
    # Nothing that a package brings may start a service in there.
    printf '#!/bin/sh\nexit 101\n' >"$2.new/usr/sbin/policy-rc.d"
    chmod 755 "$2.new/usr/sbin/policy-rc.d"
    # A mirror that has stood still is good enough here.
    printf 'Acquire::Check-Valid-Until "false";\n' >"$2.new/etc/apt/apt.conf.d/99hftok"
    mv "$2.new" "$2"
}

chroot_mount() { # FOLDER
    mkdir -p "$1/hftok" "$1/opt/cargo" "$1/opt/rustup" "$1/var/cache/hftok" "$1/var/cache/hftok-npm" tests/rpc/node_modules
    mount --bind "$PWD" "$1/hftok"
    mount -o remount,bind,ro "$1/hftok"
    # npm puts its packages beside what asks for them.
    mount --bind "$1/var/cache/hftok-npm" "$1/hftok/tests/rpc/node_modules"
    mount --bind "$CARGO_HOME" "$1/opt/cargo"
    mount --bind "$RUSTUP_HOME" "$1/opt/rustup"
    mount --rbind /dev "$1/dev"
    # Name resolution and trust in certificates as the machine has them.
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

# The machine's own Postgres, with the hftok that was just tested, beside a newer one: an upgrade takes both.
chroot_older() { # FOLDER
    local folder library programs
    programs=$("$PG_CONFIG" --bindir)
    for folder in "$programs" "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)"; do
        mkdir -p "$1$folder"
        mount --bind "$folder" "$1$folder"
        mount -o remount,bind,ro "$1$folder"
    done
    # Libraries that the other release does not have, or has under another number.
    mkdir -p "$1/opt/older"
    mount -t tmpfs none "$1/opt/older"
    ldd "$programs"/{postgres,psql,pg_dump} | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u | while read -r library; do
        [ -e "$1$library" ] || cp -L "$library" "$1/opt/older/"
    done
    # By the loader's own list: with LD_LIBRARY_PATH, Deno starts no other program.
    echo /opt/older >"$1/etc/ld.so.conf.d/zz-older.conf"
    chroot "$1" /sbin/ldconfig
}

# Runs what `make test` runs in there, the set-up included.
chroot_test() { # FOLDER
    unshare --pid --fork --kill-child --mount-proc="$1/proc" \
        chroot "$1" /usr/bin/env -i HOME=/root PATH=/opt/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        CARGO_HOME=/opt/cargo RUSTUP_HOME=/opt/rustup CARGO_TARGET_DIR=/var/cache/hftok \
        HFTOK_OLDER_POSTGRES="$("$PG_CONFIG" --bindir)" \
        GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=/hftok \
        /hftok/tools/test.sh </dev/null
}

result() { # VERSION WHERE [LOG]
    local line="could not be had"
    [ -z "${3:-}" ] || line=$(tail -n 1 "$3" | grep -E '^[0-9]+ passed, [0-9]+ failed$') || line="did not finish (see $3)"
    table+=("$(printf '%-10s %-12s %s' "$1" "$2" "$line")")
    [[ "$line" == *", 0 failed" ]] || all_passed=false
}

all_passed=true
here=$(pg_major)
result "$here" "here" "$matrix/logs/$here.log"
result README bookworm "$matrix/logs/readme.log"
for entry in "${releases[@]}"; do
    read -r version release <<<"$entry"
    [ "$version" != "$here" ] || continue
    folder=$matrix/$release
    if [ ! -d "$folder" ] && ! chroot_make "$release" "$folder"; then
        result "$version" "$release"
        continue
    fi
    chroot_mount "$folder"
    [ "$here" -gt "$version" ] || chroot_older "$folder"
    echo "matrix: Postgres $version"
    chroot_test "$folder" 2>&1 | tee "$matrix/logs/$version.log" || true
    result "$version" "$release" "$matrix/logs/$version.log"
done
[ "$here" = 16 ] || table+=("$(printf '%-10s %-12s %s' 16 - "no Debian release carries it")")

printf '\n%-10s %-12s %s\n' Postgres where result
printf '%s\n' "${table[@]}"
$all_passed
