/* hard/commands*.c, asked over a real socket. The monitor is made up: one table that the test
 * changes. */
#include "har_config.h"

#include "hard/commands_run.h"

#include <ev.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hard/control_run.h"
#include "tests/support/table_text.h"

#define DEADLINE_S 10.
#define US 1000000

/* --- The monitor -------------------------------------------------------------------------------
 */

static struct table *table;
static struct local_fault fault;
static bool frozen;
static size_t looked_at; /* hosts */

const struct table *monitor_table(const struct monitor *monitor)
{
    (void)monitor;
    return table;
}

const struct local_fault *monitor_local_fault(const struct monitor *monitor)
{
    (void)monitor;
    return &fault;
}

bool monitor_is_frozen(const struct monitor *monitor, const struct host *host)
{
    (void)monitor;
    (void)host;
    looked_at++;
    return frozen;
}

enum candidates_state monitor_name_state(const struct host *host,
                                         const struct config_candidate *candidate,
                                         struct candidates_counters *counters)
{
    (void)host;
    memset(counters, '#', sizeof *counters);
    return candidate->host_name != NULL ? CANDIDATES_NO_NAME : CANDIDATES_UNKNOWN;
}

static uint32_t overridden_for_s;
static bool overridden_with_reason;
static bool no_memory;

bool monitor_override(struct monitor *monitor, struct host *host,
                      const struct config_candidate *candidate, enum override override,
                      uint32_t for_s, const char *reason)
{
    (void)monitor;
    overridden_for_s = for_s;
    overridden_with_reason = reason != NULL;
    int64_t until_us = for_s == 0 ? HOST_NO_END : har_now_us() + (int64_t)for_s * US;
    if (no_memory || !host_override(host, candidate, override, until_us, reason))
        return false;
    host_answer_at(host, 1);
    return true;
}

struct monitor_round {
    monitor_round_fn *done;
    void *arg;
};
static struct monitor_round check_round;
static const struct host *checked;
static int cancelled;

struct monitor_round *monitor_check(struct monitor *monitor, struct host *host,
                                    monitor_round_fn *done, void *arg)
{
    (void)monitor;
    checked = host;
    check_round = (struct monitor_round){done, arg};
    return no_memory ? NULL : &check_round;
}

void monitor_round_cancel(struct monitor_round *round)
{
    ck_assert_ptr_eq(round, &check_round);
    cancelled++;
}

/* --- Around each test --------------------------------------------------------------------------
 */

static struct ev_loop *loop;
static struct commands *commands;
static char folder[] = "/tmp/check_commands.XXXXXX";
static char path[80];
static int client;

/* What the next reload finds. */
static const char *reload_error;
static bool reload_fails;

static bool reload(void *arg, struct config_report *report, struct har_error *error)
{
    ck_assert_ptr_eq(arg, &reload_fails);
    ck_assert_uint_eq(report->count, 0);
    if (reload_fails && reload_error == NULL) {
        report->lines = calloc(2, sizeof(char *));
        report->lines[0] = strdup("hosts: bad");
        report->lines[1] = strdup("b: \xff is no file");
        report->count = 2;
    } else if (reload_fails) {
        har_fail(error, HAR_ERR_BUSY, "%s", reload_error);
    } else {
        table = table_next(table, "\"new.example\": {\"candidates\": [\"::1\", \"::2\"]}");
    }
    return !reload_fails;
}

static int new_client(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

#define HOSTS                                                                                      \
    "\"b.example\": {\"candidates\": [{\"address\": \"192.0.2.1\", \"name\": \"one\"}, "           \
    "{\"address\": \"192.0.2.2\", \"name\": \"two\"}], \"aliases\": [\"www.b.example\"]}, "        \
    "\"a.example\": {\"candidates\": [\"192.0.2.3\"]}, "                                           \
    "\"c.example\": {\"candidates\": [\"n.example\"]}"

static void set_up(void)
{
    struct har_error error = {.code = HAR_OK};
    table = table_of(HOSTS);
    local_fault_init(&fault);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
    loop = ev_loop_new(EVFLAG_AUTO);
    commands = commands_new(loop, (struct monitor *)&table, reload, &reload_fails, &error);
    ck_assert_msg(commands != NULL, "%s", error.text);
    ck_assert_int_eq(commands_listen(commands, path, &error), HAR_OK);
    client = new_client();
}

static void tear_down(void)
{
    close(client);
    commands_free(commands);
    ev_loop_destroy(loop);
    table_free(table);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* --- Asking ------------------------------------------------------------------------------------
 */

static void say(int fd, const char *line)
{
    ck_assert_int_eq(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    ck_assert_int_eq(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
}

static void turn(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    ev_run(loop, EVRUN_NOWAIT);
    poll(&look, 1, 1);
}

#define RUN_UNTIL(condition)                                                                       \
    do {                                                                                           \
        double until_s = ev_time() + DEADLINE_S;                                                   \
        while (!(condition) && ev_time() < until_s)                                                \
            turn(client);                                                                          \
        ck_assert_msg(condition, "still not: %s", #condition);                                     \
    } while (0)

/* The next line that comes. */
static json_t *answer(int fd)
{
    static char line[8 << 20];
    size_t count = 0;
    double until_s = ev_time() + DEADLINE_S;
    while (count == 0 || line[count - 1] != '\n') {
        ssize_t got = recv(fd, line + count, sizeof line - count, 0);
        count += got > 0 ? (size_t)got : 0;
        ck_assert_msg(ev_time() < until_s && got != 0, "%zu bytes, and no end", count);
        if (got < 0)
            turn(fd);
    }
    json_t *json = json_loadb(line, count, 0, NULL);
    ck_assert_msg(json != NULL, "%.*s", (int)count, line);
    return json;
}

static json_t *ask(const char *line)
{
    say(client, line);
    return answer(client);
}

/* A text or a number at the end of a path such as "hosts.0.host"; "-" if there is none. */
static const char *at(const json_t *json, const char *where)
{
    static char texts[4][100];
    static unsigned next;
    char *text = texts[next++ % 4], key[40];
    for (int used = 0; sscanf(where, "%39[^.]%n", key, &used) == 1;
         where += used + (where[used] == '.'))
        json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10))
                                   : json_object_get(json, key);
    if (json_is_string(json))
        snprintf(text, 100, "%s", json_string_value(json));
    else if (json_is_number(json) || json_is_boolean(json))
        snprintf(text, 100, "%.0f",
                 json_is_number(json) ? json_number_value(json) : json_is_true(json));
    else
        strcpy(text, json_is_null(json) ? "null" : "-");
    return text;
}

static void expect_refusal(const char *line, const char *error)
{
    json_t *json = ask(line);
    ck_assert_str_eq(at(json, "ok"), "0");
    ck_assert_str_eq(at(json, "error"), error);
    json_decref(json);
}

/* --- status ------------------------------------------------------------------------------------
 */

START_TEST(status_of_all)
{
    static const char *const requests[] = {"{\"command\":\"status\"}",
                                           "{\"command\":\"status\",\"names\":[]}"};
    for (size_t i = 0; i < 2; i++) {
        json_t *json = ask(requests[i]);
        ck_assert_str_eq(at(json, "ok"), "1");
        ck_assert_str_eq(at(json, "version"), PACKAGE_VERSION);
        ck_assert_str_eq(at(json, "local_fault"), "null");
        ck_assert_uint_eq(json_array_size(json_object_get(json, "hosts")), 3);
        ck_assert_str_eq(at(json, "hosts.0.host"), "a.example");
        ck_assert_str_eq(at(json, "hosts.1.endpoints.1.candidate"), "two");
        ck_assert_str_eq(at(json, "hosts.2.endpoints.0.detail"), "no such name");
        json_decref(json);
    }
}
END_TEST

START_TEST(status_of_some)
{
    json_t *json = ask("{\"command\":\"status\",\"names\":[\"C.example.\",\"www.B.example\","
                       "\"b.example\",\"c.example\"]}");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "hosts")), 2);
    ck_assert_str_eq(at(json, "hosts.0.host"), "c.example");
    ck_assert_str_eq(at(json, "hosts.1.host"), "b.example");
    json_decref(json);
    expect_refusal("{\"command\":\"status\",\"names\":[\"a.example\",\"No\"]}",
                   "No: not configured; `harctl status` lists the names");
    expect_refusal("{\"command\":\"status\",\"names\":[7]}", "name: the name of a host, a text");
    expect_refusal("{\"command\":\"status\",\"names\":\"a.example\"}", "names: an array of names");
}
END_TEST

START_TEST(a_local_fault_is_told)
{
    fault.lasts = true;
    fault.cause = LOCAL_FAULT_NO_CARRIER;
    json_t *json = ask("{\"command\":\"status\"}");
    ck_assert_str_eq(at(json, "local_fault"), "no carrier");
    ck_assert_str_eq(at(json, "hosts.0.local_fault"), "null"); /* that host is not touched by it */
    json_decref(json);
    frozen = true;
    json = ask("{\"command\":\"explain\",\"name\":\"a.example\"}");
    ck_assert_str_eq(at(json, "local_fault"), "no carrier");
    ck_assert_str_eq(at(json, "host.local_fault"), "no carrier");
    json_decref(json);
}
END_TEST

/* --- status of very many -----------------------------------------------------------------------
 */

#define MANY 3000

/* Hosts h0000 and so on, all but one of them; and no number: all. */
static char *many_hosts(unsigned without)
{
    char *text = malloc(MANY * 64), *end = text;
    for (unsigned i = 0; i < MANY; i++) {
        if (i != without)
            end += sprintf(end, "%s\"h%04u\": {\"candidates\": [\"10.0.0.1\"]}",
                           end > text ? ", " : "", i);
    }
    return text;
}

static void configure_many(unsigned without)
{
    char *hosts = many_hosts(without);
    table = table_next(table, hosts);
    free(hosts);
}

START_TEST(the_loop_turns_while_many_are_told)
{
    configure_many(MANY);
    looked_at = 0;
    say(client, "{\"command\":\"status\"}");
    RUN_UNTIL(looked_at > 0);
    ck_assert_uint_lt(looked_at, MANY);
    configure_many(MANY - 1); /* meanwhile */
    json_t *json = answer(client);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "hosts")), MANY - 1);
    ck_assert_str_eq(at(json, "hosts.0.host"), "h0000");
    ck_assert_str_eq(at(json, "hosts.2998.host"), "h2998");
    json_decref(json);
}
END_TEST

START_TEST(two_at_once_are_both_told_all)
{
    int other = new_client();
    configure_many(MANY);
    say(client, "{\"command\":\"status\"}");
    say(other, "{\"command\":\"status\"}");
    looked_at = 0;
    RUN_UNTIL(looked_at > 1);
    /* They share what there is in one round. If that is used up, each goes one host further. */
    size_t then = looked_at;
    commands->slice_round = ev_iteration(loop) + 1;
    commands->slice_until_us = 0;
    turn(client);
    ck_assert_uint_eq(looked_at, then + 2);
    for (int i = 0; i < 2; i++) {
        json_t *json = answer(i == 0 ? client : other);
        ck_assert_uint_eq(json_array_size(json_object_get(json, "hosts")), MANY);
        json_decref(json);
    }
    close(other);
}
END_TEST

START_TEST(nobody_is_told_who_left)
{
    int other = new_client();
    configure_many(MANY);
    looked_at = 0;
    say(other, "{\"command\":\"status\"}");
    RUN_UNTIL(looked_at > 0);
    close(other);
    RUN_UNTIL(commands->control->client_count == 1);
    size_t then = looked_at;
    ck_assert_uint_lt(then, MANY);
    json_t *json = ask("{\"command\":\"status\",\"names\":[\"h0001\"]}");
    ck_assert_str_eq(at(json, "hosts.0.host"), "h0001");
    ck_assert_uint_eq(looked_at, then + 1);
    json_decref(json);
}
END_TEST

START_TEST(the_end_of_all_ends_what_is_being_told)
{
    configure_many(MANY);
    looked_at = 0;
    say(client, "{\"command\":\"status\"}");
    RUN_UNTIL(looked_at > 0);
    ck_assert_uint_lt(looked_at, MANY);
}
END_TEST

START_TEST(too_much_to_tell)
{
    configure_many(MANY);
    commands->control->output_max = 100000;
    expect_refusal("{\"command\":\"status\"}", "the answer is too large: ask for fewer names");
    close(client);
    client = new_client();
    json_t *json = ask("{\"command\":\"status\",\"names\":[\"h0001\"]}");
    ck_assert_str_eq(at(json, "ok"), "1");
    json_decref(json);
}
END_TEST

/* --- explain -----------------------------------------------------------------------------------
 */

START_TEST(explain_a_host)
{
    table_result(table, table->hosts[1].endpoints[0], 20);
    table_result(table, table->hosts[1].endpoints[1], 32);
    host_answer_at(&table->hosts[1], 1);
    json_t *json = ask("{\"command\":\"explain\",\"name\":\"WWW.b.example\"}");
    ck_assert_str_eq(at(json, "ok"), "1");
    ck_assert_str_eq(at(json, "version"), PACKAGE_VERSION);
    ck_assert_str_eq(at(json, "local_fault"), "null");
    ck_assert_str_eq(at(json, "host.host"), "b.example");
    ck_assert_str_eq(at(json, "winner.candidate"), "one");
    ck_assert_str_eq(at(json, "runner_up.address"), "192.0.2.2");
    ck_assert_str_eq(at(json, "gap_us"), "12000");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "why")), 0);
    json_decref(json);
    expect_refusal("{\"command\":\"explain\",\"name\":\"\"}",
                   ": not configured; `harctl status` lists the names");
    expect_refusal("{\"command\":\"explain\"}", "name: the name of a host, a text");
}
END_TEST

/* --- check -------------------------------------------------------------------------------------
 */

START_TEST(check_waits_for_the_results)
{
    const struct monitor_verdict verdicts[] = {
        {.candidate = (char *)"one",
         .address = table->hosts[1].endpoints[0]->target.address,
         .port = 80,
         .ended = true,
         .result = {.reason = REASON_BAD_STATUS, .total_us = 5000, .detail = "status 503"},
         .state = HEALTH_DOWN},
        {.candidate = (char *)"two", .ended = false}};
    say(client, "{\"command\":\"check\",\"name\":\"b.example\"}");
    RUN_UNTIL(checked == &table->hosts[1]);
    table = table_next(table, "\"a.example\": {\"candidates\": [\"::1\"]}"); /* it left */
    check_round.done(check_round.arg, verdicts, 2);
    json_t *json = answer(client);
    ck_assert_str_eq(at(json, "ok"), "1");
    ck_assert_str_eq(at(json, "host"), "b.example");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "results")), 1);
    ck_assert_str_eq(at(json, "results.0.candidate"), "one");
    ck_assert_str_eq(at(json, "results.0.address"), "192.0.2.1");
    ck_assert_str_eq(at(json, "results.0.port"), "80");
    ck_assert_str_eq(at(json, "results.0.reason"), "bad-status");
    ck_assert_str_eq(at(json, "results.0.detail"), "status 503");
    ck_assert_str_eq(at(json, "results.0.connect_us"), "null");
    ck_assert_str_eq(at(json, "results.0.total_us"), "5000");
    ck_assert_str_eq(at(json, "results.0.state"), "down");
    json_decref(json);
    ck_assert_int_eq(cancelled, 0);
}
END_TEST

START_TEST(a_name_without_address_is_a_bad_result)
{
    say(client, "{\"command\":\"check\",\"name\":\"c.example\"}");
    RUN_UNTIL(checked == &table->hosts[2]);
    check_round.done(check_round.arg, NULL, 0);
    json_t *json = answer(client);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "results")), 1);
    ck_assert_str_eq(at(json, "results.0.address"), "null");
    ck_assert_str_eq(at(json, "results.0.state"), "down");
    ck_assert_str_eq(at(json, "results.0.reason"), "dns-failed");
    ck_assert_str_eq(at(json, "results.0.detail"), "no such name");
    ck_assert_str_eq(at(json, "results.0.total_us"), "null");
    json_decref(json);
}
END_TEST

START_TEST(nobody_waits_for_the_results)
{
    int other = new_client();
    say(other, "{\"command\":\"check\",\"name\":\"b.example\"}");
    RUN_UNTIL(checked != NULL);
    close(other);
    RUN_UNTIL(cancelled == 1);
}
END_TEST

START_TEST(no_memory_for_a_check)
{
    no_memory = true;
    expect_refusal("{\"command\":\"check\",\"name\":\"b.example\"}", "out of memory");
}
END_TEST

/* --- drain, force, auto ------------------------------------------------------------------------
 */

START_TEST(overrides_are_taken_and_told)
{
    json_t *json = ask("{\"command\":\"drain\",\"name\":\"www.b.example\",\"candidate\":\"one\","
                       "\"for_s\":7200,\"reason\":\"upgrade\"}");
    ck_assert_str_eq(at(json, "ok"), "1");
    ck_assert_str_eq(at(json, "host"), "b.example");
    ck_assert_str_eq(at(json, "candidate"), "one");
    ck_assert_str_eq(at(json, "override.kind"), "drain");
    ck_assert_int_eq(overridden_for_s, 7200);
    ck_assert_str_eq(at(json, "override.reason"), "upgrade");
    ck_assert_str_eq(at(json, "answer.0"), "192.0.2.2");
    ck_assert_str_eq(at(json, "failing"), "0");
    ck_assert_str_eq(at(json, "status"), "answer");
    ck_assert_str_eq(at(json, "failure_mode"), "all");
    json_decref(json);

    static const char *const states[] = {"up", "down"};
    for (size_t i = 0; i < 2; i++) {
        char line[200];
        snprintf(line, sizeof line,
                 "{\"command\":\"force\",\"name\":\"b.example\",\"candidate\":\"one\","
                 "\"state\":\"%s\",\"for_s\":null,\"reason\":\"\"}",
                 states[i]);
        json = ask(line);
        ck_assert_str_eq(at(json, "override.kind"), states[i]);
        ck_assert_str_eq(at(json, "override.expires_s"), "null");
        ck_assert_str_eq(at(json, "override.reason"), "null");
        ck_assert_int_eq(overridden_for_s, 0);
        ck_assert(!overridden_with_reason);
        json_decref(json);
    }

    json = ask("{\"command\":\"auto\",\"name\":\"b.example\",\"candidate\":\"one\"}");
    ck_assert_str_eq(at(json, "override"), "null");
    ck_assert_str_eq(at(json, "answer.0"), "192.0.2.1");
    json_decref(json);
    ck_assert_int_eq(endpoint_override(table->hosts[1].endpoints[0]), OVERRIDE_NONE);
}
END_TEST

START_TEST(overrides_that_cannot_be)
{
#define OF_ONE "\"name\":\"b.example\",\"candidate\":\"one\""
#define BY(command, more) "{\"command\":\"" command "\"," more "}"
    static const char *const cases[][2] = {
        {BY("drain", "\"candidate\":\"one\""), "name: the name of a host, a text"},
        {BY("drain", "\"name\":\"x\""), "x: not configured; `harctl status` lists the names"},
        {BY("drain", "\"name\":\"b.example\""), "candidate: the name of a candidate, a text"},
        {BY("auto", "\"name\":\"www.b.example\",\"candidate\":\"x\""),
         "b.example: no candidate x; it has one, two"},
        {BY("drain", OF_ONE ",\"for_s\":0"), "for_s: whole seconds, 1 to 31536000"},
        {BY("drain", OF_ONE ",\"for_s\":31536001"), "for_s: whole seconds, 1 to 31536000"},
        {BY("force", OF_ONE ",\"state\":\"up\",\"for_s\":1.5"),
         "for_s: whole seconds, 1 to 31536000"},
        {BY("drain", OF_ONE ",\"reason\":5"), "reason: a text of at most 200 bytes"},
        {BY("force", OF_ONE), "state: up or down"},
        {BY("force", OF_ONE ",\"state\":\"drain\""), "state: up or down"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refusal(cases[i][0], cases[i][1]);
    ck_assert_int_eq(endpoint_override(table->hosts[1].endpoints[0]), OVERRIDE_NONE);
    no_memory = true;
    expect_refusal(BY("drain", OF_ONE), "out of memory");
}
END_TEST

START_TEST(a_reason_has_a_limit)
{
    for (int length = 200; length <= 201; length++) {
        char line[400];
        snprintf(line, sizeof line, "{\"command\":\"drain\"," OF_ONE ",\"reason\":\"%0*d\"}",
                 length, 1);
        json_t *json = ask(line);
        ck_assert_str_eq(at(json, "ok"), length == 200 ? "1" : "0");
        json_decref(json);
    }
}
END_TEST

/* --- reload ------------------------------------------------------------------------------------
 */

START_TEST(reload_tells_what_there_is_now)
{
    json_t *json = ask("{\"command\":\"reload\"}");
    ck_assert_str_eq(at(json, "ok"), "1");
    ck_assert_str_eq(at(json, "hosts"), "1");
    ck_assert_str_eq(at(json, "candidates"), "2");
    ck_assert_str_eq(at(json, "control_socket"), table->config->control_socket);
    json_decref(json);
}
END_TEST

START_TEST(reload_tells_all_that_is_wrong)
{
    reload_fails = true;
    json_t *json = ask("{\"command\":\"reload\"}");
    ck_assert_str_eq(at(json, "ok"), "0");
    ck_assert_str_eq(at(json, "error"), "the configuration is wrong; the old one stays in force");
    ck_assert_str_eq(at(json, "errors.0"), "hosts: bad");
    ck_assert_str_eq(at(json, "errors.1"), "b: ? is no file");
    json_decref(json);
    reload_error = "another daemon publishes there";
    expect_refusal("{\"command\":\"reload\"}",
                   "another daemon publishes there; the old configuration stays in force");
}
END_TEST

static void add_many(TCase *tests)
{
    tcase_add_test(tests, the_loop_turns_while_many_are_told);
    tcase_add_test(tests, two_at_once_are_both_told_all);
    tcase_add_test(tests, nobody_is_told_who_left);
    tcase_add_test(tests, the_end_of_all_ends_what_is_being_told);
    tcase_add_test(tests, too_much_to_tell);
}

int main(void)
{
    Suite *suite = suite_create("commands");
    TCase *tests = tcase_create("commands");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, status_of_all);
    tcase_add_test(tests, status_of_some);
    tcase_add_test(tests, a_local_fault_is_told);
    add_many(tests);
    tcase_add_test(tests, explain_a_host);
    tcase_add_test(tests, check_waits_for_the_results);
    tcase_add_test(tests, a_name_without_address_is_a_bad_result);
    tcase_add_test(tests, nobody_waits_for_the_results);
    tcase_add_test(tests, no_memory_for_a_check);
    tcase_add_test(tests, overrides_are_taken_and_told);
    tcase_add_test(tests, overrides_that_cannot_be);
    tcase_add_test(tests, a_reason_has_a_limit);
    tcase_add_test(tests, reload_tells_what_there_is_now);
    tcase_add_test(tests, reload_tells_all_that_is_wrong);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
