/* SPDX-License-Identifier: MIT */
/*
 * old-frontend: the frontend that a guest of 2008, or of Xen 3.3 to 4.1, had, as a test double.
 * Exit code 0: it was served as it must be.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "old_front.h"

static void usage(void)
{
    die("usage: old-frontend [--dialect 1|2] [--backend DOMID] [--import I] [--forge-ref GREF] "
        "[--forge-size N]\n"
        "                    [--patience MS] EXPORT [check | many N | storm S | hold S | cat "
        "NAME | flood N |\n"
        "                    steal HANDLE]");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"dialect", required_argument, NULL, 'd'},
        {"backend", required_argument, NULL, 'b'},
        {"import", required_argument, NULL, 'i'},
        {"forge-ref", required_argument, NULL, 'f'},
        {"forge-size", required_argument, NULL, 's'},
        {"patience", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    static struct old_front f = {.dialect = 1, .patience_ms = 100, .forged_ref = -1};
    int o;
    int ret;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        unsigned long v = optarg ? strtoul(optarg, NULL, 10) : 0;

        switch (o) {
        case 'd':
            f.dialect = (int)v;
            break;
        case 'b':
            f.backend = (uint32_t)v;
            break;
        case 'i':
            f.import = (uint32_t)v;
            break;
        case 'f':
            f.forged_ref = (int64_t)v;
            break;
        case 's':
            f.forged_size = optarg;
            break;
        case 'p':
            f.patience_ms = v;
            break;
        default:
            usage();
        }
    }
    if (optind >= argc || f.dialect < 1 || f.dialect > 2)
        usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    f.export_name = argv[optind];
    front_open(&f);
    front_mount(&f);
    ret = run_test(&f, optind + 1 < argc ? argv[optind + 1] : "check",
                   optind + 2 < argc ? argv[optind + 2] : NULL);
    front_close(&f);
    return ret;
}
