# SPDX-License-Identifier: MIT
"""The frontend of peer3.py: raw steps, and a call for each operation of dialect 3."""

import errno
import os
import time

import peer_front
import peer_wire3 as w
from peer_shared import (M32, PAGE, PeerGone, ProtocolError, close_all, error, fence, make_memory,
                         number)
from peer_shared3 import (NOTICES_SEEN, REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, Side)


class Peer3(peer_front.Peer):
    """A connection to a backend before a session of dialect 3 runs on it."""

    def offer_keys3(self, export, pages_, queues_, slots_, arena_, first, **changes):
        keys = {"fsif": 1, "request": "session", "export": export, "dialects": 3, "features": "",
                "pages": pages_, "queues": queues_, "slots": slots_, "arena-pages": arena_,
                "max-io": arena_ * PAGE, "directory": first}
        for key, value in changes.items():
            key = key.replace("_", "-")
            if value is None:
                keys.pop(key, None)
            else:
                keys[key] = value
        return keys

    def session3(self, export, queues=1, slots=8, arena_pages=16, scatter=True, spare=0,
                 spoil=None, lies=None, **changes):
        """A running Session3; the connection becomes its own. FsifError if it is refused.

        scatter: the area's pages lie in no order; spare: pages that nothing uses;
        spoil: called with the session before the offer, to write what is wrong;
        lies, changes: keys of the offer, over those of the shape (None: left out)
        """
        area = queues * w.ring_pages(slots) + arena_pages
        own = w.directory_pages(area)
        pages = area + own + spare
        order = list(range(pages))
        if scatter:
            order = order[1::2] + order[::2]
        directory, refs = order[:own], order[own:own + area]
        fd = make_memory(pages)
        s = Session3(self.sock)
        s.timeout = self.timeout
        try:
            s.map(fd, pages)
            for gref, octets in zip(directory, w.pack_directory(directory, refs)):
                s.write_page(gref, octets)
            s.lay_out(refs, queues, slots, arena_pages)
            s.format()
            s.directory = directory
            if spoil:
                spoil(s)
            keys = self.offer_keys3(export, pages, queues, slots, arena_pages, directory[0],
                                    **{**(lies or {}), **changes})
            answer, fds = self.exchange(keys, [fd])
        except BaseException:
            s.close_memory()
            raise
        finally:
            os.close(fd)
        try:
            s.start(answer, fds, keys)
        except BaseException:
            s.close_memory()
            close_all(fds)
            raise
        self.sock = None
        return s


class Session3(Side):
    """A running session. `where` below is a number of a queue."""

    def __init__(self, sock):
        super().__init__(sock)
        self.timeout = 10.0
        self.read_only = False
        self.max_io = 0
        self.serials = {}  # of each queue
        self.pending = {}  # (queue, id): what was asked
        self.done = {}
        self.seen = 0
        self.notices = []
        self.take_notice_hook = self.keep_notice  # hostile frontends do something else
        self.parts = []  # free (at, length) of the arena
        self.directory = []

    def format(self):
        for q in self.queues:
            q.set_word(RSP_EVENT, 1)
            q.set_word(REQ_EVENT, 1)
        self.parts = [(0, self.arena_size)]

    def start(self, answer, fds, keys):
        status = int(answer["status"])
        if status:
            if fds:
                raise ProtocolError("descriptors with a refusal")
            raise error(status)
        if number(answer, "dialect", 1, 31) != 3:
            raise ProtocolError("a dialect that was not offered")
        queues = number(answer, "queues", 1, len(self.queues))
        self.max_io = number(answer, "max-io", PAGE, int(keys["max-io"]))
        self.read_only = answer.get("read-only", "0") == "1"
        if len(fds) != 2 * queues or not all(peer_front.is_eventfd(fd) for fd in fds):
            raise ProtocolError("an answer without two bells for each queue")
        del self.queues[queues:]
        for i, q in enumerate(self.queues):
            q.ring_fd, q.wait_fd = fds[2 * i:2 * i + 2]

    # The arena

    def take(self, length):
        """A part of the arena, on a multiple of 8."""
        length = (max(length, 1) + 7) // 8 * 8
        for i, (at, free) in enumerate(self.parts):
            if free >= length:
                self.parts[i] = (at + length, free - length)
                return at
        raise BlockingIOError(errno.EAGAIN, "the arena is full")

    def give(self, at, length):
        self.parts.append((at, (max(length, 1) + 7) // 8 * 8))
        merged = []
        for start, free in sorted(self.parts):
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + free)
            else:
                merged.append((start, free))
        self.parts = [part for part in merged if part[1]]

    # Steps of a request

    def free_id(self, where=0):
        for rid in range(self.queues[where].slots):
            if (where, rid) not in self.pending and (where, rid) not in self.done:
                return rid
        raise BlockingIOError(errno.EAGAIN, "no free id")

    def put(self, slot, where=0):
        """Write a request into the next slot without publishing it."""
        q = self.queues[where]
        q.write_slot(q.produced, slot)
        q.produced = (q.produced + 1) & M32

    def publish(self, where=0, bell=None):
        return self.queues[where].publish(REQ_PROD, REQ_EVENT, bell)

    def queue(self, op, where=0, rid=None, **operands):
        """Write a request; publish() sends it. Long names go to the arena."""
        rid = self.free_id(where) if rid is None else rid
        path, path2 = (os.fsencode(operands.get(k, b"")) for k in ("path", "path2"))
        operands.update(path=path, path2=path2)
        part = None
        if w.OPS[op]["names"] and len(path + path2) > w.room(op) and "names_at" not in operands:
            part = (self.take(len(path + path2)), len(path + path2))
            self.write_arena(part[0], path + path2)
            operands["names_at"] = part[0]
        serial = self.serials[where] = (self.serials.get(where, 0) + 1) & M32
        self.pending[where, rid] = (op, operands, part)
        self.put(w.request(op, rid, serial, **operands), where)
        return where, rid

    def submit(self, op, where=0, **operands):
        ticket = self.queue(op, where, **operands)
        self.publish(where)
        return ticket

    def collect(self, where=0):
        """Take the responses that are there. Returns how many."""
        q = self.queues[where]
        count = (q.word(RSP_PROD) - q.consumed) & M32
        if count > 2 * q.slots:
            raise ProtocolError(f"rsp_prod {q.word(RSP_PROD)}")
        told = self.seen
        for _ in range(count):
            entry = q.read_entry(q.consumed)
            q.consumed = (q.consumed + 1) & M32
            if entry[3] & ~w.LONG:
                raise ProtocolError(f"flags {entry[3]:#x}")
            if entry[2] == w.ANSWER:
                self.take_answer(where, entry)
            else:
                self.take_notice_hook(w.take_notice(entry))
        if self.seen != told:
            self.queues[0].set_word(NOTICES_SEEN, self.seen)
            self.queues[0].ring_bell()
        return count

    def keep_notice(self, notice):
        self.seen = (self.seen + 1) & M32
        if notice[0] != w.VOID:
            self.notices.append(notice)

    def take_answer(self, where, entry):
        rid = int.from_bytes(entry[:2], "little")
        if (where, rid) not in self.pending:
            raise ProtocolError(f"an answer to id {rid}, which is not in flight")
        op, operands, part = self.pending.pop((where, rid))
        if part:
            self.give(*part)
        most = w.largest(op, operands.get("ranges", ()), operands.get("length", 0),
                         operands.get("count", 0))
        self.done[where, rid] = w.take_answer(op, operands.get("flags", 0), entry, most)

    def sleep(self, end):
        """Wait for a bell of any queue, or find that it is not needed."""
        for q in self.queues:
            q.set_word(RSP_EVENT, q.consumed + 1)
        fence()
        if any(q.word(RSP_PROD) != q.consumed for q in self.queues):
            return
        left = end - time.monotonic()
        if left <= 0 or not self.wait_bells(left) and time.monotonic() >= end:
            raise TimeoutError("no response")

    def wait(self, ticket, timeout=None):
        """(value, body) of a request."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while ticket not in self.done:
            if not sum(self.collect(i) for i in range(len(self.queues))):
                self.sleep(end)
        return self.done.pop(ticket)

    def next_notice(self, timeout=None):
        """(kind, cookie, value or what, name)"""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.notices:
            if not sum(self.collect(i) for i in range(len(self.queues))):
                self.sleep(end)
        return self.notices.pop(0)

    def call(self, op, where=0, **operands):
        """(value, body), FsifError"""
        value, body = self.wait(self.submit(op, where, **operands))
        if value < 0:
            raise error(-value)
        return value, body

    # Operations; names are text or octets

    def nop(self, where=0):
        self.call("nop", where)

    def open(self, path, flags=0, mode=0o644, base=w.ROOT):
        """The handle; with STAT (handle, attributes)"""
        value, body = self.call("open", path=path, flags=flags, mode=mode, handle=base)
        return (value, body) if flags & w.STAT else value

    def close_handle(self, handle):
        return self.call("close", handle=handle)[0]

    def read(self, handle, length, offset=0):
        at = self.take(length)
        try:
            n = self.call("read", handle=handle, offset=offset, ranges=[(at, length)])[0]
            return self.read_arena(at, n)
        finally:
            self.give(at, length)

    def write(self, handle, data, offset=0, flags=0):
        at = self.take(len(data))
        self.write_arena(at, data)
        try:
            return self.call("write", handle=handle, offset=offset, flags=flags,
                             ranges=[(at, len(data))])[0]
        finally:
            self.give(at, len(data))

    def stat(self, path=b"", flags=0, base=w.ROOT):
        return self.call("stat", path=path, flags=flags, handle=base)[1]

    def setattr(self, path=b"", base=w.ROOT, **changes):
        return self.call("setattr", path=path, handle=base, **changes)[1]

    def remove(self, path, flags=0, base=w.ROOT):
        return self.call("remove", path=path, flags=flags, handle=base)[0]

    def rename(self, old, new, flags=0, base=w.ROOT, base2=w.ROOT):
        return self.call("rename", path=old, path2=new, flags=flags, handle=base, base2=base2)[0]

    def mkdir(self, path, mode=0o755, base=w.ROOT):
        return self.call("mkdir", path=path, mode=mode, handle=base)[0]

    def mknod(self, path, mode, rdev=0, base=w.ROOT):
        return self.call("mknod", path=path, mode=mode, rdev=rdev, handle=base)[0]

    def link(self, old, new, flags=0, base=w.ROOT, base2=w.ROOT):
        return self.call("link", path=old, path2=new, flags=flags, handle=base, base2=base2)[0]

    def symlink(self, target, path, base=w.ROOT):
        return self.call("symlink", path=path, path2=target, handle=base)[0]

    def get_data(self, op, length, **operands):
        """The octets that an operation with one range answers, and its body."""
        at = self.take(length)
        try:
            n, body = self.call(op, ranges=[(at, length)], **operands)
            return self.read_arena(at, n), body
        finally:
            self.give(at, length)

    def put_data(self, op, data, **operands):
        at = self.take(len(data))
        self.write_arena(at, data)
        try:
            return self.call(op, ranges=[(at, len(data))], **operands)
        finally:
            self.give(at, len(data))

    def readlink(self, path=b"", base=w.ROOT, length=PAGE):
        return self.get_data("readlink", length, path=path, handle=base)[0]

    def readdir(self, handle, cookie=0, flags=0, length=PAGE):
        octets, _ = self.get_data("readdir", length, handle=handle, cookie=cookie, flags=flags)
        return w.take_dirents(octets, flags, cookie)

    def list(self, path, flags=0, length=PAGE, base=w.ROOT):
        """All entries, by name."""
        h = self.open(path, w.DIRECTORY, base=base)
        try:
            entries, cookie = {}, 0
            while part := self.readdir(h, cookie, flags, length):
                for e in part:
                    if e["name"] in entries:
                        raise ProtocolError(f"{e['name']!r} comes twice")
                    entries[e["name"]] = e
                cookie = part[-1]["cookie"]
            return entries
        finally:
            self.close_handle(h)

    def statvfs(self, path=b"", base=w.ROOT):
        return self.call("statvfs", path=path, handle=base)[1]

    def sync(self, handle, flags=0):
        return self.call("sync", handle=handle, flags=flags)[0]

    def allocate(self, handle, offset, length, flags=0):
        return self.call("allocate", handle=handle, offset=offset, length=length, flags=flags)[0]

    def seek(self, handle, offset, flags=0):
        return self.call("seek", handle=handle, offset=offset, flags=flags)[0]

    def copy_range(self, handle, offset, handle2, offset2, length):
        return self.call("copy_range", handle=handle, offset=offset, handle2=handle2,
                         offset2=offset2, length=length)[0]

    def getxattr(self, path, name, length=256, flags=0, base=w.ROOT):
        return self.get_data("getxattr", length, path=path, path2=name, flags=flags,
                             handle=base)[0]

    def xattr_size(self, path, name, base=w.ROOT):
        return self.call("getxattr", path=path, path2=name, handle=base, ranges=[(0, 0)])[0]

    def setxattr(self, path, name, value, flags=0, base=w.ROOT):
        return self.put_data("setxattr", value, path=path, path2=name, flags=flags,
                             handle=base)[0]

    def listxattr(self, path, length=1024, flags=0, base=w.ROOT):
        octets = self.get_data("listxattr", length, path=path, flags=flags, handle=base)[0]
        return octets.split(b"\0")[:-1]

    def removexattr(self, path, name, flags=0, base=w.ROOT):
        return self.call("removexattr", path=path, path2=name, flags=flags, handle=base)[0]

    def lock(self, handle, mode, flags=0, offset=0, length=0, cookie=0):
        """0; with TEST what is in the way; errno.EINPROGRESS: a notice comes"""
        value, body = self.wait(self.submit("lock", handle=handle, mode=mode, flags=flags,
                                            offset=offset, length=length, cookie=cookie))
        if value == -errno.EINPROGRESS:
            return errno.EINPROGRESS
        if value < 0:
            raise error(-value)
        return body if flags & w.TEST else value

    def cancel(self, cookie):
        return self.call("cancel", cookie=cookie)[0]

    def watch(self, handle, flags, cookie):
        return self.call("watch", handle=handle, flags=flags, cookie=cookie)[0]

    def unwatch(self, watch):
        return self.call("unwatch", watch=watch)[0]

    def export(self, name):
        return self.call("export", path=name)[0]

    def readfile(self, path, length=PAGE, flags=0, base=w.ROOT):
        """(data, attributes)"""
        return self.get_data("readfile", length, path=path, flags=flags, handle=base)

    def writefile(self, path, data, flags=w.CREAT | w.TRUNC, mode=0o644, base=w.ROOT):
        """(octets, attributes)"""
        return self.put_data("writefile", data, path=path, flags=flags, mode=mode, handle=base)

    def statmany(self, names, flags=0, base=w.ROOT):
        """[(status, attributes)]"""
        blob = b"".join(os.fsencode(n) + b"\0" for n in names)
        room = (len(blob) + 7) // 8 * 8 + len(names) * w.RECORD
        at = self.take(room)
        records = at + (len(blob) + 7) // 8 * 8
        self.write_arena(at, blob)
        try:
            n = self.call("statmany", handle=base, flags=flags, count=len(names), records=records,
                          ranges=[(at, len(blob))])[0]
            if n != len(names):
                raise ProtocolError(f"{n} records of {len(names)}")
            return [w.take_record(self.read_arena(records + i * w.RECORD, w.RECORD))
                    for i in range(n)]
        finally:
            self.give(at, room)


__all__ = ["Peer3", "PeerGone", "Session3"]
