/* What is wrong with a host: a line for each thing, and all hosts in one. */
#include "har_config.h"

#include <stdlib.h>
#include <string.h>

#include "harctl/harctl.h"

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static bool is_text(const json_t *object, const char *key, const char *wanted)
{
    const char *text = text_of(object, key);
    return text != NULL && strcmp(text, wanted) == 0;
}

/* Prints a text made by words as a line, and releases it. */
static void print_line(FILE *out, char *text)
{
    print_text(out, text);
    putc('\n', out);
    free(text);
}

/* --- What there is to find ---------------------------------------------------------------------
 */

bool host_is_healthy(const json_t *host)
{
    return !is_true(host, "failing") && text_of(host, "local_fault") == NULL;
}

static bool endpoint_is_well(const json_t *endpoint)
{
    return is_text(endpoint, "state", "up") && !is_text(endpoint, "class", "slow") &&
           override_word(json_object_get(endpoint, "override")) == NULL;
}

bool host_is_well(const json_t *host)
{
    size_t i;
    json_t *endpoint, *name;
    if (!host_is_healthy(host) || is_true(host, "restored"))
        return false;
    json_array_foreach(json_object_get(host, "endpoints"), i, endpoint)
    {
        if (!endpoint_is_well(endpoint))
            return false;
    }
    json_array_foreach(json_object_get(host, "names"), i, name)
    {
        if (text_of(name, "problem") != NULL)
            return false;
    }
    return true;
}

/* An override is of a candidate, and so of each of its endpoints: of those, the first has it. */
static const json_t *override_at(const json_t *endpoints, size_t place)
{
    const json_t *endpoint = json_array_get(endpoints, place);
    const json_t *override = json_object_get(endpoint, "override");
    bool first = override_word(override) != NULL;
    for (size_t i = 0; i < place && first; i++)
        first = !json_equal(json_object_get(json_array_get(endpoints, i), "candidate"),
                            json_object_get(endpoint, "candidate"));
    return first ? override : NULL;
}

/* --- Lines -------------------------------------------------------------------------------------
 */

void print_failing(FILE *out, const json_t *object)
{
    const char *host = text_of(object, "host"), *mode = text_of(object, "failure_mode");
    char *answer = answer_words(object);
    bool addresses = is_text(object, "failure_mode", "addresses");
    char *decides = addresses      ? words("the addresses of failure_mode")
                    : mode != NULL ? words("failure_mode %s", mode)
                                   : words("failure_mode");
    const char *what = "";
    if (is_text(object, "status", "answer"))
        what = addresses ? " are answered: " : " answers ";
    else if (is_text(object, "status", "fail"))
        what = ": programs get an error";
    else if (is_text(object, "status", "forward"))
        what = ": the next service or the upstreams are asked";
    print_line(out, words("%s: nobody is eligible; %s%s%s", host, decides, what,
                          is_text(object, "status", "answer") ? answer : ""));
    free(decides);
    free(answer);
}

static void print_overrides(const json_t *host)
{
    const char *name = text_of(host, "host");
    const json_t *endpoints = json_object_get(host, "endpoints");
    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const json_t *endpoint = json_array_get(endpoints, i);
        const json_t *override = override_at(endpoints, i);
        const char *candidate = text_of(endpoint, "candidate"), *state = text_of(endpoint, "state");
        if (override == NULL || candidate == NULL)
            continue;
        char *end = override_end_words(override, name, candidate, false);
        print_line(stdout, words("%s: %s is %s%s; its checks say %s", name, candidate,
                                 override_word(override), end, state != NULL ? state : "nothing"));
        free(end);
    }
}

static void print_names(const json_t *host)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(host, "names"), i, name)
    {
        const char *candidate = text_of(name, "candidate"), *problem = text_of(name, "problem");
        if (candidate != NULL && problem != NULL)
            print_line(stdout, words("%s: %s %s", text_of(host, "host"), candidate, problem));
    }
}

void print_host_notes(const json_t *host)
{
    const char *name = text_of(host, "host");
    if (name == NULL)
        return;
    if (is_true(host, "failing"))
        print_failing(stdout, host);
    if (is_true(host, "restored"))
        print_line(stdout, words("%s: answers as before the restart, until results are in", name));
    print_overrides(host);
    print_names(host);
}

/* --- All hosts in one --------------------------------------------------------------------------
 */

struct sums {
    size_t hosts, failing, down, overrides;
};

static void add_host(struct sums *sums, const json_t *host)
{
    const json_t *endpoints = json_object_get(host, "endpoints");
    sums->hosts++;
    sums->failing += is_true(host, "failing");
    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        sums->down += is_text(json_array_get(endpoints, i), "state", "down");
        sums->overrides += override_at(endpoints, i) != NULL;
    }
}

void print_summary(const json_t *hosts)
{
    struct sums sums = {.hosts = 0};
    size_t i;
    json_t *host;
    json_array_foreach(hosts, i, host) add_host(&sums, host);
    printf("%zu host%s, %zu with nobody eligible, %zu endpoint%s down, %zu override%s\n",
           sums.hosts, sums.hosts == 1 ? "" : "s", sums.failing, sums.down,
           sums.down == 1 ? "" : "s", sums.overrides, sums.overrides == 1 ? "" : "s");
}
