# SPDX-License-Identifier: MIT
"""guard.py leaves nothing behind: after a good end, a hang, and when it is told to stop."""
import os
import signal
import subprocess
import sys
import tempfile
import time

GUARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guard.py")
# Says where its folder is and who its child is, then does what it is told.
CHILD = """
import os, subprocess, sys, tempfile, time
open(tempfile.mkdtemp() + "/file", "w").close()
sleeper = subprocess.Popen(["sleep", "1000"])
print(os.environ["TMPDIR"], sleeper.pid, flush=True)
code = int(sys.argv[1])
time.sleep(1000) if code < 0 else sys.exit(code)
"""


def gone(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


def case(what, seconds, code, wanted, end=None):
    with subprocess.Popen([sys.executable, GUARD, seconds, sys.executable, "-c", CHILD, str(code)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as guard:
        folder, pid = guard.stdout.readline().split()
        assert os.path.dirname(folder) == os.path.realpath(tempfile.gettempdir()), folder
        if end:
            guard.send_signal(end)
        got = guard.wait(30)
    assert got == wanted, "%s: exit code %d" % (what, got)
    assert not os.path.exists(folder), "%s: the folder is there" % what
    assert gone(int(pid)), "%s: its process lives" % what
    print(what + ": ok")


case("success", "30", 0, 0)
case("skip", "30", 77, 77)
case("hang", "0.5", -1, 1)
case("terminated", "30", -1, 128 + signal.SIGTERM, signal.SIGTERM)
