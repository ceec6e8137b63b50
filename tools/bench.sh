#!/usr/bin/env bash
# How fast the walk is: calls a second of one client, pipelined, so that only the server's own work counts; the rivals
# in turn within each round, so that a machine that slows down slows all of them. Behind `make bench`.
#
# Must stay true: only ratios within one run are quoted. Times of different runs or machines say nothing.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

readonly users=${BENCH_USERS:-100000} rounds=${BENCH_ROUNDS:-9} seconds=${BENCH_SECONDS:-1} batch=50

# One statement each; :u is a user drawn anew for each.
declare -A statements=(
    [select_1]="SELECT 1"
    [plain_select]="SELECT secret FROM plain WHERE user_id = :u"
    [plpgsql_walk]="SELECT plain_resolve(:u)"
    [resolve_hf_token]="SELECT hftok.resolve_hf_token(:u)"
)
readonly order=(select_1 plain_select plpgsql_walk resolve_hf_token)

write_script() { # NAME: a batch of statements in one pipeline
    local n
    for ((n = 0; n < batch; n++)); do printf '\\set n%d random(1, %d)\n' "$n" "$users"; done
    printf '%s\n' '\startpipeline'
    for ((n = 0; n < batch; n++)); do printf '%s;\n' "${statements[$1]//:u/\'user-\' || :n$n::text}"; done
    printf '%s\n' '\endpipeline'
}

check_values() {
    psql -XqtA -c "SELECT count(*) FROM plain WHERE secret IS DISTINCT FROM hftok.resolve_hf_token(user_id)"
}

tools/setup.sh
make --no-print-directory install >/dev/null
scratch_make
cluster_start
echo "Loading $users users"
psql -Xq -v ON_ERROR_STOP=1 -v users="$users" -f benches/data.sql >/dev/null
[ "$(check_values)" = 0 ] || fail "hftok resolves other tokens than those that were saved"

for name in "${order[@]}"; do write_script "$name" >"$scratch/$name.sql"; done
echo "$rounds rounds of $seconds s each, one client, $batch statements a pipeline"
for ((round = 0; round < rounds; round++)); do
    for name in "${order[@]}"; do
        tps=$(pgbench -n -M prepared -T "$seconds" -f "$scratch/$name.sql" 2>>"$scratch/pgbench.log" | awk '/^tps/ { print $3 }') || true
        [ -n "$tps" ] || fail "pgbench: $(tail -n 3 "$scratch/pgbench.log")"
        echo "$round $name $tps" >>"$scratch/results"
    done
done

# The middle of all rounds, and of the ratios within each round.
awk -v batch="$batch" '
    function middle(list, n,    i, j, t) {
        for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    { calls[$2, $1] = $3 * batch; if (!($2 in seen)) { seen[$2] = 1; names[++kinds] = $2 }; if ($1 + 1 > rounds) rounds = $1 + 1 }
    END {
        printf "%-18s %14s %14s\n", "statement", "calls a second", "resolve : this"
        for (k = 1; k <= kinds; k++) {
            for (r = 0; r < rounds; r++) { own[r + 1] = calls[names[k], r]; ratio[r + 1] = calls["resolve_hf_token", r] / calls[names[k], r] }
            printf "%-18s %14.0f %14.2f\n", names[k], middle(own, rounds), middle(ratio, rounds)
        }
    }' "$scratch/results"
