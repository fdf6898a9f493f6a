/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The list of exports: offers of kind FSIF_OFFER_EXPORTS, each continued after its last name. */

/* More than any backend has; a hostile one shall not fill our memory. */
#define MAX_EXPORTS 65536u

struct export_list {
    struct fsif_export_info *items;
    uint32_t count;
    uint32_t room;
};

static int append(struct export_list *l, const char *value)
{
    struct fsif_export_info info = {.name = ""};
    const char *blank = strchr(value, ' ');
    size_t len = blank == NULL ? 0 : (size_t)(blank - value);

    if (len == 0 || len > FSIF_EXPORT_NAME_MAX || l->count >= MAX_EXPORTS)
        return -FSIF_EPROTO;
    memcpy(info.name, value, len);
    if (!fsif_export_name_valid(info.name))
        return -FSIF_EPROTO;
    if (strcmp(blank, " ro") != 0 && strcmp(blank, " rw") != 0)
        return -FSIF_EPROTO;
    info.read_only = strcmp(blank, " ro") == 0;
    if (l->count == l->room) {
        uint32_t room = l->room == 0 ? 16 : 2 * l->room;
        struct fsif_export_info *p = realloc(l->items, room * sizeof(*p));

        if (p == NULL)
            return -FSIF_ENOMEM;
        l->items = p;
        l->room = room;
    }
    l->items[l->count++] = info;
    return 0;
}

/* Exports of a page, however they are numbered. */
static uint32_t count_exports(const struct fsif_dict *answer)
{
    static const char key[] = "export-";
    const char *p = answer->text;
    const char *end = p + answer->used;
    uint32_t count = 0;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));

        count += (size_t)(end - p) > sizeof(key) && memcmp(p, key, sizeof(key) - 1) == 0;
        p = newline == NULL ? end : newline + 1;
    }
    return count;
}

/* One page. Return: 1 more follow; 0; an error. */
static int take_page(struct export_list *l, const struct fsif_dict *answer)
{
    const struct fsif_offer asked = {.kind = FSIF_OFFER_EXPORTS};
    struct fsif_choice choice;
    char value[FSIF_DICT_VALUE_MAX + 1];
    char key[16];
    uint32_t more = 0;
    uint32_t i;
    int err = fsif_choice_read(answer, &asked, &choice);

    for (i = 0; err >= 0; i++) {
        snprintf(key, sizeof(key), "export-%u", i);
        err = fsif_dict_get(answer, key, value, sizeof(value));
        if (err >= 0)
            err = append(l, value);
    }
    if (err != -FSIF_ENOENT || i == 0)
        return err;
    if (count_exports(answer) != i - 1)
        return -FSIF_EPROTO;
    err = fsif_dict_get_u32(answer, "more", 0, 1, &more);
    if (err < 0 && err != -FSIF_ENOENT)
        return -FSIF_EPROTO;
    return more != 0 && i == 1 ? -FSIF_EPROTO : (int)more;
}

static int fetch(const struct fsif_transport *t, struct fsif_session *s, uint64_t deadline,
                 struct export_list *l)
{
    struct fsif_offer offer = {.kind = FSIF_OFFER_EXPORTS};
    struct fsif_dict *keys = malloc(2 * sizeof(*keys));
    int err;

    if (keys == NULL)
        return -FSIF_ENOMEM;
    do {
        if (l->count > 0)
            memcpy(offer.export_name, l->items[l->count - 1].name, sizeof(offer.export_name));
        err = fsif_offer_write(&offer, &keys[0]);
        if (err == 0)
            err = t->session_offer(s, &keys[0], &keys[1], fsi_left_ms(deadline));
        if (err == 0)
            err = take_page(l, &keys[1]);
    } while (err > 0);
    free(keys);
    /* The backend was reached: where there is no list there is no export. */
    if (err == -FSIF_ENOENT)
        return 0;
    return err == -FSIF_EPIPE ? -FSIF_ECONNREFUSED : err;
}

int fsif_exports(const char *address, const struct fsif_client_options *options,
                 struct fsif_export_info **list)
{
    struct fsif_client_options o;
    struct export_list l = {.items = NULL};
    const struct fsif_transport *transport;
    struct fsif_session *session = NULL;
    struct fsif_registry *registry = NULL;
    uint64_t deadline;
    int err = fsi_options_read(options, &o);

    *list = NULL;
    deadline = o.timeout_ms < 0 ? FSIF_NEVER : fsif_now_ms() + (uint64_t)o.timeout_ms;
    transport = o.transport;
    session = o.session;
    if (err == 0)
        err = fsi_open_session(address, &o, &transport, &session, &registry);
    if (err == 0)
        err = fetch(transport, session, deadline, &l);
    if (session != NULL && transport != NULL)
        transport->close(session);
    fsif_registry_destroy(registry);
    if (err < 0 || l.count == 0) {
        free(l.items);
        l.items = NULL;
    }
    *list = l.items;
    return err < 0 ? err : (int)l.count;
}
