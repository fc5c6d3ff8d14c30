#include "hard/describe.h"

#define SECOND_US 1000000

json_t *describe_text(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

json_t *describe_number(int64_t number, int64_t none)
{
    return number == none ? json_null() : json_integer(number);
}

/* Without memory *all becomes NULL. */
static void append(json_t **all, json_t *value)
{
    if (json_array_append_new(*all, value) == 0)
        return;
    json_decref(*all);
    *all = NULL;
}

/* --- Endpoints ---------------------------------------------------------------------------------
 */

json_t *describe_override(const struct host_candidate *candidate, int64_t now_us)
{
    if (candidate->override == OVERRIDE_NONE)
        return json_null();
    int64_t left_us = candidate->override_until_us - now_us, left_s = -1;
    if (candidate->override_until_us != HOST_NO_END)
        left_s = left_us > 0 ? (left_us + SECOND_US - 1) / SECOND_US : 0;
    return json_pack("{ss so so}", "kind", override_text(candidate->override), "expires_s",
                     describe_number(left_s, -1), "reason",
                     describe_text(candidate->override_reason));
}

static const char *class_text(enum rank_class class)
{
    switch (class) {
    case RANK_ELIGIBLE:
        return "eligible";
    case RANK_SLOW:
        return "slow";
    case RANK_UNKNOWN:
        return "unknown";
    case RANK_DOWN:
        return "down";
    case RANK_DRAINED:
        return "drained";
    }
    return "unknown";
}

/* Of an endpoint, or of a candidate that has none; numbers that are not there are below 0. */
struct line {
    const struct config_candidate *candidate;
    const struct har_address *address; /* or NULL */
    struct health health;
    int64_t since_s, rtt_us;
    enum rank_class class;
    const char *reason, *detail; /* or NULL */
    double share;
};

static json_t *describe_line(const struct view *view, const struct line *line)
{
    const struct config_candidate *candidate = line->candidate;
    char text[HAR_ADDRESS_TEXT_MAX] = "";
    if (line->address != NULL)
        har_address_format(line->address, text);
    return json_pack(
        "{ss so si ss so so ss so so so so so si si sf}", "candidate", candidate->name, "address",
        describe_text(text), "port", (int)candidate->check->port, "state",
        health_state_text(line->health.state), "since_s", describe_number(line->since_s, -1),
        "override", describe_override(host_candidate_of(view->host, candidate), view->now_us),
        "class", class_text(line->class), "rtt_us", describe_number(line->rtt_us, -1), "connect_us",
        describe_number(line->health.connect_us, 0), "total_us",
        describe_number(line->health.total_us, 0), "reason", describe_text(line->reason), "detail",
        describe_text(line->detail), "weight", (int)candidate->weight, "priority",
        (int)candidate->priority, "share", line->share);
}

static int64_t since_s(const struct endpoint *endpoint, int64_t now_us)
{
    if (endpoint->since_us == ENDPOINT_SINCE_UNKNOWN)
        return -1;
    return now_us > endpoint->since_us ? (now_us - endpoint->since_us) / SECOND_US : 0;
}

static json_t *describe_endpoint(const struct view *view, size_t place)
{
    const struct endpoint *endpoint = view->host->endpoints[place];
    const struct rank_entry *entry = &view->ranking.entries[place];
    struct line line = {.candidate = endpoint->candidate,
                        .address = &entry->address,
                        .health = endpoint->health,
                        .since_s = since_s(endpoint, view->now_us),
                        .rtt_us = entry->rtt_us != RANK_UNMEASURED ? (int64_t)entry->rtt_us : -1,
                        .class = view_class(view, place),
                        .share = view->shares[place]};
    if (endpoint->judged) {
        line.reason = check_reason_text(endpoint->reason);
        line.detail = endpoint->detail;
    }
    return describe_line(view, &line);
}

/* --- Candidates without an address -------------------------------------------------------------
 */

static const char *detail_of(enum candidates_state state)
{
    switch (state) {
    case CANDIDATES_UNKNOWN:
    case CANDIDATES_RESOLVED:
        return NULL;
    case CANDIDATES_PARTLY:
        return "no address of one family, no answer for the other";
    case CANDIDATES_NO_DATA:
        return "no address";
    case CANDIDATES_NO_NAME:
        return "no such name";
    case CANDIDATES_FAILED:
        return "no answer";
    }
    return NULL;
}

static enum rank_class nameless_class(enum override override, bool failed)
{
    if (override == OVERRIDE_DRAIN)
        return RANK_DRAINED;
    return failed || override == OVERRIDE_DOWN ? RANK_DOWN : RANK_UNKNOWN;
}

json_t *describe_nameless(const struct view *view, const struct config_candidate *candidate)
{
    enum candidates_state name = view_name(view, candidate);
    bool failed = name != CANDIDATES_UNKNOWN;
    enum override override = host_candidate_of(view->host, candidate)->override;
    const struct line line = {.candidate = candidate,
                              .health.state = failed ? HEALTH_DOWN : HEALTH_UNKNOWN,
                              .since_s = -1,
                              .rtt_us = -1,
                              .class = nameless_class(override, failed),
                              .reason = failed ? check_reason_text(REASON_DNS_FAILED) : NULL,
                              .detail = detail_of(name)};
    return describe_line(view, &line);
}

/* --- Hosts -------------------------------------------------------------------------------------
 */

static json_t *describe_endpoints(const struct view *view)
{
    const struct config_host *config = view->host->config;
    json_t *all = json_array();
    for (size_t i = 0; i < view->ranking.count; i++)
        append(&all, describe_endpoint(view, view->order[i]));
    for (size_t i = 0; i < config->candidate_count; i++) {
        if (view_is_nameless(view, &config->candidates[i]))
            append(&all, describe_nameless(view, &config->candidates[i]));
    }
    return all;
}

json_t *describe_answer(const struct host *host)
{
    const char *addresses = host->answer.addresses;
    struct har_address address;
    json_t *all = json_array();
    while (addresses != NULL && (addresses = host_answer_next(addresses, &address)) != NULL) {
        char text[HAR_ADDRESS_TEXT_MAX];
        append(&all, json_string(har_address_format(&address, text)));
    }
    return all;
}

static json_t *describe_aliases(const struct config_host *config)
{
    json_t *all = json_array();
    for (size_t i = 0; i < config->alias_count; i++)
        append(&all, json_string(config->aliases[i]));
    return all;
}

/* Of the candidates that are host names. */
static json_t *describe_names(const struct view *view)
{
    const struct config_host *config = view->host->config;
    json_t *all = json_array();
    for (size_t i = 0; i < config->candidate_count; i++) {
        const struct config_candidate *candidate = &config->candidates[i];
        if (candidate->host_name != NULL)
            append(&all, json_pack("{ss ss so}", "candidate", candidate->name, "state",
                                   candidates_state_text(view_name(view, candidate)), "problem",
                                   describe_text(view_name_problem(view, candidate))));
    }
    return all;
}

json_t *describe_host(const struct view *view)
{
    const struct host *host = view->host;
    const struct config_host *config = host->config;
    unsigned answers = host->answer.addresses != NULL ? host->answer.answers : config->answers;
    return json_pack("{ss so so so si sb ss sb so ss so so}", "host", config->name, "aliases",
                     describe_aliases(config), "status", describe_text(host->answer.status),
                     "answer", describe_answer(host), "answers", (int)answers, "failing",
                     host->failing, "failure_mode", failure_mode_text(config->failure_mode),
                     "restored", host->restored, "local_fault", describe_text(view->local_fault),
                     "selection", selection_text(config->selection), "endpoints",
                     describe_endpoints(view), "names", describe_names(view));
}

/* --- Explanations ------------------------------------------------------------------------------
 */

static json_t *describe_who(const struct view *view, size_t place)
{
    char text[HAR_ADDRESS_TEXT_MAX];
    if (place == VIEW_NOBODY)
        return json_null();
    return json_pack("{ss ss}", "candidate", view->host->endpoints[place]->candidate->name,
                     "address", har_address_format(&view->ranking.entries[place].address, text));
}

json_t *describe_explanation(const struct view *view, const struct explanation *explanation)
{
    json_t *why = json_array();
    for (size_t i = 0; i < explanation->why_count; i++)
        append(&why, json_string(explanation->why[i]));
    return json_pack("{so so so so so so so}", "host", describe_host(view), "winner",
                     describe_who(view, explanation->winner), "runner_up",
                     describe_who(view, explanation->runner_up), "gap_us",
                     describe_number(explanation->gap_us, EXPLAIN_NONE), "needed_us",
                     describe_number(explanation->needed_us, EXPLAIN_NONE), "held_s",
                     describe_number(explanation->held_s, EXPLAIN_NONE), "why", why);
}
