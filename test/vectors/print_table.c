/* SPDX-License-Identifier: MIT */
/*
 * Prints how the codec and wire.h have dialect 3, a line for each operation and for each member of
 * a structure, in the form that compare.py makes of PROTOCOL.md.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/op.h>
#include <fsif/wire.h>
#include "codec.h"
#include "codec3.h"

struct item {
    uint32_t at;
    char text[64];
};

static struct item items[32];
static int nitems;

static void item(const char *name, uint32_t octets, uint32_t at)
{
    if (octets)
        snprintf(items[nitems].text, sizeof(items[0].text), "%s u%u @%u", name, octets * 8, at);
    else
        snprintf(items[nitems].text, sizeof(items[0].text), "%s @%u", name, at);
    items[nitems++].at = at;
}

static int by_offset(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

static void collect_names(const struct fsi_layout3 *l)
{
    if (!l->name[0])
        return;
    item("len1", 2, FSI_NAME_LEN_AT(0));
    if (l->name[1])
        item("len2", 2, FSI_NAME_LEN_AT(1));
    item(l->names_room ? "names" : "names in the arena", 0, l->names_at);
    if (l->names_room && l->names_room + l->names_at != FSIF_WIRE3_SLOT)
        item("names end early", 0, l->names_at + l->names_room);
}

static void collect(const struct fsi_layout3 *l)
{
    char ranges[16] = "range";

    nitems = 0;
    collect_names(l);
    if (l->handle2)
        item(l->handle2 == FSI_HANDLE_BASE ? "base2" : "handle2", 4, l->handle2_at);
    for (uint32_t i = 0; i < l->nfields; i++)
        item(l->fields[i].name, l->fields[i].width, l->fields[i].at);
    if (l->count_at)
        item("count", 4, l->count_at);
    if (l->max_ranges > 1)
        snprintf(ranges, sizeof(ranges), "ranges[%u]", l->max_ranges);
    if (l->max_ranges)
        item(ranges, 0, l->ranges_at);
    if (l->second_at)
        item("records", 4, l->second_at);
    qsort(items, (size_t)nitems, sizeof(items[0]), by_offset);
}

static void print_operation(uint32_t number)
{
    static const char *const handles[] = {"", "file", "base"};
    static const char *const kinds[] = {"", "path", "path?", "target", "xattr", "export"};
    uint32_t type = fsi_dialect3.types[number];
    const struct fsi_layout3 *l = fsi_layout3(type);

    collect(l);
    printf("op %u %s|%s|", number, fsif_op_name(type), handles[l->handle]);
    for (int i = 0; i < nitems; i++)
        printf("%s%s", i ? ", " : "", items[i].text);
    printf("|%s%s%s|0x%x\n", kinds[l->name[0]], l->name[1] ? ", " : "", kinds[l->name[1]],
           l->flags);
}

#define MEMBER(title, type, name)                                                                  \
    printf("%s|%s|%zu|%zu\n", (title), #name, offsetof(struct type, name),                         \
           sizeof(((struct type *)0)->name))
#define RING(name) MEMBER("ring", fsif_wire3_ring, name)
#define REQUEST(name) MEMBER("request", fsif_wire3_request, name)
#define RESPONSE(name) MEMBER("response", fsif_wire3_response, name)
#define ATTR(name) MEMBER("attr", fsif_wire3_attr, name)
#define VFS(name) MEMBER("statvfs", fsif_wire3_statvfs, name)
#define LOCK(name) MEMBER("lock", fsif_wire3_lock, name)
#define ENTRY(name) MEMBER("entry", fsif_wire3_entry, name)
#define CHANGE(name, size)                                                                         \
    printf("change|%s|%zu|%zu\n", #name,                                                           \
           FSIF_WIRE3_BODY + offsetof(struct fsif_wire3_change, name), (size_t)(size))

static void print_heads(void)
{
    RING(req_prod), RING(rsp_event), RING(notices_seen), RING(rsp_prod), RING(req_event);
    MEMBER("directory", fsif_wire3_directory, next);
    MEMBER("directory", fsif_wire3_directory, refs);
    REQUEST(type), REQUEST(flags), REQUEST(id), REQUEST(serial), REQUEST(handle);
    RESPONSE(id), RESPONSE(kind), RESPONSE(flags), RESPONSE(what), RESPONSE(value);
}

static void print_bodies(void)
{
    ATTR(mode), ATTR(nlink), ATTR(uid), ATTR(gid), ATTR(size), ATTR(blocks), ATTR(ino);
    ATTR(mtime), ATTR(atime), ATTR(ctime), ATTR(btime);
    ATTR(mtime_nsec), ATTR(atime_nsec), ATTR(ctime_nsec), ATTR(btime_nsec);
    ATTR(dev), ATTR(rdev_major), ATTR(rdev_minor), ATTR(blksize), ATTR(pad);
    VFS(blocks), VFS(bfree), VFS(bavail), VFS(files), VFS(ffree), VFS(bsize), VFS(namemax);
    LOCK(offset), LOCK(length), LOCK(mode), LOCK(pad);
    MEMBER("record", fsif_wire3_record, status);
    MEMBER("record", fsif_wire3_record, pad);
    ENTRY(cookie), ENTRY(ino), ENTRY(size), ENTRY(type), ENTRY(name_len), ENTRY(status);
    printf("change|what|%zu|4\n", offsetof(struct fsif_wire3_response, what));
    CHANGE(cookie, 8), CHANGE(name_len, 1);
}

int main(void)
{
    for (uint32_t number = 1; number < fsi_dialect3.ntypes; number++)
        print_operation(number);
    print_heads();
    print_bodies();
    return 0;
}
