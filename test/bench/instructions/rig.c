/* SPDX-License-Identifier: MIT */
/*
 * Storage is static and the functions that the core takes from its surroundings are here, so that
 * nothing of a C library is counted and every run does the same.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <fsif/arena.h>
#include "rig.h"

enum { PAGES = 65, RING_PAGES = 6, SLOTS = 64, ARENA_PAGES = 64, STATE = 1 << 20, ENTRIES = 16 };

static _Alignas(FSIF_PAGE_SIZE) unsigned char ring[RING_PAGES][FSIF_PAGE_SIZE];
static _Alignas(FSIF_PAGE_SIZE) unsigned char page[PAGES][FSIF_PAGE_SIZE];
static uint64_t fe_state[STATE / 8];
static uint64_t be_state[STATE / 8];
static uint64_t fe_calls[STATE / 8];
static struct fsif_fetched fetched;

/* --- memory: whole blocks as a C library would, the rest byte by byte --- */

struct block {
    char bytes[64];
} __attribute__((may_alias));
typedef unsigned long word __attribute__((may_alias, aligned(1)));

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    for (; n >= sizeof(struct block); n -= sizeof(struct block)) {
        *(struct block *)(void *)d = *(const struct block *)(const void *)s;
        d += sizeof(struct block);
        s += sizeof(struct block);
    }
    for (; n >= sizeof(word); n -= sizeof(word), d += sizeof(word), s += sizeof(word))
        *(word *)(void *)d = *(const word *)(const void *)s;
    while (n-- > 0)
        *d++ = *s++;
    return to;
}

void *memset(void *to, int c, size_t n)
{
    unsigned char *d = to;
    const unsigned long all = (unsigned char)c * (~0ul / 255);

    for (; n >= sizeof(word); n -= sizeof(word), d += sizeof(word))
        *(word *)(void *)d = all;
    while (n-- > 0)
        *d++ = (unsigned char)c;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n] != '\0')
        n++;
    return n;
}

/* --- transport --- */

static int bare_notify(struct fsif_session *s, uint32_t queue)
{
    (void)s;
    (void)queue;
    return 0;
}

static int bare_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst,
                          uint32_t len)
{
    (void)s;
    if (gref >= PAGES)
        return -FSIF_EFAULT;
    memcpy(dst, page[gref] + off, len);
    return 0;
}

static int bare_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                        uint32_t len)
{
    (void)s;
    if (gref >= PAGES)
        return -FSIF_EFAULT;
    memcpy(page[gref] + off, src, len);
    return 0;
}

static void *bare_lend(struct fsif_session *s, uint32_t gref)
{
    (void)s;
    return gref < PAGES ? page[gref] : NULL;
}

static const struct fsif_transport bare_transport = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "bare",
    .copy_from = bare_copy_from,
    .copy_to = bare_copy_to,
    .lend = bare_lend,
    .notify = bare_notify,
};

/* --- store: says yes --- */

static void tell_attr(struct fsif_attr *out)
{
    if (out != NULL)
        *out = (struct fsif_attr){.mode = FSIF_S_IFREG | 0644, .nlink = 1, .size = 1, .ino = 1};
}

static int yes_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    (void)st, (void)base, (void)path, (void)flags, (void)mode;
    *file = 1;
    tell_attr(attr);
    return 0;
}

static int yes_close(struct fsif_store *st, uint64_t file)
{
    (void)st, (void)file;
    return 0;
}

static int64_t yes_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off)
{
    (void)st, (void)file, (void)buf, (void)off;
    return len;
}

static int64_t yes_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                         uint64_t off, uint32_t flags)
{
    (void)st, (void)file, (void)buf, (void)off, (void)flags;
    return len;
}

static int yes_stat(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                    struct fsif_attr *out)
{
    (void)st, (void)base, (void)path, (void)flags;
    tell_attr(out);
    return 0;
}

static int yes_setattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                       const struct fsif_setattr *set)
{
    (void)st, (void)base, (void)path, (void)flags, (void)set;
    return 0;
}

static int yes_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    (void)st, (void)file, (void)flags;
    return 0;
}

static int yes_remove(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags)
{
    (void)st, (void)base, (void)path, (void)flags;
    return 0;
}

static int yes_rename(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                      const char *path2, uint32_t flags)
{
    (void)st, (void)base, (void)path, (void)base2, (void)path2, (void)flags;
    return 0;
}

static int yes_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    (void)st, (void)base, (void)path, (void)mode;
    return 0;
}

static int yes_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                       struct fsif_statvfs *out)
{
    (void)st, (void)base, (void)path;
    *out =
        (struct fsif_statvfs){.blocks = 9, .bfree = 8, .bavail = 7, .bsize = 4096, .namemax = 255};
    return 0;
}

static int yes_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie,
                       fsif_store_entry_fn *fn, void *arg)
{
    (void)st, (void)dir;
    for (; cookie < ENTRIES; cookie++) {
        const struct fsif_store_entry e = {
            .name = "entry", .name_len = 5, .type = FSIF_S_IFREG, .ino = 1, .cookie = cookie + 1};
        if (!fn(arg, &e))
            return 1;
    }
    return 0;
}

static int yes_mknod(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode,
                     uint64_t rdev)
{
    (void)st, (void)base, (void)path, (void)mode, (void)rdev;
    return 0;
}

static int yes_symlink(struct fsif_store *st, const char *target, uint64_t base, const char *path)
{
    (void)st, (void)target, (void)base, (void)path;
    return 0;
}

static int64_t yes_readlink(struct fsif_store *st, uint64_t base, const char *path, void *buf,
                            uint32_t len)
{
    (void)st, (void)base, (void)path, (void)len;
    memcpy(buf, "target", 6);
    return 6;
}

static int yes_allocate(struct fsif_store *st, uint64_t file, uint32_t flags, uint64_t off,
                        uint64_t len)
{
    (void)st, (void)file, (void)flags, (void)off, (void)len;
    return 0;
}

static int64_t yes_seek(struct fsif_store *st, uint64_t file, uint64_t off, uint32_t flags)
{
    (void)st, (void)file, (void)flags;
    return (int64_t)off;
}

static int64_t yes_copy_range(struct fsif_store *st, uint64_t file, uint64_t off, uint64_t file2,
                              uint64_t off2, uint64_t len)
{
    (void)st, (void)file, (void)off, (void)file2, (void)off2;
    return (int64_t)len;
}

static int64_t yes_getxattr(struct fsif_store *st, uint64_t base, const char *path,
                            const char *name, uint32_t flags, void *buf, uint32_t len)
{
    (void)st, (void)base, (void)path, (void)name, (void)flags, (void)len;
    memcpy(buf, "value", 5);
    return 5;
}

static int yes_setxattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                        uint32_t flags, const void *buf, uint32_t len)
{
    (void)st, (void)base, (void)path, (void)name, (void)flags, (void)buf, (void)len;
    return 0;
}

static int yes_link(struct fsif_store *st, uint64_t base, const char *path, uint64_t base2,
                    const char *path2, uint32_t flags)
{
    (void)st, (void)base, (void)path, (void)base2, (void)path2, (void)flags;
    return 0;
}

static int64_t yes_listxattr(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                             void *buf, uint32_t len)
{
    (void)st, (void)base, (void)path, (void)flags, (void)len;
    memcpy(buf, "user.x", 7);
    return 7;
}

static int yes_removexattr(struct fsif_store *st, uint64_t base, const char *path, const char *name,
                           uint32_t flags)
{
    (void)st, (void)base, (void)path, (void)name, (void)flags;
    return 0;
}

/* But for one octet, which somebody else has. */
static int yes_lock(struct fsif_store *st, uint64_t file, uint32_t flags, struct fsif_lock *lock)
{
    (void)st, (void)file, (void)flags;
    return lock->offset == RIG_LOCKED ? -FSIF_EAGAIN : 0;
}

static int yes_watch(struct fsif_store *st, uint64_t dir, uint32_t what, uint32_t *watch)
{
    (void)st, (void)dir, (void)what;
    *watch = 1;
    return 0;
}

static int yes_unwatch(struct fsif_store *st, uint32_t watch)
{
    (void)st, (void)watch;
    return 0;
}

static int yes_watch_next(struct fsif_store *st, struct fsif_store_change *out)
{
    (void)st, (void)out;
    return 0;
}

static const struct fsif_store_ops yes_ops = {
    .size = sizeof(struct fsif_store_ops),
    .abi = FSIF_STORE_ABI,
    .name = "yes",
    .open = yes_open,
    .close = yes_close,
    .read = yes_read,
    .write = yes_write,
    .stat = yes_stat,
    .setattr = yes_setattr,
    .sync = yes_sync,
    .remove = yes_remove,
    .rename = yes_rename,
    .mkdir = yes_mkdir,
    .statvfs = yes_statvfs,
    .readdir = yes_readdir,
    .mknod = yes_mknod,
    .symlink = yes_symlink,
    .readlink = yes_readlink,
    .allocate = yes_allocate,
    .seek = yes_seek,
    .copy_range = yes_copy_range,
    .getxattr = yes_getxattr,
    .setxattr = yes_setxattr,
    .listxattr = yes_listxattr,
    .removexattr = yes_removexattr,
    .link = yes_link,
    .lock = yes_lock,
    .watch = yes_watch,
    .unwatch = yes_unwatch,
    .watch_next = yes_watch_next,
};

static int attach(void *arg, const char *name, const struct fsif_store_ops **ops,
                  struct fsif_store **store)
{
    (void)arg, (void)name;
    *ops = &yes_ops;
    *store = (struct fsif_store *)(void *)page; /* anything; nobody looks at it */
    return 0;
}

static void take_notice(void *arg, const struct fsif_notice *notice)
{
    (void)arg, (void)notice;
}

/* --- the session --- */

static void configure(struct fsif_frontend_config *f, struct fsif_backend_config *b,
                      uint32_t dialect)
{
    static uint32_t grefs[PAGES];

    for (uint32_t i = 0; i < PAGES; i++)
        grefs[i] = i;
    *f = (struct fsif_frontend_config){
        .size = sizeof(*f),
        .dialect = dialect,
        .features = FSIF_FEATURE_ERRNO,
        .ring = ring,
        .ring_pages = 1,
        .pages = page,
        .grefs = grefs,
        .npages = SLOTS,
        .transport = &bare_transport,
    };
    *b = (struct fsif_backend_config){
        .size = sizeof(*b),
        .dialect = dialect,
        .features = FSIF_FEATURE_ERRNO,
        .ring = ring,
        .ring_pages = 1,
        .max_handles = 64,
        .max_streams = 4,
        .transport = &bare_transport,
        .store_ops = &yes_ops,
    };
}

static struct fsif_arena arena;

static int add_arena(struct fsif_frontend_config *f, struct fsif_backend_config *b)
{
    static uint32_t state[STATE / 4];

    if (fsif_ring_bytes(SLOTS) > sizeof(ring) ||
        fsif_arena_state_size(ARENA_PAGES) > sizeof(state) ||
        fsif_arena_init(&arena, page, ARENA_PAGES, state) != 0)
        return -1;
    f->slots = b->slots = SLOTS;
    f->max_io = b->max_io = 4 * FSIF_PAGE_SIZE;
    f->arena = &arena;
    b->arena = page;
    b->arena_pages = ARENA_PAGES;
    b->max_locks = 4;
    b->max_watches = 4;
    b->attach = attach;
    f->notice = take_notice;
    return 0;
}

struct fsif_range rig_arena(void)
{
    struct fsif_range part = {0, 0};

    return fsif_arena_get(&arena, FSIF_PAGE_SIZE, &part) == 0 ? part : (struct fsif_range){0, 0};
}

int rig_start(struct rig *r, uint32_t dialect)
{
    struct fsif_frontend_config f;
    struct fsif_backend_config b;

    memset(ring, 0, sizeof(ring));
    memset(page, 0, sizeof(page));
    configure(&f, &b, dialect);
    if (dialect == 3 && add_arena(&f, &b) != 0)
        return -1;
    r->rq = &fetched;
    if (fsif_frontend_state_size(&f) - 1 >= sizeof(fe_state) ||
        fsif_frontend_calls_size(&f) - 1 >= sizeof(fe_calls) ||
        fsif_backend_state_size(&b) - 1 >= sizeof(be_state))
        return -1;
    if (fsif_frontend_init(&r->fe, &f, fe_state, fe_calls) != 0)
        return -1;
    return fsif_backend_init(&r->be, &b, be_state);
}

static void completed(struct fsif_call *call)
{
    struct rig *r = call->arg;

    r->value = call->result.value;
    r->done++;
}

void rig_prepare(struct rig *r, struct fsif_call *call)
{
    memset(call, 0, sizeof(*call));
    call->deadline = FSIF_NEVER;
    call->done = completed;
    call->arg = r;
}

__attribute__((noinline)) int64_t rig_call(struct rig *r, struct fsif_call *call)
{
    int err = fsif_frontend_submit(&r->fe, call);

    if (err != 0)
        return err;
    if (fsif_backend_serve(&r->be, r->rq) < 0 || fsif_frontend_poll(&r->fe) < 1)
        return -FSIF_EPROTO;
    return r->value;
}
