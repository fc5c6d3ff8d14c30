/* What an endpoint has to say: why it is not answered, and what would change that; or what speaks
 * against it. */
#include "har_config.h"

#include <netinet/in.h>

#include "config/duration.h"
#include "hard/explain_run.h"

#define SECOND_US 1000000

/* --- Words -------------------------------------------------------------------------------------
 */

static void say_latency(const struct teller *teller, uint32_t us)
{
    char text[DURATION_TEXT_MAX];
    fputs(duration_format_latency(us, text), teller->out);
}

/* "connect-refused", "bad-status (status 503)", of a failure. */
static void say_failure(const struct teller *teller, const struct endpoint *endpoint)
{
    if (!endpoint->judged || endpoint->reason == REASON_OK)
        return;
    fprintf(teller->out, ": %s", check_reason_text(endpoint->reason));
    if (endpoint->detail[0] != '\0')
        fprintf(teller->out, " (%s)", endpoint->detail);
}

/* " for another 58m (upgrade)", " until `harctl auto api.example.com a`" */
static void say_override(const struct teller *teller, const struct endpoint *endpoint)
{
    const struct host_candidate *candidate = host_candidate_of(teller->host, endpoint->candidate);
    int64_t left_us = candidate->override_until_us - teller->view->now_us;
    char text[DURATION_TEXT_MAX];
    if (candidate->override_until_us == HOST_NO_END)
        fprintf(teller->out, " until `harctl auto %s %s`", teller->host->config->name,
                endpoint->candidate->name);
    else /* a second that has begun counts: "for another 2h" just after `--for 2h` */
        fprintf(teller->out, " for another %s",
                duration_format_age(left_us > 0 ? (uint64_t)left_us + SECOND_US - 1 : 0, text));
    if (candidate->override_reason != NULL)
        fprintf(teller->out, " (%s)", candidate->override_reason);
}

/* --- Endpoints ---------------------------------------------------------------------------------
 */

/* Whoever comes back with a better place goes first at once, if that can be said beforehand. */
static void say_comeback(const struct teller *teller, size_t place)
{
    const struct rank_entry *entries = teller->view->ranking.entries;
    size_t winner = teller->explanation->winner;
    if (winner == VIEW_NOBODY || teller->host->failing)
        return;
    unsigned priority = entries[place].priority;
    if (priority < entries[winner].priority) {
        fprintf(teller->out, "; then it takes over, for it has priority %u", priority);
    } else if (priority == entries[winner].priority && place < winner &&
               teller->host->config->selection == SELECT_ORDERED) {
        fprintf(teller->out, "; then it takes over, for it is written before ");
        explain_who(teller, winner);
    }
}

static void tell_override(const struct teller *teller, size_t place, const char *what)
{
    const struct endpoint *endpoint = teller->host->endpoints[place];
    const struct host_candidate *candidate = host_candidate_of(teller->host, endpoint->candidate);
    enum health_state state = endpoint->health.state;
    explain_who(teller, place);
    fprintf(teller->out, " is %s", what);
    say_override(teller, endpoint);
    if (state == HEALTH_UP && candidate->override != OVERRIDE_UP &&
        candidate->override_until_us != HOST_NO_END)
        say_comeback(teller, place);
    if (state != HEALTH_UP || candidate->override == OVERRIDE_DOWN) {
        fprintf(teller->out, "; its checks say %s", health_state_text(state));
        say_failure(teller, endpoint);
    }
    explain_end(teller);
}

static void tell_down(const struct teller *teller, size_t place)
{
    const struct endpoint *endpoint = teller->host->endpoints[place];
    unsigned rise = endpoint->target.check->rise, streak = endpoint->health.streak;
    unsigned missing = rise > streak ? rise - streak : 1;
    explain_who(teller, place);
    fprintf(teller->out, " is down");
    say_failure(teller, endpoint);
    fprintf(teller->out,
            missing > 1 ? "; %u %ssuccesses in a row bring it back"
                        : "; %u %ssuccess brings it back",
            missing, streak > 0 ? "more " : "");
    say_comeback(teller, place);
    explain_end(teller);
}

static void tell_slow(const struct teller *teller, size_t place)
{
    explain_who(teller, place);
    fprintf(teller->out, " is up but over max_rtt: ");
    say_latency(teller, teller->view->ranking.entries[place].rtt_us);
    fprintf(teller->out, ", at most ");
    explain_duration(teller, teller->view->ranking.rules.max_rtt_us);
    explain_end(teller);
}

static void tell_unknown(const struct teller *teller, size_t place)
{
    explain_who(teller, place);
    fprintf(teller->out, " has had no result yet");
    if (place == teller->explanation->winner && !teller->host->restored)
        fprintf(teller->out, ": until somebody is up, the first one written is answered");
    explain_end(teller);
}

/* The winner, and checks speak against it. */
static void tell_failing_checks(const struct teller *teller, size_t place)
{
    const struct endpoint *endpoint = teller->host->endpoints[place];
    unsigned fall = endpoint->target.check->fall, streak = endpoint->health.streak;
    if (endpoint->health.state != HEALTH_UP || streak == 0)
        return;
    explain_who(teller, place);
    fprintf(teller->out, " has failed %u of %u checks in a row", streak, fall);
    say_failure(teller, endpoint);
    fprintf(teller->out, "; at %u it is down", fall);
    explain_end(teller);
}

/* One behind a group that it could be in. */
static void tell_outside_group(const struct teller *teller, size_t place)
{
    const struct rank_entry *entry = &teller->view->ranking.entries[place];
    const struct rank_group *group =
        entry->address.family == AF_INET ? &teller->groups.ipv4 : &teller->groups.ipv6;
    if (!group->there || entry->rtt_us == RANK_UNMEASURED ||
        rank_membership(&teller->view->ranking.rules, &teller->groups, entry) != RANK_IN_NONE)
        return;
    explain_who(teller, place);
    fprintf(teller->out, " is ");
    say_latency(teller, entry->rtt_us - group->fastest_us);
    fprintf(teller->out, " slower than the fastest, and within ");
    explain_duration(teller, teller->view->ranking.rules.group_rtt_threshold_us);
    fprintf(teller->out, " it is in the group (group_rtt_threshold)");
    explain_end(teller);
}

static void tell_eligible(const struct teller *teller, size_t place)
{
    const struct rank_entry *entries = teller->view->ranking.entries;
    size_t winner = teller->explanation->winner;
    if (place == winner) {
        tell_failing_checks(teller, place);
    } else if (winner != VIEW_NOBODY && entries[place].priority > entries[winner].priority) {
        explain_who(teller, place);
        fprintf(teller->out, " has priority %u: it waits until nobody of a better one is eligible",
                entries[place].priority);
        explain_end(teller);
    } else {
        tell_outside_group(teller, place);
    }
}

void explain_endpoint(const struct teller *teller, size_t place)
{
    switch (endpoint_override(teller->host->endpoints[place])) {
    case OVERRIDE_DRAIN:
        tell_override(teller, place, "drained");
        return;
    case OVERRIDE_DOWN:
        tell_override(teller, place, "forced down");
        return;
    case OVERRIDE_UP:
        tell_override(teller, place, "forced up");
        break;
    case OVERRIDE_NONE:
        break;
    }
    switch (view_class(teller->view, place)) {
    case RANK_ELIGIBLE:
        tell_eligible(teller, place);
        break;
    case RANK_SLOW:
        tell_slow(teller, place);
        break;
    case RANK_UNKNOWN:
        tell_unknown(teller, place);
        break;
    case RANK_DOWN:
    case RANK_DRAINED:
        tell_down(teller, place);
        break;
    }
}
