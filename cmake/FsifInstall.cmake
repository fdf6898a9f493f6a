# SPDX-License-Identifier: MIT
# Package files: pkg-config and CMake.
