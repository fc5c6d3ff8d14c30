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
 */

static char *text_or_dash(const json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    return words("%s", text != NULL ? text : "-");
}

/* What the checks say, and beside it what the operator does. */
static char *state_words(const json_t *endpoint)
{
    char *state = text_or_dash(endpoint, "state");
    char *override = override_words(json_object_get(endpoint, "override"));
    const char *class = text_of(endpoint, "class");
    bool slow = class != NULL && strcmp(class, "slow") == 0;
    char *both = words("%s%s%s%s", state, slow ? ", slow" : "", override != NULL ? ", " : "",
                       override != NULL ? override : "");
    free(state);
    free(override);
    return both;
}

static char *share_words(const json_t *endpoint)
{
    double share;
    return number_of(endpoint, "share", &share) ? words("%.0f%%", share * 100) : words("-");
}

static void add_endpoint(struct table *table, const json_t *host, const json_t *endpoint)
{
    table_add(table, text_or_dash(host, "host"));
    table_add(table, text_or_dash(endpoint, "candidate"));
    table_add(table, address_words(endpoint));
    table_add(table, state_words(endpoint));
    table_add(table, age_words(endpoint, "since_s"));
    table_add(table, latency_words(endpoint, "rtt_us"));
    table_add(table, text_or_dash(endpoint, "reason"));
    table_add(table, share_words(endpoint));
}

static void add_header(struct table *table)
{
    static const char *const titles[] = {"HOST",  "CANDIDATE", "ADDRESS", "STATE",
                                         "SINCE", "LATENCY",   "REASON",  "SHARE"};
    table->columns = sizeof titles / sizeof titles[0];
    for (size_t i = 0; i < table->columns; i++)
        table_add(table, words("%s", titles[i]));
}

static void show_table(const json_t *hosts)
{
    struct table table = {.columns = 0};
    size_t i, j;
    json_t *host, *endpoint;
    add_header(&table);
    json_array_foreach(hosts, i, host)
    {
        json_array_foreach(json_object_get(host, "endpoints"), j, endpoint)
            add_endpoint(&table, host, endpoint);
    }
    table_print(&table, stdout);
}

/* --- What is wrong -----------------------------------------------------------------------------
 */

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

bool host_is_healthy(const json_t *host)
{
    return !is_true(host, "failing") && text_of(host, "local_fault") == NULL;
}

static void print_failing(const json_t *host)
{
    const char *mode = text_of(host, "failure_mode"), *status = text_of(host, "status");
    print_text(stdout, text_of(host, "host"));
    printf(": nobody is eligible; failure_mode ");
    print_text(stdout, mode != NULL ? mode : "decides");
    if (status != NULL && strcmp(status, "answer") == 0) {
        char *answer = answer_words(host);
        printf(" answers ");
        print_text(stdout, answer);
        free(answer);
    }
    putchar('\n');
}

void print_host_notes(const json_t *host)
{
    if (text_of(host, "host") == NULL)
        return;
    if (is_true(host, "failing"))
        print_failing(host);
    if (is_true(host, "restored")) {
        print_text(stdout, text_of(host, "host"));
        puts(": answers as before the restart, until results are in");
    }
}

static void print_local_fault(const json_t *answer)
{
    const char *fault = text_of(answer, "local_fault");
    if (fault == NULL)
        return;
    printf("This machine is cut off (");
    print_text(stdout, fault);
    puts("): the ranking is frozen.");
}

static void show(const json_t *answer)
{
    const json_t *hosts = json_object_get(answer, "hosts");
    size_t i;
    json_t *host;
    print_local_fault(answer);
    show_table(hosts);
    json_array_foreach(hosts, i, host) print_host_notes(host);
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
    .arguments = "[NAME...]",
    .help = "hosts and endpoints: state, latency, share of answers",
    .max = 1 << 20,
    .request = request,
    .show = show,
    .is_healthy = is_healthy,
};
