#!/usr/bin/env bash
# Makes .venv from tests/requirements.txt, unless it stands already, and prints its python:
# whatever the tests, and the chain without containers, need. Needs Python 3.11 or newer and PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
  local candidate
  for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "venv: no Python 3.11 or newer here: apt-get install python3 python3-venv" >&2
  exit 1
}

stamp=.venv/made-from
if ! cmp --silent tests/requirements.txt "$stamp"; then
  python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    { echo "venv: $python has no venv module: apt-get install python3-venv" >&2; exit 1; }
  echo "venv: installing tests/requirements.txt into .venv" >&2
  "$python" -m venv --clear .venv >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r tests/requirements.txt >&2
  cp tests/requirements.txt "$stamp"
fi
echo "$PWD/.venv/bin/python"
