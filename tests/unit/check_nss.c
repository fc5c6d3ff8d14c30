/* nss_har/: what glibc is told, for every entry point, status and kind of caller. */
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "tests/support/nss_call.h"

/* --- The clock -------------------------------------------------------------------------------- */

static int64_t clock_s;   /* what time the module is told it is; 0: the true one */
static int clock_refused; /* with this errno; 0: no */

/* What the module calls for clock_gettime(2). A clock that is none of the day has just begun. */
int test_clock_gettime(clockid_t clock, struct timespec *now)
{
    bool of_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (of_day && clock_refused != 0) {
        errno = clock_refused;
        return -1;
    }
    timespec_get(now, TIME_UTC);
    if (!of_day || clock_s != 0)
        now->tv_sec = of_day ? (time_t)clock_s : 0;
    return 0;
}

/* --- Statuses --------------------------------------------------------------------------------- */

/* In capitals and with a dot at the end. */
static const char *typed_otherwise(const char *name)
{
    static char typed[HAR_NAME_MAX + 2];
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        typed[i] = (char)toupper(name[i]);
    strcpy(typed + length, ".");
    return typed;
}

START_TEST(success)
{
    const struct ranking_row *row = &rows[_i / ENTRIES];
    enum entry entry = (enum entry)(_i % ENTRIES);
    struct expected expected;
    expect(row, family_of(entry), &expected);
    if (strcmp(row->status, RANKING_STATUS_ANSWER) != 0 || expected.count == 0)
        return; /* see failure */
    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        char buffer[2048];
        struct call call;
        call_entry(entry, variant, row->name, buffer, sizeof buffer, &call);
        assert_succeeded(&call, &expected, buffer, sizeof buffer);
        call_entry(entry, variant, typed_otherwise(row->name), buffer, sizeof buffer, &call);
        assert_succeeded(&call, &expected, buffer, sizeof buffer);
    }
}
END_TEST

#define EVERY ((1 << ENTRIES) - 1)
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
    {"none2.example.com", EVERY, NSS_STATUS_NOTFOUND, NO_DATA, 0},
    {FAILING, EVERY, NSS_STATUS_TRYAGAIN, TRY_AGAIN, EAGAIN},
    {"failing2.example.com", EVERY, NSS_STATUS_TRYAGAIN, TRY_AGAIN, EAGAIN},
    {"failing3.example.com", EVERY, NSS_STATUS_TRYAGAIN, TRY_AGAIN, EAGAIN},
    {"forward.example.com", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {"forward2.example.com", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {"forward3.example.com", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {"absent.example.com", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {"", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {".", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {NAME "..", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
    {LONGEST("a") "a", EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
};

/* name gives this at all entry points of the set, to every caller, whatever the buffer. */
static void assert_failure(const char *name, int entries, enum nss_status status, int h_error,
                           int error)
{
    for (unsigned i = 0; i < ENTRIES * VARIANTS; i++) {
        enum entry entry = (enum entry)(i / VARIANTS);
        char buffer[256];
        struct call call;
        if ((entries & 1 << entry) == 0)
            continue;
        memset(buffer, POISON, sizeof buffer);
        call_entry(entry, i % VARIANTS, name, buffer, sizeof buffer, &call);
        assert_failed(&call, status, h_error, error);
        call_entry(entry, i % VARIANTS, name, buffer, 0, &call);
        assert_failed(&call, status, h_error, error);
        ck_assert(all_poison(buffer, sizeof buffer));
    }
}

START_TEST(failure)
{
    assert_failure(cases[_i].name, cases[_i].entries, cases[_i].status, cases[_i].h_error,
                   cases[_i].error);
}
END_TEST

static void assert_unavailable(int error)
{
    static const char *const names[] = {NAME, ALIAS, FAILING, "none.example.com",
                                        "forward.example.com"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_failure(names[i], EVERY, NSS_STATUS_UNAVAIL, NO_RECOVERY, error);
}

START_TEST(ranking_expired)
{
    publish(time(NULL) - 1);
    assert_unavailable(ESTALE);
    set_up();
}
END_TEST

/* Unix time in seconds: about now, where 32 bits end, and where four digits of a year do. */
static const int64_t expiries_s[] = {
    1700000000,   INT32_MAX, INT32_MAX + INT64_C(1), UINT32_MAX, UINT32_MAX + INT64_C(1),
    253402300800,
};

/* Found in the last second before the one in which it expires, and absent from then on. */
START_TEST(expires_on_the_second)
{
    struct expected expected;
    struct call call;
    char buffer[1024];
    if (sizeof(time_t) < sizeof expiries_s[_i] && expiries_s[_i] > INT32_MAX)
        return; /* such a clock says EOVERFLOW: see clock_fails */
    expect(row_of(NAME), AF_INET, &expected);
    publish(expiries_s[_i]);
    clock_s = expiries_s[_i] - 1;
    call_entry(ENTRY_2_IPV4, 0, NAME, buffer, sizeof buffer, &call);
    assert_succeeded(&call, &expected, buffer, sizeof buffer);
    clock_s = expiries_s[_i];
    assert_unavailable(ESTALE);
    clock_s = 0;
    set_up();
}
END_TEST

static const int refusals[] = {EPERM, ENOSYS, EOVERFLOW};

START_TEST(clock_fails)
{
    clock_refused = refusals[_i];
    assert_unavailable(refusals[_i]);
    clock_refused = 0;
}
END_TEST

START_TEST(ranking_missing_or_damaged)
{
    ck_assert_int_eq(unlink(HAR_RANKING_DB), 0);
    assert_unavailable(ENOENT);
    ck_assert_int_eq(symlink("/dev/null", HAR_RANKING_DB), 0);
    assert_unavailable(ELOOP);
    set_up();
    ck_assert_int_eq(truncate(HAR_RANKING_DB, 200), 0);
    assert_unavailable(EBADMSG);
    set_up();
}
END_TEST

/* A SQLite database, but of another application. */
START_TEST(ranking_foreign)
{
    int fd = open(HAR_RANKING_DB, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "else", 4, 68), 4);
    close(fd);
    assert_unavailable(EBADMSG);
    set_up();
}
END_TEST

START_TEST(out_of_descriptors)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_unavailable(EMFILE);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(other_families)
{
    static const int families[] = {AF_UNSPEC, AF_UNIX, -1};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct hostent host;
        char buffer[1024];
        char *canonical = buffer;
        int32_t ttl = POISON_INT;
        int h_error = POISON_INT;
        memset(&host, POISON, sizeof host);
        memset(buffer, POISON, sizeof buffer);
        errno = 0;
        ck_assert_int_eq(_nss_har_gethostbyname3_r(NAME, families[i], &host, buffer, sizeof buffer,
                                                   &errno, &h_error, &ttl, &canonical),
                         NSS_STATUS_UNAVAIL);
        ck_assert_int_eq(errno, EAFNOSUPPORT);
        ck_assert_int_eq(h_error, NO_RECOVERY);
        ck_assert_int_eq(ttl, POISON_INT);
        ck_assert_ptr_eq(canonical, buffer);
        ck_assert(all_poison(&host, sizeof host));
        ck_assert(all_poison(buffer, sizeof buffer));
    }
}
END_TEST

/* --- The stack -------------------------------------------------------------------------------- */

#define STACK_BYTES 131072

/* As ranking/lookup.h promises. */
#ifdef __OPTIMIZE__
#define STACK_LIMIT_BYTES 6144
#else
#define STACK_LIMIT_BYTES 6656
#endif

static char stack[STACK_BYTES] __attribute__((aligned(4096)));

/* By ENTRY_4, or by ENTRY_2_*, which goes deeper than ENTRY_3_* through which it goes. Sets *top to
 * where the stack of this begins. */
static __attribute__((noinline)) enum nss_status call_once(enum entry entry, const char *name,
                                                           char **top)
{
    static char buffer[2048];
    static struct hostent host;
    static struct gaih_addrtuple *tuples;
    static int error, h_error;
    tuples = NULL;
    *top = __builtin_frame_address(0);
    if (entry == ENTRY_4)
        return _nss_har_gethostbyname4_r(name, &tuples, buffer, sizeof buffer, &error, &h_error,
                                         NULL);
    return _nss_har_gethostbyname2_r(name, family_of(entry), &host, buffer, sizeof buffer, &error,
                                     &h_error);
}

struct stack_use {
    enum entry entry;
    const char *name;
    size_t bytes; /* of the stack that a call uses; 0 when it fails */
};

static void *call_on_painted_stack(void *argument)
{
    struct stack_use *use = argument;
    char *top;
    /* The linker binds the module's symbols when it loads it, but ours only now. */
    call_once(use->entry, use->name, &top);
    size_t below = (size_t)((char *)__builtin_frame_address(0) - stack) - 256; /* not our frame */
    for (size_t i = 0; i < below; i++)
        ((volatile char *)stack)[i] = (char)POISON;
    enum nss_status status = call_once(use->entry, use->name, &top);
    size_t clean = 0;
    while (clean < below && stack[clean] == (char)POISON)
        clean++;
    use->bytes = status == NSS_STATUS_SUCCESS ? (size_t)(top - stack) - clean : 0;
    return NULL;
}

/* With the smallest pages a name goes on in other pages, and a row in yet more of them. */
static void publish_on_small_pages(void)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(HAR_RANKING_DB, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA page_size = 512; VACUUM", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static size_t stack_use(enum entry entry, const char *name)
{
    pthread_t thread;
    pthread_attr_t attributes;
    struct stack_use use = {.entry = entry, .name = name};
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, call_on_painted_stack, &use), 0);
    pthread_join(thread, NULL);
    return use.bytes;
}

/* Threads with stacks of 16 KiB call getaddrinfo. The longest name has the longest row, as an alias
 * and in a group, or as neither. */
START_TEST(little_stack)
{
    static const char *const names[] = {NAME, GROUP, LONGEST("a"), LONGEST("b")};
    static const enum entry entries[] = {ENTRY_4, ENTRY_2_IPV4, ENTRY_2_IPV6};
    if (_i == 1)
        publish_on_small_pages();
    for (size_t i = 0; i < 12; i++) {
        size_t bytes = stack_use(entries[i % 3], names[i / 3]);
        ck_assert_uint_gt(bytes, RANKING_ROW_MAX);
        ck_assert_uint_le(bytes, STACK_LIMIT_BYTES);
    }
    set_up();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nss");
    TCase *tests = tcase_create("nss");
    tcase_add_unchecked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, success, 0, (int)ROWS * ENTRIES);
    tcase_add_loop_test(tests, failure, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tests, ranking_expired);
    tcase_add_loop_test(tests, expires_on_the_second, 0, sizeof expiries_s / sizeof expiries_s[0]);
    tcase_add_loop_test(tests, clock_fails, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_test(tests, ranking_missing_or_damaged);
    tcase_add_test(tests, ranking_foreign);
    tcase_add_test(tests, out_of_descriptors);
    tcase_add_test(tests, other_families);
    if (!UNIT_SANITIZED) /* sanitizers make frames larger */
        tcase_add_loop_test(tests, little_stack, 0, 2);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
