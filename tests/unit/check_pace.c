#include "hard/pace.h"

#include <string.h>

#include "tests/support/unit.h"

#define MS 1000
#define SECOND (1000 * MS)

static struct pace fresh(int64_t now_us)
{
    struct pace pace;
    memset(&pace, 0xa5, sizeof pace);
    pace_init(&pace, now_us);
    return pace;
}

START_TEST(a_lone_change_waits_for_its_neighbours_only)
{
    struct pace pace = fresh(5 * SECOND);
    ck_assert_int_eq(pace_due_us(&pace, 5 * SECOND), 5 * SECOND + PACE_GATHER_US);
    ck_assert_int_eq(pace_due_us(&pace, 900 * (int64_t)SECOND),
                     900 * (int64_t)SECOND + PACE_GATHER_US);
}
END_TEST

START_TEST(short_publications_in_a_row_are_not_held_back)
{
    struct pace pace = fresh(0);
    pace_spent(&pace, 0, 4 * MS);
    pace_spent(&pace, 6 * MS, 10 * MS);
    ck_assert_int_eq(pace_due_us(&pace, 11 * MS), 11 * MS + PACE_GATHER_US);
}
END_TEST

START_TEST(a_long_publication_is_paid_back)
{
    struct pace pace = fresh(0);
    pace_spent(&pace, 0, 200 * MS);
    /* 20 ms of credit, 200 spent: 180 are missing, and come in at one in ten. */
    ck_assert_int_eq(pace_due_us(&pace, 200 * MS), 200 * MS + 1800 * MS);
    ck_assert_int_eq(pace_due_us(&pace, 1100 * MS), 2000 * MS);
    ck_assert_int_eq(pace_due_us(&pace, 2000 * MS), 2000 * MS + PACE_GATHER_US);
}
END_TEST

/* cost_us: of one publication, asked for again as soon as it is done. */
static double share_of_an_hour(int64_t cost_us)
{
    struct pace pace = fresh(0);
    int64_t now_us = 0, spent_us = 0, hour_us = 3600 * (int64_t)SECOND;
    while (now_us < hour_us) {
        int64_t began_us = pace_due_us(&pace, now_us);
        now_us = began_us + cost_us;
        pace_spent(&pace, began_us, now_us);
        spent_us += cost_us;
    }
    return (double)spent_us / (double)now_us;
}

START_TEST(publishing_takes_a_tenth_of_the_time_at_most)
{
    static const int64_t costs_us[] = {100, 300, 1 * MS, 4 * MS, 25 * MS, 150 * MS, 3 * SECOND};
    for (size_t i = 0; i < sizeof costs_us / sizeof costs_us[0]; i++) {
        double share = share_of_an_hour(costs_us[i]);
        ck_assert_double_le(share, 0.1002);
        if (costs_us[i] >= MS)
            ck_assert_double_ge(share, 0.09); /* and not much less, when so much is asked */
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tests = tcase_create("pace");
    tcase_add_test(tests, a_lone_change_waits_for_its_neighbours_only);
    tcase_add_test(tests, short_publications_in_a_row_are_not_held_back);
    tcase_add_test(tests, a_long_publication_is_paid_back);
    tcase_add_test(tests, publishing_takes_a_tenth_of_the_time_at_most);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
