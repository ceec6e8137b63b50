#!/usr/bin/env bash
# What `hftok run` adds to the start of a command, beside `psql -c 'select 1'` and the command alone.
#
# Must stay true:
# - The rivals come in turn within each round, so that a machine that slows down slows all.
# - The command is as it is installed: built for release. It asks for one provider's credential, and reveals it.
#
#   BENCH_ROUNDS=51 tools/bench-run.sh
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh

readonly rounds=${BENCH_ROUNDS:-51}

scratch_make
program=${HFTOK_COMMAND:-}
if [ -z "$program" ]; then
    make --no-print-directory install-command DESTDIR="$scratch/root" PREFIX=/usr
    program=$scratch/root/usr/bin/hftok
fi
# shellcheck disable=SC2119 # with no settings of its own
cluster_start
psql -X -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION hftok;
SELECT hftok.save_hf_token('hf_benchBenchBenchBenchBenchBenchB0001', p_user_id => 'alice') \gset
SQL

python3 - "$program" "$rounds" <<'PY'
import statistics, subprocess, sys, time

program, rounds = sys.argv[1], int(sys.argv[2])
rivals = {
    "true": ["true"],
    "psql -c 'select 1'": ["psql", "-XAtc", "select 1"],
    "hftok run -- true": [program, "run", "--provider", "huggingface", "--user", "alice", "--", "true"],
}
times = {name: [] for name in rivals}
for _ in range(rounds):
    for name, line in rivals.items():
        begun = time.perf_counter()
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        times[name].append((time.perf_counter() - begun) * 1000)
print(f"{'median of ' + str(rounds):24} {'ms':>8} {'least':>8}")
for name, measured in times.items():
    print(f"{name:24} {statistics.median(measured):8.1f} {min(measured):8.1f}")
added = statistics.median(times["hftok run -- true"]) - statistics.median(times["true"])
print(f"hftok run adds {added:.1f} ms")
PY
