/* check: answered when every check has ended. */
#include "har_config.h"

#include <stdlib.h>
#include <string.h>

#include "hard/commands_run.h"
#include "hard/describe.h"

struct job {
    const struct commands *commands;
    struct control_request *reply_to;
    struct monitor_round *round;
    char *name; /* of the host, which may leave meanwhile */
};

static void job_free(struct job *job)
{
    free(job->name);
    free(job);
}

static json_t *result_of(const struct monitor_verdict *verdict)
{
    char address[HAR_ADDRESS_TEXT_MAX];
    const struct check_result *result = &verdict->result;
    return json_pack(
        "{ss ss si ss so so so ss}", "candidate", verdict->candidate, "address",
        har_address_format(&verdict->address, address), "port", (int)verdict->port, "reason",
        check_reason_text(result->reason), "detail", describe_text(result->detail), "connect_us",
        describe_number(result->connect_us, 0), "total_us", describe_number(result->total_us, 0),
        "state", health_state_text(verdict->state));
}

/* Names without address, of which there is nothing to check: that is a result, too. */
static void append_nameless(const struct commands *commands, const struct host *host,
                            json_t *results)
{
    struct view view;
    commands_view(commands, host, &view);
    for (size_t i = 0; i < host->config->candidate_count; i++) {
        const struct config_candidate *candidate = &host->config->candidates[i];
        if (view_is_nameless(&view, candidate))
            json_array_append_new(results, describe_nameless(&view, candidate));
    }
}

static void on_checked(void *arg, const struct monitor_verdict *verdicts, size_t count)
{
    struct job *job = arg;
    const struct host *host = table_find(monitor_table(job->commands->monitor), job->name);
    json_t *results = json_array();
    for (size_t i = 0; i < count; i++) {
        if (verdicts[i].ended)
            json_array_append_new(results, result_of(&verdicts[i]));
    }
    if (host != NULL)
        append_nameless(job->commands, host, results);
    control_reply(job->reply_to, json_pack("{ss so}", "host", job->name, "results", results));
    job_free(job);
}

static void on_gone(void *arg)
{
    struct job *job = arg;
    monitor_round_cancel(job->round);
    job_free(job);
}

void commands_check(void *arg, const json_t *request, struct control_request *reply_to)
{
    const struct commands *commands = arg;
    struct host *host =
        commands_host(commands, json_string_value(json_object_get(request, "name")), reply_to);
    if (host == NULL)
        return;
    struct job *job = calloc(1, sizeof *job);
    if (job != NULL)
        job->name = strdup(host->config->name);
    if (job != NULL && job->name != NULL)
        job->round = monitor_check(commands->monitor, host, on_checked, job);
    if (job != NULL && job->round != NULL) {
        job->commands = commands;
        job->reply_to = reply_to;
        control_defer(reply_to, on_gone, job);
        return;
    }
    if (job != NULL)
        job_free(job);
    control_reply(reply_to, NULL);
}
