/* SPDX-License-Identifier: MIT */
/* Each operation from its slot to the store and back: what the store is asked, what the page and
 * the response hold, and what of a wrong request never reaches the store. */
#include <check.h>
#include <string.h>
#include "rawfront.h"
#include "suite.h"

static struct rawfront f;
static struct fsif_fetched fetched;

static int64_t named(uint32_t type, const char *name)
{
    struct fsif_wire1_request r = raw_named(&f, type, 1, name);

    return raw_call(&f, &r);
}

/* B27: the page is 0xa5 from @used on, as it was. */
static void check_untouched(uint32_t id, size_t used)
{
    const unsigned char *page = raw_page(&f, id);

    for (; used < FSIF_PAGE_SIZE; used++)
        ck_assert_uint_eq(page[used], 0xa5);
}

static struct fsif_wire1_request io(uint32_t type, uint32_t handle, uint64_t len, uint64_t off)
{
    struct fsif_wire1_request r = raw_on_handle(type, 1, handle);

    r.u.io.len = len;
    r.u.io.offset = off;
    return r;
}

/* --- open and create --- */

START_TEST(open_access)
{
    static const struct {
        int errors[3];
        uint32_t last_flags;
        int64_t ret;
    } cases[] = {
        {{0}, FSIF_O_RDWR, 0},
        {{-FSIF_EROFS}, FSIF_O_RDONLY, 0},
        {{-FSIF_EACCES}, FSIF_O_RDONLY, 0},
        {{-FSIF_ETXTBSY}, FSIF_O_RDONLY, 0},
        {{-FSIF_EISDIR}, FSIF_O_RDONLY, 0},
        {{-FSIF_EACCES, -FSIF_EACCES}, FSIF_O_RDONLY, -FSIF_EACCES},
        {{-FSIF_EISDIR, -FSIF_EACCES}, FSIF_O_RDONLY, -FSIF_EACCES},
        {{-FSIF_ENOENT}, FSIF_O_RDWR, -FSIF_ENOENT},
        {{-FSIF_EIO}, FSIF_O_RDWR, -FSIF_EIO},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        raw_begin(&f, 0);
        memcpy(f.store.open_error, cases[i].errors, sizeof(cases[i].errors));
        ck_assert_int_eq(named(FSIF_WIRE_OPEN, "/a//b/./c"), cases[i].ret);
        ck_assert_uint_eq(f.store.flags, cases[i].last_flags);
        ck_assert_str_eq(f.store.path, "a/b/c");
        ck_assert(f.store.base == FSIF_STORE_ROOT);
        ck_assert_uint_eq(fsif_backend_handles(&f.be), cases[i].ret == 0);
        raw_end(&f);
    }
}
END_TEST

START_TEST(create)
{
    struct fsif_wire1_request r;

    raw_begin(&f, 0);
    r = raw_named(&f, FSIF_WIRE_CREATE, 1, "new");
    r.u.create.mode = 0100644;
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.flags, FSIF_O_RDWR | FSIF_O_CREAT | FSIF_O_TRUNC);
    ck_assert_uint_eq(f.store.mode, 0644);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 1);
    r.u.create.directory = 1;
    r.u.create.mode = 01777;
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.mode, 01777);
    ck_assert_uint_eq(fsif_backend_handles(&f.be), 1);
    f.store.answer[FSIF_OP_CREATE] = -FSIF_EEXIST;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EEXIST);
    f.store.answer[FSIF_OP_CREATE] = 5; /* a store may not say this */
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EIO);
    raw_end(&f);
}
END_TEST

/* --- paths --- */

START_TEST(paths)
{
    struct fsif_wire1_request r;

    raw_begin(&f, 0);
    ck_assert_int_eq(named(FSIF_WIRE_REMOVE, "x/y"), 0);
    ck_assert_str_eq(f.store.path, "x/y");
    f.store.answer[FSIF_OP_REMOVE] = -FSIF_ENOTEMPTY;
    ck_assert_int_eq(named(FSIF_WIRE_REMOVE, "x"), -FSIF_ENOTEMPTY);
    ck_assert(f.store.base == FSIF_STORE_ROOT);
    memcpy(raw_page(&f, 1), "old: one\0new: two", 18);
    r = raw_request(FSIF_WIRE_RENAME, 1);
    r.u.rename.old_offset = 5;
    r.u.rename.new_offset = 14;
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_str_eq(f.store.path, "one");
    ck_assert_str_eq(f.store.path2, "two");
    f.store.answer[FSIF_OP_RENAME] = -FSIF_EXDEV;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EXDEV);
    raw_end(&f);
}
END_TEST

/* B7, B8: a name that is none never reaches the store. */
START_TEST(bad_names)
{
    static const uint32_t types[] = {FSIF_WIRE_OPEN, FSIF_WIRE_REMOVE, FSIF_WIRE_SPACE,
                                     FSIF_WIRE_CREATE, FSIF_WIRE_LIST};
    struct fsif_wire1_request r;

    raw_begin(&f, 0);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int list = types[i] == FSIF_WIRE_LIST;

#define ANSWER(error) (list ? (int64_t)(error) << FSIF_WIRE1_LIST_ERROR_SHIFT : -(int64_t)(error))
        ck_assert_int_eq(named(types[i], ""), ANSWER(FSIF_ENOENT));
        ck_assert_int_eq(named(types[i], "a/../b"), ANSWER(FSIF_EACCES));
        memset(raw_page(&f, 1), 'n', FSIF_PAGE_SIZE);
        r = raw_request(types[i], 1);
        ck_assert_int_eq(raw_call(&f, &r), ANSWER(FSIF_ENAMETOOLONG));
    }
    r = raw_request(FSIF_WIRE_RENAME, 1);
    r.u.rename.new_offset = 4096;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EINVAL);
    r.u.rename.old_offset = r.u.rename.new_offset = 5;
    ck_assert_int_lt(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.calls, 0);
    raw_end(&f);
}
END_TEST

START_TEST(space)
{
    static const struct {
        uint64_t bavail;
        uint32_t bsize;
        int64_t bytes;
    } cases[] = {
        {0, 4096, 0},
        {3, 4096, 12288},
        {UINT64_C(0x200000001), 0x10001, INT64_C(0x2000200010001)},
        {INT64_MAX, 1, INT64_MAX},
        {UINT64_C(1) << 63, 1, INT64_MAX},
        {UINT64_C(1) << 51, 4096, INT64_MAX},
        {(UINT64_C(1) << 51) - 1, 4096, INT64_MAX - 4095},
        {UINT64_MAX, UINT32_MAX, INT64_MAX},
        {UINT32_MAX, UINT32_MAX, INT64_MAX},
        {UINT64_C(1) << 40, 0, 0},
    };

    raw_begin(&f, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f.store.vfs = (struct fsif_statvfs){.bavail = cases[i].bavail, .bsize = cases[i].bsize};
        ck_assert_int_eq(named(FSIF_WIRE_SPACE, "/"), cases[i].bytes);
        ck_assert_str_eq(f.store.path, ".");
    }
    f.store.answer[FSIF_OP_SPACE] = -FSIF_EIO;
    ck_assert_int_eq(named(FSIF_WIRE_SPACE, "/"), -FSIF_EIO);
    raw_end(&f);
}
END_TEST

/* --- data --- */

/* Lent pages go to the store as they are; others through the request's own copy. */
START_TEST(data)
{
    unsigned char *page;
    uint32_t handle;
    struct fsif_wire1_request r;

    raw_config(&f, 0);
    if (_i == 2)
        f.config.transport = &mem_transport_copies;
    raw_start(&f);
    f.mem.lends = _i == 1;
    handle = raw_open(&f);
    page = raw_page(&f, 1);
    f.mem.copied_from = f.mem.copied_to = 0;

    f.store.answer[FSIF_OP_READ] = 10;
    memset(page, 0xa5, FSIF_PAGE_SIZE);
    r = io(FSIF_WIRE_READ, handle, 100, 7000000000);
    ck_assert_int_eq(raw_call(&f, &r), 10);
    ck_assert_uint_eq(f.store.offset, 7000000000);
    ck_assert_uint_eq(f.store.length, 100);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(page[i], (unsigned char)(7000000000 + i + 1));
    check_untouched(1, 10);
    ck_assert_int_eq(f.store.buffer == (void *)page, _i == 1);

    memset(page, 'w', FSIF_PAGE_SIZE);
    f.store.answer[FSIF_OP_WRITE] = 4096;
    r = io(FSIF_WIRE_WRITE, handle, 4096, 3);
    ck_assert_int_eq(raw_call(&f, &r), 4096);
    ck_assert_mem_eq(f.store.data, page, FSIF_PAGE_SIZE);
    ck_assert_int_eq(f.store.buffer == (void *)page, _i == 1);
    ck_assert_uint_eq(f.mem.copied_from, _i != 1);
    ck_assert_uint_eq(f.mem.copied_to, _i != 1);

    f.store.answer[FSIF_OP_WRITE] = f.store.answer[FSIF_OP_READ] = 0;
    memset(page, 0xa5, FSIF_PAGE_SIZE);
    r = io(FSIF_WIRE_WRITE, handle, 0, 0);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    r = io(FSIF_WIRE_READ, handle, 4096, 0);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    check_untouched(1, 0);
    ck_assert_uint_eq(f.mem.copied_from, _i != 1);
    raw_end(&f);
}
END_TEST

/* B4 */
START_TEST(extremes)
{
    static const uint64_t bad[][2] = {
        {RAW_MAX_IO + 1, 0},    {UINT64_MAX, 0},   {0, UINT64_MAX},
        {1, INT64_MAX},         {4096, INT64_MAX}, {UINT64_C(1) << 63, 0},
        {1, UINT64_C(1) << 63}, {UINT32_MAX, 0},   {UINT64_C(1) << 32, 0}};
    struct fsif_wire1_request r;
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        r = io(FSIF_WIRE_READ, handle, bad[i][0], bad[i][1]);
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EINVAL);
        r = io(FSIF_WIRE_WRITE, handle, bad[i][0], bad[i][1]);
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EINVAL);
    }
    r = raw_on_handle(FSIF_WIRE_TRUNCATE, 1, handle);
    r.u.truncate.len = -1;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EINVAL);
    ck_assert_uint_eq(f.store.calls, 1);
    r = io(FSIF_WIRE_READ, handle, 1, INT64_MAX - 1);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    r = raw_on_handle(FSIF_WIRE_TRUNCATE, 1, handle);
    r.u.truncate.len = INT64_MAX;
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.set.size, INT64_MAX);
    raw_end(&f);
}
END_TEST

/* A store that says it moved more than was asked for: nothing more is copied, nothing is told. */
START_TEST(store_says_too_much)
{
    static const int64_t lies[] = {11, 4096, 4097, INT32_MAX, INT64_MAX, -4096, INT64_MIN};
    struct fsif_wire1_request r;
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        memset(raw_page(&f, 1), 0xa5, FSIF_PAGE_SIZE);
        f.store.answer[FSIF_OP_READ] = f.store.answer[FSIF_OP_WRITE] = lies[i];
        r = io(FSIF_WIRE_READ, handle, 10, 0);
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EIO);
        r = io(FSIF_WIRE_WRITE, handle, 10, 0);
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EIO);
        check_untouched(1, 0);
    }
    raw_end(&f);
}
END_TEST

/* The same from a caller that carries operations out itself. */
START_TEST(completion_says_too_much)
{
    struct fsif_result result = {.value = 1, .used = FSIF_PAGE_SIZE + 1};
    struct fsif_wire1_response answer;
    struct fsif_wire1_request r;

    raw_begin(&f, 0);
    r = raw_named(&f, FSIF_WIRE_LIST, 1, "d");
    raw_send(&f, &r);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &fetched), 1);
    memset(raw_page(&f, 1), 0xa5, FSIF_PAGE_SIZE);
    raw_complete(&f, &fetched, &result, 0);
    ck_assert_int_eq(raw_receive(&f, &answer), 1);
    ck_assert_uint_eq(answer.ret, (uint64_t)FSIF_EIO << FSIF_WIRE1_LIST_ERROR_SHIFT);
    check_untouched(1, 0);
    raw_end(&f);
}
END_TEST

/* An open that the caller carried out: the number is the store's, the handle the engine's. */
START_TEST(completion_gives_a_handle)
{
    struct fsif_result result = {.value = 0};
    struct fsif_wire1_response answer;
    struct fsif_wire1_request r;

    raw_begin(&f, 0);
    raw_open(&f);
    f.store.file_open[77] = 1;
    f.store.opens++;
    r = raw_named(&f, FSIF_WIRE_OPEN, 1, "x");
    raw_send(&f, &r);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &fetched), 1);
    raw_complete(&f, &fetched, &result, 77);
    ck_assert_int_eq(raw_receive(&f, &answer), 1);
    ck_assert_uint_eq(answer.ret, 1);
    r = raw_on_handle(FSIF_WIRE_CLOSE, 1, 1);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.file_open[77], 0);
    raw_end(&f);
}
END_TEST

/* --- attributes and the rest --- */

START_TEST(attributes)
{
    struct fsif_wire1_attr got;
    struct fsif_wire1_request r;
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    f.store.attr = (struct fsif_attr){.mode = 0100640,
                                      .uid = 1,
                                      .gid = 2,
                                      .size = 3,
                                      .atime = -4,
                                      .mtime = 5,
                                      .ctime = 6,
                                      .nlink = 99};
    memset(raw_page(&f, 1), 0xa5, FSIF_PAGE_SIZE);
    r = raw_on_handle(FSIF_WIRE_STAT, 1, handle);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    memcpy(&got, raw_page(&f, 1), sizeof(got));
    ck_assert_int_eq(got.mode, 0100640);
    ck_assert_uint_eq(got.uid, 1);
    ck_assert_uint_eq(got.gid, 2);
    ck_assert_int_eq(got.size, 3);
    ck_assert_int_eq(got.atime, -4);
    ck_assert_int_eq(got.mtime, 5);
    ck_assert_int_eq(got.ctime, 6);
    ck_assert_uint_eq(got.pad, 0);
    check_untouched(1, sizeof(got));

    memset(raw_page(&f, 1), 0xa5, FSIF_PAGE_SIZE);
    f.store.answer[FSIF_OP_STAT] = -FSIF_EIO;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EIO);
    check_untouched(1, 0);
    raw_end(&f);
}
END_TEST

START_TEST(on_handles)
{
    struct fsif_wire1_request r;
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    r = raw_on_handle(FSIF_WIRE_CHMOD, 1, handle);
    r.u.chmod.mode = 0107755;
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.set.mask, FSIF_SET_MODE);
    ck_assert_uint_eq(f.store.set.mode, 07755);
    f.store.answer[FSIF_OP_SETATTR] = -FSIF_EPERM;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EPERM);
    f.store.answer[FSIF_OP_SETATTR] = 0;
    r = raw_on_handle(FSIF_WIRE_SYNC, 1, handle);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.flags, 0);
    f.store.answer[FSIF_OP_SYNC] = -FSIF_EIO;
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EIO);
    r = raw_on_handle(FSIF_WIRE_TRUNCATE, 1, handle);
    r.u.truncate.len = 12;
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.set.mask, FSIF_SET_SIZE);
    ck_assert_uint_eq(f.store.set.size, 12);
    f.store.answer[FSIF_OP_SETATTR] = 1; /* a store may not say this */
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EIO);
    raw_end(&f);
}
END_TEST

/* --- listings --- */

START_TEST(listing)
{
    struct fsif_wire1_request r;
    char want[256];
    int64_t ret;

    raw_begin(&f, 0);
    f.store.names = 60;
    f.store.name_size = 100;
    memset(raw_page(&f, 1), 0xa5, FSIF_PAGE_SIZE);
    ret = named(FSIF_WIRE_LIST, "d");
    ck_assert_int_eq(ret, 39 | INT64_C(1) << FSIF_WIRE1_LIST_MORE_SHIFT);
    for (unsigned i = 0; i < 39; i++) {
        script_name(&f.store, i, want);
        ck_assert_mem_eq(raw_page(&f, 1) + 100 * i, want, 100);
    }
    /* Ask again where that ended. strncpy filled the page with zeros behind the name. */
    for (size_t i = 3900; i < FSIF_PAGE_SIZE; i++)
        ck_assert_uint_eq(raw_page(&f, 1)[i], 0);
    r = raw_named(&f, FSIF_WIRE_LIST, 1, "d");
    memset(raw_page(&f, 1) + 2, 0xa5, FSIF_PAGE_SIZE - 2);
    r.u.list.offset = 39;
    ck_assert_int_eq(raw_call(&f, &r), 21);
    check_untouched(1, 2100);
    ck_assert_uint_eq(f.store.list_opens, 1);

    f.store.list_open_error = FSIF_ENOTDIR;
    memset(raw_page(&f, 1) + 2, 0xa5, FSIF_PAGE_SIZE - 2);
    memcpy(raw_page(&f, 1), "f", 2);
    r = raw_request(FSIF_WIRE_LIST, 1);
    ck_assert_int_eq(raw_call(&f, &r), (int64_t)FSIF_ENOTDIR << FSIF_WIRE1_LIST_ERROR_SHIFT);
    check_untouched(1, 2);
    raw_end(&f);
}
END_TEST

/* --- what is refused without the store --- */

START_TEST(unknown_operations)
{
    raw_begin(&f, 0);
    for (uint32_t type = 0; type < 256; type++) {
        struct fsif_wire1_request r = raw_request(type, 1);

        if (type >= FSIF_WIRE_OPEN && type <= FSIF_WIRE_SYNC)
            continue;
        memset(&r.u, 0xff, sizeof(r.u));
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_ENOSYS);
    }
    ck_assert_uint_eq(f.store.calls, 0);
    raw_end(&f);
}
END_TEST

/* A caller that made something else of a fetched request. */
START_TEST(no_operation)
{
    struct fsif_wire1_request r;
    struct fsif_wire1_response answer;

    raw_begin(&f, 0);
    r = raw_named(&f, FSIF_WIRE_REMOVE, 1, "x");
    raw_send(&f, &r);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &fetched), 1);
    fetched.op.type = FSIF_OP_NONE;
    raw_execute(&f, &fetched);
    ck_assert_int_eq(raw_receive(&f, &answer), 1);
    ck_assert_int_eq((int64_t)answer.ret, -FSIF_ENOSYS);
    ck_assert_uint_eq(f.store.calls, 0);
    raw_end(&f);
}
END_TEST

/* B6 */
START_TEST(bad_grefs)
{
    static const uint32_t bad[] = {MEM_PAGES, MEM_PAGES + 1, 0x80000000, UINT32_MAX};
    struct fsif_wire1_request r;
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    f.store.answer[FSIF_OP_READ] = 5;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        f.mem.lends = i & 1; /* lend refuses a bad one as copy does */
        f.store.calls = 0;
        r = raw_request(FSIF_WIRE_OPEN, 1);
        r.u.path.gref = bad[i];
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EFAULT);
        r = raw_request(FSIF_WIRE_CREATE, 1);
        r.u.create.gref = bad[i];
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EFAULT);
        r = raw_request(FSIF_WIRE_RENAME, 1);
        r.u.rename.gref = bad[i];
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EFAULT);
        r = raw_request(FSIF_WIRE_LIST, 1);
        r.u.list.gref = bad[i];
        ck_assert_int_eq(raw_call(&f, &r), (int64_t)FSIF_EFAULT << FSIF_WIRE1_LIST_ERROR_SHIFT);
        r = io(FSIF_WIRE_WRITE, handle, 5, 0);
        r.u.io.gref = bad[i];
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EFAULT);
        ck_assert_uint_eq(f.store.calls, 0);
        r = io(FSIF_WIRE_READ, handle, 5, 0);
        r.u.io.gref = bad[i];
        ck_assert_int_eq(raw_call(&f, &r), -FSIF_EFAULT);
        r = raw_on_handle(FSIF_WIRE_STAT, 1, handle);
        r.u.stat.gref = bad[i]; /* dialect 2 has none there */
        ck_assert_int_eq(raw_call(&f, &r), RAW_DIALECT == 1 ? -FSIF_EFAULT : 0);
    }
    raw_end(&f);
}
END_TEST

/* B6: granted read-only. The hold of the handle ends with the answer. */
START_TEST(page_cannot_be_written)
{
    struct fsif_wire1_request r;
    uint32_t handle;

    raw_begin(&f, 0);
    handle = raw_open(&f);
    f.store.answer[FSIF_OP_READ] = 5;
    f.store.names = 2;
    f.mem.copy_to_error = -FSIF_EACCES;
    r = io(FSIF_WIRE_READ, handle, 5, 0);
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EACCES);
    r = raw_on_handle(FSIF_WIRE_STAT, 1, handle);
    ck_assert_int_eq(raw_call(&f, &r), RAW_DIALECT == 1 ? -FSIF_EACCES : 0);
    ck_assert_int_eq(named(FSIF_WIRE_LIST, "d"),
                     (int64_t)FSIF_EACCES << FSIF_WIRE1_LIST_ERROR_SHIFT);
    f.mem.copy_from_error = -FSIF_EIO;
    r = io(FSIF_WIRE_WRITE, handle, 5, 0);
    ck_assert_int_eq(raw_call(&f, &r), -FSIF_EIO);
    r = raw_on_handle(FSIF_WIRE_CLOSE, 1, handle);
    ck_assert_int_eq(raw_call(&f, &r), 0);
    ck_assert_uint_eq(f.store.closes, 1);
    raw_end(&f);
}
END_TEST

/* Without the feature an error is -1; only list has a number of its own. */
START_TEST(without_numbers)
{
    struct fsif_wire1_request r;

    raw_config(&f, 0);
    f.config.features = 0;
    raw_start(&f);
    f.store.open_error[0] = -FSIF_ENOENT;
    ck_assert_int_eq(named(FSIF_WIRE_OPEN, "x"), -1);
    ck_assert_int_eq(named(FSIF_WIRE_OPEN, ""), -1);
    r = raw_request(99, 1);
    ck_assert_int_eq(raw_call(&f, &r), -1);
    f.store.list_open_error = FSIF_ENOTDIR;
    ck_assert_int_eq(named(FSIF_WIRE_LIST, "x"),
                     (int64_t)FSIF_ENOTDIR << FSIF_WIRE1_LIST_ERROR_SHIFT);
    ck_assert_int_eq(named(FSIF_WIRE_OPEN, "x"), 0);
    raw_end(&f);
}
END_TEST

/* Each answer makes the peer send one more request that nobody knows. */
static void send_another(void *arg, const struct fsif_event *event)
{
    struct rawfront *front = arg;
    struct fsif_wire1_request rq = raw_request(99, (event->id + 1) % RAW_IDS);

    raw_send(front, &rq);
}

START_TEST(malformed_without_pause)
{
    struct fsif_wire1_request rq = raw_request(99, 0);

    raw_config(&f, 0);
    f.hooks.end = send_another;
    raw_start(&f);
    raw_send(&f, &rq);
    ck_assert_int_eq(fsif_backend_fetch(&f.be, &fetched), 0);
    ck_assert_uint_eq(f.sent, RAW_IDS + 1);
    ck_assert_int_eq(fsif_backend_arm(&f.be), 1); /* do not sleep */
    raw_end(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("execute");
    TCase *tc = tcase_create("execute");

    tcase_add_test(tc, open_access);
    tcase_add_test(tc, create);
    tcase_add_test(tc, paths);
    tcase_add_test(tc, space);
    tcase_add_test(tc, bad_names);
    tcase_add_loop_test(tc, data, 0, 3);
    tcase_add_test(tc, extremes);
    tcase_add_test(tc, store_says_too_much);
    tcase_add_test(tc, completion_says_too_much);
    tcase_add_test(tc, completion_gives_a_handle);
    tcase_add_test(tc, attributes);
    tcase_add_test(tc, on_handles);
    tcase_add_test(tc, listing);
    tcase_add_test(tc, unknown_operations);
    tcase_add_test(tc, malformed_without_pause);
    tcase_add_test(tc, no_operation);
    tcase_add_test(tc, bad_grefs);
    tcase_add_test(tc, page_cannot_be_written);
    tcase_add_test(tc, without_numbers);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
