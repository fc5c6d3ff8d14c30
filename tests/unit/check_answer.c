#include "hard/answer.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/rank_entries.h"

static const struct rank_leaders nobody = {
    {RANK_NOBODY, false}, {RANK_NOBODY, false}, {RANK_NOBODY, false}};

/* A host with one answer and else the defaults of the configuration. */
static struct config_host plain_host(void)
{
    return (struct config_host){.max_rtt_us = CONFIG_NO_LIMIT,
                                .group_rtt_threshold_us = 10000,
                                .switch_margin_us = 10000,
                                .switch_ratio = 0.2,
                                .answers = 1};
}

/* entries: as in rank_entries.h. */
static struct answer compose_after(const struct config_host *host, const char *text,
                                   const struct rank_leaders *leaders)
{
    struct rank_entry entries[ENTRIES_MAX];
    struct answer answer;
    size_t count = entries_read(text, entries);
    memset(&answer, 0xa5, sizeof answer);
    answer_compose(host, entries, count, leaders, &answer);
    return answer;
}

static struct answer compose(const struct config_host *host, const char *text)
{
    return compose_after(host, text, &nobody);
}

START_TEST(best_of_each_family_in_rank_order)
{
    struct config_host host = plain_host();
    struct answer answer = compose(&host, "u40 u30 u10:6 u20:6");
    ck_assert_str_eq(answer.status, "answer");
    ck_assert(answer.good);
    ck_assert(!answer.failing);
    ck_assert(!answer.last);
    ck_assert_uint_eq(answer.answers, 1);
    ck_assert_str_eq(answer.addresses, "2001:db8::3 192.0.2.2");
    ck_assert_str_eq(answer.weights, "");
    ck_assert_uint_eq(answer.leaders.all.place, 2);
    ck_assert_uint_eq(answer.leaders.ipv4.place, 1);
    ck_assert_uint_eq(answer.leaders.ipv6.place, 2);
}
END_TEST

START_TEST(several_answers_of_each_family)
{
    struct config_host host = plain_host();
    host.answers = 2;
    struct answer answer = compose(&host, "u40 d1 ?:6 u20:6 u50 u60");
    ck_assert_uint_eq(answer.answers, 2);
    ck_assert_str_eq(answer.addresses, "2001:db8::4 192.0.2.1 192.0.2.5 2001:db8::3");
}
END_TEST

START_TEST(leaders_stay_in_front)
{
    struct config_host host = plain_host();
    struct rank_leaders leaders = {{0, false}, {0, false}, {2, false}};
    struct answer answer = compose_after(&host, "u40 u35 u40:6 u35:6", &leaders);
    ck_assert_str_eq(answer.addresses, "192.0.2.1 2001:db8::3");
    answer = compose_after(&host, "u90 u35 u90:6 u35:6", &leaders);
    ck_assert_str_eq(answer.addresses, "192.0.2.2 2001:db8::4");
    leaders.all.held = leaders.ipv6.held = true;
    answer = compose_after(&host, "u90 u35 u90:6 u35:6", &leaders);
    ck_assert_str_eq(answer.addresses, "192.0.2.1 2001:db8::3");
    ck_assert_uint_eq(answer.leaders.all.place, 0);
    ck_assert_uint_eq(answer.leaders.ipv6.place, 2);
}
END_TEST

/* --- Families --------------------------------------------------------------------------------- */

START_TEST(family_best_is_the_winners_alone)
{
    struct config_host host = plain_host();
    host.family = FAMILY_BEST;
    host.answers = 3;
    ck_assert_str_eq(compose(&host, "u40 u30 u10:6 u50:6").addresses, "2001:db8::3 2001:db8::4");
    ck_assert_str_eq(compose(&host, "u40 u30 d10:6 u50:6").addresses, "192.0.2.2 192.0.2.1");
    ck_assert_str_eq(compose(&host, "d40 d30 d10:6 d50:6").addresses, "2001:db8::3 2001:db8::4");
}
END_TEST

START_TEST(failure_addresses_obey_family)
{
    static const struct {
        enum family family;
        const char *addresses;
    } cases[] = {{FAMILY_ANY, "198.51.100.2 2001:db8::99"},
                 {FAMILY_BEST, "198.51.100.2"},
                 {FAMILY_IPV4, "198.51.100.2"},
                 {FAMILY_IPV6, "2001:db8::99"}};
    struct har_address instead[2];
    ck_assert_int_eq(har_address_parse("198.51.100.2", &instead[0]), 0);
    ck_assert_int_eq(har_address_parse("2001:db8::99", &instead[1]), 0);
    struct config_host host = plain_host();
    host.failure_mode = FAILURE_ADDRESSES;
    host.failure_addresses = instead;
    host.failure_address_count = 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        host.family = cases[i].family;
        struct answer answer = compose(&host, "d");
        ck_assert(answer.failing);
        ck_assert_str_eq(answer.status, "answer");
        ck_assert_str_eq(answer.addresses, cases[i].addresses);
        ck_assert_uint_eq(answer.answers, 16);
    }
}
END_TEST

/* --- Groups ----------------------------------------------------------------------------------- */

/* Who is in a group, and of what weight; threshold 10 ms. */
static const struct {
    const char *what;
    enum family family;
    unsigned answers;
    const char *entries, *addresses, *weights;
} groups[] = {
    {"as written, and nobody else", FAMILY_ANY, 1, "u15 u30 u10*300 d5", "192.0.2.1 192.0.2.3",
     "100 300"},
    {"one alone", FAMILY_ANY, 1, "u15 u30", "192.0.2.1", "100"},
    {"behind it the next best", FAMILY_ANY, 3, "u15 u30 u10 u25", "192.0.2.1 192.0.2.3 192.0.2.4",
     "100 100 0"},
    {"larger than answers", FAMILY_ANY, 2, "u15 u18 u10 u25", "192.0.2.1 192.0.2.2 192.0.2.3",
     "100 100 100"},
    {"both families in one", FAMILY_ANY, 1, "u15 u12:6*7 u30 u30:6", "192.0.2.1 2001:db8::2",
     "100 7"},
    {"each family its own", FAMILY_ANY, 1, "u15 u12 u30:6*5 u35:6*6 u50:6",
     "192.0.2.1 192.0.2.2 2001:db8::3 2001:db8::4", "100 100 -5 -6"},
    {"in both, and in one", FAMILY_ANY, 1, "u10 u20:6 u25:6 u35:6",
     "192.0.2.1 2001:db8::2 2001:db8::3", "100 100 -100"},
    {"the winner's family has its own group", FAMILY_BEST, 1, "u20:6 u10 u25:6",
     "2001:db8::1 2001:db8::3", "100 100"},
    {"unknown ones behind it", FAMILY_ANY, 2, "? u10", "192.0.2.2 192.0.2.1", "100 0"},
    {"nobody up", FAMILY_ANY, 1, "? ?", "192.0.2.1", ""},
};

START_TEST(a_group_is_answered_whole)
{
    struct config_host host = plain_host();
    host.selection = SELECT_GROUP_RTT_RR;
    host.family = groups[_i].family;
    host.answers = groups[_i].answers;
    struct answer answer = compose(&host, groups[_i].entries);
    ck_assert_msg(strcmp(answer.addresses, groups[_i].addresses) == 0, "%s: %s", groups[_i].what,
                  answer.addresses);
    ck_assert_msg(strcmp(answer.weights, groups[_i].weights) == 0, "%s: %s", groups[_i].what,
                  answer.weights);
    ck_assert_uint_eq(answer.answers, groups[_i].answers);
}
END_TEST

START_TEST(a_group_that_failed_has_no_weights)
{
    struct config_host host = plain_host();
    host.selection = SELECT_GROUP_RTT_RR;
    struct answer answer = compose(&host, "d10 d5");
    ck_assert_str_eq(answer.addresses, "192.0.2.2 192.0.2.1");
    ck_assert_str_eq(answer.weights, "");
}
END_TEST

/* --- Failure ---------------------------------------------------------------------------------- */

#define ALL_DOWN "d10/1 d40 d:6 d20:6"

START_TEST(failure_mode_all_answers_everybody_best_known_first)
{
    struct config_host host = plain_host();
    const struct rank_leaders leaders = {{3, false}, {1, false}, {3, false}};
    struct answer answer = compose_after(&host, ALL_DOWN, &leaders);
    ck_assert_str_eq(answer.status, "answer");
    ck_assert(answer.failing);
    ck_assert(!answer.last);
    ck_assert_uint_eq(answer.answers, 16);
    ck_assert_str_eq(answer.addresses, "2001:db8::4 192.0.2.2 2001:db8::3 192.0.2.1");
    ck_assert_uint_eq(answer.leaders.all.place, 3); /* whoever led leads when it is back */
    ck_assert_uint_eq(answer.leaders.ipv4.place, 1);
}
END_TEST

START_TEST(failure_mode_last_says_so)
{
    struct config_host host = plain_host();
    host.failure_mode = FAILURE_LAST;
    struct answer answer = compose(&host, ALL_DOWN);
    ck_assert(answer.failing);
    ck_assert(answer.last);
    ck_assert_str_eq(answer.status, "answer");
    ck_assert_str_eq(answer.addresses, "2001:db8::4 192.0.2.2 2001:db8::3 192.0.2.1");
    ck_assert(!answer.good);
    ck_assert(!compose(&host, "u10").last);
    ck_assert(!compose(&host, "d10 ?").good);
}
END_TEST

START_TEST(failure_modes_without_addresses)
{
    struct config_host host = plain_host();
    host.failure_mode = FAILURE_NONE;
    struct answer answer = compose(&host, ALL_DOWN);
    ck_assert(answer.failing);
    ck_assert_str_eq(answer.status, "fail");
    ck_assert_str_eq(answer.addresses, "");
    host.failure_mode = FAILURE_FORWARD;
    answer = compose(&host, ALL_DOWN);
    ck_assert(answer.failing);
    ck_assert_str_eq(answer.status, "forward");
    ck_assert_str_eq(answer.addresses, "");
}
END_TEST

/* As with a name that nobody could resolve: better the next service than no address at all. */
START_TEST(nobody_to_answer_is_forwarded)
{
    struct config_host host = plain_host();
    static const char *const statuses[] = {[FAILURE_ALL] = "forward",
                                           [FAILURE_LAST] = "forward",
                                           [FAILURE_NONE] = "fail",
                                           [FAILURE_FORWARD] = "forward"};
    for (unsigned mode = FAILURE_ALL; mode <= FAILURE_FORWARD; mode++) {
        host.failure_mode = (enum failure_mode)mode;
        host.family = FAMILY_BEST;
        struct answer answer = compose(&host, "");
        ck_assert(answer.failing);
        ck_assert_str_eq(answer.status, statuses[mode]);
        ck_assert_str_eq(answer.addresses, "");
        ck_assert_uint_eq(answer.answers, 1);
    }
}
END_TEST

START_TEST(the_drained_answer_last_of_all)
{
    struct config_host host = plain_host();
    ck_assert_str_eq(compose(&host, "u1x u40 d5").addresses, "192.0.2.2");
    struct answer answer = compose(&host, "u1x d40 d5");
    ck_assert(answer.failing);
    ck_assert_str_eq(answer.addresses, "192.0.2.3 192.0.2.2");
    answer = compose(&host, "u9x d5x");
    ck_assert(answer.failing);
    ck_assert_str_eq(answer.addresses, "192.0.2.2 192.0.2.1");
}
END_TEST

START_TEST(failure_mode_waits_for_the_last_unknown)
{
    struct config_host host = plain_host();
    host.failure_mode = FAILURE_NONE;
    struct answer answer = compose(&host, "d ?");
    ck_assert_str_eq(answer.status, "answer");
    ck_assert_str_eq(answer.addresses, "192.0.2.2");
}
END_TEST

/* --- Texts ------------------------------------------------------------------------------------ */

START_TEST(an_address_is_answered_once)
{
    struct config_host host = plain_host();
    host.answers = 2;
    struct rank_entry entries[ENTRIES_MAX];
    struct answer answer;
    size_t count = entries_read("u1 u2 u3", entries);
    entries[1].address = entries[0].address; /* two ports of one server */
    answer_compose(&host, entries, count, &nobody, &answer);
    ck_assert_str_eq(answer.addresses, "192.0.2.1 192.0.2.3");
}
END_TEST

static size_t count_words(const char *list)
{
    size_t words = 1;
    for (; *list != '\0'; list++)
        words += *list == ' ';
    return words;
}

/* 16 of each family, of 20. */
static void assert_longest(enum selection selection, enum health_state state)
{
    struct rank_entry entries[40] = {{.priority = 0}};
    for (unsigned i = 0; i < 40; i++) {
        char text[HAR_ADDRESS_TEXT_MAX];
        if (i % 2 == 0)
            snprintf(text, sizeof text, "2222:2222:2222:2222:2222:2222:2222:2%03u", i);
        else
            snprintf(text, sizeof text, "192.168.255.1%02u", i);
        ck_assert_int_eq(har_address_parse(text, &entries[i].address), 0);
        entries[i].state = state;
        entries[i].weight = 1000;
        entries[i].rtt_us = i % 2 == 0 ? 900000 : 800000;
    }
    struct config_host host = plain_host();
    struct answer answer;
    host.selection = selection;
    memset(&answer, 0xa5, sizeof answer);
    answer_compose(&host, entries, 40, &nobody, &answer);
    ck_assert_uint_eq(count_words(answer.addresses), 32);
    ck_assert_uint_eq(strlen(answer.addresses), 16 * 39 + 16 * 15 + 31);
    if (selection == SELECT_GROUP_RTT_RR)
        ck_assert_uint_eq(strlen(answer.weights), 16 * 4 + 16 * 5 + 31);
}

START_TEST(the_longest_answers_fit)
{
    assert_longest(SELECT_BEST_RTT, HEALTH_DOWN);
    assert_longest(SELECT_GROUP_RTT_RR, HEALTH_UP);
    ck_assert_uint_ge(sizeof((struct answer *)0)->addresses, 32 * HAR_ADDRESS_TEXT_MAX);
    ck_assert_uint_ge(sizeof((struct answer *)0)->weights, 32 * sizeof "-1000");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer");
    TCase *tests = tcase_create("answer");
    tcase_add_test(tests, best_of_each_family_in_rank_order);
    tcase_add_test(tests, several_answers_of_each_family);
    tcase_add_test(tests, leaders_stay_in_front);
    tcase_add_test(tests, family_best_is_the_winners_alone);
    tcase_add_test(tests, failure_addresses_obey_family);
    tcase_add_loop_test(tests, a_group_is_answered_whole, 0, sizeof groups / sizeof groups[0]);
    tcase_add_test(tests, a_group_that_failed_has_no_weights);
    tcase_add_test(tests, failure_mode_all_answers_everybody_best_known_first);
    tcase_add_test(tests, failure_mode_last_says_so);
    tcase_add_test(tests, failure_modes_without_addresses);
    tcase_add_test(tests, nobody_to_answer_is_forwarded);
    tcase_add_test(tests, the_drained_answer_last_of_all);
    tcase_add_test(tests, failure_mode_waits_for_the_last_unknown);
    tcase_add_test(tests, an_address_is_answered_once);
    tcase_add_test(tests, the_longest_answers_fit);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
