# SPDX-License-Identifier: MIT
"""The configuration file, through the program."""
import os
import subprocess
from testlib import PROGRAM, Daemon, Front, main, skip, works


def has_parser(folder):
    with open(folder + "/empty", "w"):
        pass
    done = subprocess.run([PROGRAM, "-c", folder + "/empty"], capture_output=True, timeout=20)
    if b"built without" in done.stderr:
        skip("built without libinih")


def write(folder, text):
    path = folder + "/conf"
    with open(path, "w") as f:
        f.write(text)
    return path


def many_exports(folder):
    count = 500
    os.mkdir(folder + "/d")
    text = "[global]\nmax-sessions = 7\n[listen]\naddress = shm:%s/socket\n" % folder
    for i in range(count):
        text += "\n[export e%03d]\nsource = %s/d\nro = %s\n" % (i, folder, "yes" if i % 2 else "no")
    with Daemon(folder, "-c", write(folder, text), listen=False) as daemon:
        assert daemon.line.endswith("(%d exports)\n" % count), daemon.line
        front = Front(daemon.socket)
        assert front.exports() == ["e%03d %s" % (i, "ro" if i % 2 else "rw") for i in range(count)]
        answer = front.session("e499")
        assert answer["status"] == "0" and answer["read-only"] == "1", answer
        works(daemon.socket, "e498")
        front.close()
        assert daemon.stop() == 0
        daemon.assert_clean()


def errors(folder):
    head = "[listen]\naddress = shm:%s/socket\n" % folder
    long_line = "[export x]\nsource = /%s\n" % ("x" * 300)
    table = [
        (head + long_line, ":4: the line is longer"),
        (head + "[export x]\nsource = memory:\nfrob = 1\n", ":5: an export has no option 'frob'"),
        (head + "[export x]\nsource = memory:\n[export x]\nsource = memory:\n", ":5: there are two"),
        (head + "[what]\na = 1\n", ":3: there is no section 'what'"),
        (head + "[export x]\nsource = memory:\nsize = much\n", ":5: size is"),
        (head + "words\n", ":3: neither"),
        ("[global]\nthreads = 0\n", ":2: threads is"),
    ]
    for text, says in table:
        path = write(folder, text)
        done = subprocess.run([PROGRAM, "-c", path, "-e", "more=memory:"], capture_output=True,
                              timeout=20)
        err = done.stderr.decode()
        assert done.returncode == 2, (text, done)
        assert err.startswith("fsif-backend: " + path + says), (says, err)
        assert not os.path.exists(folder + "/socket")
        assert not done.stdout


def line_wins(folder):
    text = "[global]\nmax-sessions = 1\n[export a]\nsource = memory:\n"
    with Daemon(folder, "-c", write(folder, text), "--max-sessions", "2", "-e",
                "b=memory:") as daemon:
        first, second = Front(daemon.socket), Front(daemon.socket)
        assert first.session("a")["status"] == "0"
        assert second.session("b")["status"] == "0"


main([has_parser, many_exports, errors, line_wins])
