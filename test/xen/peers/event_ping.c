/* SPDX-License-Identifier: MIT */
/*
 * event-ping: how fast two domains get an event there and back, with nothing else: no ring, no
 * xenstore. What a request over the ring costs is told as a ratio to it.
 *   event-ping ask DOMID ROUNDS     prints "port N", waits for the other side, prints the rate
 *   event-ping answer DOMID PORT    answers until the other side stops for 2 s
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

static int ask(xenevtchn_handle *evtchn, uint32_t domid, unsigned long rounds)
{
    int port = xenevtchn_bind_unbound_port(evtchn, domid);
    uint64_t begin;

    if (port < 0)
        fatal("event channel");
    printf("port %d\n", port);
    if (!event_wait(evtchn, 60000))
        die("nobody answers");
    begin = now_us();
    for (unsigned long i = 0; i < rounds; i++) {
        if (xenevtchn_notify(evtchn, (evtchn_port_t)port) || !event_wait(evtchn, 10000))
            die("no answer to ping %lu", i);
    }
    printf("pings per second: %lu\n", (unsigned long)(rounds * 1000000u / (now_us() - begin + 1)));
    return 0;
}

static int answer(xenevtchn_handle *evtchn, uint32_t domid, evtchn_port_t remote)
{
    int port = xenevtchn_bind_interdomain(evtchn, domid, remote);

    if (port < 0)
        fatal("event channel");
    /* The event that binding gives to this side is what makes the first one to the other. */
    while (event_wait(evtchn, 2000)) {
        if (xenevtchn_notify(evtchn, (evtchn_port_t)port))
            fatal("notify");
    }
    return 0;
}

int main(int argc, char **argv)
{
    xenevtchn_handle *evtchn;

    if (argc != 4)
        die("usage: event-ping ask DOMID ROUNDS | answer DOMID PORT");
    setvbuf(stdout, NULL, _IOLBF, 0);
    evtchn = xenevtchn_open(NULL, 0);
    if (!evtchn)
        fatal("evtchn");
    if (strcmp(argv[1], "ask") == 0)
        return ask(evtchn, (uint32_t)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    return answer(evtchn, (uint32_t)strtoul(argv[2], NULL, 10),
                  (evtchn_port_t)strtoul(argv[3], NULL, 10));
}
