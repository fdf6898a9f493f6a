/* SPDX-License-Identifier: MIT */
/* What the transport uses of libxenevtchn. */
#include <errno.h>
#include <poll.h>
#include <xenevtchn.h>

#include "client.h"

struct xenevtchn_handle {
    struct handle h;
};

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xenevtchn_handle *)client_open(FAKE_CHANNELS, "xenevtchn_open");
}

int xenevtchn_close(xenevtchn_handle *e)
{
    client_close(&e->h);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *e)
{
    return e->h.fd;
}

/* Returns the result, or -1 and errno. */
static int call(xenevtchn_handle *e, enum fake_op op, uint32_t a, uint32_t b)
{
    struct fake_message *m = client_begin(&e->h, op);
    int ret;

    m->number[0] = a;
    m->number[1] = b;
    ret = client_call(&e->h) == 0 ? m->result : -1;
    client_end(&e->h);
    return ret;
}

int xenevtchn_notify(xenevtchn_handle *e, evtchn_port_t port)
{
    return client_fault("xenevtchn_notify") ? -1 : call(e, FAKE_NOTIFY, port, 0);
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *e, uint32_t domid)
{
    return client_fault("xenevtchn_bind_unbound_port") ? -1 : call(e, FAKE_UNBOUND, domid, 0);
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *e, uint32_t domid,
                                                     evtchn_port_t remote)
{
    return client_fault("xenevtchn_bind_interdomain") ? -1
                                                      : call(e, FAKE_INTERDOMAIN, domid, remote);
}

int xenevtchn_unbind(xenevtchn_handle *e, evtchn_port_t port)
{
    return call(e, FAKE_UNBIND, port, 0);
}

/* Without an event it waits for one, as the real one does. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *e)
{
    struct pollfd p = {.fd = e->h.fd, .events = POLLIN};
    int port;

    if (client_fault("xenevtchn_pending"))
        return -1;
    while ((port = call(e, FAKE_PENDING, 0, 0)) < 0 && errno == EAGAIN)
        (void)poll(&p, 1, -1);
    return port;
}

int xenevtchn_unmask(xenevtchn_handle *e, evtchn_port_t port)
{
    return client_fault("xenevtchn_unmask") ? -1 : call(e, FAKE_UNMASK, port, 0);
}
