#include "hard/view.h"

#include <netinet/in.h>
#include <stdlib.h>

/* --- Shares ------------------------------------------------------------------------------------
 */

static size_t find_by_address(const struct view *view, const struct har_address *address)
{
    for (size_t i = 0; i < view->ranking.count; i++) {
        if (har_address_equal(&view->ranking.entries[view->order[i]].address, address))
            return view->order[i];
    }
    return VIEW_NOBODY;
}

struct sums {
    long ipv4, ipv6;
};

static long *sum_of(struct sums *sums, const struct har_address *address)
{
    return address->family == AF_INET ? &sums->ipv4 : &sums->ipv6;
}

/* Notes how often an address comes first, beside the others of its family: by its weight; in a
 * family without a group, the first alone. */
static void note_weight(struct view *view, struct sums *sums, const struct har_address *address,
                        const char **weights)
{
    size_t place = find_by_address(view, address);
    long *sum = sum_of(sums, address);
    long weight = *weights != NULL ? labs(strtol(*weights, (char **)weights, 10)) : 0;
    if (weight == 0)
        weight = *sum == 0;
    *sum += weight;
    if (place != VIEW_NOBODY)
        view->shares[place] = (double)weight;
}

static void find_shares(struct view *view)
{
    const struct host_answer *answer = &view->host->answer;
    const char *addresses = answer->addresses, *weights = answer->weights;
    struct sums sums = {0, 0};
    struct har_address address;
    for (size_t i = 0; i < view->ranking.count; i++)
        view->shares[i] = 0;
    while (addresses != NULL && (addresses = host_answer_next(addresses, &address)) != NULL)
        note_weight(view, &sums, &address, &weights);
    for (size_t i = 0; i < view->ranking.count; i++) {
        long sum = *sum_of(&sums, &view->ranking.entries[i].address);
        if (sum > 0)
            view->shares[i] /= (double)sum;
    }
}

/* --- The whole ---------------------------------------------------------------------------------
 */

static size_t find_winner(const struct view *view)
{
    const char *addresses = view->host->answer.addresses;
    struct har_address first;
    bool any = addresses != NULL && host_answer_next(addresses, &first) != NULL;
    return any ? find_by_address(view, &first) : VIEW_NOBODY;
}

void view_complete(struct view *view)
{
    struct host_ranking *ranking = &view->ranking;
    host_ranking_of(view->host, view->now_us, ranking);
    rank_sort(&ranking->rules, ranking->entries, ranking->count, &ranking->leaders, view->order);
    find_shares(view);
    view->winner = find_winner(view);
}

enum rank_class view_class(const struct view *view, size_t place)
{
    return rank_classify(&view->ranking.rules, &view->ranking.entries[place]);
}

bool view_is_nameless(const struct view *view, const struct config_candidate *candidate)
{
    bool nameless = candidate->host_name != NULL;
    for (size_t i = 0; i < view->host->endpoint_count && nameless; i++)
        nameless = view->host->endpoints[i]->candidate != candidate;
    return nameless;
}

/* --- Names -------------------------------------------------------------------------------------
 */

static const char *nameless_problem(enum candidates_state state)
{
    switch (state) {
    case CANDIDATES_UNKNOWN:
        return "has no address yet: its name is being resolved";
    case CANDIDATES_RESOLVED:
        return "has no address here: there are too many others";
    case CANDIDATES_PARTLY:
        return "has no address that is wanted here, and one family of its name is not answered";
    case CANDIDATES_NO_DATA:
        return "has no address: its name has none";
    case CANDIDATES_NO_NAME:
        return "has no address: there is no such name";
    case CANDIDATES_FAILED:
        return "has no address yet: its name does not resolve";
    }
    return "has no address yet";
}

static const char *known_problem(enum candidates_state state)
{
    switch (state) {
    case CANDIDATES_UNKNOWN:
    case CANDIDATES_RESOLVED:
        return NULL;
    case CANDIDATES_PARTLY:
        return "keeps its last known addresses of one family: no upstream answers for that now";
    case CANDIDATES_NO_DATA:
    case CANDIDATES_NO_NAME:
        return "keeps its last known addresses: its name has none any more";
    case CANDIDATES_FAILED:
        return "keeps its last known addresses: no upstream answers for its name now";
    }
    return NULL;
}

const char *view_name_problem(const struct view *view, const struct config_candidate *candidate)
{
    enum candidates_state state = view->names[candidate - view->host->config->candidates];
    if (candidate->host_name == NULL)
        return NULL;
    return view_is_nameless(view, candidate) ? nameless_problem(state) : known_problem(state);
}

enum candidates_state view_name(const struct view *view, const struct config_candidate *candidate)
{
    return view->names[candidate - view->host->config->candidates];
}
