#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A second implementation of dialect 3 over shm, written from libfsif/PROTOCOL.md and using
nothing of libfsif: Python's standard library only. As peer.py is for dialect 1:

* A well-behaved client: peer3.py [--queues N] [--slots N] [--arena PAGES] SOCKET EXPORT selftest [DIR]
* A raw frontend: class Peer3 and class Session3 give access to every word, slot, entry and page.
* A raw backend: class Server3 and class Victim3; class Folder serves a folder over one.
"""

import argparse
import sys

from peer_back3 import Folder, Server3, Victim3
from peer_front3 import Peer3, Session3
from peer_selftest3 import SelfTest3
from peer_shared import FsifError, PeerGone, ProtocolError

__all__ = ["Folder", "FsifError", "Peer3", "PeerGone", "ProtocolError", "SelfTest3", "Server3",
           "Session3", "Victim3"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queues", type=int, default=1)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--arena", type=int, default=16, help="pages")
    parser.add_argument("socket")
    parser.add_argument("export")
    parser.add_argument("command", choices=["selftest"])
    parser.add_argument("folder", nargs="?", default=".")
    a = parser.parse_args()
    try:
        with Peer3(a.socket) as p, p.session3(a.export, a.queues, a.slots, a.arena) as s:
            return 0 if SelfTest3(s, a.folder).run() else 1
    except (OSError, PeerGone, ProtocolError) as e:
        print(f"peer3.py: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
