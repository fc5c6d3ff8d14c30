/* Rows of state.db become structs again, for state.c. A row that this version could not have
 * written is passed over: it neither reaches the caller nor ends the reading. */
#ifndef HAR_HARD_STATE_LOAD_H
#define HAR_HARD_STATE_LOAD_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "hard/state_batch.h"

/* Calls back for the good rows of the table that has this kind, and adds the others to *skipped.
 * Returns SQLite's result code. */
int state_load_rows(sqlite3 *db, enum batch_kind kind,
                    void (*row)(void *arg, const struct batch_entry *entry), void *arg,
                    uint64_t *skipped);

/* The newest `limit` of a host, or of all if host is NULL; oldest of them first.
 * Likewise. */
int state_load_transitions(sqlite3 *db, const char *host, size_t limit,
                           void (*row)(void *arg, const struct state_transition *transition),
                           void *arg, uint64_t *skipped);

#endif
