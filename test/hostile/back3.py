# SPDX-License-Identifier: MIT
"""The attacker of the F rows in dialect 3: a raw backend on test/support/peer3.py that answers
sanely until a row says otherwise, and what those rows share."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import peer_wire3 as w
from peer3 import PeerGone, Server3, Victim3
from peer_shared import M32, PAGE, close_all, poll

from harness import Victim

__all__ = ["ATTR", "BAD_ID", "Back3", "Gather", "IDLE", "INDEX", "LISTING", "M32", "PAGE", "RESULT",
           "TRANSPORT", "asked", "attacked", "only", "w"]

PATIENCE = 30.0

INDEX = "producer index is not within the ring"
BAD_ID = "id beyond the ring"
IDLE = "answered a request that was never sent"
RESULT = "impossible result"
LISTING = "malformed listing"
ATTR = "impossible attributes"
TRANSPORT = "the transport failed"


def asked(r):
    """Octets that a request has room for."""
    return sum(n for _, n in r["ranges"])


class Session(Victim3):
    """A session from its backend's side."""

    def take(self, timeout=PATIENCE):
        """(queue, request), or None: the frontend has gone."""
        try:
            return self.next_request(timeout)
        except PeerGone:
            return None

    def raw(self, r, value, where=0, bell=True, **entry):
        """An answer of any value, kind, flags and body to a request."""
        self.put(w.response(r["id"], value, **entry), where)
        self.publish(where, bell)

    def sane(self, where, r):
        """What a well-behaved backend with one file and one empty folder answers."""
        value = 0
        if r["op"] in ("read", "write", "readfile", "writefile"):
            value = asked(r)
        if r["op"] == "statmany":
            value = r["count"]
            self.write_arena(r["records"], w.pack_record(0, {"mode": 0o100644}) * value)
        self.respond(where, r, value)

    def serve(self, special=None):
        """Answer until the frontend goes. @special(session, where, request) returns True if it has
        dealt with a request, else a sane answer is given."""
        end = time.monotonic() + 2 * PATIENCE
        while (got := self.take()):
            if time.monotonic() > end:
                raise TimeoutError("the frontend goes on and on")
            if not (special and special(self, *got)):
                self.sane(*got)


class Back3(Server3):
    """A backend that listens."""

    def __init__(self, test):
        super().__init__(test.folder() + "/s")

    def connection(self):
        if not poll([self.sock.fileno()], PATIENCE):
            raise TimeoutError("nobody connected")
        return Session(self.sock.accept()[0])

    def accept(self, timeout=PATIENCE, keys=None, fds=None, answer=True, **changes):
        """Take a frontend and start its session; @keys: raw octets instead of the right ones,
        @fds: other bells, @changes: of single keys."""
        s = self.connection()
        s.offer, memory = s.receive_offer(timeout)
        if answer and keys is None:
            s.take_memory(s.offer, memory)
            s.answer_session(fds, **changes)
        elif answer:
            close_all(memory)
            bells = [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(2)]
            s.answer(keys, bells if fds is None else fds)
            close_all(bells)
        else:
            close_all(memory)
        return s


def attacked(test, good, steps, special, poisoned=None, timeout_ms=20000, queues=1):
    """A victim that does @steps on a session whose answers @special gives. Returns it, ended."""
    with Back3(test) as back:
        victim = Victim(test, good, back.path, ["connect"] + steps, timeout_ms, queues)
        with back.accept() as session:
            session.serve(special)
    victim.finish(poisoned)
    return victim


def only(op, action):
    """Do @action to requests of one operation; all others are answered sanely."""
    def special(session, where, r):
        if r["op"] != op:
            return False
        action(session, where, r)
        return True
    return special


class Gather:
    """Waits until so many requests of an operation are under way, then acts once."""

    def __init__(self, op, n, action):
        self.op, self.n, self.action = op, n, action
        self.requests = []

    def __call__(self, session, where, r):
        if r["op"] != self.op:
            return False
        self.requests.append(dict(r, where=where))
        if len(self.requests) == self.n:
            self.action(session, self.requests)
        return True
