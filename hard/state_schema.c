#include "hard/state_schema.h"

#include <stdio.h>
#include <string.h>

/* noted: when the row was last written.
 * id: counts up; the clock may be set back, the order of transitions stays. */
static const char layout_1[] = "CREATE TABLE endpoint(\n"
                               "  host TEXT NOT NULL,\n"
                               "  candidate TEXT NOT NULL,\n"
                               "  address TEXT NOT NULL,\n"
                               "  port INTEGER NOT NULL,\n"
                               "  question INTEGER NOT NULL,\n"
                               "  state TEXT NOT NULL,\n"
                               "  streak INTEGER NOT NULL,\n"
                               "  measured INTEGER NOT NULL,\n"
                               "  connect_us INTEGER NOT NULL,\n"
                               "  total_us INTEGER NOT NULL,\n"
                               "  since INTEGER NOT NULL,\n"
                               "  reason TEXT NOT NULL,\n"
                               "  successes INTEGER NOT NULL,\n"
                               "  timeouts INTEGER NOT NULL,\n"
                               "  connect_errors INTEGER NOT NULL,\n"
                               "  response_errors INTEGER NOT NULL,\n"
                               "  other_errors INTEGER NOT NULL,\n"
                               "  dns_successes INTEGER NOT NULL,\n"
                               "  dns_timeouts INTEGER NOT NULL,\n"
                               "  dns_errors INTEGER NOT NULL,\n"
                               "  chosen INTEGER NOT NULL,\n"
                               "  last_success INTEGER NOT NULL,\n"
                               "  last_failure INTEGER NOT NULL,\n"
                               "  last_connect_us INTEGER NOT NULL,\n"
                               "  last_response_us INTEGER NOT NULL,\n"
                               "  noted INTEGER NOT NULL,\n"
                               "  PRIMARY KEY(host, candidate, address, port)\n"
                               ") WITHOUT ROWID;\n"
                               "CREATE TABLE override(\n"
                               "  host TEXT NOT NULL,\n"
                               "  candidate TEXT NOT NULL,\n"
                               "  kind TEXT NOT NULL,\n"
                               "  set_at INTEGER NOT NULL,\n"
                               "  expires INTEGER NOT NULL,\n"
                               "  reason TEXT NOT NULL,\n"
                               "  PRIMARY KEY(host, candidate)\n"
                               ") WITHOUT ROWID;\n"
                               "CREATE TABLE answer(\n"
                               "  host TEXT NOT NULL PRIMARY KEY,\n"
                               "  status TEXT NOT NULL,\n"
                               "  addresses TEXT NOT NULL,\n"
                               "  weights TEXT,\n"
                               "  answers INTEGER NOT NULL\n"
                               ") WITHOUT ROWID;\n"
                               "CREATE TABLE transition(\n"
                               "  id INTEGER PRIMARY KEY,\n"
                               "  time INTEGER NOT NULL,\n"
                               "  host TEXT NOT NULL,\n"
                               "  candidate TEXT NOT NULL,\n"
                               "  address TEXT NOT NULL,\n"
                               "  port INTEGER NOT NULL,\n"
                               "  was TEXT NOT NULL,\n"
                               "  state TEXT NOT NULL,\n"
                               "  reason TEXT NOT NULL,\n"
                               "  detail TEXT NOT NULL\n"
                               ");\n";

const char *const state_schema_steps[STATE_VERSION] = {layout_1};

sqlite3_int64 state_schema_number(sqlite3 *db, const char *query)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 number = -1;
    if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static int take_step(sqlite3 *db, const char *step, int to)
{
    char raise[64];
    snprintf(raise, sizeof raise, "PRAGMA user_version = %d", to);
    int code = sqlite3_exec(db, step, NULL, NULL, NULL);
    return code == SQLITE_OK ? sqlite3_exec(db, raise, NULL, NULL, NULL) : code;
}

int state_schema_upgrade(sqlite3 *db, const char *const *steps, int version)
{
    sqlite3_int64 from = state_schema_number(db, "PRAGMA user_version");
    if (from < 0)
        return sqlite3_errcode(db);
    if (from >= version)
        return SQLITE_OK;
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (int i = (int)from; i < version && code == SQLITE_OK; i++)
        code = take_step(db, steps[i], i + 1);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

const char *state_override_text(enum override kind)
{
    switch (kind) {
    case OVERRIDE_NONE:
        return NULL;
    case OVERRIDE_DRAIN:
        return "drain";
    case OVERRIDE_UP:
        return "up";
    case OVERRIDE_DOWN:
        return "down";
    }
    return NULL;
}

bool state_override_parse(const char *word, enum override *out)
{
    for (int i = OVERRIDE_DRAIN; i <= OVERRIDE_DOWN; i++) {
        if (strcmp(word, state_override_text((enum override)i)) == 0) {
            *out = (enum override)i;
            return true;
        }
    }
    return false;
}

bool state_health_parse(const char *word, enum health_state *out)
{
    for (int i = HEALTH_UNKNOWN; i <= HEALTH_DOWN; i++) {
        if (strcmp(word, health_state_text((enum health_state)i)) == 0) {
            *out = (enum health_state)i;
            return true;
        }
    }
    return false;
}

bool state_reason_parse(const char *word, enum check_reason *out)
{
    for (int i = REASON_OK; i <= REASON_LOCAL_ERROR; i++) {
        if (strcmp(word, check_reason_text((enum check_reason)i)) == 0) {
            *out = (enum check_reason)i;
            return true;
        }
    }
    return false;
}
