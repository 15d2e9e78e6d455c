#!/usr/bin/env bash
# Makes sure that a plain `docker compose up --build` finds its base image:
#
#   bash docker/base/ensure.sh
#
# In this order: what MIMS_BASE names (in the environment or in .env; Docker fetches it if it must),
# the public Python image where it is here or can be pulled, else the one that build.sh makes.
set -euo pipefail

public=python:3.11-slim-bookworm
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
env_file=$here/../../.env

base=${MIMS_BASE-}
if [[ -z $base && -e $env_file ]]; then base=$(sed -n 's/^MIMS_BASE=//p' "$env_file"); fi

case $base in
  mims-base:bookworm) exec bash "$here/build.sh" ;;
  ?*) exit 0 ;;
esac
if docker image inspect "$public" >/dev/null 2>&1; then exit 0; fi
if timeout "${MIMS_PULL_SECONDS:-60}" docker pull --quiet "$public" >/dev/null 2>&1; then exit 0; fi
echo "base: $public is not here and can't be pulled" >&2
exec bash "$here/build.sh"
