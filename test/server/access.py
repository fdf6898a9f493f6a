# SPDX-License-Identifier: MIT
"""Who may use which export, with real processes of real users."""
import json
import os
import subprocess
import sys
import traceback
from testlib import Daemon, Front, main, skip, wait_until

if os.geteuid() != 0:
    skip("needs root to become other users")

EXPORTS = ["-e", "own=memory:", "-e", "user=memory:,allow-uid=7001", "-e",
           "group=memory:,ro,allow-gid=7100", "-e", "both=memory:,allow-uid=7002,allow-gid=7101"]


def as_user(uid, gid, groups, job):
    """Run @job in a child that is somebody else; what it returns goes through JSON."""
    end, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os.write(begin, json.dumps(job()).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(begin)
    with open(end) as f:
        text = f.read()
    assert os.waitpid(pid, 0)[1] == 0
    return json.loads(text)


def look(path):
    """What a peer may list, and which of the sessions it can start."""
    listed = Front(path).exports()
    opened = {}
    for name in "own", "user", "group", "both", "nosuch":
        front = Front(path)
        opened[name] = front.session(name)
        front.close()
    return listed, opened


def users(folder):
    table = [
        (0, 0, [], ["own rw"]),
        (7001, 7001, [], ["user rw"]),
        (7002, 7002, [], ["both rw"]),
        (7003, 7100, [], ["group ro"]),
        (7003, 7003, [7100], ["group ro"]),
        (7003, 7003, [1, 2, 7101, 7100, 3], ["both rw", "group ro"]),
        (7001, 7001, [7101], ["both rw", "user rw"]),
        (7004, 7004, [], []),
        # Numbers of the one kind are not numbers of the other.
        (7100, 7001, [7002], []),
    ]
    with Daemon(folder, *EXPORTS) as daemon:
        for uid, gid, groups, expected in table:
            listed, opened = as_user(uid, gid, groups, lambda: look(daemon.socket))
            assert listed == expected, (uid, gid, groups, listed)
            may = {name.split()[0]: name.split()[1] for name in expected}
            for name, answer in opened.items():
                if name in may:
                    assert answer["status"] == "0", (uid, name, answer)
                    assert answer["read-only"] == str(int(may[name] == "ro")), answer
                else:
                    # Not a byte tells an export that is there from one that is not.
                    assert answer == opened["nosuch"] and answer["status"] == "2", answer
        assert daemon.log().count("event=denied") > 1


def many_groups(folder):
    with Daemon(folder, *EXPORTS) as daemon:
        groups = list(range(8000, 8063)) + [9000]
        listed, _ = as_user(7003, 7003, groups, lambda: look(daemon.socket))
        assert listed == []
        groups = [7100] + list(range(8000, 8100))
        listed, _ = as_user(7003, 7003, groups, lambda: look(daemon.socket))
        assert listed == ["group ro"]


def crowd_of_strangers(folder):
    """Who may use nothing cannot lock out those who may."""

    def crowd(path):
        fronts = []
        try:
            for _ in range(200):
                fronts.append(Front(path))
        except OSError:
            pass
        os.write(ready[1], b"x")
        os.read(done[0], 1)
        return len(fronts)

    ready, done = os.pipe(), os.pipe()
    with Daemon(folder, "-e", "own=memory:", "--max-sessions", "32") as daemon:
        pid = os.fork()
        if pid == 0:
            os.close(done[1])  # so that it ends if we do
            try:
                as_user(7009, 7009, [], lambda: crowd(daemon.socket))
            finally:
                os._exit(0)
        os.read(ready[0], 1)
        for _ in range(10):
            front = Front(daemon.socket)
            assert front.session("own")["status"] == "0"
        assert len(daemon.workers()) <= 16 + 10
        os.write(done[1], b"x")
        os.waitpid(pid, 0)
        assert daemon.stop() == 0
    for fd in ready + done:
        os.close(fd)


def credentials_of_connect(folder):
    """What counts is who connected, not what the process became afterwards."""

    def job(path):
        front = Front(path)
        os.seteuid(7001)
        return front.session("user")

    with Daemon(folder, *EXPORTS) as daemon:
        answer = as_user(0, 0, [], lambda: job(daemon.socket))
        assert answer["status"] == "2", answer


def owner_of_files(folder):
    os.mkdir(folder + "/d")
    os.chmod(folder + "/d", 0o777)

    def job(path, export, name):
        front = Front(path)
        assert front.session(export)["status"] == "0"
        return front.create(name, 0o4755)

    exports = ["-e", "peer=%s/d,allow-uid=7001" % folder,
               "-e", "daemon=%s/d,allow-uid=7001,map=daemon" % folder,
               "-e", "ids=%s/d,allow-uid=7001,map=7005:7006" % folder]
    with Daemon(folder, *exports) as daemon:
        for export, uid, gid in ("peer", 7001, 7002), ("daemon", 0, 0), ("ids", 7005, 7006):
            assert as_user(7001, 7002, [], lambda: job(daemon.socket, export, export)) >= 0
            st = os.stat(folder + "/d/" + export)
            assert (st.st_uid, st.st_gid) == (uid, gid), (export, st)
            assert st.st_mode & 0o7777 == 0o755, oct(st.st_mode)


def overflow_ids(folder):
    """To a daemon in a user namespace of its own, all users but its own look alike: nobody."""
    probe = subprocess.run(["unshare", "-U", "-r", "true"], capture_output=True)
    if probe.returncode:
        print("SKIP: no user namespaces: " + probe.stderr.decode().strip())
        return
    from testlib import PROGRAM
    path = folder + "/socket"
    with open(folder + "/err", "wb") as err:
        p = subprocess.Popen(["unshare", "-U", "-r", PROGRAM, "-l", "shm:" + path, "-e",
                              "own=memory:"], stdout=subprocess.PIPE, stderr=err)
    try:
        assert p.stdout.readline().startswith(b"fsif-backend: listening")
        assert as_user(0, 0, [], lambda: Front(path).exports()) == ["own rw"]
        assert as_user(7001, 7001, [], lambda: Front(path).exports()) == []
        assert as_user(65534, 65534, [], lambda: Front(path).exports()) == []
    finally:
        p.terminate()
        assert p.wait(20) == 0
        p.stdout.close()


def nobody_daemon(folder):
    """A daemon of another user serves that user, and root is no exception."""
    os.chown(folder, 7001, 7001)

    def job(path):
        front = Front(path)
        assert front.session("dir")["status"] == "0"
        handle = front.create("file", 0o640)
        assert front.write(handle, b"hello") == 5
        return front.read(handle, 10).decode()

    with Daemon(folder, "-e", "own=memory:", "-e", "dir=" + folder, user=7001, group=7001, extra_groups=[]) as daemon:
        listed = as_user(7001, 7001, [], lambda: Front(daemon.socket).exports())
        assert listed == ["dir rw", "own rw"], listed
        assert as_user(7001, 7001, [], lambda: job(daemon.socket)) == "hello"
        st = os.stat(folder + "/file")
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (7001, 7001, 0o640), st
        assert Front(daemon.socket).exports() == []
        wait_until(lambda: "listening" in daemon.log(), "the log")
        assert daemon.stop() == 0


sys.stdout.flush()
main([users, many_groups, crowd_of_strangers, credentials_of_connect, owner_of_files, overflow_ids, nobody_daemon])
