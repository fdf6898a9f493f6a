# SPDX-License-Identifier: MIT
"""Rows about what a store gives and takes: B23, B25, B27."""
import errno
import os
import random
import struct
import threading
import time

from attack import (CLOSE, LIST, MAX_IO, OPEN, PAGE, READ, REMOVE, SLOT, SPACE, STAT, SYNC,
                    TRUNCATE, Front, request)
from harness import among, check, equal, row


def snapshot(path):
    """Everything that a guest could have changed."""
    found = {}
    for folder, folders, files in os.walk(path):
        for name in folders + files + ["."]:
            full = os.path.join(folder, name)
            st = os.lstat(full)
            found[full] = (st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns,
                           st.st_ctime_ns, st.st_nlink)
    return found


@row("B23")
def read_only(test):
    """Every mutator is EROFS on a read-only export, by handle and by name."""
    tree = test.tree()
    before = snapshot(tree)
    with test.daemon({"x": tree + ",ro"}) as d, d.front("x") as f:
        fd, folder = f.open("file"), f.open("d")
        check(fd >= 0 and folder >= 0, "opening works")
        for got, what in ((f.write(fd, b"evil"), "write"), (f.write(fd, b""), "write of nothing"),
                          (f.write(fd, b"x", 1 << 40), "write far out"),
                          (f.truncate(fd, 0), "truncate"), (f.truncate(fd, PAGE), "no change"),
                          (f.chmod(fd, 0o777), "chmod"),
                          (f.chmod(folder, 0o777), "chmod of a folder"),
                          (f.create("new"), "create"), (f.create("file"), "create over a file"),
                          (f.create("d/new"), "create below"),
                          (f.create("d"), "create over a folder"),
                          (f.mkdir("new"), "mkdir"), (f.mkdir("d"), "mkdir of what is there"),
                          (f.remove("file"), "remove"), (f.remove("d/f"), "remove below"),
                          (f.remove("d"), "remove of a folder"),
                          (f.remove("none"), "remove of nothing"),
                          (f.rename("file", "other"), "rename"), (f.rename("d", "e"), "rename"),
                          (f.rename("none", "e"), "rename of nothing")):
            equal(got, -errno.EROFS, what)
        equal(f.sync(fd), 0, "sync changes nothing")
        equal(len(f.read(fd, PAGE)), PAGE, "read")
        equal(sorted(f.list(".")), [b".", b"..", b"d", b"file", b"s"], "list")
        equal(f.stat(fd)[4], PAGE, "stat")
    equal(snapshot(tree), before, "the tree is as it was")


# --- B25 -----------------------------------------------------------------------------------------

def make_many(folder, seconds):
    """As many files as that time makes, at least 100,000 and at most a million; their names."""
    fd = os.open(folder, os.O_RDONLY)
    end = time.monotonic() + seconds
    n = 0
    while n < 100000 or (n < 1000000 and time.monotonic() < end):
        for i in range(n, n + 1000):
            os.mknod("e%06d" % i, dir_fd=fd)
        n += 1000
    os.close(fd)
    return n


@row("B25")
def listings(test):
    """A large directory that changes, forged offsets, many listings at once: each name once."""
    tree = test.folder()
    began = time.monotonic()
    n = make_many(tree, 5)
    print("%d entries made in %.1f s" % (n, time.monotonic() - began))
    lasting = {b"e%06d" % i for i in range(n)} | {b".", b".."}
    with test.daemon({"x": tree, "few": test.tree()}) as d:
        with d.front("x") as f:
            began = time.monotonic()
            whole(f, tree, lasting)
            print("listed in %.1f s" % (time.monotonic() - began))
            forged(f, n + 2)
        with d.front("few") as f:
            many_streams(f)


def whole(f, tree, lasting):
    """All of it, while others come and go."""
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            for i in range(50):
                os.mknod(tree + "/passing-%d" % i)
            for i in range(50):
                os.unlink(tree + "/passing-%d" % i)
            time.sleep(0.002)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        names = f.list(".")
    finally:
        stop.set()
        thread.join()
    passing = [x for x in names if x.startswith(b"passing-")]
    stayed = [x for x in names if not x.startswith(b"passing-")]
    equal(len(stayed), len(lasting), "names that were there throughout")
    equal(len(set(stayed) ^ lasting), 0, "names lost or made up")
    print("%d names that passed were seen" % len(passing))


def forged(f, n):
    """Offsets that were never given out, in the middle and beyond the end."""
    for offset in (n, n + 1, 1 << 31, 0xfffffffe, 0xffffffff):
        equal(f.list_page(".", offset), ([], 0), "names at offset %d of %d" % (offset, n))
    first, _ = f.list_page(".", 0)
    for offset in (1, 2, 77):
        names, _ = f.list_page(".", offset)
        equal(names[:50], first[offset:offset + 50], "names from offset %d" % offset)
    for offset in (1, 2, 77, n // 2, n - 1):
        names, more = f.list_page(".", offset)
        check(0 < len(names) <= n - offset, "some names at offset %d" % offset)
        equal(more, 1 if len(names) < n - offset else 0, "more at offset %d" % offset)
    for name in ("none", "e000000", ".." + "/" * 10):
        among(f.list_page(name, 5), (-errno.ENOENT, -errno.ENOTDIR, -errno.EACCES), name)


def many_streams(f):
    """More listings at once than streams are kept: each is complete all the same."""
    chance = random.Random(25)
    folders = 40
    want = set()
    for i in range(folders):
        equal(f.mkdir("many%d" % i), 0, "mkdir")
    for k in range(60):
        name = ("%02d-" % k).ljust(250, "x")
        want.add(name.encode())
        for i in range(folders):
            f.close_handle(f.create("many%d/%s" % (i, name)))
    got = [[] for _ in range(folders)]
    left = list(range(folders))
    while left:
        i = chance.choice(left)
        names, more = f.list_page("many%d" % i, len(got[i]))
        got[i] += names
        if not more:
            left.remove(i)
    for i in range(folders):
        equal(len(got[i]), 62, "names in folder %d" % i)
        equal(set(got[i]), want | {b".", b".."}, "the names in folder %d" % i)


# --- B27 -----------------------------------------------------------------------------------------

FILL = 0xa5


def answer_to(f, slot, page=None):
    """Answer and page of one request; the page is filled first, so every byte written shows."""
    f.write_page(1, bytes([FILL]) * PAGE)
    if page:
        f.write_page(1, page)
    f.write_request(f.prod, slot)
    f.publish(1)
    _, ret, raw = f.get()
    equal(raw[2:8] + raw[16:], bytes(22), "padding of the answer to operation %d" % slot[0])
    return ret, f.read_page(1)


def untouched(page, used, what):
    equal(page[used:], bytes([FILL]) * (PAGE - used), "the page behind " + what)


@row("B27")
def leaks(test):
    """Answers hold what they must and nothing else; nobody learns where the export lies."""
    tree = test.tree()
    with open(tree + "/secret", "w") as out:
        out.write("S" * PAGE)
    with test.daemon({"x": tree}) as d:
        with Front(d.path) as f:  # the handshake names nothing of the host
            for keys in ({"export": "x", "request": "exports"}, {"request": "exports"}):
                answer = f.offer(fsif=1, **keys)
                check(tree not in repr(answer), "no path in %r" % answer)
            for export in ("none", "x"):
                answer = f.session(export)
                check(tree not in repr(answer), "no path in %r" % answer)
                check(set(answer) <= {"status", "text", "dialect", "features", "read-only"},
                      "keys of %r" % answer)
        with d.front("x") as f:
            slots_and_pages(f)


def slots_and_pages(f):
    secret, small, folder = f.open("secret"), f.open("s"), f.open("d")
    for fd in (secret, small, folder):
        check(0 <= fd < 3, "handles are numbers of ours: %d" % fd)
    ret, page = answer_to(f, request(READ, 2, struct.pack("<IIQQ", secret, 1, PAGE, 0)))
    equal((ret, page), (PAGE, b"S" * PAGE), "the secret")
    # what an earlier request left must not come with a shorter one
    ret, page = answer_to(f, request(READ, 2, struct.pack("<IIQQ", small, 1, PAGE, 0)))
    equal((ret, page[:5]), (5, b"12345"), "the small file")
    untouched(page, 5, "five bytes")
    for offset in (5, 6, PAGE, 1 << 40):
        ret, page = answer_to(f, request(READ, 2, struct.pack("<IIQQ", small, 1, PAGE, offset)))
        equal(ret, 0, "read at the end")
        untouched(page, 0, "nothing")
    ret, page = answer_to(f, request(STAT, 3, struct.pack("<II", small, 1)))
    equal((ret, page[12:16]), (0, bytes(4)), "padding of attributes")
    untouched(page, 48, "attributes")
    ret, page = answer_to(f, request(LIST, 4, struct.pack("<II", 0, 1)), b"d\0")
    equal(ret, 3, "names in d")
    equal(sorted(page[:7].split(b"\0")[:3]), [b".", b"..", b"f"], "the names in d")
    untouched(page, 7, "a listing")
    # errors and operations without an answer in the page leave it alone
    for kind, operands, text in ((OPEN, struct.pack("<I", 1), b"none\0"),
                                 (OPEN, struct.pack("<I", 1), b"s\0"),
                                 (REMOVE, struct.pack("<I", 1), b"none\0"),
                                 (SPACE, struct.pack("<I", 1), b"d\0"),
                                 (LIST, struct.pack("<II", 0, 1), b"none\0"),
                                 (LIST, struct.pack("<II", 1000, 1), b"d\0"),
                                 (READ, struct.pack("<IIQQ", folder, 1, PAGE, 0), b""),
                                 (READ, struct.pack("<IIQQ", 99, 1, PAGE, 0), b""),
                                 (READ, struct.pack("<IIQQ", secret, 1, MAX_IO + 1, 0), b""),
                                 (STAT, struct.pack("<II", 99, 1), b""),
                                 (TRUNCATE, struct.pack("<IIq", secret, 0, -1), b""),
                                 (SYNC, struct.pack("<I", secret), b""),
                                 (CLOSE, struct.pack("<I", secret), b""), (99, b"", b"")):
        _, page = answer_to(f, request(kind, 5, operands), text)
        equal(page[:len(text)], text, "the name of operation %d" % kind)
        untouched(page, len(text), "operation %d" % kind)
    # ring words and slots beyond what the backend writes
    head = f.read_page(0)
    equal(head[16:64], bytes(48), "the ring's head")
    equal(head[64 + 64 * SLOT:], bytes(PAGE - 64 - 64 * SLOT), "the page behind the ring")
