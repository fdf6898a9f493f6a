/* SPDX-License-Identifier: MIT */
/* Xenstore, one call at a time: values are copied out and checked, errors are ours. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fsif/host.h>

#include "internal.h"

#define TRANSACTION_TRIES 16

int fsi_xen_error(void)
{
    int ret = -fsif_errno_from_host(errno);

    /* The libraries do not always say why. */
    return ret < 0 ? ret : -FSIF_EIO;
}

void fsi_xen_path(char out[XEN_PATH_MAX], const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(out, XEN_PATH_MAX, format, ap);
    va_end(ap);
}

const char *fsi_xen_leading_number(const char *text, uint32_t max, uint32_t *out)
{
    size_t len = strspn(text, "0123456789");
    uint64_t v = 0;

    if (len == 0 || len > 10 || (text[0] == '0' && len > 1) || (text[len] && text[len] != '/'))
        return NULL;
    for (size_t i = 0; i < len; i++)
        v = v * 10 + (uint64_t)(text[i] - '0');
    if (v > max)
        return NULL;
    *out = (uint32_t)v;
    return text + len;
}

int fsi_xen_number(const char *text, uint32_t max, uint32_t *out)
{
    const char *rest = fsi_xen_leading_number(text, max, out);

    return rest && *rest == '\0';
}

int fsi_xen_numbered(const char *path, const char *parent, uint32_t *out)
{
    size_t len = strlen(parent);

    return strncmp(path, parent, len) == 0 && path[len] == '/' &&
           fsi_xen_number(path + len + 1, UINT32_MAX, out);
}

int fsi_xen_read(struct xs_handle *xs, xs_transaction_t t, const char *path, char *out, size_t size)
{
    unsigned len = 0;
    char *value = xs_read(xs, t, path, &len);
    int ret = 0;

    if (!value)
        return fsi_xen_error();
    if (len >= size || memchr(value, '\0', len))
        ret = -FSIF_EPROTO;
    else
        memcpy(out, value, len);
    if (!ret)
        out[len] = '\0';
    free(value);
    return ret;
}

int fsi_xen_read_u32(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t max,
                     uint32_t *out)
{
    char text[16];
    int ret = fsi_xen_read(xs, t, path, text, sizeof(text));

    if (ret)
        return ret;
    return fsi_xen_number(text, max, out) ? 0 : -FSIF_EPROTO;
}

int fsi_xen_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *value)
{
    return xs_write(xs, t, path, value, (unsigned)strlen(value)) ? 0 : fsi_xen_error();
}

int fsi_xen_write_u32(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    return fsi_xen_write(xs, t, path, text);
}

int fsi_xen_remove(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    return xs_rm(xs, t, path) || errno == ENOENT ? 0 : fsi_xen_error();
}

int fsi_xen_owned_by(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t domid)
{
    unsigned n = 0;
    struct xs_permissions *perms = xs_get_permissions(xs, t, path, &n);
    int ret;

    if (!perms)
        return fsi_xen_error();
    ret = n > 0 && perms[0].id == domid ? 0 : -FSIF_EACCES;
    free(perms);
    return ret;
}

int fsi_xen_own_domid(struct xs_handle *xs, uint32_t *out)
{
    return fsi_xen_read_u32(xs, XBT_NULL, "domid", XEN_DOMAINS - 1, out) ? -FSIF_EPROTO : 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int fsi_xen_parse_uuid(const char *text, uint8_t out[16])
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    unsigned digits = 0;

    if (strlen(text) != sizeof(shape) - 1)
        return 0;
    memset(out, 0, 16);
    for (size_t i = 0; text[i]; i++) {
        int digit = hex_digit(text[i]);

        if (shape[i] == '-' ? text[i] != '-' : digit < 0)
            return 0;
        if (shape[i] == '-')
            continue;
        out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | digit);
        digits++;
    }
    return 1;
}

/* The node is dom0's; anything a guest could have written is not believed. */
void fsi_xen_read_uuid(struct xs_handle *xs, uint32_t domid, uint8_t out[16])
{
    char path[XEN_PATH_MAX];
    char vm[64];

    fsi_xen_path(path, "/local/domain/%u/vm", domid);
    if (fsi_xen_owned_by(xs, XBT_NULL, path, 0) ||
        fsi_xen_read(xs, XBT_NULL, path, vm, sizeof(vm)) || strncmp(vm, "/vm/", 4) != 0 ||
        !fsi_xen_parse_uuid(vm + 4, out))
        memset(out, 0, 16);
}

int fsi_xen_is(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *word)
{
    char text[32];

    return fsi_xen_read(xs, t, path, text, sizeof(text)) == 0 && strcmp(text, word) == 0;
}

int fsi_xen_transact(struct xs_handle *xs, fsi_xen_step *step, void *arg)
{
    for (int i = 0; i < TRANSACTION_TRIES; i++) {
        xs_transaction_t t = xs_transaction_start(xs);
        int ret;

        if (t == XBT_NULL)
            return fsi_xen_error();
        ret = step(xs, t, arg);
        if (ret) {
            xs_transaction_end(xs, t, true);
            /* Another's commit may also show as a step that fails. */
            if (ret == -FSIF_EAGAIN)
                continue;
            return ret;
        }
        if (xs_transaction_end(xs, t, false))
            return 0;
        if (errno != EAGAIN)
            return fsi_xen_error();
    }
    return -FSIF_EBUSY;
}
