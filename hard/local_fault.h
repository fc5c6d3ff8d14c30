/* Is it this machine that is cut off, rather than its servers that are down? Pure: no clock, no
 * socket; times are monotonic microseconds given by the caller.
 *
 * There is a local fault while
 *   - the way to every endpoint beyond this machine leads over an interface without carrier, or
 *     nowhere at all (LOCAL_FAULT_NO_CARRIER, LOCAL_FAULT_NO_ROUTE). One server alone without a
 *     route is an unreachable server, unless no route leads out of this machine;
 *   - there are no descriptors for checks (LOCAL_FAULT_NO_DESCRIPTORS);
 *   - every endpoint of every host has failed locally, one of them by local-error, and none did
 *     otherwise since the first of those checks failed (LOCAL_FAULT_EVERY_CHECK).
 * It begins at once. It ends when none of that was so for LOCAL_FAULT_SETTLE_US, or longer if
 * faults follow each other: twice as long for each that begins within LOCAL_FAULT_CALM_US of the
 * last one's end, to LOCAL_FAULT_SETTLE_MAX_US. A server beyond this machine that answers a check
 * begun later outweighs all that the routes seem to say, until the next view.
 *
 * While it lasts, the owner leaves the answer of each host that local_fault_covers as it is, and
 * takes none of its endpoints down. Checks go on: they may be what ends it. When it ends,
 * everything is checked at once. */
#ifndef HAR_HARD_LOCAL_FAULT_H
#define HAR_HARD_LOCAL_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "hard/check.h"
#include "hard/link_watch.h"

#define LOCAL_FAULT_SETTLE_US 1000000
#define LOCAL_FAULT_SETTLE_MAX_US 8000000
#define LOCAL_FAULT_CALM_US 60000000

enum local_fault_cause {
    LOCAL_FAULT_NONE,
    LOCAL_FAULT_NO_CARRIER,
    LOCAL_FAULT_NO_ROUTE,
    LOCAL_FAULT_NO_DESCRIPTORS,
    LOCAL_FAULT_EVERY_CHECK
};

/* "none", "no carrier", "no route", "no descriptors", "every check failed locally". Never NULL. */
const char *local_fault_cause_text(enum local_fault_cause cause);

/* What a call brought about. */
enum local_fault_change { LOCAL_FAULT_SAME, LOCAL_FAULT_BEGUN, LOCAL_FAULT_ENDED };

/* For the owner to read: lasts, cause. */
struct local_fault {
    bool lasts;
    enum local_fault_cause cause; /* the present one, or the last one */
    bool wide;                    /* not the network alone */

    enum local_fault_cause network; /* by the last view, or NONE */
    int64_t network_us;             /* of that view */
    bool no_descriptors;
    int64_t no_descriptors_us; /* when a check last found none */
    bool every_check;

    size_t endpoints;  /* that are checked */
    uint64_t streak;   /* of local failures; 1, 2, 3, ... */
    size_t votes;      /* endpoints that failed in it */
    bool local_error;  /* one of them so */
    int64_t streak_us; /* when the first did */

    int64_t settle_us; /* of this fault */
    int64_t quiet_us;  /* no cause is left since; or LOCAL_FAULT_NEVER */
    int64_t ended_us;  /* the last one; or LOCAL_FAULT_NEVER */
};

#define LOCAL_FAULT_NEVER INT64_MAX

/* No fault, no endpoints. Nothing to release. */
void local_fault_init(struct local_fault *fault);

/* How many endpoints are checked, whenever that changes. The count of who failed starts anew. */
void local_fault_population(struct local_fault *fault, size_t endpoints);

/* --- The network ------------------------------------------------------------------------------
 * To be looked at when the daemon starts, after every change of the endpoints, when link_watch
 * calls, and before a failure is believed, if link_watch_take says so. */

/* All endpoints together. Start from {.cut_off = link_watch_is_cut_off(watch)}. */
struct local_fault_view {
    bool cut_off;
    size_t fine, no_carrier, no_route;
    bool several;             /* addresses without a route */
    struct har_address first; /* of them */
};

/* Adds an endpoint, with what link_watch_look says of its address. */
void local_fault_view_add(struct local_fault_view *view, const struct har_address *address,
                          enum link_route route);

enum local_fault_change local_fault_network(struct local_fault *fault,
                                            const struct local_fault_view *view, int64_t now_us);

/* --- Results ---------------------------------------------------------------------------------- */

/* What the result of a check says about this machine. */
enum local_fault_word {
    WORD_HERE,          /* a server on this machine answered, if only to refuse */
    WORD_BEYOND,        /* one beyond it did */
    WORD_SILENCE,       /* this machine did what it could */
    WORD_NO_ROUTE,      /* it knew no way */
    WORD_LOCAL_ERROR,   /* it could not check */
    WORD_NO_DESCRIPTORS /* for want of a descriptor */
};

/* route: link_watch_look of the endpoint; asked anew for REASON_UNREACHABLE and
 * REASON_CONNECT_TIMEOUT. has_descriptors, for REASON_LOCAL_ERROR: does another one open (dup(2))
 * now? */
enum local_fault_word local_fault_word(enum check_reason reason, enum link_route route,
                                       bool has_descriptors);

/* A result of an endpoint, of a check begun at started_us. *vote is the endpoint's, kept here for
 * it; 0 for a new one. A result is told before it is believed, so that the one which shows the
 * fault takes nothing down. */
enum local_fault_change local_fault_result(struct local_fault *fault, uint64_t *vote,
                                           enum local_fault_word word, int64_t started_us,
                                           int64_t now_us);

/* --- Time --------------------------------------------------------------------------------------
 */

/* When local_fault_tick is to be called; LOCAL_FAULT_NEVER: no need. May change with every call. */
int64_t local_fault_due_us(const struct local_fault *fault);
enum local_fault_change local_fault_tick(struct local_fault *fault, int64_t now_us);

/* Did a check that began at started_us begin before the last fault ended? What it met is the
 * fault's doing, and its times too: a packet that was lost is sent again a second later. */
bool local_fault_spoiled(const struct local_fault *fault, int64_t started_us);

/* Is a host frozen? has_here: one of its endpoints is LINK_HERE. Such a host has somebody left to
 * answer when only the network is gone, so it is ranked, and its endpoints go down, as ever. */
bool local_fault_covers(const struct local_fault *fault, bool has_here);

#endif
