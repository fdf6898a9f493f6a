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
    uint32_t max_calls; /* requests under way at once */
    uint32_t read_only;
    uint32_t features; /* FSIF_FEATURE_* in use */
};
void fsif_get_limits(const struct fsif_client *cl, struct fsif_limits *out);

/* --- blocking calls: names, argument order and meaning of POSIX --- */

/* Flags of fsif_open: these values on every host. */
#define FSIF_O_RDONLY 0x0u
#define FSIF_O_WRONLY 0x1u
#define FSIF_O_RDWR 0x2u
#define FSIF_O_ACCMODE 0x3u
#define FSIF_O_CREAT 0x40u
#define FSIF_O_EXCL 0x80u
#define FSIF_O_TRUNC 0x200u
#define FSIF_O_APPEND 0x400u
#define FSIF_O_DIRECTORY 0x10000u

/**
 * fsif_open - open a file
 *
 * @mode: permission bits of a file that is made, as they are: no umask
 *
 * Dialect 1: FSIF_O_CREAT needs FSIF_O_TRUNC (creating empties a file that exists); FSIF_O_EXCL and
 * FSIF_O_APPEND are -FSIF_EOPNOTSUPP. The access mode is held by the client.
 *
 * Return: a handle >= 0 for fsif_close(), or a negative FSIF_E*
 */
int fsif_open(struct fsif_client *cl, const char *path, uint32_t flags, uint32_t mode);
int fsif_close(struct fsif_client *cl, int fh);

/* Any length up to INT64_MAX; a short count means end of file or, after some bytes were moved, an
 * error that the next call will meet. @off + @len above INT64_MAX is -FSIF_EINVAL. */
int64_t fsif_pread(struct fsif_client *cl, int fh, void *buf, size_t len, uint64_t off);
int64_t fsif_pwrite(struct fsif_client *cl, int fh, const void *buf, size_t len, uint64_t off);

int fsif_fstat(struct fsif_client *cl, int fh, struct fsif_attr *out);
/* Dialect 1: opens the file, so one that cannot be opened cannot be looked at; follows links. */
int fsif_stat(struct fsif_client *cl, const char *path, struct fsif_attr *out);
int fsif_ftruncate(struct fsif_client *cl, int fh, uint64_t size);
int fsif_fchmod(struct fsif_client *cl, int fh, uint32_t mode);
int fsif_fsync(struct fsif_client *cl, int fh);

/* Files and empty directories, as remove(3). */
int fsif_remove(struct fsif_client *cl, const char *path);
int fsif_rename(struct fsif_client *cl, const char *from, const char *to);
int fsif_mkdir(struct fsif_client *cl, const char *path, uint32_t mode);

/** fsif_space - Return: free bytes of the store that holds @path */
int64_t fsif_space(struct fsif_client *cl, const char *path);

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

/* --- asynchronous form: the calls of <fsif/frontend.h> on a client --- */

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
