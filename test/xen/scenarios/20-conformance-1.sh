# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 48
# timeout: 500
conformance_of 1
