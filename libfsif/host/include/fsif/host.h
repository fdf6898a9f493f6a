/* SPDX-License-Identifier: MIT */
#ifndef FSIF_HOST_H
#define FSIF_HOST_H

/* What libfsif needs of a POSIX host: plugins, addresses, errno, waiting, socket files and logs. */

#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>
#include <fsif/hooks.h>
#include <fsif/store.h>
#include <fsif/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- registry: which transports and stores a program knows ------------------------------- */

struct fsif_registry;

/**
 * fsif_registry_create - an empty registry
 *
 * @plugin_dir: where fsif-transport-NAME.so and fsif-store-NAME.so are looked for; copied.
 *              NULL: the directory that the build installed them to. "": no loading at all.
 *
 * Return:  0; -FSIF_ENOMEM
 * Threads: a registry is used by one thread at a time; vtables found in it by any
 */
int fsif_registry_create(const char *plugin_dir, struct fsif_registry **out);

/** fsif_registry_destroy - vtables that were loaded from plugins are gone after it */
void fsif_registry_destroy(struct fsif_registry *r);

/**
 * fsif_registry_add_transport, fsif_registry_add_store - register a vtable that is linked in
 *
 * Return: 0; -FSIF_EINVAL wrong ABI version, bad name or a required member missing;
 *         -FSIF_EEXIST; -FSIF_ENOMEM
 */
int fsif_registry_add_transport(struct fsif_registry *r, const struct fsif_transport *t);
int fsif_registry_add_store(struct fsif_registry *r, const struct fsif_store_ops *s);

/**
 * fsif_registry_transport, fsif_registry_store - find by name, loading a plugin if need be
 *
 * Return: 0; -FSIF_ENOENT no such plugin; -FSIF_EINVAL a bad name, or a plugin that was refused:
 *         fsif_registry_error() says why
 */
int fsif_registry_transport(struct fsif_registry *r, const char *name,
                            const struct fsif_transport **out);
int fsif_registry_store(struct fsif_registry *r, const char *name,
                        const struct fsif_store_ops **out);

/** fsif_registry_error - why the last call failed, in words; valid until the next call */
const char *fsif_registry_error(const struct fsif_registry *r);

/* --- addresses: TRANSPORT:REST ------------------------------------------------------------ */

/**
 * fsif_address_split - take an address apart
 *
 * @name: receives TRANSPORT, 1 to 31 bytes of a-z, 0-9 and '-'
 * @rest: points into @address, not empty
 *
 * Return: 0; -FSIF_EINVAL
 */
int fsif_address_split(const char *address, char name[32], const char **rest);

/* --- errors ------------------------------------------------------------------------------- */

/** fsif_errno_from_host - errno value to FSIF_E*; FSIF_EIO for one that has no number here */
int fsif_errno_from_host(int host_errno);

/** fsif_errno_to_host - FSIF_E* (positive) to the host's errno; EIO for an unknown one */
int fsif_errno_to_host(int fsif_errno);

/** fsif_strerror - a constant string for a FSIF_E*, negative or positive */
const char *fsif_strerror(int error);

/* --- waiting ------------------------------------------------------------------------------ */

/** fsif_now_ms - monotonic clock, milliseconds */
uint64_t fsif_now_ms(void);

/**
 * fsif_wait_fd - wait until @fd polls for @events (POLLIN ...)
 *
 * @timeout_ms: < 0 none
 *
 * Return: revents > 0; 0 at the time-out; a negative FSIF_E*. EINTR is waited through.
 */
int fsif_wait_fd(int fd, short events, int timeout_ms);

/* Descriptors of a poller at most, and the bits that they can have: 1 << 0 .. 1 << 29. */
#define FSIF_POLLER_FDS 8

/**
 * fsif_poller_create - make a set of descriptors that is waited for with one system call
 *
 * Return: a descriptor, O_CLOEXEC, the caller's to close, that polls readable itself while one of
 *         the set has something to tell; a negative FSIF_E*
 */
int fsif_poller_create(void);

/**
 * fsif_poller_add - put @fd into the set
 *
 * @bit:  what fsif_poller_wait() tells of it
 * @edge: 0: while it is readable or hung up; 1: once each time that it becomes so, also if it still
 *        was
 *
 * Return: 0; -FSIF_EEXIST; -FSIF_EBADF; -FSIF_ENOMEM
 */
int fsif_poller_add(int poller, int fd, uint32_t bit, int edge);

/** fsif_poller_remove - take @fd out of the set, before it is closed: another process, or another
 * descriptor, may keep the file open and in the set. Nothing happens if it is not there. */
void fsif_poller_remove(int poller, int fd);

/**
 * fsif_poller_wait - sleep until one of the set has something to tell
 *
 * @timeout_ms: 0 not at all, < 0 for ever
 *
 * Return: the bits of those that do; 0 at the time-out, and at a signal; a negative FSIF_E*
 */
int fsif_poller_wait(int poller, int timeout_ms);

/* --- a unix socket's place in the file system --------------------------------------------- */

struct sockaddr_un;

/* A socket that was bound at a path. Fields are private. */
struct fsif_socket_file {
    char *path_;
    char *lock_path_;
    int lock_fd_; /* -1: none */
    int bound_;
    uint64_t dev_; /* of the socket that we bound */
    uint64_t ino_;
};

/** fsif_socket_address - Return: 0; -FSIF_EINVAL empty; -FSIF_ENAMETOOLONG */
int fsif_socket_address(const char *path, struct sockaddr_un *out);

/**
 * fsif_socket_bind - bind a SOCK_SEQPACKET socket at a path, in place of what a dead one left
 *
 * @mode: permissions of the socket, whatever the umask is
 *
 * PATH.lock is held until fsif_socket_remove().
 *
 * Return: 0; -FSIF_EBUSY a live listener is there; -FSIF_EEXIST something that is no socket;
 *         -FSIF_ENAMETOOLONG; another -FSIF_E*. On error nothing of ours is left.
 */
int fsif_socket_bind(struct fsif_socket_file *f, const char *path, int sock, unsigned mode);

/** fsif_socket_remove - remove the socket if it is still ours, and free what @f holds */
void fsif_socket_remove(struct fsif_socket_file *f);

/* --- logs --------------------------------------------------------------------------------- */

enum fsif_log_level {
    FSIF_LOG_ERROR = 0,
    FSIF_LOG_WARNING = 1,
    FSIF_LOG_INFO = 2,
    FSIF_LOG_DEBUG = 3,
};

/*
 * A log: lines `TIME LEVEL program[pid] event=NAME key=value ...` to a descriptor, each in one
 * write of at most 1024 bytes. Values with other bytes than 0x21 to 0x7e, or with '"', '=' or '\',
 * are quoted and escaped (\xNN), so no value can forge a line or a key.
 */
struct fsif_log {
    int fd;
    int level; /* lines above it are dropped */
    const char *program;
    /* private */
    uint32_t burst_; /* rate limit: lines left in this window */
    uint64_t window_;
    uint32_t dropped_;
};

/** fsif_log_init - @program is kept, not copied */
void fsif_log_init(struct fsif_log *log, int fd, int level, const char *program);

/**
 * fsif_log_event - write a line
 *
 * @event: a constant word
 * then pairs of const char *key, const char *value, ended by a NULL key
 *
 * Threads: one at a time for each log
 */
void fsif_log_event(struct fsif_log *log, int level, const char *event, ...)
    __attribute__((sentinel));

/**
 * fsif_log_limited - the same, at most 20 lines in 10 seconds; the count of those dropped is
 * reported by the first line after that (key "dropped"). For whatever a peer can cause.
 */
void fsif_log_limited(struct fsif_log *log, int level, const char *event, ...)
    __attribute__((sentinel));

/**
 * fsif_escape - write @len bytes of @text into @out as a log value, quoted if need be
 *
 * Return: length; @out is always NUL-terminated; what does not fit is cut and ends in "..."
 */
size_t fsif_escape(char *out, size_t size, const void *text, size_t len);

#ifdef __cplusplus
}
#endif
#endif
