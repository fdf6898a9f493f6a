# SPDX-License-Identifier: MIT
"""What both sides of peer3.py have: the area, rings of queues, bells."""

import mmap
import os
import struct
import time

import peer_wire3 as w
from peer_shared import M32, PAGE, PeerGone, close_all, fence, poll

# Ring words, by offset
REQ_PROD, RSP_EVENT, NOTICES_SEEN, RSP_PROD, REQ_EVENT = 0, 4, 8, 64, 68


class Area:
    """Pages of shared memory, wherever they lie in it, as one piece."""

    def __init__(self, memory, refs):
        self.memory = memory
        self.words = memoryview(memory).cast("I")
        self.refs = refs

    def release(self):
        self.words.release()

    def place(self, at):
        return self.refs[at // PAGE] * PAGE + at % PAGE

    def read(self, at, length):
        out = b""
        while length:
            n = min(length, PAGE - at % PAGE)
            start = self.place(at)
            out += self.memory[start:start + n]
            at, length = at + n, length - n
        return out

    def write(self, at, octets):
        done = 0
        while done < len(octets):
            n = min(len(octets) - done, PAGE - (at + done) % PAGE)
            start = self.place(at + done)
            self.memory[start:start + n] = bytes(octets[done:done + n])
            done += n

    def word(self, at):
        return self.words[self.place(at) // 4]

    def set_word(self, at, value):
        self.words[self.place(at) // 4] = value & M32


class Queue:
    """One queue from either side: its ring and its bells."""

    def __init__(self, area, at, slots):
        self.area = area
        self.at = at
        self.slots = slots
        self.ring_fd = self.wait_fd = -1
        self.produced = self.consumed = 0

    def word(self, which):
        return self.area.word(self.at + which)

    def set_word(self, which, value):
        self.area.set_word(self.at + which, value)

    def slot_at(self, index):
        return self.at + w.HEAD + index % self.slots * w.SLOT

    def entry_at(self, index):
        return self.at + w.HEAD + self.slots * w.SLOT + index % (2 * self.slots) * w.ENTRY

    def read_slot(self, index):
        return self.area.read(self.slot_at(index), w.SLOT)

    def write_slot(self, index, octets):
        self.area.write(self.slot_at(index), octets)

    def read_entry(self, index):
        entry = self.area.read(self.entry_at(index), w.SLOT)
        if entry[3] & w.LONG:
            entry += self.area.read(self.entry_at(index) + w.SLOT, w.SLOT)
        return entry

    def write_entry(self, index, octets):
        self.area.write(self.entry_at(index), octets)

    def publish(self, prod, event, bell=None):
        """Publish what was written up to self.produced. True if the other side asked for a bell;
        it is rung then, or as @bell says."""
        old = self.word(prod)
        self.set_word(prod, self.produced)
        fence()
        asked = (self.produced - self.word(event)) & M32 < (self.produced - old) & M32
        if asked if bell is None else bell:
            self.ring_bell()
        return asked

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


class Side:
    """A session from either side: memory, queues, socket."""

    def __init__(self, sock):
        self.sock = sock
        self.memory = None
        self.area = None
        self.queues = []
        self.arena_at = 0
        self.arena_size = 0

    def map(self, fd, pages):
        self.memory = mmap.mmap(fd, pages * PAGE)

    def lay_out(self, refs, queues, slots, arena_pages):
        """The area from its pages' grefs."""
        self.area = Area(self.memory, refs)
        ring = w.ring_pages(slots) * PAGE
        self.queues = [Queue(self.area, i * ring, slots) for i in range(queues)]
        self.arena_at = queues * ring
        self.arena_size = arena_pages * PAGE

    def read_page(self, gref, length=PAGE, offset=0):
        at = gref * PAGE + offset
        return self.memory[at:at + length]

    def write_page(self, gref, octets, offset=0):
        at = gref * PAGE + offset
        self.memory[at:at + len(octets)] = bytes(octets)

    def read_arena(self, at, length):
        return self.area.read(self.arena_at + at, length)

    def write_arena(self, at, octets):
        self.area.write(self.arena_at + at, octets)

    def read_ranges(self, ranges, length):
        """The first @length octets of several ranges."""
        out = b""
        for at, most in ranges:
            out += self.read_arena(at, min(most, length - len(out)))
        return out

    def write_ranges(self, ranges, octets):
        done = 0
        for at, most in ranges:
            n = min(most, len(octets) - done)
            self.write_arena(at, octets[done:done + n])
            done += n

    def wait_bells(self, timeout):
        """True: one was rung (and is cleared); False: time-out; PeerGone if the socket ends."""
        bells = {q.wait_fd: q for q in self.queues if q.wait_fd >= 0}
        ready = poll([*bells, self.sock.fileno()], timeout)
        rung = [fd for fd in ready if fd in bells]
        for fd in rung:
            bells[fd].clear_bell()
        if not rung and ready and not self.alive():
            raise PeerGone("while waiting for a bell")
        return bool(rung)

    def alive(self):
        """False once the other side closed its socket."""
        try:
            return self.sock.recv(1, 0x2 | 0x40) != b""  # MSG_PEEK | MSG_DONTWAIT
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
        if self.area is not None:
            self.area.release()
            self.area = None
        if self.memory is not None:
            self.memory.close()
            self.memory = None

    def close(self):
        self.close_memory()
        for q in self.queues:
            close_all(fd for fd in (q.ring_fd, q.wait_fd) if fd >= 0)
            q.ring_fd = q.wait_fd = -1
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def read_directory(memory, gref, count):
    """The grefs of the area's pages."""
    refs = []
    while len(refs) < count:
        page = memory[gref * PAGE:(gref + 1) * PAGE]
        n = min(1023, count - len(refs))
        gref, *part = struct.unpack_from(f"<I{n}I", page)
        refs += part
    return refs
