/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <unistd.h>
#include "suite.h"

int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    int failed;

    /* Where tests have no processes of their own, Check ends a hang by killing the whole group,
     * which is CTest's, too, unless this is one of its own. */
    if (srunner_fork_status(r) == CK_NOFORK)
        (void)setpgid(0, 0);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
