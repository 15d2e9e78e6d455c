#!/usr/bin/env bash
# Makes sure that a Docker engine with Compose v2 and buildx answers:
#
#   bash docker/engine.sh        does nothing when all three answer; else needs root on Debian 12
#
# The engine is Debian's docker.io; Compose v2 and buildx, which Debian 12 lacks, are taken out of the
# next release's packages, without adding a package source to the machine. Where no systemd runs,
# dockerd is left running in the background and logs to /var/log/dockerd.log.
set -euo pipefail

log=/var/log/dockerd.log
plugins=/usr/local/lib/docker/cli-plugins
patience_seconds=60
export DEBIAN_FRONTEND=noninteractive

say() { printf 'engine: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

engine_answers() { docker info >/dev/null 2>&1; }
plugins_answer() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

require_debian_12() {
  grep -qs '^VERSION_CODENAME=bookworm$' /etc/os-release ||
    die "this installs on Debian 12 only: install Docker with Compose v2 and buildx, then try again"
}

install_engine() {
  require_debian_12
  say "installing docker.io"
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends ca-certificates docker.io iptables >/dev/null
}

install_plugins() (
  require_debian_12
  say "installing Compose v2 and buildx"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/lists" "$work/debs"
  # apt finds the files and checks signatures and digests, with a source and lists of its own.
  # shellcheck disable=SC2016 # apt's variable
  archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Codename: bookworm' | awk 'NR == 1')
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$keys] ${archive:?apt names no Debian 12 archive} trixie main" \
    >"$work/sources.list"
  from_trixie() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
      -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
      -o APT::Sandbox::User=root "$@"
  }
  from_trixie update
  cd "$work/debs"
  from_trixie download docker-buildx docker-compose
  for deb in ./*.deb; do dpkg-deb -x "$deb" "$work"; done
  install -D -m 755 -t "$plugins" "$work"/usr/libexec/docker/cli-plugins/*
)

start_engine() {
  say "starting dockerd"
  local pid=
  if [[ -d /run/systemd/system ]]; then
    systemctl start docker
  elif ! pidof dockerd >/dev/null; then
    # Left by an engine that was killed; the number may be another process's by now.
    rm -f /var/run/docker.pid
    pidof containerd >/dev/null || rm -f /var/run/docker/containerd/containerd.pid
    setsid dockerd >"$log" 2>&1 </dev/null &
    pid=$!
  fi
  local deadline=$((SECONDS + patience_seconds))
  until engine_answers; do
    if ((SECONDS >= deadline)) || ! kill -0 "${pid:-$$}" 2>/dev/null; then
      if [[ -s $log ]]; then tail -n 25 "$log" >&2; fi
      die "dockerd ended, or did not answer within $patience_seconds s"
    fi
    sleep 0.3
  done
}

if engine_answers && plugins_answer; then exit 0; fi
if [[ $(id -u) != 0 ]]; then
  die "no Docker engine with Compose v2 and buildx answers, and only root can set one up"
fi
command -v dockerd >/dev/null || install_engine
plugins_answer || install_plugins
engine_answers || start_engine
say "$(docker version --format 'Docker {{.Server.Version}}'), Compose $(docker compose version --short)"
