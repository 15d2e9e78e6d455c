#!/usr/bin/env bash
# Runs everything that has to pass:
#
#   bash tests/run.sh [--ci] [-- PYTEST ARGUMENTS]
#
# Lints; runs what works on any Python (tests/portable) under the oldest and the newest from 3.7 on
# that are found, with pyenv or on PATH; and all tests in .venv, those in containers too where a
# Docker engine answers. A step is a line with its time; a step that fails shows its whole output.
# --ci, or CI=true: no engine is a failure; every Python and slow tests too; and tests/sdk with both
# versions of the SageMaker SDK (1 GB in .venv-sdk), which everyday runs leave out. Arguments after --
# go to the last run. Needs Python 3.11 with venv; PyPI for the first run, and after a lock has changed;
# for SDK 2's local mode docker-compose, where Compose v2 does not call itself "v2".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ci=${CI:-false}
if [[ ${1-} == --ci ]]; then ci=true; shift; fi
if [[ ${1-} == -- ]]; then
  shift
elif (($#)); then
  echo "usage: bash tests/run.sh [--ci] [-- PYTEST ARGUMENTS]" >&2
  exit 2
fi

marks=()
[[ $ci == true ]] || marks+=("not slow")
if ! docker info >/dev/null 2>&1; then
  echo "no Docker engine answers, so image tests are left out; bash docker/engine.sh starts one"
  [[ $ci != true ]] || exit 1
  marks+=("not image")
fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT

# step NAME COMMAND...
step() {
  local name=$1 start=$SECONDS
  shift
  printf '%-36s' "$name"
  if "$@" >"$output" 2>&1 </dev/null; then
    printf '%4d s  %s\n' $((SECONDS - start)) "$(tail -n 1 "$output")"
  else
    printf 'failed\n'
    cat "$output"
    exit 1
  fi
}

# Version and path of every Python from 3.7 on that can make a virtual environment, one a version.
pythons() {
  local python
  for python in ~/.pyenv/versions/3.*/bin/python python3 python3.{7..19}; do
    "$python" - 2>/dev/null <<'PYTHON' || true
import ensurepip, sys, venv
if sys.version_info >= (3, 7):
    print("%d.%d" % sys.version_info[:2], sys.executable)
PYTHON
  done | sort --version-sort --key 1,1 --unique
}

locked_venv() { # VENV PYTHON LOCK
  local venv=$1 lock=$3
  cmp --silent "$lock" "$venv/made-from" || {
    "$2" -m venv --clear "$venv" &&
      "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --no-deps -r "$lock" &&
      cp "$lock" "$venv/made-from"
  }
}

portable_tests() { # VERSION PYTHON
  local log=.venv-portable/$1.log
  mkdir -p .venv-portable
  if { locked_venv ".venv-portable/$1" "$2" tests/requirements-portable.txt &&
    ".venv-portable/$1/bin/python" -m pytest -m "not slow" tests/portable; } >"$log" 2>&1; then
    echo "$1: $(tail -n 1 "$log")"
  else
    echo "Python $1:"
    cat "$log"
    return 255 # which ends xargs
  fi
}

# Two Pythons at a time: each spends half of its time starting processes.
portable_tests_under() { # lines of VERSION PYTHON
  export -f locked_venv portable_tests
  # shellcheck disable=SC2016 # the inner shell expands it
  xargs -P 2 -L 1 bash -euo pipefail -c 'portable_tests "$@"' _ <<<"$1"
}

# Both at a time: each spends half of its time downloading.
sdk_venvs() {
  export -f locked_venv
  # shellcheck disable=SC2016 # the inner shell expands it
  xargs -P 2 -n 1 bash -euo pipefail -c \
    'locked_venv ".venv-sdk/$1" "$0" "tests/requirements-sdk$1.txt"' "$bin/python" <<<"2 3"
  du -sh .venv-sdk
}

sdk_tests() { # VERSION
  ".venv-sdk/$1/bin/python" -m pytest tests/sdk
}

step "virtual environment" bash docker/venv.sh
bin=$PWD/.venv/bin
step "ruff check" "$bin/ruff" check
step "ruff format" "$bin/ruff" format --check
step "mypy" "$bin/mypy" scripts docker tests
step "shellcheck" "$bin/shellcheck" docker/*.sh docker/*/*.sh tests/run.sh .ci/run

main=$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# .venv's own version is tested below, together with all else.
others=$(pythons | grep -v "^$main ") || true
[[ $ci == true ]] || others=$(sed -n '1p;1!{$p}' <<<"$others")
if [[ -n $others ]]; then
  step "Python $(cut -d ' ' -f 1 <<<"$others" | paste -sd ' ')" portable_tests_under "$others"
fi

if [[ $ci == true ]]; then
  step "SageMaker SDK 2 and 3" sdk_venvs
  step "SageMaker SDK 2, tests/sdk" sdk_tests 2 # one by one: local modes share a network
  step "SageMaker SDK 3, tests/sdk" sdk_tests 3
fi

# Half of a test's time is waiting; a process takes up to 1 GB. Files go in order, the long ones first.
workers=$((2 * $(nproc) < 8 ? 2 * $(nproc) : 8))
marked=$(printf ' and %s' "${marks[@]}")
step "Python $main, all tests" "$bin/python" -m pytest -n "$workers" \
  --no-loadscope-reorder -m "${marked# and }" "$@"
