#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian 12 packages that building and testing need, in one place. Prints them; with --install
# it installs those that are missing, and does nothing at all if none is.
set -eu

packages="
gcc libc6-dev cmake ninja-build pkg-config git python3
check libuv1-dev libinih-dev libsystemd-dev libxxhash-dev libjansson-dev libxen-dev
clang libclang-rt-14-dev llvm-14 clang-format clang-tidy
g++ libc6-dev-i386 lib32gcc-12-dev
gcc-i686-linux-gnu gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu
gcovr spin mandoc shellcheck util-linux procps
"

missing() {
    for p in $packages; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$p"
    done
}

case "${1-}" in
"")
    for p in $packages; do echo "$p"; done
    ;;
--missing)
    missing
    ;;
--install)
    need=$(missing)
    [ -n "$need" ] || exit 0
    if [ "$(id -u)" != 0 ]; then
        echo "packages.sh: missing, and only root can install them:" >&2
        echo "$need" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $need ||
        { apt-get update && apt-get install -y --no-install-recommends $need; }
    ;;
*)
    echo "usage: packages.sh [--missing | --install]" >&2
    exit 2
    ;;
esac
