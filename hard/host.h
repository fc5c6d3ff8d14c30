/* A host, its endpoints and what it answers now. No sockets, no clock: the monitor has the
 * endpoints checked and feeds their health. */
#ifndef HAR_HARD_HOST_H
#define HAR_HARD_HOST_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "hard/check.h"
#include "hard/health.h"
#include "ranking/publish.h"

struct monitor;

/* What the operator says of an endpoint, whatever its checks say. */
enum override { OVERRIDE_NONE, OVERRIDE_DRAIN, OVERRIDE_UP, OVERRIDE_DOWN };

/* One address of one host, checked in its own right. Allocated alone, because a timer and a check
 * in flight point to it while tables come and go around it. */
struct endpoint {
    struct monitor *monitor;
    struct host *host; /* NULL: it left its host, and is to be stopped and freed */
    const struct config_candidate *candidate;
    struct check_target target;
    struct health health;
    enum override override;
    bool answered; /* has had a result, or needs none */

    /* The monitor's. */
    bool started;          /* timer is initialised and runs, or its check does */
    ev_timer timer;        /* the next check */
    struct check *running; /* or NULL */
    int64_t started_us;    /* the check in flight */
    unsigned distorted;    /* results in a row whose times were not believed */
    bool local_error;      /* the last result was one */
};

/* An answer as in ranking_row. */
struct host_answer {
    const char *status; /* RANKING_STATUS_*: static */
    char *addresses;    /* NULL: none yet */
    char *weights;      /* NULL: no group */
    unsigned answers;
};

void host_answer_done(struct host_answer *answer);

struct host_leader {
    const struct endpoint *endpoint; /* or NULL */
    int64_t switched_us;             /* when one was last left for a faster one; 0: never */
};

struct host {
    const struct config_host *config;
    struct endpoint **endpoints; /* in the order written; none of a family that is not wanted */
    size_t endpoint_count;       /* at most RANK_ENTRIES_MAX */
    bool *resolved; /* of each candidate: not waiting to hear of its name for the first time */
    struct host_answer answer; /* what it answers now */
    struct host_answer good;   /* FAILURE_LAST: the last one given by somebody eligible */
    bool failing;              /* nobody was eligible, failure_mode gave the answer */
    bool restored;             /* the answer is that of an earlier run */
    /* For the switch rules. Before the first round is over only who led in an earlier run does: who
     * happens to be checked first has not won yet. */
    bool settled;
    struct host_leader leader, leader_ipv4, leader_ipv6;
};

/* Every endpoint is unknown but those of check none, which are up. Candidates that are host names
 * have none yet. False without memory; host_done releases what there is. */
bool host_init(struct host *host, const struct config_host *config);
void host_done(struct host *host);

/* Is somebody's name still to be heard of for the first time? */
bool host_is_waiting(const struct host *host);

/* The addresses of a candidate that is a host name, as they are now, in any order: endpoints for
 * the new ones, unknown. Those whose address is gone leave the host: *gone is an array of
 * *gone_count for free(3), and they are the caller's to stop and free. count 0 means that none
 * could be found: nobody waits for the name any more, and endpoints that it has stay. What does not
 * fit RANK_ENTRIES_MAX is left out. False without memory: then all is as before, and *gone
 * untouched.
 */
bool host_resolved(struct host *host, const struct config_candidate *candidate,
                   const struct har_address *addresses, size_t count, struct endpoint ***gone,
                   size_t *gone_count);

/* Moves over from old, a host of the same name, the answer, what the switch rules remember, and the
 * endpoints whose address and check are the same. Names are not asked again: their endpoints come
 * along. False without memory: then nothing was moved. */
bool host_inherit(struct host *host, struct host *old);

/* The answer of an earlier run, for a host without one. It stands until every endpoint of the host
 * has had a result, and those that are up a latency, or its best is down or drained, or, if it
 * named none of them, one is up. Addresses of names that nobody could resolve so far stand longer:
 * until an endpoint is up. Passed over unless it is one that the configuration can give. */
void host_restore(struct host *host, const struct ranking_row *row);

/* Ranks the host anew, unless nobody is there to be ranked yet; now_us is monotonic. Returns true
 * when its answer changed, then *was is the addresses before, NULL if there was none, for free(3).
 * Without memory for the new answer the old one stays, until the next call. */
bool host_update_answer(struct host *host, int64_t now_us, char **was);

#endif
