/* SPDX-License-Identifier: MIT */
/*
 * The layout of what lies in shared memory, proved at compile time: a build whose compiler lays a
 * structure out in another way does not exist.
 */
#include <stddef.h>
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

/* The largest power of two that fits behind the indices of one page. */
#define ROOM ((FSIF_PAGE_SIZE - FSIF_WIRE_RING_SLOTS) / FSIF_WIRE1_SLOT)
_Static_assert((FSIF_WIRE1_SLOTS & (FSIF_WIRE1_SLOTS - 1)) == 0, "a power of two");
_Static_assert(FSIF_WIRE1_SLOTS <= ROOM && ROOM < 2 * FSIF_WIRE1_SLOTS, "that fits, and no more");
_Static_assert(FSIF_WIRE_RING_SLOTS >= sizeof(struct fsif_wire_ring), "slots follow the indices");
