#include "hard/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/clock.h"
#include "hard/log.h"
#include "hard/monitor_run.h"
#include "hard/publisher.h"
#include "ranking/restore.h"

/* Descriptors that checks and tripwires leave to the rest: the loop, libcurl, the log, the state, a
 * publication, a reload, clients of the control socket, questions to upstreams. */
#define DESCRIPTORS_KEPT 160

/* --- Answers -----------------------------------------------------------------------------------
 */

/* That nobody is left is urgent, that somebody is back or that an endpoint's state changed the
 * answer is news, and latency alone is neither. */
static int answer_level(const struct host *host, bool was_failing, bool news)
{
    if (host->failing)
        return LOG_WARNING;
    return was_failing || news ? LOG_NOTICE : LOG_INFO;
}

static void rank_anew(struct monitor *monitor, struct host *host, bool news)
{
    char *was = NULL;
    bool was_failing = host->failing;
    bool changed = host_update_answer(host, har_now_us(), &was);
    keep_note_good(monitor, host);
    if (!changed)
        return;
    if (was != NULL || host->failing)
        log_event(answer_level(host, was_failing, news), "answer", "host", host->config->name,
                  "eligible", host->failing ? "no" : "yes", "status", host->answer.status, "answer",
                  host->answer.addresses, "was", was, NULL);
    free(was);
    publisher_request(monitor->publisher);
}

/* Frozen or not, a host without any answer is given its first. */
void monitor_update_answer(struct monitor *monitor, struct host *host, bool news)
{
    if (host->answer.addresses == NULL || !monitor_is_frozen(monitor, host))
        rank_anew(monitor, host, news);
}

void monitor_force_answer(struct monitor *monitor, struct host *host)
{
    rank_anew(monitor, host, true);
}

void monitor_update_answers(struct monitor *monitor)
{
    for (size_t i = 0; i < monitor->table->host_count; i++)
        monitor_update_answer(monitor, &monitor->table->hosts[i], true);
}

const struct table *monitor_table(const struct monitor *monitor)
{
    return monitor->table;
}

void monitor_each(const struct table *table, void (*visit)(struct endpoint *endpoint, void *arg),
                  void *arg)
{
    for (size_t i = 0; i < table->host_count; i++) {
        for (size_t j = 0; j < table->hosts[i].endpoint_count; j++)
            visit(table->hosts[i].endpoints[j], arg);
    }
}

/* --- Publishing --------------------------------------------------------------------------------
 */

void monitor_request_if_ready(struct monitor *monitor)
{
    if (monitor->parts.ready != NULL && monitor->table->unanswered == 0)
        publisher_request(monitor->publisher);
}

static const struct ranking_row *rows(void *arg, size_t *count)
{
    struct monitor *monitor = arg;
    return table_rows(monitor->table, count);
}

static void tried(void *arg)
{
    struct monitor *monitor = arg;
    if (monitor->parts.ready == NULL || monitor->table->unanswered > 0)
        return;
    void (*ready)(void *arg) = monitor->parts.ready;
    monitor->parts.ready = NULL;
    ready(monitor->parts.arg);
}

/* --- Configuration -----------------------------------------------------------------------------
 */

static void stop(struct endpoint *endpoint, void *arg)
{
    (void)arg;
    check_stop(endpoint);
}

static void retire(struct table *table)
{
    names_unwatch(table);
    monitor_each(table, stop, NULL);
    table_free(table);
}

static void restore_row(void *arg, const struct ranking_row *row)
{
    table_restore(arg, row);
}

/* The state first: it knows the addresses of names, and who is down. */
static void restore(struct monitor *monitor, struct table *table)
{
    struct har_error error = {.code = HAR_OK};
    keep_restore(monitor, table);
    ranking_restore(table->config->ranking_db, time(NULL), restore_row, table, &error);
    if (error.code != HAR_OK)
        log_event(LOG_WARNING, "last-ranking-unusable", "error", error.text, NULL);
}

static void adopt(struct monitor *monitor, struct table *table)
{
    struct table *old = monitor->table;
    monitor->table = table;
    if (old != NULL)
        table_inherit(table, old);
    else
        restore(monitor, table);
    names_watch(monitor, table);
    if (old != NULL) {
        keep_restore_overrides(monitor, table, old);
        keep_forget_gone(monitor, old, table);
        retire(old);
    }
    check_start_new(monitor);
    table_recount(table);
    network_count(monitor);
    for (size_t i = 0; i < table->host_count; i++)
        monitor_force_answer(monitor, &table->hosts[i]); /* a configuration is to be obeyed */
    overrides_end(monitor);
}

static int prepare(struct monitor *monitor, const struct config *config, struct kept *kept,
                   struct har_error *error)
{
    int code = keep_open(monitor, config, kept, error);
    if (code != HAR_OK)
        return code;
    code = publisher_configure(monitor->publisher, config->ranking_db, config->max_stale_s, error);
    if (code != HAR_OK)
        keep_discard(kept);
    return code;
}

int monitor_configure(struct monitor *monitor, struct config *config, struct har_error *error)
{
    struct kept kept;
    struct table *table = table_new(config, error);
    if (table == NULL)
        return error->code;
    int code = prepare(monitor, config, &kept, error);
    if (code != HAR_OK) {
        table->config = NULL; /* stays the caller's */
        table_free(table);
        return code;
    }
    bool elsewhere = keep_use(monitor, &kept) && monitor->table != NULL;
    adopt(monitor, table);
    if (elsewhere)
        keep_note_all(monitor);
    return HAR_OK;
}

/* --- Life --------------------------------------------------------------------------------------
 */

/* Each check in flight holds a descriptor. */
static size_t checks_at_once(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > SIZE_MAX)
        return SIZE_MAX;
    size_t all = (size_t)limit.rlim_cur;
    return all > 2 * DESCRIPTORS_KEPT ? all - DESCRIPTORS_KEPT : all / 4 + 1;
}

struct monitor *monitor_new(const struct monitor_parts *parts, struct har_error *error)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const struct publisher_source source = {.rows = rows, .tried = tried, .arg = monitor};
    *monitor = (struct monitor){.parts = *parts,
                                .random.state = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32,
                                .descriptors_max = checks_at_once()};
    monitor->phase_s = schedule_phase_s(&monitor->random);
    monitor->publisher = publisher_new(parts->loop, &source, error);
    if (monitor->publisher == NULL) {
        free(monitor);
        return NULL;
    }
    stall_init(&monitor->stall, parts->loop);
    network_init(monitor);
    keep_init(monitor);
    overrides_init(monitor);
    return monitor;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    if (monitor->table != NULL) {
        keep_note_all(monitor);
        retire(monitor->table);
    }
    while (monitor->rounds != NULL)
        monitor_round_cancel(monitor->rounds);
    ev_timer_stop(monitor->parts.loop, &monitor->override_timer);
    keep_close(monitor);
    network_done(monitor);
    publisher_free(monitor->publisher);
    stall_done(&monitor->stall);
    free(monitor);
}
