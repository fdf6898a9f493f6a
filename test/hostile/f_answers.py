# SPDX-License-Identifier: MIT
"""Rows about what a backend answers: F1, F3 to F7, F9, F12, F14."""
import errno
import os
import socket
import struct

from attack import (DIALECT, LIST, MAX_IO, OPEN, PAGE, READ, RENAME, SLOT, SPACE, STAT, WRITE,
                    Back)
from harness import Victim, among, check, equal, row

INDEX = "producer index is not within the ring"
BAD_ID = "id beyond the ring"
IDLE = "answered a request that was never sent"
RESULT = "impossible result"
LISTING = "malformed listing"
ANY = "the peer"
ATTR = "impossible attributes"


def attacked(test, good, steps, special, poisoned=None, timeout_ms=20000, keys=None):
    """A victim that does @steps on a session whose answers @special gives. Returns it, ended."""
    path = test.folder() + "/s"
    back = Back(path)
    victim = Victim(test, good, path, ["connect"] + steps, timeout_ms)
    session = back.accept(keys)
    try:
        session.serve(special)
    finally:
        session.close()
        back.close()
    victim.finish(poisoned)
    return victim


def only(kind_wanted, action):
    """Do @action to requests of one type; all others are answered sanely."""
    def special(session, kind, rid, operands):
        if kind != kind_wanted:
            return False
        action(session, rid, operands)
        return True
    return special


class Gather:
    """Waits until so many requests of a type are under way, then acts once."""

    def __init__(self, kind, n, action):
        self.kind, self.n, self.action = kind, n, action
        self.rids = []

    def __call__(self, session, kind, rid, operands):
        if kind != self.kind:
            return False
        self.rids.append(rid)
        if len(self.rids) == self.n:
            self.action(session, self.rids)
        return True


@row("F1")
def indices(test):
    """rsp_prod ahead, backwards, by 2^31: every caller gets EIO, and later ones EPROTO."""
    with test.good() as good:
        for jump in (9, 64, 65, 66, 1 << 31, (1 << 31) + 7, -1, -2, -64):
            def move(session, rids, jump=jump):
                session.set_rsp_prod(session.prod + jump)
                session.ring_bell()
            v = attacked(test, good, ["open:file", "many/8/read:16", "read:17", "stat"],
                         # what lies in the slots of a small jump may be found out first
                         Gather(READ, 8, move), INDEX if not 0 < jump <= 64 else ANY)
            equal(v.results("read:16"), [-errno.EIO] * 8, "results of 8 callers, jump %d" % jump)
            equal((v.result("read:17"), v.result("stat")), (-errno.EPROTO,) * 2, "later calls")


@row("F3")
def ids(test):
    """Ids out of range, not in flight, answered already."""
    def answer_with(*wrong):
        def act(session, rids):
            for rid in wrong:
                session.write_answer(rids[0] if rid is None else rid, 16)
            session.set_rsp_prod(session.prod)
            session.ring_bell()
        return act

    with test.good() as good:
        for rid in (64, 65, 255, 256, 32768, 65535):
            v = attacked(test, good, ["open:file", "many/3/read:16", "stat"],
                         Gather(READ, 3, answer_with(rid)), BAD_ID)
            equal(v.results("read:16"), [-errno.EIO] * 3, "results after id %d" % rid)
        for rid in (63, 40):
            v = attacked(test, good, ["open:file", "many/3/read:16"],
                         Gather(READ, 3, answer_with(rid)), IDLE)
            equal(v.results("read:16"), [-errno.EIO] * 3, "results after idle id %d" % rid)
        # the first is answered twice: one caller has its data, the others an error
        v = attacked(test, good, ["open:file", "many/3/read:16"],
                     Gather(READ, 3, answer_with(None, None)), IDLE)
        equal(sorted(v.results("read:16")), [-errno.EIO, -errno.EIO, 16], "answered twice")
        # one answer more than requests
        v = attacked(test, good, ["open:file", "read:16", "read:16"],
                     Gather(READ, 1, answer_with(None, None)), INDEX + "|" + IDLE)
        among(v.results("read:16")[0], (16, -errno.EIO), "the only request")


RETS = {"open:x": (OPEN, (1 << 31, 1 << 32, (1 << 63) - 1, -4096, -(1 << 31), -(1 << 63))),
        "read:16": (READ, (17, 4096, 4097, 1 << 31, 1 << 32, (1 << 32) + 16, (1 << 63) - 1, -4096,
                           -(1 << 63))),
        "write:16": (WRITE, (17, 4096, 1 << 32, (1 << 32) + 16, (1 << 63) - 1, -4096)),
        "close": (2, (1, 1 << 40, -4096)), "truncate:5": (6, (1, -4096)),
        "remove:x": (7, (1, 1 << 62)), "rename:x:y": (8, (1,)), "mkdir:x": (9, (1, 5)),
        "chmod:0644": (11, (1,)), "sync": (13, (1,)), "stat": (STAT, (1, 4096))}


@row("F4")
def results(test):
    """More than was asked for; numbers that are no errors."""
    with test.good() as good:
        for step, (kind, rets) in RETS.items():
            for ret in rets:
                def act(session, rid, operands, kind=kind, ret=ret):
                    # a write of nothing is the client's question whether it may write
                    probe = kind == WRITE and struct.unpack_from("<Q", operands, 8)[0] == 0
                    session.answer(rid, 0 if probe else ret)
                before = ["open:y:rw"] if kind != OPEN else []
                v = attacked(test, good, before + [step], only(kind, act), RESULT)
                equal(v.result(step), -errno.EIO, "%s answered with %d" % (step, ret))
        for ret in (-1, -2, -4095):
            v = attacked(test, good, ["open:x"],
                         only(OPEN, lambda s, r, o, ret=ret: s.answer(r, ret)))
            among(v.result("open:x"), (ret, -errno.EIO), "an error of %d" % ret)
        keys = {"status": 0, "dialect": DIALECT, "features": "", "read-only": 0}
        for ret in (-1, -4095, -4096, -(1 << 63)):  # without the feature they say nothing
            v = attacked(test, good, ["open:x"],
                         only(OPEN, lambda s, r, o, ret=ret: s.answer(r, ret)), keys=keys)
            equal(v.result("open:x"), -errno.EIO, "%d without the feature" % ret)


def listing(page, ret):
    def act(session, rid, operands):
        session.write_page(struct.unpack_from("<I", operands, 4)[0], page)
        session.answer(rid, ret)
    return only(LIST, act)


MORE = 1 << 48


@row("F5")
def listings(test):
    """Wrong counts, names without an end, with a slash, empty; one that never ends."""
    bad = [(b"x" * PAGE, 1), (b"x" * 255 + b"y\0", 1), (b"\0", 1), (b"a\0\0b\0", 3), (b"a/b\0", 1),
           (b"/\0", 1), (b"ok\0/etc/passwd\0", 2), (b"../x\0", 1), (b"a\0" + bytes(PAGE - 2), 2),
           (b"a\0" * 2047 + b"bb", 2048), (b"a\0" * 2048, 2049), (b"a\0" * 2048, 65535),
           (b"", MORE), (b"a\0", 1 | 1 << 49), (b"a\0", 1 | 1 << 63), (b"a\0", 4096 << 16),
           (b"a\0", 0xffffffff << 16), (b"a\0", (1 << 64) - 1)]
    with test.good() as good:
        for page, ret in bad:
            v = attacked(test, good, ["list:d", "stat"], listing(page.ljust(PAGE, b"\0"), ret),
                         LISTING)
            equal(v.result("list:d"), -errno.EIO, "a listing of %r, %#x" % (page[:20], ret))
        legal = {(b".\0..\0a..b\0...\0", 4): 2, (b"n" * 255 + b"\0", 1): 1,
                 (b"a\0" * 2048, 2048): 2048, (b"a\0", 5 << 16 | 1): -5, (b"", 0): 0,
                 (b"\x01\xff\n\0", 1): 1}
        for (page, ret), want in legal.items():
            v = attacked(test, good, ["list:d"], listing(page.ljust(PAGE, b"\0"), ret))
            equal(v.result("list:d"), want, "a listing of %r" % page[:20])
            check("ILLEGAL" not in v.text(), "names that are shown: " + v.text())
        endless(test, good)


def endless(test, good):
    """`more` for ever: without a name to show it ends; with names the caller decides."""
    for page, count in ((b".\0", 1), (b"..\0.\0", 2), (b".\0" * 2048, 2048)):
        v = attacked(test, good, ["list:d"], listing(page.ljust(PAGE, b"\0"), count | MORE))
        equal(v.result("list:d"), -errno.EIO, "a listing of %r for ever" % page[:6])
    v = attacked(test, good, ["list:d:5000"], listing(b"a\0b\0".ljust(PAGE, b"\0"), 2 | MORE))
    equal(v.result("list:d:5000"), 5000, "names that the caller took")


def attributes(mode=0o100644, size=5, times=(0, 0, 0), uid=0, gid=0):
    return struct.pack("<iIIIqqqq", mode, uid, gid, 0, size, *times)


@row("F6")
def attrs(test):
    """Sizes below zero, modes that no file has."""
    def stat_with(page):
        def act(session, rid, operands):
            session.write_page(struct.unpack_from("<I", operands, 4)[0], page)
            session.answer(rid, 0)
        return only(STAT, act)

    bad = [attributes(size=-1), attributes(size=-(1 << 63)), attributes(mode=0),
           attributes(mode=0o644), attributes(mode=0o200644), attributes(mode=0o1100644),
           attributes(mode=-1), attributes(mode=-(1 << 31)), attributes(mode=0o110644),
           attributes(mode=0o170000), attributes(mode=0o070644), b"\xff" * 48, bytes(48)]
    least, most = -(1 << 63), (1 << 63) - 1
    with test.good() as good:
        for page in bad:
            v = attacked(test, good, ["open:x", "stat", "stat"], stat_with(page), ATTR)
            equal(v.results("stat"), [-errno.EIO, -errno.EPROTO], "attributes %r" % page[:24])
        for page, text in ((attributes(size=most), "mode 100644 size %d mtime 0" % most),
                           (attributes(mode=0o047777, times=(least, least, least)),
                            "mode 47777 size 5 mtime %d" % least),
                           (attributes(mode=0o140000, times=(most,) * 3, uid=0xffffffff),
                            "mode 140000 size 5 mtime %d" % most)):
            v = attacked(test, good, ["open:x", "stat"], stat_with(page))
            equal(v.result("stat"), 0, "strange but possible attributes")
            check("attr = " + text in v.text(), "%r in %s" % (text, v.text()))


@row("F7")
def space(test):
    """Free bytes that overflow."""
    with test.good() as good:
        for ret in (-(1 << 63), -(1 << 63) + 1, -4096, -(1 << 32)):
            v = attacked(test, good, ["space:d", "space:d"],
                         only(SPACE, lambda s, r, o, ret=ret: s.answer(r, ret)), RESULT)
            equal(v.results("space:d"), [-errno.EIO, -errno.EPROTO], "space of %d" % ret)
        for ret in (0, 1, 1 << 32, (1 << 63) - 1, -28):
            v = attacked(test, good, ["space:d"],
                         only(SPACE, lambda s, r, o, ret=ret: s.answer(r, ret)))
            equal(v.result("space:d"), ret, "space")


# --- F9 ------------------------------------------------------------------------------------------

# Where operands of a request end, by type; behind it all is padding
ENDS = {1: 12, 2: 12, 3: 32, 4: 32, 5: 16, 6: 24, 7: 12, 8: 16, 9: 20, 10: 16, 11: 16, 12: 12,
        13: 12}
GREF_AT = {1: 0, 3: 4, 4: 4, 5: 4, 7: 0, 8: 4, 9: 8, 10: 4, 12: 0}


def end_of(kind, length):
    """Where padding begins."""
    if DIALECT == 2 and kind in (READ, WRITE):
        return 32 + 4 * ((length + PAGE - 1) // PAGE)
    return 12 if DIALECT == 2 and kind == STAT else ENDS[kind]


@row("F9")
def nothing_private(test):
    """Whatever was written or read before, unused bytes of pages and slots are zero."""
    faults = []
    written = []

    def look(session, kind, rid, operands):
        slot = session.read_slot(session.cons - 1)
        length = struct.unpack_from("<Q", operands, 8)[0]
        end = end_of(kind, length)
        if slot[1] or slot[4:8] != bytes(4) or slot[end:] != bytes(SLOT - end):
            faults.append("padding of a request of type %d: %r" % (kind, slot))
        if kind in GREF_AT:
            gref = struct.unpack_from("<I", operands, GREF_AT[kind])[0]
            page = session.read_page(gref, session.call_pages() * PAGE)
            if kind in (READ, WRITE, STAT):
                used = length if kind != STAT else 48 if DIALECT == 1 else 0
            elif kind == RENAME:
                used = page.index(b"\0", struct.unpack_from("<H", operands, 2)[0]) + 1
            else:
                used = page.index(b"\0") + 1
            # what an answer may fill may still hold what the last one did, names excepted
            if kind != LIST and any(page[used:]):
                faults.append("bytes behind those in use, type %d: %r" % (kind, page[used:][:20]))
            if kind not in (READ, STAT, WRITE) and b"W" in page:
                faults.append("written data in the page of type %d" % kind)
            if kind == WRITE:
                written.append(length)
        return False

    steps = ["open:file:rw"]
    for _ in range(70):  # around all ids and pages
        steps += ["write:%d:W" % MAX_IO, "read:10", "write:4096:W", "read:10", "write:3:W", "stat", "open:s:rw", "read:4096",
                  "rename:a:b", "list:d", "space:d", "close", "open:file:rw"]
    steps += ["mkdir:n", "remove:n", "truncate:5", "chmod:0600", "sync", "create:c"]
    with test.good() as good:
        attacked(test, good, steps, look)
    equal(faults[:5], [], "faults")
    check(written.count(MAX_IO) >= 70 <= written.count(PAGE), "whole pages were written")


# --- F12 -----------------------------------------------------------------------------------------

def reply(**changes):
    keys = {"status": 0, "dialect": DIALECT, "features": "errno", "read-only": 0}
    keys.update({k.replace("_", "-"): v for k, v in changes.items()})
    return "".join("%s=%s\n" % (k, v) for k, v in keys.items() if v is not None).encode("latin-1")


def connect_once(test, good, keys=None, fds=None, steps=("limits",)):
    """A victim whose handshake gets this answer, and then, on a new connection, a right one."""
    path = test.folder() + "/s"
    back = Back(path)
    victim = Victim(test, good, path, ["connect", "disconnect", "connect"] + list(steps), 5000)
    for answer in ((keys, fds), (None, None)):
        session = back.accept(*answer)
        session.serve()
        session.close()
    back.close()
    victim.finish()
    equal(victim.results("connect")[1], 0, "the right answer is taken after it")
    return victim


@row("F12")
def negotiated(test):
    """Answers that were not asked for, out of range, malformed, with other descriptors."""
    bad = [reply(dialect=d) for d in (0, 3, 31, 32, -1, "1x", "", "4294967297")]
    bad += [reply(dialect=None), reply(status=None), b"", b"x", b"status", b"status=0", b"\n",
            reply() + b"status=0\n", reply() + b"x", reply() + b"K=1\n", reply() * 2,
            reply(x="\x01"), reply(x="v" * 256), reply() + b"k" * 32 + b"=1\n",
            reply() + b"".join(b"k%d=%s\n" % (i, b"v" * 250) for i in range(16))]
    bad += [reply(status=s) for s in (4096, -1, "", "00", "x", 1 << 32)]
    bad += [reply(read_only=r) for r in (2, -1, "", "yes")]
    with test.good() as good:
        for keys in bad:
            v = connect_once(test, good, keys)
            among(v.results("connect")[0], (-errno.EPROTO, -errno.ECONNREFUSED),
                  "connect after %r" % keys[:70])
        for status in (errno.EPERM, errno.ENOENT, errno.EAGAIN, 4095):
            v = connect_once(test, good, {"status": status}, [])
            equal(v.results("connect")[0], -status, "connect after a status of %d" % status)
        for what, keys, chosen in (
                ("more than was asked for", reply(features="errno zz,cancel", pages=1 << 20,
                                                  max_calls=1 << 30, text="t" * 255),
                 "dialect 1 max_io 4096 max_calls 64 read_only 0 features 1"),
                ("less", reply(features=None, read_only=1),
                 "dialect 1 max_io 4096 max_calls 64 read_only 1 features 0")):
            path = test.folder() + "/s"
            back = Back(path)
            v = Victim(test, good, path, ["connect", "limits"])
            session = back.accept(keys)
            session.serve()
            session.close()
            back.close()
            v.finish()
            check("chosen = " + chosen in v.text(), "%s: %r in %s" % (what, chosen, v.text()))
        descriptors_of_answers(test, good)


def descriptors_of_answers(test, good):
    bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    null, folder = os.open("/dev/null", os.O_RDWR), os.open("/", os.O_RDONLY)
    pair = socket.socketpair()
    pipe = os.pipe()
    blocking = os.eventfd(0, os.EFD_CLOEXEC)
    sets = {"none": [], "one": [bell], "three": [bell] * 3, "many": [bell] * 200,
            "a device": [bell, null], "a folder": [folder, bell], "sockets": [pair[0].fileno(),
            pair[1].fileno()], "a pipe": list(pipe), "bells that block": [blocking] * 2}
    for what, fds in sets.items():
        v = connect_once(test, good, None, fds)
        equal(v.results("connect")[0], -errno.EPROTO, "connect after %s for bells" % what)
    for fds in ([bell], [bell, bell]):
        v = connect_once(test, good, {"status": 2}, fds)
        equal(v.results("connect")[0], -errno.EPROTO, "bells with a refusal")
    for fd in (bell, null, folder, blocking) + pipe:
        os.close(fd)
    for s in pair:
        s.close()


@row("F14")
def too_large(test):
    """Listings that claim more than the buffer they were asked for holds."""
    with test.good() as good:
        full = b"abcdefghijklmno\0" * 256
        v = attacked(test, good, ["rawlist:d"], listing(full, 256))
        equal(v.result("rawlist:d"), 256, "a full page")
        check("used = 4096 more 0" in v.text(), v.text())
        for page, ret in ((full, 257), (full, 258), (full, 2048), (full, 2049), (full, 0xffff),
                          (full[:-1] + b"x", 256), (b"z" * PAGE, 1), (b"z" * PAGE, 17)):
            v = attacked(test, good, ["rawlist:d"], listing(page, ret), LISTING)
            equal(v.result("rawlist:d"), -errno.EIO, "a listing of %d names" % ret)
