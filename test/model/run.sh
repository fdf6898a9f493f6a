#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [FOLDER]: check ring.pml as designed, which must pass, and each of its mutants, which must
# fail. Prints the states of each search.
set -eu
model=$(cd "$(dirname "$0")" && pwd)/ring.pml
if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
    echo "SKIP: spin or gcc is not installed"
    exit 77
fi
dir=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/fsif-model.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# search NAME: sets errors and states
search() {
    rm -f pan pan.* ./*.trail
    spin -a "-D$1" "$model" >spin.log 2>&1 || { cat spin.log; exit 1; }
    gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c
    ./pan -m100000 >pan.log
    errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.log)
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1/p' pan.log)
    if [ -z "$errors" ] || [ -z "$states" ] || grep -q 'max search depth too small\|out of memory\|aborted' pan.log; then
        echo "$1: the search did not finish"
        cat pan.log
        exit 1
    fi
}

bad=0
search DESIGN
if [ "$errors" = 0 ]; then
    echo "as designed: passes, $states states"
else
    echo "as designed: FAILS, $(grep ^pan:1 pan.log)"
    bad=1
fi
# A model with a typing mistake that never runs would pass too.
if grep -A99 '^unreached in' pan.log | grep -q 'ring.pml:.*state' &&
    grep 'ring.pml:.*state' pan.log | grep -qv -- '-end-'; then
    echo "as designed: has steps that never run"
    grep -A9 '^unreached in' pan.log
    bad=1
fi
for mutant in NO_BARRIER_READY NO_BARRIER_PROD NO_BARRIER_EVENT NO_BARRIER_TOKEN NO_LOOK_AGAIN \
    NO_RECHECK NO_ID_BOUND NO_TOKEN NO_RESERVE; do
    search "$mutant"
    if [ "$errors" = 0 ]; then
        echo "$mutant: PASSES, and must not; $states states"
        bad=1
    else
        echo "$mutant: fails as it must, $states states: $(sed -n 's/^pan:1: //p' pan.log)"
    fi
done
exit $bad
