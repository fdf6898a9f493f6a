/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_XEN_DEVICE_FIXTURE_H
#define FSIF_TEST_XEN_DEVICE_FIXTURE_H

/* Sessions on devices: guest 5 is attached to "data" of domain 0 as fsifctl does it. The offers and
 * answers are dictionaries; no engine runs. */

#include "xen_fixture.h"

#define FRONT "/local/domain/5/device/fsif/0"
#define BACK "/local/domain/0/backend/fsif/5/0"

struct device {
    struct fsif_session *front, *back;
    struct fsif_peer *peer;
    unsigned char *memory; /* the frontend's pages */
    uint32_t pages;
    uint32_t *grefs;
    uint32_t queues;  /* that are offered; 0: nothing is said */
    uint32_t chosen;  /* that the backend chooses */
    uint32_t refuse;  /* the status that it answers */
    uint32_t process; /* of the frontend */
    const char *dialects;
    const char *export_name;
    const char *address; /* of the backend */
    int timeout_ms;
    /* what came of it */
    struct fsif_dict offer;  /* as the backend read it */
    struct fsif_dict answer; /* as the frontend read it */
    int accepted;            /* what accept_memory said */
    int offered;             /* what session_offer said */
    uint32_t status;
};

extern struct fsif_toolstack *stack;

/** device_setup, device_teardown - xen_setup() with "data" attached, and a listener */
void device_setup(void);
void device_teardown(void);

/** device_init - 40 pages, one queue, dialect 3, export "data", a timeout of 10 s, process 1 */
void device_init(struct device *d);

/** device_connect - connect and share. Return: 0 or a negative FSIF_E* */
int device_connect(struct device *d);

/** device_open - all of it, till the session runs. Return: 0, the frontend's negative FSIF_E*, or
 * the answer's status as a negative number */
int device_open(struct device *d);

/** device_serve - what a worker does with @d->peer, up to the answer */
void device_serve(struct device *d);

void device_close_front(struct device *d);
void device_close_back(struct device *d);
void device_close(struct device *d);

/** device_calm - let the listener work until it has nothing more to do and no peer */
void device_calm(void);

/** states - whether the device's states are these; "": there is no such node */
int states(const char *front, const char *back);

#endif
