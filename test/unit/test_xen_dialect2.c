/* SPDX-License-Identifier: MIT */
/* The nodes of dialect 2 in both roles, and how the listener and its sessions end. */
#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/host.h>
#include <fsif/negotiate.h>

#include "suite.h"
#include "xen_fixture.h"

#define I GUEST_VFS "/0"
#define REQUEST REQUESTS "/5/1"

static void setup(void)
{
    xen_setup();
    xen_listen();
    ck_assert_ptr_null(take_peer());
}

static void write_nodes(const char *ring_size)
{
    put_text(guest, I "/ring-size", ring_size);
    put_text(guest, I "/ring-ref-0", "8");
    put_text(guest, I "/ring-ref-1", "40");
    put_text(guest, I "/event-channel", "1");
    put_text(guest, I "/state", "ready");
    put_text(guest, REQUEST "/frontend", I);
}

/* Take the request; what its worker would find in the offer. */
static struct fsif_peer *take_offer(struct fsif_offer *offer, int *quirks)
{
    struct fsif_peer *peer = take_peer();
    struct fsif_session *s;
    struct fsif_dict text;

    ck_assert_ptr_nonnull(peer);
    ck_assert_int_eq(import_peer(peer, &s), 0);
    ck_assert_int_eq(xen->session_next_offer(s, &text), 0);
    ck_assert_int_eq(fsif_offer_read(&text, offer), 0);
    *quirks = fsif_dict_has_word(&text, "quirks", "ring-when-idle");
    xen->close(s);
    return peer;
}

static void end_peer(struct fsif_peer *peer)
{
    xen->peer_close(peer);
    ck_assert_ptr_null(take_peer());
}

/* --- requests --------------------------------------------------------------------------------- */

START_TEST(old_frontend)
{
    struct fsif_offer offer;
    int quirks;

    write_nodes("2");
    end_peer(take_offer(&offer, &quirks));
    ck_assert_uint_eq(offer.dialects, FSIF_DIALECT_BIT(2));
    ck_assert_uint_eq(offer.ring_pages, 2);
    ck_assert_uint_eq(offer.ring_grefs[0], 8);
    ck_assert_uint_eq(offer.ring_grefs[1], 40);
    /* Its handler reads the right index. */
    ck_assert_int_eq(quirks, 0);
}
END_TEST

static const struct {
    const char *ring_ref;
    const char *words;
    uint32_t dialects;
} both[] = {
    {"8", "1 2", FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2)},
    {"8", "2 9", FSIF_DIALECT_BIT(2)},
    {"8", "1", FSIF_DIALECT_BIT(1)},
    {"8", NULL, FSIF_DIALECT_BIT(2)},
    /* Another page: then it is not one ring for both. */
    {"9", "1 2", FSIF_DIALECT_BIT(2)},
};

START_TEST(both_kinds_of_node)
{
    struct fsif_offer offer;
    int quirks;

    put_text(guest, I "/ring-ref", both[_i].ring_ref);
    if (both[_i].words)
        put_text(guest, I "/dialects", both[_i].words);
    write_nodes("1");
    end_peer(take_offer(&offer, &quirks));
    ck_assert_uint_eq(offer.dialects, both[_i].dialects);
    ck_assert_uint_eq(offer.ring_pages, 1);
    ck_assert_uint_eq(offer.ring_grefs[0], 8);
}
END_TEST

static const char *const bad_sizes[] = {"0", "3", "17", "-1", "02", "", "4294967297"};

START_TEST(bad_size)
{
    write_nodes(bad_sizes[_i]);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(REQUEST, NULL));
    ck_assert(value_is(I "/backend", NULL));
}
END_TEST

static const char *const bad_words[] = {"3", "", "12", "1"};

START_TEST(bad_dialects)
{
    put_text(guest, I "/dialects", bad_words[_i]);
    write_nodes("2");
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(REQUEST, NULL));
}
END_TEST

/* --- sessions --------------------------------------------------------------------------------- */

static const struct {
    uint32_t dialects, ring_pages, chosen;
} sessions[] = {
    {FSIF_DIALECT_BIT(1), 1, 1},
    {FSIF_DIALECT_BIT(2), 1, 2},
    {FSIF_DIALECT_BIT(2), 16, 2},
    {FSIF_DIALECT_BIT(1) | FSIF_DIALECT_BIT(2), 1, 2},
};

START_TEST(session)
{
    struct held before;
    struct pair p;

    held_now(&before);
    pair_init(&p);
    p.dialects = sessions[_i].dialects;
    p.ring_pages = sessions[_i].ring_pages;
    ck_assert_int_eq(pair_open(&p), 0);
    ck_assert_uint_eq(p.dialect, sessions[_i].chosen);
    for (uint32_t i = 0; i < p.ring_pages; i++) {
        ((unsigned char *)p.memory)[i * FSIF_PAGE_SIZE] = (unsigned char)(i + 1);
        ck_assert_uint_eq(((unsigned char *)p.ring)[i * FSIF_PAGE_SIZE], i + 1);
    }
    pair_close(&p);
    same_held(&before, "a session");
}
END_TEST

/* The backend's state, of the session on I. */
static int state_is(const char *value)
{
    static char path[128];
    unsigned len;
    char *backend = xs_read(toolstack, XBT_NULL, I "/backend", &len);

    if (backend)
        snprintf(path, sizeof(path), "%.100s/state", backend);
    free(backend);
    return value_is(path, value);
}

/* An old frontend says closing, sees closing, says closed, sees closed, and removes its nodes. */
START_TEST(closing_and_closed)
{
    struct fsif_offer offer;
    struct fsif_peer *peer;
    struct held before;
    int quirks;

    held_now(&before);
    write_nodes("1");
    peer = take_offer(&offer, &quirks);
    put_text(guest, I "/state", "closing");
    ck_assert_ptr_null(take_peer());
    ck_assert(state_is("closing"));
    end_peer(peer);
    ck_assert(state_is("closing"));
    put_text(guest, I "/state", "closed");
    ck_assert_ptr_null(take_peer());
    ck_assert(state_is("closed"));
    xs_rm(guest, XBT_NULL, I);
    ck_assert_ptr_null(take_peer());
    ck_assert(state_is(NULL));
    same_held(&before, "an orderly end");
}
END_TEST

/* One that says closing and then nothing is not waited for. */
START_TEST(closing_for_ever)
{
    struct fsif_offer offer;
    struct fsif_peer *peer;
    int quirks;

    write_nodes("1");
    peer = take_offer(&offer, &quirks);
    put_text(guest, I "/state", "closing");
    ck_assert_ptr_null(take_peer());
    end_peer(peer);
    for (int i = 0; i < 100 && !state_is("closed"); i++) {
        (void)fsif_wait_fd(xen->listener_fd(listener), POLLIN, 2000);
        ck_assert_ptr_null(take_peer());
    }
    ck_assert(state_is("closed"));
    for (int i = 0; i < 100 && !state_is(NULL); i++) {
        (void)fsif_wait_fd(xen->listener_fd(listener), POLLIN, 2000);
        ck_assert_ptr_null(take_peer());
    }
    ck_assert(state_is(NULL));
}
END_TEST

/* --- refusals --------------------------------------------------------------------------------- */

/* The guest asks with the nodes at @number, and the worker refuses and is gone at once. */
static void ask_in_vain(unsigned number)
{
    const struct fsif_choice choice = {.status = -FSIF_ENOSPC};
    static const char *const nodes[][2] = {
        {"ring-size", "1"}, {"ring-ref-0", "8"}, {"event-channel", "1"}, {"state", "ready"}};
    struct fsif_peer *peer;
    struct fsif_session *s;
    struct fsif_dict text;
    char path[128];

    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(path, sizeof(path), GUEST_VFS "/%u/%s", number, nodes[i][0]);
        put_text(guest, path, nodes[i][1]);
    }
    snprintf(path, sizeof(path), GUEST_VFS "/%u", number);
    put_text(guest, REQUEST "/frontend", path);
    peer = take_peer();
    ck_assert_ptr_nonnull(peer);
    ck_assert_int_eq(import_peer(peer, &s), 0);
    ck_assert_int_eq(xen->session_next_offer(s, &text), 0);
    ck_assert_int_eq(fsif_choice_write(&choice, &text), 0);
    ck_assert_int_eq(xen->session_answer(s, &text, 0), 0);
    xen->close(s);
    end_peer(peer);
}

/* How many sessions have nodes. */
static unsigned count_sessions(void)
{
    unsigned n = 0;
    char **names = xs_directory(toolstack, XBT_NULL, VFS, &n);

    ck_assert_ptr_nonnull(names);
    free(names);
    return n - 1; /* "exports" */
}

/* A frontend that is slow finds out why, until it removes its nodes or asks again with them. */
START_TEST(refused)
{
    struct held before;
    char path[128];
    unsigned len;
    char *backend;

    held_now(&before);
    ask_in_vain(0);
    ck_assert(state_is("closed"));
    backend = xs_read(toolstack, XBT_NULL, I "/backend", &len);
    ck_assert_ptr_nonnull(backend);
    snprintf(path, sizeof(path), "%.100s/status", backend);
    free(backend);
    ck_assert(value_is(path, "28"));
    ask_in_vain(0);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(path, NULL));
    ck_assert(state_is("closed"));
    ck_assert_uint_eq(count_sessions(), 1);
    xs_rm(guest, XBT_NULL, I);
    ck_assert_ptr_null(take_peer());
    ck_assert(state_is(NULL));
    same_held(&before, "a refusal");
}
END_TEST

/* One that never looks is not waited for, however often others ask meanwhile. */
START_TEST(refused_for_ever)
{
    ask_in_vain(0);
    ck_assert(state_is("closed"));
    for (int i = 0; i < 100 && !state_is(NULL); i++) {
        ask_in_vain(1);
        (void)fsif_wait_fd(xen->listener_fd(listener), POLLIN, 500);
        ck_assert_ptr_null(take_peer());
    }
    ck_assert(state_is(NULL));
}
END_TEST

START_TEST(refused_many)
{
    for (unsigned i = 0; i < 40; i++)
        ask_in_vain(i);
    ck_assert_uint_eq(count_sessions(), 16);
    fake_destroy(GUEST);
    ck_assert_ptr_null(take_peer());
    ck_assert_uint_eq(count_sessions(), 0);
}
END_TEST

/* --- the listener ----------------------------------------------------------------------------- */

START_TEST(drains)
{
    struct pair p;

    pair_init(&p);
    ck_assert_int_eq(pair_open(&p), 0);
    xen->listener_drain(listener);
    put_text(guest, GUEST_VFS "/7/state", "ready");
    put_text(guest, REQUEST "/frontend", GUEST_VFS "/7");
    ck_assert_ptr_null(take_peer());
    /* A request waits for the next listener, a session for its worker. */
    ck_assert(value_is(REQUEST "/frontend", GUEST_VFS "/7"));
    ck_assert(state_is("ready"));
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_ALIVE);
    pair_close_back(&p);
    ck_assert_ptr_null(take_peer());
    ck_assert(state_is(NULL));
    ck_assert_int_eq(xen->peer_state(p.front), FSIF_PEER_GONE);
    pair_close_front(&p);
    xs_rm(guest, XBT_NULL, REQUEST);
}
END_TEST

START_TEST(domains_end)
{
    uint32_t domid;

    ck_assert_int_eq(xen->listener_ended(listener, &domid), -FSIF_EAGAIN);
    fake_destroy(GUEST);
    fake_create(GUEST + 10);
    ck_assert_ptr_null(take_peer());
    ck_assert_int_eq(xen->listener_ended(listener, &domid), 0);
    ck_assert_uint_eq(domid, GUEST);
    ck_assert_int_eq(xen->listener_ended(listener, &domid), -FSIF_EAGAIN);
    /* One that nothing was ever attached to. */
    fake_destroy(GUEST + 10);
    ck_assert_ptr_null(take_peer());
    ck_assert_int_eq(xen->listener_ended(listener, &domid), 0);
    ck_assert_uint_eq(domid, GUEST + 10);
}
END_TEST

static int box_is(unsigned perms)
{
    unsigned n = 0;
    struct xs_permissions *now = xs_get_permissions(toolstack, XBT_NULL, REQUESTS, &n);
    int same = now && n == 1 && now[0].id == 0 && now[0].perms == perms;

    free(now);
    return same;
}

/* All may write there; who is believed is still the owner. */
START_TEST(open_requests)
{
    ck_assert(box_is(XS_PERM_NONE));
    ck_assert(!xs_write(guest, XBT_NULL, REQUESTS "/9/1/frontend", "x", 1));
    xen_unlisten();
    ck_assert_int_eq(xen->listen("all,open", &listener), -FSIF_EINVAL);
    ck_assert_int_eq(xen->listen("all,open-requests", &listener), 0);
    ck_assert(box_is(XS_PERM_WRITE));
    xs_rm(toolstack, XBT_NULL, REQUESTS "/5");
    /* In another's name. */
    put_text(other, REQUEST "/frontend", I);
    ck_assert_ptr_null(take_peer());
    ck_assert(value_is(REQUEST, NULL));
    xs_rm(toolstack, XBT_NULL, REQUESTS "/5");
    /* In its own. */
    write_nodes("1");
    struct fsif_peer *peer = take_peer();
    ck_assert_ptr_nonnull(peer);
    end_peer(peer);
    xen_unlisten();
    /* The next one closes it, and throws out what guests made. */
    xen_listen();
    ck_assert(box_is(XS_PERM_NONE));
    ck_assert(value_is(REQUESTS "/5", NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xen_dialect2");
    TCase *tc = tcase_create("all");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, xen_teardown);
    tcase_add_test(tc, old_frontend);
    tcase_add_loop_test(tc, both_kinds_of_node, 0, sizeof(both) / sizeof(both[0]));
    tcase_add_loop_test(tc, bad_size, 0, sizeof(bad_sizes) / sizeof(bad_sizes[0]));
    tcase_add_loop_test(tc, bad_dialects, 0, sizeof(bad_words) / sizeof(bad_words[0]));
    tcase_add_loop_test(tc, session, 0, sizeof(sessions) / sizeof(sessions[0]));
    tcase_add_test(tc, closing_and_closed);
    tcase_add_test(tc, closing_for_ever);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, refused_for_ever);
    tcase_add_test(tc, refused_many);
    tcase_add_test(tc, drains);
    tcase_add_test(tc, domains_end);
    tcase_add_test(tc, open_requests);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
