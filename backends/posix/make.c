/* SPDX-License-Identifier: MIT */

/*
 * Making files and directories.
 *
 * The result has exactly the mode that was asked for, set-id bits aside, and the owner that the
 * export's configuration names, whatever the umask of the process is.
 *
 * If the owner is the serving process itself, the thing is made with its final mode, in one step;
 * only where a umask or a default ACL took bits away are they given in a second one. If the owner
 * is somebody else, it is made for the process alone (0600, 0700), given away, and opened up last:
 * at no time may anybody use it who may not in the end.
 *
 * A file is changed through the descriptor that made it. mkdir gives none, so the new directory is
 * opened by name, and another one may stand there by then. It is changed only if it is empty, ours
 * and has the mode that we made; to change such a one is to do what removing it and making a new
 * one would have done, which whoever moved it there could have asked for as well. Otherwise it is
 * left alone: the directory that was made was moved away, and keeps its owner and mode. The name is
 * used without slashes at its end, for those lead through a link, whatever O_NOFOLLOW says.
 *
 * In a set-group-id directory new files keep that directory's group and new directories the bit
 * too, as for every process of a Linux host. mkdir itself knows no set-id bits, as in Linux.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

#define MKDIR_MODE (S_IRWXU | S_IRWXG | S_IRWXO | S_ISVTX)

mode_t fsi_posix_mode(const struct fsif_store *st, uint32_t mode)
{
    mode &= FSIF_S_PERM;
    return st->setid ? mode : mode & ~(FSIF_S_ISUID | FSIF_S_ISGID);
}

/* Whether new files have to be given away. */
static int foreign(const struct fsif_store *st)
{
    return st->map == FSIF_MAP_OWNER && (st->uid != geteuid() || st->gid != getegid());
}

/* The group that a new file of @at is to have; (gid_t)-1: the one that it has. */
static gid_t group_for(const struct fsif_store *st, const struct posix_place *at)
{
    struct stat dir;

    if (fstat(at->dir, &dir) == 0 && (dir.st_mode & S_ISGID) != 0)
        return (gid_t)-1;
    return st->gid;
}

/* The mode of what @fd is open for, or names with O_PATH; that of links says nothing. */
static int set_mode(const struct fsif_store *st, int fd, uint32_t type, mode_t mode)
{
    if (type == FSIF_S_IFLNK)
        return 0;
    if (type != FSIF_S_IFREG && type != FSIF_S_IFDIR)
        return fsi_posix_chmod(st, fd, mode);
    return fchmod(fd, mode) != 0 ? posix_fail() : 0;
}

/* Give what was made away. Returns 1; 0 it has its owner; or a negative FSIF_E* */
static int set_owner(const struct fsif_store *st, const struct posix_place *at, int fd,
                     const struct fsif_attr *now)
{
    gid_t gid;

    if (st->map != FSIF_MAP_OWNER || (now->uid == st->uid && now->gid == st->gid))
        return 0;
    gid = group_for(st, at);
    if (now->uid == st->uid && (gid == (gid_t)-1 || gid == now->gid))
        return 0;
    return fchownat(fd, "", st->uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 ? posix_fail()
                                                                                    : 1;
}

/* Bring what was made to its owner and @mode. @attr: what it is in the end. */
static int settle(struct fsif_store *st, const struct posix_place *at, int fd, mode_t mode,
                  struct fsif_attr *attr)
{
    int err = fsi_posix_attr(st, fd, attr);
    int changed = err == 0 ? set_owner(st, at, fd, attr) : err;

    if (changed == 1)
        changed = fsi_posix_attr(st, fd, attr);
    if (changed < 0)
        return changed;
    if ((attr->mode & FSIF_S_IFMT) == FSIF_S_IFDIR)
        mode |= attr->mode & FSIF_S_ISGID;
    if ((attr->mode & FSIF_S_PERM) == mode)
        return 0;
    err = set_mode(st, fd, attr->mode & FSIF_S_IFMT, mode);
    return err != 0 ? err : fsi_posix_attr(st, fd, attr);
}

/* Take back a file that could not be settled. */
static void unmake(const struct posix_place *at, int fd)
{
    struct stat ours, there;

    if (at->last != NULL && fstat(fd, &ours) == 0 &&
        fstatat(at->dir, at->last, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
        unlinkat(at->dir, at->last, 0);
}

/* @at without a last component: a file without a name, which FSIF_O_EXCL keeps without. @attr:
 * NULL, or what was made. Returns a descriptor, or a negative FSIF_E*: -FSIF_EEXIST something has
 * the name. */
int fsi_posix_make_file(struct fsif_store *st, const struct posix_place *at,
                        const struct posix_want *want, struct fsif_attr *attr)
{
    const int flags = want->access | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC | O_LARGEFILE;
    const mode_t final = fsi_posix_mode(st, want->mode);
    const mode_t first = foreign(st) ? final & (S_IRUSR | S_IWUSR) : final;
    const char *name = at->last;
    struct fsif_attr now;
    int how = O_CREAT | O_EXCL;
    int fd, err;

    if (name == NULL) {
        name = ".";
        how = O_TMPFILE | ((want->flags & FSIF_O_EXCL) != 0 ? O_EXCL : 0);
    }
    do
        fd = openat(at->dir, name, flags | how, first);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return posix_fail();
    err = settle(st, at, fd, final, attr != NULL ? attr : &now);
    if (err == 0)
        return fd;
    unmake(at, fd);
    close(fd);
    return err;
}

/* Whether the directory @fd is the one that was made, or one as good; see above. */
static int is_fresh(int fd, mode_t most)
{
    struct stat now;
    struct dirent *entry;
    DIR *dir;
    int copy, empty = 1;

    if (fstat(fd, &now) != 0 || now.st_uid != geteuid() ||
        (now.st_mode & ~most & (FSIF_S_PERM & ~FSIF_S_ISGID)) != 0)
        return 0;
    copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = copy < 0 ? NULL : fdopendir(copy);
    if (dir == NULL) {
        if (copy >= 0)
            close(copy);
        return 0;
    }
    while (empty && (entry = readdir(dir)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(dir);
    return empty;
}

/* Whether the directory just made is as it should be already, which saves opening it. */
static int is_settled(const struct fsif_store *st, const struct posix_place *at, mode_t mode)
{
    struct stat now;

    return !foreign(st) && fstatat(at->dir, at->last, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           (st->map != FSIF_MAP_OWNER || now.st_gid == st->gid) &&
           (now.st_mode & (FSIF_S_PERM & ~FSIF_S_ISGID)) == mode;
}

static int settle_directory(struct fsif_store *st, const struct posix_place *at, mode_t first,
                            mode_t final)
{
    struct fsif_attr attr;
    int fd, err = 0;

    if (is_settled(st, at, final))
        return 0;
    fd = openat(at->dir, at->last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 0; /* moved or removed by somebody, and that is a success of mkdir */
    if (is_fresh(fd, first)) {
        err = settle(st, at, fd, final, &attr);
        if (err != 0)
            unlinkat(at->dir, at->last, AT_REMOVEDIR);
    }
    close(fd);
    return err;
}

/* Returns 0, an error, or -FSIF_ESTALE: the directory that it was to be in is gone, look again. */
static int mkdir_once(struct fsif_store *st, int from, const char *path, mode_t final)
{
    const mode_t first = foreign(st) ? S_IRWXU : final;
    struct posix_place at;
    int err = fsi_posix_place(st, from, path, &at);

    if (err != 0)
        return err;
    if (mkdirat(at.dir, at.last, first) != 0)
        err = posix_fail();
    else
        err = settle_directory(st, &at, first, final);
    if (fsi_posix_gone(&at, err))
        err = -FSIF_ESTALE;
    fsi_posix_unplace(st, &at);
    return err;
}

int fsi_posix_mkdir(struct fsif_store *st, uint64_t base, const char *path, uint32_t mode)
{
    char name[FSIF_PATH_MAX + 1];
    struct posix_from from;
    size_t len = strlen(path);
    int err;

    if (st->read_only)
        return -FSIF_EROFS;
    if (len > FSIF_PATH_MAX)
        return -FSIF_ENAMETOOLONG;
    while (len > 1 && path[len - 1] == '/')
        len--;
    memcpy(name, path, len);
    name[len] = '\0';
    path = name;
    err = fsi_posix_start(st, base, &path, &from);
    if (err != 0)
        return err;
    err = -FSIF_ESTALE;
    for (int tries = 0; err == -FSIF_ESTALE && tries < POSIX_SWAPS; tries++)
        err = mkdir_once(st, from.fd, path, mode & MKDIR_MODE);
    fsi_posix_stop(st, &from);
    return err == -FSIF_ESTALE ? -FSIF_EAGAIN : err;
}

/* --- links, FIFOs, sockets and devices ------------------------------------------------------- */

/* Whether the node that stands at a new one's name is that, or one as good: nothing is in it,
 * nobody has another name for it, and changing it is as making it anew. */
static int is_fresh_node(const struct stat *now, const struct posix_node *node)
{
    return (now->st_mode & S_IFMT) == (node->mode & S_IFMT) && now->st_uid == geteuid() &&
           now->st_nlink == 1 && (S_ISLNK(now->st_mode) || now->st_rdev == node->device);
}

static int settle_node(struct fsif_store *st, const struct posix_place *at,
                       const struct posix_node *node)
{
    struct fsif_attr attr;
    struct stat now;
    int fd = openat(at->dir, at->last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int err = 0;

    if (fd < 0)
        return 0; /* moved or removed by somebody, and that is a success */
    if (fstat(fd, &now) == 0 && is_fresh_node(&now, node))
        err = settle(st, at, fd, node->mode & FSIF_S_PERM, &attr);
    if (err != 0)
        unmake(at, fd);
    close(fd);
    return err;
}

int fsi_posix_make_node(struct fsif_store *st, const struct posix_place *at,
                        const struct posix_node *node)
{
    const mode_t most = foreign(st) ? S_IFMT | S_IRUSR | S_IWUSR : S_IFMT | FSIF_S_PERM;
    int err = node->target != NULL ? symlinkat(node->target, at->dir, at->last)
                                   : mknodat(at->dir, at->last, node->mode & most, node->device);

    if (err != 0)
        return posix_fail();
    /* A link has no mode; one that belongs to the process is as it should be. */
    return node->target != NULL && !foreign(st) ? 0 : settle_node(st, at, node);
}
