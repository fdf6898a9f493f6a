/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* A line on standard error while a copy runs: bytes, rate and, where the total is known, the rest.
 */

void human_bytes(char *out, uint64_t bytes)
{
    static const char units[] = "BKMGTPE";
    unsigned int unit = 0;
    uint64_t rest = 0;

    while (bytes >= 1024) {
        rest = bytes % 1024;
        bytes /= 1024;
        unit++;
    }
    if (unit == 0)
        snprintf(out, 16, "%uB", (unsigned int)bytes);
    else if (bytes < 10)
        snprintf(out, 16, "%u.%u%c", (unsigned int)bytes, (unsigned int)(rest * 10 / 1024),
                 units[unit]);
    else
        snprintf(out, 16, "%u%c", (unsigned int)bytes, units[unit]);
}

void progress_begin(struct progress *p, uint64_t total)
{
    memset(p, 0, sizeof(*p));
    p->total = total;
    p->begun = fsif_now_ms();
    p->shown = isatty(STDERR_FILENO);
}

static void bar(char *out, unsigned int width, uint64_t part, uint64_t whole)
{
    uint64_t full = whole == 0 ? 0 : part >= whole ? width : part / (whole / width + 1);
    unsigned int i;

    for (i = 0; i < width; i++)
        out[i] = i < full ? '#' : '.';
    out[width] = '\0';
}

void progress_draw(void *progress)
{
    struct progress *p = progress;
    uint64_t ms = fsif_now_ms() - p->begun;
    uint64_t bytes = p->bytes;
    char done[16];
    char rate[16];
    char blocks[21];

    if (!p->shown)
        return;
    human_bytes(done, bytes);
    human_bytes(rate, ms == 0 ? 0 : bytes / (ms / 1000 + 1));
    if (ms > 0 && bytes < UINT64_MAX / 1000)
        human_bytes(rate, bytes * 1000 / ms);
    fprintf(stderr, "\r\033[K%" PRIu64 " files, %s, %s/s", (uint64_t)p->files, done, rate);
    if (p->total > 0) {
        uint64_t left = bytes < p->total ? p->total - bytes : 0;
        uint64_t seconds = bytes == 0 ? 0 : left / (bytes / (ms / 1000 + 1) + 1);

        bar(blocks, sizeof(blocks) - 1, bytes, p->total);
        fprintf(stderr, " [%s] %" PRIu64 ":%02" PRIu64 " left", blocks, seconds / 60, seconds % 60);
    }
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (!p->shown)
        return;
    p->total = 0;
    progress_draw(p);
    fputc('\n', stderr);
}
