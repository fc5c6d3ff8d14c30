#include "hard/state_load.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "hard/state_schema.h"
#include "ranking/schema.h"

/* A row being taken apart, column after column. */
struct row {
    sqlite3_stmt *statement;
    int columns;
    bool bad;
};

/* --- Columns ------------------------------------------------------------------------------------
 */

/* Valid until the next row. Never NULL. */
static const char *take_text(struct row *row)
{
    int column = row->columns++;
    if (sqlite3_column_type(row->statement, column) == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_column_text(row->statement, column);
        if (text != NULL && strlen(text) == (size_t)sqlite3_column_bytes(row->statement, column))
            return text;
    }
    row->bad = true;
    return "";
}

static const char *take_text_or_null(struct row *row)
{
    if (sqlite3_column_type(row->statement, row->columns) != SQLITE_NULL)
        return take_text(row);
    row->columns++;
    return NULL;
}

static int64_t take_number(struct row *row, int64_t min, int64_t max)
{
    int column = row->columns++;
    int64_t number = sqlite3_column_int64(row->statement, column);
    if (sqlite3_column_type(row->statement, column) == SQLITE_INTEGER && number >= min &&
        number <= max)
        return number;
    row->bad = true;
    return min;
}

static int64_t take_time(struct row *row)
{
    return take_number(row, 0, INT64_MAX);
}

static uint64_t take_count(struct row *row)
{
    return (uint64_t)take_number(row, 0, INT64_MAX);
}

static uint32_t take_us(struct row *row)
{
    return (uint32_t)take_number(row, 0, UINT32_MAX);
}

static struct har_address take_address(struct row *row)
{
    struct har_address address = {.family = 0};
    row->bad |= har_address_parse(take_text(row), &address) != 0;
    return address;
}

static enum health_state take_state(struct row *row)
{
    enum health_state state = HEALTH_UNKNOWN;
    row->bad |= !state_health_parse(take_text(row), &state);
    return state;
}

static enum check_reason take_reason(struct row *row)
{
    enum check_reason reason = REASON_OK;
    row->bad |= !state_reason_parse(take_text(row), &reason);
    return reason;
}

/* --- Rows ---------------------------------------------------------------------------------------
 */

static struct health take_health(struct row *row)
{
    struct health health;
    health_init(&health);
    health.state = take_state(row);
    health.streak = (unsigned)take_number(row, 0, UINT_MAX);
    health.measured = take_number(row, 0, 1) == 1;
    health.connect_us = take_us(row);
    health.total_us = take_us(row);
    row->bad |= health.measured && (health.connect_us == 0 || health.total_us == 0);
    return health;
}

static struct endpoint_counters take_counters(struct row *row)
{
    struct endpoint_counters counters;
    counters.successes = take_count(row);
    counters.timeouts = take_count(row);
    counters.connect_errors = take_count(row);
    counters.response_errors = take_count(row);
    counters.other_errors = take_count(row);
    counters.dns_successes = take_count(row);
    counters.dns_timeouts = take_count(row);
    counters.dns_errors = take_count(row);
    counters.chosen = take_count(row);
    counters.last_success_s = take_time(row);
    counters.last_failure_s = take_time(row);
    counters.last_connect_us = take_us(row);
    counters.last_response_us = take_us(row);
    return counters;
}

static struct state_endpoint take_endpoint(struct row *row)
{
    struct state_endpoint endpoint;
    endpoint.host = take_text(row);
    endpoint.candidate = take_text(row);
    endpoint.address = take_address(row);
    endpoint.port = (uint16_t)take_number(row, 0, UINT16_MAX);
    endpoint.question = (uint64_t)take_number(row, INT64_MIN, INT64_MAX);
    endpoint.health = take_health(row);
    endpoint.since_s = take_time(row);
    endpoint.reason = take_reason(row);
    endpoint.counters = take_counters(row);
    return endpoint;
}

static struct state_override take_override(struct row *row)
{
    struct state_override override;
    override.host = take_text(row);
    override.candidate = take_text(row);
    override.kind = OVERRIDE_NONE;
    row->bad |= !state_override_parse(take_text(row), &override.kind);
    override.set_s = take_time(row);
    override.expires_s = take_time(row);
    override.reason = take_text(row);
    return override;
}

static struct state_transition take_transition(struct row *row)
{
    struct state_transition transition;
    row->columns++; /* its id */
    transition.time_s = take_time(row);
    transition.host = take_text(row);
    transition.candidate = take_text(row);
    transition.address = take_address(row);
    transition.port = (uint16_t)take_number(row, 0, UINT16_MAX);
    transition.was = take_state(row);
    transition.state = take_state(row);
    transition.reason = take_reason(row);
    transition.detail = take_text(row);
    return transition;
}

/* How many words a list has, one blank between; -1 if `good` does not like one of them. */
static int count_words(const char *list, bool (*good)(const char *word))
{
    int count = 0;
    while (*list != '\0') {
        char word[HAR_ADDRESS_TEXT_MAX];
        size_t length = strcspn(list, " ");
        if (length >= sizeof word)
            return -1;
        memcpy(word, list, length);
        word[length] = '\0';
        if (!good(word))
            return -1;
        count++;
        list += length + (list[length] == ' ');
    }
    return count;
}

static bool is_address(const char *word)
{
    struct har_address address;
    return har_address_parse(word, &address) == 0;
}

/* Less than 0: in the group of its own family alone. */
static bool is_weight(const char *word)
{
    word += *word == '-';
    size_t digits = strspn(word, "0123456789");
    return digits >= 1 && digits <= 4 && word[digits] == '\0' && atoi(word) <= RANKING_WEIGHT_MAX;
}

static struct ranking_row take_answer(struct row *row)
{
    struct ranking_row answer = {.name = take_text(row)};
    answer.status = take_text(row);
    answer.addresses = take_text(row);
    answer.weights = take_text_or_null(row);
    answer.answers = (unsigned)take_number(row, 1, RANKING_ANSWERS_MAX);
    int count = count_words(answer.addresses, is_address);
    row->bad |= strlen(answer.status) > RANKING_STATUS_MAX || count < 0 ||
                count > RANKING_ADDRESSES_MAX ||
                (answer.weights != NULL && count_words(answer.weights, is_weight) != count);
    return answer;
}

/* --- Tables -------------------------------------------------------------------------------------
 */

/* On to the next row. */
static bool next(struct row *row)
{
    row->columns = 0;
    row->bad = false;
    return sqlite3_step(row->statement) == SQLITE_ROW;
}

/* What ended the reading: SQLITE_OK at the end of the table. Finalize repeats what made a step
 * fail. */
static int end(struct row *row)
{
    return sqlite3_finalize(row->statement);
}

static const char *select_of(enum batch_kind kind)
{
    switch (kind) {
    case BATCH_ENDPOINT:
        return "SELECT " STATE_ENDPOINT_COLUMNS " FROM endpoint";
    case BATCH_OVERRIDE:
        return "SELECT " STATE_OVERRIDE_COLUMNS " FROM override";
    case BATCH_ANSWER:
        break;
    }
    return "SELECT " STATE_ANSWER_COLUMNS " FROM answer";
}

static void take_entry(struct row *row, struct batch_entry *entry)
{
    switch (entry->kind) {
    case BATCH_ENDPOINT:
        entry->endpoint = take_endpoint(row);
        break;
    case BATCH_OVERRIDE:
        entry->override = take_override(row);
        break;
    case BATCH_ANSWER:
        entry->answer = take_answer(row);
        break;
    }
}

int state_load_rows(sqlite3 *db, enum batch_kind kind,
                    void (*row)(void *arg, const struct batch_entry *entry), void *arg,
                    uint64_t *skipped)
{
    struct row cursor = {.statement = NULL};
    int code = sqlite3_prepare_v2(db, select_of(kind), -1, &cursor.statement, NULL);
    while (code == SQLITE_OK && next(&cursor)) {
        struct batch_entry entry = {.kind = kind};
        take_entry(&cursor, &entry);
        if (cursor.bad)
            ++*skipped;
        else
            row(arg, &entry);
    }
    return code == SQLITE_OK ? end(&cursor) : code;
}

int state_load_transitions(sqlite3 *db, const char *host, size_t limit,
                           void (*row)(void *arg, const struct state_transition *transition),
                           void *arg, uint64_t *skipped)
{
    static const char newest[] =
        "SELECT * FROM (SELECT " STATE_TRANSITION_COLUMNS " FROM transition "
        "WHERE ?1 IS NULL OR host = ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id";
    struct row cursor = {.statement = NULL};
    int code = sqlite3_prepare_v2(db, newest, -1, &cursor.statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_text(cursor.statement, 1, host, -1, SQLITE_STATIC);
        sqlite3_bind_int64(cursor.statement, 2, limit > INT_MAX ? INT_MAX : (int)limit);
    }
    while (code == SQLITE_OK && next(&cursor)) {
        const struct state_transition transition = take_transition(&cursor);
        if (cursor.bad)
            ++*skipped;
        else
            row(arg, &transition);
    }
    return code == SQLITE_OK ? end(&cursor) : code;
}
