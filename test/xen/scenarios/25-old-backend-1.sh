# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# timeout: 200
# Our frontend on a backend of 2008: one box for all requests, the frontend told of nodes that are
# not there yet, -1 for every error, answers in reverse order.
guest a
id=$(domid a)
rm -rf /tmp/oldback
mkdir -p /tmp/oldback/d
echo hello >/tmp/oldback/d/file
node="/local/domain/$id/device/vfs"
xenstore-write "$node" ""
xenstore-chmod "$node" "n$id" b0
old_backend_start --dialect 1 data /tmp/oldback
# It does not say which dialect it speaks.
fsif='fsif -c xen:0 --dialects 1'
guest_prints a "$fsif exports" '^data '
guest_prints a "$fsif cat data:/d/file" '^hello$'
guest_prints a "$fsif ls data:/d" '^file$'
# shellcheck disable=SC2016 # what the guest expands
guest_run a 'mkdir -p /tmp/t/e && cp /bin/fsif /tmp/t && for i in 1 2 3 4 5; do echo $i >/tmp/t/e/$i; done'
guest_run a "$fsif put --verify /tmp/t data:/ && $fsif get --verify data:/t/ /tmp/back" 100
guest_run a 'cmp /tmp/t/fsif /tmp/back/fsif && cmp /tmp/t/e/5 /tmp/back/e/5; rm -rf /tmp/t /tmp/back'
cmp /tmp/oldback/t/fsif /bin/fsif
guest_run a "$fsif mv data:/d/file data:/d/other && $fsif rm data:/d/other && $fsif df data:"
[ ! -e /tmp/oldback/d/file ]
# It tells no reason.
refused a "$fsif cat data:/none" 'gives no reason'
# The frontend's nodes are gone with each session; the backend's are its own affair.
[ -z "$(xenstore-list "$node")" ] || fail "left: $(xenstore-ls "$node")"

# It is killed: nothing tells, for there is no canary and its nodes stay. A call ends by its limit.
guest_begin a "$fsif -t 5 put /lib/x86_64-linux-gnu/libc.so.6 data:/big; $fsif -t 5 cat data:/big >/dev/null"
wait_for 20 test -e /tmp/oldback/big || wait_for 5 sh -c 'ls -a /tmp/oldback | grep -q fsif-'
kill -9 "$(cat /run/rig/old-backend.pid)"
if guest_end a 60; then fail "it did not notice"; fi
old_backend_stop
xenstore-rm /local/domain/0/backend/vfs
note "a tree of $(find /tmp/oldback/t -type f | wc -l) files there and back"
