/* ranking/lookup.c, btree.c, record.c: the same answers as through libsqlite3 from any file that
 * SQLite can write, and nothing worse than RANKING_ABSENT from any other. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ranking/lookup.h"
#include "ranking/publish.h"
#include "ranking/schema.h"
#include "tests/support/unit.h"

#define NOW_S 1700000000
#define FAR_S (NOW_S + 1000000)
#define ERRNO_BEFORE 4321 /* a value that no call sets */

static char folder[] = "check_lookup.XXXXXX";
static char path[64];

static void make_folder(void)
{
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/ranking.db", folder);
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        abort();
}

static enum ranking_result look_up(const char *name, int family, struct ranking_answer *answer)
{
    memset(answer, 0xa5, sizeof *answer);
    errno = ERRNO_BEFORE;
    enum ranking_result result = ranking_lookup(path, name, family, NOW_S, answer);
    ck_assert_int_eq(errno, ERRNO_BEFORE);
    return result;
}

static void assert_absent(const char *name, int error)
{
    struct ranking_answer answer;
    ck_assert_int_eq(look_up(name, AF_UNSPEC, &answer), RANKING_ABSENT);
    ck_assert_msg(answer.error == error, "%s: %s", name, strerror(answer.error));
}

/* The addresses of an answer as one text, or a word for what came instead. */
static const char *answer_text(const char *name, int family)
{
    static char text[RANKING_ANSWERS_MAX * HAR_ADDRESS_TEXT_MAX];
    struct ranking_answer answer;
    char *end = text;
    switch (look_up(name, family, &answer)) {
    case RANKING_NODATA:
        return "no data";
    case RANKING_FAILING:
        return "failing";
    case RANKING_ABSENT:
        return "absent";
    case RANKING_FOUND:
        break;
    }
    for (unsigned i = 0; i < answer.count; i++) {
        char address[HAR_ADDRESS_TEXT_MAX];
        end += sprintf(end, "%s%s", i > 0 ? " " : "",
                       har_address_format(&answer.addresses[i], address));
    }
    return text;
}

/* --- Files made through SQLite ---------------------------------------------------------------- */

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
}

/* An empty ranking in a new file, open in a transaction. */
static sqlite3 *create_as(int page_bytes, int reserved_bytes, const char *create_table)
{
    sqlite3 *db;
    char pragmas[200];
    unlink(path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA page_size = %d; PRAGMA application_id = %d; PRAGMA user_version = %d;"
             "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF",
             page_bytes, RANKING_APPLICATION_ID, RANKING_USER_VERSION);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved_bytes);
    run(db, pragmas);
    run(db, "BEGIN");
    run(db, create_table);
    return db;
}

static sqlite3 *create(int page_bytes, int reserved_bytes)
{
    return create_as(page_bytes, reserved_bytes, RANKING_CREATE_TABLE);
}

static void finish(sqlite3 *db)
{
    run(db, "COMMIT");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void write_rows(const char *values)
{
    char sql[4096];
    sqlite3 *db = create(RANKING_PAGE_BYTES, 0);
    snprintf(sql, sizeof sql, "INSERT INTO answer VALUES %s", values);
    run(db, sql);
    finish(db);
}

static size_t read_file(unsigned char *bytes, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t count = read(fd, bytes, room);
    close(fd);
    ck_assert_int_gt(count, 0);
    ck_assert_uint_lt((size_t)count, room);
    return (size_t)count;
}

static void write_file(const unsigned char *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ck_assert_int_eq(write(fd, bytes, count), (ssize_t)count);
    close(fd);
}

static void patch_file(off_t at, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, bytes, count, at), (ssize_t)count);
    close(fd);
}

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
    ck_assert_msg(ranking_publish(path, rows, ROWS, FAR_S, &error) == 0, "%s", error.text);
    free(names);
    free(rows);
    compare_all();
}
END_TEST

/* --- Files that are no rankings --------------------------------------------------------------- */

static void write_good(void)
{
    write_rows("('h', 'answer', '192.0.2.1', 1, NULL, 1700000001)");
    ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
}

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

static const char *const foreign_tables[] = {
    "CREATE TABLE answer(name, status, addresses, answers, alias_of, expires)",
    "CREATE TABLE answer(name PRIMARY KEY, status, addresses, answers, alias_of, expires, more)"
    " WITHOUT ROWID",
    "CREATE TABLE answer(name PRIMARY KEY, status, addresses, answers, expires) WITHOUT ROWID",
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
    run(db, "INSERT INTO answer VALUES(x'68', 'answer', '192.0.2.1', 1, NULL, 1700000001)");
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
    run(db, "INSERT INTO answer VALUES('h', 'answer', '192.0.2.1', 1, NULL, 1700000001)");
    finish(db);
    assert_absent("h", EBADMSG);
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
                 "INSERT INTO answer VALUES('%s', 'answer', '192.0.2.%d%s', 1, NULL, 1700000001)",
                 names[i], i + 1, i % 5 == 4 ? " 2001:db8:1:2:3:4:5:6 2001:db8:1:2:3:4:5:7" : "");
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

static void *look_up_cancelled(void *result)
{
    struct ranking_answer answer;
    pthread_cancel(pthread_self());
    *(enum ranking_result *)result = ranking_lookup(path, "h", AF_INET, NOW_S, &answer);
    pthread_testcancel();
    return NULL;
}

/* A cancellation that is pending is acted upon after the lookup, not inside. */
START_TEST(cancelled_thread)
{
    int before = lowest_free_descriptor();
    write_good();
    pthread_t thread;
    enum ranking_result result = RANKING_ABSENT;
    void *status = NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, look_up_cancelled, &result), 0);
    ck_assert_int_eq(pthread_join(thread, &status), 0);
    ck_assert_ptr_eq(status, PTHREAD_CANCELED);
    ck_assert_int_eq(result, RANKING_FOUND);
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
    tcase_add_test(tests, special_files);
    tcase_add_loop_test(tests, foreign_database, 0, sizeof foreign / sizeof foreign[0]);
    tcase_add_loop_test(tests, foreign_table, 0, sizeof foreign_tables / sizeof foreign_tables[0]);
    tcase_add_test(tests, name_of_another_type);
    tcase_add_test(tests, utf16);
    tcase_add_test(tests, cut_at_every_length);
    tcase_add_test(tests, every_bit_flipped);
    tcase_add_loop_test(tests, hostile_page, 0, sizeof lies / sizeof lies[0]);
    tcase_add_test(tests, keeps_no_descriptor);
    tcase_add_test(tests, cancelled_thread);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
