#!/bin/sh
# SPDX-License-Identifier: MIT
# Share a directory through a ring in shared memory, from a clean clone, in one command:
#
#   examples/quickstart.sh [DIR]      (default: /usr/share/doc)
#
# Installs what is missing (as root; else says what), builds, starts the daemon on a private socket,
# lists DIR, copies all of it out and back in through the ring, compares checksums with the original
# and leaves nothing running. DIR is only read.
set -eu
LC_ALL=C
export LC_ALL

packages="gcc libc6-dev cmake ninja-build pkg-config libuv1-dev libxxhash-dev libjansson-dev"

dir=${1:-/usr/share/doc}
top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build/quickstart

die() {
    echo "quickstart: $*" >&2
    exit 1
}

[ $# -le 1 ] || { echo "usage: quickstart.sh [DIR]" >&2; exit 2; }
[ -d "$dir" ] || die "$dir is not a directory"
dir=$(cd "$dir" && pwd -P)

tmp=$(mktemp -d)
daemon=
finish() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
    printf '\n== %s\n' "$*"
}

apt_install() {
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $1 \
        >"$tmp/apt" 2>&1
}

install_missing() {
    missing=
    for p in $packages; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || die "packages are missing, and only root can install them:$missing"
    say "installing$missing"
    apt_install "$missing" || {
        apt-get update -q >"$tmp/apt" 2>&1
        apt_install "$missing"
    } || {
        cat "$tmp/apt"
        die "apt-get failed"
    }
}

build_all() {
    say "building into $build"
    {
        cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFSIF_TESTS=OFF \
            -DFSIF_EXAMPLES=OFF && cmake --build "$build"
    } >"$tmp/build" 2>&1 || {
        cat "$tmp/build"
        die "the build failed"
    }
    fsif=$(find "$build" -type f -name fsif -perm -u+x | head -n 1)
    backend=$(find "$build" -type f -name fsif-backend -perm -u+x | head -n 1)
    [ -n "$fsif" ] || die "fsif was not built"
    [ -n "$backend" ] || die "fsif-backend was not built"
}

# The daemon serves when it prints its line, and only then.
start_daemon() {
    say "serving $dir"
    mkdir "$tmp/in"
    escaped=$(printf '%s' "$dir" | sed 's/[\\,]/\\&/g')
    "$backend" -l "shm:$tmp/sock" -e "original=$escaped,ro" -e "in=$tmp/in" >"$tmp/ready" 2>"$tmp/log" &
    daemon=$!
    tries=0
    until grep -q listening "$tmp/ready"; do
        kill -0 "$daemon" 2>/dev/null || { cat "$tmp/log"; die "the daemon did not start"; }
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || die "the daemon does not say that it listens"
        sleep 0.1
    done
    FSIF_ADDRESS=shm:$tmp/sock
    export FSIF_ADDRESS
    cat "$tmp/ready"
}

# Links are followed by the backend, inside the export. What leads out of it, or nowhere, cannot be
# read there, nor can sockets and devices; a file or directory that cannot be read is a failure.
check_complaints() {
    while IFS= read -r line; do
        path=${line#fsif: original:/}
        path=${path%: *}
        if [ ! -L "$dir/$path" ]; then
            [ ! -f "$dir/$path" ] || die "$line"
            [ ! -d "$dir/$path" ] || die "$line"
        fi
        links=$((links + 1))
    done <"$1"
}

milliseconds() {
    date +%s%3N
}

# What was moved between two moments, in words: NAME FILES BYTES MS
report() {
    awk -v name="$1" -v files="$2" -v bytes="$3" -v ms="$4" 'BEGIN {
        if (ms < 1) ms = 1
        printf "%s: %d files, %d bytes in %.2f s, %.1f MB/s, %.0f files/s\n",
            name, files, bytes, ms / 1000, bytes / ms / 1000, files * 1000 / ms }'
}

checksums() {
    (cd "$1" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

install_missing
build_all
start_daemon

say "fsif exports; fsif ls -l original:/"
"$fsif" exports
"$fsif" ls -l original:/ >"$tmp/list" 2>"$tmp/complaints" || true
head -n 10 "$tmp/list"
echo "... $(wc -l <"$tmp/list") entries"

say "fsif get original:/ out; fsif put out/ in:/"
links=0
begun=$(milliseconds)
"$fsif" get original:/ "$tmp/out/" 2>"$tmp/complaints" || status=$?
[ "${status-0}" -le 1 ] || die "get failed: $(cat "$tmp/complaints")"
ended=$(milliseconds)
check_complaints "$tmp/complaints"
files=$(find "$tmp/out" -type f | wc -l)
bytes=$(find "$tmp/out" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }')
report out "$files" "$bytes" $((ended - begun))
begun=$(milliseconds)
"$fsif" put "$tmp/out/" in:/
ended=$(milliseconds)
report in "$files" "$bytes" $((ended - begun))

say "comparing checksums"
checksums "$dir" >"$tmp/sums.original"
checksums "$tmp/out" >"$tmp/sums.out"
checksums "$tmp/in" >"$tmp/sums.in"
cmp "$tmp/sums.out" "$tmp/sums.in" || die "what went in is not what came out"
# Copies of links are files too: every line of the original must be there, none changed.
sort "$tmp/sums.out" >"$tmp/sorted.out"
sort "$tmp/sums.original" | comm -23 - "$tmp/sorted.out" >"$tmp/different"
[ ! -s "$tmp/different" ] || { cat "$tmp/different"; die "the copy differs from $dir"; }
[ -s "$tmp/sums.original" ] || die "$dir has no files"
originals=$(wc -l <"$tmp/sums.original")
echo "$originals files of $dir, copied out and in: all the same"
if [ "$files" -gt "$originals" ]; then
    echo "$((files - originals)) more files were copied: what symbolic links inside $dir lead to"
fi
if [ "$links" -gt 0 ]; then
    echo "$links symbolic links and special files could not be read inside the export: left out"
fi

say "stopping"
kill "$daemon"
wait "$daemon" && status=0 || status=$?
daemon=
[ "$status" = 0 ] || die "the daemon ended with $status: $(tail -n 5 "$tmp/log")"
echo "done"
