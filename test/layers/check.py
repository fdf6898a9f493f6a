# SPDX-License-Identifier: MIT
"""Order of the layers, read from the sources' #include lines.

- The core includes only itself and the freestanding headers; plus <string.h> in one file, mem.h.
- A library or program includes public headers of what stands beneath it and headers of its own
  folder; nobody includes an internal header of another folder, except tests.
- Siblings never include each other. cli and fuse stand on the client's public header.
- Only barrier.h names a memory order or an atomic builtin; who needs one includes it, from any folder. What a process keeps to itself may be a
  C11 atomic used without naming an order, but not in the core.
- Every file has its licence line, and no file has leftovers.

check.py ROOT: prints each violation, exits 1 if there is one.
check.py --self-test: shows that each rule can fail.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

FREESTANDING = {"stddef.h", "stdint.h", "stdbool.h", "limits.h", "stdarg.h"}

# Folder: public headers (besides its own) that it may include. "core" is every header of
# libfsif/include/fsif.
FOLDERS = {
    "libfsif/host": {"core"},
    "transports/loop": {"core", "host"},
    "transports/shm": {"core", "host"},
    "transports/xen": {"core", "host"},
    "backends/posix": {"core", "host"},
    "backends/memory": {"core", "host"},
    "backends/ceph": {"core", "host"},
    # The daemon links its plugins in when asked to, and the tests of its parts do.
    "backends/server": {"core", "host", "linked-in"},
    "frontends/client": {"core", "host"},
    "frontends/cli": {"core", "host", "client", "linked-in"},
    "frontends/fuse": {"core", "host", "client", "linked-in"},
    "frontends/uv": {"core", "host"},
    "frontends/minios": {"core"},
    "examples": {"core", "host", "client", "linked-in"},
}
LINKED_IN = {"transports/loop", "transports/shm", "transports/xen", "backends/posix",
             "backends/memory", "backends/ceph"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
ORDER = re.compile(r"\b(__atomic_\w+|__sync_\w+|__ATOMIC_\w+|memory_order_\w+|atomic_\w+_explicit|"
                   r"atomic_(?:thread|signal)_fence)\b")
C11_ATOMIC = re.compile(r"\b(atomic_\w+|_Atomic)\b|<stdatomic\.h>")
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX|HACK|for now)\b")


def tracked(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], check=True,
                         capture_output=True, text=True).stdout
    return sorted(p for p in out.splitlines() if (root / p).is_file())


def public_headers(files):
    """Header name as included -> the folder that owns it."""
    owner = {}
    for f in files:
        m = re.match(r"(.+)/include/(fsif/.+\.h)$", f)
        if m:
            owner[m.group(2)] = m.group(1)
    return owner


def folder_of(path):
    for folder in sorted(FOLDERS, key=len, reverse=True):
        if path.startswith(folder + "/"):
            return folder
    return "libfsif" if path.startswith("libfsif/") else None


def allowed_owner(folder, owner):
    rules = FOLDERS[folder]
    return (owner == folder or ("core" in rules and owner == "libfsif")
            or ("host" in rules and owner == "libfsif/host")
            or ("client" in rules and owner == "frontends/client")
            or ("linked-in" in rules and owner in LINKED_IN))


def check_core_include(path, kind, name, owner):
    base = path.rsplit("/", 1)[1]
    if kind == '"':
        if "/" in name:
            return "the core includes only its own folder's headers"
        return None
    if name.startswith("fsif/"):
        return None if owner.get(name) == "libfsif" else "the core includes something above it"
    if name in FREESTANDING or (name == "string.h" and base == "mem.h"):
        return None
    return "not a freestanding header"


def check_include(root, path, kind, name, owner):
    folder = folder_of(path)
    if folder is None:
        return None
    if folder == "libfsif":
        return check_core_include(path, kind, name, owner)
    if name.startswith("fsif/"):
        if name not in owner:
            return "no such public header"
        if not allowed_owner(folder, owner[name]):
            return "belongs to " + owner[name] + ", which this folder must not use"
        return None
    if kind == '"':
        target = (root / path).parent / name
        if not target.is_file():
            if name == "barrier.h":
                return None
            return None if folder == "examples" else "not beside the file that includes it"
        inside = target.resolve().is_relative_to((root / folder).resolve())
        return None if inside else "an internal header of another folder"
    return None


def check_file(root, path, owner):
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    found = []
    if "SPDX-License-Identifier: MIT" not in "\n".join(text.splitlines()[:3]):
        found.append((path, "no licence line"))
    if not path.endswith((".c", ".h")):
        return found
    for m in LEFTOVER.finditer(text):
        found.append((path, "leftover: " + m.group(0)))
    code = COMMENT.sub("", text)
    for kind, name in INCLUDE.findall(code):
        why = check_include(root, path, kind, name, owner)
        if why:
            found.append((path, f"includes {name}: {why}"))
    if not path.startswith("test/") and path != "libfsif/barrier.h":
        for m in ORDER.finditer(STRING.sub('""', code)):
            found.append((path, "names a memory order: " + m.group(0)))
    if folder_of(path) == "libfsif":
        for m in C11_ATOMIC.finditer(STRING.sub('""', code)):
            found.append((path, "an atomic in the core: " + m.group(0)))
    return found


def check(root):
    files = [f for f in tracked(root)
             if f.endswith((".c", ".h", ".py", ".sh", ".cmake", "CMakeLists.txt", ".pml"))]
    owner = public_headers(files)
    found = []
    for f in files:
        found += check_file(root, f, owner)
    return found, len(files)


SELF_TEST = {
    "libfsif/a.c": ("#include <stdio.h>\n", "not a freestanding header"),
    "libfsif/b.c": ("#include <fsif/host.h>\n", "above it"),
    "libfsif/c.c": ("int x = __ATOMIC_SEQ_CST;\n", "memory order"),
    "libfsif/e.c": ("#include <stddef.h>\n_Atomic int x;\n", "atomic in the core"),
    "backends/server/a.c": ("int f(void) { return atomic_load_explicit(&x, 0); }\n", "memory order"),
    "libfsif/d.c": ('#include "host/h.h"\n', "own folder"),
    "transports/shm/a.c": ("#include <fsif/loop.h>\n", "must not use"),
    "transports/shm/b.c": ('#include "../../libfsif/ring.h"\n', "internal header"),
    "backends/posix/a.c": ("#include <fsif/client.h>\n", "must not use"),
    "frontends/cli/a.c": ('#include "../client/i.h"\n', "internal header"),
    "examples/a.c": ('#include "../libfsif/ring.h"\n', "internal header"),
    "frontends/client/a.c": ("#include <fsif/nothing.h>\n", "no such public header"),
    "frontends/client/b.c": ("/* TO" + "DO */\n", "leftover"),
    "frontends/client/c.c": (None, "no licence line"),
}
SELF_TEST_HEADERS = ["libfsif/ring.h", "libfsif/host/h.h", "libfsif/host/include/fsif/host.h",
                     "transports/loop/include/fsif/loop.h", "frontends/client/i.h",
                     "frontends/client/include/fsif/client.h"]


def self_test():
    licence = "/* SPDX-License-Identifier: MIT */\n"
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        subprocess.run(["git", "init", "-q", name], check=True)
        for path in SELF_TEST_HEADERS:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(licence)
        clean, _ = check(root)
        for path, (text, _) in SELF_TEST.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("" if text is None else licence + text)
        found, _ = check(root)
        bad = [str(c) for c in clean]
        for path, (_, why) in SELF_TEST.items():
            hits = [w for p, w in found if p == path]
            if len(hits) != 1 or why not in hits[0]:
                bad.append(f"{path}: expected '{why}', found {hits}")
    for line in bad:
        print(line)
    print(f"{len(SELF_TEST)} rules can fail" if not bad else "FAILED")
    return 1 if bad else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    found, count = check(pathlib.Path(sys.argv[1]).resolve())
    for path, why in found:
        print(f"{path}: {why}")
    print(f"{count} files, {len(found)} violations")
    return 1 if found or count < 20 else 0


sys.exit(main())
