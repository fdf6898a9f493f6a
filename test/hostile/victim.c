/* SPDX-License-Identifier: MIT */
/*
 * The victim of the F rows: an ordinary program that uses the client library.
 *
 *   victim [-t MS] [-q QUEUES] [-g ADDRESS EXPORT] ADDRESS EXPORT STEP...
 *
 * Each step is a word with operands, as read:100:0, and prints `step = result`. With -g a second
 * thread uses another backend all the time. With -q dialect 3 is spoken, else 1 or 2. At the end it
 * prints what it still holds.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/negotiate.h>
#include <fsif/shm.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "victim.h"

/* --- the good neighbour ----------------------------------------------------------------------- */

struct neighbour {
    const char *address;
    const char *export_name;
    struct fsif_registry *registry;
    atomic_int stop;
    unsigned rounds;
    unsigned errors;
    int started;
    pthread_t thread;
};

static int visit(struct fsif_client *cl)
{
    struct fsif_attr attr;
    char bytes[16];
    int fh = fsif_open(cl, "file", FSIF_O_RDONLY, 0);
    int bad;

    if (fh < 0)
        return fh;
    bad = fsif_pread(cl, fh, bytes, sizeof(bytes), 0) != (int64_t)sizeof(bytes);
    bad |= fsif_fstat(cl, fh, &attr) != 0;
    bad |= fsif_close(cl, fh) != 0;
    return bad ? -FSIF_EIO : 0;
}

static void *neighbour_main(void *arg)
{
    struct neighbour *n = arg;
    struct fsif_client_options o;
    struct fsif_client *cl;

    fsif_client_options_init(&o);
    o.registry = n->registry;
    if (fsif_connect(n->address, n->export_name, &o, &cl) < 0) {
        n->errors++;
        return NULL;
    }
    do {
        n->rounds++;
        if (visit(cl) < 0)
            n->errors++;
        usleep(1000);
    } while (!atomic_load(&n->stop));
    fsif_disconnect(cl);
    return NULL;
}

/* --- what is held ------------------------------------------------------------------------------
 */

int victim_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

void *victim_malloc(size_t size)
{
    void *p = malloc(size);

    if (!p)
        abort();
    return p;
}

static void on_poisoned(void *arg, enum fsif_poison reason)
{
    (void)arg;
    printf("poisoned = %s\n", fsif_poison_text(reason));
}

static struct fsif_registry *make_registry(void)
{
    struct fsif_registry *r;

    if (fsif_registry_create("", &r) < 0 || fsif_registry_add_transport(r, &fsif_transport_shm) < 0)
        exit(3);
    return r;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: victim [-t MS] [-q QUEUES] [-g ADDRESS EXPORT] ADDRESS EXPORT STEP...\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct fsif_hooks hooks = {.size = sizeof(hooks), .poisoned = on_poisoned};
    struct victim v = {.timeout_ms = 20000,
                       .dialects = FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2),
                       .fh = -1,
                       .hooks = &hooks};
    struct neighbour n = {.address = NULL};
    int fds, i = 1;
    size_t heap;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (i + 1 < argc && !strcmp(argv[i], "-t")) {
        v.timeout_ms = atoi(argv[i + 1]);
        i += 2;
    }
    if (i + 1 < argc && !strcmp(argv[i], "-q")) {
        v.queues = (uint32_t)atoi(argv[i + 1]);
        v.dialects = FSIF_DIALECT_BIT(3);
        i += 2;
    }
    if (i + 2 < argc && !strcmp(argv[i], "-g")) {
        n.address = argv[i + 1];
        n.export_name = argv[i + 2];
        i += 3;
    }
    if (i + 2 >= argc)
        return usage();
    v.address = argv[i++];
    v.export_name = argv[i++];
    fds = victim_fds();
    heap = mallinfo2().uordblks;
    v.registry = make_registry();
    n.registry = make_registry();
    if (n.address)
        n.started = pthread_create(&n.thread, NULL, neighbour_main, &n) == 0;
    for (; i < argc; i++)
        victim_step(&v, argv[i]);
    fsif_disconnect(v.cl);
    atomic_store(&n.stop, 1);
    if (n.started)
        pthread_join(n.thread, NULL);
    fsif_registry_destroy(v.registry);
    fsif_registry_destroy(n.registry);
    printf("good = %u rounds %u errors\n", n.rounds, n.errors);
    printf("fds = %d then %d\n", fds, victim_fds());
    printf("heap = %zu then %zu\n", heap, mallinfo2().uordblks);
    return 0;
}
