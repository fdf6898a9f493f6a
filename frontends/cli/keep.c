/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <fsif/host.h>

/*
 * What -a keeps besides bytes and names: owners where that is permitted, attributes of "user.",
 * modes and times. Of an export no set-id bit is taken over, and no attribute of another kind,
 * whatever a backend lists: those of "security." would be privileges.
 */

/* --- reading those of an export ------------------------------------------------------------- */

/* Most files have none or few: they need no more room than this. */
#define FEW 1024u

int xattr_names(struct fsif_client *cl, const char *path, uint32_t flags,
                int (*one)(void *arg, const char *name), void *arg)
{
    char few[FEW];
    char *many = NULL;
    char *list = few;
    int64_t room = FEW;
    int64_t n = fsif_listxattr(cl, FSIF_ROOT, path_wire(path), few, FEW, flags);
    const char *name;
    int err;

    if (n == -FSIF_ERANGE) {
        many = cli_alloc(CLI_XATTR_MAX);
        list = many;
        room = CLI_XATTR_MAX;
        n = fsif_listxattr(cl, FSIF_ROOT, path_wire(path), many, CLI_XATTR_MAX, flags);
    }
    err = n < 0 ? (int)n : 0;
    if (n > room || (n > 0 && list[n - 1] != '\0'))
        err = -FSIF_EPROTO;
    for (name = list; err == 0 && name < list + n; name += strlen(name) + 1)
        err = one(arg, name);
    free(many);
    return err;
}

int64_t xattr_value(struct fsif_client *cl, const char *path, const char *name, uint32_t flags,
                    void *value)
{
    int64_t n = fsif_getxattr(cl, FSIF_ROOT, path_wire(path), name, value, CLI_XATTR_MAX, flags);

    return n > CLI_XATTR_MAX ? -FSIF_EPROTO : n;
}

/* --- what both sides need ------------------------------------------------------------------- */

static int is_user_name(const char *name)
{
    return strncmp(name, "user.", 5) == 0 && name[5] != '\0' && strlen(name) <= FSIF_NAME_MAX;
}

/* Whether the other side has no such attributes at all; said once. */
static int unsupported(struct keep *k, int err)
{
    if (err != EOPNOTSUPP && err != -FSIF_EOPNOTSUPP && err != -FSIF_ENOSYS)
        return 0;
    k->cli->failed = 1;
    if (atomic_exchange(&k->told, 1) == 0)
        cli_say(k->cli, "extended attributes are not kept: the destination has none");
    return 1;
}

/* --- onto this host ------------------------------------------------------------------------- */

struct onto_local {
    struct keep *keep;
    const char *path;
    int fd;
    int err; /* an errno, or COPY_DIFFERS */
    char *value;
    char *back;
};

static int xattr_to_local(void *arg, const char *name)
{
    struct onto_local *l = arg;
    int64_t n;

    if (!is_user_name(name))
        return 0;
    if (l->value == NULL) {
        l->value = cli_alloc(CLI_XATTR_MAX);
        l->back = cli_alloc(CLI_XATTR_MAX);
    }
    n = xattr_value(l->keep->client, l->path, name, FSIF_AT_NOFOLLOW, l->value);
    if (n < 0)
        return n == -FSIF_ENODATA ? 0 : (int)n;
    if (fsetxattr(l->fd, name, l->value, (size_t)n, 0) != 0)
        l->err = errno;
    else if (l->keep->cli->verify && (fgetxattr(l->fd, name, l->back, CLI_XATTR_MAX) != n ||
                                      memcmp(l->value, l->back, (size_t)n) != 0))
        l->err = COPY_DIFFERS;
    return l->err != 0;
}

/* Return: 0; an errno or COPY_DIFFERS; a FSIF_E* */
static int xattrs_to_local(struct keep *k, const char *path, int fd)
{
    struct onto_local l = {.keep = k, .path = path, .fd = fd};
    int err = xattr_names(k->client, path, FSIF_AT_NOFOLLOW, xattr_to_local, &l);

    free(l.value);
    free(l.back);
    if (err == -FSIF_EOPNOTSUPP || err == -FSIF_ENOSYS)
        return 0; /* none there, so none to keep */
    if (err > 0)
        return unsupported(k, l.err) ? 0 : l.err;
    return err;
}

/* As far as it is permitted: to both, or to the group. */
static int chown_local(int fd, int at, const char *name, const struct fsif_attr *a)
{
    uid_t uid = (uid_t)a->uid;
    gid_t gid = (gid_t)a->gid;
    int try;

    for (try = 0; try < 2; try++) {
        int ret = fd >= 0 || name == NULL ? fchown(fd, uid, gid)
                                          : fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW);

        if (ret == 0 || (errno != EPERM && errno != EINVAL))
            return ret == 0 ? 0 : errno;
        uid = (uid_t)-1;
    }
    return 0;
}

static void local_times(const struct fsif_attr *a, struct timespec out[2])
{
    out[0] = (struct timespec){.tv_sec = (time_t)a->atime, .tv_nsec = (long)a->atime_nsec};
    out[1] = (struct timespec){.tv_sec = (time_t)a->mtime, .tv_nsec = (long)a->mtime_nsec};
}

static int same_times(const struct stat *st, const struct timespec times[2])
{
    return st->st_atim.tv_sec == times[0].tv_sec && st->st_atim.tv_nsec == times[0].tv_nsec &&
           st->st_mtim.tv_sec == times[1].tv_sec && st->st_mtim.tv_nsec == times[1].tv_nsec;
}

int keep_local(struct keep *k, const char *path, int fd, const struct fsif_attr *a)
{
    int is_dir = type_of(a->mode) == FSIF_S_IFDIR;
    mode_t mode = (mode_t)(a->mode & (k->archive && is_dir ? 01777 : 0777));
    struct timespec times[2];
    struct stat st;
    int err = 0;

    local_times(a, times);
    if (k->archive)
        err = chown_local(fd, -1, NULL, a);
    if (err == 0 && k->archive)
        err = xattrs_to_local(k, path, fd);
    if (err == 0 && (fchmod(fd, mode) != 0 || futimens(fd, times) != 0))
        err = errno;
    if (err == 0 && k->archive && k->cli->verify) {
        if (fstat(fd, &st) != 0)
            err = errno;
        else if ((st.st_mode & 01777) != mode || !same_times(&st, times))
            err = COPY_DIFFERS;
    }
    return err;
}

int keep_local_link(int at, const char *name, const struct fsif_attr *a, int verify)
{
    struct timespec times[2];
    struct stat st;
    int err = chown_local(-1, at, name, a);

    local_times(a, times);
    if (err == 0 && utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) != 0)
        err = errno;
    if (err == 0 && verify && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        err = errno;
    else if (err == 0 && verify && !same_times(&st, times))
        err = COPY_DIFFERS;
    return err;
}

/* --- onto the export ------------------------------------------------------------------------ */

/* Return: 0; COPY_DIFFERS; a FSIF_E* */
static int xattr_to_remote(struct keep *k, const char *path, const char *name, const char *value,
                           size_t len)
{
    int err =
        fsif_setxattr(k->client, FSIF_ROOT, path_wire(path), name, value, len, FSIF_AT_NOFOLLOW);

    if (err == 0 && k->cli->verify) {
        char *back = cli_alloc(CLI_XATTR_MAX);
        int64_t n = xattr_value(k->client, path, name, FSIF_AT_NOFOLLOW, back);

        if (n < 0)
            err = (int)n;
        else if ((uint64_t)n != len || memcmp(value, back, len) != 0)
            err = COPY_DIFFERS;
        free(back);
    }
    return err;
}

/* Return: 0; COPY_DIFFERS; an errno of ours; a FSIF_E* */
static int xattrs_to_remote(struct keep *k, const char *path, int fd)
{
    ssize_t n = flistxattr(fd, NULL, 0);
    char *list;
    char *value;
    const char *name;
    int err = 0;

    if (n <= 0)
        return n == 0 || errno == EOPNOTSUPP ? 0 : errno;
    list = cli_alloc(CLI_XATTR_MAX);
    value = cli_alloc(CLI_XATTR_MAX);
    n = flistxattr(fd, list, CLI_XATTR_MAX);
    if (n < 0)
        err = errno;
    for (name = list; err == 0 && name < list + n; name += strlen(name) + 1) {
        ssize_t len = is_user_name(name) ? fgetxattr(fd, name, value, CLI_XATTR_MAX) : -1;

        if (len >= 0)
            err = xattr_to_remote(k, path, name, value, (size_t)len);
        else if (is_user_name(name) && errno != ENODATA)
            err = errno;
        if (err != 0 && unsupported(k, err)) {
            err = 0;
            break;
        }
    }
    free(value);
    free(list);
    return err;
}

static int refused(int err)
{
    return err == -FSIF_EPERM || err == -FSIF_EACCES || err == -FSIF_EINVAL ||
           err == -FSIF_EOPNOTSUPP;
}

/* As far as it is permitted: with both owners, the group, none. */
static int set_remote(struct keep *k, const char *path, struct fsif_setattr *set,
                      struct fsif_attr *now)
{
    static const uint32_t without[] = {0, FSIF_SET_UID, FSIF_SET_GID};
    int err = 0;
    size_t i;

    for (i = 0; i < 3; i++) {
        set->mask &= ~without[i];
        err = fsif_setattr(k->client, FSIF_ROOT, path_wire(path), FSIF_AT_NOFOLLOW, set, now);
        if (!refused(err))
            break;
    }
    return err;
}

static int differs(const struct fsif_setattr *set, const struct fsif_attr *now)
{
    return ((set->mask & FSIF_SET_MODE) && (now->mode & 0777) != (set->mode & 0777)) ||
           now->atime != set->atime || now->atime_nsec != set->atime_nsec ||
           now->mtime != set->mtime || now->mtime_nsec != set->mtime_nsec;
}

int keep_remote(struct keep *k, const char *path, int fd, const struct stat *st)
{
    struct fsif_setattr set = {.mask = FSIF_SET_MODE | FSIF_SET_UID | FSIF_SET_GID |
                                       FSIF_SET_ATIME | FSIF_SET_MTIME,
                               .mode = (uint32_t)st->st_mode & FSIF_S_PERM,
                               .uid = (uint32_t)st->st_uid,
                               .gid = (uint32_t)st->st_gid,
                               .atime = st->st_atim.tv_sec,
                               .mtime = st->st_mtim.tv_sec,
                               .atime_nsec = (uint32_t)st->st_atim.tv_nsec,
                               .mtime_nsec = (uint32_t)st->st_mtim.tv_nsec};
    struct fsif_attr now;
    int err = fd >= 0 ? xattrs_to_remote(k, path, fd) : 0;

    if (S_ISLNK(st->st_mode))
        set.mask &= ~FSIF_SET_MODE;
    if (err == 0)
        err = set_remote(k, path, &set, &now);
    if (err == 0 && k->cli->verify && differs(&set, &now))
        err = COPY_DIFFERS;
    return err;
}
