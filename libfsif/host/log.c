/* SPDX-License-Identifier: MIT */
/*
 * Log lines. A line is built in a buffer of fixed size and goes out in one write, so that lines of
 * several processes on one descriptor do not mix.
 *
 * Rate limit: burst_ lines are left in the window that began at window_; with none left a line is
 * counted in dropped_ instead. The next line that is written, of either kind, reports and clears
 * the count.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fsif/host.h>

#define LINE_MAX_BYTES 1024u
#define LIMIT_LINES 20u
#define LIMIT_WINDOW_MS 10000u

/* What a value shall have room for at least; a pair with less room is left out and the line says
 * so. */
#define VALUE_LEAST 8u

static const char cut_mark[] = " truncated=1";

struct line {
    size_t used;
    char text[LINE_MAX_BYTES];
};

static size_t room(const struct line *l)
{
    return LINE_MAX_BYTES - sizeof(cut_mark) - l->used;
}

static void put_bytes(struct line *l, const char *text, size_t len)
{
    if (len > room(l))
        len = room(l);
    memcpy(l->text + l->used, text, len);
    l->used += len;
}

static void put(struct line *l, const char *text)
{
    put_bytes(l, text, strlen(text));
}

/* At least @width digits. */
static void put_number(struct line *l, uint64_t n, unsigned width)
{
    char digits[20];
    unsigned i = sizeof(digits);

    while (n > 0 || width > 0) {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
        width -= width > 0;
    }
    put_bytes(l, digits + i, sizeof(digits) - i);
}

static void put_time(struct line *l)
{
    struct timespec now = {0};
    struct tm tm = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    put_number(l, (uint64_t)tm.tm_year + 1900, 4);
    put(l, "-");
    put_number(l, (uint64_t)tm.tm_mon + 1, 2);
    put(l, "-");
    put_number(l, (uint64_t)tm.tm_mday, 2);
    put(l, "T");
    put_number(l, (uint64_t)tm.tm_hour, 2);
    put(l, ":");
    put_number(l, (uint64_t)tm.tm_min, 2);
    put(l, ":");
    put_number(l, (uint64_t)tm.tm_sec, 2);
    put(l, ".");
    put_number(l, (uint64_t)now.tv_nsec / 1000000u, 3);
    put(l, "Z");
}

static const char *level_name(int level)
{
    switch (level) {
    case FSIF_LOG_ERROR:
        return "error";
    case FSIF_LOG_WARNING:
        return "warning";
    case FSIF_LOG_INFO:
        return "info";
    default:
        return "debug";
    }
}

static void put_head(struct line *l, const struct fsif_log *log, int level, const char *event)
{
    put_time(l);
    put(l, " ");
    put(l, level_name(level));
    put(l, " ");
    put(l, log->program);
    put(l, "[");
    put_number(l, (uint64_t)getpid(), 1);
    put(l, "] event=");
    put(l, event);
}

static void put_pairs(struct line *l, va_list args)
{
    const char *key;

    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);

        if (!value)
            value = "";
        if (strlen(key) + 2 + VALUE_LEAST > room(l)) {
            memcpy(l->text + l->used, cut_mark, sizeof(cut_mark) - 1);
            l->used += sizeof(cut_mark) - 1;
            return;
        }
        put(l, " ");
        put(l, key);
        put(l, "=");
        l->used += fsif_escape(l->text + l->used, room(l), value, strlen(value));
    }
}

static void write_line(struct fsif_log *log, int level, const char *event, va_list args)
{
    struct line l;
    ssize_t n;

    l.used = 0;
    put_head(&l, log, level, event);
    if (log->dropped_ > 0) {
        put(&l, " dropped=");
        put_number(&l, log->dropped_, 1);
        log->dropped_ = 0;
    }
    put_pairs(&l, args);
    l.text[l.used++] = '\n';
    do {
        n = write(log->fd, l.text, l.used);
    } while (n < 0 && errno == EINTR);
}

void fsif_log_init(struct fsif_log *log, int fd, int level, const char *program)
{
    *log = (struct fsif_log){.fd = fd,
                             .level = level,
                             .program = program,
                             .burst_ = LIMIT_LINES,
                             .window_ = fsif_now_ms()};
}

void fsif_log_event(struct fsif_log *log, int level, const char *event, ...)
{
    va_list args;

    if (level > log->level)
        return;
    va_start(args, event);
    write_line(log, level, event, args);
    va_end(args);
}

void fsif_log_limited(struct fsif_log *log, int level, const char *event, ...)
{
    uint64_t now = fsif_now_ms();
    va_list args;

    if (level > log->level)
        return;
    if (now - log->window_ >= LIMIT_WINDOW_MS) {
        log->window_ = now;
        log->burst_ = LIMIT_LINES;
    }
    if (log->burst_ == 0) {
        log->dropped_ += log->dropped_ < UINT32_MAX;
        return;
    }
    log->burst_--;
    va_start(args, event);
    write_line(log, level, event, args);
    va_end(args);
}
