#include "hard/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"

/* Loads hosts as an operator would write them, without the outer braces. */
static struct table *table_of(const char *hosts)
{
    char path[] = "/tmp/har-check-table-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *file = fdopen(fd, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "{\"ranking_db\": \"/nowhere/ranking.db\", \"hosts\": {%s}}", hosts);
    ck_assert_int_eq(fclose(file), 0);

    struct config *config = NULL;
    struct config_report report = {0};
    int code = config_load(path, &config, &report);
    unlink(path);
    ck_assert_msg(code == 0, "%s", report.count > 0 ? report.lines[0] : "no line");
    config_report_done(&report);
    struct har_error error = {.code = HAR_OK};
    struct table *table = table_new(config, &error);
    ck_assert_ptr_nonnull(table);
    return table;
}

#define A "\"a.example\": {\"candidates\": [\"192.0.2.1\", \"192.0.2.2\"]}"

static struct endpoint *endpoint(struct table *table, size_t host, size_t place)
{
    return table->hosts[host].endpoints[place];
}

/* A result, as the monitor would note it. */
static void result(struct table *table, struct endpoint *endpoint, bool good, uint32_t us)
{
    if (good)
        health_success(&endpoint->health, 1, us, us);
    else
        health_failure(&endpoint->health, 1);
    if (!endpoint->answered)
        table_answered(table, endpoint);
}

/* The answer's addresses after it was brought up to date. */
static const char *answer_of(struct host *host)
{
    char *was = NULL;
    if (host_update_answer(host, &was))
        free(was);
    return host->addresses;
}

START_TEST(rows_hold_every_name_in_order)
{
    struct table *table =
        table_of("\"m.example\": {\"candidates\": [\"192.0.2.1\"], \"aliases\": "
                 "[\"z.example\", \"a.example\"]}, \"b.example\": {\"candidates\": [\"::1\"]}");
    size_t count = 99;
    table_rows(table, &count);
    ck_assert_uint_eq(count, 0); /* nobody has an answer yet */
    for (size_t i = 0; i < table->host_count; i++)
        answer_of(&table->hosts[i]);
    const struct ranking_row *rows = table_rows(table, &count);
    ck_assert_uint_eq(count, 4);
    static const char *const names[] = {"a.example", "b.example", "m.example", "z.example"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(rows[i].name, names[i]);
        ck_assert_str_eq(rows[i].addresses, i == 1 ? "::1" : "192.0.2.1");
        if (i == 0 || i == 3)
            ck_assert_str_eq(rows[i].alias_of, "m.example");
        else
            ck_assert_ptr_null(rows[i].alias_of);
    }
    table_free(table);
}
END_TEST

START_TEST(answers_follow_health)
{
    struct table *table = table_of(A);
    struct host *host = &table->hosts[0];
    char *was = (char *)-1;
    ck_assert(host_update_answer(host, &was));
    ck_assert_ptr_null(was);
    ck_assert_str_eq(host->addresses, "192.0.2.1"); /* unknown: as written */
    ck_assert(!host_update_answer(host, &was));

    ck_assert_uint_eq(table->unanswered, 2);
    result(table, endpoint(table, 0, 0), true, 900);
    result(table, endpoint(table, 0, 1), true, 100);
    ck_assert_uint_eq(table->unanswered, 0);
    ck_assert(host_update_answer(host, &was));
    ck_assert_str_eq(was, "192.0.2.1");
    ck_assert_str_eq(host->addresses, "192.0.2.2");
    free(was);
    table_free(table);
}
END_TEST

START_TEST(connect_time_ranks_when_asked)
{
    struct table *table = table_of("\"a.example\": {\"candidates\": [\"192.0.2.1\", \"192.0.2.2\"],"
                                   " \"rtt_mode\": \"connect\"}");
    health_success(&endpoint(table, 0, 0)->health, 1, 50, 100);
    health_success(&endpoint(table, 0, 1)->health, 1, 20, 900);
    ck_assert_str_eq(answer_of(&table->hosts[0]), "192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(check_none_is_up_and_asks_for_nothing)
{
    struct table *table =
        table_of("\"a.example\": {\"candidates\": [\"192.0.2.7\", \"192.0.2.1\"], "
                 "\"check\": {\"type\": \"none\"}}");
    ck_assert_uint_eq(table->unanswered, 0);
    ck_assert_int_eq(endpoint(table, 0, 0)->health.state, HEALTH_UP);
    ck_assert_str_eq(answer_of(&table->hosts[0]), "192.0.2.7");
    table_free(table);
}
END_TEST

START_TEST(what_stayed_the_same_is_inherited)
{
    struct table *old = table_of(A ", \"gone.example\": {\"candidates\": [\"192.0.2.9\"]}");
    struct endpoint *first = endpoint(old, 0, 0), *second = endpoint(old, 0, 1);
    result(old, first, true, 900);
    result(old, second, true, 100);
    answer_of(&old->hosts[0]);

    /* The order is turned round, one candidate is new, a host comes before and one is gone. */
    struct table *table =
        table_of("\"a.example\": {\"candidates\": [\"192.0.2.2\", {\"address\": \"192.0.2.3\"}, "
                 "{\"address\": \"192.0.2.1\", \"name\": \"one\"}]}, "
                 "\"0.example\": {\"candidates\": [\"192.0.2.1\"]}");
    table_inherit(table, old);
    table_free(old);

    struct host *host = &table->hosts[1];
    ck_assert_ptr_eq(host->endpoints[0], second);
    ck_assert_ptr_eq(host->endpoints[2], first);
    ck_assert_ptr_eq(first->host, host);
    ck_assert_str_eq(first->name, "one");
    ck_assert_ptr_eq(first->target.check, host->config->candidates[2].check);
    ck_assert_uint_eq(first->health.total_us, 900);
    ck_assert_int_eq(host->endpoints[1]->health.state, HEALTH_UNKNOWN);
    ck_assert_uint_eq(table->unanswered, 2);
    ck_assert_str_eq(host->addresses, "192.0.2.2");
    ck_assert_int_eq(endpoint(table, 0, 0)->health.state, HEALTH_UNKNOWN); /* another host's */
    table_free(table);
}
END_TEST

START_TEST(a_reconfigured_check_starts_unknown)
{
    struct table *old = table_of(A);
    result(old, endpoint(old, 0, 0), true, 900);
    struct table *table =
        table_of("\"a.example\": {\"candidates\": [\"192.0.2.1\", \"192.0.2.2\"], "
                 "\"check\": {\"path\": \"/health\"}}");
    table_inherit(table, old);
    ck_assert_int_eq(endpoint(table, 0, 0)->health.state, HEALTH_UNKNOWN);
    ck_assert_uint_eq(table->unanswered, 2);
    table_free(old);
    table_free(table);
}
END_TEST

START_TEST(one_endpoint_is_inherited_once)
{
    struct table *old = table_of(A);
    struct endpoint *first = endpoint(old, 0, 0);
    struct table *table = table_of(A), *next = table_of(A);
    table_inherit(table, old);
    table_inherit(next, table);
    ck_assert_ptr_eq(endpoint(next, 0, 0), first);
    ck_assert_ptr_ne(endpoint(table, 0, 0), first);
    table_free(old);
    table_free(table);
    table_free(next);
}
END_TEST

static const struct ranking_row last_run = {
    .name = "a.example", .status = "answer", .addresses = "192.0.2.2", .answers = 1};

START_TEST(the_last_ranking_stands_until_all_have_answered)
{
    struct table *table = table_of(A);
    struct host *host = &table->hosts[0];
    table_restore(table, &last_run);
    ck_assert_str_eq(answer_of(host), "192.0.2.2");
    result(table, endpoint(table, 0, 0), true, 100);
    ck_assert_str_eq(answer_of(host), "192.0.2.2"); /* the other may be faster still */
    result(table, endpoint(table, 0, 1), true, 900);
    ck_assert_str_eq(answer_of(host), "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(the_last_ranking_falls_with_its_best)
{
    struct table *table = table_of(A);
    table_restore(table, &last_run);
    result(table, endpoint(table, 0, 1), false, 0);
    ck_assert_str_eq(answer_of(&table->hosts[0]), "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(a_last_failure_falls_with_the_first_that_is_up)
{
    static const struct ranking_row failure = {
        .name = "a.example", .status = "fail", .addresses = "", .answers = 1};
    struct table *table = table_of(A);
    table_restore(table, &failure);
    struct host *host = &table->hosts[0];
    result(table, endpoint(table, 0, 0), false, 0);
    ck_assert_str_eq(answer_of(host), "");
    table_free(table);

    table = table_of(A);
    host = &table->hosts[0];
    table_restore(table, &failure);
    ck_assert_str_eq(answer_of(host), "");
    ck_assert_str_eq(host->status, "fail");
    result(table, endpoint(table, 0, 1), true, 900);
    ck_assert_str_eq(answer_of(host), "192.0.2.2");
    ck_assert_str_eq(host->status, "answer");
    table_free(table);
}
END_TEST

START_TEST(a_restored_answer_does_not_outlive_its_candidate)
{
    struct table *old = table_of(A);
    table_restore(old, &last_run);
    answer_of(&old->hosts[0]);
    struct table *table = table_of("\"a.example\": {\"candidates\": [\"192.0.2.1\"]}");
    table_inherit(table, old);
    table_free(old);
    ck_assert_str_eq(answer_of(&table->hosts[0]), "192.0.2.1");
    table_free(table);
}
END_TEST

START_TEST(a_ranking_that_cannot_be_ours_is_passed_over)
{
    static const struct ranking_row strangers[] = {
        {.name = "a.example", .status = "answer", .addresses = "192.0.2.3", .answers = 1},
        {.name = "a.example",
         .status = "answer",
         .addresses = "192.0.2.2  192.0.2.1",
         .answers = 1},
        {.name = "a.example", .status = "answer", .addresses = "192.0.2.2 nonsense", .answers = 1},
        {.name = "a.example", .status = "forward", .addresses = "192.0.2.2", .answers = 1},
        {.name = "b.example", .status = "answer", .addresses = "192.0.2.2", .answers = 1},
        {.name = "a.example",
         .status = "answer",
         .addresses = "192.0.2.2",
         .answers = 1,
         .alias_of = "b.example"},
    };
    struct table *table = table_of(A);
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        table_restore(table, &strangers[i]);
    ck_assert_ptr_null(table->hosts[0].addresses);
    table_free(table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("table");
    tcase_add_test(tests, rows_hold_every_name_in_order);
    tcase_add_test(tests, answers_follow_health);
    tcase_add_test(tests, connect_time_ranks_when_asked);
    tcase_add_test(tests, check_none_is_up_and_asks_for_nothing);
    tcase_add_test(tests, what_stayed_the_same_is_inherited);
    tcase_add_test(tests, a_reconfigured_check_starts_unknown);
    tcase_add_test(tests, one_endpoint_is_inherited_once);
    tcase_add_test(tests, the_last_ranking_stands_until_all_have_answered);
    tcase_add_test(tests, the_last_ranking_falls_with_its_best);
    tcase_add_test(tests, a_last_failure_falls_with_the_first_that_is_up);
    tcase_add_test(tests, a_restored_answer_does_not_outlive_its_candidate);
    tcase_add_test(tests, a_ranking_that_cannot_be_ours_is_passed_over);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
