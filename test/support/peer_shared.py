# SPDX-License-Identifier: MIT
"""What both sides of peer.py have: dictionaries, packets, memory, bells, the ring's words.

Memory order: a ring word is read and written as one aligned u32 through a memoryview. On x86
stores become visible in program order and loads are not reordered with older loads, so only a
store followed by a load of another word needs a fence: taking a lock executes a locked
instruction, which is one. On other machines this script is not correct.
"""

import array
import fcntl
import mmap
import os
import select
import socket
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

    slot_size = SLOT  # of dialect 1

    def __init__(self, sock):
        self.sock = sock
        self.memory = None
        self.pages = 0
        self.ring_page = 0
        self.ring_fd = -1  # we ring it
        self.wait_fd = -1  # we wait on it
        self._u32 = None
        self.produced = 0

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
        return self.ring_page * PAGE + SLOTS_AT + (index % SLOTS) * self.slot_size

    def read_slot(self, index):
        at = self.slot_at(index)
        return bytes(self.memory[at:at + self.slot_size])

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

    # Producing; the index is `produced`
    def put(self, octets):
        """Write an entry into the next slot without publishing it."""
        self.write_slot(self.produced, octets)
        self.produced = (self.produced + 1) & M32

    def publish_as(self, prod, event):
        """Publish what was put in word @prod; True if word @event asked for a bell, which was rung."""
        old = self.word(prod)
        self.set_word(prod, self.produced)
        fence()
        asked = (self.produced - self.word(event)) & M32 < (self.produced - old) & M32
        if asked:
            self.ring_bell()
        return asked

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
