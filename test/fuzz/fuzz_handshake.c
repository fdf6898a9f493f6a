/* SPDX-License-Identifier: MIT */
/*
 * The handshake over shm, both sides: packets with any text and any kind of descriptor. Memory is
 * taken only if it is what the rules ask for, no descriptor leaks, nothing waits.
 */
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <fsif/shm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PAGES 4u
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* What a peer may pass. Only the first is memory as it has to be. */
enum kind {
    GOOD_MEMORY,
    NO_SEALS,
    NO_SEAL_SEAL,
    WRITE_SEALED,
    FUTURE_WRITE_SEALED,
    TOO_SHORT,
    TOO_LONG,
    FILE_OF_DISK,
    BELL,
    PIPE_END,
    NULL_DEVICE,
    FOLDER,
    SOCKET,
    KINDS,
};

static int kinds[KINDS];
static const struct fsif_transport *const shm = &fsif_transport_shm;
static int listener = -1;
static char folder[64], path[96];

static int memory(size_t size, int seals)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    MUST(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    MUST(!seals || fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static void clean_up(void)
{
    unlink(path);
    rmdir(folder);
}

static void set_up(void)
{
    const char *tmp = getenv("TMPDIR");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int ends[2];

    if (listener >= 0)
        return;
    kinds[GOOD_MEMORY] = memory(PAGES * FSIF_PAGE_SIZE, SEALS);
    kinds[NO_SEALS] = memory(PAGES * FSIF_PAGE_SIZE, 0);
    kinds[NO_SEAL_SEAL] = memory(PAGES * FSIF_PAGE_SIZE, F_SEAL_SHRINK | F_SEAL_GROW);
    kinds[WRITE_SEALED] = memory(PAGES * FSIF_PAGE_SIZE, SEALS | F_SEAL_WRITE);
    kinds[FUTURE_WRITE_SEALED] = memory(PAGES * FSIF_PAGE_SIZE, SEALS | F_SEAL_FUTURE_WRITE);
    kinds[TOO_SHORT] = memory(PAGES * FSIF_PAGE_SIZE - 1, SEALS);
    kinds[TOO_LONG] = memory(PAGES * FSIF_PAGE_SIZE + 1, SEALS);
    kinds[FILE_OF_DISK] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    kinds[BELL] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    MUST(pipe2(ends, O_CLOEXEC) == 0);
    kinds[PIPE_END] = ends[0];
    kinds[NULL_DEVICE] = open("/dev/null", O_RDWR | O_CLOEXEC);
    kinds[FOLDER] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    kinds[SOCKET] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < KINDS; i++)
        MUST(kinds[i] >= 0);

    snprintf(folder, sizeof(folder), "%.40s/fsif-XXXXXX", tmp ? tmp : "/tmp");
    MUST(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s", folder);
    atexit(clean_up);
    strcpy(a.sun_path, path);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    MUST(listener >= 0 && bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    MUST(listen(listener, 8) == 0);
}

/* The lowest free descriptor: the same before and after, if none leaked. */
static int lowest_free(void)
{
    int fd = fcntl(kinds[BELL], F_DUPFD_CLOEXEC, 3);

    MUST(fd >= 0);
    close(fd);
    return fd;
}

/* --- text --- */

static size_t put(char *at, size_t used, const char *text)
{
    size_t n = strlen(text);

    if (used + n > FSIF_DICT_MAX)
        return used;
    memcpy(at + used, text, n);
    return used + n;
}

/* Lines of the protocol in any choice and order, or anything at all. */
static size_t make_text(struct input *in, char *text, const char *const *lines, size_t n)
{
    uint8_t how = input_u8(in);
    size_t used = 0;

    if (how & 1)
        return input_bytes(in, text, input_u16(in) % (FSIF_DICT_MAX + 64));
    if (how & 2) {
        for (size_t i = 0; i < n / 2; i++)
            used = put(text, used, lines[i]);
    }
    for (unsigned i = how >> 4; i > 0; i--) {
        uint8_t which = input_u8(in);

        used = put(text, used, lines[which % n]);
        if (which & 0x80)
            text[used / 2] = (char)input_u8(in);
    }
    return used;
}

static unsigned make_fds(struct input *in, int *fds, unsigned max, unsigned *good)
{
    uint8_t how = input_u8(in);
    unsigned n = how & 0xc0 ? how >> 6 & 1u : how % (max + 1);

    *good = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned kind = how & 0x40 ? GOOD_MEMORY : input_u8(in) % KINDS;

        fds[i] = kinds[kind];
        *good += kind == GOOD_MEMORY;
    }
    return n;
}

static void send_packet(int sock, const char *text, size_t len, const int *fds, unsigned nfds)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    memset(&control, 0, sizeof(control));
    if (nfds) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, nfds * sizeof(int));
    }
    (void)sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- the backend's side --- */

static const char *const offer_lines[] = {
    "fsif=1\n",          "request=session\n", "export=data\n",      "dialects=1\n",
    "pages=4\n",         "ring-pages=1\n",    "ring-ref=0\n",       "features=errno\n",
    "request=exports\n", "export=\n",         "pages=4294967295\n", "pages=5\n",
    "ring-ref=3\n",      "ring-ref=4\n",      "dialects=2 3\n",     "unknown=1\n",
    "dialects=1 2\n",    "ring-pages=2\n",    "ring-ref-0=3\n",     "ring-ref-1=1\n",
};

static void use_memory(struct fsif_session *s, struct input *in, const struct fsif_offer *offer)
{
    uint32_t grefs[3] = {offer->ring_grefs[0], input_u8(in) % 8u, input_u32(in)};
    uint32_t n = input_u8(in) % 4u;
    unsigned char bytes[64];
    void *mem = NULL;
    int ret = shm->map(s, grefs, n, &mem);

    if (ret == 0) {
        MUST(n >= 1 && mem);
        memset(mem, 1, (size_t)n * FSIF_PAGE_SIZE);
        shm->unmap(s, mem, n);
    }
    for (unsigned i = 0; i < 3; i++) {
        uint32_t gref = grefs[i];
        int inside = gref < PAGES;

        MUST((shm->copy_from(s, gref, FSIF_PAGE_SIZE - 64, bytes, 64) == 0) == inside);
        MUST((shm->copy_to(s, gref, 0, bytes, 64) == 0) == inside);
        MUST((shm->lend(s, gref) != NULL) == inside);
    }
    planted_bug(n == 3 && ret == 0);
    if (offer->ring_pages && shm->map(s, offer->ring_grefs, offer->ring_pages, &mem) == 0) {
        memset(mem, 1, (size_t)offer->ring_pages * FSIF_PAGE_SIZE);
        shm->unmap(s, mem, offer->ring_pages);
    }
}

static void one_offer(struct fsif_session *s, struct input *in, int peer)
{
    static char text[FSIF_DICT_MAX + 64];
    struct fsif_dict offer, answer;
    struct fsif_offer o;
    struct fsif_choice choice = {0};
    int fds[8];
    unsigned good;
    size_t len = make_text(in, text, offer_lines, sizeof(offer_lines) / sizeof(offer_lines[0]));
    unsigned nfds = make_fds(in, fds, 8, &good);
    uint32_t pages = 0;
    int ret;

    send_packet(peer, text, len, fds, nfds);
    ret = shm->session_next_offer(s, &offer);
    if (ret)
        return;
    MUST(nfds <= 1);
    ret = fsif_offer_read(&offer, &o);
    MUST(ret == 0 || ret == -FSIF_EPROTO);
    if (ret)
        o = (struct fsif_offer){0};
    else
        choice.status = fsif_choose(&o, FSIF_DIALECTS_KNOWN, &choice);
    if (shm->session_accept_memory(s, &offer, 16) == 0) {
        MUST(nfds == 1 && good == 1);
        MUST(fsif_dict_get_u32(&offer, "pages", 0, UINT32_MAX, &pages) == 0 && pages == PAGES);
        use_memory(s, in, &o);
    }
    fsif_dict_init(&answer);
    if (fsif_choice_write(&choice, &answer) == 0)
        (void)shm->session_answer(s, &answer, input_u8(in) & 1);
    (void)shm->notify(s, input_u8(in) % 2);
    shm->acknowledge(s, 0);
    (void)shm->peer_state(s);
}

static void backend(struct input *in)
{
    uint32_t blob[2] = {0x6d687366u, 1};
    int ends[2];
    struct fsif_session *s = NULL;
    uint8_t how = input_u8(in);

    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    if (how == 255)
        blob[how % 2] = input_u32(in);
    if (shm->session_import(ends, 1, blob, sizeof(blob), &s) == 0) {
        for (unsigned i = 0; i <= how % 4u && in->left; i++)
            one_offer(s, in, ends[1]);
        shm->close(s);
    }
    close(ends[1]);
}

/* --- the frontend's side --- */

static const char *const answer_lines[] = {
    "status=0\n",  "dialect=1\n",        "features=errno\n", "read-only=0\n",
    "status=13\n", "text=no\n",          "dialect=2\n",      "read-only=1\n",
    "more=1\n",    "export-0=data ro\n", "status=-1\n",      "status=99999\n",
};

static void frontend(struct input *in)
{
    static char text[FSIF_DICT_MAX + 64];
    struct fsif_offer o = {.dialects = FSIF_DIALECT_BIT(1), .pages = PAGES, .ring_pages = 1};
    struct fsif_dict offer, answer;
    struct fsif_choice choice;
    struct fsif_session *s = NULL;
    uint32_t grefs[PAGES];
    int fds[8], server, ret;
    unsigned good, nfds;
    uint8_t how = input_u8(in);
    void *mem;
    size_t len;

    o.kind = how & 1 ? FSIF_OFFER_SESSION : FSIF_OFFER_EXPORTS;
    o.features = how & 2 ? FSIF_FEATURE_ERRNO : 0;
    strcpy(o.export_name, how & 1 ? "data" : "");
    fsif_dict_init(&offer);
    MUST(shm->connect(path, 1000, &s) == 0);
    server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    MUST(server >= 0 && shm->share(s, PAGES, &mem, grefs) == 0);
    o.ring_grefs[0] = grefs[0];
    MUST(fsif_offer_write(&o, &offer) == 0);

    len = make_text(in, text, answer_lines, sizeof(answer_lines) / sizeof(answer_lines[0]));
    nfds = make_fds(in, fds, 8, &good);
    if (how & 4)
        fds[0] = fds[1] = kinds[BELL];
    if (how & 8)
        nfds = 2 * (how & 1u);
    send_packet(server, text, len, fds, nfds);
    ret = shm->session_offer(s, &offer, &answer, 0);
    if (ret == 0) {
        ret = fsif_choice_read(&answer, &o, &choice);
        MUST(ret <= 0);
        if (ret == 0)
            MUST((choice.features & ~o.features) == 0 &&
                 choice.dialect == (o.kind == FSIF_OFFER_SESSION));
        (void)shm->notify(s, 0);
        shm->acknowledge(s, 0);
        planted_bug(ret == 0 && choice.features && choice.read_only);
    }
    (void)shm->peer_state(s);
    shm->close(s);
    close(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    int before;

    set_up();
    before = lowest_free();
    if (input_u8(&in) & 1)
        frontend(&in);
    else
        backend(&in);
    MUST(lowest_free() == before);
    return 0;
}
