# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 84
# timeout: 400
# shellcheck disable=SC2154 # a, old and answered are lib.sh's
# A frontend as Xen 3.3 to 4.1 had it: a ring of two pages, 56-byte slots, up to 6 pages in a
# request, stat in the response, closing and closed. Dialect 2 without a key of ours.
old_frontend_of 2 100

# It closes in good order and leaves its nodes, with its own state.
nothing_left
[ "$(xenstore-read "/local/domain/$a/device/vfs/0/state")" = closed ]
old_nodes_gone
guest_prints a "$old data cat file" '^hello$'
old_nodes_gone

# Late guests sent names that are paths of the host.
guest_prints a "$old data cat /tmp/old/data/file" '^hello$'
old_nodes_gone

# Killed while it is mounted, and mounted again on the same nodes.
guest_prints a "$old data hold 60 & sleep 2; kill -9 \$!; $old data cat file" '^hello$'
old_nodes_gone
for ref in 5000 999999 4294967295; do
    refused a "$old --forge-ref $ref data cat file"
    old_nodes_gone
done

# Sizes that are none: no answer; the next one works.
for size in 0 3 17 4294967295 x; do
    refused a "$old --patience 2000 --forge-size $size data cat file"
    old_nodes_gone
done
guest_prints a "$old data cat file" '^hello$'
old_nodes_gone
guest_prints a "$old data storm 3" '^[0-9]+ requests, '
old_nodes_gone
note "13 operations, 100 at once, 6 pages each, closed, killed, bad rings, storm; answered after $answered"
fsifctl detach "$a" data
backend_stop
