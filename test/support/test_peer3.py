#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_peer3.py [FSIF-BACKEND PLUGINS]: peer3.py against itself, and against the daemon.

The daemon was written from the library's headers, peer3.py from PROTOCOL.md: what they do together
shows that the page says enough.
"""

import os
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer3  # noqa: E402
import peer_wire3 as w  # noqa: E402


def serve_folder(server, folder, seen):
    """One session of an honest backend."""
    with server.accept() as v:
        seen.append(v.accept_session())
        served = peer3.Folder(v, folder)
        try:
            served.serve()
        finally:
            served.close()


def test_pair(folder):
    seen = []
    os.mkdir(f"{folder}/data")
    with peer3.Server3(f"{folder}/pair.sock") as server:
        thread = threading.Thread(target=serve_folder, args=(server, f"{folder}/data", seen))
        thread.start()
        with peer3.Peer3(f"{folder}/pair.sock") as p, p.session3(
                "any", queues=2, slots=16, arena_pages=1040, spare=3) as s:
            t = peer3.SelfTest3(s)
            s.mkdir(t.top)
            for part in (t.files, t.writing, t.attributes, t.listing, t.bases, t.pipeline):
                part()
            t.sweep(t.top)
            print(f"{t.passed} passed, {t.failed} failed")
            assert t.passed > 50 and not t.failed
        thread.join()
    assert (seen[0]["queues"], seen[0]["arena-pages"]) == ("2", "1040"), seen


def serve_raw(server):
    """Notices that fill the budget twice, an answer among them that is out of order."""
    with server.accept() as v:
        v.accept_session()
        first, second = (v.next_request()[1] for _ in range(2))
        for i in range(16):
            while not v.room_for_notices():
                v.wait_bells(10)
            v.notify(w.late(i, -i) if i % 2 else w.change(i, 1, b"n" * 6 * i))
        v.respond(0, second, 0)
        v.respond(0, first, 0)
        v.wait_gone()


def test_notices(folder):
    with peer3.Server3(f"{folder}/raw.sock") as server:
        thread = threading.Thread(target=serve_raw, args=(server,))
        thread.start()
        with peer3.Peer3(f"{folder}/raw.sock") as p, p.session3("any") as s:
            tickets = [s.submit("nop") for _ in range(2)]
            for i in range(16):
                name = b"n" * 6 * i
                want = ((w.LATE, i, -i, b"") if i % 2 else
                        (w.CHANGE, i, 1, name))
                assert s.next_notice() == want, i
            assert [s.wait(t)[0] for t in tickets] == [0, 0]
        thread.join()


def start(program, sock, plugins, *exports):
    daemon = subprocess.Popen([program, "-l", f"shm:{sock}", "--plugin-dir", plugins, *exports],
                              stdout=subprocess.PIPE, text=True)
    while "listening" not in (line := daemon.stdout.readline()):
        assert line, "the daemon ended before it listened"
    return daemon


def stop(daemon, sock):
    daemon.terminate()
    status = daemon.wait(30)
    daemon.stdout.close()
    assert status == 0, f"the daemon ended with {status}"
    assert not os.path.exists(sock)


def other_export(s):
    h = s.export("docs")
    try:
        assert [n for n in s.list(".", base=h)] == [b"page"]
        assert s.readfile("page", base=h)[0] == b"text"
        try:
            s.rename("page", "page", base=h)
        except peer3.FsifError as e:
            assert e.errno in (18, 30), e
        else:
            raise AssertionError("a rename to another export")
    finally:
        s.close_handle(h)


def sessions(sock, export, may_lack):
    # queues, slots, pages of the arena, scattered
    for shape in ((1, 8, 16, True), (1, 64, 1024, False), (4, 16, 64, True), (16, 8, 80, True),
                  (2, 1024, 3000, True)):
        queues, slots, pages, scatter = shape
        with peer3.Peer3(sock) as p, p.session3(export, queues, slots, pages, scatter) as s:
            print(f"{export} {shape} {len(s.queues)} queues: ", end="", flush=True)
            assert peer3.SelfTest3(s, may_lack=may_lack).run()


def test_daemon(folder, program, plugins):
    sock = f"{folder}/daemon.sock"
    for name in ("data", "docs"):
        os.mkdir(f"{folder}/{name}")
    with open(f"{folder}/docs/page", "w", encoding="ascii") as f:
        f.write("text")
    daemon = start(program, sock, plugins, "-e", f"data={folder}/data", "-e",
                   f"docs={folder}/docs,ro", "-e", "mem=memory:")
    try:
        sessions(sock, "data", may_lack=("xattr", "tmpfile", "mknod"))
        assert os.listdir(f"{folder}/data") == []
        sessions(sock, "mem", may_lack=("mknod",))
        with peer3.Peer3(sock) as p, p.session3("docs") as s:
            assert s.read_only
            print("read-only: ", end="")
            assert peer3.SelfTest3(s).run()
        with peer3.Peer3(sock) as p, p.session3("data") as s:
            other_export(s)
    finally:
        stop(daemon, sock)


def main():
    with tempfile.TemporaryDirectory(prefix="fsif-peer3-") as folder:
        if len(sys.argv) > 1:
            test_daemon(folder, *sys.argv[1:3])
        else:
            test_pair(folder)
            test_notices(folder)
    print("passed")


if __name__ == "__main__":
    main()
