# SPDX-License-Identifier: MIT
"""Rows about ring words, slots and pages: B1 to B6, B9, B10, B12, B13, B17, B30."""
import ctypes
import errno
import os
import random
import socket
import struct
import time

import peer
from attack import (CLOSE, CREATE, DIALECT, LIST, MAX_IO, OPEN, PAGE, READ, RENAME, STAT, WRITE,
                    Front, Gone, request)
from harness import (Skipped, among, check, cpu_seconds, descriptors, equal, row, rss_kb,
                     wait_until)

INDEX = "the peer's producer index is not within the ring"
BAD_ID = "the peer used an id beyond the ring"
BUSY_ID = "the peer used the id of a request that is still unanswered"


def poisoned(daemon, reason, times=1):
    """The worker says why, and the supervisor ends the session."""
    daemon.expect_log('event=poisoned .*reason="%s"' % reason, times)


@row("B1")
def indices(test):
    """req_prod ahead, backwards, by 2^31, and beyond what was answered."""
    with test.daemon({"x": test.tree()}) as d:
        for n, jump in enumerate((65, 66, 1 << 31, (1 << 31) + 5, 0xffffffff, 0xffffffc0)):
            with d.front("x") as f:
                f.set_req_prod(jump)
                f.ring()
                check(f.gone(), "a jump by %#x ends the session" % jump)
            poisoned(d, INDEX, n + 1)
        with d.front("x") as f:  # backwards, after honest work
            for _ in range(70):
                check(f.close_handle(f.open("file")) == 0, "honest work")
            f.set_req_prod(f.prod - 1)
            f.ring()
            check(f.gone(), "a step back ends the session")
        poisoned(d, INDEX, 7)
        with d.front("x") as f:  # a whole ring at once is legal
            f.put(*[request(0, i) for i in range(64)])
            answers = [f.get() for _ in range(64)]
            equal(sorted(a[0] for a in answers), list(range(64)), "ids of a full ring's answers")
            equal({a[1] for a in answers}, {-errno.ENOSYS}, "their results")


@row("B2")
def double_fetch(test):
    """Slots that change while they are read: the C attacker judges each answer."""
    with test.daemon({"x": test.tree()}) as d:
        for mode in ("length", "offset", "handle"):
            test.run_program("hostile-flip", d.path, "x", mode, 3)


@row("B3")
def unknown_operations(test):
    """Each is answered once, with ENOSYS; reserved bits mean nothing."""
    with test.daemon({"x": test.tree()}) as d, d.front("x") as f:
        for kind in (0, 14, 15, 16, 17, 32, 64, 127, 128, 254, 255):
            before = f.rsp_prod()
            f.put(request(kind, 7, b"\xff" * 24, 0xff, 0xffffffff))
            got, ret, raw = f.get()
            equal((got, ret), (7, -errno.ENOSYS), "answer to type %d" % kind)
            equal(raw[2:8] + raw[16:], bytes(22), "padding of the answer to type %d" % kind)
            equal(f.rsp_prod() - before, 1, "answers to type %d" % kind)
        fd = f.open("file")
        check(fd >= 0, "the session goes on")
        # padding is garbage in what old guests send
        f.put(request(READ, 9, struct.pack("<IIQQ", fd, 1, 10, 0), 0xa5, 0xdeadbeef))
        equal(f.get()[:2], (9, 10), "a read with reserved bits set")
        f.put(request(CLOSE, 9, struct.pack("<I", fd) + b"\xff" * 20, 1, 1))
        equal(f.get()[:2], (9, 0), "a close with garbage behind its operand")
        check(f.rsp_prod() == f.cons, "nothing is answered twice")


@row("B4")
def extremes(test):
    """Lengths and offsets at every edge, and sums that overflow."""
    lengths = (0, 1, PAGE - 1, PAGE, PAGE + 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + 16,
               1 << 63, (1 << 64) - PAGE, (1 << 64) - 1, MAX_IO, MAX_IO + 1, 9 * PAGE)
    offsets = (0, 1, PAGE - 1, PAGE, 1 << 31, (1 << 32) + 1, (1 << 63) - PAGE - 1,
               (1 << 63) - PAGE, (1 << 63) - 1, 1 << 63, (1 << 64) - PAGE, (1 << 64) - 1)
    with test.daemon({"x": test.tree()}) as d, d.front("x", pages=9) as f:
        fd = f.open("file")
        content = bytes(range(256)) * 16
        for length in lengths:
            for offset in offsets:
                what = "length %#x at %#x" % (length, offset)
                legal = length <= MAX_IO and offset + length <= (1 << 63) - 1
                f.write_page(2, b"\xee" * PAGE)
                n = f.io(READ, fd, length, offset, gref=2)
                want = content[offset:offset + length] if legal else None
                equal(n, len(want) if legal else -errno.EINVAL, "read of " + what)
                equal(f.read_page(2), ((want or b"") + b"\xee" * PAGE)[:PAGE], "page of " + what)
                if legal and length and offset <= 1 << 33:
                    continue  # writing there is ordinary, and large
                among(f.io(WRITE, fd, length, offset, gref=2),
                      (0, -errno.EFBIG, -errno.EINVAL) if legal else (-errno.EINVAL,),
                      "write of " + what)
        equal(f.stat(fd)[4], len(content), "nothing was written")
        for size in (-1, -(1 << 63)):
            equal(f.truncate(fd, size), -errno.EINVAL, "truncate to %d" % size)
        among(f.truncate(fd, (1 << 63) - 1), (0, -errno.EFBIG, -errno.EINVAL), "truncate to 2^63-1")
        equal(f.truncate(fd, 0), 0, "truncate to nothing")
        for offset in (3, 4, 1 << 31, (1 << 32) - 1):
            among(f.list_page("d", offset), (([], 0),), "list from %#x" % offset)


@row("B5")
def ranges(test):
    """Pages and offsets that make no sense; the ring's own page as data."""
    with test.daemon({"x": test.tree()}) as d:
        with d.front("x", pages=3) as f:
            fd = f.open("file")
            for bad in (3, 4, 65, 1 << 16, 1 << 31, (1 << 32) - 1):
                for kind in (READ, WRITE):
                    equal(f.io(kind, fd, 16, 0, gref=bad), -errno.EFAULT, "page %#x" % bad)
                if DIALECT == 1:  # later ones answer in the slot
                    equal(f.call(STAT, struct.pack("<II", fd, bad)), -errno.EFAULT,
                          "stat %#x" % bad)
                equal(f.call(OPEN, struct.pack("<I", bad)), -errno.EFAULT, "open %#x" % bad)
                equal(f.call(LIST, struct.pack("<II", 0, bad)), errno.EFAULT << 16, "list")
                equal(f.call(RENAME, struct.pack("<HHI", 5, 20, bad)), -errno.EFAULT, "rename")
                equal(f.call(CREATE, struct.pack("<bxxxiI", 0, 0o644, bad)), -errno.EFAULT,
                      "create")
            f.set_name(2, "weird")
            made = f.call(CREATE, struct.pack("<bxxxiI", -128, -1, 2))
            equal(made, 0, "a directory flag of -128 and a mode of -1 make a directory")
            # an overlapping pair: the answer of one request is the name of the next
            f.put(request(LIST, 1, struct.pack("<II", 0, 2)),
                  request(OPEN, 2, struct.pack("<I", 2)))
            f.get()
            f.get()
        for kind, operands in ((READ, struct.pack("<IIQQ", 0, 0, PAGE, 0)),
                               (STAT, struct.pack("<II", 0, 0)), (LIST, struct.pack("<II", 0, 0)),
                               (OPEN, struct.pack("<I", 0))):
            with d.front("x") as f:
                f.open("file")
                # the answer falls on the ring words: only this session may suffer
                f.put(request(kind, 3, operands))
                try:
                    f.get(1)
                except (Gone, TimeoutError):
                    pass


def refused(daemon, fds, what, **keys):
    """An offer with other memory is refused, and a good one on the same connection works."""
    with Front(daemon.path) as f:
        answer = f.session("x", fds=fds, **keys)
        check(answer and int(answer["status"]) > 0, "%s is refused: %r" % (what, answer))
        check(f.ring_fd < 0, "no bells for " + what)
        return int(answer["status"])


@row("B6")
def memory(test):
    """Pages that are bad, twice, gone half way, read-only; memory of every wrong kind."""
    with test.daemon({"x": test.tree()}) as d:
        with d.front("x") as f:  # one page in many requests at once
            fd = f.open("file")
            f.put(*[request(READ, i, struct.pack("<IIQQ", fd, 1, PAGE, 0)) for i in range(64)])
            equal({f.get()[1] for _ in range(64)}, {PAGE}, "64 reads into one page")
        with d.front("x") as f:  # "revoked": all pages punched out while requests run
            fd = f.open("file")
            for i in range(200):
                f.write_request(f.prod, request(READ, 1, struct.pack("<IIQQ", fd, 2, PAGE, 0)))
                f.publish(1)
                punch(f.fd, PAGE, 64 * PAGE)
                equal(f.get()[1], PAGE, "a read into a page that is being punched out")
        wrong_memory(test, d)


def punch(fd, offset, length):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int] * 2 + [ctypes.c_long] * 2
    if libc.fallocate(fd, 3, offset, length) != 0:  # PUNCH_HOLE | KEEP_SIZE
        raise Skipped("no FALLOC_FL_PUNCH_HOLE")


def wrong_memory(test, d):
    shrink, grow, seal = 2, 4, 1
    for seals, what in ((0, "no seals"), (seal | shrink, "not sealed against growing"),
                        (seal | grow, "not sealed against shrinking"),
                        (shrink | grow, "seals not sealed"),
                        (seal | shrink | grow | 8, "sealed against writing"),
                        (seal | shrink | grow | 16, "sealed against future writing")):
        fd = peer.make_memory(65, seals=seals)
        equal(refused(d, [fd], what), errno.EACCES, "status of memory with " + what)
        os.close(fd)
    others = {"a file": peer.make_memory(65, path=test.folder() + "/f"),
              "one page too small": peer.make_memory(65, size=64 * PAGE),
              "one byte too large": peer.make_memory(65, size=65 * PAGE + 1),
              "empty": peer.make_memory(65, size=0),
              "a directory": os.open(test.folder(), os.O_RDONLY),
              "a pipe": os.pipe()[0],
              "a socket": socket.socketpair()[0].detach(),
              "an eventfd": os.eventfd(0),
              "a device": os.open("/dev/zero", os.O_RDWR)}
    good = peer.make_memory(65)
    others["open for reading only"] = os.open("/proc/self/fd/%d" % good, os.O_RDONLY)
    try:
        others["huge pages"] = peer.make_memory(512, hugetlb=True)
    except OSError as e:
        print("no huge pages here: %s" % e)
    for what, fd in others.items():
        refused(d, [fd], what, pages=512 if what == "huge pages" else 65)
        os.close(fd)
    refused(d, [], "no memory at all")
    d.expect_log("event=memory-refused", 8)
    # a ring that cannot be mapped after its memory was: nothing of it stays
    for _ in range(3):
        with Front(d.path) as f:
            f.share(65)
            check(int(f.session("x", ring_ref=65)["status"]) > 0, "a ring outside is refused")
            try:
                answer = f.session("x")
            except (BrokenPipeError, ConnectionResetError):
                answer = None  # the backend may hang up at any moment
            check(answer is None or answer["status"] == "0", "a right offer after it: %r" % answer)


@row("B9")
def garbage(test):
    """Random slots and pages, seeded: no assert of ours depends on them."""
    seed = int(os.environ.get("FSIF_SEED", "9"))
    print("seed %d (FSIF_SEED sets it)" % seed)
    chance = random.Random(seed)
    sessions = requests = 0
    with test.daemon({"x": test.tree()}) as d:
        end = time.monotonic() + 12
        while time.monotonic() < end:
            sessions += 1
            try:
                with d.front("x", pages=chance.choice((2, 3, 65, 1025))) as f:
                    requests += throw(f, chance, end)
            except (Gone, ConnectionError):
                pass
        print("%d sessions, %d requests" % (sessions, requests))
        check(requests > 1000, "enough was thrown")


def throw(f, chance, end):
    """Until the session ends or 2000 requests. Returns how many."""
    count = 0
    words = (0, 1, 5, 16, PAGE, 1 << 16, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1)
    while count < 2000 and time.monotonic() < end:
        n = chance.randint(1, 64)
        for i in range(n):
            kind = chance.randint(0, 15) if chance.random() < 0.95 else chance.randint(0, 255)
            operands = bytearray(chance.randbytes(24))
            if chance.random() < 0.8:  # nearly right
                operands[0:4] = struct.pack("<I", chance.randint(0, 3))
                operands[4:8] = struct.pack("<I", chance.randint(0, f.pages))
                operands[8:16] = struct.pack("<Q", chance.choice(words))
                operands[16:24] = struct.pack("<Q", chance.choice(words))
            rid = i if chance.random() < 0.9995 else chance.randint(0, 65535)
            f.write_request(f.prod + i, request(kind, rid, bytes(operands), chance.randint(0, 255)))
        page = chance.randint(1, f.pages - 1)
        name = chance.choice((b"file", b"d", b"d/f", b"new", b"..", b"/", b"x/" * 2047, b"",
                              chance.randbytes(40), b"a" * 4096))
        f.write_page(page, (name + b"\0" + chance.randbytes(50))[:PAGE])
        f.publish(n)
        count += n
        for _ in range(n):
            f.get(10)
    return count


@row("B10")
def ids(test):
    """An id beyond the ring; an id that is under way already."""
    with test.daemon({"x": test.tree()}) as d:
        for n, rid in enumerate((64, 65, 255, 256, 32768, 65535)):
            with d.front("x") as f:
                f.put(request(OPEN, rid, struct.pack("<I", 1)))
                check(f.gone(), "id %d ends the session" % rid)
            poisoned(d, BAD_ID, n + 1)
    with slow_daemon(test) as (d, slow):
        with d.front("slow") as f:
            fd = f.open("slow")
            read = request(READ, 5, struct.pack("<IIQQ", fd, 1, 16, 0))
            f.put(read)
            wait_until(lambda: slow.waiting() == 1, "the read waits")
            f.put(read)
            check(f.gone(), "an id that is under way ends the session")
            poisoned(d, BUSY_ID)
        slow.release()


class slow_daemon:
    """A daemon whose export "slow" has a file "slow" with reads that wait."""

    def __init__(self, test, arguments=()):
        import slowfs
        self.where = test.folder()
        try:
            self.slow = slowfs.SlowFs(self.where)
        except slowfs.Unavailable as why:
            raise Skipped(str(why)) from None
        test.at_end(self.slow.close)
        self.daemon = test.daemon({"slow": self.where, "x": test.tree()}, arguments)

    def __enter__(self):
        return self.daemon.__enter__(), self.slow

    def __exit__(self, *why):
        self.slow.release()
        return self.daemon.__exit__(*why)


@row("B12")
def never_consumed(test):
    """Answers that nobody takes cost nothing."""
    # memory that was freed must not look like memory that is kept
    plain = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}
    with test.daemon({"x": test.tree()}, env=plain) as d:
        worker, f = d.worker_of(lambda: d.front("x"))
        with f:
            def burst(n):
                for _ in range(n):
                    for gref in range(1, 65):
                        f.set_name(gref, "d")
                    f.put(*[request(LIST, i, struct.pack("<II", 0, 1 + i)) for i in range(64)])
                    wait_until(lambda: f.rsp_prod() == f.prod, "all are answered")
            f.close_handle(f.open("file"))  # it serves, so it has all that it needs
            fds = descriptors(worker)
            burst(100)
            rss = rss_kb(worker)
            burst(1000)
            f.cons = f.prod - 64
            equal({f.get()[1] for _ in range(64)}, {3}, "what the last of them say")
            equal(descriptors(worker), fds, "the worker's descriptors")
            check(rss_kb(worker) <= rss + 1024, "the worker's memory: %d kB, was %d kB" %
                  (rss_kb(worker), rss))


@row("B13")
def bells(test):
    """A storm of bells, none at all, full counters, bells with other flags."""
    with test.daemon({"x": test.tree()}) as d:
        worker, f = d.worker_of(lambda: d.front("x"))
        with f:
            end = time.monotonic() + 2
            while time.monotonic() < end:  # a storm, for nothing
                for _ in range(1000):
                    os.eventfd_write(f.ring_fd, 1)
            rounds = d.neighbour.rounds()
            d.neighbour.served_meanwhile(rounds)
            used = cpu_seconds(worker)
            time.sleep(1)
            check(cpu_seconds(worker) - used < 0.1, "the worker rests after the storm")
            # garbage in the event words only costs bells
            for event in (0, 1 << 31, 0xffffffff):
                f.set_rsp_event(event)
                f.put(request(0, 1))
                wait_until(lambda: f.rsp_prod() == f.prod, "answered with rsp_event %#x" % event)
                f.cons = f.prod
            # no bell: nobody looks, nobody is hurt, and the next bell is good for both
            f.put(request(0, 1), bell=False)
            f.put(request(0, 2))
            equal({f.get()[0], f.get()[0]}, {1, 2}, "answers after a bell that was left out")
            # flags and counters belong to both sides: full, blocking, stolen
            for fd in (f.ring_fd, f.wait_fd):
                os.set_blocking(fd, True)
            peer.poll([f.wait_fd], 0) and os.eventfd_read(f.wait_fd)
            os.eventfd_write(f.wait_fd, (1 << 64) - 2)
            for i in range(64):  # more often than there are threads to be caught
                f.set_rsp_event(f.prod + 1)
                f.put(request(0, 3))
                wait_until(lambda: f.rsp_prod() == f.prod, "answer %d though its bell is full" % i)
        wait_until(lambda: worker not in d.workers(), "the worker ends")


@row("B17")
def ring_setup(test):
    """A ring of a wrong size, in a wrong place, twice; bells from the wrong side."""
    offers = {"two ring pages": {"ring_pages": 2}, "no ring page": {"ring_pages": 0},
              "a ring beyond the memory": {"ring_ref": 65}, "far beyond": {"ring_ref": 1 << 20},
              "at 2^32 - 1": {"ring_ref": (1 << 32) - 1}, "more ring than memory":
              {"ring_pages": 66}, "no pages": {"pages": 0}, "one page": {"pages": 1},
              "more pages than it has": {"pages": 66}, "fewer": {"pages": 64},
              "too many": {"pages": 1026}, "2^20": {"pages": 1 << 20}}
    with test.daemon({"x": test.tree()}) as d:
        for what, keys in offers.items():
            with Front(d.path) as f:
                f.share(65)
                answer = f.session("x", **keys)
                check(answer is None or int(answer["status"]) > 0, what + " is refused")
                check(f.ring_fd < 0, "no bells for " + what)
        with Front(d.path) as f:  # a ring in the last page, the ring's page a data page of nobody
            f.share(3)
            f.ring_page = 2
            f.set_req_event(1)
            f.set_rsp_event(1)
            equal(f.session("x", pages=3, ring_ref=2)["status"], "0", "a ring in the last page")
            check(f.close_handle(f.open("file")) == 0, "it works")
        bells = [os.eventfd(0), os.eventfd(0)]
        for extra in ([bells[0]], bells, bells * 10):  # a peer that brings its own
            with Front(d.path) as f:
                f.share(65)
                answer = f.session("x", fds=[f.fd] + extra)
                check(answer is None or int(answer["status"]) > 0,
                      "%d descriptors more are refused" % len(extra))
        for fd in bells:
            os.close(fd)


@row("B30")
def in_place(test):
    """Pages that change while names in them are read: millions of flips."""
    with test.daemon({"x": test.tree()}) as d:
        for mode in ("names", "end", "list", "rename"):
            test.run_program("hostile-flip", d.path, "x", mode, 3)
