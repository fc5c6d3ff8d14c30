#include "har_config.h"

#include "hard/commands.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "common/name.h"
#include "hard/commands_run.h"
#include "hard/describe.h"

/* --- What several commands need ----------------------------------------------------------------
 */

struct host *commands_host(const struct commands *commands, const char *name,
                           struct control_request *reply_to)
{
    char key[HAR_NAME_MAX + 1];
    struct host *host = NULL;
    if (name == NULL) {
        control_fail(reply_to, "name: the name of a host, a text");
        return NULL;
    }
    if (har_name_key(name, key) > 0)
        host = table_find(monitor_table(commands->monitor), key);
    if (host == NULL)
        control_fail(reply_to, "%s: not configured; `harctl status` lists the names", name);
    return host;
}

const char *commands_local_fault(const struct commands *commands)
{
    const struct local_fault *fault = monitor_local_fault(commands->monitor);
    return fault->lasts ? local_fault_cause_text(fault->cause) : NULL;
}

void commands_view(const struct commands *commands, const struct host *host, struct view *view)
{
    const struct config_host *config = host->config;
    struct candidates_counters counters;
    bool frozen = monitor_is_frozen(commands->monitor, host);
    view->host = host;
    view->now_us = har_now_us();
    view->local_fault = frozen ? commands_local_fault(commands) : NULL;
    for (size_t i = 0; i < config->candidate_count; i++)
        view->names[i] = monitor_name_state(host, &config->candidates[i], &counters);
    view_complete(view);
}

/* --- explain -----------------------------------------------------------------------------------
 */

static json_t *explanation_of(const struct commands *commands, const struct view *view)
{
    struct explanation explanation;
    if (!explain(view, &explanation))
        return NULL;
    json_t *reply = describe_explanation(view, &explanation);
    explanation_done(&explanation);
    json_t *more = json_pack("{ss so}", "version", PACKAGE_VERSION, "local_fault",
                             describe_text(commands_local_fault(commands)));
    if (json_object_update_new(reply, more) < 0) {
        json_decref(reply);
        return NULL;
    }
    return reply;
}

static void handle_explain(void *arg, const json_t *request, struct control_request *reply_to)
{
    const struct commands *commands = arg;
    const struct host *host =
        commands_host(commands, json_string_value(json_object_get(request, "name")), reply_to);
    struct view view;
    if (host == NULL)
        return;
    commands_view(commands, host, &view);
    control_reply(reply_to, explanation_of(commands, &view));
}

/* --- reload ------------------------------------------------------------------------------------
 */

/* A file name may be anything, but JSON is UTF-8. */
static json_t *line_of(char *line)
{
    json_t *json = json_string(line);
    if (json != NULL)
        return json;
    for (char *at = line; *at != '\0'; at++) {
        if ((*at & 0x80) != 0)
            *at = '?';
    }
    return json_string(line);
}

static json_t *refusal(const struct config_report *report, const struct har_error *error)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(lines, line_of(report->lines[i]));
    if (report->count > 0)
        return json_pack("{sb ss so}", "ok", 0, "error",
                         "the configuration is wrong; the old one stays in force", "errors", lines);
    json_decref(lines);
    return json_pack("{sb ss++}", "ok", 0, "error",
                     error->text[0] != '\0' ? error->text : har_code_text(error->code), "; ",
                     "the old configuration stays in force");
}

static json_t *sizes(const struct config *config)
{
    return json_pack("{sI sI ss}", "hosts", (json_int_t)config->host_count, "candidates",
                     (json_int_t)config_count_candidates(config), "control_socket",
                     config->control_socket);
}

static void handle_reload(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)request;
    const struct commands *commands = arg;
    struct config_report report = {0};
    struct har_error error = {.code = HAR_OK};
    bool good = commands->reload(commands->arg, &report, &error);
    control_reply(reply_to, good ? sizes(monitor_table(commands->monitor)->config)
                                 : refusal(&report, &error));
    config_report_done(&report);
}

/* --- The whole ---------------------------------------------------------------------------------
 */

static const struct control_handler handlers[] = {
    {"status", commands_status, false}, {"explain", handle_explain, false},
    {"check", commands_check, false},   {"drain", commands_drain, true},
    {"force", commands_force, true},    {"auto", commands_auto, true},
    {"reload", handle_reload, true},    {NULL, NULL, false},
};

struct commands *commands_new(struct ev_loop *loop, struct monitor *monitor,
                              commands_reload_fn *reload, void *arg, struct har_error *error)
{
    struct commands *commands = calloc(1, sizeof *commands);
    if (commands == NULL) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    *commands = (struct commands){.loop = loop,
                                  .monitor = monitor,
                                  .reload = reload,
                                  .arg = arg,
                                  .slice_round = ev_iteration(loop) - 1};
    commands->control = control_new(loop, handlers, commands, error);
    if (commands->control == NULL) {
        free(commands);
        return NULL;
    }
    return commands;
}

int commands_listen(struct commands *commands, const char *path, struct har_error *error)
{
    return control_listen(commands->control, path, error);
}

void commands_free(struct commands *commands)
{
    if (commands == NULL)
        return;
    control_free(commands->control);
    free(commands);
}
