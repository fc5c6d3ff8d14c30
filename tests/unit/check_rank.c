#include "hard/rank.h"

#include <string.h>

#include "tests/support/rank_entries.h"

#define MS 1000

static const struct rank_rules best_rtt = {.selection = SELECT_BEST_RTT,
                                           .max_rtt_us = CONFIG_NO_LIMIT};
static const struct rank_rules ordered = {.selection = SELECT_ORDERED,
                                          .max_rtt_us = CONFIG_NO_LIMIT};
static const struct rank_rules within_50ms = {.selection = SELECT_BEST_RTT, .max_rtt_us = 50 * MS};
static const struct rank_rules group = {.selection = SELECT_GROUP_RTT_RR,
                                        .max_rtt_us = CONFIG_NO_LIMIT,
                                        .group_rtt_threshold_us = 10 * MS};
static const struct rank_rules margin = {.selection = SELECT_BEST_RTT,
                                         .max_rtt_us = 200 * MS,
                                         .switch_margin_us = 10 * MS,
                                         .switch_ratio = 0.2};
static const struct rank_rules margin_alone = {
    .selection = SELECT_BEST_RTT, .max_rtt_us = CONFIG_NO_LIMIT, .switch_margin_us = 10 * MS};
static const struct rank_rules ratio_alone = {
    .selection = SELECT_BEST_RTT, .max_rtt_us = CONFIG_NO_LIMIT, .switch_ratio = 0.2};

/* Endpoints as in rank_entries.h. Orders are written as digits, best first. */
static const char *digits(const size_t *order, size_t count)
{
    static char text[ENTRIES_MAX + 1];
    for (size_t i = 0; i < count; i++)
        text[i] = (char)('0' + order[i]);
    text[count] = '\0';
    return text;
}

/* --- Without leaders -------------------------------------------------------------------------- */

/* One row a rule: who is there, what comes out. */
static const struct {
    const char *what;
    const struct rank_rules *rules;
    const char *entries, *sorted, *answering;
} rows[] = {
    {"fastest first", &best_rtt, "u30 u10 u20", "120", "120"},
    {"equals keep the order written", &best_rtt, "u10 u10 u10", "012", "012"},
    {"both families together", &best_rtt, "u30 u20:6 u10 u40:6", "2103", "2103"},
    {"priority before latency", &best_rtt, "u10/1 u99 u5/1", "120", "120"},
    {"ordered: priority, then as written", &ordered, "u1/1 u99 u5", "120", "120"},
    {"the dead are last and do not answer", &best_rtt, "d1 u99/7", "10", "1"},
    {"unknown between up and down, as written, whatever its priority", &best_rtt, "d1 ?/5 ? u99/9",
     "3120", "312"},
    {"all unknown: as written", &best_rtt, "?/2 ?/1", "01", "01"},
    {"over max_rtt: behind the eligible, and silent", &within_50ms, "u50.001 u50/3", "10", "1"},
    {"over max_rtt ranks above unknown, so neither answers", &within_50ms, "? u60", "10", ""},
    {"nobody answers: slow, then the dead by priority and last latency", &within_50ms,
     "d5/1 d9 d7 u60/4 d", "32140", ""},
    {"never measured (check none): eligible, behind the measured", &within_50ms, "u u10 u", "102",
     "102"},
    {"one alone", &best_rtt, "d", "0", ""},
    {"drained: behind the dead, whatever it is", &best_rtt, "u1x d5 u9 ?x d4x", "21043", "2"},
    {"drained, all of them: by what is known", &best_rtt, "u9x u5x", "10", ""},
    {"group: up to the threshold, as written", &group, "u15 u20.001 u5 u20", "0231", "0231"},
    {"group of the best priority alone", &group, "u5/1 u30 u25", "120", "120"},
    {"group: the rest by latency", &group, "u40 u30 u10 u15", "2310", "2310"},
    {"group: nobody measured", &group, "u u ?", "012", "012"},
    {"group: one measured, who is alone in it", &group, "u u10 u", "102", "102"},
    {"group over both families, as written", &group, "u12 u3:6 u10:6", "012", "012"},
    {"group of the slower family ranks by its fastest", &group, "u36:6 u30:6 u25 u10", "3201",
     "3201"},
    {"a group is of its family's best priority", &group, "u30 u9:6/1 u35/1 u15:6/1", "0132",
     "0132"},
};

START_TEST(order_follows_the_rules)
{
    struct rank_entry entries[ENTRIES_MAX];
    const struct rank_leaders nobody = {
        {RANK_NOBODY, false}, {RANK_NOBODY, false}, {RANK_NOBODY, false}};
    size_t order[ENTRIES_MAX], count = entries_read(rows[_i].entries, entries);
    memset(order, 0xa5, sizeof order);
    rank_sort(rows[_i].rules, entries, count, &nobody, order);
    ck_assert_msg(strcmp(digits(order, count), rows[_i].sorted) == 0, "%s: got %s", rows[_i].what,
                  digits(order, count));
    memset(order, 0xa5, sizeof order);
    count = rank_answering(rows[_i].rules, entries, count, &nobody, order);
    ck_assert_msg(strcmp(digits(order, count), rows[_i].answering) == 0, "%s: answering %s",
                  rows[_i].what, digits(order, count));
}
END_TEST

/* --- With leaders ----------------------------------------------------------------------------- */

/* leaders: over both families, of IPv4, of IPv6; '-' for nobody. held: 'a', '4', '6'. */
static const struct {
    const char *what;
    const struct rank_rules *rules;
    const char *entries, *leaders, *held, *sorted;
} led[] = {
    {"within the margin it stays", &margin, "u30 u20.001", "00-", "", "01"},
    {"by the margin it goes", &margin, "u30 u20", "00-", "", "10"},
    {"within the ratio it stays", &margin, "u100 u80.001", "00-", "", "01"},
    {"by the ratio it goes", &margin, "u100 u80", "00-", "", "10"},
    {"margin alone", &margin_alone, "u1000 u990", "00-", "", "10"},
    {"margin alone, within", &margin_alone, "u1000 u990.001", "00-", "", "01"},
    {"ratio alone", &ratio_alone, "u1 u0.8", "00-", "", "10"},
    {"ratio alone, within", &ratio_alone, "u1 u0.801", "00-", "", "01"},
    {"without both, every difference counts", &best_rtt, "u10 u9.999", "00-", "", "10"},
    {"but not none", &best_rtt, "u10 u10 u10", "11-", "", "102"},
    {"held, it stays", &margin, "u150 u1", "00-", "a46", "01"},
    {"only the leader's place is kept", &margin, "u15 u13 u10 u11", "11-", "", "1230"},
    {"the leader that is dead goes", &margin, "d10 u30 u50", "00-", "a46", "120"},
    {"drained, it goes", &margin, "u10x u30", "00-", "a46", "10"},
    {"over max_rtt, it goes", &margin, "u200.001 u199", "00-", "a46", "10"},
    {"outranked by priority, it goes", &margin, "u10/1 u30", "00-", "a46", "10"},
    {"nobody who outranks it in vain", &margin, "u30 d10", "00-", "", "01"},
    {"nobody better than a leader that was unknown", &margin, "? u30", "00-", "", "10"},
    {"never measured, it goes for one who was", &margin, "u u199", "00-", "", "10"},
    {"but not while held", &margin, "u u199", "00-", "a46", "01"},
    {"ordered keeps nobody", &ordered, "u30 u20", "11-", "a46", "01"},
    {"a group keeps nobody", &group, "u30 u10", "00-", "a46", "10"},
    {"a leader in each family", &margin, "u30 u25 u40:6 u35:6", "002", "", "0123"},
    {"the other family within the margin", &margin, "u30 u25:6", "00-", "", "01"},
    {"the other family by the margin", &margin, "u30 u20:6", "00-", "", "10"},
    {"an IPv6 leader likewise", &margin, "u20.001 u30:6", "101", "", "10"},
    {"an IPv6 leader likewise", &margin, "u20 u30:6", "101", "", "01"},
    {"held, neither family moves", &margin, "u90 u30 u100:6 u5:6", "002", "a46", "0231"},
    {"one family moves, the other does not", &margin, "u90 u30 u40:6 u35:6", "202", "", "1230"},
    {"left in its own family, it does not lead over both", &margin, "u30 u19 u25:6 u16:6", "002",
     "", "1230"},
    {"a dead one leaves to the best of all, not of its family", &margin, "d30 u50 u45:6", "00-", "",
     "210"},
    {"each has its own hold", &margin, "u90 u30 u100:6 u5:6", "002", "6", "1230"},
    {"who leads over both is held in its own family", &margin, "u90 u30 u100:6 u5:6", "002", "a",
     "0312"},
};

static struct rank_leader leader(char digit, bool held)
{
    return (struct rank_leader){digit == '-' ? RANK_NOBODY : (size_t)(digit - '0'), held};
}

START_TEST(leaders_are_not_left_for_a_trifle)
{
    struct rank_entry entries[ENTRIES_MAX];
    const char *who = led[_i].leaders, *held = led[_i].held;
    const struct rank_leaders leaders = {leader(who[0], strchr(held, 'a') != NULL),
                                         leader(who[1], strchr(held, '4') != NULL),
                                         leader(who[2], strchr(held, '6') != NULL)};
    size_t order[ENTRIES_MAX], count = entries_read(led[_i].entries, entries);
    memset(order, 0xa5, sizeof order);
    rank_sort(led[_i].rules, entries, count, &leaders, order);
    ck_assert_msg(strcmp(digits(order, count), led[_i].sorted) == 0, "%s: got %s", led[_i].what,
                  digits(order, count));
}
END_TEST

/* --- Whatever there is ------------------------------------------------------------------------ */

#define FEW 7

static uint64_t random_state = 1;

static unsigned random_below(unsigned bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 16) % bound);
}

static struct rank_entry random_entry(void)
{
    static const enum health_state states[] = {HEALTH_UP, HEALTH_UP, HEALTH_UP, HEALTH_UNKNOWN,
                                               HEALTH_DOWN};
    return (struct rank_entry){.address.family = random_below(2) == 0 ? AF_INET : AF_INET6,
                               .state = states[random_below(5)],
                               .drained = random_below(8) == 0,
                               .priority = random_below(2),
                               .weight = 100,
                               .rtt_us = random_below(9) == 0 ? RANK_UNMEASURED
                                                              : 1 + random_below(250 * MS)};
}

/* The first of a family, or RANK_NOBODY. */
static size_t first_of(const struct rank_entry *entries, const size_t *order, int family)
{
    for (size_t i = 0; i < FEW; i++) {
        if (entries[order[i]].address.family == family)
            return order[i];
    }
    return RANK_NOBODY;
}

/* Everybody once; the class before the priority before all else. */
static bool is_sorted(const struct rank_rules *rules, const struct rank_entry *entries,
                      const size_t *order)
{
    unsigned seen = 1U << order[0];
    bool good = true;
    for (size_t i = 1; i < FEW; i++) {
        const struct rank_entry *before = &entries[order[i - 1]], *entry = &entries[order[i]];
        enum rank_class class = rank_classify(rules, entry);
        enum rank_class class_before = rank_classify(rules, before);
        seen |= 1U << order[i];
        good =
            good && class_before <= class &&
            (class_before != class || class == RANK_UNKNOWN || before->priority <= entry->priority);
    }
    return good && seen == (1U << FEW) - 1;
}

static struct rank_leader random_leader(const struct rank_entry *entries, int family)
{
    size_t place = random_below(FEW);
    bool of_family = entries[place].address.family == family;
    return (struct rank_leader){of_family ? place : RANK_NOBODY, random_below(2) == 0};
}

START_TEST(any_host_is_sorted)
{
    static const struct rank_rules *const all[] = {&best_rtt, &ordered, &within_50ms, &group,
                                                   &margin};
    const struct rank_leaders nobody = {
        {RANK_NOBODY, false}, {RANK_NOBODY, false}, {RANK_NOBODY, false}};
    for (int round = 0; round < 50000; round++) {
        struct rank_entry entries[FEW];
        size_t order[FEW], plain[FEW];
        for (size_t i = 0; i < FEW; i++)
            entries[i] = random_entry();
        struct rank_leaders leaders = {.ipv4 = random_leader(entries, AF_INET),
                                       .ipv6 = random_leader(entries, AF_INET6)};
        leaders.all = random_below(2) == 0 ? leaders.ipv4 : leaders.ipv6;
        const struct rank_rules *rules = all[random_below(5)];
        rank_sort(rules, entries, FEW, &nobody, plain);
        rank_sort(rules, entries, FEW, &leaders, order);
        size_t ipv4 = first_of(entries, order, AF_INET), ipv6 = first_of(entries, order, AF_INET6);
        const struct rank_leaders now = rank_leaders_of(entries, order, FEW);
        bool good = is_sorted(rules, entries, plain) && is_sorted(rules, entries, order) &&
                    (ipv4 == leaders.ipv4.place || ipv4 == first_of(entries, plain, AF_INET)) &&
                    (ipv6 == leaders.ipv6.place || ipv6 == first_of(entries, plain, AF_INET6)) &&
                    now.all.place == order[0] && now.ipv4.place == ipv4 && now.ipv6.place == ipv6;
        ck_assert_msg(good, "round %d", round);
    }
}
END_TEST

START_TEST(the_largest_host_is_sorted)
{
    static struct rank_entry entries[RANK_ENTRIES_MAX];
    static size_t order[RANK_ENTRIES_MAX];
    const struct rank_leaders nobody = {
        {RANK_NOBODY, false}, {RANK_NOBODY, false}, {RANK_NOBODY, false}};
    for (size_t i = 0; i < RANK_ENTRIES_MAX; i++)
        entries[i] = (struct rank_entry){.address.family = AF_INET,
                                         .state = HEALTH_UP,
                                         .rtt_us = (uint32_t)((i * 91) % RANK_ENTRIES_MAX + 1)};
    rank_sort(&best_rtt, entries, RANK_ENTRIES_MAX, &nobody, order);
    for (size_t i = 0; i < RANK_ENTRIES_MAX; i++)
        ck_assert_uint_eq(entries[order[i]].rtt_us, i + 1);
}
END_TEST

START_TEST(nobody_at_all)
{
    size_t order[1];
    const struct rank_leaders nobody = {
        {RANK_NOBODY, false}, {RANK_NOBODY, false}, {RANK_NOBODY, false}};
    ck_assert_uint_eq(rank_answering(&margin, NULL, 0, &nobody, order), 0);
    ck_assert_uint_eq(rank_leaders_of(NULL, order, 0).all.place, RANK_NOBODY);
}
END_TEST

/* Those whom switch_hold is to hold up. */
START_TEST(voluntary_is_what_nobody_had_to_do)
{
    struct rank_entry entries[ENTRIES_MAX];
    entries_read("u30 u20 u10/1 d5 u250 u9x ?", entries);
    ck_assert(rank_is_voluntary(&margin, entries, 0, 1));
    ck_assert(!rank_is_voluntary(&margin, entries, 0, 0));
    for (size_t was = 2; was < 7; was++)
        ck_assert(!rank_is_voluntary(&margin, entries, was, 0));
    ck_assert(!rank_is_voluntary(&margin, entries, 0, 6));
}
END_TEST

START_TEST(membership)
{
    struct rank_entry entries[ENTRIES_MAX];
    size_t count = entries_read("u10 u20 u20.001 u15:6 u25:6 u25.001:6 u5/1 d12 u", entries);
    const struct rank_groups groups = rank_groups_of(&group, entries, count);
    static const enum rank_membership expected[] = {RANK_IN_ALL,  RANK_IN_ALL,    RANK_IN_NONE,
                                                    RANK_IN_ALL,  RANK_IN_FAMILY, RANK_IN_NONE,
                                                    RANK_IN_NONE, RANK_IN_NONE,   RANK_IN_NONE};
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(rank_membership(&group, &groups, &entries[i]), expected[i]);
    const struct rank_groups none = rank_groups_of(&best_rtt, entries, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(rank_membership(&best_rtt, &none, &entries[i]), RANK_IN_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rank");
    TCase *tests = tcase_create("rank");
    tcase_add_loop_test(tests, order_follows_the_rules, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(tests, leaders_are_not_left_for_a_trifle, 0, sizeof led / sizeof led[0]);
    tcase_add_test(tests, any_host_is_sorted);
    tcase_add_test(tests, the_largest_host_is_sorted);
    tcase_add_test(tests, nobody_at_all);
    tcase_add_test(tests, voluntary_is_what_nobody_had_to_do);
    tcase_add_test(tests, membership);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
