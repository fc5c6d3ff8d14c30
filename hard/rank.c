#include "hard/rank.h"

#include <netinet/in.h>
#include <string.h>

struct rank_rules rank_rules_of(const struct config_host *host)
{
    return (struct rank_rules){.selection = host->selection,
                               .max_rtt_us = host->max_rtt_us,
                               .group_rtt_threshold_us = host->group_rtt_threshold_us,
                               .switch_margin_us = host->switch_margin_us,
                               .switch_ratio = host->switch_ratio};
}

enum rank_class rank_classify(const struct rank_rules *rules, const struct rank_entry *entry)
{
    if (entry->drained)
        return RANK_DRAINED;
    switch (entry->state) {
    case HEALTH_UNKNOWN:
        return RANK_UNKNOWN;
    case HEALTH_DOWN:
        return RANK_DOWN;
    case HEALTH_UP:
        break;
    }
    bool slow = entry->rtt_us != RANK_UNMEASURED && entry->rtt_us > rules->max_rtt_us;
    return slow ? RANK_SLOW : RANK_ELIGIBLE;
}

/* --- Groups ------------------------------------------------------------------------------------
 */

static void group_lead(struct rank_group *group, const struct rank_entry *entry)
{
    bool better = !group->there || entry->priority < group->priority ||
                  (entry->priority == group->priority && entry->rtt_us < group->fastest_us);
    if (better)
        *group = (struct rank_group){true, entry->priority, entry->rtt_us};
}

struct rank_groups rank_groups_of(const struct rank_rules *rules, const struct rank_entry *entries,
                                  size_t count)
{
    struct rank_groups groups = {.all = {.there = false}};
    for (size_t i = 0; i < count && rules->selection == SELECT_GROUP_RTT_RR; i++) {
        if (rank_classify(rules, &entries[i]) != RANK_ELIGIBLE)
            continue;
        group_lead(&groups.all, &entries[i]);
        group_lead(entries[i].address.family == AF_INET ? &groups.ipv4 : &groups.ipv6, &entries[i]);
    }
    return groups;
}

/* Those never measured are a group among themselves, if nobody was. */
static bool is_member(const struct rank_rules *rules, const struct rank_group *group,
                      const struct rank_entry *entry)
{
    return group->there && entry->priority == group->priority &&
           rank_classify(rules, entry) == RANK_ELIGIBLE &&
           entry->rtt_us - group->fastest_us <= rules->group_rtt_threshold_us;
}

static const struct rank_group *family_group(const struct rank_groups *groups,
                                             const struct rank_entry *entry)
{
    return entry->address.family == AF_INET ? &groups->ipv4 : &groups->ipv6;
}

enum rank_membership rank_membership(const struct rank_rules *rules,
                                     const struct rank_groups *groups,
                                     const struct rank_entry *entry)
{
    if (is_member(rules, &groups->all, entry))
        return RANK_IN_ALL;
    return is_member(rules, family_group(groups, entry), entry) ? RANK_IN_FAMILY : RANK_IN_NONE;
}

/* --- Order -------------------------------------------------------------------------------------
 */

struct sorting {
    const struct rank_rules *rules;
    const struct rank_entry *entries;
    size_t count;
    struct rank_groups groups;
    size_t *order;
};

/* The latency by which it ranks. */
static uint32_t ranked_us(const struct sorting *sorting, const struct rank_entry *entry)
{
    switch (rank_membership(sorting->rules, &sorting->groups, entry)) {
    case RANK_IN_ALL:
        return sorting->groups.all.fastest_us;
    case RANK_IN_FAMILY:
        return family_group(&sorting->groups, entry)->fastest_us;
    case RANK_IN_NONE:
        break;
    }
    return entry->rtt_us;
}

/* Whether the one at place `a` goes before the one at place `b`, by the rules for newcomers. */
static bool goes_before(const struct sorting *sorting, size_t a, size_t b)
{
    const struct rank_entry *one = &sorting->entries[a], *other = &sorting->entries[b];
    enum rank_class class = rank_classify(sorting->rules, one);
    enum rank_class other_class = rank_classify(sorting->rules, other);
    if (class != other_class)
        return class < other_class;
    if (class == RANK_UNKNOWN)
        return a < b;
    if (one->priority != other->priority)
        return one->priority < other->priority;
    if (sorting->rules->selection == SELECT_ORDERED)
        return a < b;
    uint32_t us = ranked_us(sorting, one), other_us = ranked_us(sorting, other);
    return us != other_us ? us < other_us : a < b;
}

/* Insertion: no memory, and the few endpoints of a host are mostly in order already. */
static void sort(const struct sorting *sorting)
{
    size_t *order = sorting->order;
    for (size_t i = 0; i < sorting->count; i++) {
        size_t at = i;
        for (; at > 0 && goes_before(sorting, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* --- Leaders -----------------------------------------------------------------------------------
 */

bool rank_is_voluntary(const struct rank_rules *rules, const struct rank_entry *entries, size_t was,
                       size_t is)
{
    return was != is && rank_classify(rules, &entries[was]) == RANK_ELIGIBLE &&
           rank_classify(rules, &entries[is]) == RANK_ELIGIBLE &&
           entries[was].priority == entries[is].priority;
}

static bool is_faster_enough(const struct rank_rules *rules, const struct rank_entry *challenger,
                             const struct rank_entry *leader)
{
    if (challenger->rtt_us >= leader->rtt_us)
        return false;
    uint32_t gain_us = leader->rtt_us - challenger->rtt_us;
    return gain_us >= rules->switch_margin_us && gain_us >= rules->switch_ratio * leader->rtt_us;
}

/* Does the leader stay in front of another one? */
static bool holds_out(const struct sorting *sorting, const struct rank_leader *leader,
                      size_t challenger)
{
    const struct rank_entry *entries = sorting->entries;
    return rank_is_voluntary(sorting->rules, entries, leader->place, challenger) &&
           (leader->held ||
            !is_faster_enough(sorting->rules, &entries[challenger], &entries[leader->place]));
}

/* The first of a family in the order, or RANK_NOBODY. */
static size_t find_first(const struct sorting *sorting, int family)
{
    for (size_t i = 0; i < sorting->count; i++) {
        if (sorting->entries[sorting->order[i]].address.family == family)
            return sorting->order[i];
    }
    return RANK_NOBODY;
}

/* Moves one in the order to just in front of another that it is behind of; both are places in the
 * array. */
static void move_before(const struct sorting *sorting, size_t moved, size_t other)
{
    size_t at = 0, from = 0;
    while (sorting->order[at] != other)
        at++;
    while (sorting->order[from] != moved)
        from++;
    memmove(sorting->order + at + 1, sorting->order + at, (from - at) * sizeof *sorting->order);
    sorting->order[at] = moved;
}

/* Who leads over both families is held in its own, too. */
static void keep_leader(const struct sorting *sorting, struct rank_leader leader,
                        const struct rank_leader *all)
{
    if (leader.place == RANK_NOBODY)
        return;
    size_t first = find_first(sorting, sorting->entries[leader.place].address.family);
    leader.held = leader.held || (all->held && all->place == leader.place);
    if (holds_out(sorting, &leader, first))
        move_before(sorting, leader.place, first);
}

/* Puts the better one of the two families' first in front of all. A leader over both that is none
 * of them was left for another one. */
static void choose_family(const struct sorting *sorting, const struct rank_leader *leader)
{
    size_t best = find_first(sorting, AF_INET), other = find_first(sorting, AF_INET6);
    if (best == RANK_NOBODY || other == RANK_NOBODY)
        return;
    if (goes_before(sorting, other, best)) {
        size_t ipv4 = best;
        best = other;
        other = ipv4;
    }
    if (leader->place == other && holds_out(sorting, leader, best))
        best = other;
    if (best != sorting->order[0])
        move_before(sorting, best, sorting->order[0]);
}

void rank_sort(const struct rank_rules *rules, const struct rank_entry *entries, size_t count,
               const struct rank_leaders *leaders, size_t *order)
{
    const struct sorting sorting = {.rules = rules,
                                    .entries = entries,
                                    .count = count,
                                    .groups = rank_groups_of(rules, entries, count),
                                    .order = order};
    sort(&sorting);
    if (rules->selection != SELECT_BEST_RTT)
        return;
    keep_leader(&sorting, leaders->ipv4, &leaders->all);
    keep_leader(&sorting, leaders->ipv6, &leaders->all);
    choose_family(&sorting, &leaders->all);
}

size_t rank_answering(const struct rank_rules *rules, const struct rank_entry *entries,
                      size_t count, const struct rank_leaders *leaders, size_t *order)
{
    rank_sort(rules, entries, count, leaders, order);
    if (count == 0 || rank_classify(rules, &entries[order[0]]) == RANK_SLOW)
        return 0;
    size_t answering = 0;
    for (size_t i = 0; i < count; i++) {
        enum rank_class class = rank_classify(rules, &entries[order[i]]);
        if (class == RANK_ELIGIBLE || class == RANK_UNKNOWN)
            order[answering++] = order[i];
    }
    return answering;
}

struct rank_leaders rank_leaders_of(const struct rank_entry *entries, const size_t *order,
                                    size_t count)
{
    struct rank_leaders leaders = {
        {RANK_NOBODY, false}, {RANK_NOBODY, false}, {RANK_NOBODY, false}};
    for (size_t i = count; i-- > 0;) {
        bool ipv4 = entries[order[i]].address.family == AF_INET;
        leaders.all.place = order[i];
        *(ipv4 ? &leaders.ipv4.place : &leaders.ipv6.place) = order[i];
    }
    return leaders;
}
