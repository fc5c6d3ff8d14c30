/* libFuzzer: any bytes as ranking.db, a few names looked up.
 *
 *   clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. \
 *       tests/fuzz/fuzz_lookup.c ranking/lookup.c ranking/btree.c ranking/record.c \
 *       common/address.c common/name.c -o fuzz_lookup
 *   ./fuzz_lookup -max_len=16384 -close_fd_mask=1 CORPUS
 *
 * Good seeds are rankings of 0 to 40 rows with pages of 512 to 4,096 bytes and names such as
 * host07.host07.host07, some of them long enough to overflow. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranking/lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static char path[] = "/dev/shm/fuzz_lookup.XXXXXX";

static void remove_file(void)
{
    unlink(path);
}

/* Not a memory file descriptor: its path is a link, and lookups follow none. */
static void write_file(const uint8_t *bytes, size_t count)
{
    static int fd = -1;
    if (fd < 0) {
        fd = mkstemp(path);
        atexit(remove_file);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, bytes, count, 0) != (ssize_t)count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"a", "host07.host07.host07", "host12.host12.host12", "zzz"};
    write_file(bytes, count);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct ranking_answer answer;
        memset(&answer, 0xa5, sizeof answer);
        enum ranking_result result = ranking_lookup(path, names[i], AF_UNSPEC, 1, &answer);
        if (result == RANKING_FOUND &&
            (answer.count < 1 || answer.count > RANKING_ANSWERS_MAX ||
             memchr(answer.canonical, '\0', sizeof answer.canonical) == NULL))
            abort();
    }
    return 0;
}
