#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian 12 packages that building and testing need, in one place. Prints them; with --install
# it installs those that are missing, and does nothing at all if none is.
set -eu

packages="
gcc libc6-dev cmake ninja-build pkg-config git python3
check libuv1-dev libinih-dev libsystemd0 libxxhash-dev libjansson-dev libxen-dev
clang libclang-rt-14-dev llvm-14 clang-format clang-tidy
g++ libc6-dev-i386 lib32gcc-12-dev
gcc-i686-linux-gnu gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu
gcovr valgrind spin mandoc shellcheck util-linux procps strace
"

# shellcheck source=test/support/packages.sh
. "$(dirname "$0")/support/packages.sh"
