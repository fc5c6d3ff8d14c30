/* The entry points of libnss_har called with every output poisoned first, in a ranking of its own
 * rows, and what each call must have left. For one test program each: it includes this once. */
#ifndef HAR_TESTS_SUPPORT_NSS_CALL_H
#define HAR_TESTS_SUPPORT_NSS_CALL_H

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/name.h"
#include "ranking/publish.h"
#include "ranking/schema.h"
#include "tests/support/unit.h"

nss_gethostbyname_r _nss_har_gethostbyname_r;
nss_gethostbyname2_r _nss_har_gethostbyname2_r;
nss_gethostbyname3_r _nss_har_gethostbyname3_r;
nss_gethostbyname4_r _nss_har_gethostbyname4_r;

#define POISON 0xa5
#define POISON_INT ((int)0xa5a5a5a5)
#define ERRNO_BEFORE 4321 /* a value that no call sets */
#define NAME "api.example.com"
#define ALIAS "www.example.com"
#define FAILING "failing.example.com"
#define GROUP "group.example.com" /* whose first address has all the weight */

/* A name of HAR_NAME_MAX bytes: 127 labels of one letter. */
#define TIMES_3(text) text text text
#define TIMES_7(text) text text text text text text text
#define LONGEST(letter)                                                                            \
    TIMES_3(TIMES_3(TIMES_7(letter "."))) TIMES_3(TIMES_3(TIMES_7(letter "."))) letter

/* Filled by set_up: RANKING_ADDRESSES_MAX addresses, each as long as an address can be; and their
 * weights, all of it the first one's. */
static char most_addresses[2048];
static char most_weights[2 * RANKING_ADDRESSES_MAX + 1];

/* Sorted. */
static const struct ranking_row rows[] = {
    {LONGEST("a"), RANKING_STATUS_ANSWER, most_addresses, 16, LONGEST("b"), most_weights},
    {NAME, RANKING_STATUS_ANSWER, "2001:db8::1 192.0.2.1 192.0.2.2", 16, NULL, NULL},
    {LONGEST("b"), RANKING_STATUS_ANSWER, most_addresses, 16, NULL, NULL},
    {"best.example.com", RANKING_STATUS_ANSWER, "192.0.2.1 2001:db8::1 192.0.2.2", 1, NULL, NULL},
    {FAILING, RANKING_STATUS_FAIL, "", 1, NULL, NULL},
    {"failing2.example.com", RANKING_STATUS_FAIL, "192.0.2.1 2001:db8::1", 1, NULL, NULL},
    {"failing3.example.com", RANKING_STATUS_FAIL, "", 1, FAILING, NULL},
    {"forward.example.com", "forward", "", 1, NULL, NULL},
    {"forward2.example.com", "forward", "192.0.2.1 2001:db8::1", 1, NULL, NULL},
    {"forward3.example.com", "answers", "192.0.2.1 2001:db8::1", 1, NAME, NULL},
    {GROUP, RANKING_STATUS_ANSWER, "192.0.2.1 2001:db8::1 192.0.2.2", 16, NULL, "1 -1 0"},
    {"none.example.com", RANKING_STATUS_ANSWER, "", 1, NULL, NULL},
    {"none2.example.com", RANKING_STATUS_ANSWER, "", 16, "none.example.com", NULL},
    {"two.example.com", RANKING_STATUS_ANSWER, "192.0.2.1 192.0.2.2 2001:db8::1 192.0.2.3", 2, NULL,
     NULL},
    {"v4.example.com", RANKING_STATUS_ANSWER, "192.0.2.4", 1, NULL, NULL},
    {"v6.example.com", RANKING_STATUS_ANSWER, "2001:db8::6", 1, NULL, NULL},
    {ALIAS, RANKING_STATUS_ANSWER, "2001:db8::1 192.0.2.1 192.0.2.2", 16, NAME, NULL},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* The row of a name, which must have one. */
static inline const struct ranking_row *row_of(const char *name)
{
    size_t i = 0;
    while (strcmp(rows[i].name, name) != 0)
        i++;
    return &rows[i];
}

static inline void publish(int64_t expires_s)
{
    struct har_error error = {0};
    unlink(HAR_RANKING_DB); /* what a test put there may be none of har's, and be left alone */
    int result = ranking_publish(HAR_RANKING_DB, rows, ROWS, expires_s, &error);
    ck_assert_msg(result == HAR_OK, "%s", error.text);
}

static inline void set_up(void)
{
    char *end = most_addresses;
    for (unsigned i = 0; i < RANKING_ANSWERS_MAX; i++)
        end += sprintf(end, "%s2001:db8:1111:2222:3333:4444:5555:6%u 198.151.200.%u",
                       i > 0 ? " " : "", 100 + i, 100 + i);
    end = stpcpy(most_weights, "1 -1");
    for (unsigned i = 2; i < RANKING_ADDRESSES_MAX; i++)
        end = stpcpy(end, " 0");
    publish(time(NULL) + 3600);
}

static inline void tear_down(void)
{
    unlink(HAR_RANKING_DB);
}

/* --- One call, its outputs poisoned ----------------------------------------------------------- */

enum entry { ENTRY_1, ENTRY_2_IPV4, ENTRY_2_IPV6, ENTRY_3_IPV4, ENTRY_3_IPV6, ENTRY_4, ENTRIES };

/* In what callers differ: any sum of these. */
enum variant {
    ERRNOP_APART = 1, /* errnop does not point to errno */
    OWN_TUPLE = 2,    /* as nscd: *pat points to a tuple of the caller */
    ERRNO_ZERO = 4,   /* *errnop and errno hold 0 before the call */
    NO_TTL = 8,
    NO_CANONICAL = 16,
    VARIANTS = 32
};

static inline int family_of(enum entry entry)
{
    if (entry == ENTRY_4)
        return AF_UNSPEC;
    return entry == ENTRY_2_IPV6 || entry == ENTRY_3_IPV6 ? AF_INET6 : AF_INET;
}

struct call {
    enum nss_status status;
    struct hostent host;
    struct gaih_addrtuple own; /* the caller's */
    struct gaih_addrtuple *tuples;
    char *canonical;
    int32_t ttl;
    int errnop;       /* when it is apart from errno */
    int errno_before; /* what both held */
    int errno_after;  /* what errno itself says */
    int h_errnop;
    enum entry entry;
    unsigned variant;
};

static inline void call_entry(enum entry entry, unsigned variant, const char *name, char *buffer,
                              size_t buffer_bytes, struct call *call)
{
    memset(call, POISON, sizeof *call);
    call->entry = entry;
    call->variant = variant;
    call->tuples = variant & OWN_TUPLE ? &call->own : NULL;
    call->errno_before = variant & ERRNO_ZERO ? 0 : ERRNO_BEFORE;
    call->errnop = call->errno_before;
    int *errnop = variant & ERRNOP_APART ? &call->errnop : &errno;
    int32_t *ttlp = variant & NO_TTL ? NULL : &call->ttl;
    errno = call->errno_before;
    if (entry == ENTRY_1)
        call->status = _nss_har_gethostbyname_r(name, &call->host, buffer, buffer_bytes, errnop,
                                                &call->h_errnop);
    else if (entry == ENTRY_2_IPV4 || entry == ENTRY_2_IPV6)
        call->status = _nss_har_gethostbyname2_r(name, family_of(entry), &call->host, buffer,
                                                 buffer_bytes, errnop, &call->h_errnop);
    else if (entry == ENTRY_3_IPV4 || entry == ENTRY_3_IPV6)
        call->status = _nss_har_gethostbyname3_r(name, family_of(entry), &call->host, buffer,
                                                 buffer_bytes, errnop, &call->h_errnop, ttlp,
                                                 variant & NO_CANONICAL ? NULL : &call->canonical);
    else
        call->status = _nss_har_gethostbyname4_r(name, &call->tuples, buffer, buffer_bytes, errnop,
                                                 &call->h_errnop, ttlp);
    call->errno_after = errno;
}

static inline bool all_poison(const void *from, size_t count)
{
    const unsigned char *bytes = from;
    return count == 0 || (bytes[0] == POISON && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* errnop tells error (0: nothing, and no 0 either); the other of errnop and errno is left alone. */
static inline void assert_errors(const struct call *call, int error)
{
    bool apart = (call->variant & ERRNOP_APART) != 0;
    ck_assert_int_eq(apart ? call->errnop : call->errno_after,
                     error != 0 ? error : call->errno_before);
    ck_assert_int_eq(apart ? call->errno_after : call->errnop, call->errno_before);
}

/* The time to live is 0, or it was not told. */
static inline void assert_ttl(const struct call *call, bool told)
{
    bool asked = call->entry >= ENTRY_3_IPV4 && (call->variant & NO_TTL) == 0;
    ck_assert_int_eq(call->ttl, told && asked ? 0 : POISON_INT);
}

static inline void assert_host_untouched(const struct call *call)
{
    ck_assert(all_poison(&call->host, sizeof call->host));
    ck_assert(all_poison(&call->canonical, sizeof call->canonical));
}

static inline void assert_tuples_untouched(const struct call *call)
{
    ck_assert(all_poison(&call->own, sizeof call->own));
    ck_assert_ptr_eq(call->tuples, call->variant & OWN_TUPLE ? &call->own : NULL);
}

/* The call ended so, and wrote nothing else. */
static inline void assert_failed(const struct call *call, enum nss_status status, int h_error,
                                 int error)
{
    ck_assert_msg(call->status == status && call->h_errnop == h_error,
                  "entry %d, variant %u: status %d, h_errno %d", (int)call->entry, call->variant,
                  (int)call->status, call->h_errnop);
    assert_errors(call, error);
    assert_ttl(call, h_error == NO_DATA || h_error == TRY_AGAIN); /* nscd would keep these */
    assert_host_untouched(call);
    assert_tuples_untouched(call);
}

/* --- What a row promises ---------------------------------------------------------------------- */

struct expected {
    const char *canonical;
    const char *alias; /* or NULL */
    unsigned count;
    struct {
        int family;
        unsigned char bytes[16];
    } addresses[RANKING_ANSWERS_MAX];
};

/* Reads the row without the product's own parser. */
static inline void expect(const struct ranking_row *row, int family, struct expected *expected)
{
    char text[sizeof most_addresses];
    char *rest = strcpy(text, row->addresses);
    const char *word;
    memset(expected, 0, sizeof *expected);
    expected->canonical = row->alias_of != NULL ? row->alias_of : row->name;
    expected->alias = row->alias_of != NULL ? row->name : NULL;
    while (expected->count < row->answers && (word = strsep(&rest, " ")) != NULL && *word != '\0') {
        int word_family = strchr(word, ':') != NULL ? AF_INET6 : AF_INET;
        if (family != AF_UNSPEC && family != word_family)
            continue;
        expected->addresses[expected->count].family = word_family;
        ck_assert_int_eq(inet_pton(word_family, word, expected->addresses[expected->count].bytes),
                         1);
        expected->count++;
    }
}

static inline bool inside(const void *pointer, size_t count, const char *buffer,
                          size_t buffer_bytes)
{
    uintptr_t at = (uintptr_t)pointer;
    uintptr_t begin = (uintptr_t)buffer;
    return at >= begin && at + count <= begin + buffer_bytes;
}

static inline void assert_text(const char *text, const char *wanted, const char *buffer,
                               size_t buffer_bytes)
{
    ck_assert(inside(text, strlen(wanted) + 1, buffer, buffer_bytes));
    ck_assert_str_eq(text, wanted);
}

static inline void assert_host(const struct hostent *host, int family,
                               const struct expected *expected, const char *buffer,
                               size_t buffer_bytes)
{
    size_t length = family == AF_INET ? 4 : 16;
    size_t aliases = expected->alias != NULL ? 1 : 0;
    assert_text(host->h_name, expected->canonical, buffer, buffer_bytes);
    ck_assert_int_eq(host->h_addrtype, family);
    ck_assert_int_eq(host->h_length, (int)length);
    ck_assert_uint_eq((uintptr_t)host->h_addr_list % sizeof(char *), 0);
    ck_assert(
        inside(host->h_addr_list, (expected->count + 1) * sizeof(char *), buffer, buffer_bytes));
    for (unsigned i = 0; i < expected->count; i++) {
        ck_assert(inside(host->h_addr_list[i], length, buffer, buffer_bytes));
        ck_assert_uint_eq((uintptr_t)host->h_addr_list[i] % 4, 0);
        ck_assert_mem_eq(host->h_addr_list[i], expected->addresses[i].bytes, length);
    }
    ck_assert_ptr_null(host->h_addr_list[expected->count]);
    ck_assert_uint_eq((uintptr_t)host->h_aliases % sizeof(char *), 0);
    ck_assert(inside(host->h_aliases, (aliases + 1) * sizeof(char *), buffer, buffer_bytes));
    if (expected->alias != NULL)
        assert_text(host->h_aliases[0], expected->alias, buffer, buffer_bytes);
    ck_assert_ptr_null(host->h_aliases[aliases]);
}

static inline void assert_tuples(const struct call *call, const struct expected *expected,
                                 const char *buffer, size_t buffer_bytes)
{
    const struct gaih_addrtuple *tuple = call->tuples;
    if (call->variant & OWN_TUPLE)
        ck_assert_ptr_eq(tuple, &call->own);
    for (unsigned i = 0; i < expected->count; i++, tuple = tuple->next) {
        ck_assert_ptr_nonnull(tuple);
        ck_assert(tuple == &call->own || inside(tuple, sizeof *tuple, buffer, buffer_bytes));
        ck_assert_uint_eq((uintptr_t)tuple % sizeof(char *), 0);
        assert_text(tuple->name, expected->canonical, buffer, buffer_bytes);
        ck_assert_int_eq(tuple->family, expected->addresses[i].family);
        ck_assert_mem_eq(tuple->addr, expected->addresses[i].bytes, 16);
        ck_assert_uint_eq(tuple->scopeid, 0);
    }
    ck_assert_ptr_null(tuple);
}

static inline void assert_succeeded(const struct call *call, const struct expected *expected,
                                    const char *buffer, size_t buffer_bytes)
{
    ck_assert_int_eq(call->status, NSS_STATUS_SUCCESS);
    ck_assert_int_eq(call->h_errnop, 0);
    assert_errors(call, 0);
    assert_ttl(call, true);
    if (call->entry == ENTRY_4) {
        assert_tuples(call, expected, buffer, buffer_bytes);
        assert_host_untouched(call);
        return;
    }
    assert_host(&call->host, family_of(call->entry), expected, buffer, buffer_bytes);
    assert_tuples_untouched(call);
    if (call->entry >= ENTRY_3_IPV4 && (call->variant & NO_CANONICAL) == 0)
        ck_assert_ptr_eq(call->canonical, call->host.h_name);
    else
        ck_assert(all_poison(&call->canonical, sizeof call->canonical));
}

#endif
