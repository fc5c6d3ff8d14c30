#include "hard/health.h"

#include <string.h>

#include "tests/support/unit.h"

/* Feeds results, one letter each: '+' success, '-' failure. Returns the states after each, as
 * 'u'p, 'd'own, '?' unknown, with upper case where the call said that the state changed. */
static const char *feed(struct health *health, const char *results, unsigned rise, unsigned fall)
{
    static char states[64];
    size_t i = 0;
    for (; results[i] != '\0'; i++) {
        bool changed = results[i] == '+' ? health_success(health, rise, 100, 1000)
                                         : health_failure(health, fall);
        char state = "?ud"[health->state];
        states[i] = (char)(changed ? state - ('a' - 'A') : state);
    }
    states[i] = '\0';
    return states;
}

static struct health fresh(void)
{
    struct health health;
    memset(&health, 0xa5, sizeof health);
    health_init(&health);
    return health;
}

START_TEST(first_result_decides_alone)
{
    struct health health = fresh();
    ck_assert_int_eq(health.state, HEALTH_UNKNOWN);
    ck_assert_str_eq(feed(&health, "+", 9, 9), "U");
    health = fresh();
    ck_assert_str_eq(feed(&health, "-", 9, 9), "D");
}
END_TEST

START_TEST(rise_and_fall_count_consecutive_results)
{
    static const struct {
        const char *results, *states;
        unsigned rise, fall;
    } rows[] = {
        {"+---", "UuuD", 2, 3},         {"+--+--+", "Uuuuuuu", 2, 3},
        {"-++", "DdU", 2, 3},           {"-+-+-++", "DdddddU", 2, 3},
        {"+-+-", "UDUD", 1, 1},         {"+--++--+", "UuDdUuDd", 2, 2},
        {"+----++-", "UuuDddUu", 2, 3}, {"-+++", "DddU", 3, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct health health = fresh();
        ck_assert_str_eq(feed(&health, rows[i].results, rows[i].rise, rows[i].fall),
                         rows[i].states);
    }
}
END_TEST

START_TEST(confirming_while_a_streak_runs)
{
    struct health health = fresh();
    feed(&health, "+", 2, 3);
    ck_assert(!health_confirming(&health));
    feed(&health, "-", 2, 3);
    ck_assert(health_confirming(&health));
    feed(&health, "+", 2, 3);
    ck_assert(!health_confirming(&health));
    feed(&health, "---", 2, 3);
    ck_assert(!health_confirming(&health)); /* down is settled */
    feed(&health, "+", 2, 3);
    ck_assert(health_confirming(&health));
    feed(&health, "-", 2, 3);
    ck_assert(!health_confirming(&health));
}
END_TEST

START_TEST(latency_is_smoothed_over_successes_only)
{
    struct health health = fresh();
    health_success(&health, 2, 100, 1000);
    ck_assert_uint_eq(health.connect_us, 100);
    ck_assert_uint_eq(health.total_us, 1000);
    health_success(&health, 2, 500, 5000);
    ck_assert_uint_eq(health.connect_us, 200);
    ck_assert_uint_eq(health.total_us, 2000);
    health_failure(&health, 3);
    ck_assert_uint_eq(health.total_us, 2000);
    health_success(&health, 2, 0, 1); /* downwards too */
    ck_assert_uint_eq(health.connect_us, 150);
    ck_assert_uint_eq(health.total_us, 1501);
}
END_TEST

START_TEST(latency_starts_anew_after_a_time_down)
{
    struct health health = fresh();
    health_success(&health, 2, 100, 1000);
    health_failure(&health, 1);
    ck_assert_uint_eq(health.total_us, 1000); /* best known, while down */
    health_success(&health, 2, 9, 90);
    ck_assert_uint_eq(health.total_us, 90);
    health_failure(&health, 1); /* a recovery that did not come about leaves no trace */
    health_success(&health, 2, 7, 70);
    health_success(&health, 2, 7, 70);
    ck_assert_int_eq(health.state, HEALTH_UP);
    ck_assert_uint_eq(health.total_us, 70);
}
END_TEST

START_TEST(a_success_without_times_is_a_success)
{
    struct health health = fresh();
    ck_assert(health_success(&health, 2, 0, 0));
    ck_assert_int_eq(health.state, HEALTH_UP);
    ck_assert(!health.measured);
    health_success(&health, 2, 100, 1000);
    health_success(&health, 2, 0, 0);
    ck_assert_uint_eq(health.total_us, 1000);
}
END_TEST

START_TEST(extreme_latencies_do_not_overflow)
{
    struct health health = fresh();
    health_success(&health, 1, UINT32_MAX, UINT32_MAX);
    health_success(&health, 1, 0, 3);
    ck_assert_uint_eq(health.total_us, UINT32_MAX - UINT32_MAX / 4);
    health_success(&health, 1, UINT32_MAX, UINT32_MAX);
    ck_assert_uint_gt(health.total_us, UINT32_MAX - UINT32_MAX / 4);
    health = fresh();
    health_success(&health, 1, 0, 1);
    ck_assert_uint_eq(health.connect_us, 1); /* 0 would mean that it was never measured */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health");
    TCase *tests = tcase_create("health");
    tcase_add_test(tests, first_result_decides_alone);
    tcase_add_test(tests, rise_and_fall_count_consecutive_results);
    tcase_add_test(tests, confirming_while_a_streak_runs);
    tcase_add_test(tests, latency_is_smoothed_over_successes_only);
    tcase_add_test(tests, latency_starts_anew_after_a_time_down);
    tcase_add_test(tests, a_success_without_times_is_a_success);
    tcase_add_test(tests, extreme_latencies_do_not_overflow);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
