/* SPDX-License-Identifier: MIT */
/*
 * survivor: what is left for a replacement when a process that holds grant mappings and an event
 * channel is killed with SIGKILL, and another process has the same open files.
 *   survivor offer DOMID          in a guest: shares two pages with a notification each, prints
 *                                 "port N refs A B", and answers pings until it is told to end
 *   survivor try fork|scm|files DOMID PORT REF-A REF-B
 *                                 in dom0: the files reach the replacement through fork(), through
 *                                 SCM_RIGHTS, or through a table shared by clone(CLONE_FILES)
 * Findings are printed as "finding: WHAT: yes|no".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

/* Octets of the offered page A. */
enum { AT_ALIVE = 0, AT_ORDER = 1, AT_TEXT = 16 };
enum { ORDER_NONE = 0, ORDER_END = 1 };

static int offer(uint32_t domid)
{
    xengntshr_handle *shr = xengntshr_open(NULL, 0);
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    volatile unsigned char *a;
    uint32_t ref[2];
    int port;

    if (!shr || !evtchn)
        fatal("gntalloc or evtchn");
    port = xenevtchn_bind_unbound_port(evtchn, domid);
    if (port < 0)
        fatal("event channel");
    a = xengntshr_share_pages(shr, domid, 2, ref, 1);
    if (!a)
        fatal("grants");
    strcpy((char *)(uintptr_t)a + AT_TEXT, "shared");
    printf("port %d refs %u %u\n", port, ref[0], ref[1]);
    while (a[AT_ORDER] != ORDER_END) {
        if (!event_wait(evtchn, 60000))
            die("silence for a minute");
        if (a[AT_ORDER] != ORDER_END && xenevtchn_notify(evtchn, (evtchn_port_t)port))
            puts("the other side of the event channel is closed");
    }
    return 0;
}

/* What the worker and its replacement have in common. */
struct held {
    xengnttab_handle *tab;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    uint32_t domid;
    uint32_t ref[2];
};

static int ping(struct held *h)
{
    while (event_wait(h->evtchn, 0))
        continue;
    if (xenevtchn_notify(h->evtchn, h->port))
        return 0;
    return event_wait(h->evtchn, 3000);
}

static void *map_page(struct held *h, int which)
{
    return xengnttab_map_grant_ref(h->tab, h->domid, h->ref[which], PROT_READ | PROT_WRITE);
}

static int copy_page(struct held *h)
{
    static char text[16];
    xengnttab_grant_copy_segment_t segment = {
        .source.foreign = {.ref = h->ref[0], .offset = AT_TEXT, .domid = (domid_t)h->domid},
        .dest.virt = text,
        .len = sizeof(text),
        .flags = GNTCOPY_source_gref,
    };

    return xengnttab_grant_copy(h->tab, 1, &segment) == 0 && segment.status == GNTST_okay &&
           strcmp(text, "shared") == 0;
}

static void finding(const char *what, int yes)
{
    printf("finding: %s: %s\n", what, yes ? "yes" : "no");
}

/* The worker: maps and pings, says so, and waits to be killed. */
static int work(struct held *h, int tell)
{
    volatile unsigned char *a = xengnttab_map_grant_ref_notify(
        h->tab, h->domid, h->ref[0], PROT_READ | PROT_WRITE, AT_ALIVE, h->port);

    if (!a)
        fatal("the worker's mapping");
    a[AT_ALIVE] = 1;
    if (!ping(h))
        die("the worker gets no answer");
    if (write(tell, "w", 1) != 1)
        fatal("pipe");
    for (;;)
        pause();
}

/* Tell the other side to end, over a mapping of its own. */
static void end_offer(struct held *h)
{
    volatile unsigned char *a;

    h->tab = xengnttab_open(NULL, 0);
    a = h->tab ? map_page(h, 0) : NULL;
    if (!a)
        fatal("a newly opened gntdev does not map");
    a[AT_ORDER] = ORDER_END;
    xenevtchn_notify(h->evtchn, h->port);
}

static void replace(struct held *h)
{
    volatile unsigned char *a;
    void *b;

    /* Unmapping rings the channel and clears the byte, if the kernel noticed. */
    finding("an event from the dead one's unmap-notify came", event_wait(h->evtchn, 1000));
    finding("the event channel is bound still", ping(h));
    finding("grant copy works", copy_page(h));
    a = map_page(h, 0);
    finding("the same grant can be mapped again", a != NULL);
    if (a) {
        finding("its byte was cleared by unmap-notify", a[AT_ALIVE] == 0);
        finding("what it shows is the shared page",
                strcmp((const char *)(uintptr_t)a + AT_TEXT, "shared") == 0);
    }
    b = map_page(h, 1);
    finding("another grant can be mapped", b != NULL);
    if (a)
        xengnttab_unmap(h->tab, (void *)(uintptr_t)a, 1);
    if (b)
        xengnttab_unmap(h->tab, b, 1);
    while (event_wait(h->evtchn, 0))
        continue;
    /* The last that has the file open. */
    xengnttab_close(h->tab);
    finding("the event comes when the last holder closes gntdev", event_wait(h->evtchn, 1500));
    end_offer(h);
}

static void open_held(struct held *h, evtchn_port_t remote)
{
    int port;

    h->tab = xengnttab_open(NULL, 0);
    h->evtchn = xenevtchn_open(NULL, 0);
    if (!h->tab || !h->evtchn)
        fatal("gntdev or evtchn");
    port = xenevtchn_bind_interdomain(h->evtchn, h->domid, remote);
    if (port < 0)
        fatal("event channel");
    h->port = (evtchn_port_t)port;
}

static void kill_and_wait(pid_t pid, int told)
{
    char c;

    if (read(told, &c, 1) != 1)
        die("the worker failed");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
}

/* The files are opened before the fork and shared, or in a common table. */
static void try_fork(struct held *h, evtchn_port_t remote, int files)
{
    int told[2];
    long pid;

    open_held(h, remote);
    if (pipe(told))
        fatal("pipe");
    pid = files ? syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) : fork();
    if (pid < 0)
        fatal("fork");
    if (pid == 0)
        exit(work(h, told[1]));
    kill_and_wait((pid_t)pid, told[0]);
    replace(h);
}

static void send_fds(int sock, const int fds[2])
{
    char space[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec one = {.iov_base = (char[]){'f'}, .iov_len = 1};
    struct msghdr m = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
    if (sendmsg(sock, &m, MSG_NOSIGNAL) != 1)
        fatal("sendmsg");
}

static void receive_fds(int sock, int fds[2])
{
    char space[CMSG_SPACE(2 * sizeof(int))] = {0};
    char byte;
    struct iovec one = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};

    if (recvmsg(sock, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
        fatal("recvmsg");
    memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), 2 * sizeof(int));
}

/* The worker opens, and sends the files; the replacement puts them where its own handles' were. */
static void try_scm(struct held *h, evtchn_port_t remote)
{
    int pair[2];
    int told[2];
    int fds[2];
    pid_t pid;

    if (pipe(told) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
        fatal("pipe");
    pid = fork();
    if (pid < 0)
        fatal("fork");
    if (pid == 0) {
        open_held(h, remote);
        fds[0] = xengnttab_fd(h->tab);
        fds[1] = xenevtchn_fd(h->evtchn);
        send_fds(pair[1], fds);
        if (write(pair[1], &h->port, sizeof(h->port)) != sizeof(h->port))
            fatal("port");
        exit(work(h, told[1]));
    }
    receive_fds(pair[0], fds);
    if (read(pair[0], &h->port, sizeof(h->port)) != sizeof(h->port))
        fatal("port");
    kill_and_wait(pid, told[0]);
    h->tab = xengnttab_open(NULL, 0);
    h->evtchn = xenevtchn_open(NULL, 0);
    if (!h->tab || !h->evtchn || dup2(fds[0], xengnttab_fd(h->tab)) < 0 ||
        dup2(fds[1], xenevtchn_fd(h->evtchn)) < 0)
        fatal("handles");
    replace(h);
}

int main(int argc, char **argv)
{
    struct held h = {0};
    evtchn_port_t remote;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "offer") == 0)
        return offer((uint32_t)strtoul(argv[2], NULL, 10));
    if (argc != 7)
        die("usage: survivor offer DOMID | try fork|scm|files DOMID PORT REF-A REF-B");
    h.domid = (uint32_t)strtoul(argv[3], NULL, 10);
    remote = (evtchn_port_t)strtoul(argv[4], NULL, 10);
    h.ref[0] = (uint32_t)strtoul(argv[5], NULL, 10);
    h.ref[1] = (uint32_t)strtoul(argv[6], NULL, 10);
    printf("by %s:\n", argv[2]);
    if (strcmp(argv[2], "scm") == 0)
        try_scm(&h, remote);
    else
        try_fork(&h, remote, strcmp(argv[2], "files") == 0);
    return 0;
}
