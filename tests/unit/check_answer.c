#include "hard/answer.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/unit.h"

#define NO RANK_UNMEASURED
#define MOST 40

static struct config_candidate candidates[MOST];

/* A host with these candidates, one answer, and the defaults of the configuration. */
static struct config_host host_with(const char *const *addresses, size_t count)
{
    memset(candidates, 0, sizeof candidates);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(har_address_parse(addresses[i], &candidates[i].address), 0);
    return (struct config_host){.candidates = candidates,
                                .candidate_count = count,
                                .max_rtt_us = CONFIG_NO_LIMIT,
                                .answers = 1};
}

static struct answer compose(const struct config_host *host, const struct rank_entry *entries)
{
    struct answer answer;
    memset(&answer, 0xa5, sizeof answer);
    answer_compose(host, entries, &answer);
    return answer;
}

static const char *const mixed[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"};

START_TEST(best_of_each_family_in_rank_order)
{
    struct config_host host = host_with(mixed, 4);
    struct answer answer = compose(
        &host, (struct rank_entry[]){
                   {HEALTH_UP, 0, 40}, {HEALTH_UP, 0, 30}, {HEALTH_UP, 0, 10}, {HEALTH_UP, 0, 20}});
    ck_assert_str_eq(answer.status, "answer");
    ck_assert(!answer.failing);
    ck_assert_uint_eq(answer.answers, 1);
    ck_assert_str_eq(answer.addresses, "2001:db8::1 192.0.2.2");
}
END_TEST

START_TEST(several_answers_of_each_family)
{
    struct config_host host = host_with(mixed, 4);
    host.answers = 2;
    struct answer answer = compose(&host, (struct rank_entry[]){{HEALTH_UP, 0, 40},
                                                                {HEALTH_DOWN, 0, 1},
                                                                {HEALTH_UNKNOWN, 0, NO},
                                                                {HEALTH_UP, 0, 20}});
    ck_assert_uint_eq(answer.answers, 2);
    ck_assert_str_eq(answer.addresses, "2001:db8::2 192.0.2.1 2001:db8::1");
}
END_TEST

static const struct rank_entry all_down[] = {
    {HEALTH_DOWN, 1, 10}, {HEALTH_DOWN, 0, 40}, {HEALTH_DOWN, 0, NO}, {HEALTH_DOWN, 0, 20}};

START_TEST(failure_mode_all_answers_everybody_best_known_first)
{
    struct config_host host = host_with(mixed, 4);
    struct answer answer = compose(&host, all_down);
    ck_assert_str_eq(answer.status, "answer");
    ck_assert(answer.failing);
    ck_assert_uint_eq(answer.answers, 16);
    ck_assert_str_eq(answer.addresses, "2001:db8::2 192.0.2.2 2001:db8::1 192.0.2.1");
}
END_TEST

START_TEST(failure_mode_none_fails)
{
    struct config_host host = host_with(mixed, 4);
    host.failure_mode = FAILURE_NONE;
    struct answer answer = compose(&host, all_down);
    ck_assert_str_eq(answer.status, "fail");
    ck_assert_str_eq(answer.addresses, "");
}
END_TEST

START_TEST(failure_mode_addresses_answers_just_those)
{
    struct config_host host = host_with(mixed, 4);
    struct har_address instead[2];
    ck_assert_int_eq(har_address_parse("198.51.100.2", &instead[0]), 0);
    ck_assert_int_eq(har_address_parse("198.51.100.1", &instead[1]), 0);
    host.failure_mode = FAILURE_ADDRESSES;
    host.failure_addresses = instead;
    host.failure_address_count = 2;
    struct answer answer = compose(&host, all_down);
    ck_assert_str_eq(answer.status, "answer");
    ck_assert_str_eq(answer.addresses, "198.51.100.2 198.51.100.1");
}
END_TEST

START_TEST(an_address_is_answered_once)
{
    static const char *const same[] = {"192.0.2.1", "192.0.2.1", "192.0.2.2"};
    struct config_host host = host_with(same, 3);
    host.answers = 2;
    struct rank_entry entries[] = {{HEALTH_UP, 0, 1}, {HEALTH_UP, 0, 2}, {HEALTH_UP, 0, 3}};
    ck_assert_str_eq(compose(&host, entries).addresses, "192.0.2.1 192.0.2.2");
}
END_TEST

START_TEST(failure_mode_waits_for_the_last_unknown)
{
    struct config_host host = host_with(mixed, 2);
    host.failure_mode = FAILURE_NONE;
    struct answer answer =
        compose(&host, (struct rank_entry[]){{HEALTH_DOWN, 0, NO}, {HEALTH_UNKNOWN, 0, NO}});
    ck_assert_str_eq(answer.status, "answer");
    ck_assert_str_eq(answer.addresses, "192.0.2.2");
}
END_TEST

START_TEST(the_longest_answer_fits)
{
    char texts[MOST][HAR_ADDRESS_TEXT_MAX];
    const char *addresses[MOST];
    struct rank_entry entries[MOST];
    for (unsigned i = 0; i < MOST; i++) {
        if (i % 2 == 0)
            snprintf(texts[i], sizeof texts[i], "2222:2222:2222:2222:2222:2222:2222:2%03u", i);
        else
            snprintf(texts[i], sizeof texts[i], "192.168.255.%u", 100 + i);
        addresses[i] = texts[i];
        entries[i] = (struct rank_entry){HEALTH_DOWN, 0, NO};
    }
    struct config_host host = host_with(addresses, MOST);
    struct answer answer = compose(&host, entries);
    size_t words = 1, length = strlen(answer.addresses);
    for (size_t i = 0; i < length; i++)
        words += answer.addresses[i] == ' ';
    ck_assert_uint_eq(words, 32); /* 16 of each family, of 20 */
    ck_assert_uint_eq(length, 16 * 39 + 16 * 15 + 31);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer");
    TCase *tests = tcase_create("answer");
    tcase_add_test(tests, best_of_each_family_in_rank_order);
    tcase_add_test(tests, several_answers_of_each_family);
    tcase_add_test(tests, failure_mode_all_answers_everybody_best_known_first);
    tcase_add_test(tests, failure_mode_none_fails);
    tcase_add_test(tests, failure_mode_addresses_answers_just_those);
    tcase_add_test(tests, an_address_is_answered_once);
    tcase_add_test(tests, failure_mode_waits_for_the_last_unknown);
    tcase_add_test(tests, the_longest_answer_fits);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
