# SPDX-License-Identifier: MIT
"""The backend of peer.py, for hostile tests of frontends."""

import fcntl
import os
import socket
import struct
import time

from peer_shared import (CREATE, LIST, M32, OPEN, PAGE, READ, REMOVE, RENAME, RSP_EVENT,
                         RSP_PROD, SEALS, SPACE, STAT, WRITE, close_all, fence, pack, poll, ProtocolError,
                         receive_packet, send_packet, Shared, unpack)


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

    def publish(self):
        return self.publish_as(RSP_PROD, RSP_EVENT)

    def respond(self, rid, ret, page=None):
        """Answer as it should be done. page: (gref, octets) to write before."""
        if page:
            self.write_page(*page)
        self.put(self.response(rid, ret))
        return self.publish()
