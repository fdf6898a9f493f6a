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

# shellcheck source=test/support/packages.sh
. "$(dirname "$0")/../support/packages.sh"
