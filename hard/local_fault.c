#include "hard/local_fault.h"

const char *local_fault_cause_text(enum local_fault_cause cause)
{
    switch (cause) {
    case LOCAL_FAULT_NONE:
        return "none";
    case LOCAL_FAULT_NO_CARRIER:
        return "no carrier";
    case LOCAL_FAULT_NO_ROUTE:
        return "no route";
    case LOCAL_FAULT_NO_DESCRIPTORS:
        return "no descriptors";
    case LOCAL_FAULT_EVERY_CHECK:
        return "every check failed locally";
    }
    return "?";
}

void local_fault_init(struct local_fault *fault)
{
    *fault = (struct local_fault){
        .streak = 1, .quiet_us = LOCAL_FAULT_NEVER, .ended_us = LOCAL_FAULT_NEVER};
}

static void end_streak(struct local_fault *fault)
{
    fault->streak++;
    fault->votes = 0;
    fault->local_error = false;
}

void local_fault_population(struct local_fault *fault, size_t endpoints)
{
    fault->endpoints = endpoints;
    end_streak(fault);
    if (endpoints == 0)
        fault->every_check = fault->no_descriptors = false; /* nobody is left to take it back */
}

/* --- transitions ------------------------------------------------------------------------------ */

/* The most telling one. */
static enum local_fault_cause cause_now(const struct local_fault *fault)
{
    if (fault->no_descriptors)
        return LOCAL_FAULT_NO_DESCRIPTORS;
    if (fault->network != LOCAL_FAULT_NONE)
        return fault->network;
    return fault->every_check ? LOCAL_FAULT_EVERY_CHECK : LOCAL_FAULT_NONE;
}

/* One that comes soon after the last is to be over for longer than that was. */
static int64_t settle_time_us(const struct local_fault *fault, int64_t now_us)
{
    if (fault->ended_us == LOCAL_FAULT_NEVER || now_us - fault->ended_us >= LOCAL_FAULT_CALM_US)
        return LOCAL_FAULT_SETTLE_US;
    return fault->settle_us < LOCAL_FAULT_SETTLE_MAX_US / 2 ? fault->settle_us * 2
                                                            : LOCAL_FAULT_SETTLE_MAX_US;
}

static enum local_fault_change go_on(struct local_fault *fault, enum local_fault_cause cause,
                                     int64_t now_us)
{
    fault->cause = cause;
    fault->wide = fault->no_descriptors || fault->every_check;
    fault->quiet_us = LOCAL_FAULT_NEVER;
    if (fault->lasts)
        return LOCAL_FAULT_SAME;
    fault->lasts = true;
    fault->settle_us = settle_time_us(fault, now_us);
    return LOCAL_FAULT_BEGUN;
}

enum local_fault_change local_fault_tick(struct local_fault *fault, int64_t now_us)
{
    enum local_fault_cause cause = cause_now(fault);
    if (cause != LOCAL_FAULT_NONE)
        return go_on(fault, cause, now_us);
    if (!fault->lasts)
        return LOCAL_FAULT_SAME;
    if (fault->quiet_us == LOCAL_FAULT_NEVER)
        fault->quiet_us = now_us;
    if (now_us - fault->quiet_us < fault->settle_us)
        return LOCAL_FAULT_SAME;
    fault->lasts = false;
    fault->quiet_us = LOCAL_FAULT_NEVER;
    fault->ended_us = now_us;
    return LOCAL_FAULT_ENDED;
}

int64_t local_fault_due_us(const struct local_fault *fault)
{
    return fault->quiet_us == LOCAL_FAULT_NEVER ? LOCAL_FAULT_NEVER
                                                : fault->quiet_us + fault->settle_us;
}

bool local_fault_spoiled(const struct local_fault *fault, int64_t started_us)
{
    return fault->ended_us != LOCAL_FAULT_NEVER && started_us < fault->ended_us;
}

bool local_fault_covers(const struct local_fault *fault, bool has_here)
{
    return fault->lasts && (fault->wide || !has_here);
}

/* --- the network ------------------------------------------------------------------------------ */

void local_fault_view_add(struct local_fault_view *view, const struct har_address *address,
                          enum link_route route)
{
    switch (route) {
    case LINK_HERE:
        return;
    case LINK_FINE:
        view->fine++;
        return;
    case LINK_NO_CARRIER:
        view->no_carrier++;
        return;
    case LINK_NO_ROUTE:
        if (view->no_route == 0)
            view->first = *address;
        view->several |= !har_address_equal(&view->first, address);
        view->no_route++;
    }
}

static enum local_fault_cause network_cause(const struct local_fault_view *view)
{
    if (view->fine > 0)
        return LOCAL_FAULT_NONE;
    if (view->no_carrier > 0)
        return LOCAL_FAULT_NO_CARRIER;
    return view->several || (view->no_route > 0 && view->cut_off) ? LOCAL_FAULT_NO_ROUTE
                                                                  : LOCAL_FAULT_NONE;
}

enum local_fault_change local_fault_network(struct local_fault *fault,
                                            const struct local_fault_view *view, int64_t now_us)
{
    fault->network = network_cause(view);
    fault->network_us = now_us;
    return local_fault_tick(fault, now_us);
}

/* --- results ---------------------------------------------------------------------------------- */

enum local_fault_word local_fault_word(enum check_reason reason, enum link_route route,
                                       bool has_descriptors)
{
    switch (reason) {
    case REASON_LOCAL_ERROR:
        return has_descriptors ? WORD_LOCAL_ERROR : WORD_NO_DESCRIPTORS;
    case REASON_UNREACHABLE:
    case REASON_CONNECT_TIMEOUT:
        return route == LINK_NO_ROUTE || route == LINK_NO_CARRIER ? WORD_NO_ROUTE : WORD_SILENCE;
    case REASON_DNS_FAILED:
        return WORD_SILENCE;
    case REASON_OK:
    case REASON_CONNECT_REFUSED:
    case REASON_TLS_FAILED:
    case REASON_RESPONSE_TIMEOUT:
    case REASON_BAD_STATUS:
    case REASON_BAD_BODY:
    case REASON_CLOSED:
        break;
    }
    return route == LINK_HERE ? WORD_HERE : WORD_BEYOND;
}

static void count_failure(struct local_fault *fault, uint64_t *vote, bool local_error,
                          int64_t now_us)
{
    if (fault->votes == 0)
        fault->streak_us = now_us;
    if (*vote != fault->streak)
        fault->votes++;
    *vote = fault->streak;
    fault->local_error |= local_error;
    if (fault->local_error && fault->votes >= fault->endpoints)
        fault->every_check = true;
}

static void count_other(struct local_fault *fault, enum local_fault_word word, int64_t started_us)
{
    if (started_us >= fault->streak_us) {
        end_streak(fault);
        fault->every_check = false;
    }
    if (word == WORD_BEYOND && started_us >= fault->network_us)
        fault->network = LOCAL_FAULT_NONE;
}

/* A check that began before what it speaks against says nothing about it. */
enum local_fault_change local_fault_result(struct local_fault *fault, uint64_t *vote,
                                           enum local_fault_word word, int64_t started_us,
                                           int64_t now_us)
{
    switch (word) {
    case WORD_NO_DESCRIPTORS:
    case WORD_LOCAL_ERROR:
    case WORD_NO_ROUTE:
        count_failure(fault, vote, word != WORD_NO_ROUTE, now_us);
        break;
    case WORD_HERE:
    case WORD_BEYOND:
    case WORD_SILENCE:
        count_other(fault, word, started_us);
    }
    if (word == WORD_NO_DESCRIPTORS) {
        fault->no_descriptors = true;
        fault->no_descriptors_us = now_us;
    } else if (started_us >= fault->no_descriptors_us) {
        fault->no_descriptors = false;
    }
    return local_fault_tick(fault, now_us);
}
