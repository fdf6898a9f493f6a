# SPDX-License-Identifier: MIT
"""Rows about names and files in dialect 3: B7, B19 to B23, B25, B27."""
import errno
import os
import stat
import struct
import threading

from attack3 import M32, PAGE, FsifError, front, raw_value, request, value_of, w
from harness import among, check, equal, need_root, row

OK_OR_LACKS = (0, -errno.EOPNOTSUPP)


def on_name(s):
    """What can be done to one name: {operation: its answer to the name}"""
    r = [(0, 400)]

    def ask(op, **operands):
        return lambda name, base=w.ROOT: value_of(s, op, path=name, handle=base, **operands)

    return {"open": ask("open"), "open to make": ask("open", flags=w.CREAT | w.RDWR),
            "open a path": ask("open", flags=w.PATH), "stat": ask("stat"),
            "setattr": ask("setattr"), "remove": ask("remove"),
            "rename": lambda n, base=w.ROOT: value_of(
                s, "rename", path=n, path2=b"x", handle=base, base2=w.ROOT),
            "rename to": lambda n, base=w.ROOT: value_of(
                s, "rename", path=b"no-such", path2=n, handle=w.ROOT, base2=base),
            "mkdir": ask("mkdir"), "mknod": ask("mknod", mode=0o100600),
            "link": lambda n, base=w.ROOT: value_of(
                s, "link", path=b"no-such", path2=n, handle=w.ROOT, base2=base),
            "symlink": ask("symlink", path2=b"target"), "readlink": ask("readlink", ranges=r),
            "statvfs": ask("statvfs"), "getxattr": ask("getxattr", path2=b"user.a", ranges=r),
            "setxattr": ask("setxattr", path2=b"user.a", ranges=r),
            "listxattr": ask("listxattr", ranges=r),
            "removexattr": ask("removexattr", path2=b"user.a"),
            "readfile": ask("readfile", ranges=r),
            "writefile": ask("writefile", flags=w.CREAT, ranges=r),
            "statmany": lambda n, base=w.ROOT: one_record(s, n, base)}


def one_record(s, name, base):
    at = s.take(4200 + w.RECORD)
    s.write_arena(at + 128, name + b"\0")
    try:
        value = value_of(s, "statmany", handle=base, count=1, records=at,
                         ranges=[(at + 128, len(name) + 1)])
        return value if value < 0 else w.take_record(s.read_arena(at, w.RECORD))[0]
    finally:
        s.give(at, 4200 + w.RECORD)


MAY_BE_EMPTY = ("stat", "setattr", "readlink", "statvfs", "getxattr", "setxattr", "listxattr",
                "removexattr")


@row("B7.dialect3")
def names(test):
    """Every name that is wrong, to every operation that takes one."""
    climbs = (b"..", b"../x", b"d/../../x", b"/..", b"d/..", b"./..//", b"d//../d", b"//..")
    long_ = (b"n" * 256, b"d/" + b"n" * 300 + b"/x", b"n" * 4095, b"d/" * 2048, b"n" * 5000)
    with test.daemon({"x": test.tree()}) as d, front(d, "x", arena_pages=32) as s:
        base = s.open("d")
        for what, ask in on_name(s).items():
            for where in (w.ROOT, base):
                for name in climbs:
                    equal(ask(name, where), -errno.EACCES, f"{what} of {name!r}")
                for name in long_:
                    among(ask(name, where), (-errno.ENAMETOOLONG, -errno.EINVAL),
                          f"{what} of {len(name)} octets")
            if what not in MAY_BE_EMPTY and what != "statmany":
                equal(ask(b""), -errno.ENOENT, f"{what} of nothing")
            if what != "statmany":
                for name in (b"\0", b"file\0", b"a\0b", b"\0file", b"d/\0"):
                    equal(ask(name), -errno.EINVAL, f"{what} of {name!r}")
        for target in (b"", b"a\0b", b"\0", b"t" * 4096):
            among(value_of(s, "symlink", handle=w.ROOT, path=b"l", path2=target),
                  (-errno.ENOENT, -errno.EINVAL, -errno.ENAMETOOLONG), f"target {target[:9]!r}")
        for name in (b"", b"user.\0", b"user." + b"n" * 251):
            among(value_of(s, "getxattr", handle=w.ROOT, path=b"file", path2=name,
                           ranges=[(0, 8)]), (-errno.ENOENT, -errno.EINVAL, -errno.ERANGE), "xattr")
        for name in (b"a..b", b"...", b"-", b"\x80\xff", b"\n\x1b[31m", b"n" * 255):
            equal(value_of(s, "writefile", handle=w.ROOT, path=name, flags=w.CREAT, mode=0o600,
                           ranges=[(0, 1)]), 1, f"{name!r} is legal")
            check(name in s.list("."), f"{name!r} is listed")
            equal(s.remove(b"./" + name), 0, "and goes")
        equal(sorted(s.list(".")), [b"d", b"file", b"s"], "nothing else was made")


@row("B19.dialect3")
def ways_out(test):
    """Links that lead out, absolute and magic ones, below a base too: never outside."""
    tree, outside = test.tree(), test.folder()
    with open(outside + "/secret", "w") as f:
        f.write("secret")
    links = {"up": "../" * 9 + outside[1:] + "/secret", "abs": outside + "/secret",
             "dir": outside, "proc": "/proc/self/root/etc/hostname", "fd": "/proc/self/fd/0",
             "d/up": ".." + outside, "d/abs": outside}
    for name, target in links.items():
        os.symlink(target, tree + "/" + name)
    with test.daemon({"x": tree}) as d, front(d, "x") as s:
        base = s.open("d", w.PATH)
        for name in links:
            for where, path in ((w.ROOT, name), (w.ROOT, name + "/secret"), (base, name[2:])):
                if not path:
                    continue
                for flags in (0, w.PATH, w.CREAT | w.RDWR):
                    got = value_of(s, "open", handle=where, path=os.fsencode(path), flags=flags,
                                   mode=0o600)
                    if got >= 0:  # it made something inside, or there is such a name inside
                        check(s.stat(base=got)["size"] != 6, f"{path} is not the secret")
                        s.close_handle(got)
                got = value_of(s, "readfile", handle=where, path=os.fsencode(path),
                               ranges=[(0, 64)])
                check(got < 0 or s.read_arena(0, 6) != b"secret", f"{path} is not the secret")
                got = value_of(s, "writefile", handle=where, path=os.fsencode(path), flags=w.TRUNC,
                               ranges=[(0, 0)])
        with open(outside + "/secret", encoding="ascii") as f:
            equal(f.read(), "secret", "what lies outside")
        equal(os.listdir(outside), ["secret"], "names outside")
        for op in ("rename", "link"):
            value_of(s, op, handle=w.ROOT, path=b"file", path2=b"abs/moved", base2=w.ROOT)
            value_of(s, op, handle=w.ROOT, path=b"dir/secret", path2=b"stolen", base2=w.ROOT)
        check("stolen" not in os.listdir(tree), "nothing was taken from outside")
        equal(os.listdir(outside), ["secret"], "names outside")


@row("B20.dialect3")
def special_files(test):
    """FIFOs, sockets and devices: refused without blocking, by whatever opens."""
    import socket
    tree = test.tree()
    os.mkfifo(tree + "/fifo")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(tree + "/socket")
    if os.geteuid() == 0:
        os.mknod(tree + "/zero", 0o20666, os.makedev(1, 5))
    with test.daemon({"x": tree}) as d, front(d, "x") as s:
        for name in os.listdir(tree):
            if stat.S_ISREG(os.stat(f"{tree}/{name}").st_mode) or name == "d":
                continue
            path = name.encode()
            for flags in (0, w.WRONLY, w.RDWR, w.CREAT | w.RDWR, w.TRUNC | w.WRONLY, w.APPEND):
                equal(value_of(s, "open", handle=w.ROOT, path=path, flags=flags), -errno.EACCES,
                      f"open of {name} with {flags:#x}")
            for op in ("readfile", "writefile"):
                among(value_of(s, op, handle=w.ROOT, path=path, ranges=[(0, 8)]),
                      (-errno.EACCES, -errno.EISDIR), f"{op} of {name}")
            h = s.open(name, w.PATH)
            check(s.stat(base=h)["mode"] == os.stat(f"{tree}/{name}").st_mode, "stat of " + name)
            for op in ("read", "write"):
                equal(value_of(s, op, handle=h, ranges=[(0, 8)]), -errno.EBADF, f"{op} on {name}")
            s.close_handle(h)


@row("B21.dialect3")
def privileges(test):
    """Set-id bits by every way in; attributes of other name spaces; device nodes."""
    tree = test.tree()
    with test.daemon({"x": tree}) as d, front(d, "x") as s:
        h = s.open("made", w.CREAT | w.RDWR, 0o6755)
        s.writefile("written", b"x", w.CREAT, 0o6755)
        s.mkdir("folder", 0o6755)
        value_of(s, "mknod", handle=w.ROOT, path=b"node", mode=0o106755)
        for change in ({"path": "file"}, {"base": h}):
            s.setattr(**change, mask=w.SET_MODE, mode=0o6755)
        for name in os.listdir(tree):
            mode = os.lstat(f"{tree}/{name}").st_mode
            check(not mode & (stat.S_ISUID | stat.S_ISGID), f"{name} has mode {mode:o}")
        for name in ("security.capability", "trusted.x", "system.posix_acl_access", "user", "x",
                     "security.selinux"):
            for op in ("setxattr", "getxattr"):
                among(value_of(s, op, handle=w.ROOT, path=b"file", path2=name.encode(),
                               ranges=[(0, 20)]),
                      (-errno.EOPNOTSUPP, -errno.EPERM, -errno.EACCES), f"{op} {name}")
            among(value_of(s, "removexattr", handle=w.ROOT, path=b"file", path2=name.encode()),
                  (-errno.EOPNOTSUPP, -errno.EPERM, -errno.EACCES), f"removexattr {name}")
        for mode in (0o20666, 0o60666, 0o10666, 0o140666):
            among(value_of(s, "mknod", handle=w.ROOT, path=b"device", mode=mode, rdev=1 << 32 | 5),
                  (-errno.EPERM, -errno.EOPNOTSUPP), f"mknod {mode:o}")
        check(not os.path.lexists(tree + "/device"), "no device is made")


@row("B22.dialect3")
def moved_out(test):
    """A base whose folder leaves the export: nothing of the outside can be reached by it."""
    tree, outside = test.tree(), test.folder()
    os.makedirs(tree + "/a/b")
    with open(outside + "/secret", "w") as f:
        f.write("secret")
    with test.daemon({"x": tree}) as d, front(d, "x") as s:
        for flags in (0, w.PATH):
            base = s.open("a/b", flags)
            os.rename(tree + "/a/b", outside + "/b")
            os.symlink("../secret", outside + "/b/up")
            for what, ask in on_name(s).items():
                for name in (b"up", b"new", b"./x/y"):
                    got = ask(name, base)
                    check(got < 0, f"{what} of {name!r} at a base that left: {got}")
            check(not set(os.listdir(outside + "/b")) - {"up"}, "nothing is made outside")
            os.unlink(outside + "/b/up")
            os.rename(outside + "/b", tree + "/a/b")
            among(value_of(s, "stat", handle=base, path=b"."), (0, -errno.ESTALE), "it is back")
            s.close_handle(base)


@row("B23.dialect3")
def read_only(test):
    """A read-only export: every operation that changes something is EROFS."""
    tree = test.tree()
    with test.daemon({"x": tree + ",ro", "m": "memory:"}) as d, front(d, "x") as s:
        before = {n: os.lstat(f"{tree}/{n}").st_mtime_ns for n in os.listdir(tree)}
        fd, base = s.open("file"), s.open("d")
        changers = {k: v for k, v in on_name(s).items()
                    if k in ("open to make", "remove", "rename", "mknod", "mkdir", "symlink",
                             "writefile", "setxattr", "removexattr")}
        for what, ask in changers.items():
            for name in (b"s", b"new"):
                among(ask(name), (-errno.EROFS, -errno.EOPNOTSUPP), f"{what} of {name!r}")
        for flags in (w.WRONLY, w.RDWR, w.TRUNC, w.TRUNC | w.WRONLY, w.CREAT, w.WRONLY | w.APPEND,
                      w.TMPFILE | w.RDWR):
            equal(value_of(s, "open", handle=w.ROOT, path=b"file" if flags != w.TMPFILE | w.RDWR
                           else b"d", flags=flags, mode=0o600), -errno.EROFS, f"open {flags:#x}")
        for mask in (w.SET_MODE, w.SET_UID, w.SET_GID, w.SET_SIZE, w.SET_ATIME, w.SET_MTIME,
                     w.SET_ATIME_NOW, w.SET_MTIME_NOW):
            for handle in (fd, base):
                equal(value_of(s, "setattr", handle=handle, mask=mask), -errno.EROFS,
                      f"setattr {mask:#x}")
        among(value_of(s, "link", handle=w.ROOT, path=b"file", path2=b"l", base2=w.ROOT),
              (-errno.EROFS, -errno.EOPNOTSUPP), "link")
        among(value_of(s, "link", handle=fd, path2=b"l", base2=w.ROOT),
              (-errno.EROFS, -errno.EOPNOTSUPP), "link of a handle")
        for op, more in (("write", {"ranges": [(0, 8)]}), ("allocate", {"length": 8})):
            among(value_of(s, op, handle=fd, **more),
                  (-errno.EROFS, -errno.EBADF, -errno.EOPNOTSUPP), op)
        equal({n: os.lstat(f"{tree}/{n}").st_mtime_ns for n in os.listdir(tree)}, before,
              "nothing changed")


@row("B25.dialect3")
def listings(test):
    """Forged cookies, small ranges, a directory that changes: each name once, none lost."""
    tree = test.folder()
    lasting = set()
    for i in range(100000):
        os.mknod(f"{tree}/e{i:05d}")
        lasting.add(b"e%05d" % i)
    with test.daemon({"x": tree}) as d, front(d, "x", arena_pages=64) as s:
        for length, flags in ((400, 0), (PAGE, 0), (60 * PAGE, 0), (60 * PAGE, w.ATTR)):
            got = churned(tree, lambda length=length, flags=flags: s.list(".", flags, length))
            stayed = {n for n in got if not n.startswith(b"passing")}
            equal(stayed, lasting, f"names in ranges of {length}")
        h = s.open(".")
        real = [e["cookie"] for e in s.readdir(h, length=60 * PAGE)]
        for cookie in (1, 2, real[3] + 1, real[-1] - 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63,
                       (1 << 64) - 1, 0xdeadbeefdeadbeef):
            forged(s, h, cookie)
        again = s.readdir(h, real[10], length=PAGE)
        first = s.readdir(h, 0, length=60 * PAGE)
        equal([e["name"] for e in again[:5]], [e["name"] for e in first[11:16]],
              "a real cookie after all that")
        other = s.open(".")
        equal([e["name"] for e in s.readdir(other, real[10], length=PAGE)][:5],
              [e["name"] for e in again[:5]], "a cookie in another handle")


def churned(tree, run):
    """What @run gives while entries come and go."""
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            for i in range(20):
                os.mknod(f"{tree}/passing-{i}")
            for i in range(20):
                os.unlink(f"{tree}/passing-{i}")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        return run()
    finally:
        stop.set()
        thread.join()


def forged(s, h, cookie):
    """Whatever it does, it ends, and every entry is sound."""
    for _ in range(200):
        try:
            part = s.readdir(h, cookie, length=60 * PAGE)
        except FsifError as e:
            equal(e.errno, errno.EINVAL, f"a cookie of {cookie:#x}")
            return
        if not part:
            return
        if cookie == part[-1]["cookie"]:
            break
        cookie = part[-1]["cookie"]
    check(False, f"a listing from a forged cookie ends: {cookie:#x}")


FILL = 0xa5


@row("B27.dialect3")
def leaks(test):
    """Every octet that the backend writes is one that it must: entries, ranges, padding."""
    tree = test.tree()
    os.symlink("target", tree + "/link")
    with open(tree + "/secret", "w") as out:
        out.write("S" * PAGE)
    with test.daemon({"x": tree}) as d, front(d, "x") as s:
        secret, small, folder = s.open("secret"), s.open("s"), s.open("d")
        for fd in (secret, small, folder):
            check(0 <= fd < 8, f"handles are numbers of ours: {fd}")
        exact(s, b"S" * PAGE, "read", handle=secret, ranges=[(0, PAGE)])
        exact(s, b"12345", "read", handle=small, ranges=[(0, PAGE)])
        exact(s, b"", "read", handle=small, ranges=[(0, PAGE)], offset=5)
        exact(s, b"12345", "readfile", handle=w.ROOT, path=b"s", ranges=[(0, PAGE)])
        exact(s, b"target", "readlink", handle=w.ROOT, path=b"link", ranges=[(0, PAGE)])
        for flags in (0, w.ATTR):
            octets = exact(s, None, "readdir", handle=folder, flags=flags, ranges=[(0, PAGE)])
            entry = w.take_dirents(octets, flags, 0)[0]
            rebuilt = w.pack_dirent(entry["name"], entry["cookie"], entry["ino"], entry["type"], 0,
                                    entry["attr"])
            equal(octets, rebuilt, "an entry has nothing but what it says")
        s.write_arena(2 * PAGE, b"s\0none\0")
        records(s)
        for op, operands in (("stat", {"path": b"none"}), ("stat", {"path": b"s"}),
                             ("statvfs", {"path": b"s"}), ("open", {"path": b"s"}),
                             ("readfile", {"path": b"none", "ranges": [(0, 64)]}),
                             ("readfile", {"path": b"d", "ranges": [(0, 64)]})):
            exact(s, b"", op, handle=w.ROOT, **operands)
        check_rings(s)
        for text in (tree.encode(), b"fsif-hostile", b"/tmp/"):
            check(text not in s.read_arena(0, s.arena_size), "no path of the host in the arena")


def exact(s, want, op, **operands):
    """One request: the arena behind what is answered is left alone, and so is the entry."""
    q = s.queues[0]
    s.write_arena(0, bytes([FILL]) * (PAGE + 64))
    s.area.write(q.entry_at(q.consumed), bytes([FILL]) * w.ENTRY)
    ticket = s.submit(op, **operands)
    index = q.consumed
    value, _ = s.wait(ticket)
    entry = s.area.read(q.entry_at(index), w.ENTRY)
    used = w.SLOT if not entry[3] & w.LONG else w.ENTRY
    body = {"attr": 112, "vfs": 48, "lock": 24}.get(
        w.body_of(op, operands.get("flags", 0)) if value >= 0 else None, 0)
    equal(entry[4:8], bytes(4), f"pad of {op}'s answer")
    equal(entry[16 + body:used], bytes(used - 16 - body), f"behind the body of {op}'s answer")
    equal(entry[used:], bytes([FILL]) * (w.ENTRY - used), f"the half that {op} does not use")
    n = value if operands.get("ranges") and value > 0 else 0
    got = s.read_arena(0, PAGE + 64)
    equal(got[n:], bytes([FILL]) * (PAGE + 64 - n), f"behind what {op} answered")
    if want is not None:
        equal(got[:n], want, f"what {op} answered")
    return got[:n]


def records(s):
    s.write_arena(0, bytes([FILL]) * PAGE)
    equal(value_of(s, "statmany", handle=w.ROOT, count=2, ranges=[(2 * PAGE, 7)], records=0), 2,
          "two records")
    octets = s.read_arena(0, 512)
    status, attr = w.take_record(octets)
    equal(octets[:w.RECORD], w.pack_record(status, attr), "a record has nothing but what it says")
    equal(octets[w.RECORD:2 * w.RECORD], w.pack_record(-errno.ENOENT), "one that failed")
    equal(octets[240:], bytes([FILL]) * 272, "behind the records")


def check_rings(s):
    """The backend's words, and no others."""
    q = s.queues[0]
    equal(s.area.read(q.at + 12, 52), bytes(52), "pad of the frontend's line")
    equal(s.area.read(q.at + 72, 56), bytes(56), "pad of the backend's line")
    end = 128 + 320 * q.slots
    rest = w.ring_pages(q.slots) * PAGE - end
    equal(s.area.read(q.at + end, rest), bytes(rest), "what is behind the ring")
