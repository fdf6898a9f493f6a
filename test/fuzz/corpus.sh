#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# corpus.sh BUILD SECONDS TARGET: renew a target's corpus: run it, then keep the smallest set of small
# inputs that reaches every edge (not every count of passes) that was reached, 30 files at most.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1/test/fuzz/fuzz-$3
work=$(mktemp -d "${TMPDIR:-/tmp}/fsif-corpus.XXXXXX")
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
mkdir -p "$work/all" "$work/min" "$work/log" "$here/corpus/$3"
dict=()
[ ! -f "$here/$3.dict" ] || dict=(-dict="$here/$3.dict")
"$program" -max_total_time="$2" -max_len=4096 "${dict[@]}" -artifact_prefix="$work/" \
    "$work/all" "$here/corpus/$3" >"$work/log/run" 2>&1 || { tail -n 40 "$work/log/run"; exit 1; }
"$program" -set_cover_merge=1 -use_counters=0 "$work/min" "$work/all" "$here/corpus/$3" \
    >"$work/log/merge" 2>&1
rm -f "$here/corpus/$3"/*
find "$work/min" -type f -printf '%s %p\n' | sort -rn | head -n 30 | while read -r _ f; do
    cp "$f" "$here/corpus/$3/$(sha1sum "$f" | cut -c1-16)"
done
echo "$3: $(find "$here/corpus/$3" -type f | wc -l) files, $(du -sb "$here/corpus/$3" | cut -f1) bytes"
