/* hard/explain.c, explain_why.c, explain_endpoint.c */
#include "hard/explain.h"

#include <stdio.h>
#include <string.h>

#include "ranking/schema.h"
#include "tests/support/table_text.h"

#define A "{\"address\": \"192.0.2.1\", \"name\": \"a\"}"
#define B "{\"address\": \"192.0.2.2\", \"name\": \"b\"}"
#define C "{\"address\": \"192.0.2.3\", \"name\": \"c\"}"
#define V6 "{\"address\": \"2001:db8::1\", \"name\": \"six\"}"
#define B_LATER "{\"address\": \"192.0.2.2\", \"name\": \"b\", \"priority\": 5}"
#define TWO "\"candidates\": [" A ", " B "]"
#define THREE "\"candidates\": [" A ", " B ", " C "]"
#define NOW_S 100
#define US 1000000

static struct host *host; /* of the test */
static struct table *table;
static struct view view;

static void set_up(void)
{
    memset(&view, '#', sizeof view);
    memset(view.names, 0, sizeof view.names);
    view.local_fault = NULL;
}

static void tear_down(void)
{
    table_free(table);
}

/* A host whose endpoints had these results, in milliseconds; 0: failed, below 0: none yet. */
static void host_after(const char *keys, const double *ms)
{
    char text[4096];
    snprintf(text, sizeof text, "\"x.example\": {%s}", keys);
    table = table_of(text);
    host = &table->hosts[0];
    for (size_t i = 0; i < host->endpoint_count; i++) {
        struct endpoint *endpoint = host->endpoints[i];
        if (ms[i] < 0)
            continue;
        table_result(table, endpoint, ms[i]);
        endpoint->judged = true;
        endpoint->reason = ms[i] > 0 ? REASON_OK : REASON_CONNECT_REFUSED;
    }
    host_answer_at(host, 1);
}
#define HOST(keys, ...) host_after(keys, (const double[]){__VA_ARGS__})

static void override_until(size_t place, enum override override, double until_s, const char *reason)
{
    int64_t until_us = until_s == 0 ? HOST_NO_END : (int64_t)(until_s * US);
    ck_assert(host_override(host, host->endpoints[place]->candidate, override, until_us, reason));
    host_answer_at(host, NOW_S);
}

static const char *label(size_t place)
{
    return place == VIEW_NOBODY ? "-" : host->endpoints[place]->candidate->name;
}

static int number(char *to, const char *name, int64_t value)
{
    return value == EXPLAIN_NONE ? 0 : sprintf(to, " %s %lld", name, (long long)value);
}

/* "winner runner-up gap .. needed .. held ..", what there is of it, and a line for each sentence.
 */
static const char *explained(void)
{
    static char text[8192];
    struct explanation explanation;
    memset(&explanation, '#', sizeof explanation);
    view.host = host;
    view.now_us = NOW_S * US;
    view_complete(&view);
    ck_assert(explain(&view, &explanation));
    char *end = text;
    end += sprintf(end, "%s %s", label(explanation.winner), label(explanation.runner_up));
    end += number(end, "gap", explanation.gap_us);
    end += number(end, "needed", explanation.needed_us);
    end += number(end, "held", explanation.held_s);
    for (size_t i = 0; i < explanation.why_count; i++)
        end += sprintf(end, "\n%s", explanation.why[i]);
    explanation_done(&explanation);
    return text;
}

/* --- Who wins, and by how much -----------------------------------------------------------------
 */

START_TEST(the_gap_and_what_it_takes)
{
    HOST(TWO, 20, 25);
    ck_assert_str_eq(explained(), "a b gap 5000 needed 10000");
}
END_TEST

START_TEST(a_fifth_of_a_long_time_is_more_than_the_margin)
{
    HOST(TWO, 100.001, 250);
    ck_assert_str_eq(explained(), "a b gap 149999 needed 20001");
}
END_TEST

START_TEST(who_is_faster_but_not_enough_is_next)
{
    HOST(THREE, 20, 25, 90);
    table_result(table, host->endpoints[1], 12);
    host_answer_at(host, NOW_S);
    ck_assert_str_eq(explained(), "a b gap -8000 needed 10000");
}
END_TEST

START_TEST(a_hold_is_told_while_it_lasts)
{
    HOST(TWO, 20, 60);
    table_result(table, host->endpoints[0], 90);
    host_answer_at(host, NOW_S - 29.5);
    ck_assert_str_eq(explained(), "b a gap 30000 needed 12000 held 1");
    host->leader.switched_us = host->leader_ipv4.switched_us = (NOW_S - 30) * US;
    ck_assert_str_eq(explained(), "b a gap 30000 needed 12000");
}
END_TEST

/* The leader over both may go; the one of its family may not. */
START_TEST(a_family_holds_its_own)
{
    HOST("\"candidates\": [" A ", " B "]", 20, 60);
    host->leader_ipv4.switched_us = (NOW_S - 10) * US;
    ck_assert_str_eq(explained(), "a b gap 40000 needed 10000 held 20");
    table_free(table);
    HOST("\"candidates\": [" A ", " V6 "]", 20, 60);
    host->leader_ipv4.switched_us = (NOW_S - 10) * US;
    ck_assert_str_eq(explained(), "a six gap 40000 needed 10000\n"
                                  "Who asks for IPv6 alone is answered six");
    host->leader.switched_us = (NOW_S - 5) * US;
    ck_assert_str_eq(explained(), "a six gap 40000 needed 10000 held 25\n"
                                  "Who asks for IPv6 alone is answered six");
}
END_TEST

START_TEST(before_anybody_leads_a_trifle_is_enough)
{
    HOST(THREE, 20, 25, -1);
    ck_assert_str_eq(explained(), "a b gap 5000 needed 0\nc has had no result yet");
}
END_TEST

START_TEST(latency_does_not_count_in_order)
{
    HOST(THREE ", \"selection\": \"ordered\"", 0, 90, 5);
    ck_assert_str_eq(explained(), "b c\n"
                                  "Among equal priorities the first one written is answered, "
                                  "whatever the latency (selection ordered)\n"
                                  "a is down: connect-refused; 2 successes in a row bring it back; "
                                  "then it takes over, for it is written before b");
}
END_TEST

/* b is dead, and c is not of a's priority. */
START_TEST(order_is_not_told_where_there_is_no_choice)
{
    HOST("\"candidates\": [" A ", " B ", {\"address\": \"192.0.2.3\", \"name\": \"c\", "
         "\"priority\": 5}], \"selection\": \"ordered\"",
         20, 0, 5);
    ck_assert_ptr_null(strstr(explained(), "equal priorities"));
    table_free(table);
    HOST(TWO ", \"selection\": \"ordered\"", 0, 0);
    ck_assert_ptr_null(strstr(explained(), "equal priorities"));
}
END_TEST

START_TEST(nor_between_priorities)
{
    HOST("\"candidates\": [" A ", " B_LATER "]", 90, 5);
    ck_assert_str_eq(explained(),
                     "a b\nb has priority 5: it waits until nobody of a better one is eligible");
}
END_TEST

START_TEST(without_measures_there_is_no_gap)
{
    HOST(TWO ", \"check\": {\"type\": \"none\"}", -1, -1);
    ck_assert_str_eq(explained(), "a b");
}
END_TEST

/* --- Groups ------------------------------------------------------------------------------------
 */

START_TEST(a_group_shares_the_answers)
{
    HOST("\"candidates\": [{\"address\": \"192.0.2.1\", \"name\": \"a\", \"weight\": 300}, " B
         ", " C ", " V6 "], \"selection\": \"group_rtt_rr\"",
         25, 20, 45.5, 22);
    ck_assert_str_eq(explained(),
                     "a b\n"
                     "IPv4 is answered in rotation: a 75%, b 25%; all within 10ms of the fastest "
                     "(group_rtt_threshold)\n"
                     "Who asks for IPv6 alone is answered six\n"
                     "c is 25.5ms slower than the fastest, and within 10ms it is in the group "
                     "(group_rtt_threshold)");
}
END_TEST

START_TEST(beside_a_group_the_gap_counts)
{
    HOST(TWO ", \"selection\": \"group_rtt_rr\"", 20, 45);
    ck_assert_str_eq(explained(), "a b gap 25000\n"
                                  "b is 25ms slower than the fastest, and within 10ms it is in the "
                                  "group (group_rtt_threshold)");
}
END_TEST

/* --- Endpoints that are not answered -----------------------------------------------------------
 */

START_TEST(the_drained_and_the_forced)
{
    HOST(THREE, 10, 20, 0);
    override_until(0, OVERRIDE_DRAIN, NOW_S + 3480, "upgrade");
    override_until(1, OVERRIDE_DOWN, 0, NULL);
    override_until(2, OVERRIDE_UP, NOW_S + 0.5, NULL);
    host->endpoints[2]->health.streak = 1; /* a success, but it is down */
    ck_assert_str_eq(explained(),
                     "c -\n"
                     "Nobody else is eligible: without c, failure_mode all would "
                     "decide\n"
                     "c is forced up for another 1s; its checks say down: "
                     "connect-refused\n"
                     "b is forced down until `harctl auto x.example b`; its checks say up\n"
                     "a is drained for another 58m (upgrade)");
}
END_TEST

/* It is the operator who keeps it from answering, and it would. */
START_TEST(the_forced_down_say_what_their_checks_say)
{
    HOST("\"candidates\": [" B_LATER ", " A "], \"failure_mode\": [\"192.0.2.7\"]", 10, 20);
    override_until(1, OVERRIDE_DOWN, NOW_S + 58, NULL);
    ck_assert_str_eq(explained(), "b -\n"
                                  "Nobody else is eligible: without b, the addresses of "
                                  "failure_mode would be answered\n"
                                  "a is forced down for another 58s; then it takes over, for it "
                                  "has priority 0; its checks say up");
}
END_TEST

START_TEST(the_drained_come_back_by_themselves)
{
    HOST("\"candidates\": [" B_LATER ", " A "]", 10, 20);
    override_until(1, OVERRIDE_DRAIN, NOW_S + 58, NULL);
    ck_assert_str_eq(explained(), "b -\n"
                                  "Nobody else is eligible: without b, failure_mode all would "
                                  "decide\n"
                                  "a is drained for another 58s; then it takes over, for it has "
                                  "priority 0");
    override_until(1, OVERRIDE_DRAIN, 0, NULL); /* not by itself */
    ck_assert_ptr_null(strstr(explained(), "then"));
    override_until(1, OVERRIDE_DRAIN, NOW_S + 58, NULL);
    table_result(table, host->endpoints[1], 0); /* nor then */
    ck_assert_ptr_nonnull(strstr(explained(), "58s; its checks say down"));
    ck_assert_ptr_null(strstr(explained(), "then"));
}
END_TEST

START_TEST(the_dead_say_what_they_need)
{
    HOST(TWO ", \"check\": {\"rise\": 3}", 10, 0);
    struct endpoint *b = host->endpoints[1];
    b->reason = REASON_BAD_STATUS;
    strcpy(b->detail, "status 503");
    ck_assert_ptr_nonnull(strstr(explained(), "\nb is down: bad-status (status 503); "
                                              "3 successes in a row bring it back"));
    b->health.streak = 1;
    b->reason = REASON_OK;
    ck_assert_ptr_nonnull(strstr(explained(), "\nb is down; 2 more successes in a row bring it "));
    b->health.streak = 2;
    ck_assert_ptr_nonnull(strstr(explained(), "\nb is down; 1 more success brings it back"));
}
END_TEST

START_TEST(a_winner_that_fails_says_how_far_it_is)
{
    HOST(TWO, 10, 20);
    host->endpoints[0]->health.streak = 2;
    host->endpoints[1]->health.streak = 1; /* that is of no interest */
    host->endpoints[0]->reason = REASON_CONNECT_TIMEOUT;
    ck_assert_str_eq(explained(), "a b gap 10000 needed 10000\n"
                                  "a has failed 2 of 3 checks in a row: connect-timeout; at 3 it "
                                  "is down");
}
END_TEST

START_TEST(the_slow_are_told_the_limit)
{
    HOST(TWO ", \"max_rtt\": \"200ms\"", 10, 300.4);
    ck_assert_str_eq(explained(), "a -\n"
                                  "Nobody else is eligible: without a, failure_mode all would "
                                  "decide\n"
                                  "b is up but over max_rtt: 300ms, at most 200ms");
}
END_TEST

START_TEST(the_unknown_wait_for_results)
{
    HOST(TWO, -1, -1);
    ck_assert_str_eq(explained(), "a b\n"
                                  "a has had no result yet: until somebody is up, the first one "
                                  "written is answered\n"
                                  "b has had no result yet");
}
END_TEST

/* --- Names -------------------------------------------------------------------------------------
 */

START_TEST(names_without_an_address)
{
    static const struct {
        enum candidates_state state;
        const char *sentence;
    } cases[] = {
        {CANDIDATES_UNKNOWN, "n.example has no address yet: its name is being resolved"},
        {CANDIDATES_NO_DATA, "n.example has no address: its name has none"},
        {CANDIDATES_NO_NAME, "n.example has no address: there is no such name"},
        {CANDIDATES_FAILED, "n.example has no address yet: its name does not resolve"},
        {CANDIDATES_RESOLVED, "n.example has no address here: there are too many others"},
    };
    HOST("\"candidates\": [" A ", \"n.example\"]", 10);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        view.names[1] = cases[i].state;
        ck_assert_str_eq(strrchr(explained(), '\n') + 1, cases[i].sentence);
    }
}
END_TEST

START_TEST(names_that_lost_theirs)
{
    HOST("\"candidates\": [" A ", \"n.example\"]", 10);
    host_resolve(host, 1, "192.0.2.8 192.0.2.9");
    table_result(table, host->endpoints[1], 12);
    host_answer_at(host, NOW_S);
    view.names[1] = CANDIDATES_RESOLVED;
    ck_assert_str_eq(explained(), "a n.example gap 2000 needed 0\n"
                                  "n.example (192.0.2.9) has had no result yet");
    view.names[1] = CANDIDATES_NO_NAME;
    ck_assert_ptr_nonnull(strstr(explained(), "\nn.example keeps its last known addresses: its "
                                              "name has none any more"));
    view.names[1] = CANDIDATES_FAILED;
    ck_assert_ptr_nonnull(strstr(explained(), "\nn.example keeps its last known addresses: no "
                                              "upstream answers for its name now"));
    view.names[1] = CANDIDATES_PARTLY;
    ck_assert_ptr_nonnull(strstr(explained(), "\nn.example keeps its last known addresses of one "
                                              "family: no upstream answers for that now"));
}
END_TEST

/* --- The answer as a whole ---------------------------------------------------------------------
 */

START_TEST(with_nobody_eligible_failure_mode_decides)
{
    static const struct {
        const char *mode, *winner, *words;
    } cases[] = {
        {"\"all\"", "a -",
         "Nobody is eligible; failure_mode all: every candidate is answered, best known first"},
        {"\"last\"", "a -",
         "Nobody is eligible; failure_mode last: there has been no good answer yet, so every "
         "candidate is answered, best known first"},
        {"\"none\"", "- -",
         "Nobody is eligible; failure_mode none: programs get the error EAI_AGAIN, and DNS clients "
         "SERVFAIL"},
        {"\"forward\"", "- -",
         "Nobody is eligible; failure_mode forward: the next service or the upstreams are asked"},
        {"[\"192.0.2.7\"]", "- -",
         "Nobody is eligible; the addresses of failure_mode are answered"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char keys[1000], wanted[1000];
        snprintf(keys, sizeof keys, TWO ", \"failure_mode\": %s", cases[i].mode);
        snprintf(wanted, sizeof wanted,
                 "%s\n%s\na is down: connect-refused; 2 successes in a row bring it back\n"
                 "b is down: connect-refused; 2 successes in a row bring it back",
                 cases[i].winner, cases[i].words);
        HOST(keys, 0, 0);
        ck_assert_str_eq(explained(), wanted);
        table_free(table);
    }
    HOST(TWO ", \"failure_mode\": \"last\"", 20, 10);
    table_result(table, host->endpoints[0], 0);
    table_result(table, host->endpoints[1], 0);
    host_answer_at(host, NOW_S);
    ck_assert_ptr_nonnull(strstr(explained(), "b -\nNobody is eligible; failure_mode last: "
                                              "the last good answer stands\n"));
}
END_TEST

START_TEST(the_drained_are_answered_where_nobody_else_is_left)
{
    HOST(TWO, 10, 0);
    override_until(0, OVERRIDE_DRAIN, 0, NULL);
    ck_assert_ptr_nonnull(strstr(explained(), "all: every candidate that is not drained is "
                                              "answered, best known first\n"));
    override_until(1, OVERRIDE_DRAIN, 0, NULL);
    ck_assert_ptr_nonnull(strstr(explained(), "all: every candidate is answered, best known"));
}
END_TEST

START_TEST(without_any_address)
{
    HOST("\"candidates\": [\"n.example\"]", 0);
    ck_assert_ptr_nonnull(
        strstr(explained(), "- -\nNothing is answered yet: no name has been resolved\n"));
    host_resolve(host, 0, "");
    host_answer_at(host, NOW_S);
    ck_assert_ptr_nonnull(strstr(explained(), "- -\nNo candidate has an address; failure_mode all: "
                                              "the next service or the upstreams are asked\n"));
}
END_TEST

START_TEST(a_frozen_answer_stays)
{
    HOST(TWO, 10, 40);
    view.local_fault = "no route";
    ck_assert_str_eq(explained(), "a b gap 30000\n"
                                  "The answer stays as it is until this machine is no longer cut "
                                  "off (no route), and then everything is checked at once");
}
END_TEST

START_TEST(a_restored_answer_stands_until_results_are_in)
{
    const struct ranking_row row = {.name = "x.example",
                                    .status = RANKING_STATUS_ANSWER,
                                    .addresses = "192.0.2.2",
                                    .answers = 1};
    HOST(TWO, -1, -1);
    host_answer_done(&host->answer);
    host->answer.addresses = host->answer.weights = NULL;
    table_restore(table, &row);
    table_result(table, host->endpoints[0], 10);
    ck_assert_str_eq(explained(), "b a\n"
                                  "The answer is that of an earlier run, until results are in: "
                                  "1 of 2 are missing\n"
                                  "b has had no result yet");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("explain");
    TCase *tests = tcase_create("explain");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_gap_and_what_it_takes);
    tcase_add_test(tests, a_fifth_of_a_long_time_is_more_than_the_margin);
    tcase_add_test(tests, who_is_faster_but_not_enough_is_next);
    tcase_add_test(tests, a_hold_is_told_while_it_lasts);
    tcase_add_test(tests, a_family_holds_its_own);
    tcase_add_test(tests, before_anybody_leads_a_trifle_is_enough);
    tcase_add_test(tests, latency_does_not_count_in_order);
    tcase_add_test(tests, order_is_not_told_where_there_is_no_choice);
    tcase_add_test(tests, nor_between_priorities);
    tcase_add_test(tests, without_measures_there_is_no_gap);
    tcase_add_test(tests, a_group_shares_the_answers);
    tcase_add_test(tests, beside_a_group_the_gap_counts);
    tcase_add_test(tests, the_drained_and_the_forced);
    tcase_add_test(tests, the_forced_down_say_what_their_checks_say);
    tcase_add_test(tests, the_drained_come_back_by_themselves);
    tcase_add_test(tests, the_dead_say_what_they_need);
    tcase_add_test(tests, a_winner_that_fails_says_how_far_it_is);
    tcase_add_test(tests, the_slow_are_told_the_limit);
    tcase_add_test(tests, the_unknown_wait_for_results);
    tcase_add_test(tests, names_without_an_address);
    tcase_add_test(tests, names_that_lost_theirs);
    tcase_add_test(tests, with_nobody_eligible_failure_mode_decides);
    tcase_add_test(tests, the_drained_are_answered_where_nobody_else_is_left);
    tcase_add_test(tests, without_any_address);
    tcase_add_test(tests, a_frozen_answer_stays);
    tcase_add_test(tests, a_restored_answer_stands_until_results_are_in);
    suite_add_tcase(all, tests);
    return all;
}

int main(void)
{
    return unit_run(suite());
}
