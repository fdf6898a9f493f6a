/* SPDX-License-Identifier: MIT */
#ifndef FSIF_ERROR_H
#define FSIF_ERROR_H

/*
 * Error numbers of libfsif. They are fixed, because they travel on the wire: the asm-generic
 * numbers, whatever the host's own <errno.h> says. Functions return them negated.
 * The host library maps them to and from errno (fsif_errno_to_host, fsif_errno_from_host).
 */
enum fsif_error {
    FSIF_EPERM = 1,
    FSIF_ENOENT = 2,
    FSIF_EINTR = 4,
    FSIF_EIO = 5,
    FSIF_ENXIO = 6,
    FSIF_E2BIG = 7,
    FSIF_EBADF = 9,
    FSIF_EAGAIN = 11,
    FSIF_ENOMEM = 12,
    FSIF_EACCES = 13,
    FSIF_EFAULT = 14,
    FSIF_EBUSY = 16,
    FSIF_EEXIST = 17,
    FSIF_EXDEV = 18,
    FSIF_ENODEV = 19,
    FSIF_ENOTDIR = 20,
    FSIF_EISDIR = 21,
    FSIF_EINVAL = 22,
    FSIF_ENFILE = 23,
    FSIF_EMFILE = 24,
    FSIF_ENOTTY = 25,
    FSIF_ETXTBSY = 26,
    FSIF_EFBIG = 27,
    FSIF_ENOSPC = 28,
    FSIF_ESPIPE = 29,
    FSIF_EROFS = 30,
    FSIF_EMLINK = 31,
    FSIF_EPIPE = 32,
    FSIF_ERANGE = 34,
    FSIF_EDEADLK = 35,
    FSIF_ENAMETOOLONG = 36,
    FSIF_ENOLCK = 37,
    FSIF_ENOSYS = 38,
    FSIF_ENOTEMPTY = 39,
    FSIF_ELOOP = 40,
    FSIF_ENODATA = 61,
    FSIF_EPROTO = 71,
    FSIF_EOVERFLOW = 75,
    FSIF_EOPNOTSUPP = 95,
    FSIF_ECONNREFUSED = 111,
    FSIF_ETIMEDOUT = 110,
    FSIF_EINPROGRESS = 115,
    FSIF_ESTALE = 116,
    FSIF_EDQUOT = 122,
    FSIF_ECANCELED = 125,
};

/* No error number, of the wire or of the library, is larger. */
#define FSIF_MAX_ERRNO 4095

#endif
