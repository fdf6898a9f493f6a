/* SPDX-License-Identifier: MIT */

/*
 * Reading out of mapped files.
 *
 *   plain --the 2^n-th read, a lease was given--> mapped --lease broken, closed, fault--> plain
 *
 * A file that is open for reading only, and read again and again, is mapped; its reads are copies
 * that need no system call. The lease (F_RDLCK) makes such a copy the same as a read: it is given
 * if nobody has the file open for writing, and as long as we hold it whoever opens it so, or cuts
 * it off by its name, waits. So the size that was asked for under the lease is the file's size, and
 * no page of it goes away. A thread of the store sleeps until the kernel tells that somebody waits
 * (SIGIO to this thread alone, which has it blocked), lets the copies under way end, and gives the
 * lease back. Unmapping takes longer, so it does that afterwards, and for files that are closed,
 * too. Leases are a matter of one kernel, so only file systems are mapped that nobody else changes.
 *
 * What remains is memory that cannot be read: an error of the disk, a lease that the kernel took
 * after its patience (lease-break-time, 45 s), or a file that was opened with O_TRUNC for reading,
 * which breaks no lease, but leaves no page either. For that the process that runs the store gives
 * it a copy that survives SIGBUS; without one nothing is mapped.
 *
 * Lists and the table of descriptors change under maps.lock only. A reader counts itself in `users`
 * and then looks at `active`; who ends a mapping clears `active` and then waits for `users` (all of
 * it is sequentially consistent, so one of the two sees the other). The struct stays until its file
 * is closed, when no read of it runs.
 *
 * Mapping a window and taking it away again costs as much as reading it a few times. So a window is
 * mapped when that much was read of it: at worst the whole costs twice what the better way would.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "internal.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

enum {
    FIRST_TRY = 32,    /* reads of a file before it is worth asking for a lease; then 64, 128 ... */
    WINDOW = 2 << 20,  /* bytes */
    READS = 320,       /* of a window before it is mapped */
    READ_UNIT = 16384, /* bytes that count as one read more */
    WINDOWS = 512,     /* mapped at once: 1 GiB, whose page tables are 2 MiB */
    PLAIN = -1,
    FAULT = -2,
    SCORE_NEVER = 0xfffe,
    SCORE_MAPPED = 0xffff,
};

/* Larger files are read plainly: each window has a score, and 32 bits have room for few bytes. */
#define SIZE_MOST (sizeof(void *) == 8 ? UINT64_C(1) << 36 : UINT64_C(1) << 24)

/* What is mapped of one file; in a list when it is to be unmapped */
struct posix_region {
    struct posix_region *next;
    unsigned char *base;
    size_t size;
};

struct posix_mapping {
    _Atomic uint32_t active;
    _Atomic uint32_t users;
    struct posix_mapping *before; /* an ended one of the same file */
    int fd;
    struct posix_region *region; /* NULL: ended */
    _Atomic uint32_t windows;    /* that are mapped */
    _Atomic uint16_t score[];    /* of each window: reads so far, or SCORE_* */
};

/* --- under maps.lock ------------------------------------------------------------------------- */

static void end_mapping(struct posix_maps *maps, struct posix_mapping *m)
{
    uint32_t i = 0;

    atomic_store(&m->active, 0);
    while (atomic_load(&m->users) != 0)
        sched_yield();
    fcntl(m->fd, F_SETLEASE, F_UNLCK);
    m->region->next = maps->ended;
    maps->ended = m->region;
    m->region = NULL;
    atomic_fetch_sub(&maps->windows, atomic_load(&m->windows));
    while (maps->active[i] != m)
        i++;
    maps->active[i] = maps->active[--maps->nactive];
}

/* Whether the file has all its pages: reading a hole of tmpfs through a mapping would fill it. */
static int is_good(int fd, struct stat *now)
{
    return fstat(fd, now) == 0 && S_ISREG(now->st_mode) && now->st_size > 0 &&
           (uint64_t)now->st_size <= SIZE_MOST && now->st_blocks >= (now->st_size + 511) / 512;
}

/* Whether only this kernel changes the file. */
static int is_local(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return 0;
    switch ((uint32_t)fs.f_type) {
    case TMPFS_MAGIC:
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
        return 1;
    default:
        return 0;
    }
}

/* A lease whose break is told to our thread. Returns whether it was given. */
static int lease(const struct posix_maps *maps, int fd)
{
    const struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = atomic_load(&maps->tid)};

    return fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
}

static struct posix_region *map_region(int fd, size_t size)
{
    struct posix_region *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->size = size;
    r->base = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (r->base != MAP_FAILED)
        return r;
    free(r);
    return NULL;
}

static struct posix_mapping *map_file(const struct posix_maps *maps, int fd)
{
    struct posix_mapping *m = NULL;
    struct stat now;
    size_t windows;

    if (!lease(maps, fd))
        return NULL;
    if (is_good(fd, &now)) {
        windows = ((size_t)now.st_size + WINDOW - 1) / WINDOW;
        m = calloc(1, sizeof(*m) + windows * sizeof(m->score[0]));
        if (m != NULL) {
            m->fd = fd;
            m->region = map_region(fd, (size_t)now.st_size);
            if (m->region != NULL)
                return m;
        }
        free(m);
    }
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return NULL;
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Give back what others wait for. Returns what is to be unmapped. */
static struct posix_region *give_back(struct posix_maps *maps, int *stop)
{
    struct posix_region *ended;

    pthread_mutex_lock(&maps->lock);
    for (uint32_t i = maps->nactive; i-- > 0;)
        if (fcntl(maps->active[i]->fd, F_GETLEASE) != F_RDLCK)
            end_mapping(maps, maps->active[i]);
    *stop = maps->stop;
    ended = maps->ended;
    maps->ended = NULL;
    pthread_mutex_unlock(&maps->lock);
    return ended;
}

static void *keep_leases(void *arg)
{
    struct posix_maps *maps = arg;
    struct posix_region *ended, *next;
    sigset_t told;
    int stop = 0;

    sigemptyset(&told);
    sigaddset(&told, SIGIO);
    atomic_store(&maps->tid, gettid());
    while (!stop) {
        sigwaitinfo(&told, NULL);
        for (ended = give_back(maps, &stop); ended != NULL; ended = next) {
            next = ended->next;
            munmap(ended->base, ended->size);
            free(ended);
        }
    }
    return NULL;
}

/* Returns whether it runs. */
static int has_thread(struct posix_maps *maps)
{
    sigset_t all, before;

    if (maps->tid != 0)
        return 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&maps->thread, NULL, keep_leases, maps) == 0)
        while (atomic_load(&maps->tid) == 0)
            sched_yield();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return maps->tid != 0;
}

/* --- of the requests' threads ---------------------------------------------------------------- */

static void begin(struct posix_maps *maps, int fd)
{
    struct posix_mapping *before, *m;
    struct stat now;
    int access = fcntl(fd, F_GETFL);

    if (access < 0 || (access & (O_ACCMODE | O_PATH)) != O_RDONLY || !is_good(fd, &now) ||
        !is_local(fd))
        return;
    pthread_mutex_lock(&maps->lock);
    before = atomic_load(&maps->fds->file[fd]);
    if ((before == NULL || !atomic_load(&before->active)) && maps->nactive < POSIX_MAPPINGS &&
        has_thread(maps)) {
        m = map_file(maps, fd);
        if (m != NULL) {
            m->before = before;
            maps->active[maps->nactive++] = m;
            atomic_store(&m->active, 1);
            atomic_store(&maps->fds->file[fd], m);
        }
    }
    pthread_mutex_unlock(&maps->lock);
}

static void count_read(struct posix_maps *maps, int fd)
{
    /* Counts may be lost between threads; nothing depends on them. */
    uint32_t n = atomic_load(&maps->fds->reads[fd]) + 1;

    atomic_store(&maps->fds->reads[fd], n);
    if (n >= FIRST_TRY && (n & (n - 1)) == 0)
        begin(maps, fd);
}

/* Have the window @w mapped if it is read often. Returns whether it is. */
static int want_window(struct posix_maps *maps, struct posix_mapping *m, size_t w, size_t len)
{
    const struct posix_region *r = m->region;
    uint16_t score = atomic_load(&m->score[w]);
    const size_t at = w * WINDOW;
    size_t bytes = r->size - at < WINDOW ? r->size - at : WINDOW;

    if (score >= SCORE_NEVER)
        return score == SCORE_MAPPED;
    if (score + 1u + len / READ_UNIT < READS) {
        atomic_store(&m->score[w], (uint16_t)(score + 1u + len / READ_UNIT));
        return 0;
    }
    /* One thread does it; the others read plainly meanwhile. */
    if (!atomic_compare_exchange_strong(&m->score[w], &score, SCORE_NEVER))
        return 0;
    if (atomic_fetch_add(&maps->windows, 1) >= WINDOWS) {
        atomic_fetch_sub(&maps->windows, 1);
        atomic_store(&m->score[w], 0);
        return 0;
    }
    atomic_fetch_add(&m->windows, 1);
    if (madvise(r->base + at, bytes, MADV_POPULATE_READ) != 0)
        return 0;
    atomic_store(&m->score[w], SCORE_MAPPED);
    return 1;
}

/* Returns bytes; PLAIN: they must be read; FAULT: and never from here again */
static int64_t copy_out(struct fsif_store *st, struct posix_mapping *m, void *buf, uint32_t len,
                        uint64_t off)
{
    const struct posix_region *r = m->region;
    int there = 1;

    if (off >= r->size)
        return 0;
    if (len > r->size - off)
        len = (uint32_t)(r->size - off);
    for (uint64_t at = off, next; at < off + len; at = next) {
        next = (at / WINDOW + 1) * WINDOW;
        next = next < off + len ? next : off + len;
        there &= want_window(&st->maps, m, (size_t)(at / WINDOW), (size_t)(next - at));
    }
    if (!there)
        return PLAIN;
    return st->copy(buf, r->base + off, len) == 0 ? (int64_t)len : FAULT;
}

/* Only what is used of the table takes memory. Return: 0; a negative FSIF_E* */
int fsi_posix_begin_mapped(struct fsif_store *st)
{
    void *fds = mmap(NULL, sizeof(*st->maps.fds), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (fds == MAP_FAILED)
        return posix_fail();
    st->maps.fds = fds;
    return 0;
}

/* Return: bytes; -1: the file must be read. */
int64_t fsi_posix_read_mapped(struct fsif_store *st, int fd, void *buf, uint32_t len, uint64_t off)
{
    struct posix_maps *maps = &st->maps;
    struct posix_mapping *m;
    int64_t n = PLAIN;
    int active = 0;

    if (maps->fds == NULL || fd >= POSIX_MAPPED_FDS || off > INT64_MAX - (uint64_t)len)
        return PLAIN;
    m = atomic_load(&maps->fds->file[fd]);
    if (m != NULL) {
        atomic_fetch_add(&m->users, 1);
        active = atomic_load(&m->active) != 0;
        if (active)
            n = copy_out(st, m, buf, len, off);
        atomic_fetch_sub(&m->users, 1);
    }
    if (!active) {
        count_read(maps, fd);
    } else if (n == FAULT) {
        pthread_mutex_lock(&maps->lock);
        if (atomic_load(&m->active))
            end_mapping(maps, m);
        pthread_kill(maps->thread, SIGIO);
        pthread_mutex_unlock(&maps->lock);
    }
    return n < 0 ? PLAIN : n;
}

/* Before the descriptor is closed, for its number may come again. */
void fsi_posix_close_mapped(struct fsif_store *st, int fd)
{
    struct posix_maps *maps = &st->maps;
    struct posix_mapping *m, *before;

    if (maps->fds == NULL || fd >= POSIX_MAPPED_FDS)
        return;
    atomic_store(&maps->fds->reads[fd], 0);
    m = atomic_load(&maps->fds->file[fd]);
    if (m == NULL)
        return;
    pthread_mutex_lock(&maps->lock);
    if (atomic_load(&m->active)) {
        end_mapping(maps, m);
        pthread_kill(maps->thread, SIGIO);
    }
    atomic_store(&maps->fds->file[fd], NULL);
    pthread_mutex_unlock(&maps->lock);
    for (; m != NULL; m = before) {
        before = m->before;
        free(m);
    }
}

/* No call runs any more. */
void fsi_posix_end_mapped(struct fsif_store *st)
{
    struct posix_maps *maps = &st->maps;

    pthread_mutex_lock(&maps->lock);
    while (maps->nactive > 0)
        end_mapping(maps, maps->active[0]);
    maps->stop = 1;
    pthread_mutex_unlock(&maps->lock);
    if (atomic_load(&maps->tid) != 0) {
        pthread_kill(maps->thread, SIGIO);
        pthread_join(maps->thread, NULL);
    }
    if (maps->fds != NULL)
        munmap(maps->fds, sizeof(*maps->fds));
    pthread_mutex_destroy(&maps->lock);
}
