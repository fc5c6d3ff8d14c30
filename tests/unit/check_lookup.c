/* ranking/lookup.c, record.c: what a row of the table means, and the same answers as through
 * libsqlite3 from every file that SQLite can write. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "ranking/publish.h"
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
    {"'answer', '1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa', 1, NULL, 1700000001", AF_INET,
     "absent"},
    {"'answer', x'3139322e302e322e31', 1, NULL, 1700000001", AF_INET, "absent"},
    {"x'616e73776572', '192.0.2.1', 1, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 'one', NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1.5, NULL, 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, '', 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, x'61', 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, printf('%.254c', 'x'), 1700000001", AF_INET, "absent"},
    {"'answer', '192.0.2.1', 1, printf('%.253c', 'x'), 1700000001", AF_INET, "192.0.2.1"},
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

/* --- Against libsqlite3 ----------------------------------------------------------------------- */

static uint64_t seed;
static uint64_t random_state;

/* HAR_TEST_SEED=N repeats what a failure reported. */
static void random_start(void)
{
    const char *given = getenv("HAR_TEST_SEED");
    seed =
        given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    random_state = seed | 1;
}

static unsigned random_below(unsigned bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 16) % bound);
}

/* A key: no capital letter and no dot at the end, but else any bytes; many with a long common
 * beginning. */
static void random_name(char name[HAR_NAME_MAX + 1])
{
    unsigned length = 1 + random_below(random_below(4) == 0 ? HAR_NAME_MAX : 20);
    bool wild = random_below(3) == 0;
    for (unsigned i = 0; i < length; i++) {
        int c = wild ? 1 + (int)random_below(255) : "ab."[random_below(3)];
        name[i] = (char)((c >= 'A' && c <= 'Z') || (c == '.' && i + 1 == length) ? '_' : c);
    }
    name[length] = '\0';
}

static void random_addresses(char *list)
{
    unsigned count = random_below(random_below(4) == 0 ? RANKING_ADDRESSES_MAX + 1 : 4);
    list[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        struct har_address address = {.family = random_below(2) == 0 ? AF_INET : AF_INET6};
        for (unsigned b = 0; b < (address.family == AF_INET ? 4 : 16); b++)
            address.bytes[b] = (uint8_t)random_below(256);
        char text[HAR_ADDRESS_TEXT_MAX];
        list += sprintf(list, "%s%s", i > 0 ? " " : "", har_address_format(&address, text));
    }
}

static void insert_random_rows(sqlite3 *db, unsigned count)
{
    sqlite3_stmt *insert;
    ck_assert_int_eq(sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO answer VALUES(?,?,?,?,?,?)", -1,
                                        &insert, NULL),
                     SQLITE_OK);
    for (unsigned i = 0; i < count; i++) {
        char name[HAR_NAME_MAX + 1];
        char alias_of[HAR_NAME_MAX + 1];
        char addresses[RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX];
        random_name(name);
        random_name(alias_of);
        random_addresses(addresses);
        static const char *const statuses[] = {"answer", "answer", "answer", "fail", "forward"};
        sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 2, statuses[random_below(5)], -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 3, addresses, -1, SQLITE_STATIC);
        sqlite3_bind_int(insert, 4, (int)random_below(RANKING_ANSWERS_MAX + 2));
        sqlite3_bind_text(insert, 5, random_below(4) == 0 ? alias_of : NULL, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 6, NOW_S - 1 + (int)random_below(10) * 1000000);
        ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
}

/* What schema.h and lookup.h say about a row that libsqlite3 read. */
static enum ranking_result expected_answer(sqlite3_stmt *row, int family,
                                           struct ranking_answer *answer)
{
    const char *status = (const char *)sqlite3_column_text(row, RANKING_STATUS);
    const char *alias_of = (const char *)sqlite3_column_text(row, RANKING_ALIAS_OF);
    int answers = sqlite3_column_int(row, RANKING_ANSWERS);
    answers = answers < 1 ? 1 : answers > RANKING_ANSWERS_MAX ? RANKING_ANSWERS_MAX : answers;
    memset(answer, 0, sizeof *answer);
    answer->error = ESTALE;
    if (sqlite3_column_int64(row, RANKING_EXPIRES) <= NOW_S)
        return RANKING_ABSENT;
    if (strcmp(status, "fail") == 0)
        return RANKING_FAILING;
    answer->error = ENOENT;
    if (strcmp(status, "answer") != 0)
        return RANKING_ABSENT;
    strcpy(answer->canonical,
           alias_of != NULL ? alias_of : (const char *)sqlite3_column_text(row, RANKING_NAME));
    char list[RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX];
    strcpy(list, (const char *)sqlite3_column_text(row, RANKING_ADDRESSES));
    for (char *word = strtok(list, " "); word != NULL; word = strtok(NULL, " ")) {
        struct har_address address;
        ck_assert_int_eq(har_address_parse(word, &address), 0);
        bool wanted = family == AF_UNSPEC || family == address.family;
        if (wanted && answer->count < (unsigned)answers)
            answer->addresses[answer->count++] = address;
    }
    return answer->count > 0 ? RANKING_FOUND : RANKING_NODATA;
}

static void assert_same(const char *name, enum ranking_result result,
                        const struct ranking_answer *answer, enum ranking_result expected_result,
                        const struct ranking_answer *expected)
{
    ck_assert_msg(result == expected_result, "seed %llu: '%s' gives %d (%s), not %d",
                  (unsigned long long)seed, name, (int)result, strerror(answer->error),
                  (int)expected_result);
    bool same = true;
    if (result == RANKING_ABSENT)
        same = answer->error == expected->error;
    if (result == RANKING_FOUND)
        same = answer->count == expected->count &&
               memcmp(answer->addresses, expected->addresses,
                      answer->count * sizeof answer->addresses[0]) == 0 &&
               strcmp(answer->canonical, expected->canonical) == 0;
    ck_assert_msg(same, "seed %llu: '%s' differs", (unsigned long long)seed, name);
}

static void compare(sqlite3_stmt *select, const char *name)
{
    struct ranking_answer answer;
    struct ranking_answer expected = {.error = ENOENT};
    enum ranking_result expected_result = RANKING_ABSENT;
    int family = (const int[]){AF_UNSPEC, AF_INET, AF_INET6}[random_below(3)];
    sqlite3_bind_text(select, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(select) == SQLITE_ROW)
        expected_result = expected_answer(select, family, &expected);
    sqlite3_reset(select);
    enum ranking_result result = look_up(name, family, &answer);
    assert_same(name, result, &answer, expected_result, &expected);
}

/* A neighbour of a name in the order of names, or close to one: most likely not in the table. */
static void disturb(char name[HAR_NAME_MAX + 1])
{
    size_t length = strlen(name);
    unsigned place = random_below((unsigned)length);
    switch (random_below(3)) {
    case 0:
        name[place] = name[place] == '~' ? '}' : '~';
        break;
    case 1:
        name[place > 0 ? place : 1] = '\0';
        break;
    default:
        if (length < HAR_NAME_MAX)
            strcpy(name + length, "~");
    }
    length = strlen(name);
    if (length > 1 && name[length - 1] == '.')
        name[length - 1] = '-';
}

/* Every name of the file and as many others. */
static void compare_all(void)
{
    sqlite3 *db;
    sqlite3_stmt *names;
    sqlite3_stmt *select;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_prepare_v2(db, "SELECT name FROM answer", -1, &names, NULL);
    sqlite3_prepare_v2(db, "SELECT * FROM answer WHERE name = ?1", -1, &select, NULL);
    while (sqlite3_step(names) == SQLITE_ROW) {
        char name[HAR_NAME_MAX + 1];
        strcpy(name, (const char *)sqlite3_column_text(names, 0));
        compare(select, name);
        disturb(name);
        compare(select, name);
    }
    for (int i = 0; i < 100; i++) {
        char name[HAR_NAME_MAX + 1];
        random_name(name);
        compare(select, name);
    }
    sqlite3_finalize(names);
    sqlite3_finalize(select);
    sqlite3_close(db);
}

static const struct {
    int page_bytes;
    int reserved_bytes;
} layouts[] = {{512, 0},  {512, 32},  {1024, 0},  {2048, 0},  {2048, 255}, {4096, 0},
               {4096, 8}, {8192, 12}, {16384, 0}, {32768, 0}, {65536, 0},  {65536, 100}};

START_TEST(agrees_with_sqlite)
{
    static const unsigned sizes[] = {0, 1, 2, 30, 300, 3000};
    random_start();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        sqlite3 *db = create(layouts[_i].page_bytes, layouts[_i].reserved_bytes);
        insert_random_rows(db, sizes[i]);
        if (random_below(2) == 0) /* pages half empty, and some free */
            run(db, "DELETE FROM answer WHERE unicode(substr(name, -1)) % 3 = 0");
        finish(db);
        compare_all();
    }
}
END_TEST

START_TEST(agrees_on_a_large_published_one)
{
    enum { ROWS = 100000 };
    struct har_error error = {0};
    struct ranking_row *rows = calloc(ROWS, sizeof *rows);
    char(*names)[40] = calloc(ROWS, sizeof *names);
    for (int i = 0; i < ROWS; i++) {
        sprintf(names[i], "h%06d.example.com", i);
        rows[i] = (struct ranking_row){names[i], "answer", "192.0.2.1 2001:db8::1", 1, NULL};
    }
    random_start();
    ck_assert_msg(ranking_publish(path, rows, ROWS, NOW_S + 1000000, &error) == 0, "%s",
                  error.text);
    free(names);
    free(rows);
    compare_all();
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
    enum ranking_result result;
    int state_after;
};

/* The thread lives on to tell unless the lookup let it be cancelled. */
static void *look_up_cancelled(void *argument)
{
    struct cancelled *cancelled = argument;
    struct ranking_answer answer;
    pthread_cancel(pthread_self());
    cancelled->result = ranking_lookup(path, "h", AF_INET, NOW_S, &answer);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelled->state_after);
    return cancelled;
}

START_TEST(cancelled_thread)
{
    write_good();
    int before = lowest_free_descriptor();
    pthread_t thread;
    struct cancelled cancelled = {RANKING_ABSENT, -1};
    void *status = NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, look_up_cancelled, &cancelled), 0);
    ck_assert_int_eq(pthread_join(thread, &status), 0);
    ck_assert_ptr_eq(status, &cancelled);
    ck_assert_int_eq(cancelled.result, RANKING_FOUND);
    ck_assert_int_eq(cancelled.state_after, PTHREAD_CANCEL_ENABLE);
    ck_assert_int_eq(lowest_free_descriptor(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lookup");
    TCase *tests = tcase_create("lookup");
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, one_row, 0, sizeof row_cases / sizeof row_cases[0]);
    tcase_add_test(tests, says_why_it_is_absent);
    tcase_add_test(tests, names_as_typed);
    tcase_add_loop_test(tests, agrees_with_sqlite, 0, sizeof layouts / sizeof layouts[0]);
    tcase_add_test(tests, agrees_on_a_large_published_one);
    tcase_add_test(tests, keeps_no_descriptor);
    tcase_add_test(tests, cancelled_thread);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
