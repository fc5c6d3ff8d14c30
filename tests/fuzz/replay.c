/* Gives a target every file of its corpus once: what a fuzzer ever found holds in every build.
 *
 *   replay_TARGET [FILE...]      (without files: the whole corpus, below $HAR_SRCDIR) */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* Exactly as large as the file, so that a sanitizer sees a read past the end. */
static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t count = (size_t)ftell(file);
    uint8_t *bytes = malloc(count > 0 ? count : 1);
    rewind(file);
    if (bytes == NULL || fread(bytes, 1, count, file) != count) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last one is the one that fails */
    LLVMFuzzerTestOneInput(bytes, count);
    free(bytes);
}

static int replay_corpus(const char *folder)
{
    DIR *corpus = opendir(folder);
    int count = 0;
    if (corpus == NULL) {
        perror(folder);
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(corpus)) != NULL;) {
        char path[4096 + sizeof entry->d_name];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay(path);
        count++;
    }
    closedir(corpus);
    return count;
}

int main(int argc, char **argv)
{
    const char *source = getenv("HAR_SRCDIR");
    char folder[4096];
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc > 1)
        return EXIT_SUCCESS;
    snprintf(folder, sizeof folder, "%s/%s", source != NULL ? source : ".", FUZZ_CORPUS);
    int count = replay_corpus(folder);
    printf("%d inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
