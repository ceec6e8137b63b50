#!/usr/bin/env bash
# The speed of hftok beside SQL that one would write without it. Behind `make bench`; the measures stand in
# benches/measures.txt, their data in benches/data.sql.
#
# Must stay true:
# - Only ratios within one run are quoted: the rivals come in turn within each round, so that a machine that slows down slows
#   all of them. Times of different runs or machines say nothing.
# - The first round of each part is not counted: a machine may have put away what nobody has used for a minute.
# - Processor time is that of the backends and of the audit's writer together, so a measure is over once the writer is.
# - One client sends fifty statements in one pipeline, so that only the server's own work counts; where many clients commit,
#   each sends one at a time, because what counts there is the commit.
# - Eight clients stand for a load that lasts, so their rounds are five times as long: the audit's writer counts uses once it has
#   gathered many. What it counts after a round costs none of the round's calls, but is in the processor time.
# - What is measured is a load that lasts, so each key was looked for before, those that are not there as well.
#
#   BENCH_USERS=1000000 BENCH_ROUNDS=9 BENCH_SECONDS=2 BENCH_ONLY='resolve|plain' make bench
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tools/pgbench.sh
source tools/pgbench.sh
# shellcheck source=tools/pgaudit.sh
source tools/pgaudit.sh

readonly users=${BENCH_USERS:-100000} rounds=${BENCH_ROUNDS:-9} seconds=${BENCH_SECONDS:-2} only=${BENCH_ONLY:-.}
readonly long=$((5 * seconds))

# The cost of a commit is part of the measure. The cost of a server's first minutes is not: everything fits into its memory, and
# its WAL goes into files that are there. Autovacuum is off, because it works long after a measure, and would be counted as another's.
readonly server=('fsync = on' 'shared_buffers = 2GB' 'max_wal_size = 16GB' 'min_wal_size = 4GB' 'checkpoint_timeout = 1h'
    'autovacuum = off')

# Megabytes: each user's key has its shortcut there, and a key that is not there its proof, 64 bytes each.
readonly shortcuts=$((users * 128 / 1000000))

names=() part=1
declare -A parts statements clients settings left_out

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

read_measures() {
    local name statement count setting rival wanted most
    while IFS= read -r line; do
        case "$line" in
        '' | \#*) continue ;;
        ---) part=$((part + 1)) && continue ;;
        esac
        # A bar within a statement is two of them.
        IFS='|' read -r name statement count setting rival wanted most <<<"${line//||/$'\x01'}"
        name=$(trim "$name") rival=$(trim "$rival")
        [[ $name =~ $only ]] || continue
        if { [[ $setting == *pgaudit* ]] && [ -z "$has_pgaudit" ]; } || [ -n "${left_out[${rival:-none}]:-}" ]; then
            left_out[$name]=yes
            continue
        fi
        names+=("$name")
        parts[$name]=$part
        statements[$name]=$(trim "${statement//$'\x01'/||}")
        clients[$name]=$(trim "$count")
        settings[$name]=$(trim "$setting")
        printf '%s|%s|%s|%s\n' "$name" "$rival" "$(trim "$wanted")" "$(trim "$most")" >>"$scratch/wanted"
    done <benches/measures.txt
}

# Statements of one transaction of pgbench: a batch in one pipeline, or a single one where many clients commit.
size() { if [ "${clients[$1]}" -gt 8 ]; then echo 1; else echo "$batch"; fi; }

# Seconds of a round.
length() { if [ "${clients[$1]}" -eq 8 ]; then echo "$long"; else echo "$seconds"; fi; }

check_values() {
    psql -XqtA -c "SELECT count(*) FROM plain WHERE secret IS DISTINCT FROM hftok.resolve_hf_token(user_id)"
}

# A key that is not there is proved absent from the third look at it on.
look_for_absent() {
    local look
    for look in 1 2 3; do
        psql -XqtA -c "SELECT count(hftok.resolve_hf_token(user_id || 'x', p_levels => '{user,org}')) FROM plain" >/dev/null ||
            fail "look $look at keys that are not there"
    done
}

measure() { # NAME: transactions a second
    local options='' setting socket=$PGHOST
    for setting in ${settings[$1]}; do
        if [ "$setting" = pgaudit ]; then socket=$scratch/pgaudit/socket; else options+=" -c $setting"; fi
    done
    PGHOST=$socket PGOPTIONS=$options pgbench -n -M prepared -T "$(length "$1")" -c "${clients[$1]}" -j 2 -f "$scratch/$1.sql" \
        2>>"$scratch/pgbench.log" | awk '/^tps/ { print $3 }'
}

# Measures once, beside nothing that is left of what came before.
take() { # ROUND NAME
    local before tps
    calm
    before=$(used)
    tps=$(measure "$2") || true
    [ -n "$tps" ] || fail "pgbench: $2: $(tail -n 3 "$scratch/pgbench.log")"
    calm
    [ -z "$has_pgaudit" ] || pgaudit_forget
    [ "$1" -lt 0 ] || echo "$1 $2 $tps $(size "$2") $((($(used) - before) * 10000 / $(length "$2")))" >>"$scratch/results"
}

tools/setup.sh
make --no-print-directory install >/dev/null
scratch_make
cluster_start "${server[@]}" "hftok.shortcut_memory = $((shortcuts > 32 ? shortcuts : 32))MB"
has_pgaudit=$(if has_pgaudit; then echo yes; fi)
read_measures
echo "Loading $users users"
[ -z "$has_pgaudit" ] || pgaudit_start "$users" "${server[@]}"
psql -Xq -v ON_ERROR_STOP=1 -v users="$users" -f benches/data.sql >/dev/null
psql -Xq -c CHECKPOINT
[ "$(check_values)" = 0 ] || fail "hftok resolves other tokens than those that were saved"
look_for_absent

for name in "${names[@]}"; do
    pgbench_script "${statements[$name]}" "$users" "$(size "$name")" >"$scratch/$name.sql"
done
chmod 755 "$scratch"
echo "$rounds rounds of $seconds s each, of eight clients $long s, $(nproc) processors"
for ((now = 1; now <= part; now++)); do
    for ((round = -1; round < rounds; round++)); do
        for name in "${names[@]}"; do
            [ "${parts[$name]}" -ne "$now" ] || take "$round" "$name"
        done
    done
done

# Only a whole run is one to quote.
folder=$CARGO_TARGET_DIR/bench
if [ "$only" = . ] && [ "$rounds" -ge 9 ] && [ "$users" -ge 1000000 ]; then folder=docs/performance; fi
mkdir -p "$folder"
# The last run on another processor is kept: what the README says is to hold on two.
processor_of() { head -n 1 "$1" | awk -F ', ' '{ print $2 }'; }
machine "$users" "$rounds" "$seconds" ", of eight clients $long s" >"$scratch/machine"
if [ -e "$folder/ratios.txt" ] && [ "$(processor_of "$folder/ratios.txt")" != "$(processor_of "$scratch/machine")" ]; then
    mv "$folder/ratios.txt" "$folder/ratios-other.txt"
fi
{
    cat "$scratch/machine"
    awk -f benches/middle.awk -f benches/ratios.awk "$scratch/wanted" "$scratch/results"
    [ -n "$has_pgaudit" ] || echo "pgaudit is not installed here (Debian: postgresql-$(pg_major)-pgaudit): not measured beside it"
} | tee "$folder/ratios.txt"
awk -f benches/picture.awk "$folder/ratios.txt" >"$folder/ratios.svg"
[ "$folder" != docs/performance ] || tools/figures.sh
echo "table and picture: $folder"
