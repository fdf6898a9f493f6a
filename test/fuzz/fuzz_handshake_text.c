/* SPDX-License-Identifier: MIT */
#include "fuzz_handshake.h"

#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static size_t put(char *at, size_t used, const char *text)
{
    size_t n = strlen(text);

    if (used + n > FSIF_DICT_MAX)
        return used;
    memcpy(at + used, text, n);
    return used + n;
}

/* Lines of the protocol in any choice and order, or anything at all. */
static size_t make_lines(struct input *in, char *text, const char *const *lines, size_t n)
{
    uint8_t how = input_u8(in);
    size_t used = 0;

    if (how & 1)
        return input_bytes(in, text, input_u16(in) % TEXT_MAX);
    if (how & 2) {
        for (size_t i = 0; i < n / 2; i++)
            used = put(text, used, lines[i]);
    }
    for (unsigned i = how >> 4; i > 0; i--) {
        uint8_t which = input_u8(in);

        used = put(text, used, lines[which % n]);
        if (which & 0x80)
            text[used / 2] = (char)input_u8(in);
    }
    return used;
}

/* A key and what it may say: the bounds of each, and what lies beyond them. */
struct key {
    const char *name;
    const char *values[6];
};

/* Each key once, with its first value or another one, any number, or left out. */
static size_t make_keys(struct input *in, char *text, const struct key *keys, size_t n)
{
    char line[64];
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t which = input_u8(in);
        const char *value = which < 6 ? keys[i].values[which] : NULL;

        if (which == 7)
            continue;
        if (which & 0x80)
            snprintf(line, sizeof(line), "%s=%u\n", keys[i].name, input_u32(in) >> (which & 31u));
        else
            snprintf(line, sizeof(line), "%s=%s\n", keys[i].name,
                     value ? value : keys[i].values[0]);
        used = put(text, used, line);
    }
    return used;
}

static const char *const offer_lines[] = {
    "fsif=1\n",          "request=session\n", "export=data\n",      "dialects=1\n",
    "pages=4\n",         "ring-pages=1\n",    "ring-ref=0\n",       "features=errno\n",
    "request=exports\n", "export=\n",         "pages=4294967295\n", "pages=5\n",
    "ring-ref=3\n",      "ring-ref=4\n",      "dialects=2 3\n",     "unknown=1\n",
    "dialects=1 2\n",    "ring-pages=2\n",    "ring-ref-0=3\n",     "ring-ref-1=1\n",
};

static const struct key offer_keys[] = {
    {"fsif", {"1", "2"}},
    {"request", {"session", "exports"}},
    {"export", {"data", "", ".x"}},
    {"dialects", {"3", "1 3", "1 2 3", "2", "4", ""}},
    {"features", {"errno", ""}},
    {"pages", {"19", "18", "4", "1048576", "1048577", "0"}},
    {"ring-pages", {"1", "0", "2", "16", "17"}},
    {"ring-ref", {"0", "18", "19"}},
    {"queues", {"2", "1", "3", "16", "17", "0"}},
    {"slots", {"8", "16", "1024", "2048", "12", "4"}},
    {"arena-pages", {"16", "17", "15", "65536", "65537", "0"}},
    {"max-io", {"65536", "4096", "4095", "65537", "4294967295", "0"}},
    {"directory", {"18", "0", "19", "4294967295"}},
};

static const char *const answer_lines[] = {
    "status=0\n",  "dialect=1\n",        "features=errno\n", "read-only=0\n",
    "status=13\n", "text=no\n",          "dialect=2\n",      "read-only=1\n",
    "more=1\n",    "export-0=data ro\n", "status=-1\n",      "status=99999\n",
};

static const struct key answer_keys[] = {
    {"status", {"0", "13", "-1", "4095", "4096"}},
    {"dialect", {"3", "1", "2", "0", "31", "32"}},
    {"features", {"errno", "", "other"}},
    {"read-only", {"0", "1", "2"}},
    {"queues", {"2", "1", "3", "0", "16", "17"}},
    {"max-io", {"65536", "4096", "4095", "65537", "4294967295", "0"}},
};

size_t make_offer_text(struct input *in, char *text, int split)
{
    return split ? make_keys(in, text, offer_keys, N(offer_keys))
                 : make_lines(in, text, offer_lines, N(offer_lines));
}

size_t make_answer_text(struct input *in, char *text, int split)
{
    return split ? make_keys(in, text, answer_keys, N(answer_keys))
                 : make_lines(in, text, answer_lines, N(answer_lines));
}
