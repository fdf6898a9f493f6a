/* SPDX-License-Identifier: MIT */
/*
 * The socket's place in the file system.
 *
 * A listener holds PATH.lock (flock) from before it looks at PATH until after it removed it, so of
 * two that start at once only one touches the socket. A listener that takes no lock is found by
 * connecting to it. A socket file to which nobody listens is a leftover and is replaced; anything
 * that is no socket is left alone.
 *
 * The lock file itself is removed at the end by whoever holds its lock. So taking it means: open,
 * lock, and see whether the name still stands for what was locked; else begin again.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host-internal.h"

#define LOCK_TRIES 100

static int last_error(void)
{
    return -fsif_errno_from_host(errno);
}

int fsif_socket_address(const char *path, struct sockaddr_un *out)
{
    size_t len = strlen(path);

    if (len == 0)
        return -FSIF_EINVAL;
    if (len >= sizeof(out->sun_path))
        return -FSIF_ENAMETOOLONG;
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, path, len + 1);
    return 0;
}

/* Return: 0 locked; -FSIF_EAGAIN begin again; another error */
static int try_lock(struct fsif_socket_file *f)
{
    struct stat ours, named;
    int fd = open(f->lock_path_, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    int ret;

    if (fd < 0)
        return last_error();
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ret = errno == EWOULDBLOCK ? -FSIF_EBUSY : last_error();
        goto out;
    }
    ret = -FSIF_EAGAIN;
    if (fstat(fd, &ours) != 0 || lstat(f->lock_path_, &named) != 0 || ours.st_dev != named.st_dev ||
        ours.st_ino != named.st_ino)
        goto out;
    f->lock_fd_ = fd;
    return 0;
out:
    close(fd);
    return ret;
}

static int lock(struct fsif_socket_file *f)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        int ret = try_lock(f);

        if (ret != -FSIF_EAGAIN)
            return ret;
    }
    return -FSIF_EBUSY;
}

/* Return: 0 the name is free; -FSIF_EBUSY; -FSIF_EEXIST; another error */
static int remove_leftover(const struct sockaddr_un *a)
{
    struct stat st;
    int ret;
    int sock;

    if (lstat(a->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : last_error();
    if (!S_ISSOCK(st.st_mode))
        return -FSIF_EEXIST;
    sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock < 0)
        return last_error();
    /* Only this one error says that nobody listens. A full backlog, say, is a sign of life. */
    ret = -FSIF_EBUSY;
    if (connect(sock, (const struct sockaddr *)a, sizeof(*a)) != 0 && errno == ECONNREFUSED)
        ret = unlink(a->sun_path) == 0 || errno == ENOENT ? 0 : last_error();
    close(sock);
    return ret;
}

static int bind_locked(struct fsif_socket_file *f, int sock, unsigned mode)
{
    struct sockaddr_un a;
    struct stat st;
    int ret = fsif_socket_address(f->path_, &a);

    if (!ret)
        ret = remove_leftover(&a);
    if (ret)
        return ret;
    if (bind(sock, (const struct sockaddr *)&a, sizeof(a)) != 0)
        return errno == EADDRINUSE ? -FSIF_EBUSY : last_error();
    if (lstat(f->path_, &st) != 0)
        return last_error();
    f->dev_ = st.st_dev;
    f->ino_ = st.st_ino;
    f->bound_ = 1;
    /* Whatever the umask is. Nobody is let in before listen(). */
    return chmod(f->path_, mode) == 0 ? 0 : last_error();
}

int fsif_socket_bind(struct fsif_socket_file *f, const char *path, int sock, unsigned mode)
{
    static const char suffix[] = ".lock";
    size_t len = strlen(path);
    int ret;

    *f = (struct fsif_socket_file){.lock_fd_ = -1};
    f->path_ = malloc(len + 1);
    f->lock_path_ = malloc(len + sizeof(suffix));
    if (!f->path_ || !f->lock_path_) {
        free(f->path_);
        free(f->lock_path_);
        *f = (struct fsif_socket_file){.lock_fd_ = -1};
        return -FSIF_ENOMEM;
    }
    memcpy(f->path_, path, len + 1);
    memcpy(f->lock_path_, path, len);
    memcpy(f->lock_path_ + len, suffix, sizeof(suffix));
    ret = lock(f);
    if (!ret)
        ret = bind_locked(f, sock, mode);
    if (ret)
        fsif_socket_remove(f);
    return ret;
}

void fsif_socket_remove(struct fsif_socket_file *f)
{
    struct stat st;

    if (f->bound_ && lstat(f->path_, &st) == 0 && st.st_dev == f->dev_ && st.st_ino == f->ino_)
        unlink(f->path_);
    if (f->lock_fd_ >= 0) {
        unlink(f->lock_path_);
        close(f->lock_fd_);
    }
    free(f->path_);
    free(f->lock_path_);
    *f = (struct fsif_socket_file){.lock_fd_ = -1};
}
