#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pair_race.py FSIF-BACKEND PLUGINS STORE HOW [ROUNDS [PATTERN]]: every pair of operations on one name,
both at once.

Two requests are under way at the same time: in two queues of a session, in one queue, or in two
sessions (HOW: queues, queue, sessions). What both are answered and the tree that is left must be
what some order of their steps gives, one after the other, on a fresh tree. An operation is one step;
a compound is its parts, as PROTOCOL.md says. The orders are carried out by the backend itself,
alone; whether that is right is for other tests. pair_ops.py has the operations, and which pairs are left out.
Every operation that there is must be in a pair.
"""

import errno
import itertools
import os
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import peer_wire3 as w  # noqa: E402
from pair_ops import Operation, Step, is_left_out, operations  # noqa: E402
from peer3 import Peer3  # noqa: E402

# A bug to be found: both of two operations that exclude each other succeed.
PLANT = os.environ.get("FSIF_TEST_PLANT")
PLANTS = {"excl": "create new", "xattr": "setxattr new"}
# A file, an empty folder, nothing, a second file, nothing, where links lead
NAMES = (b"f", b"d", b"n", b"s", b"t", b"target")
XATTRS = 16384  # where in the arena the tree's attributes are read to


def fact(attr):
    """What of attributes does not depend on when and where."""
    size = 0 if attr["mode"] >> 12 == 4 else attr["size"]
    # A file that was found and lost its last name before it was looked at has no link, on any system.
    links = max(attr["nlink"], 1)
    return attr["mode"], size, 0 if attr["mode"] >> 12 == 4 else links


class Request:
    """An operation as one request, sent and taken apart from each other."""

    def __init__(self, side, operation, who, where=0):
        self.side = side
        self.step = operation.step
        self.who = who
        self.where = where
        self.ticket = None

    def send(self):
        s, o = self.side.s, dict(self.step.operands)
        self.at = self.side.place
        if w.OPS[self.step.op]["handle"]:
            o["handle"] = self.held(o.pop("on")) if "on" in o else self.side.base
        if "on2" in o:
            o["handle2"] = self.held(o.pop("on2"))
        if self.step.op in ("rename", "link"):
            o["base2"] = self.side.base
        self.fill(s, o)
        self.ticket = s.queue(self.step.op, self.where, **o)

    def held(self, what):
        return self.side.held[self.who][what]

    def fill(self, s, o):
        if "answer" in o:
            o["ranges"] = [(self.at, o.pop("answer"))]
        if "data" in o:
            s.write_arena(self.at, o["data"])
            o["ranges"] = [(self.at, len(o.pop("data")))]
        if "names" in o:
            names = b"".join(n + b"\0" for n in o["names"])
            o.update(count=len(o.pop("names")), records=self.at + 64,
                     ranges=[(self.at, len(names))])
            s.write_arena(self.at, names)
        if self.step.op == "setattr":
            s.write_arena(self.at, o["path"])
            o["names_at"] = self.at

    def take(self):
        """(result, handle or None)"""
        s = self.side.s
        value, body = s.wait(self.ticket)
        op = self.step.op
        if value < 0:
            # Where the old name is missing and the new one is there, either may be told.
            if op in ("link", "rename") and value in (-errno.ENOENT, -errno.EEXIST):
                value = "ENOENT or EEXIST"
            return value, None
        if op in ("open", "export"):
            return "opened", value
        if op == "watch":
            s.call("unwatch", watch=value)
            return "watching", None
        if op == "close":
            del self.side.held[self.who][self.step.operands["on"]]
        data = None
        if op in ("readlink", "readfile", "read", "getxattr", "listxattr"):
            data = s.read_arena(self.at, value)
        if op == "readdir":
            entries = w.take_dirents(s.read_arena(self.at, value), 0, 0)
            return tuple(sorted(e["name"] for e in entries)), None
        if op == "statmany":
            records = [w.take_record(s.read_arena(self.at + 64 + i * w.RECORD, w.RECORD))
                       for i in range(value)]
            return tuple(fact(a) if not status else status for status, a in records), None
        return (value, fact(body) if body and "nlink" in body else None, data), None


class Serial:
    """An operation carried out part by part; each part is a request of its own."""

    def __init__(self, side, who):
        self.side = side
        self.who = who
        self.h = None
        self.keep = False
        self.result = None  # set: it is over
        self.attr = None
        self.value = 0
        self.data = None
        self.records = []

    def call(self, step):
        r = Request(self.side, Operation("", step), self.who)
        r.send()
        self.side.s.publish(0)
        return r.take()

    def whole(self, step):
        self.result, self.h = self.call(step)
        self.keep = self.h is not None

    def handle(self, path, flags, mode=0, keep=False):
        self.keep = keep
        result, self.h = self.call(Step("open", path=path, flags=flags, mode=mode))
        if self.h is None:
            self.result = result

    def on_handle(self, op, answer=None, data=None, quiet=False, **more):
        s, at = self.side.s, self.side.place
        ranges = {}
        if op != "setattr":
            ranges = {"ranges": [(at, answer or len(data))]}
        if data:
            s.write_arena(at, data)
        value, _ = s.wait(s.submit(op, handle=self.h, **ranges, **more))
        if value < 0:
            self.result = value
        elif not quiet:
            self.value = value
            self.data = s.read_arena(at, value) if answer else None

    def stat_handle(self):
        value, body = self.side.s.wait(self.side.s.submit("stat", handle=self.h))
        assert value == 0, value
        if body["mode"] >> 12 == 4:
            self.result = -errno.EISDIR
        self.attr = fact(body)

    def change(self, step):
        result, _ = self.call(step)
        if not isinstance(result, tuple):
            self.result = result  # an error

    def stat_path(self, path):
        self.result, _ = self.call(Step("stat", path=path))

    def record(self, name):
        result, _ = self.call(Step("stat", path=name))
        self.records.append(result[1] if isinstance(result, tuple) else result)

    def end(self):
        """(result, handle that lives on or None)"""
        if self.h is not None and not self.keep:
            self.side.s.close_handle(self.h)
            self.h = None
        if self.result is None:
            if self.records:
                self.result = tuple(self.records)
            elif self.keep:
                self.result = "opened"
            else:
                self.result = (self.value, self.attr, self.data)
        elif self.keep and self.result != "opened" and self.h is not None:
            self.side.s.close_handle(self.h)
            self.h = None
        return self.result, self.h


class Side:
    """A session, and the round's folder in it."""

    def __init__(self, s, place):
        self.s = s
        self.place = place
        self.base = None
        self.held = [{}, {}]  # of each request: handles by what they are of

    def hold(self, who, top, name):
        kinds = {"folder": (top, w.DIRECTORY), "other": (top + "/s", w.RDWR)}
        if name == b"f":
            kinds["file"] = (top + "/f", w.RDWR)
        elif name == b"d":
            kinds["file"] = (top + "/d", w.DIRECTORY)
        asked = {what: self.s.queue("open", handle=w.ROOT, path=path, flags=flags)
                 for what, (path, flags) in kinds.items()}
        self.s.publish()
        self.held[who] = {what: self.s.wait(ticket)[0] for what, ticket in asked.items()}
        assert min(self.held[who].values()) >= 0, self.held[who]

    def let_go(self):
        for held in self.held:
            for handle in held.values():
                self.s.queue("close", handle=handle)
        self.held = [{}, {}]
        Race.finish_all(self.s)


class Race:
    def __init__(self, sides, how):
        self.sides = sides  # of the two requests
        self.how = how
        self.count = 0
        self.orders = {}

    def begin(self, name, holds):
        """A fresh tree; every side has its folder open, and if @holds each request handles of its own."""
        self.count += 1
        s = self.sides[0].s
        top = f"round-{self.count}"
        s.mkdir(top)
        for side in {id(x): x for x in self.sides}.values():
            side.base = side.s.open(top, w.PATH | w.DIRECTORY)
        base = self.sides[0].base
        s.write_arena(0, b"file's text")
        for path, length in ((b"f", 11), (b"s", 4)):
            s.queue("writefile", handle=base, path=path, flags=w.CREAT, mode=0o644,
                    ranges=[(0, length)])
        s.queue("mkdir", handle=base, path=b"d", mode=0o755)
        self.finish_all(s)
        for who, side in enumerate(self.sides if holds else ()):
            side.hold(who, top, name)
        return top

    @staticmethod
    def finish_all(s):
        tickets = list(s.pending)
        s.publish()
        return [s.wait(t) for t in tickets]

    def tree(self):
        """What is left: [(name, facts, text)], of requests that are all sent at once"""
        s, base = self.sides[0].s, self.sides[0].base
        asked = []
        for i, name in enumerate(NAMES):
            asked.append([s.queue("stat", handle=base, path=name, flags=w.AT_NOFOLLOW)] + [
                s.queue(op, handle=base, path=name, ranges=[(128 * i + 64 * k, 64)])
                for k, op in enumerate(("readfile", "readlink"))] + [
                s.queue("getxattr", handle=base, path=name, path2=b"user.a", flags=w.AT_NOFOLLOW,
                        ranges=[(XATTRS + 64 * i, 64)])])
        s.publish()
        out = []
        for i, (name, tickets) in enumerate(zip(NAMES, asked)):
            (value, body), *texts, (length, _) = [s.wait(t) for t in tickets]
            if value < 0:
                continue
            text = None
            xattr = s.read_arena(XATTRS + 64 * i, length) if length >= 0 else length
            for k, kind in enumerate((8, 10)):
                if body["mode"] >> 12 == kind:
                    text = s.read_arena(128 * i + 64 * k, texts[k][0])
            out.append((name, fact(body), text, xattr))
        return tuple(out)

    def end(self, top, handles):
        """The tree and what handles lead to; then all goes."""
        found = []
        for side in {id(x): x for x in self.sides}.values():
            side.let_go()
        for side, h in zip(self.sides, handles):
            found.append(None if h is None else fact(side.s.stat(base=h)))
            if h is not None:
                side.s.close_handle(h)
        left = self.tree()
        s, base = self.sides[0].s, self.sides[0].base
        for name in NAMES:
            s.queue("remove", handle=base, path=name)
        self.finish_all(s)
        for side in {id(x): x for x in self.sides}.values():
            side.s.close_handle(side.base)
        s.remove(top, w.DIR)  # nothing else was made
        return left, tuple(found)

    def outcome(self, name, one_, two, order):
        """What @order, a sequence of 0 and 1, gives."""
        sides, self.sides = self.sides, [self.sides[0], self.sides[0]]
        try:
            top = self.begin(name, one_.holds() or two.holds())
            runs = [Serial(self.sides[0], who) for who in range(2)]
            parts = [one_.parts(), two.parts()]
            for which in order:
                part = parts[which].pop(0)
                if runs[which].result is None:
                    part(runs[which])
            results, handles = zip(*(r.end() for r in runs))
            return results, self.end(top, handles)
        finally:
            self.sides = sides

    def legal(self, key, one_, two):
        if key not in self.orders:
            a, b = len(one_.parts()), len(two.parts())
            self.orders[key] = {self.outcome(key[1], one_, two, [0 if i in at else 1 for i in range(a + b)])
                                for at in itertools.combinations(range(a + b), a)}
        return self.orders[key]

    def race(self, name, one_, two, chance):
        top = self.begin(name, one_.holds() or two.holds())
        where = (0, 1 if self.how == "queues" else 0)
        requests = [Request(side, op, who, where[who]) for who, (side, op) in
                    enumerate(zip(self.sides, (one_, two)))]
        first = chance.randrange(2)
        for i in (first, 1 - first):
            requests[i].send()
        for i in (first, 1 - first):
            requests[i].side.s.publish(requests[i].where, bell=True)
        results, handles = zip(*(r.take() for r in requests))
        if one_.what == two.what == PLANTS.get(PLANT):
            results = (results[0], results[0]) if not isinstance(results[0], int) else (
                results[1], results[1])  # both as the one that succeeded
        return results, self.end(top, handles)


def run(race, rounds, pattern, chance):
    pairs = failed = 0
    there = {o.step.op for name in NAMES[:3] for o in operations(name).values()}
    assert there == set(w.OPS), f"in no pair: {set(w.OPS) - there}"
    for name in NAMES[:3]:
        ops = operations(name)
        for one_, two in itertools.combinations_with_replacement(ops.values(), 2):
            what = f"{one_.what} | {two.what} on {name.decode()}"
            if pattern not in what or is_left_out(name, one_, two):
                continue
            legal = race.legal((what, name), one_, two)
            pairs += 1
            for _ in range(rounds):
                got = race.race(name, one_, two, chance)
                if got not in legal:
                    failed += 1
                    print(f"{what} ended as no order does:\n  {got}\nlegal are:")
                    for outcome in sorted(legal, key=repr):
                        print(f"  {outcome}")
                    break
    print(f"{pairs} pairs, {rounds} times each, {race.count} trees, {failed} failed")
    return failed


def main():
    program, plugins, store, how = sys.argv[1:5]
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 20
    pattern = sys.argv[6] if len(sys.argv) > 6 else ""
    seed = int(os.environ.get("FSIF_SEED", "1"))
    with tempfile.TemporaryDirectory(prefix="fsif-pairs-") as folder:
        os.mkdir(f"{folder}/data")
        sock = f"{folder}/socket"
        source = "memory:" if store == "memory" else f"{folder}/data"
        daemon = subprocess.Popen([program, "-l", f"shm:{sock}", "--plugin-dir", plugins,
                                   "--log-level", "error", "-e", f"data={source}"],
                                  stdout=subprocess.PIPE, text=True)
        sessions = []
        try:
            assert "listening" in daemon.stdout.readline()
            for _ in range(2 if how == "sessions" else 1):
                with Peer3(sock) as p:
                    sessions.append(p.session3("data", queues=2, slots=32, arena_pages=32))
            sides = [Side(s, 1024 * (1 + i)) for i, s in enumerate(sessions)]
            if len(sides) == 1:
                sides.append(Side(sessions[0], 4096))
            race = Race(sides, how)
            failed = run(race, rounds, pattern, random.Random(seed))
        finally:
            for s in sessions:
                s.close()
            daemon.terminate()
            status = daemon.wait(60)
            daemon.stdout.close()
    assert status == 0, f"the daemon ended with {status}"
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
