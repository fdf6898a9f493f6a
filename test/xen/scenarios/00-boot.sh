# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 31
# Xen, dom0 and two guests come up, and a guest runs what it is told.
guest a
guest b
xl list
[ "$(domid a)" != "$(domid b)" ] || fail "two guests with one id"
guest_run a 'ls /dev/xen; test -c /dev/xen/gntalloc'
if guest_run a 'exit 3'; then fail "an exit code was lost"; fi
note "Xen $(xl info | sed -n 's/^xen_version *: //p'), dom0 and guests: Linux $(uname -r)"
