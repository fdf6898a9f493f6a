# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 17
# timeout: 400
# Our frontend on a backend of 2008.
old_backend_of 1
