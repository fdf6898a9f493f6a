/* SPDX-License-Identifier: MIT */

/*
 * Listings.
 *
 * A cookie is 1 behind ".", 2 behind "..", else the kernel's position behind an entry plus 3. The
 * two are given out here and not taken from the file system: some have none, and ".." of the root
 * would tell something of the directory above.
 *
 * The kernel keeps one position for each open directory, so calls on one handle take its reader's
 * lock to set and move it; @fn runs outside of it. What was read and not taken stays with the
 * reader for whoever goes on there: it need not be read again, and the position need not be set
 * back, which tmpfs before Linux 6.6 does by counting entries, those that are gone by then not
 * among them.
 *
 * A reader's `dir` tells base.c that the directory of that number was found in the export at the
 * beginning of this listing's piece: attributes that are asked for from within @fn need no look of
 * their own. It is written under no lock: one that overwrites another's only costs the other the
 * look, and each takes away no more than its own.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"

enum { PIECE = 32768, FIRST = 3 };

struct kernel_entry {
    uint64_t ino;
    int64_t off;
    unsigned short size;
    unsigned char type;
    char name[];
};

static uint32_t type_of(unsigned char type)
{
    switch (type) {
    case DT_REG:
        return FSIF_S_IFREG;
    case DT_DIR:
        return FSIF_S_IFDIR;
    case DT_LNK:
        return FSIF_S_IFLNK;
    case DT_FIFO:
        return FSIF_S_IFIFO;
    case DT_SOCK:
        return FSIF_S_IFSOCK;
    case DT_CHR:
        return FSIF_S_IFCHR;
    case DT_BLK:
        return FSIF_S_IFBLK;
    default:
        return 0;
    }
}

/* The two that each directory begins with. Returns 0 if @fn stopped. */
static int give_dots(uint64_t *cookie, fsif_store_entry_fn *fn, void *arg)
{
    for (; *cookie < FIRST - 1; ++*cookie) {
        struct fsif_store_entry entry = {
            .name = *cookie == 0 ? "." : "..",
            .name_len = *cookie == 0 ? 1 : 2,
            .type = FSIF_S_IFDIR,
            .cookie = *cookie + 1,
        };
        if (!fn(arg, &entry))
            return 0;
    }
    return 1;
}

static int is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Returns bytes that were taken: @len, or less if @fn stopped. Some file systems have names longer
 * than any path here may hold; they are passed over. */
static uint32_t give(const char *piece, uint32_t len, uint64_t *cookie, fsif_store_entry_fn *fn,
                     void *arg)
{
    uint32_t at = 0;

    while (at < len) {
        const struct kernel_entry *e = (const struct kernel_entry *)(const void *)(piece + at);
        struct fsif_store_entry entry = {
            .name = e->name,
            .name_len = (uint32_t)strlen(e->name),
            .type = type_of(e->type),
            .ino = e->ino,
            .cookie = (uint64_t)e->off + FIRST,
        };
        if (!is_dots(e->name) && entry.name_len <= FSIF_NAME_MAX && !fn(arg, &entry))
            return at;
        *cookie = entry.cookie;
        at += e->size;
    }
    return at;
}

void fsi_posix_drop_rest(struct fsif_store *st, uint64_t dir)
{
    struct posix_reader *reader = &st->readers[(uint32_t)dir % POSIX_READERS];

    pthread_mutex_lock(&reader->lock);
    if (reader->rest_dir == dir) {
        free(reader->rest);
        reader->rest = NULL;
    }
    pthread_mutex_unlock(&reader->lock);
}

/* Keep what was not taken; without memory it is read again. */
static void keep_rest(struct posix_reader *reader, uint64_t dir, uint64_t cookie, const char *piece,
                      uint32_t len)
{
    char *rest = malloc(len);

    if (rest == NULL)
        return;
    memcpy(rest, piece, len);
    pthread_mutex_lock(&reader->lock);
    free(reader->rest);
    reader->rest = rest;
    reader->rest_len = len;
    reader->rest_dir = dir;
    reader->rest_cookie = cookie;
    pthread_mutex_unlock(&reader->lock);
}

/* With the lock held. Returns bytes, 0: nothing is kept of there */
static long take_rest(struct posix_reader *reader, uint64_t dir, uint64_t cookie, char *piece)
{
    if (reader->rest == NULL || reader->rest_dir != dir || reader->rest_cookie != cookie)
        return 0;
    memcpy(piece, reader->rest, reader->rest_len);
    free(reader->rest);
    reader->rest = NULL;
    return (long)reader->rest_len;
}

static long read_entries(int fd, uint64_t cookie, char *piece)
{
    const off_t at = cookie < FIRST ? 0 : (off_t)(cookie - FIRST);
    long n;

    if (lseek(fd, at, SEEK_SET) < 0) /* a forged cookie may be any number */
        return posix_fail();
    do
        n = syscall(SYS_getdents64, fd, piece, PIECE);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == ENOENT)
        return 0; /* of a directory that was removed nothing is left */
    return n < 0 ? posix_fail() : n;
}

/* Entries from @cookie on. Returns bytes, 0 at the end, or a negative FSIF_E* */
static long fetch(const struct fsif_store *st, struct posix_reader *reader, uint64_t dir,
                  uint64_t cookie, char *piece)
{
    long n;

    pthread_mutex_lock(&reader->lock);
    n = take_rest(reader, dir, cookie, piece);
    if (n == 0)
        n = read_entries(posix_fd(st, dir), cookie, piece);
    pthread_mutex_unlock(&reader->lock);
    return n;
}

static int check_dir(uint64_t dir)
{
    if (dir == FSIF_STORE_ROOT || (dir & POSIX_FILE_PATH) != 0)
        return -FSIF_EBADF;
    return (dir & POSIX_FILE_DIR) == 0 ? -FSIF_ENOTDIR : 0;
}

int fsi_posix_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie, fsif_store_entry_fn *fn,
                      void *arg)
{
    struct posix_reader *reader = &st->readers[(uint32_t)dir % POSIX_READERS];
    _Alignas(8) char piece[PIECE];
    struct posix_from from;
    uint64_t mine = dir;
    uint32_t taken;
    long n = check_dir(dir);

    if (n != 0)
        return (int)n;
    if (!give_dots(&cookie, fn, arg))
        return 1;
    do {
        n = fetch(st, reader, dir, cookie, piece);
        if (n <= 0)
            return (int)n;
        if (fsi_posix_from(st, dir, &from) == 0)
            atomic_store(&reader->dir, dir);
        taken = give(piece, (uint32_t)n, &cookie, fn, arg);
        mine = dir;
        atomic_compare_exchange_strong(&reader->dir, &mine, 0);
    } while (taken == (uint32_t)n);
    keep_rest(reader, dir, cookie, piece + taken, (uint32_t)n - taken);
    return 1;
}
