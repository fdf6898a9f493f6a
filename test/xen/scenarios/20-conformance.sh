# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# timeout: 500
# The conformance program in a guest against a posix export in dom0. Without --full the two cases
# that make thousands of files, and take minutes on an emulated processor, are left out.
guest a
id=$(domid a)
rm -rf /tmp/conformance
mkdir -p /tmp/conformance
backend_start -e "data=/tmp/conformance,allow-domain=$id"
fsifctl attach "$id" data
: >/run/rig/conformance
cases="open-modes bad-handles read-write big-io sparse truncating attributes setid-masked
    directory-handle after-unlink directories removing renaming odd-names long-names space
    list-errors list-empty list-long list-many-at-once threads async-reads cancelling deadlines
    all-ids"
command="for c in $(echo "$cases" | tr '\n' ' '); do conformance --address xen:0 --export data --case \$c || exit 1; done"
[ -z "$RIG_FULL" ] || command='conformance --address xen:0 --export data'
guest_run a "$command" 450 >/run/rig/printed || {
    cat /run/rig/printed
    fail "conformance failed"
}
cat /run/rig/printed
grep -q '^1 cases, 0 failed$\|^[0-9][0-9] cases, 0 failed$' /run/rig/printed || fail "no cases"
if [ -z "$RIG_FULL" ]; then
    note "$(echo "$cases" | wc -w) cases passed"
else
    note "$(tail -n 1 /run/rig/printed)"
fi
nothing_left "$id"
fsifctl detach "$id" data
backend_stop
