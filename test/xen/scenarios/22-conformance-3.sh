# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# timeout: 500
conformance_of 3
