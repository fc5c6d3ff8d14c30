#include "hard/upstream.h"

#include "tests/support/unit.h"

#define MS ((int64_t)1000)
#define NOW (1000 * MS)

static struct upstream fresh(unsigned place)
{
    static const struct config_upstream config = {.port = 53};
    struct upstream upstream;
    upstream_init(&upstream, &config, place, NOW);
    return upstream;
}

START_TEST(the_fastest_is_best_then_the_order_written)
{
    struct upstream first = fresh(0), second = fresh(1);
    ck_assert(upstream_better(&first, &second));
    ck_assert(!upstream_better(&second, &first));
    upstream_succeeded(&second, NOW, 900);
    ck_assert(upstream_better(&second, &first)); /* known before unknown */
    upstream_succeeded(&first, NOW, 1000);
    ck_assert(upstream_better(&second, &first));
    for (int i = 0; i < 10; i++)
        upstream_succeeded(&first, NOW, 100);
    ck_assert(upstream_better(&first, &second));
}
END_TEST

START_TEST(times_are_smoothed)
{
    struct upstream upstream = fresh(0);
    upstream_succeeded(&upstream, NOW, 8000);
    ck_assert_uint_eq(upstream.srtt_us, 8000);
    upstream_succeeded(&upstream, NOW, 16000);
    ck_assert_uint_eq(upstream.srtt_us, 9000);
    upstream_succeeded(&upstream, NOW, 0); /* says nothing */
    ck_assert_uint_eq(upstream.srtt_us, 9000);
    upstream_succeeded(&upstream, NOW, 1000);
    ck_assert_uint_eq(upstream.srtt_us, 8000);
}
END_TEST

START_TEST(one_that_fails_comes_after_all_others_until_it_answers)
{
    struct upstream first = fresh(0), second = fresh(1);
    upstream_succeeded(&first, NOW, 100);
    upstream_failed(&first, NOW + 2, NOW + 1);
    ck_assert(upstream_better(&second, &first));
    upstream_failed(&second, NOW + 3, NOW + 1); /* both: the one tried longer ago */
    ck_assert(upstream_better(&first, &second));
    upstream_failed(&first, NOW + 4, NOW + 1);
    ck_assert(upstream_better(&second, &first));
    upstream_succeeded(&first, NOW + 5, 0);
    ck_assert(upstream_better(&first, &second));
}
END_TEST

START_TEST(what_was_lost_before_it_answered_is_no_news)
{
    struct upstream upstream = fresh(0);
    upstream_succeeded(&upstream, NOW + 10, 100);
    for (int i = 0; i < 10; i++)
        ck_assert(!upstream_failed(&upstream, NOW + 20, NOW + 9));
    ck_assert(!upstream.failing);
    upstream_failed(&upstream, NOW + 20, NOW + 10);
    ck_assert(upstream.failing);
}
END_TEST

START_TEST(death_and_return_are_told_once)
{
    struct upstream upstream = fresh(0);
    ck_assert(!upstream_failed(&upstream, NOW, NOW));
    ck_assert(!upstream_failed(&upstream, NOW, NOW));
    ck_assert(upstream_failed(&upstream, NOW, NOW));
    ck_assert(!upstream_failed(&upstream, NOW, NOW));
    ck_assert(upstream_succeeded(&upstream, NOW, 1));
    ck_assert(!upstream_succeeded(&upstream, NOW, 1));
    upstream_failed(&upstream, NOW, NOW);
    ck_assert(!upstream_succeeded(&upstream, NOW, 1));
}
END_TEST

START_TEST(probes_come_at_once_then_seldom)
{
    struct upstream upstream = fresh(0);
    ck_assert(upstream_probe_due(&upstream, NOW));
    upstream_succeeded(&upstream, NOW, 1);
    ck_assert(!upstream_probe_due(&upstream, NOW + 29999 * MS));
    ck_assert(upstream_probe_due(&upstream, NOW + 30000 * MS));
    upstream_failed(&upstream, NOW, NOW);
    ck_assert(!upstream_probe_due(&upstream, NOW + 999 * MS));
    int64_t now_us = NOW + 1000 * MS;
    for (int64_t wait_ms = 1000; wait_ms < 100000; wait_ms *= 2) {
        ck_assert(upstream_probe_due(&upstream, now_us));
        upstream_probed(&upstream, now_us);
        upstream_failed(&upstream, now_us + 1, now_us); /* changes nothing */
        int64_t expected_us = (wait_ms < 30000 ? wait_ms : 30000) * MS;
        ck_assert(!upstream_probe_due(&upstream, now_us + expected_us - 1));
        now_us += expected_us;
    }
    upstream_succeeded(&upstream, now_us, 1);
    upstream_failed(&upstream, now_us, now_us);
    ck_assert(upstream_probe_due(&upstream, now_us + 1000 * MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upstream");
    TCase *tests = tcase_create("upstream");
    tcase_add_test(tests, the_fastest_is_best_then_the_order_written);
    tcase_add_test(tests, times_are_smoothed);
    tcase_add_test(tests, one_that_fails_comes_after_all_others_until_it_answers);
    tcase_add_test(tests, what_was_lost_before_it_answered_is_no_news);
    tcase_add_test(tests, death_and_return_are_told_once);
    tcase_add_test(tests, probes_come_at_once_then_seldom);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
