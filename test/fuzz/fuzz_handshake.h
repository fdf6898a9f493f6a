/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_HANDSHAKE_H
#define FUZZ_HANDSHAKE_H

/* The text of the packets that the handshake's target sends. */

#include "arena.h"

#include <fsif/directory.h>

#define PAGES 4u

/* The smallest area of dialect 3 with two queues, and its directory behind it. */
#define AREA_QUEUES 2u
#define AREA_SLOTS 8u
#define AREA_PAGES (AREA_QUEUES + FSIF_ARENA_PAGES_MIN + 1)
#define DIRECTORY (AREA_PAGES - 1)
/* Room for a packet's text */
#define TEXT_MAX (FSIF_DICT_MAX + 64)

/** make_offer_text, make_answer_text - @split: the keys of dialect 3 too. Return: bytes */
size_t make_offer_text(struct input *in, char *text, int split);
size_t make_answer_text(struct input *in, char *text, int split);

#endif
