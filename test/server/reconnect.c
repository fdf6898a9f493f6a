/* SPDX-License-Identifier: MIT */
/*
 * fsif_reconnect() against the real daemon over shm: killed with SIGKILL, gone, started again,
 * alive. Row F15: nothing is repeated.
 *
 * usage: reconnect DAEMON
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/negotiate.h>
#include <fsif/shm.h>
#include "daemon.h"
#include "scratch.h"

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x);                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define EQ(got, wanted)                                                                            \
    do {                                                                                           \
        int64_t g_ = (got), w_ = (wanted);                                                         \
        if (g_ != w_) {                                                                            \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got,             \
                    (long long)g_, (long long)w_);                                                 \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { NAMES = 2000, THREADS = 4 };

static char folder[256], data[300], address[300];
static const char *program;
static struct fsif_registry *registry;
static struct fsif_client *cl;

static struct daemon *start_daemon(void)
{
    char source[400];
    char *argv[] = {(char *)program, "-l", address, "-e", source, NULL};
    struct daemon *d;

    snprintf(source, sizeof(source), "data=%s", data);
    d = daemon_start(argv);
    CHECK(d != NULL);
    return d;
}

static int open_file(const char *name)
{
    int fh = fsif_open(cl, name, FSIF_O_RDWR, 0);

    CHECK(fh >= 0);
    return fh;
}

static void make_tree(void)
{
    char path[400];
    FILE *f;

    scratch_path(path, sizeof(path), data, "file");
    f = fopen(path, "we");
    CHECK(f != NULL && fputs("what was there", f) >= 0 && fclose(f) == 0);
    scratch_path(path, sizeof(path), data, "many");
    CHECK(mkdir(path, 0755) == 0);
    for (int i = 0; i < NAMES; i++) {
        snprintf(path, sizeof(path), "%s/many/name-%d", data, i);
        f = fopen(path, "we");
        CHECK(f != NULL && fclose(f) == 0);
    }
}

/* What is left of an earlier session: numbers that no longer mean anything. */
static void expect_stale(int fh, struct fsif_dir *dir)
{
    struct fsif_attr attr;
    const char *name;
    char buf[8];
    int err;

    EQ(fsif_pread(cl, fh, buf, sizeof(buf), 0), -FSIF_ESTALE);
    EQ(fsif_pwrite(cl, fh, "x", 1, 0), -FSIF_ESTALE);
    EQ(fsif_fstat(cl, fh, &attr), -FSIF_ESTALE);
    EQ(fsif_ftruncate(cl, fh, 0), -FSIF_ESTALE);
    EQ(fsif_fsync(cl, fh), -FSIF_ESTALE);
    EQ(fsif_close(cl, fh), -FSIF_ESTALE);
    if (dir == NULL)
        return;
    do {
        err = fsif_readdir(dir, &name);
    } while (err == 1);
    EQ(err, -FSIF_ESTALE);
    fsif_closedir(dir);
}

static void expect_usable(int old)
{
    char buf[64] = "";
    int fh = open_file("file");

    CHECK(fh != old);
    EQ(fsif_pread(cl, fh, buf, sizeof(buf), 0), 14);
    CHECK(strcmp(buf, "what was there") == 0);
    EQ(fsif_close(cl, fh), 0);
    EQ(fsif_close(cl, fh), -FSIF_EBADF);
}

/* --- threads that call while sessions come and go ------------------------------------------------
 */

static atomic_int over;

static void *call_on(void *arg)
{
    char buf[30000];

    (void)arg;
    while (!atomic_load(&over)) {
        int64_t fh = fsif_open(cl, "many/name-1", FSIF_O_RDONLY, 0);
        int64_t n = fh >= 0 ? fsif_pread(cl, (int)fh, buf, sizeof(buf), 0) : 0;

        CHECK(fh >= 0 || fh == -FSIF_EIO || fh == -FSIF_EPROTO);
        CHECK(n == 0 || n == -FSIF_EIO || n == -FSIF_EPROTO || n == -FSIF_ESTALE);
        if (fh >= 0)
            n = fsif_close(cl, (int)fh);
        CHECK(n == 0 || n == -FSIF_EIO || n == -FSIF_EPROTO || n == -FSIF_ESTALE);
    }
    return NULL;
}

static void under_load(void)
{
    pthread_t threads[THREADS];
    int before;

    atomic_store(&over, 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, call_on, NULL) == 0);
    EQ(fsif_reconnect(cl), 0);
    before = count_fds();
    for (int i = 0; i < 20; i++)
        EQ(fsif_reconnect(cl), 0);
    EQ(count_fds(), before);
    atomic_store(&over, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* --- an event loop -------------------------------------------------------------------------------
 */

static int in_done;

static void done(struct fsif_call *call)
{
    in_done = fsif_reconnect(cl);
    *(int *)call->arg = 1;
}

static void event_loop(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct fsif_call call = {
        .op = {.type = FSIF_OP_OPEN, .handle = FSIF_HANDLE_ROOT, .path = "file"}};
    int finished = 0;

    call.deadline = FSIF_NEVER;
    call.done = done;
    call.arg = &finished;
    EQ(fsif_client_fd(cl), fd);
    EQ(fsif_submit(cl, &call), 0);
    while (!finished) {
        if (fsif_poll(cl, 0) == 0)
            CHECK(poll(&p, 1, 30000) == 1);
    }
    CHECK(call.result.value >= 0);
    EQ(in_done, -FSIF_EDEADLK);
}

/* --- the story -----------------------------------------------------------------------------------
 */

static void connect_client(void)
{
    const char *dialect = getenv("FSIF_DIALECT");
    struct fsif_client_options o;

    CHECK(fsif_registry_create("", &registry) == 0);
    CHECK(fsif_registry_add_transport(registry, &fsif_transport_shm) == 0);
    fsif_client_options_init(&o);
    o.registry = registry;
    if (dialect && atoi(dialect) == 1)
        o.dialects = FSIF_DIALECT_BIT(1);
    CHECK(fsif_connect(address, "data", &o, &cl) == 0);
}

static void killed(struct daemon *d)
{
    struct fsif_dir *dir;
    int fh = open_file("file");
    int fd = fsif_client_fd(cl);
    int64_t n;

    CHECK(fd >= 0 && fsif_opendir(cl, "many", &dir) == 0);
    daemon_kill(d);
    do {
        n = fsif_pwrite(cl, fh, "", 0, 0);
    } while (n == 0);
    CHECK(n == -FSIF_EIO || n == -FSIF_EPROTO);
    EQ(fsif_pwrite(cl, fh, "x", 1, 0), -FSIF_EPROTO);
    n = fsif_reconnect(cl);
    CHECK(n == -FSIF_ECONNREFUSED || n == -FSIF_ENOENT);
    EQ(fsif_pwrite(cl, fh, "x", 1, 0), -FSIF_EPROTO);
    EQ(fsif_client_fd(cl), -FSIF_EPROTO);
    EQ(fsif_poll(cl, 0), -FSIF_EPROTO);
    fsif_shutdown(cl);
    n = fsif_reconnect(cl);
    CHECK(n == -FSIF_ECONNREFUSED || n == -FSIF_ENOENT);

    d = start_daemon();
    EQ(fsif_reconnect(cl), 0);
    expect_stale(fh, dir);
    expect_usable(fh);
    event_loop(fd);

    /* A session that still runs is ended. */
    fh = open_file("file");
    CHECK(fsif_opendir(cl, "many", &dir) == 0);
    EQ(fsif_reconnect(cl), 0);
    expect_stale(fh, dir);
    expect_usable(fh);
    event_loop(fd);
    under_load();
    expect_usable(fh);
    daemon_kill(d);
    CHECK(fsif_reconnect(cl) < 0);
}

int main(int argc, char **argv)
{
    struct daemon *d;

    CHECK(argc == 2);
    program = argv[1];
    scratch_make(folder, sizeof(folder));
    scratch_path(data, sizeof(data), folder, "data");
    CHECK(mkdir(data, 0755) == 0);
    snprintf(address, sizeof(address), "shm:%s/socket", folder);
    make_tree();
    d = start_daemon();
    connect_client();
    killed(d);
    /* There is no session to disconnect, and nothing is left of it. */
    fsif_disconnect(cl);
    fsif_registry_destroy(registry);
    scratch_remove(folder);
    return 0;
}
