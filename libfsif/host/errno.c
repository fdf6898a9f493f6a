/* SPDX-License-Identifier: MIT */
/* The one place where FSIF_E* and the host's errno meet. */
#include <errno.h>

#include <fsif/host.h>

static const struct {
    int fsif;
    int host;
    const char *text;
} errors[] = {
    {FSIF_EPERM, EPERM, "Operation not permitted"},
    {FSIF_ENOENT, ENOENT, "No such file or directory"},
    {FSIF_EINTR, EINTR, "Interrupted system call"},
    {FSIF_EIO, EIO, "Input/output error"},
    {FSIF_ENXIO, ENXIO, "No such device or address"},
    {FSIF_E2BIG, E2BIG, "Argument list too long"},
    {FSIF_EBADF, EBADF, "Bad file descriptor"},
    {FSIF_EAGAIN, EAGAIN, "Resource temporarily unavailable"},
    {FSIF_ENOMEM, ENOMEM, "Cannot allocate memory"},
    {FSIF_EACCES, EACCES, "Permission denied"},
    {FSIF_EFAULT, EFAULT, "Bad address"},
    {FSIF_EBUSY, EBUSY, "Device or resource busy"},
    {FSIF_EEXIST, EEXIST, "File exists"},
    {FSIF_EXDEV, EXDEV, "Invalid cross-device link"},
    {FSIF_ENODEV, ENODEV, "No such device"},
    {FSIF_ENOTDIR, ENOTDIR, "Not a directory"},
    {FSIF_EISDIR, EISDIR, "Is a directory"},
    {FSIF_EINVAL, EINVAL, "Invalid argument"},
    {FSIF_ENFILE, ENFILE, "Too many open files in system"},
    {FSIF_EMFILE, EMFILE, "Too many open files"},
    {FSIF_ENOTTY, ENOTTY, "Inappropriate ioctl for device"},
    {FSIF_ETXTBSY, ETXTBSY, "Text file busy"},
    {FSIF_EFBIG, EFBIG, "File too large"},
    {FSIF_ENOSPC, ENOSPC, "No space left on device"},
    {FSIF_ESPIPE, ESPIPE, "Illegal seek"},
    {FSIF_EROFS, EROFS, "Read-only file system"},
    {FSIF_EMLINK, EMLINK, "Too many links"},
    {FSIF_EPIPE, EPIPE, "Broken pipe"},
    {FSIF_ERANGE, ERANGE, "Numerical result out of range"},
    {FSIF_EDEADLK, EDEADLK, "Resource deadlock avoided"},
    {FSIF_ENAMETOOLONG, ENAMETOOLONG, "File name too long"},
    {FSIF_ENOLCK, ENOLCK, "No locks available"},
    {FSIF_ENOSYS, ENOSYS, "Function not implemented"},
    {FSIF_ENOTEMPTY, ENOTEMPTY, "Directory not empty"},
    {FSIF_ELOOP, ELOOP, "Too many levels of symbolic links"},
    {FSIF_ENODATA, ENODATA, "No data available"},
    {FSIF_EPROTO, EPROTO, "Protocol error"},
    {FSIF_EOVERFLOW, EOVERFLOW, "Value too large for defined data type"},
    {FSIF_EOPNOTSUPP, EOPNOTSUPP, "Operation not supported"},
    {FSIF_ETIMEDOUT, ETIMEDOUT, "Connection timed out"},
    {FSIF_ECONNREFUSED, ECONNREFUSED, "Connection refused"},
    {FSIF_ESTALE, ESTALE, "Stale file handle"},
    {FSIF_EDQUOT, EDQUOT, "Disk quota exceeded"},
    {FSIF_ECANCELED, ECANCELED, "Operation canceled"},
    /* Other names of the host for the same thing; the first row of a number is the way back. */
    {FSIF_EAGAIN, EWOULDBLOCK, ""},
    {FSIF_EOPNOTSUPP, ENOTSUP, ""},
    {FSIF_EPIPE, ECONNRESET, ""},
    {FSIF_ENOMEM, ENOBUFS, ""},
};

#define COUNT (sizeof(errors) / sizeof(errors[0]))

int fsif_errno_from_host(int host_errno)
{
    for (unsigned i = 0; i < COUNT; i++) {
        if (errors[i].host == host_errno)
            return errors[i].fsif;
    }
    return FSIF_EIO;
}

int fsif_errno_to_host(int fsif_errno)
{
    for (unsigned i = 0; i < COUNT; i++) {
        if (errors[i].fsif == fsif_errno)
            return errors[i].host;
    }
    return EIO;
}

const char *fsif_strerror(int error)
{
    if (error == 0)
        return "Success";
    for (unsigned i = 0; i < COUNT; i++) {
        if (errors[i].fsif == error || -errors[i].fsif == error)
            return errors[i].text;
    }
    return "Unknown error";
}
