# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 19
# timeout: 400
# Our frontend on a backend of Xen 3.3 to 4.1.
old_backend_of 2
