# SPDX-License-Identifier: MIT
"""fsifctl on a daemon that serves over shm: exports, allow lists and sessions at run time."""
import os
import signal
import stat
import subprocess
from ctllib import FSIFCTL, Controlled
from testlib import DEADLINE, ENOENT, PROGRAM, Daemon, Front, main, skip, wait_until, works

if not os.path.exists(FSIFCTL):
    skip("fsifctl was not built")


def refused(front, export):
    return front.session(export)["status"] == str(ENOENT)


def comes_and_goes(folder):
    os.mkdir(folder + "/new")
    with Controlled(folder, "-e", "first=memory:") as daemon:
        assert stat.S_IMODE(os.stat(daemon.control).st_mode) == 0o600
        daemon.ctl("export", "add", "new=new,handles=7", cwd=folder)
        assert list(daemon.exports()) == ["first", "new"]
        assert daemon.exports()["new"]["source"] == folder + "/new"
        assert Front(daemon.socket).exports() == ["first rw", "new rw"]
        works(daemon.socket, "new")
        assert os.listdir(folder + "/new")

        daemon.ctl("export", "change", "new", "ro", "handles=3")
        shown = daemon.json("show", "new")
        assert shown["export"]["read_only"] and shown["export"]["handles"] == 3, shown
        front = Front(daemon.socket)
        assert front.session("new")["read-only"] == "1"
        assert front.create("x") < 0
        front.close()
        daemon.ctl("export", "change", "new", "ro=no")
        works(daemon.socket, "new")

        daemon.ctl("export", "remove", "new")
        assert Front(daemon.socket).exports() == ["first rw"]
        assert refused(Front(daemon.socket), "new")
        daemon.ctl("export", "remove", "new", code=1, says="no export 'new'")
        works(daemon.socket, "first")
        assert daemon.stop() == 0
        daemon.assert_clean()
        assert not os.path.exists(daemon.control) and not os.path.exists(daemon.control + ".lock")


def names_with_commas(folder):
    odd = folder + "/a,b\\c é"
    os.mkdir(odd)
    with Controlled(folder) as daemon:
        daemon.ctl("export", "add", "odd=%s" % odd.replace("\\", "\\\\").replace(",", "\\,"))
        assert daemon.exports()["odd"]["source"] == odd
        works(daemon.socket, "odd")


def long_names(folder):
    """Everything that is shown of an export is there, however long its source is."""
    path = folder + "".join("/" + c * 250 for c in "abcde")
    os.makedirs(path)
    with Controlled(folder, "-e", "a=memory:") as daemon:
        daemon.ctl("export", "add", "n" * 63 + "=" + path + ",strip-prefix=/" + "s" * 250 +
                   ",map=daemon,handles=65536,ro")
        shown = daemon.exports()["n" * 63]
        assert path.startswith(shown["source"]) and len(shown["source"]) == 1200
        assert shown["allowed"] == 1 and shown["sessions"] == 0
        detail = daemon.json("show", "n" * 63)["export"]
        assert detail["handles"] == 65536 and len(detail["strip_prefix"]) >= 250, detail
        daemon.ctl("export", "add", "o=" + folder + "/o" * 2000, code=2)
        os.makedirs(path + "/" + "f" * 250 + "/" + "g" * 250)
        daemon.ctl("export", "add", "p=" + path + "/" + "f" * 250 + "/" + "g" * 250, code=2,
                   says="longer than 1600")


def removed_in_use(folder):
    """A session of a removed export ends; the others live, and its last request is answered."""
    with Controlled(folder, "-e", "a=memory:", "-e", "b=memory:") as daemon:
        gone, stays = Front(daemon.socket), Front(daemon.socket)
        assert gone.session("a")["status"] == "0" and stays.session("b")["status"] == "0"
        handle = gone.create("x")
        assert gone.write(handle, b"hello") == 5
        assert "1 session of a ends" in daemon.ctl("export", "remove", "a")
        assert gone.hung_up()
        daemon.wait_log('event=session-end .*export=a reason="the export was removed"')
        assert stays.create("y") >= 0
        stays.close()


def bad_exports(folder):
    with Controlled(folder, "-e", "a=memory:") as daemon:
        table = [
            ("add", "a=memory:", 1, "an export 'a' already"),
            ("add", "b=/nowhere/at/all", 2, "no directory '/nowhere/at/all'"),
            ("add", "b=nosuch:words", 1, "nosuch"),
            ("add", "b=memory:,frob=1", 2, "no option 'frob'"),
            ("add", "b", 2, "NAME=SOURCE"),
            ("add", "../b=memory:", 1, "the name of an export"),
            ("add", "b=memory:,allow-uid=no-such-user", 2, "no user 'no-such-user'"),
            ("change", "a", 2, "not used like this"),
        ]
        for verb, what, code, says in table:
            daemon.ctl("export", verb, what, code=code, says=says)
        for key in "source=/tmp", "allow-uid=3", "handles=0", "handles=", "frob":
            daemon.ctl("export", "change", "a", key, code=1)
        assert daemon.exports()["a"]["read_only"] is False
        # All of a change or nothing of it.
        daemon.ctl("export", "change", "a", "ro", "handles=0", code=1)
        assert daemon.exports()["a"]["read_only"] is False
        assert list(daemon.exports()) == ["a"]


def as_user(uid, job):
    """Run @job as another user; true if it returned so."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os._exit(0 if job() else 3)
        except BaseException:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def allowed_users(folder):
    if os.geteuid() != 0:
        return print("SKIP: needs root to become other users")
    with Controlled(folder, "-e", "a=memory:") as daemon:
        def uses(uid, read_only="0"):
            return as_user(uid, lambda: Front(daemon.socket).session("a").get("read-only") ==
                           read_only)
        assert uses(0) and not uses(7001)
        daemon.ctl("allow", "uid:7001", "a")
        # Who could use it before still can.
        assert uses(0) and uses(7001) and not uses(7002)
        daemon.ctl("allow", "gid:7002", "a", "ro", "handles=2")
        assert uses(7002, "1")
        daemon.ctl("allow", "uid:7001", "a", "ro")
        assert uses(7001, "1")
        entries = {e["who"]: e for e in daemon.json("show", "a")["allowed"]}
        assert entries["uid:7001"]["read_only"] and entries["gid:7002"]["handles"] == 2, entries
        assert sorted(entries) == ["gid:7002", "uid:0", "uid:7001"]
        daemon.ctl("deny", "uid:7001", "a")
        assert not uses(7001)
        daemon.ctl("deny", "uid:7001", "a", code=1, says="no entry for uid:7001")
        # The last one of all leaves nobody, and not everybody.
        daemon.ctl("deny", "uid:0", "a")
        daemon.ctl("deny", "gid:7002", "a")
        assert not uses(0) and not uses(7002)


def denied_in_use(folder):
    with Controlled(folder, "-e", "a=memory:") as daemon:
        front = Front(daemon.socket)
        assert front.session("a")["status"] == "0"
        daemon.ctl("allow", "uid:%d" % os.getuid(), "a", "ro")
        assert front.create("x") >= 0, "new terms are for new sessions"
        daemon.ctl("deny", "uid:%d" % os.getuid(), "a")
        assert front.hung_up()
        daemon.wait_log("event=session-end .*no longer allowed")


def subjects(folder):
    uuid = "0a1b2c3d-0000-4000-8000-00000000000f"
    with Controlled(folder, "-e", "a=memory:") as daemon:
        daemon.ctl("allow", "3", "a", "size=4K")
        daemon.ctl("allow", uuid.upper(), "a", "nodes=5")
        entries = {e["who"]: e for e in daemon.json("show", "a")["allowed"]}
        assert entries["domain:3"]["size"] == 4096 and entries["uuid:" + uuid]["nodes"] == 5
        daemon.ctl("deny", uuid, "a")
        daemon.ctl("deny", "3", "a")
        for who in "web", "uid:", "uid:-1", "99999", "uid:no-such-user", uuid[:-1]:
            daemon.ctl("allow", who, "a", code=1)
        daemon.ctl("allow", "uid:65534", "a", code=1, says="cannot be allowed")
        for term in "handles=0", "frob", "ro=yes", "size=x":
            daemon.ctl("allow", "3", "a", term, code=1, says="is not ro")
        assert len(daemon.json("show", "a")["allowed"]) == 1


def sessions(folder):
    with Controlled(folder, "-e", "a=memory:", "-e", "b=memory:") as daemon:
        assert daemon.json("sessions") == []
        fronts = [Front(daemon.socket) for _ in range(3)]
        for front, export in zip(fronts, "aab"):
            assert front.session(export)["status"] == "0"
        for name in "x", "y":
            assert fronts[0].create(name) >= 0
        fronts[0].open("x")
        wait_until(lambda: len(daemon.json("sessions")) == 3, "three sessions")
        first = daemon.json("sessions")[0]
        assert first["export"] == "a" and first["dialect"] == 1 and first["handles"] == 3, first
        assert first["requests"] == 3 and first["transport"] == "shm", first
        assert first["peer"].startswith("uid:%d," % os.getuid()), first
        assert len(daemon.json("sessions", "b")) == 1
        assert daemon.exports()["a"]["sessions"] == 2
        daemon.ctl("sessions", "nosuch", code=1)

        # One that is stopped is shown, without figures.
        os.kill(first["pid"], signal.SIGSTOP)
        stopped = [s for s in daemon.json("sessions") if s["pid"] == first["pid"]]
        assert stopped[0]["handles"] is None and stopped[0]["requests"] is None
        os.kill(first["pid"], signal.SIGCONT)

        daemon.ctl("end", str(first["session"]))
        assert fronts[0].hung_up()
        daemon.wait_log("event=session-end .*the operator ended it")
        wait_until(lambda: len(daemon.json("sessions")) == 2, "two sessions")
        daemon.ctl("end", str(first["session"]), code=1, says="no session")
        daemon.ctl("end", "x", code=2)
        for front in fronts:
            front.close()


def hangs_at_its_end(folder):
    """A worker that does not end by itself is killed when its time is up."""
    with Controlled(folder, "-e", "a=memory:", "--stop-timeout", "1") as daemon:
        front = Front(daemon.socket)
        assert front.session("a")["status"] == "0"
        worker, = daemon.workers()
        os.kill(worker, signal.SIGSTOP)
        daemon.ctl("export", "remove", "a")
        assert front.hung_up()
        daemon.wait_log("event=end-late")


def restart(folder):
    """What was done at run time ends with the daemon."""
    with Controlled(folder, "-e", "a=memory:") as daemon:
        daemon.ctl("export", "add", "b=memory:")
        daemon.ctl("allow", "uid:1", "a")
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.process.wait()
        daemon.ctl("list", code=1, says="no daemon listens")
    with Controlled(folder, "-e", "a=memory:") as daemon:
        assert list(daemon.exports()) == ["a"]
        assert len(daemon.json("show", "a")["allowed"]) == 1


def listening(pid):
    """The paths of a process's unix sockets."""
    fds = "/proc/%d/fd/" % pid
    own = {os.readlink(fds + fd) for fd in os.listdir(fds)}
    with open("/proc/net/unix") as f:
        rows = [line.split() for line in f][1:]
    return {row[7] for row in rows if len(row) > 7 and "socket:[%s]" % row[6] in own}


def two_daemons(folder):
    with Controlled(folder, "-e", "a=memory:"):
        second = subprocess.run([PROGRAM, "-l", "shm:" + folder + "/t", "-e", "a=memory:",
                                 "--control", folder + "/control"], capture_output=True, text=True)
        assert second.returncode == 1 and "another daemon does" in second.stderr, second
    with Daemon(folder, "--control", "none", "-e", "a=memory:") as daemon:
        assert listening(daemon.pid) == {daemon.socket}


def bad_places(folder):
    os.mkdir(folder + "/open")
    os.chmod(folder + "/open", 0o777)
    with open(folder + "/file", "w"):
        pass
    for path in (folder + "/open/control", folder + "/file/control", folder + "/file",
                 folder + "/no/such/control", "control", "", folder + "/" + "x" * 120):
        done = subprocess.run([PROGRAM, "-l", "shm:" + folder + "/t", "-e", "a=memory:",
                               "--control", path], capture_output=True, text=True,
                              timeout=DEADLINE)
        assert done.returncode in (1, 2) and "control" in done.stderr, (path, done)
        assert not os.path.exists(folder + "/t")


def usage(folder):
    def run(*words):
        return subprocess.run([FSIFCTL] + list(words), capture_output=True, text=True)
    assert run("--help").returncode == 0 and "attach" in run("--help").stdout
    assert run("--version").stdout.startswith("fsifctl ")
    for words in ((), ("frob",), ("show",), ("list", "x"), ("--frob",), ("--control",),
                  ("attach", "1"), ("attach", "1", "../x"), ("export",), ("export", "frob", "x"),
                  ("attach", "1", "a", "frob"), ("--backend", "1", "attach", "1", "a", "handles=3")):
        done = run(*words)
        assert done.returncode == 2 and done.stderr.startswith("fsifctl: "), (words, done)
    done = run("--plugin-dir", "", "attach", "1", "a")
    assert done.returncode == 1 and "fsifctl allow" in done.stderr, done
    done = run("--control", folder + "/none", "list")
    assert done.returncode == 1 and "start fsif-backend" in done.stderr, done
    done = run("--control", folder + "/" + "x" * 200, "list")
    assert done.returncode == 1, done


main([comes_and_goes, names_with_commas, long_names, removed_in_use, bad_exports, allowed_users, denied_in_use,
      subjects, sessions, hangs_at_its_end, restart, two_daemons, bad_places, usage])
