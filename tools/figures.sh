#!/usr/bin/env bash
# The README's table of what hftok costs, made of what the last whole runs of the benchmarks left in docs/performance. They call it
# themselves; `tools/figures.sh --show` prints the table and changes nothing.
#
# Must stay true: no figure gets into that table in another way (tests/tests/readme.rs).
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

readonly begin='<!-- the following is made by tools/figures.sh -->' end='<!-- end of the figures -->'
runs=()
for run in docs/performance/ratios.txt docs/performance/ratios-other.txt docs/performance/rpc.txt; do
    [ ! -e "$run" ] || runs+=("$run")
done
table=$(awk -f benches/readme.awk "${runs[@]}")
if [ "${1:-}" = --show ]; then
    printf '%s\n' "$table"
    exit 0
fi
for line in "$begin" "$end"; do
    grep -qxF "$line" README.md || fail "README.md has no line '$line'"
done
TABLE=$table awk -v begin="$begin" -v end="$end" '
    $0 == end { inside = 0 }
    !inside { print }
    $0 == begin { inside = 1; printf "\n%s\n\n", ENVIRON["TABLE"] }' README.md >README.md.new
mv README.md.new README.md
