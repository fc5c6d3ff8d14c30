/* hard/host.c, host_answer.c */
#include "hard/host.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/table_text.h"

#define TWO "\"candidates\": [\"192.0.2.1\", \"192.0.2.2\"]"
#define NAMED "\"candidates\": [\"192.0.2.1\", \"x.example.com\", \"192.0.2.2\"]"

/* One host, without its name and the braces around it. */
static struct table *host_of(const char *keys)
{
    char hosts[4096];
    snprintf(hosts, sizeof hosts, "\"a.example\": {%s}", keys);
    return table_of(hosts);
}

static struct table *host_next(struct table *old, const char *keys)
{
    struct table *table = host_of(keys);
    table_inherit(table, old);
    table_free(old);
    return table;
}

/* Results for the endpoints of the host, in milliseconds; 0: failed, below 0: none. */
static void results(struct table *table, const double *ms)
{
    struct host *host = &table->hosts[0];
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (ms[i] >= 0)
            table_result(table, host->endpoints[i], ms[i]);
    }
}
#define RESULTS(table, ...) results(table, (const double[]){__VA_ARGS__})

/* A host whose first round gave these results, at second 1. */
static struct table *host_after(const char *keys, const double *ms)
{
    struct table *table = host_of(keys);
    results(table, ms);
    host_answer_at(&table->hosts[0], 1);
    return table;
}
#define AFTER(keys, ...) host_after(keys, (const double[]){__VA_ARGS__})

static void assert_answer(struct table *table, double now_s, const char *addresses)
{
    ck_assert_str_eq(host_answer_at(&table->hosts[0], now_s), addresses);
}

/* --- Endpoints -------------------------------------------------------------------------------- */

START_TEST(endpoints_are_of_the_families_wanted)
{
    static const struct {
        const char *family, *endpoints;
    } cases[] = {{"any", "192.0.2.1 2001:db8::1 192.0.2.2"},
                 {"best", "192.0.2.1 2001:db8::1 192.0.2.2"},
                 {"ipv4", "192.0.2.1 192.0.2.2"},
                 {"ipv6", "2001:db8::1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char keys[200];
        snprintf(keys, sizeof keys,
                 "\"candidates\": [\"192.0.2.1\", \"2001:db8::1\", \"x.example\", \"192.0.2.2\"], "
                 "\"family\": \"%s\"",
                 cases[i].family);
        struct table *table = host_of(keys);
        ck_assert_str_eq(host_endpoints(&table->hosts[0]), cases[i].endpoints);
        host_resolve(&table->hosts[0], 2, "198.51.100.1 2001:db8::2");
        ck_assert_uint_eq(table->hosts[0].endpoint_count, i < 2 ? 5 : i == 2 ? 3 : 2);
        table_free(table);
    }
}
END_TEST

START_TEST(check_none_is_up_and_asks_for_nothing)
{
    struct table *table = host_of("\"candidates\": [\"192.0.2.7\", \"192.0.2.1\", \"x.example\"], "
                                  "\"check\": {\"type\": \"none\"}");
    ck_assert_int_eq(table->hosts[0].endpoints[0]->health.state, HEALTH_UP);
    ck_assert(table->hosts[0].endpoints[0]->answered);
    assert_answer(table, 1, "192.0.2.7");
    host_resolve(&table->hosts[0], 2, "");
    assert_answer(table, 1, "192.0.2.7");
    ck_assert(table->hosts[0].settled); /* nobody waits for times */
    host_resolve(&table->hosts[0], 2, "192.0.2.8");
    ck_assert(table->hosts[0].endpoints[2]->answered);
    table_free(table);
}
END_TEST

/* --- Names ------------------------------------------------------------------------------------ */

START_TEST(addresses_of_a_name_come_and_go)
{
    struct table *table = host_of(NAMED);
    struct host *host = &table->hosts[0];
    ck_assert(host_is_waiting(host));
    ck_assert_uint_eq(host_resolve(host, 1, "198.51.100.1 2001:db8::1"), 0);
    ck_assert(!host_is_waiting(host));
    ck_assert_str_eq(host_endpoints(host), "192.0.2.1 198.51.100.1 2001:db8::1 192.0.2.2");
    struct endpoint *stays = host->endpoints[2];
    table_result(table, stays, 10);
    ck_assert_uint_eq(host_resolve(host, 1, "198.51.100.2 2001:db8::1 198.51.100.3"), 1);
    ck_assert_str_eq(host_endpoints(host),
                     "192.0.2.1 198.51.100.2 2001:db8::1 198.51.100.3 192.0.2.2");
    ck_assert_ptr_eq(host->endpoints[2], stays);
    ck_assert_int_eq(stays->health.state, HEALTH_UP);
    ck_assert_int_eq(host->endpoints[1]->health.state, HEALTH_UNKNOWN);
    ck_assert_ptr_eq(host->endpoints[1]->target.check, host->config->candidates[1].check);
    table_free(table);
}
END_TEST

START_TEST(an_address_given_twice_is_one_endpoint)
{
    struct table *table = host_of(NAMED);
    struct host *host = &table->hosts[0];
    host_resolve(host, 1, "198.51.100.1 198.51.100.1");
    ck_assert_str_eq(host_endpoints(host), "192.0.2.1 198.51.100.1 192.0.2.2");
    host_resolve(host, 1, "198.51.100.1 198.51.100.1");
    ck_assert_str_eq(host_endpoints(host), "192.0.2.1 198.51.100.1 192.0.2.2");
    /* But one that another candidate has, too, is checked in its own right. */
    host_resolve(host, 1, "192.0.2.1");
    ck_assert_str_eq(host_endpoints(host), "192.0.2.1 192.0.2.1 192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(a_name_without_addresses_keeps_what_it_had)
{
    struct table *table = host_of(NAMED);
    struct host *host = &table->hosts[0];
    ck_assert_uint_eq(host_resolve(host, 1, ""), 0);
    ck_assert(!host_is_waiting(host));
    host_resolve(host, 1, "198.51.100.1");
    ck_assert_uint_eq(host_resolve(host, 1, ""), 0);
    ck_assert_str_eq(host_endpoints(host), "192.0.2.1 198.51.100.1 192.0.2.2");
    table_free(table);
}
END_TEST

/* count addresses from 10.0.0.first on. */
static const char *many(unsigned first, unsigned count)
{
    static char text[RANK_ENTRIES_MAX * HAR_ADDRESS_TEXT_MAX];
    char *end = text;
    for (unsigned i = first; i < first + count; i++)
        end += sprintf(end, "10.0.%u.%u ", i / 256, i % 256);
    return text;
}

START_TEST(a_host_has_room_for_so_many)
{
    struct table *table = host_of("\"candidates\": [\"x.example.com\", \"y.example.com\"]");
    struct host *host = &table->hosts[0];
    host_resolve(host, 0, many(0, 300));
    host_resolve(host, 1, many(300, 300));
    ck_assert_uint_eq(host->endpoint_count, RANK_ENTRIES_MAX);
    /* Those of x that go make room for others of x. */
    ck_assert_uint_eq(host_resolve(host, 0, many(1000, 300)), 300);
    ck_assert_uint_eq(host->endpoint_count, RANK_ENTRIES_MAX);
    /* Those that stay do not give way to those that come before them. */
    ck_assert_uint_eq(host_resolve(host, 0, many(950, 300)), 50);
    ck_assert_uint_eq(host->endpoint_count, RANK_ENTRIES_MAX);
    ck_assert_uint_eq(host_resolve(host, 0, many(950, 301)), 0);
    char *was = NULL;
    host_update_answer(host, 1, &was);
    table_free(table);
}
END_TEST

START_TEST(a_name_that_is_unresolved_answers_nothing)
{
    struct table *table = host_of("\"candidates\": [\"x.example.com\"]");
    struct host *host = &table->hosts[0];
    char *was = NULL;
    ck_assert(!host_update_answer(host, 1, &was));
    ck_assert_ptr_null(host->answer.addresses);
    host_resolve(host, 0, "");
    ck_assert(host_update_answer(host, 1, &was)); /* now the next service is asked */
    ck_assert_str_eq(host->answer.status, "forward");
    ck_assert(host->failing);
    host_resolve(host, 0, "198.51.100.1");
    assert_answer(table, 1, "198.51.100.1");
    ck_assert(!host->failing);
    table_free(table);
}
END_TEST

START_TEST(a_leader_that_left_is_not_missed)
{
    struct table *table = host_of(NAMED);
    struct host *host = &table->hosts[0];
    host_resolve(host, 1, "198.51.100.1 198.51.100.2");
    RESULTS(table, 30, 5, 20, 40);
    assert_answer(table, 1, "198.51.100.1");
    ck_assert_uint_eq(host_resolve(host, 1, "198.51.100.2"), 1);
    ck_assert_ptr_null(host->leader.endpoint);
    ck_assert_ptr_null(host->leader_ipv4.endpoint);
    assert_answer(table, 1, "198.51.100.2");
    ck_assert_int_eq(host->leader.switched_us, 0);
    table_free(table);
}
END_TEST

/* --- Answers ---------------------------------------------------------------------------------- */

START_TEST(answers_follow_health)
{
    struct table *table = host_of(TWO);
    struct host *host = &table->hosts[0];
    char *was = (char *)-1;
    ck_assert(host_update_answer(host, 1, &was));
    ck_assert_ptr_null(was);
    ck_assert_str_eq(host->answer.addresses, "192.0.2.1"); /* unknown: as written */
    was = (char *)-1;
    ck_assert(!host_update_answer(host, 1, &was));
    ck_assert_ptr_eq(was, (char *)-1);

    RESULTS(table, 9, 1);
    ck_assert(host_update_answer(host, 1, &was));
    ck_assert_str_eq(was, "192.0.2.1");
    ck_assert_str_eq(host->answer.addresses, "192.0.2.2");
    free(was);
    table_free(table);
}
END_TEST

START_TEST(that_it_fails_is_a_change)
{
    struct table *table = AFTER("\"candidates\": [\"192.0.2.1\"]", 10);
    struct host *host = &table->hosts[0];
    char *was = NULL;
    RESULTS(table, 0);
    host->answer.answers = 16; /* as failure_mode all has it, so that nothing else changes */
    ck_assert(host_update_answer(host, 1, &was));
    ck_assert(host->failing);
    ck_assert_str_eq(was, "192.0.2.1");
    free(was);
    ck_assert(!host_update_answer(host, 1, &was));
    table_free(table);
}
END_TEST

START_TEST(weights_are_a_change)
{
    struct table *table = AFTER(TWO ", \"selection\": \"group_rtt_rr\", \"answers\": 2", 10, 30);
    struct host *host = &table->hosts[0];
    char *was = NULL;
    ck_assert_str_eq(host->answer.weights, "100 0");
    RESULTS(table, 10, 20);
    ck_assert(host_update_answer(host, 1, &was));
    ck_assert_str_eq(was, "192.0.2.1 192.0.2.2");
    ck_assert_str_eq(host->answer.weights, "100 100");
    free(was);
    RESULTS(table, 0, 0);
    assert_answer(table, 1, "192.0.2.1 192.0.2.2");
    ck_assert_ptr_null(host->answer.weights);
    table_free(table);
}
END_TEST

START_TEST(connect_time_ranks_when_asked)
{
    struct table *table = host_of(TWO ", \"rtt_mode\": \"connect\"");
    health_success(&table->hosts[0].endpoints[0]->health, 1, 50, 100);
    health_success(&table->hosts[0].endpoints[1]->health, 1, 20, 900);
    assert_answer(table, 1, "192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(the_operator_has_the_last_word)
{
    struct table *table = AFTER(TWO, 10, 50);
    struct endpoint *first = table->hosts[0].endpoints[0];
    override_endpoint(first, OVERRIDE_DRAIN);
    assert_answer(table, 1, "192.0.2.2");
    override_endpoint(first, OVERRIDE_DOWN);
    assert_answer(table, 1, "192.0.2.2");
    override_endpoint(first, OVERRIDE_NONE);
    assert_answer(table, 1, "192.0.2.1");
    RESULTS(table, 0, 0);
    override_endpoint(first, OVERRIDE_UP);
    assert_answer(table, 1, "192.0.2.1");
    ck_assert(!table->hosts[0].failing);
    table_free(table);
}
END_TEST

/* --- Leaders ---------------------------------------------------------------------------------- */

START_TEST(nobody_leads_before_the_first_round_is_over)
{
    struct table *table = host_of(TWO);
    RESULTS(table, 10, -1);
    assert_answer(table, 1, "192.0.2.1");
    RESULTS(table, -1, 9.9); /* within the margin */
    assert_answer(table, 1, "192.0.2.2");
    RESULTS(table, 9.8, -1);
    assert_answer(table, 1, "192.0.2.2"); /* now somebody leads */
    ck_assert_int_eq(table->hosts[0].leader.switched_us, 0);
    table_free(table);
}
END_TEST

/* The times of a check that our own loop held up are not believed. */
START_TEST(nobody_leads_before_all_are_measured)
{
    struct table *table = host_of(TWO);
    health_success(&table->hosts[0].endpoints[0]->health, 1, 0, 0);
    RESULTS(table, -1, 60);
    assert_answer(table, 1, "192.0.2.2");
    ck_assert(!table->hosts[0].settled);
    RESULTS(table, 5, -1);
    assert_answer(table, 1, "192.0.2.1");
    ck_assert(table->hosts[0].settled);
    ck_assert_int_eq(table->hosts[0].leader.switched_us, 0);
    table_free(table);
}
END_TEST

START_TEST(nobody_leads_while_a_name_is_awaited)
{
    struct table *table = host_of(NAMED);
    struct host *host = &table->hosts[0];
    RESULTS(table, 10, 9);
    assert_answer(table, 1, "192.0.2.2");
    ck_assert(!host->settled);
    host_resolve(host, 1, "");
    assert_answer(table, 1, "192.0.2.2");
    ck_assert(host->settled);
    host_resolve(host, 1, "198.51.100.1"); /* late: it has to be faster by the margin */
    RESULTS(table, 10, 5, 9);
    assert_answer(table, 1, "192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(a_switch_holds_the_next_one_up)
{
    struct table *table = AFTER(TWO, 10, 90);
    RESULTS(table, 90, 10);
    assert_answer(table, 100, "192.0.2.2");
    ck_assert_int_eq(table->hosts[0].leader.switched_us, 100000000);
    RESULTS(table, 10, 90);
    assert_answer(table, 129.999999, "192.0.2.2");
    assert_answer(table, 130, "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(each_family_has_its_own_hold)
{
    struct table *table = AFTER("\"candidates\": [\"192.0.2.1\", \"192.0.2.2\", \"2001:db8::1\", "
                                "\"2001:db8::2\"]",
                                10, 90, 110, 150);
    assert_answer(table, 100, "192.0.2.1 2001:db8::1");
    RESULTS(table, 10, 90, 110, 50);
    assert_answer(table, 100, "192.0.2.1 2001:db8::2");
    RESULTS(table, 90, 10, 20, 50);
    assert_answer(table, 110, "192.0.2.2 2001:db8::2");
    RESULTS(table, 60, 100, 20, 50);
    assert_answer(table, 131, "192.0.2.2 2001:db8::1");
    assert_answer(table, 140, "2001:db8::1 192.0.2.1");
    table_free(table);
}
END_TEST

/* So that its return, which is one, need not wait. */
START_TEST(leaving_the_dead_is_no_switch)
{
    struct table *table = AFTER(TWO, 10, 90);
    RESULTS(table, 0, 90);
    assert_answer(table, 2, "192.0.2.2");
    RESULTS(table, 10, 90);
    assert_answer(table, 3, "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(a_leader_leads_again_after_all_were_dead)
{
    struct table *table = AFTER(TWO, 12, 10);
    RESULTS(table, 0, 0);
    host_answer_at(&table->hosts[0], 2);
    RESULTS(table, 9, 10);
    assert_answer(table, 3, "192.0.2.2");
    table_free(table);
}
END_TEST

/* --- failure_mode last ------------------------------------------------------------------------ */

#define LAST TWO ", \"failure_mode\": \"last\""

START_TEST(the_last_good_answer_stands)
{
    struct table *table = AFTER(LAST, 90, 10);
    struct host *host = &table->hosts[0];
    RESULTS(table, 0, 0);
    assert_answer(table, 2, "192.0.2.2");
    ck_assert(host->failing);
    ck_assert_uint_eq(host->answer.answers, 1);
    RESULTS(table, 50, 0);
    assert_answer(table, 3, "192.0.2.1");
    RESULTS(table, 0, 0);
    assert_answer(table, 4, "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(without_a_last_answer_everybody)
{
    struct table *table = host_of(LAST);
    RESULTS(table, 0, -1);
    assert_answer(table, 1, "192.0.2.2"); /* who is not known to be good */
    RESULTS(table, 0, 0);
    assert_answer(table, 1, "192.0.2.1 192.0.2.2");
    ck_assert_uint_eq(table->hosts[0].answer.answers, 16);
    table_free(table);
}
END_TEST

START_TEST(the_last_good_answer_is_inherited_if_it_can_be_given)
{
    struct table *table = AFTER(LAST, 90, 10);
    RESULTS(table, 0, 0);
    host_answer_at(&table->hosts[0], 2);
    table = host_next(table, LAST ", \"answers\": 2");
    assert_answer(table, 3, "192.0.2.2");
    table = host_next(table, "\"candidates\": [\"192.0.2.1\", \"192.0.2.3\"], "
                             "\"failure_mode\": \"last\"");
    RESULTS(table, -1, 0);
    assert_answer(table, 4, "192.0.2.1 192.0.2.3");
    table_free(table);
}
END_TEST

/* --- Overrides -------------------------------------------------------------------------------- */

START_TEST(an_override_is_of_the_candidate)
{
    struct table *table = host_of("\"candidates\": [\"name.example\", \"192.0.2.9\"]");
    struct host *host = &table->hosts[0];
    const struct config_candidate *name = host_find_candidate(host, "name.example");
    ck_assert_ptr_eq(name, &host->config->candidates[0]);
    ck_assert_ptr_null(host_find_candidate(host, "nobody"));
    ck_assert(host_override(host, name, OVERRIDE_DRAIN, 7, "why"));
    host_resolve(host, 0, "192.0.2.1 192.0.2.2");
    ck_assert_int_eq(endpoint_override(host->endpoints[0]), OVERRIDE_DRAIN);
    ck_assert_int_eq(endpoint_override(host->endpoints[1]), OVERRIDE_DRAIN);
    ck_assert_int_eq(endpoint_override(host->endpoints[2]), OVERRIDE_NONE);
    ck_assert(host_override(host, name, OVERRIDE_UP, 8, NULL));
    ck_assert_int_eq(endpoint_override(host->endpoints[1]), OVERRIDE_UP);
    ck_assert_ptr_null(host->candidates[0].override_reason);
    table_free(table);
}
END_TEST

START_TEST(overrides_are_inherited_by_label)
{
    struct table *table = host_of("\"candidates\": [{\"address\": \"192.0.2.1\", \"name\": \"a\"}, "
                                  "{\"address\": \"192.0.2.2\", \"name\": \"b\"}]");
    struct host *host = &table->hosts[0];
    ck_assert(host_override(host, &host->config->candidates[0], OVERRIDE_DOWN, 77, "upgrade"));
    ck_assert(host_override(host, &host->config->candidates[1], OVERRIDE_UP, 78, "gone"));
    table = host_next(table, "\"candidates\": [\"192.0.2.2\", {\"address\": \"192.0.2.7\", "
                             "\"name\": \"a\", \"check\": {\"port\": 81}}]");
    host = &table->hosts[0];
    ck_assert_int_eq(host->candidates[0].override, OVERRIDE_NONE);
    ck_assert_int_eq(host->candidates[1].override, OVERRIDE_DOWN);
    ck_assert_int_eq(host->candidates[1].override_until_us, 77);
    ck_assert_str_eq(host->candidates[1].override_reason, "upgrade");
    table_free(table);
}
END_TEST

/* --- What an earlier run knew ----------------------------------------------------------------- */

START_TEST(recalled_addresses_are_endpoints_until_the_name_resolves)
{
    struct table *table = host_of(
        "\"family\": \"ipv4\", \"candidates\": [\"192.0.2.9\", \"name.example\", \"192.0.2.8\"]");
    struct host *host = &table->hosts[0];
    const struct config_candidate *name = &host->config->candidates[1];
    struct har_address one, two, six;
    ck_assert_int_eq(har_address_parse("192.0.2.1", &one), 0);
    ck_assert_int_eq(har_address_parse("192.0.2.2", &two), 0);
    ck_assert_int_eq(har_address_parse("2001:db8::1", &six), 0);
    struct endpoint *recalled = host_recall(host, name, &one);
    ck_assert_ptr_nonnull(recalled);
    ck_assert_ptr_eq(host_recall(host, name, &one), recalled);
    ck_assert_ptr_eq(host_find_endpoint(host, name, &one), recalled);
    ck_assert_ptr_nonnull(host_recall(host, name, &two));
    ck_assert_ptr_null(host_recall(host, name, &six));
    ck_assert_ptr_null(host_recall(host, &host->config->candidates[0], &two));
    ck_assert_str_eq(host_endpoints(host), "192.0.2.9 192.0.2.1 192.0.2.2 192.0.2.8");
    ck_assert(host_is_waiting(host));
    host_resolve(host, 1, "");
    ck_assert_str_eq(host_endpoints(host), "192.0.2.9 192.0.2.1 192.0.2.2 192.0.2.8");
    ck_assert_uint_eq(host_resolve(host, 1, "192.0.2.1"), 1);
    ck_assert_ptr_eq(host->endpoints[1], recalled);
    table_free(table);
}
END_TEST

START_TEST(a_host_has_room_for_so_many_recalled)
{
    struct table *table = host_of("\"candidates\": [\"name.example\"]");
    struct host *host = &table->hosts[0];
    for (unsigned i = 0; i < RANK_ENTRIES_MAX + 1; i++) {
        struct har_address address;
        char text[20];
        sprintf(text, "10.0.%u.%u", i / 256, i % 256);
        ck_assert_int_eq(har_address_parse(text, &address), 0);
        ck_assert((host_recall(host, &host->config->candidates[0], &address) != NULL) ==
                  (i < RANK_ENTRIES_MAX));
    }
    table_free(table);
}
END_TEST

START_TEST(the_last_good_answer_of_an_earlier_run)
{
    const struct ranking_row row = {
        .name = "a.example", .status = "answer", .addresses = "192.0.2.2", .answers = 1};
    struct table *table = host_of(LAST);
    struct host *host = &table->hosts[0];
    host_restore_good(host, &row);
    ck_assert(!host->good_is_new);
    RESULTS(table, 0, 0);
    assert_answer(table, 1, "192.0.2.2");
    ck_assert(host->failing);
    ck_assert(!host->good_is_new);
    RESULTS(table, 5, 0);
    assert_answer(table, 2, "192.0.2.1");
    ck_assert(host->good_is_new);
    table_free(table);

    table = host_of(TWO);
    host_restore_good(&table->hosts[0], &row);
    ck_assert_ptr_null(table->hosts[0].good.addresses);
    table_free(table);
}
END_TEST

START_TEST(results_are_counted_by_their_kind)
{
    static const struct {
        enum check_reason reason;
        size_t counter;
    } kinds[] = {
        {REASON_OK, offsetof(struct endpoint_counters, successes)},
        {REASON_DNS_FAILED, offsetof(struct endpoint_counters, other_errors)},
        {REASON_CONNECT_REFUSED, offsetof(struct endpoint_counters, connect_errors)},
        {REASON_CONNECT_TIMEOUT, offsetof(struct endpoint_counters, timeouts)},
        {REASON_UNREACHABLE, offsetof(struct endpoint_counters, connect_errors)},
        {REASON_TLS_FAILED, offsetof(struct endpoint_counters, connect_errors)},
        {REASON_RESPONSE_TIMEOUT, offsetof(struct endpoint_counters, timeouts)},
        {REASON_BAD_STATUS, offsetof(struct endpoint_counters, response_errors)},
        {REASON_BAD_BODY, offsetof(struct endpoint_counters, response_errors)},
        {REASON_CLOSED, offsetof(struct endpoint_counters, response_errors)},
        {REASON_LOCAL_ERROR, offsetof(struct endpoint_counters, other_errors)},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct check_result result = {
            .reason = kinds[i].reason, .connect_us = 3, .total_us = 4};
        struct endpoint_counters counters = {.last_success_s = 1, .last_failure_s = 1}, wanted;
        bool ok = result.reason == REASON_OK;
        endpoint_count(&counters, &result, 77);
        wanted = (struct endpoint_counters){.last_success_s = ok ? 77 : 1,
                                            .last_failure_s = ok ? 1 : 77,
                                            .last_connect_us = ok ? 3 : 0,
                                            .last_response_us = ok ? 4 : 0};
        *(uint64_t *)(void *)((char *)&wanted + kinds[i].counter) = 1;
        ck_assert_mem_eq(&counters, &wanted, sizeof wanted);
    }
}
END_TEST

/* --- The next configuration ------------------------------------------------------------------- */

START_TEST(what_stayed_the_same_is_inherited)
{
    struct table *table = AFTER(TWO, 90, 10);
    struct endpoint *first = table->hosts[0].endpoints[0], *second = table->hosts[0].endpoints[1];
    override_endpoint(first, OVERRIDE_DRAIN);
    table = host_next(table, "\"candidates\": [\"192.0.2.2\", {\"address\": \"192.0.2.3\"}, "
                             "{\"address\": \"192.0.2.1\", \"name\": \"one\"}]");
    struct host *host = &table->hosts[0];
    ck_assert_str_eq(host_endpoints(host), "192.0.2.2 192.0.2.3 192.0.2.1");
    ck_assert_ptr_eq(host->endpoints[0], second);
    ck_assert_ptr_eq(host->endpoints[2], first);
    ck_assert_int_eq(endpoint_override(first),
                     OVERRIDE_NONE); /* of "192.0.2.1", and that is gone */
    ck_assert_str_eq(first->candidate->name, "one");
    ck_assert_ptr_eq(first->target.check, host->config->candidates[2].check);
    ck_assert_uint_eq(first->health.total_us, 90000);
    ck_assert_int_eq(host->endpoints[1]->health.state, HEALTH_UNKNOWN);
    ck_assert_str_eq(host->answer.addresses, "192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(a_reload_keeps_the_leader_and_the_hold)
{
    struct table *table = AFTER(TWO, 10, 90);
    RESULTS(table, 90, 10);
    assert_answer(table, 100, "192.0.2.2");
    table = host_next(table, "\"candidates\": [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]");
    RESULTS(table, 10, 90, -1);
    assert_answer(table, 129, "192.0.2.2"); /* held, and a newcomer changes nothing in that */
    assert_answer(table, 130, "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(a_reconfigured_check_starts_unknown)
{
    struct table *table = host_next(AFTER(TWO, 10, 90), TWO ", \"check\": {\"path\": \"/health\"}");
    ck_assert_int_eq(table->hosts[0].endpoints[0]->health.state, HEALTH_UNKNOWN);
    ck_assert_uint_eq(table->unanswered, 2);
    ck_assert_ptr_null(table->hosts[0].leader.endpoint);
    table = host_next(table, TWO ", \"check\": {\"path\": \"/health\", \"interval\": \"1s\"}");
    RESULTS(table, 10, -1);
    ck_assert_uint_eq(table->unanswered, 1);
    table_free(table);
}
END_TEST

START_TEST(endpoints_of_a_name_come_along)
{
    struct table *table = host_of(NAMED);
    host_resolve(&table->hosts[0], 1, "198.51.100.1 2001:db8::1");
    struct endpoint *third = table->hosts[0].endpoints[2];
    table = host_next(table, "\"candidates\": [\"192.0.2.3\", \"x.example.com\"], "
                             "\"family\": \"ipv6\"");
    struct host *host = &table->hosts[0];
    ck_assert_str_eq(host_endpoints(host), "2001:db8::1");
    ck_assert_ptr_eq(host->endpoints[0], third);
    ck_assert_ptr_eq(third->candidate, &host->config->candidates[1]);
    ck_assert(!host_is_waiting(host));
    /* Not those of another name, nor of an address that was one. */
    table = host_next(table, "\"candidates\": [\"y.example.com\", \"2001:db8::1\"]");
    host = &table->hosts[0];
    ck_assert_str_eq(host_endpoints(host), "2001:db8::1");
    ck_assert_ptr_ne(host->endpoints[0], third);
    ck_assert(host_is_waiting(host));
    table_free(table);
}
END_TEST

START_TEST(endpoints_of_a_name_keep_their_order)
{
    struct table *table = host_of(NAMED);
    host_resolve(&table->hosts[0], 1, many(0, 5));
    table = host_next(table, NAMED);
    ck_assert_str_eq(host_endpoints(&table->hosts[0]),
                     "192.0.2.1 10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(a_failure_is_no_news_after_a_reload)
{
    struct table *table = AFTER(TWO, 0, 0);
    char *was = NULL;
    ck_assert(table->hosts[0].failing);
    table = host_next(table, TWO);
    ck_assert(!host_update_answer(&table->hosts[0], 1, &was));
    table_free(table);
}
END_TEST

START_TEST(two_ports_of_one_address_stay_apart)
{
#define PORTS(one, other)                                                                          \
    "\"candidates\": [{\"address\": \"192.0.2.1\", \"check\": {\"port\": " one                     \
    "}}, {\"address\": \"192.0.2.1\", \"name\": \"b\", \"check\": {\"port\": " other "}}]"
    struct table *table = AFTER(PORTS("1", "2"), 10, 90);
    struct endpoint *first = table->hosts[0].endpoints[0], *second = table->hosts[0].endpoints[1];
    table = host_next(table, PORTS("2", "1"));
    ck_assert_ptr_eq(table->hosts[0].endpoints[0], second);
    ck_assert_ptr_eq(table->hosts[0].endpoints[1], first);
    table_free(table);
}
END_TEST

/* --- An earlier run --------------------------------------------------------------------------- */

static struct table *host_restored(const char *keys, const char *status, const char *addresses)
{
    const struct ranking_row row = {
        .name = "a.example", .status = status, .addresses = addresses, .answers = 1};
    struct table *table = host_of(keys);
    table_restore(table, &row);
    return table;
}

START_TEST(the_last_ranking_stands_until_all_have_answered)
{
    struct table *table = host_restored(TWO, "answer", "192.0.2.2");
    assert_answer(table, 1, "192.0.2.2");
    RESULTS(table, 10, -1);
    assert_answer(table, 1, "192.0.2.2"); /* the other may be faster still */
    RESULTS(table, 10, 90);
    assert_answer(table, 1, "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(who_led_then_leads_on)
{
    struct table *table = host_restored(TWO, "answer", "192.0.2.2");
    RESULTS(table, 10, 19);
    assert_answer(table, 1, "192.0.2.2");
    table_free(table);

    table = host_restored("\"candidates\": [\"192.0.2.1\", \"192.0.2.2\", \"2001:db8::1\", "
                          "\"2001:db8::2\"]",
                          "answer", "2001:db8::2 192.0.2.2");
    RESULTS(table, 10, 19, 11, 18);
    assert_answer(table, 1, "2001:db8::2 192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(the_last_ranking_falls_with_its_best)
{
    struct table *table = host_restored(TWO, "answer", "192.0.2.2");
    RESULTS(table, -1, 0);
    assert_answer(table, 1, "192.0.2.1");
    table_free(table);

    static const enum override overrides[] = {OVERRIDE_DOWN, OVERRIDE_DRAIN};
    for (size_t i = 0; i < 2; i++) {
        table = host_restored(TWO, "answer", "192.0.2.2");
        override_endpoint(table->hosts[0].endpoints[1], overrides[i]);
        assert_answer(table, 1, "192.0.2.1");
        table_free(table);
    }
}
END_TEST

/* Who comes first afterwards is not a leader either. */
START_TEST(a_fallen_ranking_leaves_the_first_round_open)
{
    struct table *table = host_restored(
        "\"candidates\": [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]", "answer", "192.0.2.2");
    RESULTS(table, 10, 0, -1);
    assert_answer(table, 1, "192.0.2.1");
    RESULTS(table, 10, 0, 9);
    assert_answer(table, 1, "192.0.2.3");
    table_free(table);
}
END_TEST

START_TEST(a_last_failure_falls_with_the_first_that_is_up)
{
    struct table *table = host_restored(TWO, "fail", "");
    RESULTS(table, 0, -1);
    assert_answer(table, 1, "");
    RESULTS(table, -1, 90);
    assert_answer(table, 1, "192.0.2.2");
    ck_assert_str_eq(table->hosts[0].answer.status, "answer");
    table_free(table);
}
END_TEST

START_TEST(a_restored_answer_does_not_outlive_its_candidate)
{
    struct table *table = host_restored(TWO, "answer", "192.0.2.2");
    assert_answer(table, 1, "192.0.2.2");
    table = host_next(table, TWO ", \"answers\": 2");
    assert_answer(table, 1, "192.0.2.2"); /* so long it stands */
    table = host_next(table, "\"candidates\": [\"192.0.2.1\"]");
    assert_answer(table, 1, "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(a_restored_answer_is_the_last_good_one)
{
    struct table *table = host_restored(LAST, "answer", "192.0.2.2");
    RESULTS(table, 0, 0);
    assert_answer(table, 1, "192.0.2.2");
    ck_assert(table->hosts[0].failing);
    table_free(table);
}
END_TEST

/* An address that is nobody's yet may be that of a name. */
START_TEST(addresses_of_unresolved_names_stand)
{
    struct table *table = host_restored(NAMED, "answer", "198.51.100.1");
    struct host *host = &table->hosts[0];
    RESULTS(table, 10, 10);
    assert_answer(table, 1, "198.51.100.1"); /* the name is awaited */
    host_resolve(host, 1, "");
    assert_answer(table, 1, "192.0.2.1"); /* in vain, and somebody is up */
    table_free(table);

    table = host_restored(NAMED, "answer", "198.51.100.1");
    host = &table->hosts[0];
    RESULTS(table, 0, 0);
    host_resolve(host, 1, "");
    assert_answer(table, 1, "198.51.100.1"); /* in vain, and nobody else is up */
    host_resolve(host, 1, "198.51.100.2");
    assert_answer(table, 1, "198.51.100.2"); /* it is none of the name's */
    table_free(table);

    table = host_restored("\"candidates\": [\"x.example.com\"]", "answer", "198.51.100.1");
    host = &table->hosts[0];
    assert_answer(table, 1, "198.51.100.1");
    host_resolve(host, 0, "");
    assert_answer(table, 1, "198.51.100.1");
    host_resolve(host, 0, "198.51.100.2 198.51.100.1");
    assert_answer(table, 1, "198.51.100.1"); /* until both have answered */
    table_free(table);
}
END_TEST

START_TEST(a_failure_restored_is_decided_anew)
{
    struct table *table =
        host_restored(NAMED ", \"failure_mode\": [\"198.51.100.9\"]", "answer", "198.51.100.9");
    struct host *host = &table->hosts[0];
    assert_answer(table, 1, "198.51.100.9");
    RESULTS(table, 0, 0);
    host_resolve(host, 1, "");
    assert_answer(table, 1, "198.51.100.9");
    ck_assert(host->failing);
    table_free(table);
}
END_TEST

START_TEST(a_ranking_that_cannot_be_ours_is_passed_over)
{
    static const struct ranking_row strangers[] = {
        {.status = "answer", .addresses = "192.0.2.3"},
        {.status = "answer", .addresses = "192.0.2.2  192.0.2.1"},
        {.status = "answer", .addresses = "192.0.2.2 nonsense"},
        {.status = "other", .addresses = "192.0.2.2"},
    };
    struct table *table = host_of(TWO);
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        host_restore(&table->hosts[0], &strangers[i]);
    ck_assert_ptr_null(table->hosts[0].answer.addresses);
    table_free(table);
}
END_TEST

static void add_names_and_answers(Suite *suite)
{
    TCase *tests = tcase_create("names and answers");
    tcase_add_test(tests, endpoints_are_of_the_families_wanted);
    tcase_add_test(tests, check_none_is_up_and_asks_for_nothing);
    tcase_add_test(tests, addresses_of_a_name_come_and_go);
    tcase_add_test(tests, an_address_given_twice_is_one_endpoint);
    tcase_add_test(tests, a_name_without_addresses_keeps_what_it_had);
    tcase_add_test(tests, a_host_has_room_for_so_many);
    tcase_add_test(tests, a_name_that_is_unresolved_answers_nothing);
    tcase_add_test(tests, a_leader_that_left_is_not_missed);
    tcase_add_test(tests, answers_follow_health);
    tcase_add_test(tests, that_it_fails_is_a_change);
    tcase_add_test(tests, weights_are_a_change);
    tcase_add_test(tests, connect_time_ranks_when_asked);
    tcase_add_test(tests, the_operator_has_the_last_word);
    suite_add_tcase(suite, tests);
}

static void add_leaders_and_failure(Suite *suite)
{
    TCase *tests = tcase_create("leaders and failure");
    tcase_add_test(tests, nobody_leads_before_the_first_round_is_over);
    tcase_add_test(tests, nobody_leads_before_all_are_measured);
    tcase_add_test(tests, nobody_leads_while_a_name_is_awaited);
    tcase_add_test(tests, a_switch_holds_the_next_one_up);
    tcase_add_test(tests, each_family_has_its_own_hold);
    tcase_add_test(tests, leaving_the_dead_is_no_switch);
    tcase_add_test(tests, a_leader_leads_again_after_all_were_dead);
    tcase_add_test(tests, the_last_good_answer_stands);
    tcase_add_test(tests, without_a_last_answer_everybody);
    tcase_add_test(tests, the_last_good_answer_is_inherited_if_it_can_be_given);
    suite_add_tcase(suite, tests);
}

static void add_earlier(Suite *suite)
{
    TCase *tests = tcase_create("earlier configurations and runs");
    tcase_add_test(tests, an_override_is_of_the_candidate);
    tcase_add_test(tests, overrides_are_inherited_by_label);
    tcase_add_test(tests, recalled_addresses_are_endpoints_until_the_name_resolves);
    tcase_add_test(tests, a_host_has_room_for_so_many_recalled);
    tcase_add_test(tests, the_last_good_answer_of_an_earlier_run);
    tcase_add_test(tests, results_are_counted_by_their_kind);
    tcase_add_test(tests, what_stayed_the_same_is_inherited);
    tcase_add_test(tests, a_reload_keeps_the_leader_and_the_hold);
    tcase_add_test(tests, a_reconfigured_check_starts_unknown);
    tcase_add_test(tests, endpoints_of_a_name_come_along);
    tcase_add_test(tests, endpoints_of_a_name_keep_their_order);
    tcase_add_test(tests, a_failure_is_no_news_after_a_reload);
    tcase_add_test(tests, two_ports_of_one_address_stay_apart);
    tcase_add_test(tests, the_last_ranking_stands_until_all_have_answered);
    tcase_add_test(tests, who_led_then_leads_on);
    tcase_add_test(tests, the_last_ranking_falls_with_its_best);
    tcase_add_test(tests, a_fallen_ranking_leaves_the_first_round_open);
    tcase_add_test(tests, a_last_failure_falls_with_the_first_that_is_up);
    tcase_add_test(tests, a_restored_answer_does_not_outlive_its_candidate);
    tcase_add_test(tests, a_restored_answer_is_the_last_good_one);
    tcase_add_test(tests, addresses_of_unresolved_names_stand);
    tcase_add_test(tests, a_failure_restored_is_decided_anew);
    tcase_add_test(tests, a_ranking_that_cannot_be_ours_is_passed_over);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("host");
    add_names_and_answers(suite);
    add_leaders_and_failure(suite);
    add_earlier(suite);
    return unit_run(suite);
}
