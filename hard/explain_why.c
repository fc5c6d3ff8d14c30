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
            "The answer stays as it is until this machine is no longer cut off (%s), "
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
    fprintf(teller->out, "The answer is that of an earlier run, until results are in");
    size_t count = count_unanswered(teller->host);
    if (count > 0)
        fprintf(teller->out, ": %zu of %zu are missing", count, teller->host->endpoint_count);
    explain_end(teller);
}

/* "failure_mode last", but an array of addresses has no such word (har.json(5)). */
static void say_failure_mode(const struct teller *teller)
{
    enum failure_mode mode = teller->host->config->failure_mode;
    if (mode == FAILURE_ADDRESSES)
        fputs("the addresses of failure_mode", teller->out);
    else
        fprintf(teller->out, "failure_mode %s", failure_mode_text(mode));
}

/* The drained are answered only where there is nobody else (hard/answer.h). */
static const char *fallback_words(const struct host *host)
{
    size_t drained = 0;
    for (size_t i = 0; i < host->endpoint_count; i++)
        drained += endpoint_override(host->endpoints[i]) == OVERRIDE_DRAIN;
    if (host->endpoint_count == 0)
        return "the next service or the upstreams are asked";
    return drained > 0 && drained < host->endpoint_count
               ? "every candidate that is not drained is answered, best known first"
               : "every candidate is answered, best known first";
}

/* What programs get. */
static void say_failure_answer(const struct teller *teller)
{
    const struct host *host = teller->host;
    switch (host->config->failure_mode) {
    case FAILURE_ALL:
        fprintf(teller->out, ": %s", fallback_words(host));
        return;
    case FAILURE_LAST:
        if (host->good.addresses != NULL)
            fputs(": the last good answer stands", teller->out);
        else
            fprintf(teller->out, ": there has been no good answer yet, so %s",
                    fallback_words(host));
        return;
    case FAILURE_NONE:
        fputs(": programs get the error EAI_AGAIN, and DNS clients SERVFAIL", teller->out);
        return;
    case FAILURE_FORWARD:
        fputs(": the next service or the upstreams are asked", teller->out);
        return;
    case FAILURE_ADDRESSES:
        fputs(" are answered", teller->out);
        return;
    }
}

static void tell_failing(const struct teller *teller)
{
    const struct host *host = teller->host;
    if (host->answer.addresses == NULL) {
        fputs("Nothing is answered yet: no name has been resolved", teller->out);
    } else if (host->failing) {
        fputs(host->endpoint_count > 0 ? "Nobody is eligible; " : "No candidate has an address; ",
              teller->out);
        say_failure_mode(teller);
        say_failure_answer(teller);
    } else {
        return;
    }
    explain_end(teller);
}

/* Without the one that answers now. */
static void tell_alone(const struct teller *teller)
{
    const struct explanation *explanation = teller->explanation;
    if (teller->host->failing || explanation->winner == VIEW_NOBODY ||
        explanation->runner_up != VIEW_NOBODY)
        return;
    fputs("Nobody else is eligible: without ", teller->out);
    explain_who(teller, explanation->winner);
    fputs(", ", teller->out);
    say_failure_mode(teller);
    fputs(teller->host->config->failure_mode == FAILURE_ADDRESSES ? " would be answered"
                                                                  : " would decide",
          teller->out);
    explain_end(teller);
}

static bool is_eligible_beside(const struct view *view, size_t place, size_t winner)
{
    return place != winner && view_class(view, place) == RANK_ELIGIBLE &&
           view->ranking.entries[place].priority == view->ranking.entries[winner].priority;
}

/* Where there is a choice between equals. */
static void tell_ordered(const struct teller *teller)
{
    const struct view *view = teller->view;
    size_t winner = teller->explanation->winner;
    bool choice = false;
    if (teller->host->config->selection != SELECT_ORDERED || teller->host->failing ||
        winner == VIEW_NOBODY)
        return;
    for (size_t i = 0; i < view->ranking.count && !choice; i++)
        choice = is_eligible_beside(view, i, winner);
    if (!choice)
        return;
    fputs("Among equal priorities the first one written is answered, whatever the latency "
          "(selection ordered)",
          teller->out);
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
        fprintf(teller->out, "Who asks for %s alone is answered ", family_words(family));
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

static void tell_name(const struct teller *teller, const struct config_candidate *candidate)
{
    const char *problem = view_name_problem(teller->view, candidate);
    if (problem == NULL)
        return;
    fprintf(teller->out, "%s %s", candidate->name, problem);
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
