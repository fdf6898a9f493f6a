/* SPDX-License-Identifier: MIT */
/*
 * flood ADDRESS EXPORT DIALECT MANY: a client of ours that has so many reads under way at once,
 * says so in the node data/flood of its domain, and waits for their end.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/client.h>
#include <fsif/negotiate.h>
#include <xenstore.h>

#include "peer.h"

#define MANY_MAX 64u

static char pages[MANY_MAX][4096];
static struct fsif_call calls[MANY_MAX];
static unsigned answered;

static void on_done(struct fsif_call *call)
{
    (void)call;
    answered++;
}

static struct fsif_client *connect_to(const char *address, const char *name, unsigned dialect)
{
    struct fsif_client_options o;
    struct fsif_limits limits;
    struct fsif_client *cl;
    int ret;

    fsif_client_options_init(&o);
    o.dialects = FSIF_DIALECT_BIT(dialect);
    ret = fsif_connect(address, name, &o, &cl);
    if (ret)
        die("no session: %d", ret);
    fsif_get_limits(cl, &limits);
    if (limits.dialect != dialect)
        die("the session speaks dialect %u", limits.dialect);
    return cl;
}

static void ask(struct fsif_client *cl, int fh, unsigned many)
{
    for (unsigned i = 0; i < many; i++) {
        calls[i].op.type = FSIF_OP_READ;
        calls[i].op.handle = (uint32_t)fh;
        calls[i].op.offset = i;
        calls[i].op.length = 10;
        calls[i].op.buffer = pages[i];
        calls[i].deadline = FSIF_NEVER;
        calls[i].done = on_done;
        if (fsif_submit(cl, &calls[i]))
            die("call %u of %u is not taken", i, many);
    }
}

static void tell(unsigned many)
{
    struct xs_handle *xs = xs_open(0);
    char text[64];

    snprintf(text, sizeof(text), "%u asked, %u answered", many, answered);
    if (!xs || !xs_write(xs, XBT_NULL, "data/flood", text, (unsigned)strlen(text)))
        fatal("xenstore");
    xs_close(xs);
}

int main(int argc, char **argv)
{
    struct fsif_client *cl;
    unsigned many;
    int fh;

    if (argc != 5)
        die("usage: flood ADDRESS EXPORT DIALECT MANY");
    many = (unsigned)strtoul(argv[4], NULL, 10);
    if (many > MANY_MAX)
        die("%u at most", MANY_MAX);
    cl = connect_to(argv[1], argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    fh = fsif_open(cl, "flood", FSIF_O_RDWR | FSIF_O_CREAT, 0644);
    if (fh < 0)
        die("no file: %d", fh);
    ask(cl, fh, many);
    tell(many);
    while (answered < many) {
        if (fsif_poll(cl, 1000) < 0)
            die("the session ended");
    }
    fsif_disconnect(cl);
    return 0;
}
