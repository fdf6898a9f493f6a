#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vectors.py [--fill] FILE: compare the file's octets with the independent implementation, both
ways; with --fill write the octets that it makes instead."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import peer_wire3 as w  # noqa: E402
from peer_shared import ProtocolError  # noqa: E402

OCTETS = ("slot", "entry")


def number(text):
    if text.lstrip("-").startswith("0") and text.isdigit() and len(text) > 1:
        return int(text, 8)
    return int(text, 0)


def name_of(text):
    times = 1
    if text.startswith("*"):
        count, _, text = text[1:].partition(" ")
        times = int(count)
    return text.encode().decode("unicode_escape").encode("latin-1") * times


class Vector:
    def __init__(self, name):
        self.name = name
        self.lines = []  # (word, value)

    def all(self, word):
        return [value for key, value in self.lines if key == word]

    def has(self, word):
        return bool(self.all(word))

    def text(self, word, default=""):
        return (self.all(word) or [default])[0]

    def num(self, word, default=0):
        return number(self.text(word, str(default)))

    def group(self, prefix):
        return {key[len(prefix):]: number(value) for key, value in self.lines
                if key.startswith(prefix) and "." not in key[len(prefix):]}

    def ranges(self):
        return [tuple(int(n) for n in r.split("+")) for r in self.all("range")]

    def items(self):
        out = []
        for key, value in self.lines:
            if key == "item":
                out.append({"attr": None})
            elif key == "item.name":
                out[-1]["name"] = name_of(value)
            elif key.startswith("item.attr."):
                out[-1]["attr"] = {**(out[-1]["attr"] or {}), key[10:]: number(value)}
            elif key.startswith("item."):
                out[-1][key[5:]] = number(value)
        return out


def read(path):
    head, vectors, v = [], [], None
    with open(path, encoding="ascii") as f:
        for line in f:
            word, _, value = line.strip().partition(" ")
            if word == "vector":
                v = Vector(value)
                vectors.append((head, v))
                head = []
            elif word == "end":
                v = None
            elif v is None:
                head.append(line)
            elif word and word != "#":
                v.lines.append((word, value.strip()))
    return vectors, head


# --- encode ------------------------------------------------------------------------------------


def align8(n):
    return (n + 7) // 8 * 8


def request(v):
    """(slot, {where: octets} of what the frontend put into the arena)"""
    op = v.text("op")
    row = w.OPS[op]
    fields = {key: v.num(key) for key in row["fields"] if v.has(key)}
    path, path2 = name_of(v.text("path")), name_of(v.text("path2"))
    names_at = v.num("names-at") if v.has("names-at") else None
    arena = {}
    if names_at is not None and path + path2:
        arena[names_at] = path + path2
    if op == "statmany":
        names = b"".join(name_of(n) + b"\0" for n in v.all("name"))
        arena[v.ranges()[0][0]] = names
    if v.has("data"):
        data = name_of(v.text("data"))
        for at, length in v.ranges():
            arena[at], data = data[:length], data[length:]
    slot = bytearray(w.request(op, v.num("id"), v.num("serial"), v.num("handle"), path, path2,
                               names_at, v.ranges(), **fields))
    for poke in v.all("poke"):
        at, octets = poke.split()
        octets = bytes.fromhex(octets)
        slot[int(at):int(at) + len(octets)] = octets
    return bytes(slot), arena


def reply(v):
    """(entry, {where: octets}) that the backend writes."""
    op, arena = v.text("op"), {}
    body = v.group("attr.") or v.group("vfs.") or v.group("lock.") or None
    entry = bytearray(w.answer(op, v.num("id"), v.num("value"), v.num("flags"), body))
    if op == "readdir" and v.ranges():
        out = b""
        for i in v.items():
            attr = i["attr"] or {} if v.num("flags") & w.ATTR else None
            out += w.pack_dirent(i["name"], i["cookie"], i.get("ino", 0), i.get("type", 0),
                                 i.get("status", 0), attr)
        arena[v.ranges()[0][0]] = out
    elif op == "statmany":
        arena[v.num("records")] = b"".join(w.pack_record(i.get("status", 0), i["attr"])
                                           for i in v.items())
    elif v.has("answer"):
        data = name_of(v.text("answer"))
        for at, length in v.ranges():
            arena[at], data = data[:length], data[length:]
    for wrong in v.all("wrong"):
        where, at, octets = wrong.split()
        octets = bytes.fromhex(octets)
        if where == "entry":
            entry[int(at):int(at) + len(octets)] = octets
        else:
            spoil(arena, int(at), octets)
    return bytes(entry), {at: octets for at, octets in arena.items() if octets}


def spoil(arena, at, octets):
    for start in arena:
        if start <= at and at + len(octets) <= start + len(arena[start]):
            part = bytearray(arena[start])
            part[at - start:at - start + len(octets)] = octets
            arena[start] = bytes(part)
            return
    raise ValueError(f"nothing lies at {at}")


def notice(v):
    if v.text("notice") == "late":
        entry = bytearray(w.late(v.num("cookie"), v.num("value")))
    else:
        entry = bytearray(w.change(v.num("cookie"), v.num("what"), name_of(v.text("name"))))
    for wrong in v.all("wrong"):
        _, at, octets = wrong.split()
        octets = bytes.fromhex(octets)
        entry[int(at):int(at) + len(octets)] = octets
    return bytes(entry)


def octets_of(v):
    """What the file should say, as (word, value) lines."""
    out = []
    if v.has("notice"):
        return [("entry", notice(v).hex())]
    slot, sent = request(v)
    out.append(("slot", slot.hex()))
    out += [("arena", f"{at} {octets.hex()}") for at, octets in sent.items() if octets]
    if v.has("value"):
        entry, got = reply(v)
        out.append(("entry", entry.hex()))
        out += [("arena", f"{at} {octets.hex()}") for at, octets in got.items()]
    return out


# --- decode ------------------------------------------------------------------------------------


def check(ok, v, what):
    if not ok:
        raise AssertionError(f"{v.name}: {what}")


def decode_request(v):
    slot = bytes.fromhex(v.text("slot"))
    p = w.parse(slot)
    if v.has("error"):
        # Names and ranges in the arena, and what numbers mean, are not parse()'s to judge.
        if p["op"] is None:
            check(v.num("error") == 38, v, "unknown operation")
        return
    check(not p["refused"], v, "refused")
    check(p["op"] == v.text("op") and p["id"] == v.num("id") and p["serial"] == v.num("serial")
          and p["handle"] == v.num("handle"), v, p)
    for key in w.OPS[p["op"]]["fields"]:
        octets = w.OPS[p["op"]]["fields"][key][1]
        check(p[key] == v.num(key) % (1 << 8 * octets), v, key)
    check(p.get("ranges", []) == v.ranges(), v, "ranges")
    memory = arena_of(v)
    if "lens" in p:
        both = name_of(v.text("path")) + name_of(v.text("path2"))
        got = p["path"] + p["path2"] if "path" in p else memory.get(p["names_at"], b"")
        check(got[:sum(p["lens"])] == both, v, "names")


def arena_of(v):
    out = {}
    for line in v.all("arena"):
        at, octets = line.split()
        out[int(at)] = bytes.fromhex(octets)
    return out


def same(ok, v, what):
    """As check(), but what is spoilt need not be as the words say."""
    check(ok or v.has("wrong"), v, what)


def decode_answer(v):
    op, flags = v.text("op"), v.num("flags")
    most = w.largest(op, v.ranges(), v.num("length"), v.num("count"))
    value, body = w.take_answer(op, flags, bytes.fromhex(v.text("entry")), most)
    same(value == v.num("value"), v, "value")
    for prefix in ("attr.", "vfs.", "lock."):
        for key, want in v.group(prefix).items():
            same(body[key] == want, v, key)
    if op == "statmany" and 0 <= value != v.num("count"):
        raise ProtocolError("not as many records as names")
    memory = arena_of(v)
    if op == "readdir" and value >= 0:
        there = memory.get(v.ranges()[0][0], b"").ljust(value, b"\0")[:value]
        got = w.take_dirents(there, flags, v.num("cookie"))
        same(len(got) == len(v.items()), v, "number of entries")
        for g, i in zip(got, v.items()):
            same(all(g[k] == i.get(k, 0) for k in ("name", "cookie", "ino", "type", "status"))
                  and (not i["attr"] or all(g["attr"][k] == x for k, x in i["attr"].items())), v, g)
    if op == "statmany" and value >= 0:
        records = memory[v.num("records")]
        for n, i in enumerate(v.items()):
            status, attr = w.take_record(records[n * 120:])
            same(status == i.get("status", 0)
                  and (status or all(attr[k] == x for k, x in i["attr"].items())), v, n)


def decode_notice(v):
    kind, cookie, value, name = w.take_notice(bytes.fromhex(v.text("entry")))
    same(cookie == v.num("cookie"), v, "cookie")
    if kind == w.LATE:
        same(value == v.num("value"), v, "value")
    else:
        cut = len(name_of(v.text("name"))) > 103
        same(value == v.num("what") | (w.CHANGES_LOST if cut else 0), v, "what")
        same(name == (b"" if cut else name_of(v.text("name"))), v, "name")


def judge(v):
    want = [(key, value) for key, value in v.lines if key in OCTETS or key == "arena"]
    check(octets_of(v) == want, v, f"octets {octets_of(v)}")
    if not v.has("notice"):
        decode_request(v)
    try:
        if v.has("notice"):
            decode_notice(v)
        elif v.has("value"):
            decode_answer(v)
    except ProtocolError as e:
        check(v.has("wrong"), v, e)
    else:
        check(not v.has("wrong"), v, "was not found wrong")


def fill(path, vectors, tail):
    with open(path, "w", encoding="ascii") as f:
        for head, v in vectors:
            f.writelines(head)
            f.write(f"vector {v.name}\n")
            for key, value in v.lines:
                if key not in OCTETS and key != "arena":
                    f.write(f"  {key} {value}\n")
            for key, value in octets_of(v):
                f.write(f"  {key} {value}\n")
            f.write("end\n")
        f.writelines(tail)


def main():
    path = sys.argv[-1]
    vectors, tail = read(path)
    if "--fill" in sys.argv[1:-1]:
        fill(path, vectors, tail)
        return
    for _, v in vectors:
        judge(v)
    missing = set(w.OPS) - {v.text("op") for _, v in vectors if v.has("value")}
    assert not missing, f"no vector of {missing}"
    print(f"{len(vectors)} vectors")


if __name__ == "__main__":
    main()
