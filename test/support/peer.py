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
"""

import argparse
import sys

from peer_back import *  # noqa: F401,F403
from peer_front import *  # noqa: F401,F403
from peer_selftest import SelfTest
from peer_shared import *  # noqa: F401,F403


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
