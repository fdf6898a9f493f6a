# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 64
# timeout: 400
# shellcheck disable=SC2016,SC2154 # what a guest expands; a, old and answered are lib.sh's
# A frontend that behaves as that of 2008 does, defects and all: dialect 1 without a key of ours.
old_frontend_of 1 60

# It never takes its nodes away, and its guest's kernel never ended without the guest: what ends a
# session is the next one on the same nodes, or their removal.
[ "$(workers)" = 1 ]
old_nodes_gone

# Keys of an earlier life, of a frontend of ours that was killed.
guest_run a 'd=device/vfs/0
    xenstore-write $d/pages 4000000000 $d/canary-ref 7 $d/feature-errno 1 $d/backend /local/domain/0/backend/vfs/1'
refused a "$old --patience 2000 data cat file"
guest_run a 'xenstore-rm device/vfs/0'
guest_prints a "$old data cat file" '^hello$'

# Killed while it is mounted, and mounted again on the same nodes.
guest_prints a "$old data hold 60 & sleep 2; kill -9 \$!; $old data cat file" '^hello$'
old_nodes_gone

# A ring reference that is not a grant: no session, and the next one works.
for ref in 5000 999999 4294967295; do
    refused a "$old --forge-ref $ref data cat file"
    old_nodes_gone
done
guest_prints a "$old data cat file" '^hello$'

# An event storm while the other guest works.
guest b
b=$(domid b)
backend_stop
backend_start -e "data=/tmp/old/data,allow-domain=$a" -e "b=/tmp/old/b,allow-domain=$b"
fsifctl attach "$b" b
guest_begin a "$old data storm 5"
guest_prints b 'for i in 1 2 3; do echo $i >/tmp/w; fsif -c xen:0 put /tmp/w b:/w$i && fsif -c xen:0 cat b:/w$i || exit 1; done' '^3$'
guest_end a 60
guest_run a 'xenstore-rm device/vfs/0'
nothing_left "$a" "$b"
fsifctl detach "$b" b
note "13 operations, 60 at once, stale keys, killed, bad ring, event storm; answered after $answered"
fsifctl detach "$a" data
backend_stop
