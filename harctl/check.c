/* check, reload: what the daemon is to do now. */
#include "har_config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harctl/harctl.h"

/* --- check -------------------------------------------------------------------------------------
 */

static json_t *request_check(const struct options *options, char **arguments, int count)
{
    (void)options;
    (void)count;
    return json_pack("{ssss}", "command", "check", "name", arguments[0]);
}

#define LATENCY (1 << 3) /* the column */

static void add_text(struct table *table, const json_t *result, const char *key)
{
    const char *text = text_of(result, key);
    table_add(table, words("%s", text != NULL ? text : ""));
}

static void show_results(const struct options *options, const json_t *answer)
{
    (void)options;
    struct table table = {.columns = 6, .right = LATENCY};
    size_t i;
    json_t *result;
    if (json_array_size(json_object_get(answer, "results")) == 0)
        puts("nothing to check (check none)");
    json_array_foreach(json_object_get(answer, "results"), i, result)
    {
        add_text(&table, result, "candidate");
        table_add(&table, address_words(result));
        add_text(&table, result, "state");
        table_add(&table, latency_words(result, "total_us"));
        add_text(&table, result, "reason");
        add_text(&table, result, "detail");
    }
    table_print(&table, stdout);
}

static bool all_ok(const json_t *answer)
{
    size_t i;
    json_t *result;
    json_array_foreach(json_object_get(answer, "results"), i, result)
    {
        const char *reason = text_of(result, "reason");
        if (reason == NULL || strcmp(reason, "ok") != 0)
            return false;
    }
    return true;
}

const struct command command_check = {
    .word = "check",
    .arguments = "NAME",
    .help = "check every endpoint now, wait, and print the results",
    .min = 1,
    .max = 1,
    .patient = true,
    .request = request_check,
    .show = show_results,
    .is_healthy = all_ok,
};

/* --- reload ------------------------------------------------------------------------------------
 */

static json_t *request_reload(const struct options *options, char **arguments, int count)
{
    (void)options;
    (void)arguments;
    (void)count;
    return json_pack("{ss}", "command", "reload");
}

/* And where to ask from now on, if that is another place. */
static void show_sizes(const struct options *options, const json_t *answer)
{
    const char *socket = text_of(answer, "control_socket");
    printf("reloaded (hosts: %" JSON_INTEGER_FORMAT ", candidates: %" JSON_INTEGER_FORMAT ")\n",
           json_integer_value(json_object_get(answer, "hosts")),
           json_integer_value(json_object_get(answer, "candidates")));
    if (socket == NULL || strcmp(socket, options->socket) == 0)
        return;
    fputs("control_socket is ", stdout);
    print_text(stdout, socket);
    puts(": give it with -s");
}

const struct command command_reload = {
    .word = "reload",
    .arguments = "",
    .help = "read the configuration again; a bad one is refused whole",
    .patient = true,
    .request = request_reload,
    .show = show_sizes,
};
