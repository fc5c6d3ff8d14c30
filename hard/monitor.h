/* Hosts and their endpoints: has them checked, keeps their health, ranks them, and tells the
 * publisher when an answer changed. The one place where config, checks, health, rank and schedule
 * meet. Lives on one loop. */
#ifndef HAR_HARD_MONITOR_H
#define HAR_HARD_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "config/config.h"
#include "hard/candidates.h"
#include "hard/check.h"
#include "hard/host.h"
#include "hard/local_fault.h"
#include "hard/table.h"

struct ev_loop;
struct link_watch;
struct monitor;
struct state;

/* What it stands on; all of it outlives the monitor. */
struct monitor_parts {
    struct ev_loop *loop;
    struct checker *checker;
    struct candidates *candidates;
    /* Called once, when every endpoint has had its first result and the ranking that knows them was
     * published, or could not be. */
    void (*ready)(void *arg);
    void *arg;
};

/* Nothing is checked before monitor_configure. parts is copied. NULL with error set. */
struct monitor *monitor_new(const struct monitor_parts *parts, struct har_error *error);
void monitor_free(struct monitor *monitor);

/* Goes over to config and takes ownership of it: new endpoints start unknown, removed ones are
 * forgotten with their checks, and those whose host, address and check stayed the same keep their
 * health and the check in flight. The first time, what the state remembers is taken up, and the
 * answers of the last ranking on disk stand until results are in. Returns 0; or HAR_ERR_MEMORY or
 * HAR_ERR_BUSY (another daemon publishes there, or has the state) with error set, everything as it
 * was, and config still the caller's. */
int monitor_configure(struct monitor *monitor, struct config *config, struct har_error *error);

/* --- For who shows or changes what goes on ------------------------------------------------------
 */

/* Valid until the loop runs on. NULL before the first monitor_configure. */
const struct table *monitor_table(const struct monitor *monitor);
const struct local_fault *monitor_local_fault(const struct monitor *monitor);
/* Is the host's answer frozen by it? */
bool monitor_is_frozen(const struct monitor *monitor, const struct host *host);

/* Overrides a candidate of the present table for for_s seconds, 0 for ever, and updates the answer
 * of its host at once. It is remembered over restarts. reason may be NULL. False without memory. */
bool monitor_override(struct monitor *monitor, struct host *host,
                      const struct config_candidate *candidate, enum override override,
                      uint32_t for_s, const char *reason);

/* A check of every endpoint of a host, now; one that is under way counts. done is called once, from
 * the loop, never from within monitor_check, unless the round is cancelled: when all have ended,
 * and those that left meanwhile are passed over. NULL without memory. */
struct monitor_round;
struct monitor_verdict {
    char *candidate; /* its label */
    struct har_address address;
    uint16_t port;
    bool ended; /* false: it left, or has check none; nothing below is set */
    struct check_result result;
    enum health_state state;
    const struct endpoint *endpoint; /* the monitor's own, for identity alone */
};
typedef void monitor_round_fn(void *arg, const struct monitor_verdict *verdicts, size_t count);
struct monitor_round *monitor_check(struct monitor *monitor, struct host *host,
                                    monitor_round_fn *done, void *arg);
/* Takes NULL. */
void monitor_round_cancel(struct monitor_round *round);

/* What became of a candidate that is a host name, and of its questions. UNKNOWN and no question for
 * one that is not. */
enum candidates_state monitor_name_state(const struct host *host,
                                         const struct config_candidate *candidate,
                                         struct candidates_counters *counters);

#endif
