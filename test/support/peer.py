#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A second implementation of the FSIF protocol, dialect 1 over shm, written from
libfsif/PROTOCOL.md and using nothing of libfsif: Python's standard library only.

It is three things:

* A well-behaved client of any backend:
      peer.py SOCKET exports
      peer.py SOCKET EXPORT ls|cat|stat|rm|mkdir|df PATH
      peer.py SOCKET EXPORT put LOCAL PATH          mv OLD NEW
      peer.py SOCKET EXPORT chmod MODE PATH         truncate SIZE PATH
      peer.py SOCKET EXPORT selftest [DIR]          all 13 operations: "N passed, N failed"
* A raw frontend for hostile tests: class Peer and class Session give access to every ring
  word, slot, page, bell and packet; make_memory() makes memory of every wrong kind.
* A raw backend for hostile tests of frontends: class Server and class Victim.

    with Peer("/run/fsif.sock") as p:
        s = p.session("data")
        h = s.open("file")                       # well-behaved
        s.write_slot(0, bytes(32)); s.set_req_prod(1); s.ring_bell()      # raw

    server = Server("/tmp/x.sock")
    v = server.accept(); offer, fds = v.receive_offer(); v.take_memory(offer, fds)
    v.answer_session(); index, op, rid, slot = v.next_request(); v.respond(rid, -5)

Memory order: a ring word is read and written as one aligned u32 through a memoryview. On x86
stores become visible in program order and loads are not reordered with older loads, so only a
store followed by a load of another word needs a fence: taking a lock executes a locked
instruction, which is one. On other machines this script is not correct.
"""

import argparse
import array
import errno
import fcntl
import mmap
import os
import select
import socket
import stat as stat_module
import struct
import sys
import threading
import time

PAGE = 4096
SLOTS = 64
SLOT = 32
SLOTS_AT = 64

# Ring words, by number of u32
REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT = 0, 1, 2, 3

OPEN, CLOSE, READ, WRITE, STAT, TRUNCATE, REMOVE = 1, 2, 3, 4, 5, 6, 7
RENAME, CREATE, LIST, CHMOD, SPACE, SYNC = 8, 9, 10, 11, 12, 13

F_SEAL_FUTURE_WRITE = 0x10
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
MFD_HUGETLB = 0x4

M32 = 0xFFFFFFFF

_fence_lock = threading.Lock()


def fence():
    """A full barrier on x86: lock cmpxchg."""
    _fence_lock.acquire()
    _fence_lock.release()


class FsifError(OSError):
    """An error number that the backend answered with."""


class PeerGone(Exception):
    """The other side closed its socket."""


class ProtocolError(Exception):
    """The other side broke the protocol."""


def error(number):
    return FsifError(number, os.strerror(number))


# --- dictionaries ---------------------------------------------------------------------------


def pack(keys):
    """A dictionary as octets. Nothing is checked: hostile keys are the caller's right."""
    return "".join(f"{k}={v}\n" for k, v in keys.items()).encode("latin-1")


def unpack(octets):
    """A dictionary from octets, checked as the protocol says."""
    if len(octets) > 4000 or not octets.endswith(b"\n"):
        raise ProtocolError("malformed dictionary")
    keys = {}
    for line in octets.decode("latin-1")[:-1].split("\n"):
        key, equals, value = line.partition("=")
        if (not equals or not 1 <= len(key) <= 31 or len(value) > 255 or key in keys
                or any(c not in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in key)
                or any(not " " <= c <= "~" for c in value)):
            raise ProtocolError(f"malformed line {line!r}")
        keys[key] = value
    return keys


def number(keys, key, low, high):
    value = keys.get(key, "")
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise ProtocolError(f"{key}={value!r}")
    return int(value)


# --- memory and packets ---------------------------------------------------------------------


def make_memory(pages, seals=SEALS, size=None, hugetlb=False, path=None):
    """A descriptor of shared memory, right or wrong.

    seals: 0 for none; size: octets, if not pages * 4096; hugetlb: of huge pages (raises OSError
    where the kernel has none); path: an ordinary file instead of a memfd.
    """
    if path is not None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    else:
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | (MFD_HUGETLB if hugetlb else 0)
        fd = os.memfd_create("peer", flags)
    try:
        os.ftruncate(fd, pages * PAGE if size is None else size)
        if seals and path is None:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(fd)
        raise
    return fd


def send_packet(sock, octets, fds=()):
    control = []
    if fds:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
    sock.sendmsg([octets], control, socket.MSG_NOSIGNAL)


def receive_packet(sock, timeout=10.0):
    """(octets, descriptors). PeerGone at the end, TimeoutError in between."""
    if not poll([sock.fileno()], timeout):
        raise TimeoutError("no packet")
    try:
        octets, control, flags, _ = sock.recvmsg(
            65536, socket.CMSG_SPACE(4 * 64), socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError as e:
        raise PeerGone("connection reset") from e
    fds = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[:len(data) - len(data) % 4])
    if not octets:
        close_all(fds)
        raise PeerGone("end of file")
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(fds)
        raise ProtocolError("packet too long")
    return octets, list(fds)


def close_all(fds):
    for fd in fds:
        os.close(fd)


def poll(fds, timeout):
    """The descriptors that are readable or hung up. timeout: seconds, None for ever."""
    p = select.poll()
    for fd in fds:
        p.register(fd, select.POLLIN)
    return [fd for fd, _ in p.poll(None if timeout is None else max(0, timeout) * 1000)]


# --- what both sides have -------------------------------------------------------------------


class Shared:
    """The shared memory, the bells and the socket of a session, from either side."""

    def __init__(self, sock):
        self.sock = sock
        self.memory = None
        self.pages = 0
        self.ring_page = 0
        self.ring_fd = -1  # we ring it
        self.wait_fd = -1  # we wait on it
        self._u32 = None

    def map(self, fd, pages, ring_page=0):
        self.memory = mmap.mmap(fd, pages * PAGE)
        self.pages = pages
        self.ring_page = ring_page
        self._u32 = memoryview(self.memory).cast("I")

    # Ring words
    def word(self, n):
        return self._u32[self.ring_page * PAGE // 4 + n]

    def set_word(self, n, value):
        self._u32[self.ring_page * PAGE // 4 + n] = value & M32

    def req_prod(self):
        return self.word(REQ_PROD)

    def req_event(self):
        return self.word(REQ_EVENT)

    def rsp_prod(self):
        return self.word(RSP_PROD)

    def rsp_event(self):
        return self.word(RSP_EVENT)

    def set_req_prod(self, value):
        self.set_word(REQ_PROD, value)

    def set_req_event(self, value):
        self.set_word(REQ_EVENT, value)

    def set_rsp_prod(self, value):
        self.set_word(RSP_PROD, value)

    def set_rsp_event(self, value):
        self.set_word(RSP_EVENT, value)

    # Slots and pages
    def slot_at(self, index):
        return self.ring_page * PAGE + SLOTS_AT + (index % SLOTS) * SLOT

    def read_slot(self, index):
        at = self.slot_at(index)
        return bytes(self.memory[at:at + SLOT])

    def write_slot(self, index, octets):
        at = self.slot_at(index)
        self.memory[at:at + len(octets)] = bytes(octets)

    def read_page(self, gref, length=PAGE, offset=0):
        at = gref * PAGE + offset
        return bytes(self.memory[at:at + length])

    def write_page(self, gref, octets, offset=0):
        at = gref * PAGE + offset
        self.memory[at:at + len(octets)] = bytes(octets)

    # Bells
    def ring_bell(self, count=1):
        try:
            os.eventfd_write(self.ring_fd, count)
        except BlockingIOError:
            pass  # it rings already

    def clear_bell(self):
        try:
            return os.eventfd_read(self.wait_fd)
        except BlockingIOError:
            return 0

    def wait_bell(self, timeout=10.0):
        """True: rung (and cleared); False: time-out; PeerGone if the socket says so first."""
        ready = poll([self.wait_fd, self.sock.fileno()], timeout)
        if self.wait_fd in ready:
            self.clear_bell()
            return True
        if ready and not self.alive():
            raise PeerGone("while waiting for the bell")
        return False

    # The other side
    def alive(self):
        """False once the other side closed its socket."""
        try:
            return self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def wait_gone(self, timeout=10.0):
        """True when the other side has closed its socket within the time."""
        end = time.monotonic() + timeout
        while self.alive():
            left = end - time.monotonic()
            if left <= 0:
                return False
            poll([self.sock.fileno()], left)
        return True

    def close_memory(self):
        if self._u32 is not None:
            self._u32.release()
            self._u32 = None
        if self.memory is not None:
            self.memory.close()
            self.memory = None

    def close(self):
        self.close_memory()
        close_all(fd for fd in (self.ring_fd, self.wait_fd) if fd >= 0)
        self.ring_fd = self.wait_fd = -1
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


# --- frontend -------------------------------------------------------------------------------


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
        self.produced = 0  # own index of requests
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

    def put(self, octets):
        """Write a request into the next slot without publishing it."""
        self.write_slot(self.produced, octets)
        self.produced = (self.produced + 1) & M32

    def publish(self):
        """Publish what was put; True if the backend asked for a bell, which was rung."""
        old = self.req_prod()
        self.set_req_prod(self.produced)
        fence()
        asked = (self.produced - self.req_event()) & M32 < (self.produced - old) & M32
        if asked:
            self.ring_bell()
        return asked

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


# --- backend --------------------------------------------------------------------------------


class Server:
    """A raw backend: listens; each connection is a Victim."""

    def __init__(self, path):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.bind(path)
        self.sock.listen(16)

    def accept(self, timeout=10.0):
        if not poll([self.sock.fileno()], timeout):
            raise TimeoutError("nobody connected")
        sock, _ = self.sock.accept()
        return Victim(sock)

    def close(self):
        self.sock.close()
        os.unlink(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class Victim(Shared):
    """A frontend that connected to us. Nothing is done by itself; every step is a call."""

    def __init__(self, sock):
        super().__init__(sock)
        self.consumed = 0  # own index of requests
        self.produced = 0  # own index of responses

    def receive_offer(self, timeout=10.0):
        """(keys, descriptors)"""
        octets, fds = receive_packet(self.sock, timeout)
        return unpack(octets), fds

    def take_memory(self, offer, fds):
        """Map the memory of a session's offer; closes the descriptors."""
        try:
            if len(fds) != 1 or os.fstat(fds[0]).st_size != int(offer["pages"]) * PAGE:
                raise ProtocolError("not the memory of the offer")
            missing = SEALS & ~fcntl.fcntl(fds[0], fcntl.F_GET_SEALS)
            if missing:
                raise ProtocolError(f"seals {missing:#x} are missing")
            self.map(fds[0], int(offer["pages"]), int(offer["ring-ref"]))
        finally:
            close_all(fds)
        words = [self.word(n) for n in range(4)]
        if words not in ([0, 0, 0, 0], [0, 1, 0, 1]):
            raise ProtocolError(f"a ring that begins with {words}")

    def answer(self, keys, fds=()):
        """Any keys (or raw octets), any descriptors."""
        send_packet(self.sock, keys if isinstance(keys, bytes) else pack(keys), fds)

    def answer_session(self, features="errno", bells=None, **changes):
        """A right answer with two fresh bells, then changed as in Peer.offer_keys()."""
        keys = {"status": 0, "dialect": 1, "features": features, "read-only": 0}
        for key, value in changes.items():
            key = key.replace("_", "-")
            if value is None:
                keys.pop(key, None)
            else:
                keys[key] = value
        if bells is None:
            flags = os.EFD_CLOEXEC | os.EFD_NONBLOCK
            bells = [os.eventfd(0, flags), os.eventfd(0, flags)]
        self.wait_fd, self.ring_fd = bells[0], bells[1]
        self.answer(keys, bells)

    def accept_session(self, timeout=10.0):
        """The whole right handshake of a session; exports offers are answered with none."""
        while True:
            offer, fds = self.receive_offer(timeout)
            if offer.get("request") == "session":
                break
            close_all(fds)
            self.answer({"status": 0, "more": 0})
        self.take_memory(offer, fds)
        self.answer_session()
        return offer

    def next_request(self, timeout=10.0):
        """(index, operation, id, slot) of the next request; TimeoutError, PeerGone."""
        end = time.monotonic() + timeout
        while self.req_prod() == self.consumed:
            self.set_req_event(self.consumed + 1)
            fence()
            if self.req_prod() != self.consumed:
                break
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no request")
            self.wait_bell(left)
        index = self.consumed
        slot = self.read_slot(index)
        self.consumed = (index + 1) & M32
        return index, slot[0], struct.unpack_from("=H", slot, 2)[0], slot

    @staticmethod
    def gref(slot):
        """The gref of a request, 0 for one that has none."""
        at = {OPEN: 8, REMOVE: 8, SPACE: 8, READ: 12, WRITE: 12, STAT: 12, RENAME: 12, LIST: 12,
              CREATE: 16}.get(slot[0])
        return struct.unpack_from("=I", slot, at)[0] if at else 0

    @staticmethod
    def response(rid, ret):
        return struct.pack("=H6xQ16x", rid & 0xFFFF, ret & 0xFFFFFFFFFFFFFFFF)

    def put(self, octets):
        """Write a response into the next slot without publishing it."""
        self.write_slot(self.produced, octets)
        self.produced = (self.produced + 1) & M32

    def publish(self):
        old = self.rsp_prod()
        self.set_rsp_prod(self.produced)
        fence()
        asked = (self.produced - self.rsp_event()) & M32 < (self.produced - old) & M32
        if asked:
            self.ring_bell()
        return asked

    def respond(self, rid, ret, page=None):
        """Answer as it should be done. page: (gref, octets) to write before."""
        if page:
            self.write_page(*page)
        self.put(self.response(rid, ret))
        return self.publish()


# --- self-test ------------------------------------------------------------------------------


class SelfTest:
    """Every operation, in a folder of its own that is removed at the end."""

    def __init__(self, session, folder):
        self.s = session
        self.folder = folder.rstrip("/") or "."
        self.passed = self.failed = 0

    def check(self, what, ok):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}")

    def fails(self, what, number_, call, *args):
        # A listing carries its error number even where other answers do not.
        told = self.s.errno_feature or call == self.s.list
        want = number_ if told else errno.EIO
        try:
            call(*args)
        except FsifError as e:
            self.check(f"{what}: {errno.errorcode.get(e.errno)}", e.errno == want)
        else:
            self.check(f"{what}: no error", False)

    def run(self):
        if self.s.read_only:
            self.read_only()
        else:
            top = f"{self.folder}/peer-selftest-{os.getpid()}"
            self.check("mkdir", self.s.create(top, 0o755, True) == 0)
            for part in (self.files, self.names, self.listing, self.pipeline, self.errors):
                part(top)
            self.check("rmdir", self.s.remove(top) == 0)
        print(f"{self.passed} passed, {self.failed} failed")
        return self.failed == 0

    def read_only(self):
        names = self.s.list(self.folder)
        self.check("list", b"." in names and b".." in names)
        self.check("space", self.s.space(self.folder) >= 0)
        h = self.s.open(self.folder)
        self.check("stat", stat_module.S_ISDIR(self.s.stat(h)["mode"]))
        self.fails("chmod", errno.EROFS, self.s.chmod, h, 0o700)
        self.check("close", self.s.close_handle(h) == 0)
        new = f"{self.folder}/peer-selftest"
        self.fails("create", errno.EROFS, self.s.create, new)
        self.fails("mkdir", errno.EROFS, self.s.create, new, 0o755, True)

    def files(self, top):
        s, name = self.s, f"{top}/file"
        data = bytes(range(256)) * 16
        h = s.create(name, 0o640)
        self.check("write", s.write(h, data, 0) == PAGE)
        self.check("write with offset", s.write(h, b"tail", 10000) == 4)
        self.check("write nothing", s.write(h, b"", 5) == 0)
        self.check("read", s.read(h, PAGE, 0) == data)
        self.check("read within a page", s.read(h, 10, 7) == data[7:17])
        self.check("read a gap", s.read(h, PAGE, PAGE) == bytes(PAGE))
        self.check("read to the end", s.read(h, PAGE, 10000) == b"tail")
        self.check("read at the end", s.read(h, PAGE, 10004) == b"")
        self.check("read nothing", s.read(h, 0, 0) == b"")
        a = s.stat(h)
        self.check("stat size", a["size"] == 10004)
        self.check("stat mode", a["mode"] == stat_module.S_IFREG | 0o640)
        self.check("stat time", abs(a["mtime"] - time.time()) < 3600)
        self.check("chmod", s.chmod(h, 0o600) == 0 and s.stat(h)["mode"] & 0o7777 == 0o600)
        self.check("truncate", s.truncate(h, 100) == 0 and s.stat(h)["size"] == 100)
        self.check("truncate to more", s.truncate(h, 200) == 0 and s.read(h, PAGE, 90) ==
                   data[90:100] + bytes(100))
        self.check("sync", s.sync(h) == 0)
        self.check("close", s.close_handle(h) == 0)
        self.fails("close twice", errno.EBADF, s.close_handle, h)
        h = s.open(name)
        self.check("open again", s.read(h, 3, 0) == data[:3])
        s.close_handle(h)
        h = s.create(name)
        self.check("create empties", s.stat(h)["size"] == 0)
        s.close_handle(h)
        self.check("remove", s.remove(name) == 0)

    def names(self, top):
        s = self.s
        for name in ("a..b", "...", "with space", "\udcff\udc80", "\x01\x7f\n", "n" * 255):
            h = s.create(f"{top}/{name}")
            s.close_handle(h)
            self.check(f"list {name!r}", os.fsencode(name) in s.list(top))
            h = s.open(f"//{top}/.//{name}")
            s.close_handle(h)
            self.check(f"rename {name!r}", s.rename(f"{top}/{name}", f"/{top}/new") == 0)
            self.fails(f"open {name!r}", errno.ENOENT, s.open, f"{top}/{name}")
            self.check("remove", s.remove(f"{top}/new") == 0)
        self.fails("dot dot", errno.EACCES, s.open, f"{top}/../{top}")
        self.fails("empty", errno.ENOENT, s.open, "")
        self.fails("long component", errno.ENAMETOOLONG, s.open, f"{top}/" + "n" * 256)
        self.fails("no NUL", errno.ENAMETOOLONG, s.call_page, OPEN,
                   lambda g: struct.pack("=I", g), b"x" * PAGE)
        h = s.open(f"{top}/")
        self.check("open a directory", stat_module.S_ISDIR(s.stat(h)["mode"]))
        self.fails("read a directory", errno.EISDIR, s.read, h, 10, 0)
        self.check("sync a directory", s.sync(h) == 0)
        s.close_handle(h)
        self.check("root", stat_module.S_ISDIR(s.stat(h := s.open("/"))["mode"]))
        s.close_handle(h)

    def listing(self, top):
        s, folder = self.s, f"{top}/many"
        s.create(folder, 0o755, True)
        want = {b".", b".."}
        self.check("list an empty folder", set(s.list(folder)) == want)
        for i in range(100):
            name = f"{i:03}-" + "x" * 100
            s.close_handle(s.create(f"{folder}/{name}"))
            want.add(name.encode())
        names = s.list(folder)
        self.check("list of several pages", len(names) == len(want) and set(names) == want)
        page, more = s.list_page(folder, 0)
        self.check("more", more == 1 and 0 < len(page) < len(want))
        page, more = s.list_page(folder, len(want))
        self.check("list at the end", (page, more) == ([], 0))
        page, more = s.list_page(folder, M32)
        self.check("list beyond the end", (page, more) == ([], 0))
        rest, more = s.list_page(folder, len(want) - 3)
        self.check("list that starts in the middle", len(rest) == 3 and more == 0)
        self.fails("remove a full folder", errno.ENOTEMPTY, s.remove, folder)
        for name in want - {b".", b".."}:
            s.remove(f"{folder}/{os.fsdecode(name)}")
        self.check("remove an empty folder", s.remove(folder) == 0)

    def pipeline(self, top):
        s, name = self.s, f"{top}/pipe"
        h = s.create(name)
        ids = min(SLOTS, s.pages - 1)
        for rid in range(ids):
            s.write_page(s.gref_of(rid), bytes([rid]) * PAGE)
            s.pending.add(rid)
            s.put(s.request(WRITE, rid, struct.pack("=IIQQ", h, s.gref_of(rid), PAGE, rid * PAGE)))
        s.publish()
        self.check("all ids at once", all(s.wait(rid) == PAGE for rid in range(ids)))
        self.check("and their data", s.read_all(h) == b"".join(bytes([i]) * PAGE
                                                               for i in range(ids)))
        for _ in range(3 * SLOTS):  # around the ring
            s.read(h, 1, 0)
        self.check("space", s.space(top) > 0)
        s.close_handle(h)
        s.remove(name)

    def errors(self, top):
        s, name = self.s, f"{top}/errors"
        h = s.create(name)
        page = s.gref_of(0)
        self.fails("unknown operation", errno.ENOSYS, s.call, 0, b"")
        self.fails("unknown operation", errno.ENOSYS, s.call, 255, b"\xff" * 24)
        self.fails("bad handle", errno.EBADF, s.read, M32, 1, 0)
        self.fails("bad gref", errno.EFAULT, s.call, OPEN, struct.pack("=I", s.pages))
        self.fails("length", errno.EINVAL, s.call, READ,
                   struct.pack("=IIQQ", h, page, PAGE + 1, 0))
        self.fails("offset", errno.EINVAL, s.call, WRITE,
                   struct.pack("=IIQQ", h, page, 1, (1 << 63) - 1))
        self.fails("negative size", errno.EINVAL, s.truncate, h, -1)
        self.fails("rename outside the page", errno.EINVAL, s.call, RENAME,
                   struct.pack("=HHI", 5, 4096, page))
        self.fails("rename in one name", errno.EINVAL, s.call_page, RENAME,
                   lambda g: struct.pack("=HHI", 0, 2, g), b"abcdef\0")
        self.fails("mkdir twice", errno.EEXIST, s.create, top, 0o755, True)
        self.fails("no such file", errno.ENOENT, s.remove, f"{top}/nothing")
        self.fails("file as folder", errno.ENOTDIR, s.open, f"{name}/x")
        self.fails("file with slash", errno.ENOTDIR, s.open, f"{name}/")
        self.fails("list a file", errno.ENOTDIR, s.list, name)
        s.close_handle(h)
        s.remove(name)


# --- command line ---------------------------------------------------------------------------


def command(s, words):
    op, args = words[0], words[1:]
    if op == "ls":
        for name in sorted(s.list(args[0] if args else "/")):
            sys.stdout.buffer.write(name + b"\n")
    elif op == "cat":
        sys.stdout.buffer.write(s.read_all(s.open(args[0])))
    elif op == "put":
        with open(args[0], "rb") as f:
            h = s.create(args[1])
            s.write_all(h, f.read())
            s.close_handle(h)
    elif op == "stat":
        for key, value in s.stat(s.open(args[0])).items():
            print(f"{key}={value:o}" if key == "mode" else f"{key}={value}")
    elif op == "rm":
        s.remove(args[0])
    elif op == "mv":
        s.rename(args[0], args[1])
    elif op == "mkdir":
        s.create(args[0], 0o755, True)
    elif op == "chmod":
        s.chmod(s.open(args[1]), int(args[0], 8))
    elif op == "truncate":
        s.truncate(s.open(args[1]), int(args[0]))
    elif op == "df":
        print(s.space(args[0] if args else "/"))
    elif op == "selftest":
        return SelfTest(s, args[0] if args else ".").run()
    else:
        sys.exit(f"peer.py: no command {op}")
    return True


def main():
    parser = argparse.ArgumentParser(usage="peer.py SOCKET exports | "
                                     "peer.py SOCKET EXPORT COMMAND [ARGUMENT ...]")
    parser.add_argument("--pages", type=int, default=65, help="pages to share, 2 to 1025")
    parser.add_argument("--features", default="errno", help="words to offer")
    parser.add_argument("socket")
    parser.add_argument("words", nargs="+")
    a = parser.parse_args()
    try:
        with Peer(a.socket) as p:
            if a.words == ["exports"]:
                for name, read_only in p.list_exports():
                    print(name, "ro" if read_only else "rw")
                return 0
            if len(a.words) < 2:
                parser.error("a command is missing")
            with p.session(a.words[0], pages=a.pages, features=a.features) as s:
                return 0 if command(s, a.words[1:]) else 1
    except (OSError, PeerGone, ProtocolError) as e:
        print(f"peer.py: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
