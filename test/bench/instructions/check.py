#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py SOURCE [--record | --planted]: instructions of each operation's way through the core.

Compiles the core with flags of its own, runs every operation under callgrind and compares with
table.ARCHITECTURE: more than TOLERANCE either way is a failure. --record writes the table anew. --planted adds
5 % to each operation, and fails unless every one of them is found. Exits 77 where it cannot be told: no
valgrind, no table for this machine, or another compiler than the table's.
"""
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

TOLERANCE = 0.02
PLANTED = 0.05
HERE = pathlib.Path(__file__).resolve().parent
HEADER = "/usr/include/valgrind/callgrind.h"
CC = os.environ.get("FSIF_COUNT_CC", "gcc")
FLAGS = ["-std=c11", "-O2", "-fno-pic", "-no-pie", "-fno-stack-protector", "-fno-strict-aliasing",
         "-fno-builtin-malloc", "-fno-tree-loop-distribute-patterns", "-U_FORTIFY_SOURCE", "-DNDEBUG"]
CORE_FLAGS = ["-ffreestanding"]


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


def compiler():
    """Its name and version, as the table notes it: the minor one does not change code in Debian."""
    out = subprocess.run([CC, "-dumpfullversion"], check=True, capture_output=True, text=True).stdout
    return "%s %s" % (pathlib.Path(CC).name, out.strip())


def build(source, folder):
    core = source / "libfsif"
    include = ["-I", str(core / "include"), "-I", str(core), "-I", str(HERE)]
    objects = []
    for file in sorted(core.glob("*.c")) + [HERE / "rig.c", HERE / "count.c"]:
        out = folder / (file.stem + ".o")
        more = [] if file.name == "count.c" else CORE_FLAGS
        subprocess.run([CC, *FLAGS, *more, *include, "-c", str(file), "-o", str(out)], check=True)
        objects.append(str(out))
    subprocess.run([CC, "-no-pie", "-o", str(folder / "count"), *objects], check=True)
    return folder / "count"


def count(program, folder, arguments=()):
    """{(dialect, operation): instructions}"""
    for old in folder.glob("out*"):
        old.unlink()
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--quiet", "--collect-atstart=no",
         "--callgrind-out-file=%s/out" % folder, str(program), *arguments],
        check=True, capture_output=True, text=True)
    times = int(re.match(r"times (\d+)\n", run.stdout).group(1))
    expected = [tuple(line.split()) for line in run.stdout.splitlines()[1:]]
    counts = {}
    for file in folder.glob("out.*"):
        text = file.read_text()
        title = re.search(r"^desc: Trigger: Client Request: (\d) (\S+)$", text, re.M)
        if title:
            total = re.search(r"^(?:summary|totals): (\d+)", text, re.M)
            counts[title.groups()] = int(total.group(1)) / times
    if sorted(counts) != sorted(expected) or not expected:
        sys.exit("check.py: callgrind dumped %d of %d sums" % (len(counts), len(expected)))
    return counts


def table_path():
    return HERE / ("table." + platform.machine())


def read_table():
    """(compiler, counts)"""
    lines = [line for line in table_path().read_text().splitlines() if not line.startswith("#")]
    counts = {}
    for line in lines[1:]:
        dialect, operation, number = line.split()
        counts[dialect, operation] = float(number)
    return lines[0].partition(": ")[2], counts


def record(counts):
    out = ["# SPDX-License-Identifier: MIT",
           "# Instructions from submit to done; written by check.py --record.",
           "compiler: " + compiler()]
    out += ["%s %-14s %9.1f" % (*key, counts[key]) for key in sorted(counts)]
    table_path().write_text("\n".join(out) + "\n")
    print("recorded %d operations in %s" % (len(counts), table_path()))


def differences(counts, table):
    for key in sorted(set(counts) | set(table)):
        name = "dialect %s, %s" % key
        if key not in table:
            yield key, "%s: not in the table" % name
        elif key not in counts:
            yield key, "%s: in the table, but not counted" % name
        elif abs(counts[key] / table[key] - 1) > TOLERANCE:
            yield key, "%s: %.1f instructions, recorded %.1f (%+.1f %%)" % (
                name, counts[key], table[key], 100 * (counts[key] / table[key] - 1))


def compare(counts, table):
    found = list(differences(counts, table))
    for _, words in found:
        print(words)
    if found:
        sys.exit("If this is meant: %s SOURCE --record, and say in the commit why." % sys.argv[0])
    print("%d operations within %g %%" % (len(counts), 100 * TOLERANCE))


def planted(program, folder):
    """What is found must be what is planted, on top of what is there now."""
    now = count(program, folder)
    arguments = ["%s:%s=%d" % (*key, round(number * PLANTED)) for key, number in now.items()]
    found = dict(differences(count(program, folder, arguments), now))
    missed = sorted(set(now) - set(found))
    if missed:
        sys.exit("5 %% more were not seen in: %s" % ", ".join(" ".join(k) for k in missed))
    again = list(differences(count(program, folder), now))
    if again:
        sys.exit("two runs of the same program differ: %s" % again)
    print("5 %% more were seen in each of %d operations" % len(now))


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--record"], ["--planted"]):
        sys.exit(__doc__)
    if not shutil.which("valgrind") or not os.path.exists(HEADER):
        skip("valgrind is not there (package valgrind)")
    if not shutil.which(CC):
        skip("no " + CC)
    if sys.argv[2:] == []:
        if not table_path().exists():
            skip("nothing is recorded for %s" % platform.machine())
        if read_table()[0] != compiler():
            skip("recorded with %s, this is %s" % (read_table()[0], compiler()))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fsif-count-"))
    try:
        program = build(pathlib.Path(sys.argv[1]).resolve(), folder)
        if sys.argv[2:] == ["--planted"]:
            planted(program, folder)
        elif sys.argv[2:] == ["--record"]:
            record(count(program, folder))
        else:
            compare(count(program, folder), read_table()[1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
