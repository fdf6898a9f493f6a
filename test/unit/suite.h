/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

#include <check.h>

/** run_suite - run @s and free it. Return: what main() returns */
int run_suite(Suite *s);

#endif
