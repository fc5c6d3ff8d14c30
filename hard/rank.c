#include "hard/rank.h"

#include <stdbool.h>

enum rank_class rank_classify(const struct rank_rules *rules, const struct rank_entry *entry)
{
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

/* Whether a goes before b. Equal ones keep the order written, so that is all a stable sort needs.
 */
static bool goes_before(const struct rank_rules *rules, const struct rank_entry *a,
                        const struct rank_entry *b)
{
    enum rank_class class_a = rank_classify(rules, a), class_b = rank_classify(rules, b);
    if (class_a != class_b)
        return class_a < class_b;
    if (class_a == RANK_UNKNOWN)
        return false;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return rules->selection == SELECT_BEST_RTT && a->rtt_us < b->rtt_us;
}

/* Insertion: stable, no memory, and the few candidates of a host are mostly in order already. */
void rank_sort(const struct rank_rules *rules, const struct rank_entry *entries, size_t count,
               size_t *order)
{
    for (size_t i = 0; i < count; i++) {
        size_t place = i;
        for (; place > 0 && goes_before(rules, &entries[i], &entries[order[place - 1]]); place--)
            order[place] = order[place - 1];
        order[place] = i;
    }
}

size_t rank_answering(const struct rank_rules *rules, const struct rank_entry *entries,
                      size_t count, size_t *order)
{
    rank_sort(rules, entries, count, order);
    if (rank_classify(rules, &entries[order[0]]) == RANK_SLOW)
        return 0;
    size_t answering = 0;
    for (size_t i = 0; i < count; i++) {
        enum rank_class class = rank_classify(rules, &entries[order[i]]);
        if (class == RANK_ELIGIBLE || class == RANK_UNKNOWN)
            order[answering++] = order[i];
    }
    return answering;
}
