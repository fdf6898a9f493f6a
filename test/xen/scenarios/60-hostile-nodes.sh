# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 19
# timeout: 400
# shellcheck disable=SC2016,SC2154 # what a guest expands; backend_log is lib.sh's
# A guest writes hostile values into every node that it may write, while another one works.
guest a
guest b
a=$(domid a)
b=$(domid b)
rm -rf /tmp/hostile
mkdir -p /tmp/hostile/a /tmp/hostile/b
echo "of a" >/tmp/hostile/a/file
echo "of b" >/tmp/hostile/b/file
backend_start -e "a=/tmp/hostile/a,allow-domain=$a" -e "b=/tmp/hostile/b,allow-domain=$b"
fsifctl attach "$a" a
fsifctl attach "$b" b
pid=$(cat /run/rig/backend.pid)
descriptors() {
    find "/proc/$pid/fd" | wc -l
}
before=$(descriptors)
seconds=$(count 10 60)
seed=$(date +%s)
guest_begin a "hostile-nodes 0 $seconds $seed"
i=0
while ! guest_answered a; do
    guest_prints b 'fsif -t 20 -c xen:0 cat b:/file' '^of b$' >/dev/null
    i=$((i + 1))
done
guest_end a 30 >/run/rig/printed
printed=$(cat /run/rig/printed)
backend_runs || fail "the daemon died"
nothing_left
same_descriptors() {
    [ "$(descriptors)" -le "$before" ]
}
wait_for 10 same_descriptors || fail "descriptors: $before before, $(descriptors) after"
guest_run a 'xenstore-list device/vfs | while read n; do xenstore-rm device/vfs/$n; done'
guest_prints a 'fsif -c xen:0 cat a:/file' '^of a$'
guest_prints b 'fsif -c xen:0 cat b:/file' '^of b$'
nothing_left "$a" "$b"
note "$seconds s, seed $seed: $printed; $(wc -l <"$backend_log") log lines; the other guest was served $i times"
fsifctl detach "$a" a
fsifctl detach "$b" b
backend_stop
