/* SPDX-License-Identifier: MIT */
/* The threads that serve a ring, over the loop transport, on a store that can be held up. */
#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <fsif/fsif.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/memory.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "queue.h"
#include "suite.h"

#define PAGES 65u
#define CALLS 64u
#define PATIENCE_MS 20000u

static const struct fsif_transport *const loop = &fsif_transport_loop;

/* --- the store -------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t may_pass; /* lock: reads that are not held up */
static uint32_t inside;   /* lock: reads that are */
static uint32_t jitter;   /* a read takes up to this many milliseconds */

static int64_t held_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len,
                         uint64_t off)
{
    pthread_mutex_lock(&lock);
    inside++;
    pthread_cond_broadcast(&changed);
    while (!may_pass)
        pthread_cond_wait(&changed, &lock);
    if (may_pass != UINT32_MAX)
        may_pass--;
    inside--;
    pthread_mutex_unlock(&lock);
    if (jitter) {
        struct timespec t = {0, (long)(off * 2654435761u % jitter) * 1000000};
        nanosleep(&t, NULL);
    }
    return fsif_store_memory.read(st, file, buf, len, off);
}

static void pass(uint32_t n)
{
    pthread_mutex_lock(&lock);
    may_pass = n;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_inside(uint32_t n)
{
    pthread_mutex_lock(&lock);
    while (inside < n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* --- both ends of a session ------------------------------------------------------------------- */

static struct fsif_store_ops ops;
static struct fsif_store *store;
static struct fsif_session *front;
static struct fsif_session *back;
static struct fsif_backend backend;
static struct fsif_frontend frontend;
static struct fsi_queue *queue;
static void *backend_state;
static void *frontend_state;
static void *frontend_calls;
static void *ring;
static uint32_t grefs[PAGES];
static unsigned char *shared;
static struct fsif_call calls[CALLS];
static char buffers[CALLS][64];
static uint32_t answered;
static uint32_t errors;
static int closed;        /* lock: times that closed() ran */
static int closed_status; /* lock */
static uint32_t handle;
static uint32_t spin; /* microseconds */
static struct fsif_shared_u32 places[1];
static const struct fsi_common common = {.places = places, .count = 1};

/* The loop transport as the queue sees it */
static struct fsif_transport seen;
static struct fsif_shared_u32 acknowledged;

static void count_acknowledge(struct fsif_session *s, uint32_t queue_number)
{
    __atomic_fetch_add(&acknowledged.v_, 1, __ATOMIC_SEQ_CST);
    loop->acknowledge(s, queue_number);
}

static void on_closed(void *arg, int status)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    closed++;
    closed_status = status;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_closed(int status)
{
    pthread_mutex_lock(&lock);
    while (!closed)
        pthread_cond_wait(&changed, &lock);
    ck_assert_int_eq(closed_status, status);
    pthread_mutex_unlock(&lock);
}

static void *offer(void *arg)
{
    struct fsif_offer o = {.kind = FSIF_OFFER_SESSION,
                           .export_name = "x",
                           .dialects = FSIF_DIALECT_BIT(1),
                           .features = FSIF_FEATURE_ERRNO,
                           .pages = PAGES,
                           .ring_pages = 1};
    struct fsif_dict d;
    struct fsif_dict answer;

    o.ring_grefs[0] = grefs[0];
    *(int *)arg = fsif_offer_write(&o, &d);
    if (!*(int *)arg)
        *(int *)arg = loop->session_offer(front, &d, &answer, 10000);
    return NULL;
}

static void shake_hands(void)
{
    struct fsif_choice choice = {.dialect = 1, .features = FSIF_FEATURE_ERRNO};
    struct fsif_dict d;
    struct fsif_dict answer;
    pthread_t thread;
    int rc = -1;
    int got;

    ck_assert_int_eq(fsif_loop_pair(&front, &back), 0);
    ck_assert_int_eq(loop->share(front, PAGES, (void **)&shared, grefs), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, offer, &rc), 0);
    while ((got = loop->session_next_offer(back, &d)) == -FSIF_EAGAIN)
        fsif_wait_fd(loop->peer_fd(back), 1, 1000);
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(loop->session_accept_memory(back, &d, PAGES), 0);
    ck_assert_int_eq(loop->map(back, grefs, 1, &ring), 0);
    ck_assert_int_eq(fsif_choice_write(&choice, &answer), 0);
    ck_assert_int_eq(loop->session_answer(back, &answer, 1), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(rc, 0);
}

static void start_backend(void)
{
    struct fsif_store_config config = {.size = sizeof(config), .source = "", .root_fd = -1};
    struct fsif_backend_config bc = {.size = sizeof(bc),
                                     .dialect = 1,
                                     .features = FSIF_FEATURE_ERRNO,
                                     .ring_pages = 1,
                                     .max_handles = 16,
                                     .max_streams = 4,
                                     .transport = loop,
                                     .store_ops = &ops};

    ops = fsif_store_memory;
    ops.read = held_read;
    ck_assert_int_eq(ops.create(&config, &store), 0);
    bc.ring = ring;
    bc.session = back;
    bc.store = store;
    backend_state = calloc(1, fsif_backend_state_size(&bc));
    ck_assert_int_eq(fsif_backend_init(&backend, &bc, backend_state), 0);
}

static void start_frontend(void)
{
    struct fsif_frontend_config fc = {.size = sizeof(fc),
                                      .dialect = 1,
                                      .features = FSIF_FEATURE_ERRNO,
                                      .ring_pages = 1,
                                      .npages = PAGES - 1,
                                      .transport = loop};

    fc.ring = shared;
    fc.pages = shared + FSIF_PAGE_SIZE;
    fc.grefs = grefs + 1;
    fc.session = front;
    frontend_state = calloc(1, fsif_frontend_state_size(&fc));
    frontend_calls = calloc(1, fsif_frontend_calls_size(&fc));
    ck_assert_int_eq(fsif_frontend_init(&frontend, &fc, frontend_state, frontend_calls), 0);
}

static void on_done(struct fsif_call *call)
{
    answered++;
    errors += call->result.value < 0;
}

static void describe(uint32_t n, uint32_t type)
{
    struct fsif_call *call = &calls[n];

    memset(call, 0, sizeof(*call));
    call->op.type = type;
    call->op.handle = handle;
    call->op.offset = n;
    call->op.length = sizeof(buffers[n]);
    call->op.buffer = buffers[n];
    call->op.path = "file";
    call->op.mode = 0644;
    call->deadline = FSIF_NEVER;
    call->done = on_done;
}

static int submit(uint32_t n, uint32_t type)
{
    describe(n, type);
    return fsif_frontend_submit(&frontend, &calls[n]);
}

/* Without a look at the ring but when a bell said so. */
static void wait_rung(uint32_t n)
{
    while (answered < n) {
        if (fsif_frontend_poll(&frontend) || fsif_frontend_arm(&frontend))
            continue;
        ck_assert_int_gt(fsif_wait_fd(loop->event_fd(front, 0), POLLIN, PATIENCE_MS), 0);
        loop->acknowledge(front, 0);
    }
}

static void wait_answered(uint32_t n)
{
    uint64_t end = fsif_now_ms() + PATIENCE_MS;

    while (answered < n) {
        ck_assert_msg(fsif_now_ms() < end, "%u of %u answers", answered, n);
        if (fsif_frontend_poll(&frontend) || fsif_frontend_arm(&frontend))
            continue;
        fsif_wait_fd(loop->event_fd(front, 0), 1, 100);
        loop->acknowledge(front, 0);
    }
    ck_assert_uint_eq(answered, n);
}

static void begin(uint32_t threads)
{
    struct fsi_queue_config qc = {.backend = &backend,
                                  .transport = seen.name ? &seen : loop,
                                  .ring_pages = 1,
                                  .threads = threads,
                                  .slow_threshold = 2,
                                  .spin = spin,
                                  .common = &common,
                                  .session_number = 1,
                                  .closed = on_closed};

    shake_hands();
    start_backend();
    start_frontend();
    qc.session = back;
    ck_assert_int_eq(fsi_queue_start(&qc, &queue), 0);
    ck_assert_int_eq(submit(0, FSIF_OP_CREATE), 0);
    wait_answered(1);
    ck_assert_uint_eq(errors, 0);
    handle = (uint32_t)calls[0].result.value;
    answered = 0;
}

static void end(void)
{
    fsi_queue_destroy(queue);
    ck_assert_uint_eq(places[0].v_, 0);
    ck_assert_int_eq(closed, 1);
    fsif_frontend_shutdown(&frontend, FSIF_POISON_NONE);
    fsif_backend_fini(&backend);
    ops.destroy(store);
    loop->unmap(back, ring, 1);
    loop->close(front);
    loop->close(back);
    free(backend_state);
    free(frontend_state);
    free(frontend_calls);
}

static void submit_reads(uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < from + n; i++)
        ck_assert_int_eq(submit(i, FSIF_OP_READ), 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

START_TEST(test_all_at_once)
{
    begin(32);
    submit_reads(0, 32);
    wait_inside(32);
    pass(UINT32_MAX);
    wait_answered(32);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    wait_closed(0);
    end();
}
END_TEST

START_TEST(test_overtakes)
{
    begin(2);
    submit_reads(0, 1);
    wait_inside(1);
    for (uint32_t i = 1; i <= 50; i++) {
        ck_assert_int_eq(submit(1, FSIF_OP_STAT), 0);
        wait_answered(i);
    }
    pass(UINT32_MAX);
    wait_answered(51);
    ck_assert_uint_eq(errors, 0);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    wait_closed(0);
    end();
}
END_TEST

/* A bell is taken back once for each time that it woke the queue, or never where rings are edges,
 * which goes on waking it. */
START_TEST(test_bells_taken_back)
{
    const uint32_t rings = 50;

    seen = *loop;
    seen.acknowledge = count_acknowledge;
    seen.flags = _i ? FSIF_TRANSPORT_EDGES : 0;
    begin(1);
    for (uint32_t i = 1; i <= rings; i++) {
        ck_assert_int_eq(submit(1, FSIF_OP_STAT), 0);
        wait_answered(i);
        /* Until it sleeps. */
        usleep(2000);
    }
    if (_i)
        ck_assert_uint_eq(acknowledged.v_, 0);
    else
        ck_assert(acknowledged.v_ >= rings / 2 && acknowledged.v_ <= 2 * rings);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    wait_closed(0);
    end();
}
END_TEST

/* The answer before a request that hangs is rung for, whether a spare is left or not. */
START_TEST(test_bell_before_a_slow_one)
{
    begin((uint32_t)_i);
    submit_reads(0, 1);
    wait_inside(1);
    ck_assert_int_eq(submit(1, FSIF_OP_STAT), 0);
    submit_reads(2, 1);
    pass(1);
    wait_rung(2);
    wait_inside(1);
    pass(UINT32_MAX);
    wait_answered(3);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    wait_closed(0);
    end();
}
END_TEST

/* The owner saves the bell for a batch and gets stuck: the spare that comes by rings. */
START_TEST(test_bell_by_a_spare)
{
    begin(4);
    ck_assert_int_eq(fsif_frontend_arm(&frontend), 0);
    describe(0, FSIF_OP_STAT);
    describe(1, FSIF_OP_READ);
    ck_assert_int_eq(fsif_frontend_queue(&frontend, &calls[0]), 0);
    ck_assert_int_eq(fsif_frontend_queue(&frontend, &calls[1]), 0);
    fsif_frontend_flush(&frontend);
    wait_rung(1);
    wait_inside(1);
    pass(UINT32_MAX);
    wait_answered(2);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    wait_closed(0);
    end();
}
END_TEST

START_TEST(test_one_thread)
{
    begin(1);
    pass(UINT32_MAX);
    submit_reads(0, 64);
    wait_answered(64);
    fsi_queue_close(queue, FSI_CLOSE_NOW);
    wait_closed(0);
    end();
}
END_TEST

START_TEST(test_drain)
{
    begin(4);
    submit_reads(0, 63);
    wait_inside(4);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    ck_assert_int_eq(closed, 0);
    pass(UINT32_MAX);
    wait_closed(0);
    /* All that was published was answered before closed() ran. */
    wait_answered(63);
    ck_assert_uint_eq(errors, 0);
    ck_assert_int_eq(submit(0, FSIF_OP_STAT), 0);
    ck_assert_int_eq(fsif_frontend_poll(&frontend), 0);
    end();
}
END_TEST

START_TEST(test_close_now)
{
    begin(2);
    submit_reads(0, 40);
    wait_inside(2);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    fsi_queue_close(queue, FSI_CLOSE_NOW);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    pass(UINT32_MAX);
    wait_closed(0);
    fsif_frontend_poll(&frontend);
    ck_assert_uint_ge(answered, 2);
    ck_assert_uint_lt(answered, 40);
    end();
}
END_TEST

START_TEST(test_close_idle)
{
    begin(8);
    fsi_queue_close(queue, FSI_CLOSE_NOW);
    wait_closed(0);
    end();
}
END_TEST

START_TEST(test_poisoned)
{
    volatile uint32_t *words;

    begin(8);
    words = (volatile uint32_t *)(void *)shared;
    submit_reads(0, 3);
    wait_inside(3);
    __atomic_fetch_add(&words[0], 1000, __ATOMIC_SEQ_CST);
    ck_assert_int_eq(loop->notify(front, 0), 0);
    pass(UINT32_MAX);
    wait_closed(-FSIF_EPROTO);
    ck_assert_int_eq(fsif_backend_reason(&backend), FSIF_POISON_INDEX);
    fsi_queue_close(queue, FSI_CLOSE_NOW);
    end();
}
END_TEST

START_TEST(test_mixed)
{
    uint32_t next = 0;

    begin(6);
    jitter = 4;
    pass(UINT32_MAX);
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t n = 1 + round * 7 % 12;
        for (uint32_t i = 0; i < n; i++)
            ck_assert_int_eq(submit(i, i % 3 ? FSIF_OP_READ : FSIF_OP_STAT), 0);
        next += n;
        wait_answered(next);
    }
    ck_assert_uint_eq(errors, 0);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    wait_closed(0);
    end();
}
END_TEST

#if !defined(__SANITIZE_THREAD__)
/* How often the threads of this process but the first have gone to sleep. */
static unsigned long sleeps(void)
{
    char path[64];
    char line[256];
    unsigned long sum = 0;
    unsigned long one;
    struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");

    while (tasks && (entry = readdir(tasks))) {
        if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%d/status", atoi(entry->d_name));
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
            if (sscanf(line, "voluntary_ctxt_switches: %lu", &one) == 1)
                sum += one;
        if (f)
            fclose(f);
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

/* No time is a proof that nothing will ever happen, but three quiet windows in ten seconds are. */
START_TEST(test_idle_sleeps)
{
    struct timespec window = {0, 200000000};
    int quiet = 0;

    begin(8);
    pass(UINT32_MAX);
    submit_reads(0, 32);
    wait_answered(32);
    for (int i = 0; i < 50 && quiet < 3; i++) {
        unsigned long before = sleeps();
        nanosleep(&window, NULL);
        quiet = sleeps() == before ? quiet + 1 : 0;
    }
    ck_assert_int_eq(quiet, 3);
    /* And it wakes up again, watcher and all. */
    pass(0);
    answered = 0;
    submit_reads(0, 8);
    wait_inside(8);
    pass(UINT32_MAX);
    wait_answered(8);
    fsi_queue_close(queue, FSI_CLOSE_DRAIN);
    wait_closed(0);
    end();
}
END_TEST

#endif

static void with_spin(void)
{
    spin = 2000;
}

static TCase *all_tests(const char *name)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_all_at_once);
    tcase_add_test(t, test_overtakes);
    tcase_add_loop_test(t, test_bells_taken_back, 0, 2);
    tcase_add_loop_test(t, test_bell_before_a_slow_one, 1, 5);
    tcase_add_test(t, test_bell_by_a_spare);
    tcase_add_test(t, test_one_thread);
    tcase_add_test(t, test_drain);
    tcase_add_test(t, test_close_now);
    tcase_add_test(t, test_close_idle);
    tcase_add_test(t, test_poisoned);
    tcase_add_test(t, test_mixed);
#if !defined(__SANITIZE_THREAD__) /* it has a thread of its own that wakes up */
    tcase_add_test(t, test_idle_sleeps);
#endif
    return t;
}

int main(void)
{
    Suite *s = suite_create("server_queue");
    TCase *spinning = all_tests("spinning");

    tcase_add_checked_fixture(spinning, with_spin, NULL);
    suite_add_tcase(s, all_tests("sleeping"));
    suite_add_tcase(s, spinning);
    return run_suite(s);
}
