#include "ranking/restore.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "ranking/schema.h"

/* The columns in the order in which read_row takes them. */
#define SELECT_ROWS                                                                                \
    "SELECT name, status, addresses, answers, alias_of, weights FROM answer WHERE expires > ?1 "   \
    "ORDER BY name"

static int pragma_value(sqlite3 *db, const char *pragma)
{
    sqlite3_stmt *statement = NULL;
    int value = -1;
    if (sqlite3_prepare_v2(db, pragma, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static const char *text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

static bool read_row(sqlite3_stmt *statement, struct ranking_row *row)
{
    *row = (struct ranking_row){.name = text(statement, 0),
                                .status = text(statement, 1),
                                .addresses = text(statement, 2),
                                .answers = (unsigned)sqlite3_column_int(statement, 3),
                                .alias_of = text(statement, 4),
                                .weights = text(statement, 5)};
    return row->name != NULL && row->status != NULL && row->addresses != NULL &&
           ranking_row_problem(row) == NULL;
}

static int read_rows(sqlite3 *db, int64_t now_s,
                     void (*row)(void *arg, const struct ranking_row *row), void *arg)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, SELECT_ROWS, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 1, now_s);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct ranking_row found;
        if (read_row(statement, &found))
            row(arg, &found);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int ranking_restore(const char *path, int64_t now_s,
                    void (*row)(void *arg, const struct ranking_row *row), void *arg,
                    struct har_error *error)
{
    struct stat file;
    if (lstat(path, &file) != 0)
        return HAR_OK;
    if (!S_ISREG(file.st_mode)) /* opening a FIFO would wait for somebody to write */
        return har_fail(error, HAR_ERR_VALUE, "%s: not a regular file", path);
    sqlite3 *db = NULL;
    int result = HAR_OK;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (code == SQLITE_OK && pragma_value(db, "PRAGMA application_id") != RANKING_APPLICATION_ID)
        result = har_fail(error, HAR_ERR_SQLITE, "%s: not a ranking of har", path);
    else if (code == SQLITE_OK && pragma_value(db, "PRAGMA user_version") != RANKING_USER_VERSION)
        result = har_fail(error, HAR_ERR_SQLITE, "%s: a ranking of another version", path);
    else if (code == SQLITE_OK)
        code = read_rows(db, now_s, row, arg);
    if (code != SQLITE_OK)
        result = har_fail(error, HAR_ERR_SQLITE, "%s: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    return result;
}
