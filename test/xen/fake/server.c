/* SPDX-License-Identifier: MIT */
/*
 * The host of domains as a process: fake-xen SOCKET [create DOMID] [attach DOMID NUMBER NAME rw|ro]
 * [destroy DOMID] ... Commands may also come as lines of its standard input, each answered with
 * "ok". SIGTERM ends it. Programs whose libraries find SOCKET in FSIF_FAKE_XEN are in the
 * domain that FSIF_FAKE_XEN_DOMAIN says; what they held goes back when they close it or die.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake.h"
#include "host.h"

#define CLIENTS_MAX 1024

static struct pollfd fds[CLIENTS_MAX + 2]; /* standard input, the socket, clients */
static struct connection *clients[CLIENTS_MAX + 2];
static nfds_t used = 2;

static int reply(int sock, const struct fake_message *m, int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = FAKE_HEAD + m->len};
    struct msghdr told = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        memset(&control, 0, sizeof(control));
        told.msg_control = &control;
        told.msg_controllen = sizeof(control.space);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    }
    return sendmsg(sock, &told, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static void hang_up(nfds_t i)
{
    if (clients[i])
        host_close(clients[i]);
    close(fds[i].fd);
    used--;
    /* Those that came later stay behind: a process that died is heard of in the order in which it
     * opened its handles. */
    memmove(&fds[i], &fds[i + 1], (used - i) * sizeof(fds[0]));
    memmove(&clients[i], &clients[i + 1], (used - i) * sizeof(clients[0]));
}

/* Returns -1: it hung up. */
static int serve(nfds_t i)
{
    static struct fake_message m;
    ssize_t n = recv(fds[i].fd, &m, sizeof(m), 0);

    if (n < (ssize_t)FAKE_HEAD || (size_t)n != FAKE_HEAD + m.len)
        return -1;
    if (clients[i]) {
        host_call(clients[i], &m);
        return reply(fds[i].fd, &m, -1);
    }
    if (m.op != FAKE_HELLO)
        return -1;
    clients[i] = host_open((enum fake_kind)m.number[0], m.number[1], 0);
    answer(&m, 0, clients[i] ? 0 : errno);
    return reply(fds[i].fd, &m, clients[i] ? host_fd(clients[i]) : -1);
}

static void take_client(int sock)
{
    int fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (used == CLIENTS_MAX + 2) {
        close(fd);
        return;
    }
    clients[used] = NULL;
    fds[used++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* Returns how many words were taken; 0: none of these. */
static int command(char *const *word, int n)
{
    if (n >= 2 && strcmp(word[0], "create") == 0) {
        fake_create((uint32_t)atoi(word[1]));
        return 2;
    }
    if (n >= 2 && strcmp(word[0], "destroy") == 0) {
        fake_destroy((uint32_t)atoi(word[1]));
        return 2;
    }
    if (n >= 5 && strcmp(word[0], "attach") == 0) {
        fake_attach(0, (uint32_t)atoi(word[1]), (uint32_t)atoi(word[2]), word[3],
                    strcmp(word[4], "ro") == 0);
        return 5;
    }
    if (n >= 3 && strcmp(word[0], "detach") == 0) {
        fake_detach(0, (uint32_t)atoi(word[1]), (uint32_t)atoi(word[2]));
        return 3;
    }
    if (n >= 1 && strcmp(word[0], "dump") == 0) {
        char *text = fake_dump();

        fputs(text, stdout);
        free(text);
        return 1;
    }
    return 0;
}

static void print_counts(void)
{
    struct fake_counts c;

    fake_count(&c);
    printf("handles %u nodes %u watches %u transactions %u events %u grants %u maps %u ports %u\n",
           c.handles, c.nodes, c.watches, c.transactions, c.events, c.grants, c.maps, c.ports);
}

static void take_line(void)
{
    static char line[1024];
    char *words[8], *next = line;
    int n = 0;

    if (!fgets(line, sizeof(line), stdin)) {
        fds[0].fd = -1;
        return;
    }
    line[strcspn(line, "\n")] = '\0';
    while (n < 8 && (words[n] = strsep(&next, " ")) != NULL)
        n++;
    if (strcmp(words[0], "counts") == 0)
        print_counts();
    else if (command(words, n) != n)
        printf("what?\n");
    printf("ok\n");
    fflush(stdout);
}

static void on_term(int number)
{
    (void)number;
    _exit(0);
}

static int listen_at(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    if (sock < 0 || bind(sock, (const struct sockaddr *)&a, sizeof(a)) || listen(sock, 64)) {
        perror(path);
        return -1;
    }
    return sock;
}

int main(int argc, char **argv)
{
    int i = 2, n = 1;

    if (argc < 2) {
        fprintf(stderr, "usage: fake-xen SOCKET [COMMAND...]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    fake_reset();
    while (i < argc && (n = command(argv + i, argc - i)) > 0)
        i += n;
    fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = listen_at(argv[1]), .events = POLLIN};
    if (n == 0 || fds[1].fd < 0)
        return 2;
    /* As daemons say it. */
    fprintf(stderr, "event=listening\n");
    setvbuf(stdin, NULL, _IONBF, 0);
    for (;;) {
        if (poll(fds, used, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].revents)
            take_line();
        for (nfds_t k = 2; k < used; k++) {
            if (fds[k].revents && serve(k) < 0) {
                hang_up(k);
                k--;
            }
        }
        if (fds[1].revents)
            take_client(fds[1].fd);
    }
    perror("poll");
    return 1;
}
