#include "hard/publisher.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "hard/log.h"
#include "hard/pace.h"
#include "ranking/lock.h"

#define RENEWALS 10     /* in the life of a row, so that a late one does no harm */
#define RETRY_SECONDS 1 /* after a failed publication */

struct publisher {
    struct ev_loop *loop;
    struct publisher_source source;
    struct pace pace;
    ev_timer timer; /* the next publication, for a change or to renew */
    bool requested; /* the timer stands for a change */
    char *path;
    int lock_fd; /* that of path, or negative until its folder can be used */
    uint32_t max_stale_s;
    char last_error[sizeof(((struct har_error *)0)->text)]; /* logged already; empty: none */
    ev_io clock_watch;                                      /* -1: none */
};

static void arm(struct publisher *publisher, double seconds)
{
    ev_timer_stop(publisher->loop, &publisher->timer);
    ev_timer_set(&publisher->timer, seconds, 0.);
    ev_timer_start(publisher->loop, &publisher->timer);
}

static void log_outcome(struct publisher *publisher, const struct har_error *error, int64_t took_us)
{
    if (error->code != HAR_OK) {
        if (strcmp(error->text, publisher->last_error) != 0)
            log_event(LOG_ERR, "publish-failed", "path", publisher->path, "error", error->text,
                      NULL);
        snprintf(publisher->last_error, sizeof publisher->last_error, "%s", error->text);
        return;
    }
    if (publisher->last_error[0] != '\0')
        log_event(LOG_NOTICE, "publish-recovered", "path", publisher->path, NULL);
    publisher->last_error[0] = '\0';
    char took[32];
    snprintf(took, sizeof took, "%lld", (long long)took_us);
    log_event(LOG_DEBUG, "published", "path", publisher->path, "took_us", took, NULL);
}

/* Seconds are whole: one more, or rows of a short max_stale would expire between two renewals. */
static int64_t expiry_s(const struct publisher *publisher)
{
    return (int64_t)time(NULL) + publisher->max_stale_s + 1;
}

static void write_ranking(struct publisher *publisher, struct har_error *error)
{
    size_t count = 0;
    const struct ranking_row *rows = publisher->source.rows(publisher->source.arg, &count);
    if (publisher->lock_fd < 0)
        publisher->lock_fd = ranking_lock(publisher->path, error);
    if (publisher->lock_fd >= 0)
        ranking_publish(publisher->path, rows, count, expiry_s(publisher), error);
}

/* Renewing, or trying again, keeps the pace, too. */
static double next_s(const struct publisher *publisher, bool failed, int64_t now_us)
{
    double wait_s = (double)publisher->max_stale_s / RENEWALS;
    if (failed && wait_s > RETRY_SECONDS)
        wait_s = RETRY_SECONDS;
    double due_s = (double)(pace_due_us(&publisher->pace, now_us) - now_us) / 1e6;
    return wait_s > due_s ? wait_s : due_s;
}

static void publish(struct publisher *publisher)
{
    struct har_error error = {.code = HAR_OK};
    int64_t began_us = har_now_us();
    write_ranking(publisher, &error);
    int64_t ended_us = har_now_us();

    pace_spent(&publisher->pace, began_us, ended_us);
    log_outcome(publisher, &error, ended_us - began_us);
    publisher->requested = false;
    /* The loop's idea of now is older than the publication. */
    ev_now_update(publisher->loop);
    arm(publisher, next_s(publisher, error.code != HAR_OK, ended_us));
    publisher->source.tried(publisher->source.arg);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    publish(timer->data);
}

/* Rows expire by the wall clock, the only one that all processes and containers share. When it is
 * set, or the machine wakes from sleep, they may have expired just now. */
static void on_clock_set(struct ev_loop *loop, ev_io *watch, int events)
{
    (void)loop;
    (void)events;
    uint64_t expirations;
    if (read(watch->fd, &expirations, sizeof expirations) >= 0 || errno != ECANCELED)
        return;
    log_event(LOG_INFO, "clock-set", NULL);
    publisher_request(watch->data);
}

/* The last second that time_t knows. */
#define NEVER_S ((time_t)((UINTMAX_C(1) << (sizeof(time_t) * 8 - 1)) - 1))

/* A timer that never ends but is cancelled when the clock is set; timerfd_create(2). */
static int open_clock_watch(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -1;
    struct itimerspec never = {.it_value.tv_sec = NEVER_S};
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct publisher *publisher_new(struct ev_loop *loop, const struct publisher_source *source,
                                struct har_error *error)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    int fd = open_clock_watch();
    if (fd < 0) {
        har_fail(error, HAR_ERR_IO, "cannot watch the clock: %s", strerror(errno));
        free(publisher);
        return NULL;
    }
    publisher->loop = loop;
    publisher->source = *source;
    publisher->lock_fd = -1;
    pace_init(&publisher->pace, har_now_us());
    ev_timer_init(&publisher->timer, on_timer, 0., 0.);
    publisher->timer.data = publisher;
    ev_io_init(&publisher->clock_watch, on_clock_set, fd, EV_READ);
    publisher->clock_watch.data = publisher;
    ev_io_start(loop, &publisher->clock_watch);
    return publisher;
}

static void unlock(struct publisher *publisher)
{
    if (publisher->lock_fd >= 0)
        close(publisher->lock_fd);
    publisher->lock_fd = -1;
}

void publisher_free(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    ev_timer_stop(publisher->loop, &publisher->timer);
    ev_io_stop(publisher->loop, &publisher->clock_watch);
    close(publisher->clock_watch.fd);
    unlock(publisher);
    free(publisher->path);
    free(publisher);
}

static int go_to(struct publisher *publisher, const char *path, struct har_error *error)
{
    struct har_error lock_error = {.code = HAR_OK};
    int lock_fd = ranking_lock(path, &lock_error);
    if (lock_fd == HAR_ERR_BUSY)
        return har_fail(error, HAR_ERR_BUSY, "%s", lock_error.text);
    char *copy = strdup(path);
    if (copy == NULL) {
        if (lock_fd >= 0)
            close(lock_fd);
        return har_fail(error, HAR_ERR_MEMORY, "out of memory");
    }
    unlock(publisher);
    free(publisher->path);
    publisher->path = copy;
    publisher->lock_fd = lock_fd;
    publisher->last_error[0] = '\0';
    return HAR_OK;
}

int publisher_configure(struct publisher *publisher, const char *path, uint32_t max_stale_s,
                        struct har_error *error)
{
    if (publisher->path == NULL || strcmp(publisher->path, path) != 0) {
        int code = go_to(publisher, path, error);
        if (code != HAR_OK)
            return code;
    }
    publisher->max_stale_s = max_stale_s;
    publisher_request(publisher);
    return HAR_OK;
}

void publisher_request(struct publisher *publisher)
{
    if (publisher->requested || publisher->path == NULL)
        return;
    int64_t now_us = har_now_us();
    int64_t wait_us = pace_due_us(&publisher->pace, now_us) - now_us;
    publisher->requested = true;
    ev_now_update(publisher->loop);
    arm(publisher, (double)wait_us / 1e6);
}
