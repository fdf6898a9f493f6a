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

/* A folder of two: the export, and what lies outside of it. */
extern char base[200];
extern struct fsif_store *store;
extern int export_fd, outside_fd;

void setup(void);
void teardown(void);
struct fsif_store *make_store(uint32_t read_only, uint32_t xdev, uint32_t setid);

/* On the host, behind the store's back */
void put(int dir, const char *name, const char *text);
mode_t mode_of(int dir, const char *name);
int exists(int dir, const char *name);

/* Open or create, and close again. */
int try_open(const char *path);
int try_create(const char *path, uint32_t mode);

/** text_of - the first bytes of a file as text; "" if it cannot be opened */
const char *text_of(const char *path);

/** add_confinement - the cases of test_store_posix_confined.c */
void add_confinement(TCase *c);

#endif
