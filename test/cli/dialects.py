# SPDX-License-Identifier: MIT
"""Sessions of dialects 1 and 2: the commands that they have work as ever, those that they have not
say so in one line, end with 3, and change nothing."""
import os

from clilib import Daemon, check, finish, put_file, tree

NEEDS = [
    (("ln", "rw:/f", "rw:/g"), "ln"),
    (("ln", "-s", "x", "rw:/g"), "ln"),
    (("chown", "0:0", "rw:/f"), "chown"),
    (("chown", "-R", "0:0", "rw:/"), "chown"),
    (("touch", "rw:/f"), "touch"),
    (("touch", "rw:/g"), "touch"),
    (("xattr", "list", "rw:/f"), "xattr"),
    (("xattr", "set", "user.x", "y", "rw:/f"), "xattr"),
    (("watch", "rw:/"), "watch"),
    (("du", "rw:/"), "du without -b"),
    (("sync", "-f", "rw:/"), "sync -f"),
    (("sync", "-d", "rw:/f"), "sync -d"),
    (("put", "-a", "HOME/f", "rw:/g"), "put -a"),
    (("get", "-a", "rw:/f", "HOME/g"), "get -a"),
]


def lacking(d, dialect):
    put_file(d.rw + "/f", b"f", 0o600)
    put_file(d.home + "/f", b"f", 0o600)
    for args, what in NEEDS:
        args = [a.replace("HOME", d.home) for a in args]
        says = b"fsif: rw: '%s' needs dialect 3, and the session speaks dialect %d" % (
            what.encode(), dialect)
        r = d.bad("--dialects", str(dialect), *args, code=3, says=says)
        check("one line of " + what, r.stderr == says + b"\n" and r.stdout == b"", r)
    check("nothing changed", tree(d.rw) == {b"f": (0o600, b"f")} and
          tree(d.home) == {b"f": (0o600, b"f")})


def having(d, dialect):
    def ok(*args, **kwargs):
        return d.ok("--dialects", str(dialect), *args, **kwargs)

    os.makedirs(d.home + "/t/sub")
    put_file(d.home + "/t/sub/f", b"x" * 70000, 0o640)
    put_file(d.home + "/t/g", b"g")
    ok("put", d.home + "/t", "rw:/")
    check("put", tree(d.rw + "/t") == tree(d.home + "/t"))
    ok("get", "rw:/t", d.home + "/out")
    check("get", tree(d.home + "/out/t") == tree(d.home + "/t"))
    ok("find", "rw:/t", "-type", "f", out=b"rw:/t/g\nrw:/t/sub/f\n")
    ok("find", "rw:/t", "-size", "+64k", out=b"rw:/t/sub/f\n")
    ok("du", "-b", "rw:/t/sub/f", out=b"70000\trw:/t/sub/f\n")
    ok("ls", "-d", "rw:/t", out=b"t\n")
    ok("tree", "rw:/t", out=b"rw:/t\n|-- g\n`-- sub\n    `-- f\n")
    check("ls -l", len(ok("ls", "-l", "rw:/t").splitlines()) == 2)
    check("stat", b"\n  size: 70000\n" in ok("stat", "rw:/t/sub/f"))
    check("df", ok("df", "rw:/").split()[4:6] == [b"-", b"-"])
    ok("cat", "rw:/t/g", out=b"g")
    ok("cp", "-r", "rw:/t", "rw:/u")
    ok("cp", "--verify", "rw:/t/sub/f", "rw:/u/g")
    check("cp", tree(d.rw + "/u")[b"g"][1] == b"x" * 70000)
    ok("chmod", "-R", "u=rwX,go=", "rw:/u")
    check("chmod -R", {m for m, _ in tree(d.rw + "/u").values()} == {0o600, 0o700})
    ok("truncate", "-s", "3", "rw:/u/g")
    ok("mv", "rw:/u/g", "rw:/u/h")
    ok("sync", "rw:/u/h")
    rows = len(ok("bench", "rw:/").splitlines())
    check("bench leaves out what there is not", rows == 8, rows)
    ok("rm", "-r", "rw:/t", "rw:/u")
    check("rm", os.listdir(d.rw) == [])


def main():
    for dialect in (1, 2):
        for part in (lacking, having):
            with Daemon() as d:
                part(d, dialect)
    finish()


main()
