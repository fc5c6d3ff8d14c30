/* Any bytes as ranking.db, a few names looked up: an answer or none, and no more than was promised.
 *
 * The corpus begins with rankings of 0 to 40 rows, pages of 512 to 8,192 bytes and names such as
 * host07.host07.host07, some of them long enough to overflow, one in two with weights. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ranking/lookup.h"
#include "tests/fuzz/fuzz.h"

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
    PROMISE(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, count, 0) == (ssize_t)count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"a", "host07.host07.host07", "host12.host12.host12", "zzz"};
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNSPEC};
    write_file(bytes, count);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct ranking_answer answer;
        memset(&answer, 0xa5, sizeof answer);
        enum ranking_result result = ranking_lookup(path, names[i], families[i], 1, &answer);
        if (result == RANKING_FOUND) {
            PROMISE(answer.count >= 1 && answer.count <= RANKING_ANSWERS_MAX);
            for (unsigned a = 0; a < answer.count; a++)
                PROMISE(families[i] == AF_UNSPEC ? answer.addresses[a].family == AF_INET ||
                                                       answer.addresses[a].family == AF_INET6
                                                 : answer.addresses[a].family == families[i]);
            PROMISE(memchr(answer.canonical, '\0', sizeof answer.canonical) != NULL);
            PROMISE(strcmp(answer.canonical, names[i]) == 0 ||
                    har_name_problem(answer.canonical) == NULL);
        }
    }
    return 0;
}
