/* SPDX-License-Identifier: MIT */
#ifndef TEST_PASSING_STORE_H
#define TEST_PASSING_STORE_H

/* A store that hands everything to another one, for a test to put itself in between. */

#include <fsif/store.h>

/* What a struct fsif_store of such a test begins with */
struct passing_store {
    const struct fsif_store_ops *ops;
    struct fsif_store *inner;
};

/** passing_ops - members that pass on, but create and destroy, which are @inner's own; those that
 * @inner does not have are NULL */
void passing_ops(const struct fsif_store_ops *inner, struct fsif_store_ops *out);

#endif
