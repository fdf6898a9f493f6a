# SPDX-License-Identifier: MIT
"""Rows about sessions, handles, limits and logs: B11, B14 to B16, B18, B24, B26, B28."""
import errno
import os
import random
import re
import resource
import signal
import struct
import time

import peer
from attack import CLOSE, LIST, PAGE, READ, STAT, WRITE, Front, Gone, request
from b_ring import INDEX, poisoned, slow_daemon
from harness import (Skipped, among, check, descriptors, equal, mount, row, rss_kb, unmount,
                     wait_until)


def read_slot(rid, fd, length=16, gref=1):
    return request(READ, rid, struct.pack("<IIQQ", fd, gref, length, 0))


def handle_calls(f, fd):
    return {"close": lambda: f.close_handle(fd), "read": lambda: f.io(READ, fd, 16, 0),
            "write": lambda: f.io(WRITE, fd, 1, 0), "stat": lambda: f.call(
                STAT, struct.pack("<II", fd, 1)), "truncate": lambda: f.truncate(fd, 0),
            "chmod": lambda: f.chmod(fd, 0o600), "sync": lambda: f.sync(fd)}


@row("B11")
def handles(test):
    """Handles of nothing, closed twice, closed while a read on them runs."""
    with test.daemon({"x": test.tree()}) as d, d.front("x") as f:
        worker = [w for w in d.workers() if w != d.neighbour.pid][0]
        for fd in (0, 1, 1023, 1024, 65535, 65536, 1 << 30, (1 << 31) - 1, 1 << 31, 0xfffffffe,
                   0xffffffff):
            for what, call in handle_calls(f, fd).items():
                equal(call(), -errno.EBADF, "%s on handle %#x" % (what, fd))
        fd = f.open("file")
        equal(f.close_handle(fd), 0, "close")
        for what, call in handle_calls(f, fd).items():
            equal(call(), -errno.EBADF, "%s on a closed handle" % what)
        # a whole ring of closes: one of them is right
        fd = f.open("file")
        f.put(*[request(CLOSE, i, struct.pack("<I", fd)) for i in range(64)])
        equal(sorted(f.get()[1] for _ in range(64)), [-errno.EBADF] * 63 + [0], "64 closes")
        check(worker > 0, "the worker is there")
    with slow_daemon(test) as (d, slow):
        worker, f = d.worker_of(lambda: d.front("slow"))
        with f:
            f.close_handle(f.open("file"))
            fds = descriptors(worker)
            fd = f.open("slow")
            f.put(read_slot(1, fd))
            wait_until(lambda: slow.waiting() == 1, "a read waits")
            f.put(request(CLOSE, 2, struct.pack("<I", fd)))
            equal(f.get()[:2], (2, 0), "close while a read runs")
            other = f.open("file", rid=3, gref=2)
            check(other >= 0 and other != fd, "the number is not given out again meanwhile")
            for what, call in (("read", lambda: f.io(READ, fd, 16, 0, gref=2, rid=3)),
                               ("close", lambda: f.close_handle(fd, rid=3))):
                equal(call(), -errno.EBADF, what + " after the close")
            slow.release()
            equal(f.get()[:2], (1, 16), "the read that ran")
            equal(f.read_page(1, 16), b"F" * 16, "its data")
            equal(f.close_handle(other), 0, "the other handle")
            wait_until(lambda: descriptors(worker) == fds, "the file is closed in the end")


@row("B14")
def churn(test):
    """Thousands of connects, closes and sessions cut short; rings of an earlier life."""
    chance = random.Random(14)
    with test.daemon({"x": test.tree()}) as d:
        earlier_life(d)
    with test.daemon({"x": test.tree()}, ["--handshake-timeout", "5"]) as d:
        began, n, started = time.monotonic(), 0, 0
        # On a slow machine it takes the time that it takes.
        while n < 300 or started < 50 or (n < 2000 and time.monotonic() - began < 40):
            n += 1
            started += one_life(d, chance)
        print("%d connections, %d sessions in %.1f s" % (n, started, time.monotonic() - began))


def one_life(d, chance):
    """Connect, and stop somewhere. Returns 1 if a session ran."""
    f = Front(d.path)
    stage = chance.randrange(7)
    try:
        if stage == 0:
            return 0  # nothing was said
        if stage == 1:
            f.send(b"fsif=1\nrequest=exp")
            return 0
        if stage == 2:
            f.offer(fsif=1, request="exports")
            return 0
        f.share(65)
        if stage == 3:  # gone before the answer
            f.send(peer.pack({"fsif": 1, "request": "session", "export": "x", "dialects": 1,
                              "pages": 65, "ring-pages": 1, "ring-ref": 0}), [f.fd])
            return 0
        if stage == 4:  # a name that is not there, then one that is
            f.session("none")
        answer = f.session("x")
        check(answer is None or answer["status"] in ("0", str(errno.EAGAIN)),
              "a session, or a limit")
        if not answer or answer["status"] != "0":
            return 0
        fd = f.open("file")
        f.put(*[read_slot(i, fd, PAGE) for i in range(64)])  # in flight
        if stage == 5:  # a state that flips: an offer while the session runs
            f.session("x")
        return 1
    except (Gone, ConnectionError):
        return 0
    finally:
        f.close()


def earlier_life(d):
    """Memory of a session that has ended, with its indices: the ring must start at 0."""
    with d.front("x") as f:
        for _ in range(70):
            f.close_handle(f.open("file"))
        old = os.dup(f.fd)
    with Front(d.path) as f:
        f.share(65, fd=old)
        check(f.req_prod() > 64, "indices are left")
        answer = f.session("x")
        if answer and answer["status"] == "0":
            f.ring()
            check(f.gone(), "stale indices end the session")
            poisoned(d, INDEX)


@row("B15")
def killed(test):
    """The frontend is killed with pages mapped and a full ring under way."""
    with slow_daemon(test) as (d, slow):
        for export, name in (("x", "file"), ("slow", "slow"), ("slow", "slow")):
            calm = len(d.workers())
            pid = os.fork()
            if pid == 0:
                f = d.front(export)
                fd = f.open(name)
                f.put(*[read_slot(i, fd, PAGE, 1 + i) for i in range(64)])
                signal.pause()
            wait_until(lambda: len(d.workers()) == calm + 1, "its worker runs")
            if name == "slow":
                wait_until(lambda: slow.waiting() > 0, "its reads wait in the store")
            else:
                time.sleep(0.2)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            wait_until(lambda: len(d.workers()) == calm, "its worker is gone", 20)
        slow.release()


@row("B16")
def slow_neighbour(test):
    """What hangs for one guest hangs for nobody else, nor for its own other requests."""
    with slow_daemon(test) as (d, slow):
        with d.front("slow") as f, d.front("x") as other:
            fd = f.open("slow")
            f.put(*[read_slot(i, fd, 16, 1) for i in range(24)])
            wait_until(lambda: slow.waiting() == 24, "24 reads hang at once")
            rounds = d.neighbour.rounds()
            d.neighbour.served_meanwhile(rounds, 100)
            for _ in range(100):
                check(other.close_handle(other.open("file")) == 0, "another guest is served")
            quick = f.open("file", gref=2, rid=40)
            for _ in range(20):  # its own quick requests too
                equal(f.io(READ, quick, 16, 0, gref=2, rid=40), 16, "a quick read meanwhile")
            equal(slow.waiting(), 24, "reads that still hang")
            slow.release()
            equal(sorted(f.get()[:2] for _ in range(24)), [(i, 16) for i in range(24)],
                  "all of them are answered")


def good_offer(**more):
    keys = {"fsif": 1, "request": "session", "export": "x", "dialects": 1, "features": "errno",
            "pages": 65, "ring-pages": 1, "ring-ref": 0}
    keys.update(more)
    return peer.pack({k: v for k, v in keys.items() if v is not None})


@row("B18")
def negotiation(test):
    """Dictionaries that are huge, malformed, contradictory, or name what is not theirs."""
    tree = test.tree()
    base = good_offer()
    filler = b"".join(b"k%d=%s\n" % (i, b"v" * 200) for i in range(18))
    packets = [b"\0", b"\n", b"=", b"=\n", b"x", b"fsif=1", b"fsif=1\n", b"a" * 4000, b"a" * 4001,
               b"a" * 65536, b"\xff" * 100, base[:-1], base + b"x", base + b"\0",
               base + b"fsif=1\n",
               base + b"pages=65\n", base + b"export=x\n", base.replace(b"=1\n", b"=1\r\n"),
               base + b"K=1\n", base + b"k =1\n", base + b"k" * 32 + b"=1\n", base + b"=1\n",
               base + b"k=" + b"v" * 256 + b"\n", base + b"k=\x1f\n", base + b"k=\x80\n",
               base + filler * 2, base * 2]
    numbers = ("", " ", "0", "-1", "+65", "065", "0x41", "65 ", " 65", "6 5", "65.0", "1e9",
               "4294967296", "4294967361", "18446744073709551616", "9" * 255,
               "-9223372036854775808",
               "nan", "\u0661".encode().decode("latin-1"))
    for key in ("fsif", "pages", "ring-pages"):
        packets += [good_offer(**{key: n}) for n in numbers]
    packets += [good_offer(**{"ring-ref": n}) for n in numbers if n != "0"]
    packets += [good_offer(**{k: None}) for k in ("fsif", "request", "export", "dialects", "pages",
                                                  "ring-pages", "ring-ref")]
    packets += [good_offer(request=r)
                for r in ("", "Session", "sessions", "session\x00", "exports ")]
    packets += [good_offer(dialects=x) for x in ("", "0", "3", "11", "1x", "-1", "one")]
    names = ("", ".", "..", "../x", "/x", "x/", "x/../x", tree, "/etc", "-x", "x y", "x,ro", "y",
             "neighbour ", "X", "x" * 64, "x" * 255, "%s", "x\\0")
    packets += [good_offer(export=n) for n in names]
    with test.daemon({"x": tree}) as d:
        for packet in packets:
            with Front(d.path) as f:
                f.share(65)
                try:
                    f.send(packet, [f.fd])
                    answer = f.receive()
                except ConnectionError:
                    answer = None
                check(answer and int(answer["status"]) > 0,
                      "%r is refused by an answer: %r" % (packet[:80], answer))
                check(f.ring_fd < 0, "no bells for %r" % packet[:80])
        d.expect_log("rules of the handshake")
        check("worker-refused" not in d.log(), "the supervisor never sees what is malformed")
        with Front(d.path) as f:  # what is strange but right
            f.share(65)
            f.send(base + filler + b"from=another\n", [f.fd])
            equal(f.receive()["status"], "0", "unknown keys are passed over")
        with Front(d.path) as f:
            f.share(65)
            f.send(good_offer(dialects="9 1,zz", features="errno,xx errno"), [f.fd])
            answer = f.receive()
            equal((answer["status"], answer["dialect"], answer["features"]), ("0", "1", "errno"),
                  "unknown words are passed over")
        flood(d)


def flood(d):
    """Thousands of offers on one connection, read or not."""
    worker, f = d.worker_of(lambda: Front(d.path))
    with f:
        f.offer(fsif=1, request="exports")
        rss, count = rss_kb(worker), 1
        try:
            while count < 5000:
                answer = f.offer(fsif=1, request="exports")
                if not answer:
                    break
                count += 1
                if count == 1500:
                    check(rss_kb(worker) < rss + 1024, "the worker does not grow")
        except ConnectionError:
            pass
        print("%d offers were answered" % count)
        check(count < 5000, "a connection without a session does not go on for ever")
    with Front(d.path) as f:  # and nobody reads the answers
        try:
            f.sock.settimeout(5)
            for _ in range(5000):
                f.send(b"fsif=1\nrequest=exports\n")
        except (ConnectionError, TimeoutError):
            pass


@row("B24")
def limits(test):
    """Each limit has its error, and service goes on."""
    exports = {"x": test.tree() + ",handles=4", "mem": "memory:,size=64K,nodes=8"}
    no_disk = None
    try:
        exports["disk"] = small_disk(test)
    except Skipped as why:
        no_disk = why
    with test.daemon(exports, ["--max-pages", "65", "--max-sessions-per-peer", "6"]) as d:
        with d.front("x") as f:
            handle_limit(f)
            names_and_requests(f)
        with d.front("mem") as f:
            memory_limit(f)
        if not no_disk:
            with d.front("disk") as f:
                disk_limit(f)
        with Front(d.path) as f:
            f.share(66)
            equal(int(f.session("x", pages=66)["status"]), 7, "status for too many pages")
        sessions_limit(d)
    file_size_limit(test)
    if no_disk:
        raise no_disk


def small_disk(test):
    where = test.folder()
    mount("tmpfs", "none", where, "size=256k,nr_inodes=20")
    test.at_end(unmount, where)
    return where


def handle_limit(f):
    fds = [f.open("file") for _ in range(4)]
    equal(sorted(fds), [0, 1, 2, 3], "four handles")
    for _ in range(3):
        equal(f.open("file"), -errno.EMFILE, "the fifth")
        equal(f.create("made"), -errno.EMFILE, "one that is made")
    equal(f.close_handle(fds[1]), 0, "close one")
    equal(f.open("file"), 1, "and open one")
    for fd in fds:
        f.close_handle(fd)


def names_and_requests(f):
    equal(f.open("n" * 256), -errno.ENAMETOOLONG, "a component of 256 bytes")
    deep = "/".join(["n" * 255] * 15)
    equal(f.mkdir(deep), -errno.ENOENT, "a path of 3839 bytes")
    f.put(*[request(LIST, i, struct.pack("<II", 0, 2)) for i in range(64)])
    for _ in range(64):
        f.get()


def memory_limit(f):
    fd = f.create("big")
    got = [f.write(fd, b"m" * PAGE, i * PAGE) for i in range(17)]
    check(got[0] == PAGE and -errno.ENOSPC in got, "the memory store is full at last: %r" % got)
    among(f.write(fd, b"x", 1 << 40), (-errno.ENOSPC, -errno.EFBIG), "a write far out")
    made = [f.create("f%d" % i) for i in range(12)]
    check(-errno.ENOSPC in made, "it has so many nodes: %r" % made)
    equal(f.truncate(fd, 0), 0, "room is made")
    equal(f.write(fd, b"m" * PAGE), PAGE, "and used again")


def disk_limit(f):
    fd = f.create("big")
    got = [f.write(fd, b"d" * PAGE, i * PAGE) for i in range(80)]
    check(-errno.ENOSPC in got, "the disk is full at last")
    made = [f.create("f%d" % i) for i in range(30)]
    check(-errno.ENOSPC in made, "it has so many inodes")
    equal(f.space("big"), 0, "free space")
    equal(f.truncate(fd, 0), 0, "room is made")
    equal(f.write(fd, b"d" * PAGE), PAGE, "and used again")


def sessions_limit(d):
    fronts, refused = [], 0
    try:
        for _ in range(12):
            f = Front(d.path)
            fronts.append(f)
            try:
                answer = f.session("x")
            except ConnectionError:
                answer = None
            if not answer or answer["status"] == str(errno.EAGAIN):
                refused += 1
            else:
                equal(answer["status"], "0", "status")
        check(refused >= 6, "sessions of one user are limited: %d of 12 were refused" % refused)
        d.expect_log("too many sessions")
    finally:
        for f in fronts:
            f.close()
    wait_until(lambda: len(d.workers()) == 1, "workers end")
    with d.front("x") as f:
        check(f.close_handle(f.open("file")) == 0, "a session after the limit was reached")


def file_size_limit(test):
    """The daemon's own RLIMIT_FSIZE is the peer's EFBIG, not the worker's end."""
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    with test.daemon({"x": test.tree()}, before=small) as d, d.front("x") as f:
        fd = f.open("file")
        equal(f.write(fd, b"x", 1 << 21), -errno.EFBIG, "a write beyond the limit")
        equal(f.truncate(fd, 1 << 21), -errno.EFBIG, "a truncate beyond it")
        equal(f.write(fd, b"x"), 1, "a write below it")


@row("B26")
def others(test):
    """Handles, ids and files of another session or export are nobody else's."""
    one, two = test.tree(), test.tree()
    for path, text in ((one, b"one"), (two, b"two")):
        with open(path + "/same", "wb") as out:
            out.write(text)
    with test.daemon({"one": one, "two": two}) as d:
        with d.front("one") as a, d.front("one") as b, d.front("two") as c:
            handles_of_a = [a.open("file") for _ in range(20)]
            for fd in handles_of_a:
                for f in (b, c):
                    for what, call in handle_calls(f, fd).items():
                        equal(call(), -errno.EBADF, "%s on another's handle %d" % (what, fd))
            for fd in handles_of_a:
                a.close_handle(fd)
            fds = {f: f.open("same") for f in (a, b, c)}
            equal(len(set(fds.values())), 1, "the same number in each session")
            equal(a.read(fds[a], 9), b"one", "the file of the first export")
            equal(c.read(fds[c], 9), b"two", "the file of the second")
            equal(b.close_handle(fds[b]), 0, "close in one session")
            equal(a.read(fds[a], 9), b"one", "open in the other")
            # the same ids and pages at once
            for f in (a, c):
                f.put(*[read_slot(i, fds[f], 9, 1 + i) for i in range(64)])
            for f, text in ((a, b"one"), (c, b"two")):
                equal(sorted(f.get()[:2] for _ in range(64)), [(i, 3) for i in range(64)], "ids")
                equal({f.read_page(1 + i, 3) for i in range(64)}, {text}, "data")
            equal(c.open("../" + os.path.basename(one) + "/same"), -errno.EACCES, "a way across")


LINE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) '
                  r'fsif-backend\[\d+\] event=[a-z-]+'
                  r'( [a-z-]+=("[^"\n\x00-\x1f=\\]*(\\x[0-9a-f]{2}[^"\n\x00-\x1f=\\]*)*"'
                  r'|[^" =\n\x00-\x1f\\]*))*\Z')


@row("B28")
def logs(test):
    """Nothing that a peer sends forges a line or a key, and a flood of offences is not a flood of
    lines."""
    evil = ("x\n2026-01-01T00:00:00.000Z error fsif-backend[1] event=forged", "x event=forged",
            'x" event=forged y="', "\x1b[2J\x1b]0;forged\x07", "a=b", "%s%n%n", "\\x0a", "\x80\xff",
            "x" * 300)
    with test.daemon({"x": test.tree()}, level="debug") as d:
        with d.front("x") as f:
            for name in evil:
                f.open(name[:255])
                f.mkdir(name[:255])
                f.remove(name[:255])
                f.list_page(name[:255])
        for name in evil:
            for packet in (good_offer(export=name), name.encode("latin-1"),
                           good_offer() + name.encode("latin-1") + b"=1\n",
                           good_offer(request=name)):
                with Front(d.path) as f:
                    try:
                        f.send(packet[:60000])
                        f.receive()
                    except ConnectionError:
                        pass
        for line in d.log().splitlines():
            check(LINE.match(line), "a line of the log has its form: %r" % line)
            check("event=forged" not in line and "\x1b" not in line, "nothing is forged: %r" % line)
    with test.daemon({"x": test.tree()}) as d:
        offences = 0
        began = time.monotonic()
        while offences < 300 and time.monotonic() - began < 30:
            offences += 1
            with d.front("x") as f:  # poisoned
                f.set_req_prod(1000)
                f.ring()
                f.gone()
            with Front(d.path) as f:  # a malformed offer
                f.send(b"evil")
                f.receive()
        lines = d.log().count("\n")
        windows = 2 + (time.monotonic() - began) / 10
        print("%d offences of each kind, %d lines" % (offences, lines))
        check(lines <= 42 * windows, "lines are limited: %d" % lines)
        check(re.search("dropped=", d.log()) or offences * 2 < 20 or windows < 3,
              "what was dropped is counted")
        poisoned(d, INDEX)
