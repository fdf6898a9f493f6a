#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Everything that is checked, in stages, each timed. `test/run.sh --help` says how to run a part.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
build=${FSIF_BUILD_ROOT:-$root/build}
jobs=$(nproc)
test_jobs=$((2 * jobs)) # at once: most of them wait for something most of the time
fuzz_seconds=${FSIF_FUZZ_SECONDS:-60}
latest=${FSIF_LATEST:-3900}
stages="packages dev lint core asan tsan i386 install xen fuzz coverage mutants-quick mutants"
log=$build/log
tally=$log/tally

usage() {
    cat <<END
usage: test/run.sh [--fast] [--stage NAME]... [--list]
  --stage NAME  run only this stage (and others named so)
  --fast        leave out xen, fuzz, coverage and mutants-quick
                (the stage mutants, all of them, runs only if it is named)
  --list        print the stages
  --help        this
environment: FSIF_BUILD_ROOT    where to build (default: build/ in the source tree)
             FSIF_FUZZ_SECONDS  of each fuzz target (default: 60)
             FSIF_LATEST        seconds after which coverage and mutants-quick are skipped, so that
                                all ends within CI's 90 minutes on a slow machine (default: 3900)
END
}

# --- results -------------------------------------------------------------------------------

# note pass|fail|skip NAME [WHY]: one line of the tally
note() {
    printf '%s\t%s\t%s\n' "$1" "$2" "${3-}" >>"$tally"
}

# check NAME COMMAND...: run it with its output in a log; a failure shows the log's end
check() {
    local name=$1 file=$log/$1.log
    shift
    if "$@" >"$file" 2>&1; then
        note pass "$name"
        return 0
    fi
    note fail "$name" "see $file"
    echo "FAILED: $name ($*)"
    tail -n "${FSIF_TAIL:-60}" "$file"
    return 1
}

# configure PRESET [OPTION...] and build it
make_build() {
    local preset=$1
    shift
    check "configure.$preset" cmake --preset "$preset" -B "$build/$preset" "$@" || return 1
    check "build.$preset" cmake --build "$build/$preset" -j "$jobs"
}

# run_ctest PRESET [CTEST ARGUMENT...]
run_ctest() {
    local preset=$1 file=$log/ctest.$1.log xml=$log/ctest.$1.xml
    shift
    rm -f "$xml"
    (cd "$build/$preset" && $runner ctest --output-on-failure -j "$test_jobs" --output-junit "$xml" \
        --no-tests=error "$@") >"$file" 2>&1
    local rc=$?
    sed -n '/% tests passed/,$p' "$file"
    python3 "$root/test/support/tally.py" "$preset" "$xml" >>"$tally" ||
        note fail "ctest.$preset" "no results, see $file"
    [ $rc = 0 ] && return 0
    grep -v '\bPassed\b' "$file" | tail -n 200
    return 1
}

# ThreadSanitizer of this age wants fewer random address bits than newer kernels give.
tsan_runner() {
    local bits
    bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
    if [ "$bits" -gt 28 ] && setarch "$(uname -m)" -R true 2>/dev/null; then
        echo "setarch $(uname -m) -R"
    fi
}
runner=

# --- stages --------------------------------------------------------------------------------

stage_packages() {
    check packages test/packages.sh --install
}

# gcc, warnings are errors, the models and the replay of the fuzz corpus among the tests. Attacks whose
# outcome is the same in any build are left to stage asan, which sees more of them.
stage_dev() {
    make_build dev && run_ctest dev -LE 'install|sanitized'
}

stage_lint() {
    check lint.scripts sh -c 'git ls-files -co --exclude-standard "*.sh" .ci/run | xargs shellcheck -x'
    check lint.format sh -c \
        'git ls-files -co --exclude-standard "*.c" "*.h" | xargs clang-format --dry-run -Werror'
    [ -e "$build/dev/compile_commands.json" ] || check configure.dev cmake --preset dev -B "$build/dev"
    check lint.tidy test/layers/tidy.sh "$build/dev"
}

# The core alone, as those build it who have no host. (Stage fuzz builds everything with the other compiler.)
stage_core() {
    make_build core
}

stage_asan() {
    make_build asan && run_ctest asan -LE 'install|model|source|abi|nosan|notasan'
}

# ThreadSanitizer sees what orders two threads only if it happens in one process through one mapping:
# a client over shm or xen is ordered by its backend, in another process, and would be reported.
stage_tsan() {
    runner=$(tsan_runner)
    make_build tsan && run_ctest tsan -LE 'install|model|source|fuzz|hostile|abi|nosan|notsan' \
        -E '^(conformance|differential)\.(shm|xen)'
    runner=
}

# Whether the kernel starts 32-bit programs at all: some are built without.
runs_32_bit() {
    "$build/i386/examples/loop-hello" >/dev/null 2>&1
    [ $? != 126 ] # what a shell says of a file that the kernel does not take for a program
}

# a 32-bit client against the 64-bit daemon of the dev build
stage_i386() {
    check configure.dev cmake --preset dev -B "$build/dev" || return 1
    check build.dev-daemon cmake --build "$build/dev" -j "$jobs" --target fsif-backend || return 1
    make_build i386 -DFSIF_DAEMON="$build/dev/backends/server/fsif-backend" || return 1
    check i386.client sh -c "readelf -h '$build/i386/test/conformance/conformance' | grep ELF32"
    if ! runs_32_bit; then
        note skip i386.tests "built, but this kernel starts no 32-bit programs"
        return 0
    fi
    run_ctest i386 -LE 'install|model|source|abi'
}

stage_install() {
    check configure.dev cmake --preset dev -B "$build/dev" && run_ctest dev -L install
}

# Real Xen under QEMU, with the programs of the dev build: the set that takes some minutes, on two
# machines at once where there is room for them.
stage_xen() {
    local machines=2
    [ "$jobs" -ge 2 ] && [ "$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)" -ge 7 ] ||
        machines=1
    check xen.packages test/xen/packages.sh --install || return 1
    make_build dev || return 1
    FSIF_TAIL=200 check xen.rig test/xen/run.sh --build "$build/dev" -j $machines
    awk -v OFS='\t' '$2 ~ /^(pass|fail|skip)$/ { print $2, "xen/" $1, $0 }' "$log/xen.rig.log" >>"$tally"
    grep -E ' (pass|fail|skip) [0-9-]|^    [^| ]|^run.sh: |^scenarios took|passed, ' "$log/xen.rig.log"
}

# What the unit and conformance tests reach. Programs that drop their privileges or end at once could
# not write their counts, so the daemon's tests are left out.
stage_coverage() {
    make_build coverage || return 1
    find "$build/coverage" -name '*.gcda' -delete
    run_ctest coverage -LE 'install|model|source|fuzz|hostile|abi|differential|server|cli|nocov'
    check coverage test/coverage.sh "$build/coverage"
    tail -n 4 "$log/coverage.log"
}

# clang, warnings are errors, and libFuzzer
stage_fuzz() {
    make_build fuzz || return 1
    FSIF_TAIL=200 check fuzz test/fuzz/run.sh -j "$jobs" "$build/fuzz" "$fuzz_seconds"
    grep '^target' "$log/fuzz.log"
}

# run_mutants NAME [ARGUMENT...]
run_mutants() {
    local name=$1
    shift
    FSIF_TAIL=200 check "$name" test/mutants.sh --build "$build/mutants" "$@"
    awk '/^killed/ { print "pass\tmutant/" $2 "\t" }
        /^(survived|failed)/ { print "fail\tmutant/" $0 "\t" }' "$log/$name.log" >>"$tally"
    tail -n 1 "$log/$name.log"
}

# One for each row of attacks
stage_mutants_quick() {
    run_mutants mutants-quick --quick
}

stage_mutants() {
    run_mutants mutants
}

# --- main ----------------------------------------------------------------------------------

# run_stage NAME: with a tally and a line of its time of its own
run_stage() {
    local name=$1 began=$SECONDS state=ok
    tally=$log/tally.$name
    : >"$tally"
    echo "== $name"
    case $name in
    coverage | mutants-quick)
        if [ $SECONDS -gt "$latest" ]; then
            note skip "$name" "$SECONDS s have passed, more than $latest"
            state=skipped
        fi
        ;;
    esac
    [ $state = skipped ] || "stage_${name//-/_}"
    ! grep -q ^fail "$tally" || state=FAILED
    printf '%-13s %5d s  %s\n' "$name" $((SECONDS - began)) "$state" >"$log/time.$name"
}

chosen=
fast=
while [ $# -gt 0 ]; do
    case $1 in
    --stage)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case " $stages " in
        *" $2 "*) chosen="$chosen $2" ;;
        *) echo "run.sh: no stage '$2'; there are: $stages" >&2; exit 2 ;;
        esac
        shift 2
        ;;
    --fast) fast=1; shift ;;
    --list) for s in $stages; do echo "$s"; done; exit 0 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done
if [ -z "$chosen" ]; then
    chosen=${stages% mutants}
    [ -z "$fast" ] || chosen="packages dev lint core asan tsan i386 install"
fi

mkdir -p "$log"
for s in $chosen; do
    run_stage "$s"
done

echo
echo "stage           time"
tally=$log/tally
: >"$tally"
for s in $chosen; do
    cat "$log/time.$s"
    cat "$log/tally.$s" >>"$tally"
done
printf '%-13s %5d s\n\n' all $SECONDS
awk -F'\t' '$1 == "skip" { print "skipped: " $2 ": " $3 }' "$tally"
awk -F'\t' '$1 == "fail" { print "failed: " $2 ($3 ? ": " $3 : "") }' "$tally"
passed=$(grep -c ^pass "$tally")
failed=$(grep -c ^fail "$tally")
skipped=$(grep -c ^skip "$tally")
echo "$passed passed, $failed failed, $skipped skipped"
tests=$(grep -c $'^pass\t[a-z0-9]*/' "$tally")
case " $chosen " in
*" dev "* | *" asan "* | *" tsan "* | *" i386 "*)
    [ "$tests" -gt 0 ] || { echo "run.sh: no test ran" >&2; exit 1; }
    ;;
esac
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
