/* SPDX-License-Identifier: MIT */
/* The thirteen operations as the old frontends issued them. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "old_front.h"

/* A request with a name at the start of its page: its gref lies at @at in the slot. */
static uint32_t named(struct old_front *f, unsigned char slot[SLOT_MAX], uint32_t type,
                      const char *name, size_t at)
{
    uint32_t id = front_slot(f, slot, type);

    if (strlen(name) < PAGE)
        memcpy(front_page(f, id), name, strlen(name) + 1);
    else
        memcpy(front_page(f, id), name, PAGE);
    put32(slot, at, front_gref(f, id, 0));
    return id;
}

static void on_handle(struct old_front *f, unsigned char slot[SLOT_MAX], uint32_t type, int64_t fd)
{
    front_slot(f, slot, type);
    put32(slot, 8, (uint32_t)fd);
}

int64_t old_open(struct old_front *f, const char *name)
{
    unsigned char slot[SLOT_MAX];

    named(f, slot, OP_OPEN, name, 8);
    return front_call(f, slot);
}

int64_t old_close(struct old_front *f, int64_t fd)
{
    unsigned char slot[SLOT_MAX];

    on_handle(f, slot, OP_CLOSE, fd);
    return front_call(f, slot);
}

uint32_t old_io_slot(struct old_front *f, unsigned char slot[SLOT_MAX], uint32_t type, int64_t fd,
                     uint64_t len, uint64_t offset)
{
    uint32_t id = front_slot(f, slot, type);

    put32(slot, 8, (uint32_t)fd);
    put64(slot, 16, len);
    put64(slot, 24, offset);
    if (f->dialect == 1) {
        put32(slot, 12, front_gref(f, id, 0));
        return id;
    }
    for (uint32_t i = 0; i < IO_PAGES_MAX && i * PAGE < len; i++)
        put32(slot, 32 + 4 * i, front_gref(f, id, i));
    return id;
}

int64_t old_read(struct old_front *f, int64_t fd, void *buf, uint64_t len, uint64_t offset)
{
    unsigned char slot[SLOT_MAX];
    uint32_t id = old_io_slot(f, slot, OP_READ, fd, len, offset);
    int64_t n = front_call(f, slot);

    if (n > 0)
        memcpy(buf, front_page(f, id), (size_t)n);
    return n;
}

int64_t old_write(struct old_front *f, int64_t fd, const void *buf, uint64_t len, uint64_t offset)
{
    unsigned char slot[SLOT_MAX];
    uint32_t id = old_io_slot(f, slot, OP_WRITE, fd, len, offset);
    uint64_t fits = (uint64_t)f->pages_per_id * PAGE;

    memcpy(front_page(f, id), buf, (size_t)(len < fits ? len : fits));
    return front_call(f, slot);
}

int64_t old_stat(struct old_front *f, int64_t fd, struct old_stat *out)
{
    unsigned char slot[SLOT_MAX];
    unsigned char *at;
    uint32_t id;
    int64_t ret;

    on_handle(f, slot, OP_STAT, fd);
    id = get16(slot, 2);
    if (f->dialect == 1)
        put32(slot, 12, front_gref(f, id, 0));
    ret = front_call(f, slot);
    at = f->dialect == 1 ? front_page(f, id) : f->answer[id] + 8;
    if (f->dialect != 1)
        ret = (int32_t)get32(at, 12);
    out->mode = (int32_t)get32(at, 0);
    out->uid = get32(at, 4);
    out->gid = get32(at, 8);
    out->size = (int64_t)get64(at, 16);
    out->mtime = (int64_t)get64(at, 32);
    return ret;
}

int64_t old_truncate(struct old_front *f, int64_t fd, int64_t length)
{
    unsigned char slot[SLOT_MAX];

    on_handle(f, slot, OP_TRUNCATE, fd);
    put64(slot, 16, (uint64_t)length);
    return front_call(f, slot);
}

int64_t old_remove(struct old_front *f, const char *name)
{
    unsigned char slot[SLOT_MAX];

    named(f, slot, OP_REMOVE, name, 8);
    return front_call(f, slot);
}

int64_t old_rename(struct old_front *f, const char *from, const char *to)
{
    unsigned char slot[SLOT_MAX];
    uint32_t id = front_slot(f, slot, OP_RENAME);

    snprintf((char *)front_page(f, id), PAGE, "old: %s%cnew: %s", from, '\0', to);
    put16(slot, 8, 5);
    put16(slot, 10, (uint32_t)(5 + strlen(from) + 1 + 5));
    put32(slot, 12, front_gref(f, id, 0));
    return front_call(f, slot);
}

int64_t old_create(struct old_front *f, const char *name, int directory, uint32_t mode)
{
    unsigned char slot[SLOT_MAX];

    named(f, slot, OP_CREATE, name, 16);
    slot[8] = directory != 0;
    put32(slot, 12, mode);
    return front_call(f, slot);
}

int64_t old_list(struct old_front *f, const char *name, uint32_t offset, char names[PAGE],
                 int *more)
{
    unsigned char slot[SLOT_MAX];
    uint32_t id = named(f, slot, OP_LIST, name, 12);
    uint64_t ret;

    put32(slot, 8, offset);
    ret = (uint64_t)front_call(f, slot);
    memcpy(names, front_page(f, id), PAGE);
    *more = (ret >> 48 & 1) != 0;
    return ret >> 16 & 0xffffffffu ? -(int64_t)(ret >> 16 & 0xffffffffu) : (int64_t)(ret & 0xffff);
}

int64_t old_chmod(struct old_front *f, int64_t fd, uint32_t mode)
{
    unsigned char slot[SLOT_MAX];

    on_handle(f, slot, OP_CHMOD, fd);
    put32(slot, 12, mode);
    return front_call(f, slot);
}

int64_t old_space(struct old_front *f, const char *name)
{
    unsigned char slot[SLOT_MAX];

    named(f, slot, OP_SPACE, name, 8);
    return front_call(f, slot);
}

int64_t old_sync(struct old_front *f, int64_t fd)
{
    unsigned char slot[SLOT_MAX];

    on_handle(f, slot, OP_SYNC, fd);
    return front_call(f, slot);
}
