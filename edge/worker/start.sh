#!/bin/sh
# Starts the engine of a worker through `hftok run`, which gives it the Hub's token and asks the Hub first whether that token is good.
#
#   start sglang                  the engine, for $MODEL_NAME
#   start vllm
#   start -- COMMAND ARGUMENT…    another program, such as a handler of your own
#
# edge/worker/README.md has the variables that it reads.
#
# Must stay true:
# - A token is in the environment, never in an argument, and nothing here prints a variable that may hold one.
# - `hftok run` replaces this script, and the engine replaces it: signals and the exit code are the engine's own.
set -eu

refuse() {
    printf 'worker: %s\n' "$1" >&2
    exit 2
}

# The engine's arguments after "$@"; whatever a form leaves empty is left to the engine.
engine() {
    [ -n "${MODEL_NAME:-}" ] || refuse 'MODEL_NAME is not set: the model as the Hub names it, such as org/name, or a folder'
    case $MODEL_NAME in -*) refuse 'MODEL_NAME begins with a dash' ;; esac
    port=${PORT:-80}
    case $1 in
    sglang)
        context=--context-length parallel=--tp-size
        set -- python3 -m sglang.launch_server --model-path "$MODEL_NAME" --host 0.0.0.0 --port "$port"
        ;;
    vllm)
        context=--max-model-len parallel=--tensor-parallel-size
        set -- vllm serve "$MODEL_NAME" --host 0.0.0.0 --port "$port"
        ;;
    *) refuse "there is no engine $1: sglang, vllm, or -- and a command" ;;
    esac
    [ -z "${MODEL_REVISION:-}" ] || set -- "$@" --revision "$MODEL_REVISION"
    [ -z "${MAX_MODEL_LEN:-}" ] || set -- "$@" "$context" "$MAX_MODEL_LEN"
    [ -z "${TENSOR_PARALLEL_SIZE:-}" ] || set -- "$@" "$parallel" "$TENSOR_PARALLEL_SIZE"
    [ "${TRUST_REMOTE_CODE:-}" != true ] || set -- "$@" --trust-remote-code
    # Separated by blanks, and no file names are made of them.
    set -f
    # shellcheck disable=SC2086 # the words are to be split
    set -- "$@" ${ENGINE_ARGUMENTS:-}
    set +f
    run "$@"
}

# RunPod puts a secret where its reference stands. One that is still a reference names no secret of this account.
reference() {
    case $2 in *RUNPOD_SECRET_*) refuse "$1 refers to a RunPod secret that is not there: create it, or correct its name" ;; esac
}

run() {
    # A form sends what was left empty, and an empty token or address is none.
    case ${HF_TOKEN:-} in *[![:space:]]*) ;; *) unset HF_TOKEN ;; esac
    [ -n "${HFTOK_RUNNER_URL:-}" ] || unset HFTOK_RUNNER_URL
    reference HF_TOKEN "${HF_TOKEN:-}"
    reference HFTOK_RUNNER_TOKEN "${HFTOK_RUNNER_TOKEN:-}"
    set -- -- "$@"
    # The Hub is asked about a model of its own, not about a folder.
    case ${MODEL_NAME:-} in
    '' | /* | .*) ;;
    *) [ -d "$MODEL_NAME" ] || set -- --model "$MODEL_NAME" "$@" ;;
    esac
    [ "${HFTOK_EXCLUSIVE:-}" != true ] || set -- --exclusive "$@"
    if [ -n "${HFTOK_RUNNER_URL:-}" ]; then
        [ "${HFTOK_PRIVATE_NETWORK:-}" != true ] || set -- --insecure-private-network "$@"
        set -- --runner "$HFTOK_RUNNER_URL" "$@"
    else
        [ -z "${HFTOK_RUNNER_TOKEN:-}" ] || refuse 'HFTOK_RUNNER_TOKEN is set, but not HFTOK_RUNNER_URL: the address of the runner service'
        set -- --no-server "$@"
    fi
    exec hftok run --check "$@"
}

case ${1:-} in
'') refuse 'start sglang, start vllm, or start -- and a command' ;;
--)
    shift
    [ $# -gt 0 ] || refuse 'there is no command after --'
    run "$@"
    ;;
*)
    [ $# -eq 1 ] || refuse 'further arguments of the engine stand in ENGINE_ARGUMENTS'
    engine "$1"
    ;;
esac
