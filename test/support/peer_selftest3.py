# SPDX-License-Identifier: MIT
"""peer3.py SOCKET EXPORT selftest: every operation of dialect 3, and what it must refuse."""

import errno
import os
import stat as stat_module
import struct
import time
import traceback

import peer_wire3 as w
from peer_shared import M32, PAGE, FsifError


class SelfTest3:
    """Every operation, in a folder of its own that is removed at the end."""

    def __init__(self, session, folder=".", may_lack=()):
        """may_lack: operations that this backend's store may answer with EOPNOTSUPP"""
        self.s = session
        self.top = f"{folder.rstrip('/') or '.'}/peer-selftest-{os.getpid()}"
        self.may_lack = may_lack
        self.lacks = set()
        self.passed = self.failed = 0

    def check(self, what, ok):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}")

    def fails(self, what, numbers, call, *args, **more):
        """@numbers: one error, or several of which any will do"""
        try:
            call(*args, **more)
        except FsifError as e:
            wanted = numbers if isinstance(numbers, tuple) else (numbers,)
            self.check(f"{what}: {errno.errorcode.get(e.errno)}", e.errno in wanted)
        else:
            self.check(f"{what}: no error", False)

    def part(self, name, run):
        """A part that a store may lack."""
        try:
            run()
        except FsifError as e:
            if e.errno != errno.EOPNOTSUPP or name not in self.may_lack:
                raise
            self.lacks.add(name)

    def whole_part(self, run):
        """What fails in one part must not hide what the next ones find."""
        try:
            run()
        except (FsifError, TimeoutError) as e:
            where = traceback.extract_tb(e.__traceback__)
            line = [frame.lineno for frame in where if frame.filename == __file__][-1]
            self.check(f"line {line}: {e}", False)
            self.s.notices.clear()

    def file(self, name, data=b""):
        """Make a file; its path."""
        path = f"{self.top}/{name}"
        self.s.writefile(path, data)
        return path

    def run(self):
        if self.s.read_only:
            self.read_only()
        else:
            self.s.mkdir(self.top)
            for part in (self.raw, self.files, self.opening, self.writing, self.attributes,
                         self.names, self.links, self.listing, self.compounds, self.bases,
                         self.pipeline, self.errors):
                self.whole_part(part)
            for name in ("allocate", "seek", "copy_range", "xattr", "lock", "watch"):
                self.whole_part(lambda name=name: self.part(name, getattr(self, name)))
            self.sweep(self.top)
        lacks = f", lacks {' '.join(sorted(self.lacks))}" if self.lacks else ""
        print(f"{self.passed} passed, {self.failed} failed{lacks}")
        return self.failed == 0

    def sweep(self, path):
        for name, e in self.s.list(path, w.ATTR).items():
            below = os.fsencode(path) + b"/" + name
            if e["type"] == 4:
                self.sweep(below)
            else:
                self.s.remove(below, w.FILE)
        self.check("rmdir", self.s.remove(path, w.DIR) == 0)

    def read_only(self):
        s, new = self.s, "peer-selftest"
        self.check("list", isinstance(s.list("/"), dict))
        self.check("statvfs", s.statvfs()["bsize"] > 0)
        self.check("stat", stat_module.S_ISDIR(s.stat()["mode"]))
        for what, call, args in (
                ("open to write", s.open, (new, w.CREAT | w.RDWR)), ("mkdir", s.mkdir, (new,)),
                ("tmpfile", s.open, (".", w.TMPFILE | w.RDWR)),
                ("mknod", s.mknod, (new, 0o100600)), ("symlink", s.symlink, ("x", new)),
                ("writefile", s.writefile, (new, b"x"))):
            self.fails(what, errno.EROFS, call, *args)
        self.fails("setattr", errno.EROFS, s.setattr, mask=w.SET_MODE, mode=0o700)
        self.fails("setxattr", (errno.EROFS, errno.EOPNOTSUPP), s.setxattr, b"", "user.a", b"x")

    # Slots that no call makes

    def raw_error(self, slot):
        """What a request of 64 octets is answered with."""
        s = self.s
        rid = s.free_id()
        slot = slot[:2] + struct.pack("<H", rid) + slot[4:]
        s.pending[0, rid] = ("nop", {}, None)
        s.put(slot)
        s.publish()
        return -s.wait((0, rid))[0]

    def raw(self):
        size = self.s.arena_size
        h = self.s.open(self.top)
        for what, slot, want in (
                ("type 0", bytes(64), 38), ("type 33", b"\x21" + bytes(63), 38),
                ("type 255", b"\xff" * 64, 38), ("pad", w.request("nop", 0)[:-1] + b"\1", 22),
                ("flags of the slot", b"\1\2" + bytes(62), 22),
                ("handle of none", w.request("nop", 0, handle=1), 22),
                ("flags", w.request("stat", 0, handle=h, flags=1), 22),
                ("no range", w.request("read", 0, handle=h), 22),
                ("range outside", w.request("read", 0, handle=h, ranges=[(size, 1)]), 14),
                ("range wraps", w.request("read", 0, handle=h, ranges=[(M32, 2)]), 14),
                ("sum", w.request("read", 0, handle=h, ranges=[(0, size), (0, 1)]), 22),
                ("names outside", w.request("stat", 0, handle=w.ROOT, path=b"a" * 9,
                                            names_at=size - 8), 14),
                ("no such handle", w.request("stat", 0, handle=h + 1000), 9),
                ("no such base", w.request("mkdir", 0, handle=1 << 31, path=b"x"), 9),
                ("ROOT is no file", w.request("sync", 0, handle=w.ROOT), 9)):
            self.check(f"{what}: {want}", self.raw_error(slot) == want)
        self.s.close_handle(h)
        for where in range(len(self.s.queues)):
            self.s.nop(where)

    def files(self):
        s, name = self.s, f"{self.top}/file"
        data = bytes(range(256)) * 64
        h, a = s.open(name, w.CREAT | w.EXCL | w.RDWR | w.STAT, 0o640)
        self.check("open's mode", a["mode"] == stat_module.S_IFREG | 0o640 and a["size"] == 0)
        self.check("write", s.write(h, data) == len(data))
        self.check("write with offset", s.write(h, b"tail", 30000) == 4)
        self.check("write nothing", s.write(h, b"", 5) == 0)
        self.check("read", s.read(h, len(data)) == data)
        self.check("read within", s.read(h, 10, 4090) == data[4090:4100])
        self.check("read a gap", s.read(h, 100, 20000) == bytes(100))
        self.check("read to the end", s.read(h, PAGE, 30000) == b"tail")
        self.check("read at the end", s.read(h, PAGE, 30004) == b"")
        self.check("read nothing", s.read(h, 0) == b"")
        self.check("stat of a handle", s.stat(base=h)["size"] == 30004)
        for flags in (0, w.DATA, w.FS):
            self.check("sync", s.sync(h, flags) == 0)
        self.scattered(h, data)
        self.check("close", s.close_handle(h) == 0)
        self.fails("close twice", errno.EBADF, s.close_handle, h)
        self.check("one request at a time of the whole arena", self.whole(name))

    def scattered(self, h, data):
        s = self.s
        ranges = [(8, 3), (4095, 2), (PAGE * 3, PAGE), (1, 5)]
        n, _ = s.call("read", handle=h, offset=100, ranges=ranges)
        got = s.read_arena(8, 3) + s.read_arena(4095, 2) + s.read_arena(PAGE * 3, PAGE) + \
            s.read_arena(1, 5)
        self.check("read into ranges", n == PAGE + 10 and got == data[100:110 + PAGE])
        s.write_arena(0, b"abcdefgh")
        n, _ = s.call("write", handle=h, offset=0, ranges=[(4, 4), (0, 2), (7, 0), (2, 2)])
        self.check("write from ranges", n == 8 and s.read(h, 8) == b"efghabcd")

    def whole(self, name):
        s, size = self.s, self.s.max_io
        h = s.open(name, w.RDWR)
        s.write_arena(0, bytes([7]) * size)
        ok = s.call("write", handle=h, ranges=[(0, size)])[0] == size
        s.write_arena(0, bytes(size))
        ok = ok and s.call("read", handle=h, ranges=[(0, size)])[0] == size
        s.close_handle(h)
        return ok and s.read_arena(0, size) == bytes([7]) * size

    def opening(self):
        s, name = self.s, self.file("open", b"text")
        self.fails("no file", errno.ENOENT, s.open, name + "x")
        self.fails("excl", errno.EEXIST, s.open, name, w.CREAT | w.EXCL | w.WRONLY)
        self.fails("directory", errno.ENOTDIR, s.open, name, w.DIRECTORY)
        self.fails("write a directory", errno.EISDIR, s.open, self.top, w.WRONLY)
        h = s.open(name)
        self.fails("write without leave", errno.EBADF, s.write, h, b"x")
        s.close_handle(h)
        h = s.open(name, w.WRONLY)
        self.fails("read without leave", errno.EBADF, s.read, h, 1)
        s.close_handle(h)
        h = s.open(name, w.RDWR | w.TRUNC | w.CREAT)
        self.check("trunc", s.stat(base=h)["size"] == 0)
        s.close_handle(h)
        h = s.open(self.top, w.PATH)
        self.fails("read a path", errno.EBADF, s.read, h, 1)
        self.check("stat of a path", stat_module.S_ISDIR(s.stat(base=h)["mode"]))
        s.close_handle(h)
        h = s.open(self.top)
        self.fails("read a directory", (errno.EISDIR, errno.EBADF), s.read, h, 10)
        self.check("sync a directory", s.sync(h) == 0)
        s.close_handle(h)
        self.part("tmpfile", self.tmpfile)

    def tmpfile(self):
        s = self.s
        h = s.open(self.top, w.TMPFILE | w.RDWR, 0o600)
        s.write(h, b"unnamed")
        self.check("no name", s.stat(base=h)["nlink"] == 0)
        self.check("a name for it", s.link("", f"{self.top}/named", base=h) == 0)
        self.check("by its name", s.readfile(f"{self.top}/named")[0] == b"unnamed")
        s.close_handle(h)

    def writing(self):
        s, name = self.s, self.file("writing", b"start")
        h = s.open(name, w.RDWR)
        self.check("at the end", s.write(h, b"-1", 0, w.AT_END) == 2)
        self.check("on the medium", s.write(h, b"S", 0, w.WRITE_DSYNC) == 1)
        s.close_handle(h)
        h = s.open(name, w.WRONLY | w.APPEND)
        self.check("append", s.write(h, b"-2", 0) == 2)
        s.close_handle(h)
        self.check("all of it", s.readfile(name)[0] == b"Start-1-2")
        h = s.open(name, w.WRONLY | w.SYNC)
        self.check("sync open", s.write(h, b"s") == 1)
        s.close_handle(h)

    def attributes(self):
        s, name = self.s, self.file("attributes", b"0123456789")
        a = s.stat(name)
        self.check("size", a["size"] == 10)
        self.check("mtime", abs(a["mtime"] - time.time()) < 3600)
        self.check("nlink", a["nlink"] == 1)
        self.check("ino", a["ino"] == s.list(self.top, w.ATTR)[b"attributes"]["ino"])
        a = s.setattr(name, mask=w.SET_MODE | w.SET_SIZE, mode=0o600, size=4)
        self.check("mode and size", a["mode"] & 0o7777 == 0o600 and a["size"] == 4)
        a = s.setattr(name, mask=w.SET_SIZE, size=8)
        self.check("grown", s.readfile(name)[0] == b"0123" + bytes(4))
        a = s.setattr(name, mask=w.SET_ATIME | w.SET_MTIME, atime=-5, atime_nsec=5,
                      mtime=1 << 32, mtime_nsec=999999999)
        self.check("times", (a["atime"], a["atime_nsec"], a["mtime"], a["mtime_nsec"]) ==
                   (-5, 5, 1 << 32, 999999999))
        a = s.setattr(name, mask=w.SET_MTIME_NOW)
        self.check("now", abs(a["mtime"] - time.time()) < 3600 and a["atime"] == -5)
        h = s.open(name, w.RDWR)
        self.check("by handle", s.setattr(base=h, mask=w.SET_SIZE, size=1)["size"] == 1)
        self.check("nothing", s.setattr(base=h)["size"] == 1)
        s.close_handle(h)
        owner = s.stat(name)
        a = s.setattr(name, mask=w.SET_UID | w.SET_GID, uid=owner["uid"], gid=owner["gid"])
        self.check("owner", (a["uid"], a["gid"]) == (owner["uid"], owner["gid"]))
        self.fails("no file", errno.ENOENT, s.setattr, name + "x", mask=w.SET_MODE, mode=0)
        v = s.statvfs(name)
        self.check("statvfs", v["bsize"] > 0 and v["namemax"] >= 255)

    def names(self):
        s, top = self.s, self.top
        for name in ("a..b", "...", "with space", "\udcff\udc80", "\x01\x7f\n", "n" * 255):
            self.file(name, b"x")
            self.check(f"list {name!r}", os.fsencode(name) in s.list(top))
            self.check(f"path {name!r}", s.stat(f"//{top}/.//{name}")["size"] == 1)
            self.check(f"rename {name!r}", s.rename(f"{top}/{name}", f"/{top}/new") == 0)
            self.fails(f"stat {name!r}", errno.ENOENT, s.stat, f"{top}/{name}")
            self.check("remove", s.remove(f"{top}/new") == 0)
        self.fails("dot dot", errno.EACCES, s.stat, f"{top}/../{top}")
        self.fails("empty", errno.ENOENT, s.mkdir, "")
        self.fails("long component", errno.ENAMETOOLONG, s.stat, f"{top}/" + "n" * 256)
        self.fails("long path", errno.ENAMETOOLONG, s.stat, "n/" * 2048)
        self.check("the longest path", s.stat(top + "/." * ((4095 - len(top)) // 2))["mode"] > 0)
        self.check("root", stat_module.S_ISDIR(s.stat("/")["mode"]))
        folder = f"{top}/folder"
        self.check("mkdir", s.mkdir(folder, 0o700) == 0 and s.stat(folder)["mode"] == 0o40700)
        self.fails("mkdir twice", errno.EEXIST, s.mkdir, folder)
        self.fails("remove a folder as a file", errno.EISDIR, s.remove, folder, w.FILE)
        one, two = self.file("one", b"1"), self.file("two", b"22")
        self.fails("remove a file as a folder", errno.ENOTDIR, s.remove, one, w.DIR)
        self.fails("noreplace", errno.EEXIST, s.rename, one, two, w.NOREPLACE)
        self.part("exchange", lambda: self.exchange(one, two))
        s.rename(one, two)
        self.fails("replaced", errno.ENOENT, s.stat, one)
        self.fails("file over folder", errno.EISDIR, s.rename, two, folder)
        s.rename(two, f"{folder}/in")
        self.fails("full", errno.ENOTEMPTY, s.remove, folder)
        self.part("mknod", self.mknod)

    def exchange(self, one, two):
        self.s.rename(one, two, w.EXCHANGE)
        self.check("exchange", self.s.stat(one)["size"] == 2 and self.s.stat(two)["size"] == 1)

    def mknod(self):
        s, top = self.s, self.top
        self.check("mknod", s.mknod(f"{top}/node", 0o100640) == 0
                   and s.stat(f"{top}/node")["mode"] == 0o100640)
        self.fails("mknod twice", errno.EEXIST, s.mknod, f"{top}/node", 0o100640)
        try:
            s.mknod(f"{top}/fifo", 0o10600)
        except FsifError as e:
            self.check("mknod of a FIFO", e.errno == errno.EPERM)
            return
        self.check("a FIFO", s.stat(f"{top}/fifo")["mode"] == 0o10600)
        self.fails("open a FIFO", errno.EACCES, s.open, f"{top}/fifo")

    def links(self):
        s, top = self.s, self.top
        name = self.file("linked", b"text")
        self.check("link", s.link(name, f"{top}/hard") == 0 and s.stat(name)["nlink"] == 2)
        self.fails("link to what is there", errno.EEXIST, s.link, name, f"{top}/hard")
        self.check("symlink", s.symlink("linked", f"{top}/soft") == 0)
        self.check("readlink", s.readlink(f"{top}/soft") == b"linked")
        self.check("readlink, cut", s.readlink(f"{top}/soft", length=3) == b"lin")
        self.check("stat follows", s.stat(f"{top}/soft")["size"] == 4)
        self.check("or not", stat_module.S_ISLNK(
            s.stat(f"{top}/soft", w.AT_NOFOLLOW)["mode"]))
        self.fails("nofollow", errno.ELOOP, s.open, f"{top}/soft", w.NOFOLLOW)
        self.fails("readlink of a file", errno.EINVAL, s.readlink, name)
        self.check("a target like no other", s.symlink("../../../etc//x ", f"{top}/out") == 0
                   and s.readlink(f"{top}/out") == b"../../../etc//x ")
        self.check("a long one", s.symlink("t" * 3000, f"{top}/long") == 0
                   and s.readlink(f"{top}/long") == b"t" * 3000)
        self.check("absolute", s.symlink(f"/{top}/linked", f"{top}/abs") == 0
                   and s.readfile(f"{top}/abs")[0] == b"text")
        s.symlink("loop", f"{top}/loop")
        self.fails("loop", errno.ELOOP, s.stat, f"{top}/loop")
        self.check("remove the link", s.remove(f"{top}/soft") == 0 and s.stat(name)["nlink"] == 2)

    def listing(self):
        s, folder = self.s, f"{self.top}/many"
        s.mkdir(folder)
        self.check("empty", s.list(folder) == {})
        want = set()
        for i in range(100):
            name = f"{i:03}-" + "x" * (i * 2)
            s.writefile(f"{folder}/{name}", bytes(i))
            want.add(name.encode())
        for length in (400, PAGE, 5 * PAGE):
            for flags in (0, w.ATTR):
                got = s.list(folder, flags, length)
                self.check(f"list {length} {flags}", set(got) == want)
                self.check("sizes", not flags or all(
                    e["attr"]["size"] == int(n[:3]) and e["type"] == 8 for n, e in got.items()))
        h = s.open(folder)
        some = s.readdir(h, length=1024)
        again = s.readdir(h, some[0]["cookie"], length=1024)
        self.check("goes on behind", [e["name"] for e in again[:len(some) - 1]] ==
                   [e["name"] for e in some[1:]])
        self.fails("small range", errno.EINVAL, s.readdir, h, length=399)
        try:
            s.readdir(h, (1 << 64) - 1)
        except FsifError as e:
            self.check(f"forged cookie: {e}", True)
        s.close_handle(h)
        h = s.open(f"{folder}/000-")
        self.fails("list a file", errno.ENOTDIR, s.readdir, h)
        s.close_handle(h)

    def compounds(self):
        s, top, name = self.s, self.top, f"{self.top}/compound"
        n, a = s.writefile(name, b"hello", w.CREAT | w.EXCL, 0o600)
        self.check("writefile", (n, a["size"], a["mode"]) == (5, 5, 0o100600))
        self.fails("excl", errno.EEXIST, s.writefile, name, b"x", w.CREAT | w.EXCL)
        self.check("keeps its rest", s.writefile(name, b"HE", 0)[1]["size"] == 5)
        data, a = s.readfile(name)
        self.check("readfile", (data, a["size"]) == (b"HEllo", 5))
        self.check("cut", s.readfile(name, 2)[0] == b"HE")
        self.check("nothing", s.readfile(name, 0)[0] == b"")
        self.fails("of a folder", errno.EISDIR, s.readfile, top)
        self.fails("of nothing", errno.ENOENT, s.readfile, name + "x")
        self.fails("without creat", errno.ENOENT, s.writefile, name + "x", b"x", 0)
        got = s.statmany([name, name + "x", f"/{top}", "a/../b", name])
        self.check("statmany", [g[0] for g in got] == [0, -2, 0, -13, 0])
        self.check("and attributes", got[0][1] == got[4][1] == s.stat(name)
                   and stat_module.S_ISDIR(got[2][1]["mode"]))
        many = s.statmany(["compound"] * 200, base=(h := s.open(top)))
        self.check("statmany of many", len(many) == 200 and not any(m[0] for m in many))
        s.close_handle(h)
        blob = s.take(64)
        s.write_arena(blob, b"compound")
        s.call("statmany", handle=w.ROOT, count=2, ranges=[(blob, 8)], records=PAGE)
        status = [w.take_record(s.read_arena(PAGE + i * w.RECORD, w.RECORD))[0] for i in (0, 1)]
        self.check("statmany without NUL", status == [-22, -22])
        s.give(blob, 64)

    def bases(self):
        s, top = self.s, self.top
        s.mkdir(f"{top}/base")
        b = s.open(f"{top}/base", w.PATH | w.DIRECTORY)
        s.writefile("in", b"1", base=b)
        self.check("below a base", s.stat("in", base=b)["size"] == 1)
        self.check("the same", s.stat(f"{top}/base/in")["ino"] == s.stat("in", base=b)["ino"])
        self.check("from the root", s.stat(f"/{top}/base/in", base=b)["size"] == 1)
        self.check("the base itself", s.stat(".", base=b)["ino"] == s.stat(base=b)["ino"])
        s.rename("in", "out", base=b)
        self.check("to the root", s.stat("out")["size"] == 1)
        s.rename("out", "in", base2=b)
        f = s.open("in", base=b)
        self.fails("a file is no base", errno.ENOTDIR, s.stat, "x", base=f)
        s.close_handle(f)
        s.rename(f"{top}/base", f"{top}/moved")
        self.check("a base moves", s.stat("in", base=b)["size"] == 1)
        s.close_handle(b)

    def pipeline(self):
        s, name = self.s, self.file("pipe")
        h = s.open(name, w.RDWR)
        for where in range(len(s.queues)):
            slots = s.queues[where].slots
            tickets = []
            for i in range(slots):
                s.write_arena(i, bytes([i % 256]))
                tickets.append(s.queue("write", where, handle=h, offset=i, ranges=[(i, 1)]))
            s.publish(where)
            self.check("all ids at once", all(s.wait(t)[0] == 1 for t in tickets))
            self.check("and their data", s.read(h, 2 * slots) ==
                       bytes(i % 256 for i in range(slots)))
            for _ in range(3 * slots):  # around the ring
                s.nop(where)
        s.close_handle(h)

    def errors(self):
        s, name = self.s, self.file("errors", b"x")
        h = s.open(name, w.RDWR)
        big = 1 << 63
        self.fails("offset", errno.EINVAL, s.read, h, 1, big - 1)
        self.fails("offset", errno.EINVAL, s.write, h, b"x", big)
        self.fails("access", errno.EINVAL, s.open, name, 3)
        self.fails("mode", errno.EINVAL, s.open, name, w.CREAT, 0o10000)
        self.fails("size", errno.EINVAL, s.setattr, base=h, mask=w.SET_SIZE, size=big)
        self.fails("nanoseconds", errno.EINVAL, s.setattr, base=h, mask=w.SET_ATIME,
                   atime_nsec=1000000000)
        self.fails("both times", errno.EINVAL, s.setattr, base=h,
                   mask=w.SET_ATIME | w.SET_ATIME_NOW)
        self.fails("both flags", errno.EINVAL, s.rename, name, name, 3)
        self.fails("file as folder", errno.ENOTDIR, s.stat, f"{name}/x")
        self.fails("file with slash", errno.ENOTDIR, s.stat, f"{name}/")
        self.fails("NUL", errno.EINVAL, s.stat, b"a\0b")
        self.fails("no such export", errno.ENOENT, s.export, "no-such-export")
        self.fails("cancel of nothing", errno.ENOENT, s.cancel, 12345)
        self.fails("unwatch of nothing", errno.EINVAL, s.unwatch, 12345)
        s.close_handle(h)

    def allocate(self):
        s, name = self.s, self.file("space", bytes([1]) * 20000)
        h = s.open(name, w.RDWR)
        s.allocate(h, 20000, 10000)
        self.check("grown", s.stat(base=h)["size"] == 30000)
        s.allocate(h, 30000, 10000, w.KEEP_SIZE)
        self.check("kept", s.stat(base=h)["size"] == 30000)
        s.allocate(h, 4096, 8192, w.PUNCH | w.KEEP_SIZE)
        self.check("a hole", s.read(h, 12000, 4000) ==
                   bytes([1]) * 96 + bytes(8192) + bytes([1]) * 3712)
        self.fails("nothing", errno.EINVAL, s.allocate, h, 0, 0)
        self.fails("punch alone", errno.EINVAL, s.allocate, h, 0, 1, w.PUNCH)
        s.close_handle(h)

    def seek(self):
        s, name = self.s, self.file("holes", b"x")
        h = s.open(name, w.RDWR)
        s.write(h, b"y", 1 << 20)
        self.check("data", s.seek(h, 0) == 0)
        self.check("the end", s.seek(h, 1 << 20, w.HOLE) == (1 << 20) + 1)
        self.fails("behind the end", errno.ENXIO, s.seek, h, (1 << 20) + 1)
        s.close_handle(h)

    def copy_range(self):
        s = self.s
        a, b = self.file("from", bytes(range(200))), self.file("to")
        f, t = s.open(a), s.open(b, w.RDWR)
        self.check("copy", s.copy_range(f, 10, t, 5, 100) == 100)
        self.check("copied", s.readfile(b)[0] == bytes(5) + bytes(range(10, 110)))
        self.check("at the end", s.copy_range(f, 200, t, 0, 10) == 0)
        self.check("cut", s.copy_range(f, 150, t, 0, 100) == 50)
        s.close_handle(f)
        s.close_handle(t)

    def xattr(self):
        s, name = self.s, self.file("xattr")
        s.setxattr(name, "user.a", b"value")
        self.check("getxattr", s.getxattr(name, "user.a") == b"value")
        self.check("its size", s.xattr_size(name, "user.a") == 5)
        self.fails("too small", errno.ERANGE, s.getxattr, name, "user.a", 4)
        self.check("list", s.listxattr(name) == [b"user.a"])
        self.fails("create", errno.EEXIST, s.setxattr, name, "user.a", b"x", w.CREATE)
        self.fails("replace", errno.ENODATA, s.setxattr, name, "user.b", b"x", w.REPLACE)
        s.setxattr(name, "user.a", b"", w.REPLACE)
        self.check("empty", s.getxattr(name, "user.a") == b"")
        h = s.open(name)
        s.setxattr(b"", "user." + "n" * 200, b"long", base=h)
        self.check("a long name", s.getxattr(b"", "user." + "n" * 200, base=h) == b"long")
        s.close_handle(h)
        self.check("remove", s.removexattr(name, "user.a") == 0)
        self.fails("none", errno.ENODATA, s.getxattr, name, "user.a")
        self.fails("none to remove", errno.ENODATA, s.removexattr, name, "user.a")
        for space in ("security.x", "trusted.x", "system.posix_acl_access"):
            self.fails(space, (errno.EOPNOTSUPP, errno.EPERM), s.setxattr, name, space, b"x")

    def lock(self):
        s, name = self.s, self.file("locks")
        a, b = s.open(name, w.RDWR), s.open(name, w.RDWR)
        for whole in (0, w.WHOLE):
            self.check("exclusive", s.lock(a, w.EXCLUSIVE, whole) == 0)
            self.fails("in the way", errno.EAGAIN, s.lock, b, w.SHARED, whole)
            self.check("waits", s.lock(b, w.SHARED, whole | w.WAIT, cookie=77) ==
                       errno.EINPROGRESS)
            self.check("unlock", s.lock(a, w.UNLOCK, whole) == 0)
            self.check("late", s.next_notice() == (w.LATE, 77, 0, b""))
            self.check("waits", s.lock(a, w.EXCLUSIVE, whole | w.WAIT, cookie=78) ==
                       errno.EINPROGRESS)
            self.check("cancel", s.cancel(78) == 0)
            self.check("cancelled", s.next_notice() == (w.LATE, 78, -errno.ECANCELED, b""))
            self.check("unlock", s.lock(b, w.UNLOCK, whole) == 0)
        self.lock_ranges(a, b)
        self.lock_flood(a, b)
        s.close_handle(a)
        s.close_handle(b)

    def lock_ranges(self, a, b):
        s = self.s
        self.check("range", s.lock(a, w.EXCLUSIVE, 0, 10, 10) == 0)
        self.check("beside", s.lock(b, w.EXCLUSIVE, 0, 20, 0) == 0)
        got = s.lock(b, w.SHARED, w.TEST, 15, 1)
        self.check("test", (got["mode"], got["offset"], got["length"]) == (w.EXCLUSIVE, 10, 10))
        self.check("test of free", s.lock(b, w.SHARED, w.TEST, 0, 10)["mode"] == w.UNLOCK)
        self.check("waits", s.lock(a, w.SHARED, w.WAIT, 20, 1, 5) == errno.EINPROGRESS)
        s.lock(b, w.UNLOCK)
        self.check("late", s.next_notice() == (w.LATE, 5, 0, b""))
        s.lock(a, w.UNLOCK)

    def lock_flood(self, a, b):
        """More locks that wait than there are ids, as far as the backend takes them; unlocking
        works all the same, and each comes late."""
        s = self.s
        s.lock(a, w.EXCLUSIVE)
        waiting = []
        for cookie in range(1000, 1000 + 4 * s.queues[0].slots):
            value, _ = s.wait(s.submit("lock", handle=b, mode=w.SHARED, flags=w.WAIT,
                                       cookie=cookie, offset=cookie, length=1))
            if value == -errno.ENOLCK:
                break
            self.check("waits", value == -errno.EINPROGRESS)
            waiting.append(cookie)
        self.check("as many as there are ids", len(waiting) >= 16)
        self.check("unlock", s.lock(a, w.UNLOCK) == 0)
        late = sorted(s.next_notice() for _ in waiting)
        self.check("all come", late == [(w.LATE, c, 0, b"") for c in waiting])
        s.lock(b, w.UNLOCK)

    def watch(self):
        s, folder = self.s, f"{self.top}/watched"
        s.mkdir(folder)
        h = s.open(folder)
        number_ = s.watch(h, w.CHANGED_CREATE | w.CHANGED_REMOVE, 42)
        s.writefile(f"{folder}/new", b"x")
        self.check("create", s.next_notice() == (w.CHANGE, 42, w.CHANGED_CREATE, b"new"))
        s.remove(f"{folder}/new")
        self.check("remove", s.next_notice() == (w.CHANGE, 42, w.CHANGED_REMOVE, b"new"))
        self.check("unwatch", s.unwatch(number_) == 0)
        self.fails("unwatch twice", errno.EINVAL, s.unwatch, number_)
        s.writefile(f"{folder}/silent", b"x")
        s.nop()
        self.check("silence", not s.notices)
        self.fails("no flags", errno.EINVAL, s.watch, h, 0, 1)
        s.close_handle(h)
        f = s.open(f"{folder}/silent")
        self.fails("a file", errno.ENOTDIR, s.watch, f, 1, 1)
        s.close_handle(f)
