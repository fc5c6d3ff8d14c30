/* status: the hosts and their endpoints as a table, and what is wrong with them. */
#include "har_config.h"

#include <stdlib.h>
#include <string.h>

#include "harctl/harctl.h"

static json_t *request(const struct options *options, char **arguments, int count)
{
    (void)options;
    json_t *names = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(names, json_string(arguments[i]));
    return json_pack("{ssso}", "command", "status", "names", names);
}

/* --- The table ---------------------------------------------------------------------------------
 *
 * For a terminal of 80 columns: a host is named once, and a label that is the address is not
 * repeated. The reason comes last, where it pads nothing. */

enum { HOST, ADDRESS, STATE, SINCE, LATENCY, SHARE, REASON, COLUMNS };

#define MANY 20 /* endpoints: more than that are hard to take in */

static char *text_or_dash(const json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    return words("%s", text != NULL ? text : "-");
}

/* What the operator says, or else the checks. */
static char *state_words(const json_t *endpoint)
{
    const char *word = override_word(json_object_get(endpoint, "override"));
    const char *class = text_of(endpoint, "class");
    if (word == NULL && class != NULL && strcmp(class, "slow") == 0)
        word = class;
    return word != NULL ? words("%s", word) : text_or_dash(endpoint, "state");
}

static bool is_ipv6(const json_t *endpoint)
{
    const char *address = text_of(endpoint, "address");
    return address != NULL && strchr(address, ':') != NULL;
}

static double share_of(const json_t *endpoint)
{
    double share;
    return number_of(endpoint, "share", &share) ? share : 0;
}

/* Do both families answer, each with shares of its own? */
static bool has_two_families(const json_t *endpoints)
{
    bool ipv4 = false, ipv6 = false;
    size_t i;
    json_t *endpoint;
    json_array_foreach(endpoints, i, endpoint)
    {
        if (share_of(endpoint) > 0)
            *(is_ipv6(endpoint) ? &ipv6 : &ipv4) = true;
    }
    return ipv4 && ipv6;
}

static char *share_words(const json_t *endpoint, bool two_families)
{
    const char *family = is_ipv6(endpoint) ? " v6" : " v4";
    if (text_of(endpoint, "address") == NULL)
        return words("-");
    return words("%.0f%%%s", share_of(endpoint) * 100, two_families ? family : "");
}

/* Is its label another word than its address? */
static bool is_labelled(const json_t *endpoint)
{
    return !json_equal(json_object_get(endpoint, "candidate"),
                       json_object_get(endpoint, "address"));
}

static bool has_labels(const json_t *endpoints)
{
    size_t i;
    json_t *endpoint;
    json_array_foreach(endpoints, i, endpoint)
    {
        if (is_labelled(endpoint))
            return true;
    }
    return json_array_size(endpoints) == 0;
}

static void add_endpoint(struct table *table, char *first, const json_t *endpoint,
                         bool two_families)
{
    table_add(table, first);
    table_add(table, address_words(endpoint));
    table_add(table, state_words(endpoint));
    table_add(table, age_words(endpoint, "since_s"));
    table_add(table, latency_words(endpoint, "rtt_us"));
    table_add(table, share_words(endpoint, two_families));
    table_add(table, text_or_dash(endpoint, "reason"));
}

/* Labels stand under the name of their host; where there is none the first address stands beside
 * it. */
static void add_host(struct table *table, const json_t *host)
{
    const json_t *endpoints = json_object_get(host, "endpoints");
    bool labels = has_labels(endpoints), two_families = has_two_families(endpoints);
    size_t i;
    json_t *endpoint;
    for (size_t column = 0; column < COLUMNS && labels; column++)
        table_add(table, column == HOST ? text_or_dash(host, "host") : words("%s", ""));
    json_array_foreach(endpoints, i, endpoint)
    {
        char *first = !labels && i == 0       ? text_or_dash(host, "host")
                      : is_labelled(endpoint) ? words("  %s", text_of(endpoint, "candidate") != NULL
                                                                  ? text_of(endpoint, "candidate")
                                                                  : "-")
                                              : words("%s", "");
        add_endpoint(table, first, endpoint, two_families);
    }
}

static void show_table(const json_t *hosts)
{
    static const char *const titles[] = {"HOST, CANDIDATE", "ADDRESS", "STATE", "SINCE",
                                         "LATENCY",         "SHARE",   "REASON"};
    struct table table = {.columns = COLUMNS, .right = 1 << SINCE | 1 << LATENCY | 1 << SHARE};
    size_t i;
    json_t *host;
    for (size_t column = 0; column < COLUMNS; column++)
        table_add(&table, words("%s", titles[column]));
    json_array_foreach(hosts, i, host) add_host(&table, host);
    table_print(&table, stdout);
}

/* --- The whole ---------------------------------------------------------------------------------
 */

static void print_local_fault(const json_t *answer)
{
    const char *fault = text_of(answer, "local_fault");
    if (fault == NULL)
        return;
    printf("This machine is cut off (");
    print_text(stdout, fault);
    puts("): the ranking is frozen.");
}

/* A new array of those for which something is wrong. */
static json_t *choose_failing(const json_t *hosts)
{
    json_t *chosen = json_array(), *host;
    size_t i;
    json_array_foreach(hosts, i, host)
    {
        if (!host_is_well(host))
            json_array_append(chosen, host);
    }
    return chosen;
}

static size_t count_endpoints(const json_t *hosts)
{
    size_t i, count = 0;
    json_t *host;
    json_array_foreach(hosts, i, host) count += json_array_size(json_object_get(host, "endpoints"));
    return count;
}

static void show(const struct options *options, const json_t *answer)
{
    json_t *hosts = json_object_get(answer, "hosts"), *host;
    json_t *chosen = options->failing ? choose_failing(hosts) : json_incref(hosts);
    size_t i;
    print_local_fault(answer);
    if (!options->failing || json_array_size(chosen) > 0)
        show_table(chosen);
    json_array_foreach(chosen, i, host) print_host_notes(host);
    if (options->failing || count_endpoints(hosts) > MANY)
        print_summary(hosts);
    json_decref(chosen);
}

static bool is_healthy(const json_t *answer)
{
    size_t i;
    json_t *host;
    json_array_foreach(json_object_get(answer, "hosts"), i, host)
    {
        if (!host_is_healthy(host))
            return false;
    }
    return text_of(answer, "local_fault") == NULL;
}

const struct command command_status = {
    .word = "status",
    .arguments = "[NAME...] [--failing]",
    .help = "hosts and endpoints: state, latency, share of answers",
    .max = 1 << 20,
    .selects = true,
    .request = request,
    .show = show,
    .is_healthy = is_healthy,
};
