#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each way in which a run of the rig can go wrong, as a recorded console: verdict.sh must see it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A run in which one and two passed.
good() {
    rm -rf "${work:?}"/*
    mkdir -p "$work/logs/console"
    printf 'RESULT one pass 3s\r\nNOTE one a figure\r\nRESULT two pass 4s\r\nTAR-END\r\n' \
        >"$work/channel.log"
    echo '(XEN) Dom0 has maximum 1 VCPUs' >"$work/console.log"
    echo 'GUEST-UP' >"$work/logs/console/guest-a.log"
    echo '(XEN) grant-table for remote d1' >"$work/logs/xl-dmesg.txt"
    echo 'xen:grant_table: Grant tables using version 1 layout' >"$work/logs/dom0-dmesg.txt"
}

# expect CODE LAST-LINE WHAT
expect() {
    "$here/verdict.sh" "$work" one two >"$work/out" 2>&1
    local code=$?
    if [ "$code" != "$1" ] || [ "$(tail -n 1 "$work/out")" != "$2" ]; then
        echo "FAILED: $3: exit code $code, $1 was expected:"
        cat "$work/out"
        failures=$((failures + 1))
    fi
}

good
expect 0 "2 passed, 0 failed, 0 skipped" "a good run"
grep -q '^    a figure$' "$work/out" || { echo "FAILED: a note is lost"; failures=1; }

# planted FILE TEXT: one line on one console fails the run
planted() {
    good
    echo "$2" >>"$work/$1"
    expect 1 "2 passed, 1 failed, 0 skipped" "$1: $2"
}
for console in console.log logs/console/guest-a.log; do
    while read -r line; do planted $console "$line"; done <<'END'
[    4.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b
[   12.5] Oops: 0002 [#1] PREEMPT SMP NOPTI
[   12.5] BUG: unable to handle page fault for address: ffffc9004002a000
[   12.5] kernel BUG at drivers/xen/grant-table.c:1130!
[   66.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [fsif-worker:331]
[   66.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0
[   81.2] rcu: INFO: rcu_sched self-detected stall on CPU
[  242.8] INFO: task xenstored:71 blocked for more than 120 seconds.
[   12.5] traps: fsif[66] general protection fault ip:7f trap sp:7f error:0
[   12.5] fsif-worker[331]: segfault at 8 ip 00005555 sp 00007ffe error 4 in fsif-backend
Segmentation fault
[   12.5] Call Trace:
==331==ERROR: AddressSanitizer: heap-use-after-free on address 0x602
END
done
planted console.log "(XEN) Panic on CPU 0:"
planted console.log "(XEN) Assertion 'spin_is_locked(&t->lock)' failed at grant_table.c:101"
planted console.log "(XEN) Xen BUG at common/grant_table.c:1234"
planted console.log "(XEN) FATAL TRAP: vector = 14 (page fault)"
planted logs/xl-dmesg.txt "(XEN) Xen BUG at common/grant_table.c:1234"
planted logs/dom0-dmesg.txt "[   12.5] fsif-worker[331]: segfault at 8 ip 00005555"

good
sed -i '/^RESULT two/d' "$work/channel.log"
expect 1 "1 passed, 1 failed, 0 skipped" "a missing result"
good
sed -i 's/^RESULT two pass/RESULT two fail/' "$work/channel.log"
expect 1 "1 passed, 1 failed, 0 skipped" "a failed scenario"
good
sed -i 's/^RESULT two pass/RESULT two skip/' "$work/channel.log"
expect 0 "1 passed, 0 failed, 1 skipped" "a skipped scenario"
good
sed -i 's/^RESULT .* pass/RESULT x skip/' "$work/channel.log"
expect 1 "0 passed, 2 failed, 0 skipped" "no results at all"
good
sed -i '/^TAR-END/d' "$work/channel.log"
expect 1 "2 passed, 1 failed, 0 skipped" "dom0 ended early"
good
: >"$work/channel.log"
: >"$work/console.log"
expect 1 "0 passed, 3 failed, 0 skipped" "nothing came up"

[ "$failures" = 0 ] && echo "each planted defect was seen"
exit $((failures != 0))
