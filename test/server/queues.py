# SPDX-License-Identifier: MIT
"""Sessions of dialect 3: what is negotiated, several queues, several exports, locks and watches."""
import errno
import fcntl
import os
import signal
import stat
import sys
from ctllib import Controlled
from testlib import Daemon, alive, main, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import peer_wire3 as w
from peer_front3 import Peer3
from peer_shared import PAGE, FsifError, PeerGone

SHARED, EXCLUSIVE, UNLOCK, WAIT = 1, 2, 3, 1
CREATED = 1


def refused(number, call, *arguments, **more):
    try:
        got = call(*arguments, **more)
    except FsifError as error:
        assert error.errno == number, error
    else:
        raise AssertionError("got " + repr(got))


def start(daemon, export="x", **more):
    return Peer3(daemon.socket).session3(export, **more)


def negotiated(folder):
    """Queues and bytes of a request are cut to what the daemon allows, the rest is taken or not."""
    with Daemon(folder, "-e", "x=memory:", "--max-queues", "3", "--max-slots", "16",
                "--max-arena-pages", "32", "--max-io", "8192", "--max-pages", "40") as daemon:
        for queues in 1, 2, 3, 4, 16:
            if queues + 16 + 1 > 40:
                continue
            with start(daemon, queues=queues) as s:
                assert len(s.queues) == min(queues, 3)
                assert s.max_io == 8192
                for i in range(len(s.queues)):
                    s.nop(i)
                handle = s.open("f", w.CREAT | w.RDWR)
                assert s.write(handle, b"x" * 8192) == 8192
                refused(errno.EINVAL, s.write, handle, b"x" * 8193)
        with start(daemon, slots=16, arena_pages=32) as s:
            s.nop()
        refused(errno.E2BIG, start, daemon, slots=32)
        refused(errno.E2BIG, start, daemon, arena_pages=33)
        refused(errno.E2BIG, start, daemon, arena_pages=32, queues=9)
        refused(errno.EOPNOTSUPP, start, daemon, dialects="4")
    with Daemon(folder, "-e", "x=memory:", "--dialects", "1,2") as daemon:
        refused(errno.EOPNOTSUPP, start, daemon)


def bad_directories(folder):
    """A grant directory that makes no sense costs its owner the session and nobody else anything."""

    def double(s):
        s.write_page(s.directory[0], s.read_page(s.directory[0], 4, 4), 8)

    def beyond(s):
        s.write_page(s.directory[0], (1 << 20).to_bytes(4, "little"), 4)

    def itself(s):
        s.write_page(s.directory[0], s.directory[0].to_bytes(4, "little"), 12)

    def circle(s):
        s.write_page(s.directory[0], s.directory[0].to_bytes(4, "little"), 0)

    def nowhere(s):
        s.write_page(s.directory[0], (1 << 31).to_bytes(4, "little"), 0)

    with Daemon(folder, "-e", "x=memory:") as daemon:
        begin = daemon.descriptors()
        other = start(daemon)
        for spoil, pages, number in ((double, 16, errno.EINVAL), (beyond, 16, errno.EFAULT),
                                     (itself, 16, errno.EINVAL), (circle, 1100, errno.EINVAL),
                                     (nowhere, 1100, errno.EFAULT)):
            refused(number, start, daemon, arena_pages=pages, spoil=spoil)
        with start(daemon, arena_pages=1100) as s:
            s.nop()
        other.nop()
        other.close()
        wait_until(lambda: not daemon.workers(), "no worker is left")
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")


def one_queue_hangs(folder):
    """A request that hangs holds up neither its own queue nor another."""
    with Daemon(folder, "-e", "x=slow:60000", "--threads", "4") as daemon:
        with start(daemon, queues=2) as s:
            handle = s.open("f", w.CREAT | w.RDWR)
            s.submit("read", 0, handle=handle, ranges=[(0, 1)])
            for _ in range(20):
                s.nop(0)
                s.nop(1)
            # Both threads that queue 1 has.
            for i in range(2):
                s.submit("read", 1, handle=handle, ranges=[(8 * i, 1)])
            for _ in range(20):
                s.nop(0)


def mixed(folder):
    """Slow and quick requests of several queues at once: takeovers, and each answer is the right one."""
    with Daemon(folder, "-e", "x=slow:4", "--threads", "12", "--slow-threshold", "1") as daemon:
        with start(daemon, queues=3, arena_pages=64) as s:
            handle = s.open("f", w.CREAT | w.RDWR)
            s.write(handle, bytes(range(256)))
            flying = {}
            for i in range(600):
                while len(flying) == 18:
                    ticket, want = next(iter(flying.items()))
                    del flying[ticket]
                    value, _ = s.wait(ticket)
                    assert value == (want is not None), (ticket, value)
                    if want is not None:
                        at = PAGE * (8 * ticket[0] + ticket[1])
                        assert s.read_arena(at, 1) == bytes([want]), ticket
                q, where = i % 3, i * 7 % 256
                rid = s.free_id(q)
                if i % 5:
                    ticket = s.queue("read", q, rid, handle=handle, offset=where,
                                     ranges=[(PAGE * (8 * q + rid), 1)])
                else:
                    ticket = s.queue("nop", q, rid)
                flying[ticket] = where if i % 5 else None
                s.publish(q)
            for ticket in flying:
                s.wait(ticket)


def drained(folder):
    """SIGTERM: what was published in any queue is answered."""
    with Daemon(folder, "-e", "x=slow:200", "--threads", "16") as daemon:
        with start(daemon, queues=4, arena_pages=64) as s:
            handle = s.open("f", w.CREAT | w.RDWR)
            worker, = daemon.workers()
            tickets = [s.queue("write", q, handle=handle, offset=8 * i,
                               ranges=[(PAGE * (8 * q + i), 8)]) for q in range(4) for i in range(8)]
            for q in range(4):
                s.publish(q)
            assert daemon.stop() == 0
            daemon.assert_clean()
            assert not alive(worker)
            for q in range(4):
                s.collect(q)
            assert [s.done[t][0] for t in tickets] == [8] * 32


def poisoned(folder):
    """A queue that breaks the protocol ends all of the session, and no other one."""
    with Daemon(folder, "-e", "x=memory:") as daemon:
        with start(daemon) as other, start(daemon, queues=3) as s:
            s.nop(2)
            s.queues[1].set_word(0, 1000)
            s.queues[1].ring_bell()
            assert s.wait_gone()
            daemon.wait_log("session=2 .*producer index|event=poisoned")
            other.nop()


def refused_in_vain(folder):
    """Whoever asks again and again for what it may not have hides no fault of another one's."""
    with Daemon(folder, "-e", "x=memory:") as daemon:
        with start(daemon) as noisy, start(daemon, queues=3) as s:
            for i in range(30):
                refused(errno.ENOENT, noisy.export, "none%d" % i)
            s.queues[1].set_word(0, 1000)
            s.queues[1].ring_bell()
            assert s.wait_gone()
            daemon.wait_log("event=poisoned")


def figures(folder):
    with Controlled(folder, "-e", "x=memory:", "-e", "y=memory:", "-e", "z=memory:") as daemon:
        with start(daemon, queues=2) as s:
            handle = s.open("f", w.CREAT | w.RDWR)
            s.write(handle, b"x" * 5000)
            assert s.read(handle, 100) == b"x" * 100
            s.nop(1)
            s.export("y")
            row, = daemon.json("sessions")
            assert row["dialect"] == 3 and row["queues"] == 2 and row["handles"] == 2, row
            assert row["requests"] == 5 and row["bytes"] == 5100, row
            assert row["export"] == "x,y", row
            assert daemon.json("sessions", "y") == [row]
            assert daemon.json("sessions", "z") == []
            assert [e["sessions"] for e in daemon.json("list")["exports"]] == [1, 1, 0]
        limits = {row["limit"]: row["value"] for row in daemon.json("limits")}
        assert limits["max-queues"] == 4 and limits["spin"] == 100, limits


def other_exports(folder):
    """By name, as the session's own: what the peer may use, and one answer for all else."""
    for name in "xy":
        os.mkdir(folder + "/" + name)
        with open(folder + "/%s/file" % name, "w") as out:
            out.write("in " + name)
    with Controlled(folder, "-e", "x=%s/x" % folder, "-e", "y=%s/y,ro" % folder, "-e", "m=memory:",
                    "-e", "theirs=%s/y,allow-uid=54321" % folder) as daemon:
        with start(daemon) as s:
            y, m = s.export("y"), s.export("m")
            assert s.readfile("file")[0] == b"in x"
            assert s.readfile("file", base=y)[0] == b"in y"
            refused(errno.EROFS, s.open, "new", w.CREAT | w.WRONLY, base=y)
            refused(errno.ENOENT, s.readfile, "file", base=m)
            s.writefile("new", b"there", base=m)
            assert s.readfile("new", base=s.export("m"))[0] == b"there"
            assert s.readfile("file", base=s.export("x"))[0] == b"in x"
            refused(errno.EXDEV, s.rename, "file", "file", base=w.ROOT, base2=m)
            for name in "theirs", "nosuch", "../x", "":
                refused(errno.ENOENT, s.export, name)
            daemon.wait_log('event=denied .*export=theirs reason="not allowed"')
            daemon.ctl("export", "remove", "m")
            assert s.wait_gone()
        daemon.wait_log('session-end .*reason="the export was removed"')


def no_answer(folder):
    """While a question is open the session goes on, and it ends without the answer."""
    with Daemon(folder, "-e", "x=memory:", "-e", "y=memory:") as daemon:
        s = start(daemon, queues=2)
        worker, = daemon.workers()
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            s.submit("export", path="y")
            for i in range(20):
                s.nop(i % 2)
            s.close()
            wait_until(lambda: not alive(worker), "the worker ends")
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        daemon.wait_log("session-end session=1 .*the peer closed the session")
        with start(daemon) as s:
            assert s.export("y") >= 0


def many_exports(folder):
    """Sixteen, and no number of questions is too much for the daemon."""
    exports = [word for i in range(20) for word in ("-e", "e%d=memory:" % i)]
    with Daemon(folder, *exports) as daemon:
        with start(daemon, "e0") as s, start(daemon, "e0") as other:
            bases = [s.export("e%d" % i) for i in range(1, 16)]
            refused(errno.EMFILE, s.export, "e16")
            for i, base in enumerate(bases):
                s.writefile("f", b"%d" % i, base=base)
            for i, base in enumerate(bases):
                assert s.readfile("f", base=base)[0] == b"%d" % i
            for _ in range(40):
                refused(errno.ENOENT, other.export, "nosuch")
            other.nop()
            assert other.export("e1") >= 0


def special(folder):
    """FIFOs and the like are made only where the export says so, and never opened."""
    os.mkdir(folder + "/x")
    with Daemon(folder, "-e", "x=%s/x" % folder, "-e", "y=%s/x,special" % folder) as daemon:
        with start(daemon) as s:
            refused(errno.EPERM, s.mknod, "fifo", stat.S_IFIFO | 0o644)
            assert os.listdir(folder + "/x") == []
            y = s.export("y")
            s.mknod("fifo", stat.S_IFIFO | 0o644, base=y)
            assert stat.S_ISFIFO(os.stat(folder + "/x/fifo").st_mode)
            refused(errno.EACCES, s.open, "fifo", w.RDWR, base=y)


def locks(folder):
    """Locks that wait fill all that there is for them, and an unlock still gets through."""
    with Daemon(folder, "-e", "x=memory:", "--max-locks", "32") as daemon:
        with start(daemon, queues=2) as s:
            held = s.open("f", w.CREAT | w.RDWR)
            handle = s.open("f", w.RDWR)
            assert s.lock(held, EXCLUSIVE) == 0
            for i in range(32):
                assert s.lock(handle, EXCLUSIVE, WAIT, offset=i, length=1,
                              cookie=100 + i) == errno.EINPROGRESS
            refused(errno.ENOLCK, s.lock, handle, EXCLUSIVE, WAIT, offset=99, length=1, cookie=99)
            s.cancel(131)
            assert s.next_notice()[1:3] == (131, -errno.ECANCELED)
            s.lock(held, UNLOCK)
            seen = {s.next_notice()[1:3] for _ in range(31)}
            assert seen == {(100 + i, 0) for i in range(31)}, seen


def lock_of_the_host(folder):
    """A process of the host that lets go tells nobody; the lock is had all the same."""
    os.mkdir(folder + "/x")
    with Daemon(folder, "-e", "x=%s/x" % folder) as daemon:
        with start(daemon) as s, open(folder + "/x/f", "w") as ours:
            handle = s.open("f", w.RDWR)
            fcntl.lockf(ours, fcntl.LOCK_EX)
            refused(errno.EAGAIN, s.lock, handle, SHARED)
            assert s.lock(handle, SHARED, WAIT, cookie=7) == errno.EINPROGRESS
            s.nop()
            fcntl.lockf(ours, fcntl.LOCK_UN)
            assert s.next_notice()[1:3] == (7, 0)


def watches(folder):
    """Changes that others make, in the session's export and in another one."""
    for name in "xy":
        os.makedirs(folder + "/%s/d" % name)
    with Daemon(folder, "-e", "x=%s/x" % folder, "-e", "y=%s/y" % folder) as daemon:
        with start(daemon) as s:
            first = s.open("d", w.DIRECTORY)
            second = s.open("d", w.DIRECTORY, base=s.export("y"))
            s.watch(first, CREATED, 1)
            s.watch(second, CREATED, 2)
            for name, cookie in ("x", 1), ("y", 2), ("x", 1):
                path = folder + "/%s/d/new" % name
                open(path, "w").close()
                kind, seen, what, entry = s.next_notice()
                assert (seen, what, entry) == (cookie, CREATED, b"new"), (kind, seen, what, entry)
                os.remove(path)


def inotify(folder):
    """A session with several exports takes an inotify only where it watches: users have few."""
    for name in "xyz":
        os.makedirs(folder + "/" + name)
    with Daemon(folder, "-e", "x=%s/x" % folder, "-e", "y=%s/y" % folder,
                "-e", "z=%s/z" % folder) as daemon:
        with start(daemon) as s:
            roots = [s.open(".", w.DIRECTORY), s.export("y"), s.export("z")]
            worker, = daemon.workers()

            def taken():
                fds = "/proc/%d/fd/" % worker
                return sum("inotify" in os.readlink(fds + fd) for fd in os.listdir(fds))

            assert taken() == 0
            for n, name in (2, "z"), (0, "x"):
                s.watch(roots[n], CREATED, n)
                open(folder + "/%s/new" % name, "w").close()
                assert s.next_notice()[1] == n
                assert taken() == (1 if name == "z" else 2)


def exclusive(folder):
    """Sessions of an exclusive export: what one moves, or dies moving, no other one looks for."""
    for path in "d/a/b", "d/a/c":
        os.makedirs(folder + "/" + path)
    with Daemon(folder, "-e", "x=%s/d,exclusive" % folder) as daemon:
        with start(daemon) as one, start(daemon) as two:
            one.writefile("a/b/f", b"first")
            two.rename("a/b", "moved")
            two.mkdir("a/b")
            refused(errno.ENOENT, one.readfile, "a/b/f")
            one.writefile("a/b/new", b"new")
            assert os.listdir(folder + "/d/a/b") == ["new"]
            assert os.listdir(folder + "/d/moved") == ["f"]
            # A worker that is killed may have moved what it did not count.
            worker = daemon.workers()[-1]
            os.rename(folder + "/d/a/b", folder + "/d/gone")
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: len(daemon.workers()) == 1, "the worker is reaped")
            left = next(s for s in (one, two) if answers(s))
            refused(errno.ENOENT, left.readfile, "a/b/new")


def left_out(folder):
    """Exports without locks or extended attributes, one that a session begins with or a later one."""
    os.mkdir(folder + "/d")
    with Daemon(folder, "-e", "x=%s/d,nolock,noxattr" % folder, "-e", "y=%s/d" % folder,
                "-e", "m=memory:,nolock=yes", "-e", "n=memory:,noxattr") as daemon:
        for first in "xy":
            with start(daemon, first) as s:
                bare, full = (s.export(name) if name != first else w.ROOT for name in "xy")
                handle = s.open("f", w.CREAT | w.RDWR, base=bare)
                refused(errno.EOPNOTSUPP, s.lock, handle, EXCLUSIVE)
                for call in ((s.setxattr, "f", "user.a", b"1"), (s.getxattr, "f", "user.a"),
                             (s.listxattr, "f"), (s.removexattr, "f", "user.a")):
                    refused(errno.EOPNOTSUPP, *call, base=bare)
                handle = s.open("f", w.RDWR, base=full)
                s.lock(handle, EXCLUSIVE)
                s.lock(handle, UNLOCK)
                s.setxattr("f", "user.a", b"1", base=full)
                s.removexattr("f", "user.a", base=full)
        for first, locks in ("m", False), ("n", True):
            with start(daemon, first) as s:
                handle = s.open("f", w.CREAT | w.RDWR)
                if locks:
                    s.lock(handle, EXCLUSIVE)
                    refused(errno.EOPNOTSUPP, s.listxattr, "f")
                else:
                    refused(errno.EOPNOTSUPP, s.lock, handle, EXCLUSIVE)
                    s.setxattr("f", "user.a", b"1")


def answers(session):
    try:
        session.nop()
        return True
    except PeerGone:
        return False


main([negotiated, bad_directories, one_queue_hangs, mixed, drained, poisoned, figures, other_exports,
      no_answer, many_exports, special, locks, lock_of_the_host, watches,
      exclusive, left_out, refused_in_vain,
      inotify])
