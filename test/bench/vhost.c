/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues, as virtio 1.1 has them, and the messages of vhost-user.
 *
 * | shared word  | written by | read by | what orders it                                        |
 * | avail idx    | us         | device  | stored after descriptors and ring entry               |
 * | used idx     | device     | us      | read before the entries that it covers                |
 * | avail flags  | us         | device  | NO_INTERRUPT while we poll                            |
 * | used flags   | device     | us      | NO_NOTIFY while it polls: read after avail idx stored |
 *
 * A slot has DESCS descriptors of its own, so nothing is handed out or taken back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"
#include "vhost.h"

enum {
    DESCS = 4,
    RING = VHOST_SLOTS * DESCS,
    QUEUES = 2, /* of the file system device: urgent requests, and all others */
    WAIT_MS = 10000,
};

/* Where things lie in the shared memory */
#define RING_BYTES 8192u
#define SLOT_BYTES 16384u
#define SLOTS_AT (QUEUES * RING_BYTES)
#define BIG_AT (SLOTS_AT + VHOST_SLOTS * SLOT_BYTES)
#define MEMORY (BIG_AT + BENCH_BIG)
#define IN_AT 4096u
#define DATA_AT 8192u
#define GUEST 0x100000u /* where the memory lies for the device */

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

enum { DESC_NEXT = 1, DESC_WRITE = 2, NO_INTERRUPT = 1, NO_NOTIFY = 1 };

struct avail {
    _Atomic uint16_t flags;
    _Atomic uint16_t idx;
    uint16_t ring[RING];
};

struct used {
    _Atomic uint16_t flags;
    _Atomic uint16_t idx;
    struct {
        uint32_t id;
        uint32_t len;
    } ring[RING];
};

struct vhost {
    int sock;
    int memfd;
    int spin;
    unsigned char *mem;
    int kick[QUEUES];
    int call[QUEUES];
    struct desc *desc; /* of the request queue */
    struct avail *avail;
    struct used *used;
    uint16_t added;
    uint16_t seen;
};

_Static_assert(sizeof(struct desc) * RING + sizeof(struct avail) <= RING_BYTES / 2, "ring");
_Static_assert(sizeof(struct used) <= RING_BYTES / 2, "ring");

/* --- messages --- */

enum {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
};

#define FEATURE_VERSION_1 (1ull << 32)
#define FEATURE_PROTOCOL (1ull << 30)

struct message {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
    union {
        uint64_t number;
        struct {
            uint32_t index;
            uint32_t value;
        } state;
        struct {
            uint32_t index;
            uint32_t flags;
            uint64_t desc;
            uint64_t used;
            uint64_t avail;
            uint64_t log;
        } addr;
        struct {
            uint32_t regions;
            uint32_t pad;
            uint64_t guest;
            uint64_t size;
            uint64_t user;
            uint64_t offset;
        } memory;
    };
} __attribute__((packed));

enum { HEAD = 12 };

static int say(struct vhost *v, struct message *m, uint32_t request, size_t size, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {m, HEAD + size};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

    m->request = request;
    m->flags = 1;
    m->size = (uint32_t)size;
    if (fd >= 0) {
        struct cmsghdr *c;
        mh.msg_control = control.bytes;
        mh.msg_controllen = sizeof(control.bytes);
        c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    return sendmsg(v->sock, &mh, MSG_NOSIGNAL) == (ssize_t)(HEAD + size) ? 0 : -EPIPE;
}

static int say_number(struct vhost *v, uint32_t request, uint64_t number, int fd)
{
    struct message m = {.number = number};

    return say(v, &m, request, sizeof(m.number), fd);
}

static int say_state(struct vhost *v, uint32_t request, uint32_t index, uint32_t value)
{
    struct message m = {.state = {index, value}};

    return say(v, &m, request, sizeof(m.state), -1);
}

static int features(struct vhost *v)
{
    const uint64_t want = FEATURE_VERSION_1 | FEATURE_PROTOCOL;
    struct message m = {0};

    if (say(v, &m, SET_OWNER, 0, -1) != 0 || say(v, &m, GET_FEATURES, 0, -1) != 0 ||
        bench_receive(v->sock, &m, HEAD + sizeof(m.number)) != 0)
        return -EPIPE;
    if ((m.number & want) != want)
        return -EPROTO;
    return say_number(v, SET_PROTOCOL_FEATURES, 0, -1) != 0 ||
                   say_number(v, SET_FEATURES, want, -1) != 0
               ? -EPIPE
               : 0;
}

static uint64_t user(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static int start_queue(struct vhost *v, uint32_t q)
{
    unsigned char *at = v->mem + (size_t)q * RING_BYTES;
    struct message m = {
        .addr = {.index = q,
                 .desc = user(at),
                 .avail = user(at + sizeof(struct desc) * RING),
                 .used = user(at + RING_BYTES / 2)},
    };

    v->desc = (void *)at;
    v->avail = (void *)(at + sizeof(struct desc) * RING);
    v->used = (void *)(at + RING_BYTES / 2);
    v->kick[q] = eventfd(0, EFD_CLOEXEC);
    v->call[q] = eventfd(0, EFD_CLOEXEC);
    if (v->kick[q] < 0 || v->call[q] < 0)
        return -errno;
    if (v->spin)
        v->avail->flags = NO_INTERRUPT;
    if (say_state(v, SET_VRING_NUM, q, RING) != 0 || say_state(v, SET_VRING_BASE, q, 0) != 0 ||
        say(v, &m, SET_VRING_ADDR, sizeof(m.addr), -1) != 0 ||
        say_number(v, SET_VRING_CALL, q, v->call[q]) != 0 ||
        say_number(v, SET_VRING_KICK, q, v->kick[q]) != 0)
        return -EPIPE;
    return say_state(v, SET_VRING_ENABLE, q, 1);
}

static int set_up(struct vhost *v)
{
    struct message m = {.memory = {.regions = 1, .guest = GUEST, .size = MEMORY}};
    int err = features(v);

    if (err != 0)
        return err;
    v->memfd = memfd_create("bench-vhost", MFD_CLOEXEC);
    if (v->memfd < 0 || ftruncate(v->memfd, MEMORY) != 0)
        return -errno;
    v->mem = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, v->memfd, 0);
    if (v->mem == MAP_FAILED)
        return -errno;
    memset(v->mem, 0, MEMORY); /* all of it is there before anything is timed */
    m.memory.user = user(v->mem);
    if (say(v, &m, SET_MEM_TABLE, sizeof(m.memory), v->memfd) != 0)
        return -EPIPE;
    for (uint32_t q = 0; q < QUEUES && err == 0; q++)
        err = start_queue(v, q);
    return err;
}

struct vhost *vhost_open(int sock, int spin)
{
    struct vhost *v = bench_alloc(sizeof(*v));
    int err;

    v->sock = sock;
    v->spin = spin;
    v->memfd = -1;
    for (int q = 0; q < QUEUES; q++)
        v->kick[q] = v->call[q] = -1;
    err = set_up(v);
    if (err == 0)
        return v;
    vhost_close(v);
    errno = -err;
    return NULL;
}

void vhost_close(struct vhost *v)
{
    for (int q = 0; q < QUEUES; q++) {
        close(v->kick[q]);
        close(v->call[q]);
    }
    close(v->sock);
    if (v->mem != NULL && v->mem != MAP_FAILED)
        munmap(v->mem, MEMORY);
    close(v->memfd);
    free(v);
}

/* --- requests --- */

unsigned char *vhost_out(struct vhost *v, unsigned slot)
{
    return v->mem + SLOTS_AT + (size_t)slot * SLOT_BYTES;
}

unsigned char *vhost_in(struct vhost *v, unsigned slot)
{
    return vhost_out(v, slot) + IN_AT;
}

unsigned char *vhost_data(struct vhost *v, unsigned slot)
{
    return slot == 0 ? v->mem + BIG_AT : vhost_out(v, slot) + DATA_AT;
}

/* Descriptor @n of a chain, unless it is empty. Return: the next */
static unsigned chain(struct vhost *v, unsigned n, const unsigned char *at, size_t len, int write)
{
    if (len == 0)
        return n;
    v->desc[n] = (struct desc){
        .addr = GUEST + (uint64_t)(at - v->mem),
        .len = (uint32_t)len,
        .flags = (uint16_t)(DESC_NEXT | (write ? DESC_WRITE : 0)),
        .next = (uint16_t)(n + 1),
    };
    return n + 1;
}

void vhost_put(struct vhost *v, const struct vhost_request *rq)
{
    unsigned first = rq->slot * DESCS;
    const unsigned char *out = vhost_out(v, rq->slot);
    unsigned n = chain(v, first, out, rq->out_head, 0);

    n = chain(v, n, out + rq->out_head, rq->out, 0);
    n = chain(v, n, vhost_data(v, rq->slot), rq->out_data, 0);
    n = chain(v, n, vhost_in(v, rq->slot), rq->in, 1);
    n = chain(v, n, vhost_data(v, rq->slot), rq->in_data, 1);
    v->desc[n - 1].flags &= (uint16_t)~DESC_NEXT;
    v->avail->ring[v->added % RING] = (uint16_t)first;
    v->added++;
    v->avail->idx = v->added;
}

void vhost_kick(struct vhost *v)
{
    const uint64_t one = 1;

    if ((v->used->flags & NO_NOTIFY) == 0 &&
        write(v->kick[QUEUES - 1], &one, sizeof(one)) != sizeof(one))
        bench_die("virtiofsd: cannot be kicked");
}

static int sleep_for_call(struct vhost *v)
{
    struct pollfd ready = {.fd = v->call[QUEUES - 1], .events = POLLIN};
    uint64_t count;

    if (poll(&ready, 1, WAIT_MS) != 1)
        return -EPIPE;
    return read(ready.fd, &count, sizeof(count)) == sizeof(count) ? 0 : -EIO;
}

int vhost_take(struct vhost *v)
{
    unsigned rounds = 0;

    while (v->used->idx == v->seen) {
        if (!v->spin) {
            if (sleep_for_call(v) != 0)
                return -EPIPE;
        } else if (++rounds == 1u << 31) {
            return -EPIPE;
        } else {
            bench_relax();
        }
    }
    return (int)(v->used->ring[v->seen++ % RING].id / DESCS);
}
