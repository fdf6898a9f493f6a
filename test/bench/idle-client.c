/* SPDX-License-Identifier: MIT */
/*
 * A program with a session that has nothing to do, for idle.py: works a little, says "ready", then
 * answers each line on its standard input with one request and "done".
 */
#include <stdio.h>
#include <string.h>
#include <fsif/client.h>
#include <fsif/host.h>
#include <fsif/shm.h>

static int work(struct fsif_client *cl, int times)
{
    struct fsif_attr attr;
    char block[4096];

    for (int i = 0; i < times; i++) {
        int fh = fsif_open(cl, "file", FSIF_O_RDONLY, 0);
        if (fh < 0 || fsif_pread(cl, fh, block, sizeof(block), 0) < 0 ||
            fsif_fstat(cl, fh, &attr) != 0 || fsif_close(cl, fh) != 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct fsif_client_options options;
    struct fsif_registry *registry;
    struct fsif_limits limits;
    struct fsif_client *cl;
    char line[64];

    fsif_client_options_init(&options);
    if (argc != 2 || fsif_registry_create("", &registry) != 0 ||
        fsif_registry_add_transport(registry, &fsif_transport_shm) != 0) {
        fprintf(stderr, "usage: bench-idle-client ADDRESS\n");
        return 2;
    }
    options.registry = registry;
    if (fsif_connect(argv[1], "data", &options, &cl) != 0 || work(cl, 100) != 0) {
        fprintf(stderr, "bench-idle-client: no session\n");
        return 1;
    }
    fsif_get_limits(cl, &limits);
    printf("ready %u\n", (unsigned)limits.dialect);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL && work(cl, 1) == 0) {
        printf("done\n");
        fflush(stdout);
    }
    fsif_disconnect(cl);
    fsif_registry_destroy(registry);
    return 0;
}
