# SPDX-License-Identifier: MIT
"""peer.py SOCKET EXPORT selftest: every operation, and what it must refuse."""

import errno
import os
import stat as stat_module
import struct
import time

from peer_shared import M32, OPEN, PAGE, READ, RENAME, SLOTS, WRITE, FsifError


class SelfTest:
    """Every operation, in a folder of its own that is removed at the end."""

    def __init__(self, session, folder):
        self.s = session
        self.folder = folder.rstrip("/") or "."
        self.passed = self.failed = 0

    def check(self, what, ok):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}")

    def fails(self, what, number_, call, *args):
        # A listing carries its error number even where other answers do not.
        told = self.s.errno_feature or call == self.s.list
        want = number_ if told else errno.EIO
        try:
            call(*args)
        except FsifError as e:
            self.check(f"{what}: {errno.errorcode.get(e.errno)}", e.errno == want)
        else:
            self.check(f"{what}: no error", False)

    def run(self):
        if self.s.read_only:
            self.read_only()
        else:
            top = f"{self.folder}/peer-selftest-{os.getpid()}"
            self.check("mkdir", self.s.create(top, 0o755, True) == 0)
            for part in (self.files, self.names, self.listing, self.pipeline, self.errors):
                part(top)
            self.check("rmdir", self.s.remove(top) == 0)
        print(f"{self.passed} passed, {self.failed} failed")
        return self.failed == 0

    def read_only(self):
        names = self.s.list(self.folder)
        self.check("list", b"." in names and b".." in names)
        self.check("space", self.s.space(self.folder) >= 0)
        h = self.s.open(self.folder)
        self.check("stat", stat_module.S_ISDIR(self.s.stat(h)["mode"]))
        self.fails("chmod", errno.EROFS, self.s.chmod, h, 0o700)
        self.check("close", self.s.close_handle(h) == 0)
        new = f"{self.folder}/peer-selftest"
        self.fails("create", errno.EROFS, self.s.create, new)
        self.fails("mkdir", errno.EROFS, self.s.create, new, 0o755, True)

    def files(self, top):
        s, name = self.s, f"{top}/file"
        data = bytes(range(256)) * 16
        h = s.create(name, 0o640)
        self.check("write", s.write(h, data, 0) == PAGE)
        self.check("write with offset", s.write(h, b"tail", 10000) == 4)
        self.check("write nothing", s.write(h, b"", 5) == 0)
        self.check("read", s.read(h, PAGE, 0) == data)
        self.check("read within a page", s.read(h, 10, 7) == data[7:17])
        self.check("read a gap", s.read(h, PAGE, PAGE) == bytes(PAGE))
        self.check("read to the end", s.read(h, PAGE, 10000) == b"tail")
        self.check("read at the end", s.read(h, PAGE, 10004) == b"")
        self.check("read nothing", s.read(h, 0, 0) == b"")
        a = s.stat(h)
        self.check("stat size", a["size"] == 10004)
        self.check("stat mode", a["mode"] == stat_module.S_IFREG | 0o640)
        self.check("stat time", abs(a["mtime"] - time.time()) < 3600)
        self.check("chmod", s.chmod(h, 0o600) == 0 and s.stat(h)["mode"] & 0o7777 == 0o600)
        self.check("truncate", s.truncate(h, 100) == 0 and s.stat(h)["size"] == 100)
        self.check("truncate to more", s.truncate(h, 200) == 0 and s.read(h, PAGE, 90) ==
                   data[90:100] + bytes(100))
        self.check("sync", s.sync(h) == 0)
        self.check("close", s.close_handle(h) == 0)
        self.fails("close twice", errno.EBADF, s.close_handle, h)
        h = s.open(name)
        self.check("open again", s.read(h, 3, 0) == data[:3])
        s.close_handle(h)
        h = s.create(name)
        self.check("create empties", s.stat(h)["size"] == 0)
        s.close_handle(h)
        self.check("remove", s.remove(name) == 0)

    def names(self, top):
        s = self.s
        for name in ("a..b", "...", "with space", "\udcff\udc80", "\x01\x7f\n", "n" * 255):
            h = s.create(f"{top}/{name}")
            s.close_handle(h)
            self.check(f"list {name!r}", os.fsencode(name) in s.list(top))
            h = s.open(f"//{top}/.//{name}")
            s.close_handle(h)
            self.check(f"rename {name!r}", s.rename(f"{top}/{name}", f"/{top}/new") == 0)
            self.fails(f"open {name!r}", errno.ENOENT, s.open, f"{top}/{name}")
            self.check("remove", s.remove(f"{top}/new") == 0)
        self.fails("dot dot", errno.EACCES, s.open, f"{top}/../{top}")
        self.fails("empty", errno.ENOENT, s.open, "")
        self.fails("long component", errno.ENAMETOOLONG, s.open, f"{top}/" + "n" * 256)
        self.fails("no NUL", errno.ENAMETOOLONG, s.call_page, OPEN,
                   lambda g: struct.pack("=I", g), b"x" * PAGE)
        h = s.open(f"{top}/")
        self.check("open a directory", stat_module.S_ISDIR(s.stat(h)["mode"]))
        self.fails("read a directory", errno.EISDIR, s.read, h, 10, 0)
        self.check("sync a directory", s.sync(h) == 0)
        s.close_handle(h)
        self.check("root", stat_module.S_ISDIR(s.stat(h := s.open("/"))["mode"]))
        s.close_handle(h)

    def listing(self, top):
        s, folder = self.s, f"{top}/many"
        s.create(folder, 0o755, True)
        want = {b".", b".."}
        self.check("list an empty folder", set(s.list(folder)) == want)
        for i in range(100):
            name = f"{i:03}-" + "x" * 100
            s.close_handle(s.create(f"{folder}/{name}"))
            want.add(name.encode())
        names = s.list(folder)
        self.check("list of several pages", len(names) == len(want) and set(names) == want)
        page, more = s.list_page(folder, 0)
        self.check("more", more == 1 and 0 < len(page) < len(want))
        page, more = s.list_page(folder, len(want))
        self.check("list at the end", (page, more) == ([], 0))
        page, more = s.list_page(folder, M32)
        self.check("list beyond the end", (page, more) == ([], 0))
        rest, more = s.list_page(folder, len(want) - 3)
        self.check("list that starts in the middle", len(rest) == 3 and more == 0)
        self.fails("remove a full folder", errno.ENOTEMPTY, s.remove, folder)
        for name in want - {b".", b".."}:
            s.remove(f"{folder}/{os.fsdecode(name)}")
        self.check("remove an empty folder", s.remove(folder) == 0)

    def pipeline(self, top):
        s, name = self.s, f"{top}/pipe"
        h = s.create(name)
        ids = min(SLOTS, s.pages - 1)
        for rid in range(ids):
            s.write_page(s.gref_of(rid), bytes([rid]) * PAGE)
            s.pending.add(rid)
            s.put(s.request(WRITE, rid, struct.pack("=IIQQ", h, s.gref_of(rid), PAGE, rid * PAGE)))
        s.publish()
        self.check("all ids at once", all(s.wait(rid) == PAGE for rid in range(ids)))
        self.check("and their data", s.read_all(h) == b"".join(bytes([i]) * PAGE
                                                               for i in range(ids)))
        for _ in range(3 * SLOTS):  # around the ring
            s.read(h, 1, 0)
        self.check("space", s.space(top) > 0)
        s.close_handle(h)
        s.remove(name)

    def errors(self, top):
        s, name = self.s, f"{top}/errors"
        h = s.create(name)
        page = s.gref_of(0)
        self.fails("unknown operation", errno.ENOSYS, s.call, 0, b"")
        self.fails("unknown operation", errno.ENOSYS, s.call, 255, b"\xff" * 24)
        self.fails("bad handle", errno.EBADF, s.read, M32, 1, 0)
        self.fails("bad gref", errno.EFAULT, s.call, OPEN, struct.pack("=I", s.pages))
        self.fails("length", errno.EINVAL, s.call, READ,
                   struct.pack("=IIQQ", h, page, PAGE + 1, 0))
        self.fails("offset", errno.EINVAL, s.call, WRITE,
                   struct.pack("=IIQQ", h, page, 1, (1 << 63) - 1))
        self.fails("negative size", errno.EINVAL, s.truncate, h, -1)
        self.fails("rename outside the page", errno.EINVAL, s.call, RENAME,
                   struct.pack("=HHI", 5, 4096, page))
        self.fails("rename in one name", errno.EINVAL, s.call_page, RENAME,
                   lambda g: struct.pack("=HHI", 0, 2, g), b"abcdef\0")
        self.fails("mkdir twice", errno.EEXIST, s.create, top, 0o755, True)
        self.fails("no such file", errno.ENOENT, s.remove, f"{top}/nothing")
        self.fails("file as folder", errno.ENOTDIR, s.open, f"{name}/x")
        self.fails("file with slash", errno.ENOTDIR, s.open, f"{name}/")
        self.fails("list a file", errno.ENOTDIR, s.list, name)
        s.close_handle(h)
        s.remove(name)
