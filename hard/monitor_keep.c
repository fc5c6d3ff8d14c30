/* What is remembered over restarts: the state's rows (hard/state.h) of hosts and endpoints.
 * Inside, times are monotonic; a row has those of the wall clock, and the age of a row is what
 * counts. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "hard/log.h"
#include "hard/monitor_run.h"
#include "hard/state.h"

#define FLUSH_S 30.
#define URGENT_S 0.02    /* until an override is tried to be written again */
#define NOTE_US 30000000 /* an endpoint whose state stays is not noted more often */

/* --- Rows --------------------------------------------------------------------------------------
 */

static uint64_t fingerprint(const struct config_candidate *candidate)
{
    return config_check_fingerprint(candidate->check);
}

static int64_t wall_of(int64_t then_us)
{
    return then_us == ENDPOINT_SINCE_UNKNOWN
               ? 0
               : (int64_t)time(NULL) - (har_now_us() - then_us) / 1000000;
}

/* The name's own counters go on from where the last run left them, which is in the endpoint's. */
static void add_name_counters(const struct endpoint *endpoint, struct endpoint_counters *counters)
{
    struct candidates_counters name;
    monitor_name_state(endpoint->host, endpoint->candidate, &name);
    counters->dns_successes += name.successes;
    counters->dns_timeouts += name.timeouts;
    counters->dns_errors += name.errors;
}

static struct state_endpoint key_of(const char *host, const struct endpoint *endpoint)
{
    return (struct state_endpoint){.host = host,
                                   .candidate = endpoint->candidate->name,
                                   .address = endpoint->target.address,
                                   .port = endpoint->target.check->port};
}

static void note_endpoint(struct endpoint *endpoint)
{
    endpoint->noted_us = har_now_us();
    struct state_endpoint row = key_of(endpoint->host->config->name, endpoint);
    row.question = fingerprint(endpoint->candidate);
    row.health = endpoint->health;
    row.since_s = wall_of(endpoint->since_us);
    row.reason = endpoint->reason;
    row.counters = endpoint->counters;
    add_name_counters(endpoint, &row.counters);
    state_note_endpoint(endpoint->monitor->state, &row);
}

void keep_note_endpoint(struct endpoint *endpoint, bool changed)
{
    if (changed || endpoint->noted_us == 0 || har_now_us() - endpoint->noted_us >= NOTE_US)
        note_endpoint(endpoint);
}

void keep_note_transition(const struct endpoint *endpoint, enum health_state was,
                          const struct check_result *result)
{
    const struct state_transition row = {.time_s = time(NULL),
                                         .host = endpoint->host->config->name,
                                         .candidate = endpoint->candidate->name,
                                         .address = endpoint->target.address,
                                         .port = endpoint->target.check->port,
                                         .was = was,
                                         .state = endpoint->health.state,
                                         .reason = result->reason,
                                         .detail = result->detail};
    state_note_transition(endpoint->monitor->state, &row);
}

void keep_note_good(struct monitor *monitor, struct host *host)
{
    if (!host->good_is_new)
        return;
    host->good_is_new = false;
    const struct ranking_row row = {.name = host->config->name,
                                    .status = host->good.status,
                                    .addresses = host->good.addresses,
                                    .weights = host->good.weights,
                                    .answers = host->good.answers};
    state_note_answer(monitor->state, &row);
}

/* What is urgent does not wait its turn behind a write that is just under way. */
static void flush(struct monitor *monitor)
{
    struct har_error error = {.code = HAR_OK};
    if (state_flush(monitor->state, time(NULL), &error) != HAR_OK)
        log_event(LOG_ERR, "state-not-written", "path", monitor->state_path, "error", error.text,
                  NULL);
    const struct state_stats stats = state_stats(monitor->state);
    monitor->flush_urgent = monitor->flush_urgent && stats.unwritten > 0 && !stats.failing;
    if (monitor->state != NULL) {
        ev_timer_stop(monitor->parts.loop, &monitor->flush_timer);
        ev_timer_set(&monitor->flush_timer, monitor->flush_urgent ? URGENT_S : FLUSH_S, 0.);
        ev_timer_start(monitor->parts.loop, &monitor->flush_timer);
    }
}

static void note_override(struct monitor *monitor, const struct host *host,
                          const struct config_candidate *candidate)
{
    const struct host_candidate *overridden = host_candidate_of(host, candidate);
    int64_t left_us = overridden->override_until_us - har_now_us();
    int64_t now_s = time(NULL);
    const struct state_override row = {
        .host = host->config->name,
        .candidate = candidate->name,
        .kind = overridden->override,
        .set_s = now_s,
        .expires_s = overridden->override_until_us == HOST_NO_END
                         ? 0
                         : now_s + (left_us > 1000000 ? left_us / 1000000 : 1),
        .reason = overridden->override_reason != NULL ? overridden->override_reason : ""};
    state_note_override(monitor->state, &row);
}

void keep_note_override(struct monitor *monitor, const struct host *host,
                        const struct config_candidate *candidate)
{
    note_override(monitor, host, candidate);
    monitor->flush_urgent = true;
    flush(monitor);
}

void keep_forget_endpoint(struct monitor *monitor, const char *host,
                          const struct endpoint *endpoint)
{
    const struct state_endpoint key = key_of(host, endpoint);
    state_forget_endpoint(monitor->state, &key);
}

/* --- Another configuration ---------------------------------------------------------------------
 */

/* The override of a candidate that is gone waits in the state until it is configured again: whoever
 * drained it for an upgrade does not want it back because a file was wrong for a minute. */
static void tell_overrides(const struct host *old, const struct host *host)
{
    for (size_t i = 0; i < old->config->candidate_count; i++) {
        const char *label = old->config->candidates[i].name;
        enum override override = old->candidates[i].override;
        if (override != OVERRIDE_NONE && (host == NULL || host_find_candidate(host, label) == NULL))
            log_event(LOG_NOTICE, "override-waits", "host", old->config->name, "candidate", label,
                      "kind", override_text(override), NULL);
    }
}

/* The host of that name, which is not an alias. */
static struct host *find_own(const struct table *table, const char *name)
{
    struct host *host = table_find(table, name);
    return host != NULL && strcmp(host->config->name, name) == 0 ? host : NULL;
}

void keep_forget_gone(struct monitor *monitor, const struct table *old, const struct table *table)
{
    for (size_t i = 0; i < old->host_count; i++) {
        const struct host *host = &old->hosts[i];
        const struct host *next = find_own(table, host->config->name);
        for (size_t j = 0; j < host->endpoint_count; j++)
            keep_forget_endpoint(monitor, host->config->name, host->endpoints[j]);
        tell_overrides(host, next);
        if (next == NULL || next->config->failure_mode != FAILURE_LAST)
            state_forget_answer(monitor->state, host->config->name);
    }
}

static void note_host(struct monitor *monitor, struct host *host)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (host->endpoints[i]->judged)
            note_endpoint(host->endpoints[i]);
    }
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        if (host->candidates[i].override != OVERRIDE_NONE)
            note_override(monitor, host, &host->config->candidates[i]);
    }
    host->good_is_new = host->good.addresses != NULL;
    keep_note_good(monitor, host);
}

void keep_note_all(struct monitor *monitor)
{
    for (size_t i = 0; i < monitor->table->host_count; i++)
        note_host(monitor, &monitor->table->hosts[i]);
}

/* --- Restoring ---------------------------------------------------------------------------------
 */

struct restoring {
    struct table *table;
    const struct table *old; /* or NULL: it is the start */
    int64_t now_s, now_us;
};

static struct endpoint *find_or_recall(struct host *host, const struct config_candidate *candidate,
                                       const struct har_address *address)
{
    return candidate->host_name != NULL ? host_recall(host, candidate, address)
                                        : host_find_endpoint(host, candidate, address);
}

/* A state that nobody confirmed for longer than an answer is believed, nor for two intervals, is no
 * state any more; what was counted still is. */
static bool is_recent(const struct restoring *restoring, const struct config_check *check,
                      const struct endpoint_counters *counters)
{
    int64_t last_s = counters->last_success_s > counters->last_failure_s ? counters->last_success_s
                                                                         : counters->last_failure_s;
    int64_t believed_s = restoring->table->config->max_stale_s;
    int64_t intervals_s = INT64_C(2) * check->interval_ms / 1000;
    return last_s > 0 && state_age_s(last_s, restoring->now_s) <=
                             (intervals_s > believed_s ? intervals_s : believed_s);
}

static bool restore_endpoint(void *arg, const struct state_endpoint *row)
{
    const struct restoring *restoring = arg;
    struct host *host = find_own(restoring->table, row->host);
    const struct config_candidate *candidate =
        host != NULL ? host_find_candidate(host, row->candidate) : NULL;
    if (candidate == NULL || candidate->check->type == CHECK_NONE ||
        candidate->check->port != row->port || fingerprint(candidate) != row->question)
        return false;
    struct endpoint *endpoint = find_or_recall(host, candidate, &row->address);
    if (endpoint == NULL)
        return false;
    endpoint->counters = row->counters;
    if (!is_recent(restoring, candidate->check, &row->counters))
        return true;
    endpoint->health = row->health;
    endpoint->judged = true;
    endpoint->reason = row->reason;
    if (row->since_s != 0)
        endpoint->since_us =
            restoring->now_us - INT64_C(1000000) * state_age_s(row->since_s, restoring->now_s);
    return true;
}

static const struct config_candidate *find_candidate(const struct table *table, const char *name,
                                                     const char *label)
{
    const struct host *host = table != NULL ? find_own(table, name) : NULL;
    return host != NULL ? host_find_candidate(host, label) : NULL;
}

/* Of candidates that were not there before; those that were know better. One that nobody is
 * configured for waits, but not for ever. */
static bool restore_override(void *arg, const struct state_override *row)
{
    const struct restoring *restoring = arg;
    const struct config_candidate *candidate =
        find_candidate(restoring->table, row->host, row->candidate);
    if (candidate == NULL)
        return state_age_s(row->set_s, restoring->now_s) < STATE_KEPT_S;
    if (find_candidate(restoring->old, row->host, row->candidate) != NULL)
        return true;
    int64_t left_s = state_override_left_s(row, restoring->now_s);
    int64_t until_us = left_s < 0 ? HOST_NO_END : restoring->now_us + INT64_C(1000000) * left_s;
    host_override(find_own(restoring->table, row->host), candidate, row->kind, until_us,
                  row->reason[0] != '\0' ? row->reason : NULL);
    log_event(LOG_NOTICE, "override", "host", row->host, "candidate", row->candidate, "kind",
              override_text(row->kind), "from", "state", NULL);
    return true;
}

static bool restore_answer(void *arg, const struct ranking_row *row)
{
    const struct restoring *restoring = arg;
    struct host *host = find_own(restoring->table, row->name);
    if (host == NULL || host->config->failure_mode != FAILURE_LAST)
        return false;
    host_restore_good(host, row);
    return true;
}

void keep_restore(struct monitor *monitor, struct table *table)
{
    struct har_error error = {.code = HAR_OK};
    struct restoring restoring = {.table = table, .now_s = time(NULL), .now_us = har_now_us()};
    if (state_load_endpoints(monitor->state, restore_endpoint, &restoring, &error) != HAR_OK ||
        state_load_overrides(monitor->state, restoring.now_s, restore_override, &restoring,
                             &error) != HAR_OK ||
        state_load_answers(monitor->state, restore_answer, &restoring, &error) != HAR_OK)
        log_event(LOG_WARNING, "state-not-read", "path", monitor->state_path, "error", error.text,
                  NULL);
}

void keep_restore_overrides(struct monitor *monitor, struct table *table, const struct table *old)
{
    struct har_error error = {.code = HAR_OK};
    struct restoring restoring = {
        .table = table, .old = old, .now_s = time(NULL), .now_us = har_now_us()};
    if (state_load_overrides(monitor->state, restoring.now_s, restore_override, &restoring,
                             &error) != HAR_OK)
        log_event(LOG_WARNING, "state-not-read", "path", monitor->state_path, "error", error.text,
                  NULL);
}

/* --- Another place -----------------------------------------------------------------------------
 */

static bool is_no_endpoint(void *arg, const struct state_endpoint *row)
{
    (void)arg;
    (void)row;
    return false;
}

static bool is_no_override(void *arg, const struct state_override *row)
{
    (void)arg;
    (void)row;
    return false;
}

static bool is_no_answer(void *arg, const struct ranking_row *row)
{
    (void)arg;
    (void)row;
    return false;
}

static void note_in(void *arg, const struct state_transition *row)
{
    state_note_transition(arg, row);
}

static void see(void *arg, const struct state_transition *row)
{
    (void)row;
    *(bool *)arg = true;
}

/* From the state in use to another. What that one holds is older than what is known, but for a
 * history, which stays as it is; without one it gets as much as it can take at once. */
static int move_over(struct monitor *monitor, struct state *state, struct har_error *error)
{
    bool has_history = false;
    int code = state_load_endpoints(state, is_no_endpoint, NULL, error);
    if (code == HAR_OK)
        code = state_load_overrides(state, 0, is_no_override, NULL, error);
    if (code == HAR_OK)
        code = state_load_answers(state, is_no_answer, NULL, error);
    if (code == HAR_OK)
        code = state_load_history(state, NULL, 1, see, &has_history, error);
    if (code == HAR_OK && !has_history)
        code = state_load_history(monitor->state, NULL, STATE_UNWRITTEN_TRANSITIONS, note_in, state,
                                  error);
    return code;
}

/* --- Opening -----------------------------------------------------------------------------------
 */

static void on_flush(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    flush(timer->data);
}

void keep_close(struct monitor *monitor)
{
    struct har_error error = {.code = HAR_OK};
    ev_timer_stop(monitor->parts.loop, &monitor->flush_timer);
    if (state_close(monitor->state, time(NULL), &error) != HAR_OK)
        log_event(LOG_ERR, "state-not-written", "path", monitor->state_path, "error", error.text,
                  NULL);
    free(monitor->state_path);
    monitor->state = NULL;
    monitor->state_path = NULL;
}

int keep_open(const struct monitor *monitor, const struct config *config, struct kept *kept,
              struct har_error *error)
{
    struct har_error notice = {.code = HAR_OK}, why = {.code = HAR_OK};
    *kept = (struct kept){.state = NULL};
    if (monitor->state != NULL && strcmp(monitor->state_path, config->state_db) == 0)
        return HAR_OK;
    kept->path = strdup(config->state_db);
    if (kept->path == NULL)
        return har_fail(error, HAR_ERR_MEMORY, "out of memory");
    kept->state = state_open(kept->path, time(NULL), &notice, &why);
    if (notice.text[0] != '\0')
        log_event(LOG_WARNING, "state-moved-aside", "path", kept->path, "notice", notice.text,
                  "lost", "overrides, health, counters and history", NULL);
    if (kept->state == NULL && why.code == HAR_ERR_BUSY) {
        keep_discard(kept);
        return har_fail(error, HAR_ERR_BUSY, "%s", why.text);
    }
    if (kept->state == NULL)
        log_event(LOG_ERR, "state-unusable", "path", kept->path, "error", why.text, "instead",
                  monitor->state != NULL ? monitor->state_path : "nothing is remembered", NULL);
    return HAR_OK;
}

void keep_discard(struct kept *kept)
{
    state_close(kept->state, time(NULL), NULL);
    free(kept->path);
}

bool keep_use(struct monitor *monitor, struct kept *kept)
{
    struct har_error error = {.code = HAR_OK};
    if (kept->state == NULL) {
        keep_discard(kept);
        return false;
    }
    if (monitor->state != NULL && move_over(monitor, kept->state, &error) != HAR_OK)
        log_event(LOG_WARNING, "state-not-read", "path", kept->path, "error", error.text, NULL);
    keep_close(monitor);
    monitor->state = kept->state;
    monitor->state_path = kept->path;
    ev_timer_set(&monitor->flush_timer, FLUSH_S, 0.);
    ev_timer_start(monitor->parts.loop, &monitor->flush_timer);
    return true;
}

void keep_init(struct monitor *monitor)
{
    ev_timer_init(&monitor->flush_timer, on_flush, FLUSH_S, 0.);
    monitor->flush_timer.data = monitor;
}
