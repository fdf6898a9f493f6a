# SPDX-License-Identifier: MIT
"""put -a and get -a: what they keep, compared with the host's own calls; small files in one request;
what of it is done without -a."""
import os

from clilib import Daemon, can_xattr, check, finish, put_file, skip, tree

HOLE = 1 << 20


def blocks(path):
    """Where the data of a file is."""
    found = []
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        at = 0
        while at < size:
            try:
                data = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(f.fileno(), data, os.SEEK_HOLE)
            found.append((data, at))
    return found


def described(top, xattrs):
    """Everything that a tree has: {name: ...}, and the names of files that are one"""
    what = {}
    same = {}
    for folder, dirs, files in os.walk(os.fsencode(top)):
        for name in dirs + files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            key = os.path.relpath(path, os.fsencode(top))
            row = {"mode": st.st_mode, "owner": (st.st_uid, st.st_gid), "mtime": st.st_mtime_ns}
            if os.path.islink(path):
                row["says"] = os.readlink(path)
            elif xattrs:
                row["xattrs"] = {n: os.getxattr(path, n) for n in os.listxattr(path)}
            what[key] = row
            if st.st_nlink > 1 and name in files:
                same.setdefault(st.st_ino, set()).add(key)
    return what, sorted(map(sorted, same.values()))


def make_tree(top, xattrs):
    """Times last, and of what lies within before what it lies in."""
    os.makedirs(top + "/sub/deep")
    os.mkdir(top + "/many")
    put_file(top + "/plain", b"plain", 0o640)
    put_file(top + "/nothing", b"", 0o400)
    put_file(top + "/big", os.urandom(3 * 1024 * 1024 + 5), 0o755)
    put_file(top + "/sub/edge", b"e" * (256 << 10))
    put_file(top + "/sub/edge-1", b"e" * ((256 << 10) - 1))
    for n in range(300):
        put_file(top + "/many/f%d" % n, b"%d" % n * n, 0o600 + n % 8)
    for name in (b"\xff\xfe", b"new\nline", b"n" * 255):
        put_file(os.path.join(os.fsencode(top + "/sub/deep"), name), name)
    os.symlink("plain", top + "/link")
    os.symlink("/etc/../nowhere\n\x1b[0m", top + "/sub/dangling")
    os.symlink("..", top + "/sub/up")
    put_file(top + "/twin1", b"t" * 10000)
    os.link(top + "/twin1", top + "/twin2")
    os.link(top + "/twin1", top + "/sub/deep/twin3")
    os.link(top + "/nothing", top + "/sub/empty-twin")
    with open(top + "/holes", "wb") as f:
        f.seek(HOLE)
        f.write(b"data" * 1024)
        f.seek(3 * HOLE)
        f.write(b"more" * 1024)
        f.truncate(5 * HOLE)
    with open(top + "/hole", "wb") as f:
        f.truncate(100000)
    if os.getuid() == 0:
        os.chown(top + "/plain", 1234, 2345)
        os.chown(top + "/link", 1234, 2345, follow_symlinks=False)
        os.chown(top + "/sub/deep", 5, 6)
    if xattrs:
        os.setxattr(top + "/plain", "user.one", b"1")
        os.setxattr(top + "/plain", "user.two", bytes(range(256)))
        os.setxattr(top + "/sub", "user.of.a.directory", b"")
        for n in range(30):
            os.setxattr(top + "/sub/edge", "user.%d%s" % (n, "n" * 60), b"%d" % n)
        os.chmod(top + "/nothing", 0o600)
        os.setxattr(top + "/nothing", "user.read-only", b"x" * 1000)
        os.chmod(top + "/nothing", 0o400)
    os.chmod(top + "/many", 0o555)
    os.chmod(top + "/sub/deep", 0o1777)
    number = 0
    for folder, dirs, files in os.walk(os.fsencode(top), topdown=False):
        for name in files + dirs:
            number += 1
            os.utime(os.path.join(folder, name), ns=(10**18 + number, 10**18 + 7 * number),
                     follow_symlinks=False)


def there_and_back(d):
    home = d.home
    xattrs = can_xattr(home) and can_xattr(d.rw)
    if not xattrs:
        skip("no extended attributes of files in " + home)
    make_tree(home + "/src", xattrs)
    before, _ = described(home + "/src", xattrs)
    d.ok("put", "-a", home + "/src", "rw:/")
    check("the tree has not changed", {n: r["mtime"] for n, r in before.items()} ==
          {n: r["mtime"] for n, r in described(home + "/src", xattrs)[0].items()})
    copies = [("put -a", d.rw + "/src")]
    d.ok("get", "-a", "rw:/src", home + "/out")
    copies.append(("get -a", home + "/out/src"))
    d.ok("put", "-a", "--verify", "-j", "1", home + "/src", "rw:/verified")
    copies.append(("put -a --verify -j 1", d.rw + "/verified/src"))
    d.ok("get", "-a", "--verify", "-j", "32", "rw:/verified/src", home + "/verified")
    copies.append(("get -a --verify -j 32", home + "/verified/src"))
    for what, top in copies:
        compare(what, before, home + "/src", top, xattrs)
    # Again, onto what is there.
    d.ok("put", "-a", home + "/src", "rw:/")
    compare("put -a again", before, home + "/src", d.rw + "/src", xattrs)
    d.ok("get", "-a", "rw:/src", home + "/out")
    compare("get -a again", before, home + "/src", home + "/out/src", xattrs)
    check("no temporary is left", not any(b".fsif-" in n for n in [*tree(d.rw), *tree(home)]))


def compare(what, before, left, right, xattrs):
    """The trees are one another's copies. Not the times of access: comparing reads."""
    after, twins = described(right, xattrs)
    for name in sorted(set(before) | set(after)):
        check("%s: %r" % (what, name), before.get(name) == after.get(name),
              (before.get(name), after.get(name)))
    check(what + ": names of one file", twins == described(left, xattrs)[1], twins)
    check(what + ": contents", {n: c for n, (m, c) in tree(left).items()} ==
          {n: c for n, (m, c) in tree(right).items()})
    for name in ("/holes", "/hole"):
        check(what + name, blocks(left + name) == blocks(right + name),
              (blocks(left + name), blocks(right + name)))


def times(d):
    """To the nanosecond; the time of access is the one before the copy."""
    want = (1111111111222222222, 1000000000000000007)
    for size in (1, 1 << 20):
        put_file(d.home + "/f", b"f" * size)
        os.utime(d.home + "/f", ns=want)
        d.ok("put", "-a", d.home + "/f", "rw:/f")
        st = os.stat(d.rw + "/f")
        check("put -a keeps times", (st.st_atime_ns, st.st_mtime_ns) == want, st)
        d.ok("get", "-a", "rw:/f", d.home + "/back")
        st = os.stat(d.home + "/back")
        check("get -a keeps times", (st.st_atime_ns, st.st_mtime_ns) == want, st)
        d.ok("get", "rw:/f", d.home + "/back2")
        check("get keeps nanoseconds", os.stat(d.home + "/back2").st_mtime_ns == want[1])


def operands(d):
    """A link that is named is kept with -a, and followed without."""
    put_file(d.home + "/f", b"f")
    os.symlink("f", d.home + "/l")
    os.mkdir(d.home + "/dir")
    os.symlink("dir", d.home + "/ldir")
    d.ok("put", "-a", d.home + "/l", d.home + "/ldir", "rw:/p/")
    check("put -a of links", tree(d.rw + "/p") == {b"l": (0o777, b"f"), b"ldir": (0o777, b"dir")},
          tree(d.rw + "/p"))
    d.ok("put", "-a", "-L", d.home + "/l", "rw:/followed")
    check("put -a -L", tree(d.rw)[b"followed"] == (0o644, b"f"))
    d.ok("get", "-a", "rw:/p/l", d.home + "/kept")
    check("get -a of a link", os.readlink(d.home + "/kept") == "f")
    # What is there is replaced, links onto links too.
    put_file(d.home + "/over", b"old")
    d.ok("get", "-a", "rw:/p/l", d.home + "/over")
    d.ok("get", "-a", "rw:/p/l", d.home + "/over")
    check("a link replaces", os.readlink(d.home + "/over") == "f")
    put_file(d.rw + "/over", b"old")
    d.ok("put", "-a", d.home + "/l", "rw:/over")
    d.ok("put", "-a", d.home + "/l", "rw:/over")
    check("a link replaces there", os.readlink(d.rw + "/over") == "f")


def without_archive(d):
    """Links are followed by get, one that leads back is skipped."""
    os.makedirs(d.rw + "/t/dir")
    put_file(d.rw + "/t/dir/f", b"f")
    os.symlink("dir", d.rw + "/t/l")
    os.symlink("..", d.rw + "/t/dir/up")
    r = d.bad("get", "rw:/t", d.home + "/out")
    check("a link that leads back", b"leads back to a directory" in r.stderr, r.stderr)
    check("others are followed", tree(d.home + "/out")[b"t/l/f"] == (0o644, b"f"))


def special(d):
    os.mkdir(d.home + "/s")
    os.mkfifo(d.home + "/s/fifo")
    put_file(d.home + "/s/setid", b"s")
    os.chmod(d.home + "/s/setid", 0o6755)
    d.bad("put", "-a", d.home + "/s", "rw:/", says=b"fsif: " + os.fsencode(d.home) +
          b"/s/fifo: skipped: neither a file nor a directory")
    os.chmod(d.rw + "/s/setid", 0o6755)
    os.mkfifo(d.rw + "/s/fifo")
    d.bad("get", "-a", "rw:/s", d.home + "/out",
          says=b"fsif: rw:/s/fifo: skipped: neither a file nor a directory")
    check("set-id bits are dropped", os.stat(d.home + "/out/s/setid").st_mode & 0o7777 == 0o755)


def never_through_a_link(d):
    """As without -a: what lies in the destination is replaced or refused, never followed."""
    home = d.home
    os.makedirs(d.rw + "/t/dir")
    put_file(d.rw + "/t/file", b"new")
    os.symlink("file", d.rw + "/t/link")
    put_file(d.rw + "/t/dir/inner", b"new")
    os.makedirs(home + "/outside")
    put_file(home + "/outside/file", b"old")
    os.mkdir(home + "/dest")
    os.symlink(home + "/outside/file", home + "/dest/file")
    os.symlink(home + "/outside/file", home + "/dest/link")
    os.symlink(home + "/outside", home + "/dest/dir")
    before = os.stat(home + "/outside").st_mtime_ns
    d.bad("get", "-a", "rw:/t/", home + "/dest")
    check("outside is untouched", tree(home + "/outside") == {b"file": (0o644, b"old")} and
          os.stat(home + "/outside").st_mtime_ns == before)
    check("what could be is there", tree(home + "/dest")[b"file"] == (0o644, b"new") and
          os.readlink(home + "/dest/link") == "file")


def read_only_folder(d):
    """A tree whose folders do not let anybody in is copied twice."""
    if os.getuid() == 0:
        skip("root is let in everywhere")
        return
    os.mkdir(d.home + "/src")
    put_file(d.home + "/src/f", b"1")
    os.chmod(d.home + "/src", 0o555)
    for _ in range(2):
        d.ok("put", "-a", d.home + "/src", "rw:/")
        d.ok("get", "-a", "rw:/src", d.home + "/out")
    check("their modes are kept", os.stat(d.home + "/out/src").st_mode & 0o777 == 0o555 and
          os.stat(d.rw + "/src").st_mode & 0o777 == 0o555)


def other_stores(d):
    """The memory store, whose contents go with the session: what is read back is right."""
    make_tree(d.home + "/src", False)
    r = d("put", "-a", "--verify", d.home + "/src", "mem:/")
    check("into the memory store", r.returncode == 0 and r.stderr == b"", r.stderr)


def main():
    for part in (there_and_back, times, operands, without_archive, special,
                 never_through_a_link, read_only_folder, other_stores):
        with Daemon() as d:
            part(d)
    finish()


main()
