/* SPDX-License-Identifier: MIT */
#include <check.h>
#include "client_fixture.h"

struct local_backend *backend;
struct fsif_client *cl;
uint32_t client_dialects = CLIENT_DIALECTS;

void client_start(uint32_t threads, int timeout_ms, uint32_t max_calls)
{
    struct local_backend_options bo = {.threads = threads};
    struct fsif_client_options co;

    fsif_client_options_init(&co);
    co.timeout_ms = timeout_ms;
    co.max_calls = max_calls;
    co.dialects = client_dialects;
    if (max_calls != 0)
        co.slots = max_calls < 8 ? 8 : max_calls;
    backend = local_backend_start(&bo, &co, &cl);
}

void client_stop(void)
{
    fsif_disconnect(cl);
    if (backend != NULL)
        local_backend_stop(backend);
    cl = NULL;
    backend = NULL;
}

int client_file(const char *path, const void *bytes, size_t len)
{
    int fh = fsif_open(cl, path, CLIENT_NEW, 0644);

    ck_assert_int_ge(fh, 0);
    ck_assert_int_eq(fsif_pwrite(cl, fh, bytes, len, 0), (int64_t)len);
    return fh;
}
