#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh [-j N] BUILD SECONDS [TARGET...]: run each fuzz target for SECONDS, N at a time (2), starting from the
# corpus of the tree; then show that each finds its planted bug. Prints executions, edges and corpus
# size; fails under the floors below, which are far beneath what two slow cores reach.
set -u
here=$(cd "$(dirname "$0")" && pwd)
at_once=2
if [ "$1" = -j ]; then
    at_once=$2
    shift 2
fi
build=$1
seconds=$2
shift 2

# target, executions in a second at least, edges at least
floors="
path      5000   55
request    400  600
response  3000  330
request3   400  900
response3 1000  400
listing    400  300
handshake  200  250
config     400  225
moves      500  850
xen         60  800
"
[ $# -gt 0 ] || mapfile -t all < <(awk 'NF { print $1 }' <<<"$floors")
[ $# -gt 0 ] || set -- "${all[@]}"

work=$(mktemp -d "${TMPDIR:-/tmp}/fsif-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

# fuzz TARGET: its line and 0 or 1
fuzz() {
    local t=$1 program=$build/test/fuzz/fuzz-$1 dir=$work/$1 dict=() runs edges corpus bad=0
    mkdir -p "$dir/new" "$dir/plant" "$dir/empty"
    [ ! -f "$here/$t.dict" ] || dict=(-dict="$here/$t.dict")
    if ! "$program" -max_total_time="$seconds" -max_len=4500 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$dir/" "${dict[@]}" "$dir/new" "$here/corpus/$t" >"$dir/log" 2>&1; then
        echo "target $t: FOUND SOMETHING"
        grep -v 'REDUCE\|NEW\|^"' "$dir/log" | tail -n 60
        for f in "$dir"/crash-* "$dir"/leak-* "$dir"/timeout-* "$dir"/oom-*; do
            [ ! -f "$f" ] || { echo "$f:"; base64 "$f"; }
        done
        return 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$dir/log" | tail -n 1)
    corpus=$(sed -n 's/.* corp: \([^ ]*\) .*/\1/p' "$dir/log" | tail -n 1)
    read -r _ per_second least < <(awk -v t="$t" '$1 == t' <<<"$floors")
    printf 'target %-10s %9d executions, %5d edges, corpus %s' "$t" "$runs" "$edges" "$corpus"
    [ "$runs" -ge $((per_second * seconds)) ] || { printf ', TOO FEW EXECUTIONS'; bad=1; }
    [ "$edges" -ge "$least" ] || { printf ', TOO FEW EDGES (%s)' "$least"; bad=1; }

    # The planted bug, from nothing but what the run above did not see: an empty corpus.
    if FSIF_FUZZ_PLANT=1 "$program" -max_total_time=240 -max_len=4500 -artifact_prefix="$dir/plant/" \
        "${dict[@]}" "$dir/empty" >"$dir/plant/log" 2>&1; then
        printf ', PLANTED BUG NOT FOUND'
        bad=1
    elif ! grep -q '^the planted bug was found' "$dir/plant/log"; then
        printf ', SOMETHING ELSE THAN THE PLANTED BUG'
        tail -n 30 "$dir/plant/log"
        bad=1
    else
        printf ', planted bug found after %s' \
            "$(sed -n 's/^#\([0-9]*\).*/\1/p' "$dir/plant/log" | tail -n 1)"
    fi
    printf '\n'
    return $bad
}

# Whoever is done takes the next.
bad=0
running=0
for t in "$@"; do
    if [ "$running" = "$at_once" ]; then
        wait -n || bad=1
        running=$((running - 1))
    fi
    { fuzz "$t" >"$work/$t.out"; } &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || bad=1
    running=$((running - 1))
done
for t in "$@"; do
    cat "$work/$t.out"
done
exit $bad
