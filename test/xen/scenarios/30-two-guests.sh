# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 72
# timeout: 400
# shellcheck disable=SC2154 # backend_log is lib.sh's
# Two guests, each with an export of its own and one shared read-only: neither gets at the other's,
# whatever it writes into xenstore.
guest a
guest b
a=$(domid a)
b=$(domid b)
rm -rf /tmp/two
mkdir -p /tmp/two/a /tmp/two/b /tmp/two/shared
echo "of a" >/tmp/two/a/file
echo "of b" >/tmp/two/b/file
echo "of both" >/tmp/two/shared/file
backend_start -e a=/tmp/two/a -e b=/tmp/two/b -e shared=/tmp/two/shared -e secret=/tmp,allow-uid=0
ea=$(attach_number "$a" a)
eb=$(attach_number "$b" b)
fsifctl attach "$a" shared ro
fsifctl attach b shared ro
fsifctl list
fsifctl show shared

# What each is for.
guest_prints a 'fsif -c xen:0 exports | tr "\n" ";"' '^a rw;shared ro;$'
guest_prints b 'fsif -c xen:0 exports | tr "\n" ";"' '^b rw;shared ro;$'
guest_prints a 'fsif -c xen:0 cat a:/file shared:/file | tr "\n" ";"' '^of a;of both;$'
guest_prints b 'fsif -c xen:0 cat b:/file shared:/file | tr "\n" ";"' '^of b;of both;$'
refused b 'echo x >/tmp/x; fsif -c xen:0 put /tmp/x shared:/x'
[ ! -e /tmp/two/shared/x ]

# By name.
refused b 'fsif -c xen:0 cat a:/file'
refused a 'fsif -c xen:0 cat b:/file'
refused a 'fsif -c xen:0 cat secret:/two/b/file'

# Attached, but not on the daemon's own list.
fsifctl --backend 0 attach "$a" secret
refused a 'fsif -c xen:0 cat secret:/two/b/file'
grep -q 'event=denied.*domain:'"$a"'.*export=secret' "$backend_log" || fail "it was not denied"
fsifctl --backend 0 detach "$a" secret

# By xenstore: the other's export is not readable, its request node and its nodes not writable.
vfs=/local/domain/0/backend/vfs
refused b "xenstore-read $vfs/exports/$ea/name"
refused b "xenstore-write $vfs/exports/$ea/frontend-id $b"
refused b "xenstore-write $vfs/exports/requests/$a/$ea/frontend /local/domain/$a/device/vfs/0"
refused b "xenstore-write /local/domain/$a/device/vfs/0/state ready"
refused b "xenstore-ls $vfs/exports/requests"
refused b "xenstore-write $vfs/exports/9/name b"

# b asks for a's export in its own request node, then for its own with a's path, and so on: what
# the daemon can see is refused, the request goes away and no session begins.
# spoof NAME NODE VALUE
spoof() {
    before=$(grep -c session-begin "$backend_log" || true)
    guest_run "$1" "d=device/vfs/7; xenstore-write \$d/ring-ref 8 \$d/event-channel 1 \$d/state ready
        xenstore-write $2 $3"
    wait_for 5 sh -c "! xenstore-exists $2" || fail "the request $2 stays"
    [ "$(grep -c session-begin "$backend_log" || true)" = "$before" ] || fail "$2 = $3 was served"
    ! xenstore-exists "/local/domain/$(domid "$1")/device/vfs/7/backend" ||
        fail "$2 = $3 got an answer"
    guest_run "$1" 'xenstore-rm device/vfs/7'
}
spoof b "$vfs/exports/requests/$b/$ea/frontend" "/local/domain/$b/device/vfs/7"
spoof b "$vfs/exports/requests/$b/$eb/frontend" "/local/domain/$a/device/vfs/0"
spoof b "$vfs/exports/requests/$b/$eb/frontend" "/local/domain/$b/device/vfs/7/../../../../$a/device/vfs/0"
spoof b "$vfs/exports/requests/$b/$eb/frontend" "/local/domain/$b/device/vfs/07"
spoof b "$vfs/exports/requests/$b/$eb/frontend" "/local/domain/$b/data"
spoof b "$vfs/exports/requests/$b/99/frontend" "/local/domain/$b/device/vfs/7"
spoof b "$vfs/exports/requests/$b/x/frontend" "/local/domain/$b/device/vfs/7"

# By devices: the other's are not readable, its side of them not writable, and what b makes or changes
# on its own side leads to no other export.
back=/local/domain/0/backend/fsif
refused b "xenstore-read $back/$a/0/name"
refused b "xenstore-ls $back"
refused b "xenstore-write $back/$b/0/name a"
refused b "xenstore-write $back/$b/0/state 4"
refused b "xenstore-write $back/$b/9/name a"
refused b "xenstore-read /local/domain/$a/device/fsif/0/state"
refused b "xenstore-write /local/domain/$a/device/fsif/0/state 3"
guest_run b "d=device/fsif/77; xenstore-write \$d/backend $back/$a/0 \$d/backend-id 0 \$d/dialects 3 \$d/state 3"
guest_run b "xenstore-write device/fsif/0/backend $back/$a/0"
refused b 'fsif -c xen:0 --dialects 3 cat a:/file'
guest_run b "xenstore-write device/fsif/0/backend $back/$b/0; xenstore-rm device/fsif/77"
[ "$(xenstore-read "$back/$a/0/state")" = 2 ]
# device_refused KEYS VALUES...: an offer on b's device 0 is answered with a status
device_refused() {
    guest_run b "d=device/fsif/0; xenstore-write \$d/dialects 3 \$d/pages 40 \$d/queues 1 \$d/slots 8 \
        \$d/arena-pages 16 \$d/max-io 65536 \$d/directory 8 \$d/event-channel 3 \$d/export a $1 \$d/state 3"
    await_node "$back/$b/0/status" 15 || fail "the device with $1 was not refused"
    [ "$(xenstore-read "$back/$b/0/state")" = 6 ] || fail "the device with $1 is not closed"
    [ "$(xenstore-read "$back/$b/0/status")" != 0 ]
    guest_run b 'xenstore-write device/fsif/0/state 1'
    nothing_left
}
# shellcheck disable=SC2016 # what the guest expands
for keys in '$d/directory 999999' '$d/event-channel 999' '$d/queues 17' '$d/pages 4294967295' \
    '$d/queues 2' '$d/slots 7'; do
    device_refused "$keys"
done

# Grants that are not there, or are the other guest's: the session does not start.
is_closed() {
    [ "$(xenstore-read "$(xenstore-read "/local/domain/$b/device/vfs/7/backend")/state")" = closed ]
}
for ref in 8 999999 4294967295; do
    guest_run b "d=device/vfs/7; xenstore-write \$d/ring-ref $ref \$d/event-channel 3 \$d/state ready
        xenstore-write $vfs/exports/requests/$b/$eb/frontend /local/domain/$b/device/vfs/7"
    wait_for 15 is_closed || fail "ring $ref was not refused"
    guest_run b 'xenstore-rm device/vfs/7'
    nothing_left
done

# Handles: a has one open, b tries it and those around it in a session of its own.
old='old-frontend --patience 10000'
guest_begin a "$old --import 5 a hold 10"
await_node "/local/domain/$a/data/handle" 30 || fail "a has no handle"
handle=$(xenstore-read "/local/domain/$a/data/handle")
[ "$handle" -ge 0 ]
guest_run b "$old --import 5 b steal $handle; c=\$?; xenstore-rm device/vfs/5; exit \$c"
guest_end a 60
guest_run a 'xenstore-rm device/vfs/5'
xenstore-rm "/local/domain/$a/data/handle"

# Nobody was hurt.
guest_prints a 'fsif -c xen:0 cat a:/file' '^of a$'
guest_prints b 'fsif -c xen:0 cat b:/file' '^of b$'
note "names, nodes, 7 forged requests, 3 forged rings, 6 forged devices, another's handle: all refused, neither guest was hurt"
nothing_left "$a" "$b"
for e in a shared; do fsifctl detach "$a" $e; done
for e in b shared; do fsifctl detach "$b" $e; done
backend_stop
