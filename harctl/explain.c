/* explain: why a host answers what it does, as sentences. */
#include "har_config.h"

#include <stdlib.h>
#include <string.h>

#include "harctl/harctl.h"

static json_t *request(const struct options *options, char **arguments, int count)
{
    (void)options;
    (void)count;
    return json_pack("{ssss}", "command", "explain", "name", arguments[0]);
}

/* Prints a text made by words, and releases it; in one line, whatever it holds. */
static void say(char *text)
{
    print_text(stdout, text);
    free(text);
}

static void say_line(char *text)
{
    say(text);
    putchar('\n');
}

/* "a", or "a (192.0.2.1)" where the label is not the address. */
static char *who_words(const json_t *who)
{
    const char *candidate = text_of(who, "candidate"), *address = text_of(who, "address");
    if (candidate == NULL || address == NULL)
        return words("%s", candidate != NULL ? candidate : address != NULL ? address : "?");
    return strcmp(candidate, address) == 0 ? words("%s", address)
                                           : words("%s (%s)", candidate, address);
}

static const json_t *endpoint_of(const json_t *host, const json_t *who)
{
    size_t i;
    json_t *endpoint;
    json_array_foreach(json_object_get(host, "endpoints"), i, endpoint)
    {
        if (json_equal(json_object_get(endpoint, "candidate"), json_object_get(who, "candidate")) &&
            json_equal(json_object_get(endpoint, "address"), json_object_get(who, "address")))
            return endpoint;
    }
    return NULL;
}

static double share_of(const json_t *host, const json_t *who)
{
    double share;
    return number_of(endpoint_of(host, who), "share", &share) ? share : 0;
}

/* Then nobody of the group is next: they all answer in turn. */
static bool rotates(const json_t *host)
{
    const char *selection = text_of(host, "selection");
    return selection != NULL && strcmp(selection, "group_rtt_rr") == 0;
}

/* "api.example.com answers a (192.0.2.1) first: up for 2h, latency 12.3ms; selection best_rtt." */
static void say_winner(const json_t *host, const json_t *winner)
{
    const json_t *endpoint = endpoint_of(host, winner);
    const char *state = text_of(endpoint, "state"), *selection = text_of(host, "selection");
    char *who = who_words(winner), *latency = latency_words(endpoint, "rtt_us");
    char *since = age_words(endpoint, "since_s");
    bool known = strcmp(since, "-") != 0, measured = strcmp(latency, "-") != 0;
    bool alone = !rotates(host) || share_of(host, winner) == 1;
    say(words("%s answers %s %s", text_of(host, "host"), who, alone ? "first" : "among others"));
    if (state != NULL)
        say(words(": %s%s%s", state, known ? " for " : "", known ? since : ""));
    if (measured)
        say(words(", latency %s", latency));
    say_line(words("%s%s.", selection != NULL ? "; selection " : "",
                   selection != NULL ? selection : ""));
    free(who);
    free(latency);
    free(since);
}

static void say_nobody(const json_t *host)
{
    char *answer = answer_words(host);
    say_line(words("%s answers %s.", text_of(host, "host"), answer));
    free(answer);
}

/* "Next is b (192.0.2.2), 1.5ms slower." */
static void say_runner_up(const json_t *answer, const json_t *runner_up)
{
    double gap_us;
    char *who = who_words(runner_up), *gap = latency_words(answer, "gap_us");
    say(words("Next is %s", who));
    if (number_of(answer, "gap_us", &gap_us))
        say(gap_us == 0 ? words(", as fast")
                        : words(", %s %s", gap, gap_us > 0 ? "slower" : "faster"));
    say_line(words("."));
    free(who);
    free(gap);
}

/* "It takes over when it is faster by 10ms, but not within the next 12s (switch_hold)." */
static void say_needed(const json_t *answer)
{
    double number;
    char *needed = latency_words(answer, "needed_us"), *held = age_words(answer, "held_s");
    if (number_of(answer, "needed_us", &number)) {
        say(number > 0 ? words("It takes over when it is faster by %s", needed)
                       : words("It takes over when it is faster"));
        say_line(number_of(answer, "held_s", &number)
                     ? words(", but not within the next %s (switch_hold).", held)
                     : words("."));
    }
    free(needed);
    free(held);
}

static void say_why(const json_t *answer)
{
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(answer, "why"), i, sentence)
    {
        if (json_is_string(sentence))
            say_line(words("%s.", json_string_value(sentence)));
    }
}

static void say_local_fault(const json_t *answer)
{
    const char *fault = text_of(answer, "local_fault");
    if (fault != NULL)
        say_line(words("This machine is cut off (%s): the ranking is frozen.", fault));
}

static void show(const struct options *options, const json_t *answer)
{
    (void)options;
    const json_t *host = json_object_get(answer, "host");
    const json_t *winner = json_object_get(answer, "winner");
    const json_t *runner_up = json_object_get(answer, "runner_up");
    if (text_of(host, "host") == NULL)
        return;
    say_local_fault(answer);
    if (json_is_object(winner))
        say_winner(host, winner);
    else
        say_nobody(host);
    if (json_is_object(runner_up) && !(rotates(host) && share_of(host, runner_up) > 0)) {
        say_runner_up(answer, runner_up);
        say_needed(answer);
    }
    say_why(answer);
}

static bool is_healthy(const json_t *answer)
{
    return text_of(answer, "local_fault") == NULL &&
           host_is_healthy(json_object_get(answer, "host"));
}

const struct command command_explain = {
    .word = "explain",
    .arguments = "NAME",
    .help = "why it answers what it does, and what would change that",
    .min = 1,
    .max = 1,
    .request = request,
    .show = show,
    .is_healthy = is_healthy,
};
