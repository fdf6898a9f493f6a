/* SPDX-License-Identifier: MIT */
/* OpenSSH's sftp-server on a socketpair, without ssh: protocol version 3, big-endian. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

enum {
    INIT = 1,
    VERSION = 2,
    OPEN = 3,
    CLOSE = 4,
    READ = 5,
    WRITE = 6,
    OPENDIR = 11,
    READDIR = 12,
    REMOVE = 13,
    STAT = 17,
    STATUS = 101,
    HANDLE = 102,
    DATA = 103,
    NAME = 104,
    ATTRS = 105,
};
enum { OPEN_READ = 1, OPEN_WRITE = 2, OPEN_CREATE = 8, OPEN_EXCL = 0x20 };
enum { STATUS_OK = 0, STATUS_EOF = 1 };
enum { IO_MOST = 128 * 1024, OUT_ROOM = IO_MOST + 1024, IN_ROOM = 256 * 1024, UNDER_WAY = 2 };

struct handle {
    unsigned char bytes[256];
    uint32_t len;
};

struct sftp {
    int sock;
    pid_t pid;
    uint32_t id;
    struct handle big;
    struct handle written;
    size_t at;
    uint32_t in_len;
    uint32_t in_id;
    unsigned char in_type;
    unsigned char out[OUT_ROOM];
    unsigned char in[IN_ROOM];
};

/* --- messages --- */

static void add(struct sftp *s, const void *v, size_t len)
{
    memcpy(s->out + s->at, v, len);
    s->at += len;
}

static void add32(struct sftp *s, uint32_t v)
{
    v = htonl(v);
    add(s, &v, 4);
}

static void add64(struct sftp *s, uint64_t v)
{
    add32(s, (uint32_t)(v >> 32));
    add32(s, (uint32_t)v);
}

static void add_bytes(struct sftp *s, const void *v, uint32_t len)
{
    add32(s, len);
    add(s, v, len);
}

static void begin(struct sftp *s, int type, uint32_t id)
{
    s->at = 4;
    s->out[s->at++] = (unsigned char)type;
    add32(s, id);
}

static int64_t send_out(struct sftp *s)
{
    uint32_t len = htonl((uint32_t)s->at - 4);

    memcpy(s->out, &len, 4);
    return bench_send(s->sock, s->out, s->at);
}

static uint32_t get32(const unsigned char *at)
{
    uint32_t v;

    memcpy(&v, at, 4);
    return ntohl(v);
}

/* Take one answer; s->in holds what is behind its id. */
static int64_t take(struct sftp *s)
{
    unsigned char head[9];
    uint32_t len;

    if (bench_receive(s->sock, head, sizeof(head)) != 0)
        return -EPIPE;
    len = get32(head);
    s->in_type = head[4];
    s->in_id = get32(head + 5);
    if (len < 5 || len - 5 > sizeof(s->in))
        return -EPROTO;
    s->in_len = len - 5;
    return s->in_len > 0 ? bench_receive(s->sock, s->in, s->in_len) : 0;
}

/* Return: 0 if the answer has this type, and is no failure if it is a status */
static int64_t expect(struct sftp *s, int type)
{
    int64_t err = take(s);

    if (err != 0)
        return err;
    if (s->in_type == STATUS && get32(s->in) == STATUS_EOF)
        return -ENODATA;
    if (s->in_type != type)
        return -EIO;
    return type == STATUS && get32(s->in) != STATUS_OK ? -EIO : 0;
}

static int64_t talk(struct sftp *s, int type)
{
    int64_t err = send_out(s);

    return err == 0 ? expect(s, type) : err;
}

static int64_t take_handle(struct sftp *s, struct handle *h)
{
    int64_t err = talk(s, HANDLE);

    if (err != 0)
        return err;
    h->len = get32(s->in);
    if (h->len > sizeof(h->bytes) || h->len + 4 > s->in_len)
        return -EPROTO;
    memcpy(h->bytes, s->in + 4, h->len);
    return 0;
}

static int64_t open_path(struct sftp *s, const char *path, uint32_t flags, struct handle *h)
{
    begin(s, OPEN, ++s->id);
    add_bytes(s, path, (uint32_t)strlen(path));
    add32(s, flags);
    add32(s, 0); /* no attributes */
    return take_handle(s, h);
}

static int64_t close_handle(struct sftp *s, const struct handle *h)
{
    begin(s, CLOSE, ++s->id);
    add_bytes(s, h->bytes, h->len);
    return talk(s, STATUS);
}

static int64_t with_path(struct sftp *s, int type, const char *path, int answer)
{
    begin(s, type, ++s->id);
    add_bytes(s, path, (uint32_t)strlen(path));
    return talk(s, answer);
}

/* --- start and stop --- */

static void sftp_stop(void *self)
{
    struct sftp *s = self;

    close(s->sock);
    bench_reap(s->pid);
    free(s);
}

static int64_t hello(struct sftp *s)
{
    begin(s, INIT, 3);
    /* The version stands where later messages have an id. */
    return talk(s, VERSION);
}

static int sftp_start(struct bench_place *place, void **self)
{
    struct sftp *s;
    int pair[2];

    if (place->sftp == NULL)
        return bench_why(place, "sftp-server is not there (package openssh-sftp-server)");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    s = bench_alloc(sizeof(*s));
    s->sock = pair[0];
    char *argv[] = {place->sftp, "-d", place->data, NULL};
    s->pid = bench_spawn(place, argv, place->server_cpu, pair[1], pair[1]);
    close(pair[1]);
    if (hello(s) != 0 || open_path(s, "big", OPEN_READ, &s->big) != 0 ||
        open_path(s, "out", OPEN_READ | OPEN_WRITE, &s->written) != 0) {
        sftp_stop(s);
        return bench_failed(place, "sftp-server");
    }
    *self = s;
    return 0;
}

/* --- data --- */

static int64_t send_read(struct sftp *s, const struct handle *h, uint32_t id, uint64_t off,
                         uint32_t len)
{
    begin(s, READ, id);
    add_bytes(s, h->bytes, h->len);
    add64(s, off);
    add32(s, len);
    return send_out(s);
}

/* Take a DATA answer, its bytes to @buf + its id * @stride. Return: bytes */
static int64_t take_data(struct sftp *s, void *buf, size_t stride, uint32_t *id)
{
    unsigned char head[13];
    uint32_t count;

    if (bench_receive(s->sock, head, sizeof(head)) != 0)
        return -EPIPE;
    if (head[4] != DATA)
        return -EIO;
    *id = get32(head + 5);
    count = get32(head + 9);
    if (count > IO_MOST)
        return -EPROTO;
    return bench_receive(s->sock, (char *)buf + *id * stride, count) != 0 ? -EPIPE : (int64_t)count;
}

static uint32_t part(size_t len, size_t at)
{
    return (uint32_t)(len - at < IO_MOST ? len - at : IO_MOST);
}

static int64_t sftp_read(void *self, void *buf, size_t len, uint64_t off)
{
    struct sftp *s = self;
    uint32_t parts = 0, id;
    int64_t total = 0, n;

    for (size_t at = 0; at < len; at += IO_MOST, parts++)
        if (send_read(s, &s->big, parts, off + at, part(len, at)) != 0)
            return -EPIPE;
    for (; parts > 0; parts--, total += n) {
        n = take_data(s, buf, IO_MOST, &id);
        if (n < 0)
            return n;
    }
    return total;
}

static int64_t sftp_write(void *self, const void *buf, size_t len, uint64_t off)
{
    struct sftp *s = self;
    unsigned under_way = 0;

    for (size_t at = 0; at < len; at += IO_MOST) {
        begin(s, WRITE, ++s->id);
        add_bytes(s, s->written.bytes, s->written.len);
        add64(s, off + at);
        add_bytes(s, (const char *)buf + at, part(len, at));
        if (send_out(s) != 0 || (++under_way > UNDER_WAY && expect(s, STATUS) != 0))
            return -EIO;
        under_way = under_way > UNDER_WAY ? UNDER_WAY : under_way;
    }
    while (under_way-- > 0)
        if (expect(s, STATUS) != 0)
            return -EIO;
    return (int64_t)len;
}

static int64_t sftp_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    struct sftp *s = self;
    unsigned begun = 0;
    uint32_t id;

    for (; begun < n && begun < BENCH_DEPTH; begun++)
        if (send_read(s, &s->big, begun, off[begun], BENCH_SMALL) != 0)
            return -EPIPE;
    for (unsigned ended = 0; ended < n; ended++) {
        if (take_data(s, buf, BENCH_SMALL, &id) != BENCH_SMALL)
            return -EIO;
        if (begun < n && send_read(s, &s->big, id, off[begun++], BENCH_SMALL) != 0)
            return -EPIPE;
    }
    return 0;
}

/* --- names --- */

static int64_t sftp_stat(void *self, const char *path)
{
    return with_path(self, STAT, path, ATTRS);
}

static int64_t sftp_open_close(void *self, const char *path)
{
    struct handle h;
    int64_t err = open_path(self, path, OPEN_READ, &h);

    return err == 0 ? close_handle(self, &h) : err;
}

static int64_t sftp_create(void *self, const char *path)
{
    struct handle h;
    int64_t err = open_path(self, path, OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_EXCL, &h);

    return err == 0 ? close_handle(self, &h) : err;
}

static int64_t sftp_remove(void *self, const char *path)
{
    return with_path(self, REMOVE, path, STATUS);
}

/* Every answer carries the attributes of its entries. */
static int64_t sftp_list(void *self, const char *path)
{
    struct sftp *s = self;
    struct handle h;
    int64_t count = 0, err;

    begin(s, OPENDIR, ++s->id);
    add_bytes(s, path, (uint32_t)strlen(path));
    err = take_handle(s, &h);
    while (err == 0) {
        begin(s, READDIR, ++s->id);
        add_bytes(s, h.bytes, h.len);
        err = talk(s, NAME);
        if (err == 0)
            count += get32(s->in);
    }
    if (err != -ENODATA)
        return err;
    err = close_handle(s, &h);
    return err == 0 ? count - 2 : err; /* "." and ".." are among them */
}

static int64_t sftp_read_file(void *self, const char *path, void *buf, size_t len)
{
    struct sftp *s = self;
    struct handle h;
    uint32_t id;
    int64_t n, err = open_path(s, path, OPEN_READ, &h);

    if (err == 0)
        err = send_read(s, &h, 0, 0, (uint32_t)len);
    if (err != 0)
        return err;
    n = take_data(s, buf, 0, &id);
    err = close_handle(s, &h);
    return err == 0 ? n : err;
}

const struct bench_ops bench_sftp = {
    .name = "sftp-server",
    .start = sftp_start,
    .stop = sftp_stop,
    .read = sftp_read,
    .write = sftp_write,
    .read_deep = sftp_read_deep,
    .stat = sftp_stat,
    .open_close = sftp_open_close,
    .create = sftp_create,
    .remove = sftp_remove,
    .list = sftp_list,
    .list_attr = sftp_list,
    .read_file = sftp_read_file,
};
