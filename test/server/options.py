# SPDX-License-Identifier: MIT
"""Bad input: a clear message, exit code 2, and nothing left of the attempt."""
import os
import socket
import subprocess
from testlib import PLUGINS, PROGRAM, Daemon, Front, main, works


def run(*arguments, **popen):
    done = subprocess.run([PROGRAM] + list(arguments), capture_output=True, timeout=20,
                          stdin=subprocess.DEVNULL, **popen)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def refused(folder, says, *arguments, code=2, **popen):
    before = sorted(os.listdir(folder))
    got, out, err = run(*arguments, **popen)
    assert got == code, (arguments, got, out, err)
    assert out == "", (arguments, out)
    lines = [line for line in err.splitlines() if " event=" not in line]
    assert len(lines) == 1 and lines[0].startswith("fsif-backend: "), (arguments, err)
    assert says in lines[0], (arguments, err)
    assert sorted(os.listdir(folder)) == before, (arguments, os.listdir(folder))


def bad_input(folder):
    listen = ["-l", "shm:" + folder + "/socket"]
    export = ["-e", "data=" + folder]
    both = listen + export
    with open(folder + "/file", "w") as f:
        f.write("not a socket\n")
    table = [
        ("no address", []),
        ("no address", export),
        ("nothing to serve", listen),
        ("unknown option '-q'", both + ["-q"]),
        ("unknown option '--frobnicate'", both + ["--frobnicate"]),
        ("needs a value", both + ["-l"]),
        ("needs a value", both + ["--max-pages"]),
        ("unexpected argument 'more'", both + ["more"]),
        ("not an address", export + ["-l", "nothing"]),
        ("not an address", export + ["-l", "shm:"]),
        ("given twice", both + listen),
        ("there is no plugin", export + ["-l", "nosuch:x"]),
        ("two exports 'data'", both + export),
        ("not a name", listen + ["-e", "-x=" + folder]),
        ("NAME=SOURCE", listen + ["-e", "data"]),
        ("No such file", listen + ["-e", "data=" + folder + "/missing"]),
        ("Not a directory", listen + ["-e", "data=" + folder + "/file"]),
        ("there is no plugin", listen + ["-e", "data=nosuch:"]),
        ("store 'slow'", listen + ["-e", "data=slow:fast", "--plugin-dir", PLUGINS]),
        ("no option 'frobnicate'", listen + ["-e", "data=%s,frobnicate" % folder]),
        ("no user", listen + ["-e", "data=%s,allow-uid=no-such-user" % folder]),
        ("no group", listen + ["-e", "data=%s,allow-gid=no-such-group" % folder]),
        ("map is", listen + ["-e", "data=%s,map=x" % folder]),
        ("size is", listen + ["-e", "data=memory:,size=x"]),
        ("nodes is", listen + ["-e", "data=memory:,nodes=x"]),
        ("handles is", listen + ["-e", "data=memory:,handles=x"]),
        ("given twice", listen + ["-e", "data=memory:,xdev,xdev"]),
        ("given twice", listen + ["-e", "data=memory:,setid,setid"]),
        ("cannot be allowed", listen + ["-e", "data=%s,allow-uid=65534" % folder]),
        ("cannot be allowed", listen + ["-e", "data=%s,allow-gid=65534" % folder]),
        ("log-level is", both + ["--log-level", "x"]),
        ("max-sessions is", both + ["--max-sessions", "0"]),
        ("max-sessions-per-peer is", both + ["--max-sessions-per-peer", "x"]),
        ("max-pages is", both + ["--max-pages", "1"]),
        ("stop-timeout is", both + ["--stop-timeout", "x"]),
        ("handshake-timeout is", both + ["--handshake-timeout", "0"]),
        ("threads is", both + ["--threads", "1000"]),
        ("slow-threshold is", both + ["--slow-threshold", "0"]),
        ("plugin-dir", both + ["--plugin-dir", folder + "/missing"]),
        ("missing", both + ["-c", folder + "/missing"]),
        ("given twice", both + ["-c", "/dev/null", "-c", "/dev/null"]),
        # The second address fails: the first one is given up again.
        ("cannot listen", both + ["-l", "shm:" + folder + "/missing/socket"]),
        ("cannot listen", both + ["-l", "shm:" + folder + "/file"]),
        ("cannot listen", both + ["-l", "shm:/" + "x" * 200]),
        ("internal", ["--worker"]),
    ]
    for says, arguments in table:
        refused(folder, says, *arguments)


def without_privilege(folder):
    """A daemon that cannot give files away says so, instead of keeping them."""
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
        who = dict(user=12345, group=12345, extra_groups=[])
    else:
        who = {}
    listen = ["-l", "shm:" + folder + "/socket"]
    for word in "allow-uid=54321", "allow-gid=54321", "allow-uid=54321,map=54321:54321":
        refused(folder, "map=daemon", *listen, "-e", "data=%s,%s" % (folder, word), **who)


def in_use(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        refused(folder, "somebody else does", "-l", "shm:" + daemon.socket, "-e", "m=memory:",
                code=1)
        works(daemon.socket, "m")


def help_and_version(folder):
    code, out, err = run("--help")
    assert code == 0 and out.startswith("usage: fsif-backend") and not err
    code, out, err = run("-V")
    assert code == 0 and out.startswith("fsif-backend ") and not err


def listening_line(folder):
    second = folder + "/second"
    with Daemon(folder, "-e", "m=memory:", "-l", "shm:" + second) as daemon:
        assert daemon.line == ("fsif-backend: listening on shm:%s, shm:%s (1 export)\n"
                               % (daemon.socket, second)), daemon.line
        works(daemon.socket, "m")
        works(second, "m")
        assert daemon.stop() == 0
        daemon.assert_clean()
        assert not os.path.exists(second)


def service_manager(folder):
    """READY=1 once it listens, STOPPING=1 when it stops; workers hear nothing of the manager."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(folder + "/notify")
    environment = dict(os.environ, NOTIFY_SOCKET=folder + "/notify", LISTEN_FDS="0")
    with Daemon(folder, "-e", "m=memory:", env=environment) as daemon:
        manager.settimeout(30)
        said = manager.recv(1000)
        assert said == b"READY=1", said
        front = Front(daemon.socket)
        assert front.session("m")["status"] == "0"
        worker, = daemon.workers()
        with open("/proc/%d/environ" % worker, "rb") as f:
            variables = f.read()
        assert b"PATH=" in variables and b"NOTIFY_SOCKET" not in variables
        assert b"LISTEN_FDS" not in variables
        assert daemon.stop() == 0
        assert manager.recv(1000) == b"STOPPING=1"


def odd_directory(folder):
    """A comma, a backslash, an equals sign and a colon in a directory's name."""
    name = "a,b\\c=d:e"
    os.mkdir(folder + "/" + name)
    escaped = name.replace("\\", "\\\\").replace(",", "\\,")
    with Daemon(folder, "-e", "x=%s/%s" % (folder, escaped)) as daemon:
        works(daemon.socket, "x")
        assert os.listdir(folder + "/" + name) == ["works-%d" % os.getpid()]


main([bad_input, without_privilege, in_use, help_and_version, listening_line, service_manager,
      odd_directory])
