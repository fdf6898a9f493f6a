# SPDX-License-Identifier: MIT
"""Rows about names and what they lead to: B7, B8, B19 to B22."""
import errno
import os
import socket
import stat
import struct
import subprocess
import time

from attack import CREATE, LIST, OPEN, PAGE, REMOVE, RENAME, SPACE
from harness import PROGRAMS, among, check, equal, mount, need_root, row, unmount

# What names a request can carry, by operation: operands for a page
PATH_CALLS = {OPEN: lambda g: struct.pack("<I", g), REMOVE: lambda g: struct.pack("<I", g),
              SPACE: lambda g: struct.pack("<I", g),
              CREATE: lambda g: struct.pack("<bxxxiI", 0, 0o644, g),
              LIST: lambda g: struct.pack("<II", 0, g),
              RENAME: lambda g: struct.pack("<HHI", 0, PAGE - 5, g)}


def refusal(f, kind, page):
    """The error number of one request whose page is @page, whatever form it has."""
    f.write_page(1, page.ljust(PAGE - 5, b"\0") + b"to\0\0\0" if len(page) < PAGE - 5 else page)
    ret = f.call(kind, PATH_CALLS[kind](1))
    return ret >> 16 & 0xffffffff if kind == LIST else -ret


@row("B7")
def names(test):
    """Names without an end, empty, long, climbing, odd: the same rules for every operation."""
    tree = test.tree()
    bad = {b"": errno.ENOENT, b"..": errno.EACCES, b"../s": errno.EACCES, b"d/..": errno.EACCES,
           b"d/../s": errno.EACCES, b"/..": errno.EACCES, b"//../s": errno.EACCES,
           b"./..": errno.EACCES, b"../": errno.EACCES, b"nothing/..": errno.EACCES,
           b"n" * 256: errno.ENAMETOOLONG, b"d/" + b"n" * 256: errno.ENAMETOOLONG,
           b"n" * 4000: errno.ENAMETOOLONG, b"file/": errno.ENOTDIR, b"file/.": errno.ENOTDIR,
           b"file/x": errno.ENOTDIR, b"s//": errno.ENOTDIR}
    endless = (b"x" * PAGE, b"x/" * (PAGE // 2), b"." * PAGE, b"/" * PAGE, b"../" * 1365 + b"x")
    with test.daemon({"x": tree}) as d, d.front("x") as f:
        for kind in PATH_CALLS:
            for name, number in bad.items():
                got = refusal(f, kind, name)
                # creating "file/" is a directory's name to the kernel
                legal = (number, errno.EISDIR) if kind == CREATE else (number,)
                among(got, legal, "operation %d on %r" % (kind, name[:20]))
            for page in endless:
                f.write_page(1, page)
                operands = (struct.pack("<HHI", 0, 2048, 1) if kind == RENAME
                            else PATH_CALLS[kind](1))
                ret = f.call(kind, operands)
                got = ret >> 16 & 0xffffffff if kind == LIST else -ret
                among(got, (errno.ENAMETOOLONG, errno.EACCES), "operation %d without a NUL" % kind)
        for same in ("file", "/file", "//file", "./file", "./././file", "///.///./file",
                     "./" * 2045 + "file", "/" * 4091 + "file"):
            fd = f.open(same)
            check(fd >= 0, "open of %r...: %d" % (same[:20], fd))
            equal(f.stat(fd)[4], PAGE, "size of it")
            f.close_handle(fd)
        for same in ("d", "d/", "d/.", "/d//", "./d/./", ".", "/", "//", "./."):
            fd = f.open(same)
            check(fd >= 0 and stat.S_ISDIR(f.stat(fd)[0]), "open of the folder %r" % same)
            f.close_handle(fd)
        odd_names(f, tree)
    equal(sorted(os.listdir(tree)), ["d", "file", "s"], "what is left")


def odd_names(f, tree):
    odd = (b"a..b", b"...", b"..a", b"a..", b".hidden", b"-rf", b" ", b"*", b"\\", b"%s%n",
           b"new\nline", b"\x1b[2J", b"\x01\x02\x7f", b"\x80\xfe\xff", "\u00e4\u2028".encode(),
           b"n" * 255, bytes(range(1, 47)) + bytes(range(48, 256)))
    for name in odd:
        text = os.fsdecode(name)
        fd = f.create(text)
        check(fd >= 0, "create %r: %d" % (name, fd))
        equal(f.write(fd, name), len(name), "write to %r" % name)
        f.close_handle(fd)
        equal(f.list(".").count(name), 1, "%r in the listing" % name)
        check(name in os.listdir(os.fsencode(tree)), "%r on the host, byte for byte" % name)
        equal(f.rename(text, "moved"), 0, "rename %r" % name)
        equal(f.rename("moved", text), 0, "and back")
        equal(f.remove(text), 0, "remove %r" % name)


@row("B8")
def rename_offsets(test):
    """The second name outside the page, inside the first, without an end."""
    tree = test.tree()
    with test.daemon({"x": tree}) as d:
        for pages, gref in ((65, 1), (3, 2)):  # a page in the middle, and the last
            with d.front("x", pages=pages) as f:
                f.write_page(gref, b"old: file\0new: other\0".ljust(PAGE, b"z"))
                for old, new in ((5, 4096), (5, 4097), (5, 65535), (4096, 5), (65535, 65535),
                                 (5, 5), (5, 6), (5, 8), (5, 9), (6, 5), (0, 5), (9, 9)):
                    equal(f.rename_at(old, new, gref), -errno.EINVAL,
                          "rename from %d to %d" % (old, new))
                for old, new in ((5, 100), (100, 5), (5, 4095), (4095, 5)):
                    equal(f.rename_at(old, new, gref), -errno.ENAMETOOLONG,
                          "rename from %d to %d, which has no end" % (old, new))
                f.write_page(gref, b"\0", PAGE - 1)
                equal(f.rename_at(5, 4095, gref), -errno.ENOENT, "rename to an empty name")
                equal(f.rename_at(4095, 5, gref), -errno.ENOENT, "rename from an empty name")
                equal(f.rename_at(5, 21, gref), -errno.ENAMETOOLONG, "rename to a long name")
                equal(sorted(os.listdir(tree)), ["d", "file", "s"], "what is there")
                # the second may come first, and may touch the first
                f.write_page(gref, b"q\0file\0")
                equal(f.rename_at(2, 0, gref), 0, "names in the other order")
                f.write_page(gref, b"file\0", PAGE - 5)
                f.write_page(gref, b"q\0", PAGE - 7)
                equal(f.rename_at(PAGE - 7, PAGE - 5, gref), 0, "names at the very end")
        equal(sorted(os.listdir(tree)), ["d", "file", "s"], "what is left")


class swapping:
    """Somebody on the host exchanges two names at full speed."""

    def __init__(self, a, b):
        self.process = subprocess.Popen([PROGRAMS + "hostile-swap", a, b], stdout=subprocess.PIPE)

    def __enter__(self):
        check(self.process.stdout.readline() == b"swapping\n", "the swapper runs")

    def __exit__(self, *_):
        alive = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        check(alive, "it ran to the end")


def read_all(f, name):
    """What the peer gets to see of a file, or a negative error."""
    fd = f.open(name)
    if fd < 0:
        return fd
    data = f.read(fd, PAGE)
    f.close_handle(fd)
    return data


@row("B19")
def confinement(test):
    """Links, magic links, mounts and races: never a byte from outside."""
    outside = test.folder()
    with open(outside + "/secret", "w") as f:
        f.write("OUTSIDE")
    os.mkdir(outside + "/keep")
    tree = test.tree()
    links = {"abs": outside + "/secret", "absdir": outside, "up": "../" * 20 + outside[1:],
             "passwd": "/etc/passwd", "upfile": "d/../../../../../../etc/passwd",
             "loop": "loop", "self": "/proc/self/root", "dots": "..", "d/dots": "../..",
             "new": outside + "/made", "d/in": "../file", "absin": "/d/f"}
    for name, target in links.items():
        os.symlink(target, tree + "/" + name)
    with test.daemon({"x": tree}) as d, d.front("x") as f:
        for name in ("abs", "absdir/secret", "up/secret", "passwd", "upfile", "self/etc/passwd",
                     "self", "dots" + outside + "/secret", "d/dots" + outside + "/secret"):
            among(read_all(f, name), (-errno.ENOENT,), "reading through %r" % name)
        equal(read_all(f, "loop"), -errno.ELOOP, "reading a link to itself")
        equal(read_all(f, "d/in"), bytes(range(256)) * 16, "a link inside works")
        equal(read_all(f, "absin"), b"abc", "an absolute link is inside too")
        # dots is the root, for those who follow it
        equal(read_all(f, "dots/dots/d/dots/s"), b"12345", "up is no further than the root")
        for name in ("absdir/made", "up/made", "self/tmp/made", "new"):
            among(f.create(name), (-errno.ENOENT, -errno.ELOOP), "making %r" % name)
        among(f.remove("absdir/keep"), (-errno.ENOENT,), "removing outside")
        among(f.rename("file", "absdir/taken"), (-errno.ENOENT,), "moving outside")
        among(f.list("absdir"), (-errno.ENOENT,), "listing outside")
        races(f, tree, outside)
    mounts(test, outside)
    equal(sorted(os.listdir(outside)), ["keep", "secret"], "what is outside is as it was")


def races(f, tree, outside):
    """A folder and a link to the outside change places while names are resolved."""
    os.mkdir(tree + "/a")
    with open(tree + "/a/secret", "w") as out:
        out.write("inside")
    os.symlink(outside, tree + "/b")
    seen = {}
    with swapping(tree + "/a", tree + "/b"):
        end = time.monotonic() + 4
        while time.monotonic() < end:
            got = read_all(f, "a/secret")
            check(got != b"OUTSIDE", "the outside was read")
            seen[got] = seen.get(got, 0) + 1
            made = f.create("a/made")
            if made >= 0:
                f.close_handle(made)
            f.remove("a/keep")
            f.rename("s", "a/s")
            f.rename("a/s", "s")
            f.remove("a/made")
    print("what was read in the race: %r" % seen)
    check(b"inside" in seen, "the race had two sides")


def mounts(test, outside):
    """Mounted things inside the export: refused, or with `xdev` entered but not left by magic."""
    need_root()
    tree = test.tree()
    for name, kind, source, options in (("proc", "proc", "proc", ""),
                                        ("bind", "none", outside, "bind")):
        os.mkdir(tree + "/" + name)
        mount(kind, source, tree + "/" + name, options)
        test.at_end(unmount, tree + "/" + name)
    with test.daemon({"x": tree, "cross": tree + ",xdev"}) as d:
        with d.front("x") as f:
            equal(read_all(f, "bind/secret"), -errno.EXDEV, "a bind mount")
            equal(read_all(f, "proc/self/root/etc/passwd"), -errno.EXDEV, "/proc")
            equal(f.create("bind/made"), -errno.EXDEV, "making in a bind mount")
            equal(f.list("bind"), -errno.EXDEV, "listing a bind mount")
        with d.front("cross") as f:
            equal(read_all(f, "bind/secret"), b"OUTSIDE", "a bind mount with xdev")
            pid = d.pid
            for name in ("proc/%d/root/etc/passwd" % pid, "proc/%d/cwd/etc/passwd" % pid,
                         "proc/%d/exe" % pid, "proc/%d/fd/0" % pid, "proc/self/root",
                         "proc/1/root/etc/passwd"):
                among(read_all(f, name), (-errno.ELOOP, -errno.ENOENT, -errno.EACCES),
                      "a magic link: " + name)


@row("B20")
def special_files(test):
    """FIFOs, sockets and devices are refused at once."""
    tree = test.tree()
    os.mkfifo(tree + "/fifo")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(tree + "/socket")
    sock.listen()
    names = ["fifo", "socket"]
    if os.geteuid() == 0:
        os.mknod(tree + "/zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        os.mknod(tree + "/tty", 0o666 | stat.S_IFCHR, os.makedev(5, 0))
        os.mknod(tree + "/disk", 0o666 | stat.S_IFBLK, os.makedev(7, 0))
        names += ["zero", "tty", "disk"]
    with test.daemon({"x": tree, "ro": tree + ",ro"}) as d:
        for export in ("x", "ro"):
            with d.front(export) as f:
                for name in names:
                    equal(f.open(name), -errno.EACCES, "open of " + name)
                    among(f.create(name), (-errno.EACCES, -errno.EROFS), "create of " + name)
                    equal(f.list(name), -errno.ENOTDIR, "list of " + name)
                    among(f.open(name + "/"), (-errno.ENOTDIR, -errno.EACCES), "as a folder")
                try:
                    os.close(os.open(tree + "/fifo", os.O_WRONLY | os.O_NONBLOCK))
                    check(False, "somebody holds the FIFO open")
                except OSError as e:
                    equal(e.errno, errno.ENXIO, "nobody reads from the FIFO")
        with d.front("x") as f:  # a file and a FIFO change places meanwhile
            seen = set()
            with swapping(tree + "/file", tree + "/fifo"):
                end = time.monotonic() + 3
                while time.monotonic() < end:
                    fd = f.open("file")
                    seen.add(min(fd, 0))
                    if fd >= 0:
                        check(stat.S_ISREG(f.stat(fd)[0]), "only regular files are opened")
                        f.close_handle(fd)
            print("results in the race: %r" % seen)
            check(seen <= {0, -errno.EACCES, -errno.EAGAIN}, "results in the race: %r" % seen)
            for name in names[1:]:
                equal(f.remove(name), 0, "they can be removed: " + name)
    sock.close()


@row("B21")
def privileged_bits(test):
    """Set-id bits do not come to be, and go when a file is changed; no devices are made."""
    tree = test.tree()
    with open(tree + "/suid", "w") as out:
        out.write("#!")
    with test.daemon({"x": tree, "keeps": tree + ",setid"}) as d:
        with d.front("x") as f:
            for mode in (0o4755, 0o2755, 0o6777, 0o7777, -1, stat.S_IFCHR | 0o4666,
                         stat.S_IFIFO | 0o4666):
                fd = f.create("made", mode)
                st = os.stat(tree + "/made")
                check(stat.S_ISREG(st.st_mode), "mode %o makes a regular file" % (mode & 0xffff))
                equal(st.st_mode & 0o7777, mode & 0o1777, "bits of mode %o" % (mode & 0xffff))
                equal(f.chmod(fd, mode), 0, "chmod")
                equal(os.stat(tree + "/made").st_mode & 0o7777, mode & 0o1777, "after chmod")
                f.close_handle(fd)
                f.remove("made")
                equal(f.mkdir("folder", mode), 0, "mkdir")
                equal(os.stat(tree + "/folder").st_mode & 0o6000, 0, "set-id bits of a folder")
                f.remove("folder")
            for change in ("write", "truncate", "create"):
                os.chmod(tree + "/suid", 0o6755)
                fd = f.open("suid") if change != "create" else f.create("suid", 0o755)
                check(fd >= 0, "open of a set-id file")
                if change == "write":
                    equal(f.write(fd, b"evil"), 4, "write to it")
                elif change == "truncate":
                    equal(f.truncate(fd, 1), 0, "truncate it")
                equal(os.stat(tree + "/suid").st_mode & 0o6000, 0, "set-id bits after " + change)
                f.close_handle(fd)
        with d.front("keeps") as f:
            f.close_handle(f.create("kept", 0o4755))
            equal(os.stat(tree + "/kept").st_mode & 0o7777, 0o4755, "with the option they stay")


@row("B22")
def moved_out(test):
    """A folder leaves the export while it is open, and while names below it are resolved."""
    tree, outside = test.tree(), test.folder()
    with open(outside + "/secret", "w") as out:
        out.write("OUTSIDE")
    os.makedirs(tree + "/d/e")
    os.symlink("../..", tree + "/d/e/up")
    with open(tree + "/secret", "w") as out:
        out.write("inside")
    for i in range(400):
        open(tree + "/d/entry-with-a-rather-long-name-%03d" % i, "w").close()
    with test.daemon({"x": tree}) as d, d.front("x") as f:
        folder, inside = f.open("d"), f.open("d/f")
        names, more = f.list_page("d")
        check(more == 1, "the listing has a second page")
        os.rename(tree + "/d", outside + "/d")
        check(stat.S_ISDIR(f.stat(folder)[0]), "the open folder can still be looked at")
        equal(f.read(inside, 10), b"abc", "the open file is still the peer's")
        for name in ("d/f", "d/e/up/secret", "d/e", "d/e/up/" + outside + "/secret"):
            equal(f.open(name), -errno.ENOENT, "the way through it: " + name)
        equal(f.create("d/made"), -errno.ENOENT, "nothing can be made in it")
        equal(f.io(3, folder, 10, 0), -errno.EISDIR, "the folder's handle reads nothing")
        again = f.list_page("d", len(names))
        among(type(again), (tuple, int), "its listing ends or goes on")
        os.rename(outside + "/d", tree + "/d")
        f.close_handle(folder)
        f.close_handle(inside)
        # in and out at full speed, with a link that climbs
        os.mkdir(outside + "/q")
        with swapping(tree + "/d", outside + "/q"):
            end = time.monotonic() + 4
            seen = {}
            while time.monotonic() < end:
                got = read_all(f, "d/e/up/secret")
                check(got != b"OUTSIDE", "the outside was read")
                seen[got] = seen.get(got, 0) + 1
                check(f.create("d/e/up/made") < 0 or not os.path.exists(outside + "/made"),
                      "something was made outside")
                f.remove("made")
        print("what was read in the race: %r" % seen)
        check(b"inside" in seen and -errno.ENOENT in seen, "the race had two sides")
    equal(sorted(set(os.listdir(outside)) - {"d", "q"}), ["secret"], "outside is as it was")

