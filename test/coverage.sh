#!/bin/sh
# SPDX-License-Identifier: MIT
# coverage.sh BUILD: what the tests that ran in a coverage build reached. Fails below 95 % of the lines
# of libfsif/ and below 90 % of the branches of codec, path and ring.
set -eu
cd "$(dirname "$0")/.."
build=$1

# percent line|branch FILTER...: prints the number
percent() {
    kind=$1
    shift
    gcovr -r . --object-directory "$build" --exclude-unreachable-branches --exclude-throw-branches \
        "$@" --json-summary-pretty --json-summary "$build/coverage.json" >/dev/null
    python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))[sys.argv[2] + "_percent"])' "$build/coverage.json" "$kind"
}

# judge WHAT NUMBER FLOOR
judge() {
    printf '%-32s %6.1f %% (floor %s %%)\n' "$1" "$2" "$3"
    awk -v n="$2" -v f="$3" 'BEGIN { exit !(n >= f) }' || bad=1
}

bad=0
gcovr -r . --object-directory "$build" --exclude-unreachable-branches --exclude-throw-branches \
    --filter 'libfsif/' || true
echo
judge "lines of libfsif/" "$(percent line --filter 'libfsif/')" 95
for part in codec path ring; do
    judge "branches of libfsif/$part" \
        "$(percent branch --filter "libfsif/${part}[0-9a-z_]*\\.[ch]\$")" 90
done
exit $bad
