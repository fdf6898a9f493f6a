/* SPDX-License-Identifier: MIT */
/* A plugin of another ABI version, for test_host_registry.c. */
#include <fsif/transport.h>

static const struct fsif_transport bad = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI + 1,
    .name = "bad",
};

extern const struct fsif_transport *const fsif_transport_plugin;
const struct fsif_transport *const fsif_transport_plugin = &bad;
