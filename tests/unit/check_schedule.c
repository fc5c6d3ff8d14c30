#include "hard/schedule.h"

#include <math.h>
#include <stdbool.h>

#include "tests/support/unit.h"

#define DRAWS 20000

START_TEST(first_checks_are_spread)
{
    /* A few: a millisecond apart. */
    for (size_t place = 0; place < 3; place++)
        ck_assert_uint_eq(schedule_first_ms(place, 3, 10000), place);
    /* Thousands: evenly, all within the interval. */
    uint32_t last = 0, used[100] = {0};
    for (size_t place = 0; place < 2000; place++) {
        uint32_t first = schedule_first_ms(place, 2000, 100);
        ck_assert_uint_ge(first, last);
        ck_assert_uint_lt(first, 100);
        used[last = first]++;
    }
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(used[i], 20);
}
END_TEST

START_TEST(second_check_is_anywhere_in_the_interval)
{
    struct schedule_random random = {.state = 1};
    unsigned tenths[10] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t second = schedule_second_ms(&random, 10000);
        ck_assert_uint_ge(second, 1000);
        ck_assert_uint_le(second, 10000);
        tenths[second == 10000 ? 9 : second / 1000]++;
    }
    for (int i = 1; i < 10; i++) {
        ck_assert_uint_gt(tenths[i], DRAWS / 9 * 8 / 10);
        ck_assert_uint_lt(tenths[i], DRAWS / 9 * 12 / 10);
    }
}
END_TEST

START_TEST(interval_has_a_tenth_of_jitter)
{
    struct schedule_random random = {.state = 7};
    uint64_t sum = 0;
    uint32_t low = UINT32_MAX, high = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint32_t next = schedule_next_ms(&random, 1000);
        sum += next;
        low = next < low ? next : low;
        high = next > high ? next : high;
    }
    ck_assert_uint_eq(low, 900);
    ck_assert_uint_eq(high, 1100);
    ck_assert_uint_gt(sum / DRAWS, 995);
    ck_assert_uint_lt(sum / DRAWS, 1005);
}
END_TEST

START_TEST(bounds_of_the_configuration_hold)
{
    struct schedule_random random = {.state = 3};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t shortest = schedule_next_ms(&random, 100);
        ck_assert(shortest >= 90 && shortest <= 110);
        uint32_t longest = schedule_next_ms(&random, 86400000);
        ck_assert(longest >= 77760000 && longest <= 95040000);
    }
}
END_TEST

/* Is it n slots after the phase, give or take the rounding of a double that holds a date? */
static bool ends_on_slot(double time_s, double phase_s)
{
    double slots = (time_s + phase_s) / SCHEDULE_SLOT_S;
    return fabs(slots - round(slots)) < 0.001;
}

START_TEST(starts_share_slots)
{
    static const double nows_s[] = {0., 12.3456, 1795383435.123456};
    struct schedule_random random = {.state = 9};
    for (int i = 0; i < DRAWS; i++) {
        double now_s = nows_s[i % 3], phase_s = schedule_phase_s(&random);
        ck_assert(phase_s >= 0. && phase_s <= SCHEDULE_SLOT_S);
        double wanted_s = schedule_next_ms(&random, 1000) / 1000.;
        double delay_s = schedule_align_s(now_s, phase_s, wanted_s);
        ck_assert(delay_s >= wanted_s && delay_s < wanted_s + SCHEDULE_SLOT_S + 1e-6);
        ck_assert(ends_on_slot(now_s + delay_s, phase_s));
    }
    ck_assert(schedule_align_s(12.345, 0., 0.) >= 0.);
}
END_TEST

START_TEST(machines_differ)
{
    struct schedule_random one = {.state = 1}, other = {.state = 2};
    int same = 0;
    for (int i = 0; i < 100; i++)
        same += schedule_second_ms(&one, 86400000) == schedule_second_ms(&other, 86400000);
    ck_assert_int_eq(same, 0);
}
END_TEST

static bool is_within(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high;
}

/* What is checked after what: a second, or one of the first tenth to all of ten. */
START_TEST(what_is_not_known_is_asked_soon)
{
    static const struct {
        struct health health;
        bool first, soon, anywhere;
    } cases[] = {
        {{.state = HEALTH_UP, .measured = true}, .first = true, .anywhere = true},
        {{.state = HEALTH_UP, .measured = true}, .first = false},
        {{.state = HEALTH_DOWN}, .first = true, .anywhere = true},
        {{.state = HEALTH_DOWN}, .first = false},
        {{.state = HEALTH_UP, .measured = true, .streak = 1}, .soon = true},
        {{.state = HEALTH_DOWN, .streak = 1}, .soon = true},
        {{.state = HEALTH_UNKNOWN}, .first = true, .soon = true},
        {{.state = HEALTH_UP}, .first = true, .soon = true},
    };
    const struct config_check check = {.interval_ms = 10000, .fast_interval_ms = 1000};
    struct schedule_random random = {.state = 3};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool early = false, good = true;
        for (int draw = 0; draw < 100; draw++) {
            uint32_t ms = schedule_after_ms(&random, &check, &cases[i].health, cases[i].first);
            good = good && (cases[i].soon       ? is_within(ms, 900, 1100)
                            : cases[i].anywhere ? is_within(ms, 1000, 10000)
                                                : is_within(ms, 9000, 11000));
            early = early || ms < 9000;
        }
        ck_assert_msg(good && early == (cases[i].soon || cases[i].anywhere), "case %zu", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_add_test(tests, first_checks_are_spread);
    tcase_add_test(tests, second_check_is_anywhere_in_the_interval);
    tcase_add_test(tests, interval_has_a_tenth_of_jitter);
    tcase_add_test(tests, what_is_not_known_is_asked_soon);
    tcase_add_test(tests, bounds_of_the_configuration_hold);
    tcase_add_test(tests, starts_share_slots);
    tcase_add_test(tests, machines_differ);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
