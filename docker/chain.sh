#!/usr/bin/env bash
# Runs the whole chain: train, package, payload, register (in a local AWS), verify what was registered.
#
#   bash docker/chain.sh                     on a sample model, trained first
#   bash docker/chain.sh --model PATH --script DIR --config FILE [--metadata FILE]
#                                            on a model, its inference code and config of your own
#   bash docker/chain.sh --run DIR           leave the outputs there (default: run/)
#   bash docker/chain.sh --processes         as plain processes, though a Docker engine answers
#   ROUNDS=4 bash docker/chain.sh            on another sample model, of that many boosting rounds
#   bash docker/chain.sh --stop              stop the local AWS, which otherwise goes on; its registry
#                                            is gone then
#
# Where a Docker engine answers, each step is a container (docker-compose.yml), else a process with
# `--root run/<step>`. Settings of the scripts (PACKAGE_LAYOUT, CONTENT_TYPES, …) are taken from the
# environment. Exit codes are those of the step that failed; 2 for a wrong command line.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export MIMS_AWS_PORT=${MIMS_AWS_PORT:-5000}
export MIMS_BUCKET=${MIMS_BUCKET:-mims-local}
endpoint=http://127.0.0.1:$MIMS_AWS_PORT
pid_file=$top/run/aws-$MIMS_AWS_PORT.pid
settings='^(PACKAGE_LAYOUT|INFERENCE_ENTRY_POINT|COMPRESSION_LEVEL|MAX_[A-Z_]+|CONTENT_TYPES|PAYLOAD_LAYOUT|CSV_HEADER|DEFAULT_(NUMERIC|TEXT)_VALUE|SPECIAL_FIELD_.+|FIELD_DEFAULTS|REGISTRATION_TIMEOUT_SECONDS|PERFORMANCE_METADATA_PATH)$'

main() {
  read_options "$@"
  cd "$top"
  choose_engine
  if [[ -n $stop ]]; then stop_aws; exit; fi
  prepare_folders
  "build_with_$engine"
  "start_aws_with_$engine"
  if [[ -z $model ]]; then step train; fi
  step package
  step payload
  step buckets
  step register
  step verify
  step summary
  say "outputs are in $run; the registry answers at $endpoint (credentials testing/testing)"
  say "until: bash docker/chain.sh --stop"
}

say() { printf '%s\n' "$*" >&2; }

fail() { say "chain: $*"; exit 1; }

refuse() { say "chain: $*; --help lists the options"; exit 2; }

read_options() {
  run=$top/run model='' script='' config='' metadata='' processes='' stop=''
  while (($#)); do
    case $1 in
      --model | --script | --config | --metadata)
        [[ -n ${2-} ]] || refuse "$1 takes a path"
        [[ -e $2 ]] || fail "$1 $2: there is no such file or folder"
        printf -v "${1#--}" %s "$(realpath "$2")"
        shift
        ;;
      --run)
        [[ -n ${2-} ]] || refuse "--run takes a folder"
        mkdir -p "$2"
        run=$(realpath "$2")
        shift
        ;;
      --processes) processes=yes ;;
      --stop) stop=yes ;;
      -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit ;;
      *) refuse "$1 is no option of mine" ;;
    esac
    shift
  done
  if [[ -n $model$script$config$metadata ]]; then
    [[ -n $model && -n $script && -n $config ]] || refuse "--model, --script and --config go together"
  fi
}

choose_engine() {
  engine=processes
  [[ -z $processes ]] || return 0
  if docker info >/dev/null 2>&1; then
    if docker compose version >/dev/null 2>&1; then
      engine=compose compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
      engine=compose compose=(docker-compose)
    else
      say "chain: a Docker engine answers, but there is no Compose: running plain processes"
    fi
  else
    say "chain: no Docker engine answers: running plain processes"
  fi
}

# The folders that steps write to, empty, and owned by the caller before a container could make them.
prepare_folders() {
  local step given steps=(package payload register verify)
  [[ -n $model ]] || steps+=(train)
  for step in "${steps[@]}"; do
    for given in "$model" "$script" "$config" "$metadata"; do
      [[ $given != "$run/$step"/* ]] || refuse "$given lies where this run writes: name another --run"
    done
  done
  for step in "${steps[@]}"; do
    rm -rf -- "${run:?}/$step/opt"
    mkdir -p "$run/$step/opt/ml/processing/output" "$run/$step/opt/ml/output"
  done
  rm -f -- "$run/verify/report.jsonl"
  mkdir -p "$run/none"
  local trained=$run/train/opt/ml/processing/output
  MIMS_USER=$(id -u):$(id -g)
  export MIMS_USER MIMS_RUN=$run
  export MIMS_MODEL=${model:-$trained/model} MIMS_SCRIPT=${script:-$trained/script}
  export MIMS_CONFIG=${config:-$trained/config}
  if [[ -n $model ]]; then MIMS_METADATA=${metadata:-$run/none}; else MIMS_METADATA=$trained/metadata; fi
  # A config of another content is another workflow, not the same one gone wrong.
  local workflow=chain
  if [[ -f $config ]]; then workflow=$(sha256sum <"$config" | cut -c 1-12); fi
  export MIMS_METADATA MODS_WORKFLOW_EXECUTION_ID=${MODS_WORKFLOW_EXECUTION_ID:-local-$workflow}
}

step() {
  say "── $1"
  local code=0
  "$1_with_$engine" || code=$?
  if ((code)); then say "chain: $1 failed with exit code $code"; exit "$code"; fi
}

# ── containers

build_with_compose() {
  bash docker/base/ensure.sh
  MIMS_VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' scripts/mims/__init__.py)
  MIMS_REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  export MIMS_VERSION MIMS_REVISION
  say "── build (log in $run/build.log)"
  if ! in_compose build >"$run/build.log" 2>&1; then
    tail -n 40 "$run/build.log" >&2
    fail "the images could not be built"
  fi
}

in_compose() { "${compose[@]}" --project-name "${COMPOSE_PROJECT_NAME:-mims}" "$@"; }

# One service as it stands in docker-compose.yml, with the settings that the caller has exported.
run_service() {
  local pass=() name
  while read -r name; do pass+=(-e "$name"); done < <(compgen -e | grep -E "$settings" || true)
  in_compose run --rm --no-deps -T "${pass[@]}" "$@"
}

start_aws_with_compose() {
  in_compose up --detach --no-build aws >"$run/aws.log" 2>&1 ||
    fail_without_aws
  await_aws
}

train_with_compose() { run_service train; }
package_with_compose() { run_service package; }
payload_with_compose() { run_service payload; }
register_with_compose() { run_service register; }
verify_with_compose() { run_service verify >"$run/verify/report.jsonl"; }

buckets_with_compose() {
  run_service -v "$MIMS_CONFIG:/config:ro" --entrypoint python aws /opt/program/buckets.py \
    --endpoint http://aws:5000 --bucket "$MIMS_BUCKET" /config
}

summary_with_compose() {
  docker run --rm --network none -v "$run:/run/mims:ro" -v "$top/docker/summary.py:/summary.py:ro" \
    mims python /summary.py /run/mims
}

# ── plain processes

build_with_processes() {
  say "── virtual environment"
  python=$(bash docker/venv.sh)
  export PATH=${python%/*}:$PATH
  use_local_aws
}

# Every step sees the local AWS alone, whatever AWS settings and proxies the caller has.
use_local_aws() {
  local name
  while read -r name; do unset "$name"; done < <(compgen -e | grep '^AWS_' || true)
  export AWS_ENDPOINT_URL=$endpoint AWS_REGION=us-west-2
  export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
  export no_proxy=127.0.0.1,${no_proxy-${NO_PROXY-}}
  export NO_PROXY=$no_proxy
}

start_aws_with_processes() {
  if aws_answers; then
    say "the local AWS of an earlier run answers at $endpoint"
    return
  fi
  mkdir -p "${pid_file%/*}"
  setsid "$python" docker/aws/server.py --port "$MIMS_AWS_PORT" >"$run/aws.log" 2>&1 </dev/null &
  echo $! >"$pid_file"
  await_aws $!
}

mount() {
  mkdir -p "$(dirname "$run/$1")"
  rm -rf -- "${run:?}/$1"
  ln -s "$2" "$run/$1"
}

train_with_processes() {
  "$python" docker/train/train.py --root "$run/train" --rounds "${ROUNDS:-60}"
}

package_with_processes() {
  mount package/opt/ml/processing/input/model "$MIMS_MODEL"
  mount package/opt/ml/processing/input/script "$MIMS_SCRIPT"
  "$python" scripts/mims_package.py --root "$run/package"
}

payload_with_processes() {
  mount payload/opt/ml/processing/input/model "$MIMS_MODEL"
  CONTENT_TYPES=${CONTENT_TYPES:-application/json,text/csv} \
    "$python" scripts/mims_payload.py --root "$run/payload"
}

buckets_with_processes() {
  "$python" docker/aws/buckets.py --endpoint "$endpoint" --bucket "$MIMS_BUCKET" "$MIMS_CONFIG"
}

register_with_processes() {
  mount register/opt/ml/processing/input/model "$run/package/opt/ml/processing/output"
  mount register/opt/ml/processing/mims_payload "$run/payload/opt/ml/processing/output"
  mount register/opt/ml/processing/config/config "$MIMS_CONFIG"
  mount register/opt/ml/processing/input/metadata "$MIMS_METADATA"
  "$python" scripts/script.py --root "$run/register"
}

verify_with_processes() {
  "$python" docker/serve/verify.py --message "$run/register/opt/ml/output/message" \
    >"$run/verify/report.jsonl"
}

summary_with_processes() { "$python" docker/summary.py "$run"; }

# ── the local AWS

# Asks over HTTP: Docker's proxy takes connections before the server behind it does, and breaks them
# off again, which would end this shell (SIGPIPE), were it not another one.
aws_answers() (
  exec 2>/dev/null
  { exec 3<>"/dev/tcp/127.0.0.1/$MIMS_AWS_PORT"; } &&
    printf 'GET /moto-api/ HTTP/1.0\r\n\r\n' >&3 && read -r -t 5 status <&3 &&
    [[ $status == *' 200 '* ]]
)

# Gives up after a minute, or when the process of this number has ended.
await_aws() {
  local deadline=$((SECONDS + 60))
  until aws_answers; do
    if ((SECONDS >= deadline)) || ! kill -0 "${1:-$$}" 2>/dev/null; then fail_without_aws; fi
    sleep 0.2
  done
}

fail_without_aws() {
  fail "the local AWS did not start (log in $run/aws.log). If port $MIMS_AWS_PORT is taken by an \
earlier chain: bash docker/chain.sh --stop; if by something else: set MIMS_AWS_PORT"
}

stop_aws() {
  local output
  if [[ $engine == compose ]]; then
    output=$(in_compose down --remove-orphans 2>&1) || fail "$output"
  fi
  if [[ -e $pid_file ]]; then stop_process "$(<"$pid_file")"; fi
  if aws_answers; then fail "what answers at $endpoint was not started by this checkout's chain"; fi
  say "the local AWS is stopped"
}

stop_process() {
  # After a restart the number may be another process's: ours answers.
  if aws_answers && kill "$1" 2>/dev/null; then
    local _
    for _ in {1..100}; do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
  fi
  rm "$pid_file"
}

main "$@"
