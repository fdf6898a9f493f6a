# SPDX-License-Identifier: MIT
"""The frontend of peer.py: a raw one, and a call for each operation."""

import errno
import os
import socket
import struct
import time

from peer_shared import (CHMOD, CLOSE, CREATE, LIST, M32, OPEN, PAGE, READ, REMOVE, RENAME,
                         REQ_EVENT, REQ_PROD, SLOTS, SPACE, STAT, SYNC, TRUNCATE, WRITE, close_all, error, fence,
                         make_memory, number, pack, ProtocolError, receive_packet, send_packet,
                         Shared, unpack)


class Peer:
    """A connection to a backend before a session runs on it."""

    def __init__(self, path, timeout=10.0):
        self.timeout = timeout
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.sock.setblocking(True)

    def close(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def send_raw_offer(self, octets, fds=()):
        """Any octets, any descriptors, as one packet."""
        send_packet(self.sock, octets, fds)

    def receive_raw_answer(self, timeout=None):
        return receive_packet(self.sock, self.timeout if timeout is None else timeout)

    def exchange(self, keys, fds=()):
        """An offer and its answer: (keys, descriptors)."""
        self.send_raw_offer(pack(keys), fds)
        octets, received = self.receive_raw_answer()
        try:
            answer = unpack(octets)
            number(answer, "status", 0, 4095)
        except ProtocolError:
            close_all(received)
            raise
        return answer, received

    def list_exports(self):
        """[(name, read_only)], over as many packets as it takes."""
        exports = []
        while True:
            offer = {"fsif": 1, "request": "exports"}
            if exports:
                offer["export"] = exports[-1][0]
            answer, fds = self.exchange(offer)
            if fds:
                close_all(fds)
                raise ProtocolError("descriptors with a list of exports")
            if int(answer["status"]):
                raise error(int(answer["status"]))
            before = len(exports)
            while f"export-{len(exports) - before}" in answer:
                name, _, access = answer[f"export-{len(exports) - before}"].partition(" ")
                if access not in ("ro", "rw") or (exports and name <= exports[-1][0]):
                    raise ProtocolError("bad list of exports")
                exports.append((name, access == "ro"))
            if not number(answer, "more", 0, 1):
                return exports
            if len(exports) == before:
                raise ProtocolError("a list of exports that never ends")

    def offer_keys(self, export, pages=65, ring_ref=0, features="errno", **changes):
        """The keys of a right offer, then changed: ring_pages=2 sets ring-pages, x=None drops x."""
        keys = {"fsif": 1, "request": "session", "export": export, "dialects": 1,
                "features": features, "pages": pages, "ring-pages": 1, "ring-ref": ring_ref}
        for key, value in changes.items():
            key = key.replace("_", "-")
            if value is None:
                keys.pop(key, None)
            else:
                keys[key] = value
        return keys

    def session(self, export, pages=65, ring_ref=0, features="errno", memory=None, **changes):
        """A running Session; the connection becomes its own. FsifError if it is refused.

        memory: a descriptor of the caller's (closed here) instead of a right one.
        """
        fd = make_memory(pages) if memory is None else memory
        s = Session(self.sock)
        s.timeout = self.timeout
        try:
            if os.fstat(fd).st_size >= pages * PAGE > ring_ref * PAGE:
                s.map(fd, pages, ring_ref)
                s.format()
            answer, fds = self.exchange(self.offer_keys(export, pages, ring_ref, features,
                                                        **changes), [fd])
        except BaseException:
            s.close_memory()
            raise
        finally:
            os.close(fd)
        try:
            s.start(answer, fds, features)
        except BaseException:
            s.close_memory()
            close_all(fds)
            raise
        self.sock = None
        return s


class Session(Shared):
    """A running session: raw access (Shared), and a call for each operation.

    The page of an id is the page after the ring's, wrapping around it: gref_of(id).
    """

    def __init__(self, sock):
        super().__init__(sock)
        self.timeout = 10.0
        self.errno_feature = False
        self.read_only = False
        self.consumed = 0  # own index of responses
        self.pending = set()
        self.done = {}

    def format(self):
        self.memory[self.ring_page * PAGE:(self.ring_page + 1) * PAGE] = bytes(PAGE)
        self.set_req_event(1)
        self.set_rsp_event(1)

    def start(self, answer, fds, offered):
        status = int(answer["status"])
        if status:
            if fds:
                raise ProtocolError("descriptors with a refusal")
            raise error(status)
        if len(fds) != 2 or not all(is_eventfd(fd) for fd in fds):
            raise ProtocolError("an answer without two bells")
        if number(answer, "dialect", 1, 31) != 1:
            raise ProtocolError("a dialect that was not offered")
        words = answer.get("features", "").replace(",", " ").split()
        self.errno_feature = "errno" in words and "errno" in offered
        self.read_only = answer.get("read-only", "0") == "1"
        self.ring_fd, self.wait_fd = fds

    # Raw steps of a request

    def gref_of(self, rid):
        return (self.ring_page + 1 + rid % (self.pages - 1)) % self.pages

    def free_id(self):
        for rid in range(min(SLOTS, self.pages - 1)):
            if rid not in self.pending and rid not in self.done:
                return rid
        raise BlockingIOError(errno.EAGAIN, "no free id")

    @staticmethod
    def request(op, rid, operands=b""):
        """A request's 32 octets."""
        return struct.pack("=BxH4x", op, rid).ljust(8, b"\0") + operands.ljust(24, b"\0")

    def publish(self):
        return self.publish_as(REQ_PROD, REQ_EVENT)

    def submit(self, op, operands=b"", rid=None):
        rid = self.free_id() if rid is None else rid
        self.pending.add(rid)
        self.put(self.request(op, rid, operands))
        self.publish()
        return rid

    def collect(self):
        """Take the responses that are there into self.done. Returns how many."""
        prod = self.rsp_prod()
        count = (prod - self.consumed) & M32
        if count > (self.produced - self.consumed) & M32:
            raise ProtocolError(f"rsp_prod {prod}")
        for _ in range(count):
            rid, ret = struct.unpack("=H6xQ16x", self.read_slot(self.consumed))
            if rid not in self.pending:
                raise ProtocolError(f"a response to id {rid}, which is not in flight")
            self.pending.remove(rid)
            self.done[rid] = ret
            self.consumed = (self.consumed + 1) & M32
        return count

    def wait(self, rid, timeout=None):
        """The raw ret of a request."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while rid not in self.done:
            if self.collect():
                continue
            self.set_rsp_event(self.consumed + 1)
            fence()
            if self.rsp_prod() != self.consumed:
                continue
            left = end - time.monotonic()
            if left <= 0 or not self.wait_bell(left) and time.monotonic() >= end:
                raise TimeoutError(f"no response to id {rid}")
        return self.done.pop(rid)

    def result(self, ret):
        """The value of a ret; FsifError if it is negative."""
        value = ret - (1 << 64) if ret >> 63 else ret
        if value >= 0:
            return value
        if not self.errno_feature:
            raise error(errno.EIO)
        if value < -4095:
            raise ProtocolError(f"ret {value}")
        raise error(-value)

    def call(self, op, operands):
        return self.result(self.wait(self.submit(op, operands)))

    def call_page(self, op, make_operands, page=b""):
        """A call that uses a page: (value, gref)."""
        rid = self.free_id()
        gref = self.gref_of(rid)
        self.write_page(gref, page)
        return self.result(self.wait(self.submit(op, make_operands(gref), rid))), gref

    @staticmethod
    def name(text):
        return os.fsencode(text) + b"\0"

    # The 13 operations

    def open(self, name):
        return self.call_page(OPEN, lambda g: struct.pack("=I", g), self.name(name))[0]

    def close_handle(self, handle):
        return self.call(CLOSE, struct.pack("=I", handle))

    def read(self, handle, length, offset):
        n, gref = self.call_page(READ, lambda g: struct.pack("=IIQQ", handle, g, length, offset))
        if n > length:
            raise ProtocolError("more read than asked for")
        return self.read_page(gref, n)

    def write(self, handle, data, offset):
        n, _ = self.call_page(
            WRITE, lambda g: struct.pack("=IIQQ", handle, g, len(data), offset), data)
        if n > len(data):
            raise ProtocolError("more written than sent")
        return n

    def stat(self, handle):
        _, gref = self.call_page(STAT, lambda g: struct.pack("=II", handle, g))
        mode, uid, gid, size, atime, mtime, ctime = struct.unpack(
            "=iII4xqqqq", self.read_page(gref, 48))
        return {"mode": mode, "uid": uid, "gid": gid, "size": size,
                "atime": atime, "mtime": mtime, "ctime": ctime}

    def truncate(self, handle, length):
        return self.call(TRUNCATE, struct.pack("=I4xq", handle, length))

    def remove(self, name):
        return self.call_page(REMOVE, lambda g: struct.pack("=I", g), self.name(name))[0]

    def rename(self, old, new):
        first = b"old: " + self.name(old)
        page = first + b"new: " + self.name(new)
        return self.call_page(
            RENAME, lambda g: struct.pack("=HHI", 5, len(first) + 5, g), page)[0]

    def create(self, name, mode=0o644, directory=False):
        return self.call_page(
            CREATE, lambda g: struct.pack("=b3xiI", int(directory), mode, g), self.name(name))[0]

    def list_page(self, name, offset):
        """(names, more) of one request."""
        rid = self.free_id()
        gref = self.gref_of(rid)
        self.write_page(gref, self.name(name))
        ret = self.wait(self.submit(LIST, struct.pack("=II", offset, gref), rid))
        count, number_, more = ret & 0xFFFF, ret >> 16 & M32, ret >> 48 & 1
        if ret >> 49 or number_ > 4095:
            raise ProtocolError(f"list answered {ret:#x}")
        if number_:
            raise error(number_)
        names = self.read_page(gref).split(b"\0")
        if count >= len(names) or more and not count:
            raise ProtocolError("list: bad count")
        names = names[:count]
        if any(not 1 <= len(n) <= 255 or b"/" in n for n in names):
            raise ProtocolError("list: bad name")
        return names, more

    def list(self, name):
        """All names, as octets, with . and .."""
        names, more = [], 1
        while more:
            page, more = self.list_page(name, len(names))
            names += page
        return names

    def chmod(self, handle, mode):
        return self.call(CHMOD, struct.pack("=Ii", handle, mode))

    def space(self, name="/"):
        return self.call_page(SPACE, lambda g: struct.pack("=I", g), self.name(name))[0]

    def sync(self, handle):
        return self.call(SYNC, struct.pack("=I", handle))

    # Composed

    def read_all(self, handle):
        parts, offset = [], 0
        while part := self.read(handle, PAGE, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def write_all(self, handle, data):
        offset = 0
        while offset < len(data):
            n = self.write(handle, data[offset:offset + PAGE], offset)
            if n == 0:
                raise ProtocolError("nothing was written")
            offset += n


def is_eventfd(fd):
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as f:
        return "eventfd-count:" in f.read()
