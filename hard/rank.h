/* Who answers for a host, in which order. Pure: no clock, no socket, no globals. */
#ifndef HAR_HARD_RANK_H
#define HAR_HARD_RANK_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "hard/health.h"

#define RANK_UNMEASURED UINT32_MAX

/* One endpoint as ranking sees it. Its place in the array is the order written. */
struct rank_entry {
    enum health_state state;
    unsigned priority; /* 0 is best */
    uint32_t rtt_us;   /* smoothed, of the host's rtt_mode; or RANK_UNMEASURED */
};

struct rank_rules {
    enum selection selection;
    uint32_t max_rtt_us; /* or CONFIG_NO_LIMIT */
};

/* How far an endpoint is from answering; the order of the words is rank order. */
enum rank_class {
    RANK_ELIGIBLE, /* up and within max_rtt; one that is never measured (check none) is within it */
    RANK_SLOW,     /* up, but over max_rtt */
    RANK_UNKNOWN,  /* no result yet */
    RANK_DOWN
};
enum rank_class rank_classify(const struct rank_rules *rules, const struct rank_entry *entry);

/* Writes the places 0..count-1 to order, best first: by class, then priority, then latency, then
 * the order written. Latency does not count with SELECT_ORDERED, and nobody unknown has one. For
 * the dead it is the last one known. count is at most CONFIG_CANDIDATES_MAX. */
void rank_sort(const struct rank_rules *rules, const struct rank_entry *entries, size_t count,
               size_t *order);

/* Writes to order who may answer, best first: the eligible ones, and behind them the unknown ones,
 * so that a name resolves from the first moment; but the unknown ones not in place of slow ones,
 * which rank above them. Returns how many. None: failure_mode decides. */
size_t rank_answering(const struct rank_rules *rules, const struct rank_entry *entries,
                      size_t count, size_t *order);

#endif
