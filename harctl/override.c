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

/* "api.example.com: a is drained for another 2h: upgrade", and what it answers now. */
static void show(const json_t *answer)
{
    const char *host = text_of(answer, "host"), *candidate = text_of(answer, "candidate");
    char *override = override_words(json_object_get(answer, "override"));
    char *now = answer_words(answer);
    bool failing = json_is_true(json_object_get(answer, "failing"));
    char *text = words("%s: %s is %s; it answers %s%s", host != NULL ? host : "?",
                       candidate != NULL ? candidate : "?",
                       override != NULL ? override : "what its checks say", now,
                       failing ? ", for nobody is eligible" : "");
    print_text(stdout, text);
    putchar('\n');
    free(text);
    free(override);
    free(now);
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
