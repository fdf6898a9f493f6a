/* SPDX-License-Identifier: MIT */

/*
 * Directories of handles as the start of a path.
 *
 * Such a directory may have been moved since it was opened, by the peer inside the export, or by
 * somebody else out of it. What is below a directory that left is no business of the peer's, so
 * before a path starts from one it is looked up whether its ancestors still meet the export's root:
 * one stat of "../.." as deep as it was opened, and if that is not the root, because it was moved
 * or opened through a link, step by step up to the root of everything. An exclusive export saves
 * that. A directory that leaves between this look and the call has taken the call with it: it acts
 * below a directory that was inside a moment ago, and nowhere else.
 *
 * A link that climbs above the directory, or an absolute one, resolves as it would on a path from
 * the root. The kernel cannot do that from here, so it is walked component by component. The
 * directory that the walk stands in is in the export: the first one was, what is entered from one
 * that was is below it, and ".." is checked as above after it was taken, since what it leads to may
 * have changed in between. As soon as the walk meets the root or an absolute link the kernel does
 * the rest.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

/* CLIMBS: ".." of links in one path, each of which is as long a look as the directory is deep */
enum { CHEAP_DEPTH = 64, CLIMBS = 256 };

int fsi_posix_is_root(const struct fsif_store *st, const struct stat *now)
{
    return now->st_ino == st->root_ino && now->st_dev == st->root_dev;
}

uint64_t fsi_posix_file(int fd, uint64_t kind, uint32_t depth)
{
    return (uint64_t)(uint32_t)fd | kind | (uint64_t)depth << POSIX_DEPTH_SHIFT;
}

static int is_dot(const char *path)
{
    return path[0] == '.' && path[1] == '\0';
}

/* How deep what @path names lies, if it leads through no link. */
uint32_t fsi_posix_depth(const struct posix_from *from, const char *path)
{
    uint32_t depth = from->depth;

    if (is_dot(path))
        return depth;
    depth++;
    for (; *path != '\0'; path++)
        depth += path[0] == '/' && path[1] != '\0';
    return depth < POSIX_DEPTH_UNKNOWN ? depth : POSIX_DEPTH_UNKNOWN;
}

/* Whether @depth levels above @fd the root is. */
static int root_is_up(const struct fsif_store *st, int fd, uint32_t depth)
{
    char up[3 * CHEAP_DEPTH + 1];
    struct stat now;

    if (depth == 0 || depth > CHEAP_DEPTH)
        return 0;
    for (uint32_t i = 0; i < depth; i++)
        memcpy(up + (size_t)3 * i, "../", 3);
    up[3 * depth - 1] = '\0';
    return fstatat(fd, up, &now, 0) == 0 && fsi_posix_is_root(st, &now);
}

/* Returns 0: the directory @fd is in the export; -FSIF_ESTALE it is not; or why nobody knows. */
int fsi_posix_inside(const struct fsif_store *st, int fd, uint32_t depth)
{
    struct stat now, above;
    int at = fd;
    int err = 1;

    if (root_is_up(st, fd, depth))
        return 0;
    if (fstat(fd, &now) != 0)
        return posix_fail();
    while (err == 1) {
        int up = -1;
        if (fsi_posix_is_root(st, &now)) {
            err = 0;
        } else if ((up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
            err = posix_fail();
        } else if (fstat(up, &above) != 0) {
            err = posix_fail();
        } else if (above.st_ino == now.st_ino && above.st_dev == now.st_dev) {
            err = -FSIF_ESTALE; /* the root of everything */
        }
        if (at != fd)
            close(at);
        at = up;
        now = above;
    }
    if (at != fd && at >= 0)
        close(at);
    return err;
}

/* Whether a listing of @base is under way, which had it checked. */
static int is_being_read(const struct fsif_store *st, uint64_t base)
{
    const struct posix_reader *r = &st->readers[(uint32_t)base % POSIX_READERS];

    return atomic_load(&r->dir) == base;
}

/* Returns 0, or why no path can start at @base. */
int fsi_posix_from(const struct fsif_store *st, uint64_t base, struct posix_from *out)
{
    *out = (struct posix_from){.fd = st->root};
    if (base == FSIF_STORE_ROOT)
        return 0;
    out->depth = (uint32_t)(base >> POSIX_DEPTH_SHIFT);
    if ((base & (POSIX_FILE_DIR | POSIX_FILE_PATH)) == 0)
        return -FSIF_ENOTDIR;
    if (out->depth == 0) /* opened as "." of the root */
        return 0;
    out->fd = posix_fd(st, base);
    if (st->exclusive || is_being_read(st, base))
        return 0;
    return fsi_posix_inside(st, out->fd, out->depth);
}

/* The same for what starts there, and @path with it, which may become shorter. Every start that
 * returned 0 has its stop. */
int fsi_posix_start(struct fsif_store *st, uint64_t base, const char **path, struct posix_from *out)
{
    int err = fsi_posix_from(st, base, out);

    if (err == 0 && st->exclusive && out->fd == st->root)
        fsi_posix_shorten(st, path, out);
    return err;
}

/* A start for a second path; one look is enough at a base that is the first's, unless the first
 * went on to a directory of its own. */
int fsi_posix_start_second(struct fsif_store *st, uint64_t base, const struct posix_from *first,
                           uint64_t base2, const char **path2, struct posix_from *out)
{
    if (base2 == FSIF_STORE_ROOT || base2 != base || first->held != NULL)
        return fsi_posix_start(st, base2, path2, out);
    *out = (struct posix_from){.fd = first->fd, .depth = first->depth};
    return 0;
}

void fsi_posix_stop(struct fsif_store *st, const struct posix_from *from)
{
    if (from->held != NULL)
        fsi_posix_let_go(st, from->held);
}

/* --- links that climb ------------------------------------------------------------------------ */

enum { DONE = 1, MORE, LINK };

struct walk {
    int out;                      /* what was opened, or why not; set at DONE */
    int dir;                      /* in the export */
    int owned;                    /* dir is to be closed */
    int climbs;                   /* so far */
    char rest[FSIF_PATH_MAX + 1]; /* of the path, from dir */
};

static void enter(struct walk *w, int dir)
{
    if (w->owned)
        close(w->dir);
    w->dir = dir;
    w->owned = 1;
}

/* Take the first component off the rest. Returns the slash behind it if it is the last and has
 * one, else ""; NULL: it is too long. */
static const char *next(struct walk *w, char name[FSIF_NAME_MAX + 1], int *last)
{
    size_t len = strcspn(w->rest, "/");
    size_t skip = len + strspn(w->rest + len, "/");

    if (len > FSIF_NAME_MAX)
        return NULL;
    memcpy(name, w->rest, len);
    name[len] = '\0';
    *last = w->rest[skip] == '\0';
    memmove(w->rest, w->rest + skip, strlen(w->rest + skip) + 1);
    return *last && skip > len ? "/" : "";
}

static int go_up(const struct fsif_store *st, struct walk *w)
{
    int up;

    if (++w->climbs > CLIMBS)
        return -FSIF_ELOOP;
    up = openat(w->dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (up < 0)
        return posix_fail();
    enter(w, up);
    return fsi_posix_inside(st, up, 0);
}

/* Put the text of the link @fd before the rest. Returns 0: it does not fit. */
static int follow(struct walk *w, int fd, const char *slash)
{
    char text[FSIF_PATH_MAX + 1];
    ssize_t n = readlinkat(fd, "", text, sizeof(text));
    size_t len = n > 0 ? (size_t)n : 0;
    size_t rest = strlen(w->rest);
    size_t between = rest > 0 ? 1 : strlen(slash);

    if (n <= 0 || len + between + rest > FSIF_PATH_MAX)
        return 0;
    memmove(w->rest + len + between, w->rest, rest + 1);
    memcpy(w->rest, text, len);
    if (between > 0)
        w->rest[len] = '/';
    return 1;
}

/* Whether the link @name ends the walk itself. */
static int is_meant(const char *slash, int last, int flags)
{
    return last && slash[0] == '\0' && (flags & O_NOFOLLOW) != 0;
}

/* Go into @name, or open it if it is the last. Returns DONE, MORE, LINK or an error. */
static int go_down(const struct fsif_store *st, struct walk *w, const char *name, const char *slash,
                   int last, int flags)
{
    char whole[FSIF_NAME_MAX + 2];
    struct stat now;
    int fd = fsi_posix_beneath(st, w->dir, name, O_PATH | O_NOFOLLOW, 0);
    int err = MORE;

    if (fd < 0)
        return fd;
    if (fstat(fd, &now) != 0)
        err = posix_fail();
    else if (S_ISLNK(now.st_mode) && !is_meant(slash, last, flags))
        err = follow(w, fd, slash) ? LINK : -FSIF_ENAMETOOLONG;
    if (err == MORE && !last) {
        enter(w, fd);
        return err;
    }
    close(fd);
    if (err != MORE)
        return err;
    snprintf(whole, sizeof(whole), "%s%s", name, slash);
    w->out = fsi_posix_beneath(st, w->dir, whole, flags, RESOLVE_NO_SYMLINKS);
    return DONE;
}

/* One component. Returns as go_down(). */
static int step(const struct fsif_store *st, struct walk *w, int flags)
{
    char name[FSIF_NAME_MAX + 1];
    int last = 0, err;
    const char *slash = next(w, name, &last);

    if (slash == NULL)
        return -FSIF_ENAMETOOLONG;
    if (strcmp(name, "..") == 0) {
        if (last)
            memcpy(w->rest, ".", 2);
        err = go_up(st, w);
        return err != 0 ? err : MORE;
    }
    return go_down(st, w, name, slash, last, flags);
}

/* As fsi_posix_resolve(), for a path that leads above @from. */
int fsi_posix_climb(const struct fsif_store *st, int from, const char *path, int flags)
{
    struct walk w = {.dir = from, .out = -1};
    struct stat now;
    size_t len = strlen(path);
    int links = 0, state = MORE;

    if (len > FSIF_PATH_MAX)
        return -FSIF_ENAMETOOLONG;
    memcpy(w.rest, path, len + 1);
    while (state == MORE) {
        if (fstat(w.dir, &now) != 0) {
            state = posix_fail();
        } else if (w.rest[0] == '/' || fsi_posix_is_root(st, &now)) {
            w.out = fsi_posix_resolve(st, st->root, w.rest, flags);
            state = DONE;
        } else {
            state = step(st, &w, flags);
            if (state == LINK)
                state = ++links > POSIX_LINKS ? -FSIF_ELOOP : MORE;
        }
    }
    if (w.owned)
        close(w.dir);
    return state == DONE ? w.out : state;
}
