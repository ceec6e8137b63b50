# shellcheck shell=bash
# Programs from Python's package index, each in an environment of its own. Sourced, after environment.sh.

# venv_make FOLDER REQUIREMENTS OPTION…: the environment, unless it is there with just these requirements, which are lines of
# a requirements file. OPTION is pip's. Whoever calls it in a condition is told of a failure by its status.
venv_make() {
    # The requirements lie in the environment as the mark of a complete one: an interrupted pip leaves none.
    ! cmp -s <(printf '%s\n' "$2") "$1/requirements" || return 0
    rm -rf "$1"
    python3 -m venv "$1" || return 1
    printf '%s\n' "$2" >"$1/requirements.new"
    "$1/bin/pip" install --quiet --disable-pip-version-check "${@:3}" --requirement "$1/requirements.new" || return 1
    mv "$1/requirements.new" "$1/requirements"
}
