/* SPDX-License-Identifier: MIT */

/*
 * A backend and a client in one program: a file goes into a memory store through the ring, is read
 * back and compared.
 *
 *   serve-and-copy [FILE]      (default: this program itself)
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/memory.h>
#include "embed.h"

static int failed(const char *what, int err)
{
    fprintf(stderr, "serve-and-copy: %s: %s\n", what, fsif_strerror(err));
    return 1;
}

/* Whole reads and writes: the client cuts them into requests and keeps the ring full. */
static int copy_in(struct fsif_client *cl, FILE *in, int fh)
{
    char buf[65536];
    uint64_t off = 0;
    size_t n;

    while ((n = fread(buf, 1, sizeof(buf), in)) > 0) {
        int64_t done = fsif_pwrite(cl, fh, buf, n, off);

        if (done != (int64_t)n)
            return failed("write", done < 0 ? (int)done : -FSIF_EIO);
        off += n;
    }
    printf("%llu bytes in\n", (unsigned long long)off);
    return 0;
}

static int compare(struct fsif_client *cl, FILE *in, int fh)
{
    char a[65536];
    char b[65536];
    uint64_t off = 0;
    int64_t n;

    rewind(in);
    while ((n = fsif_pread(cl, fh, a, sizeof(a), off)) > 0) {
        if (fread(b, 1, (size_t)n, in) != (size_t)n || memcmp(a, b, (size_t)n) != 0)
            return failed("compare", -FSIF_EIO);
        off += (uint64_t)n;
    }
    printf("%llu bytes out, the same\n", (unsigned long long)off);
    return n < 0 ? failed("read", (int)n) : fgetc(in) != EOF;
}

static int use(struct fsif_client *cl, const char *path)
{
    struct fsif_attr attr;
    int status = 1;
    int fh = fsif_open(cl, "/copy", FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC, 0644);
    FILE *in = fopen(path, "rb");

    if (in == NULL || fh < 0) {
        failed(path, in == NULL ? -FSIF_ENOENT : fh);
    } else if (copy_in(cl, in, fh) == 0 && compare(cl, in, fh) == 0) {
        int err = fsif_fstat(cl, fh, &attr);

        printf("mode %04o, %llu bytes\n", attr.mode & FSIF_S_PERM, (unsigned long long)attr.size);
        status = err < 0 ? failed("stat", err) : 0;
    }
    if (in != NULL)
        fclose(in);
    fsif_close(cl, fh);
    return status;
}

int main(int argc, char **argv)
{
    struct fsif_store_config config = {.size = sizeof(config), .source = "", .root_fd = -1};
    struct embed e = {.transport = &fsif_transport_loop, .store_ops = &fsif_store_memory};
    struct fsif_client_options options;
    struct fsif_client *cl;
    int status;
    int err;

    fsif_client_options_init(&options);
    options.transport = &fsif_transport_loop;
    err = fsif_store_memory.create(&config, &e.store);
    if (err == 0)
        err = fsif_loop_pair(&options.session, &e.session);
    if (err == 0)
        err = embed_start(&e);
    if (err == 0)
        err = fsif_connect(NULL, "data", &options, &cl);
    if (err < 0)
        return failed("start", err);

    status = use(cl, argc > 1 ? argv[1] : argv[0]);

    fsif_disconnect(cl);
    err = embed_join(&e);
    fsif_store_memory.destroy(e.store);
    return err < 0 ? failed("backend", err) : status;
}
