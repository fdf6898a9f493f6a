/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_device_fixture.h"

struct fsif_toolstack *stack;

void device_setup(void)
{
    struct fsif_attachment a = {.domid = GUEST, .backend = 0, .export_name = "data"};

    xen_setup();
    /* Those of our own attach, not those of the machine. */
    xs_rm(toolstack, XBT_NULL, "/local/domain/5/device/fsif");
    xs_rm(toolstack, XBT_NULL, "/local/domain/0/backend/fsif");
    ck_assert_int_eq(xen->toolstack_open(&stack), 0);
    ck_assert_int_eq(xen->attach(stack, &a), 0);
    xen_listen();
    device_calm();
}

void device_teardown(void)
{
    xen_unlisten();
    xen->toolstack_close(stack);
    xen_teardown();
}

void device_init(struct device *d)
{
    memset(d, 0, sizeof(*d));
    d->pages = 40;
    d->process = 1;
    d->chosen = 1;
    d->dialects = "3";
    d->export_name = "data";
    d->address = "0";
    d->timeout_ms = 10000;
}

int device_connect(struct device *d)
{
    void *mem = NULL;
    int ret;

    fake_be(GUEST);
    fake_process(d->process);
    ret = xen->connect(d->address, 1000, &d->front);
    if (ret == 0) {
        d->grefs = calloc(d->pages, sizeof(*d->grefs));
        ret = xen->share(d->front, d->pages, &mem, d->grefs);
        d->memory = mem;
    }
    fake_be(0);
    fake_process(0);
    return ret;
}

static void write_offer(const struct device *d, struct fsif_dict *offer)
{
    fsif_dict_init(offer);
    fsif_dict_put_u32(offer, "fsif", 1);
    fsif_dict_put(offer, "request", "session");
    fsif_dict_put(offer, "export", d->export_name);
    fsif_dict_put(offer, "dialects", d->dialects);
    fsif_dict_put(offer, "features", "errno");
    fsif_dict_put_u32(offer, "pages", d->pages);
    fsif_dict_put_u32(offer, "directory", d->grefs[0]);
    if (strchr(d->dialects, '1')) {
        fsif_dict_put_u32(offer, "ring-pages", 1);
        fsif_dict_put_u32(offer, "ring-ref", d->grefs[1]);
    }
    if (d->queues)
        fsif_dict_put_u32(offer, "queues", d->queues);
}

struct offering {
    struct device *d;
    struct fsif_dict offer;
    _Atomic int over;
};

static void *send_offer(void *arg)
{
    struct offering *o = arg;
    struct device *d = o->d;

    fake_be(GUEST);
    fake_process(d->process);
    d->offered = xen->session_offer(d->front, &o->offer, &d->answer, d->timeout_ms);
    atomic_store(&o->over, 1);
    return NULL;
}

/* Return: 0 the offer was accepted and the session runs; else it does not */
static int serve_offer(struct device *d)
{
    struct fsif_dict answer;
    int ret = xen->session_next_offer(d->back, &d->offer);

    d->accepted = ret ? ret : xen->session_accept_memory(d->back, &d->offer, 1024);
    fsif_dict_init(&answer);
    fsif_dict_put_u32(&answer, "status", d->accepted ? (uint32_t)-d->accepted : d->refuse);
    if (d->accepted || d->refuse) {
        (void)xen->session_answer(d->back, &answer, 0);
        return -1;
    }
    fsif_dict_put_u32(&answer, "dialect", fsif_dict_has_word(&d->offer, "dialects", "3") ? 3 : 1);
    fsif_dict_put_u32(&answer, "read-only", 0);
    fsif_dict_put_u32(&answer, "queues", d->chosen);
    return xen->session_answer(d->back, &answer, (int)d->chosen);
}

void device_serve(struct device *d)
{
    int ret;

    device_close_back(d);
    fake_be(d->address ? (uint32_t)atoi(d->address) : 0);
    ret = import_peer(d->peer, &d->back);
    xen->peer_close(d->peer);
    d->peer = NULL;
    if (ret == 0 && serve_offer(d))
        device_close_back(d);
    fake_be(0);
}

int device_open(struct device *d)
{
    struct offering o = {.d = d};
    pthread_t thread;
    int ret = d->front ? 0 : device_connect(d);

    if (ret)
        return ret;
    write_offer(d, &o.offer);
    ck_assert_int_eq(pthread_create(&thread, NULL, send_offer, &o), 0);
    while (!atomic_load(&o.over)) {
        if (!listener) {
            poll(NULL, 0, 1);
            continue;
        }
        if (fsif_wait_fd(xen->listener_fd(listener), POLLIN, 5) <= 0)
            continue;
        if (xen->accept(listener, &d->peer) == 0)
            device_serve(d);
    }
    pthread_join(thread, NULL);
    if (d->offered)
        return d->offered;
    ck_assert_int_eq(fsif_dict_get_u32(&d->answer, "status", 0, FSIF_MAX_ERRNO, &d->status), 0);
    return -(int)d->status;
}

void device_close_front(struct device *d)
{
    if (d->front)
        xen->close(d->front);
    d->front = NULL;
    free(d->grefs);
    d->grefs = NULL;
}

void device_close_back(struct device *d)
{
    if (d->back)
        xen->close(d->back);
    d->back = NULL;
}

void device_calm(void)
{
    ck_assert_ptr_null(take_peer());
}

void device_close(struct device *d)
{
    device_close_front(d);
    device_close_back(d);
    if (listener)
        device_calm();
}

int states(const char *front, const char *back)
{
    return value_is(FRONT "/state", *front ? front : NULL) &&
           value_is(BACK "/state", *back ? back : NULL);
}
