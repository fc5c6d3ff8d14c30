/* The file behind the state: finds out what stands at its path, moves away what cannot be used,
 * makes it, opens it, for state.c. */
#ifndef HAR_HARD_STATE_FILE_H
#define HAR_HARD_STATE_FILE_H

#include <sqlite3.h>
#include <stdint.h>

#include "common/error.h"

/* Opens or makes the file, whole and of the present version, as state_open describes; the lock is
 * the caller's. Returns 0 with *db for sqlite3_close, or a negative har_code with error set and *db
 * NULL. */
int state_file_open(const char *path, int64_t now_s, sqlite3 **db, struct har_error *notice,
                    struct har_error *error);

/* Opens one that is open elsewhere in this process, for reading alone. */
int state_file_open_reader(const char *path, sqlite3 **db, struct har_error *error);

/* Records what SQLite said last on db (NULL: no memory for one): "PATH: cannot STEP: reason".
 * Returns the code. */
int state_file_fail(const char *path, const char *step, sqlite3 *db, struct har_error *error);

#endif
