/* A host as people are told of it: what describe.h and explain.h have in common. Pure: no clock, no
 * socket, no globals. */
#ifndef HAR_HARD_VIEW_H
#define HAR_HARD_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hard/candidates.h"
#include "hard/host.h"

#define VIEW_NOBODY SIZE_MAX

struct view {
    const struct host *host;
    int64_t now_us;          /* monotonic */
    const char *local_fault; /* why the host's answer is frozen; NULL: it is not */
    /* What became of the names: of each candidate that is one, at its place in the configuration.
     */
    enum candidates_state names[CONFIG_CANDIDATES_MAX];

    /* The rest is view_complete's. Places are those of host->endpoints. */
    struct host_ranking ranking;
    size_t order[RANK_ENTRIES_MAX]; /* places as ranked now, best first */
    /* Of the answers for its family that begin with it, 0 to 1: by the answer as it is, whatever
     * the ranking says. Of endpoints with one address, the one that ranks first. */
    double shares[RANK_ENTRIES_MAX];
    size_t winner; /* whose address is the first of the answer, or VIEW_NOBODY */
};

/* Fills in the rest. The host is borrowed: the view is good until it changes. */
void view_complete(struct view *view);

enum rank_class view_class(const struct view *view, size_t place);

/* A candidate that is a name, and has no endpoint. */
bool view_is_nameless(const struct view *view, const struct config_candidate *candidate);

/* What is wrong with its name, for a person: "has no address: there is no such name". NULL:
 * nothing, or it is an address. */
const char *view_name_problem(const struct view *view, const struct config_candidate *candidate);

/* What became of its name. */
enum candidates_state view_name(const struct view *view, const struct config_candidate *candidate);

#endif
