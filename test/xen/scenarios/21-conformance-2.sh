# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 40
# timeout: 500
conformance_of 2
