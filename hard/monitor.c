#include "hard/monitor.h"

#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/clock.h"
#include "hard/health.h"
#include "hard/log.h"
#include "hard/publisher.h"
#include "hard/schedule.h"
#include "hard/stall.h"
#include "hard/table.h"
#include "ranking/restore.h"

/* Descriptors that checks leave to the rest: the loop, libcurl, the log, a publication, a reload.
 */
#define DESCRIPTORS_KEPT 32
#define CROWDED_S 0.1   /* until a check that found no room tries again */
#define DISTORTED_MAX 3 /* results in a row whose times are not believed */

struct monitor {
    struct ev_loop *loop;
    struct checker *checker;
    struct publisher *publisher;
    struct table *table; /* NULL before the first monitor_configure */
    struct stall stall;
    struct schedule_random random;
    double phase_s;                  /* of schedule_align_s */
    size_t in_flight, in_flight_max; /* checks */
    monitor_ready_fn *ready;         /* NULL once it was called */
    void *ready_arg;
};

/* --- Results -----------------------------------------------------------------------------------
 */

/* That nobody is left is urgent, that somebody is back or that an endpoint's state changed the
 * answer is news, and latency alone is neither. */
static int answer_level(const struct host *host, bool was_failing, bool state_changed)
{
    if (host->failing)
        return LOG_WARNING;
    return was_failing || state_changed ? LOG_NOTICE : LOG_INFO;
}

static void update_answer(struct monitor *monitor, struct host *host, bool state_changed)
{
    char *was = NULL;
    bool was_failing = host->failing;
    if (!host_update_answer(host, har_now_us(), &was))
        return;
    if (was != NULL || host->failing)
        log_event(answer_level(host, was_failing, state_changed), "answer", "host",
                  host->config->name, "eligible", host->failing ? "no" : "yes", "status",
                  host->answer.status, "answer", host->answer.addresses, "was", was, NULL);
    free(was);
    publisher_request(monitor->publisher);
}

static void log_result(int level, const char *event, const struct endpoint *endpoint,
                       enum health_state was, const struct check_result *result)
{
    if (!log_wants(level))
        return;
    char address[HAR_ADDRESS_TEXT_MAX], port[8], connect_us[16], total_us[16];
    snprintf(port, sizeof port, "%u", endpoint->target.check->port);
    snprintf(connect_us, sizeof connect_us, "%u", result->connect_us);
    snprintf(total_us, sizeof total_us, "%u", result->total_us);
    log_event(level, event, "host", endpoint->host->config->name, "candidate",
              endpoint->candidate->name, "address",
              har_address_format(&endpoint->target.address, address), "port", port, "state",
              health_state_text(endpoint->health.state), "was", health_state_text(was), "reason",
              check_reason_text(result->reason), "detail",
              result->detail[0] != '\0' ? result->detail : NULL, "connect_us", connect_us,
              "total_us", total_us, NULL);
}

/* A server that is up from the start is no news; every other change is. */
static int transition_level(enum health_state was, enum health_state state)
{
    return was == HEALTH_UNKNOWN && state == HEALTH_UP ? LOG_INFO : LOG_NOTICE;
}

/* Did our own loop hold up the check? Then its times are ours. But a loop that is always late would
 * never measure anything, so not for ever. */
static bool is_distorted(struct endpoint *endpoint)
{
    if (endpoint->distorted == DISTORTED_MAX ||
        !stall_since(&endpoint->monitor->stall, endpoint->started_us)) {
        endpoint->distorted = 0;
        return false;
    }
    endpoint->distorted++;
    return true;
}

static bool is_timeout(enum check_reason reason)
{
    return reason == REASON_CONNECT_TIMEOUT || reason == REASON_RESPONSE_TIMEOUT;
}

/* What a result says of the endpoint's health. That this machine could not check says nothing. */
static bool learn(struct endpoint *endpoint, const struct check_result *result)
{
    const struct config_check *check = endpoint->target.check;
    if (result->reason == REASON_LOCAL_ERROR)
        return false;
    bool distorted = is_distorted(endpoint);
    if (distorted && is_timeout(result->reason))
        return false; /* its answer may lie in our own socket */
    if (result->reason != REASON_OK)
        return health_failure(&endpoint->health, check->fall);
    if (distorted)
        return health_success(&endpoint->health, check->rise, 0, 0);
    return health_success(&endpoint->health, check->rise, result->connect_us, result->total_us);
}

static void report(struct endpoint *endpoint, enum health_state was,
                   const struct check_result *result)
{
    bool local = result->reason == REASON_LOCAL_ERROR;
    if (endpoint->health.state != was)
        log_result(transition_level(was, endpoint->health.state), "state", endpoint, was, result);
    else if (local && !endpoint->local_error)
        log_result(LOG_WARNING, "check-impossible", endpoint, was, result);
    else
        log_result(LOG_DEBUG, "check", endpoint, was, result);
    endpoint->local_error = local;
}

static void plan(struct endpoint *endpoint, double seconds)
{
    struct ev_loop *loop = endpoint->monitor->loop;
    ev_timer_stop(loop, &endpoint->timer);
    ev_timer_set(&endpoint->timer, seconds, 0.);
    ev_timer_start(loop, &endpoint->timer);
}

/* Intervals run from start to start, so the time that the check took is taken off. */
static void plan_next(struct endpoint *endpoint, bool first, uint32_t total_us)
{
    struct monitor *monitor = endpoint->monitor;
    uint32_t wait_ms =
        schedule_after_ms(&monitor->random, endpoint->target.check, &endpoint->health, first);
    uint32_t took_ms = total_us / 1000;
    double wait_s = wait_ms > took_ms ? (wait_ms - took_ms) / 1000. : 0.;
    plan(endpoint, schedule_align_s(ev_now(monitor->loop), monitor->phase_s, wait_s));
}

/* Every endpoint has a result: the ranking that says so is the first good one. */
static void request_if_ready(struct monitor *monitor)
{
    if (monitor->ready != NULL && monitor->table->unanswered == 0)
        publisher_request(monitor->publisher);
}

static void on_result(void *arg, const struct check_result *result)
{
    struct endpoint *endpoint = arg;
    struct monitor *monitor = endpoint->monitor;
    enum health_state was = endpoint->health.state;
    bool first = !endpoint->answered;
    endpoint->running = NULL;
    monitor->in_flight--;

    bool changed = learn(endpoint, result);
    report(endpoint, was, result);
    plan_next(endpoint, first, result->total_us);
    if (first)
        table_answered(monitor->table, endpoint);
    update_answer(monitor, endpoint->host, changed);
    if (first)
        request_if_ready(monitor);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct endpoint *endpoint = timer->data;
    struct monitor *monitor = endpoint->monitor;
    if (monitor->in_flight >= monitor->in_flight_max) {
        plan(endpoint, CROWDED_S);
        return;
    }
    monitor->in_flight++;
    endpoint->started_us = har_now_us();
    endpoint->running = check_start(monitor->checker, &endpoint->target, on_result, endpoint);
    if (endpoint->running == NULL) {
        static const struct check_result no_memory = {.reason = REASON_LOCAL_ERROR,
                                                      .detail = "out of memory"};
        on_result(endpoint, &no_memory);
    }
}

/* --- Publishing --------------------------------------------------------------------------------
 */

static const struct ranking_row *rows(void *arg, size_t *count)
{
    struct monitor *monitor = arg;
    return table_rows(monitor->table, count);
}

static void tried(void *arg)
{
    struct monitor *monitor = arg;
    if (monitor->ready == NULL || monitor->table->unanswered > 0)
        return;
    monitor_ready_fn *ready = monitor->ready;
    monitor->ready = NULL;
    ready(monitor->ready_arg);
}

/* --- Configuration -----------------------------------------------------------------------------
 */

static void retire(struct monitor *monitor, struct table *table)
{
    for (size_t i = 0; i < table->host_count; i++) {
        for (size_t j = 0; j < table->hosts[i].endpoint_count; j++) {
            struct endpoint *endpoint = table->hosts[i].endpoints[j];
            ev_timer_stop(monitor->loop, &endpoint->timer);
            monitor->in_flight -= endpoint->running != NULL;
            check_cancel(endpoint->running);
        }
    }
    table_free(table);
}

/* Not a question to libev: a timer that ran out in this round of the loop is neither active nor has
 * its check begun. */
static bool needs_start(const struct endpoint *endpoint)
{
    return endpoint->target.check->type != CHECK_NONE && !endpoint->started;
}

static size_t count_new(const struct table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < table->host_count; i++) {
        for (size_t j = 0; j < table->hosts[i].endpoint_count; j++)
            count += needs_start(table->hosts[i].endpoints[j]);
    }
    return count;
}

static void start_endpoint(struct endpoint *endpoint, size_t place, size_t count)
{
    endpoint->started = true;
    ev_timer_init(&endpoint->timer, on_timer, 0., 0.);
    endpoint->timer.data = endpoint;
    plan(endpoint, schedule_first_ms(place, count, endpoint->target.check->interval_ms) / 1000.);
}

/* A shorter interval counts from now on, not from after the long one. */
static void hasten(struct endpoint *endpoint)
{
    struct monitor *monitor = endpoint->monitor;
    uint32_t interval_ms = endpoint->target.check->interval_ms;
    if (ev_is_active(&endpoint->timer) &&
        ev_timer_remaining(monitor->loop, &endpoint->timer) > 2 * interval_ms / 1000.)
        plan(endpoint, schedule_second_ms(&monitor->random, interval_ms) / 1000.);
}

static void start_new(struct monitor *monitor)
{
    const struct table *table = monitor->table;
    size_t count = count_new(table), place = 0;
    ev_now_update(monitor->loop);
    for (size_t i = 0; i < table->host_count; i++) {
        for (size_t j = 0; j < table->hosts[i].endpoint_count; j++) {
            struct endpoint *endpoint = table->hosts[i].endpoints[j];
            endpoint->monitor = monitor;
            if (needs_start(endpoint))
                start_endpoint(endpoint, place++, count);
            else
                hasten(endpoint);
        }
    }
}

static void restore_row(void *arg, const struct ranking_row *row)
{
    table_restore(arg, row);
}

static void restore(struct table *table)
{
    struct har_error error = {.code = HAR_OK};
    ranking_restore(table->config->ranking_db, time(NULL), restore_row, table, &error);
    if (error.code != HAR_OK)
        log_event(LOG_WARNING, "last-ranking-unusable", "error", error.text, NULL);
}

int monitor_configure(struct monitor *monitor, struct config *config, struct har_error *error)
{
    struct table *table = table_new(config, error);
    if (table == NULL)
        return error->code;
    int code =
        publisher_configure(monitor->publisher, config->ranking_db, config->max_stale_s, error);
    if (code != HAR_OK) {
        table->config = NULL; /* stays the caller's */
        table_free(table);
        return code;
    }
    struct table *old = monitor->table;
    monitor->table = table;
    if (old != NULL) {
        table_inherit(table, old);
        retire(monitor, old);
    } else {
        restore(table);
    }
    start_new(monitor);
    for (size_t i = 0; i < table->host_count; i++)
        update_answer(monitor, &table->hosts[i], true);
    return HAR_OK;
}

/* Each check in flight holds a descriptor. */
static size_t checks_at_once(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT
                                                 : limit.rlim_cur / 4 + 1;
}

struct monitor *monitor_new(struct ev_loop *loop, struct checker *checker, monitor_ready_fn *ready,
                            void *arg, struct har_error *error)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const struct publisher_source source = {.rows = rows, .tried = tried, .arg = monitor};
    *monitor = (struct monitor){.loop = loop,
                                .checker = checker,
                                .random.state = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32,
                                .ready = ready,
                                .ready_arg = arg};
    monitor->in_flight_max = checks_at_once();
    monitor->phase_s = schedule_phase_s(&monitor->random);
    monitor->publisher = publisher_new(loop, &source, error);
    if (monitor->publisher == NULL) {
        free(monitor);
        return NULL;
    }
    stall_init(&monitor->stall, loop);
    return monitor;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    if (monitor->table != NULL)
        retire(monitor, monitor->table);
    publisher_free(monitor->publisher);
    stall_done(&monitor->stall);
    free(monitor);
}
