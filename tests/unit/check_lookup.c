/* ranking/lookup.c, record.c: what a row of the table means, and what a lookup leaves behind. */
#include <netinet/in.h>
#include <pthread.h>

#include "tests/support/ranking_file.h"

/* --- One row ---------------------------------------------------------------------------------- */

static const struct {
    const char *row; /* all columns but the name */
    int family;
    const char *expected;
} row_cases[] = {
    {"'answer', '192.0.2.1 2001:db8::1', 1, NULL, 1700000001", AF_UNSPEC, "192.0.2.1"},
    {"'answer', '2001:db8::1 192.0.2.1', 1, NULL, 1700000001", AF_UNSPEC, "2001:db8::1"},
    {"'answer', '2001:db8::1 192.0.2.1', 1, NULL, 1700000001", AF_INET, "192.0.2.1"},
    {"'answer', '192.0.2.1 2001:db8::1', 1, NULL, 1700000001", AF_INET6, "2001:db8::1"},
    {"'answer', '192.0.2.1', 1, NULL, 1700000001", AF_INET6, "no data"},
    {"'answer', '2001:db8::1', 1, NULL, 1700000001", AF_INET, "no data"},
    {"'answer', '', 1, NULL, 1700000001", AF_UNSPEC, "no data"},
    {"'fail', '', 1, NULL, 1700000001", AF_INET, "failing"},
    {"'fail', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "failing"},
    {"'fall', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answes', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'forward', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answers', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answe', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    /* How many. */
    {"'answer', '192.0.2.1 ::1 192.0.2.2 192.0.2.3', 2, NULL, 1700000001", AF_INET,
     "192.0.2.1 192.0.2.2"},
    {"'answer', '192.0.2.1 ::1 192.0.2.2 192.0.2.3', 3, NULL, 1700000001", AF_UNSPEC,
     "192.0.2.1 ::1 192.0.2.2"},
    {"'answer', '192.0.2.1 192.0.2.2', 16, NULL, 1700000001", AF_INET, "192.0.2.1 192.0.2.2"},
    {"'answer', '192.0.2.1 192.0.2.2', 0, NULL, 1700000001", AF_INET, "192.0.2.1"},
    {"'answer', '192.0.2.1 192.0.2.2', -1, NULL, 1700000001", AF_INET, "192.0.2.1"},
    {"'answer', '192.0.2.1 192.0.2.2', 4294967296, NULL, 1700000001", AF_INET,
     "192.0.2.1 192.0.2.2"},
    {"'answer', '192.0.2.1 192.0.2.2', 4294967297, NULL, 1700000001", AF_INET,
     "192.0.2.1 192.0.2.2"},
    {"'answer', '192.0.2.1 192.0.2.2', 9223372036854775807, NULL, 1700000001", AF_INET,
     "192.0.2.1 192.0.2.2"},
    {"'answer', '::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 ::a ::b ::c ::d ::e ::f ::10 ::11', 17, NULL,"
     " 1700000001",
     AF_INET6, "::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 ::a ::b ::c ::d ::e ::f ::10"},
    /* Until when: now is 1700000000. */
    {"'answer', '192.0.2.1', 1, NULL, 1700000000", AF_INET, "absent"},
    {"'fail', '', 1, NULL, 1700000000", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, NULL, 0", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, NULL, 1", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, NULL, -1", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, NULL, -9223372036854775808", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, NULL, 100000000000", AF_INET, "192.0.2.1"},
    {"'answer', '192.0.2.1', 1, NULL, 9223372036854775807", AF_INET, "192.0.2.1"},
    /* What the publisher never writes. */
    {"'answer', 'localhost', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '::1 localhost', 2, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1  192.0.2.2', 2, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1' || char(0) || 'x', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', printf('%.46c', '1'), 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa', 1, NULL, 1700000001", AF_INET,
     "absent"},
    {"'answer', x'3139322e302e322e31', 1, NULL, 1700000001", AF_INET, "absent"},
    {"x'616e73776572', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 'one', NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1.5, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, '', 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, x'61', 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, printf('%.254c', 'x'), 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, printf('%.253c', 'x'), 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, 'a' || replace(printf('%.126c', 'x'), 'x', '.x'), 1700000001",
     AF_INET, "192.0.2.1"},
    {"'answer', '192.0.2.1', 1, 'www' || char(10) || 'example', 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, 'WWW.example.com', 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, 'www.example.com.', 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, NULL, 'never'", AF_INET, "absent"},
    {"'answer', printf('%.5000c', ' '), 1, NULL, 1700000001", AF_INET, "absent"},
};

START_TEST(one_row)
{
    char values[1000];
    snprintf(values, sizeof values, "('h', %s)", row_cases[_i].row);
    write_rows(values);
    const char *text = answer_text("h", row_cases[_i].family);
    ck_assert_msg(strcmp(text, row_cases[_i].expected) == 0, "%s: %s, not %s", row_cases[_i].row,
                  text, row_cases[_i].expected);
}
END_TEST

/* --- Groups ----------------------------------------------------------------------------------- */

#define LOOKUPS 10000

/* Writes one row with these addresses, so many answers and these weights, an SQL expression. */
static void write_group(const char *addresses, int answers, const char *weights)
{
    char sql[4096];
    sqlite3 *db = create(RANKING_PAGE_BYTES, 0);
    snprintf(sql, sizeof sql,
             "INSERT INTO answer VALUES('h', 'answer', '%s', %d, NULL, 1700000001, %s)", addresses,
             answers, weights);
    run(db, sql);
    finish(db);
}

/* What is not up to chance. */
static const struct {
    const char *addresses;
    int answers;
    const char *weights;
    int family;
    const char *expected;
} weight_cases[] = {
    {"192.0.2.1 192.0.2.2", 1, "'0 1'", AF_INET, "192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 2, "'0 1'", AF_INET, "192.0.2.2 192.0.2.1"},
    {"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4", 3, "'0 0 0 1000'", AF_INET,
     "192.0.2.4 192.0.2.1 192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 1, "'0 0'", AF_INET, "192.0.2.1"},
    {"192.0.2.1 192.0.2.2", 1, "''", AF_INET, "192.0.2.1"},
    {"", 1, "''", AF_INET, "no data"},
    {"192.0.2.1 ::1 ::2", 1, "'1 0 1'", AF_INET, "192.0.2.1"},
    {"192.0.2.1 ::1 ::2", 1, "'1 0 1'", AF_INET6, "::2"},
    {"192.0.2.1 ::1", 1, "'1 0'", AF_INET6, "::1"},
    {"192.0.2.1", 1, "'1'", AF_INET6, "no data"},
    /* Over both families the group is of those above 0. */
    {"192.0.2.1 ::1 192.0.2.2", 3, "'-1 1 -1'", AF_UNSPEC, "::1 192.0.2.1 192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 1, "'0 -1'", AF_INET, "192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 1, "'0 -1'", AF_UNSPEC, "192.0.2.1"},
    /* The last of a row as long as can be. */
    {"::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 ::a ::b ::c ::d ::e ::f ::10 1.2.3.4 1.2.3.5", 1,
     "'0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9'", AF_UNSPEC, "1.2.3.5"},
    {"::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 ::a ::b ::c ::d ::e ::f ::10 ::11", 16,
     "'0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9'", AF_INET6,
     "::11 ::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 ::a ::b ::c ::d ::e ::f"},
    /* What the publisher never writes. */
    {"192.0.2.1 192.0.2.2", 1, "'0'", AF_INET, "192.0.2.1"},
    {"192.0.2.1 192.0.2.2", 1, "'0 1 9 9'", AF_INET, "192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 1, "'1001 1000'", AF_INET, "192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 1, "'4294967297 1'", AF_INET, "192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 1, "'x y'", AF_INET, "192.0.2.1"},
    {"192.0.2.1 192.0.2.2", 1, "'- 1-'", AF_INET, "192.0.2.2"},
    {"192.0.2.1 192.0.2.2", 1, "' 1'", AF_INET, "192.0.2.2"},
    {"192.0.2.1 localhost", 1, "'1 0'", AF_INET, "absent"},
    {"192.0.2.1", 1, "x'31'", AF_INET, "absent"},
    {"192.0.2.1", 1, "'1' || char(0)", AF_INET, "absent"},
};

START_TEST(weights)
{
    write_group(weight_cases[_i].addresses, weight_cases[_i].answers, weight_cases[_i].weights);
    for (int i = 0; i < 5; i++) {
        const char *text = answer_text("h", weight_cases[_i].family);
        ck_assert_msg(strcmp(text, weight_cases[_i].expected) == 0, "%s, %s: %s, not %s",
                      weight_cases[_i].addresses, weight_cases[_i].weights, text,
                      weight_cases[_i].expected);
    }
}
END_TEST

/* The last byte of each address tells it apart; its share of all lookups follows its weight. */
static const struct {
    const char *addresses, *weights;
    int family;
    unsigned shares[8]; /* by the last byte */
} chances[] = {
    {"192.0.2.1 192.0.2.2", "'1 1'", AF_INET, {0, 1, 1}},
    {"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4", "'100 300 0 600'", AF_INET, {0, 1, 3, 0, 6}},
    {"192.0.2.1 192.0.2.2 192.0.2.3", "'1000 1 1000'", AF_INET, {0, 1000, 1, 1000}},
    {"192.0.2.1 ::2 192.0.2.3 ::4 ::5", "'100 200 300 400 0'", AF_INET, {0, 1, 0, 3}},
    {"192.0.2.1 ::2 192.0.2.3 ::4 ::5", "'100 200 300 400 0'", AF_INET6, {0, 0, 2, 0, 4}},
    {"192.0.2.1 ::2 192.0.2.3 ::4 ::5", "'100 200 300 400 0'", AF_UNSPEC, {0, 1, 2, 3, 4}},
    {"192.0.2.1 ::2 192.0.2.3 ::4 ::5", "'1 3 0 -1 -4'", AF_UNSPEC, {0, 1, 3}},
    {"192.0.2.1 ::2 192.0.2.3 ::4 ::5", "'1 3 0 -1 -4'", AF_INET6, {0, 0, 3, 0, 1, 4}},
};

static unsigned last_byte(const struct har_address *address)
{
    return address->bytes[address->family == AF_INET ? 3 : 15];
}

/* Five standard deviations: one run in a million and more fails by chance. */
START_TEST(each_as_often_as_its_weight_says)
{
    unsigned counts[8] = {0}, sum = 0;
    write_group(chances[_i].addresses, 1, chances[_i].weights);
    for (int i = 0; i < LOOKUPS; i++) {
        struct ranking_answer answer;
        if (look_up("h", chances[_i].family, &answer) != RANKING_FOUND)
            ck_abort();
        counts[last_byte(&answer.addresses[0]) % 8]++;
    }
    for (int i = 0; i < 8; i++)
        sum += chances[_i].shares[i];
    for (int i = 0; i < 8; i++) {
        double share = (double)chances[_i].shares[i] / sum, expected = LOOKUPS * share;
        double off = counts[i] - expected;
        ck_assert_msg(off * off <= 25 * expected * (1 - share), "%s, %s: .%d %u times, not %.0f",
                      chances[_i].addresses, chances[_i].weights, i, counts[i], expected);
    }
}
END_TEST

START_TEST(says_why_it_is_absent)
{
    write_rows("('stale', 'answer', '192.0.2.1', 1, NULL, 1700000000),"
               "('forward', 'forward', '', 1, NULL, 1700000001),"
               "('bad', 'answer', 'x', 1, NULL, 1700000001)");
    assert_absent("stale", ESTALE);
    assert_absent("forward", ENOENT);
    assert_absent("bad", EBADMSG);
    assert_absent("other", ENOENT);
    assert_absent("", ENOENT);
    assert_absent(".", ENOENT);
    char name[HAR_NAME_MAX + 3];
    memset(name, 'x', sizeof name);
    name[HAR_NAME_MAX + 1] = '\0';
    assert_absent(name, ENOENT);
    name[HAR_NAME_MAX] = '.';
    assert_absent(name, ENOENT);
    unlink(path);
    assert_absent("stale", ENOENT);
}
END_TEST

START_TEST(names_as_typed)
{
    struct ranking_answer answer;
    write_rows("('a.example', 'answer', '192.0.2.1', 1, NULL, 1700000001),"
               "('www.a.example', 'answer', '192.0.2.1', 1, 'a.example', 1700000001)");
    ck_assert_int_eq(look_up("A.Example.", AF_INET, &answer), RANKING_FOUND);
    ck_assert_str_eq(answer.name, "a.example");
    ck_assert_str_eq(answer.canonical, "a.example");
    ck_assert_int_eq(look_up("WWW.A.EXAMPLE", AF_INET, &answer), RANKING_FOUND);
    ck_assert_str_eq(answer.name, "www.a.example");
    ck_assert_str_eq(answer.canonical, "a.example");
}
END_TEST

/* --- The process around it -------------------------------------------------------------------- */

static int lowest_free_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

START_TEST(keeps_no_descriptor)
{
    int before = lowest_free_descriptor();
    write_good();
    for (int i = 0; i < 100; i++) {
        ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
        assert_absent("x", ENOENT);
    }
    write_file((const unsigned char *)"x", 1);
    assert_absent("h", EBADMSG);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    assert_absent("h", EISDIR);
    rmdir(path);
    ck_assert_int_eq(lowest_free_descriptor(), before);
}
END_TEST

struct cancelled {
    int state_before;
    enum ranking_result result;
    int state_after;
};

/* The thread lives on to tell unless the lookup let it be cancelled. */
static void *look_up_cancelled(void *argument)
{
    struct cancelled *cancelled = argument;
    struct ranking_answer answer;
    pthread_setcancelstate(cancelled->state_before, NULL);
    pthread_cancel(pthread_self());
    cancelled->result = ranking_lookup(path, "h", AF_INET, NOW_S, &answer);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelled->state_after);
    return cancelled;
}

START_TEST(cancelled_thread)
{
    const int state_before = _i == 0 ? PTHREAD_CANCEL_ENABLE : PTHREAD_CANCEL_DISABLE;
    write_good();
    int before = lowest_free_descriptor();
    pthread_t thread;
    struct cancelled cancelled = {state_before, RANKING_ABSENT, -1};
    void *status = NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, look_up_cancelled, &cancelled), 0);
    ck_assert_int_eq(pthread_join(thread, &status), 0);
    ck_assert_ptr_eq(status, &cancelled);
    ck_assert_int_eq(cancelled.result, RANKING_FOUND);
    ck_assert_int_eq(cancelled.state_after, state_before);
    ck_assert_int_eq(lowest_free_descriptor(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lookup");
    TCase *tests = tcase_create("lookup");
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, one_row, 0, sizeof row_cases / sizeof row_cases[0]);
    tcase_add_loop_test(tests, weights, 0, sizeof weight_cases / sizeof weight_cases[0]);
    tcase_add_loop_test(tests, each_as_often_as_its_weight_says, 0,
                        sizeof chances / sizeof chances[0]);
    tcase_add_test(tests, says_why_it_is_absent);
    tcase_add_test(tests, names_as_typed);
    tcase_add_test(tests, keeps_no_descriptor);
    tcase_add_loop_test(tests, cancelled_thread, 0, 2);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
