# SPDX-License-Identifier: MIT
"""A hostile backend of dialect 3 (hostile-peers F4, F5, F6, F7, F13, F14): nothing is written outside
the destination, nothing hangs, no privilege is taken over, and a terminal is not played with."""
import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading

from clilib import DEADLINE, FSIF, can_xattr, check, finish, fsif, skip, tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import peer_back3  # noqa: E402  pylint: disable=wrong-import-position
import peer_shared  # noqa: E402  pylint: disable=wrong-import-position
import peer_wire3 as w  # noqa: E402  pylint: disable=wrong-import-position

DIR = {"mode": stat.S_IFDIR | 0o755, "nlink": 2}
FILE = {"mode": stat.S_IFREG | 0o644, "nlink": 1, "size": 4, "blocks": 8, "mtime": 10**9}
LINK = {"mode": stat.S_IFLNK | 0o777, "nlink": 1, "size": 4}


class Script:
    """A backend that says what the test wants. entries: {folder: [(name, attributes)]}."""

    def __init__(self, *root):
        self.entries = {b"": list(root)}
        self.listing = None  # octets that are every listing
        self.data = b"data"
        self.target = b"somewhere"
        self.xattrs = {}
        self.names = None    # octets that are every list of attributes
        self.vfs = {}
        self.changes = []
        self.answers = {}    # operation: value that it is answered with
        self.handles = {}
        self.log = []

    def look(self, path):
        path = path.strip(b"/")
        if not path:
            return DIR
        folder, _, name = path.rpartition(b"/")
        for entry, attr in self.entries.get(folder, self.entries.get(b"*", [])):
            if entry == name:
                return attr
        raise OSError(errno.ENOENT, "look")

    def path(self, r):
        return self.handles[r["handle"]] if r["handle"] != w.ROOT and not r["names"][0] else \
            r["names"][0]

    def do_nop(self, _):
        return 0

    def do_open(self, r):
        attr = self.look(r["names"][0])
        if r["flags"] & w.DIRECTORY and not stat.S_ISDIR(attr["mode"]):
            return -errno.ENOTDIR
        handle = len(self.handles)
        self.handles[handle] = r["names"][0]
        return handle, attr if r["flags"] & w.STAT else None

    def do_close(self, _):
        return 0

    def do_stat(self, r):
        return 0, self.look(self.path(r))

    def do_readdir(self, r):
        if r["cookie"]:
            return b""
        if self.listing is not None:
            return self.listing
        folder = self.handles[r["handle"]].strip(b"/")
        out = b""
        for i, (name, attr) in enumerate(self.entries.get(folder, self.entries.get(b"*", []))):
            out += w.pack_dirent(name, i + 1, 1, attr["mode"] >> 12, 0,
                                 attr if r["flags"] & w.ATTR else None)
        return out

    def do_readlink(self, _):
        return self.target

    def do_readfile(self, r):
        return self.data[:r["ranges"][0][1]], self.look(r["names"][0])

    def do_read(self, r):
        return self.data[r["offset"]:r["offset"] + sum(n for _, n in r["ranges"])]

    def do_listxattr(self, _):
        return b"".join(n + b"\0" for n in self.xattrs) if self.names is None else self.names

    def do_getxattr(self, r):
        self.log.append(r["names"][1])
        return self.xattrs[r["names"][1]]

    def do_statvfs(self, _):
        return 0, self.vfs

    def do_watch(self, r):
        self.changes = [w.change(r["cookie"], *c) for c in self.changes]
        return 1

    def do_remove(self, r):
        self.log.append(r["names"][0])
        return 0

    def one(self, victim, where, r):
        do = getattr(self, "do_" + str(r["op"]), None)
        if "lens" in r:
            r["names"] = victim.names(r)
        try:
            answer = do(r) if do else -errno.EOPNOTSUPP
        except OSError as e:
            answer = -e.errno
        body = None
        if isinstance(answer, tuple):
            answer, body = answer
        if isinstance(answer, bytes):
            room = sum(n for _, n in r["ranges"])
            victim.write_ranges(r["ranges"], answer[:room])
            answer = len(answer)
        victim.respond(where, r, self.answers.get(r["op"], answer), body)
        if r["op"] == "watch":
            for change in self.changes:
                victim.notify(change)

    def serve(self, server):
        with server.accept(DEADLINE) as victim:
            victim.accept_session()
            try:
                while True:
                    self.one(victim, *victim.next_request(DEADLINE))
            except peer_shared.PeerGone:
                pass


def against(script, *args, run=fsif):
    """Run fsif against a scripted backend."""
    with tempfile.TemporaryDirectory(prefix="fsif-cli-") as folder:
        with peer_back3.Server3(folder + "/sock") as server:
            thread = threading.Thread(target=script.serve, args=(server,), daemon=True)
            thread.start()
            r = run("-c", "shm:" + folder + "/sock", "-t", "10", *args)
            thread.join(DEADLINE)
            check("the backend's script ended", not thread.is_alive())
    return r


def in_cage(case):
    """Run @case(dest): dest lies in a cage, and nothing else may appear there."""
    with tempfile.TemporaryDirectory(prefix="fsif-cage-") as cage:
        os.mkdir(cage + "/dest")
        case(cage + "/dest")
        check("%s: nothing outside the destination" % case.__name__, os.listdir(cage) == ["dest"],
              os.listdir(cage))


def f5_listings():
    """F5: each of these listings ends the session; no name of it is used."""
    def entry(name, cookie=1, **attr):
        return w.pack_dirent(name, cookie, 1, 0o10, 0, {**FILE, **attr})

    good = entry(b"good")
    listings = (
        ("slash", entry(b"../evil")), ("absolute", entry(b"/evil")), ("inner slash", entry(b"a/b")),
        ("NUL", entry(b"a\0b")), ("empty name", entry(b"")), ("cut", good[:-8]),
        ("trailing octets", good + b"\0" * 8), ("cookie 0", entry(b"x", 0)),
        ("name beyond the entry", good[:19] + b"\xff" + good[20:]),
        ("time", entry(b"x", mtime_nsec=10**9)), ("size", entry(b"x", size=1 << 63)),
        ("block size", entry(b"x", blksize=0)), ("type", entry(b"x", mode=0o170644)))

    def f5(dest):
        for what, listing in listings:
            for command in (("get", "-a", "x:/", dest), ("get", "x:/", dest), ("ls", "-l", "x:/"),
                            ("tree", "--json", "x:/"), ("find", "x:/", "-size", "1"),
                            ("du", "-a", "x:/")):
                script = Script()
                script.listing = listing
                r = against(script, *command)
                check("F5 %s: %s" % (what, command[0]), r.returncode == 1 and
                      r.stderr.startswith(b"fsif: x:/: ") and b"evil" not in r.stdout,
                      (r.returncode, r.stdout, r.stderr))
        check("F5: nothing was made", tree(dest) == {}, tree(dest))
    in_cage(f5)


def f5_dots():
    """Dots are no entries, however often they come."""
    def dots(dest):
        script = Script((b".", DIR), (b"..", DIR), (b"..", DIR), (b"f", FILE))
        r = against(script, "get", "-a", "x:/", dest)
        check("F5 dots", r.returncode == 0 and tree(dest) == {b"f": (0o644, b"data")},
              (r.returncode, r.stderr, tree(dest)))
        script = Script((b".", DIR), (b"..", DIR))
        r = against(script, "rm", "-r", "x:/d")
        check("F5 dots: rm", all(b".." not in name for name in script.log), script.log)
    in_cage(dots)


def f13_links_in_the_way():
    """F13: a name that is a link and then a directory, or a file; nothing goes through it."""
    def links(dest):
        for kind in (DIR, FILE, LINK):
            script = Script((b"n", LINK), (b"n", kind), (b"n", LINK))
            script.entries[b"n"] = [(b"evil", FILE)]
            script.target = b".."
            r = against(script, "get", "-a", "-j", "1", "x:/", dest)
            check("F13 link", r.returncode in (0, 1) and list(tree(dest))[0] == b"n",
                  (r.returncode, r.stderr, tree(dest)))
            subprocess.run(["rm", "-rf", dest + "/n"], check=True, timeout=DEADLINE)
    in_cage(links)


def f13_links_say_anything():
    """F13: what a link says is kept as it is, and never plays with a terminal."""
    def says(dest):
        script = Script((b"l", LINK))
        script.target = b"../../etc/\x1b[2J\xff"
        r = against(script, "get", "-a", "x:/", dest)
        check("F13 target", r.returncode == 0 and
              os.readlink(os.fsencode(dest) + b"/l") == script.target, (r.returncode, r.stderr))
        for command in (("ls", "-l", "x:/"), ("tree", "x:/"), ("stat", "x:/l"),
                        ("find", "x:/"), ("ls", "-l", "x:/l")):
            script = Script((b"l\x1b[0m", LINK), (b"l", LINK))
            script.target = b"\x1b[31m\x9b"
            master, slave = os.openpty()

            def on_terminal(*args, slave=slave):
                return subprocess.run([FSIF, *args], stdout=slave, stdin=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, check=False, timeout=DEADLINE)

            r = against(script, *command, run=on_terminal)
            os.set_blocking(master, False)
            shown = b""
            try:
                while True:
                    shown += os.read(master, 10000)
            except BlockingIOError:
                pass
            os.close(slave)
            os.close(master)
            check("F13 on a terminal: " + command[0], r.returncode == 0 and b"\x1b" not in shown and
                  b"\x9b" not in shown and b"l" in shown, (r.returncode, r.stderr, shown))
    in_cage(says)
    for target in (b"", b"a\0b"):
        def nothing(dest, target=target):
            script = Script((b"l", LINK))
            script.target = target
            r = against(script, "get", "-a", "x:/", dest)
            check("F13 no target", r.returncode == 1 and tree(dest) == {}, (r.returncode, r.stderr))
        in_cage(nothing)


def f13_modes():
    """F13: set-id bits, devices, and files that claim to be one file."""
    def modes(dest):
        script = Script((b"setid", {**FILE, "mode": stat.S_IFREG | 0o6777}),
                        (b"dev", {**FILE, "mode": stat.S_IFBLK | 0o666}),
                        (b"a", {**FILE, "nlink": 2, "ino": 7}),
                        (b"b", {**FILE, "nlink": 2, "ino": 7}),
                        (b"c", {**FILE, "nlink": 2, "ino": 7}),
                        (b"d", {**DIR, "nlink": 2, "ino": 7}))
        r = against(script, "get", "-a", "x:/", dest)
        found = tree(dest)
        check("F13 modes", r.returncode == 1 and sorted(found) == [b"a", b"b", b"c", b"d",
                                                                  b"setid"],
              (r.returncode, r.stderr, found))
        check("F13 set-id", os.stat(dest + "/setid").st_mode & 0o7777 == 0o777)
        check("F13 names of one file", {found[n][1] for n in (b"a", b"b", b"c")} == {b"data"})
    in_cage(modes)


def f4_sizes():
    """F4, F6: sizes that are not true: what there is comes, or an error."""
    def sizes(dest):
        for size, blocks in ((0, 0), (1, 8), (1 << 20, 1 << 11), (1 << 62, 1 << 62)):
            script = Script((b"f", {**FILE, "size": size, "blocks": blocks}))
            r = against(script, "get", "-a", "x:/", dest)
            check("F4 size %d" % size, r.returncode == 0 and tree(dest)[b"f"][1] == b"data",
                  (r.returncode, r.stderr))
        for op, value in (("readfile", 1 << 30), ("readfile", -5000), ("read", 1 << 30)):
            script = Script((b"f", {**FILE, "size": 1 << 20 if op == "read" else 4,
                                    "blocks": 1 << 11}))
            script.answers[op] = value
            r = against(script, "get", "-a", "x:/", dest)
            check("F4 %s %d" % (op, value), r.returncode == 1, (r.returncode, r.stderr))
            r = against(script, "cat", "x:/f")
            check("F4 cat %s %d" % (op, value), r.returncode == 1 or op == "read",
                  (r.returncode, r.stderr))
    in_cage(sizes)


def f14_attributes():
    """F14: lists and values that are longer than asked, and names that would be privileges."""
    def attributes(dest):
        script = Script((b"f", FILE))
        script.xattrs = {b"security.capability": b"x", b"trusted.x": b"y", b"user.good": b"z",
                         b"system.posix_acl_access": b"x", b"user.": b""}
        if not can_xattr(dest):
            skip("no extended attributes in " + dest)
        else:
            r = against(script, "get", "-a", "x:/", dest)
            check("F14 only user", r.returncode == 0 and script.log == [b"user.good"] and
                  os.listxattr(dest + "/f") == ["user.good"], (r.returncode, r.stderr, script.log))
        for what, change in (("no NUL", {"names": b"user.a"}), ("too long", {"answers": {
                "listxattr": 1 << 20}})):
            script = Script((b"f", FILE))
            for key, value in change.items():
                setattr(script, key, value)
            r = against(script, "get", "-a", "x:/f", dest + "/g")
            check("F14 list: " + what, r.returncode == 1 and not os.path.exists(dest + "/g"),
                  (r.returncode, r.stderr))
            r = against(script, "xattr", "list", "x:/f")
            check("F14 xattr list: " + what, r.returncode == 1, (r.returncode, r.stderr))
        script = Script((b"f", FILE))
        script.xattrs = {b"user.a": b"v"}
        script.answers["getxattr"] = 1 << 20
        r = against(script, "xattr", "get", "user.a", "x:/f")
        check("F14 value", r.returncode == 1 and r.stdout == b"", (r.returncode, r.stderr))
    in_cage(attributes)


def f7_space():
    """F7: figures that overflow, or make no sense."""
    good = {"blocks": 100, "bfree": 50, "bavail": 40, "files": 9, "ffree": 3, "bsize": 4096}
    script = Script()
    script.vfs = good
    r = against(script, "df", "x:/")
    check("F7 sound", r.returncode == 0 and r.stdout.split()[4:7] == [b"409600", b"204800",
                                                                      b"163840"], r.stdout)
    for change in ({"blocks": 1 << 63}, {"bsize": 0}, {"bfree": 101}, {"bavail": 101},
                   {"ffree": 10}, {"blocks": (1 << 63) - 1}):
        script = Script()
        script.vfs = {**good, **change}
        r = against(script, "df", "x:/")
        check("F7 %r" % change, r.returncode == 1 and r.stdout == b"", (r.returncode, r.stdout))


def f5_changes():
    """F5: names of changes; those that are none end the session."""
    script = Script((b"d", DIR))
    script.changes = [(w.CHANGED_CREATE, b"\x1b[0m"), (w.CHANGED_CREATE, b"a/b")]
    r = against(script, "watch", "x:/d")
    check("F5 change", r.returncode == 1 and b"a/b" not in r.stdout, (r.returncode, r.stdout))
    for name in (b"..", b"."):
        script = Script((b"d", DIR))
        script.changes = [(w.CHANGED_CREATE, name)]
        r = against(script, "watch", "x:/d")
        check("F5 change of dots", r.returncode == 1 and r.stdout == b"", (r.returncode, r.stdout))


def endless_depth():
    """A directory in a directory in a directory ...: it ends."""
    def deep(dest):
        for command in (("get", "-a", "x:/", dest), ("find", "x:/", "-name", "nothing"),
                        ("du", "x:/"), ("chown", "-R", "0", "x:/d"), ("rm", "-r", "x:/x")):
            script = Script((b"d" * 200, DIR), (b"d", DIR), (b"x", DIR))
            script.entries[b"*"] = [(b"d" * 200, DIR)]
            script.do_setattr = lambda r: (0, DIR)
            r = against(script, *command)
            check("endless depth: " + command[0], r.returncode == 1 and
                  b"File name too long" in r.stderr, (r.returncode, r.stderr[-300:]))
        subprocess.run(["rm", "-rf", dest + "/" + "d" * 200], check=True, timeout=DEADLINE)
    in_cage(deep)


def main():
    for part in (f5_listings, f5_dots, f13_links_in_the_way, f13_links_say_anything, f13_modes,
                 f4_sizes, f14_attributes, f7_space, f5_changes, endless_depth):
        part()
    finish()


main()
