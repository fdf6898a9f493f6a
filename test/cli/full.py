# SPDX-License-Identifier: MIT
"""What dialect 3 adds: ln, chown, touch, xattr, find, du, watch, bench, and what ls, stat, tree, df,
chmod, rm, cp and sync tell and do more, compared with what the host's own calls say."""
import json
import os
import select
import signal
import subprocess

from clilib import DEADLINE, FSIF, Daemon, can_xattr, check, finish, put_file, skip, tree, wait_until


def links(d):
    put_file(d.rw + "/a", b"a")
    os.mkdir(d.rw + "/dir")
    d.ok("ln", "rw:/a", "rw:/b")
    check("ln", os.stat(d.rw + "/b").st_ino == os.stat(d.rw + "/a").st_ino)
    d.ok("ln", "rw:/a", "rw:/b", "rw:/dir")
    check("ln into a directory", os.stat(d.rw + "/dir/b").st_nlink == 4)
    d.ok("ln", "-s", "../a", "rw:/dir/s")
    check("ln -s", os.readlink(d.rw + "/dir/s") == "../a")
    d.ok("ln", "-s", "/no/such/../thing", "two words", "some/dir/", "rw:/dir/")
    check("ln -s of anything", os.readlink(d.rw + "/dir/thing") == "/no/such/../thing" and
          os.readlink(d.rw + "/dir/two words") == "two words" and
          os.readlink(d.rw + "/dir/dir") == "some/dir/")
    d.bad("ln", "rw:/a", "rw:/b", says=b"fsif: rw:/b: File exists")
    d.bad("ln", "-s", "x", "rw:/b", says=b"fsif: rw:/b: File exists")
    d.bad("ln", "rw:/none", "rw:/c", says=b"fsif: rw:/c: No such file or directory")
    d.bad("ln", "-s", "x", "y", "rw:/a", says=b"fsif: rw:/a: Not a directory")
    d.ok("ln", "-f", "rw:/a", "rw:/b")
    check("ln -f onto the same file", os.stat(d.rw + "/b").st_nlink == 4)
    put_file(d.rw + "/c", b"c")
    d.ok("ln", "-f", "rw:/a", "rw:/c")
    d.ok("ln", "-sf", "new", "rw:/b")
    check("ln -f", os.path.samefile(d.rw + "/a", d.rw + "/c") and
          os.readlink(d.rw + "/b") == "new")
    os.symlink("dir", d.rw + "/to-dir")
    d.ok("ln", "-sfn", "a", "rw:/to-dir")
    check("ln -n", os.readlink(d.rw + "/to-dir") == "a")
    check("no temporary is left", not any(b".fsif-" in name for name in tree(d.rw)))
    d.bad("ln", "rw:/a", "ro:/b", code=2)


def looking(d):
    put_file(d.rw + "/f", b"12345", 0o640)
    os.link(d.rw + "/f", d.rw + "/g")
    os.symlink("f", d.rw + "/l")
    os.symlink("nowhere", d.rw + "/dangling")
    os.mkdir(d.rw + "/dir")
    os.mkfifo(d.rw + "/fifo")
    os.utime(d.rw + "/f", ns=(1000000000123456789, 1000000001987654321))
    rows = [line.split() for line in d.ok("ls", "-l", "rw:/").decode().splitlines()]
    check("ls -l", [r[0][0] + " " + " ".join(r[6:]) for r in rows] ==
          ["l dangling -> nowhere", "d dir", "- f", "p fifo", "- g", "l l -> f"], rows)
    check("ls -l of a link", d.ok("ls", "-l", "rw:/l").decode().rstrip().endswith(" l -> f"))
    d.ok("ls", "rw:/dangling", out=b"dangling\n")
    d.ok("ls", "-d", "rw:/dir", out=b"dir\n")
    entries = {e["name"]: e for e in json.loads(d.ok("ls", "-l", "--json", "rw:/"))}
    check("ls --json", entries["l"]["target"] == "f" and entries["fifo"]["type"] == "fifo" and
          entries["f"]["links"] == 2, entries)
    d.ok("tree", "rw:/", out=b"rw:/\n|-- dangling -> nowhere\n|-- dir\n|-- f\n|-- fifo\n|-- g\n"
         b"`-- l -> f\n")
    st = os.stat(d.rw + "/f")
    out = d.ok("stat", "rw:/f").decode()
    for line in ("size: 5", "links: 2", "inode: %d" % st.st_ino, "blocks: %d of" % st.st_blocks,
                 "access: 2001-09-09 01:46:40.123456789 +0000",
                 "modify: 2001-09-09 01:46:41.987654321 +0000"):
        check("stat " + line, "\n  " + line in out, out)
    told = json.loads(d.ok("stat", "--json", "rw:/f"))[0]
    check("stat --json", (told["inode"], told["links"], told["blocks"], told["mtime_nsec"]) ==
          (st.st_ino, 2, st.st_blocks, 987654321), told)
    check("stat of a link", json.loads(d.ok("stat", "--json", "rw:/l"))[0]["type"] == "link" and
          d.ok("stat", "rw:/l").startswith(b"rw:/l -> f\n"))
    check("stat -L", json.loads(d.ok("stat", "-L", "--json", "rw:/l"))[0]["inode"] == st.st_ino)
    d.bad("stat", "-L", "rw:/dangling", says=b"fsif: rw:/dangling: No such file or directory")
    os.chmod(d.rw + "/f", 0)
    check("what cannot be opened", json.loads(d.ok("stat", "--json", "rw:/f", "rw:/fifo"))
          [0]["mode"] == "0000")
    v = os.statvfs(d.rw)
    told = json.loads(d.ok("df", "--json", "rw:/"))[0]
    check("df --json", told["total"] == v.f_blocks * v.f_frsize and told["files"] == v.f_files,
          (told, v))
    figures = d.ok("df", "rw:/").split()
    check("df", int(figures[4]) == v.f_blocks * v.f_frsize and int(figures[6]) > 0, figures)
    check("df -i", d.ok("df", "-i", "rw:/").split()[4] == b"%d" % v.f_files)


def touching(d):
    old = os.umask(0o027)
    d.ok("touch", "rw:/new")
    os.umask(old)
    check("touch makes", tree(d.rw)[b"new"] == (0o640, b""))
    d.ok("touch", "-c", "rw:/none")
    check("touch -c", not os.path.exists(d.rw + "/none"))
    path = d.rw + "/new"

    def times():
        st = os.stat(path)
        return st.st_atime_ns, st.st_mtime_ns

    for args, want in (
            (("-d", "@1.5"), (1500000000, 1500000000)),
            (("-d", "@-1.25"), (-1250000000, -1250000000)),
            (("-d", "2001-09-09 01:46:40.123456789Z"), (1000000000123456789,) * 2),
            (("-d", "2001-09-09T03:46:40+02:00"), (1000000000 * 10**9,) * 2),
            (("-d", "2001-09-09 01:46"), (999999960 * 10**9,) * 2),
            (("-d", "2001-09-09"), (999993600 * 10**9,) * 2),
            (("-t", "200109090146.40"), (1000000000 * 10**9,) * 2),
            (("-t", "0109090146"), (999999960 * 10**9,) * 2),
            (("-a", "-d", "@5"), (5 * 10**9, 999999960 * 10**9)),
            (("-m", "-d", "@6"), (5 * 10**9, 6 * 10**9)),
            (("-am", "-d", "@7"), (7 * 10**9,) * 2)):
        d.ok("touch", *args, "rw:/new")
        check("touch " + " ".join(args), times() == want, times())
    d.ok("touch", "rw:/new")
    check("touch: now", times()[1] > 10**18)
    put_file(d.home + "/ref")
    os.utime(d.home + "/ref", ns=(111222333444, 555666777888))
    d.ok("touch", "-r", d.home + "/ref", "rw:/new")
    check("touch -r of this host", times() == (111222333444, 555666777888), times())
    os.utime(path, ns=(1, 2))
    put_file(d.rw + "/other")
    d.ok("touch", "-r", "rw:/new", "rw:/other")
    path = d.rw + "/other"
    check("touch -r of the export", times() == (1, 2), times())
    os.symlink("other", d.rw + "/l")
    d.ok("touch", "-h", "-d", "@9", "rw:/l")
    check("touch -h", times() == (1, 2) and os.lstat(d.rw + "/l").st_mtime_ns == 9 * 10**9)
    d.ok("touch", "-d", "@8", "rw:/l")
    check("touch follows", times() == (8 * 10**9,) * 2)
    d.bad("touch", "rw:/no/such", says=b"fsif: rw:/no/such: No such file or directory")
    d.bad("touch", "-r", "rw:/none", "rw:/new", says=b"fsif: rw:/none: No such file or directory")
    d.bad("touch", "ro:/new", says=b"fsif: ro:/new: Read-only file system")


def owners_and_modes(d):
    os.makedirs(d.rw + "/t/sub")
    for n in range(40):
        put_file(d.rw + "/t/f%d" % n)
    put_file(d.rw + "/t/sub/f", b"", 0o600)
    put_file(d.rw + "/outside", b"", 0o600)
    os.symlink("../outside", d.rw + "/t/link")
    me, my_group = os.getuid(), os.getgid()
    d.ok("chown", "%d:%d" % (me, my_group), "rw:/outside")
    d.ok("chown", ":%d" % my_group, "rw:/outside")
    if me == 0:
        d.ok("chown", "1234:2345", "rw:/outside")
        check("chown", os.stat(d.rw + "/outside")[4:6] == (1234, 2345))
        d.ok("chown", "-h", "77", "rw:/t/link")
        check("chown -h", os.lstat(d.rw + "/t/link").st_uid == 77 and
              os.stat(d.rw + "/outside").st_uid == 1234)
        d.ok("chown", ":root", "rw:/t/link")
        check("chown follows", os.stat(d.rw + "/outside").st_gid == 0)
        d.ok("chown", "-R", "5:6", "rw:/t")
        found = {os.lstat(os.path.join(top, n))[4:6] for top, dirs, files in os.walk(d.rw + "/t")
                 for n in dirs + files} | {os.stat(d.rw + "/t")[4:6]}
        check("chown -R", found == {(5, 6)} and os.stat(d.rw + "/outside").st_uid == 1234, found)
    else:
        d.bad("chown", "0", "rw:/outside", says=b"fsif: rw:/outside: Operation not permitted")
    d.bad("chown", "0", "rw:/none", says=b"fsif: rw:/none: No such file or directory")
    d.ok("chmod", "-R", "u=rwX,go=", "rw:/t")
    check("chmod -R", {m for m, data in tree(d.rw + "/t").values() if data == b""} == {0o600} and
          os.stat(d.rw + "/t/sub").st_mode & 0o777 == 0o700)
    os.chmod(d.rw + "/t/sub/f", 0)
    d.ok("chmod", "400", "rw:/t/sub/f")
    d.ok("chmod", "u+w", "rw:/t/sub/f")
    check("chmod of what cannot be opened", os.stat(d.rw + "/t/sub/f").st_mode & 0o777 == 0o600)
    d.ok("sync", "-d", "rw:/outside")
    d.ok("sync", "-f", "rw:/")
    d.ok("rm", "-r", "rw:/t")
    check("rm -r", sorted(os.listdir(d.rw)) == ["outside"])
    os.makedirs(d.rw + "/x/y")
    put_file(d.rw + "/x/y/f", b"1")
    os.symlink("y/f", d.rw + "/x/l")
    d.ok("cp", "-r", "rw:/x", "rw:/z")
    check("cp -r keeps links", tree(d.rw + "/x") == tree(d.rw + "/z"), tree(d.rw + "/z"))


def attributes(d):
    put_file(d.rw + "/f")
    if not can_xattr(d.rw):
        skip("the file system of %s has no extended attributes" % d.rw)
        return
    d.ok("xattr", "list", "rw:/f", out=b"")
    d.ok("xattr", "set", "user.a", "value one", "rw:/f")
    d.ok("xattr", "set", "user.b", "", "rw:/f")
    check("xattr set", os.getxattr(d.rw + "/f", "user.a") == b"value one" and
          os.getxattr(d.rw + "/f", "user.b") == b"")
    os.setxattr(d.rw + "/f", "user.c", b"\x00\xff\n")
    d.ok("xattr", "get", "user.a", "rw:/f", out=b"value one")
    d.ok("xattr", "get", "user.c", "rw:/f", out=b"\x00\xff\n")
    check("xattr list", sorted(d.ok("xattr", "list", "rw:/f").split()) ==
          [b"user.a", b"user.b", b"user.c"])
    told = json.loads(d.ok("xattr", "list", "--json", "rw:/f"))[0]
    values = {x["name"]: x.get("value_hex", x["value"]) for x in told["xattrs"]}
    check("xattr list --json", told["name"] == "rw:/f" and
          values == {"user.a": "value one", "user.b": "", "user.c": "00ff0a"}, told)
    check("xattr get --json", json.loads(d.ok("xattr", "get", "--json", "user.a", "rw:/f")) ==
          [{"name": "rw:/f", "value": "value one"}])
    d.ok("xattr", "rm", "user.a", "rw:/f")
    check("xattr rm", sorted(os.listxattr(d.rw + "/f")) == ["user.b", "user.c"])
    d.bad("xattr", "get", "user.a", "rw:/f", says=b"fsif: rw:/f: No data available")
    d.bad("xattr", "rm", "user.a", "rw:/f", says=b"fsif: rw:/f: No data available")
    d.bad("xattr", "list", "rw:/none", says=b"fsif: rw:/none: No such file or directory")
    r = subprocess.run([FSIF, "-c", d.address, "xattr", "set", "user.d", "-", "rw:/f"],
                       input=b"\x01\x00\x02", timeout=DEADLINE, check=False)
    check("xattr set from standard input", r.returncode == 0 and
          os.getxattr(d.rw + "/f", "user.d") == b"\x01\x00\x02")
    d.bad("xattr", "set", "user.x", "v", "ro:/f", says=b"fsif: ro:/f: Read-only file system")


def searching(d):
    os.makedirs(d.rw + "/t/sub/deep")
    put_file(d.rw + "/t/a.c", b"x" * 1000)
    put_file(d.rw + "/t/B.C", b"")
    put_file(d.rw + "/t/sub/b.c", b"x" * 2000)
    put_file(d.rw + "/t/sub/deep/c.c", b"x" * 5000)
    os.symlink("../..", d.rw + "/t/sub/up")
    os.utime(d.rw + "/t/a.c", (100, 100))
    os.utime(d.rw + "/t/sub/b.c", (200, 200))
    put_file(d.home + "/ref")
    os.utime(d.home + "/ref", (150, 150))
    full = ["rw:/t", "rw:/t/B.C", "rw:/t/a.c", "rw:/t/sub", "rw:/t/sub/b.c", "rw:/t/sub/deep",
            "rw:/t/sub/deep/c.c", "rw:/t/sub/up"]
    c = [x for x in full if x.endswith(".c")]
    for args, want in (
            ((), full), (("-name", "*.c"), c), (("-iname", "*.c"), sorted(c + ["rw:/t/B.C"])),
            (("-name", "*.c", "-maxdepth", "1"), ["rw:/t/a.c"]), (("-maxdepth", "0"), ["rw:/t"]),
            (("-mindepth", "3"), ["rw:/t/sub/deep/c.c"]),
            (("-type", "d"), ["rw:/t", "rw:/t/sub", "rw:/t/sub/deep"]),
            (("-type", "l,d", "-mindepth", "2"), ["rw:/t/sub/deep", "rw:/t/sub/up"]),
            (("-type", "f", "-size", "0"), ["rw:/t/B.C"]),
            (("-type", "f", "-size", "+3"), ["rw:/t/sub/b.c", "rw:/t/sub/deep/c.c"]),
            (("-type", "f", "-size", "-2000c"), ["rw:/t/B.C", "rw:/t/a.c"]),
            (("-type", "f", "-size", "2k"), ["rw:/t/sub/b.c"]),
            (("-type", "f", "!", "-newer", d.home + "/ref"), ["rw:/t/a.c"]),
            (("-type", "f", "-newer", "rw:/t/sub/b.c"), ["rw:/t/B.C", "rw:/t/sub/deep/c.c"]),
            (("-path", "*/deep/*"), ["rw:/t/sub/deep/c.c"]),
            (("!", "-name", "*.c", "!", "-type", "d"), ["rw:/t/B.C", "rw:/t/sub/up"])):
        d.ok("find", "rw:/t", *args, out="".join(x + "\n" for x in want).encode())
    d.ok("find", "rw:/t/a.c", "rw:/t/sub/up", "-print0", out=b"rw:/t/a.c\0rw:/t/sub/up\0")
    d.ok("find", "rw:/", "-maxdepth", "1", out=b"rw:/\nrw:/t\n")
    found = json.loads(d.ok("find", "--json", "rw:/t", "-name", "c.c"))
    check("find --json", [(f["name"], f["size"]) for f in found] == [("rw:/t/sub/deep/c.c", 5000)])
    d.bad("find", "rw:/none", "rw:/t/a.c", says=b"fsif: rw:/none: No such file or directory")
    theirs = {}
    for line in subprocess.run(["du", "-a", "-k", "t"], cwd=d.rw, capture_output=True, check=True,
                               timeout=DEADLINE).stdout.decode().splitlines():
        size, name = line.split("\t")
        theirs["rw:/" + name] = int(size)
    ours = {n: int(s) for s, n in (x.split("\t") for x in
                                   d.ok("du", "-a", "rw:/t").decode().splitlines())}
    check("du -a is what du says", ours == theirs, (ours, theirs))
    os.link(d.rw + "/t/sub/deep/c.c", d.rw + "/t/again")
    size = subprocess.run(["du", "-s", "-k", "t"], cwd=d.rw, capture_output=True, check=True,
                          timeout=DEADLINE).stdout.split()[0]
    d.ok("du", "-s", "rw:/t", out=size + b"\trw:/t\n")
    check("du -b", d.ok("du", "-b", "rw:/t/a.c") == b"1000\trw:/t/a.c\n")
    check("du -h", d.ok("du", "-bh", "rw:/t/sub/deep/c.c") == b"4.8K\trw:/t/sub/deep/c.c\n")
    told = json.loads(d.ok("du", "--json", "-s", "rw:/t"))
    check("du --json", told == [{"name": "rw:/t", "bytes": 1024 * int(size)}], told)


def watching(d):
    os.mkdir(d.rw + "/w")

    def watch(*args):
        p = subprocess.Popen([FSIF, "-c", d.address, "watch", *args, "rw:/w"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # What was there before the watch is not told, so make entries until one is.
        count = 0
        while True:
            os.close(os.open(d.rw + "/w/f%d" % count, os.O_CREAT | os.O_WRONLY))
            count += 1
            ready, _, _ = select.select([p.stdout], [], [], 0.05)
            if ready:
                return p
            assert count < DEADLINE * 20, "no change is told"

    p = watch()
    line = p.stdout.readline()
    check("watch", line.startswith((b"create rw:/w/f", b"create,", b"content rw:/w/f")), line)
    os.unlink(d.rw + "/w/f0")
    lines = []
    while not lines or lines[-1] != b"remove rw:/w/f0\n":
        ready, _, _ = select.select([p.stdout], [], [], DEADLINE)
        lines.append(p.stdout.readline() if ready else b"")
        if lines[-1] == b"":
            break
    check("watch tells what goes", lines[-1] == b"remove rw:/w/f0\n", lines[-3:])
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=DEADLINE)
    check("watch ends by the signal", p.returncode == -signal.SIGINT and err == b"",
          (p.returncode, err))
    p = watch("--json", "-n", "1")
    out, err = p.communicate(timeout=DEADLINE)
    told = json.loads(out)
    check("watch --json", p.returncode == 0 and told["name"].startswith("rw:/w/f") and
          told["what"], (told, err))
    d.bad("watch", "rw:/none", says=b"fsif: rw:/none: No such file or directory")
    d.bad("watch", "rw:/w/f1", says=b"fsif: rw:/w/f1: Not a directory")


def measuring(d):
    told = json.loads(d.ok("bench", "--json", "rw:/"))
    names = [row["name"] for row in told]
    check("bench --json", len(names) == 10 and names[0] == "null request" and
          all(row["median"] > 0 and row["unit"] for row in told), told)
    check("bench cleans up", os.listdir(d.rw) == [])
    out = d.ok("bench", "mem:/").decode().splitlines()
    check("bench", len(out) == 10 and out[5].startswith("stat "), out)
    d.bad("bench", "ro:/")
    d.bad("bench", "rw:/none")
    p = subprocess.Popen([FSIF, "-c", d.address, "bench", "rw:/"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    wait_until(lambda: os.listdir(d.rw), "a measurement to begin")
    p.send_signal(signal.SIGTERM)
    _, err = p.communicate(timeout=DEADLINE)
    check("bench cleans up after a signal", p.returncode == -signal.SIGTERM and err == b"" and
          os.listdir(d.rw) == [], (p.returncode, err, os.listdir(d.rw)))


def main():
    for part in (links, looking, touching, owners_and_modes, attributes, searching, watching,
                 measuring):
        with Daemon() as d:
            part(d)
    finish()


main()
