/* hard/dns_message.h and hard/dns_wire.h: questions as bytes, answers of every kind, and those of
 * an enemy. */
#include "hard/dns_message.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "hard/dns_wire.h"
#include "tests/support/unit.h"

#define NAME "www.example.com"

/* --- messages built by ldns, which is not what reads their outlines --------------------------- */

/* An answer to the question for `type` of NAME. Sections are texts with a record a line. */
static uint8_t *answer_with(ldns_rr_type type, unsigned rcode, const char *answers,
                            const char *authority, size_t *count)
{
    static const ldns_pkt_section sections[] = {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY};
    const char *texts[] = {answers, authority};
    ldns_pkt *packet =
        ldns_pkt_query_new(ldns_dname_new_frm_str(NAME), type, LDNS_RR_CLASS_IN, LDNS_RD);
    ldns_pkt_set_qr(packet, true);
    ldns_pkt_set_rcode(packet, (uint8_t)rcode);
    for (int i = 0; i < 2; i++) {
        char *copy = strdup(texts[i]), *rest = copy;
        for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
            ldns_rr *record = NULL;
            if (*line == '\0')
                continue;
            ck_assert_int_eq(ldns_rr_new_frm_str(&record, line, 0, NULL, NULL), LDNS_STATUS_OK);
            ldns_pkt_push_rr(packet, sections[i], record);
        }
        free(copy);
    }
    uint8_t *bytes = NULL;
    ck_assert_int_eq(ldns_pkt2wire(&bytes, packet, count), LDNS_STATUS_OK);
    ldns_pkt_free(packet);
    return bytes;
}

/* Reads from exactly as many bytes, so that a sanitizer sees a step too far. */
static struct dns_answer read_bytes(const uint8_t *bytes, size_t count, int family)
{
    struct dns_answer answer;
    uint8_t *exact = malloc(count > 0 ? count : 1);
    memcpy(exact, bytes, count);
    memset(&answer, 0xa5, sizeof answer);
    dns_message_read(exact, count, NAME, family, &answer);
    free(exact);
    ck_assert((answer.outcome == DNS_ADDRESSES) == (answer.count > 0));
    ck_assert((answer.outcome == DNS_MALFORMED) == (answer.problem != NULL));
    ck_assert_uint_le(answer.count, DNS_ADDRESSES_MAX);
    return answer;
}

static struct dns_answer read_records(int family, unsigned rcode, const char *answers,
                                      const char *authority)
{
    size_t count = 0;
    ldns_rr_type type = family == AF_INET ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
    uint8_t *bytes = answer_with(type, rcode, answers, authority, &count);
    struct dns_answer answer = read_bytes(bytes, count, family);
    free(bytes);
    return answer;
}

static void assert_addresses(const struct dns_answer *answer, const char *wanted)
{
    char found[64 * HAR_ADDRESS_TEXT_MAX] = "", text[HAR_ADDRESS_TEXT_MAX];
    ck_assert_msg(answer->outcome == DNS_ADDRESSES, "outcome %d, %s", (int)answer->outcome,
                  answer->problem ? answer->problem : "no problem");
    for (size_t i = 0; i < answer->count; i++) {
        strcat(found, i > 0 ? " " : "");
        strcat(found, har_address_format(&answer->addresses[i], text));
    }
    ck_assert_str_eq(found, wanted);
}

static void assert_malformed(const struct dns_answer *answer, const char *problem)
{
    ck_assert_int_eq(answer->outcome, DNS_MALFORMED);
    ck_assert_str_eq(answer->problem, problem);
    ck_assert_uint_eq(answer->ttl_s, 0);
}

/* --- questions -------------------------------------------------------------------------------- */

START_TEST(questions_are_these_bytes)
{
    static const uint8_t a[] = "\0\0\1\0\0\1\0\0\0\0\0\1"
                               "\3www\7example\3com\0\0\1\0\1"
                               "\0\0\x29\4\xd0\0\0\0\0\0";
    static const uint8_t aaaa[] = "\0\0\1\0\0\1\0\0\0\0\0\0"
                                  "\3www\7example\3com\0\0\x1c\0\1";
    uint8_t query[DNS_QUERY_MAX_BYTES];
    memset(query, 0xa5, sizeof query);
    ck_assert_uint_eq(dns_message_query(NAME, AF_INET, true, query), sizeof a);
    ck_assert_mem_eq(query, a, sizeof a);
    memset(query, 0xa5, sizeof query);
    ck_assert_uint_eq(dns_message_query(NAME, AF_INET6, false, query), sizeof aaaa - 1);
    ck_assert_mem_eq(query, aaaa, sizeof aaaa - 1);
    ck_assert_uint_eq(query[sizeof aaaa - 1], 0xa5);
}
END_TEST

START_TEST(names_up_to_the_longest_can_be_asked_for)
{
    char key[HAR_NAME_MAX + 1];
    uint8_t query[DNS_QUERY_MAX_BYTES];
    size_t end = 0;
    memset(key, 'a', sizeof key);
    for (size_t i = 63; i < 253; i += 64)
        key[i] = '.';
    key[253] = '\0'; /* 253 of text are 255 on the wire */
    size_t count = dns_message_query(key, AF_INET, true, query);
    ck_assert_uint_gt(count, 0);
    ck_assert(dns_question(query, count, &end));
    ck_assert_uint_eq(end, 12 + 255 + 4);
    ck_assert_uint_gt(dns_message_query("_x-1.2", AF_INET, true, query), 0);
}
END_TEST

/* --- answers ---------------------------------------------------------------------------------- */

START_TEST(addresses_of_the_name)
{
    struct dns_answer answer = read_records(
        AF_INET, 0,
        NAME ". 300 IN A 192.0.2.1\n" NAME ". 200 IN A 192.0.2.2\n" NAME ". 400 IN A 192.0.2.1\n",
        "");
    assert_addresses(&answer, "192.0.2.1 192.0.2.2");
    ck_assert_uint_eq(answer.ttl_s, 200);
    answer = read_records(AF_INET6, 0, NAME ". 300 IN AAAA 2001:db8::1\n", "");
    assert_addresses(&answer, "2001:db8::1");
}
END_TEST

START_TEST(aliases_are_followed_in_any_order)
{
    struct dns_answer answer = read_records(AF_INET, 0,
                                            "b.example. 300 IN A 192.0.2.2\n"
                                            "a.example. 20 IN CNAME B.Example.\n"
                                            "WWW.example.com. 300 IN CNAME a.example.\n"
                                            "other.example. 1 IN A 192.0.2.3\n"
                                            "a.example. 1 IN A 192.0.2.4\n",
                                            "");
    assert_addresses(&answer, "192.0.2.2");
    ck_assert_uint_eq(answer.ttl_s, 20);
}
END_TEST

static struct dns_answer read_chain(int links)
{
    char text[4096] = NAME ". 60 IN CNAME n0.example.\n", line[128];
    for (int i = 1; i < links; i++) {
        snprintf(line, sizeof line, "n%d.example. 60 IN CNAME n%d.example.\n", i - 1, i);
        strcat(text, line);
    }
    snprintf(line, sizeof line, "n%d.example. 60 IN A 192.0.2.9\n", links - 1);
    return read_records(AF_INET, 0, strcat(text, line), "");
}

START_TEST(long_chains_and_loops_are_refused)
{
    static const char problem[] = "a chain of aliases that is too long or a loop";
    struct dns_answer answer = read_chain(DNS_CHAIN_MAX);
    assert_addresses(&answer, "192.0.2.9");
    answer = read_chain(DNS_CHAIN_MAX + 1);
    assert_malformed(&answer, problem);
    answer = read_records(AF_INET, 0, NAME ". 60 IN CNAME " NAME ".\n", "");
    assert_malformed(&answer, problem);
    answer = read_records(AF_INET, 0,
                          NAME ". 60 IN CNAME a.example.\na.example. 60 IN CNAME " NAME ".\n", "");
    assert_malformed(&answer, problem);
}
END_TEST

START_TEST(unusable_addresses_are_dropped_and_counted)
{
    struct dns_answer answer = read_records(
        AF_INET, 0,
        NAME ". 300 IN A 0.0.0.0\n" NAME ". 300 IN A 192.0.2.1\n" NAME ". 300 IN A 224.0.0.1\n",
        "");
    assert_addresses(&answer, "192.0.2.1");
    ck_assert_uint_eq(answer.unusable, 2);
    answer = read_records(AF_INET6, 0, NAME ". 300 IN AAAA ::\n", "");
    ck_assert_int_eq(answer.outcome, DNS_NO_DATA);
    ck_assert_uint_eq(answer.unusable, 1);
    ck_assert_uint_eq(answer.ttl_s, 300);
}
END_TEST

START_TEST(ttl_has_bounds)
{
    static const struct {
        const char *ttl;
        uint32_t ttl_s;
    } rows[] = {{"0", 1}, {"1", 1}, {"3600", 3600}, {"3601", 3600}, {"2147483648", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, NAME ". %s IN A 192.0.2.1\n", rows[i].ttl);
        struct dns_answer answer = read_records(AF_INET, 0, text, "");
        assert_addresses(&answer, "192.0.2.1");
        ck_assert_msg(answer.ttl_s == rows[i].ttl_s, "%s: %u", rows[i].ttl, answer.ttl_s);
    }
}
END_TEST

static const char soa[] = "example.com. 900 IN SOA ns.example.com. root.example.com. 1 2 3 4 120\n";

START_TEST(every_no_is_told_apart)
{
    static const char alias[] = NAME ". 60 IN CNAME a.example.\n";
    static const struct {
        unsigned rcode;
        const char *answers, *authority;
        enum dns_outcome outcome;
        uint32_t ttl_s;
    } rows[] = {
        {DNS_NXDOMAIN, "", soa, DNS_NO_NAME, 120},
        {DNS_NXDOMAIN, alias, soa, DNS_NO_NAME, 60},
        {DNS_NXDOMAIN, "", "", DNS_NO_NAME, DNS_NEGATIVE_TTL_S},
        {DNS_NXDOMAIN, NAME ". 60 IN A 192.0.2.1\n", soa, DNS_NO_NAME, 120},
        {DNS_NOERROR, "", soa, DNS_NO_DATA, 120},
        {DNS_NOERROR, alias, soa, DNS_NO_DATA, 60},
        {DNS_NOERROR, "", "", DNS_NO_DATA, DNS_NEGATIVE_TTL_S},
        {DNS_NOERROR, "", "example.com. 30 IN SOA a. b. 1 2 3 4 120\n", DNS_NO_DATA, 30},
        {DNS_NOERROR, "", "example.com. 30 IN NS ns.example.com.\n", DNS_NO_DATA, 60},
        {DNS_NOERROR, "other.example. 60 IN A 192.0.2.1\n", soa, DNS_NO_DATA, 120},
        {DNS_FORMERR, "", "", DNS_NO_EDNS, 0},
        {DNS_NOTIMP, "", "", DNS_NO_EDNS, 0},
        {DNS_SERVFAIL, "", "", DNS_FAILURE, 0},
        {DNS_REFUSED, "", "", DNS_FAILURE, 0},
        {15, "", "", DNS_FAILURE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dns_answer answer =
            read_records(AF_INET, rows[i].rcode, rows[i].answers, rows[i].authority);
        ck_assert_msg(answer.outcome == rows[i].outcome && answer.ttl_s == rows[i].ttl_s &&
                          answer.rcode == rows[i].rcode,
                      "row %zu: outcome %d, ttl %u, rcode %u, %s", i, (int)answer.outcome,
                      answer.ttl_s, answer.rcode, answer.problem ? answer.problem : "-");
    }
}
END_TEST

START_TEST(errors_may_be_a_header_alone)
{
    static const uint8_t servfail[] = {0, 1, 0x81, 0x82, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t good[] = {0, 1, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0};
    struct dns_answer answer = read_bytes(servfail, sizeof servfail, AF_INET);
    ck_assert_int_eq(answer.outcome, DNS_FAILURE);
    answer = read_bytes(good, sizeof good, AF_INET);
    assert_malformed(&answer, "no question in it");
}
END_TEST

/* --- what an enemy sends ---------------------------------------------------------------------- */

/* From 192.0.0.1 on, each the next one; begun with the one at that place. */
static uint8_t *many_addresses(unsigned addresses, unsigned first, size_t *count)
{
    char *text = calloc(addresses, 64), *end = text;
    for (unsigned i = first; i < first + addresses; i++)
        end += sprintf(end, NAME ". 60 IN A 192.0.%u.%u\n", i % addresses / 250,
                       i % addresses % 250 + 1);
    uint8_t *bytes = answer_with(LDNS_RR_TYPE_A, 0, text, "", count);
    free(text);
    return bytes;
}

START_TEST(as_many_as_allowed_are_taken)
{
    static const unsigned many[] = {1, 100, DNS_ADDRESSES_MAX, DNS_ADDRESSES_MAX + 100};
    size_t count = 0;
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) {
        for (unsigned first = 0; first < many[i]; first += 37) { /* resolvers turn them round */
            uint8_t *bytes = many_addresses(many[i], first, &count);
            struct dns_answer answer = read_bytes(bytes, count, AF_INET);
            free(bytes);
            ck_assert_int_eq(answer.outcome, DNS_ADDRESSES);
            ck_assert_uint_eq(answer.count,
                              many[i] < DNS_ADDRESSES_MAX ? many[i] : DNS_ADDRESSES_MAX);
            for (size_t j = 0; j < answer.count; j++) {
                const uint8_t *found = answer.addresses[j].bytes;
                ck_assert_uint_eq(found[2] * 250U + found[3] - 1U, j);
            }
        }
    }
    uint8_t *bytes = many_addresses(DNS_RECORDS_MAX + 1, 0, &count);
    struct dns_answer answer = read_bytes(bytes, count, AF_INET);
    assert_malformed(&answer, "too many records");
    free(bytes);
}
END_TEST

/* An answer with one address; its question ends at 33, its record is 16 bytes after a pointer. */
static const uint8_t plain[] = "\0\1\x81\x80\0\1\0\1\0\0\0\0"
                               "\3www\7example\3com\0\0\1\0\1"
                               "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1";
#define PLAIN_BYTES (sizeof plain - 1)

static struct dns_answer read_changed(size_t offset, const char *bytes, size_t count)
{
    uint8_t changed[PLAIN_BYTES];
    memcpy(changed, plain, PLAIN_BYTES);
    ck_assert_uint_le(offset + count, PLAIN_BYTES);
    memcpy(changed + offset, bytes, count);
    return read_bytes(changed, PLAIN_BYTES, AF_INET);
}

START_TEST(other_answers_are_refused)
{
    static const struct {
        size_t offset;
        const char *bytes;
        size_t count;
        const char *problem;
    } rows[] = {
        {2, "\1", 1, "not an answer"},                         /* a question */
        {2, "\x91", 1, "not an answer"},                       /* opcode 2 */
        {2, "\x83", 1, "truncated"},                           /* TC */
        {13, "v", 1, "the answer to another question"},        /* name */
        {30, "\x1c", 1, "the answer to another question"},     /* type */
        {32, "\3", 1, "the answer to another question"},       /* class */
        {5, "\2", 1, "no question in it"},                     /* two of them */
        {12, "\xc0\x0c", 2, "no question in it"},              /* compressed */
        {7, "\2", 1, "cut"},                                   /* one record too few */
        {38, "\3", 1, "a record of another class"},            /* CH */
        {44, "\5", 1, "cut"},                                  /* data longer than it is */
        {44, "\3", 1, "a record with wrong data"},             /* and shorter */
        {33, "\xc0\x21", 2, "cut"},                            /* points to itself */
        {33, "\xc0\x23", 2, "cut"},                            /* points forward */
        {33, "\xc0\0", 2, "cut"},                              /* points into the header */
        {33, "\x40\x0c", 2, "cut"},                            /* no such label */
        {33, "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\xc0\x2d\0\0", 16, /* alias that is a loop */
         "a record with wrong data"},
        {33, "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1a\0\0", 16, "a record with wrong data"},
    };
    struct dns_answer answer = read_bytes(plain, PLAIN_BYTES, AF_INET);
    assert_addresses(&answer, "192.0.2.1");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer = read_changed(rows[i].offset, rows[i].bytes, rows[i].count);
        ck_assert_msg(answer.problem && strcmp(answer.problem, rows[i].problem) == 0,
                      "row %zu: outcome %d, %s", i, (int)answer.outcome,
                      answer.problem ? answer.problem : "-");
    }
    answer = read_changed(13, "W", 1); /* a name has no case */
    assert_addresses(&answer, "192.0.2.1");
    answer = read_bytes(plain, PLAIN_BYTES, AF_INET6);
    assert_malformed(&answer, "the answer to another question");
}
END_TEST

START_TEST(cut_anywhere_is_refused)
{
    size_t count = 0;
    uint8_t *bytes =
        answer_with(LDNS_RR_TYPE_A, 0,
                    NAME ". 60 IN CNAME a.example.\na.example. 60 IN A 192.0.2.1\n", soa, &count);
    for (size_t cut = 0; cut < count; cut++) {
        struct dns_answer answer = read_bytes(bytes, cut, AF_INET);
        ck_assert_msg(answer.outcome == DNS_MALFORMED, "%zu of %zu bytes", cut, count);
    }
    free(bytes);
}
END_TEST

/* Each byte of a message with every kind of record, changed in eight ways: a sanitizer watches. */
START_TEST(any_byte_may_be_wrong)
{
    size_t count = 0;
    uint8_t *bytes = answer_with(LDNS_RR_TYPE_A, 0, NAME ". 60 IN CNAME a.example.\n", soa, &count);
    for (size_t i = 0; i < count; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1U << bit);
            read_bytes(bytes, count, AF_INET);
            bytes[i] ^= (uint8_t)(1U << bit);
        }
    }
    free(bytes);
}
END_TEST

START_TEST(only_names_have_no_case)
{
    uint8_t upper[PLAIN_BYTES], lower[PLAIN_BYTES];
    memcpy(upper, plain, PLAIN_BYTES);
    upper[14] = 'W';
    ck_assert(dns_same_question(plain, 33, upper, PLAIN_BYTES));
    ck_assert(!dns_same_question(plain, 33, upper, 32));
    memcpy(lower, plain, PLAIN_BYTES);
    for (size_t i = 29; i < 33; i++) { /* type and class */
        upper[i] = 'A';
        lower[i] = 'a';
        ck_assert(!dns_same_question(lower, 33, upper, PLAIN_BYTES));
        upper[i] = lower[i];
    }
}
END_TEST

/* A name of pointers to pointers, as many as a message holds, takes no time. */
START_TEST(pointers_are_counted)
{
    static uint8_t bytes[16384];
    size_t at = 13, offset;
    bytes[12] = 0;
    for (size_t target = 12; at + 2 <= sizeof bytes; at += 2) {
        bytes[at] = (uint8_t)(0xc0 | target >> 8);
        bytes[at + 1] = (uint8_t)target;
        target = at;
    }
    offset = 13 + 2 * 126; /* the 127th */
    ck_assert(dns_name(bytes, sizeof bytes, &offset));
    ck_assert_uint_eq(offset, 13 + 2 * 127);
    ck_assert(!dns_name(bytes, sizeof bytes, &offset)); /* one more */
    ck_assert_uint_eq(offset, 13 + 2 * 127);
}
END_TEST

START_TEST(names_have_a_length)
{
    static uint8_t bytes[600];
    size_t offset = 12;
    for (size_t at = 12; at < 500; at += 64)
        bytes[at] = 63;
    bytes[12 + 3 * 64] = 61;
    bytes[12 + 3 * 64 + 62] = 0; /* 3 * 64 + 62 + 1 are 255 */
    ck_assert(dns_name(bytes, sizeof bytes, &offset));
    ck_assert_uint_eq(offset, 12 + 255);
    bytes[12 + 3 * 64] = 62;
    offset = 12;
    ck_assert(!dns_name(bytes, sizeof bytes, &offset));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dns_message");
    TCase *tests = tcase_create("dns_message");
    tcase_add_test(tests, questions_are_these_bytes);
    tcase_add_test(tests, names_up_to_the_longest_can_be_asked_for);
    tcase_add_test(tests, addresses_of_the_name);
    tcase_add_test(tests, aliases_are_followed_in_any_order);
    tcase_add_test(tests, long_chains_and_loops_are_refused);
    tcase_add_test(tests, unusable_addresses_are_dropped_and_counted);
    tcase_add_test(tests, ttl_has_bounds);
    tcase_add_test(tests, every_no_is_told_apart);
    tcase_add_test(tests, errors_may_be_a_header_alone);
    tcase_add_test(tests, as_many_as_allowed_are_taken);
    tcase_add_test(tests, other_answers_are_refused);
    tcase_add_test(tests, cut_anywhere_is_refused);
    tcase_add_test(tests, any_byte_may_be_wrong);
    tcase_add_test(tests, only_names_have_no_case);
    tcase_add_test(tests, pointers_are_counted);
    tcase_add_test(tests, names_have_a_length);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
