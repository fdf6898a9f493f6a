# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 132
# timeout: 600
# Every way in which one side goes: the other notices at once, and the next session works.
guest a
id=$(domid a)
rm -rf /tmp/ends
mkdir -p /tmp/ends
echo hello >/tmp/ends/file
backend_start -e "data=/tmp/ends,allow-domain=$id"
fsifctl attach "$id" data

# begin COMMAND: start it and wait until it is at work
begin() {
    # What an earlier one left half done would end this one at once.
    rm -rf /tmp/ends/case-*
    guest_begin a "$1"
    wait_for 30 works || fail "no session"
}
works() {
    set -- /tmp/ends/case-*/entry-20*
    [ -e "$1" ]
}
still_works() {
    guest_prints a 'fsif -c xen:0 cat data:/file' '^hello$'
    nothing_left "$id"
}

ends() {
    # A session that goes on for minutes unless somebody ends it.
    long="conformance --address xen:0 --export data --dialect $1 --case list-many"

    # The frontend's process is killed: its canary dies.
    begin "$long & guest-ask node /local/domain/$id/data/rig/kill 120 $1; kill -9 \$!; wait \$!"
    xenstore-write "/local/domain/$id/data/rig/kill" "$1"
    guest_end a 30 && fail "it was not killed"
    nothing_left "$id"
    still_works

    # The worker is killed: the frontend is told, long before its calls would time out.
    begin "$long"
    [ "$(workers)" = 1 ]
    for p in /proc/[0-9]*; do
        grep -qs '^fsif-worker$' "$p/comm" || continue
        # It holds its own grants and events, two sockets, and nothing of xenstore.
        for f in "$p"/fd/*; do readlink "$f" || true; done >/run/rig/held
        cat /run/rig/held
        [ "$(grep -c '^socket:' /run/rig/held)" = 2 ] || fail "a worker has sockets of others"
        grep -q '^/dev/xen/gntdev$' /run/rig/held
        if grep -q xenbus /run/rig/held; then fail "a worker has xenstore"; fi
        kill -9 "${p#/proc/}"
    done
    guest_end a 20 && fail "it did not notice"
    still_works

    # The export is detached.
    begin "$long"
    fsifctl detach "$id" data
    guest_end a 20 && fail "it did not notice"
    nothing_left "$id"
    refused a 'fsif -c xen:0 cat data:/file'
    fsifctl attach "$id" data
    still_works

    # The daemon ends in good order, and comes back.
    begin "$long"
    backend_start -e "data=/tmp/ends,allow-domain=$id"
    guest_end a 20 && fail "it did not notice"
    still_works

    # The whole daemon is killed: nobody is left to write to xenstore, the canary tells. The next
    # daemon removes what this one left.
    begin "$long"
    kill -9 "$(cat /run/rig/backend.pid)"
    guest_end a 20 && fail "it did not notice"
    backend_start -e "data=/tmp/ends,allow-domain=$id"
    still_works
}
for dialect in 2 3; do
    ends $dialect
done

# Frames of the guest's grant table, which grows if references are not given back
grant_frames() {
    xl dmesg -c >/dev/null
    xl debug-keys g
    sleep 0.5
    xl dmesg | sed -n "/grant-table for remote d$id /{n;s/^(XEN) *\([0-9]*\) frames.*/\1/p}"
}

# Attach and detach with input and output.
still_works
frames=$(grant_frames)
n=$(count 5 200)
i=0
while [ $i -lt "$n" ]; do
    fsifctl detach "$id" data
    fsifctl attach "$id" data >/dev/null
    guest_prints a 'fsif -c xen:0 cat data:/file' '^hello$'
    i=$((i + 1))
done
nothing_left "$id"
grown=$(($(grant_frames) - frames))
[ "$grown" -le 3 ] || fail "the guest's grant table grew by $grown frames in $n sessions"
note "dialects 2 and 3: killed frontend, worker, daemon; detach; restart; $n attach and detach cycles, $grown frames of grants more"
fsifctl detach "$id" data
backend_stop
