/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_STORE_MEMORY_FIXTURE_H
#define FSIF_TEST_STORE_MEMORY_FIXTURE_H

/* What the tests of the memory store share: a store, and short words for its members. */

#include <check.h>
#include <stdint.h>
#include <fsif/error.h>
#include <fsif/memory.h>

#define OPS (&fsif_store_memory)
#define ROOT FSIF_STORE_ROOT
#define NEW (FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC)

#define ck_ok(call) ck_assert_int_eq((call), 0)
#define ck_fails(call, error) ck_assert_int_eq((call), -(error))

extern struct fsif_store *store;

void setup(void);
void teardown(void);

/** restart - begin anew with this configuration, NULL: files are mapped to owner 12:34 */
void restart(const struct fsif_store_config *more);

int open_at(const char *path, uint32_t flags, uint32_t mode, uint64_t *file);
int make_dir(const char *path);
int link_to(const char *target, const char *path); /* a symbolic link */
int remove_at(const char *path);
int move(const char *from, const char *to);
int truncate_to(uint64_t file, uint64_t size);
int chmod_to(uint64_t file, uint32_t mode);
int64_t put(uint64_t file, const char *text, uint64_t off);
int64_t space(void); /* free bytes */

/** opened - open what must open */
uint64_t opened(const char *path, uint32_t flags);

/* What must be there; links themselves. The second is of an open file. */
struct fsif_attr attr_at(const char *path);
struct fsif_attr attr_of(uint64_t file);

/* Open or create, and close again. */
int try_create(const char *path);
int try_open(const char *path);

/* The cases of the other files */
void add_paths(TCase *c);
void add_making(TCase *c);
void add_renames(TCase *c);
void add_listings(TCase *c);
void add_data(TCase *c);
void add_attributes(TCase *c);
void add_locks(TCase *c);
void add_watches(TCase *c);
void add_threads(TCase *c);

#endif
