/* SPDX-License-Identifier: MIT */
#ifndef FSIF_OP_H
#define FSIF_OP_H

/*
 * The operation as a typed value, the same for every dialect. A frontend fills a struct fsif_op
 * and receives a struct fsif_result; a backend is handed the one and returns the other. Neither
 * lies in shared memory: the codec turns them into slots and pages.
 */

#include <stddef.h>
#include <stdint.h>
#include <fsif/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A page is this long on every host and in every dialect. */
#define FSIF_PAGE_SIZE 4096u

/* The longest path and the longest component of one, in bytes without the NUL. */
#define FSIF_PATH_MAX 4095u
#define FSIF_NAME_MAX 255u

/*
 * The operations. Those marked 1 exist in dialects 1 and 2 only, those marked 3 in dialect 3 only,
 * the others in all. "base" is a handle of a directory, or FSIF_HANDLE_ROOT, that a path starts
 * from; a path that begins with '/' starts from the root of the base's export. In dialects 1 and 2
 * every path starts from the root and the field is not looked at. "(base, path)" with an empty path
 * is the open file `handle` itself.
 */
enum fsif_op_type {
    FSIF_OP_NONE = 0,
    FSIF_OP_OPEN,  /* base, path; 3: flags FSIF_O_*, mode -> value: handle; attr with FSIF_O_STAT.
                      Dialects 1 and 2: the best access that the store gives */
    FSIF_OP_CLOSE, /* handle */
    FSIF_OP_READ,  /* handle, offset, length, buffer or ranges -> value: bytes, 0 at end of file */
    FSIF_OP_WRITE, /* handle, offset, length, data or ranges; 3: flags FSIF_WRITE_* -> value: bytes
                    */
    FSIF_OP_STAT,  /* handle; 3: (base, path), flags FSIF_AT_* -> attr */
    FSIF_OP_TRUNCATE, /* 1: handle, length */
    FSIF_OP_REMOVE,   /* base, path; 3: flags FSIF_REMOVE_* */
    FSIF_OP_RENAME,   /* base, path (old), base2, path2 (new); 3: flags FSIF_RENAME_* */
    FSIF_OP_CREATE,   /* 1: path, mode, flags -> value: handle of a file; 0 for a directory */
    FSIF_OP_LIST,     /* 1: path, offset (entries to skip), buffer, length -> value: names, more */
    FSIF_OP_CHMOD,    /* 1: handle, mode */
    FSIF_OP_SPACE,    /* 1: path -> value: free bytes */
    FSIF_OP_SYNC,     /* handle; 3: flags FSIF_SYNC_* */
    FSIF_OP_NOP,      /* 3: nothing */
    FSIF_OP_SETATTR,  /* 3: (base, path), flags FSIF_AT_*, set -> attr, as it is now */
    FSIF_OP_MKDIR,    /* 3: base, path, mode */
    FSIF_OP_MKNOD,    /* 3: base, path, mode (type and permissions), offset: FSIF_RDEV() */
    FSIF_OP_LINK,     /* 3: base, path (file), base2, path2 (new), flags FSIF_AT_FOLLOW */
    FSIF_OP_SYMLINK,  /* 3: base, path (new), path2: what it says */
    FSIF_OP_READLINK, /* 3: (base, path), buffer, length -> value: bytes */
    FSIF_OP_READDIR,  /* 3: handle, cookie, buffer, length, flags FSIF_READDIR_* -> value: bytes of
                         entries, see fsif_entry_next(); 0 at the end */
    FSIF_OP_STATVFS,  /* 3: (base, path) -> vfs */
    FSIF_OP_ALLOCATE, /* 3: handle, offset, length, flags FSIF_ALLOCATE_* */
    FSIF_OP_SEEK,     /* 3: handle, offset, flags FSIF_SEEK_* -> value: offset; -FSIF_ENXIO: none */
    FSIF_OP_COPY_RANGE, /* 3: handle, offset (from), handle2, offset2 (to), length -> value: bytes
                         */
    FSIF_OP_GETXATTR,   /* 3: (base, path), path2: name, flags FSIF_AT_*, buffer, length -> value:
                           bytes; length 0: bytes that there are */
    FSIF_OP_SETXATTR,   /* 3: the same, data, length, flags also FSIF_XATTR_* */
    FSIF_OP_LISTXATTR, /* 3: (base, path), flags, buffer, length -> value: bytes of names, each with
                          its NUL; length 0: bytes that there are */
    FSIF_OP_REMOVEXATTR, /* 3: (base, path), path2: name, flags */
    FSIF_OP_LOCK,      /* 3: handle, mode FSIF_LOCK_*, flags FSIF_LOCK_* , offset, length (0: to the
                          end), cookie -> 0; lock, if tested; -FSIF_EAGAIN; -FSIF_EINPROGRESS: the
                          result comes as a notice with the cookie */
    FSIF_OP_CANCEL,    /* 3: cookie of a lock that waits; it ends with -FSIF_ECANCELED */
    FSIF_OP_WATCH,     /* 3: handle of a directory, flags FSIF_CHANGE_*, cookie (of its notices) ->
                          value: number of the watch */
    FSIF_OP_UNWATCH,   /* 3: offset: number of the watch */
    FSIF_OP_EXPORT,    /* 3: path: name of an export -> value: handle of its root */
    FSIF_OP_READFILE,  /* 3: base, path, flags FSIF_O_*, length, buffer or one range -> value: bytes
                          from the start; attr. Open, stat, read and close in one */
    FSIF_OP_WRITEFILE, /* 3: base, path, flags FSIF_O_*, mode, length, data or one range -> value:
                          bytes; attr. Open, write at 0, stat and close in one */
    FSIF_OP_STATMANY, /* 3: base, data: names back to back, each with its NUL, length, offset: their
                         number, buffer: an FSIF_RECORD_SIZE for each, flags FSIF_AT_* -> value:
                         number */
    FSIF_OP_COUNT
};

/* The base that is the root of the session's export */
#define FSIF_HANDLE_ROOT UINT32_MAX

/* fsif_op.flags of FSIF_OP_OPEN, FSIF_OP_READFILE and FSIF_OP_WRITEFILE: these values on every
 * host. The last two look at CREAT, EXCL, TRUNC, NOFOLLOW, SYNC and DSYNC only. */
#define FSIF_O_RDONLY 0x0u
#define FSIF_O_WRONLY 0x1u
#define FSIF_O_RDWR 0x2u
#define FSIF_O_ACCMODE 0x3u
#define FSIF_O_CREAT 0x40u
#define FSIF_O_EXCL 0x80u
#define FSIF_O_TRUNC 0x200u
#define FSIF_O_APPEND 0x400u
#define FSIF_O_DSYNC 0x1000u
#define FSIF_O_DIRECTORY 0x10000u
#define FSIF_O_NOFOLLOW 0x20000u
#define FSIF_O_SYNC 0x100000u
#define FSIF_O_PATH 0x200000u /* as a base, for stat and the like; no reading, no writing */
#define FSIF_O_TMPFILE                                                                             \
    0x400000u                  /* path is a directory; the file has no name until it is linked     \
                                */
#define FSIF_O_STAT 0x1000000u /* answer with the attributes too */

/* fsif_op.flags of operations on (base, path) */
#define FSIF_AT_NOFOLLOW 0x100u /* a symbolic link at the end is meant itself */
#define FSIF_AT_FOLLOW 0x400u   /* FSIF_OP_LINK: one there is followed */

#define FSIF_WRITE_APPEND 0x1u /* at the end of the file, whatever offset says */
#define FSIF_WRITE_DSYNC 0x2u  /* the data is on the medium before the answer */

/* Neither or both: a file or an empty directory */
#define FSIF_REMOVE_FILE 0x1u
#define FSIF_REMOVE_DIR 0x2u

#define FSIF_RENAME_NOREPLACE 0x1u
#define FSIF_RENAME_EXCHANGE 0x2u

#define FSIF_SYNC_DATA 0x1u /* as fdatasync */
#define FSIF_SYNC_FS 0x2u   /* everything of the export, as syncfs */

#define FSIF_READDIR_ATTR 0x1u /* the attributes of each entry too, links themselves */

#define FSIF_ALLOCATE_KEEP_SIZE 0x1u
#define FSIF_ALLOCATE_PUNCH 0x2u /* make a hole; with KEEP_SIZE only */
#define FSIF_ALLOCATE_ZERO 0x4u

#define FSIF_SEEK_DATA 0x0u
#define FSIF_SEEK_HOLE 0x1u

/* The longest value of an extended attribute, and list of their names */
#define FSIF_XATTR_MAX 65536u

#define FSIF_XATTR_CREATE 0x1u
#define FSIF_XATTR_REPLACE 0x2u

/* fsif_op.mode of FSIF_OP_LOCK */
#define FSIF_LOCK_SHARED 1u
#define FSIF_LOCK_EXCLUSIVE 2u
#define FSIF_LOCK_UNLOCK 3u
/* and its flags. A lock belongs to the handle; the last close of the handle lets it go. */
#define FSIF_LOCK_WAIT 0x1u
#define FSIF_LOCK_TEST 0x2u  /* tell who would be in the way */
#define FSIF_LOCK_WHOLE 0x4u /* as flock(): the file, apart from locks of ranges */

/* What a watch tells of, and what a notice of one says happened */
#define FSIF_CHANGE_CREATE 0x1u  /* an entry is new, also by rename */
#define FSIF_CHANGE_REMOVE 0x2u  /* an entry went, also by rename */
#define FSIF_CHANGE_CONTENT 0x4u /* the data of an entry changed */
#define FSIF_CHANGE_ATTR 0x8u    /* its attributes did */
#define FSIF_CHANGE_SELF 0x10u   /* the directory itself was removed or renamed */
#define FSIF_CHANGE_ALL 0x1fu
#define FSIF_CHANGE_LOST 0x80000000u /* notices of this watch were lost: look for yourself */

/* A device's number in fsif_op.offset of FSIF_OP_MKNOD */
#define FSIF_RDEV(dev_major, dev_minor) ((uint64_t)(dev_major) << 32 | (dev_minor))

/* fsif_op.flags of FSIF_OP_CREATE */
#define FSIF_CREATE_DIRECTORY 0x1u

/* File type and permission bits of mode: these values, whatever the host's <sys/stat.h> says. */
#define FSIF_S_IFMT 0170000u
#define FSIF_S_IFREG 0100000u
#define FSIF_S_IFDIR 0040000u
#define FSIF_S_IFLNK 0120000u
#define FSIF_S_IFIFO 0010000u
#define FSIF_S_IFSOCK 0140000u
#define FSIF_S_IFCHR 0020000u
#define FSIF_S_IFBLK 0060000u
#define FSIF_S_ISUID 04000u
#define FSIF_S_ISGID 02000u
#define FSIF_S_ISVTX 01000u
#define FSIF_S_PERM 07777u

/* Part of the session's arena, see <fsif/arena.h>: bytes from its start, and how many */
struct fsif_range {
    uint32_t at;
    uint32_t len;
};

#define FSIF_RANGES_MAX 4u

/* What FSIF_OP_SETATTR changes, and to what */
#define FSIF_SET_MODE 0x1u
#define FSIF_SET_UID 0x2u
#define FSIF_SET_GID 0x4u
#define FSIF_SET_SIZE 0x8u
#define FSIF_SET_ATIME 0x10u
#define FSIF_SET_MTIME 0x20u
#define FSIF_SET_ATIME_NOW 0x40u /* the backend's clock; without FSIF_SET_ATIME */
#define FSIF_SET_MTIME_NOW 0x80u
#define FSIF_SET_ALL 0xffu

struct fsif_setattr {
    uint32_t mask; /* FSIF_SET_* */
    uint32_t mode; /* permission bits */
    uint32_t uid;
    uint32_t gid;
    uint64_t size;
    int64_t atime; /* seconds since 1970 UTC */
    int64_t mtime;
    uint32_t atime_nsec; /* 0 .. 999999999 */
    uint32_t mtime_nsec;
};

struct fsif_op {
    uint32_t type;    /* enum fsif_op_type */
    uint32_t handle;  /* from FSIF_OP_OPEN, _CREATE or _EXPORT of the same session; or base */
    uint32_t mode;    /* permission bits */
    uint32_t flags;   /* as the operation has them */
    uint64_t offset;  /* read, write: byte; list: number of entries to skip */
    uint64_t length;  /* read, write: bytes; truncate: new size; list: bytes of buffer */
    const char *path; /* NUL-terminated, relative to the base; a leading '/' is the export's root */
    const char *path2;
    const void *data; /* write: length bytes */
    void *buffer;     /* read, list: length bytes; list: names back to back, each with its NUL */
    /* dialect 3 only */
    uint32_t handle2;                /* base2 */
    uint32_t nranges;                /* 0, or 1 .. FSIF_RANGES_MAX */
    const struct fsif_range *ranges; /* instead of data or buffer: the data lies, or is put, there,
                                        and nothing is copied; length is their sum */
    const struct fsif_setattr *set;
    uint64_t offset2;
    uint64_t cookie;
};

/* What a file is. Times are seconds since 1970 UTC; nanoseconds are 0 where the dialect has none.
 * Dialects 1 and 2 leave everything behind ctime_nsec 0. */
struct fsif_attr {
    uint32_t mode; /* FSIF_S_* type and permission bits */
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink; /* 0: the dialect does not carry it */
    uint64_t size;  /* bytes */
    int64_t atime;
    int64_t mtime;
    int64_t ctime;
    uint32_t atime_nsec;
    uint32_t mtime_nsec;
    uint32_t ctime_nsec;
    uint32_t btime_nsec;
    int64_t btime;   /* when it was made; 0, as btime_nsec: not known */
    uint64_t blocks; /* of 512 bytes, in use */
    uint64_t ino;    /* tells files of one dev apart */
    uint64_t dev;    /* tells file systems of one export apart; no number of the host's */
    uint32_t rdev_major;
    uint32_t rdev_minor;
    uint32_t blksize; /* bytes, for good I/O */
    uint32_t pad_;
};

/* The store behind an export */
struct fsif_statvfs {
    uint64_t blocks; /* of bsize bytes */
    uint64_t bfree;
    uint64_t bavail; /* of them, for the peer */
    uint64_t files;
    uint64_t ffree;
    uint32_t bsize;
    uint32_t namemax;
};

/* A lock that is in the way. mode is FSIF_LOCK_UNLOCK: there is none */
struct fsif_lock {
    uint64_t offset;
    uint64_t length; /* 0: to the end */
    uint32_t mode;
    uint32_t pad_;
};

struct fsif_result {
    int64_t value; /* what the operation's comment says, or a negative FSIF_E* */
    uint32_t more; /* list: entries are left */
    uint32_t used; /* list, readdir: bytes of the buffer in use */
    union {
        struct fsif_attr attr;
        struct fsif_statvfs vfs;
        struct fsif_lock lock;
        uint64_t cookie; /* readdir, in a frontend: goes on behind the last entry */
    };
};

/* --- what the buffers of FSIF_OP_READDIR and FSIF_OP_STATMANY hold --- */

/* Bytes of a buffer that surely hold one entry, whatever its name */
#define FSIF_ENTRY_MAX 400u
#define FSIF_RECORD_SIZE 120u

/* Names of one FSIF_OP_STATMANY */
#define FSIF_STATMANY_MAX 1024u

struct fsif_entry {
    const char *name; /* in the buffer, with its NUL */
    uint32_t name_len;
    uint32_t type;   /* FSIF_S_IF*; 0: not known */
    uint64_t cookie; /* goes on behind this entry */
    uint64_t ino;
    int32_t status;        /* of attr, with FSIF_READDIR_ATTR: 0 or a negative FSIF_E* */
    struct fsif_attr attr; /* with FSIF_READDIR_ATTR; zero if status is not 0 */
};

/**
 * fsif_entry_next - take an entry out of what FSIF_OP_READDIR answered
 *
 * @buffer: as the frontend engine filled it, @used bytes; it was checked by the engine
 * @flags:  of the operation
 * @at:     0 to begin with; moves on
 *
 * Return: 1; 0 at the end
 */
int fsif_entry_next(const void *buffer, uint32_t used, uint32_t flags, uint32_t *at,
                    struct fsif_entry *out);

/** fsif_record_get - record @i of what FSIF_OP_STATMANY answered. Return: its status: 0, or a
 * negative FSIF_E* and @out is zero */
int fsif_record_get(const void *buffer, uint32_t i, struct fsif_attr *out);

/**
 * fsif_op_name - the word for an operation, for logs
 *
 * Return: a constant string; "unknown" for a type that does not exist
 */
const char *fsif_op_name(uint32_t type);

#ifdef __cplusplus
}
#endif
#endif
