#include "hard/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hard/state_schema.h"

#define HEADER_BYTES 100
#define APPLICATION_ID_AT 68
#define NAMES_TRIED 100 /* for a file that is moved away */
#define WORD_BYTES 160
#define BUSY_MS 1000      /* somebody looks at the file with another program */
#define LOG_BYTES 8388608 /* of the write-ahead log, kept when it is not needed */

/* A database and what SQLite may leave beside it. A log must never stay behind alone: it would be
 * played into the next file of that name. So the database comes last. */
static const char *const parts[] = {"-wal", "-shm", "-journal", ""};
#define PARTS (sizeof parts / sizeof parts[0])
#define PARTS_BESIDE (PARTS - 1)

/* Why the file at path cannot be used as it is; empty: it can, or there is none. */
struct problem {
    char text[WORD_BYTES];
};

static int step_failed(const char *path, const char *step, struct har_error *error)
{
    return har_fail(error, HAR_ERR_IO, "%s: cannot %s: %s", path, step, strerror(errno));
}

int state_file_fail(const char *path, const char *step, sqlite3 *db, struct har_error *error)
{
    if (db == NULL || sqlite3_errcode(db) == SQLITE_NOMEM)
        return har_fail(error, HAR_ERR_MEMORY, "%s: cannot %s: out of memory", path, step);
    return har_fail(error, HAR_ERR_SQLITE, "%s: cannot %s: %s", path, step, sqlite3_errmsg(db));
}

/* --- What stands there -------------------------------------------------------------------------
 */

static bool part_path(char out[PATH_MAX], const char *path, const char *part)
{
    return (size_t)snprintf(out, PATH_MAX, "%s%s", path, part) < PATH_MAX;
}

/* Opening a FIFO would wait, a link may lead anywhere. */
static int refuse_what_is_no_file(const char *path, struct har_error *error)
{
    for (size_t i = 0; i < PARTS; i++) {
        char part[PATH_MAX];
        struct stat file;
        if (!part_path(part, path, parts[i]))
            return har_fail(error, HAR_ERR_IO, "%s: %s", path, strerror(ENAMETOOLONG));
        if (lstat(part, &file) == 0 && !S_ISREG(file.st_mode))
            return har_fail(error, HAR_ERR_VALUE, "%s: not a regular file: move it away", part);
    }
    return HAR_OK;
}

static bool is_private(const struct stat *file)
{
    return file->st_uid == geteuid() && (file->st_mode & 077) == 0 && file->st_nlink == 1;
}

static bool is_database_of_ours(const char header[HEADER_BYTES])
{
    const char id[] = {STATE_APPLICATION_ID >> 24, STATE_APPLICATION_ID >> 16 & 0xff,
                       STATE_APPLICATION_ID >> 8 & 0xff, STATE_APPLICATION_ID & 0xff};
    return memcmp(header, "SQLite format 3", 16) == 0 &&
           memcmp(header + APPLICATION_ID_AT, id, sizeof id) == 0;
}

/* By its first bytes, without SQLite, which might write to a file that is not ours. */
static int look_at(const char *path, int fd, struct problem *problem, struct har_error *error)
{
    struct stat file;
    char header[HEADER_BYTES] = "";
    if (fstat(fd, &file) != 0 || pread(fd, header, sizeof header, 0) < 0)
        return step_failed(path, "look at it", error);
    if (file.st_size == 0 || is_database_of_ours(header))
        return HAR_OK;
    if (!is_private(&file))
        return har_fail(error, HAR_ERR_VALUE, "%s: not a state of har: move it away", path);
    snprintf(problem->text, sizeof problem->text, "not a state of har, or damaged");
    return HAR_OK;
}

/* *exists: there is something in it. */
static int identify(const char *path, bool *exists, struct problem *problem,
                    struct har_error *error)
{
    int code = refuse_what_is_no_file(path, error);
    if (code != HAR_OK)
        return code;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno != ENOENT)
        return step_failed(path, "open", error);
    *exists = fd >= 0 && lseek(fd, 0, SEEK_END) > 0;
    if (fd < 0)
        return HAR_OK;
    code = look_at(path, fd, problem, error);
    close(fd);
    return code;
}

/* --- Out of the way ----------------------------------------------------------------------------
 */

static bool any_part_exists(const char *path, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char part[PATH_MAX];
        struct stat file;
        if (!part_path(part, path, parts[i]) || lstat(part, &file) == 0)
            return true;
    }
    return false;
}

/* A name that nothing has: PATH.damaged-20261122T203144, the same with "-2" behind, and so on. */
static bool find_free_name(const char *path, int64_t now_s, char name[PATH_MAX])
{
    struct tm utc = {.tm_mday = 1};
    char when[32];
    time_t now = (time_t)now_s;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%S", &utc);
    for (int i = 1; i <= NAMES_TRIED; i++) {
        char number[16] = "";
        if (i > 1)
            snprintf(number, sizeof number, "-%d", i);
        if ((size_t)snprintf(name, PATH_MAX, "%s.damaged-%s%s", path, when, number) >= PATH_MAX)
            return false;
        if (!any_part_exists(name, PARTS))
            return true;
    }
    return false;
}

/* Nobody else takes the name meanwhile: we have the lock. */
static int move_parts(const char *path, const char *name, struct har_error *error)
{
    for (size_t i = 0; i < PARTS; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        if (!part_path(from, path, parts[i]) || !part_path(to, name, parts[i]))
            return har_fail(error, HAR_ERR_IO, "%s: %s", path, strerror(ENAMETOOLONG));
        if (rename(from, to) != 0 && errno != ENOENT)
            return step_failed(from, "move it out of the way", error);
    }
    return HAR_OK;
}

static int move_away(const char *path, int64_t now_s, const struct problem *problem,
                     struct har_error *notice, struct har_error *error)
{
    char name[PATH_MAX];
    if (!find_free_name(path, now_s, name))
        return har_fail(error, HAR_ERR_IO, "%s: %s; no name left to move it to", path,
                        problem->text);
    int code = move_parts(path, name, error);
    if (code == HAR_OK)
        har_fail(notice, HAR_ERR_VALUE, "%s: %s; moved to %s, and begun anew", path, problem->text,
                 name);
    return code;
}

/* --- A new one ---------------------------------------------------------------------------------
 */

static int make_private(const char *path, struct har_error *error)
{
    unlink(path); /* left by a daemon that was killed */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return step_failed(path, "create", error);
    int code = fchmod(fd, 0600) == 0 ? HAR_OK : step_failed(path, "make it private", error);
    close(fd);
    return code;
}

static int fill(const char *path, struct har_error *error)
{
    char identify_it[128];
    sqlite3 *db = NULL;
    snprintf(identify_it, sizeof identify_it,
             "PRAGMA journal_mode = MEMORY; PRAGMA application_id = %d", STATE_APPLICATION_ID);
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, identify_it, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = state_schema_upgrade(db, state_schema_steps, STATE_VERSION);
    int result = code == SQLITE_OK ? HAR_OK : state_file_fail(path, "create", db, error);
    sqlite3_close(db);
    return result;
}

/* Made beside it and renamed, so that whatever stands at path bears our mark in its first bytes,
 * however the daemon ended. SQLite gives what it puts beside the file the file's mode. */
static int create(const char *path, struct har_error *error)
{
    char new_path[PATH_MAX];
    if (!part_path(new_path, path, ".new"))
        return har_fail(error, HAR_ERR_IO, "%s: %s", path, strerror(ENAMETOOLONG));
    int code = make_private(new_path, error);
    if (code == HAR_OK)
        code = fill(new_path, error);
    if (code == HAR_OK && rename(new_path, path) != 0)
        code = step_failed(path, "create", error);
    if (code != HAR_OK)
        unlink(new_path);
    return code;
}

/* --- Opening -----------------------------------------------------------------------------------
 */

static bool says_damaged(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* "ok", or the first thing that is wrong. */
static int check_integrity(sqlite3 *db, struct problem *problem)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const unsigned char *word = sqlite3_column_text(statement, 0);
        if (word != NULL && strcmp((const char *)word, "ok") != 0)
            snprintf(problem->text, sizeof problem->text, "damaged: %s", word);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

/* Do the tables have all columns that we use? */
static bool has_tables(sqlite3 *db)
{
    static const char *const selects[] = {"SELECT noted, " STATE_ENDPOINT_COLUMNS " FROM endpoint",
                                          "SELECT " STATE_OVERRIDE_COLUMNS " FROM override",
                                          "SELECT " STATE_ANSWER_COLUMNS " FROM answer",
                                          "SELECT " STATE_TRANSITION_COLUMNS " FROM transition"};
    for (size_t i = 0; i < sizeof selects / sizeof selects[0]; i++) {
        sqlite3_stmt *statement = NULL;
        int code = sqlite3_prepare_v2(db, selects[i], -1, &statement, NULL);
        sqlite3_finalize(statement);
        if (code == SQLITE_ERROR)
            return false;
    }
    return true;
}

/* A good file passes; of one that cannot be used the problem is found. Anything else, such as no
 * memory, is SQLite's result code. */
static int examine(sqlite3 *db, struct problem *problem)
{
    int code = check_integrity(db, problem);
    if (code != SQLITE_OK || problem->text[0] != '\0')
        return code;
    sqlite3_int64 version = state_schema_number(db, "PRAGMA user_version");
    if (version > STATE_VERSION)
        snprintf(problem->text, sizeof problem->text,
                 "written by a newer har (layout %lld, not %d)", (long long)version, STATE_VERSION);
    else if ((code = state_schema_upgrade(db, state_schema_steps, STATE_VERSION)) == SQLITE_OK &&
             !has_tables(db))
        snprintf(problem->text, sizeof problem->text, "damaged: tables or columns are missing");
    return code;
}

/* Until the file is known to be good, closing it must not play its log into it. */
static int set_up(sqlite3 *db, struct problem *problem)
{
    char settings[128];
    snprintf(settings, sizeof settings,
             "PRAGMA synchronous = NORMAL; PRAGMA journal_mode = WAL; "
             "PRAGMA journal_size_limit = %d",
             LOG_BYTES);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int code = examine(db, problem);
    if (code == SQLITE_OK && problem->text[0] == '\0')
        code = sqlite3_exec(db, settings, NULL, NULL, NULL);
    if (says_damaged(code) && problem->text[0] == '\0')
        snprintf(problem->text, sizeof problem->text, "damaged: %s", sqlite3_errmsg(db));
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, problem->text[0] != '\0', NULL);
    return says_damaged(code) ? SQLITE_OK : code;
}

/* SQLite took what it got; the system knows why it was not more. */
static int fail_read_only(const char *path, struct har_error *error)
{
    errno = EACCES;
    faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
    return step_failed(path, "write", error);
}

/* Leaves *db NULL when there is a problem or an error. */
static int open_existing(const char *path, sqlite3 **db, struct problem *problem,
                         struct har_error *error)
{
    sqlite3 *opened = NULL;
    int code = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int result = HAR_OK;
    if (code == SQLITE_OK && sqlite3_db_readonly(opened, "main") == 1)
        result = fail_read_only(path, error);
    else if (code != SQLITE_OK || set_up(opened, problem) != SQLITE_OK)
        result = state_file_fail(path, "open", opened, error);
    if (result != HAR_OK || problem->text[0] != '\0') {
        sqlite3_close(opened);
        opened = NULL;
    }
    *db = opened;
    return result;
}

static int open_new(const char *path, sqlite3 **db, struct har_error *error)
{
    struct problem problem = {""};
    int code = create(path, error);
    if (code == HAR_OK)
        code = open_existing(path, db, &problem, error);
    if (code == HAR_OK && *db == NULL)
        code = har_fail(error, HAR_ERR_SQLITE, "%s: new, and yet %s", path, problem.text);
    return code;
}

int state_file_open(const char *path, int64_t now_s, sqlite3 **db, struct har_error *notice,
                    struct har_error *error)
{
    struct problem problem = {""};
    bool exists = false;
    *db = NULL;
    int code = identify(path, &exists, &problem, error);
    if (code == HAR_OK && exists && problem.text[0] == '\0')
        code = open_existing(path, db, &problem, error);
    if (code != HAR_OK || *db != NULL)
        return code;
    if (!exists)
        snprintf(problem.text, sizeof problem.text, "empty or gone, but not what lay beside it");
    if (exists || any_part_exists(path, PARTS_BESIDE))
        code = move_away(path, now_s, &problem, notice, error);
    return code == HAR_OK ? open_new(path, db, error) : code;
}

int state_file_open_reader(const char *path, sqlite3 **db, struct har_error *error)
{
    int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        return HAR_OK;
    code = state_file_fail(path, "read", *db, error);
    sqlite3_close(*db);
    *db = NULL;
    return code;
}
