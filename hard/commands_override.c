/* drain, force, auto: what the operator says of a candidate. */
#include "har_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hard/commands_run.h"
#include "hard/describe.h"

/* --- What is asked for -------------------------------------------------------------------------
 */

struct order {
    struct host *host;
    const struct config_candidate *candidate;
    enum override override;
    uint32_t for_s;     /* 0: without end */
    const char *reason; /* or NULL */
};

/* "a, b, c" for free(3), or NULL. */
static char *labels_of(const struct config_host *host)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < host->candidate_count && out != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", host->candidates[i].name);
    if (out != NULL)
        fclose(out);
    return text;
}

static bool read_candidate(struct order *order, const json_t *request,
                           struct control_request *reply_to)
{
    const char *label = json_string_value(json_object_get(request, "candidate"));
    if (label == NULL) {
        control_fail(reply_to, "candidate: the name of a candidate, a text");
        return false;
    }
    order->candidate = host_find_candidate(order->host, label);
    if (order->candidate != NULL)
        return true;
    char *labels = labels_of(order->host->config);
    control_fail(reply_to, "%s: no candidate %s; it has %s", order->host->config->name, label,
                 labels != NULL ? labels : "others");
    free(labels);
    return false;
}

static bool read_for(struct order *order, const json_t *request, struct control_request *reply_to)
{
    const json_t *for_s = json_object_get(request, "for_s");
    json_int_t value = json_integer_value(for_s);
    if (for_s == NULL || json_is_null(for_s))
        return true;
    if (value < 1 || value > CONTROL_FOR_MAX_S) {
        control_fail(reply_to, "for_s: whole seconds, 1 to %d", CONTROL_FOR_MAX_S);
        return false;
    }
    order->for_s = (uint32_t)value;
    return true;
}

static bool read_reason(struct order *order, const json_t *request,
                        struct control_request *reply_to)
{
    const json_t *reason = json_object_get(request, "reason");
    if (reason == NULL || json_is_null(reason))
        return true;
    if (!json_is_string(reason) || json_string_length(reason) > CONTROL_REASON_MAX) {
        control_fail(reply_to, "reason: a text of at most %d bytes", CONTROL_REASON_MAX);
        return false;
    }
    order->reason = json_string_length(reason) > 0 ? json_string_value(reason) : NULL;
    return true;
}

/* --- What is done ------------------------------------------------------------------------------
 */

static json_t *outcome(const struct order *order)
{
    const struct host *host = order->host;
    const struct host_candidate *candidate = host_candidate_of(host, order->candidate);
    return json_pack("{ss ss so so sb so ss}", "host", host->config->name, "candidate",
                     order->candidate->name, "override", describe_override(candidate, har_now_us()),
                     "answer", describe_answer(host), "failing", host->failing, "status",
                     describe_text(host->answer.status), "failure_mode",
                     failure_mode_text(host->config->failure_mode));
}

static void override(const struct commands *commands, enum override override, const json_t *request,
                     struct control_request *reply_to)
{
    struct order order = {.override = override};
    order.host =
        commands_host(commands, json_string_value(json_object_get(request, "name")), reply_to);
    if (order.host == NULL || !read_candidate(&order, request, reply_to))
        return;
    if (override != OVERRIDE_NONE &&
        (!read_for(&order, request, reply_to) || !read_reason(&order, request, reply_to)))
        return;
    bool done = monitor_override(commands->monitor, order.host, order.candidate, order.override,
                                 order.for_s, order.reason);
    control_reply(reply_to, done ? outcome(&order) : NULL);
}

void commands_drain(void *arg, const json_t *request, struct control_request *reply_to)
{
    override(arg, OVERRIDE_DRAIN, request, reply_to);
}

void commands_auto(void *arg, const json_t *request, struct control_request *reply_to)
{
    override(arg, OVERRIDE_NONE, request, reply_to);
}

void commands_force(void *arg, const json_t *request, struct control_request *reply_to)
{
    const char *state = json_string_value(json_object_get(request, "state"));
    if (state != NULL && strcmp(state, "up") == 0)
        override(arg, OVERRIDE_UP, request, reply_to);
    else if (state != NULL && strcmp(state, "down") == 0)
        override(arg, OVERRIDE_DOWN, request, reply_to);
    else
        control_fail(reply_to, "state: up or down");
}
