/* SPDX-License-Identifier: MIT */
#include "internal.h"

/* There is no peer_answer: the worker's answer goes to the supervisor's part over the socket that
 * peer_export handed over, and no lend: pages of dialects 1 and 2 are copied, those of dialect 3
 * lie in the area that is mapped once. */
const struct fsif_transport fsif_transport_xen = {
    .size = sizeof(struct fsif_transport),
    .abi = FSIF_TRANSPORT_ABI,
    .name = "xen",
    .listen = fsi_xen_listen,
    .listener_fd = fsi_xen_listener_fd,
    .accept = fsi_xen_accept,
    .peer_credentials = fsi_xen_peer_credentials,
    .peer_export = fsi_xen_peer_export,
    .peer_close = fsi_xen_peer_close,
    .listener_ended = fsi_xen_ended,
    .listener_drain = fsi_xen_listener_drain,
    .listener_close = fsi_xen_listener_close,
    .session_import = fsi_xen_import,
    .session_next_offer = fsi_xen_next_offer,
    .session_accept_memory = fsi_xen_accept_memory,
    .session_answer = fsi_xen_answer,
    .map = fsi_xen_map,
    .unmap = fsi_xen_unmap,
    .copy_from = fsi_xen_copy_from,
    .copy_to = fsi_xen_copy_to,
    .connect = fsi_xen_connect,
    .share = fsi_xen_share,
    .session_offer = fsi_xen_offer,
    .notify = fsi_xen_notify,
    .event_fd = fsi_xen_event_fd,
    .acknowledge = fsi_xen_acknowledge,
    .peer_fd = fsi_xen_peer_fd,
    .peer_state = fsi_xen_peer_state,
    .close = fsi_xen_close,
    .toolstack_open = fsi_xen_toolstack_open,
    .toolstack_close = fsi_xen_toolstack_close,
    .resolve = fsi_xen_resolve,
    .attach = fsi_xen_attach,
    .detach = fsi_xen_detach,
    .list = fsi_xen_list,
};
