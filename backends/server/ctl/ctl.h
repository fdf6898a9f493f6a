/* SPDX-License-Identifier: MIT */
#ifndef FSI_CTL_H
#define FSI_CTL_H

/* What the files of the program fsifctl share. */

#include <stddef.h>
#include <stdint.h>
#include <fsif/host.h>
#include "../admin.h"
#include "../allow.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
};

struct ctl {
    const char *control; /* path of the daemon's socket */
    const char *backend; /* a domain; NULL: this one */
    const char *transport;
    const char *plugin_dir;
    const char *synopsis; /* of the command */
    int json;
    int sock; /* -1: not connected */
    struct fsif_registry *registry;
    const struct fsif_transport *xen; /* whose toolstack is open */
    struct fsif_toolstack *toolstack; /* NULL: not open */
};

/** ctl_say - `fsifctl: ` and a message to standard error. Return: CTL_FAILED */
int ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** ctl_usage - the same and how the command is used. Return: CTL_USAGE */
int ctl_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** ctl_alloc - zeroed memory, or the end */
void *ctl_alloc(size_t size);

/* --- daemon.c: the daemon's half ---------------------------------------------------------------
 */

/** ctl_begin - a request for an export; @export_name may be NULL */
void ctl_begin(struct fsif_dict *request, const char *word, const char *export_name);

/**
 * ctl_ask - connect if need be, send a request and wait for its answer
 *
 * Return: 0; a negative FSIF_E*, of the daemon or of the way to it, and it was said
 */
int ctl_ask(struct ctl *ctl, const struct fsif_dict *request, struct fsif_dict *answer);

/** ctl_try - the same; an answer of -@expected is not said */
int ctl_try(struct ctl *ctl, const struct fsif_dict *request, struct fsif_dict *answer,
            int expected);

/** ctl_text, ctl_number - a value of an answer; "" and 0 without one */
const char *ctl_text(const struct fsif_dict *d, const char *key, char *buf, size_t size);
uint32_t ctl_number(const struct fsif_dict *d, const char *key);

/** ctl_add_sets - operands as set-0, set-1 ... Return: 0; -1 and it was said */
int ctl_add_sets(struct fsif_dict *request, char **operands, int count);

void ctl_close(struct ctl *ctl);

/* --- toolstack.c: the toolstack's half ---------------------------------------------------------
 */

/** ctl_toolstack - open it. @quietly: it may be missing. Return: 0; -1 */
int ctl_toolstack(struct ctl *ctl, int quietly);

/** ctl_resolve - a domain that lives. Return: 0; -1 and it was said */
int ctl_resolve(struct ctl *ctl, const char *domain, struct fsif_domain *out);

/** ctl_backend - the domain of --backend, or this one. Return: 0; -1 and it was said */
int ctl_backend(struct ctl *ctl, uint32_t *out);

/* --- commands: operands and their number; return enum ctl_exit ---------------------------------
 */

int command_attach(struct ctl *ctl, char **operands, int count);
int command_detach(struct ctl *ctl, char **operands, int count);
int command_allow(struct ctl *ctl, char **operands, int count);
int command_deny(struct ctl *ctl, char **operands, int count);
int command_list(struct ctl *ctl, char **operands, int count);
int command_show(struct ctl *ctl, char **operands, int count);
int command_export(struct ctl *ctl, char **operands, int count);
int command_sessions(struct ctl *ctl, char **operands, int count);
int command_limits(struct ctl *ctl, char **operands, int count);
int command_end(struct ctl *ctl, char **operands, int count);

/* --- print.c: tables, as text or JSON -----------------------------------------------------------
 */

struct table;

/** table_new - a table that is printed under @name where there are several; json: its key */
struct table *table_new(const char *name);

/** table_single - the same for one row, which is an object in JSON */
struct table *table_single(const char *name);
void table_row(struct table *t);

/* A cell: @key in JSON, @head in text. Every row has the same ones. */
void table_text(struct table *t, const char *key, const char *head, const char *text);
void table_number(struct table *t, const char *key, const char *head, uint64_t number);
void table_flag(struct table *t, const char *key, const char *head, uint32_t flag);
void table_mode(struct table *t, uint32_t read_only);
void table_time(struct table *t, const char *key, const char *head, uint64_t seconds);
/** table_none - a cell of which nothing is known: "-", or null */
void table_none(struct table *t, const char *key, const char *head);

/** table_free - one that is not printed after all; NULL is ignored */
void table_free(struct table *t);

/**
 * tables_print - print and free tables: at least one, NULL ends the list
 *
 * @several: in JSON an object with an array for each table; else an array
 *
 * Return: enum ctl_exit
 */
int tables_print(const struct ctl *ctl, int several, struct table *first, ...);

/** json_available - Return: 1 or 0 */
int json_available(void);

#endif
