#!/bin/sh
# SPDX-License-Identifier: MIT
# tidy.sh BUILD: clang-tidy over the sources of libraries and programs, as BUILD compiles them
set -eu
cd "$(dirname "$0")/../.."
build=$1
files=$(git ls-files 'libfsif/*.c' 'transports/*.c' 'backends/*.c' 'frontends/*.c')
known=$(python3 -c 'import json, os, sys
print("\n".join(os.path.relpath(e["file"]) for e in json.load(open(sys.argv[1]))))' \
    "$build/compile_commands.json")
list=$(for f in $files; do printf '%s\n' "$known" | grep -Fx "$f" || true; done | sort -u)
[ -n "$list" ] || { echo "nothing of the tree is compiled in $build"; exit 1; }
printf '%s\n' "$list" | wc -l
printf '%s\n' "$list" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build"
