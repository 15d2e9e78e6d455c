#!/usr/bin/env bash
# Builds mims-base:bookworm, an equivalent of the public python:3.11-slim-bookworm, from Debian
# packages: for machines that reach Debian's archive but no image registry.
#
#   bash docker/base/build.sh            does nothing when the image is there
#   bash docker/base/build.sh --force    makes it anew (security updates, other CA certificates)
#
# Inside: Python 3.11 with venv and headers, `python` and `python3` on PATH, and this machine's CA
# certificates. No pip of its own: `python -m venv` brings one. Writes MIMS_BASE=mims-base:bookworm
# to the checkout's .env, from which Compose takes the build argument BASE. Needs root (chroot).
set -euo pipefail
umask 022

image=mims-base:bookworm
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
env_file=$checkout/.env
certificates=/etc/ssl/certs/ca-certificates.crt
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
# debootstrap asks the resolver once a package; one lost answer would cost five seconds.
export RES_OPTIONS="timeout:1 attempts:5"

say() { printf 'base: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

point_compose_at_it() {
  local rest=
  if [[ -e $env_file ]]; then rest=$(grep -v '^MIMS_BASE=' "$env_file" || true); fi
  printf '%s\n' ${rest:+"$rest"} "MIMS_BASE=$image" >"$env_file"
  chown --reference="$checkout" "$env_file"
}

install_debootstrap() {
  if command -v debootstrap >/dev/null; then return; fi
  command -v apt-get >/dev/null || die "debootstrap is missing: install it, then run this again"
  apt-get update
  apt-get install -y --no-install-recommends debootstrap debian-archive-keyring
}

# What Debian's own slim images leave out, now and when a Dockerfile installs more.
write_dpkg_config() {
  mkdir -p "$1/etc/dpkg/dpkg.cfg.d"
  cat >"$1/etc/dpkg/dpkg.cfg.d/slim" <<'CONFIG'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
CONFIG
}

fill() {
  local root=$1
  write_dpkg_config "$root"
  debootstrap --variant=minbase bookworm "$root"

  # debootstrap knows one archive; updates and security fixes come from its two siblings.
  local mirror
  mirror=$(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list")
  cat >"$root/etc/apt/sources.list" <<SOURCES
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb ${mirror%/}-security bookworm-security main
SOURCES
  chroot "$root" apt-get update
  chroot "$root" apt-get dist-upgrade -y
  chroot "$root" apt-get install -y --no-install-recommends ca-certificates python3 python3-venv
  ln -s python3 "$root/usr/bin/python"

  # The headers alone: their package also holds 20 MB of static library.
  chroot "$root" sh -c 'cd /tmp && apt-get download libpython3.11-dev && dpkg-deb -x ./*.deb python'
  cp -a "$root/tmp/python/usr/include/." "$root/usr/include/"

  if [[ -e $certificates ]]; then cp "$certificates" "$root$certificates"; fi
}

clean() {
  local root=$1
  find "$root/usr/share/doc" ! -type d ! -name copyright -delete
  find "$root/usr/share/doc" -type d -empty -delete
  rm -rf "$root"/usr/share/{info,locale,man}/* "$root"/tmp/* \
    "$root"/var/cache/{apt,debconf,ldconfig}/* "$root"/var/lib/apt/lists/* \
    "$root"/etc/{hostname,resolv.conf} "$root"/var/lib/dpkg/*-old
  find "$root/var/log" -type f -delete
}

import() {
  tar -C "$1" --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -c . |
    docker import --message "docker/base/build.sh" \
      --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
      --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' - "$image"
}

case ${1-} in
  '' | --force) ;;
  *) die "usage: bash docker/base/build.sh [--force]" ;;
esac
docker info >/dev/null 2>&1 || die "no Docker engine answers: bash docker/engine.sh starts one"
if [[ ${1-} != --force ]] && docker image inspect "$image" >/dev/null 2>&1; then
  point_compose_at_it
  say "$image is there already (--force makes it anew)"
  exit 0
fi
if [[ $(id -u) != 0 ]]; then die "building $image needs root: sudo bash docker/base/build.sh"; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/mims-base.XXXXXX")
finish() {
  local status=$?
  if [[ $status != 0 && -s $work/log ]]; then
    tail -n 25 "$work/log" >&2
    say "failed; the lines above say why"
  fi
  # A debootstrap that was killed can leave /proc mounted in there.
  rm -rf --one-file-system "$work"
}
trap finish EXIT
run() {
  say "$1"
  "${@:2}" >>"$work/log" 2>&1
}
mkdir -m 755 "$work/root"
run "looking for debootstrap" install_debootstrap
run "filling it from Debian's archive (half a minute)" fill "$work/root"
run "cleaning" clean "$work/root"
run "importing" import "$work/root"
point_compose_at_it
say "$image is $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1e6 }'), took $SECONDS s"
