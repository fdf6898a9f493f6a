/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files and folders of files: the corpus in builds without libFuzzer. */
#include "arena.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned count;

static int run_file(const char *path)
{
    static uint8_t buffer[1u << 20];
    FILE *f = fopen(path, "rb");
    uint8_t *data;
    size_t size;

    if (!f) {
        perror(path);
        return 1;
    }
    size = fread(buffer, 1, sizeof(buffer), f);
    fclose(f);
    /* A block of its own, so that a read past the end shows. */
    data = malloc(size ? size : 1);
    if (!data)
        return 1;
    memcpy(data, buffer, size);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    count++;
    return 0;
}

static int run_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    int bad = 0;

    if (!dir) {
        perror(path);
        return 1;
    }
    while ((e = readdir(dir)) != NULL) {
        char file[4096];

        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        bad |= run_file(file);
    }
    closedir(dir);
    return bad;
}

int main(int argc, char **argv)
{
    int bad = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            bad |= run_folder(argv[i]);
        else
            bad |= run_file(argv[i]);
    }
    printf("%u inputs\n", count);
    return bad || count == 0;
}
