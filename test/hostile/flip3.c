/* SPDX-License-Identifier: MIT */
/*
 * The rounds of dialect 3. Answers have memory of their own, so all that is flipped is the request:
 * a word of its slot, or of what it has in the arena. The export holds "f" (7 bytes), too, which
 * nobody may reach by way of "d/..".
 *
 * A mode has the same two values for good: when the flipper is put to rest it may be about to write
 * once more.
 */
#include <errno.h>
#include <string.h>
#include "flip.h"
#include "raw3.h"

#define NAMES 0u /* in the arena */
#define DATA 4096u
#define RECORDS 8192u

static uint32_t file_handle, folder_handle;

static void begin(uint8_t slot[RAW3_SLOT], uint8_t type, uint32_t handle)
{
    memset(slot, 0, RAW3_SLOT);
    slot[0] = type;
    raw_put16(slot + 2, 1);
    raw_put32(slot + 8, handle);
}

static int64_t ask(struct raw *r, const uint8_t *slot, uint8_t entry[RAW3_ENTRY])
{
    int64_t value;

    raw3_send(r, slot);
    if (raw3_wait(r, entry) < 0)
        raw_die("the session has ended");
    memcpy(&value, entry + 8, sizeof(value));
    return value;
}

/* Eight octets of the slot are flipped from before it is sent until it is answered. */
static int64_t ask_flipped(struct raw *r, struct flipper *f, uint8_t *slot, unsigned at,
                           uint8_t entry[RAW3_ENTRY])
{
    int64_t value;

    raw_put64(slot + at, f->values[0]);
    flip_aim(f, raw3_next(r) + at);
    value = ask(r, slot, entry);
    flip_rest(f);
    return value;
}

/* The same of the names in the arena. */
static int64_t ask_named(struct raw *r, struct flipper *f, const uint8_t *slot,
                         uint8_t entry[RAW3_ENTRY])
{
    int64_t value;

    flip_aim(f, raw3_arena(r, NAMES));
    value = ask(r, slot, entry);
    flip_rest(f);
    return value;
}

static uint64_t word_of(const char octets[8])
{
    uint64_t w;

    memcpy(&w, octets, sizeof(w));
    return w;
}

static uint64_t halves(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* The size in attributes. */
static int64_t size_at(const uint8_t *attr)
{
    int64_t size;

    memcpy(&size, attr + 16, sizeof(size));
    return size;
}

/* A read of the file's first 16 octets into @n ranges that follow each other. */
static void begin_read(uint8_t slot[RAW3_SLOT], uint32_t n)
{
    begin(slot, RAW3_READ, file_handle);
    raw_put32(slot + 24, n);
    for (uint32_t i = 0; i < n; i++)
        raw_put64(slot + 32 + 8 * i, halves(DATA + i * (16 / n), 16 / n));
}

/* Attributes of @n names in so many octets. */
static void begin_many(uint8_t slot[RAW3_SLOT], uint32_t octets, uint32_t n)
{
    begin(slot, RAW3_STATMANY, RAW3_ROOT);
    raw_put32(slot + 20, n);
    raw_put64(slot + 24, halves(NAMES, octets));
    raw_put32(slot + 32, RECORDS);
}

/* --- words of the slot ------------------------------------------------------------------------ */

/* The range's length flips between 16 and more than a request may have. */
static const char *round_length(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    begin_read(slot, 1);
    f->values[0] = halves(DATA, 16);
    f->values[1] = halves(DATA, 2 * RAW3_ARENA);
    ret = ask_flipped(r, f, slot, 32, entry);
    return ret == 16 || ret == -EINVAL ? NULL : "a read of 16 octets or more than all";
}

/* There are as many ranges as there may be, or a thousand. */
static const char *round_count(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    begin_read(slot, 4);
    f->values[0] = halves(4, 0);
    f->values[1] = halves(1000, 0);
    ret = ask_flipped(r, f, slot, 24, entry);
    return ret == 16 || ret == -EINVAL ? NULL : "a read into 4 or 1000 ranges";
}

/* The offset flips between 0 and 64: what two ranges receive is one piece of the file. */
static const char *round_offset(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY], data[16];

    begin_read(slot, 2);
    f->values[0] = 0;
    f->values[1] = 64;
    if (ask_flipped(r, f, slot, 16, entry) != 16)
        return "a read at 0 or 64";
    raw3_get(r, DATA, data, sizeof(data));
    for (unsigned i = 0; i < sizeof(data); i++) {
        if (data[i] != data[0] + i)
            return "data of two places";
    }
    return data[0] == 0 || data[0] == 64 ? NULL : "data of another place";
}

/* A file or a folder: which of them was in use is seen when both are closed at the end. */
static const char *round_handle(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    begin_read(slot, 1);
    f->values[0] = file_handle;
    f->values[1] = folder_handle;
    ret = ask_flipped(r, f, slot, 8, entry);
    return ret == 16 || ret == -EISDIR ? NULL : "a read of a file or a folder";
}

/* A stat with one id, or with another one a nop with operands: form, deed and answer of one kind.
 */
static const char *round_type(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    begin(slot, RAW3_STAT, RAW3_ROOT);
    f->values[0] = halves(RAW3_STAT | RAW3_INLINE << 8 | 1 << 16, 0);
    f->values[1] = halves(RAW3_NOP | RAW3_INLINE << 8 | 2 << 16, 0);
    raw_put16(slot + 12, 4);
    memcpy(slot + 24, "file", 4);
    ret = ask_flipped(r, f, slot, 0, entry);
    if (ret == 0 && entry[0] == 1 && entry[3] == RAW3_LONG && size_at(entry + 16) == 4096)
        return NULL;
    return ret == -EINVAL && entry[0] == 2 && entry[3] == 0 ? NULL : "a stat or a nop";
}

/* A name that goes down, or up again and to another file: its judge sees what is used. */
static const char *round_inline(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    begin(slot, RAW3_STAT, RAW3_ROOT);
    slot[1] = RAW3_INLINE;
    raw_put16(slot + 12, 6);
    f->values[0] = word_of("d////f\0");
    f->values[1] = word_of("d/../f\0");
    ret = ask_flipped(r, f, slot, 24, entry);
    return ret == -EACCES || (ret == 0 && size_at(entry + 16) == 3) ? NULL
                                                                    : "a stat of d/f or d/../f";
}

/* A name that ends with the arena or beyond it. */
static const char *round_end(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    raw3_put(r, RAW3_ARENA - 4, "file", 4);
    begin(slot, RAW3_STAT, RAW3_ROOT);
    raw_put32(slot + 24, RAW3_ARENA - 4);
    f->values[0] = halves(RAW3_ROOT, 4);
    f->values[1] = halves(RAW3_ROOT, 4095);
    ret = ask_flipped(r, f, slot, 8, entry);
    return ret == -EFAULT || (ret == 0 && size_at(entry + 16) == 4096)
               ? NULL
               : "a name at the arena's end and beyond";
}

/* The second of two names ends in the arena or beyond it, or the first is too long. */
static const char *round_rename(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    raw3_put(r, RAW3_ARENA - 5, "goney", 5);
    begin(slot, RAW3_RENAME, RAW3_ROOT);
    raw_put32(slot + 20, RAW3_ROOT);
    raw_put32(slot + 24, RAW3_ARENA - 5);
    f->values[0] = halves(RAW3_ROOT, 4 | 1 << 16);
    f->values[1] = halves(RAW3_ROOT, 4 | 4000 << 16);
    ret = ask_flipped(r, f, slot, 8, entry);
    return ret == -ENOENT || ret == -EFAULT ? NULL : "a rename to a name in or out of the arena";
}

/* statmany reads names and writes records itself: what is not where it was checked makes it fault.
 * @at: where in the slot one of the two is said */
static const char *far_away(struct raw *r, struct flipper *f, unsigned at)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    raw3_put(r, NAMES, "s", 2);
    begin_many(slot, 2, 1);
    ret = ask_flipped(r, f, slot, at, entry);
    return ret == 1 || ret == -EFAULT ? NULL : "names and records in or out of the arena";
}

static const char *round_range(struct raw *r, struct flipper *f)
{
    f->values[0] = halves(NAMES, 2);
    f->values[1] = halves(UINT32_MAX - RAW_PAGE, 2);
    return far_away(r, f, 24);
}

static const char *round_records(struct raw *r, struct flipper *f)
{
    f->values[0] = halves(RECORDS, 0);
    f->values[1] = halves(UINT32_MAX - RAW_PAGE, 0);
    return far_away(r, f, 32);
}

/* --- what lies in the arena ------------------------------------------------------------------- */

static void flip_up_and_down(struct flipper *f)
{
    f->values[0] = word_of("d////f\0");
    f->values[1] = word_of("d/../f\0");
}

/* A name of an operation whose answer's body is attributes; @names: where the slot says it. */
static const char *one_name(struct raw *r, struct flipper *f, uint8_t type, unsigned names)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t ret;

    begin(slot, type, RAW3_ROOT);
    raw_put16(slot + 12, 6);
    raw_put32(slot + names, NAMES);
    flip_up_and_down(f);
    ret = ask_named(r, f, slot, entry);
    return ret == -EACCES || (ret == 0 && size_at(entry + 16) == 3)
               ? NULL
               : "a name that is d/f or d/../f";
}

static const char *round_names(struct raw *r, struct flipper *f)
{
    const char *bad = one_name(r, f, RAW3_STAT, 24);

    return bad ? bad : one_name(r, f, RAW3_SETATTR, 20);
}

/* What is opened, looked at and read is one file. */
static const char *round_readfile(struct raw *r, struct flipper *f)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY], data[3];
    int64_t ret;

    begin(slot, RAW3_READFILE, RAW3_ROOT);
    raw_put16(slot + 12, 6);
    raw_put64(slot + 24, halves(DATA, 64));
    raw_put32(slot + 32, NAMES);
    flip_up_and_down(f);
    ret = ask_named(r, f, slot, entry);
    if (ret == -EACCES)
        return NULL;
    raw3_get(r, DATA, data, sizeof(data));
    return ret == 3 && size_at(entry + 16) == 3 && !memcmp(data, "abc", 3)
               ? NULL
               : "a file's content and attributes";
}

struct outcome {
    int32_t status[2];
    int64_t size[2];
};

/* Two names that follow each other, in @octets of the flipped word: one of these two outcomes. */
static const char *many(struct raw *r, struct flipper *f, uint32_t octets,
                        const struct outcome may[2])
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY], record[2][RAW3_RECORD];
    struct outcome is;

    begin_many(slot, octets, 2);
    if (ask_named(r, f, slot, entry) != 2)
        return "statmany of two";
    raw3_get(r, RECORDS, record, sizeof(record));
    for (unsigned i = 0; i < 2; i++) {
        memcpy(&is.status[i], record[i], sizeof(is.status[i]));
        is.size[i] = size_at(record[i] + 8);
    }
    return memcmp(&is, &may[0], sizeof(is)) && memcmp(&is, &may[1], sizeof(is))
               ? "records that belong to neither list of names"
               : NULL;
}

/* The first name's end comes and goes: with it the second name goes, too. */
static const char *round_many(struct raw *r, struct flipper *f)
{
    static const struct outcome may[2] = {{{0, 0}, {3, 5}}, {{-ENOENT, -EINVAL}, {0, 0}}};

    f->values[0] = word_of("d/f\0s\0\0");
    f->values[1] = word_of("d/fxs\0\0");
    return many(r, f, 6, may);
}

/* The first name goes up or not; the second is as it was. */
static const char *round_many_up(struct raw *r, struct flipper *f)
{
    static const struct outcome may[2] = {{{0, 0}, {3, 5}}, {{-EACCES, 0}, {0, 5}}};

    /* One octet differs: such names are taken octet by octet. */
    f->values[0] = word_of("d/.//f\0s");
    f->values[1] = word_of("d/../f\0s");
    return many(r, f, 9, may);
}

/* --- modes -------------------------------------------------------------------------------------
 */

round_fn *flip3_find(const char *mode)
{
    static const struct {
        const char *name;
        round_fn *round;
    } modes[] = {
        {"length", round_length}, {"range", round_range},     {"records", round_records},
        {"count", round_count},   {"offset", round_offset},   {"handle", round_handle},
        {"type", round_type},     {"inline", round_inline},   {"end", round_end},
        {"rename", round_rename}, {"names", round_names},     {"readfile", round_readfile},
        {"many", round_many},     {"many-up", round_many_up},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (!strcmp(modes[i].name, mode))
            return modes[i].round;
    return NULL;
}

static uint32_t open_name(struct raw *r, const char *name)
{
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];
    int64_t handle;

    begin(slot, RAW3_OPEN, RAW3_ROOT);
    slot[1] = RAW3_INLINE;
    raw_put16(slot + 12, (uint16_t)strlen(name));
    memcpy(slot + 24, name, strlen(name));
    handle = ask(r, slot, entry);
    if (handle < 0)
        raw_die("cannot open");
    return (uint32_t)handle;
}

void flip3_begin(struct raw *r, const char *path, const char *export_name)
{
    if (raw3_connect(r, path, export_name) != 0)
        raw_die("refused");
    file_handle = open_name(r, "file");
    folder_handle = open_name(r, "d");
}

/* A close is answered when nothing uses the handle any more, and then it is gone. */
const char *flip3_end(struct raw *r)
{
    const uint32_t handles[2] = {file_handle, folder_handle};
    uint8_t slot[RAW3_SLOT], entry[RAW3_ENTRY];

    for (unsigned i = 0; i < 2; i++) {
        begin(slot, RAW3_CLOSE, handles[i]);
        if (ask(r, slot, entry) != 0)
            return "a close";
        if (ask(r, slot, entry) != -EBADF)
            return "a second close";
    }
    return NULL;
}
