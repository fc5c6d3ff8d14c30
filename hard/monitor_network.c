/* Is it this machine that is cut off? Then answers stand still (hard/local_fault.h). And when its
 * network changed, everything is checked anew. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "hard/log.h"
#include "hard/monitor_run.h"

#define RECHECK_REST_US 10000000 /* between two rounds of checks because the network changed */

/* --- The fault ---------------------------------------------------------------------------------
 */

bool monitor_is_frozen(const struct monitor *monitor, const struct host *host)
{
    if (!monitor->fault.lasts)
        return false;
    bool has_here = false;
    for (size_t i = 0; i < host->endpoint_count && !has_here; i++)
        has_here = host->endpoints[i]->route == LINK_HERE;
    return local_fault_covers(&monitor->fault, has_here);
}

static void check_everything(struct monitor *monitor)
{
    monitor->rechecked_us = har_now_us();
    ev_timer_stop(monitor->parts.loop, &monitor->recheck_timer);
    names_refresh(monitor);
    check_all(monitor);
}

static void plan_tick(struct monitor *monitor)
{
    struct ev_loop *loop = monitor->parts.loop;
    int64_t due_us = local_fault_due_us(&monitor->fault);
    ev_timer_stop(loop, &monitor->fault_timer);
    if (due_us == LOCAL_FAULT_NEVER)
        return;
    int64_t wait_us = due_us - har_now_us();
    ev_now_update(loop);
    ev_timer_set(&monitor->fault_timer, wait_us > 0 ? (double)wait_us / 1e6 : 0., 0.);
    ev_timer_start(loop, &monitor->fault_timer);
}

static void take(struct monitor *monitor, enum local_fault_change change)
{
    const char *cause = local_fault_cause_text(monitor->fault.cause);
    plan_tick(monitor);
    switch (change) {
    case LOCAL_FAULT_SAME:
        break;
    case LOCAL_FAULT_BEGUN:
        log_event(LOG_WARNING, "local-fault", "cause", cause, "ranking", "frozen", NULL);
        break;
    case LOCAL_FAULT_ENDED:
        log_event(LOG_NOTICE, "local-fault-over", "cause", cause, NULL);
        check_everything(monitor);
        monitor_update_answers(monitor);
        break;
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct monitor *monitor = timer->data;
    take(monitor, local_fault_tick(&monitor->fault, har_now_us()));
}

/* --- The network -------------------------------------------------------------------------------
 */

/* One way out is enough to know that there is one, so only when all is lost all are looked at. */
static void look(struct monitor *monitor)
{
    struct local_fault_view view = {.cut_off = false};
    for (size_t i = 0; i < monitor->table->host_count && view.fine == 0; i++) {
        const struct host *host = &monitor->table->hosts[i];
        for (size_t j = 0; j < host->endpoint_count && view.fine == 0; j++) {
            network_look_at(host->endpoints[j]);
            if (host->endpoints[j]->target.check->type != CHECK_NONE)
                local_fault_view_add(&view, &host->endpoints[j]->target.address,
                                     host->endpoints[j]->route);
        }
    }
    view.cut_off = view.fine == 0 && link_watch_is_cut_off(monitor->links);
    take(monitor, local_fault_network(&monitor->fault, &view, har_now_us()));
}

void network_look_at(struct endpoint *endpoint)
{
    endpoint->route = link_watch_look(endpoint->monitor->links, &endpoint->target.address);
}

static void on_recheck(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    check_everything(timer->data);
}

/* Servers may be nearer or farther now, or gone. Machines on which interfaces come and go all day
 * (containers) are not to check all day. */
static void recheck(struct monitor *monitor)
{
    struct ev_loop *loop = monitor->parts.loop;
    int64_t rest_us = monitor->rechecked_us + RECHECK_REST_US - har_now_us();
    if (rest_us <= 0) {
        check_everything(monitor);
    } else if (!ev_is_active(&monitor->recheck_timer)) {
        ev_now_update(loop);
        ev_timer_set(&monitor->recheck_timer, (double)rest_us / 1e6, 0.);
        ev_timer_start(loop, &monitor->recheck_timer);
    }
}

static void on_network(void *arg)
{
    struct monitor *monitor = arg;
    if (monitor->table == NULL)
        return;
    log_event(LOG_INFO, "network-changed", NULL);
    look(monitor);
    if (!monitor->fault.lasts)
        recheck(monitor);
}

size_t network_checked(const struct host *host)
{
    size_t count = 0;
    for (size_t i = 0; i < host->endpoint_count; i++)
        count += host->endpoints[i]->target.check->type != CHECK_NONE;
    return count;
}

void network_count(struct monitor *monitor)
{
    monitor->endpoints = 0;
    for (size_t i = 0; i < monitor->table->host_count; i++)
        monitor->endpoints += network_checked(&monitor->table->hosts[i]);
    local_fault_population(&monitor->fault, monitor->endpoints);
    look(monitor);
}

void network_recount(struct monitor *monitor, const struct host *host, size_t before)
{
    monitor->endpoints += network_checked(host) - before;
    local_fault_population(&monitor->fault, monitor->endpoints);
    look(monitor);
}

/* --- Results -----------------------------------------------------------------------------------
 */

static bool has_descriptors(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return errno != EMFILE && errno != ENFILE;
    close(fd);
    return true;
}

void network_result(struct endpoint *endpoint, const struct check_result *result)
{
    struct monitor *monitor = endpoint->monitor;
    if (result->reason != REASON_OK && link_watch_take(monitor->links))
        look(monitor);
    if (result->reason == REASON_UNREACHABLE || result->reason == REASON_CONNECT_TIMEOUT)
        network_look_at(endpoint);
    bool descriptors = result->reason != REASON_LOCAL_ERROR || has_descriptors();
    enum local_fault_word word = local_fault_word(result->reason, endpoint->route, descriptors);
    take(monitor, local_fault_result(&monitor->fault, &endpoint->vote, word, endpoint->started_us,
                                     har_now_us()));
}

/* --- Life --------------------------------------------------------------------------------------
 */

void network_init(struct monitor *monitor)
{
    struct har_error error = {.code = HAR_OK};
    local_fault_init(&monitor->fault);
    ev_timer_init(&monitor->fault_timer, on_tick, 0., 0.);
    monitor->fault_timer.data = monitor;
    ev_timer_init(&monitor->recheck_timer, on_recheck, 0., 0.);
    monitor->recheck_timer.data = monitor;
    monitor->rechecked_us = har_now_us() - RECHECK_REST_US;
    monitor->links = link_watch_new(monitor->parts.loop, on_network, monitor, &error);
    if (monitor->links == NULL)
        log_event(LOG_WARNING, "network-not-watched", "error", error.text, NULL);
}

void network_done(struct monitor *monitor)
{
    ev_timer_stop(monitor->parts.loop, &monitor->fault_timer);
    ev_timer_stop(monitor->parts.loop, &monitor->recheck_timer);
    link_watch_free(monitor->links);
}

const struct local_fault *monitor_local_fault(const struct monitor *monitor)
{
    return &monitor->fault;
}
