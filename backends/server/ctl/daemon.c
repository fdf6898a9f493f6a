/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer than a daemon needs for anything but a directory of a dead server. */
#define TIMEOUT_S 30

static int cannot_connect(const struct ctl *ctl, int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        ctl_say("no daemon listens at %s: start fsif-backend, or name its control socket with "
                "--control",
                ctl->control);
        break;
    case EACCES:
    case EPERM:
        ctl_say("%s is for root and the daemon's own user only", ctl->control);
        break;
    case EAGAIN:
        ctl_say("the daemon at %s does not answer", ctl->control);
        break;
    default:
        ctl_say("%s: %s", ctl->control, strerror(error));
    }
    return -fsif_errno_from_host(error);
}

static int open_socket(struct ctl *ctl)
{
    const struct timeval limit = {.tv_sec = TIMEOUT_S};
    struct sockaddr_un a;
    int rc = fsif_socket_address(ctl->control, &a);

    if (rc) {
        ctl_say("'%s' cannot be the path of a socket: %s", ctl->control, fsif_strerror(rc));
        return rc;
    }
    ctl->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (ctl->sock < 0)
        return cannot_connect(ctl, errno);
    (void)setsockopt(ctl->sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    (void)setsockopt(ctl->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    do {
        rc = connect(ctl->sock, (const struct sockaddr *)&a, sizeof(a));
    } while (rc && errno == EINTR);
    if (rc) {
        rc = cannot_connect(ctl, errno);
        ctl_close(ctl);
    }
    return rc;
}

void ctl_close(struct ctl *ctl)
{
    if (ctl->sock >= 0)
        close(ctl->sock);
    ctl->sock = -1;
}

static int lost(struct ctl *ctl, ssize_t n)
{
    if (n < 0 && errno == EAGAIN)
        ctl_say("the daemon at %s did not answer in %d s", ctl->control, TIMEOUT_S);
    else
        ctl_say("the daemon at %s hung up: it stopped, or others want it too; try again",
                ctl->control);
    ctl_close(ctl);
    return -FSIF_EPIPE;
}

static int exchange(struct ctl *ctl, const struct fsif_dict *request, struct fsif_dict *answer)
{
    char bytes[FSIF_DICT_MAX];
    ssize_t n;

    do {
        n = send(ctl->sock, request->text, request->used, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return lost(ctl, n);
    do {
        n = recv(ctl->sock, bytes, sizeof(bytes), MSG_TRUNC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return lost(ctl, n);
    if ((size_t)n <= sizeof(bytes) && !fsif_dict_parse(answer, bytes, (size_t)n))
        return 0;
    ctl_say("what listens at %s is no daemon of ours", ctl->control);
    return -FSIF_EPROTO;
}

int ctl_try(struct ctl *ctl, const struct fsif_dict *request, struct fsif_dict *answer,
            int expected)
{
    char text[FSIF_DICT_VALUE_MAX + 1];
    uint32_t version;
    uint32_t status;
    int rc = ctl->sock < 0 ? open_socket(ctl) : 0;

    if (!rc)
        rc = exchange(ctl, request, answer);
    if (rc)
        return rc;
    if (fsif_dict_get_u32(answer, "control", 0, UINT32_MAX, &version) ||
        fsif_dict_get_u32(answer, "status", 0, FSIF_MAX_ERRNO, &status)) {
        ctl_say("what listens at %s is no daemon of ours", ctl->control);
        return -FSIF_EPROTO;
    }
    if (status && (int)status != expected)
        ctl_say("%s",
                *ctl_text(answer, "text", text, sizeof(text)) ? text : fsif_strerror((int)status));
    return -(int)status;
}

int ctl_ask(struct ctl *ctl, const struct fsif_dict *request, struct fsif_dict *answer)
{
    return ctl_try(ctl, request, answer, 0);
}

void ctl_begin(struct fsif_dict *request, const char *word, const char *export_name)
{
    (void)fsi_admin_request(request, word);
    if (export_name)
        fsi_admin_put(request, "export", export_name);
}

const char *ctl_text(const struct fsif_dict *d, const char *key, char *buf, size_t size)
{
    if (fsif_dict_get(d, key, buf, size) < 0)
        buf[0] = '\0';
    return buf;
}

uint32_t ctl_number(const struct fsif_dict *d, const char *key)
{
    uint32_t v = 0;

    (void)fsif_dict_get_u32(d, key, 0, UINT32_MAX, &v);
    return v;
}

int ctl_add_sets(struct fsif_dict *request, char **operands, int count)
{
    char key[16];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "set-%d", i);
        if (!fsif_dict_put(request, key, operands[i]))
            continue;
        ctl_say("'%s' is too long, or holds bytes that are no plain text", operands[i]);
        return -1;
    }
    return 0;
}
