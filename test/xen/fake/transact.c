/* SPDX-License-Identifier: MIT */
/*
 * Transactions: a copy of the tree, what was looked at in it, and what was changed. The end fails
 * with EAGAIN if anything that was looked at is another one in the tree by then; else the changes
 * are done again there, which is when watches fire.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define TRANSACTIONS_MAX 10u /* of an unprivileged domain's connection */

struct access {
    struct access *next;
    uint64_t generation; /* 0: was not there */
    char path[];
};

struct change {
    struct change *next;
    struct fake_message *message; /* as long as it needs to be */
};

static struct transaction *transactions;
static uint32_t last_id;
static uint32_t conflicts;

void transact_conflicts(uint32_t n)
{
    conflicts = n;
}

uint32_t transact_count(void)
{
    uint32_t n = 0;

    for (const struct transaction *t = transactions; t; t = t->next)
        n++;
    return n;
}

struct transaction *transact_find(struct connection *c, uint32_t id)
{
    struct transaction *t = transactions;

    while (t && (t->id != id || t->owner != c))
        t = t->next;
    return t;
}

void transact_access(struct transaction *tx, const char *path, const struct node *n)
{
    size_t size = strlen(path) + 1;
    struct access *a;

    for (a = tx->accesses; a; a = a->next) {
        if (strcmp(a->path, path) == 0)
            return;
    }
    a = malloc(sizeof(*a) + size);
    memcpy(a->path, path, size);
    /* What was changed here before it was looked at was made here. */
    a->generation = n && n->generation <= tx->since ? n->generation : 0;
    a->next = tx->accesses;
    tx->accesses = a;
}

void transact_change(struct transaction *tx, const struct fake_message *m)
{
    struct change *c = calloc(1, sizeof(*c));

    c->message = malloc(FAKE_HEAD + m->len);
    memcpy(c->message, m, FAKE_HEAD + m->len);
    if (tx->last_change)
        tx->last_change->next = c;
    else
        tx->changes = c;
    tx->last_change = c;
}

static void end(struct transaction *tx)
{
    struct transaction **link = &transactions;

    while (*link != tx)
        link = &(*link)->next;
    *link = tx->next;
    while (tx->accesses) {
        struct access *a = tx->accesses;

        tx->accesses = a->next;
        free(a);
    }
    while (tx->changes) {
        struct change *c = tx->changes;

        tx->changes = c->next;
        free(c->message);
        free(c);
    }
    tree_free(tx->root);
    free(tx);
}

static int conflicting(const struct transaction *tx)
{
    for (const struct access *a = tx->accesses; a; a = a->next) {
        const struct node *n = tree_find(tree_root(), a->path);

        if ((n ? n->generation : 0) != a->generation)
            return 1;
    }
    return 0;
}

static int commit(struct transaction *tx)
{
    struct view v = {.domid = tx->owner->domid};
    int error = 0;

    if (conflicts) {
        conflicts--;
        return EAGAIN;
    }
    if (conflicting(tx))
        return EAGAIN;
    for (struct change *c = tx->changes; c && !error; c = c->next)
        error = tree_apply(v, c->message);
    return error;
}

static void start(struct connection *c, struct fake_message *m)
{
    struct transaction *tx;
    uint32_t mine = 0;

    for (tx = transactions; tx; tx = tx->next)
        mine += tx->owner == c;
    if (c->domid != 0 && mine >= TRANSACTIONS_MAX) {
        answer(m, 0, EBUSY);
        return;
    }
    tx = calloc(1, sizeof(*tx));
    tx->owner = c;
    tx->id = ++last_id;
    tx->since = tree_generation();
    tx->root = tree_copy(tree_root(), NULL);
    tx->next = transactions;
    transactions = tx;
    answer(m, (int)(tx->id & INT32_MAX), 0);
}

void transact_call(struct connection *c, struct fake_message *m)
{
    struct transaction *tx;
    int error = 0;

    if (m->op == FAKE_START) {
        start(c, m);
        return;
    }
    tx = transact_find(c, m->tx);
    if (!tx) {
        answer(m, 0, ENOENT);
        return;
    }
    if (!m->number[0])
        error = commit(tx);
    end(tx);
    answer(m, 0, error);
}

void transact_drop(struct connection *c)
{
    struct transaction *next;

    for (struct transaction *t = transactions; t; t = next) {
        next = t->next;
        if (t->owner == c)
            end(t);
    }
}
