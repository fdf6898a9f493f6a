/* SPDX-License-Identifier: MIT */

/*
 * Listings.
 *
 * A cookie is 1 behind ".", 2 behind "..", else the kernel's position behind an entry plus 3. The
 * two are given out here and not taken from the file system: some have none, and ".." of the root
 * would tell something of the directory above.
 *
 * The kernel keeps one position for each open directory, so calls on one handle take its reader's
 * lock to set and move it; @fn runs outside of it.
 *
 * A reader's `dir` tells base.c that the directory of that number was found in the export at the
 * beginning of this listing's piece: attributes that are asked for from within @fn need no look of
 * their own. It is written under no lock: one that overwrites another's only costs the other the
 * look, and each takes away no more than its own.
 */

#define _GNU_SOURCE
#include <dirent.h>
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

/* Returns 0 if @fn stopped. Some file systems have names longer than any path here may hold; they
 * are passed over. */
static int give(const char *piece, long len, uint64_t *cookie, fsif_store_entry_fn *fn, void *arg)
{
    for (long at = 0; at < len;) {
        const struct kernel_entry *e = (const struct kernel_entry *)(const void *)(piece + at);
        struct fsif_store_entry entry = {
            .name = e->name,
            .name_len = (uint32_t)strlen(e->name),
            .type = type_of(e->type),
            .ino = e->ino,
            .cookie = (uint64_t)e->off + FIRST,
        };
        if (!is_dots(e->name) && entry.name_len <= FSIF_NAME_MAX && !fn(arg, &entry))
            return 0;
        *cookie = entry.cookie;
        at += e->size;
    }
    return 1;
}

/* Entries from @cookie on. Returns bytes, 0 at the end, or a negative FSIF_E* */
static long fetch(struct posix_reader *reader, int fd, uint64_t cookie, char *piece)
{
    const off_t at = cookie < FIRST ? 0 : (off_t)(cookie - FIRST);
    long n;

    pthread_mutex_lock(&reader->lock);
    n = lseek(fd, at, SEEK_SET) < 0 ? -1 : 0;
    while (n == 0) {
        n = syscall(SYS_getdents64, fd, piece, PIECE);
        if (n == 0 || n > 0 || errno != EINTR)
            break;
        n = 0;
    }
    if (n < 0) /* of a directory that was removed nothing is left */
        n = errno == ENOENT ? 0 : posix_fail();
    pthread_mutex_unlock(&reader->lock);
    return n;
}

static int check_dir(uint64_t dir, uint64_t cookie)
{
    if (dir == FSIF_STORE_ROOT || (dir & POSIX_FILE_PATH) != 0)
        return -FSIF_EBADF;
    if ((dir & POSIX_FILE_DIR) == 0)
        return -FSIF_ENOTDIR;
    return cookie > (uint64_t)INT64_MAX + FIRST ? -FSIF_EINVAL : 0;
}

int fsi_posix_readdir(struct fsif_store *st, uint64_t dir, uint64_t cookie, fsif_store_entry_fn *fn,
                      void *arg)
{
    struct posix_reader *reader = &st->readers[(uint32_t)dir % POSIX_READERS];
    _Alignas(8) char piece[PIECE];
    struct posix_from from;
    uint64_t mine = dir;
    int going = 1;
    long n = check_dir(dir, cookie);

    if (n != 0)
        return (int)n;
    if (!give_dots(&cookie, fn, arg))
        return 1;
    do {
        n = fetch(reader, posix_fd(st, dir), cookie, piece);
        if (n <= 0)
            return (int)n;
        if (fsi_posix_from(st, dir, &from) == 0)
            atomic_store(&reader->dir, dir);
        going = give(piece, n, &cookie, fn, arg);
        mine = dir;
        atomic_compare_exchange_strong(&reader->dir, &mine, 0);
    } while (going);
    return 1;
}
