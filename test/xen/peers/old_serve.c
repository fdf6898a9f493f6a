/* SPDX-License-Identifier: MIT */
/* How the old backends carried out a request: plainly, on a directory, -1 for every error. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "old_back.h"

static void *map(struct old_session *s, uint32_t gref)
{
    void *page = xengnttab_map_grant_ref(s->tab, s->domid, gref, PROT_READ | PROT_WRITE);

    if (!page)
        fatal("a page of a request");
    return page;
}

static void unmap(struct old_session *s, void *page)
{
    xengnttab_unmap(s->tab, page, 1);
}

/* A name relative to the directory, in memory that the next call uses again. */
static const char *local(const char *page, int which)
{
    static char names[2][PAGE + 2];

    while (*page == '/')
        page++;
    snprintf(names[which], sizeof(names[which]), "./%.*s", (int)PAGE - 1, page);
    return names[which];
}

static int64_t serve_open(struct old_session *s, const char *page)
{
    int fd = openat(s->dir, local(page, 0), O_RDWR);

    if (fd < 0 && (errno == EISDIR || errno == EROFS))
        fd = openat(s->dir, local(page, 0), O_RDONLY);
    return fd;
}

static int64_t serve_create(struct old_session *s, const unsigned char *slot, const char *page)
{
    mode_t mode = (mode_t)get32(slot, 12) & 07777;

    if (slot[8])
        return mkdirat(s->dir, local(page, 0), mode);
    return openat(s->dir, local(page, 0), O_RDWR | O_CREAT | O_TRUNC, mode);
}

static int64_t serve_list(struct old_session *s, uint32_t offset, char *page)
{
    int fd = openat(s->dir, local(page, 0), O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e = NULL;
    uint64_t n = 0;
    size_t used = 0;

    if (!dir)
        return (int64_t)((uint64_t)errno << 16);
    while (offset-- > 0 && readdir(dir))
        continue;
    while (PAGE - used > 255 && (e = readdir(dir))) {
        memcpy(page + used, e->d_name, strlen(e->d_name) + 1);
        used += strlen(e->d_name) + 1;
        n++;
    }
    if (e)
        n |= (uint64_t)(readdir(dir) != NULL) << 48;
    closedir(dir);
    return (int64_t)n;
}

static int64_t serve_io(struct old_session *s, const unsigned char *slot, int write)
{
    uint64_t left = get64(slot, 16);
    off_t offset = (off_t)get64(slot, 24);
    int64_t total = 0;

    for (uint32_t i = 0; i == 0 || left > 0; i++) {
        uint32_t gref = get32(slot, s->dialect == 1 ? 12 : 32 + 4 * i);
        size_t len = left < PAGE ? (size_t)left : PAGE;
        ssize_t n;
        void *page;

        if (i >= (s->dialect == 1 ? 1 : IO_PAGES_MAX))
            die("a read or write of more pages than lie in a slot");
        page = map(s, gref);
        n = write ? pwrite((int)get32(slot, 8), page, len, offset + total)
                  : pread((int)get32(slot, 8), page, len, offset + total);
        unmap(s, page);
        if (n < 0)
            return -1;
        total += n;
        left -= len;
        if ((size_t)n < len)
            break;
    }
    return total;
}

/* The 48 bytes of both dialects. */
static void put_stat(unsigned char *at, const struct stat *st)
{
    put32(at, 0, st->st_mode);
    put32(at, 4, st->st_uid);
    put32(at, 8, st->st_gid);
    put32(at, 12, 0);
    put64(at, 16, (uint64_t)st->st_size);
    put64(at, 24, (uint64_t)st->st_atime);
    put64(at, 32, (uint64_t)st->st_mtime);
    put64(at, 40, (uint64_t)st->st_ctime);
}

static int64_t serve_stat(struct old_session *s, const unsigned char *slot, unsigned char *response)
{
    struct stat st;
    int ret = fstat((int)get32(slot, 8), &st);
    unsigned char *page;

    memset(&st, 0, ret ? sizeof(st) : 0);
    if (s->dialect != 1) {
        put_stat(response + 8, &st);
        put32(response, 8 + 12, (uint32_t)ret);
        return (int64_t)get64(response, 8);
    }
    page = map(s, get32(slot, 12));
    put_stat(page, &st);
    unmap(s, page);
    return ret;
}

static int64_t serve_space(struct old_session *s, const char *page)
{
    int fd = openat(s->dir, local(page, 0), O_PATH);
    struct statvfs st;
    int ret = fd < 0 ? -1 : fstatvfs(fd, &st);

    if (fd >= 0)
        close(fd);
    return ret ? -1 : (int64_t)(st.f_bavail * st.f_frsize);
}

/* The operations with a name: its gref lies at @at in the slot. */
static int64_t serve_named(struct old_session *s, const unsigned char *slot, size_t at)
{
    char *page = map(s, get32(slot, at));
    int64_t ret = -1;

    switch (slot[0]) {
    case OP_OPEN:
        ret = serve_open(s, page);
        break;
    case OP_REMOVE:
        ret = remove(local(page, 0));
        break;
    case OP_RENAME:
        ret = renameat(s->dir, local(page + get16(slot, 8), 0), s->dir,
                       local(page + get16(slot, 10), 1));
        break;
    case OP_CREATE:
        ret = serve_create(s, slot, page);
        break;
    case OP_LIST:
        ret = serve_list(s, get32(slot, 8), page);
        break;
    case OP_SPACE:
        ret = serve_space(s, page);
        break;
    default:
        break;
    }
    unmap(s, page);
    return ret;
}

void old_serve(struct old_session *s, const unsigned char *slot, unsigned char *response)
{
    int fd = (int)get32(slot, 8);
    int64_t ret = -1;

    memset(response, 0, SLOT_MAX);
    put16(response, 0, get16(slot, 2));
    switch (slot[0]) {
    case OP_OPEN:
    case OP_REMOVE:
    case OP_SPACE:
        ret = serve_named(s, slot, 8);
        break;
    case OP_RENAME:
    case OP_LIST:
        ret = serve_named(s, slot, 12);
        break;
    case OP_CREATE:
        ret = serve_named(s, slot, 16);
        break;
    case OP_CLOSE:
        ret = close(fd);
        break;
    case OP_READ:
    case OP_WRITE:
        ret = serve_io(s, slot, slot[0] == OP_WRITE);
        break;
    case OP_STAT:
        ret = serve_stat(s, slot, response);
        break;
    case OP_TRUNCATE:
        ret = ftruncate(fd, (off_t)get64(slot, 16));
        break;
    case OP_CHMOD:
        ret = fchmod(fd, (mode_t)get32(slot, 12) & 07777);
        break;
    case OP_SYNC:
        ret = fsync(fd);
        break;
    default:
        die("operation %u", slot[0]);
    }
    put64(response, 8, (uint64_t)ret);
}
