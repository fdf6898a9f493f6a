/* SPDX-License-Identifier: MIT */
/*
 * virtiofsd over vhost-user, with this process in the place of a guest's kernel. It does what a
 * kernel without caches does: a directory on the way is looked up once, a name every time, files
 * are released, nodes are forgotten in batches. Data is used where the device put it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"
#include "vhost.h"

enum { DIRS = 8, FORGETS = 64, LIST_ROOM = 128 * 1024 };

struct dir {
    char name[64];
    uint64_t node;
};

struct vfs {
    struct vhost *vhost;
    pid_t pid;
    uint64_t unique;
    uint64_t big_node;
    uint64_t big_fh;
    uint64_t out_node;
    uint64_t out_fh;
    struct dir dirs[DIRS];
    unsigned ndirs;
    struct fuse_forget_one forget[FORGETS];
    unsigned nforget;
};

/* Everything about a request but what it carries */
struct call {
    uint32_t opcode;
    unsigned slot;
    uint64_t node;
    size_t out_data;
    size_t in; /* of the answer behind its header */
    size_t in_data;
};

static void put(struct vfs *f, const struct call *c, const void *arg, size_t len, const char *name)
{
    size_t name_len = name != NULL ? strlen(name) + 1 : 0;
    unsigned char *out = vhost_out(f->vhost, c->slot);
    struct fuse_in_header head = {
        .len = (uint32_t)(sizeof(head) + len + name_len + c->out_data),
        .opcode = c->opcode,
        .unique = ++f->unique,
        .nodeid = c->node,
        .pid = (uint32_t)getpid(),
    };
    struct vhost_request rq = {
        .slot = c->slot,
        .out_head = sizeof(head),
        .out = len + name_len,
        .out_data = c->out_data,
        .in = c->opcode == FUSE_BATCH_FORGET ? 0 : sizeof(struct fuse_out_header) + c->in,
        .in_data = c->in_data,
    };

    memcpy(out, &head, sizeof(head));
    if (len > 0)
        memcpy(out + sizeof(head), arg, len);
    if (name_len > 0)
        memcpy(out + sizeof(head) + len, name, name_len);
    vhost_put(f->vhost, &rq);
}

/* Return: bytes behind the header; or the negative errno in it */
static int64_t answer(struct vfs *f, unsigned slot)
{
    struct fuse_out_header head;

    memcpy(&head, vhost_in(f->vhost, slot), sizeof(head));
    return head.error != 0 ? head.error : (int64_t)head.len - (int64_t)sizeof(head);
}

static int64_t call(struct vfs *f, const struct call *c, const void *arg, size_t len,
                    const char *name)
{
    int slot;

    put(f, c, arg, len, name);
    vhost_kick(f->vhost);
    slot = vhost_take(f->vhost);
    if (slot < 0)
        return slot;
    return c->opcode == FUSE_BATCH_FORGET ? 0 : answer(f, (unsigned)slot);
}

static void *reply(struct vfs *f)
{
    return vhost_in(f->vhost, 0) + sizeof(struct fuse_out_header);
}

static int64_t forget(struct vfs *f, uint64_t node)
{
    struct {
        struct fuse_batch_forget_in head;
        struct fuse_forget_one one[FORGETS];
    } arg = {.head = {.count = FORGETS}};
    const struct call c = {.opcode = FUSE_BATCH_FORGET};

    f->forget[f->nforget++] = (struct fuse_forget_one){.nodeid = node, .nlookup = 1};
    if (f->nforget < FORGETS)
        return 0;
    f->nforget = 0;
    memcpy(arg.one, f->forget, sizeof(arg.one));
    return call(f, &c, &arg, sizeof(arg), NULL);
}

static int64_t lookup(struct vfs *f, uint64_t parent, const char *name, uint64_t *node)
{
    const struct call c = {
        .opcode = FUSE_LOOKUP, .node = parent, .in = sizeof(struct fuse_entry_out)};
    int64_t err = call(f, &c, NULL, 0, name);

    if (err < 0)
        return err;
    *node = ((struct fuse_entry_out *)reply(f))->nodeid;
    return 0;
}

/* The node of directory @name of the root, looked up the first time only */
static int64_t dir_node(struct vfs *f, const char *name, size_t len, uint64_t *node)
{
    struct dir *d;
    int64_t err;

    for (unsigned i = 0; i < f->ndirs; i++)
        if (strncmp(f->dirs[i].name, name, len) == 0 && f->dirs[i].name[len] == '\0') {
            *node = f->dirs[i].node;
            return 0;
        }
    if (f->ndirs == DIRS || len >= sizeof(d->name))
        return -EMFILE;
    d = &f->dirs[f->ndirs];
    memcpy(d->name, name, len);
    d->name[len] = '\0';
    err = lookup(f, FUSE_ROOT_ID, d->name, &d->node);
    if (err != 0)
        return err;
    f->ndirs++;
    *node = d->node;
    return 0;
}

static int64_t parent_of(struct vfs *f, const char *path, uint64_t *node, const char **last)
{
    const char *slash = strchr(path, '/');

    *node = FUSE_ROOT_ID;
    *last = slash == NULL ? path : slash + 1;
    return slash == NULL ? 0 : dir_node(f, path, (size_t)(slash - path), node);
}

static int64_t open_node(struct vfs *f, uint64_t node, uint32_t opcode, uint32_t flags,
                         uint64_t *fh)
{
    const struct fuse_open_in arg = {.flags = flags};
    const struct call c = {.opcode = opcode, .node = node, .in = sizeof(struct fuse_open_out)};
    int64_t err = call(f, &c, &arg, sizeof(arg), NULL);

    if (err < 0)
        return err;
    *fh = ((struct fuse_open_out *)reply(f))->fh;
    return 0;
}

static int64_t release(struct vfs *f, uint64_t node, uint32_t opcode, uint64_t fh)
{
    const struct fuse_release_in arg = {.fh = fh};
    const struct call c = {.opcode = opcode, .node = node};

    return call(f, &c, &arg, sizeof(arg), NULL);
}

static int64_t open_path(struct vfs *f, const char *path, uint32_t flags, uint64_t *node,
                         uint64_t *fh)
{
    const char *last;
    uint64_t dir;
    int64_t err = parent_of(f, path, &dir, &last);

    if (err == 0)
        err = lookup(f, dir, last, node);
    return err == 0 ? open_node(f, *node, FUSE_OPEN, flags, fh) : err;
}

static int64_t close_path(struct vfs *f, uint64_t node, uint64_t fh)
{
    int64_t err = release(f, node, FUSE_RELEASE, fh);

    return err < 0 ? err : forget(f, node);
}

/* --- start and stop --- */

static int64_t init(struct vfs *f)
{
    const struct fuse_init_in arg = {
        .major = FUSE_KERNEL_VERSION,
        .minor = 31,
        .max_readahead = BENCH_BIG,
        .flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_DO_READDIRPLUS |
                 FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC,
    };
    const struct call c = {.opcode = FUSE_INIT, .in = sizeof(struct fuse_init_out)};
    /* As old as minor 31: without the members that came later */
    int64_t err = call(f, &c, &arg, offsetof(struct fuse_init_in, flags2), NULL);

    if (err >= 0)
        err = open_path(f, "big", 0 /* O_RDONLY */, &f->big_node, &f->big_fh);
    return err < 0 ? err : open_path(f, "out", 2 /* O_RDWR */, &f->out_node, &f->out_fh);
}

static void vfs_stop(void *self)
{
    struct vfs *f = self;

    if (f->vhost != NULL)
        vhost_close(f->vhost);
    bench_reap(f->pid);
    free(f);
}

static int start(struct bench_place *place, void **self, int spin)
{
    struct vfs *f;
    char socket[BENCH_PATH], at[BENCH_PATH + 16], source[BENCH_PATH + 8];
    int sock;

    if (place->virtiofsd == NULL)
        return bench_why(place, "virtiofsd is not there (package qemu-system-common)");
    if (geteuid() != 0)
        return bench_why(place, "virtiofsd needs root for its sandbox");
    if (spin && (place->client_cpu == place->server_cpu || place->client_cpu == BENCH_ANY_CPU))
        return bench_why(place, "spinning on the core that the peer may need");
    f = bench_alloc(sizeof(*f));
    snprintf(socket, sizeof(socket), "%s/vfs%d.sock", place->dir, spin);
    snprintf(at, sizeof(at), "--socket-path=%s", socket);
    snprintf(source, sizeof(source), "source=%s", place->data);
    unlink(socket);
    char *argv[] = {place->virtiofsd,    "-f", at,           "-o", source,          "-o",
                    "sandbox=namespace", "-o", "cache=none", "-o", "log_level=err", NULL};
    f->pid = bench_spawn(place, argv, place->server_cpu, -1, -1);
    sock = bench_connect(socket, f->pid);
    if (sock >= 0)
        f->vhost = vhost_open(sock, spin);
    if (f->vhost == NULL || init(f) < 0) {
        vfs_stop(f);
        return bench_failed(place, "virtiofsd");
    }
    *self = f;
    return 0;
}

static int vfs_start(struct bench_place *place, void **self)
{
    return start(place, self, 0);
}

static int vfs_start_spin(struct bench_place *place, void **self)
{
    return start(place, self, 1);
}

/* --- the operations --- */

static int64_t vfs_read_lent(void *self, size_t len, uint64_t off)
{
    struct vfs *f = self;
    const struct fuse_read_in arg = {.fh = f->big_fh, .offset = off, .size = (uint32_t)len};
    const struct call c = {.opcode = FUSE_READ, .node = f->big_node, .in_data = len};

    return call(f, &c, &arg, sizeof(arg), NULL);
}

static int64_t vfs_read(void *self, void *buf, size_t len, uint64_t off)
{
    (void)buf; /* the data is where a kernel would have told the device to put it */
    return vfs_read_lent(self, len, off);
}

static int64_t vfs_write_lent(void *self, size_t len, uint64_t off)
{
    struct vfs *f = self;
    const struct fuse_write_in arg = {.fh = f->out_fh, .offset = off, .size = (uint32_t)len};
    const struct call c = {.opcode = FUSE_WRITE,
                           .node = f->out_node,
                           .out_data = len,
                           .in = sizeof(struct fuse_write_out)};
    int64_t err = call(f, &c, &arg, sizeof(arg), NULL);

    return err < 0 ? err : ((struct fuse_write_out *)reply(f))->size;
}

static int64_t vfs_write(void *self, const void *buf, size_t len, uint64_t off)
{
    (void)buf;
    return vfs_write_lent(self, len, off);
}

static void put_read(struct vfs *f, unsigned slot, uint64_t off)
{
    const struct fuse_read_in arg = {.fh = f->big_fh, .offset = off, .size = BENCH_SMALL};
    const struct call c = {
        .opcode = FUSE_READ, .slot = slot, .node = f->big_node, .in_data = BENCH_SMALL};

    put(f, &c, &arg, sizeof(arg), NULL);
}

static int64_t vfs_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    struct vfs *f = self;
    unsigned begun = 0, ended = 0;

    (void)buf;
    for (; begun < n && begun < VHOST_SLOTS; begun++)
        put_read(f, begun, off[begun]);
    vhost_kick(f->vhost);
    while (ended < n) {
        int slot = vhost_take(f->vhost);
        if (slot < 0 || answer(f, (unsigned)slot) != BENCH_SMALL)
            return -EIO;
        ended++;
        if (begun == n)
            continue;
        put_read(f, (unsigned)slot, off[begun++]);
        vhost_kick(f->vhost);
    }
    return 0;
}

static int64_t vfs_stat(void *self, const char *path)
{
    struct vfs *f = self;
    const char *last;
    uint64_t dir, node;
    int64_t err = parent_of(f, path, &dir, &last);

    if (err == 0)
        err = lookup(f, dir, last, &node); /* carries the attributes */
    return err == 0 ? forget(f, node) : err;
}

static int64_t vfs_open_close(void *self, const char *path)
{
    uint64_t node, fh;
    int64_t err = open_path(self, path, 0, &node, &fh);

    return err == 0 ? close_path(self, node, fh) : err;
}

static int64_t vfs_create(void *self, const char *path)
{
    struct vfs *f = self;
    const struct fuse_create_in arg = {.flags = 0302 /* O_RDWR | O_CREAT | O_EXCL */, .mode = 0644};
    struct call c = {.opcode = FUSE_CREATE,
                     .in = sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out)};
    struct fuse_entry_out entry;
    struct fuse_open_out opened;
    const char *last;
    int64_t err = parent_of(f, path, &c.node, &last);

    if (err == 0)
        err = call(f, &c, &arg, sizeof(arg), last);
    if (err < 0)
        return err;
    memcpy(&entry, reply(f), sizeof(entry));
    memcpy(&opened, (char *)reply(f) + sizeof(entry), sizeof(opened));
    return close_path(f, entry.nodeid, opened.fh);
}

static int64_t vfs_remove(void *self, const char *path)
{
    struct vfs *f = self;
    struct call c = {.opcode = FUSE_UNLINK};
    const char *last;
    uint64_t node;
    int64_t err = parent_of(f, path, &c.node, &last);

    if (err == 0) /* it removes only what was looked up */
        err = lookup(f, c.node, last, &node);
    if (err == 0)
        err = call(f, &c, NULL, 0, last);
    return err < 0 ? err : forget(f, node);
}

struct listing {
    int64_t count;
    uint64_t offset;
};

static int64_t take_entries(struct vfs *f, size_t len, int plus, struct listing *l)
{
    const unsigned char *at = vhost_data(f->vhost, 0);
    size_t head = plus ? sizeof(struct fuse_entry_out) : 0;
    struct fuse_dirent entry;

    for (size_t done = 0; done < len;) {
        memcpy(&entry, at + done + head, FUSE_NAME_OFFSET);
        const char *name = (const char *)at + done + head + FUSE_NAME_OFFSET;
        done += head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
        l->offset = entry.off;
        if ((entry.namelen == 1 && name[0] == '.') ||
            (entry.namelen == 2 && memcmp(name, "..", 2) == 0))
            continue;
        l->count++;
    }
    return 0;
}

/* What READDIRPLUS looked up is forgotten, a batch for each answer. */
static int64_t forget_entries(struct vfs *f, size_t len)
{
    static unsigned char copy[LIST_ROOM];
    struct fuse_direntplus entry;
    int64_t err = 0;

    memcpy(copy, vhost_data(f->vhost, 0), len);
    for (size_t done = 0; done < len && err == 0;) {
        memcpy(&entry, copy + done, FUSE_NAME_OFFSET_DIRENTPLUS);
        done += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + entry.dirent.namelen);
        if (entry.entry_out.nodeid != 0)
            err = forget(f, entry.entry_out.nodeid);
    }
    return err;
}

static int64_t list(struct vfs *f, const char *path, int plus)
{
    struct fuse_read_in arg = {.size = LIST_ROOM};
    struct call c = {.opcode = plus ? FUSE_READDIRPLUS : FUSE_READDIR, .in_data = LIST_ROOM};
    struct listing l = {0};
    int64_t n = dir_node(f, path, strlen(path), &c.node);

    if (n == 0)
        n = open_node(f, c.node, FUSE_OPENDIR, 0, &arg.fh);
    if (n != 0)
        return n;
    while ((n = call(f, &c, &arg, sizeof(arg), NULL)) > 0) {
        take_entries(f, (size_t)n, plus, &l);
        arg.offset = l.offset;
        if (plus && forget_entries(f, (size_t)n) < 0)
            return -EIO;
    }
    if (n == 0)
        n = release(f, c.node, FUSE_RELEASEDIR, arg.fh);
    return n < 0 ? n : l.count;
}

static int64_t vfs_list(void *self, const char *path)
{
    return list(self, path, 0);
}

static int64_t vfs_list_attr(void *self, const char *path)
{
    return list(self, path, 1);
}

static int64_t vfs_read_file(void *self, const char *path, void *buf, size_t len)
{
    struct vfs *f = self;
    struct fuse_read_in arg = {.size = (uint32_t)len};
    struct call c = {.opcode = FUSE_READ, .in_data = len};
    int64_t err = open_path(f, path, 0, &c.node, &arg.fh);
    int64_t n;

    (void)buf;
    if (err != 0)
        return err;
    n = call(f, &c, &arg, sizeof(arg), NULL);
    err = close_path(f, c.node, arg.fh);
    return err < 0 ? err : n;
}

#define OPERATIONS                                                                                 \
    .stop = vfs_stop, .read = vfs_read, .write = vfs_write, .read_lent = vfs_read_lent,            \
    .write_lent = vfs_write_lent, .read_deep = vfs_read_deep, .stat = vfs_stat,                    \
    .open_close = vfs_open_close, .create = vfs_create, .remove = vfs_remove, .list = vfs_list,    \
    .list_attr = vfs_list_attr, .read_file = vfs_read_file

const struct bench_ops bench_virtiofsd = {.name = "virtiofsd", .start = vfs_start, OPERATIONS};
const struct bench_ops bench_virtiofsd_spin = {
    .name = "virtiofsd-spin", .start = vfs_start_spin, OPERATIONS};
