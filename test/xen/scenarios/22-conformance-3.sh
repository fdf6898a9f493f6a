# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 65
# timeout: 500
conformance_of 3
