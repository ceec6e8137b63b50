#!/usr/bin/env bash
# The installable packages for the Postgres of PG_CONFIG, under target/package: a .deb and a tarball of the same files.
#
# Must stay true: what is packed is what `make install` installs, plus the documents; the packages never touch a cluster.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing: packages are made on Debian and Ubuntu"

major=$(pg_major)
[ -n "$major" ] || fail "no $PG_CONFIG here: pass PG_CONFIG=... or run tools/setup.sh"
version=$(hftok_version)
arch=$(dpkg --print-architecture)
name=postgresql-$major-hftok
out=$CARGO_TARGET_DIR/package
root=$out/root

rm -rf "$root"
mkdir -p "$root/usr/share/doc/$name"
make --no-print-directory install DESTDIR="$root"
strip --strip-unneeded "$(find "$root" -name hftok.so)"
for document in README.md SECURITY.md CHANGELOG.md LICENSE; do
    [ ! -e "$document" ] || install -m 644 "$document" "$root/usr/share/doc/$name/"
done

# One date and one owner for every file: the same commit gives the same packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
tar --create --gzip --directory="$root" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --file="$out/hftok-$version-pg$major-linux-$arch.tar.gz" usr

# A library runs with the glibc it was linked to or a newer one.
install -d "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<EOF
Package: $name
Version: $version
Architecture: $arch
Maintainer: The hftok authors <hftok@localhost>
Section: database
Priority: optional
Depends: postgresql-$major, libc6 (>= $(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)), libgcc-s1
Installed-Size: $(du -sk "$root/usr" | cut -f 1)
Description: vault for third-party API credentials inside PostgreSQL $major
 Keeps API tokens encrypted in the database, decides which one a request may
 use, hands it to the backend that asks, and records that it did.
EOF
dpkg-deb --root-owner-group --build "$root" "$out/${name}_${version}_$arch.deb" >/dev/null

rm -rf "$root"
ls "$out"/*"$version"*
