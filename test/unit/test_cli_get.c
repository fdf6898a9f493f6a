/* SPDX-License-Identifier: MIT */

/*
 * get -a against a client that says anything (hostile-peers F5, F13, F14): the client library
 * checks what a backend answers, and this is what the program does when that did not happen.
 * Nothing is made outside the destination, nothing hangs, no privilege is taken over.
 */

#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fsif/negotiate.h>
#include "cli.h"
#include "scratch.h"
#include "suite.h"

_Atomic int cli_interrupted;

#define FILE_MODE (FSIF_S_IFREG | 0644)
#define DIR_MODE (FSIF_S_IFDIR | 0755)
#define LINK_MODE (FSIF_S_IFLNK | 0777)

/* --- the client: everything lies in the root, which "say" lists ------------------------------ */

struct node {
    const char *name;
    uint32_t mode;
    uint32_t nlink;
    uint64_t ino;
    uint64_t size;
    uint64_t blocks;
};

static struct node say[16];
static struct node inner[4]; /* what every directory but the root lists */
static const char *data;     /* of every file */
static size_t data_len;
static const char *target; /* of every link */
static int64_t target_len;
static const char *xattr_list;
static int64_t xattr_len;
static int64_t read_result; /* of readfile, unless 0 */
static int64_t seeks[8];    /* what fsif_seek() answers, one after the other */
static _Atomic unsigned int sought;
static uint32_t mode_now; /* of a file when it is read, unless 0 */

static const struct node *node_of(const char *path)
{
    const char *name = path_base(path);
    const struct node *n;

    for (n = say; n->name != NULL; n++) {
        if (strcmp(n->name, path) == 0)
            return n;
    }
    for (n = strchr(path, '/') == NULL ? say : inner; n->name != NULL; n++) {
        if (strcmp(n->name, name) == 0)
            return n;
    }
    return NULL;
}

static void attr_of(const struct node *n, struct fsif_attr *out)
{
    *out = (struct fsif_attr){.mode = n->mode,
                              .nlink = n->nlink > 0 ? n->nlink : 1,
                              .uid = getuid(),
                              .gid = getgid(),
                              .size = n->size,
                              .blocks = n->blocks > 0 ? n->blocks : n->size / 512 + 1,
                              .ino = n->ino,
                              .dev = 1,
                              .mtime = 1000000000};
}

void fsif_client_options_init(struct fsif_client_options *o)
{
    *o = (struct fsif_client_options){.size = sizeof(*o)};
}

int fsif_connect(const char *address, const char *export_name,
                 const struct fsif_client_options *options, struct fsif_client **out)
{
    (void)address;
    (void)export_name;
    (void)options;
    *out = NULL;
    return 0;
}

void fsif_disconnect(struct fsif_client *cl)
{
    (void)cl;
}

int fsif_exports(const char *address, const struct fsif_client_options *options,
                 struct fsif_export_info **list)
{
    (void)address;
    (void)options;
    *list = NULL;
    return 0;
}

void fsif_get_limits(const struct fsif_client *cl, struct fsif_limits *out)
{
    (void)cl;
    *out = (struct fsif_limits){
        .dialect = 3, .max_io = 65536, .max_calls = 64, .features = FSIF_FEATURE_ERRNO};
}

int fsif_statx(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
               struct fsif_attr *out)
{
    const struct node *n = node_of(path);

    (void)cl;
    (void)dir;
    (void)flags;
    if (n == NULL)
        return -FSIF_ENOENT;
    attr_of(n, out);
    return 0;
}

int fsif_stat(struct fsif_client *cl, const char *path, struct fsif_attr *out)
{
    return fsif_statx(cl, FSIF_ROOT, path, 0, out);
}

int fsif_scandir(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 fsif_scandir_fn *fn, void *arg)
{
    const struct node *n = strcmp(path, "/") == 0 ? say : inner;
    int err = 0;

    (void)cl;
    (void)dir;
    (void)flags;
    for (; n->name != NULL && err == 0; n++) {
        struct fsif_dirent e = {.name = n->name};

        attr_of(n, &e.attr);
        err = fn(arg, &e);
    }
    return err;
}

int64_t fsif_readlinkat(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len)
{
    (void)cl;
    (void)dir;
    (void)path;
    memcpy(buf, target, target_len < 0 ? 0 : (size_t)target_len < len ? (size_t)target_len : len);
    return target_len;
}

int64_t fsif_readfile(struct fsif_client *cl, int dir, const char *path, uint32_t flags, void *buf,
                      size_t len, struct fsif_attr *attr)
{
    size_t n = data_len < len ? data_len : len;

    fsif_statx(cl, dir, path, flags, attr);
    if (mode_now != 0)
        attr->mode = mode_now;
    memcpy(buf, data, n);
    return read_result != 0 ? read_result : (int64_t)n;
}

int fsif_openat(struct fsif_client *cl, int dir, const char *path, uint32_t flags, uint32_t mode)
{
    const struct node *n = node_of(path);

    (void)cl;
    (void)dir;
    (void)flags;
    (void)mode;
    return n == NULL ? -FSIF_ENOENT : (int)(n - say);
}

int fsif_open(struct fsif_client *cl, const char *path, uint32_t flags, uint32_t mode)
{
    return fsif_openat(cl, FSIF_ROOT, path, flags, mode);
}

int fsif_close(struct fsif_client *cl, int fh)
{
    (void)cl;
    (void)fh;
    return 0;
}

int fsif_fstat(struct fsif_client *cl, int fh, struct fsif_attr *out)
{
    (void)cl;
    attr_of(&say[fh], out);
    return 0;
}

int64_t fsif_pread(struct fsif_client *cl, int fh, void *buf, size_t len, uint64_t off)
{
    size_t n = off >= data_len ? 0 : data_len - off < len ? data_len - (size_t)off : len;

    (void)cl;
    (void)fh;
    memcpy(buf, data + (off >= data_len ? 0 : off), n);
    return (int64_t)n;
}

int64_t fsif_seek(struct fsif_client *cl, int fh, uint64_t off, uint32_t what)
{
    (void)cl;
    (void)fh;
    (void)off;
    (void)what;
    ck_assert_uint_lt(sought, 8);
    return seeks[sought++];
}

int64_t fsif_listxattr(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len,
                       uint32_t flags)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)flags;
    if (xattr_len > (int64_t)len && xattr_len <= CLI_XATTR_MAX)
        return -FSIF_ERANGE;
    if (xattr_len > 0 && (size_t)xattr_len <= len)
        memcpy(buf, xattr_list, (size_t)xattr_len);
    return xattr_len;
}

int64_t fsif_getxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                      void *buf, size_t len, uint32_t flags)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)flags;
    ck_assert_int_eq(strncmp(name, "user.", 5), 0); /* no other is even asked for */
    ck_assert_uint_ge(len, 5);
    memcpy(buf, "value", 5);
    return 5;
}

/* What get has no use for */

int fsif_opendir(struct fsif_client *cl, const char *path, struct fsif_dir **out)
{
    (void)cl;
    (void)path;
    *out = NULL;
    return -FSIF_EOPNOTSUPP;
}

int fsif_readdir(struct fsif_dir *dir, const char **name)
{
    (void)dir;
    *name = NULL;
    return 0;
}

void fsif_closedir(struct fsif_dir *dir)
{
    (void)dir;
}

int64_t fsif_pwrite(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off)
{
    (void)cl;
    (void)fh;
    (void)buf;
    (void)off;
    return (int64_t)len;
}

int fsif_rename(struct fsif_client *cl, const char *from, const char *to)
{
    (void)cl;
    (void)from;
    (void)to;
    return -FSIF_EROFS;
}

int fsif_remove(struct fsif_client *cl, const char *path)
{
    (void)cl;
    (void)path;
    return -FSIF_EROFS;
}

int fsif_mkdir(struct fsif_client *cl, const char *path, uint32_t mode)
{
    (void)cl;
    (void)path;
    (void)mode;
    return -FSIF_EROFS;
}

int fsif_setxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                  const void *buf, size_t len, uint32_t flags)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)name;
    (void)buf;
    (void)len;
    (void)flags;
    return -FSIF_EROFS;
}

int fsif_setattr(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 const struct fsif_setattr *set, struct fsif_attr *out)
{
    (void)cl;
    (void)dir;
    (void)path;
    (void)flags;
    (void)set;
    (void)out;
    return -FSIF_EROFS;
}

/* --- the destination ------------------------------------------------------------------------ */

static char home[256];
static char dest[300];
static struct cli cli;

static void setup(void)
{
    static const struct cli_command command = {.name = "get", .synopsis = ""};

    alarm(60); /* whatever hangs is a failure */
    scratch_make(home, sizeof(home));
    scratch_path(dest, sizeof(dest), home, "dest");
    ck_assert_int_eq(mkdir(dest, 0700), 0);
    memset(say, 0, sizeof(say));
    memset(inner, 0, sizeof(inner));
    memset(seeks, 0, sizeof(seeks));
    data = "data";
    data_len = 4;
    target = "somewhere";
    target_len = 9;
    xattr_len = 0;
    read_result = 0;
    sought = 0;
    mode_now = 0;
    cli = (struct cli){.address = "shm:x", .jobs = 4, .command = &command};
    cli.option['a'] = "";
    pthread_mutex_init(&cli.report_lock, NULL);
}

static void teardown(void)
{
    scratch_remove(home);
}

/* get -a x:/ DEST. Return: whether something failed */
static int get(void)
{
    char source[] = "x:/";
    char *operands[] = {source, dest};

    ck_assert_int_eq(command_get(&cli, operands, 2), CLI_OK);
    cli_sessions_close(&cli);
    return cli.failed;
}

/* How many names lie in a directory */
static unsigned int count(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    unsigned int n = 0;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static struct stat look(const char *name)
{
    char path[400];
    struct stat st;

    scratch_path(path, sizeof(path), dest, name);
    ck_assert_msg(lstat(path, &st) == 0, "%s: %s", name, strerror(errno));
    return st;
}

static void nothing_outside(void)
{
    ck_assert_uint_eq(count(home), 1);
}

/* --- cases ---------------------------------------------------------------------------------- */

START_TEST(names)
{
    static const char *const bad[] = {"../evil", "/evil", "a/b", "..", ".", ""};

    say[0] = (struct node){.name = bad[_i], .mode = FILE_MODE, .size = 4};
    say[1] = (struct node){.name = "good", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 1);
    look("good");
    nothing_outside();
}
END_TEST

/* A link, and then a directory or a file of its name: nothing goes through it. */
START_TEST(a_link_and_more_of_its_name)
{
    target = "..";
    target_len = 2;
    say[0] = (struct node){.name = "n", .mode = LINK_MODE};
    say[1] = (struct node){.name = "n", .mode = _i ? DIR_MODE : FILE_MODE, .size = 4};
    say[2] = (struct node){.name = "n", .mode = LINK_MODE};
    inner[0] = (struct node){.name = "evil", .mode = FILE_MODE, .size = 4};
    cli.jobs = 1;
    get();
    ck_assert_uint_eq(count(dest), 1);
    nothing_outside();
}
END_TEST

START_TEST(link_targets)
{
    static char longest[FSIF_PATH_MAX + 2];
    static const struct {
        const char *text;
        int64_t len;
    } rows[] = {{"", 0},          {"a\0b", 3},  {longest, FSIF_PATH_MAX + 1},
                {"x", INT64_MAX}, {"x", -5000}, {"x", -FSIF_EIO}};

    memset(longest, 'l', sizeof(longest) - 1);
    target = rows[_i].text;
    target_len = rows[_i].len > FSIF_PATH_MAX + 1 ? FSIF_PATH_MAX + 1 : rows[_i].len;
    if (rows[_i].len == INT64_MAX)
        target = longest;
    say[0] = (struct node){.name = "l", .mode = LINK_MODE};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

START_TEST(a_link_is_kept_as_it_is)
{
    static const char text[] = "../../etc/passwd\x1b[2J";
    char path[400];
    char back[100];

    target = text;
    target_len = (int64_t)strlen(text);
    say[0] = (struct node){.name = "l", .mode = LINK_MODE};
    ck_assert_int_eq(get(), 0);
    scratch_path(path, sizeof(path), dest, "l");
    ck_assert_int_eq(readlink(path, back, sizeof(back)), target_len);
    ck_assert_mem_eq(back, text, (size_t)target_len);
    ck_assert_int_eq(look("l").st_mtim.tv_sec, 1000000000);
}
END_TEST

/* Only "user.": anything else would be a privilege, and fsif_getxattr() above fails the test. */
START_TEST(attribute_names)
{
    static const char list[] = "security.capability\0trusted.x\0system.posix_acl_access\0user.\0"
                               "User.a\0";

    xattr_list = list;
    xattr_len = sizeof(list) - 1;
    say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    say[1] = (struct node){.name = "d", .mode = DIR_MODE};
    ck_assert_int_eq(get(), 0);
    look("f");
}
END_TEST

/* More than a first request has room for */
START_TEST(long_attribute_lists)
{
    static char list[40000];

    memset(list, 'n', sizeof(list));
    list[200] = '\0';
    list[sizeof(list) - 1] = '\0';
    xattr_list = list;
    xattr_len = sizeof(list);
    say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 0);
    look("f");
}
END_TEST

START_TEST(attribute_lists)
{
    static const int64_t lengths[] = {6, CLI_XATTR_MAX + 1, INT64_MAX, -FSIF_ERANGE};

    xattr_list = "user.a"; /* no NUL within what is said */
    xattr_len = lengths[_i];
    say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

START_TEST(modes)
{
    say[0] = (struct node){.name = "setid", .mode = FSIF_S_IFREG | 07777, .size = 4};
    say[1] = (struct node){.name = "dir", .mode = FSIF_S_IFDIR | 07777};
    say[2] = (struct node){.name = "block", .mode = FSIF_S_IFBLK | 0666};
    say[3] = (struct node){.name = "fifo", .mode = FSIF_S_IFIFO | 0666};
    say[4] = (struct node){.name = "none", .mode = 0170000};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 2);
    ck_assert_uint_eq(look("setid").st_mode & 07777, 0777);
    ck_assert_uint_eq(look("dir").st_mode & 07777, 01777);
}
END_TEST

/* It was a file when it was listed. */
START_TEST(something_else_when_it_is_read)
{
    mode_now = _i ? DIR_MODE : FSIF_S_IFCHR | 0666;
    say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

START_TEST(more_bytes_than_asked_for)
{
    read_result = _i ? 1 << 20 : 6;
    say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

/* Sizes that are not true: what there is comes. */
START_TEST(sizes)
{
    static const uint64_t told[] = {0, 1, 5, 65536, 1 << 30, (uint64_t)1 << 62, INT64_MAX};

    say[0] = (struct node){
        .name = "f", .mode = FILE_MODE, .size = told[_i], .blocks = UINT64_MAX / 1024};
    get();
    ck_assert_int_eq(look("f").st_size, 4);
}
END_TEST

START_TEST(no_size)
{
    say[0] = (struct node){
        .name = "f", .mode = FILE_MODE, .size = (uint64_t)INT64_MAX + 1 + (uint64_t)_i};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

/* Where data is, backwards, beyond the end, and nowhere */
START_TEST(holes)
{
    static const struct {
        int64_t answers[5];
        int failed;
    } rows[] = {
        {{4096, 4096, -FSIF_ENXIO}, 1},         /* data that ends where it begins */
        {{4096, 100, -FSIF_ENXIO}, 1},          /* before it begins */
        {{0, 4096, 100, 8192, -FSIF_ENXIO}, 1}, /* backwards */
        {{-5000}, 1},                           /* no number of an error */
        {{1 << 20, 1 << 21}, 0},                /* where the file ends already: a hole */
        {{INT64_MAX}, 0},                       /* far beyond */
        {{-FSIF_ENXIO}, 0},                     /* nothing but a hole */
        {{0, INT64_MAX}, 0},                    /* no hole: as long as there is data */
    };

    static const char much[8192];

    data = much;
    data_len = sizeof(much);
    memcpy(seeks, rows[_i].answers, sizeof(rows[_i].answers));
    say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 1 << 20, .blocks = 8};
    ck_assert_int_eq(get(), rows[_i].failed);
    ck_assert_uint_eq(count(dest), !rows[_i].failed);
    if (!rows[_i].failed)
        ck_assert_int_eq(look("f").st_size, 1 << 20);
}
END_TEST

/* More names than it says, and directories that claim to be the file */
START_TEST(names_of_one_file)
{
    static const char *const all[] = {"a", "b", "c", "d", "e"};
    size_t i;

    for (i = 0; i < 5; i++)
        say[i] = (struct node){
            .name = all[i], .mode = FILE_MODE, .size = 4, .nlink = _i ? 2 : UINT32_MAX, .ino = 7};
    say[5] = (struct node){.name = "dir", .mode = DIR_MODE, .nlink = 2, .ino = 7};
    ck_assert_int_eq(get(), 0);
    ck_assert_uint_eq(count(dest), 6);
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(look(all[i]).st_size, 4);
    if (!_i)
        ck_assert_uint_eq(look("a").st_nlink, 5);
}
END_TEST

/* The first name cannot be copied: the others are tried, and all of them say so. */
START_TEST(names_of_one_file_that_cannot_be_read)
{
    read_result = -FSIF_EIO;
    say[0] = (struct node){.name = "a", .mode = FILE_MODE, .size = 4, .nlink = 3, .ino = 7};
    say[1] = (struct node){.name = "b", .mode = FILE_MODE, .size = 4, .nlink = 3, .ino = 7};
    say[2] = (struct node){.name = "c", .mode = FILE_MODE, .size = 4, .nlink = 3, .ino = 7};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli_get");
    TCase *t = tcase_create("hostile");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, names, 0, 6);
    tcase_add_loop_test(t, a_link_and_more_of_its_name, 0, 2);
    tcase_add_loop_test(t, link_targets, 0, 6);
    tcase_add_test(t, a_link_is_kept_as_it_is);
    tcase_add_test(t, attribute_names);
    tcase_add_test(t, long_attribute_lists);
    tcase_add_loop_test(t, attribute_lists, 0, 4);
    tcase_add_test(t, modes);
    tcase_add_loop_test(t, something_else_when_it_is_read, 0, 2);
    tcase_add_loop_test(t, more_bytes_than_asked_for, 0, 2);
    tcase_add_loop_test(t, sizes, 0, 7);
    tcase_add_loop_test(t, no_size, 0, 2);
    tcase_add_loop_test(t, holes, 0, 8);
    tcase_add_loop_test(t, names_of_one_file, 0, 2);
    tcase_add_test(t, names_of_one_file_that_cannot_be_read);
    suite_add_tcase(s, t);
    return run_suite(s);
}
