/* SPDX-License-Identifier: MIT */
/* What only a session of dialect 3 can do. */
#include "ours.h"

static int64_t nop3(void *self)
{
    return fsif_nop(((struct ours *)self)->cl);
}

static int64_t read_lent3(void *self, size_t len, uint64_t off)
{
    struct ours *o = self;
    struct fsif_buf buf;
    int64_t n = fsif_buf_get(o->cl, (uint32_t)len, &buf);

    if (n != 0)
        return n;
    n = fsif_pread_buf(o->cl, o->fh, &buf, (uint32_t)len, off);
    fsif_buf_put(o->cl, &buf);
    return n;
}

static int64_t write_lent3(void *self, size_t len, uint64_t off)
{
    struct ours *o = self;
    struct fsif_buf buf;
    int64_t n = fsif_buf_get(o->cl, (uint32_t)len, &buf);

    if (n != 0)
        return n;
    n = fsif_pwrite_buf(o->cl, o->out, &buf, (uint32_t)len, off);
    fsif_buf_put(o->cl, &buf);
    return n;
}

struct counted {
    int64_t count;
    int32_t error;
};

static int count_entry(void *arg, const struct fsif_dirent *entry)
{
    struct counted *c = arg;

    if (entry->status != 0)
        c->error = entry->status;
    c->count++;
    return 0;
}

static int64_t scan3(void *self, const char *path, uint32_t flags)
{
    struct counted c = {0};
    int err = fsif_scandir(((struct ours *)self)->cl, FSIF_ROOT, path, flags, count_entry, &c);

    if (err == 0)
        err = c.error;
    return err != 0 ? err : c.count;
}

static int64_t list3(void *self, const char *path)
{
    return scan3(self, path, 0);
}

static int64_t list_attr3(void *self, const char *path)
{
    return scan3(self, path, FSIF_READDIR_ATTR);
}

static int64_t read_file3(void *self, const char *path, void *buf, size_t len)
{
    struct fsif_attr attr;

    return fsif_readfile(((struct ours *)self)->cl, FSIF_ROOT, path, 0, buf, len, &attr);
}

const struct bench_ops bench_ours3 = {
    .name = "ours",
    .nop = nop3,
    .read_lent = read_lent3,
    .write_lent = write_lent3,
    .list = list3,
    .list_attr = list_attr3,
    .read_file = read_file3,
};
