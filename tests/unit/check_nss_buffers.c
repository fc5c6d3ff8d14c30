/* nss_har/pack.c through the entry points: every buffer that a caller may bring. */
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/support/nss_call.h"

#define ROOM_BYTES 1280 /* more than any answer needs */
#define GAP_MAX 31

/* Two pages, of which the second may not be touched. Returns the first byte of the second. */
static char *guarded_end(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
    return pages + page;
}

/* What an aligned buffer needs, counted by hand. */
static size_t needed_bytes(enum entry entry, const struct expected *expected)
{
    size_t canonical = strlen(expected->canonical) + 1;
    size_t alias = expected->alias != NULL ? strlen(expected->alias) + 1 : 0;
    size_t pointers = expected->count + 1 + (alias > 0 ? 2 : 1);
    if (entry == ENTRY_4)
        return expected->count * sizeof(struct gaih_addrtuple) + canonical;
    return pointers * sizeof(char *) + expected->count * (family_of(entry) == AF_INET ? 4 : 16) +
           canonical + alias;
}

/* Returns whether the answer fitted. */
static bool try_buffer(enum entry entry, unsigned variant, const char *name,
                       const struct expected *expected, char *buffer, size_t buffer_bytes)
{
    struct call call;
    size_t skipped = -(uintptr_t)buffer % sizeof(char *);
    call_entry(entry, variant, name, buffer, buffer_bytes, &call);
    if (buffer_bytes >= skipped + needed_bytes(entry, expected)) {
        assert_succeeded(&call, expected, buffer, buffer_bytes);
        return true;
    }
    assert_failed(&call, NSS_STATUS_TRYAGAIN, NETDB_INTERNAL, ERANGE);
    return false;
}

static const char *const names[] = {NAME, ALIAS, LONGEST("b"), LONGEST("a")};
#define NAMES ((int)(sizeof names / sizeof names[0]))

/* The shortest buffer to try. Far too short for a large answer is the same at all alignments: there
 * they meet in the last bytes alone, unless HAR_LONG is set. */
static size_t first_length(size_t gap, size_t needed)
{
    bool some = gap > 0 && needed > 256 && !unit_is_long();
    return some ? needed - 16 : 0;
}

/* Every length, ending 0 to 31 bytes before a page that may not be touched, so that every length
 * meets every alignment, and with it every kind of caller. */
START_TEST(every_buffer)
{
    const char *name = names[_i / ENTRIES];
    enum entry entry = (enum entry)(_i % ENTRIES);
    char *end = guarded_end();
    struct expected expected;
    expect(row_of(name), family_of(entry), &expected);
    const size_t needed = needed_bytes(entry, &expected);
    ck_assert(!try_buffer(entry, 0, name, &expected, NULL, 0));
    for (size_t gap = 0; gap <= GAP_MAX; gap++) {
        for (size_t length = first_length(gap, needed); length <= needed + 24; length++) {
            char *buffer = end - gap - length;
            memset(end - ROOM_BYTES, POISON, ROOM_BYTES);
            bool fitted = try_buffer(entry, length % VARIANTS, name, &expected, buffer, length);
            char *clean = fitted ? buffer : end - gap;
            ck_assert(all_poison(end - ROOM_BYTES, (size_t)(clean - (end - ROOM_BYTES))));
            ck_assert(all_poison(end - gap, gap));
        }
    }
}
END_TEST

/* Who asks again for the h_name or an alias of the last gethostbyname(3) brings a name that lies in
 * the buffer. */
START_TEST(name_in_the_buffer)
{
    const char *name = names[_i / ENTRIES];
    enum entry entry = (enum entry)(_i % ENTRIES);
    struct expected expected;
    expect(row_of(name), family_of(entry), &expected);
    for (size_t at = 0; at + strlen(name) < ROOM_BYTES; at++) {
        char buffer[ROOM_BYTES];
        struct call call;
        memset(buffer, POISON, sizeof buffer);
        strcpy(buffer + at, name);
        call_entry(entry, 0, buffer + at, buffer, sizeof buffer, &call);
        assert_succeeded(&call, &expected, buffer, sizeof buffer);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nss_buffers");
    TCase *tests = tcase_create("nss_buffers");
    tcase_add_unchecked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, every_buffer, 0, NAMES * ENTRIES);
    tcase_add_loop_test(tests, name_in_the_buffer, 0, NAMES * ENTRIES);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
