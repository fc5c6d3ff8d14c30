/* ranking/publish.c: what it writes is a whole SQLite file that people and lookup.c can read, and
 * what it cannot write leaves no trace. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ranking/lock.h"
#include "ranking/lookup.h"
#include "ranking/publish.h"
#include "ranking/schema.h"
#include "tests/support/unit.h"

#define NOW_S 1700000000
#define EXPIRES_S (NOW_S + 600)

static char folder[] = "check_publish.XXXXXX";
static char path[64];
static char new_path[64];

static const struct ranking_row good_rows[] = {
    {"api.example.com", RANKING_STATUS_ANSWER, "192.0.2.1 2001:db8::1", 1, NULL, "100 0"},
    {"db.example.com", RANKING_STATUS_FAIL, "", 1, NULL, NULL},
    {"www.example.com", RANKING_STATUS_ANSWER, "192.0.2.1 2001:db8::1", 2, "api.example.com", NULL},
};
#define GOOD_ROWS (sizeof good_rows / sizeof good_rows[0])

static void make_folder(void)
{
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/ranking.db", folder);
    snprintf(new_path, sizeof new_path, "%s/ranking.db.new", folder);
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        abort();
}

static void publish(const struct ranking_row *rows, size_t count)
{
    struct har_error error = {0};
    int result = ranking_publish(path, rows, count, EXPIRES_S, &error);
    ck_assert_msg(result == HAR_OK, "%s", error.text);
    ck_assert_int_ne(access(new_path, F_OK), 0);
}

/* Everything that a query says, one row a line, as the sqlite3 shell prints it. */
static void query(const char *sql, char *text, size_t text_bytes)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    size_t used = 0;
    text[0] = '\0';
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const unsigned char *column = sqlite3_column_text(statement, i);
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", i > 0 ? "|" : "",
                                     column != NULL ? (const char *)column : "");
        }
        used += (size_t)snprintf(text + used, text_bytes - used, "\n");
    }
    ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
    sqlite3_close(db);
}

static void assert_query(const char *sql, const char *expected)
{
    char text[4096];
    query(sql, text, sizeof text);
    ck_assert_str_eq(text, expected);
}

static enum ranking_result look_up(const char *name, int family, struct ranking_answer *answer)
{
    memset(answer, 0xa5, sizeof *answer);
    return ranking_lookup(path, name, family, NOW_S, answer);
}

/* Refused with this code, with path and reason in the text, and as if nothing had been tried. */
static void assert_refused(const char *to, const struct ranking_row *rows, size_t count,
                           enum har_code code, const char *reason)
{
    struct har_error error = {0};
    ck_assert_int_eq(ranking_publish(to, rows, count, EXPIRES_S, &error), code);
    ck_assert_int_eq(error.code, code);
    ck_assert_msg(strstr(error.text, to) != NULL, "%s", error.text);
    ck_assert_msg(strstr(error.text, reason) != NULL, "%s: not '%s'", error.text, reason);
}

static void assert_old_one_stands(const struct stat *before)
{
    struct stat now;
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_uint_eq(now.st_ino, before->st_ino);
    ck_assert_int_eq(now.st_size, before->st_size);
    ck_assert_int_ne(access(new_path, F_OK), 0);
    assert_query("PRAGMA integrity_check", "ok\n");
}

static void publish_good(struct stat *published)
{
    publish(good_rows, GOOD_ROWS);
    ck_assert_int_eq(stat(path, published), 0);
}

START_TEST(reads_well)
{
    publish(good_rows, GOOD_ROWS);
    assert_query("PRAGMA integrity_check", "ok\n");
    assert_query("PRAGMA application_id", "1751216673\n");
    assert_query("PRAGMA user_version", "1\n");
    assert_query("PRAGMA encoding", "UTF-8\n");
    assert_query("SELECT * FROM answer",
                 "api.example.com|answer|192.0.2.1 2001:db8::1|1||1700000600|100 0\n"
                 "db.example.com|fail||1||1700000600|\n"
                 "www.example.com|answer|192.0.2.1 2001:db8::1|2|api.example.com|1700000600|\n");
}
END_TEST

START_TEST(is_no_wal_and_needs_no_companion)
{
    publish(good_rows, GOOD_ROWS);
    unsigned char header[100];
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(read(fd, header, sizeof header), sizeof header);
    close(fd);
    ck_assert_int_eq(header[16] << 8 | header[17], RANKING_PAGE_BYTES);
    ck_assert_int_eq(header[18], 1);
    ck_assert_int_eq(header[19], 1);
    assert_query("SELECT rootpage FROM sqlite_schema", "2\n");
}
END_TEST

START_TEST(lookup_finds_it)
{
    struct ranking_answer answer;
    publish(good_rows, GOOD_ROWS);
    ck_assert_int_eq(look_up("API.example.com.", AF_INET6, &answer), RANKING_FOUND);
    ck_assert_uint_eq(answer.count, 1);
    ck_assert_int_eq(answer.addresses[0].family, AF_INET6);
    ck_assert_str_eq(answer.canonical, "api.example.com");
    ck_assert_int_eq(look_up("db.example.com", AF_INET, &answer), RANKING_FAILING);
    ck_assert_int_eq(look_up("www.example.com", AF_UNSPEC, &answer), RANKING_FOUND);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert_str_eq(answer.name, "www.example.com");
    ck_assert_str_eq(answer.canonical, "api.example.com");
    ck_assert_int_eq(look_up("ftp.example.com", AF_INET, &answer), RANKING_ABSENT);
    ck_assert_int_eq(answer.error, ENOENT);
}
END_TEST

START_TEST(no_rows)
{
    struct ranking_answer answer;
    publish(NULL, 0);
    assert_query("PRAGMA integrity_check", "ok\n");
    assert_query("SELECT count(*) FROM answer", "0\n");
    ck_assert_int_eq(look_up("api.example.com", AF_INET, &answer), RANKING_ABSENT);
    ck_assert_int_eq(answer.error, ENOENT);
}
END_TEST

/* The largest row that is allowed, in the middle of others. */
START_TEST(largest_row)
{
    char name[HAR_NAME_MAX + 1];
    char alias_of[HAR_NAME_MAX + 1];
    char addresses[RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX] = "";
    char weights[RANKING_ADDRESSES_MAX * 6] = "";
    struct ranking_answer answer;
    memset(name, 'm', HAR_NAME_MAX);
    memset(alias_of, 'n', HAR_NAME_MAX);
    alias_of[63] = alias_of[127] = alias_of[191] = '.';
    name[HAR_NAME_MAX] = alias_of[HAR_NAME_MAX] = '\0';
    for (int i = 0; i < RANKING_ADDRESSES_MAX; i++)
        snprintf(addresses + strlen(addresses), HAR_ADDRESS_TEXT_MAX,
                 "%s2001:db8:1111:2222:3333:4444:5555:%x", i > 0 ? " " : "", 0x1000 + i);
    for (int i = 0; i < RANKING_ADDRESSES_MAX; i++) /* the first one's turn, always */
        strcat(weights, i == 0 ? "-1000" : " -0000");
    struct ranking_row rows[] = {
        {"a", RANKING_STATUS_ANSWER, "192.0.2.1", 1, NULL, NULL},
        {name, RANKING_STATUS_ANSWER, addresses, RANKING_ANSWERS_MAX, alias_of, weights},
        {"z", RANKING_STATUS_ANSWER, "192.0.2.2", 1, NULL, NULL},
    };
    publish(rows, 3);
    assert_query("PRAGMA integrity_check", "ok\n");
    ck_assert_int_eq(look_up(name, AF_INET6, &answer), RANKING_FOUND);
    ck_assert_uint_eq(answer.count, RANKING_ANSWERS_MAX);
    for (unsigned i = 0; i < answer.count; i++)
        ck_assert_uint_eq(answer.addresses[i].bytes[15], i);
    ck_assert_str_eq(answer.canonical, alias_of);
    ck_assert_int_eq(look_up(name, AF_INET, &answer), RANKING_NODATA);
    ck_assert_int_eq(look_up("z", AF_INET, &answer), RANKING_FOUND);
}
END_TEST

START_TEST(mode_ignores_umask)
{
    struct stat published;
    umask(077);
    publish_good(&published);
    ck_assert_uint_eq(published.st_mode & 07777, 0644);
}
END_TEST

START_TEST(path_without_folder)
{
    struct har_error error = {0};
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(ranking_publish("bare.db", good_rows, GOOD_ROWS, EXPIRES_S, &error), HAR_OK);
    ck_assert_int_eq(access("bare.db", R_OK), 0);
}
END_TEST

static char too_long[HAR_NAME_MAX + 2];
static char too_many[RANKING_ADDRESSES_MAX * 4 + 64];

/* The second row of two, the first being "b". */
static const struct {
    struct ranking_row row;
    const char *reason;
} bad_rows[] = {
    {{"a", "answer", "", 1, NULL, NULL}, "order of names"},
    {{"b", "answer", "", 1, NULL, NULL}, "twice"},
    {{"", "answer", "", 1, NULL, NULL}, "name"},
    {{too_long, "answer", "", 1, NULL, NULL}, "name"},
    {{"C", "answer", "", 1, NULL, NULL}, "name"},
    {{"c.", "answer", "", 1, NULL, NULL}, "name"},
    {{"c", "123456789012345678901234567890123", "", 1, NULL, NULL}, "status"},
    {{"c", "answer", "", 0, NULL, NULL}, "answers"},
    {{"c", "answer", "", RANKING_ANSWERS_MAX + 1, NULL, NULL}, "answers"},
    {{"c", "answer", "", 1, "", NULL}, "alias"},
    {{"c", "answer", "", 1, "a host", NULL}, "alias"},
    {{"c", "answer", "", 1, too_long, NULL}, "alias"},
    {{"c", "answer", too_many, 1, NULL, NULL}, "more than 32 addresses"},
    {{"c", "answer", "192.0.2.1  192.0.2.2", 1, NULL, NULL}, "address"},
    {{"c", "answer", "192.0.2.1 ", 1, NULL, NULL}, "address"},
    {{"c", "answer", " 192.0.2.1", 1, NULL, NULL}, "address"},
    {{"c", "answer", "192.0.2.1,192.0.2.2", 1, NULL, NULL}, "address"},
    {{"c", "answer", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20", 1, NULL, NULL},
     "address"},
    {{"c", "answer", "192.0.2.1", 1, NULL, ""}, "one weight"},
    {{"c", "answer", "", 1, NULL, "1"}, "one weight"},
    {{"c", "answer", "192.0.2.1 ::1", 1, NULL, "1"}, "one weight"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "1 1"}, "one weight"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "1 "}, "one weight"},
    {{"c", "answer", "192.0.2.1 ::1", 1, NULL, " 1"}, "weight out of"},
    {{"c", "answer", "192.0.2.1 ::1", 1, NULL, "1 "}, "weight out of"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "1001"}, "weight out of -1000 to 1000"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "-1001"}, "weight out of"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "00001"}, "weight out of"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "--1"}, "weight out of"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "-"}, "weight out of"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "+1"}, "weight out of"},
    {{"c", "answer", "192.0.2.1", 1, NULL, "1x"}, "weight out of"},
};

START_TEST(bad_row)
{
    struct stat before;
    memset(too_long, 'x', HAR_NAME_MAX + 1);
    for (int i = 0; i <= RANKING_ADDRESSES_MAX; i++)
        strcat(too_many, i > 0 ? " ::1" : "::1");
    publish_good(&before);
    struct ranking_row rows[] = {{"b", "answer", "", 1, NULL, NULL}, bad_rows[_i].row};
    assert_refused(path, rows, 2, HAR_ERR_VALUE, bad_rows[_i].reason);
    assert_old_one_stands(&before);
}
END_TEST

START_TEST(folder_missing)
{
    assert_refused("no_such_folder/ranking.db", good_rows, GOOD_ROWS, HAR_ERR_IO, strerror(ENOENT));
}
END_TEST

START_TEST(folder_is_a_file)
{
    struct stat before;
    char below[96];
    publish_good(&before);
    snprintf(below, sizeof below, "%s/ranking.db", path);
    assert_refused(below, good_rows, GOOD_ROWS, HAR_ERR_IO, strerror(ENOTDIR));
    assert_old_one_stands(&before);
}
END_TEST

START_TEST(target_is_a_folder)
{
    char target[64];
    char target_new[72];
    snprintf(target, sizeof target, "%s/sub", folder);
    snprintf(target_new, sizeof target_new, "%s.new", target);
    ck_assert_int_eq(mkdir(target, 0755), 0);
    assert_refused(target, good_rows, GOOD_ROWS, HAR_ERR_VALUE, "not a regular file");
    ck_assert_int_ne(access(target_new, F_OK), 0);
    ck_assert_int_eq(rmdir(target), 0);
}
END_TEST

/* Whatever an operator points ranking_db at by mistake must survive it. */
START_TEST(files_of_others_are_left_alone)
{
    static const char *const contents[] = {"root:x:0:0:root:/root:/bin/sh\n",
                                           "SQLite format 3\0 and then something else"};
    char target[64], left[64];
    snprintf(target, sizeof target, "%s/other", folder);
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(target, "w");
        ck_assert_ptr_nonnull(file);
        fwrite(contents[i], 1, 30, file);
        ck_assert_int_eq(fclose(file), 0);
        assert_refused(target, good_rows, GOOD_ROWS, HAR_ERR_VALUE, "not a ranking of har");
        file = fopen(target, "r");
        ck_assert_uint_eq(fread(left, 1, sizeof left, file), 30);
        ck_assert_mem_eq(left, contents[i], 30);
        fclose(file);
    }
    ck_assert_int_eq(truncate(target, 0), 0);
    ck_assert_int_eq(ranking_publish(target, good_rows, GOOD_ROWS, EXPIRES_S, NULL), HAR_OK);
    ck_assert_int_eq(unlink(target), 0);
    ck_assert_int_eq(symlink("nowhere", target), 0);
    assert_refused(target, good_rows, GOOD_ROWS, HAR_ERR_VALUE, "not a regular file");
    ck_assert_int_eq(unlink(target), 0);
}
END_TEST

START_TEST(one_daemon_a_ranking)
{
    struct har_error error = {0};
    int first = ranking_lock(path, &error);
    ck_assert_int_ge(first, 0);
    ck_assert_int_eq(ranking_lock(path, &error), HAR_ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(error.text, "another hard"));
    close(first);
    int second = ranking_lock(path, NULL);
    ck_assert_int_ge(second, 0);
    close(second);
    har_error_clear(&error);
    ck_assert_int_eq(ranking_lock("/nowhere/ranking.db", &error), HAR_ERR_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/ranking.db.lock"));
}
END_TEST

START_TEST(path_too_long)
{
    char long_path[PATH_MAX + 1];
    memset(long_path, 'x', PATH_MAX);
    long_path[PATH_MAX] = '\0';
    struct har_error error = {0};
    ck_assert_int_eq(ranking_publish(long_path, good_rows, GOOD_ROWS, EXPIRES_S, &error),
                     HAR_ERR_IO);
}
END_TEST

/* A file that may not grow stands for a file system that is full: the write is cut short, then
 * fails. */
START_TEST(no_room)
{
    struct stat before;
    publish_good(&before);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = (rlim_t)before.st_size - 1, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_refused(path, good_rows, GOOD_ROWS, HAR_ERR_IO, strerror(EFBIG));
    assert_old_one_stands(&before);
}
END_TEST

START_TEST(no_memory)
{
    static struct ranking_row rows[4000];
    static char names[4000][8];
    struct stat before;
    publish_good(&before);
    for (int i = 0; i < 4000; i++) {
        snprintf(names[i], sizeof names[i], "h%04d", i);
        rows[i] = (struct ranking_row){names[i], "answer", "192.0.2.1", 1, NULL, NULL};
    }
    /* From too little to begin with to nearly enough. */
    for (sqlite3_int64 bytes = 1000; bytes < 200000; bytes += 20000) {
        sqlite3_hard_heap_limit64(bytes);
        assert_refused(path, rows, 4000, HAR_ERR_MEMORY, "memory");
    }
    sqlite3_hard_heap_limit64(0);
    assert_old_one_stands(&before);
    publish(rows, 4000);
}
END_TEST

START_TEST(left_over_is_replaced)
{
    struct stat published;
    char precious[64];
    snprintf(precious, sizeof precious, "%s/precious", folder);
    ck_assert_int_eq(close(open(precious, O_CREAT | O_WRONLY, 0600)), 0);
    ck_assert_int_eq(symlink("precious", new_path), 0);
    publish_good(&published);
    ck_assert_int_eq(lstat(path, &published), 0);
    ck_assert(S_ISREG(published.st_mode));
    ck_assert_int_eq(stat(precious, &published), 0);
    ck_assert_int_eq(published.st_size, 0);
}
END_TEST

START_TEST(left_over_that_cannot_be_removed)
{
    struct har_error error = {0};
    ck_assert_int_eq(mkdir(new_path, 0755), 0);
    ck_assert_int_eq(ranking_publish(path, good_rows, GOOD_ROWS, EXPIRES_S, &error), HAR_ERR_IO);
    ck_assert_msg(strstr(error.text, new_path) != NULL, "%s", error.text);
    ck_assert_int_eq(rmdir(new_path), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("publish");
    TCase *tests = tcase_create("publish");
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, reads_well);
    tcase_add_test(tests, is_no_wal_and_needs_no_companion);
    tcase_add_test(tests, lookup_finds_it);
    tcase_add_test(tests, no_rows);
    tcase_add_test(tests, largest_row);
    tcase_add_test(tests, mode_ignores_umask);
    tcase_add_test(tests, path_without_folder);
    tcase_add_loop_test(tests, bad_row, 0, sizeof bad_rows / sizeof bad_rows[0]);
    tcase_add_test(tests, folder_missing);
    tcase_add_test(tests, folder_is_a_file);
    tcase_add_test(tests, target_is_a_folder);
    tcase_add_test(tests, files_of_others_are_left_alone);
    tcase_add_test(tests, one_daemon_a_ranking);
    tcase_add_test(tests, path_too_long);
    tcase_add_test(tests, no_room);
    tcase_add_test(tests, no_memory);
    tcase_add_test(tests, left_over_is_replaced);
    tcase_add_test(tests, left_over_that_cannot_be_removed);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
