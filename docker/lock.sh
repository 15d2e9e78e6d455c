#!/usr/bin/env bash
# Locks every dependency group of pyproject.toml, with hashes, into the requirements files that the
# images and the tests install with `pip install --require-hashes`:
#
#   bash docker/lock.sh              after a change to the groups; keeps the versions that still fit
#   bash docker/lock.sh --upgrade    moves everything to the newest versions
#   bash docker/lock.sh sdk2 sdk3    either of them for these groups alone
#
# Needs python3 and PyPI; uv comes into a throw-away virtual environment. The locks hold for Linux on
# x86_64 and aarch64 with Python 3.11, and for the tests on any system with Python 3.11 or newer
# (tests/portable: 3.7 or newer).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

upgrade=()
if [[ ${1-} == --upgrade ]]; then
  upgrade=(--upgrade)
  shift
fi
wanted=("$@")
for group in "$@"; do
  grep -q "^$group = \[" pyproject.toml ||
    { echo "usage: bash docker/lock.sh [--upgrade] [GROUP...]; no group $group" >&2; exit 2; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv

# lock GROUP FILE [PACKAGE TO LEAVE OUT...]
lock() {
  local group=$1 file=$2
  if ((${#wanted[@]})) && [[ " ${wanted[*]} " != *" $group "* ]]; then return; fi
  echo "lock: $file" >&2
  printf '%s\n' "${@:3}" >"$work/left-out"
  # uv keeps the versions that it finds in its output file.
  if [[ -e $file ]]; then cp "$file" "$work/lock"; else : >"$work/lock"; fi
  "$work/venv/bin/uv" pip compile --quiet --no-config --no-header --annotation-style line \
    --group "$group" --excludes "$work/left-out" "${constraints[@]}" "${upgrade[@]}" \
    --universal --python-version "$python" --fork-strategy "$strategy" --generate-hashes \
    --output-file "$work/lock" >/dev/null
  {
    echo "# Locked by docker/lock.sh from the group '$group' of pyproject.toml. Install it with:"
    echo "#   pip install --require-hashes --no-deps -r $file"
    cat "$work/lock"
  } >"$file"
}

# Left out is what a package requires but nothing that runs here imports, with all it brings along:
# sagemaker-training is here for its `train` command, which needs none of its encoders (NumPy, SciPy,
# protobuf), nor gevent, Werkzeug or pip; palmerpenguins is here for its data, read without pandas.
# That is why the images install with --no-deps.
constraints=() python=3.11 strategy=fewest
lock test tests/requirements.txt
constraints=(--constraints tests/requirements.txt) # the same versions as in the tests
lock image requirements.txt gevent numpy pip protobuf scipy werkzeug
lock build docker/build-requirements.txt
lock aws docker/aws/requirements.txt
lock train docker/train/requirements.txt pandas
lock serve docker/serve/requirements.txt
lock monitor docker/monitor/requirements.txt

# Of the SageMaker SDK: what its steps, its pipelines and its local mode import.
constraints=()
lock sdk2 tests/requirements-sdk2.txt
lock sdk3 tests/requirements-sdk3.txt mlflow pyiceberg s3fs sagemaker-mlflow
# What a tracking server with SQLite needs, of all that MLflow asks for.
lock mlflow tests/requirements-mlflow.txt \
  docker graphene gunicorn huey matplotlib pyarrow scikit-learn scipy skops

# Each Python gets the newest that still runs on it.
constraints=() python=3.7 strategy=requires-python
lock portable tests/requirements-portable.txt
