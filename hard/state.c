#include "hard/state.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "hard/state_batch.h"
#include "hard/state_file.h"
#include "hard/state_load.h"
#include "hard/state_schema.h"
#include "hard/state_thread.h"
#include "ranking/lock.h"

struct state {
    char *path;
    int lock_fd;
    struct state_thread thread;
    struct state_batch front; /* what is noted now */
    size_t under_way;         /* transitions that the thread may still have */
    int64_t next_id;          /* of a transition */
    uint64_t dropped, skipped;
    struct har_error reported; /* the outcome that the owner knows of */
};

/* --- Writing -----------------------------------------------------------------------------------
 */

static struct har_error begin_write(struct state *state, int64_t now_s)
{
    return state_thread_begin(&state->thread, &state->front, now_s, &state->under_way);
}

int state_flush(struct state *state, int64_t now_s, struct har_error *error)
{
    if (state == NULL)
        return HAR_OK;
    const struct har_error outcome = begin_write(state, now_s);
    if (outcome.code == state->reported.code && strcmp(outcome.text, state->reported.text) == 0)
        return HAR_OK;
    state->reported = outcome;
    return outcome.code == HAR_OK ? HAR_OK : har_fail(error, outcome.code, "%s", outcome.text);
}

static bool all_written(struct state *state)
{
    bool all = batch_is_empty(state_thread_hold(&state->thread)) && batch_is_empty(&state->front);
    state_thread_release(&state->thread);
    return all;
}

/* Up to three writes: one under way, what failed before, what was noted since. */
int state_sync(struct state *state, int64_t now_s, struct har_error *error)
{
    if (state == NULL)
        return HAR_OK;
    state_thread_await(&state->thread);
    while (!all_written(state)) {
        begin_write(state, now_s);
        const struct har_error outcome = state_thread_await(&state->thread);
        if (outcome.code != HAR_OK)
            return har_fail(error, outcome.code, "%s", outcome.text);
    }
    return HAR_OK;
}

/* --- Opening ------------------------------------------------------------------------------------
 */

static int take_lock(const char *path, struct har_error *error)
{
    struct har_error lock_error = {.code = HAR_OK};
    int fd = ranking_lock(path, &lock_error);
    if (fd == HAR_ERR_BUSY)
        har_fail(error, HAR_ERR_BUSY, "%s: another hard keeps its state there", path);
    else if (fd < 0)
        har_fail(error, lock_error.code, "%s", lock_error.text);
    return fd;
}

static void release(struct state *state)
{
    state_thread_done(&state->thread);
    batch_done(&state->front);
    if (state->lock_fd >= 0)
        close(state->lock_fd);
    sqlite3_free(state->path);
    sqlite3_free(state);
}

static struct state *allocate(const char *path, struct har_error *error)
{
    struct state *state = sqlite3_malloc64(sizeof *state);
    char *copy = sqlite3_mprintf("%s", path);
    if (state == NULL || copy == NULL) {
        sqlite3_free(state);
        sqlite3_free(copy);
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    *state = (struct state){.path = copy, .lock_fd = -1};
    state_thread_init(&state->thread);
    return state;
}

#define SELECT_LAST_ID "SELECT ifnull(max(id), 0) FROM transition"

struct state *state_open(const char *path, int64_t now_s, struct har_error *notice,
                         struct har_error *error)
{
    sqlite3 *db = NULL;
    struct state *state = allocate(path, error);
    if (state == NULL)
        return NULL;
    state->lock_fd = take_lock(path, error);
    if (state->lock_fd < 0 || state_file_open(path, now_s, &db, notice, error) != HAR_OK ||
        state_writer_init(&state->thread.writer, state->path, db, now_s, error) != HAR_OK) {
        release(state);
        return NULL;
    }
    state->next_id = state_schema_number(db, SELECT_LAST_ID) + 1;
    if (state->next_id > 0)
        return state;
    state_file_fail(path, "open", db, error);
    release(state);
    return NULL;
}

int state_close(struct state *state, int64_t now_s, struct har_error *error)
{
    if (state == NULL)
        return HAR_OK;
    int code = state_sync(state, now_s, error);
    release(state);
    return code;
}

/* --- Notes --------------------------------------------------------------------------------------
 */

static void put(struct state *state, const struct batch_entry *entry)
{
    if (state != NULL && !batch_put(&state->front, entry))
        state->dropped++;
}

void state_note_endpoint(struct state *state, const struct state_endpoint *endpoint)
{
    put(state, &(struct batch_entry){.kind = BATCH_ENDPOINT, .endpoint = *endpoint});
}

void state_note_override(struct state *state, const struct state_override *override)
{
    put(state, &(struct batch_entry){.kind = BATCH_OVERRIDE,
                                     .forgotten = override->kind == OVERRIDE_NONE,
                                     .override = *override});
}

void state_note_answer(struct state *state, const struct ranking_row *answer)
{
    put(state, &(struct batch_entry){.kind = BATCH_ANSWER, .answer = *answer});
}

void state_forget_endpoint(struct state *state, const struct state_endpoint *endpoint)
{
    put(state,
        &(struct batch_entry){.kind = BATCH_ENDPOINT, .forgotten = true, .endpoint = *endpoint});
}

void state_forget_override(struct state *state, const char *host, const char *candidate)
{
    put(state, &(struct batch_entry){.kind = BATCH_OVERRIDE,
                                     .forgotten = true,
                                     .override = {.host = host, .candidate = candidate}});
}

void state_forget_answer(struct state *state, const char *host)
{
    put(state,
        &(struct batch_entry){.kind = BATCH_ANSWER, .forgotten = true, .answer = {.name = host}});
}

static size_t unwritten_transitions(const struct state *state)
{
    return state->under_way + state->front.transition_count;
}

/* How a write ends, the next flush tells; and after a failure it is the next flush that tries
 * again. */
void state_note_transition(struct state *state, const struct state_transition *transition)
{
    if (state == NULL)
        return;
    if (unwritten_transitions(state) >= STATE_UNWRITTEN_TRANSITIONS / 2 &&
        !state_thread_is_failing(&state->thread))
        begin_write(state, transition->time_s);
    if (unwritten_transitions(state) >= STATE_UNWRITTEN_TRANSITIONS ||
        !batch_add(&state->front, transition, state->next_id))
        state->dropped++;
    else
        state->next_id++;
}

/* --- Reading ------------------------------------------------------------------------------------
 */

/* A reader of its own, so that nobody waits for a write. */
static int close_reader(const struct state *state, sqlite3 *db, int sqlite_code,
                        struct har_error *error)
{
    int code = sqlite_code == SQLITE_OK ? HAR_OK : state_file_fail(state->path, "read", db, error);
    sqlite3_close(db);
    return code;
}

struct load {
    struct state *state;
    int64_t now_s;
    void *arg;
    /* Of the kind that is loaded. */
    bool (*endpoint)(void *arg, const struct state_endpoint *endpoint);
    bool (*override)(void *arg, const struct state_override *override);
    bool (*answer)(void *arg, const struct ranking_row *answer);
};

static bool is_known(const struct load *load, const struct batch_entry *entry)
{
    switch (entry->kind) {
    case BATCH_ENDPOINT:
        return load->endpoint(load->arg, &entry->endpoint);
    case BATCH_OVERRIDE:
        return state_override_left_s(&entry->override, load->now_s) == 0 ||
               load->override(load->arg, &entry->override);
    case BATCH_ANSWER:
        return load->answer(load->arg, &entry->answer);
    }
    return true;
}

static void load_row(void *arg, const struct batch_entry *entry)
{
    const struct load *load = arg;
    struct batch_entry forgotten = *entry;
    forgotten.forgotten = true;
    if (!is_known(load, entry))
        put(load->state, &forgotten);
}

static int load_rows(enum batch_kind kind, struct load *load, struct har_error *error)
{
    struct state *state = load->state;
    sqlite3 *db;
    if (state == NULL)
        return HAR_OK;
    int code = state_file_open_reader(state->path, &db, error);
    if (code != HAR_OK)
        return code;
    code = state_load_rows(db, kind, load_row, load, &state->skipped);
    return close_reader(state, db, code, error);
}

int state_load_endpoints(struct state *state,
                         bool (*known)(void *arg, const struct state_endpoint *endpoint), void *arg,
                         struct har_error *error)
{
    struct load load = {.state = state, .arg = arg, .endpoint = known};
    return load_rows(BATCH_ENDPOINT, &load, error);
}

int state_load_overrides(struct state *state, int64_t now_s,
                         bool (*known)(void *arg, const struct state_override *override), void *arg,
                         struct har_error *error)
{
    struct load load = {.state = state, .now_s = now_s, .arg = arg, .override = known};
    return load_rows(BATCH_OVERRIDE, &load, error);
}

int state_load_answers(struct state *state,
                       bool (*known)(void *arg, const struct ranking_row *answer), void *arg,
                       struct har_error *error)
{
    struct load load = {.state = state, .arg = arg, .answer = known};
    return load_rows(BATCH_ANSWER, &load, error);
}

/* Transitions of a host that are in memory and not in the file, whose newest is last_id. */
struct pending {
    const char *host;
    int64_t last_id;
    size_t passed_over; /* of the first ones */
    void (*row)(void *arg, const struct state_transition *transition);
    void *arg;
};

static size_t tell_pending(const struct state_batch *batch, struct pending *pending)
{
    size_t count = 0;
    for (const struct batch_transition *one = batch->first; one != NULL; one = one->next) {
        if (one->id <= pending->last_id ||
            (pending->host != NULL && strcmp(pending->host, one->row.host) != 0))
            continue;
        count++;
        if (pending->row == NULL)
            continue;
        if (pending->passed_over > 0)
            pending->passed_over--;
        else
            pending->row(pending->arg, &one->row);
    }
    return count;
}

static size_t tell_all_pending(struct state *state, const struct state_batch *back,
                               struct pending *pending)
{
    size_t count = tell_pending(back, pending);
    return count + tell_pending(&state->front, pending);
}

/* Within one read transaction, and while back stays as it is: what is in there is in the file as
 * well, or newer than all that is. */
static int load_history(struct state *state, const struct state_batch *back, sqlite3 *db,
                        struct pending *pending, size_t limit)
{
    struct pending counting = *pending;
    int code = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    counting.row = NULL;
    counting.last_id = pending->last_id = state_schema_number(db, SELECT_LAST_ID);
    size_t count = tell_all_pending(state, back, &counting);
    pending->passed_over = count > limit ? count - limit : 0;
    if (code == SQLITE_OK && count < limit)
        code = state_load_transitions(db, pending->host, limit - count, pending->row, pending->arg,
                                      &state->skipped);
    if (code == SQLITE_OK)
        tell_all_pending(state, back, pending);
    return code;
}

int state_load_history(struct state *state, const char *host, size_t limit,
                       void (*row)(void *arg, const struct state_transition *transition), void *arg,
                       struct har_error *error)
{
    sqlite3 *db;
    struct pending pending = {.host = host, .row = row, .arg = arg};
    if (state == NULL)
        return HAR_OK;
    int code = state_file_open_reader(state->path, &db, error);
    if (code != HAR_OK)
        return code;
    code = load_history(state, state_thread_hold(&state->thread), db, &pending, limit);
    state_thread_release(&state->thread);
    return close_reader(state, db, code, error);
}

int64_t state_age_s(int64_t then_s, int64_t now_s)
{
    return now_s > then_s ? now_s - then_s : 0;
}

int64_t state_override_left_s(const struct state_override *override, int64_t now_s)
{
    if (override->expires_s == 0)
        return -1;
    int64_t whole_s = state_age_s(override->set_s, override->expires_s);
    int64_t age_s = state_age_s(override->set_s, now_s);
    return whole_s > age_s ? whole_s - age_s : 0;
}

struct state_stats state_stats(struct state *state)
{
    struct state_stats stats = {.unwritten = 0};
    if (state == NULL)
        return stats;
    stats.unwritten = state->front.entry_count + state->front.transition_count;
    stats.dropped = state->dropped;
    stats.skipped = state->skipped;
    stats.failing = state_thread_is_failing(&state->thread);
    return stats;
}
