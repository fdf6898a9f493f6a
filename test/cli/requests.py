# SPDX-License-Identifier: MIT
"""How many requests commands make in dialect 3, counted by a backend that serves a folder: no look at
what a listing told already, small files in one request, trees removed by one for each name."""
import collections
import os
import sys
import tempfile
import threading

from clilib import DEADLINE, check, finish, fsif, put_file, tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import peer_back3  # noqa: E402  pylint: disable=wrong-import-position

FILES = 120
FOLDERS = 3


class Counting(peer_back3.Folder):
    """Serves a folder and counts."""

    def __init__(self, victim, folder, counts):
        super().__init__(victim, folder)
        self.counts = counts

    def one(self, where, r):
        self.counts[r["op"]] += 1
        super().one(where, r)


def serve(server, folder, counts):
    with server.accept(DEADLINE) as victim:
        victim.accept_session()
        backend = Counting(victim, folder, counts)
        try:
            backend.serve()
        finally:
            backend.close()


def counted(folder, *args):
    """Run fsif on x:/, which is @folder. Returns what was asked, by operation."""
    counts = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="fsif-cli-") as place:
        with peer_back3.Server3(place + "/sock") as server:
            thread = threading.Thread(target=serve, args=(server, folder, counts), daemon=True)
            thread.start()
            r = fsif("-c", "shm:" + place + "/sock", *args)
            thread.join(DEADLINE)
    check(" ".join(args), r.returncode == 0 and r.stderr == b"", (r.returncode, r.stderr))
    return counts


def fill(top):
    for n in range(FOLDERS):
        os.makedirs("%s/d%d" % (top, n))
        for m in range(FILES):
            put_file("%s/d%d/f%d" % (top, n, m), b"%d" % m * 50)


def main():
    with tempfile.TemporaryDirectory(prefix="fsif-cli-") as home:
        export, local = home + "/export", home + "/local"
        fill(export + "/t")
        whole = tree(export)
        # A listing of some hundred entries takes a few requests.
        for args in (("ls", "-l", "x:/t/d0"), ("find", "x:/", "-size", "+0"), ("du", "-s", "x:/"),
                     ("tree", "--json", "x:/")):
            n = counted(export, *args)
            check("%s looks at nothing singly" % args[0], n["stat"] <= 2 and
                  n["readdir"] <= 6 * (FOLDERS + 2) and n["open"] <= FOLDERS + 2, n)
        n = counted(export, "get", "x:/", local)
        check("get: a file is one request", n["readfile"] == FILES * FOLDERS and n["read"] == 0 and
              n["stat"] <= 4 and n["open"] <= FOLDERS + 3, n)
        check("get", tree(local) == whole)
        empty = home + "/empty"
        os.mkdir(empty)
        n = counted(empty, "put", local + "/t", "x:/")
        check("put: a file is one request", n["writefile"] == FILES * FOLDERS and
              n["write"] == n["rename"] == n["open"] == 0 and n["mkdir"] == FOLDERS + 1, n)
        check("put", tree(empty) == whole)
        n = counted(empty, "put", local + "/t", "x:/")
        check("put again: written beside and renamed", n["writefile"] == n["rename"] ==
              FILES * FOLDERS and n["open"] == 0, n)
        n = counted(empty, "put", "-a", local + "/t", "x:/")
        check("put -a: all that is kept is one more", n["setattr"] <= FILES * FOLDERS + FOLDERS + 1,
              n)
        n = counted(export, "chmod", "-R", "go=", "x:/t")
        check("chmod -R", n["setattr"] == FILES * FOLDERS + FOLDERS + 1 and n["stat"] <= 1, n)
        n = counted(export, "cat", "x:/t/d0/f7")
        check("cat", n["readfile"] == 1 and sum(n.values()) == 1, n)
        n = counted(export, "stat", "x:/t/d0/f7")
        check("stat", n["stat"] == 1 and sum(n.values()) == 1, n)
        n = counted(export, "rm", "-r", "x:/t")
        check("rm -r: one for each name", n["remove"] == FILES * FOLDERS + FOLDERS + 1 and
              n["stat"] <= FOLDERS + 1, n)
        check("rm -r", os.listdir(export) == [])
    finish()


main()
