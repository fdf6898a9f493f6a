#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What came of a run: reads what dom0 reported and every console, prints each scenario's result and
# whatever makes results worthless. Exit code 0: all passed and nothing broke.
#   verdict.sh WORK SCENARIO...   WORK has console.log, channel.log and logs/
set -u
work=$1
shift
channel=$work/channel.log
passed=0
failed=0
skipped=0

# A kernel or a hypervisor that broke, or a program that crashed, makes every result worthless.
bad='Kernel panic|Oops:|BUG:|kernel BUG|soft lockup|hard LOCKUP|rcu:.*(stall|detected)'
bad="$bad|blocked for more than|general protection|segfault at|Segmentation fault"
bad="$bad|unable to handle|Call Trace|FATAL TRAP|\(XEN\).*(Panic|Assertion|Xen BUG)|DOUBLE FAULT"
bad="$bad|AddressSanitizer|runtime error:"

for s; do
    line=$(tr -d '\r' <"$channel" | grep -a "^RESULT $s " | tail -n 1)
    case $line in
    "RESULT $s pass "*) passed=$((passed + 1)) ;;
    "RESULT $s skip "*) skipped=$((skipped + 1)) ;;
    "RESULT $s fail "*) failed=$((failed + 1)) ;;
    *)
        failed=$((failed + 1))
        line="RESULT $s fail - no result: it did not run to its end"
        ;;
    esac
    echo "${line#RESULT }"
    tr -d '\r' <"$channel" | grep -a "^NOTE $s " | sed 's/^NOTE [^ ]* /    /'
    case $line in
    *" fail "*) [ ! -f "$work/logs/$s.log" ] || sed 's/^/    | /' "$work/logs/$s.log" | tail -n 60 ;;
    esac
done

for f in "$work/console.log" "$work"/logs/console/* "$work"/logs/*.txt; do
    [ -e "$f" ] || continue
    if grep -aEq "$bad" "$f"; then
        failed=$((failed + 1))
        echo "a kernel, Xen or a program broke; $f:"
        grep -aE -m 5 -A 12 "$bad" "$f"
    fi
done
if ! grep -aq '^TAR-END' "$channel"; then
    failed=$((failed + 1))
    echo "dom0 did not come to its end: its last words:"
    tail -n 15 "$work/console.log"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
