# SPDX-License-Identifier: MIT
"""Rows about handshakes and behaviour over time in dialect 3: F2, F8 to F12, F16."""
import contextlib
import errno
import os
import signal
import socket
import time

from back3 import TRANSPORT, Back3, M32, PAGE, asked, attacked, only, w
from f_session import hammer, race
from harness import Victim, among, check, cpu_seconds, equal, row
from peer_shared import send_packet

EIO, EPROTO, ETIMEDOUT = -errno.EIO, -errno.EPROTO, -errno.ETIMEDOUT


@row("F2.dialect3")
def double_fetch(test):
    """Answers, data, entries and records that change while they are read, at full speed."""
    hammer(test, "-3", queues=1)


def spans(r):
    """What of the arena a request uses: (at, octets)."""
    if "names_at" in r and sum(r["lens"]):
        yield r["names_at"], sum(r["lens"])
    if r["op"] == "statmany":
        yield r["records"], r["count"] * w.RECORD
    yield from r.get("ranges", ())


def overlap(one, other):
    return any(a < b + m and b < a + n for a, n in spans(one) for b, m in spans(other))


@row("F8.dialect3")
def memory_in_use(test):
    """Octets of the arena and an id whose request timed out are not used again before its answer."""
    held, faults = [], []

    def scribble(session):
        for _, h in held:  # the backend may still write there: nobody must mind
            session.write_ranges(h["ranges"], b"L" * asked(h))

    def special(session, where, r):
        for queue, h in held:
            if (queue, h["id"]) == (where, r["id"]) or overlap(h, r):
                faults.append((h, r))
        scribble(session)
        if r["op"] == "read" and r["offset"] == 777:
            held.append((where, r))
            return True
        return False

    name = "n" * 200
    steps = ["connect", "open:file", "many/10/read:5000:777"]
    steps += ["read:64", "read:5000", "statx:" + name, "statmany:3", "readfile:n:5000"] * 20
    steps += ["pause", "read:48", "stat"]
    with test.good() as good, Back3(test) as back:
        v = Victim(test, good, back.path, steps, 1500, 1)
        with back.accept() as session:
            while "paused" not in v.text():
                with contextlib.suppress(TimeoutError):
                    where, r = session.next_request(0.1)
                    if not special(session, where, r):
                        session.sane(where, r)
            late = held[:]
            held.clear()
            for where, h in late:  # all the late answers, full of what was never asked for
                session.write_ranges(h["ranges"], b"L" * asked(h))
                session.raw(h, asked(h), where)
            v.go_on()
            session.serve()
        v.finish()
    equal(faults, [], "requests that use what is in use")
    equal(len(late), 10, "requests that wait for their answers")
    equal(set(v.results("read:5000:777")), {ETIMEDOUT}, "reads without an answer")
    for step, result in (("read:64", 64), ("read:5000", 5000), ("statx:" + name, 0),
                         ("statmany:3", 0), ("readfile:n:5000", 5000)):
        equal(v.results(step), [result] * 20, step + " meanwhile")
    equal((v.result("read:48"), v.result("stat")), (48, 0), "calls after the late answers")


@row("F9.dialect3")
def nothing_private(test):
    """Octets of slots that are not in use are zero; the arena holds what was written and names."""
    faults, seen = [], {}
    # Of what the victim writes and what it calls its files, and of what is put there below.
    legal = b"\0WnRu" + b"user.x"

    def look(session, where, r):
        seen[r["op"]] = seen.get(r["op"], 0) + 1
        if r["refused"]:
            faults.append("octets of a request that are not in use: %r" % (r,))
        arena = b"".join(map(session.read_page, session.area.refs[session.arena_at // PAGE:]))
        strange = arena.translate(None, legal)
        if strange:
            faults.append("in the arena at %s: %r" % (r["op"], strange[:20]))
        for at, n in r.get("ranges", ()):
            if r["op"] in ("write", "writefile") and session.read_arena(at, n) != b"W" * n:
                faults.append("what is written: %r" % (r,))
        if len(seen) == 1 and sum(seen.values()) == 1:
            begin(session)
        if r["op"] != "read":
            return False
        session.respond_data(where, r, b"R" * asked(r))
        return True

    def begin(session):
        """Of the whole memory only the directory and what the first request needs is not zero."""
        size = int(session.offer["pages"])
        first = int(session.offer["directory"])
        area = len(session.area.refs)
        used = set(range(first, first + w.directory_pages(area)))
        rings = {session.area.refs[i] for i in range(w.ring_pages(session.queues[0].slots))}
        for page in set(range(size)) - used - rings:
            octets = session.read_page(page).translate(None, b"\0n")
            if octets:
                faults.append("page %d at the beginning: %r" % (page, octets[:20]))
        ring = session.area.read(w.HEAD + w.SLOT, session.queues[0].slots * w.SLOT - w.SLOT)
        if any(ring):
            faults.append("slots that were not used yet")

    name = "n" * 200
    steps = []
    for _ in range(15):
        steps += ["open:%s:rw" % name, "write:9000:W", "read:10", "write:3:W", "read:5000",
                  "statx:" + name, "rename:n:" + name, "space:n", "list:n", "scan:n", "nop",
                  "getxattr:%s:100" % name, "writefile:%s:33" % name, "readfile:n:4000", "close"]
    steps += ["open:n:rw", "mkdir:n", "remove:n", "truncate:5", "chmod:0600", "sync", "create:n",
              "readlink:n:9", "listxattr:n:9", "statvfs:n", "flock", "locktest", "seek:0",
              "write:100000:W"]
    with test.good() as good:
        attacked(test, good, steps, look)
    equal(faults[:5], [], "faults")
    check(seen.get("write", 0) >= 31 and seen.get("setattr") == 2 and seen.get("lock") == 2,
          "the requests were seen: %r" % seen)


# Of a victim that is kept waiting; connecting to this backend has to fit in, too.
PATIENCE_MS = 2000


@row("F10.dialect3")
def bells(test):
    """A storm of bells and of notices; none at all: a deadline, and an error at the end of it."""
    with test.good() as good:
        def storm(session, where, r):
            if r["op"] == "read":
                for _ in range(20000):
                    session.queues[where].ring_bell()
            return False
        v = attacked(test, good, ["open:file"] + ["read:16"] * 5, storm)
        equal(v.results("read:16"), [16] * 5, "reads in a storm")

        sent = []

        def notices(session, where, r):
            while r["op"] == "read" and len(sent) % 3000 != 2999:
                if session.room_for_notices():
                    session.notify((w.late(7, 0), w.change(9, 1, b"n"), w.response(0, 0, w.VOID))[
                        len(sent) % 3])
                    sent.append(1)
                else:
                    session.queues[0].ring_bell()
            sent.append(1)
            return False
        v = attacked(test, good, ["open:file", "read:16", "read:17"], notices)
        equal((v.result("read:16"), v.result("read:17")), (16, 17), "reads in a storm of notices")
        check(len(sent) > 3000, "notices: %d" % len(sent))

        v = attacked(test, good, ["open:file", "read:16", "statx:file"],
                     only("read", lambda s, q, r: s.raw(r, 16, q, bell=False)), timeout_ms=PATIENCE_MS)
        among(v.result("read:16"), (ETIMEDOUT, 16), "a read whose bell was left out")
        equal(v.result("statx:file"), 0, "the session goes on")

        began = time.monotonic()
        v = attacked(test, good, ["open:file", "many/4/read:16", "statx:file"],
                     only("read", lambda s, q, r: None), timeout_ms=PATIENCE_MS)
        equal(v.results("read:16"), [ETIMEDOUT] * 4, "reads that nobody answers")
        equal(v.result("statx:file"), 0, "the session goes on")
        check(time.monotonic() - began < 20, "in time")

        # A lock that is granted late, but never is; nor is its cancellation answered.
        def never(session, where, r):
            if r["op"] == "lock" and not r["flags"] & w.TEST:
                session.raw(r, -errno.EINPROGRESS, where)
            return r["op"] in ("lock", "cancel")
        v = attacked(test, good, ["open:file:rw", "flock", "nop"], never, timeout_ms=PATIENCE_MS)
        equal((v.result("flock"), v.result("nop")), (ETIMEDOUT, 0), "a lock that never comes")
    full_bells(test)


def full_bells(test):
    """Counters filled to the brim; then rest (a second session would not)."""
    def fill(fd):
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(fd)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(fd, (1 << 64) - 2)

    def special(session, where, r):
        if r["op"] != "read":
            return False
        session.raw(r, asked(r), where, bell=False)
        fill(session.queues[where].ring_fd)
        return True

    with Back3(test) as back:
        v = Victim(test, None, back.path, ["connect", "open:file", "read:16", "pause", "read:17"],
                   5000, 1)
        with back.accept() as session:
            for _ in range(2):
                got = session.take()
                if not special(session, *got):
                    session.sane(*got)
            v.wait_line("paused")
            used = cpu_seconds(v.pid)
            time.sleep(0.5)
            check(cpu_seconds(v.pid) - used < 0.1, "the victim rests")
            v.go_on()
            session.serve(special)
    v.finish()
    equal((v.result("read:16"), v.result("read:17")), (16, 17), "reads with a full bell")


@row("F11.dialect3")
def vanishing(test):
    """The backend goes, is killed, or speaks when it must not."""
    with test.good() as good:
        for queues in (1, 2):
            for what in ("closes", "says more", "says what it said", "dies"):
                gone(test, good, what, queues)
        for when in ("before the offer", "after the offer"):
            with Back3(test) as back:
                v = Victim(test, good, back.path, ["connect", "connect", "open:file"], 3000, 1)
                if when == "after the offer":
                    back.accept(answer=False).close()
                else:
                    back.connection().close()
                with back.accept() as second:
                    second.serve()
            v.finish()
            among(v.results("connect")[0], (-errno.ECONNREFUSED, -errno.EPIPE), "gone " + when)
            equal(v.result("open:file"), 0, "another connection works")
        mute(test, good)


def gone(test, good, what, queues):
    with Back3(test) as back:
        v = Victim(test, good, back.path,
                   ["connect", "open:file", "many/8/read:16", "read:17", "statx:file"], 5000,
                   queues)
        if what == "dies":
            pid = os.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    back.accept().serve(lambda s, q, r: r["op"] == "read")
                os._exit(0)
            time.sleep(1)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        else:
            session = back.accept()
            count = 0
            while count < 8:
                where, r = session.take()
                count += r["op"] == "read"
                if r["op"] != "read":
                    session.sane(where, r)
            if what == "says more":
                send_packet(session.sock, b"status=0\n")
            elif what == "says what it said":
                session.answer_session()
            else:
                session.close()
        v.finish(TRANSPORT)
        if what != "dies":
            session.close()
    equal(v.results("read:16"), [EIO] * 8, "callers when the backend %s" % what)
    equal((v.result("read:17"), v.result("statx:file")), (EPROTO,) * 2, "later calls")


def mute(test, good):
    """Accepts and says nothing: connecting has a deadline too."""
    with Back3(test) as back:
        v = Victim(test, good, back.path, ["connect", "exports"], 700, 1)
        with back.accept(answer=False), back.connection():
            v.finish()
    equal((v.result("connect"), v.result("exports")), (ETIMEDOUT,) * 2, "a mute backend")


# --- F12 -----------------------------------------------------------------------------------------

def reply(**changes):
    keys = {"status": 0, "dialect": 3, "features": "errno", "read-only": 0, "queues": 1,
            "max-io": 65536}
    keys.update({k.replace("_", "-"): v for k, v in changes.items()})
    return "".join("%s=%s\n" % (k, v) for k, v in keys.items() if v is not None).encode("latin-1")


def connect_once(test, good, keys=None, fds=None, queues=1):
    """A victim whose handshake gets this answer, and then, on a new connection, a right one."""
    with Back3(test) as back:
        v = Victim(test, good, back.path, ["connect", "disconnect", "connect", "limits"], 5000,
                   queues)
        for answer in ((keys, fds), (None, None)):
            with back.accept(keys=answer[0], fds=answer[1]) as session:
                session.serve() if answer == (None, None) else session.wait_gone()
    v.finish()
    equal(v.results("connect")[1], 0, "the right answer is taken after it")
    return v


@row("F12.dialect3")
def negotiated(test):
    """Answers that were not asked for, out of range, malformed, with other descriptors."""
    bad = [reply(dialect=d) for d in (0, 1, 2, 4, 31, 32, -1, "3x", "", "4294967299", None)]
    bad += [reply(queues=q) for q in (0, 2, 16, 17, -1, M32, 1 << 32, "", "x", None)]
    bad += [reply(max_io=m) for m in (0, 1, PAGE - 1, (1 << 20) + 1, 1 << 30, M32, 1 << 32, -1, "",
                                      None)]
    bad += [reply(read_only=r) for r in (2, -1, "", "yes")]
    bad += [reply(status=s) for s in (4096, -1, "", "x", 1 << 32, None)]
    bad += [b"", b"x", reply() * 2, reply() + b"x", reply(x="v" * 256)]
    with test.good() as good:
        for keys in bad:
            v = connect_once(test, good, keys)
            among(v.results("connect")[0], (EPROTO, -errno.ECONNREFUSED),
                  "connect after %r" % keys[:70])
        for status in (errno.EPERM, errno.ENOENT, errno.EAGAIN, 4095):
            v = connect_once(test, good, b"status=%d\n" % status, [])
            equal(v.results("connect")[0], -status, "connect after a status of %d" % status)
        for what, changes, chosen in (
                ("more than was asked for", {"features": "errno zz,cancel", "slots": 1 << 20,
                                             "arena-pages": 1 << 30, "text": "t" * 255},
                 "dialect 3 max_io 1048576 max_calls 64 read_only 0 features 1"),
                ("less", {"max_io": PAGE, "features": None, "read_only": 1},
                 "dialect 3 max_io 4096 max_calls 64 read_only 1 features 0")):
            with Back3(test) as back:
                v = Victim(test, good, back.path, ["connect", "limits", "open:file", "read:9000"],
                           20000, 1)
                with back.accept(**changes) as session:
                    most = int(changes.get("max_io", session.offer["max-io"]))
                    over = []
                    session.serve(lambda s, q, r: over.extend(
                        n for n in [asked(r) if r["op"] == "read" else 0] if n > most))
            v.finish()
            check("chosen = " + chosen in v.text(), "%s: %r in %s" % (what, chosen, v.text()))
            equal((v.result("read:9000"), over), (9000, []), "requests within what was chosen")
        descriptors_of_answers(test, good)


def descriptors_of_answers(test, good):
    with contextlib.ExitStack() as stack:
        def fd(number):
            stack.callback(os.close, number)
            return number
        bell = fd(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
        null, folder = fd(os.open("/dev/null", os.O_RDWR)), fd(os.open("/", os.O_RDONLY))
        pair = [stack.enter_context(s) for s in socket.socketpair()]
        blocking = fd(os.eventfd(0, os.EFD_CLOEXEC))
        sets = {"none": [], "one": [bell], "three": [bell] * 3, "four": [bell] * 4,
                "many": [bell] * 200, "a device": [bell, null], "a folder": [folder, bell],
                "sockets": [s.fileno() for s in pair], "bells that block": [blocking] * 2}
        for what, fds in sets.items():
            v = connect_once(test, good, reply(), fds)
            equal(v.results("connect")[0], EPROTO, "connect after %s for bells" % what)
        for queues in (2, 3, 16):  # bells for each, but so many queues were not offered
            v = connect_once(test, good, reply(queues=queues), [bell] * 2 * queues)
            equal(v.results("connect")[0], EPROTO, "%d queues instead of one" % queues)
        for fds in ([bell] * 2, [bell] * 3, [bell] * 6):
            v = connect_once(test, good, reply(queues=2), fds, 2)
            equal(v.results("connect")[0], EPROTO, "%d bells for two queues" % len(fds))
        v = connect_once(test, good, b"status=2\n", [bell, bell])
        equal(v.results("connect")[0], EPROTO, "bells with a refusal")


@row("F16.dialect3")
def threads(test):
    """Submit, cancel, expire, poll and shut down from many threads at once."""
    race(test, "-3", queues=1)
