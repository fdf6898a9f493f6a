#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core as a kernel or firmware would compile it in: no library beneath it.

Compiles libfsif/*.c for one machine, links them into one object and looks at what that object still
wants from its surroundings: nothing but the functions that libfsif/README.md names.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

MACHINES = {
    "x86-64": (["x86_64-linux-gnu-gcc", "gcc"], ["-m64"]),
    "i386": (["i686-linux-gnu-gcc", "gcc"], ["-m32", "-march=i686"]),
    "aarch64": (["aarch64-linux-gnu-gcc"], ["-mno-outline-atomics"]),
    "riscv64": (["riscv64-linux-gnu-gcc"], []),
}
FLAGS = ["-std=c11", "-ffreestanding", "-nostdlib", "-fno-pic", "-fno-stack-protector",
         "-Wall", "-Wextra", "-Werror"]
# What a frontend needs: these and whatever they use.
FRONTEND = ["frontend", "negotiate"]
FRONTEND_LIMIT = 24 * 1024
SECTION = "## What it needs"


def run(argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode:
        sys.exit("FAIL: %s\n%s" % (" ".join(argv), done.stderr))
    return done.stdout


def allowed(readme):
    """The table of functions in the README is the one list there is."""
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    if SECTION not in text:
        sys.exit("FAIL: %s has no section '%s'" % (readme, SECTION))
    section = text.split(SECTION, 1)[1].split("\n## ", 1)[0]
    names = set(re.findall(r"^\| `(\w+)` \|", section, re.M))
    if not names:
        sys.exit("FAIL: no function is named in '%s' of %s" % (SECTION, readme))
    return names


def compiler(machine):
    """A compiler that makes code for @machine and finds <stdint.h>, or None."""
    names, flags = MACHINES[machine]
    for name in names:
        path = shutil.which(name)
        if not path:
            continue
        probe = subprocess.run([path, *flags, "-ffreestanding", "-x", "c", "-c", "-", "-o",
                                os.devnull], input="#include <stdint.h>\nuint64_t x;\n", text=True,
                               capture_output=True, check=False)
        if probe.returncode == 0:
            return [path, *flags]
    return None


def symbols(nm, path):
    """Undefined and defined global symbols of an object."""
    wanted, given = set(), set()
    for line in run([nm, "-g", path]).splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[-2] in "Uwv":
            wanted.add(fields[-1])
        elif len(fields) == 3:
            given.add(fields[-1])
    return wanted, given


def check_closed(cc, sources, include, out, lto, names):
    for level in ("-O0", "-Os", "-O2", "-O3"):
        flags = [*FLAGS, level] + (["-flto"] if lto else [])
        objects = []
        for source in sources:
            obj = os.path.join(out, os.path.basename(source)[:-2] + ".o")
            run([*cc, *flags, "-I", include, "-c", source, "-o", obj])
            objects.append(obj)
        whole = os.path.join(out, "core.o")
        run([*cc, *flags, *(["-flinker-output=nolto-rel"] if lto else []), "-r", *objects, "-o",
             whole])
        wanted, given = symbols("nm", whole)
        if "fsif_frontend_submit" not in given or "fsif_backend_fetch" not in given:
            sys.exit("FAIL: the engines are not in the object that was looked at")
        if wanted - names:
            sys.exit("FAIL: undefined at %s%s: %s; allowed: %s" % (
                level, " -flto" if lto else "", " ".join(sorted(wanted - names)),
                " ".join(sorted(names))))
        print("%s%s: needs %s" % (level, " -flto" if lto else "",
                                  " ".join(sorted(wanted)) or "nothing"))


def print_size(cc, sources, include, out):
    """The code of a dialect 1 frontend: FRONTEND and, again and again, who defines what they use."""
    objects, owner, wants = {}, {}, {}
    for source in sources:
        name = os.path.basename(source)[:-2]
        objects[name] = os.path.join(out, name + ".size.o")
        run([*cc, *FLAGS, "-DFSIF_WITHOUT_DIALECT3", "-Os", "-I", include, "-c", source, "-o", objects[name]])
        wants[name], given = symbols("nm", objects[name])
        owner.update(dict.fromkeys(given, name))
    chosen, todo = set(), list(FRONTEND)
    while todo:
        name = todo.pop()
        if name not in chosen:
            chosen.add(name)
            todo += [owner[s] for s in wants[name] if s in owner]
    text = sum(int(line.split()[0]) for line in
               run(["size", *(objects[n] for n in sorted(chosen))]).splitlines()[1:])
    print("dialect 1 frontend, -Os: %d bytes of code and constants, limit %d (%s)" % (
        text, FRONTEND_LIMIT, " ".join(sorted(chosen))))
    if text > FRONTEND_LIMIT:
        sys.exit("FAIL: the frontend has grown too large")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core", required=True, help="the folder libfsif")
    parser.add_argument("--machine", required=True, choices=sorted(MACHINES))
    parser.add_argument("--lto", action="store_true")
    parser.add_argument("--size", action="store_true", help="print the frontend's size instead")
    parser.add_argument("--plant", metavar="SYMBOL",
                        help="add a file that calls SYMBOL: the check must fail")
    args = parser.parse_args()

    cc = compiler(args.machine)
    if not cc:
        print("SKIP: no compiler for %s (tried: %s)" % (args.machine,
                                                        ", ".join(MACHINES[args.machine][0])))
        return 77
    sources = sorted(glob.glob(os.path.join(args.core, "*.c")))
    include = os.path.join(args.core, "include")
    with tempfile.TemporaryDirectory(prefix="fsif-freestanding-") as out:
        if args.plant:
            planted = os.path.join(out, "planted.c")
            with open(planted, "w", encoding="utf-8") as f:
                f.write("void %s(void);\nvoid fsif_planted(void);\n"
                        "void fsif_planted(void)\n{\n    %s();\n}\n" % (args.plant, args.plant))
            sources.append(planted)
        if args.size:
            print_size(cc, sources, include, out)
        else:
            check_closed(cc, sources, include, out, args.lto,
                         allowed(os.path.join(args.core, "README.md")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
