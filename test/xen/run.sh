#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boot real Xen under QEMU emulation and run scenarios in it. `test/xen/run.sh --help`; README.md.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${FSIF_BUILD_ROOT:-$root/build}/dev
dom0_files=()
guest_files=()
verbose=
interactive=
full=
at_once=1
part= # work folder of one of several machines
boot_timeout=${FSIF_XEN_BOOT_TIMEOUT:-300}
run_timeout=${FSIF_XEN_RUN_TIMEOUT:-}

usage() {
    cat <<END
usage: test/xen/run.sh [-v] [-i] [--build DIR] [--dom0 FILE]... [--guest FILE]... [--full]
                       [-j N] [SCENARIO...]
  SCENARIO      a file of test/xen/scenarios, without .sh; default: all
  -v            show the consoles live
  -i            no scenario: a shell in dom0, which ends with 'poweroff -f'
  --build DIR   the build whose programs are tested (default: $build)
  --dom0 FILE   put a program into dom0's /extra, its libraries follow; it is in the PATH of
                scenarios and of the shell; repeatable
  --guest FILE  the same for the guests' image
  -j N          N machines at once, each of one processor and 3 GiB, with a part of the
                scenarios (1; not with -v or -i)
  --full        the large counts instead of those that fit a check of every change
  --list        print the scenarios
The work folder DIR/xen keeps images, consoles, logs and results.
environment: FSIF_XEN_BOOT_TIMEOUT  seconds until dom0's user space must be up ($boot_timeout)
             FSIF_XEN_RUN_TIMEOUT   seconds of a run (2700; with --full 10800)
END
}

scenarios() {
    for f in "$here"/scenarios/*.sh; do basename "$f" .sh; done
}

chosen=()
while [ $# -gt 0 ]; do
    case $1 in
    -v) verbose=1 ;;
    -i) interactive=1 ;;
    --full) full=1 ;;
    --list) scenarios; exit 0 ;;
    --help) usage; exit 0 ;;
    --build | --dom0 | --guest | --part | -j)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case $1 in
        -j) at_once=$2 ;;
        --part) part=$2 ;;
        --build) build=$2 ;;
        --dom0) dom0_files+=("$(realpath "$2")") ;;
        --guest) guest_files+=("$(realpath "$2")") ;;
        esac
        shift
        ;;
    -*) usage >&2; exit 2 ;;
    *)
        [ -e "$here/scenarios/$1.sh" ] || {
            echo "run.sh: no scenario '$1'; there are: $(scenarios | tr '\n' ' ')" >&2
            exit 2
        }
        chosen+=("$1")
        ;;
    esac
    shift
done
[ -n "$run_timeout" ] || run_timeout=$([ -z "$full" ] && echo 2700 || echo 10800)
if [ ${#chosen[@]} = 0 ]; then
    mapfile -t chosen < <(scenarios)
fi

missing=$("$here/packages.sh" --missing)
if [ -n "$missing" ]; then
    echo "run.sh: these packages are missing; test/xen/packages.sh --install installs them:" >&2
    echo "$missing" >&2
    exit 1
fi
work=${part:-$build/xen}
mkdir -p "$work"
work=$(cd "$work" && pwd)
build=$(cd "$build" && pwd)

# --- what is booted --------------------------------------------------------------------------

# shellcheck source=test/xen/image.sh
. "$here/image.sh"
fetch_kernel "$work" || exit 1
if [ "$at_once" -gt 1 ] && [ -z "$interactive$verbose" ]; then
    # shellcheck source=test/xen/parts.sh
    . "$here/parts.sh"
    run_parts
    exit
fi
make_images || { echo "run.sh: the images could not be made" >&2; exit 1; }

console=$work/console.log # of Xen and dom0
channel=$work/channel.log # what dom0's init reports

# Boot and wait for the end. $1: where QEMU's terminal is, "stdio" or a file.
boot() {
    local serial
    if [ "$1" = stdio ]; then
        serial=(-chardev "stdio,id=con,signal=off,logfile=$console" -serial chardev:con)
    else
        serial=(-serial "file:$console")
    fi
    : >"$channel"
    exec qemu-system-x86_64 -accel tcg,thread=multi \
        -cpu max,-smap,-smep,-pku,-la57,-xsave,-xsaveopt,-avx,-avx2 \
        -smp 1 -m 3072 -display none -no-reboot -monitor none "${serial[@]}" \
        -serial "file:$channel" -kernel "$work/xen" \
        -append "console=com1 com1=115200,8n1 dom0_mem=1280M,max:1280M dom0_max_vcpus=1 gnttab_max_frames=64" \
        -initrd "$work/vmlinuz console=hvc0 quiet panic=-1 rcu_cpu_stall_timeout=120,$work/dom0.gz"
}

if [ -n "$interactive" ]; then
    (boot stdio)
    exit
fi

up() {
    grep -q '^DOM0-UP' "$channel" 2>/dev/null
}

# Run one boot to its end. Returns 0: dom0's user space was reached.
run_boot() {
    local began=$SECONDS tail_pid='' pid end=
    : >"$console"
    : >"$channel"
    (boot file) </dev/null >"$work/qemu.log" 2>&1 &
    pid=$!
    if [ -n "$verbose" ]; then
        tail -n +1 -F "$console" "$channel" 2>/dev/null &
        tail_pid=$!
    fi
    while kill -0 "$pid" 2>/dev/null; do
        if [ -z "$end" ] && ! up && [ $((SECONDS - began)) -gt "$boot_timeout" ]; then
            end="dom0's user space was not reached in $boot_timeout s"
        elif [ $((SECONDS - began)) -gt "$run_timeout" ]; then
            end="the run took more than $run_timeout s"
        fi
        if [ -n "$end" ]; then
            echo "$end"
            kill "$pid"
            break
        fi
        sleep 0.2
    done
    wait "$pid" 2>/dev/null
    [ -z "$tail_pid" ] || kill "$tail_pid"
    up
}

# A machine that cannot run QEMU at all fails here, and says why.
qemu-system-x86_64 --version >/dev/null || exit 1
began=$SECONDS
retried=
if ! run_boot; then
    retried="the first boot never reached dom0's user space (its console: $console.first)"
    echo "run.sh: $retried; once more"
    cp "$console" "$console.first"
    run_boot
fi

# --- what came of it -------------------------------------------------------------------------

rm -rf "$work/logs"
mkdir -p "$work/logs"
sed -n '/^TAR-BEGIN/,/^TAR-END/p' "$channel" | tr -d '\r' | grep -v '^TAR-' | base64 -d 2>/dev/null |
    tar -xz -C "$work/logs" 2>/dev/null || echo "run.sh: no logs came out of dom0"

"$here/verdict.sh" "$work" "${chosen[@]}" >"$work/verdict.txt"
code=$?
head -n -1 "$work/verdict.txt"
[ -z "$retried" ] || echo "run.sh: $retried"
echo "scenarios took $((SECONDS - began)) s with the boot; consoles and logs: $work"
tail -n 1 "$work/verdict.txt"
exit $code
