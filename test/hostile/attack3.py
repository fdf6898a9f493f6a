# SPDX-License-Identifier: MIT
"""The attacker of dialect 3: a raw frontend on test/support/peer3.py, and what the rows share."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import peer_wire3 as w
from peer3 import FsifError, Peer3, PeerGone
from peer_front3 import Session3
from peer_shared import M32, PAGE
from peer_shared3 import NOTICES_SEEN, REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD

__all__ = ["FsifError", "M32", "NOTICES_SEEN", "PAGE", "PATIENCE", "Peer3", "PeerGone", "REQ_EVENT",
           "REQ_PROD", "RSP_EVENT", "RSP_PROD", "Session3", "front", "good", "raw_value", "request", "value_of",
           "w"]

PATIENCE = 30.0
INT64_MAX = (1 << 63) - 1


def front(daemon, export, queues=1, slots=8, arena_pages=16, **more):
    """A session of dialect 3."""
    peer = Peer3(daemon.path, PATIENCE)
    try:
        return peer.session3(export, queues, slots, arena_pages, **more)
    except BaseException:
        peer.close()
        raise


def value_of(s, op, where=0, **operands):
    """What a request is answered with, errors as negative numbers."""
    return s.wait(s.submit(op, where, **operands))[0]


def raw_value(s, slot, where=0):
    """The same of 64 octets; their id is replaced."""
    rid = s.free_id(where)
    slot = bytearray(slot)
    slot[2:4] = rid.to_bytes(2, "little")
    op = w.NUMBERS.get(slot[0], "nop")
    s.pending[where, rid] = (op, {"flags": 0, "ranges": [(0, 1 << 40)], "count": 1 << 20,
                                  "length": INT64_MAX}, None)
    s.put(bytes(slot), where)
    s.publish(where)
    return s.wait((where, rid))[0]


def good(s, file, folder):
    """Operands of every operation that are right: an open file, an open folder."""
    r = [(0, 8)]
    return {
        "nop": {}, "open": {"path": b"file"}, "close": {"handle": file},
        "read": {"handle": file, "ranges": r}, "write": {"handle": file, "ranges": r},
        "stat": {"path": b"file"}, "setattr": {"handle": file},
        "remove": {"path": b"gone"}, "rename": {"path": b"gone", "path2": b"g2", "base2": w.ROOT},
        "mkdir": {"path": b"file"}, "mknod": {"path": b"file", "mode": 0o100600},
        "link": {"path": b"file", "path2": b"file", "base2": w.ROOT},
        "symlink": {"path": b"file", "path2": b"x"}, "readlink": {"path": b"file", "ranges": r},
        "readdir": {"handle": folder, "ranges": [(0, 400)]}, "statvfs": {"path": b"file"},
        "sync": {"handle": file}, "allocate": {"handle": file, "length": 1},
        "seek": {"handle": file}, "copy_range": {"handle": file, "handle2": file, "length": 0},
        "getxattr": {"path": b"file", "path2": b"user.a", "ranges": r},
        "setxattr": {"path": b"file", "path2": b"user.a", "ranges": r},
        "listxattr": {"path": b"file", "ranges": r},
        "removexattr": {"path": b"file", "path2": b"user.a"},
        "lock": {"handle": file, "mode": w.SHARED}, "cancel": {"cookie": 1},
        "watch": {"handle": folder, "flags": 1, "cookie": 1}, "unwatch": {"watch": 1000},
        "export": {"path": b"none"}, "readfile": {"path": b"file", "ranges": r},
        "writefile": {"path": b"none", "ranges": r},
        "statmany": {"count": 1, "records": 4096, "ranges": [(0, 2)]},
    }


def request(op, operands, **changes):
    operands = {**operands, **changes}
    if w.OPS[op]["handle"] == "base":
        operands.setdefault("handle", w.ROOT)
    return w.request(op, 0, **operands)
