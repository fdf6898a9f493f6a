/* SPDX-License-Identifier: MIT */
#ifndef FSIF_TEST_DAEMON_H
#define FSIF_TEST_DAEMON_H

/* The real daemon, started for a test. */

#include <sys/types.h>

struct daemon;

/**
 * daemon_start - run a program and wait until its log says that it listens
 *
 * @argv: with the program first and a NULL at the end
 *
 * Return: NULL if it ended before, after what it had to say was printed
 */
struct daemon *daemon_start(char *const argv[]);

/** daemon_children - how many processes the daemon has as children now */
int daemon_children(const struct daemon *d);

/**
 * daemon_stop - ask it to stop and wait for it
 *
 * Return: its exit code, or 128 + the signal that killed it
 */
int daemon_stop(struct daemon *d);

/** daemon_kill - SIGKILL, and wait until it is gone */
void daemon_kill(struct daemon *d);

#endif
