# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 48
# timeout: 400
# The backend in a driver domain, an ordinary guest, serves another guest; dom0 only attaches.
guest a
guest driver
a=$(domid a)
d=$(domid driver)
fsifctl --backend "$d" attach "$a" data
guest_run driver "mkdir -p /tmp/data && echo of the driver domain >/tmp/data/file"
# shellcheck disable=SC2016 # what the guest expands
start='mkdir -p /run/fsif; fsif-backend -l xen:all --plugin-dir /plugins -e "data=/tmp/data,allow-domain=DOMID" >/run/out 2>&1 &
    echo $! >/run/pid; n=0; until grep -q listening /run/out; do n=$((n + 1)); [ $n -lt 50 ] || { cat /run/out; exit 1; }; sleep 0.2; done'
guest_run driver "$(echo "$start" | sed "s/DOMID/$a/")"
fsif="fsif -c xen:$d"
guest_prints a "$fsif exports" '^data rw$'
guest_prints a "$fsif cat data:/file" '^of the driver domain$'
# shellcheck disable=SC2016 # what the guest expands
guest_run a 'mkdir -p /tmp/t/bin && cp /bin/fsif /tmp/t/bin/ && for i in 1 2 3 4 5; do echo $i >/tmp/t/$i; done'
guest_run a "$fsif put --verify /tmp/t data:/ && $fsif get --verify data:/t/ /tmp/back" 100
guest_run a 'cmp /tmp/t/bin/fsif /tmp/back/bin/fsif; rm -rf /tmp/t /tmp/back'
# shellcheck disable=SC2016
guest_prints driver 'find /tmp/data/t -type f | wc -l' '^6$'

# It serves those that are attached and no others: not by dom0's nodes, not by another guest's.
guest b
refused b "$fsif cat data:/file"
guest_prints a "$fsif exports | wc -l" '^1$'

# A frontend in flight when the driver domain's daemon is killed, then the domain itself.
begin() {
    guest_run driver 'rm -rf /tmp/data/case-*'
    guest_begin a "conformance --address xen:$d --export data --dialect $1 --case list-many"
    wait_for 30 guest_works || fail "no session"
}
guest_works() {
    xenstore-ls -f "/local/domain/$d/backend" |
        grep -Eq '/vfs/[0-9]+/state = "ready"|/fsif/[0-9]+/[0-9]+/state = "4"'
}
for dialect in 2 3; do
    begin $dialect
    # shellcheck disable=SC2016
    guest_run driver 'kill -9 $(cat /run/pid); sleep 1'
    if guest_end a 30 >/run/rig/printed; then fail "it did not notice the daemon's death"; fi
    guest_run driver "$(echo "$start" | sed "s/DOMID/$a/")"
    guest_prints a "$fsif cat data:/file" '^of the driver domain$'
done
begin 3
sleep 2
xl destroy driver
if guest_end a 30 >/run/rig/printed; then fail "it did not notice the domain's death"; fi
[ -z "$(xenstore-list "/local/domain/$a/device/vfs")" ] ||
    fail "left: $(xenstore-ls "/local/domain/$a/device/vfs")"
note "exports, tree, daemon killed and restarted in dialects 2 and 3, driver domain destroyed"
