/* The checks of an endpoint: when, what their results say, and what follows. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "hard/log.h"
#include "hard/monitor_run.h"
#include "hard/tripwire.h"

#define CROWDED_S 0.1   /* until a check that found no room tries again */
#define HURRIED_S 0.01  /* between checks after a tripwire tripped */
#define RECHECK_S 0.001 /* from one endpoint to the next when all are checked */
#define DISTORTED_MAX 3 /* results in a row whose times are not believed */

/* --- What a result says ------------------------------------------------------------------------
 */

static bool is_timeout(enum check_reason reason)
{
    return reason == REASON_CONNECT_TIMEOUT || reason == REASON_RESPONSE_TIMEOUT;
}

/* A timeout that came late: we stood still while we slept (SIGSTOP, no processor), which the loop
 * itself cannot tell. */
static bool is_late(const struct endpoint *endpoint, const struct check_result *result)
{
    return is_timeout(result->reason) &&
           result->total_us > UINT64_C(1000) * endpoint->target.check->timeout_ms + STALL_US;
}

/* Did our own loop hold up the check, or, for one that ran out of time, its end? Then its times are
 * ours. But a loop that is always late would never measure anything, so not for ever. */
static bool is_distorted(struct endpoint *endpoint, const struct check_result *result)
{
    int64_t since_us = endpoint->started_us;
    if (is_timeout(result->reason))
        since_us += INT64_C(1000) * endpoint->target.check->timeout_ms - STALL_US;
    if (endpoint->distorted == DISTORTED_MAX ||
        !(is_late(endpoint, result) || stall_since(&endpoint->monitor->stall, since_us))) {
        endpoint->distorted = 0;
        return false;
    }
    endpoint->distorted++;
    return true;
}

static bool is_cut_off(const struct endpoint *endpoint)
{
    const struct monitor *monitor = endpoint->monitor;
    return monitor_is_frozen(monitor, endpoint->host) ||
           local_fault_spoiled(&monitor->fault, endpoint->started_us);
}

/* What a result taught. */
enum lesson {
    LESSON_NONE, /* nothing: this machine could not check, or did not listen */
    LESSON_KEPT, /* nothing that would change the state */
    LESSON_CHANGE
};

/* What a result says of the endpoint's health. A failure while this machine is cut off says
 * nothing, nor does the time that a success took then. */
static enum lesson learn(struct endpoint *endpoint, const struct check_result *result)
{
    const struct config_check *check = endpoint->target.check;
    if (result->reason == REASON_LOCAL_ERROR)
        return LESSON_NONE;
    bool distorted = is_distorted(endpoint, result);
    if (distorted && is_timeout(result->reason))
        return LESSON_NONE; /* its answer may lie in our own socket */
    bool cut_off = is_cut_off(endpoint), changed;
    if (result->reason != REASON_OK)
        changed = !cut_off && health_failure(&endpoint->health, check->fall);
    else if (distorted || cut_off)
        changed = health_success(&endpoint->health, check->rise, 0, 0);
    else
        changed =
            health_success(&endpoint->health, check->rise, result->connect_us, result->total_us);
    return changed ? LESSON_CHANGE : LESSON_KEPT;
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

static void remember(struct endpoint *endpoint, enum health_state was,
                     const struct check_result *result)
{
    endpoint->judged = true;
    endpoint->reason = result->reason;
    memcpy(endpoint->detail, result->detail, sizeof endpoint->detail);
    endpoint_count(&endpoint->counters, result, time(NULL));
    bool changed = endpoint->health.state != was;
    if (changed) {
        endpoint->since_us = har_now_us();
        keep_note_transition(endpoint, was, result);
    }
    keep_note_endpoint(endpoint, changed);
}

/* --- Tripwires ---------------------------------------------------------------------------------
 */

static void close_tripwire(struct endpoint *endpoint)
{
    endpoint->monitor->tripwires -= endpoint->tripwire != NULL;
    tripwire_close(endpoint->tripwire);
    endpoint->tripwire = NULL;
    endpoint->hurried = false;
}

static void on_tripped(void *arg, enum tripwire_reason reason)
{
    struct endpoint *endpoint = arg;
    char address[HAR_ADDRESS_TEXT_MAX];
    log_event(LOG_INFO, "tripped", "host", endpoint->host->config->name, "candidate",
              endpoint->candidate->name, "address",
              har_address_format(&endpoint->target.address, address), "reason",
              tripwire_reason_text(reason), NULL);
    endpoint->hurried = true;
    check_soon(endpoint, 0.);
}

static bool has_room(const struct monitor *monitor)
{
    return monitor->in_flight + monitor->tripwires < monitor->descriptors_max;
}

static void tend_tripwire(struct endpoint *endpoint, const struct check_result *result)
{
    struct monitor *monitor = endpoint->monitor;
    const struct config_check *check = endpoint->target.check;
    if (endpoint->hurried && result->reason != REASON_OK && !is_cut_off(endpoint))
        tripwire_was_right(endpoint->tripwire);
    if (!check->tripwire || result->reason != REASON_OK)
        return;
    if (endpoint->tripwire != NULL) {
        tripwire_rearm(endpoint->tripwire);
    } else if (has_room(monitor) && monitor->tripwires < monitor->descriptors_max / 2) {
        endpoint->tripwire =
            tripwire_open(monitor->parts.loop, &endpoint->target.address, check->port,
                          check->interval_ms / 1000., on_tripped, endpoint);
        monitor->tripwires += endpoint->tripwire != NULL;
    }
}

/* A server that hung up is asked until it answers, or is down; not while nobody can be reached. */
static void settle_hurry(struct endpoint *endpoint, const struct check_result *result)
{
    bool known = result->reason == REASON_OK || result->reason == REASON_LOCAL_ERROR ||
                 endpoint->health.state == HEALTH_DOWN || is_cut_off(endpoint);
    if (!endpoint->again && known)
        endpoint->hurried = false;
}

/* --- When --------------------------------------------------------------------------------------
 */

static void plan(struct endpoint *endpoint, double seconds)
{
    struct ev_loop *loop = endpoint->monitor->parts.loop;
    ev_timer_stop(loop, &endpoint->timer);
    ev_timer_set(&endpoint->timer, seconds, 0.);
    ev_timer_start(loop, &endpoint->timer);
}

/* Intervals run from start to start, so the time that the check took is taken off. What taught
 * nothing is done again soon. */
static void plan_next(struct endpoint *endpoint, bool first, enum lesson lesson, uint32_t total_us)
{
    struct monitor *monitor = endpoint->monitor;
    if (endpoint->again || endpoint->hurried) {
        plan(endpoint, endpoint->again ? 0. : HURRIED_S);
        endpoint->again = false;
        return;
    }
    const struct config_check *check = endpoint->target.check;
    uint32_t wait_ms = lesson == LESSON_NONE
                           ? schedule_next_ms(&monitor->random, check->fast_interval_ms)
                           : schedule_after_ms(&monitor->random, check, &endpoint->health, first);
    uint32_t took_ms = total_us / 1000;
    double wait_s = wait_ms > took_ms ? (wait_ms - took_ms) / 1000. : 0.;
    plan(endpoint, schedule_align_s(ev_now(monitor->parts.loop), monitor->phase_s, wait_s));
}

static void on_result(void *arg, const struct check_result *result)
{
    struct endpoint *endpoint = arg;
    struct monitor *monitor = endpoint->monitor;
    enum health_state was = endpoint->health.state;
    bool first = !endpoint->answered;
    monitor->in_flight--;
    network_result(endpoint, result); /* may have all checked again, this one too */
    endpoint->running = NULL;
    enum lesson lesson = learn(endpoint, result);
    remember(endpoint, was, result);
    report(endpoint, was, result);
    tend_tripwire(endpoint, result);
    settle_hurry(endpoint, result);
    plan_next(endpoint, first, lesson, result->total_us);
    if (first)
        table_answered(monitor->table, endpoint);
    if (result->reason != REASON_OK && endpoint->health.state == HEALTH_DOWN)
        names_endpoint_down(endpoint);
    monitor_update_answer(monitor, endpoint->host, lesson == LESSON_CHANGE);
    if (first)
        monitor_request_if_ready(monitor);
    rounds_result(endpoint, result);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct endpoint *endpoint = timer->data;
    struct monitor *monitor = endpoint->monitor;
    if (!has_room(monitor)) {
        plan(endpoint, CROWDED_S);
        return;
    }
    if (!endpoint->answered)
        network_look_at(endpoint);
    monitor->in_flight++;
    endpoint->started_us = har_now_us();
    endpoint->running = check_start(monitor->parts.checker, &endpoint->target, on_result, endpoint);
    if (endpoint->running == NULL) {
        static const struct check_result no_memory = {.reason = REASON_LOCAL_ERROR,
                                                      .detail = "out of memory"};
        on_result(endpoint, &no_memory);
    }
}

/* --- Starting and stopping ---------------------------------------------------------------------
 */

/* Not a question to libev: a timer that ran out in this round of the loop is neither active nor has
 * its check begun. */
static bool needs_start(const struct endpoint *endpoint)
{
    return endpoint->target.check->type != CHECK_NONE && !endpoint->started;
}

static size_t count_new(const struct host *host)
{
    size_t count = 0;
    for (size_t i = 0; i < host->endpoint_count; i++)
        count += needs_start(host->endpoints[i]);
    return count;
}

static void start(struct endpoint *endpoint, size_t place, size_t count)
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
        ev_timer_remaining(monitor->parts.loop, &endpoint->timer) > 2 * interval_ms / 1000.)
        plan(endpoint, schedule_second_ms(&monitor->random, interval_ms) / 1000.);
    if (!endpoint->target.check->tripwire)
        close_tripwire(endpoint);
}

/* The place is that among `count` new ones. Returns the next one's. */
static size_t start_host(struct monitor *monitor, struct host *host, size_t place, size_t count)
{
    for (size_t i = 0; i < host->endpoint_count; i++) {
        struct endpoint *endpoint = host->endpoints[i];
        endpoint->monitor = monitor;
        if (needs_start(endpoint))
            start(endpoint, place++, count);
        else
            hasten(endpoint);
    }
    return place;
}

void check_start_host(struct monitor *monitor, struct host *host)
{
    ev_now_update(monitor->parts.loop);
    start_host(monitor, host, 0, count_new(host));
}

void check_start_new(struct monitor *monitor)
{
    const struct table *table = monitor->table;
    size_t place = 0, count = 0;
    for (size_t i = 0; i < table->host_count; i++)
        count += count_new(&table->hosts[i]);
    ev_now_update(monitor->parts.loop);
    for (size_t i = 0; i < table->host_count; i++)
        place = start_host(monitor, &table->hosts[i], place, count);
}

void check_soon(struct endpoint *endpoint, double delay_s)
{
    struct ev_timer *timer = &endpoint->timer;
    if (!endpoint->started)
        return;
    if (endpoint->running != NULL)
        endpoint->again = true;
    else if (!ev_is_active(timer) ||
             ev_timer_remaining(endpoint->monitor->parts.loop, timer) > delay_s)
        plan(endpoint, delay_s);
}

static void check_in_turn(struct endpoint *endpoint, void *arg)
{
    size_t *place = arg;
    if (endpoint->started)
        check_soon(endpoint, (double)(*place)++ * RECHECK_S);
}

void check_all(struct monitor *monitor)
{
    size_t place = 0;
    ev_now_update(monitor->parts.loop);
    monitor_each(monitor->table, check_in_turn, &place);
}

void check_stop(struct endpoint *endpoint)
{
    if (!endpoint->started)
        return;
    ev_timer_stop(endpoint->monitor->parts.loop, &endpoint->timer);
    endpoint->monitor->in_flight -= endpoint->running != NULL;
    check_cancel(endpoint->running);
    close_tripwire(endpoint);
    rounds_endpoint_gone(endpoint);
}
