#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header, alone, in C11 and in C++17, for 64 and for 32 bit.

With --xen each goes into one file with Xen's own public <xen/io/fsif.h>, in both orders, and the
offsets that dialects 1 and 2 have in common are compared.
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys

WARN = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
LANGUAGES = {
    "c": ["-x", "c", "-std=c11", "-pedantic", "-Wstrict-prototypes"],
    "c++": ["-x", "c++", "-std=c++17", "-pedantic"],
}
COMPILERS = {
    ("c", 64): [["gcc", "-m64"]],
    ("c++", 64): [["g++", "-m64"]],
    ("c", 32): [["gcc", "-m32"], ["i686-linux-gnu-gcc"]],
    ("c++", 32): [["g++", "-m32"], ["i686-linux-gnu-g++"]],
}
XEN = "<xen/io/fsif.h>"
XEN_INCLUDE = "#include <stdint.h>\n#include %s\n" % XEN  # it asks for the types

# Where dialect 2 kept what dialect 1 had: (our struct, our member, Xen's member path)
COMMON = [
    ("fsif_wire1_path", "gref", "fopen.gref"),
    ("fsif_wire1_path", "gref", "fremove.gref"),
    ("fsif_wire1_path", "gref", "fspace.gref"),
    ("fsif_wire1_handle", "fd", "fclose.fd"),
    ("fsif_wire1_handle", "fd", "fsync.fd"),
    ("fsif_wire1_io", "fd", "fread.fd"),
    ("fsif_wire1_io", "len", "fread.len"),
    ("fsif_wire1_io", "offset", "fwrite.offset"),
    ("fsif_wire1_stat", "fd", "fstat.fd"),
    ("fsif_wire1_truncate", "fd", "ftruncate.fd"),
    ("fsif_wire1_truncate", "len", "ftruncate.length"),
    ("fsif_wire1_rename", "old_offset", "frename.old_name_offset"),
    ("fsif_wire1_rename", "new_offset", "frename.new_name_offset"),
    ("fsif_wire1_rename", "gref", "frename.gref"),
    ("fsif_wire1_create", "directory", "fcreate.directory"),
    ("fsif_wire1_create", "mode", "fcreate.mode"),
    ("fsif_wire1_create", "gref", "fcreate.gref"),
    ("fsif_wire1_list", "offset", "flist.offset"),
    ("fsif_wire1_list", "gref", "flist.gref"),
    ("fsif_wire1_chmod", "fd", "fchmod.fd"),
    ("fsif_wire1_chmod", "mode", "fchmod.mode"),
    ("fsif_wire2_io", "fd", "fread.fd"),
    ("fsif_wire2_io", "len", "fread.len"),
    ("fsif_wire2_io", "offset", "fread.offset"),
    ("fsif_wire2_io", "grefs", "fread.grefs"),
    ("fsif_wire2_io", "fd", "fwrite.fd"),
    ("fsif_wire2_io", "len", "fwrite.len"),
    ("fsif_wire2_io", "offset", "fwrite.offset"),
    ("fsif_wire2_io", "grefs", "fwrite.grefs"),
]
HEADS = [
    ("fsif_wire2_request", "type", "fsif_request", "type"),
    ("fsif_wire2_request", "id", "fsif_request", "id"),
    ("fsif_wire2_request", "u", "fsif_request", "u"),
    ("fsif_wire2_response", "id", "fsif_response", "id"),
    ("fsif_wire2_response", "u.ret", "fsif_response", "u.ret_val"),
    ("fsif_wire2_response", "u.attr", "fsif_response", "u.fstat"),
    ("fsif_wire2_attr", "mode", "fsif_stat_response", "stat_mode"),
    ("fsif_wire2_attr", "ret", "fsif_stat_response", "stat_ret"),
    ("fsif_wire2_attr", "size", "fsif_stat_response", "stat_size"),
    ("fsif_wire2_attr", "ctime", "fsif_stat_response", "stat_ctime"),
    ("fsif_wire1_request", "type", "fsif_request", "type"),
    ("fsif_wire1_request", "id", "fsif_request", "id"),
    ("fsif_wire1_request", "u", "fsif_request", "u"),
    ("fsif_wire1_response", "id", "fsif_response", "id"),
    ("fsif_wire1_response", "ret", "fsif_response", "u.ret_val"),
    ("fsif_wire1_attr", "mode", "fsif_stat_response", "stat_mode"),
    ("fsif_wire1_attr", "uid", "fsif_stat_response", "stat_uid"),
    ("fsif_wire1_attr", "gid", "fsif_stat_response", "stat_gid"),
    ("fsif_wire1_attr", "pad", "fsif_stat_response", "stat_ret"),
    ("fsif_wire1_attr", "size", "fsif_stat_response", "stat_size"),
    ("fsif_wire1_attr", "atime", "fsif_stat_response", "stat_atime"),
    ("fsif_wire1_attr", "mtime", "fsif_stat_response", "stat_mtime"),
    ("fsif_wire1_attr", "ctime", "fsif_stat_response", "stat_ctime"),
    ("fsif_wire_ring", "req_prod", "fsif_sring", "req_prod"),
    ("fsif_wire_ring", "req_event", "fsif_sring", "req_event"),
    ("fsif_wire_ring", "rsp_prod", "fsif_sring", "rsp_prod"),
    ("fsif_wire_ring", "rsp_event", "fsif_sring", "rsp_event"),
]
NUMBERS = {
    "OPEN": "FILE_OPEN", "CLOSE": "FILE_CLOSE", "READ": "FILE_READ", "WRITE": "FILE_WRITE",
    "STAT": "STAT", "TRUNCATE": "FILE_TRUNCATE", "REMOVE": "REMOVE", "RENAME": "RENAME",
    "CREATE": "CREATE", "LIST": "DIR_LIST", "CHMOD": "CHMOD", "SPACE": "FS_SPACE",
    "SYNC": "FILE_SYNC",
}


def syntax(cc, language, includes, text):
    argv = [*cc, *LANGUAGES[language], *WARN]
    for folder in includes:
        argv += ["-I", folder]
    return subprocess.run([*argv, "-"], input=text, text=True, capture_output=True, check=False)


def find_compiler(language, bits, wanted="<stdint.h>"):
    for cc in COMPILERS[language, bits]:
        if shutil.which(cc[0]) and not syntax(cc, language, [],
                                              "#include %s\n" % wanted).returncode:
            return cc
    return None


def xen_text():
    lines = ["#include <stddef.h>", XEN_INCLUDE, "#include <fsif/wire.h>"]

    def same(ours, theirs, what):
        lines.append('_Static_assert((%s) == (%s), "%s");' % (ours, theirs, what))

    for struct, member, path in COMMON:
        same("8 + offsetof(struct %s, %s)" % (struct, member),
             "offsetof(struct fsif_request, u.%s)" % path, path)
    for struct, member, xen, path in HEADS:
        same("offsetof(struct %s, %s)" % (struct, member), "offsetof(struct %s, %s)" % (xen, path),
             "%s.%s" % (xen, path))
    # What a ring of that header's own macros has between two slots
    same("FSIF_WIRE2_SLOT", "sizeof(union fsif_sring_entry)", "stride of slots")
    same("FSIF_WIRE_RING_SLOTS", "offsetof(struct fsif_sring, ring)", "first slot")
    same("FSIF_WIRE1_LIST_COUNT_MASK", "NR_FILES_MASK", "count of a listing")
    same("FSIF_WIRE1_LIST_ERROR_SHIFT", "ERROR_SHIFT", "error of a listing")
    same("FSIF_WIRE1_LIST_MORE_SHIFT", "HAS_MORE_SHIFT", "more of a listing")
    for ours, theirs in NUMBERS.items():
        same("FSIF_WIRE_%s" % ours, "REQ_%s" % theirs, "number of %s" % theirs)
    return "\n".join(lines) + "\n"


def check(cc, language, includes, what, text):
    done = syntax(cc, language, includes, text)
    if done.returncode:
        print("FAIL: %s with %s\n%s" % (what, " ".join(cc), done.stderr))
    return done.returncode != 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="the top of the source tree")
    parser.add_argument("--language", required=True, choices=sorted(LANGUAGES))
    parser.add_argument("--bits", required=True, type=int, choices=(32, 64))
    parser.add_argument("--xen", action="store_true")
    args = parser.parse_args()

    headers = sorted(glob.glob(os.path.join(args.source, "**/include/fsif/*.h"), recursive=True))
    includes = sorted({os.path.dirname(os.path.dirname(h)) for h in headers})
    if len(headers) < 15:
        sys.exit("FAIL: only %d public headers found below %s" % (len(headers), args.source))
    cc = find_compiler(args.language, args.bits)
    if not cc:
        print("SKIP: no %s compiler for %d bit (tried: %s)" % (
            args.language, args.bits,
            ", ".join(" ".join(c) for c in COMPILERS[args.language, args.bits])))
        return 77
    if args.xen:
        if syntax(cc, args.language, [], XEN_INCLUDE).returncode:
            print("SKIP: no %s (Debian: libxen-dev)" % XEN)
            return 77

    failed = 0
    for header in headers:
        name = "<fsif/%s>" % os.path.basename(header)
        if args.xen:
            ours = "#include %s\n" % name
            failed += check(cc, args.language, includes, name + " before Xen's", ours + XEN_INCLUDE)
            failed += check(cc, args.language, includes, name + " after Xen's", XEN_INCLUDE + ours)
        else:
            # Twice: the guard works.
            failed += check(cc, args.language, includes, name, "#include %s\n" % name * 2)
    if args.xen and args.language == "c":
        failed += check(cc, args.language, includes, "common offsets", xen_text())
    print("%d headers, %s, %d bit%s: %d failed" % (len(headers), args.language, args.bits,
                                                  ", with Xen's" if args.xen else "", failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
