/* SPDX-License-Identifier: MIT */
/*
 * nfs-ganesha on loopback, NFSv3 over TCP, with libnfs as the client.
 *
 * The server does not do NFSv3 without a rpcbind, so both run in namespaces of their own: their
 * ports, /run and /var/lib/nfs are nobody else's, and nothing outlives the first process in there.
 * This process goes into the network namespace only to connect: a socket stays where it was made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <nfsc/libnfs.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

enum { TRIES = 1000, TRY_NS = 10000000, ANSWER_MS = 10000 };

struct nfs {
    pid_t pid;
    int alive; /* the servers end when it is closed */
    struct nfs_context *context;
    struct nfsfh *big;
    struct nfsfh *out;
};

/* What the first process in the namespaces runs; $0 is ganesha.nfsd, $1 its configuration. */
static char script[] =
    "PATH=$PATH:/usr/sbin:/sbin\n"
    "mount -t tmpfs none /run && mount -t tmpfs none /var/lib/nfs && rpcbind || exit\n"
    "exec 3<&0\n"
    "\"$0\" -F -f \"$1\" -p /run/ganesha.pid -L STDERR -N FATAL &\n"
    "server=$!\n"
    "{ read -r word; kill -KILL $server; } <&3 &\n"
    "wait $server\n";

/* The server's own cache stays as it is delivered: it takes a request all the same. */
static const char configuration[] = "NFS_CORE_PARAM { Protocols = 3; Enable_NLM = false; }\n"
                                    "EXPORT {\n"
                                    "    Export_Id = 1; Path = \"%s\"; Pseudo = \"%s\";\n"
                                    "    Protocols = 3; Transports = TCP; SecType = sys;\n"
                                    "    Access_Type = RW; Squash = None;\n"
                                    "    FSAL { Name = VFS; }\n"
                                    "}\n";

/* --- start and stop --- */

/* Return: the network namespace of @pid, once it is not ours any longer; negative if it ends */
static int net_of(pid_t pid)
{
    struct stat ours, theirs;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    if (stat("/proc/self/ns/net", &ours) != 0)
        return -errno;
    for (int i = 0; i < TRIES; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return -ECHILD;
        if (stat(path, &theirs) == 0 && theirs.st_ino != ours.st_ino)
            return open(path, O_RDONLY | O_CLOEXEC);
        nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
    }
    return -ETIMEDOUT;
}

static int loopback_up(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0 ? -errno : 0;

    if (fd >= 0)
        close(fd);
    return err;
}

/* Nothing that would turn a request into none, and no second connection: it would be made outside.
 */
static struct nfs_context *new_context(void)
{
    struct nfs_context *context = nfs_init_context();

    if (context == NULL)
        bench_die("no memory");
    nfs_set_version(context, 3);
    nfs_set_dircache(context, 0);
    nfs_set_pagecache(context, 0);
    nfs_set_readahead(context, 0);
    nfs_set_autoreconnect(context, 0);
    nfs_set_timeout(context, ANSWER_MS);
    return context;
}

static int mount_export(struct nfs *n, const char *data)
{
    for (int i = 0; i < TRIES; i++) {
        n->context = new_context();
        if (nfs_mount(n->context, "127.0.0.1", data) == 0)
            return 0;
        nfs_destroy_context(n->context);
        n->context = NULL;
        if (waitpid(n->pid, NULL, WNOHANG) != 0)
            return -ECHILD;
        nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
    }
    return -ETIMEDOUT;
}

static int connect_in(struct nfs *n, const char *data)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int net = net_of(n->pid);
    int err;

    if (home < 0)
        bench_die("/proc/self/ns/net: %s", strerror(errno));
    err = net < 0 || setns(net, CLONE_NEWNET) != 0 ? -ECHILD : loopback_up();
    if (err == 0)
        err = mount_export(n, data);
    if (setns(home, CLONE_NEWNET) != 0)
        bench_die("the way back from the server's network: %s", strerror(errno));
    if (net >= 0)
        close(net);
    close(home);
    return err;
}

static void configure(const struct bench_place *place, const char *path)
{
    FILE *f = fopen(path, "we");

    if (f == NULL || fprintf(f, configuration, place->data, place->data) < 0 || fclose(f) != 0)
        bench_die("%s: %s", path, strerror(errno));
}

static void ganesha_stop(void *self)
{
    struct nfs *n = self;

    if (n->big != NULL)
        nfs_close(n->context, n->big);
    if (n->out != NULL)
        nfs_close(n->context, n->out);
    if (n->context != NULL)
        nfs_destroy_context(n->context); /* not unmounted: that would connect anew, from outside */
    close(n->alive);
    bench_reap(n->pid);
    free(n);
}

static int ganesha_start(struct bench_place *place, void **self)
{
    char path[BENCH_PATH];
    struct nfs *n;
    int pair[2];

    if (place->ganesha == NULL)
        return bench_why(place, "ganesha.nfsd is not there (packages nfs-ganesha-vfs, rpcbind)");
    if (geteuid() != 0)
        return bench_why(place, "ganesha opens files by handle and has a network of its own: "
                                "only root may");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    snprintf(path, sizeof(path), "%s/ganesha.conf", place->dir);
    configure(place, path);
    n = bench_alloc(sizeof(*n));
    n->alive = pair[0];
    char *argv[] = {"unshare", "--net", "--mount", "--pid",        "--fork", "--kill-child",
                    "sh",      "-c",    script,    place->ganesha, path,     NULL};
    n->pid = bench_spawn(place, argv, place->server_cpu, pair[1], -1);
    close(pair[1]);
    if (connect_in(n, place->data) != 0 || nfs_open(n->context, "/big", O_RDONLY, &n->big) != 0 ||
        nfs_open(n->context, "/out", O_RDWR, &n->out) != 0) {
        ganesha_stop(n);
        return bench_failed(place, "ganesha");
    }
    *self = n;
    return 0;
}

/* --- data --- */

/* libnfs asks for all parts that the server's limit makes of it at once. */
static int64_t ganesha_read(void *self, void *buf, size_t len, uint64_t off)
{
    struct nfs *n = self;

    return nfs_pread(n->context, n->big, off, len, buf);
}

static int64_t ganesha_write(void *self, const void *buf, size_t len, uint64_t off)
{
    struct nfs *n = self;

    return nfs_pwrite(n->context, n->out, off, len, buf);
}

struct deep {
    unsigned ended;
    int failed;
    unsigned free[BENCH_DEPTH];
    unsigned nfree;
    struct slot {
        struct deep *deep;
        unsigned char *to;
    } slots[BENCH_DEPTH];
};

static void read_done(int err, struct nfs_context *context, void *data, void *arg)
{
    struct slot *slot = arg;
    struct deep *d = slot->deep;

    (void)context;
    if (err == (int)BENCH_SMALL)
        memcpy(slot->to, data, BENCH_SMALL);
    else
        d->failed = 1;
    d->free[d->nfree++] = (unsigned)(slot - d->slots);
    d->ended++;
}

/* Send what can be sent, take what has come. */
static int64_t serve(struct nfs_context *context)
{
    struct pollfd p = {.fd = nfs_get_fd(context), .events = (short)nfs_which_events(context)};

    if (poll(&p, 1, ANSWER_MS) <= 0)
        return -EIO;
    return nfs_service(context, p.revents) < 0 ? -EIO : 0;
}

static int64_t ganesha_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    static struct deep d; /* answers that come after a failure find it */
    struct nfs *s = self;
    unsigned begun = 0;

    d.ended = d.nfree = 0;
    for (unsigned i = 0; i < BENCH_DEPTH; i++) {
        d.slots[i] = (struct slot){.deep = &d, .to = (unsigned char *)buf + i * BENCH_SMALL};
        d.free[d.nfree++] = i;
    }
    while (d.ended < n) {
        for (; begun < n && d.nfree > 0; begun++)
            if (nfs_pread_async(s->context, s->big, off[begun], BENCH_SMALL, read_done,
                                &d.slots[d.free[--d.nfree]]) != 0)
                return -EIO;
        if (serve(s->context) != 0 || d.failed)
            return -EIO;
    }
    return 0;
}

/* --- names --- */

static void absolute(char out[BENCH_PATH], const char *path)
{
    size_t len = strlen(path);

    out[0] = '/';
    memcpy(out + 1, path, len + 1);
}

static int64_t ganesha_stat(void *self, const char *path)
{
    struct nfs_stat_64 st;
    char name[BENCH_PATH];

    absolute(name, path);
    return nfs_stat64(((struct nfs *)self)->context, name, &st);
}

/* NFSv3 has no open and no close: it is looked up, and asked whether it may be read. */
static int64_t ganesha_open_close(void *self, const char *path)
{
    struct nfs *n = self;
    char name[BENCH_PATH];
    struct nfsfh *file;
    int64_t err;

    absolute(name, path);
    err = nfs_open(n->context, name, O_RDONLY, &file);
    return err == 0 ? nfs_close(n->context, file) : err;
}

static int64_t ganesha_create(void *self, const char *path)
{
    struct nfs *n = self;
    char name[BENCH_PATH];
    struct nfsfh *file;
    int64_t err;

    absolute(name, path);
    err = nfs_create(n->context, name, O_RDWR | O_CREAT | O_EXCL, 0644, &file);
    return err == 0 ? nfs_close(n->context, file) : err;
}

static int64_t ganesha_remove(void *self, const char *path)
{
    char name[BENCH_PATH];

    absolute(name, path);
    return nfs_unlink(((struct nfs *)self)->context, name);
}

/* Every answer carries the attributes of its entries (READDIRPLUS): libnfs lists in no other way.
 */
static int64_t ganesha_list(void *self, const char *path)
{
    struct nfs *n = self;
    const struct nfsdirent *entry;
    char name[BENCH_PATH];
    struct nfsdir *dir;
    int64_t count = 0, err;

    absolute(name, path);
    err = nfs_opendir(n->context, name, &dir);
    if (err != 0)
        return err;
    while ((entry = nfs_readdir(n->context, dir)) != NULL)
        count += strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0;
    nfs_closedir(n->context, dir);
    return count;
}

static int64_t ganesha_read_file(void *self, const char *path, void *buf, size_t len)
{
    struct nfs *n = self;
    char name[BENCH_PATH];
    struct nfsfh *file;
    int64_t got, err;

    absolute(name, path);
    err = nfs_open(n->context, name, O_RDONLY, &file);
    if (err != 0)
        return err;
    got = nfs_pread(n->context, file, 0, len, buf);
    err = nfs_close(n->context, file);
    return err < 0 ? err : got;
}

const struct bench_ops bench_ganesha = {
    .name = "ganesha",
    .start = ganesha_start,
    .stop = ganesha_stop,
    .read = ganesha_read,
    .write = ganesha_write,
    .read_deep = ganesha_read_deep,
    .stat = ganesha_stat,
    .open_close = ganesha_open_close,
    .create = ganesha_create,
    .remove = ganesha_remove,
    .list = ganesha_list,
    .list_attr = ganesha_list,
    .read_file = ganesha_read_file,
};
