/* drain, force, auto: what the operator says of a candidate, whatever its checks say. */
#include "har_config.h"

#include <stdlib.h>

#include "harctl/harctl.h"

static json_t *about(const char *command, char **arguments)
{
    return json_pack("{ssssss}", "command", command, "name", arguments[0], "candidate",
                     arguments[1]);
}

static json_t *with_options(json_t *request, const struct options *options)
{
    if (options->for_s != 0)
        json_object_set_new(request, "for_s", json_integer(options->for_s));
    if (options->reason != NULL)
        json_object_set_new(request, "reason", json_string(options->reason));
    return request;
}

static json_t *request_drain(const struct options *options, char **arguments, int count)
{
    (void)count;
    return with_options(about("drain", arguments), options);
}

static json_t *request_force(const struct options *options, char **arguments, int count)
{
    (void)count;
    json_t *request = with_options(about("force", arguments), options);
    json_object_set_new(request, "state", json_string(arguments[2]));
    return request;
}

static json_t *request_auto(const struct options *options, char **arguments, int count)
{
    (void)options;
    (void)count;
    return about("auto", arguments);
}

/* "api.example.com: a is drained for 2h, until 03:41 (upgrade); it answers 192.0.2.2". What it
 * answers when that was the last one is a warning, for whoever does not look. */
static void show(const struct options *options, const json_t *answer)
{
    (void)options;
    const char *host = text_of(answer, "host"), *candidate = text_of(answer, "candidate");
    const json_t *override = json_object_get(answer, "override");
    const char *word = override_word(override);
    if (host == NULL || candidate == NULL)
        return;
    char *end =
        word != NULL ? override_end_words(override, host, candidate, true) : words("%s", "");
    char *now = answer_words(answer);
    bool healthy = host_is_healthy(answer);
    char *text =
        words("%s: %s is %s%s%s%s", host, candidate, word != NULL ? word : "what its checks say",
              end, healthy ? "; it answers " : "", healthy ? now : "");
    print_text(stdout, text);
    putchar('\n');
    free(text);
    free(end);
    free(now);
    if (healthy)
        return;
    fflush(stdout);
    fputs("WARNING: ", stderr);
    print_failing(stderr, answer);
}

const struct command command_drain = {
    .word = "drain",
    .arguments = "NAME CANDIDATE",
    .help = "check it, but do not answer it",
    .min = 2,
    .max = 2,
    .overrides = true,
    .request = request_drain,
    .show = show,
    .is_healthy = host_is_healthy,
};

const struct command command_force = {
    .word = "force",
    .arguments = "NAME CANDIDATE up|down",
    .help = "take it for that, whatever its checks say",
    .min = 3,
    .max = 3,
    .overrides = true,
    .last_word = "up|down",
    .request = request_force,
    .show = show,
    .is_healthy = host_is_healthy,
};

const struct command command_auto = {
    .word = "auto",
    .arguments = "NAME CANDIDATE",
    .help = "end drain and force: its checks decide again",
    .min = 2,
    .max = 2,
    .request = request_auto,
    .show = show,
};
