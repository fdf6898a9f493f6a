/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_VHOST_H
#define TEST_BENCH_VHOST_H

/*
 * The front end of a vhost-user device with no virtual machine behind it: memory, one virtqueue for
 * requests (and one that stays empty), bells. A request has a slot with a page for each direction
 * and room for data.
 */

#include <stddef.h>
#include <stdint.h>

#define VHOST_SLOTS 32u

struct vhost;

struct vhost_request {
    unsigned slot;   /* below VHOST_SLOTS; only slot 0 has room for a mebibyte of data */
    size_t out_head; /* bytes of vhost_out(), in a descriptor of their own; may be 0 */
    size_t out;      /* bytes behind them */
    size_t out_data; /* bytes of vhost_data() that go out */
    size_t in;       /* room of vhost_in(); 0: no answer is expected */
    size_t in_data;  /* room of vhost_data() that comes in */
};

/** vhost_open - talk to the device on @sock, taken over. @spin: poll for answers. NULL: errno */
struct vhost *vhost_open(int sock, int spin);
void vhost_close(struct vhost *v);

unsigned char *vhost_out(struct vhost *v, unsigned slot);
unsigned char *vhost_in(struct vhost *v, unsigned slot);
unsigned char *vhost_data(struct vhost *v, unsigned slot);

/** vhost_put - queue a request; vhost_kick - tell the device, unless it polls */
void vhost_put(struct vhost *v, const struct vhost_request *rq);
void vhost_kick(struct vhost *v);

/** vhost_take - wait for an answer. Return: its slot; negative: the device is gone */
int vhost_take(struct vhost *v);

#endif
