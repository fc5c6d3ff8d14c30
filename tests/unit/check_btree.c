/* ranking/btree.c: from a file that is no ranking, that is cut or damaged, nothing worse comes than
 * RANKING_ABSENT. */
#include <stdbool.h>

#include "tests/support/ranking_file.h"

/* --- Files that are no rankings --------------------------------------------------------------- */

START_TEST(special_files)
{
    char good[96];
    write_good();
    snprintf(good, sizeof good, "%s.good", path);
    ck_assert_int_eq(rename(path, good), 0);
    assert_absent("h", ENOENT);
    ck_assert_int_eq(symlink("ranking.db.good", path), 0);
    assert_absent("h", ELOOP);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_absent("h", ESPIPE);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    assert_absent("h", EISDIR);
    rmdir(path);
    write_file((const unsigned char *)"", 0);
    assert_absent("h", EBADMSG);
    write_file((const unsigned char *)"127.0.0.1 localhost\n", 20);
    assert_absent("h", EBADMSG);
    unlink(path);

    struct ranking_answer answer;
    ck_assert_int_eq(ranking_lookup("/dev/zero", "h", AF_INET, NOW_S, &answer), RANKING_ABSENT);
    ck_assert_int_eq(answer.error, EBADMSG);
    strcat(good, "/below");
    ck_assert_int_eq(ranking_lookup(good, "h", AF_INET, NOW_S, &answer), RANKING_ABSENT);
    ck_assert_int_eq(answer.error, ENOTDIR);
}
END_TEST

static const char *const foreign[] = {
    "PRAGMA application_id = 0",
    "PRAGMA user_version = 2",
    "PRAGMA journal_mode = WAL",
};

START_TEST(foreign_database)
{
    sqlite3 *db;
    write_good();
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    run(db, foreign[_i]);
    sqlite3_close(db);
    assert_absent("h", EBADMSG);
}
END_TEST

#define FOREIGN_TABLE(columns)                                                                     \
    "CREATE TABLE answer(name PRIMARY KEY, status, addresses, " columns ")"

static const char *const foreign_tables[] = {
    FOREIGN_TABLE("answers, alias_of, expires, weights"), /* with rowids */
    FOREIGN_TABLE("answers, alias_of, expires, weights, more") " WITHOUT ROWID",
    FOREIGN_TABLE("answers, expires") " WITHOUT ROWID",
};

START_TEST(foreign_table)
{
    sqlite3 *db = create_as(4096, 0, foreign_tables[_i]);
    run(db, "INSERT INTO answer(name, status, addresses, answers, expires)"
            " VALUES('h', 'answer', '192.0.2.1', 1, 1700000001)");
    finish(db);
    assert_absent("h", EBADMSG);
}
END_TEST

START_TEST(name_of_another_type)
{
    sqlite3 *db = create(4096, 0);
    run(db, INSERT_ROWS "(x'68', 'answer', '192.0.2.1', 1, NULL, 1700000001)");
    finish(db);
    assert_absent("h", EBADMSG);
}
END_TEST

START_TEST(utf16)
{
    sqlite3 *db;
    unlink(path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "PRAGMA encoding = 'UTF-16le'; PRAGMA application_id = 0x68617221;"
            "PRAGMA user_version = 1; BEGIN;" RANKING_CREATE_TABLE);
    run(db, INSERT_ROWS "('h', 'answer', '192.0.2.1', 1, NULL, 1700000001)");
    finish(db);
    assert_absent("h", EBADMSG);
}
END_TEST

/* How many bytes a row says it has, or its header, is not true. The row lies in the middle of its
 * page: before that of "a", which was written first. */
START_TEST(row_with_wrong_length)
{
    const size_t page_at = RANKING_PAGE_BYTES;
    unsigned char bytes[3 * RANKING_PAGE_BYTES];
    write_rows("('a', 'answer', '192.0.2.2', 1, NULL, 1700000001),"
               "('h', 'answer', '192.0.2.1', 1, NULL, 1700000001)");
    ck_assert_uint_eq(read_file(bytes, sizeof bytes), 2 * RANKING_PAGE_BYTES);
    size_t row_at = page_at + (size_t)(bytes[page_at + 10] << 8 | bytes[page_at + 11]);
    for (size_t at = row_at; at < row_at + 2; at++) {
        for (int change = -1; change <= 1; change += 2) {
            unsigned char wrong = (unsigned char)(bytes[at] + change);
            struct ranking_answer answer;
            patch_file((off_t)at, &wrong, 1);
            ck_assert_int_eq(look_up("h", AF_INET, &answer), RANKING_ABSENT);
        }
        patch_file((off_t)at, &bytes[at], 1);
    }
    ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
}
END_TEST

/* --- Damage ----------------------------------------------------------------------------------- */

#define DAMAGE_NAMES 24
#define DAMAGE_MAX 16384

/* Small pages: three levels, rows that overflow, names that overflow. Every name is its number
 * again and again, so that no single damage makes it another. Returns the size. */
static size_t write_deep(char names[DAMAGE_NAMES][HAR_NAME_MAX + 1], unsigned char *bytes)
{
    sqlite3 *db = create(512, 0);
    for (int i = 0; i < DAMAGE_NAMES; i++) {
        char sql[600];
        char *end = names[i];
        for (int part = 0; part < (i % 4 == 3 ? 30 : 3); part++)
            end += sprintf(end, "%shost%02d", part > 0 ? "." : "", i);
        snprintf(sql, sizeof sql,
                 INSERT_ROWS "('%s', 'answer', '192.0.2.%d%s', 1, NULL, 1700000001)", names[i],
                 i + 1, i % 5 == 4 ? " 2001:db8:1:2:3:4:5:6 2001:db8:1:2:3:4:5:7" : "");
        run(db, sql);
    }
    finish(db);
    return read_file(bytes, DAMAGE_MAX);
}

static bool right_answer(const char *name, int number)
{
    struct ranking_answer answer;
    enum ranking_result result = look_up(name, AF_INET, &answer);
    if (result == RANKING_ABSENT)
        ck_assert(answer.error == EBADMSG || answer.error == ENOENT || answer.error == ESTALE);
    if (result != RANKING_FOUND)
        return false;
    ck_assert_uint_eq(answer.count, 1);
    ck_assert_uint_le(strlen(answer.canonical), HAR_NAME_MAX);
    return answer.addresses[0].bytes[3] == number && strcmp(answer.canonical, name) == 0;
}

/* The bytes of a cut file are all true: what is not there is noticed, never guessed. */
START_TEST(cut_at_every_length)
{
    static char names[DAMAGE_NAMES][HAR_NAME_MAX + 1];
    static unsigned char bytes[DAMAGE_MAX];
    size_t count = write_deep(names, bytes);
    for (size_t length = count; length-- > 0;) {
        ck_assert_int_eq(truncate(path, (off_t)length), 0);
        for (int i = 0; i < DAMAGE_NAMES; i += 3) {
            if (!right_answer(names[i], i + 1))
                assert_absent(names[i], EBADMSG);
        }
        if (length < 1024)
            assert_absent(names[0], EBADMSG);
    }
}
END_TEST

/* Marks the bytes that are addresses, answers and expires, where another value is as good. */
static void mark_values(const unsigned char *bytes, size_t count, bool value[DAMAGE_MAX])
{
    for (size_t at = 0; at + 8 <= count; at++) {
        size_t before = memcmp(bytes + at, "2001:db8", 8) == 0 ? 12 : 0;
        if (before == 0 && memcmp(bytes + at, "answer1", 7) != 0)
            continue;
        for (size_t i = at - before; i < at + 60 && i < count; i++)
            value[i] = true;
    }
}

START_TEST(every_bit_flipped)
{
    static char names[DAMAGE_NAMES][HAR_NAME_MAX + 1];
    static unsigned char bytes[DAMAGE_MAX];
    static bool value[DAMAGE_MAX];
    size_t count = write_deep(names, bytes);
    mark_values(bytes, count, value);
    int fd = open(path, O_WRONLY);
    for (size_t at = 0; at < count; at++) {
        for (int bit = 0; bit < 8; bit++) {
            unsigned char flipped = (unsigned char)(bytes[at] ^ 1 << bit);
            ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)at), 1);
            for (int i = 1; i < DAMAGE_NAMES; i += 7) {
                struct ranking_answer answer;
                bool good = right_answer(names[i], i + 1) || value[at] ||
                            look_up(names[i], AF_INET, &answer) == RANKING_ABSENT;
                ck_assert_msg(good, "byte %zu, bit %d: %s", at, bit, names[i]);
            }
        }
        ck_assert_int_eq(pwrite(fd, &bytes[at], 1, (off_t)at), 1);
    }
    close(fd);
}
END_TEST

/* The root of this one is an interior page: what its header says lies at these offsets. */
#define ROOT_AT 512
#define ROOT_CELLS_AT (ROOT_AT + 3)
#define ROOT_RIGHTMOST_AT (ROOT_AT + 8)
#define ROOT_POINTERS_AT (ROOT_AT + 12)

static const struct {
    off_t at;
    const char *bytes;
    size_t count;
} lies[] = {
    {ROOT_RIGHTMOST_AT, "\0\0\0\2", 4},         /* its own child */
    {ROOT_RIGHTMOST_AT, "\0\0\0\0", 4},         /* no page */
    {ROOT_RIGHTMOST_AT, "\0\0\0\1", 4},         /* the page of the file's header */
    {ROOT_RIGHTMOST_AT, "\377\377\377\377", 4}, /* far beyond the end */
    {ROOT_RIGHTMOST_AT, "\0\77\377\377", 4},    /* at the last offset that is allowed */
    {ROOT_AT, "\5", 1},                         /* a page of a table with rowids */
    {ROOT_CELLS_AT, "\377\377", 2},
    {ROOT_CELLS_AT, "\0\372", 2}, /* one cell more than the page has room for */
    {ROOT_POINTERS_AT, "\377\377\377\377\377\377\377\377", 8},
    {ROOT_POINTERS_AT, "\1\377\1\377\1\377\1\377", 8}, /* the last byte of the page */
    {ROOT_POINTERS_AT, "\1\373\1\373\1\373\1\373", 8},
};

START_TEST(hostile_page)
{
    static char names[DAMAGE_NAMES][HAR_NAME_MAX + 1];
    static unsigned char bytes[DAMAGE_MAX];
    write_deep(names, bytes);
    ck_assert_uint_eq(bytes[ROOT_AT], 2);
    patch_file(lies[_i].at, lies[_i].bytes, lies[_i].count);
    assert_absent("zzz", EBADMSG);
}
END_TEST

/* The first cell of the root says that nothing lies to its left: no name is found by that. */
START_TEST(no_page_on_the_left)
{
    static char names[DAMAGE_NAMES][HAR_NAME_MAX + 1];
    static unsigned char bytes[DAMAGE_MAX];
    write_deep(names, bytes);
    assert_absent("a", ENOENT);
    off_t cell_at = ROOT_AT + (bytes[ROOT_POINTERS_AT] << 8 | bytes[ROOT_POINTERS_AT + 1]);
    patch_file(cell_at, "\0\0\0\0", 4);
    assert_absent("a", EBADMSG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("btree");
    TCase *tests = tcase_create("btree");
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, special_files);
    tcase_add_loop_test(tests, foreign_database, 0, sizeof foreign / sizeof foreign[0]);
    tcase_add_loop_test(tests, foreign_table, 0, sizeof foreign_tables / sizeof foreign_tables[0]);
    tcase_add_test(tests, name_of_another_type);
    tcase_add_test(tests, utf16);
    tcase_add_test(tests, row_with_wrong_length);
    tcase_add_test(tests, cut_at_every_length);
    tcase_add_test(tests, every_bit_flipped);
    tcase_add_loop_test(tests, hostile_page, 0, sizeof lies / sizeof lies[0]);
    tcase_add_test(tests, no_page_on_the_left);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
