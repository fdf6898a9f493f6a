# SPDX-License-Identifier: MIT
"""get and put: what goes where, trees of every shape, what is skipped, interruption."""
import os
import signal
import subprocess

from clilib import DEADLINE, FSIF, Daemon, check, finish, put_file, tree, wait_until


def make_tree(top):
    os.makedirs(top + "/sub/deeper/still")
    os.mkdir(top + "/empty")
    os.mkdir(top + "/closed", 0o755)
    put_file(top + "/file", b"contents\n", 0o640)
    put_file(top + "/nothing", b"")
    put_file(top + "/page", bytes(range(256)) * 16)
    put_file(top + "/page+1", bytes(range(256)) * 16 + b"x", 0o755)
    put_file(top + "/big", os.urandom(5 * 1024 * 1024 + 17), 0o600)
    put_file(top + "/sub/deeper/still/here", b"here")
    for name in (b"with space", b"new\nline", b"\xff\xfe", b"\x1b[2J", b"-rf", b"a:b", b"n" * 255):
        put_file(os.path.join(os.fsencode(top + "/sub"), name), name)
    put_file(top + "/closed/inside", b"inside", 0o400)
    os.chmod(top + "/closed", 0o555)


def destinations(d):
    """The table of fsif(1): what a trailing slash means."""
    home = d.home
    make_tree(home + "/src")
    whole = tree(home + "/src")
    named = {b"src": (0o755, None)}
    named.update({b"src/" + k: v for k, v in whole.items()})
    # source, destination there already, what the destination holds then
    for number, (source, there, want) in enumerate((
            ("src", True, named), ("src/", True, whole), ("src", False, named),
            ("src/", False, whole), ("src/.", True, whole))):
        to = "to%d" % number
        if there:
            os.mkdir(d.rw + "/" + to)
        d.ok("put", home + "/" + source, "rw:/" + to)
        check("put %s, there: %s" % (source, there), tree(d.rw + "/" + to) == want)
    for number, (source, there, want) in enumerate((
            ("to1", True, {b"to1": (0o755, None)}), ("to1/", True, {}), ("to1", False,
            {b"to1": (0o755, None)}), ("to1/", False, {}))):
        out = home + "/out%d" % number
        if there:
            os.mkdir(out)
        d.ok("get", "rw:/" + source, out)
        prefix = b"to1/" if want else b""
        want = dict(want)
        want.update({prefix + k: v for k, v in whole.items()})
        check("get %s, there: %s" % (source, there), tree(out) == want)
    d.ok("put", "--verify", "-j", "1", home + "/src/", "rw:/verified")
    check("put --verify", tree(d.rw + "/verified") == whole)
    d.ok("get", "--verify", "-j", "32", "rw:/verified/", home + "/verified")
    check("get --verify", tree(home + "/verified") == whole)
    # Again, onto what is there. Only root makes a file in a folder that is closed to writing.
    if os.getuid() != 0:
        for top in (d.rw, home):
            os.chmod(top + "/verified/closed", 0o755)
            os.chmod(top + "/src/closed" if top == home else top + "/to1/closed", 0o755)
        whole = tree(home + "/src")
    d.ok("put", home + "/src/", "rw:/verified")
    d.ok("get", "rw:/verified/", home + "/verified")
    check("twice", tree(home + "/verified") == whole and tree(d.rw + "/verified") == whole)


def single_files(d):
    home = d.home
    put_file(home + "/one", b"1", 0o600)
    put_file(home + "/two", b"2" * 10000)
    os.utime(home + "/one", (1000000000, 1000000000))
    d.ok("put", home + "/one", "rw:/")
    d.ok("put", home + "/one", "rw:/renamed")
    d.ok("put", home + "/one", home + "/two", "rw:/new/")
    check("put files", sorted(os.listdir(d.rw + "/new")) == ["one", "two"] and
          tree(d.rw)[b"renamed"] == (0o600, b"1"))
    os.utime(d.rw + "/renamed", (1000000000, 1000000000))
    d.ok("get", "rw:/renamed", home + "/back")
    check("get a file", tree(home)[b"back"] == (0o600, b"1") and
          os.stat(home + "/back").st_mtime == 1000000000)
    d.ok("get", "rw:/renamed", "here", cwd=home)
    d.ok("get", "rw:/one", "rw:/new/two", "dir", cwd=home)
    check("get files", sorted(os.listdir(home + "/dir")) == ["one", "two"])
    d.bad("get", "rw:/none", home + "/x", says=b"fsif: rw:/none: No such file or directory")
    d.bad("get", "rw:/one/", home + "/x", says=b"fsif: rw:/one: Not a directory")
    d.bad("get", "rw:/one", "rw:/new", home + "/one",
          says=b"fsif: " + os.fsencode(home) + b"/one: Not a directory")
    d.bad("get", "rw:/one", home + "/no/such/place")
    d.bad("put", home + "/none", "rw:/",
          says=b"fsif: " + os.fsencode(home) + b"/none: No such file or directory")
    d.bad("put", home + "/one", "rw:/no/such/place")
    d.bad("put", home + "/one", home + "/two", "rw:/renamed",
          says=b"fsif: rw:/renamed: Not a directory")
    os.mkdir(d.rw + "/occupied")
    os.mkdir(home + "/occupied")
    os.mkdir(home + "/occupied/one")
    d.bad("get", "rw:/one", home + "/occupied")
    check("a directory is not replaced", os.path.isdir(home + "/occupied/one") and
          os.listdir(home + "/occupied") == ["one"])
    check("no temporary is left", not any(b".fsif-" in n for n in tree(home)))


def links_and_others(d):
    home = d.home
    os.makedirs(home + "/src/dir")
    put_file(home + "/src/dir/file", b"f")
    os.symlink("dir", home + "/src/link-to-dir")
    os.symlink("dir/file", home + "/src/link-to-file")
    os.symlink("nowhere", home + "/src/dangling")
    os.symlink("..", home + "/src/dir/loop")
    os.mkfifo(home + "/src/fifo")
    r = d.bad("put", home + "/src/", "rw:/plain")
    check("links are skipped", sorted(tree(d.rw + "/plain")) == [b"dir", b"dir/file"] and
          r.stderr.count(b"skipped: a symbolic link") == 4 and
          r.stderr.count(b"fifo: skipped: neither a file nor a directory") == 1, r.stderr)
    r = d.bad("put", "-L", home + "/src/", "rw:/followed")
    found = tree(d.rw + "/followed")
    check("links are followed", found.get(b"link-to-file") == (0o644, b"f") and
          found.get(b"link-to-dir/file") == (0o644, b"f") and b"dangling" not in found and
          b"leads back to a directory" in r.stderr, (sorted(found), r.stderr))
    os.symlink(home + "/src/dir/file", home + "/operand")
    d.ok("put", home + "/operand", "rw:/operand")
    check("an operand is followed", tree(d.rw)[b"operand"][1] == b"f")
    # The backend resolves links inside the export; one that leads out is not there.
    put_file(home + "/secret", b"secret")
    os.mkdir(d.rw + "/t")
    os.symlink(home + "/secret", d.rw + "/t/out")
    os.symlink("/operand", d.rw + "/t/in")
    d.bad("get", "rw:/t/", home + "/t", says=b"fsif: rw:/t/out: No such file or directory")
    check("get follows inside", tree(home + "/t") == {b"in": (0o644, b"f")})


def never_through_a_link(d):
    """A link that lies in the destination is replaced or refused, never followed."""
    home = d.home
    os.makedirs(d.rw + "/t/dir")
    put_file(d.rw + "/t/file", b"new")
    put_file(d.rw + "/t/dir/inner", b"new")
    os.makedirs(home + "/outside")
    put_file(home + "/outside/file", b"old")
    os.mkdir(home + "/dest")
    os.symlink(home + "/outside/file", home + "/dest/file")
    os.symlink(home + "/outside", home + "/dest/dir")
    d.bad("get", "rw:/t/", home + "/dest")
    check("outside is untouched", tree(home + "/outside") == {b"file": (0o644, b"old")})
    check("the file is there", tree(home + "/dest")[b"file"] == (0o644, b"new"))


def set_id_bits(d):
    home = d.home
    put_file(d.rw + "/s", b"s")
    os.chmod(d.rw + "/s", 0o6755)
    d.ok("get", "rw:/s", home + "/s")
    check("set-id bits are dropped", os.stat(home + "/s").st_mode & 0o7777 == 0o755)


def interruption(d):
    home = d.home
    with open(d.rw + "/huge", "wb") as f:
        f.truncate(1 << 40)
    os.mkdir(home + "/dest")
    put_file(home + "/dest/huge", b"old")
    os.mkdir(d.rw + "/dest")
    put_file(d.rw + "/dest/huge", b"old")
    for args, dest in ((["get", "rw:/huge", home + "/dest"], home + "/dest"),
                       (["put", d.rw + "/huge", "rw:/dest"], d.rw + "/dest")):
        p = subprocess.Popen([FSIF, "-c", d.address, *args], stderr=subprocess.PIPE)
        wait_until(lambda: any(".fsif-" in n for n in os.listdir(dest)), "a copy to begin")
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=DEADLINE)
        check(args[0] + " ends by the signal", p.returncode == -signal.SIGINT and err == b"",
              (p.returncode, err))
        check(args[0] + " leaves what was there", tree(dest) == {b"huge": (0o644, b"old")})


def no_room(d):
    os.mkdir(d.home + "/big")
    for n in range(80):
        put_file(d.home + "/big/f%d" % n, os.urandom(1 << 20))
    r = d.bad("put", d.home + "/big/", "mem:/")
    lines = r.stderr.split(b"\n")[:-1]
    check("no room", lines and all(line.startswith(b"fsif: mem:/f") and
          line.endswith(b": No space left on device") for line in lines), r.stderr)


def many_entries(d):
    count = 100000
    os.mkdir(d.rw + "/many")
    for n in range(count):
        os.close(os.open(d.rw + "/many/entry-%06d" % n, os.O_CREAT | os.O_WRONLY))
    names = d.ok("ls", "rw:/many").split(b"\n")[:-1]
    check("100,000 entries", names == [b"entry-%06d" % n for n in range(count)], len(names))


def main():
    for part in (destinations, single_files, links_and_others, never_through_a_link, set_id_bits,
                 interruption, no_room, many_entries):
        with Daemon() as d:
            part(d)
    finish()


main()
