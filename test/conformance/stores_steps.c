/* SPDX-License-Identifier: MIT */

/* Random calls on stores. */

#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "differential.h"
#include "stores.h"

/* How often each call comes, of the sum, its name, and where it is in the vtable. */
#define ROW(call, member, weight)                                                                  \
    [call] = {#member, weight, offsetof(struct fsif_store_ops, member)}

static const struct {
    const char *name;
    uint32_t weight;
    size_t member;
} rows[CALLS] = {
    ROW(CALL_OPEN, open, 36),
    ROW(CALL_CLOSE, close, 3),
    ROW(CALL_READ, read, 8),
    ROW(CALL_WRITE, write, 12),
    ROW(CALL_STAT, stat, 8),
    ROW(CALL_SETATTR, setattr, 10),
    ROW(CALL_SYNC, sync, 2),
    ROW(CALL_REMOVE, remove, 14),
    ROW(CALL_RENAME, rename, 16),
    ROW(CALL_MKDIR, mkdir, 16),
    ROW(CALL_STATVFS, statvfs, 1),
    ROW(CALL_READDIR, readdir, 6),
    ROW(CALL_MKNOD, mknod, 10),
    ROW(CALL_LINK, link, 20),
    ROW(CALL_SYMLINK, symlink, 6),
    ROW(CALL_READLINK, readlink, 3),
    ROW(CALL_ALLOCATE, allocate, 6),
    ROW(CALL_SEEK, seek, 5),
    ROW(CALL_COPY_RANGE, copy_range, 5),
    ROW(CALL_GETXATTR, getxattr, 8),
    ROW(CALL_SETXATTR, setxattr, 6),
    ROW(CALL_LISTXATTR, listxattr, 2),
    ROW(CALL_REMOVEXATTR, removexattr, 4),
    ROW(CALL_LOCK, lock, 10),
};

const char *call_name(uint32_t call)
{
    return rows[call].name;
}

/* The members are pointers to functions of all kinds; whether one is NULL is seen in its bytes. */
int call_is_there(const struct fsif_store_ops *ops, uint32_t call)
{
    static const char none[sizeof(ops->open)];

    return memcmp((const char *)ops + rows[call].member, none, sizeof(none)) != 0;
}

static uint32_t random_call(uint64_t *state, const struct fsif_store_ops *a,
                            const struct fsif_store_ops *b)
{
    uint32_t sum = 0, at;

    for (uint32_t i = 0; i < CALLS; i++)
        sum += rows[i].weight;
    for (;;) {
        at = random_below(state, sum);
        for (uint32_t i = 0; i < CALLS; i++) {
            if (at < rows[i].weight) {
                if (call_is_there(a, i) && call_is_there(b, i))
                    return i;
                break;
            }
            at -= rows[i].weight;
        }
    }
}

/* Those for which an empty path is the open file itself */
static const uint32_t on_itself = 1u << CALL_STAT | 1u << CALL_SETATTR | 1u << CALL_STATVFS |
                                  1u << CALL_READLINK | 1u << CALL_LINK | 1u << CALL_GETXATTR |
                                  1u << CALL_SETXATTR | 1u << CALL_LISTXATTR |
                                  1u << CALL_REMOVEXATTR;

static int one_in(uint64_t *state, uint32_t n)
{
    return random_below(state, n) == 0;
}

static const char *random_name(uint64_t *state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    static const char *const odd[] = {"\xff\x01", "a..b", "...", "-"};
    static const char *const linked[] = {"to-a", "to-ab", "dangling", "loop", "up", "root"};

    if (one_in(state, 30))
        return odd[random_below(state, 4)];
    if (one_in(state, 10))
        return linked[random_below(state, 6)];
    return names[random_below(state, 4)];
}

/* Normalised, as a store gets them. */
static void random_path(char out[CALL_PATH], uint64_t *state, uint32_t base, int empty)
{
    uint32_t depth = one_in(state, 2) ? 1 : 1 + random_below(state, base == FROM_ROOT ? 3 : 2);
    size_t len = 0;

    if (one_in(state, 60)) { /* the longest name, and one more */
        memset(out, 'n', 255 + random_below(state, 2));
        return;
    }
    if (one_in(state, base == FROM_ROOT ? 40 : 6)) {
        snprintf(out, CALL_PATH, "%s", empty && !one_in(state, 3) ? "" : ".");
        return;
    }
    for (uint32_t i = 0; i < depth; i++)
        len += (size_t)snprintf(out + len, CALL_PATH - len, "%s%s", i > 0 ? "/" : "",
                                random_name(state));
    if (one_in(state, 15))
        snprintf(out + len, CALL_PATH - len, "/");
}

static uint32_t random_base(uint64_t *state)
{
    return one_in(state, 4) ? random_below(state, FILES) : FROM_ROOT;
}

static uint32_t open_flags(uint64_t *state, const struct ability *can)
{
    static const uint32_t access[] = {FSIF_O_RDONLY, FSIF_O_RDONLY, FSIF_O_WRONLY, FSIF_O_RDWR,
                                      FSIF_O_RDWR};
    uint32_t flags = access[random_below(state, 5)];

    if (one_in(state, 20) && can->unnamed)
        return FSIF_O_RDWR | FSIF_O_TMPFILE | (one_in(state, 3) ? FSIF_O_EXCL : 0);
    if (one_in(state, 8))
        return FSIF_O_PATH | (one_in(state, 2) ? FSIF_O_NOFOLLOW : 0) |
               (one_in(state, 4) ? FSIF_O_DIRECTORY : 0);
    if (!one_in(state, 3))
        flags = FSIF_O_RDWR | FSIF_O_CREAT | (one_in(state, 4) ? FSIF_O_EXCL : 0);
    else if (one_in(state, 3))
        flags = FSIF_O_RDONLY | FSIF_O_DIRECTORY;
    flags |= one_in(state, 5) && (flags & FSIF_O_DIRECTORY) == 0 ? FSIF_O_TRUNC : 0;
    flags |= one_in(state, 6) ? FSIF_O_APPEND : 0;
    return flags | (one_in(state, 6) ? FSIF_O_NOFOLLOW : 0);
}

static void random_set(struct fsif_setattr *set, uint64_t *state, const struct ability *can)
{
    static const uint64_t sizes[] = {0, 1, 4096, 5000, 100000};
    uint32_t what = random_below(state, 8);

    set->mode = random_below(state, 010000) | (can->modes ? 0 : 0700);
    set->size = one_in(state, 20) ? UINT64_MAX : sizes[random_below(state, 5)];
    set->uid = random_below(state, 1000);
    set->gid = random_below(state, 1000);
    set->atime = random_below(state, 1000000);
    set->mtime = random_below(state, 1000000);
    set->atime_nsec = random_below(state, 1000000000);
    set->mtime_nsec = random_below(state, 1000000000) + (one_in(state, 20) ? 1000000000 : 0);
    if (what < 2)
        set->mask = FSIF_SET_MODE;
    else if (what < 4)
        set->mask = FSIF_SET_SIZE;
    else if (what < 6)
        set->mask = FSIF_SET_MTIME | FSIF_SET_ATIME;
    else
        set->mask = random_below(state, FSIF_SET_ALL + 1);
    if (!can->owners)
        set->mask &= ~(FSIF_SET_UID | FSIF_SET_GID);
}

static void random_lock(struct call_step *s, uint64_t *state)
{
    s->mode = 1 + random_below(state, 3);
    s->flags = one_in(state, 4) ? FSIF_LOCK_TEST : 0;
    s->flags |= one_in(state, 3) ? FSIF_LOCK_WHOLE : 0;
    s->off = random_below(state, 30);
    s->off2 = random_below(state, 10);
    if (one_in(state, 40))
        s->off = INT64_MAX - random_below(state, 2);
    if (one_in(state, 40))
        s->off2 = INT64_MAX - random_below(state, 2);
}

static uint32_t allocate_flags(uint64_t *state, const struct ability *can)
{
    const uint32_t keep = one_in(state, 2) ? FSIF_ALLOCATE_KEEP_SIZE : 0;
    uint32_t r = random_below(state, 5);

    if (r < 2 && can->punch)
        return FSIF_ALLOCATE_PUNCH | (one_in(state, 6) ? 0 : FSIF_ALLOCATE_KEEP_SIZE);
    if (r == 2 && can->zero)
        return FSIF_ALLOCATE_ZERO | keep;
    if (one_in(state, 10))
        return FSIF_ALLOCATE_ZERO | FSIF_ALLOCATE_PUNCH | keep;
    return keep;
}

static void xattr_name(char out[CALL_PATH], uint64_t *state)
{
    static const char *const odd[] = {"user.", "user", "other.a", ""};

    memset(out, 0, CALL_PATH);
    if (one_in(state, 30)) {
        memset(out, 'n', 255 + random_below(state, 2));
        memcpy(out, "user.", 5);
    } else if (one_in(state, 8)) {
        snprintf(out, CALL_PATH, "%s", odd[random_below(state, 4)]);
    } else {
        snprintf(out, CALL_PATH, "user.%s", one_in(state, 2) ? "a" : "b");
    }
}

static void random_text(char out[CALL_PATH], uint64_t *state, const struct ability *can)
{
    static const char *const texts[] = {"a",       "a/b", "/a", "../a", "../../b/../c",
                                        "nothing", ".",   "/"};
    const char *text = texts[random_below(state, 8)];

    snprintf(out, CALL_PATH, "%s",
             !can->roots && (text[0] == '/' || strstr(text, "..") != NULL) ? "d/b" : text);
}

static uint32_t random_type(uint64_t *state, const struct ability *can)
{
    static const uint32_t types[] = {
        FSIF_S_IFREG, 0, FSIF_S_IFIFO, FSIF_S_IFSOCK, FSIF_S_IFDIR, FSIF_S_IFLNK, 0030000};

    if (can->devices && one_in(state, 4))
        return one_in(state, 2) ? FSIF_S_IFCHR : FSIF_S_IFBLK;
    if (!can->anything)
        return types[2 * random_below(state, 2)];
    return types[random_below(state, 7)];
}

/* What is particular to a call, over what all have. */
static void particular(struct call_step *s, uint64_t *state, const struct ability *can)
{
    switch (s->call) {
    case CALL_OPEN:
        s->flags = open_flags(state, can);
        break;
    case CALL_WRITE:
        s->off = one_in(state, 6) ? FSIF_STORE_END : s->off;
        s->flags = one_in(state, 6) ? FSIF_WRITE_DSYNC : 0;
        break;
    case CALL_SETATTR:
        random_set(&s->set, state, can);
        /* What a link has no mode for would leave some of the rest done, or all, or none. */
        if (s->set.mask != FSIF_SET_MODE && (s->flags != 0 || s->path[0] == '\0'))
            s->set.mask &= ~FSIF_SET_MODE;
        break;
    case CALL_SYNC:
        s->flags = one_in(state, 2) ? FSIF_SYNC_DATA : 0;
        break;
    case CALL_REMOVE:
        s->flags = random_below(state, 4);
        break;
    case CALL_RENAME:
        s->flags = one_in(state, 3) ? 1 + random_below(state, 2) : 0;
        break;
    case CALL_MKNOD:
        s->mode |= random_type(state, can);
        s->path[strcspn(s->path, "/")] = '\0';
        s->off = FSIF_RDEV(1 + random_below(state, 200), random_below(state, 200));
        break;
    case CALL_LINK:
        s->flags = one_in(state, 3) ? FSIF_AT_FOLLOW : 0;
        break;
    case CALL_SYMLINK:
        random_text(s->path2, state, can);
        break;
    case CALL_READLINK:
        s->len += s->len == 0;
        break;
    case CALL_ALLOCATE:
        s->flags = allocate_flags(state, can);
        break;
    case CALL_SEEK:
        s->flags = one_in(state, 10) ? 2 : random_below(state, 2);
        break;
    case CALL_SETXATTR:
        s->len = random_below(state, 100);
        s->flags |= one_in(state, 3) ? FSIF_XATTR_CREATE : 0;
        s->flags |= one_in(state, 3) ? FSIF_XATTR_REPLACE : 0;
        break;
    case CALL_GETXATTR:
    case CALL_LISTXATTR:
        s->len = one_in(state, 3) ? 0 : random_below(state, 200);
        break;
    case CALL_LOCK:
        random_lock(s, state);
        break;
    default:
        break;
    }
}

/* What a protocol refuses whatever there is: which of two errors is told is not looked at. */
static void make_sound(struct call_step *s, const struct ability *can)
{
    struct fsif_setattr *set = &s->set;

    if (s->call == CALL_SETATTR) {
        if ((set->mask & FSIF_SET_ATIME) != 0)
            set->mask &= ~FSIF_SET_ATIME_NOW;
        if ((set->mask & FSIF_SET_MTIME) != 0)
            set->mask &= ~FSIF_SET_MTIME_NOW;
        set->mtime_nsec %= 1000000000;
        if (set->size > INT64_MAX)
            set->size = 0;
        if (!can->roots && s->base == FROM_ROOT && s->path[0] == '\0')
            set->mask &= ~FSIF_SET_SIZE; /* an open directory to one side, the root to the other */
    }
    if (s->call == CALL_ALLOCATE && s->len == 0)
        s->len = 1;
    if (s->call == CALL_LOCK && s->off2 > INT64_MAX - s->off)
        s->off2 = 0;
    if (s->call == CALL_SETXATTR && (s->flags & FSIF_XATTR_CREATE) != 0)
        s->flags &= ~FSIF_XATTR_REPLACE;
    s->path[FSIF_NAME_MAX] = '\0';
    s->path2[FSIF_NAME_MAX] = '\0';
    if (s->call >= CALL_GETXATTR && s->call <= CALL_REMOVEXATTR && s->path2[0] == '\0')
        strcpy(s->path2, "user");
}

void call_random(struct call_step *s, uint64_t *state, const struct ability *can,
                 const struct fsif_store_ops *a, const struct fsif_store_ops *b)
{
    static const uint32_t lens[] = {0, 1, 100, 4095, 4096, 4097, 9000, CALL_BYTES};
    static const uint64_t offs[] = {0, 0, 0, 1, 4095, 4096, 5000, 70000};

    memset(s, 0, sizeof(*s));
    do
        s->call = random_call(state, a, b);
    while (!can->xattrs && s->call >= CALL_GETXATTR && s->call <= CALL_REMOVEXATTR);
    s->file = random_below(state, FILES);
    s->file2 = random_below(state, FILES);
    s->base = random_base(state);
    s->base2 = random_base(state);
    s->mode = random_below(state, 010000) | (can->modes ? 0 : 0700);
    s->len = lens[random_below(state, 8)];
    s->off = offs[random_below(state, 8)];
    s->off2 = offs[random_below(state, 8)];
    s->seed = random_next(state);
    s->flags = one_in(state, 3) ? FSIF_AT_NOFOLLOW : 0;
    random_path(s->path, state, s->base, (on_itself >> s->call & 1) != 0);
    random_path(s->path2, state, s->base2, 0);
    if (one_in(state, 12)) { /* into itself, and onto what is above */
        s->base2 = s->base;
        snprintf(s->path2, sizeof(s->path2), "%.250s/%s", s->path[0] != '\0' ? s->path : "a",
                 random_name(state));
    }
    if (s->call >= CALL_GETXATTR && s->call <= CALL_REMOVEXATTR)
        xattr_name(s->path2, state);
    particular(s, state, can);
    if (!can->anything)
        make_sound(s, can);
}

static void print_word(const char *label, const char *path)
{
    printf(" %s \"", label);
    for (; *path != '\0'; path++) {
        if (*path >= ' ' && *path < 0x7f)
            putchar(*path);
        else
            printf("\\x%02x", (unsigned int)(unsigned char)*path);
    }
    putchar('"');
}

static void print_base(uint32_t base)
{
    if (base == FROM_ROOT)
        printf(" root");
    else
        printf(" slot %u", base);
}

void call_print(const struct call_step *s)
{
    printf("    %s slot %u and %u flags %x mode %o len %u off %" PRIu64 " and %" PRIu64 "; at",
           call_name(s->call), s->file, s->file2, s->flags, s->mode, s->len, s->off, s->off2);
    print_base(s->base);
    print_word("", s->path);
    print_base(s->base2);
    print_word("", s->path2);
    if (s->call == CALL_SETATTR)
        printf(" set %x mode %o size %" PRIu64 " mtime %" PRId64, s->set.mask, s->set.mode,
               s->set.size, s->set.mtime);
    putchar('\n');
}
