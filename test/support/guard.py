#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""guard.py SECONDS COMMAND...: run a test that leaves nothing behind, however it ends.

COMMAND runs in a session of its own with TMPDIR naming a fresh folder. When it ends, when SECONDS are
over (SIGABRT first, so that it can say where it hangs) or when this process is told to stop, whatever
of that session still lives is killed and the folder goes, mounts in it first. CTest kills a test
that exceeds its TIMEOUT outright: SECONDS should be less. Exits as COMMAND does, 1 after SECONDS.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile


def mounts_below(folder):
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as f:
        points = [line.split()[4] for line in f]
    return [p for p in points if p.startswith(folder + "/")]


def remove(folder):
    for point in reversed(mounts_below(folder)):
        subprocess.run(["umount", "-l", point], stderr=subprocess.DEVNULL, check=False)
    if not mounts_below(folder):  # else it would empty what is mounted
        shutil.rmtree(folder, ignore_errors=True)


def stop(number, _frame):
    sys.exit(128 + number)


def run(seconds, command):
    folder = os.path.realpath(tempfile.mkdtemp(prefix="fsif-guard-"))
    os.chmod(folder, 0o755)
    child = None
    try:
        child = subprocess.Popen(command, env={**os.environ, "TMPDIR": folder},
                                 start_new_session=True)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            print("FAILED: not done after %s s" % seconds, flush=True)
            child.send_signal(signal.SIGABRT)
            try:
                child.wait(2)
            except subprocess.TimeoutExpired:
                pass
            return 1
    finally:
        if child:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        remove(folder)


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: guard.py SECONDS COMMAND...")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    code = run(float(sys.argv[1]), sys.argv[2:])
    sys.exit(128 - code if code < 0 else code)


if __name__ == "__main__":
    main()
