# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 19
# shellcheck disable=SC2016 # what a guest expands
# timeout: 400
# Figures of an emulated processor mean nothing by themselves: they are told as ratios to an event
# there and back between the same two domains, without a ring and without xenstore.
guest a
id=$(domid a)
rm -rf /tmp/figures
mkdir -p /tmp/figures
dd if=/dev/zero of=/tmp/figures/big bs=1M count=4 2>/dev/null
backend_start -e "data=/tmp/figures,allow-domain=$id"
fsifctl attach "$id" data
rounds=$(count 1000 10000)

guest_begin a "event-ping ask 0 $rounds >/run/ping 2>&1 & sleep 1; cat /run/ping"
guest_end a 20 >/run/rig/printed
port=$(sed -n 's/^port //p' /run/rig/printed)
[ -n "$port" ] || fail "no port"
event-ping answer "$id" "$port"
guest_run a 'n=0; while pidof event-ping; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.2; done >/dev/null; cat /run/ping' 70 >/run/rig/printed
pings=$(sed -n 's/^pings per second: //p' /run/rig/printed)
[ -n "$pings" ] || fail "no pings: $(cat /run/rig/printed)"
note "ping over an event channel: $pings a second (1.00)"

# figure DIALECT: operations at one at a time, and bandwidth
figure() {
    guest_run a "session-rate xen:0 data $1 $rounds big" 100 >/run/rig/printed || {
        cat /run/rig/printed
        fail "no figures in dialect $1"
    }
    cat /run/rig/printed
    ops=$(sed -n 's/^operations per second: //p' /run/rig/printed)
    kib=$(sed -n 's/^KiB per second: //p' /run/rig/printed)
    note "dialect $1: $ops operations a second, one at a time ($(ratio "$ops" "$pings") of the pings), $kib KiB a second ($(ratio "$((kib / 4))" "$pings") pages per ping)"
}
ratio() {
    echo "$1 $2" | awk '{ printf "%.2f", $1 / $2 }'
}
figure 1
figure 2
figure 3
nothing_left "$id"
fsifctl detach "$id" data
backend_stop
