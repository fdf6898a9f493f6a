# SPDX-License-Identifier: MIT
"""testlib.Front in dialect 3: the same steps, so that the same tests run in either."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import peer_wire3 as w
from peer_front3 import Session3
from peer_shared import FsifError, PeerGone, make_memory

QUEUES, SLOTS = 1, 64


class Steps:
    """Mixed into a class that connects, sends and receives packets."""

    memory = None
    session3 = None

    def share(self, pages=65):
        ring = QUEUES * w.ring_pages(SLOTS)
        own = w.directory_pages(pages)
        self.pages, self.arena_pages = pages, pages - own - ring
        self.memfd = make_memory(pages)
        s = self.session3 = Session3(self.sock)
        s.map(self.memfd, pages)
        refs = list(range(own, pages))
        for gref, octets in enumerate(w.pack_directory(list(range(own)), refs)):
            s.write_page(gref, octets)
        s.lay_out(refs, QUEUES, SLOTS, self.arena_pages)
        s.format()
        self.taken = {}

    def session_keys(self, export):
        return dict(fsif=1, request="session", export=export, dialects=3, features="errno",
                    pages=self.pages, queues=QUEUES, slots=SLOTS, arena_pages=self.arena_pages,
                    max_io=min(self.arena_pages * 4096, 1 << 20), directory=0)

    def started(self, answer):
        keys = {k.replace("_", "-"): v for k, v in self.session_keys("").items()}
        self.session3.start(answer, self.bells, keys)

    def drop_memory(self):
        if self.session3:
            self.session3.close_memory()

    # --- the ring

    def put_op(self, op, number, **operands):
        self.session3.queue(op, rid=number, **operands)

    def put_read(self, number, handle, length):
        self.put_op("read", number, handle=handle, ranges=[(self.part(number), length)])

    def put_write(self, number, handle, data):
        self.session3.write_arena(self.part(number), data)
        self.put_op("write", number, handle=handle, ranges=[(self.part(number), len(data))])

    def put_stat(self, number, handle):
        self.put_op("stat", number, handle=handle)

    def put_list(self, number):
        """A directory that is opened, in place of a whole listing."""
        self.put_op("open", number, handle=w.ROOT, path=".", flags=w.DIRECTORY)

    def put_open(self, number, name):
        self.put_op("open", number, handle=w.ROOT, path=name, flags=w.RDWR)

    def put_directory(self, number, name):
        self.put_op("mkdir", number, handle=w.ROOT, path=name, mode=0o755)

    def part(self, number):
        """Each id has a part of the arena."""
        return number % (self.arena_pages - 1) * 4096

    def publish_silently(self):
        self.session3.publish(bell=False)

    def publish(self):
        self.session3.publish(bell=True)

    def ring(self):
        self.session3.queues[0].ring_bell()

    def answers(self):
        s = self.session3
        s.collect()
        found = [(rid, s.done[where, rid][0]) for where, rid in s.done]
        s.done.clear()
        return found

    def wait(self, count, timeout=30):
        """At least @count responses, perhaps more."""
        found = self.answers()
        end = time.monotonic() + timeout
        while len(found) < count:
            self.session3.sleep(end)
            found += self.answers()
        return found

    def value(self, op, **operands):
        s = self.session3
        try:
            return s.wait(s.submit(op, **operands))[0]
        except PeerGone:
            return None

    def create(self, name, mode=0o644):
        return self.value("open", handle=w.ROOT, path=name, flags=w.CREAT | w.TRUNC | w.RDWR,
                          mode=mode)

    def open(self, name):
        return self.value("open", handle=w.ROOT, path=name, flags=w.RDWR)

    def write(self, handle, data, offset=0):
        try:
            return self.session3.write(handle, data, offset)
        except FsifError as error:
            return -error.errno

    def read(self, handle, length, offset=0):
        try:
            return self.session3.read(handle, length, offset)
        except FsifError as error:
            return -error.errno
