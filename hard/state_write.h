/* A batch of notes becomes rows of state.db, for state.c. Used by one thread at a time. */
#ifndef HAR_HARD_STATE_WRITE_H
#define HAR_HARD_STATE_WRITE_H

#include <sqlite3.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "hard/state_batch.h"

#define STATE_STATEMENTS 11

struct state_writer {
    const char *path; /* the caller's */
    sqlite3 *db;      /* owned */
    sqlite3_stmt *statements[STATE_STATEMENTS];
    dev_t device; /* the file's */
    ino_t inode;
    int64_t pruned_s; /* when old rows were last looked for, by the wall clock */
};

/* Takes over db, also when it fails. */
int state_writer_init(struct state_writer *writer, const char *path, sqlite3 *db, int64_t now_s,
                      struct har_error *error);
void state_writer_done(struct state_writer *writer);

/* Writes all of a batch in one transaction, or nothing, and removes what is too old. Returns 0, or
 * a negative har_code with error set. */
int state_writer_write(struct state_writer *writer, const struct state_batch *batch, int64_t now_s,
                       struct har_error *error);

#endif
