/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000

_Static_assert(sizeof(struct raw_ring) == 64 + RAW_SLOTS * 32, "layout");

void raw_die(const char *why)
{
    fprintf(stderr, "attacker: %s: %s\n", why, strerror(errno));
    exit(3);
}

volatile struct raw_ring *raw_ring(const struct raw *r)
{
    return (volatile struct raw_ring *)r->mem;
}

volatile uint8_t *raw_page(const struct raw *r, uint32_t gref)
{
    return r->mem + (size_t)gref * RAW_PAGE;
}

uint64_t raw_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void raw_put16(void *at, uint16_t v)
{
    memcpy(at, &v, sizeof(v));
}

void raw_put32(void *at, uint32_t v)
{
    memcpy(at, &v, sizeof(v));
}

void raw_put64(void *at, uint64_t v)
{
    memcpy(at, &v, sizeof(v));
}

/* --- packets: a text and some descriptors ---------------------------------------------------- */

static void send_packet(int sock, const char *text, const int *fds, size_t nfds)
{
    char control[CMSG_SPACE(2 * sizeof(int))];
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (nfds > 0) {
        struct cmsghdr *c;

        memset(control, 0, sizeof(control));
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
    }
    if (sendmsg(sock, &m, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        raw_die("sendmsg");
}

/* Returns the length, 0 at the end; descriptors that did not come are -1. */
static ssize_t receive_packet(int sock, char *text, size_t size, int fds[2])
{
    char control[CMSG_SPACE(2 * sizeof(int))];
    struct iovec iov = {text, size - 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *c;
    ssize_t n;

    fds[0] = fds[1] = -1;
    n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno != ECONNRESET)
        raw_die("recvmsg");
    n = n < 0 ? 0 : n;
    text[n] = '\0';
    c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return n;
}

static void map(struct raw *r, int memfd)
{
    r->mem = mmap(NULL, (size_t)r->pages * RAW_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (r->mem == MAP_FAILED)
        raw_die("mmap");
}

static void address(struct sockaddr_un *a, const char *path)
{
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    snprintf(a->sun_path, sizeof(a->sun_path), "%s", path);
}

static int make_socket(void)
{
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (sock < 0)
        raw_die("socket");
    return sock;
}

void raw_ring_bell(const struct raw *r)
{
    const uint64_t one = 1;

    if (write(r->bell_out, &one, sizeof(one)) < 0 && errno != EAGAIN)
        raw_die("bell");
}

int raw_wait_bell(const struct raw *r)
{
    struct pollfd p[2] = {{.fd = r->bell_in, .events = POLLIN}, {.fd = r->sock, .events = POLLIN}};
    uint64_t count;

    if (poll(p, 2, PATIENCE_MS) <= 0)
        return -1;
    if (p[0].revents && read(r->bell_in, &count, sizeof(count)) < 0 && errno != EAGAIN)
        raw_die("bell");
    return p[0].revents || !p[1].revents;
}

void raw_close(struct raw *r)
{
    munmap((void *)(uintptr_t)r->mem, (size_t)r->pages * RAW_PAGE);
    close(r->bell_in);
    close(r->bell_out);
    close(r->sock);
    free(r->three.refs);
}

/* --- as a frontend ---------------------------------------------------------------------------- */

static int make_memory(struct raw *r)
{
    int fd = memfd_create("attacker", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)r->pages * RAW_PAGE) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        raw_die("memfd");
    map(r, fd);
    raw_ring(r)->req_event = raw_ring(r)->rsp_event = 1;
    return fd;
}

int raw_prepare(struct raw *r, const char *path, uint32_t pages)
{
    struct sockaddr_un a;

    memset(r, 0, sizeof(*r));
    r->pages = pages;
    address(&a, path);
    r->sock = make_socket();
    if (connect(r->sock, (struct sockaddr *)&a, sizeof(a)) < 0)
        raw_die("connect");
    return make_memory(r);
}

int raw_offer(struct raw *r, int memfd, const char *offer)
{
    char text[RAW_PACKET];
    char *status;
    int fds[2];

    send_packet(r->sock, offer, &memfd, 1);
    close(memfd);
    if (receive_packet(r->sock, text, sizeof(text), fds) == 0)
        return -1;
    r->bell_out = fds[0];
    r->bell_in = fds[1];
    status = strstr(text, "status=");
    return status ? atoi(status + 7) : -1;
}

int raw_connect(struct raw *r, const char *path, const char *export_name, uint32_t pages)
{
    char text[RAW_PACKET];
    int memfd = raw_prepare(r, path, pages);

    raw_ring(r)->req_event = raw_ring(r)->rsp_event = 1;
    snprintf(text, sizeof(text),
             "fsif=1\nrequest=session\nexport=%s\ndialects=1\nfeatures=errno\npages=%u\n"
             "ring-pages=1\nring-ref=0\n",
             export_name, pages);
    return raw_offer(r, memfd, text);
}

void raw_send(struct raw *r, const void *slot)
{
    volatile struct raw_ring *ring = raw_ring(r);
    volatile uint64_t *to = (volatile uint64_t *)ring->slots[r->prod % RAW_SLOTS];
    uint64_t words[4];

    /* By whole words: a flipper is at work on one of them, and bytes would mix with its values. */
    memcpy(words, slot, sizeof(words));
    for (unsigned i = 0; i < 4; i++)
        to[i] = words[i];
    __atomic_store_n(&ring->req_prod, ++r->prod, __ATOMIC_SEQ_CST);
    if (r->prod - __atomic_load_n(&ring->req_event, __ATOMIC_SEQ_CST) < 1)
        raw_ring_bell(r);
}

int raw_wait(struct raw *r, uint16_t *id, int64_t *ret)
{
    volatile struct raw_ring *ring = raw_ring(r);
    volatile uint8_t *slot;

    while (__atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) == r->cons) {
        __atomic_store_n(&ring->rsp_event, r->cons + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&ring->rsp_prod, __ATOMIC_SEQ_CST) != r->cons)
            break;
        if (raw_wait_bell(r) <= 0)
            return -1;
    }
    slot = ring->slots[r->cons++ % RAW_SLOTS];
    *id = *(volatile uint16_t *)slot;
    *ret = *(volatile int64_t *)(slot + 8);
    return 0;
}

/* --- as a backend ----------------------------------------------------------------------------- */

int raw_listen(const char *path)
{
    struct sockaddr_un a;
    int sock = make_socket();

    address(&a, path);
    unlink(path);
    if (bind(sock, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(sock, 64) < 0)
        raw_die("listen");
    return sock;
}

void raw_hear(struct raw *r, int listener, char text[RAW_PACKET])
{
    struct stat st;
    int fds[2];

    for (;;) {
        memset(r, 0, sizeof(*r));
        r->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (r->sock < 0)
            raw_die("accept");
        if (receive_packet(r->sock, text, RAW_PACKET, fds) > 0 && fds[0] >= 0)
            break;
        close(r->sock);
    }
    if (fstat(fds[0], &st) < 0)
        raw_die("fstat");
    r->pages = (uint32_t)((uint64_t)st.st_size / RAW_PAGE);
    map(r, fds[0]);
    close(fds[0]);
}

void raw_reply(struct raw *r, const char *answer)
{
    int bells[2];

    bells[0] = r->bell_in = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bells[1] = r->bell_out = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    send_packet(r->sock, answer, bells, 2);
}

void raw_accept(struct raw *r, int listener, const char *features)
{
    char text[RAW_PACKET];

    raw_hear(r, listener, text);
    snprintf(text, sizeof(text), "status=0\ndialect=1\nfeatures=%s\nread-only=0\n", features);
    raw_reply(r, text);
}

int raw_take(struct raw *r, uint8_t slot[32])
{
    volatile struct raw_ring *ring = raw_ring(r);
    volatile uint8_t *from;

    while (__atomic_load_n(&ring->req_prod, __ATOMIC_ACQUIRE) == r->cons) {
        __atomic_store_n(&ring->req_event, r->cons + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&ring->req_prod, __ATOMIC_SEQ_CST) != r->cons)
            break;
        if (raw_wait_bell(r) <= 0)
            return -1;
    }
    from = ring->slots[r->cons++ % RAW_SLOTS];
    for (unsigned i = 0; i < 32; i++)
        slot[i] = from[i];
    return 0;
}

volatile uint8_t *raw_answer_slot(const struct raw *r)
{
    return raw_ring(r)->slots[r->prod % RAW_SLOTS];
}

void raw_publish(struct raw *r)
{
    volatile struct raw_ring *ring = raw_ring(r);

    __atomic_store_n(&ring->rsp_prod, ++r->prod, __ATOMIC_SEQ_CST);
    if (r->prod - __atomic_load_n(&ring->rsp_event, __ATOMIC_SEQ_CST) < 1)
        raw_ring_bell(r);
}
