/* SPDX-License-Identifier: MIT */
/* The command line and the configuration file of the daemon. */
#include <check.h>
#include <fsif/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "options.h"
#include "suite.h"

static struct fsi_options options;
static struct fsi_error err;

static void setup(void)
{
    fsi_options_init(&options);
    err.text[0] = '\0';
}

static void teardown(void)
{
    fsi_options_fini(&options);
}

/* --- the command line ------------------------------------------------------------------------- */

#define MAX_ARGS 16

static int run(const char *const *args)
{
    char *argv[MAX_ARGS] = {"fsif-backend"};
    enum fsi_command command;
    int argc = 1;

    for (; *args; args++)
        argv[argc++] = (char *)*args;
    return fsi_command_line(argc, argv, &options, &command, &err);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void again(void)
{
    fsi_options_fini(&options);
    fsi_options_init(&options);
}

START_TEST(test_command_line)
{
    ck_assert_int_eq(RUN("-l", "shm:/run/s", "-e", "data=/srv/data", "-e",
                         "docs=/usr/share/doc,ro,allow-uid=1000,allow-uid=7,allow-gid=8", "-l",
                         "shm:/run/t", "--max-sessions=3", "--stop-timeout", "0"),
                     0);
    ck_assert_uint_eq(options.nlisten, 2);
    ck_assert_str_eq(options.listen[1], "shm:/run/t");
    ck_assert_uint_eq(options.nexports, 2);
    ck_assert_str_eq(options.exports[0].name, "data");
    ck_assert_str_eq(options.exports[0].store, "posix");
    ck_assert_str_eq(options.exports[0].source, "/srv/data");
    ck_assert_uint_eq(options.exports[0].read_only, 0);
    ck_assert_uint_eq(options.exports[0].map, FSI_MAP_PEER);
    ck_assert_uint_eq(options.exports[1].read_only, 1);
    ck_assert_uint_eq(options.exports[1].allowed.n, 3);
    ck_assert_uint_eq(options.exports[1].allowed.entries[1].id, 7);
    ck_assert_uint_eq(options.exports[1].allowed.entries[2].kind, FSI_ALLOW_GID);
    ck_assert_uint_eq(options.exports[1].allowed.entries[2].id, 8);
    ck_assert_uint_eq(options.max_sessions, 3);
    ck_assert_uint_eq(options.stop_timeout, 0);
    ck_assert_uint_eq(options.threads, 32);
}
END_TEST

START_TEST(test_sorted)
{
    ck_assert_int_eq(RUN("-l", "shm:s", "-e", "b=/b", "-e", "a=/a", "-e", "c=/c"), 0);
    ck_assert_str_eq(options.exports[0].name, "a");
    ck_assert_ptr_eq(fsi_exports_find(options.exports, 3, "c"), &options.exports[2]);
    ck_assert_ptr_null(fsi_exports_find(options.exports, 3, "bb"));
}
END_TEST

static const struct {
    const char *text;
    const char *store;
    const char *source;
} sources[] = {
    {"x=dir", "posix", "dir"},
    {"x=/a=b", "posix", "/a=b"},
    {"x=/a\\,b\\\\c,ro", "posix", "/a,b\\c"},
    {"x=memory:", "memory", ""},
    {"x=memory:,size=64K,nodes=9", "memory", ""},
    {"x=slow:100", "slow", "100"},
    {"x=posix:/srv:1", "posix", "/srv:1"},
    {"x=./memory:", "posix", "./memory:"},
    {"x=Memory:", "posix", "Memory:"},
};

START_TEST(test_sources)
{
    ck_assert_msg(RUN("-l", "shm:s", "-e", sources[_i].text) == 0, "%s", err.text);
    ck_assert_str_eq(options.exports[0].store, sources[_i].store);
    ck_assert_str_eq(options.exports[0].source, sources[_i].source);
}
END_TEST

START_TEST(test_values)
{
    const struct fsi_export *e;

    ck_assert_int_eq(RUN("-l", "shm:s", "-e",
                         "x=memory:,size=3M,nodes=9,handles=65536,setid,xdev=no,map=5:6,ro=yes,"
                         "special,exclusive=yes,nolock,noxattr=yes"),
                     0);
    e = &options.exports[0];
    ck_assert_uint_eq(e->max_bytes, 3u << 20);
    ck_assert_uint_eq(e->max_nodes, 9);
    ck_assert_uint_eq(e->max_handles, 65536);
    ck_assert_uint_eq(e->setid, 1);
    ck_assert_uint_eq(e->xdev, 0);
    ck_assert_uint_eq(e->special, 1);
    ck_assert_uint_eq(e->exclusive, 1);
    ck_assert(e->nolock && e->noxattr && !e->nolease);
    ck_assert_uint_eq(e->read_only, 1);
    ck_assert_uint_eq(e->map, FSI_MAP_IDS);
    ck_assert_uint_eq(e->map_uid, 5);
    ck_assert_uint_eq(e->map_gid, 6);
}
END_TEST

START_TEST(test_sessions_of_dialect_3)
{
    ck_assert_int_eq(RUN("-l", "shm:s", "-e", "x=memory:", "--spin=0", "--max-queues=16",
                         "--max-slots=8", "--max-arena-pages=16", "--max-io=4096", "--max-locks=16",
                         "--max-watches=16"),
                     0);
    ck_assert_uint_eq(options.spin, 0);
    ck_assert_uint_eq(options.max_queues, 16);
    ck_assert_uint_eq(options.max_slots, 8);
    ck_assert_uint_eq(options.max_arena_pages, 16);
    ck_assert_uint_eq(options.max_io, 4096);
    ck_assert_uint_eq(options.max_locks, 16);
    ck_assert_uint_eq(options.max_watches, 16);
}
END_TEST

START_TEST(test_dialects)
{
    static const struct {
        const char *list;
        uint32_t set;
    } good[] = {{"1", 2},   {"2", 4}, {"1,2", 6},  {"2,1", 6},   {"1 2", 6},
                {"2,2", 4}, {"3", 8}, {"1,3", 10}, {"3,2,1", 14}};
    static const char *const bad[] = {"", "0", "4", "1,", ",1", "1,4", "12", "1;2", "1, 2", "one"};

    ck_assert_int_eq(RUN("-l", "shm:s", "-e", "x=memory:"), 0);
    ck_assert_uint_eq(options.dialects, FSIF_DIALECTS_KNOWN);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        again();
        ck_assert_int_eq(RUN("-l", "shm:s", "-e", "x=memory:", "--dialects", good[i].list), 0);
        ck_assert_uint_eq(options.dialects, good[i].set);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        again();
        ck_assert_int_eq(RUN("-l", "shm:s", "-e", "x=memory:", "--dialects", bad[i]), -FSIF_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "dialects is"));
    }
    again();
    ck_assert_int_eq(RUN("-l", "shm:s", "-e", "x=memory:", "--dialects=1", "--dialects=1"),
                     -FSIF_EINVAL);
}
END_TEST

START_TEST(test_strip_prefix)
{
    static const char *const good[][2] = {
        {"x=memory:", ""},
        {"x=memory:,strip-prefix=/srv", "srv"},
        {"x=memory:,strip-prefix=//srv/./data//", "srv/data"},
        {"x=memory:,strip-prefix=/a\\,b c", "a,b c"},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        again();
        ck_assert_msg(RUN("-l", "shm:s", "-e", good[i][0]) == 0, "%s", err.text);
        ck_assert_str_eq(options.exports[0].strip_prefix, good[i][1]);
    }
}
END_TEST

/* What stands after `-l shm:s -e`, and what the message must say. */
static const struct {
    const char *text;
    const char *says;
} bad_exports[] = {
    {"", "NAME=SOURCE"},
    {"data", "NAME=SOURCE"},
    {"=x", "not a name"},
    {".x=/a", "not a name"},
    {"a/b=/a", "not a name"},
    {"a b=/a", "not a name"},
    {"x=", "source is empty"},
    {"x=/a,strip-prefix", "needs a value"},
    {"x=/a,strip-prefix=", "strip-prefix is"},
    {"x=/a,strip-prefix=a", "strip-prefix is"},
    {"x=/a,strip-prefix=/", "strip-prefix is"},
    {"x=/a,strip-prefix=/./", "strip-prefix is"},
    {"x=/a,strip-prefix=/a/../b", "strip-prefix is"},
    {"x=/a,strip-prefix=/\xc3\xa4", "strip-prefix is"},
    {"x=/a,strip-prefix=/a,strip-prefix=/b", "given twice"},
    {"x=,ro", "source is empty"},
    {"x=/a,", "option is empty"},
    {"x=/a,,ro", "option is empty"},
    {"x=/a,=1", "option is empty"},
    {"x=/a\\b", "backslash"},
    {"x=/a\\", "backslash"},
    {"x=posix:", "needs a directory"},
    {"x=/a,bogus", "no option 'bogus'"},
    {"x=/a,source=/b", "given twice"},
    {"x=/a,ro,ro", "given twice"},
    {"x=/a,ro=maybe", "yes or no"},
    {"x=/a,allow-uid", "needs a value"},
    {"x=/a,allow-uid=", "needs an id"},
    {"x=/a,allow-uid=-1", "not a user id"},
    {"x=/a,allow-uid=4294967295", "not a user id"},
    {"x=/a,allow-uid=99999999999999999999", "not a user id"},
    {"x=/a,allow-uid=1x", "not a user id"},
    {"x=/a,allow-uid=no-such-user-at-all", "no user"},
    {"x=/a,allow-gid=no-such-group-at-all", "no group"},
    {"x=/a,allow-gid=+1", "not a group id"},
    {"x=/a,map=me", "map is"},
    {"x=/a,map=1:", "not a group id"},
    {"x=/a,map=:1", "not a user id"},
    {"x=/a,size=0", "size is"},
    {"x=/a,size=1Q", "size is"},
    {"x=/a,size=99999999999T", "size is"},
    {"x=/a,size=K", "size is"},
    {"x=/a,nodes=0", "nodes is"},
    {"x=/a,handles=65537", "handles is"},
    {"x=/a,handles=0", "handles is"},
    {"x=aaaaaaaaaabbbbbbbbbbccccccccccdd:", "too long"},
};

START_TEST(test_bad_exports)
{
    ck_assert_int_lt(RUN("-l", "shm:s", "-e", bad_exports[_i].text), 0);
    ck_assert_msg(strstr(err.text, bad_exports[_i].says) != NULL, "%s", err.text);
}
END_TEST

static const struct {
    const char *args[4];
    const char *says;
} bad_lines[] = {
    {{"-e", "x=/a"}, "no address"},
    {{"-l", "shm:s"}, "nothing to serve"},
    {{NULL}, "no address"},
    {{"-l", "shm"}, "not an address"},
    {{"-l", "shm:"}, "not an address"},
    {{"-l", ":s"}, "not an address"},
    {{"-l"}, "needs a value"},
    {{"--listen"}, "needs a value"},
    {{"-x"}, "unknown option '-x'"},
    {{"--bogus"}, "unknown option '--bogus'"},
    {{"what"}, "unexpected argument"},
    {{"-l", "shm:s", "-l", "shm:s"}, "given twice"},
    {{"-e", "x=/a", "-e", "x=/b"}, "two exports"},
    {{"--threads=0"}, "threads is"},
    {{"--threads=257"}, "threads is"},
    {{"--threads=x"}, "threads is"},
    {{"--threads=4", "--threads=4"}, "given twice"},
    {{"--max-sessions=0"}, "max-sessions is"},
    {{"--max-sessions-per-peer=0"}, "max-sessions-per-peer is"},
    {{"--max-pages=1"}, "max-pages is"},
    {{"--slow-threshold=0"}, "slow-threshold is"},
    {{"--spin=100001"}, "spin is"},
    {{"--max-queues=17"}, "max-queues is"},
    {{"--max-queues=0"}, "max-queues is"},
    {{"--max-slots=7"}, "max-slots is"},
    {{"--max-arena-pages=65537"}, "max-arena-pages is"},
    {{"--max-io=4095"}, "max-io is"},
    {{"--max-locks=15"}, "max-locks is"},
    {{"--max-watches=1025"}, "max-watches is"},
    {{"--stop-timeout=-1"}, "stop-timeout is"},
    {{"--handshake-timeout="}, "handshake-timeout is"},
    {{"--log-level=loud"}, "log-level is"},
    {{"--plugin-dir=/no/such/dir"}, "plugin-dir"},
    {{"-c", "/no/such/file"}, "/no/such/file"},
};

START_TEST(test_bad_lines)
{
    ck_assert_int_lt(run(bad_lines[_i].args), 0);
    ck_assert_msg(strstr(err.text, bad_lines[_i].says) != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_help_and_version)
{
    char *help[] = {"fsif-backend", "-h"};
    char *version[] = {"fsif-backend", "--version"};
    enum fsi_command command;

    ck_assert_int_eq(fsi_command_line(2, help, &options, &command, &err), 0);
    ck_assert_int_eq(command, FSI_COMMAND_HELP);
    ck_assert_int_eq(fsi_command_line(2, version, &options, &command, &err), 0);
    ck_assert_int_eq(command, FSI_COMMAND_VERSION);
}
END_TEST

/* --- the configuration file ------------------------------------------------------------------- */

static int parse(const char *text)
{
    return fsi_config_parse(&options, "file", text, strlen(text), &err);
}

/* Returns 1 if the program has no parser, which the caller skips. */
static int no_parser(void)
{
    if (parse("") != -FSIF_EOPNOTSUPP)
        return 0;
    printf("SKIP: built without libinih\n");
    return 1;
}

static const char good[] = "# comment\r\n"
                           "[global]\n"
                           "max-sessions = 5   ; inline\n"
                           "log-level = debug\n"
                           "[listen] ; more\n"
                           "address = shm:/run/a\n"
                           "address = shm:/run/b\n"
                           "\n"
                           "[export data]\n"
                           "source = /srv/a,b\n"
                           "   \n"
                           "[export docs]\n"
                           "source = /usr/share/doc\n"
                           "ro = yes\n"
                           "allow-uid = 1 2\t3\n"
                           "allow-uid = 4\n"
                           "handles = 10";

START_TEST(test_config)
{
    if (no_parser())
        return;
    ck_assert_msg(parse(good) == 0, "%s", err.text);
    ck_assert_int_eq(fsi_options_finish(&options, &err), 0);
    ck_assert_uint_eq(options.max_sessions, 5);
    ck_assert_uint_eq(options.log_level, 3);
    ck_assert_uint_eq(options.nlisten, 2);
    ck_assert_uint_eq(options.nexports, 2);
    ck_assert_str_eq(options.exports[0].source, "/srv/a,b");
    ck_assert_uint_eq(options.exports[1].read_only, 1);
    ck_assert_uint_eq(options.exports[1].allowed.n, 4);
    ck_assert_uint_eq(options.exports[1].allowed.entries[2].id, 3);
    ck_assert_uint_eq(options.exports[1].max_handles, 10);
}
END_TEST

START_TEST(test_config_bom)
{
    if (no_parser())
        return;
    ck_assert_msg(parse("\xef\xbb\xbf[global]\nthreads = 1\n") == 0, "%s", err.text);
    ck_assert_uint_eq(options.threads, 1);
}
END_TEST

START_TEST(test_config_and_line)
{
    char path[] = "/tmp/fsif-config-XXXXXX";
    int fd;

    if (no_parser())
        return;
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, good, sizeof(good) - 1), (ssize_t)sizeof(good) - 1);
    close(fd);
    /* The line wins over the file, wherever it stands. */
    ck_assert_msg(RUN("--max-sessions=9", "-c", path, "-e", "more=memory:") == 0, "%s", err.text);
    unlink(path);
    ck_assert_uint_eq(options.max_sessions, 9);
    ck_assert_uint_eq(options.nexports, 3);
    ck_assert_uint_eq(options.nlisten, 2);
}
END_TEST

static const struct {
    const char *text;
    const char *says;
} bad_configs[] = {
    {"a = b\n", "file:1: before the first section"},
    {"[global]\n", "file:1: the section is empty"},
    {"[global]\n[listen]\naddress = shm:s\n", "file:1: the section is empty"},
    {"[other]\na = b\n", "file:1: there is no section 'other'"},
    {"[global\na = b\n", "file:1: a section's name ends"},
    {"[global] x\na = b\n", "file:1: text stands after"},
    {"[global]\nbogus = 1\n", "file:2: there is no option 'bogus'"},
    {"[global]\n\nthreads = 0\n", "file:3: threads is"},
    {"[global]\nthreads = 1\nthreads = 2\n", "file:3: 'threads' is given twice"},
    {"[global]\njust words\n", "file:2: neither"},
    {"[global]\nthreads = 1\n  2\n", "file:3: a line begins with a blank"},
    {"[listen]\nport = 1\n", "file:2: section [listen] has no key 'port'"},
    {"[listen]\naddress = shm\n", "file:2: 'shm' is not an address"},
    {"[export x]\nsource = /a\n[export x]\nsource = /b\n", "file:3: there are two exports"},
    {"[export .x]\nsource = /a\n", "file:1: '.x' is not a name"},
    {"[export ]\nsource = /a\n", "file:1: '' is not a name"},
    {"[export x]\nsource = /a\nsource = /b\n", "file:3: 'source' is given twice"},
    {"[export x]\nsource = /a\nwhat = 1\n", "file:3: an export has no option 'what'"},
    {"[export x]\nsource =\n", "file:2: the source is empty"},
    {"[export x]\nsource = /a\nro = perhaps\n", "file:3: ro is yes or no"},
    {"[export x]\nsource = /a\nallow-uid = 1 no-such-user-at-all\n", "file:3: there is no user"},
};

START_TEST(test_bad_configs)
{
    if (no_parser())
        return;
    ck_assert_int_lt(parse(bad_configs[_i].text), 0);
    ck_assert_msg(strncmp(err.text, bad_configs[_i].says, strlen(bad_configs[_i].says)) == 0, "%s",
                  err.text);
}
END_TEST

START_TEST(test_config_long_line)
{
    char text[400];

    if (no_parser())
        return;
    memset(text, 'a', sizeof(text));
    memcpy(text, "[export x]\nsource = /", 21);
    ck_assert_int_lt(fsi_config_parse(&options, "file", text, sizeof(text), &err), 0);
    ck_assert_msg(strstr(err.text, "file:2: the line is longer") != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_config_long_section)
{
    char text[200];

    if (no_parser())
        return;
    /* libinih cuts the name of a section after 49 bytes; two that differ later are two. */
    snprintf(text, sizeof(text), "[export %.60sA]\nsource = /a\n[export %.60sB]\nsource = /b\n",
             "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
             "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
    ck_assert_msg(parse(text) == 0, "%s", err.text);
    ck_assert_uint_eq(options.nexports, 2);
}
END_TEST

START_TEST(test_config_nul)
{
    static const char text[] = "[global]\nthreads = 1\0 2\n";

    if (no_parser())
        return;
    ck_assert_int_lt(fsi_config_parse(&options, "file", text, sizeof(text) - 1, &err), 0);
    ck_assert_msg(strstr(err.text, "file:2: ") != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_config_fifo_and_folder)
{
    ck_assert_int_lt(fsi_config_load(&options, "/", &err), 0);
    ck_assert_int_lt(fsi_config_load(&options, "/no/such/file", &err), 0);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
    Suite *s = suite_create("server_config");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_command_line);
    tcase_add_test(t, test_sorted);
    tcase_add_loop_test(t, test_sources, 0, COUNT(sources));
    tcase_add_test(t, test_values);
    tcase_add_test(t, test_sessions_of_dialect_3);
    tcase_add_test(t, test_dialects);
    tcase_add_test(t, test_strip_prefix);
    tcase_add_loop_test(t, test_bad_exports, 0, COUNT(bad_exports));
    tcase_add_loop_test(t, test_bad_lines, 0, COUNT(bad_lines));
    tcase_add_test(t, test_help_and_version);
    tcase_add_test(t, test_config);
    tcase_add_test(t, test_config_bom);
    tcase_add_test(t, test_config_and_line);
    tcase_add_loop_test(t, test_bad_configs, 0, COUNT(bad_configs));
    tcase_add_test(t, test_config_long_line);
    tcase_add_test(t, test_config_long_section);
    tcase_add_test(t, test_config_nul);
    tcase_add_test(t, test_config_fifo_and_folder);
    suite_add_tcase(s, t);
    return run_suite(s);
}
