/* SPDX-License-Identifier: MIT */
/*
 * Each operation TIMES times from submit to done, for callgrind to count: it collects only inside
 * and dumps its sum, named "DIALECT OPERATION", after each. check.py reads the dumps.
 *
 * usage: count [DIALECT:OPERATION=INSTRUCTIONS...]: with so many more in that operation, to see
 * whether the check sees them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>
#include "rig.h"

enum { TIMES = 64, LENGTH = 64 };

static char buffer[4 * FSIF_PAGE_SIZE];
static uint32_t file; /* a handle that is open throughout */

struct counted {
    const char *name;
    unsigned first; /* dialect that has it, and the last that does */
    unsigned last;
    struct fsif_op op;
    unsigned flags;
};

/* What a row needs besides its operation */
enum {
    ON_FILE = 1, /* op.handle is the open file */
    CLOSES = 2,  /* it opens a file, which is closed uncounted */
    OPENS = 4,   /* it closes a file, which is opened uncounted */
    TO_BUFFER = 8,
    FROM_BUFFER = 16,
    IN_ARENA = 32, /* the data is a range, which nobody copies */
    PARKS = 64,    /* it cancels a lock, which is made to wait uncounted */
    WATCHES = 128, /* it makes a watch, which is ended uncounted */
    WATCHED = 256, /* it ends a watch, which is made uncounted */
    ON_BOTH = 512, /* op.handle2 is the open file, too */
};

#define ROOT .handle = FSIF_HANDLE_ROOT

static const struct fsif_setattr set_mode = {.mask = FSIF_SET_MODE, .mode = 0600};

static const struct counted all[] = {
    {"open", 1, 2, {.type = FSIF_OP_OPEN, .path = "a/file"}, CLOSES},
    {"close", 1, 3, {.type = FSIF_OP_CLOSE}, OPENS},
    {"read", 1, 3, {.type = FSIF_OP_READ, .length = LENGTH}, ON_FILE | TO_BUFFER},
    {"write", 1, 3, {.type = FSIF_OP_WRITE, .length = LENGTH}, ON_FILE | FROM_BUFFER},
    {"stat", 1, 3, {.type = FSIF_OP_STAT}, ON_FILE},
    {"truncate", 1, 2, {.type = FSIF_OP_TRUNCATE, .length = 1}, ON_FILE},
    {"remove", 1, 3, {.type = FSIF_OP_REMOVE, .path = "a/file", ROOT}, 0},
    {"rename",
     1,
     3,
     {.type = FSIF_OP_RENAME,
      .path = "a/file",
      .path2 = "b/file",
      ROOT,
      .handle2 = FSIF_HANDLE_ROOT},
     0},
    {"create", 1, 2, {.type = FSIF_OP_CREATE, .path = "a/file", .mode = 0644}, CLOSES},
    {"list", 1, 2, {.type = FSIF_OP_LIST, .path = "a", .length = FSIF_PAGE_SIZE}, TO_BUFFER},
    {"chmod", 1, 2, {.type = FSIF_OP_CHMOD, .mode = 0600}, ON_FILE},
    {"space", 1, 2, {.type = FSIF_OP_SPACE, .path = "a"}, 0},
    {"sync", 1, 3, {.type = FSIF_OP_SYNC}, ON_FILE},
    {"nop", 3, 3, {.type = FSIF_OP_NOP}, 0},
    {"open", 3, 3, {.type = FSIF_OP_OPEN, .path = "a/file", ROOT, .flags = FSIF_O_STAT}, CLOSES},
    {"read-range", 3, 3, {.type = FSIF_OP_READ, .length = FSIF_PAGE_SIZE}, ON_FILE | IN_ARENA},
    {"write-range", 3, 3, {.type = FSIF_OP_WRITE, .length = FSIF_PAGE_SIZE}, ON_FILE | IN_ARENA},
    {"stat-path", 3, 3, {.type = FSIF_OP_STAT, .path = "a/file", ROOT}, 0},
    {"setattr", 3, 3, {.type = FSIF_OP_SETATTR, .path = "a/file", ROOT, .set = &set_mode}, 0},
    {"mkdir", 3, 3, {.type = FSIF_OP_MKDIR, .path = "a/dir", ROOT, .mode = 0755}, 0},
    {"mknod", 3, 3, {.type = FSIF_OP_MKNOD, .path = "a/f", ROOT, .mode = FSIF_S_IFREG | 0644}, 0},
    {"symlink", 3, 3, {.type = FSIF_OP_SYMLINK, .path = "a/link", .path2 = "target", ROOT}, 0},
    {"link",
     3,
     3,
     {.type = FSIF_OP_LINK, .path = "a/file", .path2 = "b/file", ROOT, .handle2 = FSIF_HANDLE_ROOT},
     0},
    {"readlink",
     3,
     3,
     {.type = FSIF_OP_READLINK, .path = "a/link", ROOT, .length = LENGTH},
     TO_BUFFER},
    {"readdir", 3, 3, {.type = FSIF_OP_READDIR, .length = 2 * FSIF_PAGE_SIZE}, ON_FILE | TO_BUFFER},
    {"readdir-attr",
     3,
     3,
     {.type = FSIF_OP_READDIR, .length = 2 * FSIF_PAGE_SIZE, .flags = FSIF_READDIR_ATTR},
     ON_FILE | TO_BUFFER},
    {"statvfs", 3, 3, {.type = FSIF_OP_STATVFS, .path = "a", ROOT}, 0},
    {"allocate", 3, 3, {.type = FSIF_OP_ALLOCATE, .length = 1}, ON_FILE},
    {"seek", 3, 3, {.type = FSIF_OP_SEEK, .offset = 1}, ON_FILE},
    {"copy-range", 3, 3, {.type = FSIF_OP_COPY_RANGE, .length = 1}, ON_FILE | ON_BOTH},
    {"getxattr",
     3,
     3,
     {.type = FSIF_OP_GETXATTR, .path = "a/file", .path2 = "user.x", ROOT, .length = LENGTH},
     TO_BUFFER},
    {"setxattr",
     3,
     3,
     {.type = FSIF_OP_SETXATTR, .path = "a/file", .path2 = "user.x", ROOT, .length = 5},
     FROM_BUFFER},
    {"listxattr",
     3,
     3,
     {.type = FSIF_OP_LISTXATTR, .path = "a/file", ROOT, .length = LENGTH},
     TO_BUFFER},
    {"removexattr",
     3,
     3,
     {.type = FSIF_OP_REMOVEXATTR, .path = "a/file", .path2 = "user.x", ROOT},
     0},
    {"watch",
     3,
     3,
     {.type = FSIF_OP_WATCH, .flags = FSIF_CHANGE_CREATE, .cookie = 1},
     ON_FILE | WATCHES},
    {"unwatch", 3, 3, {.type = FSIF_OP_UNWATCH}, WATCHED},
    {"cancel", 3, 3, {.type = FSIF_OP_CANCEL, .cookie = 2}, PARKS},
    {"export", 3, 3, {.type = FSIF_OP_EXPORT, .path = "other"}, CLOSES},
    {"lock", 3, 3, {.type = FSIF_OP_LOCK, .mode = FSIF_LOCK_EXCLUSIVE}, ON_FILE},
    {"readfile",
     3,
     3,
     {.type = FSIF_OP_READFILE, .path = "a/file", ROOT, .length = LENGTH},
     TO_BUFFER},
    {"writefile",
     3,
     3,
     {.type = FSIF_OP_WRITEFILE,
      .path = "a/file",
      ROOT,
      .flags = FSIF_O_CREAT,
      .mode = 0644,
      .length = LENGTH},
     FROM_BUFFER},
    {"statmany",
     3,
     3,
     {.type = FSIF_OP_STATMANY, ROOT, .offset = 4, .data = "a\0b\0c\0d", .length = 8},
     TO_BUFFER},
};

static void die(unsigned dialect, const char *name, int64_t value)
{
    fprintf(stderr, "count: dialect %u, %s: %lld\n", dialect, name, (long long)value);
    exit(1);
}

/* Some work that the compiler leaves alone: two instructions a turn, and a few */
static __attribute__((noinline)) void waste(unsigned instructions)
{
    for (unsigned i = instructions / 2; i > 0; i--)
        __asm__ volatile("" : "+r"(i));
}

static unsigned planted(int argc, char **argv, unsigned dialect, const char *name)
{
    char key[64];
    size_t len = (size_t)snprintf(key, sizeof(key), "%u:%s=", dialect, name);

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], key, len) == 0)
            return (unsigned)strtoul(argv[i] + len, NULL, 10);
    return 0;
}

static int64_t quietly(struct rig *r, struct fsif_op op)
{
    struct fsif_call call;

    rig_prepare(r, &call);
    call.op = op;
    return rig_call(r, &call);
}

static uint32_t open_file(struct rig *r, unsigned dialect)
{
    int64_t handle = quietly(r, (struct fsif_op){.type = FSIF_OP_OPEN, .path = "a/file", ROOT});

    if (handle < 0)
        die(dialect, "open", handle);
    return (uint32_t)handle;
}

static void fill(struct fsif_call *call, const struct counted *c, const struct fsif_range *range)
{
    call->op = c->op;
    if (c->flags & ON_FILE)
        call->op.handle = file;
    if (c->flags & ON_BOTH)
        call->op.handle2 = file;
    if (c->flags & TO_BUFFER)
        call->op.buffer = buffer;
    if (c->flags & FROM_BUFFER)
        call->op.data = buffer;
    if (c->flags & IN_ARENA) {
        call->op.ranges = range;
        call->op.nranges = 1;
    }
}

/* What the operation finds when it begins. */
static void before(struct rig *r, const struct counted *c, unsigned dialect, struct fsif_op *op)
{
    int64_t value;

    if (c->flags & OPENS)
        op->handle = open_file(r, dialect);
    if (c->flags & PARKS) {
        value = quietly(r, (struct fsif_op){.type = FSIF_OP_LOCK,
                                            .handle = file,
                                            .mode = FSIF_LOCK_EXCLUSIVE,
                                            .flags = FSIF_LOCK_WAIT,
                                            .offset = RIG_LOCKED,
                                            .length = 1,
                                            .cookie = c->op.cookie});
        if (value != -FSIF_EINPROGRESS)
            die(dialect, "lock", value);
    }
    if (c->flags & WATCHED) {
        value = quietly(r, (struct fsif_op){
                               .type = FSIF_OP_WATCH, .handle = file, .flags = FSIF_CHANGE_CREATE});
        if (value < 0)
            die(dialect, "watch", value);
        op->offset = (uint64_t)value;
    }
}

static void after(struct rig *r, const struct counted *c, int64_t value)
{
    if (c->flags & CLOSES)
        quietly(r, (struct fsif_op){.type = FSIF_OP_CLOSE, .handle = (uint32_t)value});
    if (c->flags & WATCHES)
        quietly(r, (struct fsif_op){.type = FSIF_OP_UNWATCH, .offset = (uint64_t)value});
}

static int64_t once(struct rig *r, const struct counted *c, unsigned dialect, unsigned more,
                    const struct fsif_range *range)
{
    struct fsif_call call;
    int64_t value;

    rig_prepare(r, &call);
    fill(&call, c, range);
    before(r, c, dialect, &call.op);
    CALLGRIND_TOGGLE_COLLECT;
    value = rig_call(r, &call);
    if (more > 0)
        waste(more);
    CALLGRIND_TOGGLE_COLLECT;
    if (value < 0)
        die(dialect, c->name, value);
    after(r, c, value);
    return value;
}

static void count(struct rig *r, const struct counted *c, unsigned dialect, unsigned more)
{
    struct fsif_range range = {0, 0};
    char title[64];

    if (dialect == 3)
        range = rig_arena();
    snprintf(title, sizeof(title), "%u %s", dialect, c->name);
    once(r, c, dialect, more, &range);
    CALLGRIND_ZERO_STATS;
    for (int i = 0; i < TIMES; i++)
        once(r, c, dialect, more, &range);
    CALLGRIND_DUMP_STATS_AT(title);
    printf("%s\n", title);
}

int main(int argc, char **argv)
{
    static struct rig r;

    printf("times %d\n", TIMES);
    for (unsigned dialect = 1; dialect <= 3; dialect++) {
        if (rig_start(&r, dialect) != 0)
            die(dialect, "start", -FSIF_EINVAL);
        file = open_file(&r, dialect);
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            if (dialect >= all[i].first && dialect <= all[i].last)
                count(&r, &all[i], dialect, planted(argc, argv, dialect, all[i].name));
    }
    return 0;
}
