/* hard/describe.c, view.c: what is said of a host, as JSON. hard/control.h says what it is. */
#include "hard/describe.h"

#include <stdarg.h>
#include <string.h>

#include "tests/support/table_text.h"

#define NOW_S 1000
#define US 1000000

static struct table *table;
static struct host *host;
static struct view view;

static void host_of(const char *keys)
{
    char text[4096];
    snprintf(text, sizeof text, "\"x.example\": {%s}", keys);
    table = table_of(text);
    host = &table->hosts[0];
    memset(&view, '#', sizeof view);
    memset(view.names, 0, sizeof view.names);
    view.host = host;
    view.now_us = (int64_t)NOW_S * US;
    view.local_fault = NULL;
}

static void result(size_t place, double ms)
{
    table_result(table, host->endpoints[place], ms);
    host->endpoints[place]->judged = true;
    host->endpoints[place]->reason = ms > 0 ? REASON_OK : REASON_CONNECT_REFUSED;
    host_answer_at(host, NOW_S);
}

/* Are they the same? Steals both; what is wanted as for json_pack. */
static void expect(json_t *json, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_t *wanted = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    ck_assert_ptr_nonnull(wanted);
    char *is = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char *should_be = json_dumps(wanted, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    ck_assert_str_eq(is, should_be);
    free(is);
    free(should_be);
    json_decref(json);
    json_decref(wanted);
}

static json_t *described(void)
{
    view_complete(&view);
    json_t *json = describe_host(&view);
    ck_assert_ptr_nonnull(json);
    return json;
}

/* One key of the host. */
static json_t *of_host(const char *key)
{
    json_t *json = described(), *value = json_object_get(json, key);
    ck_assert_msg(value != NULL, "no %s", key);
    json_incref(value);
    json_decref(json);
    return value;
}

static json_t *line(size_t rank)
{
    json_t *endpoints = of_host("endpoints"), *one = json_array_get(endpoints, rank);
    ck_assert_ptr_nonnull(one);
    json_incref(one);
    json_decref(endpoints);
    return one;
}

/* One key of the endpoint at that rank. */
static json_t *of_line(size_t rank, const char *key)
{
    json_t *json = line(rank), *value = json_object_get(json, key);
    ck_assert_msg(value != NULL, "no %s", key);
    json_incref(value);
    json_decref(json);
    return value;
}

/* --- Hosts -------------------------------------------------------------------------------------
 */

START_TEST(a_host_is_told_whole)
{
    host_of("\"candidates\": [\"192.0.2.1\", \"192.0.2.2\"], \"aliases\": [\"y.example\"], "
            "\"answers\": 2, \"selection\": \"ordered\", \"failure_mode\": \"none\"");
    result(0, 10);
    result(1, 20);
    json_t *json = described();
    json_object_del(json, "endpoints");
    expect(json, "{ss s[s] ss s[ss] si sb ss sb sn ss s[]}", "host", "x.example", "aliases",
           "y.example", "status", "answer", "answer", "192.0.2.1", "192.0.2.2", "answers", 2,
           "failing", 0, "failure_mode", "none", "restored", 0, "local_fault", "selection",
           "ordered", "names");
    table_free(table);
}
END_TEST

START_TEST(a_host_that_is_not_well)
{
    host_of("\"candidates\": [\"192.0.2.1\"]");
    expect(of_host("status"), "n");
    expect(of_host("answer"), "[]");
    expect(of_host("answers"), "i", 1);
    result(0, 0);
    view.local_fault = "no route";
    expect(of_host("failing"), "b", 1);
    expect(of_host("local_fault"), "s", "no route");
    expect(of_host("answer"), "[s]", "192.0.2.1");
    expect(of_host("answers"), "i", 16); /* as failure_mode all has it */
    host->restored = true;
    expect(of_host("restored"), "b", 1);
    table_free(table);
}
END_TEST

START_TEST(every_failure_mode_has_its_word)
{
    static const char *const cases[][3] = {{"\"all\"", "all", "answer"},
                                           {"\"last\"", "last", "answer"},
                                           {"\"none\"", "none", "fail"},
                                           {"\"forward\"", "forward", "forward"},
                                           {"[\"::1\"]", "addresses", "answer"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char keys[200];
        snprintf(keys, sizeof keys, "\"candidates\": [\"192.0.2.1\"], \"failure_mode\": %s",
                 cases[i][0]);
        host_of(keys);
        result(0, 0);
        expect(of_host("failure_mode"), "s", cases[i][1]);
        expect(of_host("status"), "s", cases[i][2]);
        table_free(table);
    }
}
END_TEST

/* --- Endpoints ---------------------------------------------------------------------------------
 */

START_TEST(an_endpoint_is_told_whole)
{
    host_of("\"candidates\": [{\"address\": \"2001:db8::1\", \"name\": \"a\", \"priority\": 3, "
            "\"weight\": 7, \"check\": {\"port\": 8080}}], \"rtt_mode\": \"connect\"");
    struct endpoint *endpoint = host->endpoints[0];
    result(0, 20);
    endpoint->health.connect_us = 4100;
    endpoint->since_us = (NOW_S - 59) * (int64_t)US - 999999;
    strcpy(endpoint->detail, "status 200");
    ck_assert(host_override(host, endpoint->candidate, OVERRIDE_UP, NOW_S * (int64_t)US + 1, "x"));
    expect(line(0), "{ss ss si ss si s{ss si ss} ss si si si ss ss si si sf}", "candidate", "a",
           "address", "2001:db8::1", "port", 8080, "state", "up", "since_s", 59, "override", "kind",
           "up", "expires_s", 1, "reason", "x", "class", "eligible", "rtt_us", 4100, "connect_us",
           4100, "total_us", 20000, "reason", "ok", "detail", "status 200", "weight", 7, "priority",
           3, "share", 1.);
    table_free(table);
}
END_TEST

START_TEST(an_endpoint_of_which_nothing_is_known)
{
    host_of("\"candidates\": [\"192.0.2.1\"]");
    expect(line(0), "{ss ss si ss sn sn ss sn sn sn sn sn si si sf}", "candidate", "192.0.2.1",
           "address", "192.0.2.1", "port", 80, "state", "unknown", "since_s", "override", "class",
           "unknown", "rtt_us", "connect_us", "total_us", "reason", "detail", "weight", 100,
           "priority", 0, "share", 0.);
    table_free(table);
}
END_TEST

START_TEST(what_the_operator_says)
{
    host_of("\"candidates\": [\"192.0.2.1\"]");
    const struct config_candidate *candidate = &host->config->candidates[0];
    struct host_candidate *of = host_candidate_of(host, candidate);
    expect(describe_override(of, 0), "n");
    host_override(host, candidate, OVERRIDE_DRAIN, HOST_NO_END, NULL);
    expect(describe_override(of, 5), "{ss sn sn}", "kind", "drain", "expires_s", "reason");
    host_override(host, candidate, OVERRIDE_DOWN, 7200 * (int64_t)US, "upgrade");
    expect(describe_override(of, 10), "{ss si ss}", "kind", "down", "expires_s", 7200, "reason",
           "upgrade");
    expect(describe_override(of, 7205 * (int64_t)US), "{ss si ss}", "kind", "down", "expires_s", 0,
           "reason", "upgrade");
    table_free(table);
}
END_TEST

START_TEST(classes_in_the_order_of_rank)
{
    static const char *const classes[] = {"eligible", "slow", "unknown", "down", "drained"};
    host_of("\"candidates\": [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\", \"192.0.2.4\", "
            "\"192.0.2.5\"], \"max_rtt\": \"50ms\"");
    override_endpoint(host->endpoints[0], OVERRIDE_DRAIN);
    result(0, 1);
    result(1, 0);
    result(3, 60);
    result(4, 20);
    for (size_t i = 0; i < 5; i++)
        expect(of_line(i, "class"), "s", classes[i]);
    expect(of_line(1, "state"), "s", "up");
    expect(of_line(3, "reason"), "s", "connect-refused");
    expect(of_line(3, "total_us"), "n");
    expect(of_line(4, "state"), "s", "up"); /* what the checks say of the drained one */
    table_free(table);
}
END_TEST

START_TEST(names_without_addresses_have_a_line)
{
    static const struct {
        enum candidates_state name;
        const char *state, *detail;
    } cases[] = {{CANDIDATES_NO_DATA, "down", "no address"},
                 {CANDIDATES_NO_NAME, "down", "no such name"},
                 {CANDIDATES_FAILED, "down", "no answer"}};
    host_of("\"candidates\": [\"n.example\", \"192.0.2.1\"], "
            "\"check\": {\"type\": \"tcp\", \"port\": 5}");
    result(0, 10);
    expect(line(1), "{ss sn si ss sn sn ss sn sn sn sn sn si si sf}", "candidate", "n.example",
           "address", "port", 5, "state", "unknown", "since_s", "override", "class", "unknown",
           "rtt_us", "connect_us", "total_us", "reason", "detail", "weight", 100, "priority", 0,
           "share", 0.);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        view.names[0] = cases[i].name;
        expect(of_line(1, "state"), "s", cases[i].state);
        expect(of_line(1, "class"), "s", "down");
        expect(of_line(1, "reason"), "s", "dns-failed");
        expect(of_line(1, "detail"), "s", cases[i].detail);
    }
    host_override(host, &host->config->candidates[0], OVERRIDE_DRAIN, HOST_NO_END, NULL);
    expect(of_line(1, "class"), "s", "drained");
    host_resolve(host, 0, "192.0.2.9");
    json_t *endpoints = of_host("endpoints");
    ck_assert_uint_eq(json_array_size(endpoints), 2); /* it has one now */
    json_decref(endpoints);
    table_free(table);
}
END_TEST

START_TEST(names_say_what_is_wrong_with_them)
{
    host_of("\"candidates\": [\"n.example\", \"192.0.2.1\", \"m.example\"]");
    view.names[0] = CANDIDATES_NO_NAME;
    view.names[2] = CANDIDATES_PARTLY;
    host_resolve(host, 2, "192.0.2.9");
    expect(of_host("names"), "[{ss ss ss} {ss ss ss}]", "candidate", "n.example", "state",
           "no-such-name", "problem", "has no address: there is no such name", "candidate",
           "m.example", "state", "partly", "problem",
           "keeps its last known addresses of one family: no upstream answers for that now");
    view.names[2] = CANDIDATES_RESOLVED;
    json_t *names = of_host("names");
    ck_assert(json_is_null(json_object_get(json_array_get(names, 1), "problem")));
    json_decref(names);
    table_free(table);
}
END_TEST

START_TEST(families_that_are_not_wanted_have_none)
{
    host_of("\"candidates\": [\"192.0.2.1\", \"::1\"], \"family\": \"ipv4\"");
    json_t *endpoints = of_host("endpoints");
    ck_assert_uint_eq(json_array_size(endpoints), 1);
    json_decref(endpoints);
    table_free(table);
}
END_TEST

/* --- Shares ------------------------------------------------------------------------------------
 */

/* By place, in hundredths, with blanks between. */
static const char *shares(void)
{
    static char text[200];
    char *end = text;
    view_complete(&view);
    for (size_t i = 0; i < host->endpoint_count; i++)
        end += sprintf(end, "%s%.0f", i > 0 ? " " : "", view.shares[i] * 100);
    return text;
}

START_TEST(shares_are_those_of_the_answer)
{
    host_of("\"candidates\": [\"192.0.2.1\", \"192.0.2.2\", \"2001:db8::1\", \"2001:db8::2\"], "
            "\"answers\": 2");
    const double ms[] = {20, 50, 90, 60};
    for (size_t i = 0; i < 4; i++)
        result(i, ms[i]);
    ck_assert_str_eq(shares(), "100 0 0 100");
    ck_assert_uint_eq(view.winner, 0);
    /* The answer is what counts, as while it is frozen, not what the ranking would make of it. */
    table_result(table, host->endpoints[0], 0);
    ck_assert_str_eq(shares(), "100 0 0 100");
    ck_assert_uint_eq(view.winner, 0);
    table_free(table);
}
END_TEST

START_TEST(the_best_family_alone)
{
    host_of("\"candidates\": [\"192.0.2.1\", \"2001:db8::1\"], \"family\": \"best\"");
    result(0, 90);
    result(1, 20);
    ck_assert_str_eq(shares(), "0 100");
    ck_assert_uint_eq(view.winner, 1);
    table_free(table);
}
END_TEST

/* a counts in its own family, though it is too slow for the group of both. */
START_TEST(a_group_shares_by_weight)
{
    host_of("\"candidates\": [{\"address\": \"192.0.2.1\", \"weight\": 300}, \"192.0.2.2\", "
            "\"192.0.2.3\", \"2001:db8::1\", \"2001:db8::2\"], \"selection\": \"group_rtt_rr\"");
    const double ms[] = {38, 35, 90, 20, 22};
    for (size_t i = 0; i < 5; i++)
        result(i, ms[i]);
    ck_assert_str_eq(host->answer.weights, "100 100 -300 -100");
    ck_assert_str_eq(shares(), "75 25 0 50 50");
    table_free(table);
}
END_TEST

/* Of a family of which nobody is in a group, the first is answered all the same. */
START_TEST(beside_a_group_the_unknown_are_first_of_their_family)
{
    host_of("\"candidates\": [\"192.0.2.1\", \"192.0.2.2\", \"2001:db8::1\", \"2001:db8::2\"], "
            "\"selection\": \"group_rtt_rr\"");
    result(0, 20);
    result(1, 20);
    ck_assert_str_eq(shares(), "50 50 100 0");
    table_free(table);
}
END_TEST

START_TEST(who_is_not_answered_has_no_share)
{
    host_of("\"candidates\": [\"192.0.2.1\"], \"failure_mode\": [\"192.0.2.9\"]");
    result(0, 0);
    ck_assert_str_eq(shares(), "0");
    ck_assert_uint_eq(view.winner, VIEW_NOBODY);
    table_free(table);
}
END_TEST

START_TEST(of_two_ports_the_better_one_is_answered)
{
    host_of("\"candidates\": [\"192.0.2.1\", {\"address\": \"192.0.2.1\", \"name\": \"b\", "
            "\"check\": {\"port\": 81}}]");
    result(0, 90);
    result(1, 20);
    ck_assert_str_eq(shares(), "0 100");
    ck_assert_uint_eq(view.winner, 1);
    table_free(table);
}
END_TEST

/* --- Explanations ------------------------------------------------------------------------------
 */

START_TEST(an_explanation_is_told_whole)
{
    const char *why[] = {"so", "and so"};
    struct explanation explanation = {.winner = 1,
                                      .runner_up = 0,
                                      .gap_us = -5,
                                      .needed_us = 0,
                                      .held_s = EXPLAIN_NONE,
                                      .why = why,
                                      .why_count = 2};
    host_of("\"candidates\": [\"192.0.2.1\", {\"address\": \"192.0.2.2\", \"name\": \"b\"}]");
    view_complete(&view);
    json_t *json = describe_explanation(&view, &explanation);
    expect(json_incref(json_object_get(json, "host")), "o", described());
    json_object_del(json, "host");
    expect(json, "{s{ss ss} s{ss ss} si si sn s[ss]}", "winner", "candidate", "b", "address",
           "192.0.2.2", "runner_up", "candidate", "192.0.2.1", "address", "192.0.2.1", "gap_us", -5,
           "needed_us", 0, "held_s", "why", "so", "and so");
    explanation.winner = explanation.runner_up = VIEW_NOBODY;
    json = describe_explanation(&view, &explanation);
    ck_assert(json_is_null(json_object_get(json, "winner")));
    ck_assert(json_is_null(json_object_get(json, "runner_up")));
    json_decref(json);
    table_free(table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("describe");
    TCase *tests = tcase_create("describe");
    tcase_add_test(tests, a_host_is_told_whole);
    tcase_add_test(tests, a_host_that_is_not_well);
    tcase_add_test(tests, every_failure_mode_has_its_word);
    tcase_add_test(tests, an_endpoint_is_told_whole);
    tcase_add_test(tests, an_endpoint_of_which_nothing_is_known);
    tcase_add_test(tests, what_the_operator_says);
    tcase_add_test(tests, classes_in_the_order_of_rank);
    tcase_add_test(tests, names_without_addresses_have_a_line);
    tcase_add_test(tests, names_say_what_is_wrong_with_them);
    tcase_add_test(tests, families_that_are_not_wanted_have_none);
    tcase_add_test(tests, shares_are_those_of_the_answer);
    tcase_add_test(tests, the_best_family_alone);
    tcase_add_test(tests, a_group_shares_by_weight);
    tcase_add_test(tests, beside_a_group_the_unknown_are_first_of_their_family);
    tcase_add_test(tests, who_is_not_answered_has_no_share);
    tcase_add_test(tests, of_two_ports_the_better_one_is_answered);
    tcase_add_test(tests, an_explanation_is_told_whole);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
