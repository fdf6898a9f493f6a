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
#include "cli.h"
#include "lying_client.h"
#include "scratch.h"
#include "suite.h"

_Atomic int cli_interrupted;

#define FILE_MODE (FSIF_S_IFREG | 0644)
#define DIR_MODE (FSIF_S_IFDIR | 0755)
#define LINK_MODE (FSIF_S_IFLNK | 0777)

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
    memset(&lies, 0, sizeof(lies));
    lies.data = "data";
    lies.data_len = 4;
    lies.target = "somewhere";
    lies.target_len = 9;
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

    lies.say[0] = (struct node){.name = bad[_i], .mode = FILE_MODE, .size = 4};
    lies.say[1] = (struct node){.name = "good", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 1);
    look("good");
    nothing_outside();
}
END_TEST

/* A link, and then a directory or a file of its name: nothing goes through it. */
START_TEST(a_link_and_more_of_its_name)
{
    lies.target = "..";
    lies.target_len = 2;
    lies.say[0] = (struct node){.name = "n", .mode = LINK_MODE};
    lies.say[1] = (struct node){.name = "n", .mode = _i ? DIR_MODE : FILE_MODE, .size = 4};
    lies.say[2] = (struct node){.name = "n", .mode = LINK_MODE};
    lies.inner[0] = (struct node){.name = "evil", .mode = FILE_MODE, .size = 4};
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
    lies.target = rows[_i].text;
    lies.target_len = rows[_i].len > FSIF_PATH_MAX + 1 ? FSIF_PATH_MAX + 1 : rows[_i].len;
    if (rows[_i].len == INT64_MAX)
        lies.target = longest;
    lies.say[0] = (struct node){.name = "l", .mode = LINK_MODE};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

START_TEST(a_link_is_kept_as_it_is)
{
    static const char text[] = "../../etc/passwd\x1b[2J";
    char path[400];
    char back[100];

    lies.target = text;
    lies.target_len = (int64_t)strlen(text);
    lies.say[0] = (struct node){.name = "l", .mode = LINK_MODE};
    ck_assert_int_eq(get(), 0);
    scratch_path(path, sizeof(path), dest, "l");
    ck_assert_int_eq(readlink(path, back, sizeof(back)), lies.target_len);
    ck_assert_mem_eq(back, text, (size_t)lies.target_len);
    ck_assert_int_eq(look("l").st_mtim.tv_sec, 1000000000);
}
END_TEST

/* Only "user.": anything else would be a privilege, and fsif_getxattr() above fails the test. */
START_TEST(attribute_names)
{
    static const char list[] = "security.capability\0trusted.x\0system.posix_acl_access\0user.\0"
                               "User.a\0";

    lies.xattr_list = list;
    lies.xattr_len = sizeof(list) - 1;
    lies.say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    lies.say[1] = (struct node){.name = "d", .mode = DIR_MODE};
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
    lies.xattr_list = list;
    lies.xattr_len = sizeof(list);
    lies.say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 0);
    look("f");
}
END_TEST

START_TEST(attribute_lists)
{
    static const int64_t lengths[] = {6, CLI_XATTR_MAX + 1, INT64_MAX, -FSIF_ERANGE};

    lies.xattr_list = "user.a"; /* no NUL within what is said */
    lies.xattr_len = lengths[_i];
    lies.say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

START_TEST(modes)
{
    lies.say[0] = (struct node){.name = "setid", .mode = FSIF_S_IFREG | 07777, .size = 4};
    lies.say[1] = (struct node){.name = "dir", .mode = FSIF_S_IFDIR | 07777};
    lies.say[2] = (struct node){.name = "block", .mode = FSIF_S_IFBLK | 0666};
    lies.say[3] = (struct node){.name = "fifo", .mode = FSIF_S_IFIFO | 0666};
    lies.say[4] = (struct node){.name = "none", .mode = 0170000};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 2);
    ck_assert_uint_eq(look("setid").st_mode & 07777, 0777);
    ck_assert_uint_eq(look("dir").st_mode & 07777, 01777);
}
END_TEST

/* It was a file when it was listed. */
START_TEST(something_else_when_it_is_read)
{
    lies.mode_now = _i ? DIR_MODE : FSIF_S_IFCHR | 0666;
    lies.say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

START_TEST(more_bytes_than_asked_for)
{
    lies.read_result = _i ? 1 << 20 : 6;
    lies.say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 4};
    ck_assert_int_eq(get(), 1);
    ck_assert_uint_eq(count(dest), 0);
}
END_TEST

/* Sizes that are not true: what there is comes. */
START_TEST(sizes)
{
    static const uint64_t told[] = {0, 1, 5, 65536, 1 << 30, (uint64_t)1 << 62, INT64_MAX};

    lies.say[0] = (struct node){
        .name = "f", .mode = FILE_MODE, .size = told[_i], .blocks = UINT64_MAX / 1024};
    get();
    ck_assert_int_eq(look("f").st_size, 4);
}
END_TEST

START_TEST(no_size)
{
    lies.say[0] = (struct node){
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

    lies.data = much;
    lies.data_len = sizeof(much);
    memcpy(lies.seeks, rows[_i].answers, sizeof(rows[_i].answers));
    lies.say[0] = (struct node){.name = "f", .mode = FILE_MODE, .size = 1 << 20, .blocks = 8};
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
        lies.say[i] = (struct node){
            .name = all[i], .mode = FILE_MODE, .size = 4, .nlink = _i ? 2 : UINT32_MAX, .ino = 7};
    lies.say[5] = (struct node){.name = "dir", .mode = DIR_MODE, .nlink = 2, .ino = 7};
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
    lies.read_result = -FSIF_EIO;
    lies.say[0] = (struct node){.name = "a", .mode = FILE_MODE, .size = 4, .nlink = 3, .ino = 7};
    lies.say[1] = (struct node){.name = "b", .mode = FILE_MODE, .size = 4, .nlink = 3, .ino = 7};
    lies.say[2] = (struct node){.name = "c", .mode = FILE_MODE, .size = 4, .nlink = 3, .ino = 7};
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
