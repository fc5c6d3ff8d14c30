/* One address of one host, checked in its own right, and what is known of it. */
#ifndef HAR_HARD_ENDPOINT_H
#define HAR_HARD_ENDPOINT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "hard/check.h"
#include "hard/health.h"
#include "hard/link_watch.h"

struct host;
struct monitor;
struct tripwire;

/* What the operator says of a candidate, whatever its checks say. */
enum override { OVERRIDE_NONE, OVERRIDE_DRAIN, OVERRIDE_UP, OVERRIDE_DOWN };

/* "auto", "drain", "up", "down". Never NULL. */
const char *override_text(enum override override);

struct endpoint_counters {
    uint64_t successes, timeouts, connect_errors, response_errors, other_errors; /* of checks */
    uint64_t dns_successes, dns_timeouts, dns_errors;                            /* of its name */
    uint64_t chosen;                            /* times that the proxy answered with it */
    int64_t last_success_s, last_failure_s;     /* of a check, Unix time; 0: never */
    uint32_t last_connect_us, last_response_us; /* not smoothed; 0: never */
};

/* Counts a result that came at now_s. */
void endpoint_count(struct endpoint_counters *counters, const struct check_result *result,
                    int64_t now_s);

#define ENDPOINT_SINCE_UNKNOWN INT64_MIN

/* Allocated alone, because a timer and a check in flight point to it while tables come and go
 * around it. */
struct endpoint {
    struct monitor *monitor;
    struct host *host; /* NULL: it left its host, and is to be stopped and freed */
    const struct config_candidate *candidate;
    struct check_target target;
    struct health health;
    bool answered; /* has had a result, or needs none */

    /* For people, and for the state. */
    int64_t since_us; /* health.state became what it is; monotonic; or SINCE_UNKNOWN */
    bool judged;      /* the two below are of the last result; else there was none */
    enum check_reason reason;
    char detail[CHECK_DETAIL_MAX];
    struct endpoint_counters counters;

    /* The monitor's. */
    bool started;              /* timer is initialised and runs, or its check does */
    ev_timer timer;            /* the next check */
    struct check *running;     /* or NULL */
    int64_t started_us;        /* the check in flight, or the last one */
    unsigned distorted;        /* results in a row whose times were not believed */
    bool local_error;          /* the last result was one */
    bool again;                /* when the check in flight has ended, another is due at once */
    bool hurried;              /* it tripped: until a check has succeeded or it is down, checks
                                  follow each other at once */
    struct tripwire *tripwire; /* or NULL */
    enum link_route route;     /* the way to it when last looked at */
    uint64_t vote;             /* local_fault's */
    int64_t noted_us;          /* when the state was last told of it; 0: never */
};

/* Of that host, in no list yet: unknown, or up with check none. NULL without memory. For free(3),
 * once it is stopped. */
struct endpoint *endpoint_new(struct host *host, const struct config_candidate *candidate,
                              const struct har_address *address);

#endif
