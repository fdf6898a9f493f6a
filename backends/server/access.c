/* SPDX-License-Identifier: MIT */
/*
 * Who may use which export. The credentials are those that the kernel gave when the peer was
 * accepted; nothing that a peer or a worker says comes in here but the name of an export.
 */
#include "exports.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What Linux calls the ids of strangers unless it was told otherwise. */
#define OVERFLOW_DEFAULT 65534u

/* A page of exports leaves room for the other keys of an answer. */
#define PAGE_ROOM 128u
#define PAGE_MAX 64u

static uint32_t read_overflow(const char *path)
{
    char text[24] = "";
    uint32_t id = OVERFLOW_DEFAULT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return id;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n > 0) {
        text[strcspn(text, "\n")] = '\0';
        fsi_parse_u32(text, 0, UINT32_MAX, &id);
    }
    return id;
}

static int has_chown(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    memset(data, 0, sizeof(data));
    if (syscall(SYS_capget, &head, data) < 0)
        return geteuid() == 0;
    return (data[0].effective & (1u << CAP_CHOWN)) != 0;
}

void fsi_self_init(struct fsi_self *self)
{
    self->uid = (uint32_t)geteuid();
    self->gid = (uint32_t)getegid();
    self->overflow_uid = read_overflow("/proc/sys/kernel/overflowuid");
    self->overflow_gid = read_overflow("/proc/sys/kernel/overflowgid");
    self->may_chown = has_chown();
}

/* Whether somebody else than the daemon's own uid may come in. */
static int admits_others(const struct fsi_export *e, const struct fsi_self *self)
{
    for (size_t i = 0; i < e->allowed.n; i++) {
        const struct fsi_allow *a = &e->allowed.entries[i];

        if (a->kind == FSI_ALLOW_GID || (a->kind == FSI_ALLOW_UID && a->id != self->uid))
            return 1;
    }
    return 0;
}

static int check_map(const struct fsi_export *e, const struct fsi_self *self, struct fsi_error *err)
{
    /* Only a directory of the host needs the privilege to give files away. */
    if (self->may_chown || strcmp(e->store, "posix") != 0 || e->read_only)
        return 0;
    if (e->map == FSI_MAP_PEER && admits_others(e, self))
        return fsi_fail(err, -FSIF_EINVAL,
                        "export '%s': files made by other users cannot be given to them without "
                        "the privilege to change owners; choose map=daemon",
                        e->name);
    if (e->map == FSI_MAP_IDS && (e->map_uid != self->uid || e->map_gid != self->gid))
        return fsi_fail(err, -FSIF_EINVAL,
                        "export '%s': map=%u:%u needs the privilege to change owners; choose "
                        "map=daemon",
                        e->name, e->map_uid, e->map_gid);
    return 0;
}

int fsi_export_check(const struct fsi_export *e, const struct fsi_self *self, struct fsi_error *err)
{
    if (!e->source)
        return fsi_fail(err, -FSIF_EINVAL, "export '%s' has no source", e->name);
    if (fsi_allow_has(&e->allowed, FSI_ALLOW_UID, self->overflow_uid))
        return fsi_fail(err, -FSIF_EINVAL,
                        "export '%s': uid %u stands for every user of another namespace and "
                        "cannot be allowed",
                        e->name, self->overflow_uid);
    if (fsi_allow_has(&e->allowed, FSI_ALLOW_GID, self->overflow_gid))
        return fsi_fail(err, -FSIF_EINVAL,
                        "export '%s': gid %u stands for every group of another namespace and "
                        "cannot be allowed",
                        e->name, self->overflow_gid);
    if (!e->allowed.n && !e->settled && self->uid == self->overflow_uid)
        return fsi_fail(err, -FSIF_EINVAL,
                        "export '%s': nobody could use it, because the daemon's own uid %u stands "
                        "for every user of another namespace; name others with allow-uid",
                        e->name, self->uid);
    return check_map(e, self, err);
}

/* The store is tried once, so that what it refuses is known before anybody is served. */
static int try_store(const struct fsi_export *e, struct fsif_registry *registry,
                     struct fsi_error *err)
{
    const struct fsif_store_ops *ops;
    struct fsif_store *store;
    struct fsif_store_config config;
    int rc = fsif_registry_store(registry, e->store, &ops);

    if (rc)
        return fsi_fail(err, rc, "export '%s': store '%s': %s", e->name, e->store,
                        fsif_registry_error(registry));
    memset(&config, 0, sizeof(config));
    config.size = sizeof(config);
    config.source = e->source;
    config.root_fd = -1;
    config.read_only = e->read_only;
    config.setid = e->setid;
    config.xdev = e->xdev;
    config.max_bytes = e->max_bytes;
    config.max_nodes = e->max_nodes;
    if (e->root_fd >= 0) {
        config.root_fd = fcntl(e->root_fd, F_DUPFD_CLOEXEC, 3);
        if (config.root_fd < 0)
            return fsi_fail(err, -fsif_errno_from_host(errno), "export '%s': %s", e->name,
                            strerror(errno));
    }
    rc = ops->create(&config, &store);
    if (rc) {
        if (config.root_fd >= 0)
            close(config.root_fd);
        return fsi_fail(err, rc, "export '%s': store '%s' cannot open '%s': %s", e->name, e->store,
                        e->source, fsif_strerror(rc));
    }
    ops->destroy(store);
    return 0;
}

int fsi_export_open(struct fsi_export *e, struct fsif_registry *registry, struct fsi_error *err)
{
    if (!strcmp(e->store, "posix")) {
        e->root_fd = open(e->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (e->root_fd < 0)
            return fsi_fail(err, -fsif_errno_from_host(errno), "export '%s': %s: %s", e->name,
                            e->source, strerror(errno));
    }
    return try_store(e, registry, err);
}

static int by_default(const struct fsi_export *e)
{
    return !e->settled && !fsi_allow_any(&e->allowed, FSI_ALLOW_UID) &&
           !fsi_allow_any(&e->allowed, FSI_ALLOW_GID);
}

int fsi_export_settle(struct fsi_export *e, const struct fsi_self *self, struct fsi_error *err)
{
    const struct fsi_allow own = {.kind = FSI_ALLOW_UID, .id = self->uid};
    int rc = 0;

    if (by_default(e) && self->uid != self->overflow_uid)
        rc = fsi_allow_add(&e->allowed, &own, err);
    e->settled = 1;
    return rc < 0 ? rc : 0;
}

static int in_group(const struct fsif_credentials *peer, const struct fsi_self *self, uint32_t gid)
{
    uint32_t n = peer->ngroups < FSIF_CREDENTIAL_GROUPS ? peer->ngroups : FSIF_CREDENTIAL_GROUPS;

    if (gid == self->overflow_gid || gid == FSIF_CREDENTIAL_UNKNOWN)
        return 0;
    if (peer->gid == gid)
        return 1;
    for (uint32_t i = 0; i < n; i++)
        if (peer->groups[i] == gid)
            return 1;
    return 0;
}

static int matches(const struct fsi_allow *a, const struct fsi_self *self,
                   const struct fsif_credentials *peer)
{
    static const uint8_t unknown[sizeof(peer->uuid)];

    if (peer->kind == FSIF_CREDENTIAL_DOMAIN) {
        if (a->kind == FSI_ALLOW_DOMID)
            return a->id == peer->domid;
        return a->kind == FSI_ALLOW_UUID && memcmp(peer->uuid, unknown, sizeof(unknown)) != 0 &&
               !memcmp(a->uuid, peer->uuid, sizeof(peer->uuid));
    }
    if (a->kind == FSI_ALLOW_UID)
        return a->id == peer->uid;
    return a->kind == FSI_ALLOW_GID && in_group(peer, self, a->id);
}

/* A peer whose own uid means nothing here is nobody, whatever its groups are. */
static int is_somebody(const struct fsi_self *self, const struct fsif_credentials *peer)
{
    if (peer->kind == FSIF_CREDENTIAL_USER)
        return peer->uid != FSIF_CREDENTIAL_UNKNOWN && peer->uid != self->overflow_uid;
    return peer->kind == FSIF_CREDENTIAL_DOMAIN;
}

/* 0 is no limit but for handles, which always have one. */
static uint64_t stricter(uint64_t a, uint64_t b)
{
    if (!a || !b)
        return a ? a : b;
    return a < b ? a : b;
}

static void put_terms(const struct fsi_export *e, const struct fsi_terms *entry, int first,
                      struct fsi_terms *out)
{
    struct fsi_terms t = {
        .read_only = e->read_only || (entry && entry->read_only),
        .max_handles = entry && entry->max_handles ? entry->max_handles : e->max_handles,
        .max_nodes = entry && entry->max_nodes ? entry->max_nodes : e->max_nodes,
        .max_bytes = entry && entry->max_bytes ? entry->max_bytes : e->max_bytes,
    };

    if (!first) {
        t.read_only |= out->read_only;
        t.max_handles = (uint32_t)stricter(t.max_handles, out->max_handles);
        t.max_nodes = (uint32_t)stricter(t.max_nodes, out->max_nodes);
        t.max_bytes = stricter(t.max_bytes, out->max_bytes);
    }
    *out = t;
}

/* There is no default for domains: one that no entry names uses nothing. */
int fsi_export_terms(const struct fsi_export *e, const struct fsi_self *self,
                     const struct fsif_credentials *peer, struct fsi_terms *out)
{
    struct fsi_terms terms = {0};
    uint32_t best = 0; /* 1: by a group; 2: by itself */

    if (!is_somebody(self, peer))
        return 0;
    if (peer->kind == FSIF_CREDENTIAL_USER && by_default(e) && peer->uid == self->uid) {
        put_terms(e, NULL, 1, &terms);
        best = 2;
    }
    for (size_t i = 0; i < e->allowed.n; i++) {
        const struct fsi_allow *a = &e->allowed.entries[i];
        uint32_t rank = a->kind == FSI_ALLOW_GID ? 1 : 2;

        if (rank < best || !matches(a, self, peer))
            continue;
        put_terms(e, &a->terms, rank > best, &terms);
        best = rank;
    }
    terms.read_only |= peer->read_only;
    if (out)
        *out = terms;
    return best > 0;
}

int fsi_export_allows(const struct fsi_export *e, const struct fsi_self *self,
                      const struct fsif_credentials *peer)
{
    return fsi_export_terms(e, self, peer, NULL);
}

void fsi_export_owner(const struct fsi_export *e, const struct fsi_self *self,
                      const struct fsif_credentials *peer, struct fsif_store_config *out)
{
    out->map = FSIF_MAP_DAEMON;
    out->uid = self->uid;
    out->gid = self->gid;
    if (e->map == FSI_MAP_IDS) {
        out->uid = e->map_uid;
        out->gid = e->map_gid;
    } else if (e->map == FSI_MAP_PEER && peer->kind == FSIF_CREDENTIAL_USER) {
        out->uid = peer->uid;
        out->gid = peer->gid == FSIF_CREDENTIAL_UNKNOWN ? self->overflow_gid : peer->gid;
    }
    /* An unprivileged daemon cannot change a file's group either; its own uid is near enough. */
    if (out->uid == self->uid && (out->gid == self->gid || !self->may_chown))
        return;
    out->map = FSIF_MAP_OWNER;
}

const struct fsi_export *fsi_exports_after(const struct fsi_export *exports, size_t n,
                                           const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(exports[i].name, name) > 0)
            return &exports[i];
    return NULL;
}

const struct fsi_export *fsi_exports_find(const struct fsi_export *exports, size_t n,
                                          const char *name)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(exports[mid].name, name);

        if (order == 0)
            return &exports[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

int fsi_exports_any(const struct fsi_export *exports, size_t n, const struct fsi_self *self,
                    const struct fsif_credentials *peer)
{
    for (size_t i = 0; i < n; i++)
        if (fsi_export_allows(&exports[i], self, peer))
            return 1;
    return 0;
}

unsigned fsi_exports_page(const struct fsi_export *exports, size_t n, const struct fsi_self *self,
                          const struct fsif_credentials *peer, const char *after,
                          struct fsif_dict *answer)
{
    char key[16];
    char value[FSIF_EXPORT_NAME_MAX + 8];
    unsigned count = 0;
    uint32_t more = 0;
    struct fsi_terms terms;

    fsif_dict_init(answer);
    fsif_dict_put_u32(answer, "status", 0);
    for (size_t i = 0; i < n && !more; i++) {
        if (strcmp(exports[i].name, after) <= 0 ||
            !fsi_export_terms(&exports[i], self, peer, &terms))
            continue;
        snprintf(key, sizeof(key), "export-%u", count);
        snprintf(value, sizeof(value), "%s %s", exports[i].name, terms.read_only ? "ro" : "rw");
        if (count == PAGE_MAX ||
            answer->used + sizeof(key) + sizeof(value) + PAGE_ROOM > FSIF_DICT_MAX)
            more = 1;
        else if (!fsif_dict_put(answer, key, value))
            count++;
    }
    fsif_dict_put_u32(answer, "more", more);
    return count;
}
