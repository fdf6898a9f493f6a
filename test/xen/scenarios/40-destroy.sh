# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 51
# timeout: 900
# xl destroy of a guest with 32 requests in flight: nothing of it stays, and the other guest does not
# notice. The victim is allowed by its UUID, and attached before it runs; its export is a store that
# takes 9 s for a read, so that none of the 32 is answered when it goes.
guest b
b=$(domid b)
uuid=0a1b2c3d-0000-4000-8000-00000000000f
rm -rf /tmp/destroy
mkdir -p /tmp/destroy/b
echo "of b" >/tmp/destroy/b/file
backend_start -e "victim=slow:9000,allow-domain=$uuid" \
    -e "b=/tmp/destroy/b,allow-domain=$b"
fsifctl attach "$b" b
guest_prints b 'fsif -c xen:0 cat b:/file' '^of b$'
nothing_left

# Processes, the daemon's descriptors, domains, xenstore's nodes and the grants that are in use.
lists() {
    echo "workers $(workers), descriptors $(find "/proc/$(cat /run/rig/backend.pid)/fd" | wc -l)"
    xl list | awk '{ print $1 }'
    xenstore-ls -f /local/domain/0/backend/vfs
    xenstore-ls -f /local/domain/0/backend/fsif
    xl dmesg -c >/dev/null
    xl debug-keys g
    sleep 0.5
    xl dmesg | grep -E 'grant-table for|\[0x'
}

same() {
    lists >/run/rig/after
    cmp -s /run/rig/before /run/rig/after
}

rounds=$(count 2 20)
i=0
while [ $i -lt "$rounds" ]; do
    i=$((i + 1))
    victim=victim$i
    lists >/run/rig/before
    guest_create $victim 192 "uuid=\"$uuid\""
    v=$(domid $victim)
    fsifctl attach "$uuid" victim
    guest_boot $victim
    # An old frontend, and ours in dialect 3, in turn.
    if [ $((i % 2)) = 1 ]; then
        guest_begin $victim 'old-frontend --patience 10000 victim flood 32'
    else
        guest_begin $victim 'flood xen:0 victim 3 32'
    fi
    await_node "/local/domain/$v/data/flood" 60 || fail "no requests in flight"
    [ "$(xenstore-read "/local/domain/$v/data/flood")" = "32 asked, 0 answered" ] ||
        fail "not 32 in flight: $(xenstore-read "/local/domain/$v/data/flood")"
    # shellcheck disable=SC2016
    guest_begin b \
        'i=0; while [ $i -lt 4 ]; do fsif -c xen:0 cat b:/file || exit 1; i=$((i + 1)); done'
    [ "$(workers)" -ge 1 ] || fail "no worker serves it"
    xl destroy $victim
    guest_end b 60 >/run/rig/printed || fail "the other guest noticed"
    [ "$(grep -c '^of b$' /run/rig/printed)" = 4 ] || fail "the other guest noticed"
    nothing_left
    ! xenstore-exists "/local/domain/$v" || fail "nodes of the domain stay"
    wait_for 15 same || {
        diff /run/rig/before /run/rig/after || true
        fail "something stays"
    }
done
cat /run/rig/after
note "$rounds guests destroyed, old frontends and ours in turn, with 32 requests in flight; processes, descriptors, grants, nodes equal"
fsifctl detach "$b" b
backend_stop
