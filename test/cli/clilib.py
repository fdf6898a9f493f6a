# SPDX-License-Identifier: MIT
"""What the tests of the program fsif share: a daemon of their own, the program, checks."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

FSIF = os.environ["FSIF_CLI"]
BACKEND = os.environ["FSIF_BACKEND"]
DEADLINE = 60

failures = 0
checks = 0


def check(what, ok, more=""):
    global failures, checks
    checks += 1
    if not ok:
        failures += 1
        print("FAILED: %s %s" % (what, more))


def wait_until(condition, what):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "waited in vain for " + what
        time.sleep(0.002)


def skip(why):
    print("skipped: " + why)


def can_xattr(folder):
    """Whether files there can have attributes of "user."; tmpfs of older kernels has none."""
    path = folder + "/.can-xattr"
    put_file(path)
    try:
        os.setxattr(path, "user.test", b"x")
        return True
    except OSError:
        return False
    finally:
        os.unlink(path)


def finish():
    print("%d checks, %d failed" % (checks, failures))
    sys.exit(1 if failures or not checks else 0)


def fsif(*args, address=None, env=None, **kwargs):
    """Run the program. The result's stdout and stderr are octets."""
    full = dict(os.environ if env is None else env)
    full.pop("FSIF_ADDRESS", None)
    full["LC_ALL"] = "C"
    full["TZ"] = "UTC"
    if address:
        full["FSIF_ADDRESS"] = address
    return subprocess.run([FSIF, *args], env=full, capture_output=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, check=False, **kwargs)


class Daemon:
    """A daemon with exports, in a temporary folder: rw (posix), ro (the same, read-only), mem.
    `home` is an empty folder for the test."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="fsif-cli-")
        self.rw = self.folder + "/rw"
        os.mkdir(self.rw)
        self.home = self.folder + "/home"
        os.mkdir(self.home)
        self.address = "shm:" + self.folder + "/sock"
        self.log = open(self.folder + "/log", "wb")
        self.process = subprocess.Popen(
            [BACKEND, "-l", self.address, "-e", "rw=" + self.rw, "-e", "ro=%s,ro" % self.rw,
             "-e", "mem=memory:"], stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        assert b"listening" in line, line
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        code = self.process.wait(DEADLINE)
        self.log.close()
        if code != 0 or failures:
            with open(self.folder + "/log", encoding="utf-8") as f:
                print(f.read()[-4000:])
        check("the daemon ends well", code == 0, code)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __call__(self, *args, **kwargs):
        return fsif(*args, address=self.address, **kwargs)

    def ok(self, *args, out=None, **kwargs):
        """It works and says nothing on stderr; @out: what it prints."""
        r = self(*args, **kwargs)
        check(" ".join(map(str, args)), r.returncode == 0 and r.stderr == b"",
              (r.returncode, r.stderr))
        if out is not None:
            check("output of " + " ".join(map(str, args)), r.stdout == out, r.stdout)
        return r.stdout

    def bad(self, *args, says=None, code=1, **kwargs):
        """It fails with @code; one line on stderr is @says."""
        r = self(*args, **kwargs)
        check("status of " + " ".join(map(str, args)), r.returncode == code,
              (r.returncode, r.stderr))
        if says is not None:
            check("message of " + " ".join(map(str, args)), says in r.stderr.split(b"\n"),
                  (says, r.stderr))
        return r


def tree(path):
    """What is in a folder: {relative name: (mode, octets or None for a folder)}"""
    found = {}
    path = os.fsencode(path)
    for top, folders, files in os.walk(path):
        for name in folders + files:
            full = os.path.join(top, name)
            mode = os.lstat(full).st_mode & 0o777
            data = None
            if os.path.islink(full):
                data = os.readlink(full)
            elif name in files:
                with open(full, "rb") as f:
                    data = f.read()
            found[os.path.relpath(full, path)] = (mode, data)
    return found


def put_file(path, data=b"", mode=0o644):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
