/* SPDX-License-Identifier: MIT */
/* The supervisor's part: it finds peers and says who they are, and reads nothing that they send. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fsif/host.h>

#include "internal.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define BACKLOG 128

struct fsif_listener {
    int sock;
    uint32_t overflow_uid;
    uint32_t overflow_gid;
    struct fsif_socket_file file;
};

struct fsif_peer {
    int sock;
    struct fsif_credentials who;
};

/* The id that the kernel shows for one that has no meaning in our user namespace. */
static uint32_t overflow_id(const char *path)
{
    char text[16];
    ssize_t n = -1;
    uint32_t id = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    if (n <= 0)
        return 65534;
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        id = id * 10 + (uint32_t)(text[i] - '0');
    return id;
}

int fsi_shm_listen(const char *address, struct fsif_listener **out)
{
    struct fsif_listener *l;
    struct sockaddr_un a;
    int ret = fsif_socket_address(address, &a);

    if (ret)
        return ret;
    l = calloc(1, sizeof(*l));
    if (!l)
        return -FSIF_ENOMEM;
    l->overflow_uid = overflow_id("/proc/sys/kernel/overflowuid");
    l->overflow_gid = overflow_id("/proc/sys/kernel/overflowgid");
    l->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->sock < 0) {
        ret = fsi_shm_last_error();
        free(l);
        return ret;
    }
    /* Everybody may connect: who may use an export is decided by credentials. */
    ret = fsif_socket_bind(&l->file, address, l->sock, 0666);
    if (ret) {
        close(l->sock);
        free(l);
        return ret;
    }
    if (listen(l->sock, BACKLOG) != 0) {
        ret = fsi_shm_last_error();
        fsi_shm_listener_close(l);
        return ret;
    }
    *out = l;
    return 0;
}

int fsi_shm_listener_fd(struct fsif_listener *l)
{
    return l->sock;
}

/* The kernel copies all groups or none, so a peer with many of them needs a second call. */
static int peer_groups(const struct fsif_listener *l, int sock, struct fsif_credentials *who)
{
    gid_t few[FSIF_CREDENTIAL_GROUPS];
    gid_t *groups = few, *many = NULL;
    socklen_t len = sizeof(few);
    int ret = getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, few, &len);

    if (ret != 0 && errno == ERANGE) {
        many = malloc(len);
        if (!many)
            return -FSIF_ENOMEM;
        groups = many;
        ret = getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, many, &len);
    }
    if (ret != 0) {
        ret = fsi_shm_last_error();
        goto out;
    }
    for (size_t i = 0; i < len / sizeof(gid_t) && who->ngroups < FSIF_CREDENTIAL_GROUPS; i++) {
        if (groups[i] != l->overflow_gid)
            who->groups[who->ngroups++] = groups[i];
    }
out:
    free(many);
    return ret;
}

static int identify(const struct fsif_listener *l, int sock, struct fsif_credentials *who)
{
    struct ucred c;
    socklen_t len = sizeof(c);

    memset(who, 0, sizeof(*who));
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &c, &len) != 0)
        return fsi_shm_last_error();
    who->kind = FSIF_CREDENTIAL_USER;
    who->uid = c.uid == l->overflow_uid ? FSIF_CREDENTIAL_UNKNOWN : c.uid;
    who->gid = c.gid == l->overflow_gid ? FSIF_CREDENTIAL_UNKNOWN : c.gid;
    who->pid = c.pid;
    return peer_groups(l, sock, who);
}

/* Whoever hung up while it waited costs the caller nothing. */
static int has_hung_up(int sock)
{
    struct pollfd p = {.fd = sock};

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static int accept_live(const struct fsif_listener *l)
{
    for (int i = 0; i < BACKLOG; i++) {
        int sock = accept4(l->sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (sock < 0 && errno == EINTR)
            continue;
        if (sock < 0)
            return errno == ECONNABORTED ? -FSIF_EAGAIN : fsi_shm_last_error();
        if (!has_hung_up(sock))
            return sock;
        close(sock);
    }
    return -FSIF_EAGAIN;
}

int fsi_shm_accept(struct fsif_listener *l, struct fsif_peer **out)
{
    struct fsif_peer *p;
    int sock = accept_live(l);
    int ret;

    if (sock < 0)
        return sock;
    p = calloc(1, sizeof(*p));
    ret = p ? identify(l, sock, &p->who) : -FSIF_ENOMEM;
    if (ret) {
        close(sock);
        free(p);
        return ret;
    }
    p->sock = sock;
    *out = p;
    return 0;
}

int fsi_shm_peer_credentials(struct fsif_peer *p, struct fsif_credentials *out)
{
    *out = p->who;
    return 0;
}

int fsi_shm_peer_export(struct fsif_peer *p, int *fds, size_t *nfds, void *blob, size_t *len)
{
    const struct shm_blob b = {.magic = SHM_BLOB_MAGIC, .version = SHM_BLOB_VERSION};

    if (*nfds < 1 || *len < sizeof(b))
        return -FSIF_EINVAL;
    fds[0] = p->sock;
    *nfds = 1;
    memcpy(blob, &b, sizeof(b));
    *len = sizeof(b);
    return 0;
}

void fsi_shm_peer_close(struct fsif_peer *p)
{
    close(p->sock);
    free(p);
}

void fsi_shm_listener_close(struct fsif_listener *l)
{
    fsif_socket_remove(&l->file);
    close(l->sock);
    free(l);
}
