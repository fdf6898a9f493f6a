/* SPDX-License-Identifier: MIT */
#ifndef FSI_POSIX_INTERNAL_H
#define FSI_POSIX_INTERNAL_H

/* What the files of the posix store share. */

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <fsif/error.h>
#include <fsif/host.h>
#include <fsif/op.h>
#include <fsif/store.h>

/* How often a name is looked at again that changed what it is meanwhile; then -FSIF_EAGAIN. */
#define POSIX_SWAPS 100

/* More listings at once than an engine keeps (64) and worker threads can have in hand. */
#define POSIX_STREAMS 256u

/* A file's number: its descriptor, and whether changing it must first take set-id bits away. */
#define POSIX_FILE_SETID (UINT64_C(1) << 32)

struct posix_stream {
    DIR *dir;
    uint32_t generation;
    uint32_t dots; /* of "." and "..", how many were given */
};

struct fsif_store {
    int root;
    uint32_t read_only;
    uint32_t setid;
    uint32_t map;
    uint32_t uid;
    uint32_t gid;
    uint64_t resolve; /* RESOLVE_* of every resolution */
    pthread_mutex_t lock;
    struct posix_stream streams[POSIX_STREAMS]; /* under lock; the DIR itself by its one user */
};

/* A path cut in two: an open directory and the last component, trailing slash included. */
struct posix_place {
    int dir;   /* O_PATH, or the root itself */
    int owned; /* dir is to be closed */
    const char *last;
    char parent[FSIF_PATH_MAX + 1];
};

static inline int posix_fail(void)
{
    return -fsif_errno_from_host(errno);
}

static inline int posix_fd(uint64_t file)
{
    return (int)(uint32_t)file;
}

/* resolve.c */
int fsi_posix_resolve(const struct fsif_store *st, const char *path, int flags);
int fsi_posix_place(const struct fsif_store *st, const char *path, struct posix_place *out);
void fsi_posix_unplace(struct posix_place *place);
int fsi_posix_gone(const struct posix_place *place, int err);

/* open.c */
int fsi_posix_open(struct fsif_store *st, const char *path, uint32_t flags, uint32_t mode,
                   uint64_t *file);

/* make.c */
uint32_t fsi_posix_mode(const struct fsif_store *st, uint32_t mode);
int fsi_posix_make_file(const struct fsif_store *st, const struct posix_place *at, int access,
                        uint32_t mode);
int fsi_posix_mkdir(struct fsif_store *st, const char *path, uint32_t mode);

/* names.c */
int fsi_posix_remove(struct fsif_store *st, const char *path);
int fsi_posix_rename(struct fsif_store *st, const char *from, const char *to);
int64_t fsi_posix_space(struct fsif_store *st, const char *path);

/* io.c */
int fsi_posix_unsetid(const struct fsif_store *st, uint64_t file);
int fsi_posix_close(struct fsif_store *st, uint64_t file);
int64_t fsi_posix_read(struct fsif_store *st, uint64_t file, void *buf, uint32_t len, uint64_t off);
int64_t fsi_posix_write(struct fsif_store *st, uint64_t file, const void *buf, uint32_t len,
                        uint64_t off);
int fsi_posix_stat(struct fsif_store *st, uint64_t file, struct fsif_attr *out);
int fsi_posix_truncate(struct fsif_store *st, uint64_t file, uint64_t size);
int fsi_posix_chmod(struct fsif_store *st, uint64_t file, uint32_t mode);
int fsi_posix_sync(struct fsif_store *st, uint64_t file);

/* list.c */
int fsi_posix_list_open(struct fsif_store *st, const char *path, uint64_t *stream);
int fsi_posix_list_next(struct fsif_store *st, uint64_t stream, char *name);
void fsi_posix_list_close(struct fsif_store *st, uint64_t stream);

#endif
