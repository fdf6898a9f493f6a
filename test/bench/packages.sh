#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian 12 packages that measuring needs besides those of test/packages.sh: the peers and what
# drives them. A peer that is missing is left out of a run. Same options as test/packages.sh.
set -eu

packages="
qemu-system-common fuse3 libfuse3-dev diod openssh-sftp-server strace binutils
nfs-ganesha nfs-ganesha-vfs rpcbind libnfs-dev
"

# shellcheck source=test/support/packages.sh
. "$(dirname "$0")/../support/packages.sh"
