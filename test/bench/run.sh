#!/bin/bash
# SPDX-License-Identifier: MIT
# Times libfsif against plain system calls in one run: both sides on one core, then one core each.
# usage: test/bench/run.sh BUILDDIR [fsif-bench's options]
set -eu
build=${1:?usage: test/bench/run.sh BUILDDIR [options]}
shift
tmp=$(mktemp -d -p /dev/shm)
daemon=
stop() {
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon"; daemon=; } || true
}
trap 'stop; rm -rf "$tmp"' EXIT

run() { # title, client's cpu, daemon's cpu
    mkdir -p "$tmp/data"
    : >"$tmp/out"
    taskset -c "$3" "$build/backends/server/fsif-backend" -l "shm:$tmp/s" -e "data=$tmp/data" \
        >"$tmp/out" 2>"$tmp/log" &
    daemon=$!
    until grep -q listening "$tmp/out"; do
        kill -0 "$daemon" 2>/dev/null || { cat "$tmp/log" >&2; exit 1; }
        read -r -t 0.05 <> <(:) || true
    done
    echo "== $1"
    taskset -c "$2" "$build/test/bench/fsif-bench" "shm:$tmp/s" data "$tmp/data" "${@:4}"
    stop
    rm -rf "$tmp/data"
}

echo "machine: $(nproc) cores, $(uname -r), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
run "one core" 0 0 "$@"
[ "$(nproc)" -lt 2 ] || run "two cores" 0 1 "$@"
