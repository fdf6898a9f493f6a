/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_STORE_POSIX_FIXTURE_H
#define FSIF_TEST_STORE_POSIX_FIXTURE_H

/* What the tests of the posix store share. */

#include <check.h>
#include <stdint.h>
#include <sys/types.h>
#include <fsif/error.h>
#include <fsif/posix.h>
#include "scratch.h"

#define OPS (&fsif_store_posix)
#define ROOT FSIF_STORE_ROOT

/* A folder of two: the export, and what lies outside of it. */
extern char base[200];
extern struct fsif_store *store;
extern int export_fd, outside_fd;

void setup(void);
void teardown(void);

/** make_with - a store of the export; @config: all but size and root */
struct fsif_store *make_with(struct fsif_store_config config);
struct fsif_store *make_store(uint32_t read_only, uint32_t xdev, uint32_t setid);

/* On the host, behind the store's back */
void put(int dir, const char *name, const char *text);
mode_t mode_of(int dir, const char *name);
int exists(int dir, const char *name);

/** make_tree - a/b/c in the export, and a directory of the same shape outside */
void make_tree(void);

ino_t inode_of(int dir, const char *name);

/** elsewhere_rename - on behalf of somebody else on the host */
void elsewhere_rename(int from_dir, const char *from, int to_dir, const char *to);

struct moving {
    int dirs[2];
    const char *names[2];
    unsigned int flags;
};

/** keep_moving - another process that renames there and back until it is killed */
pid_t keep_moving(const struct moving *m);
void stop_moving(pid_t pid);

/* One member with the most usual arguments each */
int set_size(struct fsif_store *st, uint64_t file, uint64_t size);
int set_mode(struct fsif_store *st, uint64_t file, uint32_t mode);
uint64_t open_dir(struct fsif_store *st, const char *path);

/** open_at - open or fail the test */
uint64_t open_at(struct fsif_store *st, uint64_t from, const char *path, uint32_t flags);

/** try_at - open and close. Return: what open said */
int try_at(uint64_t from, const char *path, uint32_t flags);

/** text_at - the first bytes of a file as text; "" if it cannot be opened */
const char *text_at(uint64_t from, const char *path);

/** fill - write a file of the host */
void fill(const char *name, char byte, size_t len);

/** skip_unless_root - Return: 1 and a line that says so */
int skip_unless_root(const char *what);

/** space - free bytes, or a negative FSIF_E* */
int64_t space(struct fsif_store *st, const char *path);

/** list_names - the entries of an open directory, sorted, each with a "/" behind it */
const char *list_names(struct fsif_store *st, uint64_t dir);

/* Open or create, and close again. */
int try_open(const char *path);
int try_create(const char *path, uint32_t mode);

/** text_of - the first bytes of a file as text; "" if it cannot be opened */
const char *text_of(const char *path);

/* The cases of test_store_posix_*.c */
void add_listing(TCase *c);
void add_bases(TCase *c);
void add_kept(TCase *c);
void add_opening(TCase *c);
void add_attributes(TCase *c);
void add_links(TCase *c);
void add_data(TCase *c);
void add_watches(TCase *c);

#endif
