# SPDX-License-Identifier: MIT
"""Which dialect a session speaks, and names that begin with a path of the host."""
import errno
import os
import sys
from testlib import Daemon, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import peer


def answered(daemon, words):
    """The answer to an offer of these dialects, on memory of its own."""
    fd = peer.make_memory(65)
    with peer.Peer(daemon.socket) as p:
        answer, fds = p.exchange(p.offer_keys("x", dialects=words), [fd])
        peer.close_all(fds + [fd])
    return answer


def chosen(folder):
    """The highest that both sides allow."""
    for option, offers in (((), {"1": "1", "2": "2", "1 2": "2", "2,1,9": "2"}),
                           (("--dialects", "1"), {"1": "1", "2": None, "1 2": "1"}),
                           (("--dialects", "2"), {"1": None, "2": "2", "1 2": "2"})):
        with Daemon(folder, "-e", "x=memory:", *option) as daemon:
            for words, dialect in offers.items():
                answer = answered(daemon, words)
                want = 0 if dialect else errno.EOPNOTSUPP
                assert answer["status"] == str(want), (option, words, answer)
                assert answer.get("dialect") == dialect, (option, words, answer)


def stripped(folder):
    """Whole components of an absolute name, and of no other."""
    tree = os.path.join(folder, "tree")
    os.makedirs(tree + "/d")
    with open(tree + "/d/file", "w", encoding="ascii") as out:
        out.write("text")
    with Daemon(folder, "-e", "x=%s,strip-prefix=/srv/data/" % tree) as daemon:
        with peer.Peer(daemon.socket).session("x") as s:
            for name in ("/srv/data/d/file", "//srv/./data//d/file", "/d/file", "d/file"):
                handle = s.open(name)
                assert s.read(handle, 4, 0) == b"text", name
                s.close_handle(handle)
            for name in ("/srv/database/d/file", "srv/data/d/file", "/data/d/file"):
                try:
                    s.open(name)
                except OSError as error:
                    assert error.errno == errno.ENOENT, (name, error)
                else:
                    raise AssertionError(name)


main([chosen, stripped])
