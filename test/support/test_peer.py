#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_peer.py [FSIF-BACKEND]: peer.py against itself, and against the daemon.

The daemon was written from the library's headers, peer.py from PROTOCOL.md: what they do together
shows that the page says enough.
"""

import os
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer  # noqa: E402


def serve_one(server, seen):
    """Answer one open, in the raw way, and go away."""
    v = server.accept()
    v.accept_session()
    index, op, rid, slot = v.next_request()
    gref = v.gref(slot)
    seen.append((index, op, v.read_page(gref, 5)))
    v.respond(rid, 7)
    _, op, rid, slot = v.next_request()
    v.respond(rid, 4, page=(v.gref(slot), b"data"))
    seen.append(op)
    v.wait_gone()
    v.close()


def test_pair(folder):
    seen = []
    with peer.Server(f"{folder}/pair.sock") as server:
        thread = threading.Thread(target=serve_one, args=(server, seen))
        thread.start()
        with peer.Peer(f"{folder}/pair.sock") as p, p.session("any", pages=3, ring_ref=2) as s:
            assert s.open("name") == 7
            assert s.read(7, 10, 0) == b"data"
        thread.join()
    assert seen == [(0, peer.OPEN, b"name\0"), peer.READ], seen


def test_daemon(folder, program):
    sock = f"{folder}/daemon.sock"
    for name in ("data", "docs"):
        os.mkdir(f"{folder}/{name}")
    daemon = subprocess.Popen(
        [program, "-l", f"shm:{sock}", "-e", f"data={folder}/data", "-e", f"docs={folder}/docs,ro"],
        stdout=subprocess.PIPE, text=True)
    try:
        while "listening" not in (line := daemon.stdout.readline()):
            assert line, "the daemon ended before it listened"
        with peer.Peer(sock) as p:
            assert p.list_exports() == [("data", False), ("docs", True)]
            try:
                p.session("nothing")
            except peer.FsifError as e:
                assert e.errno == 2, e
            else:
                raise AssertionError("an export that is not there")
        for pages, ring_ref, features in ((65, 0, "errno"), (65, 64, ""), (2, 1, "errno")):
            with peer.Peer(sock) as p, p.session("data", pages, ring_ref, features) as s:
                print(f"pages={pages} ring-ref={ring_ref} features={features}: ", end="")
                assert peer.SelfTest(s, ".").run()
        assert os.listdir(f"{folder}/data") == []
        with peer.Peer(sock) as p, p.session("docs") as s:
            assert s.read_only
            print("read-only: ", end="")
            assert peer.SelfTest(s, "/").run()
    finally:
        daemon.terminate()
        status = daemon.wait(30)
        daemon.stdout.close()
    assert status == 0, f"the daemon ended with {status}"
    assert not os.path.exists(sock)


def main():
    with tempfile.TemporaryDirectory(prefix="fsif-peer-") as folder:
        if len(sys.argv) > 1:
            test_daemon(folder, sys.argv[1])
        else:
            test_pair(folder)
    print("passed")


if __name__ == "__main__":
    main()
