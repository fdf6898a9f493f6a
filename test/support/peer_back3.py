# SPDX-License-Identifier: MIT
"""The backend of peer3.py: a raw one for hostile tests of frontends, and one that serves a folder
honestly, one request after the other, for tests of well-behaved frontends."""

import errno
import os
import stat as stat_module
import struct
import time

import peer_back
import peer_wire3 as w
from peer_shared import M32, PAGE, ProtocolError, close_all, fence, pack, poll, send_packet, unpack
from peer_shared import receive_packet
from peer_shared3 import (NOTICES_SEEN, REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, Side,
                          read_directory)


class Server3(peer_back.Server):
    """Listens; each connection is a Victim3."""

    def accept(self, timeout=10.0):
        if not poll([self.sock.fileno()], timeout):
            raise TimeoutError("nobody connected")
        sock, _ = self.sock.accept()
        return Victim3(sock)


class Victim3(Side):
    """A frontend that connected to us. Nothing is done by itself; every step is a call."""

    def __init__(self, sock):
        super().__init__(sock)
        self.offer = None
        self.notices = 0  # published

    def receive_offer(self, timeout=10.0):
        """(keys, descriptors)"""
        octets, fds = receive_packet(self.sock, timeout)
        return unpack(octets), fds

    def answer(self, keys, fds=()):
        send_packet(self.sock, keys if isinstance(keys, bytes) else pack(keys), fds)

    def take_memory(self, offer, fds):
        """Map the memory of a session's offer; closes the descriptors."""
        try:
            pages = int(offer["pages"])
            if len(fds) != 1 or os.fstat(fds[0]).st_size != pages * PAGE:
                raise ProtocolError("not the memory of the offer")
            self.map(fds[0], pages)
        finally:
            close_all(fds)
        self.offer = offer
        queues, slots = int(offer["queues"]), int(offer["slots"])
        arena_pages = int(offer["arena-pages"])
        area = queues * w.ring_pages(slots) + arena_pages
        refs = read_directory(self.memory, int(offer["directory"]), area)
        if pages < area + w.directory_pages(area) or any(r >= pages for r in refs):
            raise ProtocolError("a directory of pages that are not there")
        self.lay_out(refs, queues, slots, arena_pages)

    def answer_session(self, bells=None, **changes):
        """A right answer, then changed; bells: other descriptors than fresh ones."""
        keys = {"status": 0, "dialect": 3, "features": "", "read-only": 0,
                "queues": len(self.queues), "max-io": self.offer["max-io"]}
        for key, value in changes.items():
            key = key.replace("_", "-")
            if value is None:
                keys.pop(key, None)
            else:
                keys[key] = value
        own = []
        for q in self.queues:
            q.wait_fd, q.ring_fd = (os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                                    for _ in range(2))
            own += [q.wait_fd, q.ring_fd]
        self.answer(keys, own[:2 * int(keys.get("queues", 1))] if bells is None else bells)

    def accept_session(self, timeout=10.0, **changes):
        """The whole right handshake of a session; exports offers are answered with none."""
        while True:
            offer, fds = self.receive_offer(timeout)
            if offer.get("request") == "session":
                break
            close_all(fds)
            self.answer({"status": 0, "more": 0})
        self.take_memory(offer, fds)
        self.answer_session(**changes)
        return offer

    def look(self):
        """(queue, index, slot) of the next request, or None."""
        for where, q in enumerate(self.queues):
            if q.wait_fd >= 0 and q.word(REQ_PROD) != q.consumed:
                index = q.consumed
                slot = q.read_slot(index)
                q.consumed = (index + 1) & M32
                return where, index, slot
        return None

    def next_request(self, timeout=10.0):
        """(queue, parsed request); TimeoutError, PeerGone."""
        end = time.monotonic() + timeout
        while not (got := self.look()):
            for q in self.queues:
                q.set_word(REQ_EVENT, q.consumed + 1)
            fence()
            if any(q.word(REQ_PROD) != q.consumed for q in self.queues):
                continue
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no request")
            self.wait_bells(left)
        where, index, slot = got
        request = w.parse(slot)
        request["index"] = index
        return where, request

    def names(self, request):
        """The names of a request, from where they lie."""
        lens = request["lens"]
        both = request["path"] + request["path2"] if "path" in request else self.read_arena(
            request["names_at"], sum(lens))
        return [both[:lens[0]], both[lens[0]:]]

    def put(self, entry, where=0):
        """Write an entry into the next place without publishing it."""
        q = self.queues[where]
        q.write_entry(q.produced, entry)
        q.produced = (q.produced + 1) & M32

    def publish(self, where=0, bell=None):
        return self.queues[where].publish(RSP_PROD, RSP_EVENT, bell)

    def respond(self, where, request, value, body=None):
        """Answer as it should be done."""
        self.put(w.answer(request["op"] or "nop", request["id"], value, request.get("flags", 0),
                          body), where)
        return self.publish(where)

    def respond_data(self, where, request, octets, body=None):
        """Answer with octets in the request's ranges."""
        self.write_ranges(request["ranges"], octets)
        return self.respond(where, request, len(octets), body)

    def room_for_notices(self):
        q = self.queues[0]
        return q.slots - ((self.notices - q.word(NOTICES_SEEN)) & M32)

    def notify(self, entry):
        """Send a notice, whether there is room or not."""
        self.notices = (self.notices + 1) & M32
        self.put(entry)
        return self.publish()


def failed(e):
    return -(e.errno or errno.EIO)


class Folder:
    """Serves a folder over Victim3: enough for a frontend that is tested, and no more. Names are
    joined to the folder as they come: this is no place for a hostile peer."""

    def __init__(self, victim, folder):
        self.v = victim
        self.root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.files = {}
        self.listings = {}

    def close(self):
        close_all(self.files.values())
        os.close(self.root)

    def serve(self):
        """Until the frontend goes."""
        while True:
            try:
                where, request = self.v.next_request(600)
            except Exception as e:  # pylint: disable=broad-except
                if type(e).__name__ == "PeerGone":
                    return
                raise
            try:
                self.one(where, request)
            except OSError as e:
                self.v.respond(where, request, failed(e))

    def one(self, where, r):
        do = getattr(self, "do_" + str(r["op"]), None)
        if r["op"] is None or r["refused"] or do is None:
            number = {True: errno.ENOSYS, False: errno.EOPNOTSUPP}[r["op"] is None]
            self.v.respond(where, r, -(errno.EINVAL if r.get("refused") else number))
            return
        if "lens" in r:
            r["names"] = self.v.names(r)
        answer = do(r)
        if isinstance(answer, bytes):
            self.v.respond_data(where, r, answer)
        elif isinstance(answer, tuple):
            if isinstance(answer[0], bytes):
                self.v.respond_data(where, r, *answer)
            else:
                self.v.respond(where, r, *answer)
        else:
            self.v.respond(where, r, answer or 0)

    def base(self, handle):
        return self.root if handle == w.ROOT else self.fd(handle)

    def fd(self, handle):
        if handle not in self.files:
            raise OSError(errno.EBADF, "handle")
        return self.files[handle]

    def at(self, r, i=0, key="handle"):
        """(path, dir_fd) of a name."""
        name = r["names"][i]
        if name.startswith(b"/"):
            return name.lstrip(b"/") or b".", self.root
        return name, self.base(r[key])

    @staticmethod
    def attr(s):
        return {"mode": s.st_mode, "nlink": s.st_nlink, "uid": s.st_uid, "gid": s.st_gid,
                "size": s.st_size, "blocks": s.st_blocks, "ino": s.st_ino, "dev": 1,
                "mtime": s.st_mtime_ns // 10**9, "mtime_nsec": s.st_mtime_ns % 10**9,
                "atime": s.st_atime_ns // 10**9, "atime_nsec": s.st_atime_ns % 10**9,
                "ctime": s.st_ctime_ns // 10**9, "ctime_nsec": s.st_ctime_ns % 10**9}

    def look_at(self, r):
        follow = not r["flags"] & w.AT_NOFOLLOW
        path, base = self.at(r)
        if not path:
            return os.fstat(base)
        return os.stat(path, dir_fd=base, follow_symlinks=follow)

    def do_nop(self, _):
        return 0

    def do_open(self, r):
        flags = r["flags"] & ~(w.STAT | w.SYNC | w.DSYNC) | os.O_CLOEXEC | os.O_NONBLOCK
        path, base = self.at(r)
        fd = os.open(path, flags, r["mode"], dir_fd=base)
        handle = next(i for i in range(1 << 16) if i not in self.files)
        self.files[handle] = fd
        return handle, self.attr(os.fstat(fd)) if r["flags"] & w.STAT else None

    def do_close(self, r):
        os.close(self.fd(r["handle"]))
        del self.files[r["handle"]]

    def do_read(self, r):
        return os.pread(self.fd(r["handle"]), sum(n for _, n in r["ranges"]), r["offset"])

    def do_write(self, r):
        data = self.v.read_ranges(r["ranges"], sum(n for _, n in r["ranges"]))
        fd, offset = self.fd(r["handle"]), r["offset"]
        if r["flags"] & w.AT_END:
            offset = os.fstat(fd).st_size
        return os.pwrite(fd, data, offset)

    def do_stat(self, r):
        return 0, self.attr(self.look_at(r))

    def do_setattr(self, r):
        path, base = self.at(r)
        s = self.look_at(r)
        if r["mask"] & w.SET_SIZE:
            fd = os.open(path or ".", os.O_WRONLY, dir_fd=base) if path else base
            os.ftruncate(fd, r["size"])
            if path:
                os.close(fd)
        if r["mask"] & w.SET_MODE:
            os.chmod(path or base, r["mode"], **({"dir_fd": base} if path else {}))
        times = [s.st_atime_ns, s.st_mtime_ns]
        for i, (key, bit, now) in enumerate((("atime", w.SET_ATIME, w.SET_ATIME_NOW),
                                             ("mtime", w.SET_MTIME, w.SET_MTIME_NOW))):
            if r["mask"] & bit:
                seconds = struct.unpack("<q", struct.pack("<Q", r[key]))[0]
                times[i] = seconds * 10**9 + r[key + "_nsec"]
            if r["mask"] & now:
                times[i] = time.time_ns()
        if r["mask"] & 0xf0:
            os.utime(path or base, ns=tuple(times), **({"dir_fd": base} if path else {}))
        return 0, self.attr(self.look_at(r))

    def do_remove(self, r):
        path, base = self.at(r)
        is_dir = stat_module.S_ISDIR(os.stat(path, dir_fd=base, follow_symlinks=False).st_mode)
        if r["flags"] in (w.FILE, w.DIR) and (r["flags"] == w.DIR) != is_dir:
            raise OSError(errno.ENOTDIR if r["flags"] == w.DIR else errno.EISDIR, "remove")
        (os.rmdir if is_dir else os.unlink)(path, dir_fd=base)

    def do_rename(self, r):
        old, new = self.at(r), self.at(r, 1, "base2")
        if r["flags"] & w.NOREPLACE:
            try:
                os.stat(new[0], dir_fd=new[1], follow_symlinks=False)
            except FileNotFoundError:
                pass
            else:
                raise OSError(errno.EEXIST, "rename")
        os.rename(old[0], new[0], src_dir_fd=old[1], dst_dir_fd=new[1])

    def do_mkdir(self, r):
        path, base = self.at(r)
        os.mkdir(path, r["mode"], dir_fd=base)
        os.chmod(path, r["mode"], dir_fd=base)

    def do_mknod(self, r):
        path, base = self.at(r)
        os.mknod(path, r["mode"], dir_fd=base)

    def do_link(self, r):
        old, new = self.at(r), self.at(r, 1, "base2")
        os.link(old[0], new[0], src_dir_fd=old[1], dst_dir_fd=new[1], follow_symlinks=bool(r["flags"]))

    def do_symlink(self, r):
        path, base = self.at(r)
        os.symlink(r["names"][1], path, dir_fd=base)

    def do_readlink(self, r):
        path, base = self.at(r)
        return os.readlink(path, dir_fd=base)[:r["ranges"][0][1]]

    def do_readdir(self, r):
        fd, out = self.fd(r["handle"]), b""
        if r["ranges"][0][1] < 400:
            raise OSError(errno.EINVAL, "readdir")
        if not r["cookie"]:
            self.listings[r["handle"]] = [os.fsencode(n) for n in os.listdir(fd)]
        names = self.listings.get(r["handle"], [])
        for i in range(r["cookie"], len(names)):
            attr, status, kind, ino = None, 0, 0, 0
            if r["flags"] & w.ATTR:
                try:
                    attr = self.attr(os.stat(names[i], dir_fd=fd, follow_symlinks=False))
                    kind, ino = attr["mode"] >> 12, attr["ino"]
                except OSError as e:
                    attr, status = {}, failed(e)
            entry = w.pack_dirent(names[i], i + 1, ino, kind, status, attr)
            if len(out) + len(entry) > r["ranges"][0][1]:
                break
            out += entry
        return out

    def do_statvfs(self, _):
        s = os.fstatvfs(self.root)
        most = min(s.f_blocks, ((1 << 63) - 1) // s.f_frsize)
        free = min(s.f_bfree, most)
        return 0, {"blocks": most, "bfree": free, "bavail": min(s.f_bavail, free),
                   "files": s.f_files, "ffree": min(s.f_ffree, s.f_files), "bsize": s.f_frsize,
                   "namemax": s.f_namemax}

    def do_sync(self, r):
        os.fsync(self.fd(r["handle"]))

    def do_seek(self, r):
        return os.lseek(self.fd(r["handle"]), r["offset"],
                        os.SEEK_HOLE if r["flags"] & w.HOLE else os.SEEK_DATA)

    def do_readfile(self, r):
        path, base = self.at(r)
        fd = os.open(path, os.O_RDONLY | r["flags"] | os.O_NONBLOCK, dir_fd=base)
        try:
            s = os.fstat(fd)
            if stat_module.S_ISDIR(s.st_mode):
                raise OSError(errno.EISDIR, "readfile")
            return os.pread(fd, r["ranges"][0][1], 0), self.attr(s)
        finally:
            os.close(fd)

    def do_writefile(self, r):
        path, base = self.at(r)
        data = self.v.read_ranges(r["ranges"], r["ranges"][0][1])
        fd = os.open(path, os.O_WRONLY | r["flags"] & ~(w.SYNC | w.DSYNC), r["mode"], dir_fd=base)
        try:
            n = os.pwrite(fd, data, 0)
            return n, self.attr(os.fstat(fd))
        finally:
            os.close(fd)

    def do_statmany(self, r):
        names = self.v.read_ranges(r["ranges"], r["ranges"][0][1]).split(b"\0")
        out = b""
        for name in names[:r["count"]]:
            try:
                s = os.stat(name.lstrip(b"/") or b".", dir_fd=self.base(r["handle"]),
                            follow_symlinks=not r["flags"] & w.AT_NOFOLLOW)
                out += w.pack_record(0, self.attr(s))
            except OSError as e:
                out += w.pack_record(failed(e))
        self.v.write_arena(r["records"], out)
        return r["count"]
