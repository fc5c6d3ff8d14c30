/* nss_har/: what glibc is told, for every entry point and every buffer that it may bring. */
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ranking/publish.h"
#include "ranking/schema.h"
#include "tests/support/unit.h"

nss_gethostbyname_r _nss_har_gethostbyname_r;
nss_gethostbyname2_r _nss_har_gethostbyname2_r;
nss_gethostbyname3_r _nss_har_gethostbyname3_r;
nss_gethostbyname4_r _nss_har_gethostbyname4_r;

#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define POISON 0xa5
#define POISON_INT ((int)0xa5a5a5a5)
#define ERRNO_BEFORE 4321 /* a value that no call sets */
#define NAME "api.example.com"
#define ALIAS "www.example.com"

static const struct ranking_row rows[] = {
    {NAME, RANKING_STATUS_ANSWER, "2001:db8::1 192.0.2.1 192.0.2.2", 16, NULL},
    {"failing.example.com", RANKING_STATUS_FAIL, "", 1, NULL},
    {"forward.example.com", "forward", "", 1, NULL},
    {"none.example.com", RANKING_STATUS_ANSWER, "", 1, NULL},
    {"v4.example.com", RANKING_STATUS_ANSWER, "192.0.2.4", 1, NULL},
    {"v6.example.com", RANKING_STATUS_ANSWER, "2001:db8::6", 1, NULL},
    {ALIAS, RANKING_STATUS_ANSWER, "2001:db8::1 192.0.2.1 192.0.2.2", 16, NAME},
};

static void publish(int64_t expires_s)
{
    struct har_error error = {0};
    unlink(
        HAR_RANKING_DB); /* what a test put there may be none of har's, and would be left alone */
    int result =
        ranking_publish(HAR_RANKING_DB, rows, sizeof rows / sizeof rows[0], expires_s, &error);
    ck_assert_msg(result == HAR_OK, "%s", error.text);
}

static void set_up(void)
{
    publish(time(NULL) + 3600);
}

static void tear_down(void)
{
    unlink(HAR_RANKING_DB);
}

/* --- One call, its outputs poisoned ----------------------------------------------------------- */

enum entry { ENTRY_1, ENTRY_2_IPV4, ENTRY_2_IPV6, ENTRY_3_IPV4, ENTRY_3_IPV6, ENTRY_4, ENTRIES };

static int family_of(enum entry entry)
{
    if (entry == ENTRY_4)
        return AF_UNSPEC;
    return entry == ENTRY_2_IPV6 || entry == ENTRY_3_IPV6 ? AF_INET6 : AF_INET;
}

struct call {
    enum nss_status status;
    struct hostent host;
    struct gaih_addrtuple *tuples;
    char *canonical;
    int32_t ttl;
    int errnop;      /* when it is apart from errno */
    int errno_after; /* what errno itself says */
    int h_errnop;
};

static void call_entry(enum entry entry, const char *name, char *buffer, size_t buffer_bytes,
                       bool errnop_apart, struct call *call)
{
    memset(call, POISON, sizeof *call);
    call->tuples = NULL;
    int *errnop = errnop_apart ? &call->errnop : &errno;
    errno = ERRNO_BEFORE;
    if (entry == ENTRY_1)
        call->status = _nss_har_gethostbyname_r(name, &call->host, buffer, buffer_bytes, errnop,
                                                &call->h_errnop);
    else if (entry == ENTRY_2_IPV4 || entry == ENTRY_2_IPV6)
        call->status = _nss_har_gethostbyname2_r(name, family_of(entry), &call->host, buffer,
                                                 buffer_bytes, errnop, &call->h_errnop);
    else if (entry == ENTRY_3_IPV4 || entry == ENTRY_3_IPV6)
        call->status =
            _nss_har_gethostbyname3_r(name, family_of(entry), &call->host, buffer, buffer_bytes,
                                      errnop, &call->h_errnop, &call->ttl, &call->canonical);
    else
        call->status = _nss_har_gethostbyname4_r(name, &call->tuples, buffer, buffer_bytes, errnop,
                                                 &call->h_errnop, &call->ttl);
    call->errno_after = errno;
}

static bool all_poison(const void *from, size_t count)
{
    const unsigned char *bytes = from;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != POISON)
            return false;
    }
    return true;
}

/* errnop tells error (0: nothing); errno itself is changed only where errnop points to it. */
static void assert_errors(const struct call *call, bool errnop_apart, int error)
{
    int told = error != 0 ? error : errnop_apart ? POISON_INT : ERRNO_BEFORE;
    if (errnop_apart) {
        ck_assert_int_eq(call->errnop, told);
        ck_assert_int_eq(call->errno_after, ERRNO_BEFORE);
    } else {
        ck_assert_int_eq(call->errno_after, told);
    }
}

static void assert_untouched(const struct call *call)
{
    ck_assert(all_poison(&call->host, sizeof call->host));
    ck_assert(all_poison(&call->canonical, sizeof call->canonical));
    ck_assert_ptr_null(call->tuples);
}

/* The time to live is 0, or it was not told. */
static void assert_ttl(enum entry entry, const struct call *call, bool told)
{
    ck_assert_int_eq(call->ttl, told && entry >= ENTRY_3_IPV4 ? 0 : POISON_INT);
}

static bool inside(const void *pointer, size_t count, const char *buffer, size_t buffer_bytes)
{
    uintptr_t at = (uintptr_t)pointer;
    uintptr_t begin = (uintptr_t)buffer;
    return at >= begin && at + count <= begin + buffer_bytes;
}

/* The host is NAME with two IPv4 addresses or one IPv6 address, all of it in the buffer. */
static void assert_host(const struct hostent *host, int family, bool alias, const char *buffer,
                        size_t buffer_bytes)
{
    static const unsigned char ipv4[2][4] = {{192, 0, 2, 1}, {192, 0, 2, 2}};
    static const unsigned char ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    int count = family == AF_INET ? 2 : 1;
    size_t length = family == AF_INET ? 4 : 16;
    ck_assert_str_eq(host->h_name, NAME);
    ck_assert(inside(host->h_name, sizeof NAME, buffer, buffer_bytes));
    ck_assert_int_eq(host->h_addrtype, family);
    ck_assert_int_eq(host->h_length, (int)length);
    ck_assert_uint_eq((uintptr_t)host->h_addr_list % sizeof(char *), 0);
    for (int i = 0; i < count; i++) {
        ck_assert(inside(host->h_addr_list[i], length, buffer, buffer_bytes));
        ck_assert_uint_eq((uintptr_t)host->h_addr_list[i] % 4, 0);
        ck_assert_mem_eq(host->h_addr_list[i], family == AF_INET ? ipv4[i] : ipv6, length);
    }
    ck_assert_ptr_null(host->h_addr_list[count]);
    if (alias)
        ck_assert_str_eq(host->h_aliases[0], ALIAS);
    ck_assert_ptr_null(host->h_aliases[alias ? 1 : 0]);
    ck_assert(inside(&host->h_aliases[alias ? 1 : 0], sizeof(char *), buffer, buffer_bytes));
}

/* The tuples are all three addresses of NAME, best first. */
static void assert_tuples(const struct gaih_addrtuple *tuple, const char *buffer,
                          size_t buffer_bytes)
{
    static const unsigned char expected[3][16] = {
        {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, {192, 0, 2, 1}, {192, 0, 2, 2}};
    for (int i = 0; i < 3; i++, tuple = tuple->next) {
        ck_assert_ptr_nonnull(tuple);
        ck_assert(inside(tuple->name, sizeof NAME, buffer, buffer_bytes));
        ck_assert_str_eq(tuple->name, NAME);
        ck_assert_int_eq(tuple->family, i == 0 ? AF_INET6 : AF_INET);
        ck_assert_mem_eq(tuple->addr, expected[i], 16);
        ck_assert_uint_eq(tuple->scopeid, 0);
    }
    ck_assert_ptr_null(tuple);
}

static void assert_success(enum entry entry, const struct call *call, bool alias,
                           const char *buffer, size_t buffer_bytes)
{
    ck_assert_int_eq(call->status, NSS_STATUS_SUCCESS);
    ck_assert_int_eq(call->h_errnop, 0);
    assert_ttl(entry, call, true);
    if (entry == ENTRY_4) {
        ck_assert(inside(call->tuples, sizeof *call->tuples, buffer, buffer_bytes));
        assert_tuples(call->tuples, buffer, buffer_bytes);
        return;
    }
    assert_host(&call->host, family_of(entry), alias, buffer, buffer_bytes);
    if (entry >= ENTRY_3_IPV4)
        ck_assert_ptr_eq(call->canonical, call->host.h_name);
}

/* --- Statuses --------------------------------------------------------------------------------- */

START_TEST(success)
{
    for (int entry = 0; entry < ENTRIES; entry++) {
        for (int variant = 0; variant < 4; variant++) {
            bool apart = variant % 2 == 0;
            bool alias = variant / 2 == 1;
            char buffer[1024];
            struct call call;
            call_entry((enum entry)entry, alias ? "WWW.Example.com." : NAME, buffer, sizeof buffer,
                       apart, &call);
            assert_success((enum entry)entry, &call, alias, buffer, sizeof buffer);
            assert_errors(&call, apart, 0);
        }
    }
}
END_TEST

#define EVERY (1 << ENTRIES) - 1
#define IPV4_ONLY (1 << ENTRY_1 | 1 << ENTRY_2_IPV4 | 1 << ENTRY_3_IPV4)
#define IPV6_ONLY (1 << ENTRY_2_IPV6 | 1 << ENTRY_3_IPV6)

static const struct {
    const char *name;
    int entries;
    enum nss_status status;
    int h_error;
    int error;
} cases[] = {
    {"v6.example.com", IPV4_ONLY, NSS_STATUS_NOTFOUND, NO_DATA, 0},
    {"v4.example.com", IPV6_ONLY, NSS_STATUS_NOTFOUND, NO_DATA, 0},
    {"none.example.com", EVERY, NSS_STATUS_NOTFOUND, NO_DATA, 0},
    {"failing.example.com", EVERY, NSS_STATUS_TRYAGAIN, TRY_AGAIN, EAGAIN},
    {"forward.example.com", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {"absent.example.com", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {"", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
};

/* name gives this at all entry points of the set, whatever the buffer, and writes nothing else. */
static void assert_failure(const char *name, int entries, enum nss_status status, int h_error,
                           int error)
{
    for (int i = 0; i < ENTRIES * 4; i++) {
        enum entry entry = (enum entry)(i / 4);
        bool apart = i % 2 == 0;
        char buffer[256];
        struct call call;
        if ((entries & 1 << entry) == 0)
            continue;
        memset(buffer, POISON, sizeof buffer);
        call_entry(entry, name, buffer, i / 2 % 2 == 0 ? sizeof buffer : 0, apart, &call);
        ck_assert_msg(call.status == status && call.h_errnop == h_error,
                      "%s, entry %d: status %d, h_errno %d", name, (int)entry, (int)call.status,
                      call.h_errnop);
        assert_errors(&call, apart, error);
        assert_untouched(&call);
        assert_ttl(entry, &call, status != NSS_STATUS_UNAVAIL);
        ck_assert(all_poison(buffer, sizeof buffer));
    }
}

START_TEST(failure)
{
    assert_failure(cases[_i].name, cases[_i].entries, cases[_i].status, cases[_i].h_error,
                   cases[_i].error);
}
END_TEST

START_TEST(ranking_expired)
{
    publish(time(NULL) - 1);
    assert_failure(NAME, EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ESTALE);
    assert_failure("failing.example.com", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ESTALE);
    set_up();
}
END_TEST

START_TEST(ranking_missing_or_damaged)
{
    ck_assert_int_eq(unlink(HAR_RANKING_DB), 0);
    assert_failure(NAME, EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT);
    ck_assert_int_eq(symlink("/dev/null", HAR_RANKING_DB), 0);
    assert_failure(NAME, EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ELOOP);
    set_up();
    ck_assert_int_eq(truncate(HAR_RANKING_DB, 200), 0);
    assert_failure(NAME, EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, EBADMSG);
    set_up();
}
END_TEST

START_TEST(other_families)
{
    static const int families[] = {AF_UNSPEC, AF_UNIX, -1};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct hostent host;
        char buffer[1024];
        int error = POISON_INT;
        int h_error = POISON_INT;
        memset(&host, POISON, sizeof host);
        ck_assert_int_eq(_nss_har_gethostbyname2_r(NAME, families[i], &host, buffer, sizeof buffer,
                                                   &error, &h_error),
                         NSS_STATUS_UNAVAIL);
        ck_assert_int_eq(error, EAFNOSUPPORT);
        ck_assert_int_eq(h_error, NO_RECOVERY);
        ck_assert(all_poison(&host, sizeof host));
    }
}
END_TEST

START_TEST(optional_outputs)
{
    struct hostent host;
    struct gaih_addrtuple *tuples = NULL;
    char buffer[1024];
    int error;
    int h_error;
    ck_assert_int_eq(_nss_har_gethostbyname3_r(NAME, AF_INET, &host, buffer, sizeof buffer, &error,
                                               &h_error, NULL, NULL),
                     NSS_STATUS_SUCCESS);
    assert_host(&host, AF_INET, false, buffer, sizeof buffer);
    ck_assert_int_eq(
        _nss_har_gethostbyname4_r(NAME, &tuples, buffer, sizeof buffer, &error, &h_error, NULL),
        NSS_STATUS_SUCCESS);
    assert_tuples(tuples, buffer, sizeof buffer);
}
END_TEST

/* As nscd calls: the first tuple is its own. It is written on success alone. */
START_TEST(tuple_of_the_caller)
{
    struct gaih_addrtuple own;
    struct gaih_addrtuple *tuples = &own;
    char buffer[1024];
    int error;
    int h_error;
    memset(&own, POISON, sizeof own);
    ck_assert_int_eq(_nss_har_gethostbyname4_r(NAME, &tuples, buffer, 40, &error, &h_error, NULL),
                     NSS_STATUS_TRYAGAIN);
    ck_assert_ptr_eq(tuples, &own);
    ck_assert(all_poison(&own, sizeof own));
    ck_assert_int_eq(
        _nss_har_gethostbyname4_r(NAME, &tuples, buffer, sizeof buffer, &error, &h_error, NULL),
        NSS_STATUS_SUCCESS);
    ck_assert_ptr_eq(tuples, &own);
    assert_tuples(&own, buffer, sizeof buffer);
}
END_TEST

/* --- Buffers ---------------------------------------------------------------------------------- */

#define ROOM_BYTES 512 /* more than any answer here needs */
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
static size_t needed_bytes(enum entry entry, bool alias)
{
    size_t names = sizeof NAME + (alias ? sizeof ALIAS : 0);
    size_t alias_pointers = alias ? 2 : 1;
    if (entry == ENTRY_4)
        return 3 * sizeof(struct gaih_addrtuple) + sizeof NAME;
    if (family_of(entry) == AF_INET)
        return (3 + alias_pointers) * sizeof(char *) + 2 * 4 + names;
    return (2 + alias_pointers) * sizeof(char *) + 16 + names;
}

static void try_buffer(enum entry entry, bool alias, char *buffer, size_t buffer_bytes, bool apart)
{
    struct call call;
    size_t skipped = -(uintptr_t)buffer % sizeof(char *);
    call_entry(entry, alias ? ALIAS : NAME, buffer, buffer_bytes, apart, &call);
    if (buffer_bytes >= skipped + needed_bytes(entry, alias)) {
        assert_success(entry, &call, alias, buffer, buffer_bytes);
        assert_errors(&call, apart, 0);
        return;
    }
    ck_assert_int_eq(call.status, NSS_STATUS_TRYAGAIN);
    ck_assert_int_eq(call.h_errnop, NETDB_INTERNAL);
    assert_errors(&call, apart, ERANGE);
    assert_untouched(&call);
    assert_ttl(entry, &call, false);
    ck_assert(all_poison(buffer, buffer_bytes));
}

/* Every length, ending 0 to 31 bytes before a page that may not be touched, so that every length
 * meets every alignment. */
START_TEST(every_buffer)
{
    char *end = guarded_end();
    enum entry entry = (enum entry)(_i / 2);
    bool alias = _i % 2 == 1;
    for (size_t gap = 0; gap <= GAP_MAX; gap++) {
        for (size_t length = 0; length <= needed_bytes(entry, alias) + 24; length++) {
            char *buffer = end - gap - length;
            memset(end - ROOM_BYTES, POISON, ROOM_BYTES);
            try_buffer(entry, alias, buffer, length, length % 2 == 0);
            ck_assert(all_poison(end - ROOM_BYTES, (size_t)(buffer - (end - ROOM_BYTES))));
            ck_assert(all_poison(end - gap, gap));
        }
    }
}
END_TEST

/* --- The stack -------------------------------------------------------------------------------- */

#define STACK_BYTES 131072
#define STACK_LIMIT_BYTES 6144

static char stack[STACK_BYTES] __attribute__((aligned(4096)));

static enum nss_status call_once(void)
{
    static char buffer[1024];
    struct gaih_addrtuple *tuples = NULL;
    int error;
    int h_error;
    return _nss_har_gethostbyname4_r(NAME, &tuples, buffer, sizeof buffer, &error, &h_error, NULL);
}

/* Writes to *argument how many bytes of the stack a call uses; 0 when it fails. */
static void *call_on_painted_stack(void *argument)
{
    call_once(); /* the linker binds the module's symbols when it loads it, but ours only now */
    size_t below = (size_t)((char *)__builtin_frame_address(0) - stack) - 256; /* not our frame */
    for (size_t i = 0; i < below; i++)
        ((volatile char *)stack)[i] = (char)POISON;
    enum nss_status status = call_once();
    size_t clean = 0;
    while (clean < below && stack[clean] == (char)POISON)
        clean++;
    *(size_t *)argument = status == NSS_STATUS_SUCCESS ? below - clean + 256 : 0;
    return NULL;
}

/* Threads with stacks of 16 KiB call getaddrinfo. */
START_TEST(stack_use)
{
    pthread_t thread;
    pthread_attr_t attributes;
    size_t used = 0;
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, call_on_painted_stack, &used), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_gt(used, RANKING_ROW_MAX);
    ck_assert_uint_le(used, STACK_LIMIT_BYTES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nss");
    TCase *tests = tcase_create("nss");
    tcase_add_unchecked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, success);
    tcase_add_loop_test(tests, failure, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tests, ranking_expired);
    tcase_add_test(tests, ranking_missing_or_damaged);
    tcase_add_test(tests, other_families);
    tcase_add_test(tests, optional_outputs);
    tcase_add_test(tests, tuple_of_the_caller);
    tcase_add_loop_test(tests, every_buffer, 0, 2 * ENTRIES);
    if (!SANITIZED) /* sanitizers make frames larger */
        tcase_add_test(tests, stack_use);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
