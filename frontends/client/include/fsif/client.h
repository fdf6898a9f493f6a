/* SPDX-License-Identifier: MIT */
#ifndef FSIF_CLIENT_H
#define FSIF_CLIENT_H

/*
 * The client: files of an export as POSIX calls. All calls on one client may be made by any number
 * of threads at once. There is no hidden thread: blocked callers poll in turn. After fork() every
 * call in the child returns -FSIF_EBADF; the parent goes on undisturbed.
 *
 * Every call returns 0 or a count, or a negative FSIF_E*. Calls block until the answer is there, at
 * most as long as fsif_client_options.timeout_ms (-FSIF_ETIMEDOUT). -FSIF_EIO: the session ended
 * while the call ran, whether it was carried out is not known; -FSIF_EPROTO: it had ended before
 * (fsif_reconnect() begins another).
 *
 * What a session can do depends on the dialect that both sides speak (fsif_get_limits()). Dialect 3
 * has every call below. In dialects 1 and 2 the client composes what it can of several requests,
 * and each call that it cannot is -FSIF_EOPNOTSUPP; the comments say which.
 *
 * Paths are relative to the export's root or, where a call takes @dir, to that open directory; one
 * that begins with '/' starts from the root of the export that @dir belongs to. FSIF_ROOT as @dir
 * is the root of the session's export. An empty path means @dir itself (any open file) for the
 * calls that look at attributes, extended attributes or the file system, or change the first two.
 * ".." is -FSIF_EACCES.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>
#include <fsif/frontend.h>
#include <fsif/hooks.h>
#include <fsif/op.h>
#include <fsif/spin.h>
#include <fsif/transport.h>

struct fsif_registry; /* <fsif/host.h> */

#ifdef __cplusplus
extern "C" {
#endif

struct fsif_client;

/* As @dir: the root of the session's export */
#define FSIF_ROOT (-1)

struct fsif_client_options {
    size_t size;            /* sizeof(struct fsif_client_options) */
    int timeout_ms;         /* of connecting and of each blocking call; < 0: none. Default 30000 */
    uint32_t dialects;      /* FSIF_DIALECT_BIT set to offer; 0: all */
    uint32_t max_calls;     /* requests under way at once, 1 .. slots; 0: one for each slot */
    const char *plugin_dir; /* as fsif_registry_create() */
    const struct fsif_hooks *hooks; /* may be NULL; outlives the client */
    /* An already connected session instead of an address (loop, own transports); both or neither.
     * The client owns the session from fsif_connect() on, on error too. */
    const struct fsif_transport *transport;
    struct fsif_session *session;
    /* Where transports are found, for programs that link them in; stays the caller's and outlives
     * the client. NULL: plugins of plugin_dir. Not with fsif_connect() in several threads at once.
     */
    struct fsif_registry *registry;
    uint32_t
        ring_pages; /* 1, 2, 4, 8 or 16, for 64 slots each; more than 1: dialect 2 only. 0: 1 */
    uint32_t call_pages; /* dialect 2: shared pages of each request, 1 .. 6; 0: 6, or 2, or 1 where
                            so many cannot be shared */
    uint32_t spin_us; /* longest time to poll for an answer before sleeping, as fsif_spin_init() has
                         it: how long is good is learned. 0: always sleep at once */
    /* dialect 3 */
    uint32_t queues;      /* 1 .. 16; 0: 1. Threads are spread over them, each stays on its own */
    uint32_t slots;       /* requests under way at once in each queue: a power of two, 8 .. 1024;
                             0: 64 */
    uint32_t arena_pages; /* shared memory for data, 16 .. 65536; 0: 1024. All three become less
                             where so much cannot be shared or the backend takes less */
};

/** fsif_client_options_init - fill in the defaults; call it first */
void fsif_client_options_init(struct fsif_client_options *o);

/**
 * fsif_connect - start a session on an export
 *
 * @address: TRANSPORT:REST, as shm:/run/fsif.sock; NULL with options.session
 * @export_name: the export's name
 * @options: NULL for the defaults
 *
 * Return: 0; -FSIF_EINVAL bad address or name; -FSIF_ENOENT nothing at the address, or no export of
 *         that name that this user may use; -FSIF_ECONNREFUSED nobody serves; -FSIF_EACCES;
 *         -FSIF_EAGAIN the backend's limit of sessions; -FSIF_ETIMEDOUT; -FSIF_EPROTO
 */
int fsif_connect(const char *address, const char *export_name,
                 const struct fsif_client_options *options, struct fsif_client **out);

/**
 * fsif_disconnect - end the session and free the client
 *
 * Calls under way in other threads complete with -FSIF_EIO first; fsif_disconnect waits for them.
 * Open files of the session are closed by the backend. NULL is ignored.
 */
void fsif_disconnect(struct fsif_client *cl);

/**
 * fsif_reconnect - give the client a new session on the same address and export
 *
 * For a client whose backend went away (calls return -FSIF_EIO and then -FSIF_EPROTO); a session
 * that still runs is ended first. Calls under way in other threads complete with -FSIF_EIO: whether
 * they were carried out is not known, and nothing is sent again. Handles and directories of the
 * earlier session are -FSIF_ESTALE from now on; open anew by name. (Their numbers come round after
 * 32767 sessions.) What fsif_get_limits() tells may be different. The descriptor of
 * fsif_client_fd() stays the same. The time-out is that of fsif_connect().
 *
 * Return:  0; the errors of fsif_connect(), then every call is -FSIF_EPROTO, and fsif_reconnect()
 *          may be tried again; -FSIF_EOPNOTSUPP the client was made with options.session;
 *          -FSIF_EBUSY another thread is at it; -FSIF_EDEADLK inside a done callback
 * Threads: any, but not while another calls fsif_get_limits()
 */
int fsif_reconnect(struct fsif_client *cl);

/** fsif_shutdown - complete every call under way with -FSIF_EIO; later ones get -FSIF_EPROTO */
void fsif_shutdown(struct fsif_client *cl);

struct fsif_export_info {
    char name[64];
    uint32_t read_only;
};

/**
 * fsif_exports - the exports at an address that this user may use
 *
 * @list: receives a malloc'd array for free(); NULL if there is none
 *
 * Return: count, 0 where the backend has no list; or an error of fsif_connect()
 */
int fsif_exports(const char *address, const struct fsif_client_options *options,
                 struct fsif_export_info **list);

struct fsif_limits {
    uint32_t dialect;
    uint32_t max_io; /* bytes of one request; longer reads and writes are pipelined by the client */
    uint32_t max_calls; /* requests under way at once, in each queue */
    uint32_t read_only;
    uint32_t features;    /* FSIF_FEATURE_* in use */
    uint32_t queues;      /* 1 .. 16 */
    uint32_t arena_bytes; /* 0: dialects 1 and 2 */
};
void fsif_get_limits(const struct fsif_client *cl, struct fsif_limits *out);

/* --- blocking calls: names, argument order and meaning of POSIX --- */

/**
 * fsif_open, fsif_openat - open a file
 *
 * @flags: FSIF_O_* without FSIF_O_STAT
 * @mode:  permission bits of a file that is made, as they are: no umask
 *
 * fsif_close() reports what the backend met while it closed, such as data that could not be written
 * back. In dialect 3 it does not wait, and returns 0, for a handle that was only read, listed or
 * looked at: there is nothing to report then. The handle is invalid at once in any case.
 *
 * Dialects 1 and 2: FSIF_O_CREAT needs FSIF_O_TRUNC (creating empties a file that exists); of the
 * other flags only FSIF_O_DIRECTORY; @dir is FSIF_ROOT. The access mode is held by the client.
 *
 * Return: a handle >= 0 for fsif_close(), or a negative FSIF_E*
 */
int fsif_open(struct fsif_client *cl, const char *path, uint32_t flags, uint32_t mode);
int fsif_openat(struct fsif_client *cl, int dir, const char *path, uint32_t flags, uint32_t mode);
int fsif_close(struct fsif_client *cl, int fh);

/**
 * fsif_export_open - another export of the same backend, over the same session; dialect 3
 *
 * Return: a handle of its root, for use as @dir and for fsif_close(); -FSIF_ENOENT there is none
 *         that this user may use; -FSIF_EMFILE the session has as many as it may
 */
int fsif_export_open(struct fsif_client *cl, const char *export_name);

/** fsif_nop - a request that does nothing, to measure what one costs; dialect 3 */
int fsif_nop(struct fsif_client *cl);

/* --- data --- */

/* Any length up to INT64_MAX; a short count means end of file or, after some bytes were moved, an
 * error that the next call will meet. @off + @len above INT64_MAX is -FSIF_EINVAL. */
int64_t fsif_pread(struct fsif_client *cl, int fh, void *buf, size_t len, uint64_t off);
int64_t fsif_pwrite(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off);

struct fsif_iovec {
    void *base;
    size_t len;
};

/**
 * fsif_preadv, fsif_pwritev - the same, scattered to or gathered from @n pieces of memory
 *
 * @n: 1 .. 1024
 *
 * What fits into one request (fsif_limits.max_io; dialect 3) is one request.
 */
int64_t fsif_preadv(struct fsif_client *cl, int fh, const struct fsif_iovec *iov, int n,
                    uint64_t off);
int64_t fsif_pwritev(struct fsif_client *cl, int fh, const struct fsif_iovec *iov, int n,
                     uint64_t off);

/**
 * fsif_append - write at the end of the file, wherever that is then; dialect 3
 *
 * Up to fsif_limits.max_io bytes lie together, whoever else appends; more is several requests, one
 * after the other.
 *
 * Return: bytes
 */
int64_t fsif_append(struct fsif_client *cl, int fh, const void *buf, size_t len);

/*
 * Memory that the backend reads and writes itself, so that nothing is copied. The backend may
 * change it at any time while a call uses it; a program that interprets what it read copies it
 * first.
 */
struct fsif_buf {
    void *data;
    uint32_t len;
    uint32_t generation_;
    struct fsif_range range_;
};

/**
 * fsif_buf_get - take some of the session's arena
 *
 * @len: bytes, 1 .. fsif_limits.arena_bytes
 *
 * In dialects 1 and 2 it is plain memory, and the calls below copy.
 *
 * Return:   0; -FSIF_EAGAIN none of that size is free now; -FSIF_EINVAL; -FSIF_ENOMEM
 * Lifetime: until fsif_buf_put() or the session's end, which is when fsif_disconnect() and
 *           fsif_reconnect() are called
 */
int fsif_buf_get(struct fsif_client *cl, uint32_t len, struct fsif_buf *out);

/** fsif_buf_put - give it back. No call may be using it, but one that timed out: then it stays out
 * of use until the backend is done with it. A buffer of an earlier session is ignored */
void fsif_buf_put(struct fsif_client *cl, struct fsif_buf *buf);

/**
 * fsif_pread_buf, fsif_pwrite_buf - read into, write from the first @len bytes of a buffer
 *
 * @len: at most fsif_limits.max_io and the buffer's; longer is -FSIF_EINVAL
 *
 * One request. After -FSIF_ETIMEDOUT the backend may still use the buffer: put it back, and get
 * another.
 *
 * Return: bytes, 0 at end of file; -FSIF_ESTALE a buffer of an earlier session
 */
int64_t fsif_pread_buf(struct fsif_client *cl, int fh, struct fsif_buf *buf, uint32_t len,
                       uint64_t off);
int64_t fsif_pwrite_buf(struct fsif_client *cl, int fh, const struct fsif_buf *buf, uint32_t len,
                        uint64_t off);

/** fsif_copy_file_range - have the backend copy, up to @len bytes; dialect 3. Return: bytes */
int64_t fsif_copy_file_range(struct fsif_client *cl, int in, uint64_t off_in, int out,
                             uint64_t off_out, uint64_t len);

/** fsif_fallocate - reserve, punch or zero; @flags: FSIF_ALLOCATE_*; dialect 3 */
int fsif_fallocate(struct fsif_client *cl, int fh, uint32_t flags, uint64_t off, uint64_t len);

/** fsif_seek - the next data or hole at @off or behind; @what: FSIF_SEEK_DATA or FSIF_SEEK_HOLE;
 * dialect 3. Return: its offset; -FSIF_ENXIO there is none */
int64_t fsif_seek(struct fsif_client *cl, int fh, uint64_t off, uint32_t what);

int fsif_fsync(struct fsif_client *cl, int fh);
int fsif_fdatasync(struct fsif_client *cl, int fh);
/** fsif_syncfs - all that the export holds; dialect 3 */
int fsif_syncfs(struct fsif_client *cl);

/* --- attributes --- */

int fsif_fstat(struct fsif_client *cl, int fh, struct fsif_attr *out);
/* Dialects 1 and 2: opens the file, so one that cannot be opened cannot be looked at. */
int fsif_stat(struct fsif_client *cl, const char *path, struct fsif_attr *out);
/* Dialect 3 */
int fsif_lstat(struct fsif_client *cl, const char *path, struct fsif_attr *out);
/* @flags: FSIF_AT_NOFOLLOW (dialect 3) */
int fsif_statx(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
               struct fsif_attr *out);

/**
 * fsif_setattr - change several attributes at once
 *
 * @flags: FSIF_AT_NOFOLLOW
 * @set:   what its mask does not name is not looked at
 * @out:   NULL, or receives what they are afterwards
 *
 * Dialects 1 and 2: FSIF_SET_MODE and FSIF_SET_SIZE.
 *
 * Return: 0: all of @set is done; an error: some of it may be
 */
int fsif_setattr(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 const struct fsif_setattr *set, struct fsif_attr *out);

int fsif_ftruncate(struct fsif_client *cl, int fh, uint64_t size);
int fsif_truncate(struct fsif_client *cl, const char *path, uint64_t size);
int fsif_fchmod(struct fsif_client *cl, int fh, uint32_t mode);
int fsif_chmod(struct fsif_client *cl, const char *path, uint32_t mode);
int fsif_fchmodat(struct fsif_client *cl, int dir, const char *path, uint32_t mode, uint32_t flags);
/* UINT32_MAX: leave it as it is. Dialect 3 */
int fsif_fchownat(struct fsif_client *cl, int dir, const char *path, uint32_t uid, uint32_t gid,
                  uint32_t flags);

#define FSIF_UTIME_NOW 0x3fffffffu /* as nsec: the backend's clock */
#define FSIF_UTIME_OMIT 0x3ffffffeu

struct fsif_timespec {
    int64_t sec; /* since 1970 UTC */
    uint32_t nsec;
};

/* @times: of access and of modification; NULL: both now. Dialect 3 */
int fsif_utimensat(struct fsif_client *cl, int dir, const char *path,
                   const struct fsif_timespec times[2], uint32_t flags);

/* --- names --- */

/* Files and empty directories, as remove(3). */
int fsif_remove(struct fsif_client *cl, const char *path);
/* @flags: FSIF_REMOVE_FILE, FSIF_REMOVE_DIR (dialect 3); 0 or both: either */
int fsif_unlinkat(struct fsif_client *cl, int dir, const char *path, uint32_t flags);
int fsif_rename(struct fsif_client *cl, const char *from, const char *to);
/* @flags: FSIF_RENAME_* (dialect 3) */
int fsif_renameat2(struct fsif_client *cl, int dir, const char *from, int dir2, const char *to,
                   uint32_t flags);
int fsif_mkdir(struct fsif_client *cl, const char *path, uint32_t mode);
int fsif_mkdirat(struct fsif_client *cl, int dir, const char *path, uint32_t mode);

/* Dialect 3, all that follow here. @mode: FSIF_S_IF* and permission bits; @rdev: FSIF_RDEV() */
int fsif_mknodat(struct fsif_client *cl, int dir, const char *path, uint32_t mode, uint64_t rdev);
/* @flags: FSIF_AT_FOLLOW. @path may be empty: the open file @dir gets a name */
int fsif_linkat(struct fsif_client *cl, int dir, const char *path, int dir2, const char *path2,
                uint32_t flags);
int fsif_symlinkat(struct fsif_client *cl, const char *target, int dir, const char *path);
/* Return: bytes, without a NUL; what does not fit is cut */
int64_t fsif_readlinkat(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len);

/** fsif_space - Return: free bytes of the store that holds @path */
int64_t fsif_space(struct fsif_client *cl, const char *path);
/* Dialect 3 */
int fsif_statvfs(struct fsif_client *cl, const char *path, struct fsif_statvfs *out);
int fsif_fstatvfs(struct fsif_client *cl, int fh, struct fsif_statvfs *out);

/*
 * Extended attributes: those of "user."; dialect 3. @flags: FSIF_AT_NOFOLLOW; set: FSIF_XATTR_*
 * too. get and list return bytes (list: names, each with its NUL); with @len 0 those that there
 * are. -FSIF_ERANGE: there are more than @len.
 */
int64_t fsif_getxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                      void *buf, size_t len, uint32_t flags);
int fsif_setxattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                  const void *buf, size_t len, uint32_t flags);
int64_t fsif_listxattr(struct fsif_client *cl, int dir, const char *path, char *buf, size_t len,
                       uint32_t flags);
int fsif_removexattr(struct fsif_client *cl, int dir, const char *path, const char *name,
                     uint32_t flags);

/* --- directories --- */

struct fsif_dir;

/**
 * fsif_opendir, fsif_readdir, fsif_closedir - the names in a directory, without "." and ".."
 *
 * fsif_readdir returns 1 and a name valid until the next call on @dir, 0 at the end, or a negative
 * FSIF_E*. A struct fsif_dir is used by one thread at a time.
 */
int fsif_opendir(struct fsif_client *cl, const char *path, struct fsif_dir **out);
int fsif_readdir(struct fsif_dir *dir, const char **name);
void fsif_closedir(struct fsif_dir *dir);

struct fsif_dirent {
    const char *name; /* valid while @fn runs */
    uint32_t type;    /* FSIF_S_IF*; 0: not known */
    uint64_t ino;     /* 0: not known */
    int32_t status;   /* of attr, with FSIF_READDIR_ATTR: 0 or a negative FSIF_E* */
    struct fsif_attr attr;
};

/** Return: 0 to go on; anything else ends the listing and is returned */
typedef int fsif_scandir_fn(void *arg, const struct fsif_dirent *entry);

/**
 * fsif_scandir - call @fn for every entry of a directory but "." and ".."
 *
 * @flags: FSIF_READDIR_ATTR (dialect 3): the attributes of each, links themselves
 * @fn:    may make any call on @cl
 *
 * Some hundred entries come in one request, the next while @fn sees the last.
 *
 * Return: 0; what @fn returned; a negative FSIF_E*
 */
int fsif_scandir(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                 fsif_scandir_fn *fn, void *arg);

/* --- much in one request (dialect 3; composed in 1 and 2) --- */

/**
 * fsif_readfile, fsif_writefile - open, read or write from the beginning, look, and close
 *
 * @flags: read: FSIF_O_NOFOLLOW (dialect 3); write: FSIF_O_CREAT, FSIF_O_TRUNC and in dialect 3
 *         FSIF_O_EXCL, FSIF_O_NOFOLLOW, FSIF_O_SYNC, FSIF_O_DSYNC
 * @attr:  NULL, or receives what the file is; a file that is longer than @len was not read whole
 *
 * One request if @len is at most fsif_limits.max_io, else as many as it takes.
 *
 * Return: bytes
 */
int64_t fsif_readfile(struct fsif_client *cl, int dir, const char *path, uint32_t flags, void *buf,
                      size_t len, struct fsif_attr *attr);
int64_t fsif_writefile(struct fsif_client *cl, int dir, const char *path, uint32_t flags,
                       uint32_t mode, const void *buf, size_t len, struct fsif_attr *attr);

/**
 * fsif_statmany - the attributes of many
 *
 * @names:  @n paths, none of them empty
 * @flags:  FSIF_AT_NOFOLLOW (dialect 3)
 * @attrs:  receives @n; zero where the status is an error
 * @status: receives @n: 0 or a negative FSIF_E*
 *
 * Return: 0; an error of the call as a whole
 */
int fsif_statmany(struct fsif_client *cl, int dir, const char *const *names, uint32_t n,
                  uint32_t flags, struct fsif_attr *attrs, int32_t *status);

/* --- locks (dialect 3) --- */

/**
 * fsif_flock, fsif_lock - lock a file as a whole, or a range of it
 *
 * @mode:  FSIF_LOCK_SHARED, FSIF_LOCK_EXCLUSIVE or FSIF_LOCK_UNLOCK
 * @flags: 0, or FSIF_LOCK_WAIT: wait as long as fsif_client_options.timeout_ms allows
 * @len:   0: to the end of the file, wherever that will be
 *
 * Locks of a whole file and of ranges do not see each other. A lock belongs to the handle, whatever
 * thread took it, and fsif_close() lets it go. A lock that times out is cancelled: it is not held
 * then, unless the backend does not answer that either.
 *
 * Return: 0; -FSIF_EAGAIN somebody else has it; -FSIF_ETIMEDOUT
 */
int fsif_flock(struct fsif_client *cl, int fh, uint32_t mode, uint32_t flags);
int fsif_lock(struct fsif_client *cl, int fh, uint32_t mode, uint32_t flags, uint64_t off,
              uint64_t len);

/** fsif_lock_test - who would be in the way of *@lock; mode FSIF_LOCK_UNLOCK: nobody */
int fsif_lock_test(struct fsif_client *cl, int fh, struct fsif_lock *lock);

/* --- changes of directories (dialect 3) --- */

struct fsif_change {
    uint32_t what;  /* FSIF_CHANGE_* */
    char name[256]; /* of the entry; "": the directory itself, or not known */
};

/**
 * fsif_watch - have the backend tell of changes in an open directory
 *
 * @fh:   may be closed meanwhile
 * @what: FSIF_CHANGE_*, without FSIF_CHANGE_LOST
 *
 * Some hundred changes are kept for each watch. Those that did not fit are told as one
 * FSIF_CHANGE_LOST.
 *
 * Return: its number for fsif_watch_next() and fsif_unwatch(); -FSIF_EOPNOTSUPP the store has none
 */
int fsif_watch(struct fsif_client *cl, int fh, uint32_t what);
int fsif_unwatch(struct fsif_client *cl, int watch);

/**
 * fsif_watch_next - the next change that a watch tells of
 *
 * @timeout_ms: how long to wait for one; 0 not at all, < 0 for ever
 *
 * Return: 1 and @out; 0 at the time-out; -FSIF_EBADF no such watch, or it was taken away meanwhile
 */
int fsif_watch_next(struct fsif_client *cl, int watch, struct fsif_change *out, int timeout_ms);

/* --- asynchronous form: the calls of <fsif/frontend.h> on a client. It uses the first queue. ---
 */

/**
 * fsif_submit - start one operation of at most one request
 *
 * @call: see struct fsif_call; deadline in milliseconds of fsif_client_now(), FSIF_NEVER for none
 *
 * Return:  as fsif_frontend_submit(), or -FSIF_EBADF in a forked child
 * Threads: any; done runs in whichever thread polls: inside fsif_poll() or inside a blocking call;
 *          it may submit and cancel, but a blocking call inside it may be -FSIF_EDEADLK, and it
 *          must not disconnect
 */
int fsif_submit(struct fsif_client *cl, struct fsif_call *call);

/**
 * fsif_submit_many - the same for several operations, with one doorbell
 *
 * Return: how many were taken, from the first on, or why not the first. Those that were not taken
 *         never run done
 */
int fsif_submit_many(struct fsif_client *cl, struct fsif_call *const *calls, uint32_t n);

/** fsif_cancel - as fsif_frontend_cancel() */
int fsif_cancel(struct fsif_client *cl, struct fsif_call *call);

/**
 * fsif_poll - run the done callbacks of what has completed
 *
 * @timeout_ms: how long to wait for the first; 0 not at all, < 0 for ever
 *
 * Return: callbacks run by this call, 0 at the time-out or if another thread ran them; -FSIF_EPROTO
 */
int fsif_poll(struct fsif_client *cl, int timeout_ms);

/**
 * fsif_client_fd - a descriptor that polls readable when fsif_poll() has something to do
 *
 * For event loops: wait for it, then fsif_poll(cl, 0). Only reliable after an fsif_poll() that
 * returned 0. Deadlines need a timer of the caller's own.
 */
int fsif_client_fd(struct fsif_client *cl);

/** fsif_client_now - the clock of fsif_call.deadline, milliseconds */
uint64_t fsif_client_now(void);

#ifdef __cplusplus
}
#endif
#endif
