# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 60
# timeout: 500
conformance_of 1
