# SPDX-License-Identifier: MIT
"""A hostile backend (hostile-peers F4, F5, F13): nothing is written outside the destination,
nothing hangs, the program ends with an error and a message."""
import errno
import os
import stat
import struct
import subprocess
import sys
import tempfile
import threading

from clilib import DEADLINE, FSIF, check, finish, fsif, tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import peer  # noqa: E402  pylint: disable=wrong-import-position

DIR = stat.S_IFDIR | 0o755
FILE = stat.S_IFREG | 0o644
MORE = 1 << 48


def names(*each):
    """A listing's page and answer."""
    return b"".join(n + b"\0" for n in (b".", b"..") + each), len(each) + 2


class Script:
    """A backend that says what the test wants. `files`: {path: mode}; handles are indices."""

    def __init__(self):
        self.files = {b"/": DIR}
        self.listing = {}  # path: (page, answer)
        self.data = b"data"
        self.size = 4
        self.handles = []
        self.log = []
        self.write_answer = None
        self.read_answer = None
        self.die_at = None

    def name(self, victim, slot):
        page = victim.read_page(victim.gref(slot))
        return b"/" + page.split(b"\0", 1)[0].strip(b"/")

    def open(self, path):
        if path not in self.files:
            return -errno.ENOENT
        self.handles.append(path)
        return len(self.handles) - 1

    def answer(self, victim, op, slot):
        """(ret, page or None)"""
        handle = struct.unpack_from("=I", slot, 8)[0]
        if op == peer.OPEN:
            return self.open(self.name(victim, slot)), None
        if op == peer.STAT:
            attr = struct.pack("=iIIIqqqq", self.files[self.handles[handle]], 0, 0, 0, self.size,
                               0, 0, 0)
            return 0, attr
        if op == peer.LIST:
            page, ret = self.listing.get(self.name(victim, slot), names())
            return ret, page
        if op == peer.READ:
            length, offset = struct.unpack_from("=QQ", slot, 16)
            part = self.data[offset:offset + length]
            return (len(part) if self.read_answer is None else self.read_answer), part
        if op == peer.WRITE:
            length = struct.unpack_from("=Q", slot, 16)[0]
            return (length if self.write_answer is None else self.write_answer), None
        if op == peer.CREATE:
            path = self.name(victim, slot)
            self.files[path] = FILE
            return self.open(path), None
        if op == peer.SPACE:
            return 1 << 40, None
        if op == peer.RENAME:
            self.log.append(("rename", None))
            return 0, None
        if op == peer.REMOVE:
            self.log.append(("remove", self.name(victim, slot)))
        return 0, None

    def serve(self, server):
        with server.accept(DEADLINE) as victim:
            victim.accept_session()
            try:
                while True:
                    _, op, rid, slot = victim.next_request(DEADLINE)
                    if op == self.die_at:
                        return
                    ret, page = self.answer(victim, op, slot)
                    victim.respond(rid, ret, (victim.gref(slot), page) if page else None)
            except peer.PeerGone:
                pass


def against(script, *args, cwd=None):
    """Run fsif against a scripted backend."""
    with tempfile.TemporaryDirectory(prefix="fsif-cli-") as folder:
        with peer.Server(folder + "/sock") as server:
            thread = threading.Thread(target=script.serve, args=(server,), daemon=True)
            thread.start()
            r = fsif("-c", "shm:" + folder + "/sock", "-t", "10", *args, cwd=cwd)
            thread.join(DEADLINE)
            check("the backend's script ended", not thread.is_alive())
    return r


def in_cage(test):
    """Run @test(cage, dest): dest lies in cage, and nothing else may appear there."""
    with tempfile.TemporaryDirectory(prefix="fsif-cage-") as cage:
        os.mkdir(cage + "/dest")
        test(cage, cage + "/dest")
        check("%s: nothing outside the destination" % test.__name__, os.listdir(cage) == ["dest"],
              os.listdir(cage))


def f5_names_in_listings():
    """F5: each of these listings ends the session; no name of it is used."""
    def case(cage, dest):
        good, count = names(b"good")
        for what, page, ret in (
                ("slash", *names(b"../evil")),
                ("absolute", *names(b"/evil")),
                ("inner slash", *names(b"a/b")),
                ("empty name", *names(b"", b"x")),
                ("no NUL", good[:-1] + b"x" * (peer.PAGE - len(good) + 1), count),
                ("count too large", good + bytes(peer.PAGE - len(good)), 60000),
                ("too long", *names(b"n" * 256))):
            script = Script()
            script.files[b"/good"] = FILE
            script.listing[b"/"] = (page, ret)
            r = against(script, "get", "x:/", dest)
            check("F5 " + what, r.returncode == 1 and r.stderr.startswith(b"fsif: x:/: "),
                  (r.returncode, r.stderr))
            check("F5 %s: nothing was made" % what, tree(dest) == {}, tree(dest))
            for command in ("ls", "tree"):
                r = against(script, command, "x:/")
                check("F5 %s: %s" % (what, command), r.returncode == 1 and b"evil" not in r.stdout,
                      (r.returncode, r.stdout))
    in_cage(case)


def f5_listing_that_never_ends():
    script = Script()
    script.listing[b"/"] = (b"", MORE)
    r = against(script, "ls", "x:/")
    check("F5 more and nothing", r.returncode == 1, (r.returncode, r.stderr))


def f13_same_name_twice():
    """F13: a name that is a file and then a directory, or the other way round."""
    def case(cage, dest):
        script = Script()
        script.files[b"/n"] = FILE
        script.listing[b"/"] = names(b"n", b"n", b"n")
        r = against(script, "get", "x:/", dest)
        check("F13 thrice a file", r.returncode == 0 and tree(dest) == {b"n": (0o644, b"data")},
              (r.returncode, r.stderr))
    in_cage(case)


def f13_dots():
    """F13: dots more than once are not entries."""
    def case(cage, dest):
        script = Script()
        script.listing[b"/"] = names(b"..", b".", b"..")
        r = against(script, "get", "x:/", dest)
        check("F13 dots", r.returncode == 0 and tree(dest) == {}, (r.returncode, r.stderr))
    in_cage(case)


def f13_link_put_in_the_way():
    """F13: what lies in the destination is never followed, whatever the backend names."""
    def case(cage, dest):
        os.symlink("..", dest + "/up")
        script = Script()
        script.files.update({b"/up": DIR, b"/up/evil": FILE})
        script.listing[b"/"] = names(b"up")
        script.listing[b"/up"] = names(b"evil")
        r = against(script, "get", "x:/", dest)
        check("F13 link", r.returncode == 1 and os.readlink(dest + "/up") == "..",
              (r.returncode, r.stderr))
    in_cage(case)


def f13_modes():
    """F13: set-id bits, device nodes and sizes that are not true."""
    def case(cage, dest):
        script = Script()
        script.files.update({b"/setid": stat.S_IFREG | 0o6777, b"/dev": stat.S_IFBLK | 0o666,
                             b"/fifo": stat.S_IFIFO | 0o666})
        script.size = 1 << 60
        script.listing[b"/"] = names(b"setid", b"dev", b"fifo")
        r = against(script, "get", "x:/", dest)
        check("F13 modes", r.returncode == 1 and tree(dest) == {b"setid": (0o777, b"data")},
              (r.returncode, r.stderr, tree(dest)))
        check("F13 set-id", os.stat(dest + "/setid").st_mode & 0o7000 == 0)
    in_cage(case)


def endless_depth():
    """A directory in a directory in a directory ...: it ends."""
    class Deep(Script):
        def open(self, path):
            self.files.setdefault(path, DIR)
            self.listing[path] = names(b"d" * 200)
            return super().open(path)

    def case(cage, dest):
        r = against(Deep(), "get", "x:/d", dest)
        check("endless depth", r.returncode == 1 and b"File name too long" in r.stderr,
              (r.returncode, r.stderr[-200:]))
        subprocess.run(["rm", "-rf", dest + "/d"], check=True, timeout=DEADLINE)
    in_cage(case)


def f4_results():
    """F4: more bytes than were asked for, or a number that is no error."""
    for what, change in (("read", {"read_answer": 5000}), ("read", {"read_answer": -5000}),
                         ("write", {"write_answer": 5000})):
        script = Script()
        script.files[b"/f"] = FILE
        for key, value in change.items():
            setattr(script, key, value)
        args = ("cat", "x:/f") if what == "read" else ("put", os.path.abspath(__file__), "x:/g")
        r = against(script, *args)
        check("F4 %s %r" % (what, change), r.returncode == 1 and r.stderr.startswith(b"fsif: x:/"),
              (r.returncode, r.stderr))


def failed_put():
    """A copy that fails is taken back and never renamed."""
    script = Script()
    script.write_answer = -errno.ENOSPC
    r = against(script, "put", os.path.abspath(__file__), "x:/f")
    check("failed put", r.returncode == 1 and
          r.stderr == b"fsif: x:/f: No space left on device\n", r.stderr)
    check("taken back", [what for what, _ in script.log] == ["remove"] and
          script.log[0][1].startswith(b"/.fsif-"), script.log)


def f11_backend_vanishes():
    """F11: in the middle of each operation."""
    for op, args in ((peer.OPEN, ("cat", "x:/f")), (peer.READ, ("cat", "x:/f")),
                     (peer.LIST, ("ls", "x:/")), (peer.SPACE, ("df", "x:/")),
                     (peer.CREATE, ("mkdir", "x:/d")), (peer.STAT, ("stat", "x:/f")),
                     (peer.REMOVE, ("rm", "x:/f"))):
        script = Script()
        script.files[b"/f"] = FILE
        script.die_at = op
        r = against(script, *args)
        check("F11 %d" % op, r.returncode == 1 and b"Input/output error" in r.stderr,
              (r.returncode, r.stderr))


def hostile_exports():
    """Answers to `exports` that make no sense: no session, code 3."""
    for what, keys in (("more and none", {"status": 0, "more": 1}),
                       ("slash", {"status": 0, "more": 0, "export-0": "../x rw"}),
                       ("no word", {"status": 0, "more": 0, "export-0": "x"}),
                       ("bad word", {"status": 0, "more": 0, "export-0": "x yes"}),
                       ("long", {"status": 0, "more": 0, "export-0": "x" * 64 + " rw"}),
                       ("bad more", {"status": 0, "more": 7, "export-0": "x rw"}),
                       ("no status", {"more": 0, "export-0": "x rw"}),
                       ("raw", b"\0\1\2")):
        with tempfile.TemporaryDirectory(prefix="fsif-cli-") as folder:
            with peer.Server(folder + "/sock") as server:
                p = subprocess.Popen([FSIF, "-c", "shm:" + folder + "/sock", "exports"],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                with server.accept() as victim:
                    _, fds = victim.receive_offer()
                    peer.close_all(fds)
                    victim.answer(keys)
                    out, err = p.communicate(timeout=DEADLINE)
        check("exports: " + what, p.returncode == 3 and out == b"" and
              err.startswith(b"fsif: shm:"), (p.returncode, out, err))


def main():
    for part in (f5_names_in_listings, f5_listing_that_never_ends, f13_same_name_twice, f13_dots,
                 f13_link_put_in_the_way, f13_modes, endless_depth, f4_results, failed_put,
                 f11_backend_vanishes, hostile_exports):
        part()
    finish()


main()
