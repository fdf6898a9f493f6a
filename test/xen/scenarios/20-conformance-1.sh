# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 90
# timeout: 500
conformance_of 1
