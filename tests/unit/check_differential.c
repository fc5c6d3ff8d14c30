/* ranking/lookup.c, btree.c: the same answers as through libsqlite3, from every file that SQLite
 * can write. */
#include <netinet/in.h>
#include <stdbool.h>
#include <time.h>

#include "ranking/publish.h"
#include "tests/support/ranking_file.h"

#define LARGE 100000    /* rows */
#define ABSENT 10000    /* names that a file does not have */
#define ABSENT_FEW 1000 /* of a small file, without HAR_LONG */

/* --- Random rows ------------------------------------------------------------------------------ */

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

/* Makes a key of any bytes but NUL: no capital letter, and no dot at the end. */
static void make_key(char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if ((name[i] >= 'A' && name[i] <= 'Z') || (name[i] == '.' && i + 1 == length))
            name[i] = '_';
    }
}

/* Many with a long common beginning, many of any bytes. */
static void random_name(char name[HAR_NAME_MAX + 1])
{
    unsigned length = 1 + random_below(random_below(4) == 0 ? HAR_NAME_MAX : 20);
    bool wild = random_below(3) == 0;
    for (unsigned i = 0; i < length; i++)
        name[i] = (char)(wild ? 1 + (int)random_below(255) : "ab."[random_below(3)]);
    name[length] = '\0';
    make_key(name);
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

/* None, as many as there are addresses, or any text. */
static const char *random_weights(char *list, const char *addresses)
{
    char *end = list;
    if (random_below(2) == 0)
        return NULL;
    if (random_below(10) == 0)
        return "100 x -7 1e3 - 5";
    list[0] = '\0';
    for (const char *at = addresses; at != NULL && *at != '\0'; at = strchr(at + 1, ' ')) {
        int weight = random_below(3) == 0 ? 0 : (int)random_below(2 * RANKING_WEIGHT_MAX + 1);
        end += sprintf(end, "%s%d", end > list ? " " : "", weight - (weight != 0) * 1000);
    }
    return list;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    return statement;
}

static void bind_random_row(sqlite3_stmt *insert)
{
    static const char *const statuses[] = {"answer", "answer", "answer", "fail", "forward"};
    char name[HAR_NAME_MAX + 1];
    char alias_of[HAR_NAME_MAX + 1];
    char addresses[RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX];
    char weight_list[RANKING_ADDRESSES_MAX * sizeof "-1000"];
    random_name(name);
    random_name(alias_of); /* which is hardly ever a host name */
    if (random_below(2) == 0)
        sprintf(alias_of, "host%u.example.com", random_below(1000));
    random_addresses(addresses);
    const char *weights = random_weights(weight_list, addresses);
    sqlite3_bind_text(insert, 1, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(insert, 2, statuses[random_below(5)], -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, addresses, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(insert, 4, (int)random_below(RANKING_ANSWERS_MAX + 2));
    sqlite3_bind_text(insert, 5, random_below(4) == 0 ? alias_of : NULL, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(insert, 6, NOW_S - 1 + (int)random_below(12));
    sqlite3_bind_text(insert, 7, weights, -1, SQLITE_TRANSIENT);
}

static void insert_random_rows(sqlite3 *db, unsigned count)
{
    sqlite3_stmt *insert = prepare(db, "INSERT OR IGNORE INTO answer VALUES(?,?,?,?,?,?,?)");
    for (unsigned i = 0; i < count;) {
        bind_random_row(insert);
        ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
        i += (unsigned)sqlite3_changes(db);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
}

/* Takes rows away all over the table, which leaves pages half empty, and some free. */
static void delete_rows(sqlite3 *db, unsigned count)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "DELETE FROM answer WHERE name IN"
             " (SELECT name FROM answer ORDER BY substr(name, -1), name LIMIT %u)",
             count);
    run(db, sql);
}

static void write_random_table(int page_bytes, int reserved_bytes, unsigned rows)
{
    sqlite3 *db = create(page_bytes, reserved_bytes);
    unsigned too_many = random_below(2) == 0 ? 0 : rows / 2 + 1;
    run(db, "PRAGMA cache_size = -200000"); /* KiB, or a large table is written many times */
    insert_random_rows(db, rows + too_many);
    delete_rows(db, too_many);
    finish(db);
}

/* --- The same answers ------------------------------------------------------------------------- */

/* The number at the beginning, without what is no digit; 0 if it is too large. */
static int weight_of(const char *text)
{
    int weight = 0;
    for (const char *at = text; *at != '\0' && *at != ' '; at++) {
        if (*at >= '0' && *at <= '9')
            weight = 10 * weight + *at - '0';
    }
    weight = weight > RANKING_WEIGHT_MAX ? 0 : weight;
    return text[0] == '-' ? -weight : weight;
}

/* May this address, found first in a real answer, be first? */
static bool has_turn(const struct har_address *address, int weight, int family,
                     const struct har_address *found)
{
    return har_address_equal(address, found) && (family == AF_UNSPEC ? weight > 0 : weight != 0);
}

/* The addresses of a row in the order of an answer that has `found` first: nothing else in it is up
 * to chance. */
static void expect_addresses(const char *addresses, const char *weights, int family, unsigned limit,
                             const struct har_address *found, struct ranking_answer *answer)
{
    struct har_address list[RANKING_ADDRESSES_MAX];
    unsigned count = 0, first = 0;
    bool grouped = false, chosen = false;
    char words[RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX];
    strcpy(words, addresses);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        int weight = weights != NULL ? weight_of(weights) : 0;
        weights = weights != NULL ? strchr(weights, ' ') : NULL;
        weights += weights != NULL;
        ck_assert_int_eq(har_address_parse(word, &list[count]), 0);
        if (family != AF_UNSPEC && family != list[count].family)
            continue;
        grouped = grouped || (family == AF_UNSPEC ? weight > 0 : weight != 0);
        if (!chosen && has_turn(&list[count], weight, family, found)) {
            first = count;
            chosen = true;
        }
        count++;
    }
    if (count > 0 && (chosen || !grouped)) /* else the answer stays empty, which it is not */
        answer->addresses[answer->count++] = list[first];
    for (unsigned i = 0; i < count && answer->count > 0 && answer->count < limit; i++) {
        if (i != first)
            answer->addresses[answer->count++] = list[i];
    }
}

/* What schema.h and lookup.h say about a row that libsqlite3 read, for which lookup.c has `found`
 * first. */
static enum ranking_result expected_answer(sqlite3_stmt *row, int family,
                                           const struct har_address *found,
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
    expect_addresses((const char *)sqlite3_column_text(row, RANKING_ADDRESSES),
                     (const char *)sqlite3_column_text(row, RANKING_WEIGHTS), family,
                     (unsigned)answers, found, answer);
    if (answer->count == 0)
        return RANKING_NODATA;
    answer->error = EBADMSG;
    bool named = alias_of == NULL || har_name_problem(alias_of) == NULL;
    return named ? RANKING_FOUND : RANKING_ABSENT;
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

/* Returns whether the file has the name. */
static bool compare(sqlite3_stmt *select, const char *name)
{
    struct ranking_answer answer;
    struct ranking_answer expected = {.error = ENOENT};
    enum ranking_result expected_result = RANKING_ABSENT;
    int family = (const int[]){AF_UNSPEC, AF_INET, AF_INET6}[random_below(3)];
    sqlite3_bind_text(select, 1, name, -1, SQLITE_STATIC);
    enum ranking_result result = look_up(name, family, &answer);
    bool held = sqlite3_step(select) == SQLITE_ROW;
    if (held)
        expected_result = expected_answer(select, family, &answer.addresses[0], &expected);
    sqlite3_reset(select);
    assert_same(name, result, &answer, expected_result, &expected);
    return held;
}

/* Makes a neighbour of a name in the order of names, its beginning, or more than the name: most
 * likely not in the table. */
static void disturb(char name[HAR_NAME_MAX + 1])
{
    size_t length = strlen(name);
    unsigned place = random_below((unsigned)length);
    char any = (char)(1 + random_below(255));
    switch (random_below(4)) {
    case 0:
        name[place] = any;
        break;
    case 1:
        name[place] = (char)(name[place] == '~' ? '}' : name[place] + 1);
        break;
    case 2:
        name[place > 0 ? place : 1] = '\0';
        break;
    default:
        if (length < HAR_NAME_MAX)
            strcpy(name + length, (const char[]){any, '\0'});
    }
    make_key(name);
}

/* Every name of the file, which is so many. */
static void compare_all(sqlite3 *db, sqlite3_stmt *select, unsigned rows)
{
    sqlite3_stmt *names = prepare(db, "SELECT name FROM answer");
    unsigned count = 0;
    for (; sqlite3_step(names) == SQLITE_ROW; count++)
        ck_assert(compare(select, (const char *)sqlite3_column_text(names, 0)));
    ck_assert_uint_eq(count, rows);
    sqlite3_finalize(names);
}

/* The next of names from all over the file, round and round. Returns false at its end. */
static bool next_name(sqlite3_stmt *names, unsigned rows, char name[HAR_NAME_MAX + 1])
{
    int code = sqlite3_step(names);
    for (unsigned i = 0; i < rows / ABSENT && code == SQLITE_ROW; i++)
        code = sqlite3_step(names);
    if (code != SQLITE_ROW)
        return false;
    strcpy(name, (const char *)sqlite3_column_text(names, 0));
    return true;
}

/* What is close to names of the file, and one in four whatever else. */
static void compare_absent(sqlite3 *db, sqlite3_stmt *select, unsigned rows, unsigned count)
{
    sqlite3_stmt *names = prepare(db, "SELECT name FROM answer");
    for (unsigned absent = 0; absent < count;) {
        char name[HAR_NAME_MAX + 1];
        if (random_below(4) > 0 && next_name(names, rows, name))
            disturb(name);
        else
            random_name(name);
        absent += !compare(select, name);
    }
    sqlite3_finalize(names);
}

static void compare_file(unsigned rows)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    /* Else each name would cost a lock of the file, and its pages more than once. */
    run(db, "PRAGMA mmap_size = 1000000000; BEGIN");
    sqlite3_stmt *select = prepare(db, "SELECT * FROM answer WHERE name = ?1");
    compare_all(db, select, rows);
    compare_absent(db, select, rows, rows == LARGE || unit_is_long() ? ABSENT : ABSENT_FEW);
    sqlite3_finalize(select);
    sqlite3_close(db);
}

static const struct {
    int page_bytes;
    int reserved_bytes;
    bool large; /* also without HAR_LONG, unless sanitizers make it long */
} layouts[] = {
    {512, 0, false},    {512, 32, true},   {1024, 0, false},  {2048, 0, false},
    {2048, 255, false}, {4096, 0, false},  {4096, 8, false},  {8192, 12, false},
    {16384, 0, false},  {32768, 0, false}, {65536, 0, false}, {65536, 100, false},
};
#define LAYOUTS (sizeof layouts / sizeof layouts[0])

START_TEST(small_tables)
{
    static const unsigned sizes[] = {0, 1, 2, 30, 300, 3000};
    random_start();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_random_table(layouts[_i].page_bytes, layouts[_i].reserved_bytes, sizes[i]);
        compare_file(sizes[i]);
    }
}
END_TEST

START_TEST(large_table)
{
    bool wanted = layouts[_i].large && !UNIT_SANITIZED;
    if (!wanted && !unit_is_long())
        return;
    random_start();
    write_random_table(layouts[_i].page_bytes, layouts[_i].reserved_bytes, LARGE);
    compare_file(LARGE);
}
END_TEST

START_TEST(large_published_table)
{
    struct har_error error = {0};
    struct ranking_row *rows = calloc(LARGE, sizeof *rows);
    char(*names)[40] = calloc(LARGE, sizeof *names);
    for (int i = 0; i < LARGE; i++) {
        sprintf(names[i], "h%06d.example.com", i);
        rows[i] = (struct ranking_row){names[i], "answer", "192.0.2.1 2001:db8::1", 1, NULL, NULL};
    }
    random_start();
    ck_assert_msg(ranking_publish(path, rows, LARGE, NOW_S + 1000000, &error) == 0, "%s",
                  error.text);
    free(names);
    free(rows);
    compare_file(LARGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("differential");
    TCase *tests = tcase_create("differential");
    tcase_add_unchecked_fixture(tests, make_folder_in_memory, remove_folder);
    tcase_set_timeout(tests, unit_is_long() ? 600 : 120);
    tcase_add_loop_test(tests, small_tables, 0, LAYOUTS);
    tcase_add_loop_test(tests, large_table, 0, LAYOUTS);
    tcase_add_test(tests, large_published_table);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
