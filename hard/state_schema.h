/* The layout of state.db: tables, versions, and the words in which they say things. For people,
 * too: sqlite3 state.db 'select * from endpoint'. */
#ifndef HAR_HARD_STATE_SCHEMA_H
#define HAR_HARD_STATE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>

#include "hard/check.h"
#include "hard/health.h"
#include "hard/host.h"

#define STATE_APPLICATION_ID 0x68617273 /* "hars", at byte 68 of the file */
#define STATE_VERSION 1                 /* user_version: how many steps were taken */

/* Step n leads from version n to n + 1; the first makes the tables. A step that was released is
 * never changed: the next layout is one more step. */
extern const char *const state_schema_steps[STATE_VERSION];

/* The columns of each table, in the order in which state_write.c binds and state_load.c takes them.
 */
#define STATE_ENDPOINT_COLUMNS                                                                     \
    "host, candidate, address, port, question, state, streak, measured, connect_us, total_us, "    \
    "since, reason, successes, timeouts, connect_errors, response_errors, other_errors, "          \
    "dns_successes, dns_timeouts, dns_errors, chosen, last_success, last_failure, "                \
    "last_connect_us, last_response_us"
#define STATE_OVERRIDE_COLUMNS "host, candidate, kind, set_at, expires, reason"
#define STATE_ANSWER_COLUMNS "host, status, addresses, weights, answers"
#define STATE_TRANSITION_COLUMNS                                                                   \
    "id, time, host, candidate, address, port, was, state, reason, detail"

/* The number that a pragma or another query answers with, -1 if it does not. */
sqlite3_int64 state_schema_number(sqlite3 *db, const char *query);

/* Takes the steps from the file's version to `version`, all or none. Returns SQLite's result code;
 * a file of that version, or of a newer one, is left as it is. */
int state_schema_upgrade(sqlite3 *db, const char *const *steps, int version);

/* "drain", "up", "down"; NULL for OVERRIDE_NONE. */
const char *state_override_text(enum override kind);

/* The way back from a word. False, and out untouched, for any other word. */
bool state_override_parse(const char *word, enum override *out);
bool state_health_parse(const char *word, enum health_state *out);
bool state_reason_parse(const char *word, enum check_reason *out);

#endif
