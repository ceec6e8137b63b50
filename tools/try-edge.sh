#!/usr/bin/env bash
# Everything that people touch, on this machine and gone afterwards: Postgres with hftok, PostgREST, the edge functions, the panel, and a
# stand-in for the providers that takes and refuses keys as the real ones do. Behind `make try-edge`; `--installed` builds nothing of
# Postgres and takes hftok as it is installed. HFTOK_PORT is the port, 8788 unless that is taken.
#
# Must stay true:
# - Everything listens on this machine only: whoever reaches it can be anybody.
# - It ends with everything that it started, however it ends.
# shellcheck source=tools/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck source=tools/cluster.sh
source tools/cluster.sh
# shellcheck source=tests/postgrest.sh
source tests/postgrest.sh
# shellcheck source=tests/node.sh
source tests/node.sh
# shellcheck source=tests/try_stack.sh
source tests/try_stack.sh

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

if [ "${1:-}" != --installed ]; then
    tools/setup.sh
    make --no-print-directory install
fi
echo "try-edge: building the panel, and starting everything"
install_clients
panel_build
# shellcheck disable=SC2119 # with no settings of its own
suite_start 2>/dev/null
port=${HFTOK_PORT:-8788}
if is_taken "$port"; then port=0; fi
try_stack_start "$port"

# shellcheck disable=SC2154 # try_stack_start and scratch_make set them
cat <<TEXT

Open $stack_url and be one of three people:
  Ana    a member of acme, with some keys of her own
  Luis   an admin of acme
  Mira   an administrator of the application

The text of a key says how its provider takes it: hf_bad… is refused, and so are forbidden, unpaid (402), limited (429), broken (500),
slow (no answer) and elsewhere (a redirect); every other key is a good one. docs/try-edge.md says more.

The servers' logs are in $scratch. Ctrl-C ends everything.
TEXT
[ -n "$panel" ] || echo "This tree has no panel: only PostgREST and the functions answer."
trap 'echo; echo "try-edge: ending"; exit 0' INT TERM
# A signal interrupts a wait at once.
while [ -e "/proc/${postgrests[-1]}" ]; do
    sleep 1 &
    wait $!
done
fail "the gateway has ended: $(tail -n 10 "$scratch/stack.log")"
