#include "hard/table.h"

#include <string.h>

#include "tests/support/table_text.h"

#define A "\"a.example\": {\"candidates\": [\"192.0.2.1\", \"192.0.2.2\"]}"

START_TEST(rows_hold_every_name_in_order)
{
    struct table *table =
        table_of("\"m.example\": {\"candidates\": [\"192.0.2.1\"], \"aliases\": "
                 "[\"z.example\", \"a.example\"]}, \"b.example\": {\"candidates\": [\"::1\"]}");
    size_t count = 99;
    table_rows(table, &count);
    ck_assert_uint_eq(count, 0); /* nobody has an answer yet */
    for (size_t i = 0; i < table->host_count; i++)
        host_answer_at(&table->hosts[i], 1);
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

START_TEST(rows_hold_the_whole_answer)
{
    struct table *table = table_of(
        "\"a.example\": {\"candidates\": [\"192.0.2.1\", {\"address\": \"::1\", \"weight\": 7}], "
        "\"aliases\": [\"b.example\"], \"selection\": \"group_rtt_rr\", \"answers\": 3}, "
        "\"c.example\": {\"candidates\": [\"192.0.2.1\"], \"failure_mode\": \"none\"}, "
        "\"d.example\": {\"candidates\": [\"d.example.com\"]}");
    for (size_t i = 0; i < 2; i++)
        table_result(table, table->hosts[0].endpoints[i], 10);
    table_result(table, table->hosts[1].endpoints[0], 0);
    for (size_t i = 0; i < table->host_count; i++)
        host_answer_at(&table->hosts[i], 1);
    size_t count = 99;
    const struct ranking_row *rows = table_rows(table, &count);
    ck_assert_uint_eq(count, 3); /* a name that is unresolved answers nothing */
    for (size_t i = 0; i < 2; i++) {
        ck_assert_str_eq(rows[i].status, "answer");
        ck_assert_str_eq(rows[i].addresses, "192.0.2.1 ::1");
        ck_assert_str_eq(rows[i].weights, "100 7");
        ck_assert_uint_eq(rows[i].answers, 3);
    }
    ck_assert_str_eq(rows[2].status, "fail");
    ck_assert_ptr_null(rows[2].weights);
    table_free(table);
}
END_TEST

START_TEST(those_without_a_result_are_counted)
{
    struct table *table =
        table_of(A ", \"none.example\": {\"candidates\": [\"192.0.2.7\"], \"check\": "
                   "{\"type\": \"none\"}}, \"name.example\": {\"candidates\": [\"x.example\"]}");
    struct endpoint *first = table->hosts[0].endpoints[0];
    ck_assert_uint_eq(table->unanswered, 3);
    table_result(table, first, 10);
    table_result(table, first, 10);
    ck_assert_uint_eq(table->unanswered, 2);
    struct table *next = table_of(A ", \"b.example\": {\"candidates\": [\"192.0.2.7\"]}");
    table_inherit(next, table);
    ck_assert_uint_eq(next->unanswered, 2);
    table_free(table);
    table_free(next);
}
END_TEST

START_TEST(hosts_inherit_by_name)
{
    struct table *old = table_of(A ", \"gone.example\": {\"candidates\": [\"192.0.2.9\"]}");
    struct endpoint *first = old->hosts[0].endpoints[0];
    host_answer_at(&old->hosts[0], 1);
    struct table *table = table_next(old, "\"0.example\": {\"candidates\": [\"192.0.2.1\"]}, " A
                                          ", \"z.example\": {\"candidates\": [\"192.0.2.1\"]}");
    ck_assert_ptr_eq(table->hosts[1].endpoints[0], first);
    ck_assert_ptr_eq(first->host, &table->hosts[1]);
    ck_assert_ptr_ne(table->hosts[0].endpoints[0], first);
    ck_assert_ptr_ne(table->hosts[2].endpoints[0], first);
    ck_assert_str_eq(table->hosts[1].answer.addresses, "192.0.2.1");
    ck_assert_ptr_null(table->hosts[0].answer.addresses);
    table_free(table);
}
END_TEST

START_TEST(one_endpoint_is_inherited_once)
{
    struct table *old = table_of(A);
    struct endpoint *first = old->hosts[0].endpoints[0];
    struct table *table = table_of(A), *next = table_of(A);
    table_inherit(table, old);
    table_inherit(next, table);
    ck_assert_ptr_eq(next->hosts[0].endpoints[0], first);
    ck_assert_uint_eq(table->hosts[0].endpoint_count, 0);
    table_free(old);
    table_free(table);
    table_free(next);
}
END_TEST

/* The row of an alias says the same as that of its host, and one of them is enough. */
START_TEST(rows_of_hosts_are_restored)
{
    struct ranking_row row = {
        .name = "a.example", .status = "answer", .addresses = "192.0.2.2", .answers = 1};
    struct table *table = table_of(A);
    row.name = "b.example";
    table_restore(table, &row);
    row.name = "a.example";
    row.alias_of = "b.example";
    table_restore(table, &row);
    ck_assert_ptr_null(table->hosts[0].answer.addresses);
    row.alias_of = NULL;
    table_restore(table, &row);
    ck_assert_str_eq(table->hosts[0].answer.addresses, "192.0.2.2");
    table_free(table);
}
END_TEST

START_TEST(hosts_are_found_by_every_name)
{
    struct table *table = table_of(A ", \"b.example\": {\"candidates\": [\"192.0.2.1\"], "
                                     "\"aliases\": [\"c.example\"]}");
    ck_assert_ptr_eq(table_find(table, "a.example"), &table->hosts[0]);
    ck_assert_ptr_eq(table_find(table, "b.example"), &table->hosts[1]);
    ck_assert_ptr_eq(table_find(table, "c.example"), &table->hosts[1]);
    ck_assert_ptr_null(table_find(table, "d.example"));
    table_free(table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("table");
    tcase_add_test(tests, rows_hold_every_name_in_order);
    tcase_add_test(tests, rows_hold_the_whole_answer);
    tcase_add_test(tests, those_without_a_result_are_counted);
    tcase_add_test(tests, hosts_inherit_by_name);
    tcase_add_test(tests, one_endpoint_is_inherited_once);
    tcase_add_test(tests, hosts_are_found_by_every_name);
    tcase_add_test(tests, rows_of_hosts_are_restored);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
