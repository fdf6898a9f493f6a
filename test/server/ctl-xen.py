# SPDX-License-Identifier: MIT
"""fsifctl with both halves, on a host of domains without Xen: attach, detach, list, and what comes
of them when a domain ends or its id is another domain's."""
import json
import os
import subprocess
import sys
from ctllib import FSIFCTL
from testlib import BUILD, DEADLINE, Daemon, main, skip, wait_until

FAKE = os.environ.get("FSIF_FAKE_XEN_PROGRAM", BUILD + "/test/xen/fake/fake-xen")
PLUGINS = os.environ.get("FSIF_FAKE_XEN_PLUGINS", BUILD + "/test/xen/plugins")
FSIF = os.environ.get("FSIF", BUILD + "/frontends/cli/fsif")
VFS = "/local/domain/%d/backend/vfs/"

for program in FAKE, FSIF, FSIFCTL, PLUGINS:
    if not os.path.exists(program):
        skip("%s was not built" % program)


class Host:
    """Domains 0, 3 and 4, the real daemon in one of them, programs in any."""

    def __init__(self, folder, *exports, daemon_domain=0):
        self.folder = folder
        self.control = folder + "/control"
        self.address = folder + "/xen"
        self.fake = subprocess.Popen(
            [FAKE, self.address, "create", "3", "create", "4"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert "listening" in self.fake.stderr.readline()
        arguments = []
        for export in exports:
            arguments += ["-e", export]
        self.backend = daemon_domain
        self.daemon = Daemon(folder, "-l", "xen:all", "--plugin-dir", PLUGINS, "--control",
                             self.control, *arguments, plugin_dir=False,
                             env=self.environment(daemon_domain))

    def environment(self, domain):
        return dict(os.environ, FSIF_FAKE_XEN=self.address, FSIF_FAKE_XEN_DOMAIN=str(domain))

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.daemon.__exit__(*what)
        self.fake.terminate()
        self.fake.wait()
        for pipe in self.fake.stdin, self.fake.stdout, self.fake.stderr:
            pipe.close()

    def command(self, line):
        self.fake.stdin.write(line + "\n")
        self.fake.stdin.flush()
        text = []
        while True:
            text.append(self.fake.stdout.readline().rstrip("\n"))
            if text[-1] == "ok":
                return text[:-1]

    def nodes(self):
        """Path -> rest of its line: permissions, value."""
        return dict(line.split(" ", 1) for line in self.command("dump"))

    def ctl(self, *words, code=0, says=None, domain=0):
        done = subprocess.run([FSIFCTL, "--control", self.control, "--plugin-dir", PLUGINS] +
                              list(words), capture_output=True, text=True, timeout=DEADLINE,
                              env=self.environment(domain))
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        assert says is None or says in done.stderr, (words, done.stderr)
        return done.stdout

    def json(self, *words, **more):
        return json.loads(self.ctl("--json", *words, **more))

    def guest(self, domain, *words):
        done = subprocess.run([FSIF, "-c", "xen:%d" % self.backend, "--plugin-dir", PLUGINS,
                               *words], capture_output=True, text=True, timeout=DEADLINE,
                              env=self.environment(domain))
        print(done.stderr, end="", file=sys.stderr)
        return done.returncode, done.stdout


def data_folder(folder):
    os.mkdir(folder + "/data")
    with open(folder + "/data/file", "w") as f:
        f.write("hello\n")
    return "data=" + folder + "/data"


def attached(folder):
    with Host(folder, data_folder(folder), "other=memory:") as host:
        before = host.nodes()
        assert host.guest(3, "cat", "data:/file")[0] != 0
        made = host.json("attach", "3", "data")
        assert made == {"domain": 3, "export": "data", "number": 0, "backend": 0,
                        "read_only": False}, made
        assert host.guest(3, "exports") == (0, "data rw\n")
        assert host.guest(3, "cat", "data:/file") == (0, "hello\n")
        # Nobody else, and nothing else.
        assert host.guest(4, "cat", "data:/file")[0] != 0
        assert host.guest(3, "ls", "other:/")[0] != 0
        assert host.json("list")["attachments"] == [
            {"domain": 3, "export": "data", "read_only": False, "number": 0, "backend": 0}]
        # Again, with other terms: the same number, read-only from now on.
        assert host.json("attach", "3", "data", "ro")["number"] == 0
        assert host.guest(3, "exports") == (0, "data ro\n")
        assert host.guest(3, "rm", "data:/file")[0] != 0
        assert os.path.exists(folder + "/data/file")
        assert host.json("attach", "4", "data")["number"] == 1
        assert host.json("attach", "4", "other")["number"] == 2
        host.ctl("detach", "4", "data")
        assert host.guest(4, "exports") == (0, "other rw\n")
        # The lowest number that is free.
        assert host.json("attach", "4", "data")["number"] == 1
        for domain, export in (("4", "data"), ("4", "other"), ("3", "data")):
            host.ctl("detach", domain, export)
        host.ctl("detach", "3", "data", code=1, says="is not attached")
        assert host.guest(3, "cat", "data:/file")[0] != 0
        left = {p for p in host.nodes() if p not in before}
        assert left <= {"/local/domain/3/device/vfs", "/local/domain/4/device/vfs"}, left


def permissions(folder):
    """What a guest may write is its own and nothing else's."""
    with Host(folder, data_folder(folder)) as host:
        host.ctl("attach", "3", "data")
        host.ctl("attach", "4", "data", "ro")
        nodes = host.nodes()
        for path, rest in nodes.items():
            permissions = rest.split(" '")[0]
            if path.startswith(VFS % 0 + "exports/requests/"):
                assert permissions == "n0 w%s b0" % path.rsplit("/", 1)[1], (path, rest)
            elif path.startswith(VFS % 0 + "exports/0"):
                assert permissions == "n0 r3", (path, rest)
            elif path.startswith(VFS % 0 + "exports/1"):
                assert permissions == "n0 r4", (path, rest)
            elif path == "/local/domain/3/device/vfs":
                assert permissions == "n3 b0", (path, rest)
        assert nodes[VFS % 0 + "exports"].startswith("r0"), nodes


def names(folder):
    """Domains that are not there, exports that are not there: nothing is made for them."""
    with Host(folder, data_folder(folder)) as host:
        before = host.nodes()
        for domain in "9", "web", "00", "32752", "4294967296", "":
            host.ctl("attach", domain, "data", code=1, says="no domain")
        host.ctl("allow", "9", "data", code=1, says="no domain '9'")
        host.ctl("deny", "9", "data", code=1, says="no entry for domain:9")
        host.ctl("attach", "3", "nosuch", code=1, says="no export 'nosuch'")
        host.ctl("attach", "3", "data", "handles=0", code=2)
        host.ctl("--backend", "9", "attach", "3", "data", code=1, says="no domain '9'")
        assert host.nodes() == before
        assert host.json("show", "data")["allowed"][0]["who"] == "uid:%d" % os.getuid()
        assert len(host.json("show", "data")["allowed"]) == 1


def by_uuid(folder):
    with Host(folder, data_folder(folder)) as host:
        uuid = [v for p, v in host.nodes().items() if p == "/local/domain/3/vm"][0]
        uuid = uuid.split("/vm/")[1].strip("'")
        host.ctl("attach", uuid, "data", "handles=5")
        entry = host.json("show", "data")["allowed"][-1]
        assert entry["who"] == "uuid:" + uuid and entry["handles"] == 5, entry
        assert host.guest(3, "cat", "data:/file") == (0, "hello\n")
        host.ctl("detach", uuid, "data")
        assert host.guest(3, "cat", "data:/file")[0] != 0
        assert len(host.json("show", "data")["allowed"]) == 1


def one_half(folder):
    """Each half alone lets nobody in; the two of them do, whoever did them."""
    with Host(folder, data_folder(folder)) as host:
        host.ctl("--backend", "0", "attach", "3", "data")
        assert host.guest(3, "cat", "data:/file")[0] != 0
        host.daemon.wait_log("event=denied .*domain:3")
        host.ctl("allow", "3", "data", "ro")
        assert host.guest(3, "cat", "data:/file") == (0, "hello\n")
        assert host.guest(3, "rm", "data:/file")[0] != 0
        host.ctl("--backend", "0", "detach", "3", "data")
        assert host.guest(3, "cat", "data:/file")[0] != 0
        host.ctl("allow", "4", "data")
        assert host.guest(4, "cat", "data:/file")[0] != 0


def driver_domain(folder):
    """The daemon in domain 4, unprivileged, serves domain 3; the toolstack is in domain 0."""
    # The toolstack's half first: only it may make what the daemon listens at.
    export = data_folder(folder)
    fake = Host.__new__(Host)
    fake.folder = folder
    fake.address = folder + "/xen"
    fake.control = folder + "/control"
    fake.backend = 4
    fake.fake = subprocess.Popen([FAKE, fake.address, "create", "3", "create", "4"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
    assert "listening" in fake.fake.stderr.readline()
    fake.ctl("--backend", "4", "attach", "3", "data")
    fake.daemon = Daemon(folder, "-l", "xen:all", "--plugin-dir", PLUGINS, "--control",
                         fake.control, "-e", export, plugin_dir=False, env=fake.environment(4))
    with fake as host:
        assert host.guest(3, "cat", "data:/file")[0] != 0
        host.ctl("allow", "3", "data", domain=4)
        assert host.guest(3, "cat", "data:/file") == (0, "hello\n")
        assert host.json("--backend", "4", "list")["attachments"][0]["backend"] == 4
        listed = host.json("list", domain=4)
        assert len(listed["exports"]) == len(listed["attachments"]) == 1, listed
        host.ctl("--backend", "4", "detach", "3", "data")
        assert host.guest(3, "cat", "data:/file")[0] != 0


def attached_read_only(folder):
    """The toolstack's word is kept, whatever the daemon's own list says."""
    with Host(folder, data_folder(folder)) as host:
        host.ctl("allow", "3", "data")
        host.ctl("--backend", "0", "attach", "3", "data", "ro")
        assert host.guest(3, "cat", "data:/file") == (0, "hello\n")
        assert host.guest(3, "rm", "data:/file")[0] != 0
        host.ctl("--backend", "0", "attach", "3", "data")
        assert host.guest(3, "rm", "data:/file")[0] == 0


def domain_ends(folder):
    """An entry by id ends with its domain; one by UUID stays."""
    with Host(folder, data_folder(folder)) as host:
        host.ctl("attach", "3", "data")
        host.ctl("attach", "4", "data")
        host.ctl("allow", "0a1b2c3d-0000-4000-8000-00000000000f", "data")
        assert host.guest(3, "cat", "data:/file") == (0, "hello\n")
        host.command("destroy 3")
        host.daemon.wait_log("event=domain-ended domain=3 export=data")
        subjects = [e["who"] for e in host.json("show", "data")["allowed"]]
        assert "domain:3" not in subjects and "domain:4" in subjects and len(subjects) == 3
        wait_until(lambda: [a["domain"] for a in host.json("list")["attachments"]] == [4],
                   "what was attached to the domain is removed")
        # Another domain with the same id.
        host.command("create 3")
        host.ctl("--backend", "0", "attach", "3", "data")
        assert host.guest(3, "cat", "data:/file")[0] != 0
        assert host.guest(4, "cat", "data:/file") == (0, "hello\n")


main([attached, permissions, names, by_uuid, one_half, driver_domain, attached_read_only,
      domain_ends])
