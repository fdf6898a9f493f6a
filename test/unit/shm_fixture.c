/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fsif/host.h>
#include <fsif/shm.h>
#include "shm_fixture.h"

const struct fsif_transport *const t = &fsif_transport_shm;
char dir[256], address[512];
struct fsif_listener *listener;
struct fsif_session *front, *back;
unsigned char *mem;
uint32_t grefs[PAGES];
static int fds_before;

static struct fsif_session *shm_import(struct fsif_peer *p)
{
    int fds[FSIF_EXPORT_FDS], copies[1];
    char blob[FSIF_EXPORT_BLOB];
    size_t nfds = FSIF_EXPORT_FDS, len = sizeof(blob);
    struct fsif_session *s = NULL;

    ck_assert_int_eq(t->peer_export(p, fds, &nfds, blob, &len), 0);
    ck_assert_uint_eq(nfds, 1);
    copies[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    t->peer_close(p);
    ck_assert_int_eq(t->session_import(copies, nfds, blob, len, &s), 0);
    return s;
}

/* A connection whose frontend end is a plain socket, for packets that our own would never send. */
struct fsif_session *shm_raw_backend(int *sock)
{
    char blob[FSIF_EXPORT_BLOB];
    int fds[FSIF_EXPORT_FDS];
    size_t nfds = FSIF_EXPORT_FDS, len = sizeof(blob);
    struct fsif_session *s = NULL;
    struct fsif_session *client;
    struct fsif_peer *p;
    int pair[2];

    /* Only peer_export knows the blob, so one real peer must lend it. */
    ck_assert_int_eq(t->connect(address, 1000, &client), 0);
    ck_assert_int_eq(t->accept(listener, &p), 0);
    ck_assert_int_eq(t->peer_export(p, fds, &nfds, blob, &len), 0);
    t->peer_close(p);
    t->close(client);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(t->session_import(&pair[1], 1, blob, len, &s), 0);
    *sock = pair[0];
    return s;
}

void shm_connect(uint32_t pages, uint32_t *numbers, unsigned char **at)
{
    struct fsif_peer *p;
    void *m;

    ck_assert_int_eq(t->connect(address, 1000, &front), 0);
    ck_assert_int_eq(fsif_wait_fd(t->listener_fd(listener), POLLIN, 1000), POLLIN);
    ck_assert_int_eq(t->accept(listener, &p), 0);
    back = shm_import(p);
    ck_assert_int_eq(t->share(front, pages, &m, numbers), 0);
    *at = m;
}

void shm_setup(void)
{
    struct fsif_peer *p;

    scratch_make(dir, sizeof(dir));
    scratch_path(address, sizeof(address), dir, "sock");
    fds_before = count_fds();
    ck_assert_int_eq(t->listen(address, &listener), 0);
    ck_assert_int_eq(t->accept(listener, &p), -FSIF_EAGAIN);
    shm_connect(PAGES, grefs, &mem);
}

void shm_teardown(void)
{
    t->close(front);
    t->close(back);
    t->listener_close(listener);
    ck_assert_int_eq(count_fds(), fds_before);
    ck_assert_int_ne(access(address, F_OK), 0);
    scratch_remove(dir);
}

void shm_offer_of(struct fsif_dict *d, const char *request, uint32_t pages)
{
    fsif_dict_init(d);
    fsif_dict_put_u32(d, "fsif", 1);
    fsif_dict_put(d, "request", request);
    fsif_dict_put_u32(d, "pages", pages);
}
