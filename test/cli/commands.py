# SPDX-License-Identifier: MIT
"""Every command, good and failing, against the real daemon."""
import json
import os

from clilib import Daemon, check, finish, put_file, tree


def listing(d):
    d.ok("exports", out=b"mem rw\nro ro\nrw rw\n")
    check("exports --json", json.loads(d.ok("exports", "--json")) == [
        {"name": "mem", "read_only": False}, {"name": "ro", "read_only": True},
        {"name": "rw", "read_only": False}])
    os.makedirs(d.rw + "/l/deep/er")
    put_file(d.rw + "/l/file", b"12345", 0o640)
    put_file(d.rw + "/l/.hidden")
    os.utime(d.rw + "/l/file", (1000000000, 1000000000))
    d.ok("ls", "rw:/l", out=b".hidden\ndeep\nfile\n")
    d.ok("ls", "rw:l/", out=b".hidden\ndeep\nfile\n")
    d.ok("ls", "-0", "rw:/l", out=b".hidden\0deep\0file\0")
    d.ok("ls", "rw:/l/file", out=b"l/file\n")
    d.ok("ls", "rw:/l/deep", "rw:/l/deep/er", out=b"rw:/l/deep:\ner\n\nrw:/l/deep/er:\n")
    long = d.ok("ls", "-l", "rw:/l").decode().splitlines()
    check("ls -l", long[2].split() == ["-rw-r-----", str(os.getuid()), str(os.getgid()), "5",
                                      "2001-09-09", "01:46", "file"], long)
    check("ls -l of a directory", long[1].startswith("drwxr-xr-x"), long)
    entries = json.loads(d.ok("ls", "-l", "--json", "rw:/l"))
    check("ls -l --json", [(e["name"], e["type"]) for e in entries] ==
          [(".hidden", "file"), ("deep", "directory"), ("file", "file")] and
          entries[2]["mode"] == "0640" and entries[2]["size"] == 5 and
          entries[2]["mtime"] == 1000000000, entries)
    check("ls --json", json.loads(d.ok("ls", "--json", "rw:/l")) ==
          [{"name": ".hidden"}, {"name": "deep"}, {"name": "file"}])
    d.bad("ls", "rw:/none", says=b"fsif: rw:/none: No such file or directory")
    d.bad("ls", "rw:/l/file/", says=b"fsif: rw:/l/file: Not a directory")
    d.ok("tree", "rw:/l", out=b"rw:/l\n|-- .hidden\n|-- deep\n|   `-- er\n`-- file\n")
    top = json.loads(d.ok("tree", "--json", "rw:/l"))[0]
    check("tree --json", top["name"] == "rw:/l" and
          top["entries"][1]["entries"][0]["name"] == "er", top)
    d.bad("tree", "rw:/none", says=b"fsif: rw:/none: No such file or directory")


def strange_names(d):
    name = b"\x1b[31m\xff\n\xc3\xa9"
    os.mkdir(d.rw + "/s")
    put_file(os.path.join(os.fsencode(d.rw + "/s"), name))
    d.ok("ls", "rw:/s", out=name + b"\n")
    d.ok("ls", "-0", "rw:/s", out=name + b"\0")
    entry = json.loads(d.ok("ls", "--json", "rw:/s"))[0]
    check("a name that is not UTF-8", bytes.fromhex(entry["name_hex"]) == name, entry)
    d.bad("cat", b"rw:/s/\x1b[0m\x07",
          says=b"fsif: rw:/s/\\x1b[0m\\x07: No such file or directory")
    # On a terminal a name cannot play with it.
    master, slave = os.openpty()
    import subprocess
    from clilib import FSIF
    subprocess.run([FSIF, "-c", d.address, "ls", "rw:/s"], stdout=slave, stdin=subprocess.DEVNULL,
                   check=True, timeout=60)
    shown = os.read(master, 1000)
    os.close(slave)
    os.close(master)
    check("escaped on a terminal", shown == b"\\x1b[31m\\xff\\x0a\xc3\xa9\r\n", shown)


def files(d):
    put_file(d.rw + "/a", b"aaa")
    put_file(d.rw + "/b", b"bbb" * 100000)
    d.ok("cat", "rw:/a", "rw:/b", out=b"aaa" + b"bbb" * 100000)
    d.bad("cat", "rw:/none", "rw:/a", says=b"fsif: rw:/none: No such file or directory")
    d.bad("cat", "rw:/", says=b"fsif: rw:/: Is a directory")
    d.ok("cp", "rw:/a", "rw:/c")
    d.ok("cat", "rw:/c", out=b"aaa")
    d.ok("cp", "--verify", "rw:/b", "rw:/c")
    check("cp replaces", tree(d.rw)[b"c"][1] == b"bbb" * 100000)
    d.ok("mkdir", "rw:/dir")
    d.ok("cp", "rw:/a", "rw:/b", "rw:/dir")
    check("cp into a directory", sorted(os.listdir(d.rw + "/dir")) == ["a", "b"])
    d.bad("cp", "rw:/a", "rw:/b", "rw:/c", says=b"fsif: rw:/c: Not a directory")
    d.bad("cp", "rw:/dir", "rw:/copy", says=b"fsif: rw:/dir: Is a directory")
    d.ok("cp", "-r", "rw:/dir", "rw:/copy")
    check("cp -r", tree(d.rw + "/copy") == tree(d.rw + "/dir"))
    d.bad("cp", "-r", "rw:/dir", "rw:/dir/in", says=b"fsif: rw:/dir: Invalid argument")
    d.bad("cp", "rw:/a", "ro:/b", code=2)
    d.ok("mv", "rw:/c", "rw:/moved")
    d.ok("mv", "rw:/a", "rw:/moved", "rw:/dir/")
    check("mv", sorted(os.listdir(d.rw + "/dir")) == ["a", "b", "moved"])
    d.bad("mv", "rw:/none", "rw:/x", says=b"fsif: rw:/none: No such file or directory")
    d.bad("mv", "rw:/b", "rw:/none/", says=b"fsif: rw:/none: No such file or directory")
    d.bad("mv", "rw:/b", "ro:/b", code=2)
    check("no temporary is left", not any(b".fsif-" in name for name in tree(d.rw)))


def removing(d):
    os.makedirs(d.rw + "/r/x/y")
    put_file(d.rw + "/r/x/f", b"f")
    put_file(d.rw + "/keep", b"k")
    os.symlink("/keep", d.rw + "/r/x/link")
    os.symlink("../..", d.rw + "/r/x/up")
    d.bad("rm", "rw:/r", says=b"fsif: rw:/r: Directory not empty")
    d.bad("rm", "rw:/none", says=b"fsif: rw:/none: No such file or directory")
    d.ok("rm", "-f", "rw:/none")
    d.ok("rm", "-r", "rw:/r")
    check("rm -r", not os.path.exists(d.rw + "/r") and os.path.exists(d.rw + "/keep"))
    d.ok("rm", "rw:/keep")
    d.bad("rm", "-r", "rw:/", code=2)
    d.bad("rm", "-rf", "rw:/keep", "rw://.//", code=2)


def attributes(d):
    old = os.umask(0o027)
    d.ok("mkdir", "rw:/m")
    os.umask(old)
    check("mkdir obeys umask", tree(d.rw)[b"m"][0] == 0o750)
    d.ok("mkdir", "-m", "0700", "rw:/m/n")
    d.bad("mkdir", "rw:/m", says=b"fsif: rw:/m: File exists")
    d.bad("mkdir", "rw:/q/r/s", says=b"fsif: rw:/q/r/s: No such file or directory")
    d.ok("mkdir", "-p", "rw:/q/r/s", "rw:/m", "rw:/")
    check("mkdir -p", os.path.isdir(d.rw + "/q/r/s"))
    put_file(d.rw + "/f", b"0123456789", 0o644)
    d.bad("mkdir", "-p", "rw:/f/x", says=b"fsif: rw:/f/x: Not a directory")
    for mode, then in (("600", 0o600), ("u+x", 0o700), ("g=r,o=", 0o740), ("a+rX", 0o755),
                       ("go-rx,u-w", 0o500), ("u=rw,g+w", 0o620), ("0", 0), ("644", 0o644)):
        d.ok("chmod", mode, "rw:/f")
        check("chmod " + mode, os.stat(d.rw + "/f").st_mode & 0o777 == then,
              oct(os.stat(d.rw + "/f").st_mode))
    d.ok("chmod", "o-rx", "rw:/m")
    for size, then in (("3", 3), ("0", 0), ("2K", 2048), ("1M", 1048576), ("17", 17)):
        d.ok("truncate", "-s", size, "rw:/f")
        check("truncate -s " + size, os.stat(d.rw + "/f").st_size == then)
    d.bad("truncate", "-s", "1", "rw:/none", says=b"fsif: rw:/none: No such file or directory")
    d.bad("truncate", "-s", "1", "rw:/m", says=b"fsif: rw:/m: Is a directory")
    d.ok("sync", "rw:/f", "rw:/")
    out = d.ok("stat", "rw:/f", "rw:/m").decode()
    check("stat", "rw:/f\n  size: 17\n  mode: 0644 (-rw-r--r--)" in out, out)
    values = json.loads(d.ok("stat", "--json", "rw:/f"))
    check("stat --json", values[0]["size"] == 17 and values[0]["type"] == "file", values)
    free = json.loads(d.ok("df", "--json"))
    check("df", [f["name"] for f in free] == ["mem:/", "ro:/", "rw:/"] and
          all(f["free"] > 0 for f in free), free)
    rows = [line.split() for line in d.ok("df", "-h", "mem:/").splitlines()]
    check("df -h", rows[0] == [b"size", b"used", b"free", b"export"] and len(rows) == 2 and
          rows[1][3] == b"mem:/" and rows[1][2] != b"-", rows)
    d.bad("df", "rw:/none", says=b"fsif: rw:/none: No such file or directory")


def read_only(d):
    put_file(d.rw + "/f", b"f")
    rofs = b": Read-only file system"
    d.bad("rm", "ro:/f", says=b"fsif: ro:/f" + rofs)
    d.bad("mkdir", "ro:/d", says=b"fsif: ro:/d" + rofs)
    d.bad("mv", "ro:/f", "ro:/g", says=b"fsif: ro:/f" + rofs)
    d.bad("chmod", "600", "ro:/f", says=b"fsif: ro:/f" + rofs)
    d.bad("truncate", "-s", "0", "ro:/f", says=b"fsif: ro:/f" + rofs)
    d.bad("put", d.rw + "/f", "ro:/g", says=b"fsif: ro:/g" + rofs)
    d.bad("cp", "ro:/f", "ro:/g", says=b"fsif: ro:/f" + rofs)
    check("nothing changed", tree(d.rw) == {b"f": (0o644, b"f")})


def no_session(d):
    d.bad("ls", "none:/", code=3,
          says=b"fsif: none: no export of that name at " + d.address.encode() +
          b" that you may use")
    d.bad("-c", "shm:" + d.folder + "/nobody", "ls", "rw:/", code=3)
    d.bad("-c", "shm:" + d.folder + "/nobody", "exports", code=3)
    d.bad("-c", "nosuch:x", "exports", code=3)
    d.bad("-c", "shm:" + d.folder + "/log", "exports", code=3)


def broken_output(d):
    put_file(d.rw + "/f", b"x" * 100000)
    with open("/dev/full", "wb") as full:
        import subprocess
        from clilib import FSIF
        for command in (("cat", "rw:/f"), ("ls", "rw:/"), ("exports",), ("stat", "rw:/f")):
            r = subprocess.run([FSIF, "-c", d.address, *command], stdout=full,
                               stderr=subprocess.PIPE, timeout=60, check=False)
            check("full output: " + command[0], r.returncode == 1 and
                  b"fsif: standard output: No space left on device\n" in r.stderr,
                  (r.returncode, r.stderr))


def main():
    for part in (listing, strange_names, files, removing, attributes, read_only, no_session,
                 broken_output):
        with Daemon() as d:
            part(d)
    finish()


main()
