/* SPDX-License-Identifier: MIT */
/* diod over a unix socket, 9P2000.L. Messages are little-endian; so is every host that this runs on
 * (CMakeLists.txt sees to it). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

enum {
    RLERROR = 7,
    TLOPEN = 12,
    TLCREATE = 14,
    TGETATTR = 24,
    TREADDIR = 40,
    TVERSION = 100,
    TATTACH = 104,
    TWALK = 110,
    TREAD = 116,
    TWRITE = 118,
    TCLUNK = 120,
    TREMOVE = 122,
};

enum { HEAD = 7, MSIZE = 65536, IO_HEAD = 24, IO_MOST = 60 * 1024 };
enum { ROOT = 1, BIG = 2, FILE_FID = 3, DIR_FID = 4, OUT = 5 }; /* fids */

struct p9 {
    int sock;
    pid_t pid;
    size_t at; /* of out */
    unsigned char out[MSIZE];
    unsigned char in[MSIZE];
    uint32_t in_len; /* behind the header */
};

/* --- messages --- */

static void begin(struct p9 *p, int type, uint16_t tag)
{
    p->at = HEAD;
    p->out[4] = (unsigned char)type;
    memcpy(p->out + 5, &tag, 2);
}

static void add(struct p9 *p, const void *v, size_t len)
{
    memcpy(p->out + p->at, v, len);
    p->at += len;
}

static void add32(struct p9 *p, uint32_t v)
{
    add(p, &v, 4);
}

static void add64(struct p9 *p, uint64_t v)
{
    add(p, &v, 8);
}

static void add_text(struct p9 *p, const char *text, size_t len)
{
    uint16_t n = (uint16_t)len;

    add(p, &n, 2);
    add(p, text, len);
}

static int64_t send_out(struct p9 *p)
{
    uint32_t len = (uint32_t)p->at;

    memcpy(p->out, &len, 4);
    return bench_send(p->sock, p->out, len);
}

/* Take one answer into p->in. @data, unless NULL: where what is behind the first 4 bytes goes.
 * Return: 0, or a negative errno. */
static int64_t take(struct p9 *p, void *data, uint16_t *tag)
{
    unsigned char head[HEAD];
    uint32_t len, code, first = 4;

    if (bench_receive(p->sock, head, HEAD) != 0)
        return -EPIPE;
    memcpy(&len, head, 4);
    if (tag != NULL)
        memcpy(tag, head + 5, 2);
    p->in_len = len - HEAD;
    if (len < HEAD || p->in_len > sizeof(p->in))
        return -EPROTO;
    if (data == NULL || head[4] == RLERROR || p->in_len < first)
        first = p->in_len;
    if (first > 0 && bench_receive(p->sock, p->in, first) != 0)
        return -EPIPE;
    if (p->in_len > first && bench_receive(p->sock, data, p->in_len - first) != 0)
        return -EPIPE;
    if (head[4] != RLERROR)
        return 0;
    memcpy(&code, p->in, 4);
    return -(int64_t)code;
}

static int64_t talk(struct p9 *p)
{
    int64_t err = send_out(p);

    return err == 0 ? take(p, NULL, NULL) : err;
}

static int64_t walk(struct p9 *p, const char *path, uint32_t fid)
{
    uint16_t names = 0;
    size_t count_at;

    begin(p, TWALK, 0);
    add32(p, ROOT);
    add32(p, fid);
    count_at = p->at;
    add(p, &names, 2);
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        add_text(p, path, len);
        names++;
        path += len + (path[len] == '/');
    }
    memcpy(p->out + count_at, &names, 2);
    return talk(p);
}

static int64_t with_fid(struct p9 *p, int type, uint32_t fid)
{
    begin(p, type, 0);
    add32(p, fid);
    return talk(p);
}

static int64_t lopen(struct p9 *p, uint32_t fid, uint32_t flags)
{
    begin(p, TLOPEN, 0);
    add32(p, fid);
    add32(p, flags);
    return talk(p);
}

/* --- start and stop --- */

static int64_t attach(struct p9 *p, const char *data)
{
    int64_t err;

    begin(p, TVERSION, 0xffff);
    add32(p, MSIZE);
    add_text(p, "9P2000.L", 8);
    err = talk(p);
    if (err != 0)
        return err;
    begin(p, TATTACH, 0);
    add32(p, ROOT);
    add32(p, UINT32_MAX);
    add_text(p, "root", 4);
    add_text(p, data, strlen(data));
    add32(p, 0);
    err = talk(p);
    if (err == 0)
        err = walk(p, "big", BIG);
    if (err == 0)
        err = lopen(p, BIG, 0);
    if (err == 0)
        err = walk(p, "out", OUT);
    return err == 0 ? lopen(p, OUT, 2) : err;
}

static void p9_stop(void *self)
{
    struct p9 *p = self;

    if (p->sock >= 0)
        close(p->sock);
    bench_kill(p->pid); /* it crashes when it is told to stop */
    free(p);
}

static int p9_start(struct bench_place *place, void **self)
{
    char path[BENCH_PATH];
    struct p9 *p;

    if (place->diod == NULL)
        return bench_why(place, "diod is not there (package diod)");
    p = bench_alloc(sizeof(*p));
    snprintf(path, sizeof(path), "%s/diod.sock", place->dir);
    unlink(path);
    char *argv[] = {place->diod, "-f", "-n", "-N",     "-e", place->data,
                    "-l",        path, "-L", "stderr", NULL};
    p->pid = bench_spawn(place, argv, place->server_cpu, -1, -1);
    p->sock = bench_connect(path, p->pid);
    if (p->sock < 0 || attach(p, place->data) != 0) {
        p9_stop(p);
        return bench_failed(place, "diod");
    }
    *self = p;
    return 0;
}

/* --- data --- */

static int64_t send_read(struct p9 *p, uint32_t fid, uint16_t tag, uint64_t off, uint32_t len)
{
    begin(p, TREAD, tag);
    add32(p, fid);
    add64(p, off);
    add32(p, len);
    return send_out(p);
}

static uint32_t part(size_t len, size_t at)
{
    return (uint32_t)(len - at < IO_MOST ? len - at : IO_MOST);
}

/* All parts are asked for, then taken: answers come in the order of the tags or not. */
static int64_t p9_read(void *self, void *buf, size_t len, uint64_t off)
{
    struct p9 *p = self;
    unsigned char head[HEAD + 4];
    unsigned parts = 0;

    for (size_t at = 0; at < len; at += IO_MOST, parts++)
        if (send_read(p, BIG, (uint16_t)parts, off + at, part(len, at)) != 0)
            return -EPIPE;
    while (parts-- > 0) {
        uint16_t tag;
        uint32_t count;
        if (bench_receive(p->sock, head, sizeof(head)) != 0 || head[4] != TREAD + 1)
            return -EIO;
        memcpy(&tag, head + 5, 2);
        memcpy(&count, head + HEAD, 4);
        if (count != part(len, (size_t)tag * IO_MOST) ||
            bench_receive(p->sock, (char *)buf + (size_t)tag * IO_MOST, count) != 0)
            return -EIO;
    }
    return (int64_t)len;
}

/* Return: bytes that one of the parts under way, whichever it is, has written */
static int64_t take_written(struct p9 *p)
{
    uint32_t count;
    int64_t err = take(p, NULL, NULL);

    if (err != 0)
        return err;
    memcpy(&count, p->in, 4);
    return count;
}

/* Two parts under way at most: more could fill both directions of the socket. */
static int64_t p9_write(void *self, const void *buf, size_t len, uint64_t off)
{
    struct p9 *p = self;
    int64_t written = 0, n = 0;

    for (size_t at = 0; at < len && n >= 0; at += IO_MOST) {
        uint32_t some = part(len, at);
        begin(p, TWRITE, (uint16_t)(at / IO_MOST));
        add32(p, OUT);
        add64(p, off + at);
        add32(p, some);
        add(p, (const char *)buf + at, some);
        if (send_out(p) != 0)
            return -EPIPE;
        if (at > 0)
            written += n = take_written(p);
    }
    if (n >= 0)
        written += n = take_written(p);
    return n < 0 ? n : written;
}

static int64_t p9_read_deep(void *self, void *buf, const uint64_t *off, unsigned n)
{
    struct p9 *p = self;
    unsigned begun = 0;

    for (; begun < n && begun < BENCH_DEPTH; begun++)
        if (send_read(p, BIG, (uint16_t)begun, off[begun], BENCH_SMALL) != 0)
            return -EPIPE;
    for (unsigned ended = 0; ended < n; ended++) {
        uint16_t tag;
        if (take(p, buf, &tag) != 0 || p->in_len != 4 + BENCH_SMALL)
            return -EIO;
        if (begun < n && send_read(p, BIG, tag, off[begun++], BENCH_SMALL) != 0)
            return -EPIPE;
    }
    return 0;
}

/* --- names --- */

static int64_t getattr(struct p9 *p, uint32_t fid)
{
    begin(p, TGETATTR, 0);
    add32(p, fid);
    add64(p, 0x7ff); /* what stat() tells */
    return talk(p);
}

static int64_t p9_stat(void *self, const char *path)
{
    struct p9 *p = self;
    int64_t err = walk(p, path, FILE_FID);

    if (err != 0)
        return err;
    err = getattr(p, FILE_FID);
    return with_fid(p, TCLUNK, FILE_FID) == 0 ? err : -EIO;
}

static int64_t p9_open_close(void *self, const char *path)
{
    struct p9 *p = self;
    int64_t err = walk(p, path, FILE_FID);

    if (err == 0)
        err = lopen(p, FILE_FID, 0);
    return err == 0 ? with_fid(p, TCLUNK, FILE_FID) : err;
}

static int64_t p9_create(void *self, const char *path)
{
    struct p9 *p = self;
    const char *slash = strchr(path, '/');
    char dir[BENCH_PATH];
    int64_t err;

    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    err = walk(p, dir, FILE_FID);
    if (err != 0)
        return err;
    begin(p, TLCREATE, 0);
    add32(p, FILE_FID);
    add_text(p, slash + 1, strlen(slash + 1));
    add32(p, 0302); /* O_RDWR | O_CREAT | O_EXCL */
    add32(p, 0644);
    add32(p, 0);
    err = talk(p);
    return with_fid(p, TCLUNK, FILE_FID) == 0 ? err : -EIO;
}

/* It has no Tunlinkat. */
static int64_t p9_remove(void *self, const char *path)
{
    int64_t err = walk(self, path, FILE_FID);

    return err == 0 ? with_fid(self, TREMOVE, FILE_FID) : err;
}

/* Of each entry that the last answer holds: its attributes, if wanted. Return: entries */
static int64_t entries(struct p9 *p, const char *path, int attributes, uint64_t *offset)
{
    static unsigned char copy[MSIZE];
    uint32_t len = p->in_len;
    char name[BENCH_PATH];
    int64_t count = 0;

    memcpy(copy, p->in, len);
    for (uint32_t at = 4; at < len;) {
        uint16_t n;
        memcpy(offset, copy + at + 13, 8);
        memcpy(&n, copy + at + 22, 2);
        const char *text = (const char *)copy + at + 24;
        at += 24u + n;
        if ((n == 1 && text[0] == '.') || (n == 2 && memcmp(text, "..", 2) == 0))
            continue;
        snprintf(name, sizeof(name), "%s/%.*s", path, (int)n, text);
        if (attributes && p9_stat(p, name) != 0)
            return -EIO;
        count++;
    }
    return count;
}

static int64_t list(struct p9 *p, const char *path, int attributes)
{
    uint64_t offset = 0;
    int64_t total = 0, n;
    int64_t err = walk(p, path, DIR_FID);

    if (err == 0)
        err = lopen(p, DIR_FID, 0200000 /* O_DIRECTORY */);
    while (err == 0) {
        begin(p, TREADDIR, 0);
        add32(p, DIR_FID);
        add64(p, offset);
        add32(p, MSIZE - IO_HEAD);
        err = talk(p);
        n = err == 0 ? entries(p, path, attributes, &offset) : err;
        if (n <= 0 && p->in_len <= 4)
            break;
        if (n < 0)
            return n;
        total += n;
    }
    if (err == 0)
        err = with_fid(p, TCLUNK, DIR_FID);
    return err < 0 ? err : total;
}

static int64_t p9_list(void *self, const char *path)
{
    return list(self, path, 0);
}

static int64_t p9_list_attr(void *self, const char *path)
{
    return list(self, path, 1);
}

static int64_t p9_read_file(void *self, const char *path, void *buf, size_t len)
{
    struct p9 *p = self;
    int64_t err = walk(p, path, FILE_FID);
    int64_t n;

    if (err == 0)
        err = lopen(p, FILE_FID, 0);
    if (err == 0)
        err = send_read(p, FILE_FID, 0, 0, (uint32_t)len);
    if (err == 0)
        err = take(p, buf, NULL);
    n = (int64_t)p->in_len - 4;
    if (err == 0)
        err = with_fid(p, TCLUNK, FILE_FID);
    return err < 0 ? err : n;
}

const struct bench_ops bench_diod = {
    .name = "diod",
    .start = p9_start,
    .stop = p9_stop,
    .read = p9_read,
    .write = p9_write,
    .read_deep = p9_read_deep,
    .stat = p9_stat,
    .open_close = p9_open_close,
    .create = p9_create,
    .remove = p9_remove,
    .list = p9_list,
    .list_attr = p9_list_attr,
    .read_file = p9_read_file,
};
