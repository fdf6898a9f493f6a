/* SPDX-License-Identifier: MIT */
/* In place of ganesha.c where libnfs was not found. */
#include "bench.h"

static int no_start(struct bench_place *place, void **self)
{
    (void)self;
    return bench_why(place, "fsif-bench was built without libnfs (package libnfs-dev)");
}

const struct bench_ops bench_ganesha = {.name = "ganesha", .start = no_start};
