# SPDX-License-Identifier: MIT
"""The operations of pair_race.py: what can be done to a name, and of which steps it is made."""

import peer_wire3 as w


class Step:
    """A request below the round's folder. Operands: `on` and `on2` name a handle that is held, `answer` is how
    much comes back, `data` what is sent, `names` those of a statmany.
    """

    def __init__(self, op, **operands):
        self.op = op
        self.operands = operands


class Opening(Step):
    """A step whose handle lives on: what it leads to is looked at in the end."""


def path_step(op, name, **more):
    return Step(op, path=name, **more)


def one(op, name, **more):
    return [path_step(op, name, **more)]


# What can be done to a name; a list of steps. The request itself is the first element of the pair
# where it is a compound.
def operations(name):
    data = b"written"
    table = {
        "open": [Opening("open", path=name)],
        "create": [Opening("open", path=name, flags=w.CREAT | w.RDWR, mode=0o640)],
        "create new": [Opening("open", path=name, flags=w.CREAT | w.EXCL | w.RDWR, mode=0o600)],
        "create empty": [Opening("open", path=name, flags=w.CREAT | w.TRUNC | w.RDWR, mode=0o640)],
        "mkdir": one("mkdir", name, mode=0o711),
        "mknod": one("mknod", name, mode=0o100604),
        "unlink": one("remove", name, flags=w.FILE),
        "rmdir": one("remove", name, flags=w.DIR),
        "remove": one("remove", name),
        "rename from": one("rename", name, path2=b"t"),
        "rename to": one("rename", b"s", path2=name),
        "rename to new": one("rename", b"s", path2=name, flags=w.NOREPLACE),
        "exchange": one("rename", b"s", path2=name, flags=w.EXCHANGE),
        "link from": one("link", name, path2=b"t"),
        "link to": one("link", b"s", path2=name),
        "symlink": one("symlink", name, path2=b"target"),
        "readlink": one("readlink", name, answer=64),
        "stat": one("stat", name, flags=w.AT_NOFOLLOW),
        "size": one("setattr", name, mask=w.SET_SIZE, size=2),
        "mode": one("setattr", name, mask=w.SET_MODE, mode=0o604),
        "readfile": one("readfile", name, answer=64),
        "writefile": one("writefile", name, flags=w.CREAT | w.TRUNC, mode=0o640, data=data),
        "writefile new": one("writefile", name, flags=w.CREAT | w.EXCL, mode=0o640, data=data),
        "statmany": [Step("statmany", names=(name, b"s", b"t"))],
        "statvfs": one("statvfs", name),
        "getxattr": one("getxattr", name, path2=b"user.a", answer=64),
        "setxattr": one("setxattr", name, path2=b"user.a", data=b"value"),
        "setxattr new": one("setxattr", name, path2=b"user.a", flags=w.CREATE, data=b"first"),
        "setxattr again": one("setxattr", name, path2=b"user.a", flags=w.REPLACE, data=b"again"),
        "listxattr": one("listxattr", name, answer=64),
        "removexattr": one("removexattr", name, path2=b"user.a"),
        "readdir": [Step("readdir", on="folder", answer=1024)],
        "watch": [Step("watch", on="folder", cookie=1, flags=w.CHANGED_CREATE)],
        "unwatch": [Step("unwatch", watch=99)],
        "cancel": [Step("cancel", cookie=99)],
        "nop": [Step("nop")],
        "export": [Opening("export", path=b"data")],
    }
    if name != b"n":
        table.update(on_handles(data))
    return {what: Operation(what, steps[0]) for what, steps in table.items()}


# On a handle of the name that was there before; each request has its own.
def on_handles(data):
    return {
        "read": [Step("read", on="file", answer=64)],
        "write": [Step("write", on="file", data=data)],
        "append": [Step("write", on="file", flags=w.AT_END, data=data)],
        "sync": [Step("sync", on="file")],
        "allocate": [Step("allocate", on="file", offset=0, length=20)],
        "seek": [Step("seek", on="file", offset=0)],
        "copy_range": [Step("copy_range", on="other", on2="file", offset=0, offset2=0, length=4)],
        "lock": [Step("lock", on="file", mode=w.EXCLUSIVE, flags=w.WHOLE)],
        "lock shared": [Step("lock", on="file", mode=w.SHARED, flags=w.WHOLE)],
        "unlock": [Step("lock", on="file", mode=w.UNLOCK, flags=w.WHOLE)],
        "close": [Step("close", on="file")],
    }


class Operation:
    def __init__(self, what, step):
        self.what = what
        self.step = step

    def parts(self):
        """The steps that it is made of, as calls of one state each."""
        step, o = self.step, self.step.operands
        if step.op == "readfile":
            return [lambda r: r.handle(o["path"], 0), lambda r: r.stat_handle(),
                    lambda r: r.on_handle("read", answer=64)]
        if step.op == "writefile":
            opening = [lambda r: r.handle(o["path"], o["flags"] | w.WRONLY, o["mode"])]
            if o["flags"] & w.TRUNC:  # empties what is there, or has made it
                opening = [lambda r: r.handle(o["path"], o["flags"] & ~w.TRUNC | w.WRONLY,
                                              o["mode"]),
                           lambda r: r.on_handle("setattr", mask=w.SET_SIZE, size=0, quiet=True)]
            return opening + [lambda r: r.on_handle("write", data=o["data"]),
                              lambda r: r.stat_handle()]
        if step.op == "setattr":
            return [lambda r: r.change(step), lambda r: r.stat_path(o["path"])]
        if step.op == "statmany":
            return [lambda r, n=n: r.record(n) for n in o["names"]]
        if step.op == "open" and o.get("flags", 0) & w.TRUNC:
            return [lambda r: r.handle(o["path"], o["flags"] & ~w.TRUNC, o["mode"], keep=True),
                    lambda r: r.on_handle("setattr", mask=w.SET_SIZE, size=0, quiet=True)]
        return [lambda r: r.whole(step)]

    def holds(self):
        return "on" in self.step.operands


MAKERS = {"create", "create new", "create empty", "mkdir", "mknod", "writefile", "writefile new"}
RENAMES = {"rename from", "rename to", "rename to new", "exchange"}
CHANGES_OF_DATA = {"create empty", "size", "writefile", "write", "append", "allocate", "copy_range"}


def is_left_out(name, one_, two):
    """Pairs that the host does not carry out in some order of their steps."""
    what = [one_.what, two.what]
    for first, second in (what, what[::-1]):
        # The posix store may have to give bits that an umask took in a step of its own.
        if name == b"n" and first == "mode" and second in MAKERS:
            return True
        # A listing goes from name to name: it may meet both names of a rename, or neither.
        if first == "readdir" and second in RENAMES:
            return True
        # It reads and then writes; and a source that is cut off meanwhile reads as zeros.
        if first == "copy_range" and second in CHANGES_OF_DATA:
            return True
    return False
