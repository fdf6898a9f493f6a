/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "fake.h"
#include "host.h"

#define BYTES 4096u

static _Thread_local int64_t domain = -1;
static _Thread_local uint32_t process;
static atomic_uint calls, fail_at;
static atomic_int fail_error;
static _Atomic(const char *) failed;
static void (*before_commit)(void *arg);
static void *before_commit_arg;
static void (*after_commit)(void *arg);
static void *after_commit_arg;

void fake_be(uint32_t domid)
{
    domain = domid;
}

void fake_process(uint32_t number)
{
    process = number;
}

void fake_fail(uint32_t n, int error)
{
    atomic_store(&fail_at, 0);
    atomic_store(&calls, 0);
    atomic_store(&failed, NULL);
    atomic_store(&fail_error, error);
    atomic_store(&fail_at, n);
}

const char *fake_failed(void)
{
    return atomic_load(&failed);
}

int client_fault(const char *name)
{
    uint32_t at = atomic_load(&fail_at);

    if (!at || atomic_fetch_add(&calls, 1) + 1 != at)
        return 0;
    atomic_store(&failed, name);
    errno = atomic_load(&fail_error);
    return 1;
}

void fake_before_commit(void (*fn)(void *arg), void *arg)
{
    before_commit = fn;
    before_commit_arg = arg;
}

void client_before_commit(void)
{
    if (before_commit)
        before_commit(before_commit_arg);
}

void fake_after_commit(void (*fn)(void *arg), void *arg)
{
    after_commit = fn;
    after_commit_arg = arg;
}

void client_after_commit(void)
{
    if (after_commit)
        after_commit(after_commit_arg);
}

/* --- the socket --- */

static int exchange(struct handle *h, int *fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec out = {.iov_base = &h->m, .iov_len = FAKE_HEAD + h->m.len};
    struct iovec in = {.iov_base = &h->m, .iov_len = sizeof(h->m)};
    struct msghdr asked = {.msg_iov = &out, .msg_iovlen = 1};
    struct msghdr told = {.msg_iov = &in,
                          .msg_iovlen = 1,
                          .msg_control = &control,
                          .msg_controllen = sizeof(control)};
    ssize_t n;

    do {
        n = sendmsg(h->sock, &asked, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    do {
        n = recvmsg(h->sock, &told, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < (ssize_t)FAKE_HEAD) {
        errno = EIO;
        return -1;
    }
    if (fd && told.msg_controllen > 0)
        memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&told)), sizeof(*fd));
    errno = h->m.error;
    return h->m.result < 0 ? -1 : 0;
}

static int reach(struct handle *h, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    h->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (h->sock < 0 || connect(h->sock, (const struct sockaddr *)&a, sizeof(a)))
        return -1;
    memset(&h->m, 0, FAKE_HEAD);
    h->m.op = FAKE_HELLO;
    h->m.number[0] = h->kind;
    h->m.number[1] = (uint32_t)domain;
    if (exchange(h, &h->fd))
        return -1;
    return h->fd < 0 ? -1 : 0;
}

/* --- handles --- */

struct handle *client_open(enum fake_kind kind, const char *name)
{
    const char *path = getenv("FSIF_FAKE_XEN");
    const char *number = getenv("FSIF_FAKE_XEN_DOMAIN");
    struct handle *h;
    int error;

    if (client_fault(name))
        return NULL;
    if (domain < 0)
        domain = number ? atoi(number) : 0;
    h = malloc(sizeof(*h));
    memset(h, 0, offsetof(struct handle, m) + FAKE_HEAD);
    h->kind = kind;
    h->sock = h->fd = -1;
    pthread_mutex_init(&h->lock, NULL);
    if (path) {
        error = reach(h, path) ? errno : 0;
    } else {
        h->direct = host_open(kind, (uint32_t)domain, process);
        error = h->direct ? 0 : errno;
        h->fd = h->direct ? host_fd(h->direct) : -1;
    }
    if (error) {
        client_close(h);
        errno = error;
        return NULL;
    }
    return h;
}

void client_close(struct handle *h)
{
    while (h->mappings)
        client_unmap(h, h->mappings->at);
    if (h->direct)
        host_close(h->direct);
    else if (h->fd >= 0)
        close(h->fd);
    if (h->sock >= 0)
        close(h->sock);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

struct fake_message *client_begin(struct handle *h, enum fake_op op)
{
    pthread_mutex_lock(&h->lock);
    memset(&h->m, 0, FAKE_HEAD);
    h->m.op = op;
    return &h->m;
}

int client_call(struct handle *h)
{
    if (!h->direct)
        return exchange(h, NULL);
    host_call(h->direct, &h->m);
    if (h->m.result < 0)
        errno = h->m.error;
    return h->m.result < 0 ? -1 : 0;
}

void client_end(struct handle *h)
{
    pthread_mutex_unlock(&h->lock);
}

/* --- mappings --- */

void *client_map(struct handle *h, int writable)
{
    struct fake_page pages[FAKE_DATA / sizeof(struct fake_page)];
    uint32_t n = h->m.len / (uint32_t)sizeof(pages[0]);
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    struct mapping *mapping;
    char *at;

    memcpy(pages, h->m.data, h->m.len);
    at = mmap(NULL, (size_t)n * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (mmap(at + (size_t)i * BYTES, BYTES, prot, MAP_SHARED | MAP_FIXED, h->fd,
                 (off_t)pages[i].page * BYTES) == MAP_FAILED) {
            munmap(at, (size_t)n * BYTES);
            return NULL;
        }
    }
    mapping = malloc(sizeof(*mapping));
    *mapping =
        (struct mapping){.next = h->mappings, .at = at, .pages = n, .id = (uint32_t)h->m.result};
    h->mappings = mapping;
    return at;
}

uint32_t client_unmap(struct handle *h, void *at)
{
    struct mapping **link = &h->mappings;
    struct mapping *mapping;
    uint32_t id;

    while (*link && (*link)->at != at)
        link = &(*link)->next;
    mapping = *link;
    if (!mapping)
        return 0;
    *link = mapping->next;
    id = mapping->id;
    munmap(at, (size_t)mapping->pages * BYTES);
    free(mapping);
    return id;
}
