/* SPDX-License-Identifier: MIT */
/*
 * The handshake over shm, both sides: packets with any text and any kind of descriptor. Memory is
 * taken only if it is what the rules ask for, no descriptor leaks, nothing waits.
 */
#include "fuzz_handshake.h"

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
static int area = -1; /* good memory where dialect 3 is spoken */
static uint8_t *area_mem;
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
    area = memory(AREA_PAGES * FSIF_PAGE_SIZE, SEALS);
    area_mem = mmap(NULL, AREA_PAGES * FSIF_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, area, 0);
    MUST(area_mem != MAP_FAILED);
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

static unsigned make_fds(struct input *in, int *fds, unsigned max, int memory_fd, unsigned *good)
{
    uint8_t how = input_u8(in);
    unsigned n = how & 0xc0 ? how >> 6 & 1u : how % (max + 1);

    *good = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned kind = how & 0x40 ? GOOD_MEMORY : input_u8(in) % KINDS;

        fds[i] = kind == GOOD_MEMORY ? memory_fd : kinds[kind];
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

/* What a server does with the grefs that a peer's directory has. */
static void use_directory(struct fsif_session *s, struct input *in, const struct fsif_offer *offer)
{
    uint32_t n = fsif_area_pages(offer->queues, offer->slots, offer->arena_pages);
    uint32_t grefs[AREA_PAGES] = {0};
    uint32_t next = input_u32(in);
    void *mem;

    MUST(n && n + fsif_directory_pages(n) <= AREA_PAGES);
    for (uint32_t i = 0; i < n; i++)
        grefs[i] = i;
    for (uint8_t i = input_u8(in) % 4; i > 0; i--)
        grefs[input_u8(in) % n] = input_u8(in) & 1 ? input_u32(in) : input_u8(in) % AREA_PAGES;
    fsif_directory_write(area_mem + DIRECTORY * FSIF_PAGE_SIZE, &next, grefs, n);
    memset(grefs, 0, sizeof(grefs));
    if (fsif_directory_read(shm, s, offer->directory, grefs, n)) {
        MUST(offer->directory >= AREA_PAGES);
        return;
    }
    if (shm->map(s, grefs, n, &mem))
        return;
    for (uint32_t i = 0; i < n; i++) {
        MUST(grefs[i] < AREA_PAGES);
        for (uint32_t j = 0; j < i; j++)
            MUST(grefs[i] != grefs[j]);
    }
    memset(mem, 1, (size_t)n * FSIF_PAGE_SIZE);
    shm->unmap(s, mem, n);
}

/* The answer that fits the offer is what the offer's side reads. */
static void check_choice(const struct fsif_offer *offer, const struct fsif_choice *choice)
{
    struct fsif_dict dict;
    struct fsif_choice back;

    MUST(fsif_choice_write(choice, &dict) == 0);
    MUST(fsif_choice_read(&dict, offer, &back) == choice->status);
    MUST(choice->status || (back.dialect == choice->dialect && back.queues == choice->queues &&
                            back.max_io == choice->max_io && back.features == choice->features));
}

static void use_memory(struct fsif_session *s, struct input *in, const struct fsif_offer *offer,
                       uint32_t pages)
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
        int inside = gref < pages;

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

static void one_offer(struct fsif_session *s, struct input *in, int peer, int split)
{
    const uint32_t size = split ? AREA_PAGES : PAGES;
    static char text[TEXT_MAX];
    struct fsif_dict offer, answer;
    struct fsif_offer o;
    struct fsif_choice choice = {0};
    int fds[8];
    unsigned good, nfds;
    uint32_t pages = 0;
    uint8_t bells;
    size_t len;
    int ret;

    len = make_offer_text(in, text, split);
    nfds = make_fds(in, fds, 8, split ? area : kinds[GOOD_MEMORY], &good);
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
    if (o.kind == FSIF_OFFER_SESSION)
        check_choice(&o, &choice);
    if (shm->session_accept_memory(s, &offer, AREA_PAGES) == 0) {
        MUST(nfds == 1 && good == 1);
        MUST(fsif_dict_get_u32(&offer, "pages", 0, UINT32_MAX, &pages) == 0 && pages == size);
        use_memory(s, in, &o, size);
        if (o.queues && split)
            use_directory(s, in, &o);
    }
    bells = input_u8(in);
    fsif_dict_init(&answer);
    if (fsif_choice_write(&choice, &answer) == 0)
        (void)shm->session_answer(s, &answer, bells & 2 ? (int)choice.queues : bells & 1);
    (void)shm->notify(s, input_u8(in) % (FSIF_QUEUES_MAX + 1));
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
            one_offer(s, in, ends[1], how & 4);
        shm->close(s);
    }
    close(ends[1]);
}

/* --- the frontend's side --- */

/* What the peer that is answered may believe. */
static void check_answer(const struct fsif_offer *o, const struct fsif_choice *choice)
{
    MUST((choice->features & ~o->features) == 0);
    MUST(o->kind == FSIF_OFFER_SESSION
             ? choice->dialect < 32 && (o->dialects & FSIF_DIALECT_BIT(choice->dialect))
             : choice->dialect == 0);
    if (choice->dialect == 3)
        MUST(choice->queues >= 1 && choice->queues <= o->queues &&
             choice->max_io >= FSIF_PAGE_SIZE && choice->max_io <= o->max_io);
    else
        MUST(choice->queues == 0 && choice->max_io == 0);
}

static void make_offer(uint8_t how, struct fsif_offer *o)
{
    *o = (struct fsif_offer){.dialects = FSIF_DIALECT_BIT(1), .pages = PAGES, .ring_pages = 1};
    o->kind = how & 1 ? FSIF_OFFER_SESSION : FSIF_OFFER_EXPORTS;
    o->features = how & 2 ? FSIF_FEATURE_ERRNO : 0;
    strcpy(o->export_name, how & 1 ? "data" : "");
    if (!(how & 16) || !(FSIF_DIALECTS_KNOWN & FSIF_DIALECT_BIT(3)))
        return;
    o->dialects = FSIF_DIALECT_BIT(3) | (how & 32 ? FSIF_DIALECT_BIT(1) : 0);
    o->pages = AREA_PAGES;
    o->queues = AREA_QUEUES;
    o->slots = AREA_SLOTS;
    o->arena_pages = FSIF_ARENA_PAGES_MIN;
    o->max_io = FSIF_ARENA_PAGES_MIN * FSIF_PAGE_SIZE;
    o->directory = DIRECTORY;
}

static void frontend(struct input *in)
{
    static char text[TEXT_MAX];
    struct fsif_offer o;
    struct fsif_dict offer, answer;
    struct fsif_choice choice;
    struct fsif_session *s = NULL;
    uint32_t grefs[AREA_PAGES];
    int fds[8], server, ret;
    unsigned good, nfds;
    uint8_t how = input_u8(in);
    void *mem;
    size_t len;

    make_offer(how, &o);
    fsif_dict_init(&offer);
    MUST(shm->connect(path, 1000, &s) == 0);
    server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    MUST(server >= 0 && shm->share(s, o.pages, &mem, grefs) == 0);
    o.ring_grefs[0] = grefs[0];
    MUST(fsif_offer_write(&o, &offer) == 0);

    len = make_answer_text(in, text, how & 16);
    nfds = make_fds(in, fds, 8, kinds[GOOD_MEMORY], &good);
    for (unsigned i = 0; i < 8 && how & 4; i++)
        fds[i] = kinds[BELL];
    if (how & 8)
        nfds = 2 * (how & 1u) * (how & 64 ? AREA_QUEUES : 1);
    send_packet(server, text, len, fds, nfds);
    ret = shm->session_offer(s, &offer, &answer, 0);
    if (ret == 0) {
        ret = fsif_choice_read(&answer, &o, &choice);
        MUST(ret <= 0);
        if (ret == 0)
            check_answer(&o, &choice);
        (void)shm->notify(s, 0);
        (void)shm->notify(s, AREA_QUEUES - 1);
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
