/* Rankings made through libsqlite3, in a folder of their own, and lookups in them that poison their
 * output first. For one test program each: it includes this once. */
#ifndef HAR_TESTS_SUPPORT_RANKING_FILE_H
#define HAR_TESTS_SUPPORT_RANKING_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ranking/lookup.h"
#include "ranking/schema.h"
#include "tests/support/unit.h"

/* All columns but the weights. */
#define INSERT_ROWS "INSERT INTO answer(name, status, addresses, answers, alias_of, expires) VALUES"

#define NOW_S 1700000000
#define ERRNO_BEFORE 4321 /* a value that no call sets */

static char folder[] = "check_ranking.XXXXXX";
static char path[64];

/* Fixtures, unchecked: they run once, outside of the tests' processes. */
static inline void make_folder(void)
{
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/ranking.db", folder);
}

/* For a test that writes much: elsewhere each ranking would wait for the disk. */
static inline void make_folder_in_memory(void)
{
    if (access("/dev/shm", W_OK | X_OK) == 0 && chdir("/dev/shm") != 0)
        abort();
    make_folder();
}

static inline void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        abort();
}

static inline enum ranking_result look_up(const char *name, int family,
                                          struct ranking_answer *answer)
{
    memset(answer, 0xa5, sizeof *answer);
    errno = ERRNO_BEFORE;
    enum ranking_result result = ranking_lookup(path, name, family, NOW_S, answer);
    ck_assert_int_eq(errno, ERRNO_BEFORE);
    return result;
}

static inline void assert_absent(const char *name, int error)
{
    struct ranking_answer answer;
    ck_assert_int_eq(look_up(name, AF_UNSPEC, &answer), RANKING_ABSENT);
    ck_assert_msg(answer.error == error, "%s: %s", name, strerror(answer.error));
}

/* The addresses of an answer as one text, or a word for what came instead. */
static inline const char *answer_text(const char *name, int family)
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

static inline void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
}

/* An empty ranking in a new file, open in a transaction. */
static inline sqlite3 *create_as(int page_bytes, int reserved_bytes, const char *create_table)
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

static inline sqlite3 *create(int page_bytes, int reserved_bytes)
{
    return create_as(page_bytes, reserved_bytes, RANKING_CREATE_TABLE);
}

static inline void finish(sqlite3 *db)
{
    run(db, "COMMIT");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* values: rows of SQL, with commas between. */
static inline void write_rows(const char *values)
{
    char sql[4096];
    sqlite3 *db = create(RANKING_PAGE_BYTES, 0);
    snprintf(sql, sizeof sql, INSERT_ROWS " %s", values);
    run(db, sql);
    finish(db);
}

static inline void write_good(void)
{
    write_rows("('h', 'answer', '192.0.2.1', 1, NULL, 1700000001)");
    ck_assert_str_eq(answer_text("h", AF_INET), "192.0.2.1");
}

static inline size_t read_file(unsigned char *bytes, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t count = read(fd, bytes, room);
    close(fd);
    ck_assert_int_gt(count, 0);
    ck_assert_uint_lt((size_t)count, room);
    return (size_t)count;
}

static inline void write_file(const unsigned char *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ck_assert_int_eq(write(fd, bytes, count), (ssize_t)count);
    close(fd);
}

static inline void patch_file(off_t at, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, bytes, count, at), (ssize_t)count);
    close(fd);
}

#endif
