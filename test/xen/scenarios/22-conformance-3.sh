# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 80
# timeout: 500
conformance_of 3
calls_of_dialect3
