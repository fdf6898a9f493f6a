# SPDX-License-Identifier: MIT
"""Rows about ring words, slots and ranges in dialect 3: B1 to B6, B8 to B10, B12, B13, B17, B30."""
import errno
import os
import random
import struct
import time

from attack3 import (M32, NOTICES_SEEN, PAGE, REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, FsifError,
                     PeerGone, front, good, raw_value, request, value_of, w)
from b_ring import BAD_ID, BUSY_ID, INDEX, poisoned, slow_daemon
from harness import among, check, cpu_seconds, equal, row, rss_kb, wait_until


@row("B1.dialect3")
def indices(test):
    """req_prod ahead, backwards, by 2^31; a notices_seen that was never reached."""
    with test.daemon({"x": test.tree(), "m": "memory:"}) as d:
        for where in (0, 1):
            for jump in (9, 10, 16, 17, 1 << 31, (1 << 31) + 5, M32, M32 - 7):
                with front(d, "x", queues=2) as s:
                    s.queues[where].set_word(REQ_PROD, jump)
                    s.queues[where].ring_bell()
                    check(s.wait_gone(), f"a jump by {jump:#x} ends the session")
        with front(d, "x") as s:  # backwards, after honest work
            for _ in range(30):
                s.nop()
            s.queues[0].set_word(REQ_PROD, s.queues[0].produced - 1)
            s.queues[0].ring_bell()
            check(s.wait_gone(), "a step back ends the session")
        poisoned(d, INDEX, 2)  # of so many lines some are not written
        for seen in (1, 7, M32 - 8, 1 << 31):
            with front(d, "m") as s:  # more notices taken than were sent
                s.queues[0].set_word(NOTICES_SEEN, seen)
                a, b = s.open("f", w.RDWR | w.CREAT), s.open("f", w.RDWR)
                s.lock(a, w.EXCLUSIVE)
                s.lock(b, w.EXCLUSIVE, w.WAIT, cookie=1)
                s.queue("lock", handle=a, mode=w.UNLOCK)
                s.publish()
                check(s.wait_gone(), f"notices_seen {seen:#x} ends the session")
        with front(d, "x", queues=2, slots=64, arena_pages=64) as s:  # a whole ring is legal
            tickets = [s.queue("nop", where) for where in (0, 1) for _ in range(64)]
            s.publish(0)
            s.publish(1)
            equal({s.wait(t)[0] for t in tickets}, {0}, "answers of full rings")


@row("B2.dialect3")
def double_fetch(test):
    """Slots that change while they are read: the C attacker judges each answer."""
    flip(test, "length", "count", "offset", "handle", "type", "inline", "end", "rename", "range",
         "records")


def flip(test, *modes):
    """Rounds of hostile-flip, in a tree where what d/../f would be is there."""
    tree = test.tree()
    with open(tree + "/f", "wb") as f:
        f.write(b"outside")
    with test.daemon({"x": tree}) as d:
        for mode in modes:
            test.run_program("hostile-flip", "-3", d.path, "x", mode, 2)


@row("B3.dialect3")
def reserved(test):
    """Unknown operations, and each octet and bit that must be 0, one after the other."""
    with test.daemon({"x": test.tree()}) as d, front(d, "x") as s:
        for kind in (0, *range(33, 256)):
            for rest in (b"\0", b"\xff"):
                equal(raw_value(s, bytes([kind]) + rest * 63), -errno.ENOSYS, f"type {kind}")
        file, folder = s.open("file", w.RDWR), s.open("d")
        s.write_arena(0, b"d\0" * 8)
        for op, operands in good(s, file, folder).items():
            whole = request(op, operands)
            for at in unused(op, whole):
                for octet in (1, 0x80, 0xff):
                    bad = bytearray(whole)
                    bad[at] |= octet
                    equal(raw_value(s, bad), -errno.EINVAL, f"{op} with {octet:#x} at {at}")
            for bit in illegal_flags(op):
                equal(raw_value(s, request(op, operands, flags=operands.get("flags", 0) | 1 << bit)),
                      -errno.EINVAL, f"{op} with flag bit {bit}")
        equal(value_of(s, "close", handle=file), 0, "the file was closed by none of them")
        equal(sorted(s.list(".")), [b"d", b"file", b"s"], "and nothing was made")


def unused(op, slot):
    """Octets of a request that nothing uses."""
    row_ = w.OPS[op]
    used = {0, *range(2, 8)}
    if row_["handle"]:
        used |= set(range(8, 12))
    for at, octets in row_["fields"].values():
        used |= set(range(at, at + octets))
    if row_["names"]:
        used |= set(range(12, 12 + 2 * len(row_["names"])))
        lens = sum(struct.unpack_from("<HH", slot, 12)[:len(row_["names"])])
        used |= set(range(row_["at"], row_["at"] + lens))
        used.add(1)
    if row_["count"]:
        used |= set(range(row_["count"], row_["count"] + 4))
    at, most = row_["ranges"]
    used |= set(range(at, at + 8 * min(1, most)))
    yield from (at for at in range(w.SLOT) if at not in used)
    if row_["names"]:
        return
    yield 1


LEGAL = {"open": 0x17316c3, "write": 3, "stat": 0x100, "setattr": 0x100, "remove": 3, "rename": 3,
         "link": 0x400, "readdir": 1, "sync": 3, "allocate": 7, "seek": 1, "getxattr": 0x100,
         "setxattr": 0x103, "listxattr": 0x100, "removexattr": 0x100, "lock": 7, "watch": 0x1f,
         "readfile": 0x20000, "writefile": 0x1212c0, "statmany": 0x100}


def illegal_flags(op):
    field = w.OPS[op]["fields"].get("flags")
    if field:
        yield from (bit for bit in range(8 * field[1]) if not LEGAL[op] >> bit & 1)


@row("B4.dialect3")
def extremes(test):
    """Lengths and offsets at every edge, and sums that overflow."""
    top = (1 << 63) - 1
    offsets = (0, 1, PAGE, 1 << 31, (1 << 32) + 1, top - PAGE, top - 1, top, top + 1,
               (1 << 64) - PAGE, (1 << 64) - 1)
    lengths = (0, 1, PAGE, 16 * PAGE - 1, 16 * PAGE)
    content = bytes(range(256)) * 16
    with test.daemon({"x": test.tree()}) as d, front(d, "x") as s:
        fd = s.open("file", w.RDWR)
        for offset in offsets:
            for length in lengths:
                legal = offset + length <= top
                s.write_arena(0, b"\xee" * 64)
                n = value_of(s, "read", handle=fd, offset=offset, ranges=[(0, length)])
                want = content[offset:offset + length] if legal else b""
                equal(n, len(want) if legal else -errno.EINVAL, f"read {length} at {offset:#x}")
                equal(s.read_arena(0, 64), (want + b"\xee" * 64)[:64], "what is there then")
            for length in (0, 1, PAGE, 1 << 31, 1 << 32, top - offset, top - offset + 1, top,
                           top + 1, (1 << 64) - 1):
                numbers(s, fd, offset, length % (1 << 64))
            equal(value_of(s, "setattr", handle=fd, mask=w.SET_SIZE, size=offset | 1 << 63),
                  -errno.EINVAL, "a negative size")
        equal(s.stat("file")["size"], len(content), "nothing was written")
        clock(s)


def numbers(s, fd, offset, length):
    """Operations of numbers alone, at an offset that may be legal."""
    top = (1 << 63) - 1
    legal = offset <= top and length <= top and offset + length <= top
    what = f"{length:#x} at {offset:#x}"
    answers = {0, -errno.EOPNOTSUPP, -errno.EFBIG, -errno.ENOSPC, -errno.EINVAL, -errno.ENXIO}
    got = value_of(s, "copy_range", handle=fd, handle2=fd, offset=offset, offset2=0, length=0)
    among(got, answers if offset <= top else (-errno.EINVAL,), "copy of nothing, " + what)
    if not legal:
        for op in ("allocate", "copy_range"):
            equal(value_of(s, op, handle=fd, offset=offset, length=length,
                           **({"handle2": fd} if op == "copy_range" else {})),
                  -errno.EINVAL, f"{op} {what}")
    for mode in (w.SHARED, w.UNLOCK):
        got = value_of(s, "lock", handle=fd, mode=mode, offset=offset, length=length)
        among(got, answers if legal else (-errno.EINVAL,), f"lock {mode} {what}")
    among(value_of(s, "seek", handle=fd, offset=offset),
          answers | {offset} if offset <= top else (-errno.EINVAL,), "seek " + what)


def clock(s):
    for seconds in (-(1 << 63), -1, 0, (1 << 63) - 1):
        among(value_of(s, "setattr", path=b"s", handle=w.ROOT, mask=w.SET_MTIME, mtime=seconds,
                       names_at=hold(s, b"s")), (0, -errno.EINVAL, -errno.EOVERFLOW), "mtime")
        s.stat("s")
    for nsec in (1000000000, M32 - 1, M32):
        equal(value_of(s, "setattr", path=b"s", handle=w.ROOT, mask=w.SET_MTIME, mtime_nsec=nsec,
                       names_at=hold(s, b"s")), -errno.EINVAL, "nanoseconds")


def hold(s, name):
    s.write_arena(PAGE, name)
    return PAGE


@row("B5.dialect3")
def ranges(test):
    """Ranges that make no sense, that overlap, that lie on what they are about."""
    with test.daemon({"x": test.tree()}) as d, front(d, "x") as s:
        size = s.arena_size
        fd, folder = s.open("file", w.RDWR), s.open("d")
        bad = ((size, 1), (size - 1, 2), (size + 1, 0), (M32, 1), (M32, 0), (M32, M32), (1, size),
               (0, size + 1), (size, M32), (1 << 31, 1 << 31))
        for r in bad:
            for op in ("read", "write"):
                for where in range(4):
                    rs = [(0, 0)] * where + [r]
                    among(value_of(s, op, handle=fd, ranges=rs), (-errno.EFAULT, -errno.EINVAL),
                          f"{op} {rs}")
            for op, operands in good(s, fd, folder).items():
                if w.OPS[op]["ranges"][1] == 1:
                    among(raw_value(s, request(op, operands, ranges=[r])),
                          (-errno.EFAULT, -errno.EINVAL), f"{op} {r}")
        for op in ("read", "write"):
            for count in (0, 5, 255, 1 << 31, M32):
                slot = bytearray(request(op, {"handle": fd, "ranges": [(0, 1)]}))
                w.put(slot, 24, 4, count)
                equal(raw_value(s, slot), -errno.EINVAL, f"{count} ranges")
        edges(s, fd)
        overlaps(s, fd)
        many(s)


def edges(s, fd):
    size = s.arena_size
    for r in ((size, 0), (size - 1, 1), (0, size)):
        n = value_of(s, "read", handle=fd, ranges=[r])
        equal(n, min(r[1], 4096), f"read into {r}")
    for at in (size - 3, size - 2, size, M32 - 1, M32):
        got = value_of(s, "stat", handle=w.ROOT, path=b"file", names_at=min(at, M32))
        equal(got, -errno.EFAULT, f"a name at {at:#x}")


def overlaps(s, fd):
    """Legal, and the frontend's own loss."""
    equal(value_of(s, "read", handle=fd, ranges=[(0, 4), (2, 4), (0, 8), (0, 8)]), 24, "a read")
    s.write_arena(0, b"new-name")
    among(value_of(s, "readfile", path=b"file", handle=w.ROOT, names_at=hold(s, b"file"),
                   ranges=[(PAGE - 2, 16)]), (16,), "readfile over its name")
    s.write_arena(0, b"d\0" * 8)
    among(value_of(s, "statmany", handle=w.ROOT, count=8, ranges=[(0, 16)], records=1), (8,),
          "records over their names")


def many(s):
    """Counts of statmany and places of its records."""
    size = s.arena_size
    s.write_arena(0, b"d\0" * 1024)
    for count, length in ((0, 16), (1025, 4096), (M32, 4096), (2, 3), (9, 16), (1, 0)):
        equal(value_of(s, "statmany", handle=w.ROOT, count=count, ranges=[(0, length)],
                       records=4096), -errno.EINVAL, f"{count} names in {length} octets")
    for records in (size, size - 119, M32, M32 - 119, 1 << 31):
        equal(value_of(s, "statmany", handle=w.ROOT, count=1, ranges=[(0, 2)], records=records),
              -errno.EFAULT, f"a record at {records:#x}")
    equal(value_of(s, "statmany", handle=w.ROOT, count=1, ranges=[(0, 2)], records=size - 120), 1,
          "a record at the end")


@row("B6.dialect3")
def directories(test):
    """Grant directories that are bad, double, or lead nowhere."""
    def page(s, index):
        return s.directory[index]

    def refs(s, where, value):
        s.write_page(page(s, where // 1023), struct.pack("<I", value), 4 + 4 * (where % 1023))

    with test.daemon({"x": test.tree()}) as d:
        shape = {"arena_pages": 1100}  # a directory of two pages
        pages = 1 + 1100 + 2
        for what, spoil, refused in (
                ("a page outside", lambda s: refs(s, 0, pages), True),
                ("a page far outside", lambda s: refs(s, 5, M32), True),
                ("one in the second page", lambda s: refs(s, 1100, 1 << 31), True),
                ("a second page outside", lambda s: s.write_page(
                    page(s, 0), struct.pack("<I", pages)), True),
                ("a page twice", lambda s: refs(s, 700, s.area.refs[701]), None),
                ("the ring's page as arena", lambda s: refs(s, 1, s.area.refs[0]), None),
                ("the directory's own page", lambda s: refs(s, 1, page(s, 0)), None),
                ("a circle", lambda s: s.write_page(
                    page(s, 0), struct.pack("<I", page(s, 0))), None)):
            try:
                with front(d, "x", **shape, spoil=spoil) as s:
                    check(not refused, what + " is refused")
                    s.queues[0].set_word(REQ_PROD, 1)
                    s.queues[0].ring_bell()
            except FsifError as e:
                check(refused is not False, f"{what}: {e}")
                among(e.errno, (errno.EFAULT, errno.EINVAL), what)
        for directory in (pages, 1 << 20, M32):
            try:
                front(d, "x", **shape, directory=directory).close()
                check(False, f"a directory at {directory} is refused")
            except FsifError as e:
                among(e.errno, (errno.EFAULT, errno.EINVAL), f"a directory at {directory}")


@row("B8.dialect3")
def two_names(test):
    """Lengths of two names that reach beyond the slot, the arena, or anything."""
    with test.daemon({"x": test.tree()}) as d, front(d, "x") as s:
        size = s.arena_size
        for op in ("rename", "link", "symlink", "getxattr"):
            extra = {"getxattr": {"ranges": [(0, 8)]}, "symlink": {}}.get(op, {"base2": w.ROOT})
            whole = request(op, {"path": b"file", "path2": b"user.a", **extra})
            for one, two in ((0xffff, 0xffff), (0xffff, 0), (0, 0xffff), (1, 0xffff), (40, 1),
                             (4096, 4096), (32768, 32768)):
                for inline in (0, 1):
                    bad = bytearray(whole)
                    bad[1] = inline
                    struct.pack_into("<HH", bad, 12, one, two)
                    if not inline:
                        at = w.OPS[op]["at"]
                        bad[at:] = bytes(w.SLOT - at)
                        w.put(bad, at, 4, size - 100)
                    among(raw_value(s, bad), (-errno.EINVAL, -errno.EFAULT, -errno.ENAMETOOLONG,
                                              -errno.ERANGE, -errno.ENOENT), f"{op} {one} {two}")
            for octet in range(w.OPS[op]["at"] + 10, w.SLOT):
                bad = bytearray(whole)
                bad[octet] = 0x41
                equal(raw_value(s, bad), -errno.EINVAL, f"{op}: octets behind the names")
        equal(sorted(s.list(".")), [b"d", b"file", b"s"], "nothing came of it")


@row("B9.dialect3")
def garbage(test):
    """Random slots, nearly right ones among them, seeded: no assert of ours depends on them."""
    seed = int(os.environ.get("FSIF_SEED", "9"))
    print(f"seed {seed} (FSIF_SEED sets it)")
    chance = random.Random(seed)
    sessions = requests = 0
    with test.daemon({"x": test.tree()}) as d:
        end = time.monotonic() + 15
        while time.monotonic() < end:
            sessions += 1
            try:
                with front(d, "x", queues=chance.choice((1, 2)),
                           slots=chance.choice((8, 64)), arena_pages=16) as s:
                    requests += throw(s, chance, end)
            except (PeerGone, ConnectionError):
                pass
        print(f"{sessions} sessions, {requests} requests")
        check(requests > 1000, "enough was thrown")


WORDS = (0, 1, 5, 16, 400, PAGE, 1 << 16, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1)
NAMES = (b"file", b"d", b"d/f", b"new", b"..", b"/", b"", b"user.a", b"n" * 41, b"d/new",
         b"/s", b"./d//new2", b"x\0y", b"\xff\xfe")


def any_request(s, chance):
    op = chance.choice(list(w.OPS))
    row_ = w.OPS[op]
    fields = {k: chance.choice(WORDS) if chance.random() < 0.5 else chance.randint(0, 7)
              for k in row_["fields"]}
    if "base2" in fields and chance.random() < 0.7:
        fields["base2"] = w.ROOT
    if "mode" in fields and chance.random() < 0.7:
        fields["mode"] = chance.choice((0o644, 0o100600, 1, 2, 3))
    if "flags" in fields and chance.random() < 0.7:
        fields["flags"] = chance.choice((0, LEGAL.get(op, 0) & chance.getrandbits(26)))
    ranges_ = [(chance.randint(0, s.arena_size - 1), chance.choice((0, 1, 16, 400, PAGE)))
               for _ in range(chance.randint(1, max(1, row_["ranges"][1])))]
    handle = w.ROOT if row_["handle"] == "base" and chance.random() < 0.7 else chance.randint(0, 9)
    more = {}
    if row_["names"]:
        names = [chance.choice(NAMES) for _ in row_["names"]]
        more = dict(zip(("path", "path2"), names))
        if sum(map(len, names)) > w.room(op) or chance.random() < 0.2:
            more["names_at"] = chance.randint(0, s.arena_size - 100)
            s.write_arena(more["names_at"], b"".join(names))
    if row_["ranges"][1]:
        more["ranges"] = ranges_
    return w.request(op, 0, chance.getrandbits(32), handle if row_["handle"] else 0, **more,
                     **fields)


def throw(s, chance, end):
    """Until the session ends or 3000 requests. Returns how many."""
    count = 0
    while count < 3000 and time.monotonic() < end:
        where = chance.randrange(len(s.queues))
        q = s.queues[where]
        n = chance.randint(1, q.slots)
        for i in range(n):
            slot = bytearray(any_request(s, chance) if chance.random() < 0.9 else
                             chance.randbytes(w.SLOT))
            if chance.random() < 0.2:
                slot[chance.randrange(w.SLOT)] ^= 1 << chance.randrange(8)
            struct.pack_into("<H", slot, 2, i if chance.random() < 0.9995 else
                             chance.getrandbits(16))
            s.put(bytes(slot), where)
        s.publish(where)
        count += n
        take_all(s, where, n)
    return count


def take_all(s, where, n):
    """Whatever they say, @n answers come."""
    end = time.monotonic() + 30
    while n:
        q = s.queues[where]
        while q.consumed != q.word(RSP_PROD):
            n -= q.read_entry(q.consumed)[2] == w.ANSWER
            q.consumed = (q.consumed + 1) & M32
        if n:
            s.sleep(end)


@row("B10.dialect3")
def ids(test):
    """An id beyond the ring; an id that is under way already."""
    with test.daemon({"x": test.tree()}) as d:
        for n, rid in enumerate((8, 9, 255, 256, 1024, 65535)):
            with front(d, "x", queues=2) as s:
                s.put(w.request("nop", rid), n % 2)
                s.publish(n % 2)
                check(s.wait_gone(), f"id {rid} ends the session")
            poisoned(d, BAD_ID, n + 1)
    with slow_daemon(test) as (d, slow):
        with front(d, "slow", queues=2) as s:
            fd = s.open("slow")
            read = w.request("read", 5, handle=fd, ranges=[(0, 16)])
            s.put(read)
            s.publish()
            wait_until(lambda: slow.waiting() == 1, "the read waits")
            s.put(read, 1)  # the same id in another queue is another request
            s.publish(1)
            wait_until(lambda: slow.waiting() >= 1 and s.queues[1].word(REQ_EVENT) > 1, "it runs")
            s.put(read)
            s.publish()
            check(s.wait_gone(), "an id that is under way ends the session")
            poisoned(d, BUSY_ID)
        slow.release()


@row("B12.dialect3")
def never_consumed(test):
    """Answers that nobody takes, and notices that nobody says to have seen, cost nothing."""
    plain = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}
    with test.daemon({"m": "memory:"}, env=plain) as d:
        worker, s = d.worker_of(lambda: front(d, "m", slots=64))
        with s:
            s.writefile("file", b"x")

            def burst(n):
                q = s.queues[0]
                for _ in range(n):
                    for rid in range(64):
                        s.put(w.request("stat", rid, handle=w.ROOT, path=b"file"))
                    want = (q.word(RSP_PROD) + 64) & M32
                    s.publish()
                    wait_until(lambda: q.word(RSP_PROD) == want, "all are answered")
            burst(100)
            rss = rss_kb(worker)
            burst(1000)
            check(rss_kb(worker) <= rss + 1024, f"the worker's memory: {rss_kb(worker)} kB, was "
                  f"{rss} kB")
            s.queues[0].consumed = s.queues[0].word(RSP_PROD)
            unseen_notices(s)
            check(rss_kb(worker) <= rss + 2048, "the worker's memory after notices")


def unseen_notices(s):
    """Locks and changes told while notices_seen stands still: N notices and no more come; then the
    rest of the locks', and that changes were lost."""
    q, n = s.queues[0], s.queues[0].slots
    a, b = s.open("file", w.RDWR), s.open("file", w.RDWR)
    s.mkdir("watched")
    h = s.open("watched")
    s.watch(h, w.CHANGED_CREATE | w.CHANGED_REMOVE, 9)
    s.lock(a, w.EXCLUSIVE)
    for cookie in range(100, 108):
        equal(s.lock(b, w.SHARED, w.WAIT, cookie - 100, 1, cookie), errno.EINPROGRESS, "a wait")
    seen = []
    count_only(s, seen)
    for i in range(3 * n):
        s.writefile(f"watched/{i}", b"")
        s.remove(f"watched/{i}")
    wait_until(lambda: (s.collect(), len(seen) >= n)[1], "as many notices as fit")
    s.lock(a, w.UNLOCK)
    s.nop()
    equal(len(seen), n, "notices while none was said to be seen")
    s.take_notice_hook = s.keep_notice
    q.set_word(NOTICES_SEEN, n)
    s.seen = n
    q.ring_bell()
    late, lost = set(), False
    while len(late) < 8 or not lost:
        kind, cookie, what, _ = s.next_notice(30)
        if kind == w.LATE:
            equal(what, 0, "a lock that comes late")
            late.add(cookie)
        else:
            lost |= bool(what & w.CHANGES_LOST)
    equal(late, set(range(100, 108)), "the locks that came late")


def count_only(s, seen):
    """From now on notices are counted, and notices_seen is left alone."""
    s.take_notice_hook = seen.append


@row("B13.dialect3")
def bells(test):
    """A storm of bells, event words that mean nothing, no bell at all."""
    chance = random.Random(13)
    with test.daemon({"x": test.tree()}) as d:
        worker, s = d.worker_of(lambda: front(d, "x", queues=2))
        with s:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for q in s.queues:
                    q.ring_bell(chance.choice((1, 2, 1 << 40)))
                    q.set_word(RSP_EVENT, chance.getrandbits(32))
                    q.set_word(REQ_EVENT, chance.getrandbits(32))
                    q.clear_bell()
            for where in (0, 1):  # the event words lie, so the bell is rung whatever they say
                ticket = s.queue("nop", where)
                s.publish(where, bell=True)
                equal(s.wait(ticket)[0], 0, "it serves after the storm")
            # published and no bell: the next one serves it all
            ticket = s.queue("nop")
            s.publish(0, bell=False)
            other = s.queue("nop", 1)
            s.publish(1, bell=True)
            equal(s.wait(other)[0], 0, "another queue is served")
            s.queues[0].ring_bell()
            equal(s.wait(ticket)[0], 0, "it is served when the bell comes")
            time.sleep(0.5)  # whoever looks out for requests may still do so for a moment
            before = cpu_seconds(worker)
            time.sleep(1)
            check(cpu_seconds(worker) - before < 0.3, "it sleeps when there is nothing")


@row("B17.dialect3")
def layouts(test):
    """Shapes that do not fit what is shared."""
    with test.daemon({"x": test.tree()}) as d:
        for changes in ({"slots": 9}, {"slots": 7}, {"slots": 4}, {"slots": 2048}, {"slots": 1024},
                        {"queues": 0}, {"queues": 17}, {"queues": 16}, {"arena_pages": 15},
                        {"arena_pages": 17}, {"arena_pages": 65537}, {"arena_pages": 65536},
                        {"max_io": 4095}, {"max_io": 16 * PAGE + 1}, {"max_io": M32},
                        {"directory": None}, {"queues": None}, {"slots": None}, {"pages": 1},
                        {"pages": 17}, {"pages": 0}, {"pages": 1 << 32}):
            try:
                front(d, "x", lies=changes).close()
                check(False, f"{changes} is refused")
            except FsifError as e:
                among(e.errno, (errno.EPROTO, errno.E2BIG, errno.EINVAL, errno.EFAULT),
                      f"{changes}")
            except (PeerGone, ConnectionError):
                pass


@row("B30.dialect3")
def in_place(test):
    """Names and lists of names in the arena that change while they are read."""
    flip(test, "names", "readfile", "many", "many-up")
