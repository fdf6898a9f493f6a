# SPDX-License-Identifier: MIT
"""Dialect 3 as octets, from libfsif/PROTOCOL.md alone: requests, answers, notices, and what lies
in the arena. Everything is little-endian. Nothing is checked that a hostile peer may want to
write; what is taken from the other side is checked as the page says, and ProtocolError if wrong.
"""

import struct

from peer_shared import PAGE, ProtocolError

SLOT = 64
ENTRY = 128
HEAD = 128
ROOT = 0xFFFFFFFF
INLINE = 1
LONG = 1
ANSWER, LATE, CHANGE, VOID = 0, 1, 2, 3

# number, handle, fields {name: (offset, octets)}, kinds of names, where they go, (where ranges
# go, how many), where their count goes
OPS = {}
NUMBERS = {}


def operation(number, name, handle="", fields="", names="", at=0, ranges=(0, 0), count=0):
    table = {}
    for field in fields.split():
        key, where = field.split("@")
        offset, octets = where.split(":")
        table[key] = (int(offset), int(octets))
    OPS[name] = {"number": number, "handle": handle, "fields": table, "names": names.split(),
                 "at": at, "ranges": ranges, "count": count}
    NUMBERS[number] = name


operation(1, "nop")
operation(2, "open", "base", "flags@16:4 mode@20:4", "path", 24)
operation(3, "close", "file")
operation(4, "read", "file", "offset@16:8", ranges=(32, 4), count=24)
operation(5, "write", "file", "offset@16:8 flags@28:4", ranges=(32, 4), count=24)
operation(6, "stat", "base", "flags@16:4", "path?", 24)
operation(7, "setattr", "base",
          "mode@14:2 mask@16:2 flags@18:2 uid@24:4 gid@28:4 size@32:8 atime@40:8 mtime@48:8 "
          "atime_nsec@56:4 mtime_nsec@60:4", "path?", 20)
operation(8, "remove", "base", "flags@16:4", "path", 24)
operation(9, "rename", "base", "flags@16:4 base2@20:4", "path path", 24)
operation(10, "mkdir", "base", "mode@20:4", "path", 24)
operation(11, "mknod", "base", "mode@16:4 rdev@24:8", "path", 32)
operation(12, "link", "base", "flags@16:4 base2@20:4", "path? path", 24)
operation(13, "symlink", "base", "", "path target", 24)
operation(14, "readlink", "base", "", "path?", 32, ranges=(24, 1))
operation(15, "readdir", "file", "cookie@16:8 flags@32:4", ranges=(24, 1))
operation(16, "statvfs", "base", "", "path?", 24)
operation(17, "sync", "file", "flags@16:4")
operation(18, "allocate", "file", "offset@16:8 length@24:8 flags@32:4")
operation(19, "seek", "file", "offset@16:8 flags@24:4")
operation(20, "copy_range", "file", "handle2@12:4 offset@16:8 offset2@24:8 length@32:8")
operation(21, "getxattr", "base", "flags@16:4", "path? xattr", 32, ranges=(24, 1))
operation(22, "setxattr", "base", "flags@16:4", "path? xattr", 32, ranges=(24, 1))
operation(23, "listxattr", "base", "flags@16:4", "path?", 32, ranges=(24, 1))
operation(24, "removexattr", "base", "flags@16:4", "path? xattr", 24)
operation(25, "lock", "file", "mode@12:4 offset@16:8 length@24:8 cookie@32:8 flags@40:4")
operation(26, "cancel", "", "cookie@16:8")
operation(27, "watch", "file", "cookie@16:8 flags@24:4")
operation(28, "unwatch", "", "watch@16:8")
operation(29, "export", "", "", "export", 24)
operation(30, "readfile", "base", "flags@16:4", "path", 32, ranges=(24, 1))
operation(31, "writefile", "base", "flags@16:4 mode@20:4", "path", 32, ranges=(24, 1))
operation(32, "statmany", "base", "flags@16:4 count@20:4 records@32:4", ranges=(24, 1))

# Flags
RDONLY, WRONLY, RDWR, ACCESS = 0, 1, 2, 3
CREAT, EXCL, TRUNC, APPEND, DSYNC = 0x40, 0x80, 0x200, 0x400, 0x1000
DIRECTORY, NOFOLLOW, SYNC = 0x10000, 0x20000, 0x100000
PATH, TMPFILE, STAT = 0x200000, 0x400000, 0x1000000
AT_NOFOLLOW, AT_FOLLOW = 0x100, 0x400
AT_END, WRITE_DSYNC = 1, 2
FILE, DIR = 1, 2
NOREPLACE, EXCHANGE = 1, 2
ATTR = 1
DATA, FS = 1, 2
HOLE = 1
KEEP_SIZE, PUNCH, ZERO = 1, 2, 4
CREATE, REPLACE = 1, 2
WAIT, TEST, WHOLE = 1, 2, 4
SHARED, EXCLUSIVE, UNLOCK = 1, 2, 3
CHANGED_CREATE, CHANGED_REMOVE, CHANGED_CONTENT, CHANGED_ATTR, CHANGED_SELF = 1, 2, 4, 8, 16
CHANGES_LOST = 0x80000000
SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME = 1, 2, 4, 8, 16, 32
SET_ATIME_NOW, SET_MTIME_NOW = 64, 128


def room(op):
    """Octets for names in a slot."""
    return 0 if op == "setattr" else SLOT - OPS[op]["at"]


def put(slot, at, octets, value):
    slot[at:at + octets] = (value % (1 << 8 * octets)).to_bytes(octets, "little")


def get(slot, at, octets):
    return int.from_bytes(slot[at:at + octets], "little")


def request(op, rid, serial=0, handle=0, path=b"", path2=b"", names_at=None, ranges=(), **fields):
    """A request's 64 octets. names_at: where in the arena the names lie; None: in the slot."""
    row = OPS[op]
    slot = bytearray(SLOT)
    slot[0] = row["number"]
    put(slot, 2, 2, rid)
    put(slot, 4, 4, serial)
    put(slot, 8, 4, handle)
    for key, value in fields.items():
        put(slot, *row["fields"][key], value)
    if row["names"]:
        put(slot, 12, 2, len(path))
        if len(row["names"]) == 2:
            put(slot, 14, 2, len(path2))
        if names_at is None:
            slot[1] = INLINE
            both = path + path2
            if len(both) > room(op):
                raise ValueError("names do not fit into the slot")
            slot[row["at"]:row["at"] + len(both)] = both
        else:
            put(slot, row["at"], 4, names_at)
    if row["count"]:
        put(slot, row["count"], 4, len(ranges))
    for i, (at, length) in enumerate(ranges):
        put(slot, row["ranges"][0] + 8 * i, 4, at)
        put(slot, row["ranges"][0] + 8 * i + 4, 4, length)
    return bytes(slot)


def parse(slot):
    """What a request says, as a dictionary like request()'s arguments, with `lens` of the names."""
    op = NUMBERS.get(slot[0])
    if op is None:
        return {"op": None, "id": get(slot, 2, 2)}
    row = OPS[op]
    out = {"op": op, "id": get(slot, 2, 2), "serial": get(slot, 4, 4), "handle": get(slot, 8, 4)}
    left = bytearray(slot)
    left[0] = 0
    left[2:8] = bytes(6)
    if row["handle"]:
        left[8:12] = bytes(4)
    for key, (at, octets) in row["fields"].items():
        out[key] = get(slot, at, octets)
        left[at:at + octets] = bytes(octets)
    out["refused"] = False
    if row["names"]:
        lens = [get(slot, 12 + 2 * i, 2) for i in range(len(row["names"]))]
        left[12:12 + 2 * len(lens)] = bytes(2 * len(lens))
        out["lens"] = lens
        left[1] &= ~INLINE
        at = row["at"]
        if slot[1] & INLINE:
            if sum(lens) > room(op):
                out["refused"] = True
            else:
                out["path"] = slot[at:at + lens[0]]
                out["path2"] = slot[at + lens[0]:at + sum(lens)]
                left[at:at + sum(lens)] = bytes(sum(lens))
        else:
            out["names_at"] = get(slot, at, 4)
            left[at:at + 4] = bytes(4)
    at, most = row["ranges"]
    if most:
        count = 1
        if row["count"]:
            count = get(slot, row["count"], 4)
            left[row["count"]:row["count"] + 4] = bytes(4)
        if not 1 <= count <= most:
            out["refused"] = True
            count = 0
        out["ranges"] = [(get(slot, at + 8 * i, 4), get(slot, at + 8 * i + 4, 4))
                         for i in range(count)]
        left[at:at + 8 * count] = bytes(8 * count)
    out["refused"] |= any(left)
    return out


# --- bodies ------------------------------------------------------------------------------------

ATTR_FIELDS = ("mode nlink uid gid size blocks ino mtime atime ctime btime mtime_nsec atime_nsec "
               "ctime_nsec btime_nsec dev rdev_major rdev_minor blksize").split()
ATTR_FORMAT = struct.Struct("<IIIIQQQqqqqIIIIQIII4x")
VFS_FIELDS = "blocks bfree bavail files ffree bsize namemax".split()
VFS_FORMAT = struct.Struct("<QQQQQII")
LOCK_FIELDS = "offset length mode".split()
LOCK_FORMAT = struct.Struct("<QQI4x")
RECORD = 120
TYPES = (0o10, 0o4, 0o12, 0o1, 0o14, 0o2, 0o6)  # a mode's bits 12 to 15
ANSWERS_ATTR = ("stat", "setattr", "readfile", "writefile")


def pack_fields(fmt, fields, values):
    return fmt.pack(*(values.get(key, 0) for key in fields))


def pack_attr(values):
    return pack_fields(ATTR_FORMAT, ATTR_FIELDS, {"blksize": 4096, **values})


def take_attr(octets):
    a = dict(zip(ATTR_FIELDS, ATTR_FORMAT.unpack(octets[:112])))
    if (a["mode"] >> 12 not in TYPES or a["size"] >> 63 or a["blksize"] == 0
            or any(a[k] > 999999999 for k in a if k.endswith("_nsec"))):
        raise ProtocolError(f"attributes {a}")
    return a


def take_vfs(octets):
    v = dict(zip(VFS_FIELDS, VFS_FORMAT.unpack(octets[:48])))
    if (v["bsize"] == 0 or not v["bavail"] <= v["bfree"] <= v["blocks"]
            or v["blocks"] * v["bsize"] >> 63 or v["ffree"] > v["files"]):
        raise ProtocolError(f"statvfs {v}")
    return v


def take_lock(octets):
    k = dict(zip(LOCK_FIELDS, LOCK_FORMAT.unpack(octets[:24])))
    if k["mode"] not in (SHARED, EXCLUSIVE, UNLOCK) or k["offset"] + k["length"] >> 63:
        raise ProtocolError(f"lock {k}")
    return k


def body_of(op, flags):
    """Which body a successful answer has: attr, vfs, lock or nothing."""
    if op in ANSWERS_ATTR or op == "open" and flags & STAT:
        return "attr"
    if op == "statvfs":
        return "vfs"
    return "lock" if op == "lock" and flags & TEST else None


def response(rid, value, kind=ANSWER, flags=0, what=0, body=b""):
    """An entry, any entry: 64 octets, or 128 if the body is long."""
    return (struct.pack("<HBBIq", rid & 0xffff, kind, flags, what, value) + body).ljust(
        ENTRY if len(body) > 48 else SLOT, b"\0")


def answer(op, rid, value, flags=0, body=None):
    """An answer to @op as it should be. body: a dictionary; flags: of the request."""
    kind = body_of(op, flags) if value >= 0 else None
    if kind == "attr":
        return response(rid, value, flags=LONG, body=pack_attr(body or {"mode": 0o100644}))
    if kind == "vfs":
        return response(rid, value, body=pack_fields(VFS_FORMAT, VFS_FIELDS,
                                                     {"bsize": 4096, **(body or {})}))
    if kind == "lock":
        return response(rid, value, body=pack_fields(LOCK_FORMAT, LOCK_FIELDS,
                                                     {"mode": UNLOCK, **(body or {})}))
    return response(rid, value)


def largest(op, ranges, length=0, count=0):
    """The largest legal value of an answer to such a request."""
    if op in ("open", "export", "watch"):
        return (1 << 31) - 1
    if op in ("getxattr", "listxattr") and not sum(r[1] for r in ranges):
        return 65536
    if OPS[op]["ranges"][1] and op not in ("setxattr", "statmany"):
        return sum(r[1] for r in ranges)
    return {"seek": (1 << 63) - 1, "copy_range": length, "statmany": count}.get(op, 0)


def take_answer(op, flags, entry, most):
    """(value, body) of an answer; most: the largest legal value."""
    value = struct.unpack_from("<q", entry, 8)[0]
    if value < 0:
        if value < -4095:
            raise ProtocolError(f"{op} answered {value}")
        return value, None
    if value > most:
        raise ProtocolError(f"{op} answered {value}, more than {most}")
    kind = body_of(op, flags)
    if kind == "attr":
        if not entry[3] & LONG:
            raise ProtocolError("attributes that are not long")
        return value, take_attr(entry[16:])
    if kind == "vfs":
        return value, take_vfs(entry[16:])
    return value, take_lock(entry[16:]) if kind == "lock" else None


# --- notices -----------------------------------------------------------------------------------


def late(cookie, value):
    return response(0, value, LATE, body=struct.pack("<Q", cookie))


def change(cookie, what, name):
    if len(name) > 103:
        name, what = b"", what | CHANGES_LOST
    body = struct.pack("<QB", cookie, len(name)) + name
    return response(0, 0, CHANGE, LONG if len(body) > 48 else 0, what, body)


def take_notice(entry):
    """(kind, cookie, value or what, name)"""
    kind, flags, what, value, cookie = struct.unpack_from("<2xBBIqQ", entry)
    if kind == LATE:
        if not -4095 <= value <= 0:
            raise ProtocolError(f"late {value}")
        return kind, cookie, value, b""
    if kind == VOID:
        return kind, 0, 0, b""
    if kind != CHANGE:
        raise ProtocolError(f"response of kind {kind}")
    name = entry[25:25 + entry[24]]
    if (entry[24] > (103 if flags & LONG else 39) or b"/" in name or b"\0" in name
            or what & ~(CHANGES_LOST | 0x1f)):
        raise ProtocolError(f"change {what:#x} {name!r}")
    return kind, cookie, what, name


# --- listings and records ----------------------------------------------------------------------


def name_end(length):
    return (24 + length + 1 + 7) // 8 * 8


def pack_dirent(name, cookie, ino=0, kind=0, status=0, attr=None):
    """attr: None without ATTR, else a dictionary."""
    end = name_end(len(name))
    size = end + (0 if attr is None else 112)
    out = struct.pack("<QQHBBi", cookie, ino, size, kind, len(name), status) + name
    out = out.ljust(end, b"\0")
    if attr is not None:
        out += bytes(112) if status else pack_attr(attr)
    return out


def take_dirents(octets, flags, cookie):
    """The entries of a readdir's answer."""
    out, at = [], 0
    while at < len(octets):
        if len(octets) - at < 24:
            raise ProtocolError("listing: cut entry")
        next_, ino, size, kind, length, status = struct.unpack_from("<QQHBBi", octets, at)
        name = octets[at + 24:at + 24 + length]
        end = name_end(length)
        if (size != end + (112 if flags & ATTR else 0) or at + size > len(octets) or not length
                or b"/" in name or b"\0" in name or octets[at + 24 + length] or not next_
                or kind and kind not in TYPES or not -4095 <= status <= 0
                or status and not flags & ATTR):
            raise ProtocolError(f"listing: entry {name!r}")
        attr = None
        if flags & ATTR and not status:
            attr = take_attr(octets[at + end:at + size])
        out.append({"name": name, "cookie": next_, "ino": ino, "type": kind, "status": status,
                    "attr": attr})
        at += size
    if out and out[-1]["cookie"] == cookie:
        raise ProtocolError("listing: a cookie that does not advance")
    return out


def pack_record(status, attr=None):
    return struct.pack("<i4x", status) + (bytes(112) if status else pack_attr(attr))


def take_record(octets):
    """(status, attributes)"""
    status = struct.unpack_from("<i", octets)[0]
    if not -4095 <= status <= 0:
        raise ProtocolError(f"record with status {status}")
    return status, None if status else take_attr(octets[8:120])


# --- memory ------------------------------------------------------------------------------------


def ring_pages(slots):
    return (128 + 320 * slots + PAGE - 1) // PAGE


def directory_pages(area):
    return (area + 1022) // 1023


def pack_directory(own, refs):
    """The directory's pages, in order. own: their grefs; refs: the area's."""
    pages = []
    for i in range(len(own)):
        part = refs[i * 1023:(i + 1) * 1023]
        next_ = own[i + 1] if i + 1 < len(own) else 0
        pages.append(struct.pack(f"<I{len(part)}I", next_, *part).ljust(PAGE, b"\0"))
    return pages
