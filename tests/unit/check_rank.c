#include "hard/rank.h"

#include <string.h>

#include "tests/support/unit.h"

#define MS 1000
#define NO RANK_UNMEASURED

static const struct rank_rules best_rtt = {SELECT_BEST_RTT, CONFIG_NO_LIMIT};
static const struct rank_rules ordered = {SELECT_ORDERED, CONFIG_NO_LIMIT};
static const struct rank_rules within_50ms = {SELECT_BEST_RTT, 50 * MS};

/* One row a rule: who is there, what comes out. Orders are written as digits, best first. */
static const struct {
    const char *what;
    const struct rank_rules *rules;
    struct rank_entry entries[5];
    size_t count;
    const char *sorted, *answering;
} rows[] = {
    {"fastest first",
     &best_rtt,
     {{HEALTH_UP, 0, 30}, {HEALTH_UP, 0, 10}, {HEALTH_UP, 0, 20}},
     3,
     "120",
     "120"},
    {"equals keep the order written",
     &best_rtt,
     {{HEALTH_UP, 0, 10}, {HEALTH_UP, 0, 10}, {HEALTH_UP, 0, 10}},
     3,
     "012",
     "012"},
    {"priority before latency",
     &best_rtt,
     {{HEALTH_UP, 1, 10}, {HEALTH_UP, 0, 99}, {HEALTH_UP, 1, 5}},
     3,
     "120",
     "120"},
    {"ordered: priority, then as written",
     &ordered,
     {{HEALTH_UP, 1, 1}, {HEALTH_UP, 0, 99}, {HEALTH_UP, 0, 5}},
     3,
     "120",
     "120"},
    {"the dead are last and do not answer",
     &best_rtt,
     {{HEALTH_DOWN, 0, 1}, {HEALTH_UP, 7, 99}},
     2,
     "10",
     "1"},
    {"unknown between up and down, as written, whatever its priority",
     &best_rtt,
     {{HEALTH_DOWN, 0, 1}, {HEALTH_UNKNOWN, 5, NO}, {HEALTH_UNKNOWN, 0, NO}, {HEALTH_UP, 9, 99}},
     4,
     "3120",
     "312"},
    {"all unknown: as written",
     &best_rtt,
     {{HEALTH_UNKNOWN, 2, NO}, {HEALTH_UNKNOWN, 1, NO}},
     2,
     "01",
     "01"},
    {"over max_rtt: behind the eligible, and silent",
     &within_50ms,
     {{HEALTH_UP, 0, 51 * MS}, {HEALTH_UP, 3, 50 * MS}},
     2,
     "10",
     "1"},
    {"over max_rtt ranks above unknown, so neither answers",
     &within_50ms,
     {{HEALTH_UNKNOWN, 0, NO}, {HEALTH_UP, 0, 60 * MS}},
     2,
     "10",
     ""},
    {"nobody answers: slow, then the dead by priority and last latency",
     &within_50ms,
     {{HEALTH_DOWN, 1, 5},
      {HEALTH_DOWN, 0, 9},
      {HEALTH_DOWN, 0, 7},
      {HEALTH_UP, 4, 60 * MS},
      {HEALTH_DOWN, 0, NO}},
     5,
     "32140",
     ""},
    {"never measured (check none): eligible, behind the measured",
     &within_50ms,
     {{HEALTH_UP, 0, NO}, {HEALTH_UP, 0, 10}, {HEALTH_UP, 0, NO}},
     3,
     "102",
     "102"},
    {"one alone", &best_rtt, {{HEALTH_DOWN, 0, NO}}, 1, "0", ""},
};

static const char *digits(const size_t *order, size_t count)
{
    static char text[8];
    for (size_t i = 0; i < count; i++)
        text[i] = (char)('0' + order[i]);
    text[count] = '\0';
    return text;
}

START_TEST(order_follows_the_rules)
{
    size_t order[5];
    memset(order, 0xa5, sizeof order);
    rank_sort(rows[_i].rules, rows[_i].entries, rows[_i].count, order);
    ck_assert_msg(strcmp(digits(order, rows[_i].count), rows[_i].sorted) == 0, "%s: got %s",
                  rows[_i].what, digits(order, rows[_i].count));
    memset(order, 0xa5, sizeof order);
    size_t count = rank_answering(rows[_i].rules, rows[_i].entries, rows[_i].count, order);
    ck_assert_msg(strcmp(digits(order, count), rows[_i].answering) == 0, "%s: answering %s",
                  rows[_i].what, digits(order, count));
}
END_TEST

START_TEST(the_largest_host_is_sorted)
{
    struct rank_entry entries[CONFIG_CANDIDATES_MAX];
    size_t order[CONFIG_CANDIDATES_MAX];
    for (size_t i = 0; i < CONFIG_CANDIDATES_MAX; i++)
        entries[i] = (struct rank_entry){HEALTH_UP, 0, (uint32_t)((i * 91) % 256 + 1)};
    rank_sort(&best_rtt, entries, CONFIG_CANDIDATES_MAX, order);
    for (size_t i = 0; i < CONFIG_CANDIDATES_MAX; i++)
        ck_assert_uint_eq(entries[order[i]].rtt_us, i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rank");
    TCase *tests = tcase_create("rank");
    tcase_add_loop_test(tests, order_follows_the_rules, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tests, the_largest_host_is_sorted);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
