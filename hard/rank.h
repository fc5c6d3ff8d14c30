/* Who answers for a host, in which order. Pure: no clock, no socket, no globals. */
#ifndef HAR_HARD_RANK_H
#define HAR_HARD_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "config/config.h"
#include "hard/health.h"

#define RANK_UNMEASURED UINT32_MAX
#define RANK_ENTRIES_MAX 512 /* endpoints of one host */

/* One endpoint as ranking sees it. Its place in the array is the order written. */
struct rank_entry {
    struct har_address address;
    enum health_state state;
    bool drained;      /* by the operator: checked, but not to answer */
    unsigned priority; /* 0 is best */
    unsigned weight;   /* in a group */
    uint32_t rtt_us;   /* smoothed, of the host's rtt_mode; or RANK_UNMEASURED */
};

struct rank_rules {
    enum selection selection;
    uint32_t max_rtt_us; /* or CONFIG_NO_LIMIT */
    uint32_t group_rtt_threshold_us;
    uint32_t switch_margin_us;
    double switch_ratio;
};
struct rank_rules rank_rules_of(const struct config_host *host);

/* How far an endpoint is from answering; the order of the words is rank order. */
enum rank_class {
    RANK_ELIGIBLE, /* up and within max_rtt; one that is never measured (check none) is within it */
    RANK_SLOW,     /* up, but over max_rtt */
    RANK_UNKNOWN,  /* no result yet */
    RANK_DOWN,
    RANK_DRAINED
};
enum rank_class rank_classify(const struct rank_rules *rules, const struct rank_entry *entry);

/* One who led so far, as its place in the array, so that it is not left for a trifle. */
#define RANK_NOBODY SIZE_MAX
struct rank_leader {
    size_t place; /* or RANK_NOBODY */
    bool held;    /* not to be left for a faster one at all (switch_hold) */
};
struct rank_leaders {
    struct rank_leader all; /* over both families */
    struct rank_leader ipv4, ipv6;
};

/* Writes the places 0..count-1 to order, best first: by class, then priority, then as `selection`
 * says, then the order written. Latency does not count with SELECT_ORDERED, and nobody unknown has
 * one. For the dead it is the last one known.
 *
 * SELECT_BEST_RTT: the fastest first; but the leader of a family stays the first of its family
 * until the fastest one of its priority is faster by switch_margin and by switch_ratio of the
 * leader's latency, and while it is held in any case. A leader that is not eligible any more, or
 * outranked by priority, is left at once. By the same rule the leader over both families stays in
 * front of the first of the other one, if it is the first of its own.
 * SELECT_GROUP_RTT_RR: who is in a group (below) counts as fast as its fastest, so that noise
 * within it changes nothing: its members keep the order written.
 *
 * count is at most RANK_ENTRIES_MAX. */
void rank_sort(const struct rank_rules *rules, const struct rank_entry *entries, size_t count,
               const struct rank_leaders *leaders, size_t *order);

/* Sorts, and keeps in order who may answer, best first: the eligible ones, and behind them the
 * unknown ones, so that a name resolves from the first moment; but the unknown ones not in place
 * of slow ones, which rank above them. Returns how many. None: failure_mode decides. */
size_t rank_answering(const struct rank_rules *rules, const struct rank_entry *entries,
                      size_t count, const struct rank_leaders *leaders, size_t *order);

/* The first of each in an order; nobody is held. */
struct rank_leaders rank_leaders_of(const struct rank_entry *entries, const size_t *order,
                                    size_t count);

/* Was leaving `was` for `is`, both places, a matter of taste? It is not when `was` cannot answer
 * any more or is outranked by priority. */
bool rank_is_voluntary(const struct rank_rules *rules, const struct rank_entry *entries, size_t was,
                       size_t is);

/* Those within group_rtt_threshold of the fastest, all eligible and of its priority, itself
 * included: of each family, and over both. Without SELECT_GROUP_RTT_RR there is none. */
struct rank_group {
    bool there;
    unsigned priority;
    uint32_t fastest_us;
};
struct rank_groups {
    struct rank_group all, ipv4, ipv6;
};
struct rank_groups rank_groups_of(const struct rank_rules *rules, const struct rank_entry *entries,
                                  size_t count);

/* Who is in the group over both families is in that of its own, too. */
enum rank_membership { RANK_IN_NONE, RANK_IN_FAMILY, RANK_IN_ALL };
enum rank_membership rank_membership(const struct rank_rules *rules,
                                     const struct rank_groups *groups,
                                     const struct rank_entry *entry);

#endif
