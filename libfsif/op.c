/* SPDX-License-Identifier: MIT */
#include <fsif/hooks.h>
#include <fsif/op.h>

const char *fsif_op_name(uint32_t type)
{
    static const char names[FSIF_OP_COUNT][12] = {
        [FSIF_OP_NONE] = "unknown",
        [FSIF_OP_OPEN] = "open",
        [FSIF_OP_CLOSE] = "close",
        [FSIF_OP_READ] = "read",
        [FSIF_OP_WRITE] = "write",
        [FSIF_OP_STAT] = "stat",
        [FSIF_OP_TRUNCATE] = "truncate",
        [FSIF_OP_REMOVE] = "remove",
        [FSIF_OP_RENAME] = "rename",
        [FSIF_OP_CREATE] = "create",
        [FSIF_OP_LIST] = "list",
        [FSIF_OP_CHMOD] = "chmod",
        [FSIF_OP_SPACE] = "space",
        [FSIF_OP_SYNC] = "sync",
        [FSIF_OP_NOP] = "nop",
        [FSIF_OP_SETATTR] = "setattr",
        [FSIF_OP_MKDIR] = "mkdir",
        [FSIF_OP_MKNOD] = "mknod",
        [FSIF_OP_LINK] = "link",
        [FSIF_OP_SYMLINK] = "symlink",
        [FSIF_OP_READLINK] = "readlink",
        [FSIF_OP_READDIR] = "readdir",
        [FSIF_OP_STATVFS] = "statvfs",
        [FSIF_OP_ALLOCATE] = "allocate",
        [FSIF_OP_SEEK] = "seek",
        [FSIF_OP_COPY_RANGE] = "copy_range",
        [FSIF_OP_GETXATTR] = "getxattr",
        [FSIF_OP_SETXATTR] = "setxattr",
        [FSIF_OP_LISTXATTR] = "listxattr",
        [FSIF_OP_REMOVEXATTR] = "removexattr",
        [FSIF_OP_LOCK] = "lock",
        [FSIF_OP_CANCEL] = "cancel",
        [FSIF_OP_WATCH] = "watch",
        [FSIF_OP_UNWATCH] = "unwatch",
        [FSIF_OP_EXPORT] = "export",
        [FSIF_OP_READFILE] = "readfile",
        [FSIF_OP_WRITEFILE] = "writefile",
        [FSIF_OP_STATMANY] = "statmany",
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
