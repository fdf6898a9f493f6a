# SPDX-License-Identifier: MIT
"""Rows about what a backend answers in dialect 3: F1, F3 to F7, F14."""
import errno
import struct

from back3 import (ATTR, BAD_ID, IDLE, INDEX, LISTING, M32, PAGE, RESULT, Gather, asked,
                   attacked, only, w)
from peer_shared3 import RSP_PROD
from harness import among, check, equal, row

INT64_MAX = (1 << 63) - 1
LEAST = -(1 << 63)
EIO, EPROTO = -errno.EIO, -errno.EPROTO


@row("F1.dialect3")
def indices(test):
    """rsp_prod ahead, backwards, by 2^31: every caller gets EIO, and later ones EPROTO."""
    with test.good() as good:
        for jump in (129, 130, 256, 1 << 31, (1 << 31) + 7, -1, -2, -64, -128):
            v = attacked(test, good, ["open:file", "many/8/read:16", "read:17", "statx:file"],
                         Gather("read", 8, lambda s, _, jump=jump: move(s, 0, jump)), INDEX)
            equal(v.results("read:16"), [EIO] * 8, "results of 8 callers, jump %d" % jump)
            equal((v.result("read:17"), v.result("statx:file")), (EPROTO,) * 2, "later calls")
        # Within the ring of answers: what lies there was never written, or is an old answer.
        for jump in (9, 64, 127, 128):
            v = attacked(test, good, ["open:file", "many/8/read:16", "read:17"],
                         Gather("read", 8, lambda s, _, jump=jump: move(s, 0, jump)), IDLE)
            check(v.results("read:16").count(EIO) >= 7, "results after a jump by %d" % jump)
            equal(v.result("read:17"), EPROTO, "later calls")
        # One queue ends the others too.
        for where in (0, 1):
            v = attacked(test, good, ["open:file", "many/8/read:16", "read:17"],
                         Gather("read", 8, lambda s, _, where=where: move(s, where, 200)), INDEX,
                         queues=2)
            equal(v.results("read:16"), [EIO] * 8, "callers on both queues")
            equal(v.result("read:17"), EPROTO, "later calls")


def move(session, where, jump):
    q = session.queues[where]
    q.set_word(RSP_PROD, (q.produced + jump) & M32)
    q.ring_bell()


@row("F3.dialect3")
def ids(test):
    """Ids out of range, not in flight, answered already."""
    def answer_with(*wrong):
        def act(session, requests):
            for rid in wrong:
                session.put(w.response(requests[0]["id"] if rid is None else rid, 16))
            session.publish(0, True)
        return act

    steps = ["open:file", "many/3/read:16", "statx:file"]
    with test.good() as good:
        for rid in (64, 65, 128, 255, 256, 32768, 65535):
            v = attacked(test, good, steps, Gather("read", 3, answer_with(rid)), BAD_ID)
            equal(v.results("read:16"), [EIO] * 3, "results after id %d" % rid)
            equal(v.result("statx:file"), EPROTO, "later calls")
        for rid in (63, 40):
            v = attacked(test, good, steps, Gather("read", 3, answer_with(rid)), IDLE)
            equal(v.results("read:16"), [EIO] * 3, "results after idle id %d" % rid)
        v = attacked(test, good, steps, Gather("read", 3, answer_with(None, None)), IDLE)
        equal(sorted(v.results("read:16")), [EIO, EIO, 16], "answered twice")
        # An id of the other queue is not this one's.
        def elsewhere(session, requests):
            r = requests[0]
            session.put(w.response(r["id"], 16), 1 - r["where"])
            session.publish(1 - r["where"], True)
        v = attacked(test, good, ["open:file", "read:16"], Gather("read", 1, elsewhere), None,
                     timeout_ms=500, queues=2)
        among(v.result("read:16"), (EIO, -errno.ETIMEDOUT), "answered on the other queue")


# What a step asks for, and what cannot be an answer to it
TOO_MUCH = (17, 4096, 4097, 1 << 31, 1 << 32, (1 << 32) + 16, INT64_MAX)
NO_ERROR = (-4096, -(1 << 31), -(1 << 32), LEAST)
RETS = {"open:x": ("open", (1 << 31, 1 << 32, INT64_MAX)), "read:16": ("read", TOO_MUCH),
        "write:16": ("write", TOO_MUCH), "readlink:x:16": ("readlink", TOO_MUCH),
        "getxattr:x:16": ("getxattr", TOO_MUCH), "getxattr:x:0": ("getxattr", (65537, INT64_MAX)),
        "listxattr:x:16": ("listxattr", TOO_MUCH), "readfile:x:16": ("readfile", TOO_MUCH),
        "writefile:x:16": ("writefile", TOO_MUCH), "statmany:5": ("statmany", (0, 4, 6, 1025)),
        "statx:x": ("stat", (1, 4096)), "statvfs:x": ("statvfs", (1,)), "seek:0": ("seek", ()),
        "truncate:5": ("setattr", (1,)), "chmod:0644": ("setattr", (1,)), "sync": ("sync", (1,)),
        "remove:x": ("remove", (1, INT64_MAX)), "rename:x:y": ("rename", (1,)),
        "mkdir:x": ("mkdir", (1, 5)), "flock": ("lock", (1,)), "locktest": ("lock", (1,)),
        "nop": ("nop", (1, 1 << 40))}


@row("F4.dialect3")
def results(test):
    """More than was asked for; numbers that are no errors; entries of no known kind."""
    with test.good() as good:
        for step, (op, rets) in RETS.items():
            before = ["open:y:rw"] if op != "open" else []
            for ret in rets + NO_ERROR[::3]:
                v = attacked(test, good, before + [step, "nop"],
                             only(op, lambda s, q, r, ret=ret: s.raw(r, ret, q)), RESULT)
                equal(v.results(step)[0], EIO, "%s answered with %d" % (step, ret))
                equal(v.results("nop")[-1], EPROTO, "a later call")
        for ret in NO_ERROR:
            attacked(test, good, ["open:x"],
                     only("open", lambda s, q, r, ret=ret: s.raw(r, ret, q)), RESULT)
        for ret in (-1, -2, -4095):
            v = attacked(test, good, ["open:x"],
                         only("open", lambda s, q, r, ret=ret: s.raw(r, ret, q)))
            among(v.result("open:x"), (ret, EIO), "an error of %d" % ret)
        for ret in (65536, (1 << 31) - 1):  # more handles than the client can tell apart
            v = attacked(test, good, ["open:x"],
                         only("open", lambda s, q, r, ret=ret: s.raw(r, ret, q)))
            equal(v.result("open:x"), -errno.EMFILE, "a handle of %d" % ret)
        entries(test, good)


def entries(test, good):
    """Kinds, flags and notices that there are not; cookies that nobody has."""
    body = struct.pack("<Q", 1)
    name = struct.pack("<QB", 1, 5)
    for reason, entry in (
            (RESULT, {"kind": 4}), (RESULT, {"kind": 255}), (RESULT, {"flags": 2}),
            (RESULT, {"flags": 0x80}), (RESULT, {"kind": w.VOID, "flags": 4}),
            (RESULT, {"kind": w.LATE, "value": 1, "body": body}),
            (RESULT, {"kind": w.LATE, "value": -4096, "body": body}),
            (RESULT, {"kind": w.CHANGE, "what": 0x20, "body": name + b"abcde"}),
            (RESULT, {"kind": w.CHANGE, "what": 1, "body": struct.pack("<QB", 1, 40)}),
            (RESULT, {"kind": w.CHANGE, "flags": 1, "body": struct.pack("<QB", 1, 104)}),
            (LISTING, {"kind": w.CHANGE, "what": 1, "body": name + b"a/bcd"}),
            (LISTING, {"kind": w.CHANGE, "what": 1, "body": name + b"ab\0cd"}),
            (None, {"kind": w.LATE, "body": body}), (None, {"kind": w.VOID, "value": LEAST}),
            (None, {"kind": w.CHANGE, "what": 1, "body": name + b"abcde"})):
        def act(session, where, r, entry=entry):
            session.raw(r, entry.get("value", 0), where,
                        **{k: v for k, v in entry.items() if k != "value"})
            if entry.get("kind", w.ANSWER) != w.ANSWER:
                session.raw(r, 0, where)
        v = attacked(test, good, ["nop", "statx:x"], only("nop", act), reason)
        equal((v.result("nop"), v.result("statx:x")), (EIO, EPROTO) if reason else (0, 0),
              "an entry of %r" % entry)


def dirent(name=b"a", cookie=1, size=None, length=None, kind=8, status=0, attr=None, **more):
    e = bytearray(w.pack_dirent(name, cookie, 1, kind, status, attr))
    if size is not None:
        struct.pack_into("<H", e, 16, size)
    if length is not None:
        e[19] = length
    for at, octet in more.get("octets", ()):
        e[at] = octet
    return bytes(e)


def listing(*pages):
    """Answers of readdir, one after the other, the last for ever."""
    left = list(pages)

    def act(session, where, r):
        session.respond_data(where, r, left.pop(0) if len(left) > 1 else left[0])
    return only("readdir", act)


@row("F5.dialect3")
def listings(test):
    """Entries that are cut, of a wrong size, with names that are none; cookies that stand still."""
    good_entry = dirent(b"ok")
    bad = [b"x", bytes(23), bytes(24), b"\xff" * 400, good_entry[:-1], good_entry + bytes(8),
           good_entry + good_entry[:24], dirent(size=0), dirent(size=8), dirent(size=24),
           dirent(size=33), dirent(size=40), dirent(size=0xffff), dirent(length=0),
           dirent(length=2), dirent(length=255), dirent(octets=[(25, 120)]), dirent(b"ab\0cd"),
           dirent(b"a/b"), dirent(b"/"), dirent(b"../x"), good_entry + dirent(b"/etc/passwd"),
           dirent(b"\0"), dirent(b""), dirent(cookie=0), dirent(kind=3), dirent(kind=16),
           dirent(kind=255), dirent(status=1), dirent(status=-5), dirent(status=-4096)]
    with test.good() as good:
        for blob in bad:
            v = attacked(test, good, ["list:d", "statx:x"], listing(blob), LISTING)
            equal((v.result("list:d"), v.result("statx:x")), (EIO, EPROTO), "a list of %r" % blob)
        attr = {"mode": 0o100644}
        for blob in (dirent(attr={"mode": 0o30644}), dirent(attr={**attr, "size": 1 << 63}),
                     dirent(attr={**attr, "mtime_nsec": 10**9}), dirent(status=1, attr=attr),
                     dirent(status=-4096, attr=attr), dirent(), dirent(attr=attr)[:-8]):
            v = attacked(test, good, ["scan:d", "statx:x"], listing(blob), LISTING)
            equal((v.result("scan:d"), v.result("statx:x")), (EIO, EPROTO), "a scan of %r" % blob)
        names = dirent(b"a..b") + dirent(b"...", 2) + dirent(b"n" * 255, 3) + dirent(b"\1\xff\n", 4)
        dots = dirent(b".", 1) + dirent(b"..", 2)
        for step, blob, want in (("list:d", dots + names, 4), ("list:d", b"", 0),
                                 ("list:d", dirent(cookie=M32 << 32 | M32, kind=0), 1),
                                 ("scan:d", dirent(attr=attr) + dirent(status=-5, attr=attr), 2)):
            v = attacked(test, good, [step], listing(blob, b""))
            equal(v.result(step), want, "a listing of %r" % blob[:40])
            check("ILLEGAL" not in v.text(), "entries that are shown: " + v.text())
        endless(test, good)


def endless(test, good):
    """Listings that never end: with a cookie that stands still, with dots, and with names."""
    attr = {"mode": 0o100644}
    for step, a in (("list:d", None), ("scan:d", attr)):
        first = dirent(b"a", 1, attr=a)
        for pages in ((dirent(b"a", 7, attr=a),), (first, dirent(b"b", 2, attr=a)),
                      (first, dirent(b"b", 9, attr=a) + dirent(b"c", 1, attr=a))):
            v = attacked(test, good, [step, "statx:x"], listing(*pages), LISTING)
            equal((v.result(step), v.result("statx:x")), (EIO, EPROTO), "a cookie stands still")

        def on_and_on(name, a=a):
            def act(session, where, r):
                session.respond_data(where, r, dirent(name, r["cookie"] + 1, attr=a))
            return only("readdir", act)
        for name in (b".", b".."):
            equal(attacked(test, good, [step], on_and_on(name)).result(step), EIO, "dots for ever")
        step += ":3000"
        v = attacked(test, good, [step], on_and_on(b"a"))
        equal(v.result(step), 3000, "names that the caller took")


def bad_attributes():
    attr = {"mode": 0o100644}
    out = [{"mode": m} for m in (0, 0o644, 0o30644, 0o50644, 0o110644, 0o170000, 0o200644, M32)]
    out += [{**attr, "size": s} for s in (1 << 63, (1 << 64) - 1)] + [{**attr, "blksize": 0}]
    return out + [{**attr, k: n} for n in (10**9, M32) for k in w.ATTR_FIELDS if k[-5:] == "_nsec"]


@row("F6.dialect3")
def attributes(test):
    """Types that there are not, nanoseconds of a second and more, sizes below zero."""
    fine = {"mode": 0o100644}
    with test.good() as good:
        for bad in bad_attributes():
            v = attacked(test, good, ["statx:x", "statx:x"],
                         only("stat", lambda s, q, r, bad=bad: s.respond(q, r, 0, bad)), ATTR)
            equal(v.results("statx:x"), [EIO, EPROTO], "attributes %r" % bad)
        bad = {**fine, "atime_nsec": 10**9}
        for step, op, value in (("readfile:x:16", "readfile", 16), ("truncate:5", "setattr", 0),
                                ("writefile:x:16", "writefile", 16)):
            for act in (lambda s, q, r, n=value: s.respond(q, r, n, bad),
                        lambda s, q, r, n=value: s.raw(r, n, q)):  # of an answer that is short
                v = attacked(test, good, ["open:y:rw", step], only(op, act), ATTR)
                equal(v.result(step), EIO, "attributes of " + step)
        for reason, records in ((ATTR, w.pack_record(0, fine) * 4 + w.pack_record(0, bad)),
                                (ATTR, w.pack_record(0, {"mode": 0}) * 5),
                                (RESULT, w.pack_record(1) * 5), (RESULT, w.pack_record(-4096) * 5)):
            def many(session, where, r, records=records):
                session.write_arena(r["records"], records)
                session.respond(where, r, 5)
            v = attacked(test, good, ["statmany:5"], only("statmany", many), reason)
            equal(v.result("statmany:5"), EIO, "records")
        for lock in ({"mode": 0}, {"mode": 4}, {"offset": 1 << 63}, {"length": 1 << 63},
                     {"offset": INT64_MAX, "length": 1}):
            v = attacked(test, good, ["open:y:rw", "locktest"],
                         only("lock", lambda s, q, r, lock=lock: s.respond(q, r, 0, lock)), RESULT)
            equal(v.result("locktest"), EIO, "a lock of %r" % lock)
        for some, text in (({"mode": 0o100644, "size": INT64_MAX},
                            "100644 size %d mtime 0.0" % INT64_MAX),
                           ({"mode": 0o47777, "mtime": LEAST, "mtime_nsec": 999999999},
                            "47777 size 0 mtime %d.999999999" % LEAST)):
            v = attacked(test, good, ["statx:x"],
                         only("stat", lambda s, q, r, some=some: s.respond(q, r, 0, some)))
            equal(v.result("statx:x"), 0, "strange but possible attributes")
            check("attr = mode " + text in v.text(), "%r in %s" % (text, v.text()))


@row("F7.dialect3")
def space(test):
    """Octets that overflow, more free than there are."""
    some = {"blocks": 10, "bfree": 10, "bavail": 10}
    bad = [{"bsize": 0}, {**some, "bavail": 11}, {**some, "bfree": 11, "bavail": 11},
           {**some, "bfree": 9}, {"files": 1, "ffree": 2}, {"ffree": (1 << 64) - 1}]
    bad += [{"blocks": b, "bfree": b, "bavail": b, "bsize": n}
            for b, n in (((1 << 64) - 1, 1), (1 << 63, 1), (1 << 51, 4096), (1 << 52, 4096),
                         (1 << 32, 1 << 31), (1 << 33, M32), (M32, M32), (1 << 31 | 1, M32),
                         (M32, (1 << 31) + 1))]
    with test.good() as good:
        for vfs in bad:
            for step in ("space:d", "statvfs:d"):
                v = attacked(test, good, [step, step], only(
                    "statvfs", lambda s, q, r, vfs=vfs: s.respond(q, r, 0, vfs)), ATTR)
                equal(v.results(step), [EIO, EPROTO], "%s of %r" % (step, vfs))
        for blocks, size in ((INT64_MAX, 1), (INT64_MAX >> 12, 4096), ((1 << 32) - 1, 1 << 31),
                             ((1 << 31) - 1, M32), (0, M32)):
            vfs = {"blocks": blocks, "bfree": blocks, "bavail": blocks, "bsize": size}
            v = attacked(test, good, ["space:d"],
                         only("statvfs", lambda s, q, r, vfs=vfs: s.respond(q, r, 0, vfs)))
            equal(v.result("space:d"), blocks * size, "space of %r" % vfs)


@row("F14.dialect3")
def too_large(test):
    """Attributes, targets, files and listings that claim more than there is room for."""
    steps = {"getxattr:x:%d": "getxattr", "listxattr:x:%d": "listxattr",
             "readlink:x:%d": "readlink", "readfile:x:%d": "readfile"}
    with test.good() as good:
        for step, op in steps.items():
            for room in (16, PAGE):
                def act(session, where, r, more=0):
                    session.write_ranges(r["ranges"], b"n" * asked(r))
                    session.respond(where, r, asked(r) + more)
                equal(attacked(test, good, [step % room], only(op, act)).result(step % room), room,
                      "as much as there is room for")
                for more in (1, 8, PAGE, 1 << 20):
                    v = attacked(test, good, [step % room, "statx:x"], only(
                        op, lambda s, q, r, more=more, act=act: act(s, q, r, more)), RESULT)
                    equal((v.result(step % room), v.result("statx:x")), (EIO, EPROTO),
                          "%s by %d more" % (step % room, more))
        # Asked only how much there is: nothing is copied, however much.
        v = attacked(test, good, ["getxattr:x:0"],
                     only("getxattr", lambda s, q, r: s.raw(r, 65536, q)))
        equal(v.result("getxattr:x:0"), 65536, "the size of the largest value")
        for step, a in (("list:d", None), ("scan:d", {"mode": 0o100644})):
            for more in (1, 8, 400, 1 << 20):
                def over(session, where, r, more=more, a=a):
                    blob = b"".join(dirent(b"n" * 7, i + 1, attr=a) for i in range(asked(r) // 32))
                    session.write_ranges(r["ranges"], blob[:asked(r)])
                    session.respond(where, r, asked(r) + more)
                v = attacked(test, good, [step, "statx:x"], only("readdir", over), RESULT)
                equal((v.result(step), v.result("statx:x")), (EIO, EPROTO), "by %d more" % more)
