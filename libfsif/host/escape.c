/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <fsif/host.h>

static const char hex[] = "0123456789abcdef";

/* Inside quotes a blank stands for itself. '=' does not, so that no value looks like `key=`. */
static int plain(unsigned char c, int quoted)
{
    if (c == '"' || c == '=' || c == '\\')
        return 0;
    return (c > 0x20 && c < 0x7f) || (quoted && c == ' ');
}

static size_t put(char *out, unsigned char c)
{
    if (plain(c, 1)) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex[c >> 4];
    out[3] = hex[c & 15];
    return 4;
}

size_t fsif_escape(char *out, size_t size, const void *text, size_t len)
{
    const unsigned char *t = text;
    size_t full = 0, used = 0, room;
    int quoted = len == 0;

    if (size == 0)
        return 0;
    for (size_t i = 0; i < len; i++) {
        quoted |= !plain(t[i], 0);
        full += plain(t[i], 1) ? 1 : 4;
    }
    room = size - 1;
    if (quoted && room >= 2)
        room -= 2;
    else if (quoted)
        room = 0;
    /* What is cut leaves room for its dots, and an escape is never cut in two. */
    int cut = full > room;
    if (cut)
        room = room > 3 ? room - 3 : 0;

    if (quoted && size >= 3)
        out[used++] = '"';
    size_t start = used;
    for (size_t i = 0; i < len; i++) {
        size_t n = plain(t[i], 1) ? 1 : 4;

        if (used - start + n > room)
            break;
        used += put(out + used, t[i]);
    }
    if (cut) {
        size_t left = size - 1 - used - (quoted && size >= 3);
        size_t dots = left < 3 ? left : 3;

        memcpy(out + used, "...", dots);
        used += dots;
    }
    if (quoted && size >= 3)
        out[used++] = '"';
    out[used] = '\0';
    return used;
}
