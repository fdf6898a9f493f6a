/* SPDX-License-Identifier: MIT */
/*
 * The layout of what lies in shared memory, proved at compile time: a build whose compiler lays a
 * structure out in another way does not exist.
 */
#include <stddef.h>
#include <fsif/frontend.h>
#include <fsif/negotiate.h>
#include <fsif/op.h>
#include <fsif/wire.h>

#define AT(type, member, offset)                                                                   \
    _Static_assert(offsetof(struct type, member) == (offset), #type "." #member)
#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
/* Operands follow the head of a slot. */
#define OPERAND(type, member, offset) AT(type, member, (offset)-8)

SIZE(fsif_shared_u32, 4);
_Static_assert(_Alignof(struct fsif_shared_u32) == 4, "an index is a naturally aligned word");

AT(fsif_wire_ring, req_prod, 0);
AT(fsif_wire_ring, req_event, 4);
AT(fsif_wire_ring, rsp_prod, 8);
AT(fsif_wire_ring, rsp_event, 12);
SIZE(fsif_wire_ring, 16);

SIZE(fsif_wire1_request, FSIF_WIRE1_SLOT);
AT(fsif_wire1_request, type, 0);
AT(fsif_wire1_request, pad0, 1);
AT(fsif_wire1_request, id, 2);
AT(fsif_wire1_request, pad1, 4);
AT(fsif_wire1_request, u, 8);
AT(fsif_wire1_request, u.io.fd, 8);
AT(fsif_wire1_request, u.io.offset, 24);

OPERAND(fsif_wire1_io, fd, 8);
OPERAND(fsif_wire1_io, gref, 12);
OPERAND(fsif_wire1_io, len, 16);
OPERAND(fsif_wire1_io, offset, 24);
SIZE(fsif_wire1_io, 24);

OPERAND(fsif_wire1_path, gref, 8);
SIZE(fsif_wire1_path, 4);

OPERAND(fsif_wire1_handle, fd, 8);
SIZE(fsif_wire1_handle, 4);

OPERAND(fsif_wire1_stat, fd, 8);
OPERAND(fsif_wire1_stat, gref, 12);
SIZE(fsif_wire1_stat, 8);

OPERAND(fsif_wire1_truncate, fd, 8);
OPERAND(fsif_wire1_truncate, pad, 12);
OPERAND(fsif_wire1_truncate, len, 16);
SIZE(fsif_wire1_truncate, 16);

OPERAND(fsif_wire1_rename, old_offset, 8);
OPERAND(fsif_wire1_rename, new_offset, 10);
OPERAND(fsif_wire1_rename, gref, 12);
SIZE(fsif_wire1_rename, 8);

OPERAND(fsif_wire1_create, directory, 8);
OPERAND(fsif_wire1_create, pad, 9);
OPERAND(fsif_wire1_create, mode, 12);
OPERAND(fsif_wire1_create, gref, 16);
SIZE(fsif_wire1_create, 12);

OPERAND(fsif_wire1_list, offset, 8);
OPERAND(fsif_wire1_list, gref, 12);
SIZE(fsif_wire1_list, 8);

OPERAND(fsif_wire1_chmod, fd, 8);
OPERAND(fsif_wire1_chmod, mode, 12);
SIZE(fsif_wire1_chmod, 8);

AT(fsif_wire1_response, id, 0);
AT(fsif_wire1_response, pad0, 2);
AT(fsif_wire1_response, pad1, 4);
AT(fsif_wire1_response, ret, 8);
AT(fsif_wire1_response, unused, 16);
SIZE(fsif_wire1_response, FSIF_WIRE1_SLOT);

AT(fsif_wire1_attr, mode, 0);
AT(fsif_wire1_attr, uid, 4);
AT(fsif_wire1_attr, gid, 8);
AT(fsif_wire1_attr, pad, 12);
AT(fsif_wire1_attr, size, 16);
AT(fsif_wire1_attr, atime, 24);
AT(fsif_wire1_attr, mtime, 32);
AT(fsif_wire1_attr, ctime, 40);
SIZE(fsif_wire1_attr, 48);

OPERAND(fsif_wire2_io, fd, 8);
OPERAND(fsif_wire2_io, pad, 12);
OPERAND(fsif_wire2_io, len, 16);
OPERAND(fsif_wire2_io, offset, 24);
OPERAND(fsif_wire2_io, grefs, 32);
SIZE(fsif_wire2_io, 48);

SIZE(fsif_wire2_request, FSIF_WIRE2_SLOT);
AT(fsif_wire2_request, type, 0);
AT(fsif_wire2_request, pad0, 1);
AT(fsif_wire2_request, id, 2);
AT(fsif_wire2_request, pad1, 4);
AT(fsif_wire2_request, u, 8);
AT(fsif_wire2_request, u.io.grefs, 32);

OPERAND(fsif_wire2_attr, mode, 8);
OPERAND(fsif_wire2_attr, uid, 12);
OPERAND(fsif_wire2_attr, gid, 16);
OPERAND(fsif_wire2_attr, ret, 20);
OPERAND(fsif_wire2_attr, size, 24);
OPERAND(fsif_wire2_attr, atime, 32);
OPERAND(fsif_wire2_attr, mtime, 40);
OPERAND(fsif_wire2_attr, ctime, 48);
SIZE(fsif_wire2_attr, 48);

AT(fsif_wire2_response, id, 0);
AT(fsif_wire2_response, pad0, 2);
AT(fsif_wire2_response, pad1, 4);
AT(fsif_wire2_response, u.ret, 8);
AT(fsif_wire2_response, u.attr, 8);
SIZE(fsif_wire2_response, FSIF_WIRE2_SLOT);

/* What both have in common is coded once. */
_Static_assert(offsetof(struct fsif_wire1_request, u) == offsetof(struct fsif_wire2_request, u) &&
                   offsetof(struct fsif_wire1_response, ret) ==
                       offsetof(struct fsif_wire2_response, u),
               "operands and results begin at the same place");
_Static_assert(offsetof(struct fsif_wire1_attr, pad) == offsetof(struct fsif_wire2_attr, ret) &&
                   sizeof(struct fsif_wire1_attr) == sizeof(struct fsif_wire2_attr),
               "attributes have the same layout");
_Static_assert(FSIF_WIRE2_MAX_IO == FSIF_WIRE2_GREFS * FSIF_PAGE_SIZE, "pages of a request");
_Static_assert(FSIF_PAGES_PER_CALL_MAX >= FSIF_WIRE2_GREFS, "pages of a call");
_Static_assert(FSIF_RING_PAGES_MAX >= FSIF_WIRE2_RING_PAGES, "pages of a ring");

/* The largest power of two that fits behind the indices of the pages. */
#define ROOM(pages, slot) (((pages)*FSIF_PAGE_SIZE - FSIF_WIRE_RING_SLOTS) / (slot))
#define SLOTS(pages, slot, slots)                                                                  \
    _Static_assert((slots) <= ROOM(pages, slot) && ROOM(pages, slot) < 2 * (slots) &&              \
                       ((slots) & ((slots)-1)) == 0,                                               \
                   "that fits, and no more")
SLOTS(1, FSIF_WIRE1_SLOT, FSIF_WIRE1_SLOTS);
SLOTS(1, FSIF_WIRE2_SLOT, FSIF_WIRE2_SLOTS);
SLOTS(FSIF_WIRE2_RING_PAGES, FSIF_WIRE2_SLOT, FSIF_FRONTEND_MAX_CALLS);
_Static_assert(FSIF_WIRE_RING_SLOTS >= sizeof(struct fsif_wire_ring), "slots follow the indices");

/* Dialect 3 */
AT(fsif_wire3_ring, req_prod, 0);
AT(fsif_wire3_ring, rsp_event, 4);
AT(fsif_wire3_ring, notices_seen, 8);
AT(fsif_wire3_ring, pad0, 12);
AT(fsif_wire3_ring, rsp_prod, 64);
AT(fsif_wire3_ring, req_event, 68);
AT(fsif_wire3_ring, pad1, 72);
AT(fsif_wire3_directory, next, 0);
AT(fsif_wire3_directory, refs, 4);
AT(fsif_wire3_request, type, 0);
AT(fsif_wire3_request, flags, 1);
AT(fsif_wire3_request, id, 2);
AT(fsif_wire3_request, serial, 4);
AT(fsif_wire3_request, handle, 8);
AT(fsif_wire3_request, operands, 12);
AT(fsif_wire3_response, id, 0);
AT(fsif_wire3_response, kind, 2);
AT(fsif_wire3_response, flags, 3);
AT(fsif_wire3_response, what, 4);
AT(fsif_wire3_response, value, 8);
AT(fsif_wire3_response, body, 16);
AT(fsif_wire3_change, cookie, 0);
AT(fsif_wire3_change, name_len, 8);
AT(fsif_wire3_change, name, 9);
AT(fsif_wire3_attr, mode, 0);
AT(fsif_wire3_attr, nlink, 4);
AT(fsif_wire3_attr, uid, 8);
AT(fsif_wire3_attr, gid, 12);
AT(fsif_wire3_attr, size, 16);
AT(fsif_wire3_attr, blocks, 24);
AT(fsif_wire3_attr, ino, 32);
AT(fsif_wire3_attr, mtime, 40);
AT(fsif_wire3_attr, atime, 48);
AT(fsif_wire3_attr, ctime, 56);
AT(fsif_wire3_attr, btime, 64);
AT(fsif_wire3_attr, mtime_nsec, 72);
AT(fsif_wire3_attr, atime_nsec, 76);
AT(fsif_wire3_attr, ctime_nsec, 80);
AT(fsif_wire3_attr, btime_nsec, 84);
AT(fsif_wire3_attr, dev, 88);
AT(fsif_wire3_attr, rdev_major, 96);
AT(fsif_wire3_attr, rdev_minor, 100);
AT(fsif_wire3_attr, blksize, 104);
AT(fsif_wire3_attr, pad, 108);
AT(fsif_wire3_statvfs, blocks, 0);
AT(fsif_wire3_statvfs, bfree, 8);
AT(fsif_wire3_statvfs, bavail, 16);
AT(fsif_wire3_statvfs, files, 24);
AT(fsif_wire3_statvfs, ffree, 32);
AT(fsif_wire3_statvfs, bsize, 40);
AT(fsif_wire3_statvfs, namemax, 44);
AT(fsif_wire3_lock, offset, 0);
AT(fsif_wire3_lock, length, 8);
AT(fsif_wire3_lock, mode, 16);
AT(fsif_wire3_lock, pad, 20);
AT(fsif_wire3_entry, cookie, 0);
AT(fsif_wire3_entry, ino, 8);
AT(fsif_wire3_entry, size, 16);
AT(fsif_wire3_entry, type, 18);
AT(fsif_wire3_entry, name_len, 19);
AT(fsif_wire3_entry, status, 20);
AT(fsif_wire3_record, status, 0);
AT(fsif_wire3_record, pad, 4);
AT(fsif_wire3_record, attr, 8);
SIZE(fsif_wire3_ring, FSIF_WIRE3_RING_SLOTS);
SIZE(fsif_wire3_directory, FSIF_PAGE_SIZE);
SIZE(fsif_wire3_request, FSIF_WIRE3_SLOT);
SIZE(fsif_wire3_response, FSIF_WIRE3_SLOT);
SIZE(fsif_wire3_change, FSIF_WIRE3_RESPONSE - FSIF_WIRE3_BODY);
SIZE(fsif_wire3_attr, 112);
SIZE(fsif_wire3_statvfs, 48);
SIZE(fsif_wire3_lock, 24);
SIZE(fsif_wire3_entry, 24);
SIZE(fsif_wire3_record, FSIF_RECORD_SIZE);
