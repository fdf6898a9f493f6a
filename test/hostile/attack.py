# SPDX-License-Identifier: MIT
"""The attackers: the raw peers of test/support/peer.py with calls that return what came back.

Front and Back check nothing of what they send. Results are numbers, negative for errors, so that a
test can compare them; an end of the session is the exception Gone.
"""
import fcntl
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import peer
from peer import (CHMOD, CLOSE, CREATE, LIST, OPEN, PAGE, READ, REMOVE, RENAME, SPACE, STAT,
                  SYNC, TRUNCATE, WRITE)

# The tests write slots of dialect 1. With FSIF_DIALECT=2 they are turned into that dialect's on
# their way to the ring and back; what dialect 1 has in the page of a stat, its attributes, lies in
# the response there. Longer slots go as they are.
DIALECT = int(os.environ.get("FSIF_DIALECT", "1"))
MAX_IO = 6 * PAGE if DIALECT == 2 else PAGE
SLOT = 56 if DIALECT == 2 else 32

__all__ = ["DIALECT", "MAX_IO", "SLOT", "CHMOD", "CLOSE", "CREATE", "LIST", "OPEN", "PAGE", "READ", "REMOVE", "RENAME", "SPACE",
           "STAT", "SYNC", "TRUNCATE", "WRITE", "Back", "BackSession", "Front", "Gone", "request"]

PATIENCE = 30.0
U64 = 0xffffffffffffffff

Gone = peer.PeerGone


def request(kind, rid, operands=b"", pad0=0, pad1=0):
    return struct.pack("<BBHI", kind, pad0, rid, pad1) + operands + bytes(24 - len(operands))


def answer_or_none(sock, timeout=PATIENCE):
    """(keys, descriptors), or (None, []) if the other side hung up."""
    try:
        octets, fds = peer.receive_packet(sock, timeout)
    except Gone:
        return None, []
    return peer.unpack(octets), fds


def gref_of(slot):
    return struct.unpack_from("<I", slot, 12)[0]


class Slots(peer.Shared):
    """Slots of either dialect; kinds: what was last asked with an id, as (operation, page)."""

    slot_size = SLOT

    def __init__(self, sock):
        super().__init__(sock)
        self.kinds = {}

    def is_stat(self, rid):
        return DIALECT == 2 and self.kinds.get(rid, (0, 0))[0] == STAT

    def write_request(self, index, slot):
        slot = bytes(slot)
        rid = struct.unpack_from("<H", slot, 2)[0]
        self.kinds[rid] = (slot[0], gref_of(slot))
        if DIALECT == 2 and len(slot) == 32:
            grefs = [0] * 6
            if slot[0] in (READ, WRITE):
                grefs = [gref_of(slot) + i & peer.M32 for i in range(6)]
            slot += struct.pack("<6I", *grefs)
        self.write_slot(index, slot)

    def read_request(self, index):
        slot = self.read_slot(index)
        kind, rid = slot[0], struct.unpack_from("<H", slot, 2)[0]
        if DIALECT == 2 and kind in (READ, WRITE) and any(slot[16:24]):
            slot = slot[:12] + slot[32:36] + slot[16:]
        elif DIALECT == 2 and kind in (READ, WRITE, STAT):  # none is named: the call's first
            slot = slot[:12] + struct.pack("<I", 1 + rid * self.call_pages()) + slot[16:]
        self.kinds[rid] = (kind, gref_of(slot))
        return slot[:32]

    def call_pages(self):
        return max(1, (self.pages - 1) // peer.SLOTS)

    def write_response(self, index, slot):
        rid = struct.unpack_from("<H", slot)[0]
        if self.is_stat(rid):
            gref = self.kinds[rid][1]
            attr = self.read_page(gref, 48)
            self.write_page(gref, bytes(48))
            slot = slot[:8] + attr[:12] + slot[8:12] + attr[16:]
        elif DIALECT == 2:
            slot = slot + slot[-1:] * 24
        self.write_slot(index, slot)

    def read_response(self, index):
        slot = self.read_slot(index)
        rid = struct.unpack_from("<H", slot)[0]
        if self.is_stat(rid):
            ret = struct.unpack_from("<i", slot, 20)[0]
            rest = slot[8:20] + bytes(4) + slot[24:]
            if ret == 0 and self.kinds[rid][1] < self.pages:
                self.write_page(self.kinds[rid][1], rest)
            elif ret:
                assert not any(rest), "attributes of a stat that failed: %r" % slot
            slot = slot[:8] + struct.pack("<q", ret) + bytes(40)
        assert not any(slot[32:]), "leavings in a response: %r" % slot
        return slot[:32]


class Front(Slots):
    """A frontend. Page 0 is the ring; page 1 is used by requests one at a time."""

    def __init__(self, path, export=None, pages=65, **more):
        super().__init__(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        self.sock.settimeout(PATIENCE)
        self.sock.connect(path)
        self.sock.setblocking(True)
        self.fd = -1
        self.prod = self.cons = 0
        if export:
            answer = self.session(export, pages, **more)
            if not answer or answer["status"] != "0":
                self.close()
                raise Gone("refused: %r" % (answer,))

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        super().close()

    # --- handshake

    def share(self, pages=65, fd=None):
        """Make memory, or take some of an earlier life."""
        self.fd = peer.make_memory(pages) if fd is None else fd
        self.map(self.fd, pages)
        if fd is None:
            self.set_req_event(1)
            self.set_rsp_event(1)

    def send(self, octets, fds=()):
        peer.send_packet(self.sock, octets, fds)

    def receive(self, timeout=PATIENCE):
        """The next answer, or None if the other side hung up."""
        answer, fds = answer_or_none(self.sock, timeout)
        if len(fds) == 2:
            self.ring_fd, self.wait_fd = fds
        else:
            peer.close_all(fds)
        return answer

    def offer(self, fds=None, **keys):
        """An exchange. With @fds None the memory goes along, if there is any."""
        if fds is None:
            fds = [self.fd] if self.fd >= 0 else []
        keys = {k.replace("_", "-"): v for k, v in keys.items() if v is not None}
        self.send(peer.pack(keys), fds)
        return self.receive()

    def session(self, export, pages=65, fds=None, **more):
        """Offer a session, with some keys changed or (None) left out."""
        if self.fd < 0 and fds is None:
            self.share(pages)
        keys = {"fsif": 1, "request": "session", "export": export, "dialects": DIALECT,
                "features": "errno", "pages": pages, "ring_pages": 1, "ring_ref": 0}
        keys.update(more)
        return self.offer(fds, **keys)

    # --- ring

    def ring(self, count=1):
        self.ring_bell(count)

    def publish(self, n, bell=True):
        self.prod = (self.prod + n) & peer.M32
        self.set_req_prod(self.prod)
        if bell:
            self.ring()

    def put(self, *slots, bell=True):
        for i, slot in enumerate(slots):
            self.write_request(self.prod + i, slot)
        self.publish(len(slots), bell)

    def take(self):
        """The next response that is there, as (id, ret, all 32 bytes), or None."""
        if self.rsp_prod() == self.cons:
            return None
        raw = self.read_response(self.cons)
        self.cons = (self.cons + 1) & peer.M32
        return struct.unpack_from("<H", raw)[0], struct.unpack_from("<q", raw, 8)[0], raw

    def get(self, timeout=PATIENCE):
        """Wait for the next response."""
        end = time.monotonic() + timeout
        while True:
            self.set_rsp_event(self.cons + 1)
            peer.fence()
            got = self.take()
            if got:
                return got
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no response")
            ready = peer.poll([self.wait_fd, self.sock.fileno()], left)
            if self.wait_fd in ready:
                self.clear_bell()
            elif ready and self.rsp_prod() == self.cons:
                raise Gone("the session has ended")

    def gone(self, timeout=PATIENCE):
        return self.wait_gone(timeout)

    # --- one request at a time

    def call(self, kind, operands, rid=0):
        self.put(request(kind, rid, operands))
        got, ret, _ = self.get()
        assert got == rid, "response %d to request %d" % (got, rid)
        return ret

    def set_name(self, gref, name, fill=None):
        if fill is not None:
            self.write_page(gref, bytes([fill]) * PAGE)
        self.write_page(gref, (os.fsencode(name) + b"\0")[:PAGE])

    def by_name(self, kind, name, gref=1, rid=0):
        self.set_name(gref, name)
        return self.call(kind, struct.pack("<I", gref), rid)

    def open(self, name, **k):
        return self.by_name(OPEN, name, **k)

    def remove(self, name, **k):
        return self.by_name(REMOVE, name, **k)

    def space(self, name, **k):
        return self.by_name(SPACE, name, **k)

    def close_handle(self, fd, rid=0):
        return self.call(CLOSE, struct.pack("<I", fd), rid)

    def sync(self, fd, rid=0):
        return self.call(SYNC, struct.pack("<I", fd), rid)

    def io(self, kind, fd, length, offset, gref=1, rid=0):
        return self.call(kind, struct.pack("<IIQQ", fd, gref, length, offset), rid)

    def read(self, fd, length, offset=0, gref=1):
        """The bytes, or a negative error."""
        n = self.io(READ, fd, length, offset, gref)
        return self.read_page(gref, n) if n >= 0 else n

    def write(self, fd, data, offset=0, gref=1):
        self.write_page(gref, data)
        return self.io(WRITE, fd, len(data), offset, gref)

    def stat(self, fd, gref=1, rid=0):
        """(mode, uid, gid, pad, size, atime, mtime, ctime), or a negative error."""
        ret = self.call(STAT, struct.pack("<II", fd, gref), rid)
        return struct.unpack("<iIIIqqqq", self.read_page(gref, 48)) if ret == 0 else ret

    def truncate(self, fd, length, rid=0):
        return self.call(TRUNCATE, struct.pack("<IIq", fd, 0, length), rid)

    def chmod(self, fd, mode, rid=0):
        return self.call(CHMOD, struct.pack("<Ii", fd, mode), rid)

    def create(self, name, mode=0o644, directory=0, gref=1, rid=0):
        self.set_name(gref, name)
        return self.call(CREATE, struct.pack("<bxxxiI", directory, mode, gref), rid)

    def mkdir(self, name, mode=0o755):
        return self.create(name, mode, 1)

    def rename(self, old, new, gref=1, rid=0):
        old, new = os.fsencode(old), os.fsencode(new)
        self.write_page(gref, b"old: " + old + b"\0new: " + new + b"\0")
        return self.rename_at(5, 5 + len(old) + 6, gref, rid)

    def rename_at(self, old, new, gref=1, rid=0):
        return self.call(RENAME, struct.pack("<HHI", old, new, gref), rid)

    def list_page(self, name, offset=0, gref=1, rid=0):
        """(names, more), or a negative error."""
        self.set_name(gref, name)
        ret = U64 & self.call(LIST, struct.pack("<II", offset & peer.M32, gref), rid)
        if ret >> 16 & peer.M32:
            return -(ret >> 16 & peer.M32)
        count = ret & 0xffff
        return self.read_page(gref).split(b"\0", count)[:count], ret >> 48

    def list(self, name):
        """All names, or a negative error."""
        names, more = [], 1
        while more:
            page = self.list_page(name, len(names))
            if isinstance(page, int):
                return page
            names += page[0]
            more = page[1]
        return names


class Back:
    """A backend that listens."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        self.listener.settimeout(PATIENCE)

    def close(self):
        self.listener.close()

    def accept(self, keys=None, fds=None, answer=True):
        """Take a frontend and start its session; with @keys, @fds instead of the right ones."""
        sock, _ = self.listener.accept()
        s = BackSession(sock)
        s.take_offer()
        if answer:
            s.answer_offer(keys, fds)
        return s


class BackSession(Slots):
    """A session from its backend's side."""

    def __init__(self, sock):
        super().__init__(sock)
        self.offer = None
        self.prod = self.cons = 0

    def take_offer(self):
        self.offer, fds = answer_or_none(self.sock)
        if fds:
            self.map(fds[0], os.fstat(fds[0]).st_size // PAGE)
            self.seals = fcntl.fcntl(fds[0], fcntl.F_GET_SEALS)
        peer.close_all(fds)

    def answer_offer(self, keys=None, fds=None):
        """@keys: a dictionary or bytes; @fds: other descriptors than two fresh bells"""
        self.wait_fd, self.ring_fd = (os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                                      for _ in range(2))
        if keys is None:
            keys = {"status": 0, "dialect": DIALECT, "features": "errno", "read-only": 0}
        octets = keys if isinstance(keys, bytes) else peer.pack(keys)
        peer.send_packet(self.sock, octets, [self.wait_fd, self.ring_fd] if fds is None else fds)

    def take(self, timeout=PATIENCE):
        """The next request as (type, id, operands), or None: the frontend has gone."""
        end = time.monotonic() + timeout
        while self.req_prod() == self.cons:
            self.set_req_event(self.cons + 1)
            peer.fence()
            if self.req_prod() != self.cons:
                break
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no request")
            try:
                self.wait_bell(left)
            except Gone:
                return None
        raw = self.read_request(self.cons)
        self.cons = (self.cons + 1) & peer.M32
        return raw[0], struct.unpack_from("<H", raw, 2)[0], raw[8:]

    def write_answer(self, rid, ret, pad=0):
        """Into the next slot, unpublished."""
        slot = struct.pack("<HHIQ", rid, pad & 0xffff, pad, ret & U64) + bytes([pad & 0xff]) * 16
        self.write_response(self.prod, slot)
        self.prod = (self.prod + 1) & peer.M32

    def answer(self, rid, ret, bell=True):
        self.write_answer(rid, ret)
        self.set_rsp_prod(self.prod)
        if bell:
            self.ring_bell()

    def sane(self, kind, operands):
        """What a well-behaved backend with one empty file and one empty folder answers."""
        if kind in (READ, WRITE):
            return struct.unpack_from("<Q", operands, 8)[0]
        gref = struct.unpack_from("<I", operands, 4)[0]
        if kind == STAT:
            self.write_page(gref, struct.pack("<iIIIqqqq", 0o100644, 0, 0, 0, 0, 0, 0, 0))
        if kind == LIST:
            self.write_page(gref, b".\0..\0")
            return 2
        return 0

    def serve(self, special=None):
        """Answer until the frontend goes. @special(session, kind, rid, operands) returns True if
        it has dealt with a request, else a sane answer is given."""
        end = time.monotonic() + 2 * PATIENCE
        while True:
            if time.monotonic() > end:
                raise TimeoutError("the frontend goes on and on")
            got = self.take()
            if not got:
                return
            if not (special and special(self, *got)):
                self.answer(got[1], self.sane(got[0], got[2]))
