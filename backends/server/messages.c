/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <fsif/error.h>
#include <stdio.h>
#include <string.h>
#include "common.h"
#include "text.h"

/* Bytes in one value, as hexadecimal digits */
#define BYTES_PART 120u

int fsi_message_is(const struct fsif_dict *message, const char *word)
{
    char value[32];

    return fsif_dict_get(message, "message", value, sizeof(value)) >= 0 && !strcmp(value, word);
}

int fsi_message_is_answer(const struct fsif_dict *message)
{
    uint32_t status;

    return fsif_dict_get_u32(message, "status", 0, FSIF_MAX_ERRNO, &status) == 0;
}

void fsi_message_simple(struct fsif_dict *message, const char *word)
{
    fsif_dict_init(message);
    fsif_dict_put(message, "message", word);
}

int fsi_message_report(struct fsif_dict *message, const char *event, const char *reason)
{
    int rc;

    fsi_message_simple(message, "report");
    rc = fsif_dict_put(message, "event", event);
    return rc ? rc : fsif_dict_put(message, "reason", reason);
}

int fsi_message_ask(struct fsif_dict *message, const char *word, const char *name)
{
    fsi_message_simple(message, word);
    return fsif_dict_put(message, "name", name);
}

static int put_u64(struct fsif_dict *d, const char *key, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    return fsif_dict_put(d, key, text);
}

static int get_u64(const struct fsif_dict *d, const char *key, uint64_t *v)
{
    char text[24];

    if (fsif_dict_get(d, key, text, sizeof(text)) < 0)
        return -FSIF_EINVAL;
    return fsi_parse_u64(text, 0, UINT64_MAX, v);
}

int fsi_message_put_bytes(struct fsif_dict *d, const char *name, const void *bytes, size_t len)
{
    const unsigned char *blob = bytes;
    static const char digits[] = "0123456789abcdef";
    char key[32];
    char value[2 * BYTES_PART + 1];
    int rc = 0;

    for (size_t from = 0; from < len && !rc; from += BYTES_PART) {
        size_t n = len - from < BYTES_PART ? len - from : BYTES_PART;
        for (size_t i = 0; i < n; i++) {
            value[2 * i] = digits[blob[from + i] >> 4];
            value[2 * i + 1] = digits[blob[from + i] & 15];
        }
        value[2 * n] = '\0';
        snprintf(key, sizeof(key), "%s-%zu", name, from / BYTES_PART);
        rc = fsif_dict_put(d, key, value);
    }
    return rc;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int fsi_message_get_bytes(const struct fsif_dict *d, const char *name, void *bytes, size_t size,
                          size_t *len)
{
    unsigned char *blob = bytes;
    char key[32];
    char value[FSIF_DICT_VALUE_MAX + 1];
    size_t used = 0;

    for (unsigned part = 0;; part++) {
        snprintf(key, sizeof(key), "%s-%u", name, part);
        int n = fsif_dict_get(d, key, value, sizeof(value));
        if (n < 0)
            break;
        if (n % 2 || used + (size_t)n / 2 > size)
            return -FSIF_EINVAL;
        for (int i = 0; i < n; i += 2) {
            int high = hex(value[i]);
            int low = hex(value[i + 1]);
            if (high < 0 || low < 0)
                return -FSIF_EINVAL;
            blob[used++] = (unsigned char)(high << 4 | low);
        }
    }
    *len = used;
    return 0;
}

/* The numbers of a message: read and written by one table each. */
struct number {
    const char *key;
    size_t offset;
    uint32_t max;
};

static int put_numbers(struct fsif_dict *d, const struct number *table, size_t n, const void *from)
{
    int rc = 0;

    for (size_t i = 0; i < n && !rc; i++) {
        uint32_t v;
        memcpy(&v, (const char *)from + table[i].offset, sizeof(v));
        rc = v > table[i].max ? -FSIF_EINVAL : fsif_dict_put_u32(d, table[i].key, v);
    }
    return rc;
}

static int get_numbers(const struct fsif_dict *d, const struct number *table, size_t n, void *to)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t v;
        if (fsif_dict_get_u32(d, table[i].key, 0, table[i].max, &v))
            return -FSIF_EINVAL;
        memcpy((char *)to + table[i].offset, &v, sizeof(v));
    }
    return 0;
}

static const struct number hello_numbers[] = {
    {"session", offsetof(struct fsi_hello, session), UINT32_MAX},
    {"fds", offsetof(struct fsi_hello, nfds), FSIF_EXPORT_FDS},
    {"log-level", offsetof(struct fsi_hello, log_level), 3},
    {"dialects", offsetof(struct fsi_hello, dialects), FSIF_DIALECTS_KNOWN},
    {"max-pages", offsetof(struct fsi_hello, max_pages), UINT32_MAX},
    {"threads", offsetof(struct fsi_hello, threads), 256},
    {"slow-threshold", offsetof(struct fsi_hello, slow_threshold), 60000},
    {"max-queues", offsetof(struct fsi_hello, max_queues), FSIF_QUEUES_MAX},
    {"max-slots", offsetof(struct fsi_hello, max_slots), 1024},
    {"max-arena-pages", offsetof(struct fsi_hello, max_arena_pages), 65536},
    {"max-io", offsetof(struct fsi_hello, max_io), UINT32_MAX},
    {"max-locks", offsetof(struct fsi_hello, max_locks), 4096},
    {"max-watches", offsetof(struct fsi_hello, max_watches), 1024},
    {"spin", offsetof(struct fsi_hello, spin), FSI_SPIN_MAX},
    {"spinners", offsetof(struct fsi_hello, spinners), FSI_SPINNERS_MAX},
    {"handshake-timeout", offsetof(struct fsi_hello, handshake_timeout), 3600},
    {"refuse", offsetof(struct fsi_hello, refuse), FSIF_MAX_ERRNO},
};
#define HELLO_NUMBERS (sizeof(hello_numbers) / sizeof(hello_numbers[0]))

int fsi_hello_write(const struct fsi_hello *hello, struct fsif_dict *out)
{
    int rc;

    fsi_message_simple(out, "hello");
    if (hello->blob_len > sizeof(hello->blob))
        return -FSIF_EINVAL;
    rc = fsif_dict_put(out, "transport", hello->transport);
    if (!rc)
        rc = put_numbers(out, hello_numbers, HELLO_NUMBERS, hello);
    if (!rc)
        rc = fsi_message_put_bytes(out, "blob", hello->blob, hello->blob_len);
    return rc ? -FSIF_EINVAL : 0;
}

int fsi_hello_read(const struct fsif_dict *in, struct fsi_hello *out)
{
    memset(out, 0, sizeof(*out));
    if (!fsi_message_is(in, "hello") ||
        fsif_dict_get(in, "transport", out->transport, sizeof(out->transport)) <= 0 ||
        get_numbers(in, hello_numbers, HELLO_NUMBERS, out) || !out->threads)
        return -FSIF_EINVAL;
    return fsi_message_get_bytes(in, "blob", out->blob, sizeof(out->blob), &out->blob_len);
}

int fsi_figures_write(const struct fsi_figures *figures, struct fsif_dict *out)
{
    int rc;

    fsi_message_simple(out, "figures");
    rc = fsif_dict_put_u32(out, "handles", figures->handles);
    if (!rc)
        rc = put_u64(out, "requests", figures->requests);
    return rc ? rc : put_u64(out, "bytes", figures->bytes);
}

int fsi_figures_read(const struct fsif_dict *in, struct fsi_figures *out)
{
    if (fsif_dict_get_u32(in, "handles", 0, UINT32_MAX, &out->handles) ||
        get_u64(in, "requests", &out->requests) || get_u64(in, "bytes", &out->bytes))
        return -FSIF_EINVAL;
    return 0;
}

static const struct number opening_numbers[] = {
    {"handles", offsetof(struct fsi_opening, max_handles), 65536},
    {"read-only", offsetof(struct fsi_opening, config.read_only), 1},
    {"setid", offsetof(struct fsi_opening, config.setid), 1},
    {"xdev", offsetof(struct fsi_opening, config.xdev), 1},
    {"special", offsetof(struct fsi_opening, config.special), 1},
    {"exclusive", offsetof(struct fsi_opening, config.exclusive), 1},
    {"nolease", offsetof(struct fsi_opening, config.nolease), 1},
    {"nolock", offsetof(struct fsi_opening, nolock), 1},
    {"noxattr", offsetof(struct fsi_opening, noxattr), 1},
    {"map", offsetof(struct fsi_opening, config.map), FSIF_MAP_OWNER},
    {"uid", offsetof(struct fsi_opening, config.uid), UINT32_MAX},
    {"gid", offsetof(struct fsi_opening, config.gid), UINT32_MAX},
    {"nodes", offsetof(struct fsi_opening, config.max_nodes), UINT32_MAX},
};
#define OPENING_NUMBERS (sizeof(opening_numbers) / sizeof(opening_numbers[0]))

int fsi_opening_write(const struct fsi_opening *opening, struct fsif_dict *out)
{
    int rc;

    fsif_dict_init(out);
    rc = fsif_dict_put_u32(out, "status", (uint32_t)-opening->status);
    if (opening->status)
        return rc ? -FSIF_EINVAL : 0;
    if (!rc)
        rc = fsif_dict_put(out, "export", opening->name);
    if (!rc)
        rc = fsif_dict_put(out, "store", opening->store);
    if (!rc)
        rc = fsif_dict_put(out, "source", opening->source);
    if (!rc)
        rc = fsif_dict_put(out, "strip-prefix", opening->strip_prefix);
    if (!rc)
        rc = put_u64(out, "size", opening->config.max_bytes);
    if (!rc)
        rc = put_numbers(out, opening_numbers, OPENING_NUMBERS, opening);
    return rc ? -FSIF_EINVAL : 0;
}

int fsi_opening_read(const struct fsif_dict *in, struct fsi_opening *out)
{
    uint32_t status;

    memset(out, 0, sizeof(*out));
    if (fsif_dict_get_u32(in, "status", 0, FSIF_MAX_ERRNO, &status))
        return -FSIF_EINVAL;
    out->status = -(int32_t)status;
    if (out->status)
        return 0;
    out->config.size = sizeof(out->config);
    out->config.root_fd = -1;
    if (fsif_dict_get(in, "export", out->name, sizeof(out->name)) <= 0 ||
        fsif_dict_get(in, "store", out->store, sizeof(out->store)) <= 0 ||
        fsif_dict_get(in, "source", out->source, sizeof(out->source)) < 0 ||
        fsif_dict_get(in, "strip-prefix", out->strip_prefix, sizeof(out->strip_prefix)) < 0 ||
        get_u64(in, "size", &out->config.max_bytes) ||
        get_numbers(in, opening_numbers, OPENING_NUMBERS, out) || !out->max_handles)
        return -FSIF_EINVAL;
    return 0;
}
