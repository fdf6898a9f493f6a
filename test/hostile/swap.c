/* SPDX-License-Identifier: MIT */
/*
 * B19 and B22: somebody on the host who renames at full speed.
 *
 *   swap A B    exchange two names for ever
 *
 * Prints a line when it has begun; ends when its starter does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include "raw.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        raw_die("usage: swap A B");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned long n = 0;; n++) {
        if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) != 0)
            raw_die("renameat2");
        if (n == 0) {
            printf("swapping\n");
            fflush(stdout);
        }
    }
}
