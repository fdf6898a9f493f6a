# SPDX-License-Identifier: MIT
"""Rows about sessions, handles, limits and logs in dialect 3: B11, B14 to B16, B18, B24, B26, B28."""
import errno
import os
import random
import resource
import signal
import time

from attack3 import (M32, PAGE, FsifError, Peer3, PeerGone, front, value_of, w)
from b_ring import INDEX, poisoned, slow_daemon
from b_session import small_disk
from harness import Skipped, among, check, descriptors, equal, row, rss_kb, wait_until


def on_handle(s):
    """What can be done to one handle."""
    def ask(op, **operands):
        return lambda h: value_of(s, op, handle=h, **operands)

    r = [(0, 400)]
    return {"close": ask("close"), "read": ask("read", ranges=r), "write": ask("write", ranges=r),
            "sync": ask("sync"), "readdir": ask("readdir", ranges=r),
            "allocate": ask("allocate", length=1), "seek": ask("seek"),
            "lock": ask("lock", mode=w.SHARED), "watch": ask("watch", flags=1),
            "copy from": lambda h: value_of(s, "copy_range", handle=h, handle2=h),
            "stat": ask("stat"), "setattr": ask("setattr"), "statvfs": ask("statvfs"),
            "readlink": ask("readlink", ranges=r), "open": ask("open", path=b"x"),
            "mkdir": ask("mkdir", path=b"x"), "remove": ask("remove", path=b"x"),
            "rename": lambda h: value_of(s, "rename", handle=h, base2=h, path=b"a", path2=b"b"),
            "statmany": ask("statmany", count=1, ranges=[(0, 2)], records=4096),
            "readfile": ask("readfile", path=b"x", ranges=r)}


@row("B11.dialect3")
def handles(test):
    """Handles of nothing, closed twice, closed while a read on them runs, from several queues."""
    with test.daemon({"x": test.tree()}) as d, front(d, "x", queues=2, slots=64) as s:
        s.write_arena(0, b"x\0")
        base_ops = ("stat", "setattr", "statvfs", "readlink", "open", "mkdir", "remove", "rename",
                    "statmany", "readfile")
        for h in (0, 1, 1023, 65535, 65536, 1 << 30, (1 << 31) - 1, 1 << 31, M32 - 1, M32):
            for what, ask in on_handle(s).items():
                if h != M32 or what not in base_ops:
                    equal(ask(h), -errno.EBADF, f"{what} on handle {h:#x}")
        fd = s.open("file")
        equal(s.close_handle(fd), 0, "close")
        for what, ask in on_handle(s).items():
            equal(ask(fd), -errno.EBADF, f"{what} on a closed handle")
        for _ in range(20):
            fd = s.open("file")
            tickets = [s.queue("close", i % 2, handle=fd) for i in range(128)]
            s.publish(0)
            s.publish(1)
            equal(sorted(s.wait(t)[0] for t in tickets), [-errno.EBADF] * 127 + [0], "128 closes")
    with slow_daemon(test) as (d, slow):
        worker, s = d.worker_of(lambda: front(d, "slow", queues=2))
        with s:
            s.close_handle(s.open("file"))
            fds = descriptors(worker)
            fd = s.open("slow")
            read = s.submit("read", handle=fd, ranges=[(0, 16)])
            wait_until(lambda: slow.waiting() == 1, "a read waits")
            equal(value_of(s, "close", 1, handle=fd), 0, "close while a read runs")
            other = s.open("file")
            check(other != fd, "the number is not given out again meanwhile")
            equal(value_of(s, "read", 1, handle=fd, ranges=[(64, 16)]), -errno.EBADF, "a read")
            slow.release()
            equal(s.wait(read)[0], 16, "the read that ran")
            equal(s.read_arena(0, 16), b"F" * 16, "its data")
            s.close_handle(other)
            wait_until(lambda: descriptors(worker) == fds, "the file is closed in the end")


def hang_up(d, chance):
    """One session, cut short with whatever is under way."""
    s = front(d, chance.choice("xm"), queues=chance.choice((1, 3)), slots=16,
              arena_pages=chance.choice((16, 64)))
    try:
        fd = s.open("f", w.CREAT | w.RDWR)
        for where in range(len(s.queues)):
            for i in range(chance.randint(0, 16)):
                op = chance.choice(("read", "write", "lock", "stat", "watch"))
                more = {"read": {"ranges": [(0, PAGE)]}, "write": {"ranges": [(0, PAGE)]},
                        "lock": {"mode": 2, "flags": w.WAIT, "cookie": i}, "stat": {},
                        "watch": {"flags": 1}}[op]
                s.queue(op, where, handle=fd, **more)
            s.publish(where, bell=chance.random() < 0.8)
    except (FsifError, PeerGone):
        pass
    s.close()


@row("B14.dialect3")
def churn(test):
    """Hundreds of sessions cut short with requests, locks and watches under way."""
    chance = random.Random(14)
    with test.daemon({"x": test.tree(), "m": "memory:"}) as d:
        end, n = time.monotonic() + 20, 0
        while n < 400 and time.monotonic() < end:
            hang_up(d, chance)
            n += 1
        print(f"{n} sessions")
        with front(d, "x") as s:
            s.nop()


@row("B15.dialect3")
def killed(test):
    """A frontend that dies with maps, locks and reads that run."""
    with slow_daemon(test) as (d, slow):
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                try:
                    s = front(d, "slow", queues=4, slots=64, arena_pages=512)
                    fd = s.open("slow")
                    for where in range(4):
                        s.submit("read", where, handle=fd, ranges=[(0, PAGE)])
                    signal.pause()
                finally:
                    os._exit(1)
            before = slow.waiting()
            wait_until(lambda: slow.waiting() > before or slow.waiting() >= 4, "reads wait")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        slow.release()


@row("B16.dialect3")
def slow_neighbour(test):
    """A queue whose requests hang delays no other queue, and no other session."""
    with slow_daemon(test) as (d, slow):
        with front(d, "slow", queues=2, slots=64) as s, front(d, "x") as other:
            fd = s.open("slow")
            reads = [s.queue("read", handle=fd, ranges=[(16 * i, 16)]) for i in range(8)]
            s.publish()
            wait_until(lambda: slow.waiting() >= 1, "reads hang")
            began = time.monotonic()
            for _ in range(50):
                other.stat("file")
                equal(value_of(s, "nop", 1), 0, "the other queue")
                equal(value_of(s, "nop"), 0, "the same queue, behind reads that hang")
            check(slow.waiting() >= 1, "they hang still")
            check(time.monotonic() - began < 20, "nobody waited for them")
            slow.release()
            equal({s.wait(t)[0] for t in reads}, {16}, "the reads in the end")


@row("B18.dialect3")
def hostile_keys(test):
    """Values of keys that are no numbers, too large, or not of this dialect."""
    with test.daemon({"x": test.tree()}) as d:
        for key in ("queues", "slots", "arena_pages", "max_io", "directory", "pages"):
            for value in ("", "-1", "+1", "0x10", " 8", "8 ", "8.0", "1e1", "9" * 30, "4294967296",
                          "18446744073709551624", "eight", "8,8"):
                with Peer3(d.path, 30) as p:
                    try:
                        p.session3("x", lies={key: value}).close()
                        check(False, f"{key}={value!r} is refused")
                    except FsifError as e:
                        among(e.errno, (errno.EPROTO, errno.EFAULT), f"{key}={value!r}")
                    except (PeerGone, ConnectionError):
                        pass
        for words in ("3 3", "3,1", "1 2 3", "4 3 99", "3 x"):
            with Peer3(d.path, 30) as p:
                try:
                    with p.session3("x", dialects=words) as s:
                        s.nop()
                except FsifError as e:  # 1 and 2 need keys of their own
                    equal(e.errno, errno.EPROTO, f"dialects={words}")
        for words in ("", "4", "33", "03", "x"):
            with Peer3(d.path, 30) as p:
                try:
                    p.session3("x", dialects=words).close()
                    check(False, f"dialects={words!r} is refused")
                except FsifError as e:
                    among(e.errno, (errno.EPROTO, errno.EOPNOTSUPP), f"dialects={words!r}")
                except (PeerGone, ConnectionError):
                    pass


@row("B24.dialect3")
def limits(test):
    """Each limit: the right error, and service goes on."""
    with test.daemon({"x": test.tree(), "m": "memory:"}) as d, front(d, "m", slots=64) as s:
        s.writefile("f", b"x")
        s.mkdir("d")
        got = []
        while (h := value_of(s, "open", handle=w.ROOT, path=b"f", flags=w.RDWR)) >= 0:
            got.append(h)
            check(len(got) <= 65536, "handles end")
        equal(h, -errno.EMFILE, f"one more than {len(got)} handles")
        check(len(got) >= 64, "enough handles")
        equal(s.stat("f")["size"], 1, "service goes on")
        equal(s.readfile("f")[0], b"x", "what needs no handle too")
        equal(value_of(s, "export", path=b"x"), -errno.EMFILE, "another export")
        for h in got[2:]:
            s.close_handle(h)
        flood_locks(s, *got[:2])
        flood_watches(s)
        with front(d, "m") as t:
            for _ in range(3 * 16):  # the same one again takes no place
                t.close_handle(t.export("x"))
            equal(value_of(t, "export", path=b"none"), -errno.ENOENT, "no such export")


@row("B24.space.dialect3")
def space(test):
    """No bytes, no nodes, no disk, files too large: by every operation that takes some."""
    exports, no_disk = {"mem": "memory:,size=128K,nodes=12"}, None
    try:
        exports["disk"] = small_disk(test)
    except Skipped as why:
        no_disk = why
    with test.daemon(exports) as d:
        for name in exports:
            with front(d, name) as s:
                bytes_end(s)
                names_end(s)
    file_size_ends(test)
    if no_disk:
        raise no_disk


def takers(s, big, other):
    """Operations that take space at the end of a file, or in another one; each asks for 16 KiB."""
    ranges = [(i * PAGE, PAGE) for i in range(4)]
    return {"a write of four ranges": lambda at: value_of(s, "write", handle=big, offset=at,
                                                          ranges=ranges),
            "an append": lambda at: value_of(s, "write", handle=big, flags=w.AT_END, ranges=ranges),
            "allocate": lambda at: value_of(s, "allocate", handle=big, offset=at, length=4 * PAGE),
            "copy_range": lambda at: value_of(s, "copy_range", handle=big, offset=0, handle2=other,
                                              offset2=at, length=4 * PAGE),
            "writefile": lambda at: value_of(s, "writefile", handle=w.ROOT, path=b"made",
                                             flags=w.CREAT | w.TRUNC, mode=0o600,
                                             ranges=[(0, 4 * PAGE)])}


def bytes_end(s):
    s.write_arena(0, b"b" * 4 * PAGE)
    big = s.open("big", w.CREAT | w.RDWR)
    other = s.open("other", w.CREAT | w.RDWR)
    ask = takers(s, big, other)
    got = []
    while not got or got[-1] > 0:
        got.append(ask["a write of four ranges"](sum(got)))
        check(len(got) < 1000, "space ends")
    equal((got[0], got[-1]), (4 * PAGE, -errno.ENOSPC), "all of the first, nothing of the last")
    end = sum(got[:-1])
    for what, taker in ask.items():
        equal(taker(end), -errno.ENOSPC, f"{what} without space")
    for handle in (big, other):
        equal(value_of(s, "setattr", handle=handle, mask=w.SET_SIZE, size=0), 0, "room is made")
    value_of(s, "remove", handle=w.ROOT, path=b"made")
    for what, taker in ask.items():
        among(taker(0), (0, 4 * PAGE), f"{what} with space")
    for handle in (big, other):
        s.close_handle(handle)
    for name in (b"big", b"other", b"made"):
        equal(value_of(s, "remove", handle=w.ROOT, path=name), 0, "remove")


def names_end(s):
    makers = {"open": {"flags": w.CREAT | w.EXCL, "mode": 0o600},
              "mkdir": {"mode": 0o700}, "mknod": {"mode": 0o100600}, "symlink": {"path2": b"x"}}
    made, ended = [], set()
    for i in range(1000):
        op = list(makers)[i % len(makers)]
        name = b"n%d" % i
        value = value_of(s, op, handle=w.ROOT, path=name, **makers[op])
        if value >= 0:
            made.append(name)
            if op == "open":
                s.close_handle(value)
        else:
            equal(value, -errno.ENOSPC, f"{op} without room for names")
            ended.add(op)
        if len(ended) == len(makers):
            break
    equal(ended, set(makers), "names end, whatever makes them")
    for name in made:
        equal(value_of(s, "remove", handle=w.ROOT, path=name), 0, "remove")
    equal(value_of(s, "mkdir", handle=w.ROOT, path=b"d"), 0, "there is room again")


def file_size_ends(test):
    """The daemon's own RLIMIT_FSIZE is the peer's EFBIG, not the worker's end."""
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    with test.daemon({"x": test.tree()}, before=small) as d, front(d, "x") as s:
        big, other = s.open("file", w.RDWR), s.open("s", w.RDWR)
        s.write_arena(0, b"b" * 4 * PAGE)
        equal(value_of(s, "write", handle=big, ranges=[(0, 4 * PAGE)]), 4 * PAGE, "a write below it")
        for what, taker in takers(s, big, other).items():
            if what not in ("an append", "writefile"):  # these begin below it
                equal(taker(1 << 21), -errno.EFBIG, f"{what} beyond the limit")
        equal(value_of(s, "setattr", handle=big, mask=w.SET_SIZE, size=1 << 21), -errno.EFBIG,
              "a size beyond it")
        equal(value_of(s, "write", handle=big, ranges=[(0, 8)]), 8, "service goes on")


def flood_locks(s, a, b):
    s.lock(a, w.EXCLUSIVE)
    cookies = []
    for cookie in range(100000):
        value = value_of(s, "lock", handle=b, mode=w.SHARED, flags=w.WAIT, cookie=cookie)
        if value != -errno.EINPROGRESS:
            equal(value, -errno.ENOLCK, f"one more than {cookie} locks that wait")
            break
        cookies.append(cookie)
    check(len(cookies) >= 16, "enough locks may wait")
    equal(s.stat("f")["size"], 1, "service goes on")
    for cookie in cookies[::2]:
        equal(s.cancel(cookie), 0, "cancel")
    equal(value_of(s, "cancel", cookie=1 << 40), -errno.ENOENT, "cancel of another")
    s.lock(a, w.UNLOCK)
    late = {}
    while len(late) < len(cookies):
        _, cookie, value, _ = s.next_notice(30)
        check(cookie not in late, "each comes once")
        late[cookie] = value
    equal({late[c] for c in cookies[1::2]}, {0}, "those that were not cancelled")
    among({late[c] for c in cookies[::2]}, ({-errno.ECANCELED}, {0, -errno.ECANCELED}),
          "those that were")
    s.lock(b, w.UNLOCK)


def flood_watches(s):
    h = s.open("d")
    numbers = []
    while (n := value_of(s, "watch", handle=h, flags=1, cookie=len(numbers))) >= 0:
        numbers.append(n)
        check(len(numbers) < 100000, "watches end")
    among(n, (-errno.ENOSPC, -errno.EMFILE), f"one more than {len(numbers)} watches")
    check(len(numbers) >= 16 and len(set(numbers)) == len(numbers), "numbers of watches")
    for n in numbers:
        equal(s.unwatch(n), 0, "unwatch")
    check(value_of(s, "watch", handle=h, flags=1) >= 0, "a place is free again")
    s.close_handle(h)


@row("B26.dialect3")
def others(test):
    """Handles, cookies, watches and exports of another session or peer."""
    line = ["-e", "mine=memory:,allow-uid=4242"]
    with test.daemon({"x": test.tree(), "m": "memory:"}, line) as d:
        with front(d, "m") as s, front(d, "m") as t:
            h = s.open("f", w.CREAT | w.RDWR)
            other = s.open("f", w.RDWR)
            s.lock(h, w.EXCLUSIVE)
            equal(s.lock(other, w.EXCLUSIVE, w.WAIT, cookie=5), errno.EINPROGRESS, "a wait")
            watched = s.watch(s.open("."), 1, 6)
            for what, call in (("close", lambda: t.close_handle(h)),
                               ("stat", lambda: t.stat(base=h)),
                               ("read", lambda: t.read(h, 1))):
                refused(call, (errno.EBADF,), what)
            refused(lambda: t.cancel(5), (errno.ENOENT,), "cancel")
            refused(lambda: t.unwatch(watched), (errno.EINVAL,), "unwatch")
            check(not s.notices, "nothing came of it")
            equal(s.cancel(5), 0, "its owner's cancel")
        if os.geteuid() == 0:
            with front(d, "m") as s:
                refused(lambda: s.export("mine"), (errno.ENOENT,), "an export for another")


def refused(call, numbers, what):
    try:
        call()
    except FsifError as e:
        among(e.errno, numbers, what)
    else:
        check(False, what + " is refused")


@row("B28.dialect3")
def logs(test):
    """Names of exports, and offers, that would forge lines of the log; and floods of it."""
    with test.daemon({"x": test.tree()}) as d:
        for _ in range(50):
            with front(d, "x") as s:
                s.queues[0].set_word(0, 1 << 31)
                s.queues[0].ring_bell()
                s.wait_gone()
        poisoned(d, INDEX)
        with front(d, "x") as s:
            for name in ("x\nevent=forged", "x\x1b[31m", "../x", "x" * 64, 'x" event=forged'):
                equal(value_of(s, "export", path=os.fsencode(name)), -errno.ENOENT, repr(name))
            for _ in range(100):
                value_of(s, "export", path=b"none")
        log = d.log()
        check("event=forged" not in log and "\x1b" not in log, "no forged line")
        check(len(log) < 60000, f"a flood is held back: {len(log)} octets")
        check(rss_kb(d.pid) < 1 << 20, "memory")
