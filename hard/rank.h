/* Who answers for a host, in which order (spec: "Health and ranking"). Pure: no clock, no socket.
 */
#ifndef HAR_HARD_RANK_H
#define HAR_HARD_RANK_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "hard/health.h"

/* One endpoint as ranking sees it. Its place in the array is the order written. */
struct rank_entry {
    enum health_state state;
    unsigned priority;
    uint32_t rtt_us; /* smoothed, of the host's rtt_mode; RANK_UNMEASURED without a measurement */
};
#define RANK_UNMEASURED UINT32_MAX

/* How far an endpoint is from answering. Best first; enum order is rank order. */
enum rank_class {
    RANK_ELIGIBLE, /* up and within max_rtt */
    RANK_SLOW,     /* up, but over max_rtt */
    RANK_UNKNOWN,  /* not checked yet */
    RANK_DOWN
};

struct rank_rules {
    enum selection selection;
    uint32_t max_rtt_us; /* or CONFIG_NO_LIMIT */
};

enum rank_class rank_classify(const struct rank_rules *rules, const struct rank_entry *entry);

/* Writes the places 0..count-1 to order, best first: by class, then priority, then latency (not
 * for SELECT_ORDERED, nor among unknown ones), then the order written. */
void rank_sort(const struct rank_rules *rules, const struct rank_entry *entries, size_t count,
               size_t *order);

/* How many of a sorted order, from its front, may answer in normal operation: the eligible ones and
 * those still unknown, never a slow or a dead one. Moves the unknown ones up behind the eligible
 * ones within order when slow ones stand between. 0 means that failure_mode decides. */
size_t rank_answering(const struct rank_rules *rules, const struct rank_entry *entries,
                      size_t count, size_t *order);

#endif
