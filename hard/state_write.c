#include "hard/state_write.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "hard/state_file.h"
#include "hard/state_schema.h"

#define PRUNE_EVERY_S 3600
#define TEXT_OF(number) TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number

enum {
    PUT_ENDPOINT,
    PUT_OVERRIDE,
    PUT_ANSWER,
    DROP_ENDPOINT,
    DROP_OVERRIDE,
    DROP_ANSWER,
    ADD_TRANSITION,
    DROP_SURPLUS,
    DROP_OLD_TRANSITIONS, /* these take the time before which a row is old */
    DROP_OLD_ENDPOINTS,
    DROP_OLD_OVERRIDES
};

static const char *const sql[STATE_STATEMENTS] = {
    [PUT_ENDPOINT] = "INSERT OR REPLACE INTO endpoint(" STATE_ENDPOINT_COLUMNS ", noted) "
                     "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                     "?, ?, ?)",
    [PUT_OVERRIDE] = "INSERT OR REPLACE INTO override(" STATE_OVERRIDE_COLUMNS ") "
                     "VALUES(?, ?, ?, ?, ?, ?)",
    [PUT_ANSWER] = "INSERT OR REPLACE INTO answer(" STATE_ANSWER_COLUMNS ") VALUES(?, ?, ?, ?, ?)",
    [DROP_ENDPOINT] = "DELETE FROM endpoint "
                      "WHERE host = ? AND candidate = ? AND address = ? AND port = ?",
    [DROP_OVERRIDE] = "DELETE FROM override WHERE host = ? AND candidate = ?",
    [DROP_ANSWER] = "DELETE FROM answer WHERE host = ?",
    [ADD_TRANSITION] = "INSERT OR REPLACE INTO transition(" STATE_TRANSITION_COLUMNS ") "
                       "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [DROP_SURPLUS] =
        "DELETE FROM transition WHERE id <= (SELECT max(id) FROM transition) - " TEXT_OF(
            STATE_TRANSITIONS_KEPT),
    [DROP_OLD_TRANSITIONS] = "DELETE FROM transition WHERE time < ?",
    [DROP_OLD_ENDPOINTS] = "DELETE FROM endpoint WHERE noted < ?",
    [DROP_OLD_OVERRIDES] = "DELETE FROM override WHERE expires <> 0 AND expires < ?"};

int state_writer_init(struct state_writer *writer, const char *path, sqlite3 *db, int64_t now_s,
                      struct har_error *error)
{
    struct stat file;
    *writer = (struct state_writer){.path = path, .db = db, .pruned_s = now_s};
    for (int i = 0; i < STATE_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &writer->statements[i],
                               NULL) != SQLITE_OK)
            return state_file_fail(path, "open", db, error);
    }
    if (stat(path, &file) != 0)
        return har_fail(error, HAR_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    writer->device = file.st_dev;
    writer->inode = file.st_ino;
    return HAR_OK;
}

void state_writer_done(struct state_writer *writer)
{
    for (int i = 0; i < STATE_STATEMENTS; i++)
        sqlite3_finalize(writer->statements[i]);
    sqlite3_close(writer->db);
    writer->db = NULL;
}

/* --- Rows ---------------------------------------------------------------------------------------
 */

/* A row being bound, column after column. SQLITE_STATIC takes no memory, so that binding cannot
 * fail. */
struct row {
    sqlite3_stmt *statement;
    int columns;
    char address[HAR_ADDRESS_TEXT_MAX];
};

static void put_text(struct row *row, const char *text)
{
    sqlite3_bind_text(row->statement, ++row->columns, text, -1, SQLITE_STATIC);
}

static void put_number(struct row *row, int64_t number)
{
    sqlite3_bind_int64(row->statement, ++row->columns, number);
}

static void put_place(struct row *row, const char *host, const char *candidate,
                      const struct har_address *address, uint16_t port)
{
    put_text(row, host);
    put_text(row, candidate);
    put_text(row, har_address_format(address, row->address));
    put_number(row, port);
}

static int run(const struct row *row)
{
    sqlite3_step(row->statement);
    return sqlite3_reset(row->statement); /* repeats what made the step fail */
}

static void put_health(struct row *row, const struct health *health)
{
    put_text(row, health_state_text(health->state));
    put_number(row, health->streak);
    put_number(row, health->measured);
    put_number(row, health->connect_us);
    put_number(row, health->total_us);
}

static void put_counters(struct row *row, const struct endpoint_counters *counters)
{
    put_number(row, (int64_t)counters->successes);
    put_number(row, (int64_t)counters->timeouts);
    put_number(row, (int64_t)counters->connect_errors);
    put_number(row, (int64_t)counters->response_errors);
    put_number(row, (int64_t)counters->other_errors);
    put_number(row, (int64_t)counters->dns_successes);
    put_number(row, (int64_t)counters->dns_timeouts);
    put_number(row, (int64_t)counters->dns_errors);
    put_number(row, (int64_t)counters->chosen);
    put_number(row, counters->last_success_s);
    put_number(row, counters->last_failure_s);
    put_number(row, counters->last_connect_us);
    put_number(row, counters->last_response_us);
}

static int write_endpoint(struct state_writer *writer, const struct batch_entry *entry,
                          int64_t now_s)
{
    const struct state_endpoint *endpoint = &entry->endpoint;
    struct row row = {.statement =
                          writer->statements[entry->forgotten ? DROP_ENDPOINT : PUT_ENDPOINT]};
    put_place(&row, endpoint->host, endpoint->candidate, &endpoint->address, endpoint->port);
    if (!entry->forgotten) {
        put_number(&row, (int64_t)endpoint->question);
        put_health(&row, &endpoint->health);
        put_number(&row, endpoint->since_s);
        put_text(&row, check_reason_text(endpoint->reason));
        put_counters(&row, &endpoint->counters);
        put_number(&row, now_s);
    }
    return run(&row);
}

static int write_override(struct state_writer *writer, const struct batch_entry *entry)
{
    const struct state_override *override = &entry->override;
    struct row row = {.statement =
                          writer->statements[entry->forgotten ? DROP_OVERRIDE : PUT_OVERRIDE]};
    put_text(&row, override->host);
    put_text(&row, override->candidate);
    if (!entry->forgotten) {
        put_text(&row, state_override_text(override->kind));
        put_number(&row, override->set_s);
        put_number(&row, override->expires_s);
        put_text(&row, override->reason);
    }
    return run(&row);
}

static int write_answer(struct state_writer *writer, const struct batch_entry *entry)
{
    struct row row = {.statement = writer->statements[entry->forgotten ? DROP_ANSWER : PUT_ANSWER]};
    put_text(&row, entry->answer.name);
    if (!entry->forgotten) {
        put_text(&row, entry->answer.status);
        put_text(&row, entry->answer.addresses);
        put_text(&row, entry->answer.weights);
        put_number(&row, entry->answer.answers);
    }
    return run(&row);
}

static int write_entry(struct state_writer *writer, const struct batch_entry *entry, int64_t now_s)
{
    switch (entry->kind) {
    case BATCH_ENDPOINT:
        return write_endpoint(writer, entry, now_s);
    case BATCH_OVERRIDE:
        return write_override(writer, entry);
    case BATCH_ANSWER:
        return write_answer(writer, entry);
    }
    return SQLITE_OK;
}

static int write_transition(struct state_writer *writer, const struct batch_transition *transition)
{
    const struct state_transition *one = &transition->row;
    struct row row = {.statement = writer->statements[ADD_TRANSITION]};
    put_number(&row, transition->id);
    put_number(&row, one->time_s);
    put_place(&row, one->host, one->candidate, &one->address, one->port);
    put_text(&row, health_state_text(one->was));
    put_text(&row, health_state_text(one->state));
    put_text(&row, check_reason_text(one->reason));
    put_text(&row, one->detail);
    return run(&row);
}

/* --- A transaction -----------------------------------------------------------------------------
 */

static int write_rows(struct state_writer *writer, const struct state_batch *batch, int64_t now_s)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < batch->bucket_count; i++) {
        for (const struct batch_entry *entry = batch->buckets[i];
             entry != NULL && code == SQLITE_OK; entry = entry->next)
            code = write_entry(writer, entry, now_s);
    }
    for (const struct batch_transition *one = batch->first; one != NULL && code == SQLITE_OK;
         one = one->next)
        code = write_transition(writer, one);
    return code;
}

static int drop_before(struct state_writer *writer, int statement, int64_t time_s)
{
    struct row row = {.statement = writer->statements[statement]};
    put_number(&row, time_s);
    return run(&row);
}

/* Not at the start: the clock of a machine that just booted may be years ahead for a while. An
 * override that ended stays a day longer, for the same reason. */
static int prune(struct state_writer *writer, const struct state_batch *batch, int64_t now_s)
{
    const struct row surplus = {.statement = writer->statements[DROP_SURPLUS]};
    int code = batch->first != NULL ? run(&surplus) : SQLITE_OK;
    if (now_s >= writer->pruned_s && now_s - writer->pruned_s < PRUNE_EVERY_S)
        return code;
    if (code == SQLITE_OK)
        code = drop_before(writer, DROP_OLD_TRANSITIONS, now_s - STATE_KEPT_S);
    if (code == SQLITE_OK)
        code = drop_before(writer, DROP_OLD_ENDPOINTS, now_s - STATE_KEPT_S);
    if (code == SQLITE_OK)
        code = drop_before(writer, DROP_OLD_OVERRIDES, now_s - 86400);
    writer->pruned_s = now_s;
    return code;
}

static bool has_override(const struct state_batch *batch)
{
    for (size_t i = 0; i < batch->bucket_count; i++) {
        for (const struct batch_entry *entry = batch->buckets[i]; entry != NULL;
             entry = entry->next) {
            if (entry->kind == BATCH_OVERRIDE)
                return true;
        }
    }
    return false;
}

/* A commit is safe from a power cut when the log is synchronized, which in WAL mode waits for the
 * next checkpoint. What an operator said should not. */
static int make_durable(sqlite3 *db)
{
    int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? SQLITE_OK : code;
}

/* SQLite would go on writing to a file that has no name any more. */
static bool still_there(const struct state_writer *writer)
{
    struct stat file;
    return stat(writer->path, &file) == 0 && file.st_dev == writer->device &&
           file.st_ino == writer->inode;
}

int state_writer_write(struct state_writer *writer, const struct state_batch *batch, int64_t now_s,
                       struct har_error *error)
{
    if (!still_there(writer))
        return har_fail(error, HAR_ERR_IO,
                        "%s: removed or replaced by somebody: start hard again to have one",
                        writer->path);
    int code = sqlite3_exec(writer->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = write_rows(writer, batch, now_s);
    if (code == SQLITE_OK)
        code = prune(writer, batch, now_s);
    if (code == SQLITE_OK)
        code = sqlite3_exec(writer->db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK && has_override(batch))
        code = make_durable(writer->db);
    int result =
        code == SQLITE_OK ? HAR_OK : state_file_fail(writer->path, "write", writer->db, error);
    if (sqlite3_get_autocommit(writer->db) == 0)
        sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}
