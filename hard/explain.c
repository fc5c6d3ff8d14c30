/* Who is answered, who would be next, and how far they are apart. */
#include "har_config.h"

#include "hard/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hard/explain_run.h"

#define SECOND_US 1000000

/* Who would be answered, were the winner gone: as if he were drained. */
static size_t find_runner_up(const struct view *view, size_t winner)
{
    struct host_ranking without = view->ranking;
    size_t order[RANK_ENTRIES_MAX];
    if (winner == VIEW_NOBODY)
        return VIEW_NOBODY;
    without.entries[winner].drained = true;
    size_t count =
        rank_answering(&without.rules, without.entries, without.count, &without.leaders, order);
    return count > 0 ? order[0] : VIEW_NOBODY;
}

/* Does latency decide between them? Not within a group, where all count as fast as the fastest. */
static bool compete(const struct view *view, size_t winner, size_t runner_up)
{
    const struct host_ranking *ranking = &view->ranking;
    const struct rank_groups groups =
        rank_groups_of(&ranking->rules, ranking->entries, ranking->count);
    const struct rank_entry *one = &ranking->entries[winner], *other = &ranking->entries[runner_up];
    if (view_class(view, winner) != RANK_ELIGIBLE || view_class(view, runner_up) != RANK_ELIGIBLE)
        return false;
    return one->priority == other->priority && ranking->rules.selection != SELECT_ORDERED &&
           rank_membership(&ranking->rules, &groups, other) != RANK_IN_ALL;
}

static bool are_measured(const struct rank_entry *one, const struct rank_entry *other)
{
    return one->rtt_us != RANK_UNMEASURED && other->rtt_us != RANK_UNMEASURED;
}

/* --- The switch rules --------------------------------------------------------------------------
 */

static int64_t later(int64_t one_us, int64_t other_us)
{
    return one_us > other_us ? one_us : other_us;
}

/* Until when that leader keeps its place, if it is this endpoint; else long ago. */
static int64_t held_until_us(const struct view *view, const struct host_leader *leader,
                             size_t place)
{
    if (leader->switched_us == 0 || leader->endpoint != view->host->endpoints[place])
        return INT64_MIN;
    return leader->switched_us + INT64_C(1000) * view->host->config->switch_hold_ms;
}

/* Before the first round is over nobody leads, and a trifle is enough. */
static bool leads(const struct view *view, size_t place)
{
    const struct endpoint *endpoint = view->host->endpoints[place];
    return endpoint == view->host->leader.endpoint ||
           endpoint == view->host->leader_ipv4.endpoint ||
           endpoint == view->host->leader_ipv6.endpoint;
}

static int64_t needed_us(const struct view *view, size_t winner)
{
    const struct rank_rules *rules = &view->ranking.rules;
    double part_us = ceil(rules->switch_ratio * view->ranking.entries[winner].rtt_us);
    return leads(view, winner) ? later(rules->switch_margin_us, (int64_t)part_us) : 0;
}

/* One of its family may be held back by who leads that, too (hard/rank.h). */
static int64_t held_s(const struct view *view, size_t winner, size_t runner_up)
{
    const struct host *host = view->host;
    int family = view->ranking.entries[winner].address.family;
    int64_t until_us = held_until_us(view, &host->leader, winner);
    if (view->ranking.entries[runner_up].address.family == family) {
        until_us = later(until_us, held_until_us(view, &host->leader_ipv4, winner));
        until_us = later(until_us, held_until_us(view, &host->leader_ipv6, winner));
    }
    if (until_us <= view->now_us)
        return EXPLAIN_NONE;
    return (until_us - view->now_us + SECOND_US - 1) / SECOND_US;
}

static void compare(const struct view *view, struct explanation *explanation)
{
    size_t winner = explanation->winner, runner_up = explanation->runner_up;
    const struct rank_entry *entries = view->ranking.entries;
    if (winner == VIEW_NOBODY || runner_up == VIEW_NOBODY || !compete(view, winner, runner_up) ||
        !are_measured(&entries[winner], &entries[runner_up]))
        return;
    explanation->gap_us = (int64_t)entries[runner_up].rtt_us - (int64_t)entries[winner].rtt_us;
    if (view->ranking.rules.selection != SELECT_BEST_RTT || view->local_fault != NULL ||
        view->host->restored)
        return;
    explanation->needed_us = needed_us(view, winner);
    explanation->held_s = held_s(view, winner, runner_up);
}

/* --- The whole ---------------------------------------------------------------------------------
 */

/* Points out the sentences in a text of size bytes. */
static bool find_sentences(struct explanation *explanation, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += explanation->text[i] == '\0';
    explanation->why = calloc(count + 1, sizeof *explanation->why);
    if (explanation->why == NULL)
        return false;
    for (const char *at = explanation->text; explanation->why_count < count; at += strlen(at) + 1)
        explanation->why[explanation->why_count++] = at;
    return true;
}

bool explain(const struct view *view, struct explanation *explanation)
{
    *explanation = (struct explanation){.winner = view->winner,
                                        .gap_us = EXPLAIN_NONE,
                                        .needed_us = EXPLAIN_NONE,
                                        .held_s = EXPLAIN_NONE};
    explanation->runner_up = find_runner_up(view, view->winner);
    compare(view, explanation);

    size_t size = 0;
    FILE *out = open_memstream(&explanation->text, &size);
    if (out == NULL)
        return false;
    explain_why(out, view, explanation);
    if (fclose(out) == 0 && find_sentences(explanation, size))
        return true;
    explanation_done(explanation);
    return false;
}

void explanation_done(struct explanation *explanation)
{
    free(explanation->text);
    free(explanation->why);
}
