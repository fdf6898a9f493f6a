/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <barrier.h>

#include "peer.h"

void die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

void fatal(const char *what)
{
    die("%s: %s", what, strerror(errno));
}

uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

uint64_t now_ms(void)
{
    return now_us() / 1000u;
}

uint16_t get16(const unsigned char *slot, size_t at)
{
    uint16_t v;

    memcpy(&v, slot + at, sizeof(v));
    return v;
}

uint32_t get32(const unsigned char *slot, size_t at)
{
    uint32_t v;

    memcpy(&v, slot + at, sizeof(v));
    return v;
}

uint64_t get64(const unsigned char *slot, size_t at)
{
    uint64_t v;

    memcpy(&v, slot + at, sizeof(v));
    return v;
}

void put16(unsigned char *slot, size_t at, uint32_t v)
{
    uint16_t narrow = (uint16_t)v;

    memcpy(slot + at, &narrow, sizeof(narrow));
}

void put32(unsigned char *slot, size_t at, uint32_t v)
{
    memcpy(slot + at, &v, sizeof(v));
}

void put64(unsigned char *slot, size_t at, uint64_t v)
{
    memcpy(slot + at, &v, sizeof(v));
}

/* --- the ring ----------------------------------------------------------------------------------
 */

void ring_init(struct ring *r, void *mem, int dialect, uint32_t pages)
{
    r->mem = mem;
    r->stride = dialect == 1 ? 32 : 56;
    r->slots = 1;
    while (64 + 2 * r->slots * r->stride <= pages * PAGE)
        r->slots *= 2;
}

static struct fsif_shared_u32 *word_at(const struct ring *r, uint32_t word)
{
    return (struct fsif_shared_u32 *)(void *)(r->mem + word);
}

uint32_t ring_get(const struct ring *r, uint32_t word)
{
    return fsi_load_seq(word_at(r, word));
}

void ring_set(struct ring *r, uint32_t word, uint32_t v)
{
    fsi_store_seq(word_at(r, word), v);
}

unsigned char *ring_slot(const struct ring *r, uint32_t index)
{
    return r->mem + 64 + (size_t)(index % r->slots) * r->stride;
}

/* --- xenstore ----------------------------------------------------------------------------------
 */

const char *xs_get(struct xs_handle *xs, const char *format, ...)
{
    static char value[4097];
    char path[PATH_SIZE];
    unsigned len = 0;
    va_list ap;
    char *v;

    va_start(ap, format);
    vsnprintf(path, sizeof(path), format, ap);
    va_end(ap);
    v = xs_read(xs, XBT_NULL, path, &len);
    if (!v)
        return NULL;
    memcpy(value, v, len);
    value[len] = '\0';
    free(v);
    return value;
}

int64_t xs_number(struct xs_handle *xs, const char *path)
{
    const char *value = xs_get(xs, "%s", path);
    char *end;
    unsigned long v;

    if (!value || *value < '0' || *value > '9')
        return -1;
    v = strtoul(value, &end, 10);
    return *end || v > UINT32_MAX ? -1 : (int64_t)v;
}

void xs_put(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *format, ...)
{
    char value[PATH_SIZE];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(value, sizeof(value), format, ap);
    va_end(ap);
    if (!xs_write(xs, t, path, value, (unsigned)n))
        fatal(path);
}

static int wait_fd(int fd, uint64_t ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t end = now_ms() + ms;
    int n;

    do {
        uint64_t now = now_ms();

        n = poll(&p, 1, now >= end ? 0 : (int)(end - now));
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

int xs_wait(struct xs_handle *xs, uint64_t ms)
{
    unsigned n;

    if (!wait_fd(xs_fileno(xs), ms))
        return 0;
    free(xs_read_watch(xs, &n));
    return 1;
}

int event_wait(xenevtchn_handle *evtchn, uint64_t ms)
{
    xenevtchn_port_or_error_t port;

    if (!wait_fd(xenevtchn_fd(evtchn), ms))
        return 0;
    port = xenevtchn_pending(evtchn);
    if (port < 0 || xenevtchn_unmask(evtchn, (evtchn_port_t)port))
        fatal("event channel");
    return 1;
}
