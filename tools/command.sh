#!/usr/bin/env bash
# The hftok command as it is installed: what it needs of a machine, how large it is, and that it starts there.
#
# Must stay true: a worker that has a glibc of 2022 or later, and nothing of Postgres, runs the file as it is.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

readonly largest=$((10 * 1000 * 1000))
# Ubuntu 22.04 has 2.35, on which most images of workers are built.
readonly newest_glibc=2.35

scratch_make
make --no-print-directory install-command DESTDIR="$scratch/root" PREFIX=/usr
program=$scratch/root/usr/bin/hftok

size=$(stat --format=%s "$program")
echo "hftok: $size bytes"
[ "$size" -lt "$largest" ] || fail "hftok has more than $largest bytes"

needed=$(objdump -p "$program" | awk '$1 == "NEEDED" { print $2 }')
echo "needs:" "$needed"
other=$(grep -vE '^(libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|ld-linux.*)$' <<<"$needed" || true)
[ -z "$other" ] || fail "hftok needs" "$other"

glibc=$(objdump -T "$program" | grep -oE 'GLIBC_[0-9.]+' | cut -d _ -f 2 | sort -Vu | tail -n 1)
echo "glibc: $glibc"
[ "$(printf '%s\n' "$glibc" "$newest_glibc" | sort -V | tail -n 1)" = "$newest_glibc" ] ||
    fail "hftok needs glibc $glibc, and workers have $newest_glibc"

env -i "$program" --version
