/* ranking/btree.c: from a file that is no ranking, that is cut or damaged, nothing worse comes than
 * RANKING_ABSENT. But the text of an address, like every value, has no checksum: damaged there, a
 * row may still be read, and give another address. */
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

/* The fields of the header that tell a ranking from other files, by their first and last byte. */
static const struct {
    off_t first, last;
} fields[] = {
    {0, 15},                      /* the magic, with its NUL */
    {16, 17},                     /* page size */
    {18, 18},                     /* write version */
    {19, 19},                     /* read version */
    {20, 20},                     /* reserved at the end of each page: the row lies there */
    {21, 21},                     /* fractions of a page that a row may take */
    {22, 22}, {23, 23}, {56, 59}, /* text encoding */
    {60, 63},                     /* user_version */
    {68, 71},                     /* application_id */
};

static bool is_in_a_field(off_t at)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (at >= fields[i].first && at <= fields[i].last)
            return true;
    }
    return false;
}

START_TEST(every_bit_of_the_header)
{
    unsigned char header[3 * RANKING_PAGE_BYTES];
    write_good();
    read_file(header, sizeof header);
    for (off_t at = 0; at < 100; at++) {
        for (int bit = 0; bit < 8; bit++) {
            unsigned char flipped = (unsigned char)(header[at] ^ 1 << bit);
            patch_file(at, &flipped, 1);
            if (is_in_a_field(at))
                assert_absent("h", EBADMSG);
            else
                ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
        }
        patch_file(at, &header[at], 1);
    }
}
END_TEST

static const struct {
    uint32_t page_bytes, reserved_bytes;
    bool good;
} page_sizes[] = {
    {512, 0, true},   {512, 32, true},    {512, 33, false},  {1024, 255, true},
    {256, 0, false},  {2047, 0, false},   {3000, 0, false},  {3072, 0, false},
    {4096, 64, true}, {32768, 255, true}, {65535, 0, false}, {65536, 1, true},
};

/* A ranking of one row, its root put where pages of this size have it. */
static void write_pages(uint32_t page_bytes, uint32_t reserved_bytes)
{
    unsigned char bytes[3 * RANKING_PAGE_BYTES];
    write_good();
    ck_assert_uint_eq(read_file(bytes, sizeof bytes), 2 * RANKING_PAGE_BYTES);
    unsigned char *root = bytes + RANKING_PAGE_BYTES;
    size_t row_at = (size_t)(root[8] << 8 | root[9]);
    size_t row_bytes = RANKING_PAGE_BYTES - row_at;
    size_t moved_at = page_bytes - reserved_bytes - row_bytes;
    unsigned char size[2] = {(unsigned char)(page_bytes >> 8 & 0xff),
                             (unsigned char)(page_bytes >> 16 | (page_bytes & 0xff))};
    unsigned char reserved = (unsigned char)reserved_bytes;
    root[8] = (unsigned char)(moved_at >> 8);
    root[9] = (unsigned char)moved_at;
    ck_assert_int_eq(truncate(path, 100), 0);
    ck_assert_int_eq(truncate(path, 2 * (off_t)page_bytes), 0);
    patch_file(16, size, sizeof size);
    patch_file(20, &reserved, 1);
    patch_file((off_t)page_bytes, root, 10);
    patch_file((off_t)(page_bytes + moved_at), root + row_at, row_bytes);
}

START_TEST(page_size)
{
    write_pages(page_sizes[_i].page_bytes, page_sizes[_i].reserved_bytes);
    if (page_sizes[_i].good)
        ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
    else
        assert_absent("h", EBADMSG);
}
END_TEST

/* Of which one is reserved. */
START_TEST(page_of_no_bytes)
{
    write_good();
    patch_file(16, "\0\0", 2);
    patch_file(20, "\1", 1);
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

/* --- Limits ----------------------------------------------------------------------------------- */

/* The row of "h" in a file of its own, so many bytes long. */
static void write_long_row(int page_bytes, size_t row_bytes)
{
    char sql[300];
    sqlite3 *db = create(page_bytes, 0);
    snprintf(sql, sizeof sql,
             "INSERT INTO answer VALUES('h', 'answer', '192.0.2.1', 1, NULL, 1700000001,"
             " printf('%%.*c', %zu, 'x'))",
             row_bytes - 29);
    run(db, sql);
    finish(db);
}

/* Bytes of the only row in the file, as its cell says in a varint of two bytes. */
static size_t row_bytes_in_file(int page_bytes)
{
    static unsigned char bytes[4 * 65536];
    read_file(bytes, sizeof bytes);
    const unsigned char *page = bytes + page_bytes;
    const unsigned char *cell = page + (page[8] << 8 | page[9]);
    ck_assert_uint_ge(cell[0], 128);
    ck_assert_uint_lt(cell[1], 128);
    return (size_t)((cell[0] & 127) << 7 | cell[1]);
}

static const int long_row_pages[] = {512, RANKING_PAGE_BYTES, 4096, 65536};

START_TEST(longest_row)
{
    const int page_bytes = long_row_pages[_i];
    for (size_t row_bytes = RANKING_ROW_MAX - 2; row_bytes <= RANKING_ROW_MAX + 2; row_bytes++) {
        write_long_row(page_bytes, row_bytes);
        ck_assert_uint_eq(row_bytes_in_file(page_bytes), row_bytes);
        if (row_bytes <= RANKING_ROW_MAX)
            ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
        else
            assert_absent("h", EBADMSG);
    }
}
END_TEST

/* Beyond 64 MiB, and the last page that lies below 2 GiB. */
static const uint32_t far_pages[] = {32769, 32770, 1048575};

/* The root has no cell, and its only child is that page. What lies between takes no room. */
START_TEST(far_page)
{
    const uint32_t number = far_pages[_i];
    const unsigned char root[] = {2,
                                  0,
                                  0,
                                  0,
                                  0,
                                  8,
                                  0,
                                  0,
                                  (unsigned char)(number >> 24),
                                  (unsigned char)(number >> 16),
                                  (unsigned char)(number >> 8),
                                  (unsigned char)number};
    unsigned char bytes[3 * RANKING_PAGE_BYTES];
    write_good();
    read_file(bytes, sizeof bytes);
    patch_file(RANKING_PAGE_BYTES, root, sizeof root);
    assert_absent("h", EBADMSG);
    patch_file((off_t)(number - 1) * RANKING_PAGE_BYTES, bytes + RANKING_PAGE_BYTES,
               RANKING_PAGE_BYTES);
    ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
    assert_absent("i", ENOENT);
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

/* As many cells as the page has room for, and one more, which would be at the start of the next
 * page. Each is where the others point, and as a row sorts before every name. */
START_TEST(page_full_of_cells)
{
    static char names[DAMAGE_NAMES][HAR_NAME_MAX + 1];
    static unsigned char bytes[DAMAGE_MAX];
    unsigned char pointers[2 * 251];
    write_deep(names, bytes);
    ck_assert_uint_ne(bytes[ROOT_RIGHTMOST_AT + 3], RANKING_ROOT_PAGE + 1);
    for (size_t i = 0; i < sizeof pointers; i += 2)
        memcpy(pointers + i, "\1\23", 2);
    patch_file(ROOT_POINTERS_AT, pointers, sizeof pointers);
    patch_file(ROOT_CELLS_AT, "\0\372", 2);
    assert_absent("zzz", ENOENT);
    patch_file(ROOT_CELLS_AT, "\0\373", 2);
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
    tcase_add_test(tests, every_bit_of_the_header);
    tcase_add_loop_test(tests, page_size, 0, sizeof page_sizes / sizeof page_sizes[0]);
    tcase_add_test(tests, page_of_no_bytes);
    tcase_add_loop_test(tests, foreign_table, 0, sizeof foreign_tables / sizeof foreign_tables[0]);
    tcase_add_test(tests, name_of_another_type);
    tcase_add_test(tests, utf16);
    tcase_add_test(tests, row_with_wrong_length);
    tcase_add_loop_test(tests, longest_row, 0, sizeof long_row_pages / sizeof long_row_pages[0]);
    tcase_add_loop_test(tests, far_page, 0, sizeof far_pages / sizeof far_pages[0]);
    tcase_add_test(tests, cut_at_every_length);
    tcase_add_test(tests, every_bit_flipped);
    tcase_add_loop_test(tests, hostile_page, 0, sizeof lies / sizeof lies[0]);
    tcase_add_test(tests, page_full_of_cells);
    tcase_add_test(tests, no_page_on_the_left);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
