/* SPDX-License-Identifier: MIT */
#include <fsif/hooks.h>
#include <fsif/op.h>

const char *fsif_op_name(uint32_t type)
{
    static const char names[FSIF_OP_COUNT][12] = {
        [FSIF_OP_NONE] = "unknown",      [FSIF_OP_OPEN] = "open",     [FSIF_OP_CLOSE] = "close",
        [FSIF_OP_READ] = "read",         [FSIF_OP_WRITE] = "write",   [FSIF_OP_STAT] = "stat",
        [FSIF_OP_TRUNCATE] = "truncate", [FSIF_OP_REMOVE] = "remove", [FSIF_OP_RENAME] = "rename",
        [FSIF_OP_CREATE] = "create",     [FSIF_OP_LIST] = "list",     [FSIF_OP_CHMOD] = "chmod",
        [FSIF_OP_SPACE] = "space",       [FSIF_OP_SYNC] = "sync",
    };

    return names[type < FSIF_OP_COUNT ? type : FSIF_OP_NONE];
}

const char *fsif_poison_text(enum fsif_poison reason)
{
    switch (reason) {
    case FSIF_POISON_NONE:
        return "no protocol error";
    case FSIF_POISON_INDEX:
        return "the peer's producer index is not within the ring";
    case FSIF_POISON_ID:
        return "the peer used an id beyond the ring";
    case FSIF_POISON_ID_BUSY:
        return "the peer used the id of a request that is still unanswered";
    case FSIF_POISON_ID_IDLE:
        return "the peer answered a request that was never sent";
    case FSIF_POISON_RESULT:
        return "the peer answered with an impossible result";
    case FSIF_POISON_LISTING:
        return "the peer answered with a malformed listing";
    case FSIF_POISON_ATTR:
        return "the peer answered with impossible attributes";
    case FSIF_POISON_TRANSPORT:
        return "the transport failed";
    case FSIF_POISON_COUNT:
        break;
    }
    return "unknown reason";
}
