/* status: written a few hosts at a time, so that thousands of endpoints do not stop the checks. Of
 * each it tells what is so when its turn comes. */
#include "har_config.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "hard/commands_run.h"
#include "hard/describe.h"

#define PRIORITY (-1) /* as hard/control.c: checks go first */
#define SLICE_US 2000 /* in one round of the loop, which is late after 5 ms (hard/stall.h) */

struct job {
    struct commands *commands;
    struct control_request *reply_to;
    char **names; /* of the hosts */
    size_t count, next;
    bool any;  /* of them is written */
    FILE *out; /* writes to text */
    char *text;
    size_t size;
    ev_idle idle;
    bool deferred;
};

static void job_free(struct job *job)
{
    if (job->deferred)
        ev_idle_stop(job->commands->loop, &job->idle);
    for (size_t i = 0; i < job->count; i++)
        free(job->names[i]);
    free(job->names);
    if (job->out != NULL)
        fclose(job->out);
    free(job->text);
    free(job);
}

/* --- Which hosts -------------------------------------------------------------------------------
 */

static bool add_host(struct job *job, const struct host *host)
{
    char *name = strdup(host->config->name);
    if (name != NULL)
        job->names[job->count++] = name;
    return name != NULL;
}

static bool add_all(struct job *job, const struct table *table)
{
    for (size_t i = 0; i < table->host_count; i++) {
        if (!add_host(job, &table->hosts[i]))
            return false;
    }
    return true;
}

/* Each once: taken has room for all hosts of the table. False without memory, and when it has
 * answered, which sets *answered. */
static bool add_asked(struct job *job, const struct table *table, const json_t *names, bool *taken,
                      bool *answered)
{
    size_t i;
    json_t *name;
    json_array_foreach((json_t *)names, i, name)
    {
        const struct host *host =
            commands_host(job->commands, json_string_value(name), job->reply_to);
        *answered = host == NULL;
        if (host == NULL)
            return false;
        bool again = taken[host - table->hosts];
        taken[host - table->hosts] = true;
        if (!again && !add_host(job, host))
            return false;
    }
    return true;
}

static bool choose_hosts(struct job *job, const json_t *names, bool *answered)
{
    const struct table *table = monitor_table(job->commands->monitor);
    bool *taken = calloc(table->host_count + 1, sizeof *taken);
    job->names = calloc(table->host_count + 1, sizeof *job->names);
    bool good = taken != NULL && job->names != NULL;
    if (good)
        good = json_array_size(names) > 0 ? add_asked(job, table, names, taken, answered)
                                          : add_all(job, table);
    free(taken);
    return good;
}

/* --- Writing -----------------------------------------------------------------------------------
 */

/* Steals json. False without memory. */
static bool write_json(struct job *job, json_t *json, size_t flags)
{
    bool good =
        json != NULL && json_dumpf(json, job->out, JSON_COMPACT | JSON_ENSURE_ASCII | flags) == 0;
    json_decref(json);
    return good;
}

static bool write_head(struct job *job)
{
    job->out = open_memstream(&job->text, &job->size);
    return job->out != NULL && putc('{', job->out) != EOF &&
           write_json(job,
                      json_pack("{sb ss so}", "ok", 1, "version", PACKAGE_VERSION, "local_fault",
                                describe_text(commands_local_fault(job->commands))),
                      JSON_EMBED) &&
           fputs(",\"hosts\":[", job->out) != EOF;
}

/* One that left meanwhile is passed over. */
static bool write_next(struct job *job)
{
    const struct commands *commands = job->commands;
    const struct host *host = table_find(monitor_table(commands->monitor), job->names[job->next++]);
    struct view view;
    if (host == NULL)
        return true;
    if (job->any && putc(',', job->out) == EOF)
        return false;
    job->any = true;
    commands_view(commands, host, &view);
    return write_json(job, describe_host(&view), 0);
}

static int64_t slice_until_us(struct commands *commands)
{
    unsigned round = ev_iteration(commands->loop);
    if (commands->slice_round != round) {
        commands->slice_round = round;
        commands->slice_until_us = har_now_us() + SLICE_US;
    }
    return commands->slice_until_us;
}

/* One host at least, so that nobody waits for ever while others ask. False without memory. What is
 * too large already need not grow. */
static bool write_slice(struct job *job)
{
    int64_t until_us = slice_until_us(job->commands);
    bool good = true;
    do {
        if (job->next < job->count)
            good = write_next(job);
        if (ftell(job->out) > CONTROL_OUTPUT_MAX)
            job->next = job->count;
    } while (good && job->next < job->count && har_now_us() < until_us);
    return good;
}

/* Answers, and the job is gone. */
static void finish(struct job *job, bool good)
{
    good = good && fputs("]}", job->out) != EOF && fflush(job->out) == 0;
    if (good)
        control_reply_text(job->reply_to, job->text, job->size);
    else
        control_reply(job->reply_to, NULL);
    job_free(job);
}

/* --- Over several rounds -----------------------------------------------------------------------
 */

static void on_idle(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)loop;
    (void)events;
    struct job *job = idle->data;
    bool good = write_slice(job);
    if (!good || job->next == job->count)
        finish(job, good);
}

static void on_gone(void *arg)
{
    job_free(arg);
}

static void start(struct job *job)
{
    bool good = write_head(job) && write_slice(job);
    if (!good || job->next == job->count) {
        finish(job, good);
        return;
    }
    job->deferred = true;
    ev_idle_init(&job->idle, on_idle);
    ev_set_priority(&job->idle, PRIORITY);
    job->idle.data = job;
    ev_idle_start(job->commands->loop, &job->idle);
    control_defer(job->reply_to, on_gone, job);
}

void commands_status(void *arg, const json_t *request, struct control_request *reply_to)
{
    const json_t *names = json_object_get(request, "names");
    bool answered = false;
    if (names != NULL && !json_is_array(names)) {
        control_fail(reply_to, "names: an array of names");
        return;
    }
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        control_reply(reply_to, NULL);
        return;
    }
    job->commands = arg;
    job->reply_to = reply_to;
    if (choose_hosts(job, names, &answered)) {
        start(job);
        return;
    }
    if (!answered)
        control_reply(reply_to, NULL);
    job_free(job);
}
