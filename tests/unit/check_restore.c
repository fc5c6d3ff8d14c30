/* ranking/restore.c: what a published ranking says, and nothing that could not be published again.
 */
#include "ranking/restore.h"

#include "tests/support/ranking_file.h"

static char text[4096];

static void note_row(void *arg, const struct ranking_row *row)
{
    ck_assert_ptr_eq(arg, text);
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s|%s|%s|%u|%s|%s\n", row->name, row->status,
             row->addresses, row->answers, row->alias_of != NULL ? row->alias_of : "-",
             row->weights != NULL ? row->weights : "-");
}

/* Every row that is called, a line each. */
static const char *restore(enum har_code expected)
{
    struct har_error error = {.code = HAR_OK};
    text[0] = '\0';
    int code = ranking_restore(path, NOW_S, note_row, text, &error);
    ck_assert_msg(code == (int)expected, "%d, %s", code, error.text);
    ck_assert_int_eq(error.code, expected);
    return text;
}

START_TEST(says_what_was_published)
{
    static const struct ranking_row rows[] = {
        {"a.example", "answer", "192.0.2.1 ::1", 2, NULL, "100 -7"},
        {"b.example", "answer", "192.0.2.1", 1, "a.example", NULL},
        {"c.example", "fail", "", 1, NULL, NULL},
    };
    struct har_error error = {.code = HAR_OK};
    unlink(path);
    ck_assert_int_eq(ranking_publish(path, rows, 3, NOW_S + 1, &error), HAR_OK);
    ck_assert_str_eq(restore(HAR_OK), "a.example|answer|192.0.2.1 ::1|2|-|100 -7\n"
                                      "b.example|answer|192.0.2.1|1|a.example|-\n"
                                      "c.example|fail||1|-|-\n");
}
END_TEST

/* One of them published again would be refused with all the others. */
START_TEST(bad_rows_are_passed_over)
{
    sqlite3 *db = create(RANKING_PAGE_BYTES, 0);
    run(db, "INSERT INTO answer VALUES"
            "('a', 'answer', '192.0.2.1', 1, NULL, 1700000001, '1 2'),"
            "('b', 'answer', '192.0.2.1', 1, NULL, 1700000001, 'x'),"
            "('c', 'answer', '192.0.2.1', 17, NULL, 1700000001, NULL),"
            "('d', 'answer', 'here', 1, NULL, 1700000001, NULL),"
            "('e', 'answer', '192.0.2.1', 1, 'x y', 1700000001, NULL),"
            "('F', 'answer', '192.0.2.1', 1, NULL, 1700000001, NULL),"
            "('g', 'answer', '192.0.2.1', 1, NULL, 1700000000, NULL),"
            "('h', 'answer', '192.0.2.1', 1, NULL, 1700000001, '5')");
    finish(db);
    ck_assert_str_eq(restore(HAR_OK), "h|answer|192.0.2.1|1|-|5\n");
}
END_TEST

START_TEST(what_is_no_ranking)
{
    unlink(path);
    ck_assert_str_eq(restore(HAR_OK), "");
    write_file((const unsigned char *)"nonsense", 8);
    ck_assert_str_eq(restore(HAR_ERR_SQLITE), "");
    write_good();
    patch_file(68, "else", 4);
    ck_assert_str_eq(restore(HAR_ERR_SQLITE), "");
    write_good();
    patch_file(60, "\0\0\0\2", 4);
    ck_assert_str_eq(restore(HAR_ERR_SQLITE), "");
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_str_eq(restore(HAR_ERR_VALUE), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restore");
    TCase *tests = tcase_create("restore");
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, says_what_was_published);
    tcase_add_test(tests, bad_rows_are_passed_over);
    tcase_add_test(tests, what_is_no_ranking);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
