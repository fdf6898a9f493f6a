/* SPDX-License-Identifier: MIT */
/*
 * Dialect 3 against test/vectors/dialect3.txt, in both directions: what the codec writes is what
 * the file says, and what the file says is read as its words. The octets there were not made by it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fsif/frontend.h>
#include <fsif/op.h>
#include "codec.h"
#include "codec3.h"
#include "suite.h"
#include "vector_file.h"

#define D (&fsi_dialect3)
#define ARENA 65536u
#define MAX_IO 32768u
#define FILL 0xa5

/* What a vector says, as the library has it. */
struct example {
    const struct vector *v;
    struct fsif_op op;
    struct fsif_setattr set;
    struct fsif_range ranges[FSIF_RANGES_MAX];
    uint32_t id, serial, part, records;
    char path[8192], path2[8192], data[ARENA], buffer[ARENA];
    struct fsif_result result;
};

struct member {
    const char *word;
    size_t at;
    size_t size;
};
#define MEMBER(word, type, name)                                                                   \
    {                                                                                              \
        word, offsetof(struct type, name), sizeof(((struct type *)0)->name)                        \
    }
static const struct member op_members[] = {
    MEMBER("handle", fsif_op, handle),   MEMBER("flags", fsif_op, flags),
    MEMBER("mode", fsif_op, mode),       MEMBER("offset", fsif_op, offset),
    MEMBER("length", fsif_op, length),   MEMBER("base2", fsif_op, handle2),
    MEMBER("handle2", fsif_op, handle2), MEMBER("offset2", fsif_op, offset2),
    MEMBER("cookie", fsif_op, cookie),   MEMBER("rdev", fsif_op, offset),
    MEMBER("watch", fsif_op, offset),    MEMBER("count", fsif_op, offset),
};
static const struct member set_members[] = {
    MEMBER("mode", fsif_setattr, mode),
    MEMBER("mask", fsif_setattr, mask),
    MEMBER("uid", fsif_setattr, uid),
    MEMBER("gid", fsif_setattr, gid),
    MEMBER("size", fsif_setattr, size),
    MEMBER("atime", fsif_setattr, atime),
    MEMBER("mtime", fsif_setattr, mtime),
    MEMBER("atime_nsec", fsif_setattr, atime_nsec),
    MEMBER("mtime_nsec", fsif_setattr, mtime_nsec),
};
#define ATTR(name) MEMBER("attr." #name, fsif_attr, name)
static const struct member attr_members[] = {
    ATTR(mode),   ATTR(nlink),      ATTR(uid),        ATTR(gid),        ATTR(size),
    ATTR(blocks), ATTR(ino),        ATTR(mtime),      ATTR(atime),      ATTR(ctime),
    ATTR(btime),  ATTR(mtime_nsec), ATTR(atime_nsec), ATTR(ctime_nsec), ATTR(btime_nsec),
    ATTR(dev),    ATTR(rdev_major), ATTR(rdev_minor), ATTR(blksize),
};
#define VFS(name) MEMBER("vfs." #name, fsif_statvfs, name)
static const struct member vfs_members[] = {
    VFS(blocks), VFS(bfree), VFS(bavail), VFS(files), VFS(ffree), VFS(bsize), VFS(namemax),
};
#define LOCK(name) MEMBER("lock." #name, fsif_lock, name)
static const struct member lock_members[] = {LOCK(offset), LOCK(length), LOCK(mode)};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct vector *vectors;
static int nvectors;
static uint8_t arena[ARENA], want[ARENA];

static const struct vector *now;
#define CHECK(cond) ck_assert_msg((cond), "%s: " #cond, now->name)

static void put(const struct member *m, void *to, uint64_t value)
{
    uint32_t small = (uint32_t)value;

    if (m->size == 8)
        memcpy((char *)to + m->at, &value, 8);
    else
        memcpy((char *)to + m->at, &small, 4);
}

static uint64_t get(const struct member *m, const void *from)
{
    uint64_t value;
    uint32_t small;

    memcpy(&small, (const char *)from + m->at, 4);
    if (m->size == 4)
        return small;
    memcpy(&value, (const char *)from + m->at, 8);
    return value;
}

static void put_words(const struct vector *v, const struct member *m, size_t n, void *to)
{
    for (size_t i = 0; i < n; i++) {
        if (vector_line(v, m[i].word) >= 0)
            put(&m[i], to, vector_number(v, m[i].word));
    }
}

/* Whether a member's value is the low bits of what the file says, or 0 where it says nothing. */
static void same_words(const struct vector *v, const struct member *m, size_t n, const void *is)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t said = vector_number(v, m[i].word);

        if (vector_line(v, m[i].word) < 0)
            continue;
        if (m[i].size == 4)
            said = (uint32_t)said;
        ck_assert_msg(get(&m[i], is) == said, "%s: %s", v->name, m[i].word);
    }
}

/* --- a vector as an operation --- */

/* By their numbers on the wire */
static const char *const words[] = {
    "",         "nop",      "open",      "close",       "read",     "write",  "stat",
    "setattr",  "remove",   "rename",    "mkdir",       "mknod",    "link",   "symlink",
    "readlink", "readdir",  "statvfs",   "sync",        "allocate", "seek",   "copy_range",
    "getxattr", "setxattr", "listxattr", "removexattr", "lock",     "cancel", "watch",
    "unwatch",  "export",   "readfile",  "writefile",   "statmany",
};

static uint32_t type_of(const char *word)
{
    CHECK(D->ntypes == COUNT(words));
    for (uint32_t number = 1; number < COUNT(words); number++) {
        if (strcmp(words[number], word) == 0)
            return D->types[number];
    }
    ck_abort_msg("%s: no operation %s", now->name, word);
    return 0;
}

static void read_ranges(struct example *e)
{
    const char *text;
    uint64_t sum = 0;

    for (int i = 0; (text = vector_text(e->v, "range", i)); i++) {
        unsigned long at, len;

        CHECK(i < (int)FSIF_RANGES_MAX);
        ck_assert_int_eq(sscanf(text, "%lu+%lu", &at, &len), 2);
        e->ranges[i] = (struct fsif_range){(uint32_t)at, (uint32_t)len};
        sum += len;
        e->op.nranges++;
    }
    if (e->op.nranges)
        e->op.length = sum;
}

static void read_data(struct example *e)
{
    const char *text = vector_text(e->v, "data", 0);
    size_t n = 0;

    if (text)
        vector_name(text, e->data, sizeof(e->data));
    for (int i = 0; (text = vector_text(e->v, "name", i)); i++)
        n += vector_name(text, e->data + n, sizeof(e->data) - n) + 1;
    if (vector_line(e->v, "part") < 0) {
        e->op.ranges = e->op.nranges ? e->ranges : NULL;
        return;
    }
    e->op.nranges = 0;
    e->op.data = e->data;
    e->op.buffer = e->buffer;
}

static void read_example(const struct vector *v, struct example *e)
{
    memset(e, 0, sizeof(*e));
    e->v = v;
    e->op.type = type_of(vector_text(v, "op", 0));
    put_words(v, op_members, COUNT(op_members), &e->op);
    put_words(v, set_members, COUNT(set_members), &e->set);
    if (e->op.type == FSIF_OP_SETATTR) {
        e->op.set = &e->set;
        e->op.mode = 0;
    }
    vector_name(vector_text(v, "path", 0), e->path, sizeof(e->path));
    vector_name(vector_text(v, "path2", 0), e->path2, sizeof(e->path2));
    e->op.path = e->path;
    e->op.path2 = e->path2;
    e->id = (uint32_t)vector_number(v, "id");
    e->serial = (uint32_t)vector_number(v, "serial");
    e->part = (uint32_t)vector_number(v, "part");
    e->records = (uint32_t)vector_number(v, "records");
    read_ranges(e);
    read_data(e);
}

/* What the file says lies in the arena, of the lines before or behind the one of the answer. */
static void lay_arena(const struct vector *v, uint8_t *to, int answer)
{
    int border = vector_line(v, "entry");

    for (int i = 0; i < v->n; i++) {
        char *end;
        unsigned long at;

        if (strcmp(v->line[i].word, "arena") || (border >= 0 && i > border) != answer)
            continue;
        at = strtoul(v->line[i].value, &end, 10);
        CHECK(at < ARENA);
        vector_octets(end + 1, to + at, ARENA - at);
    }
}

/* --- requests --- */

static void encodes(const struct vector *v)
{
    uint8_t slot[FSIF_WIRE3_SLOT], said[FSIF_WIRE3_SLOT];
    static struct example e;

    read_example(v, &e);
    memset(arena, FILL, sizeof(arena));
    memset(want, FILL, sizeof(want));
    lay_arena(v, want, 0);
    if (e.op.ranges) /* what lies there is the caller's */
        lay_arena(v, arena, 0);
    memset(slot, FILL, sizeof(slot));
    CHECK(fsi_codec_check_op(D, &e.op) == 0);
    fsi_codec_encode_request(D, &e.op, e.id, e.serial, &e.part, slot, arena + e.part);
    vector_octets(vector_text(v, "slot", 0), said, sizeof(said));
    ck_assert_msg(memcmp(slot, said, sizeof(slot)) == 0, "%s: slot", v->name);
    ck_assert_msg(memcmp(arena, want, sizeof(arena)) == 0, "%s: arena", v->name);
}

START_TEST(requests_are_written_so)
{
    int n = 0;

    for (int i = 0; i < nvectors; i++) {
        now = &vectors[i];
        if (vector_line(now, "op") < 0 || vector_line(now, "error") >= 0)
            continue;
        encodes(now);
        n++;
    }
    ck_assert_int_gt(n, (int)D->ntypes);
}
END_TEST

static int decode(const struct vector *v, struct fsif_op *op, struct fsi_operands *o, uint32_t *id)
{
    static char names[2 * FSIF_PAGE_SIZE];
    const struct fsi_codec_row *row;
    uint8_t slot[FSIF_WIRE3_SLOT];
    int error;

    vector_octets(vector_text(v, "slot", 0), slot, sizeof(slot));
    memset(names, FILL, sizeof(names));
    memset(arena, FILL, sizeof(arena));
    lay_arena(v, arena, 0);
    *id = fsi_codec_request_id(D, slot);
    error = fsi_codec_decode_request(D, slot, op, o, &row);
    if (!error)
        error = fsi_names3(slot, arena, ARENA, o, names, op);
    return error ? error : fsi_ranges3(op, ARENA, MAX_IO, o);
}

static void decodes(const struct vector *v)
{
    const struct fsi_layout3 *l;
    static struct example e;
    struct fsi_operands o;
    struct fsif_op op;
    uint32_t id;

    read_example(v, &e);
    memset(&op, 0, sizeof(op));
    ck_assert_msg(decode(v, &op, &o, &id) == 0, "%s: refused", v->name);
    CHECK(id == e.id && o.serial == e.serial && op.type == e.op.type);
    l = fsi_layout3(op.type);
    if (op.type == FSIF_OP_SETATTR)
        same_words(v, set_members, COUNT(set_members), op.set);
    else
        same_words(v, op_members, COUNT(op_members), &op);
    if (l->name[0])
        CHECK(strcmp(op.path, e.path) == 0 && o.name_len[0] == strlen(e.path));
    if (l->name[1])
        CHECK(strcmp(op.path2, e.path2) == 0 && o.name_len[1] == strlen(e.path2));
    if (l->data)
        CHECK(op.length == e.op.length && op.nranges >= 1 &&
              memcmp(op.ranges, e.ranges, op.nranges * sizeof(e.ranges[0])) == 0);
    if (l->second_at)
        CHECK(o.records_at == e.records);
}

START_TEST(requests_are_read_so)
{
    struct fsi_operands o;
    struct fsif_op op;
    uint32_t id;

    for (int i = 0; i < nvectors; i++) {
        now = &vectors[i];
        if (vector_line(now, "op") < 0)
            continue;
        memset(&op, 0, sizeof(op));
        if (vector_line(now, "error") < 0)
            decodes(now);
        else
            ck_assert_msg(decode(now, &op, &o, &id) == -(int)vector_number(now, "error"),
                          "%s: was not refused as it must be", now->name);
    }
}
END_TEST

/* --- answers --- */

static void read_body(const struct vector *v, struct fsif_result *r)
{
    put_words(v, attr_members, COUNT(attr_members), &r->attr);
    put_words(v, vfs_members, COUNT(vfs_members), &r->vfs);
    put_words(v, lock_members, COUNT(lock_members), &r->lock);
}

/* Entries and records: a vector of the item's lines alone, without "item." */
static int item_of(const struct vector *v, int nth, struct vector *out)
{
    memset(out, 0, sizeof(*out));
    for (int i = 0, n = -1; i < v->n; i++) {
        if (strcmp(v->line[i].word, "item") == 0)
            n++;
        if (n == nth && strncmp(v->line[i].word, "item.", 5) == 0) {
            strcpy(out->line[out->n].word, v->line[i].word + 5);
            out->line[out->n++].value = v->line[i].value;
        }
    }
    return out->n;
}

static uint32_t write_items(const struct vector *v, uint32_t type, uint32_t flags, uint8_t *to)
{
    struct fsif_entry e;
    struct vector item;
    char name[512];
    uint32_t at = 0;

    for (int i = 0; item_of(v, i, &item); i++) {
        memset(&e, 0, sizeof(e));
        e.name_len = (uint32_t)vector_name(vector_text(&item, "name", 0), name, sizeof(name));
        e.name = name;
        e.cookie = vector_number(&item, "cookie");
        e.ino = vector_number(&item, "ino");
        e.type = (uint32_t)vector_number(&item, "type") << 12;
        e.status = (int32_t)vector_number(&item, "status");
        put_words(&item, attr_members, COUNT(attr_members), &e.attr);
        if (type == FSIF_OP_READDIR) {
            fsi_entry3_put(&e, flags, to + at);
            at += fsi_entry3_size(e.name_len, flags);
        } else {
            fsi_record3_put(e.status, &e.attr, to + at);
            at += FSIF_RECORD_SIZE;
        }
    }
    return at;
}

START_TEST(answers_are_written_so)
{
    uint8_t entry[FSIF_WIRE3_RESPONSE], said[FSIF_WIRE3_RESPONSE];
    static struct example e;

    for (int i = 0; i < nvectors; i++) {
        struct fsif_result r;
        size_t n;

        now = &vectors[i];
        if (vector_line(now, "op") < 0 || vector_line(now, "entry") < 0 ||
            vector_line(now, "wrong") >= 0)
            continue;
        read_example(now, &e);
        memset(&r, 0, sizeof(r));
        read_body(now, &r);
        r.value = (int64_t)vector_number(now, "value");
        r.more = (e.op.type == FSIF_OP_OPEN && e.op.flags & FSIF_O_STAT) ||
                 (e.op.type == FSIF_OP_LOCK && e.op.flags & FSIF_LOCK_TEST);
        memset(entry, FILL, sizeof(entry));
        n = vector_octets(vector_text(now, "entry", 0), said, sizeof(said));
        fsi_codec_encode_response(D, e.op.type, 0, e.id, &r, entry);
        CHECK(fsi_codec_response_length(D, entry) == n);
        ck_assert_msg(memcmp(entry, said, n) == 0, "%s: entry", now->name);
        if (r.value < 0 || (e.op.type != FSIF_OP_READDIR && e.op.type != FSIF_OP_STATMANY))
            continue;
        memset(arena, FILL, sizeof(arena));
        memset(want, FILL, sizeof(want));
        lay_arena(now, want, 1);
        write_items(now, e.op.type, e.op.flags,
                    arena + (e.op.type == FSIF_OP_READDIR ? e.ranges[0].at : e.records));
        ck_assert_msg(memcmp(arena, want, sizeof(arena)) == 0, "%s: items", now->name);
    }
}
END_TEST

static void same_items(const struct vector *v, const struct example *e, uint32_t used)
{
    struct fsif_entry entry;
    struct fsif_attr attr;
    struct vector item;
    char name[512];
    uint32_t at = 0;
    int i;

    for (i = 0; item_of(v, i, &item); i++) {
        if (e->op.type == FSIF_OP_STATMANY) {
            CHECK(fsif_record_get(e->buffer, (uint32_t)i, &attr) ==
                  (int)vector_number(&item, "status"));
            same_words(&item, attr_members, COUNT(attr_members), &attr);
            continue;
        }
        CHECK(fsif_entry_next(e->buffer, used, e->op.flags, &at, &entry) == 1);
        vector_name(vector_text(&item, "name", 0), name, sizeof(name));
        CHECK(strcmp(entry.name, name) == 0 && entry.name_len == strlen(name));
        CHECK(entry.cookie == vector_number(&item, "cookie"));
        CHECK(entry.ino == vector_number(&item, "ino"));
        CHECK(entry.type == vector_number(&item, "type") << 12);
        CHECK(entry.status == (int32_t)vector_number(&item, "status"));
        same_words(&item, attr_members, COUNT(attr_members), &entry.attr);
    }
    if (e->op.type == FSIF_OP_READDIR)
        CHECK(fsif_entry_next(e->buffer, used, e->op.flags, &at, &entry) == 0);
}

static void same_answer(const struct vector *v, const struct example *e,
                        const struct fsif_result *r)
{
    const char *text = vector_text(v, "answer", 0);
    static char data[ARENA];

    CHECK(r->value == (int64_t)vector_number(v, "value"));
    if (r->value < 0)
        return;
    same_words(v, attr_members, COUNT(attr_members), &r->attr);
    same_words(v, vfs_members, COUNT(vfs_members), &r->vfs);
    same_words(v, lock_members, COUNT(lock_members), &r->lock);
    if (text && e->op.buffer) {
        size_t n = vector_name(text, data, sizeof(data));

        CHECK(n == (size_t)r->value && memcmp(e->buffer, data, n) == 0);
    }
    if (!e->op.nranges && (e->op.type == FSIF_OP_READDIR || e->op.type == FSIF_OP_STATMANY))
        same_items(v, e, r->used);
}

START_TEST(answers_are_read_so)
{
    uint8_t entry[FSIF_WIRE3_RESPONSE];
    static struct example e;
    int n = 0;

    for (int i = 0; i < nvectors; i++) {
        enum fsif_poison bad;

        now = &vectors[i];
        if (vector_line(now, "op") < 0 || vector_line(now, "entry") < 0)
            continue;
        read_example(now, &e);
        memset(arena, 0, sizeof(arena));
        lay_arena(now, arena, 0);
        lay_arena(now, arena, 1);
        memset(entry, 0, sizeof(entry));
        vector_octets(vector_text(now, "entry", 0), entry, sizeof(entry));
        CHECK(fsi_codec_response_id(D, entry) == e.id);
        bad = fsi_codec_decode_response(D, &e.op, 0, entry, arena + e.part, &e.result);
        if (vector_line(now, "wrong") >= 0) {
            ck_assert_msg(bad != FSIF_POISON_NONE, "%s: was not found wrong", now->name);
            n++;
            continue;
        }
        ck_assert_msg(bad == FSIF_POISON_NONE, "%s: found wrong", now->name);
        same_answer(now, &e, &e.result);
    }
    ck_assert_int_gt(n, 20);
}
END_TEST

/* --- notices --- */

static void writes_notice(const struct vector *v, int late, const char *name)
{
    uint8_t entry[FSIF_WIRE3_RESPONSE] = {0}, said[FSIF_WIRE3_RESPONSE];
    size_t n = vector_octets(vector_text(v, "entry", 0), said, sizeof(said));
    uint64_t cookie = vector_number(v, "cookie");
    uint32_t length;

    if (late)
        length = fsi_late3_put(cookie, (int64_t)vector_number(v, "value"), entry);
    else
        length = fsi_change3_put(cookie, (uint32_t)vector_number(v, "what"), name,
                                 (uint32_t)strlen(name), entry);
    CHECK(length == n && fsi_codec_response_length(D, entry) == n);
    ck_assert_msg(memcmp(entry, said, n) == 0, "%s: entry", v->name);
}

static void reads_notice(const struct vector *v, int late, const char *name)
{
    uint8_t entry[FSIF_WIRE3_RESPONSE] = {0};
    int cut = strlen(name) > FSIF_WIRE3_CHANGE_NAME;
    enum fsif_poison bad;
    struct fsif_notice got;

    vector_octets(vector_text(v, "entry", 0), entry, sizeof(entry));
    bad = fsi_notice3_get(entry, &got);
    if (vector_line(v, "wrong") >= 0) {
        ck_assert_msg(bad != FSIF_POISON_NONE, "%s: was not found wrong", v->name);
        return;
    }
    ck_assert_msg(bad == FSIF_POISON_NONE, "%s: found wrong", v->name);
    CHECK(got.kind == (late ? FSIF_NOTICE_LATE : FSIF_NOTICE_CHANGE));
    CHECK(got.cookie == vector_number(v, "cookie"));
    CHECK(got.value == (int64_t)vector_number(v, "value"));
    CHECK(got.what == (vector_number(v, "what") | (cut ? FSIF_CHANGE_LOST : 0)));
    CHECK(strcmp(got.name, cut ? "" : name) == 0);
}

START_TEST(notices)
{
    char name[512];

    for (int i = 0; i < nvectors; i++) {
        const char *kind;

        now = &vectors[i];
        kind = vector_text(now, "notice", 0);
        if (!kind)
            continue;
        vector_name(vector_text(now, "name", 0), name, sizeof(name));
        if (vector_line(now, "wrong") < 0)
            writes_notice(now, strcmp(kind, "late") == 0, name);
        reads_notice(now, strcmp(kind, "late") == 0, name);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("codec3_vectors");
    TCase *tc = tcase_create("vectors");
    int failed;

    nvectors = vectors_read(argc > 1 ? argv[1] : VECTORS, &vectors);
    tcase_add_test(tc, requests_are_written_so);
    tcase_add_test(tc, requests_are_read_so);
    tcase_add_test(tc, answers_are_written_so);
    tcase_add_test(tc, answers_are_read_so);
    tcase_add_test(tc, notices);
    suite_add_tcase(s, tc);
    failed = run_suite(s);
    vectors_free(vectors, nvectors);
    return failed;
}
