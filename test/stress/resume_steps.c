/* SPDX-License-Identifier: MIT */
/*
 * A process that serves (or submits) is stopped after each single instruction. What it has shared
 * by then is copied to another address, as if it had died there, and a successor goes on with the
 * copy: every request must be answered once, no id or handle may be lost, nobody is poisoned.
 *
 * usage: resume-steps backend|frontend [1|2|3]: which of them dies, and the dialect
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fsif/backend.h>

#include "backend_state.h"
#include "frontend_state.h"

#define IDS 4u
#define IDS_MAX FSIF_WIRE3_SLOTS_MIN
#define ALL_IDS (dialect == 3 ? IDS_MAX : IDS)
#define CALL_PAGES 2u /* of dialect 2 */
#define READ_LENGTH (dialect == 2 ? FSIF_PAGE_SIZE + 64 : 64)
#define STATE_MAX 65536u
#define FIRST_INDEX (UINT32_MAX - 1)

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "step %lu: %s:%d: not true: %s\n", step, __FILE__, __LINE__, #what);   \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static unsigned long step;
static uint32_t dialect = 1;

/* Everything that two processes share, at whatever address. */
struct world {
    unsigned char ring[FSIF_PAGE_SIZE];
    unsigned char pages[IDS * CALL_PAGES][FSIF_PAGE_SIZE];
    _Alignas(8) unsigned char front[STATE_MAX];
    _Alignas(8) unsigned char back[STATE_MAX];
    unsigned char arena[FSIF_ARENA_PAGES_MIN][FSIF_PAGE_SIZE];
    _Alignas(8) unsigned char arena_state[4096];
    uint64_t files; /* the store's: numbers given out */
};

/* --- the smallest store and transport; a world is both -----------------------------------------
 */

static struct world *as_world(void *p)
{
    return (struct world *)p;
}

static int tiny_open(struct fsif_store *st, uint64_t base, const char *path, uint32_t flags,
                     uint32_t mode, uint64_t *file, struct fsif_attr *attr)
{
    (void)base, (void)path, (void)flags, (void)mode, (void)attr;
    *file = ++as_world(st)->files;
    return 0;
}

static int tiny_close(struct fsif_store *st, uint64_t file)
{
    (void)st, (void)file;
    return 0;
}

static int64_t tiny_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                         uint64_t off)
{
    (void)st, (void)file, (void)off;
    memset(buf, 'x', len);
    return len;
}

static int tiny_sync(struct fsif_store *st, uint64_t file, uint32_t flags)
{
    (void)st, (void)file, (void)flags;
    return 0;
}

static int tiny_statvfs(struct fsif_store *st, uint64_t base, const char *path,
                        struct fsif_statvfs *out)
{
    (void)st, (void)base, (void)path;
    *out = (struct fsif_statvfs){.bavail = 4711, .bsize = 1};
    return 0;
}

static const struct fsif_store_ops tiny_store = {.size = sizeof(tiny_store),
                                                 .abi = FSIF_STORE_ABI,
                                                 .name = "tiny",
                                                 .open = tiny_open,
                                                 .close = tiny_close,
                                                 .read = tiny_read,
                                                 .sync = tiny_sync,
                                                 .statvfs = tiny_statvfs};

static int tiny_copy_from(struct fsif_session *s, uint32_t gref, uint32_t off, void *dst,
                          uint32_t len)
{
    if (gref >= IDS * CALL_PAGES)
        return -FSIF_EFAULT;
    memcpy(dst, as_world(s)->pages[gref] + off, len);
    return 0;
}

static int tiny_copy_to(struct fsif_session *s, uint32_t gref, uint32_t off, const void *src,
                        uint32_t len)
{
    if (gref >= IDS * CALL_PAGES)
        return -FSIF_EFAULT;
    memcpy(as_world(s)->pages[gref] + off, src, len);
    return 0;
}

static int tiny_notify(struct fsif_session *s, uint32_t queue)
{
    (void)s, (void)queue;
    return 0;
}

static const struct fsif_transport tiny_transport = {.size = sizeof(tiny_transport),
                                                     .abi = FSIF_TRANSPORT_ABI,
                                                     .name = "tiny",
                                                     .copy_from = tiny_copy_from,
                                                     .copy_to = tiny_copy_to,
                                                     .notify = tiny_notify};

/* --- engines over a world ------------------------------------------------------------------------
 */

static struct fsif_arena arena;
static struct fsif_call *call_table[IDS_MAX];
static struct fsif_call calls[IDS_MAX];
static unsigned completed;

static struct fsif_frontend_config front_config(struct world *w)
{
    static const uint32_t grefs[IDS * CALL_PAGES] = {0, 1, 2, 3, 4, 5, 6, 7};

    return (struct fsif_frontend_config){
        .size = sizeof(struct fsif_frontend_config),
        .dialect = dialect,
        .features = FSIF_FEATURE_ERRNO,
        .ring = w->ring,
        .ring_pages = dialect == 3 ? 0 : 1,
        .slots = dialect == 3 ? IDS_MAX : 0,
        .first_index = FIRST_INDEX,
        .pages = dialect == 3 ? NULL : w->pages,
        .grefs = dialect == 3 ? NULL : grefs,
        .arena = &arena,
        .max_io = dialect == 3 ? FSIF_PAGE_SIZE : 0,
        .transport = &tiny_transport,
        .npages = dialect == 3 ? 0 : IDS * (dialect == 2 ? CALL_PAGES : 1),
        .pages_per_call = dialect == 3   ? 0
                          : dialect == 2 ? CALL_PAGES
                                         : 1};
}

static struct fsif_backend_config back_config(struct world *w)
{
    return (struct fsif_backend_config){.size = sizeof(struct fsif_backend_config),
                                        .dialect = dialect,
                                        .features = FSIF_FEATURE_ERRNO,
                                        .ring = w->ring,
                                        .ring_pages = dialect == 3 ? 0 : 1,
                                        .slots = dialect == 3 ? IDS_MAX : 0,
                                        .first_index = FIRST_INDEX,
                                        .max_handles = 4,
                                        .max_streams = 1,
                                        .arena = w->arena,
                                        .arena_pages = FSIF_ARENA_PAGES_MIN,
                                        .max_io = dialect == 3 ? FSIF_PAGE_SIZE : 0,
                                        .transport = &tiny_transport,
                                        .session = (struct fsif_session *)w,
                                        .store_ops = &tiny_store,
                                        .store = (struct fsif_store *)w};
}

static void done(struct fsif_call *call)
{
    (void)call;
    completed++;
}

/* One that needs no handle; dialect 3's space has its answer elsewhere. */
static struct fsif_op plain_op(const char *path)
{
    if (dialect == 3)
        return (struct fsif_op){.type = FSIF_OP_NOP};
    return (struct fsif_op){.type = FSIF_OP_SPACE, .path = path};
}

static int submit(struct fsif_frontend *fe, unsigned i, struct fsif_op op)
{
    calls[i].op = op;
    calls[i].done = done;
    calls[i].deadline = FSIF_NEVER;
    return fsif_frontend_submit(fe, &calls[i]);
}

static void serve(struct fsif_backend *be)
{
    struct fsif_fetched rq;

    CHECK(fsif_backend_serve(be, &rq) >= 0);
}

/* A successor has both engines again: every id must carry a request and come back. */
static void all_ids_work(struct fsif_frontend *fe, struct fsif_backend *be)
{
    completed = 0;
    for (unsigned i = 0; i < ALL_IDS; i++)
        CHECK(submit(fe, i, plain_op("/")) == 0);
    serve(be);
    CHECK(fsif_frontend_poll(fe) == (int)ALL_IDS);
    CHECK(completed == ALL_IDS);
    for (unsigned i = 0; i < ALL_IDS; i++)
        CHECK(calls[i].result.value == (dialect == 3 ? 0 : 4711));
    CHECK(!fsif_frontend_quarantined(fe) && !fsif_frontend_dead(fe) && !fsif_backend_reason(be));
    CHECK(fsif_backend_busy(be) == 0);
}

/* --- a backend that dies -------------------------------------------------------------------------
 */

static char read_buffer[FSIF_PAGE_SIZE + 64];

/* One handle is open already; the requests use it, close it, open another and fail. */
static void prepare_backend(struct world *w, struct fsif_frontend *fe, struct fsif_backend *be)
{
    struct fsif_frontend_config fc = front_config(w);
    struct fsif_backend_config bc = back_config(w);

    memset(w, 0, sizeof(*w));
    CHECK(fsif_arena_state_size(FSIF_ARENA_PAGES_MIN) <= sizeof(w->arena_state));
    CHECK(fsif_arena_init(&arena, w->arena, FSIF_ARENA_PAGES_MIN, w->arena_state) == 0);
    CHECK(fsif_frontend_state_size(&fc) <= STATE_MAX && fsif_backend_state_size(&bc) <= STATE_MAX);
    CHECK(fsif_frontend_init(fe, &fc, w->front, call_table) == 0);
    CHECK(fsif_backend_init(be, &bc, w->back) == 0);
    CHECK(submit(fe, 0,
                 (struct fsif_op){.type = FSIF_OP_OPEN, .handle = FSIF_HANDLE_ROOT, .path = "a"}) ==
          0);
    serve(be);
    CHECK(fsif_frontend_poll(fe) == 1 && calls[0].result.value == 0);
    CHECK(submit(fe, 0,
                 dialect == 3 ? (struct fsif_op){.type = FSIF_OP_SYNC, .handle = 0}
                              : (struct fsif_op){.type = FSIF_OP_READ,
                                                 .length = READ_LENGTH,
                                                 .buffer = read_buffer}) == 0);
    CHECK(submit(fe, 1, (struct fsif_op){.type = FSIF_OP_CLOSE, .handle = 0}) == 0);
    CHECK(submit(fe, 2,
                 (struct fsif_op){.type = FSIF_OP_OPEN, .handle = FSIF_HANDLE_ROOT, .path = "b"}) ==
          0);
    CHECK(submit(fe, 3, (struct fsif_op){.type = FSIF_OP_CLOSE, .handle = 3}) == 0);
}

static int is_answer(unsigned i, int64_t value)
{
    const int64_t good[IDS] = {dialect == 3 ? 0 : READ_LENGTH, 0, 0, -FSIF_EBADF};

    /* The open may find the first handle still open. */
    return value == -FSIF_EIO || value == good[i] || (i == 2 && value == 1);
}

static void check_backend(struct world *copy)
{
    struct fsif_frontend_config fc = front_config(copy);
    struct fsif_backend_config bc = back_config(copy);
    struct fsif_frontend fe = {.config_ = fc, .calls_ = call_table};
    struct fsif_backend be;
    struct fsif_call *saved[IDS_MAX];
    struct fsif_call saved_calls[IDS_MAX];

    CHECK(fsif_arena_resume(&arena, copy->arena, FSIF_ARENA_PAGES_MIN, copy->arena_state) == 0);
    memcpy(saved, call_table, sizeof(saved));
    /* What was asked for, which the answers are judged by. */
    memcpy(saved_calls, calls, sizeof(calls));
    fe.state_ = (struct fsi_frontend_state *)copy->front;
    fsi_frontend_find(&fe);
    CHECK(fsif_backend_resume(&be, &bc, copy->back) >= 0);
    serve(&be);
    completed = 0;
    CHECK(fsif_frontend_poll(&fe) == (int)IDS);
    CHECK(completed == IDS);
    for (unsigned i = 0; i < IDS; i++)
        CHECK(is_answer(i, calls[i].result.value));
    all_ids_work(&fe, &be);
    fsif_backend_fini(&be);
    CHECK(fsif_backend_handles(&be) == 0);
    memcpy(call_table, saved, sizeof(saved));
    memcpy(calls, saved_calls, sizeof(calls));
}

static void child_backend(struct fsif_backend *be)
{
    serve(be);
}

/* --- a frontend that dies ------------------------------------------------------------------------
 */

static void prepare_frontend(struct world *w, struct fsif_frontend *fe, struct fsif_backend *be)
{
    struct fsif_frontend_config fc = front_config(w);
    struct fsif_backend_config bc = back_config(w);

    memset(w, 0, sizeof(*w));
    CHECK(fsif_arena_state_size(FSIF_ARENA_PAGES_MIN) <= sizeof(w->arena_state));
    CHECK(fsif_arena_init(&arena, w->arena, FSIF_ARENA_PAGES_MIN, w->arena_state) == 0);
    CHECK(fsif_frontend_init(fe, &fc, w->front, call_table) == 0);
    CHECK(fsif_backend_init(be, &bc, w->back) == 0);
}

static void check_frontend(struct world *copy)
{
    struct fsif_frontend_config fc = front_config(copy);
    struct fsif_backend_config bc = back_config(copy);
    struct fsif_backend be = {.config_ = bc};
    struct fsif_frontend fe;

    be.state_ = (struct fsi_backend_state *)copy->back;
    CHECK(fsif_arena_resume(&arena, copy->arena, FSIF_ARENA_PAGES_MIN, copy->arena_state) == 0);
    fsi_backend_find(&be);
    CHECK(fsif_frontend_resume(&fe, &fc, copy->front, call_table) == 0);
    serve(&be);
    completed = 0;
    CHECK(fsif_frontend_poll(&fe) == 0);
    CHECK(completed == 0);
    all_ids_work(&fe, &be);
}

/* SIGUSR1 to itself is the moment at which the parent lets the backend answer. */
static void child_frontend(struct fsif_frontend *fe)
{
    for (unsigned i = 0; i < 3; i++)
        CHECK(submit(fe, i, plain_op("dir/name")) == 0);
    CHECK(fsif_frontend_cancel(fe, &calls[1]) == 0);
    raise(SIGUSR1);
    CHECK(fsif_frontend_poll(fe) == 2);
    CHECK(completed == 3);
}

/* --- stepping
 * ------------------------------------------------------------------------------------- */

static struct world *shared_world(int fd)
{
    void *mem = mmap(NULL, sizeof(struct world), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    CHECK(mem != MAP_FAILED);
    return mem;
}

static pid_t start_child(int backend, struct fsif_frontend *fe, struct fsif_backend *be)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid)
        return pid;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
        _exit(77);
    raise(SIGSTOP);
    if (backend)
        child_backend(be);
    else
        child_frontend(fe);
    _exit(0);
}

/* Step @pid once. Returns 1, or 0 when it has exited well. */
static int step_child(pid_t pid, struct fsif_backend *be)
{
    int status;

    CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status)) {
        CHECK(WEXITSTATUS(status) == 0);
        return 0;
    }
    CHECK(WIFSTOPPED(status));
    if (WSTOPSIG(status) == SIGUSR1)
        serve(be);
    else
        CHECK(WSTOPSIG(status) == SIGTRAP);
    return 1;
}

int main(int argc, char **argv)
{
    int backend = argc > 1 && !strcmp(argv[1], "backend");
    int fd = memfd_create("world", MFD_CLOEXEC);
    struct world *w;
    struct world *copy;
    struct world *last;
    struct fsif_frontend fe;
    struct fsif_backend be;
    unsigned long checks = 0;
    int status;
    pid_t pid;

    if (argc > 2 && !strcmp(argv[2], "2"))
        dialect = 2;
    if (argc > 2 && !strcmp(argv[2], "3"))
        dialect = 3;
    CHECK(fd >= 0 && ftruncate(fd, sizeof(struct world)) == 0);
    w = shared_world(fd);
    copy = malloc(sizeof(*copy));
    last = calloc(1, sizeof(*last));
    CHECK(copy && last);
    if (backend)
        prepare_backend(w, &fe, &be);
    else
        prepare_frontend(w, &fe, &be);
    pid = start_child(backend, &fe, &be);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("SKIP: ptrace is not permitted here\n");
        return 77;
    }
    do {
        step++;
        if (!memcmp(w, last, sizeof(*w)))
            continue;
        memcpy(last, w, sizeof(*w));
        memcpy(copy, w, sizeof(*w));
        if (backend)
            check_backend(copy);
        else
            check_frontend(copy);
        checks++;
    } while (step_child(pid, &be));
    printf("%s: %lu instructions, %lu different states resumed\n", argv[1], step, checks);
    CHECK(checks > 50);
    free(copy);
    free(last);
    munmap(w, sizeof(*w));
    close(fd);
    return 0;
}
