/* SPDX-License-Identifier: MIT */
/*
 * Responses of dialect 3: a backend that writes what it likes into entries, the arena and its
 * index. Every call completes exactly once, with a result that its operation may have; listings,
 * records and notices that reach the caller are sound.
 */
#include "arena.h"

#include <fsif/arena.h>
#include <stdlib.h>
#include <string.h>
#include "codec.h"
#include "codec3.h"
#include "le.h"

#define SLOTS 8u
#define ARENA FSIF_ARENA_PAGES_MIN
#define ARENA_SIZE (ARENA * FSIF_PAGE_SIZE)
#define MAX_IO (2 * FSIF_PAGE_SIZE)

static _Alignas(4096) unsigned char ring[FSIF_PAGE_SIZE];
static _Alignas(4096) unsigned char arena_mem[ARENA_SIZE];

struct job {
    struct fsif_call call;
    struct fsif_setattr set;
    unsigned char *buffer; /* of its own, so that a byte too many shows */
    unsigned submitted;
    unsigned done;
};

struct world {
    struct fsif_frontend fe;
    struct fsif_arena arena;
    void *arena_state;
    void *state;
    void *calls;
    uint32_t rsp_prod;
    struct job jobs[SLOTS];
    unsigned entries; /* for the planted bug */
};

static struct world *current;

static void check_attr(const struct fsif_attr *a)
{
    MUST(a->size <= INT64_MAX && a->blksize > 0 && a->mtime_nsec < 1000000000u);
    MUST((a->mode & ~(FSIF_S_IFMT | FSIF_S_PERM)) == 0 && (a->mode & FSIF_S_IFMT));
}

static void check_entries(const struct job *j)
{
    const struct fsif_result *r = &j->call.result;
    struct fsif_entry e;
    uint32_t at = 0;

    MUST(r->used == r->value && r->used <= j->call.op.length);
    while (fsif_entry_next(j->buffer, r->used, j->call.op.flags, &at, &e)) {
        MUST(at <= r->used && e.name_len >= 1 && strlen(e.name) == e.name_len);
        MUST(!strchr(e.name, '/') && e.cookie != 0);
        if (j->call.op.flags & FSIF_READDIR_ATTR && !e.status)
            check_attr(&e.attr);
        current->entries++;
    }
}

static void check_records(const struct job *j)
{
    struct fsif_attr attr;

    MUST(j->call.result.value == (int64_t)j->call.op.offset);
    for (uint32_t i = 0; i < j->call.op.offset; i++) {
        if (fsif_record_get(j->buffer, i, &attr) == 0)
            check_attr(&attr);
    }
}

static void check_result(const struct job *j)
{
    const struct fsif_result *r = &j->call.result;
    const struct fsif_op *op = &j->call.op;

    MUST(r->value >= -FSIF_MAX_ERRNO);
    if (r->value < 0)
        return;
    switch (op->type) {
    case FSIF_OP_READDIR:
        check_entries(j);
        break;
    case FSIF_OP_STATMANY:
        check_records(j);
        break;
    case FSIF_OP_STAT:
    case FSIF_OP_SETATTR:
    case FSIF_OP_READFILE:
    case FSIF_OP_WRITEFILE:
        check_attr(&r->attr);
        MUST((uint64_t)r->value <= op->length);
        break;
    case FSIF_OP_STATVFS:
        MUST(r->value == 0 && r->vfs.bsize && r->vfs.bavail <= r->vfs.bfree &&
             r->vfs.bfree <= r->vfs.blocks && r->vfs.blocks <= INT64_MAX / r->vfs.bsize);
        break;
    case FSIF_OP_OPEN:
    case FSIF_OP_EXPORT:
    case FSIF_OP_WATCH:
        MUST(r->value <= INT32_MAX);
        break;
    case FSIF_OP_READ:
    case FSIF_OP_WRITE:
    case FSIF_OP_READLINK:
    case FSIF_OP_COPY_RANGE:
        MUST((uint64_t)r->value <= op->length);
        break;
    case FSIF_OP_GETXATTR:
    case FSIF_OP_LISTXATTR:
        MUST((uint64_t)r->value <= (op->length ? op->length : FSIF_XATTR_MAX));
        break;
    case FSIF_OP_SEEK:
        break;
    default:
        MUST(r->value == 0);
    }
}

static void done(struct fsif_call *call)
{
    struct job *j = call->arg;

    MUST(j->done < j->submitted);
    j->done++;
    check_result(j);
    planted_bug(current->entries >= 2);
}

static void on_notice(void *arg, const struct fsif_notice *n)
{
    MUST(arg == current);
    MUST(n->kind == FSIF_NOTICE_LATE || n->kind == FSIF_NOTICE_CHANGE);
    MUST(n->value <= 0 && n->value >= -FSIF_MAX_ERRNO);
    MUST(!strchr(n->name, '/') && strnlen(n->name, sizeof(n->name)) <= FSIF_NAME_MAX);
    MUST((n->what & ~(FSIF_CHANGE_ALL | FSIF_CHANGE_LOST)) == 0);
}

static void world_init(struct world *w, struct input *in)
{
    struct fsif_frontend_config c = {.size = sizeof(c)};
    uint8_t bits = input_u8(in);

    memset(w, 0, sizeof(*w));
    current = w;
    arena_reset(0);
    memset(ring, 0, sizeof(ring));
    memset(arena_mem, 0, sizeof(arena_mem));
    w->arena_state = malloc(fsif_arena_state_size(ARENA));
    MUST(w->arena_state);
    MUST(fsif_arena_init(&w->arena, arena_mem, ARENA, w->arena_state) == 0);
    c.dialect = 3;
    c.features = FSIF_FEATURE_ERRNO;
    c.ring = ring;
    c.slots = SLOTS;
    c.first_index = bits & 1 ? 0xfffffffdu : 0;
    c.max_io = MAX_IO;
    c.arena = &w->arena;
    c.transport = &arena_copies;
    c.notice = on_notice;
    c.notice_arg = w;
    w->rsp_prod = c.first_index;
    w->state = malloc(fsif_frontend_state_size(&c));
    w->calls = malloc(fsif_frontend_calls_size(&c));
    MUST(w->state && w->calls);
    MUST(fsif_frontend_init(&w->fe, &c, w->state, w->calls) == 0);
}

/* Operands that are right for any operation, where there are such. */
static void fill_op(struct job *j, struct input *in)
{
    static const char names[] = "a\0b\0c\0d\0e\0f\0g";
    struct fsif_op *op = &j->call.op;
    uint64_t bytes;

    op->type = 1 + input_u8(in) % (FSIF_OP_COUNT - 1);
    op->length = op->type == FSIF_OP_READDIR ? 1024 : input_length(in);
    op->flags = input_u8(in) & 3;
    op->path = "some/path";
    op->path2 = input_u8(in) & 1 ? "another" : "a-name-that-does-not-fit-into-a-slot-any-more";
    op->cookie = 7;
    op->mode = FSIF_LOCK_SHARED;
    op->set = &j->set;
    if (op->type == FSIF_OP_OPEN)
        op->flags = op->flags & 1 ? FSIF_O_STAT : 0;
    if (op->type == FSIF_OP_STATMANY) {
        op->offset = 1 + input_u8(in) % 7u;
        op->length = 2 * op->offset;
        op->data = names;
    }
    bytes = op->type == FSIF_OP_STATMANY ? op->offset * FSIF_RECORD_SIZE
            : op->length <= MAX_IO       ? op->length
                                         : 0;
    j->buffer = malloc(bytes ? (size_t)bytes : 1);
    MUST(j->buffer);
    memset(j->buffer, 'w', bytes ? (size_t)bytes : 1);
    op->buffer = op->length <= MAX_IO ? j->buffer : NULL;
    if (op->type != FSIF_OP_STATMANY)
        op->data = op->buffer;
}

static void submit(struct world *w, struct input *in)
{
    struct job *j = &w->jobs[input_u8(in) % SLOTS];
    int ret;

    if (j->submitted != j->done)
        return;
    free(j->buffer);
    memset(&j->call, 0, sizeof(j->call));
    fill_op(j, in);
    j->call.deadline = input_u8(in) & 1 ? 100 : FSIF_NEVER;
    j->call.done = done;
    j->call.arg = j;
    j->submitted++;
    ret = fsif_frontend_submit(&w->fe, &j->call);
    if (ret < 0) {
        j->submitted--;
        MUST(ret == -FSIF_EAGAIN || ret == -FSIF_EINVAL || ret == -FSIF_EPROTO ||
             ret == -FSIF_ENOSYS || ret == -FSIF_ERANGE);
    }
}

/* Something into the arena: what an answer's data may be. */
static void put_data(struct input *in)
{
    struct fsif_entry e = {.name = "entry", .name_len = 5, .type = FSIF_S_IFREG, .cookie = 9};
    uint8_t kind = input_u8(in);
    unsigned char *to = arena_mem + (size_t)(kind % ARENA) * FSIF_PAGE_SIZE;
    uint32_t flags = kind & 0x10 ? FSIF_READDIR_ATTR : 0;

    e.attr.mode = FSIF_S_IFREG | 0600;
    e.attr.blksize = 4096;
    if (kind & 0x20)
        fsi_record3_put(kind & 0x40 ? -FSIF_ENOENT : 0, &e.attr, to + 16);
    for (uint32_t i = 0; i < 3 && !(kind & 0x20); i++, to += fsi_entry3_size(5, flags))
        fsi_entry3_put(&e, flags, to);
    if (kind & 0x80)
        input_bytes(in, to + input_u8(in), input_u8(in));
}

static void respond(struct world *w, struct input *in)
{
    unsigned char *entry = ring + FSIF_WIRE3_RING_SLOTS + (size_t)SLOTS * FSIF_WIRE3_SLOT +
                           (size_t)(w->rsp_prod++ % (2 * SLOTS)) * FSIF_WIRE3_RESPONSE;
    struct fsif_attr attr = {.mode = FSIF_S_IFDIR, .blksize = 1};
    uint8_t kind = input_u8(in);
    uint64_t value = kind & 0x40 ? input_u64(in) : input_u16(in);

    memset(entry, 0, FSIF_WIRE3_RESPONSE);
    fsi_put16(entry, kind % SLOTS);
    if (kind & 0x20)
        entry[2] = input_u8(in) % 5;
    fsi_put64(entry + 8, kind & 0x10 ? 0 - value : value);
    if (kind & 0x08) {
        entry[3] = FSIF_WIRE3_LONG;
        fsi_attr3_put(&attr, entry + FSIF_WIRE3_BODY);
    }
    if (kind & 0x80)
        input_bytes(in, entry + input_u8(in) % 64, input_u8(in) % 64u);
    fsi_put32(ring + 64, w->rsp_prod);
}

static void step(struct world *w, struct input *in)
{
    uint8_t move = input_u8(in);

    switch (move % 8) {
    case 0:
    case 1:
        submit(w, in);
        break;
    case 2:
    case 3:
        respond(w, in);
        if (move & 0x80)
            fsif_frontend_poll(&w->fe);
        break;
    case 4:
        put_data(in);
        break;
    case 5:
        fsif_frontend_poll(&w->fe);
        break;
    case 6:
        if (move & 0x80) {
            fsif_frontend_expire(&w->fe, move, NULL);
        } else {
            struct job *j = &w->jobs[move / 8 % SLOTS];

            if (j->submitted != j->done)
                MUST(fsif_frontend_cancel(&w->fe, &j->call) == 0);
        }
        break;
    default:
        if (move & 0x80) {
            w->rsp_prod = input_u32(in);
            fsi_put32(ring + 64, w->rsp_prod);
        }
        fsif_frontend_arm(&w->fe);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w;

    world_init(&w, &in);
    for (int i = 0; i < 256 && in.left; i++)
        step(&w, &in);
    MUST(fsif_frontend_dead(&w.fe) || fsif_frontend_reason(&w.fe) == FSIF_POISON_NONE);
    fsif_frontend_shutdown(&w.fe, FSIF_POISON_NONE);
    for (unsigned i = 0; i < SLOTS; i++) {
        MUST(w.jobs[i].done == w.jobs[i].submitted);
        free(w.jobs[i].buffer);
    }
    free(w.state);
    free(w.calls);
    free(w.arena_state);
    return 0;
}
