#include "har_config.h"

#include "tests/support/host_program.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TARGET_BYTES 128
#define MAPS_BYTES 65536

/* Takes no memory of its own when it is filled again. */
static struct holdings {
    char descriptors[HOLDS_LAST + 1][TARGET_BYTES]; /* what each is open on; "" for closed */
    char maps[MAPS_BYTES];
    long anonymous_kb;
    size_t heap_bytes;
} before, after;

static void read_all(const char *path, char *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    need(fd >= 0, path);
    size_t count = 0;
    for (ssize_t got = 1; got > 0; count += (size_t)got) {
        got = read(fd, text + count, MAPS_BYTES - 1 - count);
        need(got >= 0, path);
    }
    close(fd);
    need(count < MAPS_BYTES - 1, "room for all mappings");
    text[count] = '\0';
}

/* What the process wrote to and has in memory; not the pages of files, which come and go. */
static long anonymous_kb(char *scratch)
{
    read_all("/proc/self/smaps_rollup", scratch);
    const char *line = strstr(scratch, "\nAnonymous:");
    need(line != NULL, "Anonymous: in /proc/self/smaps_rollup");
    return strtol(line + strlen("\nAnonymous:"), NULL, 10);
}

static void read_descriptors(struct holdings *holdings)
{
    for (int fd = 0; fd <= HOLDS_LAST; fd++) {
        char link[32];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t count = readlink(link, holdings->descriptors[fd], TARGET_BYTES - 1);
        holdings->descriptors[fd][count < 0 ? 0 : count] = '\0';
    }
}

static void take(struct holdings *holdings)
{
    memset(holdings, 0xa5, sizeof *holdings);
    struct mallinfo2 heap = mallinfo2();
    holdings->heap_bytes = heap.uordblks + heap.hblkhd;
    read_descriptors(holdings);
    holdings->anonymous_kb = anonymous_kb(holdings->maps);
    read_all("/proc/self/maps", holdings->maps);
}

void holds_remember(void)
{
    take(&after); /* so that its pages are there, too */
    take(&before);
}

/* Both are texts of lines. Names the first line that only one of them has. */
static void compare_maps(const char *was, const char *is)
{
    while (*was != '\0' || *is != '\0') {
        size_t was_bytes = strcspn(was, "\n");
        size_t is_bytes = strcspn(is, "\n");
        if (was_bytes != is_bytes || memcmp(was, is, is_bytes) != 0)
            fail("a mapping was \"%.*s\" and is \"%.*s\"", (int)was_bytes, was, (int)is_bytes, is);
        was += was_bytes + (was[was_bytes] != '\0');
        is += is_bytes + (is[is_bytes] != '\0');
    }
}

void holds_compare(void)
{
    take(&after);
    for (int fd = 0; fd <= HOLDS_LAST; fd++) {
        if (strcmp(before.descriptors[fd], after.descriptors[fd]) != 0)
            fail("descriptor %d was \"%s\" and is \"%s\"", fd, before.descriptors[fd],
                 after.descriptors[fd]);
    }
    compare_maps(before.maps, after.maps);
    if (after.heap_bytes != before.heap_bytes)
        fail("the heap held %zu bytes and holds %zu", before.heap_bytes, after.heap_bytes);
}

/* As holds_compare found it. */
void holds_compare_memory(void)
{
    if (after.anonymous_kb > before.anonymous_kb) /* less: some of it was swapped out */
        fail("memory was %ld kB and is %ld kB", before.anonymous_kb, after.anonymous_kb);
}

void holds_no_descriptor(int first, int last)
{
    for (int fd = first; fd <= last; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            fail("descriptor %d is open", fd);
    }
}
