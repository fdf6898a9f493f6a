/* SPDX-License-Identifier: MIT */
/* What the transport uses of libxenstore. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "client.h"

#define PAYLOAD_MAX 4096u

struct xs_handle {
    struct handle h;
};

static struct handle *base(struct xs_handle *xs)
{
    return &xs->h;
}

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    return (struct xs_handle *)client_open(FAKE_STORE, "xs_open");
}

void xs_close(struct xs_handle *xs)
{
    if (xs)
        client_close(base(xs));
}

int xs_fileno(struct xs_handle *xs)
{
    return base(xs)->fd;
}

/* The answer stays in the message until client_end(). */
static struct fake_message *ask(struct xs_handle *xs, enum fake_op op, xs_transaction_t t,
                                const char *path, const void *more, size_t len, const char *name)
{
    size_t at = strlen(path) + 1;
    struct fake_message *m;

    if (client_fault(name))
        return NULL;
    if (at + len > PAYLOAD_MAX) {
        errno = E2BIG;
        return NULL;
    }
    m = client_begin(base(xs), op);
    m->tx = t;
    memcpy(m->data, path, at);
    if (len > 0)
        memcpy(m->data + at, more, len);
    m->len = (uint32_t)(at + len);
    if (client_call(base(xs)) == 0)
        return m;
    client_end(base(xs));
    return NULL;
}

static bool done(struct xs_handle *xs, const struct fake_message *m)
{
    if (!m)
        return false;
    client_end(base(xs));
    return true;
}

void *xs_read(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned *len)
{
    struct fake_message *m = ask(xs, FAKE_READ, t, path, NULL, 0, "xs_read");
    char *value = NULL;

    if (!m)
        return NULL;
    value = malloc(m->len + 1);
    memcpy(value, m->data, m->len);
    value[m->len] = '\0';
    if (len)
        *len = m->len;
    client_end(base(xs));
    return value;
}

char **xs_directory(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned *num)
{
    struct fake_message *m = ask(xs, FAKE_DIRECTORY, t, path, NULL, 0, "xs_directory");
    char **names;
    char *text;

    if (!m)
        return NULL;
    *num = (unsigned)m->result;
    names = malloc((*num + 1) * sizeof(*names) + m->len);
    text = (char *)(names + *num + 1);
    memcpy(text, m->data, m->len);
    client_end(base(xs));
    for (unsigned i = 0; i < *num; i++) {
        names[i] = text;
        text += strlen(text) + 1;
    }
    return names;
}

bool xs_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const void *data,
              unsigned len)
{
    return done(xs, ask(xs, FAKE_WRITE, t, path, data, len, "xs_write"));
}

bool xs_mkdir(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    return done(xs, ask(xs, FAKE_MKDIR, t, path, NULL, 0, "xs_mkdir"));
}

bool xs_rm(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    return done(xs, ask(xs, FAKE_RM, t, path, NULL, 0, "xs_rm"));
}

struct xs_permissions *xs_get_permissions(struct xs_handle *xs, xs_transaction_t t,
                                          const char *path, unsigned *num)
{
    struct fake_message *m = ask(xs, FAKE_GET_PERMS, t, path, NULL, 0, "xs_get_permissions");
    struct xs_permissions *perms;

    if (!m)
        return NULL;
    *num = (unsigned)m->result;
    perms = malloc(m->len);
    memcpy(perms, m->data, m->len);
    client_end(base(xs));
    return perms;
}

bool xs_set_permissions(struct xs_handle *xs, xs_transaction_t t, const char *path,
                        struct xs_permissions *perms, unsigned num)
{
    return done(
        xs, ask(xs, FAKE_SET_PERMS, t, path, perms, num * sizeof(*perms), "xs_set_permissions"));
}

bool xs_watch(struct xs_handle *xs, const char *path, const char *token)
{
    return done(xs, ask(xs, FAKE_WATCH, 0, path, token, strlen(token) + 1, "xs_watch"));
}

bool xs_unwatch(struct xs_handle *xs, const char *path, const char *token)
{
    return done(xs, ask(xs, FAKE_UNWATCH, 0, path, token, strlen(token) + 1, "xs_unwatch"));
}

char **xs_check_watch(struct xs_handle *xs)
{
    struct fake_message *m = ask(xs, FAKE_EVENT, 0, "", NULL, 0, "xs_check_watch");
    char **event;

    if (!m)
        return NULL;
    event = malloc(2 * sizeof(*event) + m->len);
    event[XS_WATCH_PATH] = (char *)(event + 2);
    memcpy(event[XS_WATCH_PATH], m->data, m->len);
    event[XS_WATCH_TOKEN] = event[XS_WATCH_PATH] + strlen(event[XS_WATCH_PATH]) + 1;
    client_end(base(xs));
    return event;
}

xs_transaction_t xs_transaction_start(struct xs_handle *xs)
{
    struct fake_message *m = ask(xs, FAKE_START, 0, "", NULL, 0, "xs_transaction_start");
    xs_transaction_t t;

    if (!m)
        return XBT_NULL;
    t = (xs_transaction_t)m->result;
    client_end(base(xs));
    return t;
}

bool xs_transaction_end(struct xs_handle *xs, xs_transaction_t t, bool abort)
{
    struct fake_message *m;
    int ret, error;

    if (!abort)
        client_before_commit();
    /* It ends even if the answer is lost. */
    if (client_fault("xs_transaction_end")) {
        error = errno;
        abort = true;
    } else {
        error = 0;
    }
    m = client_begin(base(xs), FAKE_END);
    m->tx = t;
    m->number[0] = abort;
    ret = client_call(base(xs));
    client_end(base(xs));
    if (error)
        errno = error;
    if (ret == 0 && !abort)
        client_after_commit();
    return ret == 0 && !error;
}

bool xs_is_domain_introduced(struct xs_handle *xs, unsigned domid)
{
    struct fake_message *m;
    int ret;

    if (client_fault("xs_is_domain_introduced"))
        return false;
    m = client_begin(base(xs), FAKE_INTRODUCED);
    m->number[0] = domid;
    ret = client_call(base(xs)) == 0 && m->result;
    client_end(base(xs));
    return ret;
}
