# SPDX-License-Identifier: MIT
"""Rows about a backend's behaviour over time: F2, F8, F10, F11, F16."""
import contextlib
import errno
import os
import re
import select
import signal
import struct
import subprocess
import time

import peer
from attack import CLOSE, OPEN, PAGE, READ, Back
from f_answers import attacked
from harness import PROGRAMS, Failed, Victim, among, check, cpu_seconds, equal, row

TRANSPORT = "the transport failed"


class flipping:
    """The C backend, serving at a path."""

    def __init__(self, path, mode, *options):
        self.process = subprocess.Popen([PROGRAMS + "hostile-fflip", *options, path, mode],
                                        stdout=subprocess.PIPE)

    def __enter__(self):
        check(self.process.stdout.readline() == b"listening\n", "the attacker listens")
        return self

    def __exit__(self, *_):
        alive = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        check(alive, "the attacker ran to the end")


@row("F2")
def double_fetch(test):
    """Answers and pages that change while they are read, at full speed."""
    hammer(test)


def hammer(test, *options, queues=0):
    with test.good() as good:
        for mode in ("legal", "illegal"):
            path = test.folder() + "/s"
            with flipping(path, mode, *options):
                v = Victim(test, good, path, ["hammer:5"], queues=queues)
                v.finish(timeout=120)
            print("%s: %s" % (mode, " ".join(x for x in v.text().split("\n") if "hammer" in x)))
            check("ILLEGAL" not in v.text(), v.text())
            check(v.result("hammer:5") > 0, "sessions: " + v.text())
            calls = int(re.search(r"hammered = (\d+)", v.text()).group(1))
            check(calls > 1000, "enough calls: %d" % calls)


@row("F8")
def pages_in_use(test):
    """A page whose request timed out is not used again before its answer came."""
    held = []
    used_again = []

    def special(session, kind, rid, operands):
        gref = struct.unpack_from("<I", operands, 4)[0]
        if kind == READ and struct.unpack_from("<Q", operands, 16)[0] == 777:
            held.append((rid, gref))
            return True
        if kind not in (OPEN, CLOSE, READ):
            return False
        if rid in [h[0] for h in held]:
            used_again.append(rid)
        if kind == READ and gref in [h[1] for h in held]:
            used_again.append("page %d" % gref)
        for _, page in held:  # it may still write there: nobody must mind
            session.write_page(page, b"L" * PAGE)
        if kind == OPEN and len(held) == 64:
            return True
        return False

    with test.good() as good:
        path = test.folder() + "/s"
        back = Back(path)
        steps = ["connect", "open:file"] + ["read:16:777"] * 10
        steps += ["read:64", "close", "open:x"] * 20
        steps += ["many/54/read:16:777", "read:32", "pause", "read:48", "stat"]
        v = Victim(test, good, path, steps, 300)
        session = back.accept()
        while "paused" not in v.text():
            try:
                got = session.take(0.1)
            except TimeoutError:
                continue
            if got and not special(session, *got):
                session.answer(got[1], session.sane(got[0], got[2]))
        equal(used_again, [], "ids and pages that were used again")
        equal(len(held), 64, "requests that wait for their answers")
        equal(len({h[0] for h in held}), 64, "their ids")
        late = held[:]
        del held[:]
        for rid, gref in late:  # all the late answers, the pages full of what was never asked for
            session.write_page(gref, b"L" * PAGE)
            session.answer(rid, 16)
        v.go_on()
        session.serve()
        session.close()
        back.close()
        v.finish()
        equal(set(v.results("read:16:777")), {-errno.ETIMEDOUT}, "reads without an answer")
        equal(set(v.results("read:64")), {64}, "reads meanwhile")
        equal(v.result("read:32"), -errno.ETIMEDOUT, "a read while no id is free")
        equal((v.result("read:48"), v.result("stat")), (48, 0), "calls after the late answers")


@row("F10")
def bells(test):
    """A storm of bells; none at all: a deadline, and an error at the end of it."""
    with test.good() as good:
        def storm(session, kind, rid, operands):
            if kind == READ:
                for _ in range(20000):
                    os.eventfd_write(session.ring_fd, 1)
            return False
        v = attacked(test, good, ["open:file"] + ["read:16"] * 5, storm)
        equal(v.results("read:16"), [16] * 5, "reads in a storm")

        def silent(session, kind, rid, operands):
            if kind != READ:
                return False
            session.answer(rid, 16, bell=False)
            return True
        v = attacked(test, good, ["open:file", "read:16", "stat"], silent, timeout_ms=500)
        among(v.result("read:16"), (-errno.ETIMEDOUT, 16), "a read whose bell was left out")
        equal(v.result("stat"), 0, "the session goes on")

        def never(session, kind, rid, operands):
            return kind == READ
        began = time.monotonic()
        v = attacked(test, good, ["open:file", "many/4/read:16", "stat"], never, timeout_ms=500)
        equal(v.results("read:16"), [-errno.ETIMEDOUT] * 4, "reads that nobody answers")
        check(time.monotonic() - began < 20, "in time")
    full_bells(test)


def full_bells(test):
    """Counters filled to the brim, flags changed; then rest (a second session would not)."""
    def writable(fd):
        p = select.poll()
        p.register(fd, select.POLLOUT)
        return bool(p.poll(0))

    def fill(fd):
        os.set_blocking(fd, False)  # our own write must not wait
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(fd)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(fd, (1 << 64) - 2)
        os.set_blocking(fd, True)

    def special(session, kind, rid, operands):
        session.answer(rid, session.sane(kind, operands), bell=False)
        if kind == READ:
            fill(session.ring_fd)
            fill(session.wait_fd)
        elif writable(session.ring_fd):
            session.ring_bell()
        return True

    path = test.folder() + "/s"
    back = Back(path)
    v = Victim(test, None, path, ["connect", "open:file", "read:16", "pause", "read:17"], 5000)
    session = back.accept()
    for _ in range(2):
        special(session, *session.take())
    v.wait_line("paused")
    used = cpu_seconds(v.pid)
    time.sleep(0.5)
    check(cpu_seconds(v.pid) - used < 0.1, "the victim rests")
    v.go_on()
    session.serve(special)
    session.close()
    back.close()
    v.finish()
    among(v.result("read:16"), (16,), "a read with a full bell")
    equal(v.result("read:17"), 17, "and the next")


@row("F11")
def vanishing(test):
    """The backend goes, is killed, speaks when it must not, or leaves what is stale."""
    with test.good() as good:
        for what in ("closes", "says more", "changes features", "dies"):
            gone(test, good, what)
        for when in ("before the answer", "after the offer"):
            path = test.folder() + "/s"
            back = Back(path)
            v = Victim(test, good, path, ["connect", "connect", "open:file"], 3000)
            first = back.accept(answer=False) if when == "after the offer" else None
            if first:
                first.close()
            else:
                sock, _ = back.listener.accept()
                sock.close()
            second = back.accept()
            second.serve()
            second.close()
            back.close()
            v.finish()
            among(v.results("connect")[0], (-errno.ECONNREFUSED, -errno.EPIPE), "gone " + when)
            equal(v.result("open:file"), 0, "another connection works")
        mute(test, good)


def gone(test, good, what):
    path = test.folder() + "/s"
    back = Back(path)
    v = Victim(test, good, path, ["connect", "open:file", "many/8/read:16", "read:17", "stat"],
               5000)
    pid = os.fork() if what == "dies" else 0
    if what == "dies" and pid == 0:
        session = back.accept()
        session.serve(lambda s, kind, rid, operands: kind == READ)
        os._exit(0)
    if what == "dies":
        back.close()
        time.sleep(1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    else:
        session = back.accept()
        count = 0
        while count < 8:
            kind, rid, operands = session.take()
            count += kind == READ
            if kind != READ:
                session.answer(rid, session.sane(kind, operands))
        if what == "says more":
            peer.send_packet(session.sock, b"status=0\n")
        elif what == "changes features":
            peer.send_packet(session.sock, b"status=0\ndialect=1\nfeatures=\nread-only=1\n",
                             [session.wait_fd, session.ring_fd])
        else:
            session.close()
    v.finish(TRANSPORT)
    equal(v.results("read:16"), [-errno.EIO] * 8, "callers when the backend %s" % what)
    among(v.result("read:17"), (-errno.EPROTO,), "later calls")
    if what != "dies":
        if what != "closes":
            session.close()
        back.close()


def mute(test, good):
    """Accepts and says nothing: connecting has a deadline too."""
    path = test.folder() + "/s"
    back = Back(path)
    v = Victim(test, good, path, ["connect", "exports"], 700)
    first = back.accept(answer=False)
    sock, _ = back.listener.accept()
    v.finish()
    equal((v.result("connect"), v.result("exports")), (-errno.ETIMEDOUT,) * 2, "a mute backend")
    first.close()
    sock.close()
    back.close()


@row("F16")
def threads(test):
    """Submit, cancel, expire, poll and shut down from many threads at once."""
    race(test)


def race(test, *options, queues=0):
    with test.good() as good:
        for mode in ("plain", "illegal"):
            path = test.folder() + "/s"
            with flipping(path, mode, *options):
                v = Victim(test, good, path, ["race:6"], queues=queues)
                try:
                    v.finish(timeout=120)
                except Failed:
                    if mode == "plain" or "poisoned = " not in v.text():
                        raise
            print("%s: %s" % (mode, " ".join(x for x in v.text().split("\n") if "race" in x)))
            lives = v.result("race:6")
            check(lives > 5, "lives: %d, %s" % (lives, v.text()))
            check(not re.search("TWICE|LOST", v.text()), v.text())
            cancelled = int(re.search(r"(\d+) cancelled", v.text()).group(1))
            check(mode == "illegal" or cancelled > 0, "some calls were cancelled")

