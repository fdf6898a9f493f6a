# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 9
# shellcheck disable=SC2016 # what a guest expands
# An experiment: what is left for a replacement that has the same open files when a process with a
# grant mapping and a bound event channel is killed. It must only come to its end.
guest a
id=$(domid a)
for how in fork scm files; do
    guest_run a 'rm -f /run/offer; survivor offer 0 >/run/offer 2>&1 & sleep 1; cat /run/offer' >/run/rig/printed
    cat /run/rig/printed
    # shellcheck disable=SC2046 # three numbers
    set -- $(sed -n 's/^port \([0-9]*\) refs \([0-9]*\) \([0-9]*\)$/\1 \2 \3/p' /run/rig/printed)
    [ $# = 3 ] || fail "no offer"
    survivor try $how "$id" "$@" >/run/rig/found
    cat /run/rig/found
    [ "$(grep -c '^finding' /run/rig/found)" -ge 5 ] || fail "the experiment did not end"
    note "by $how: $(sed -n 's/^finding: //p' /run/rig/found | tr '\n' ';')"
    guest_run a 'n=0; while pidof survivor; do n=$((n + 1)); [ $n -lt 50 ] || exit 1; sleep 0.2; done; cat /run/offer' ||
        guest_run a 'killall survivor'
done
