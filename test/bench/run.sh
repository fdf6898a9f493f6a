#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Measures libfsif beside plain system calls and peers; `run.sh --help` says how.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=
json=
svg=
readme=
idle_seconds=10
pass=()

usage() {
    cat <<'END'
usage: test/bench/run.sh [OPTION...] [PEER...]
Everything is built (preset bench), started, measured and stopped. Peers: virtiofsd virtiofsd-spin
fuse diod sftp-server ganesha; none named: all that are there. test/bench/packages.sh --install
gets them.
  --quick        fewer rounds, smaller file and folder: shows that it works, its figures are rough
  --json FILE    keep samples and results
  --svg FILE     draw them
  --readme       put table and drawing into README.md and test/bench/results
  --build DIR    use this build instead of one in build/bench
  --rounds N     of each row, 1 to 64 (21; --quick: 5)
  --rows ID,...  only these rows (the table's names: see the JSON)
  --modes SXU    S: both sides on one core; X: one core each; U: wherever the scheduler puts
                 them, which no floor and no goal is asked of (--quick: SX)
  --no-extras    without sessions, handles, entries, silence, idle, footprint
  --spin-us N    how long our client polls before it sleeps, instead of its default
  --report FILE  measure nothing: print the table of a JSON file again
END
}

report() {
    python3 -B "$here/report.py" "$@"
}

while [ $# -gt 0 ]; do
    case $1 in
    --quick) idle_seconds=2; pass+=(--quick); shift ;;
    --no-extras) extras=no; pass+=(--no-extras); shift ;;
    --readme) readme=1; shift ;;
    --json | --svg | --build | --report)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case $1 in
        --json) json=$2 ;;
        --svg) svg=$2 ;;
        --build) build=$2 ;;
        --report) report table "$2"; exit 0 ;;
        esac
        shift 2
        ;;
    --rounds | --rows | --modes | --spin-us)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        pass+=("$1" "$2")
        shift 2
        ;;
    --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) pass+=("$1"); shift ;;
    esac
done

if [ -z "$build" ]; then
    build=$root/build/bench
    cmake --preset bench -S "$root" -B "$build" >/dev/null
    cmake --build "$build" -j "$(nproc)" --target fsif-backend fsif-bench bench-idle-client >/dev/null
fi
build=$(cd "$build" && pwd)

scratch=/dev/shm
[ -d "$scratch" ] && [ -w "$scratch" ] || scratch=${TMPDIR:-/tmp}
tmp=$(mktemp -d -p "$scratch" fsif-bench.XXXXXX)
chmod 755 "$tmp"
bench=

# Mounts first: rm must not get at what is mounted.
clean() {
    trap '' INT TERM HUP
    [ -z "$bench" ] || { kill -KILL "$bench" && wait "$bench"; } 2>/dev/null || true
    awk -v below="$tmp/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo |
        while IFS= read -r mount; do umount -l "$mount"; done
    rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# option PROGRAM PATH...: "--option PATH" of the first that can be run
found() {
    local option=$1 path
    shift
    for path; do
        path=$(command -v "$path" || true)
        [ -z "$path" ] || { pass=("$option" "$path" "${pass[@]}"); return; }
    done
}

# libfuse's examples are sources
examples=/usr/share/doc/libfuse3-dev/examples
for name in passthrough_ll passthrough_fh; do
    # shellcheck disable=SC2046 # several words are wanted
    ! [ -e "$examples/$name.c" ] ||
        ${CC:-gcc} -O2 -w -o "$tmp/$name" "$examples/$name.c" $(pkg-config --cflags --libs fuse3) ||
        rm -f "$tmp/$name"
done
found --fuse-ll "$tmp/passthrough_ll"
found --fuse-fh "$tmp/passthrough_fh"
found --virtiofsd /usr/lib/qemu/virtiofsd
found --diod diod /usr/sbin/diod
found --sftp /usr/lib/openssh/sftp-server
found --ganesha ganesha.nfsd /usr/bin/ganesha.nfsd

report machine "$tmp/machine.json"
mkdir "$tmp/work"
"$build/test/bench/fsif-bench" --dir "$tmp/work" --backend "$build/backends/server/fsif-backend" \
    --json "$tmp/raw.json" "${pass[@]}" &
bench=$!
wait "$bench" || { bench=; echo "run.sh: failed; the peers' log:" >&2; tail "$tmp/work/log" >&2; exit 1; }
bench=

parts=("$tmp/machine.json")
if [ -z "${extras-}" ]; then
    python3 -B "$here/idle.py" "$build" "$idle_seconds" "$tmp/idle.json"
    python3 -B "$here/footprint.py" "$root" "$tmp/footprint.json" "${CC:-gcc}"
    parts+=("$tmp/idle.json" "$tmp/footprint.json")
fi
report merge "$tmp/result.json" "$tmp/raw.json" "${parts[@]}"
report table "$tmp/result.json"
if [ -n "$readme" ]; then
    mkdir -p "$here/results"
    json=${json:-$here/results/run.json}
    svg=${svg:-$here/results/run.svg}
fi
[ -z "$json" ] || cp "$tmp/result.json" "$json"
[ -z "$svg" ] || report svg "$tmp/result.json" "$svg"
[ -z "$readme" ] || report readme "$tmp/result.json" "$root/README.md" "$svg"
