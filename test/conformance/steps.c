/* SPDX-License-Identifier: MIT */

/* Random steps. */

#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "differential.h"

/* splitmix64 */
uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((random_next(state) >> 32) * n >> 32);
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static const char *random_component(uint64_t *state, int links)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    static const char *const odd[] = {"\xff\x01", "a..b", ". .", "-"};
    static const char *const linked[] = {"to-a", "to-ab", "dangling", "loop", "up"};
    uint32_t r = random_below(state, 20);

    if (r == 0)
        return odd[random_below(state, 4)];
    if (r <= 2 && links)
        return linked[random_below(state, 5)];
    return names[random_below(state, 5)];
}

static void random_path(char out[STEP_PATH], uint64_t *state, int links)
{
    uint32_t depth = 1 + random_below(state, 3);
    size_t len = 0;

    if (random_below(state, 40) == 0) { /* the longest name, and one more */
        memset(out, 'n', 255 + random_below(state, 2));
        return;
    }
    for (uint32_t i = 0; i < depth; i++) {
        static const char *const between[] = {"/", "/", "/", "/", "/", "//", "/./"};
        const char *name = random_component(state, links);
        const char *slash = i + 1 < depth ? between[random_below(state, 7)] : "";
        len += (size_t)snprintf(out + len, STEP_PATH - len, "%s%s", name, slash);
    }
    if (random_below(state, 15) == 0)
        snprintf(out + len, STEP_PATH - len, "/");
}

/* How often each kind comes, of the sum. */
static const uint32_t weights[STEP_KINDS] = {
    [STEP_OPEN] = 10,   [STEP_CREATE] = 12,  [STEP_CLOSE] = 4, [STEP_READ] = 10, [STEP_WRITE] = 12,
    [STEP_STAT] = 8,    [STEP_TRUNCATE] = 5, [STEP_CHMOD] = 5, [STEP_SYNC] = 1,  [STEP_REMOVE] = 12,
    [STEP_RENAME] = 14, [STEP_MKDIR] = 12,   [STEP_LIST] = 5,  [STEP_SPACE] = 2,
};

static uint32_t random_kind(uint64_t *state)
{
    uint32_t sum = 0, at;

    for (uint32_t i = 0; i < STEP_KINDS; i++)
        sum += weights[i];
    at = random_below(state, sum);
    for (uint32_t i = 0; i < STEP_KINDS; i++) {
        if (at < weights[i])
            return i;
        at -= weights[i];
    }
    return 0;
}

void step_random(struct step *s, uint64_t *state, int links)
{
    static const uint32_t lens[] = {0, 1, 100, 4095, 4096, 4097, 9000, MAX_IO};
    static const uint32_t offs[] = {0, 0, 0, 1, 4095, 4096, 5000, 70000};

    memset(s, 0, sizeof(*s));
    s->kind = random_kind(state);
    s->slot = random_below(state, SLOTS);
    s->mode = random_below(state, 010000) | (random_below(state, 4) ? 0700 : 0);
    s->len = lens[random_below(state, 8)];
    s->off = offs[random_below(state, 8)];
    if (s->kind == STEP_TRUNCATE && random_below(state, 10) == 0)
        s->off = UINT64_MAX - random_below(state, 2);
    s->seed = random_next(state);
    random_path(s->path, state, links);
    random_path(s->path2, state, links);
    if (random_below(state, 12) == 0) /* into itself, and onto what is above */
        snprintf(s->path2, sizeof(s->path2), "%.250s/%s", s->path, random_component(state, 0));
}

void step_fill(const struct step *s, unsigned char *buf)
{
    uint64_t state = s->seed, word = 0;

    for (uint32_t i = 0; i < s->len; i++) {
        if (i % 8 == 0)
            word = random_next(&state);
        buf[i] = (unsigned char)(word >> 8 * (i % 8));
    }
}

static void print_path(const char *path)
{
    putchar('"');
    for (; *path != '\0'; path++) {
        if (*path >= ' ' && *path < 0x7f)
            putchar(*path);
        else
            printf("\\x%02x", (unsigned int)(unsigned char)*path);
    }
    putchar('"');
}

void step_print(const struct step *s)
{
    static const char *const names[STEP_KINDS] = {"open",   "create",   "close", "read", "write",
                                                  "stat",   "truncate", "chmod", "sync", "remove",
                                                  "rename", "mkdir",    "list",  "space"};

    printf("    %s ", names[s->kind]);
    if (s->kind <= STEP_SYNC)
        printf("slot %u ", s->slot);
    if (s->kind <= STEP_CREATE || s->kind >= STEP_REMOVE)
        print_path(s->path);
    if (s->kind == STEP_RENAME) {
        printf(" to ");
        print_path(s->path2);
    }
    if (s->kind == STEP_CREATE || s->kind == STEP_MKDIR || s->kind == STEP_CHMOD)
        printf(" mode %04o", s->mode);
    if (s->kind == STEP_READ || s->kind == STEP_WRITE)
        printf("%u bytes at %" PRIu64, s->len, s->off);
    if (s->kind == STEP_TRUNCATE)
        printf("to %" PRIu64, s->off);
    putchar('\n');
}
