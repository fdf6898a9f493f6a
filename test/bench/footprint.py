#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""footprint.py SOURCE OUT.json [CC]: bytes of the core's frontend as a guest would link it.

Compiles the core with -Os, keeps what the functions of <fsif/frontend.h> reach and counts code and
constants: once with the codec of dialect 1 alone, once with all of them. Tells which functions of a C
library are needed, too: an allocator must not be among them.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-std=c11", "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections",
         "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-pic", "-fno-stack-protector"]


def roots(source):
    text = (source / "libfsif/include/fsif/frontend.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return sorted(set(re.findall(r"\b(fsif_frontend_\w+)\(", text)))


def link(objects, keep, out):
    line = ["ld", "-r", "--gc-sections", "-o", str(out)]
    for name in keep:
        line += ["-u", name]
    subprocess.run(line + [str(o) for o in objects], check=True)
    sizes = subprocess.run(["size", str(out)], check=True, capture_output=True, text=True).stdout
    text, data, bss = (int(word) for word in sizes.splitlines()[1].split()[:3])
    needs = subprocess.run(["nm", "-u", str(out)], check=True, capture_output=True, text=True).stdout
    return {"text": text, "data": data, "bss": bss, "needs": sorted(set(needs.split()) - {"U"})}


def measure(source, cc, folder):
    objects = []
    for file in sorted((source / "libfsif").glob("*.c")):
        out = folder / (file.stem + ".o")
        subprocess.run([cc, *FLAGS, "-I", str(source / "libfsif/include"), "-I", str(source / "libfsif"),
                        "-c", str(file), "-o", str(out)], check=True)
        objects.append(out)
    # What belongs to one dialect alone has its number in the file's name.
    first = [o for o in objects if not re.search(r"[2-9](_|$)", o.stem)]
    keep = roots(source)
    everything = link(objects, keep, folder / "all.out")
    dialect1 = link(first, keep, folder / "first.out")
    dialect1["needs"] = [n for n in dialect1["needs"] if not n.startswith("fsi")]
    return {"what": "footprint", "compiler": compiler(cc), "dialect1": dialect1, "all": everything}


def compiler(cc):
    out = subprocess.run([cc, "--version"], check=True, capture_output=True, text=True).stdout
    return out.splitlines()[0]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: footprint.py SOURCE OUT.json [CC]")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fsif-footprint-"))
    try:
        cc = sys.argv[3] if len(sys.argv) == 4 else "gcc"
        result = measure(pathlib.Path(sys.argv[1]).resolve(), cc, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with open(sys.argv[2], "w") as f:
        json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
