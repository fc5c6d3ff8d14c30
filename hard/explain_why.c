/* The sentences: of the answer as a whole, then of each endpoint that has something to say, best
 * first, then of names without address. */
#include "har_config.h"

#include <netinet/in.h>

#include "config/duration.h"
#include "hard/explain_run.h"

/* --- Words -------------------------------------------------------------------------------------
 */

void explain_end(const struct teller *teller)
{
    putc('\0', teller->out);
}

void explain_duration(const struct teller *teller, uint32_t us)
{
    char text[DURATION_TEXT_MAX];
    fputs(duration_format(us, text), teller->out);
}

void explain_who(const struct teller *teller, size_t place)
{
    const struct endpoint *endpoint = teller->host->endpoints[place];
    char address[HAR_ADDRESS_TEXT_MAX];
    fputs(endpoint->candidate->name, teller->out);
    if (endpoint->candidate->host_name != NULL)
        fprintf(teller->out, " (%s)", har_address_format(&endpoint->target.address, address));
}

/* --- The answer as a whole ---------------------------------------------------------------------
 */

static void tell_frozen(const struct teller *teller)
{
    if (teller->view->local_fault == NULL)
        return;
    fprintf(teller->out,
            "the answer stays as it is until this machine is no longer cut off (%s), "
            "and then everything is checked at once",
            teller->view->local_fault);
    explain_end(teller);
}

static size_t count_unanswered(const struct host *host)
{
    size_t count = 0;
    for (size_t i = 0; i < host->endpoint_count; i++)
        count += !host->endpoints[i]->answered;
    return count;
}

static void tell_restored(const struct teller *teller)
{
    if (!teller->host->restored)
        return;
    fprintf(teller->out, "the answer is that of an earlier run, until results are in");
    size_t count = count_unanswered(teller->host);
    if (count > 0)
        fprintf(teller->out, ": %zu of %zu are missing", count, teller->host->endpoint_count);
    explain_end(teller);
}

static const char *failure_words(const struct host *host)
{
    switch (host->config->failure_mode) {
    case FAILURE_LAST:
        if (host->good.addresses != NULL)
            return "the last good answer";
        /* fall through */
    case FAILURE_ALL:
        return host->endpoint_count > 0 ? "every candidate, best known first"
                                        : "what the next service says";
    case FAILURE_NONE:
        return "an error";
    case FAILURE_FORWARD:
        return "what the next service says";
    case FAILURE_ADDRESSES:
        return "the addresses given there";
    }
    return "an error";
}

static void tell_failing(const struct teller *teller)
{
    const struct host *host = teller->host;
    if (host->answer.addresses == NULL)
        fprintf(teller->out, "nothing is answered yet: no name has been resolved");
    else if (host->failing)
        fprintf(teller->out, "%s: failure_mode %s answers %s",
                host->endpoint_count > 0 ? "nobody is eligible" : "no candidate has an address",
                failure_mode_text(host->config->failure_mode), failure_words(host));
    else
        return;
    explain_end(teller);
}

/* Without the one that answers now. */
static void tell_alone(const struct teller *teller)
{
    const struct explanation *explanation = teller->explanation;
    if (teller->host->failing || explanation->winner == VIEW_NOBODY ||
        explanation->runner_up != VIEW_NOBODY)
        return;
    fprintf(teller->out, "nobody else is eligible: without ");
    explain_who(teller, explanation->winner);
    fprintf(teller->out, " failure_mode %s would decide",
            failure_mode_text(teller->host->config->failure_mode));
    explain_end(teller);
}

static void tell_ordered(const struct teller *teller)
{
    if (teller->host->config->selection != SELECT_ORDERED || teller->host->endpoint_count < 2)
        return;
    fprintf(teller->out, "among equal priorities the first one written is answered, whatever the "
                         "latency (selection ordered)");
    explain_end(teller);
}

/* --- Groups and families -----------------------------------------------------------------------
 */

static size_t count_sharing(const struct view *view, int family)
{
    size_t count = 0;
    for (size_t i = 0; i < view->ranking.count; i++)
        count += view->shares[i] > 0 && view->ranking.entries[i].address.family == family;
    return count;
}

static const char *family_words(int family)
{
    return family == AF_INET ? "IPv4" : "IPv6";
}

/* "IPv4 is answered in rotation: a 67%, b 33%; within 10ms of the fastest (group_rtt_threshold)" */
static void tell_rotation(const struct teller *teller, int family)
{
    const struct view *view = teller->view;
    const char *before = ": ";
    fprintf(teller->out, "%s is answered in rotation", family_words(family));
    for (size_t i = 0; i < view->ranking.count; i++) {
        size_t place = view->order[i];
        if (view->shares[place] == 0 || view->ranking.entries[place].address.family != family)
            continue;
        fputs(before, teller->out);
        explain_who(teller, place);
        fprintf(teller->out, " %.0f%%", view->shares[place] * 100);
        before = ", ";
    }
    fprintf(teller->out, "; all within ");
    explain_duration(teller, teller->host->config->group_rtt_threshold_us);
    fprintf(teller->out, " of the fastest (group_rtt_threshold)");
    explain_end(teller);
}

/* Who is first of the family that the winner is not of: its own clients are answered that. */
static void tell_other_family(const struct teller *teller, int family)
{
    const struct view *view = teller->view;
    size_t winner = view->winner;
    if (winner == VIEW_NOBODY || view->ranking.entries[winner].address.family == family)
        return;
    for (size_t i = 0; i < view->ranking.count; i++) {
        if (view->shares[i] == 0 || view->ranking.entries[i].address.family != family)
            continue;
        fprintf(teller->out, "who asks for %s alone is answered ", family_words(family));
        explain_who(teller, i);
        explain_end(teller);
    }
}

static void tell_families(const struct teller *teller)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        if (count_sharing(teller->view, families[i]) > 1)
            tell_rotation(teller, families[i]);
        else
            tell_other_family(teller, families[i]);
    }
}

/* --- Names -------------------------------------------------------------------------------------
 */

static const char *nameless_words(enum candidates_state state)
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

static const char *known_words(enum candidates_state state)
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

static void tell_name(const struct teller *teller, const struct config_candidate *candidate)
{
    enum candidates_state state = view_name(teller->view, candidate);
    if (view_is_nameless(teller->view, candidate))
        fprintf(teller->out, "%s %s", candidate->name, nameless_words(state));
    else if (known_words(state) != NULL)
        fprintf(teller->out, "%s %s", candidate->name, known_words(state));
    else
        return;
    explain_end(teller);
}

/* --- The whole ---------------------------------------------------------------------------------
 */

void explain_why(FILE *out, const struct view *view, const struct explanation *explanation)
{
    const struct host_ranking *ranking = &view->ranking;
    const struct teller teller = {
        .out = out,
        .view = view,
        .host = view->host,
        .explanation = explanation,
        .groups = rank_groups_of(&ranking->rules, ranking->entries, ranking->count)};
    tell_frozen(&teller);
    tell_restored(&teller);
    tell_failing(&teller);
    tell_alone(&teller);
    tell_ordered(&teller);
    tell_families(&teller);
    for (size_t i = 0; i < ranking->count; i++)
        explain_endpoint(&teller, view->order[i]);
    for (size_t i = 0; i < view->host->config->candidate_count; i++) {
        if (view->host->config->candidates[i].host_name != NULL)
            tell_name(&teller, &view->host->config->candidates[i]);
    }
}
