#!/usr/bin/env bash
# The installable packages, under target/package: the extension for the Postgres of PG_CONFIG and the hftok command, each as a
# .deb and as a tarball of the same files.
#
# Must stay true: what is packed is what `make install` and `make install-command` install, plus the documents; the packages
# never touch a cluster.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing: packages are made on Debian and Ubuntu"

major=$(pg_major)
[ -n "$major" ] || fail "no $PG_CONFIG here: pass PG_CONFIG=... or run tools/setup.sh"
version=$(hftok_version)
arch=$(dpkg --print-architecture)
out=$CARGO_TARGET_DIR/package
root=$out/root
# A library and a program run with the glibc they were linked to or a newer one.
libc="libc6 (>= $(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)), libgcc-s1"
# One date and one owner for every file: the same commit gives the same packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# What lies in $root, with the documents, as a .deb and as a tarball.
pack() { # PACKAGE TARBALL SECTION DEPENDS DESCRIPTION
    local name=$1
    install -d "$root/usr/share/doc/$name"
    for document in README.md SECURITY.md CHANGELOG.md LICENSE; do
        install -m 644 "$document" "$root/usr/share/doc/$name/"
    done
    tar --create --gzip --directory="$root" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --file="$out/$2" usr
    install -d "$root/DEBIAN"
    cat >"$root/DEBIAN/control" <<EOF
Package: $name
Version: $version
Architecture: $arch
Maintainer: The hftok authors <hftok@localhost>
Section: $3
Priority: optional
Depends: $4
Installed-Size: $(du -sk "$root/usr" | cut -f 1)
Description: $5
EOF
    dpkg-deb --root-owner-group --build "$root" "$out/${name}_${version}_$arch.deb" >/dev/null
    rm -rf "$root"
}

rm -rf "$root"
make --no-print-directory install DESTDIR="$root"
strip --strip-unneeded "$(find "$root" -name hftok.so)"
pack "postgresql-$major-hftok" "hftok-$version-pg$major-linux-$arch.tar.gz" database "postgresql-$major, $libc" \
    "vault for third-party API credentials inside PostgreSQL $major
 Keeps API tokens encrypted in the database, decides which one a request may
 use, hands it to the backend that asks, and records that it did."

make --no-print-directory install-command DESTDIR="$root" PREFIX=/usr
pack hftok "hftok-command-$version-linux-$arch.tar.gz" utils "$libc" \
    "command for hftok, the vault for API credentials inside PostgreSQL
 Runs programs with the tokens they may use, and shows, moves, audits and
 checks what the vault holds, over Postgres or PostgREST."

ls "$out"/*"$version"*
