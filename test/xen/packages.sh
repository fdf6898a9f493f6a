#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian 12 packages that the Xen rig needs beside those of test/packages.sh. Prints them;
# --missing prints those that are not installed, --install installs them. The guests' and dom0's
# kernel is not installed: the rig downloads its package and unpacks it.
set -eu

packages="
qemu-system-x86 xen-hypervisor-4.17-amd64 xen-utils-4.17 xenstore-utils libxen-dev
busybox-static cpio binutils
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
