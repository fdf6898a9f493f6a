/* SPDX-License-Identifier: MIT */

/* The transports and stores that the cases run against: a row each. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fsif/host.h>
#include <fsif/memory.h>
#include <fsif/negotiate.h>
#include <fsif/posix.h>
#include "conformance.h"
#include "daemon.h"
#include "harness.h"
#include "scratch.h"

enum { DATA = 0, RO = 1, ANOTHER = 2 };

struct store_row {
    const char *name;
    const struct fsif_store_ops *ops;
    const char *source; /* of an export of the daemon; NULL: the target's directory */
};

static const struct store_row stores[] = {
    {"posix", &fsif_store_posix, NULL},
    {"memory", &fsif_store_memory, "memory:"},
};

static const struct store_row *store_row(const char *name)
{
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
        if (name != NULL && strcmp(stores[i].name, name) == 0)
            return &stores[i];
    return NULL;
}

static uint32_t number(const char *text)
{
    return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

void target_client(const struct target *t, struct fsif_client_options *o)
{
    fsif_client_options_init(o);
    o->plugin_dir = t->plugins;
    o->ring_pages = number(t->pages);
    o->queues = number(t->queues);
    if (t->dialect != NULL)
        o->dialects = FSIF_DIALECT_BIT(number(t->dialect));
}

/* Whether the session speaks what was asked for. */
static int speaks(const struct target *t, const struct fsif_client *cl)
{
    struct fsif_limits limits;

    fsif_get_limits(cl, &limits);
    if (t->queues != NULL && limits.queues != number(t->queues)) {
        fprintf(stderr, "the session has %u queues\n", limits.queues);
        return 0;
    }
    if (t->dialect == NULL || limits.dialect == number(t->dialect))
        return 1;
    fprintf(stderr, "the session speaks dialect %u\n", limits.dialect);
    return 0;
}

/* --- loop: a backend in this process -----------------------------------------------------------
 */

static int loop_connect(struct target *t, int which, struct fsif_client **cl)
{
    const struct store_row *row = store_row(t->store);
    struct fsif_store_config config = {.size = sizeof(config),
                                       .root_fd = -1,
                                       .source = t->data,
                                       .read_only = which == RO,
                                       .special = 1};
    struct harness_options o = {.ops = row->ops, .threads = 4, .read_only = which == RO};
    struct harness *h;
    int err = row->ops->create(&config, &o.store);

    if (err != 0)
        return err;
    t->stores[which] = o.store;
    target_client(t, &o.client);
    err = harness_start(&o, &h, cl);
    t->backend[which] = h;
    return err;
}

static int loop_start(struct target *t, struct context *c)
{
    int err = loop_connect(t, DATA, &c->cl);

    return err != 0 ? err : loop_connect(t, RO, &c->ro);
}

static int loop_another(struct target *t, const struct fsif_client_options *options,
                        struct fsif_client **cl)
{
    struct harness_options o = {.ops = store_row(t->store)->ops,
                                .store = t->stores[DATA],
                                .threads = 2,
                                .client = *options};
    struct harness *h;
    int err = harness_start(&o, &h, cl);

    t->backend[ANOTHER] = h;
    return err;
}

/* Its backend must be gone, too: it would take changes of the store that are for others to tell. */
static void loop_another_ended(struct target *t)
{
    harness_stop(t->backend[ANOTHER]);
    t->backend[ANOTHER] = NULL;
}

static int loop_used(struct target *t)
{
    (void)t;
    return harness_bells() > 0;
}

static int loop_stop(struct target *t)
{
    for (int i = DATA; i <= ANOTHER; i++)
        harness_stop(t->backend[i]);
    for (int i = DATA; i <= RO; i++) {
        if (t->stores[i] != NULL)
            store_row(t->store)->ops->destroy(t->stores[i]);
    }
    return 0;
}

/* --- transports with an address ------------------------------------------------------------------
 */

static int connect_to(const struct target *t, const char *address, const char *name,
                      struct fsif_client **cl)
{
    struct fsif_client_options o;

    target_client(t, &o);
    return fsif_connect(address, name, &o, cl);
}

/* --- shm: the real daemon
 * ------------------------------------------------------------------------- */

static int shm_start(struct target *t, struct context *c)
{
    const char *source = store_row(t->store)->source;
    char listen[300], data[400], ro[400];
    char *argv[] = {(char *)t->daemon,  "-l", listen, "-e", data, "-e", ro, "--plugin-dir",
                    (char *)t->plugins, NULL};
    int err;

    snprintf(t->own_address, sizeof(t->own_address), "shm:%s/socket", t->folder);
    snprintf(listen, sizeof(listen), "%s", t->own_address);
    snprintf(data, sizeof(data), "data=%s,special", source != NULL ? source : t->data);
    snprintf(ro, sizeof(ro), "ro=%s,ro", source != NULL ? source : t->data);
    t->backend[DATA] = daemon_start(argv);
    if (t->backend[DATA] == NULL)
        return -FSIF_ECONNREFUSED;
    err = connect_to(t, t->own_address, "data", &c->cl);
    return err != 0 ? err : connect_to(t, t->own_address, "ro", &c->ro);
}

static int shm_another(struct target *t, const struct fsif_client_options *options,
                       struct fsif_client **cl)
{
    return fsif_connect(t->own_address, "data", options, cl);
}

static void ended_by_itself(struct target *t)
{
    (void)t;
}

/* Whether this process has a memfd of the transport's mapped, and the daemon a worker. */
static int shm_used(struct target *t)
{
    char line[512];
    int found = 0;
    FILE *f = fopen("/proc/self/maps", "re");

    while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
        found = strstr(line, "/memfd:") != NULL;
    if (f != NULL)
        fclose(f);
    return found && daemon_children(t->backend[DATA]) >= 1;
}

static int shm_stop(struct target *t)
{
    int code = t->backend[DATA] != NULL ? daemon_stop(t->backend[DATA]) : 0;

    if (code != 0)
        fprintf(stderr, "the daemon ended with %d\n", code);
    return code;
}

/* --- xen: the real daemon in domain 0, this process in another, on a machine without Xen --------
 */

#define GUEST "5"

static int xen_start(struct target *t, struct context *c)
{
    const char *source = store_row(t->store)->source;
    char machine[300], data[400], ro[400];
    char *attach[] = {(char *)t->xen, machine,  "create", GUEST, "attach", GUEST, "1", "data",
                      "rw",           "attach", GUEST,    "2",   "ro",     "ro",  NULL};
    char *argv[] = {(char *)t->daemon,  "-l", "xen:all", "-e", data, "-e", ro, "--plugin-dir",
                    (char *)t->plugins, NULL};
    int err;

    snprintf(machine, sizeof(machine), "%s/machine", t->folder);
    snprintf(data, sizeof(data), "data=%s,special,allow-domain=" GUEST,
             source != NULL ? source : t->data);
    snprintf(ro, sizeof(ro), "ro=%s,ro,allow-domain=" GUEST, source != NULL ? source : t->data);
    t->machine = daemon_start(attach);
    if (t->machine == NULL || setenv("FSIF_FAKE_XEN", machine, 1) != 0)
        return -FSIF_ENOENT;
    t->backend[DATA] = daemon_start(argv);
    if (t->backend[DATA] == NULL || setenv("FSIF_FAKE_XEN_DOMAIN", GUEST, 1) != 0)
        return -FSIF_ECONNREFUSED;
    snprintf(t->own_address, sizeof(t->own_address), "xen:0");
    err = connect_to(t, t->own_address, "data", &c->cl);
    return err != 0 ? err : connect_to(t, t->own_address, "ro", &c->ro);
}

static int xen_stop(struct target *t)
{
    int code = shm_stop(t);

    return t->machine != NULL && daemon_stop(t->machine) != 0 ? -1 : code;
}

/* --- an outside backend -------------------------------------------------------------------------
 */

static int outside_start(struct target *t, struct context *c)
{
    c->host = t->host;
    c->outside = 1;
    return connect_to(t, t->address, t->export_name, &c->cl);
}

static int outside_another(struct target *t, const struct fsif_client_options *options,
                           struct fsif_client **cl)
{
    return fsif_connect(t->address, t->export_name, options, cl);
}

static int outside_used(struct target *t)
{
    (void)t;
    return 1;
}

static int outside_stop(struct target *t)
{
    (void)t;
    return 0;
}

struct transport_row {
    const char *name;
    int (*start)(struct target *t, struct context *c);
    int (*another)(struct target *t, const struct fsif_client_options *o, struct fsif_client **cl);
    void (*another_ended)(struct target *t); /* after it disconnected */
    int (*used)(struct target *t);           /* while the session runs */
    int (*stop)(struct target *t);           /* after the clients disconnected */
};

static const struct transport_row transports[] = {
    {"loop", loop_start, loop_another, loop_another_ended, loop_used, loop_stop},
    {"shm", shm_start, shm_another, ended_by_itself, shm_used, shm_stop},
    {"xen", xen_start, shm_another, ended_by_itself, shm_used, xen_stop},
    {"outside", outside_start, outside_another, ended_by_itself, outside_used, outside_stop},
};

static const struct transport_row *transport_row(const struct target *t)
{
    const char *name = t->address != NULL ? "outside" : t->transport;

    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
        if (name != NULL && strcmp(transports[i].name, name) == 0)
            return &transports[i];
    return NULL;
}

int target_start(struct target *t, struct context *c)
{
    const struct transport_row *row = transport_row(t);
    int err;

    if (row == NULL || (t->address == NULL && store_row(t->store) == NULL)) {
        fprintf(stderr, "no such transport or store\n");
        return -1;
    }
    scratch_make(t->folder, sizeof(t->folder));
    scratch_path(t->data, sizeof(t->data), t->folder, "data");
    if (mkdir(t->data, 0755) != 0)
        return -1;
    if (t->store != NULL && strcmp(t->store, "posix") == 0)
        c->host = t->data;
    err = row->start(t, c);
    if (err != 0)
        fprintf(stderr, "start: %s\n", fsif_strerror(err));
    return err;
}

int target_shares(const struct target *t)
{
    const struct store_row *row = store_row(t->store);

    return t->address != NULL || strcmp(t->transport, "loop") == 0 || row->source == NULL;
}

int target_another(struct target *t, int timeout_ms, struct fsif_client **cl)
{
    struct fsif_client_options o;

    *cl = NULL;
    target_client(t, &o);
    if (timeout_ms > 0)
        o.timeout_ms = timeout_ms;
    return transport_row(t)->another(t, &o, cl);
}

void target_another_end(struct target *t, struct fsif_client *cl)
{
    fsif_disconnect(cl);
    transport_row(t)->another_ended(t);
}

int target_stop(struct target *t, struct context *c)
{
    const struct transport_row *row = transport_row(t);
    int used = row->used(t) && speaks(t, c->cl);
    int err;

    if (!used)
        fprintf(stderr, "the transport %s was not used\n", t->transport);
    fsif_disconnect(c->cl);
    fsif_disconnect(c->ro);
    err = row->stop(t);
    scratch_remove(t->folder);
    return used && err == 0 ? 0 : -1;
}
