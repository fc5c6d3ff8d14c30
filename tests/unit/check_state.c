/* hard/state.h: what is noted is there after a restart, the last note counts, histories are whole
 * and bounded, clocks may be set, and nobody who notes something ever waits. */
#include "har_config.h"

#include "hard/state.h"

#include "tests/support/state_rows.h"

static struct seen seen;

static const char *load_endpoints(struct state *state)
{
    seen = (struct seen){.count = 0};
    ck_assert_int_eq(state_load_endpoints(state, see_endpoint, &seen, NULL), HAR_OK);
    return seen.text;
}

static const char *load_overrides(struct state *state, int64_t now_s)
{
    seen = (struct seen){.count = 0};
    ck_assert_int_eq(state_load_overrides(state, now_s, see_override, &seen, NULL), HAR_OK);
    return seen.text;
}

static const char *load_answers(struct state *state)
{
    seen = (struct seen){.count = 0};
    ck_assert_int_eq(state_load_answers(state, see_answer, &seen, NULL), HAR_OK);
    return seen.text;
}

/* --- Rows --------------------------------------------------------------------------------------
 */

#define ENDPOINT_7                                                                                 \
    "api.example.com node7 10.0.0.7 8080 question 18446744073709551608 up 1 1 2007 3007 "          \
    "since 1794999940 connect-refused 7 2 3 4 5 6 7 8 9 1794999997 1794999910 11 12\n"
#define OVERRIDE "api.example.com north 1 1795000000 1795003600 new disk, \"see\" ticket\n"
#define ANSWER "api.example.com answer (192.0.2.1 2001:db8::1) (100 0) 2 -\n"

START_TEST(all_is_there_after_a_restart)
{
    struct state *state = open_state();
    const struct state_endpoint endpoint = sample_endpoint(7);
    const struct state_override override = sample_override();
    const struct ranking_row answer = sample_answer();
    state_note_endpoint(state, &endpoint);
    state_note_override(state, &override);
    state_note_answer(state, &answer);
    ck_assert_uint_eq(state_stats(state).unwritten, 3);
    close_state(state);
    state = open_state();
    ck_assert_str_eq(load_endpoints(state), ENDPOINT_7);
    ck_assert_str_eq(load_overrides(state, NOW_S), OVERRIDE);
    ck_assert_str_eq(load_answers(state), ANSWER);
    ck_assert_uint_eq(state_stats(state).unwritten, 0);
    close_state(state);
}
END_TEST

START_TEST(extremes)
{
    struct state *state = open_state();
    struct state_endpoint endpoint = sample_endpoint(7);
    endpoint.address = (struct har_address){AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 1}};
    endpoint.port = 0;
    endpoint.question = 0;
    endpoint.health = (struct health){.state = HEALTH_UNKNOWN};
    endpoint.since_s = 0;
    endpoint.reason = REASON_LOCAL_ERROR;
    endpoint.counters =
        (struct endpoint_counters){.successes = INT64_MAX, .last_connect_us = UINT32_MAX};
    struct ranking_row answer = {
        .name = "b", .status = "answer", .addresses = "", .answers = 1, .alias_of = "not kept"};
    state_note_endpoint(state, &endpoint);
    state_note_answer(state, &answer);
    sync_state(state, NOW_S);
    ck_assert_str_eq(load_endpoints(state),
                     "api.example.com node7 2001:db8::1 0 question 0 unknown 0 0 0 0 since 0 "
                     "local-error 9223372036854775807 0 0 0 0 0 0 0 0 0 0 4294967295 0\n");
    ck_assert_str_eq(load_answers(state), "b answer () (-) 1 -\n");
    close_state(state);
}
END_TEST

START_TEST(the_last_note_counts)
{
    struct state *state = open_state();
    struct state_endpoint endpoint = sample_endpoint(7);
    struct state_override override = sample_override();
    struct ranking_row answer = sample_answer();
    for (int round = 0; round < 2; round++) { /* in one batch, then over what is in the file */
        endpoint.counters.successes = 1000;
        state_note_endpoint(state, &endpoint);
        endpoint.counters.successes = 7;
        state_note_endpoint(state, &endpoint);
        override.kind = OVERRIDE_UP;
        override.reason = "something much longer than what comes after it";
        state_note_override(state, &override);
        override = sample_override();
        state_note_override(state, &override);
        answer.addresses = "192.0.2.99";
        answer.weights = NULL;
        state_note_answer(state, &answer);
        answer = sample_answer();
        state_note_answer(state, &answer);
        ck_assert_uint_eq(state_stats(state).unwritten, 3);
        sync_state(state, NOW_S);
    }
    ck_assert_str_eq(load_endpoints(state), ENDPOINT_7);
    ck_assert_str_eq(load_overrides(state, NOW_S), OVERRIDE);
    ck_assert_str_eq(load_answers(state), ANSWER);
    close_state(state);
}
END_TEST

/* Whatever part of a key differs, it is somebody else. */
START_TEST(keys_are_whole)
{
    struct state *state = open_state();
    struct state_endpoint endpoint = sample_endpoint(7);
    state_note_endpoint(state, &endpoint);
    endpoint.host = "b.example.com";
    state_note_endpoint(state, &endpoint);
    endpoint.candidate = "south";
    state_note_endpoint(state, &endpoint);
    endpoint.address.bytes[3] = 9;
    state_note_endpoint(state, &endpoint);
    endpoint.port = 9090;
    state_note_endpoint(state, &endpoint);
    ck_assert_uint_eq(state_stats(state).unwritten, 5);
    sync_state(state, NOW_S);
    load_endpoints(state);
    ck_assert_uint_eq(seen.count, 5);
    close_state(state);
}
END_TEST

START_TEST(what_is_forgotten_is_gone)
{
    struct state *state = open_state();
    const struct state_endpoint endpoint = sample_endpoint(7);
    struct state_override override = sample_override();
    const struct ranking_row answer = sample_answer();
    for (int round = 0; round < 2; round++) { /* before it was written, and after */
        state_note_endpoint(state, &endpoint);
        state_note_override(state, &override);
        state_note_answer(state, &answer);
        if (round == 1)
            sync_state(state, NOW_S);
        state_forget_endpoint(state, &endpoint);
        state_forget_override(state, override.host, override.candidate);
        state_forget_answer(state, answer.name);
        sync_state(state, NOW_S);
        ck_assert_str_eq(load_endpoints(state), "");
        ck_assert_str_eq(load_overrides(state, NOW_S), "");
        ck_assert_str_eq(load_answers(state), "");
    }
    state_forget_endpoint(state, &endpoint);
    state_note_endpoint(state, &endpoint);
    state_note_override(state, &override);
    override.kind = OVERRIDE_NONE;
    state_note_override(state, &override);
    sync_state(state, NOW_S);
    ck_assert_str_eq(load_endpoints(state), ENDPOINT_7);
    ck_assert_str_eq(load_overrides(state, NOW_S), "");
    close_state(state);
}
END_TEST

START_TEST(who_is_not_known_is_forgotten)
{
    struct state *state = open_state();
    const struct state_endpoint endpoint = sample_endpoint(7);
    const struct state_override override = sample_override();
    const struct ranking_row answer = sample_answer();
    state_note_endpoint(state, &endpoint);
    state_note_override(state, &override);
    state_note_answer(state, &answer);
    close_state(state);
    state = open_state();
    static struct seen strangers = {.unknown = true};
    ck_assert_int_eq(state_load_endpoints(state, see_endpoint, &strangers, NULL), HAR_OK);
    ck_assert_int_eq(state_load_overrides(state, NOW_S, see_override, &strangers, NULL), HAR_OK);
    ck_assert_int_eq(state_load_answers(state, see_answer, &strangers, NULL), HAR_OK);
    ck_assert_uint_eq(strangers.count, 3);
    close_state(state);
    state = open_state();
    ck_assert_str_eq(load_endpoints(state), "");
    ck_assert_str_eq(load_overrides(state, NOW_S), "");
    ck_assert_str_eq(load_answers(state), "");
    close_state(state);
}
END_TEST

static const char *const nonsense[] = {
    "UPDATE endpoint SET address = 'example.com'",
    "UPDATE endpoint SET address = ''",
    "UPDATE endpoint SET port = 65536",
    "UPDATE endpoint SET port = -1",
    "UPDATE endpoint SET port = 'eighty'",
    "UPDATE endpoint SET state = 'UP'",
    "UPDATE endpoint SET streak = -1",
    "UPDATE endpoint SET measured = 2",
    "UPDATE endpoint SET measured = 1, total_us = 0",
    "UPDATE endpoint SET connect_us = 4294967296",
    "UPDATE endpoint SET connect_us = 1.5",
    "UPDATE endpoint SET since = -1",
    "UPDATE endpoint SET reason = 'bored'",
    "UPDATE endpoint SET successes = -1",
    "UPDATE endpoint SET last_failure = x'00'",
    "UPDATE endpoint SET host = CAST(x'610062' AS TEXT)",
    "UPDATE endpoint SET host = x'61'",
    "UPDATE override SET kind = ''",
    "UPDATE override SET kind = 'none'",
    "UPDATE override SET set_at = 'now'",
    "UPDATE answer SET status = 'a word that is longer than a status'",
    "UPDATE answer SET answers = 0",
    "UPDATE answer SET answers = 17",
    "UPDATE answer SET addresses = '192.0.2.1  192.0.2.2'",
    "UPDATE answer SET addresses = 'somewhere'",
    ("UPDATE answer SET addresses = addresses || ' ' || addresses || ' ' || "
     "replace(hex(zeroblob(30)), '00', '::1 ') || '::1', weights = NULL"),
    "UPDATE answer SET weights = '1'",
    "UPDATE answer SET weights = '1 --1'",
    "UPDATE answer SET weights = '1 -'",
    "UPDATE answer SET weights = '1 1001'",
    "UPDATE answer SET weights = 5",
};

START_TEST(nonsense_is_passed_over)
{
    struct state *state = open_state();
    const struct state_endpoint endpoint = sample_endpoint(7);
    const struct state_override override = sample_override();
    const struct ranking_row answer = sample_answer();
    state_note_endpoint(state, &endpoint);
    state_note_override(state, &override);
    state_note_answer(state, &answer);
    close_state(state);
    query(path, nonsense[_i]);
    state = open_state();
    unsigned count = 0;
    load_endpoints(state);
    count += seen.count;
    load_overrides(state, NOW_S);
    count += seen.count;
    load_answers(state);
    count += seen.count;
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(state_stats(state).skipped, 1);
    close_state(state);
}
END_TEST

/* --- History -----------------------------------------------------------------------------------
 */

/* The numbers of sample_transition that a history holds, and whether each followed the last. */
struct run {
    unsigned first, last, count;
    bool broken;
};

static void see_transition(void *arg, const struct state_transition *transition)
{
    struct run *run = arg;
    unsigned number = (unsigned)strtoul(transition->detail, NULL, 10);
    run->broken |= run->count > 0 && number != run->last + 1;
    run->first = run->count == 0 ? number : run->first;
    run->last = number;
    run->count++;
}

static void assert_history(struct state *state, const char *host, size_t limit, unsigned first,
                           unsigned last)
{
    struct run run = {.first = 0xa5a5, .last = 0xa5a5};
    struct har_error error = {.code = HAR_OK};
    ck_assert_msg(state_load_history(state, host, limit, see_transition, &run, &error) == HAR_OK,
                  "%s", error.text);
    ck_assert_msg(
        !run.broken && run.first == first && run.last == last && run.count == last - first + 1,
        "%u to %u, %u of them, not %u to %u", run.first, run.last, run.count, first, last);
}

static void note_transitions(struct state *state, const char *host, unsigned first, unsigned last)
{
    for (unsigned n = first; n <= last; n++) {
        const struct state_transition transition = sample_transition(host, n);
        state_note_transition(state, &transition);
    }
}

static void see_whole_transition(void *arg, const struct state_transition *transition)
{
    char address[HAR_ADDRESS_TEXT_MAX];
    snprintf(arg, 256, "%lld %s %s %s %u %s %s %s %s", (long long)transition->time_s,
             transition->host, transition->candidate,
             har_address_format(&transition->address, address), transition->port,
             health_state_text(transition->was), health_state_text(transition->state),
             check_reason_text(transition->reason), transition->detail);
}

START_TEST(a_transition_is_kept_whole)
{
    struct state *state = open_state();
    note_transitions(state, "api.example.com", 5, 5);
    for (int written = 0; written < 2; written++) {
        char text[256] = "";
        ck_assert_int_eq(state_load_history(state, NULL, 10, see_whole_transition, text, NULL),
                         HAR_OK);
        ck_assert_str_eq(text, "1795000005 api.example.com north 2001:db8::1 8080 up down "
                               "response-timeout 5");
        sync_state(state, NOW_S);
    }
    close_state(state);
}
END_TEST

START_TEST(history_over_restarts)
{
    struct state *state = open_state();
    note_transitions(state, "a", 1, 10);
    sync_state(state, NOW_S);
    note_transitions(state, "a", 11, 15);
    assert_history(state, NULL, 100, 1, 15);
    close_state(state);
    state = open_state();
    note_transitions(state, "a", 16, 20);
    assert_history(state, NULL, 100, 1, 20);
    sync_state(state, NOW_S);
    assert_history(state, NULL, 100, 1, 20);
    close_state(state);
}
END_TEST

START_TEST(history_of_one_host_and_limits)
{
    struct state *state = open_state();
    note_transitions(state, "a", 1, 10);
    note_transitions(state, "b", 50, 55);
    sync_state(state, NOW_S);
    note_transitions(state, "b", 56, 60);
    note_transitions(state, "a", 11, 15);
    assert_history(state, "a", 100, 1, 15);
    assert_history(state, "a", 7, 9, 15);
    assert_history(state, "a", 3, 13, 15);
    assert_history(state, "b", 11, 50, 60);
    assert_history(state, NULL, 5, 11, 15);
    struct run run = {.count = 0};
    ck_assert_int_eq(state_load_history(state, "c", 9, see_transition, &run, NULL), HAR_OK);
    ck_assert_int_eq(state_load_history(state, "a", 0, see_transition, &run, NULL), HAR_OK);
    ck_assert_uint_eq(run.count, 0);
    close_state(state);
}
END_TEST

/* Each one once, whether it is in memory, on its way, or in the file. */
START_TEST(history_while_it_is_written)
{
    struct state *state = open_state();
    for (unsigned n = 1; n <= 600; n++) {
        note_transitions(state, "a", n, n);
        ck_assert_int_eq(state_flush(state, NOW_S, NULL), HAR_OK);
        assert_history(state, NULL, 40, n > 40 ? n - 39 : 1, n);
    }
    ck_assert_uint_eq(state_stats(state).dropped, 0);
    close_state(state);
}
END_TEST

START_TEST(history_is_bounded_in_number)
{
    struct state *state = open_state();
    const unsigned last = STATE_TRANSITIONS_KEPT + 300;
    for (unsigned n = 1; n <= last; n += 100) {
        note_transitions(state, "a", n, n + 99);
        sync_state(state, NOW_S);
    }
    assert_history(state, NULL, 2 * last, 301, last);
    close_state(state);
    ck_assert_str_eq(query(path, "SELECT count(*) FROM transition"), "10000");
}
END_TEST

/* A burst asks for a write before it is too much, and does not wait for the next flush. */
START_TEST(a_burst_is_written_by_itself)
{
    struct state *state = open_state();
    note_transitions(state, "a", 1, STATE_UNWRITTEN_TRANSITIONS / 2 + 1);
    ck_assert_uint_eq(state_stats(state).unwritten, 1);
    ck_assert_uint_eq(state_stats(state).dropped, 0);
    assert_history(state, NULL, 2000, 1, STATE_UNWRITTEN_TRANSITIONS / 2 + 1);
    close_state(state);
}
END_TEST

/* --- Time --------------------------------------------------------------------------------------
 */

#define DAY_S 86400

START_TEST(what_is_old_goes)
{
    struct state *state = open_state();
    const struct state_endpoint old = sample_endpoint(1);
    struct state_override override = sample_override();
    state_note_endpoint(state, &old);
    state_note_override(state, &override);
    override.candidate = "south";
    override.expires_s = 0;
    state_note_override(state, &override);
    note_transitions(state, "a", 1, 1);
    sync_state(state, NOW_S);
    const struct state_endpoint young = sample_endpoint(2);
    state_note_endpoint(state, &young);
    struct state_transition transition = sample_transition("a", 2);
    transition.time_s = NOW_S + 29 * DAY_S;
    state_note_transition(state, &transition);
    sync_state(state, NOW_S + 29 * DAY_S);
    load_endpoints(state);
    ck_assert_uint_eq(seen.count, 2);
    assert_history(state, NULL, 10, 1, 2);
    state_note_endpoint(state, &young);
    sync_state(state, NOW_S + 31 * DAY_S);
    load_endpoints(state);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_ptr_nonnull(strstr(seen.text, "node2"));
    assert_history(state, NULL, 10, 2, 2);
    close_state(state);
    ck_assert_str_eq(query(path, "SELECT group_concat(candidate) FROM override"), "south");
}
END_TEST

/* A clock that is wrong right after boot costs nothing. */
START_TEST(nothing_is_old_at_the_start)
{
    struct state *state = open_state();
    const struct state_endpoint endpoint = sample_endpoint(7);
    state_note_endpoint(state, &endpoint);
    note_transitions(state, "a", 1, 1);
    close_state(state);
    state = state_open(path, NOW_S + 4000L * DAY_S, NULL, NULL);
    const struct state_endpoint other = sample_endpoint(8);
    state_note_endpoint(state, &other);
    sync_state(state, NOW_S + 4000L * DAY_S);
    load_endpoints(state);
    ck_assert_uint_eq(seen.count, 2);
    assert_history(state, NULL, 10, 1, 1);
    close_state(state);
}
END_TEST

START_TEST(the_clock_is_set)
{
    static const int64_t steps_s[] = {0, -5 * 3600, 5 * 3600, -9 * 3600, 0};
    struct state *state = open_state();
    for (unsigned i = 0; i < sizeof steps_s / sizeof steps_s[0]; i++) {
        struct state_endpoint endpoint = sample_endpoint(i);
        struct state_transition transition = sample_transition("a", i);
        transition.time_s = NOW_S + steps_s[i];
        state_note_endpoint(state, &endpoint);
        state_note_transition(state, &transition);
        sync_state(state, NOW_S + steps_s[i]);
    }
    load_endpoints(state);
    ck_assert_uint_eq(seen.count, 5);
    assert_history(state, NULL, 10, 0, 4); /* as noted, whatever their times */
    close_state(state);
}
END_TEST

START_TEST(ages)
{
    ck_assert_int_eq(state_age_s(100, 130), 30);
    ck_assert_int_eq(state_age_s(130, 100), 0);
    struct state_override override = {.set_s = 1000, .expires_s = 0};
    ck_assert_int_eq(state_override_left_s(&override, 5000), -1);
    override.expires_s = 1600;
    ck_assert_int_eq(state_override_left_s(&override, 1000), 600);
    ck_assert_int_eq(state_override_left_s(&override, 1599), 1);
    ck_assert_int_eq(state_override_left_s(&override, 1600), 0);
    ck_assert_int_eq(state_override_left_s(&override, 9999), 0);
    ck_assert_int_eq(state_override_left_s(&override, 100), 600);
    override.expires_s = 900;
    ck_assert_int_eq(state_override_left_s(&override, 100), 0);
}
END_TEST

START_TEST(an_override_ends_by_itself)
{
    struct state *state = open_state();
    const struct state_override override = sample_override();
    state_note_override(state, &override);
    sync_state(state, NOW_S);
    ck_assert_str_eq(load_overrides(state, NOW_S + 3599), OVERRIDE);
    ck_assert_str_eq(load_overrides(state, NOW_S + 3600), "");
    ck_assert_str_eq(load_overrides(state, NOW_S - 7200), OVERRIDE);
    close_state(state);
}
END_TEST

/* --- The one who notes -------------------------------------------------------------------------
 */

/* Somebody else has the file, and each write waits a second for it: flushes return at once, or this
 * would take minutes. Nothing is lost, and the failure is told once. */
START_TEST(nobody_waits_for_the_disk)
{
    struct har_error error = {.code = HAR_OK};
    struct state *state = open_state();
    sqlite3 *other;
    int told = 0;
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned n = 0; n < 100; n++) {
        const struct state_endpoint endpoint = sample_endpoint(n);
        state_note_endpoint(state, &endpoint);
        told += state_flush(state, NOW_S, NULL) != HAR_OK;
    }
    ck_assert_int_eq(state_sync(state, NOW_S, &error), HAR_ERR_SQLITE);
    ck_assert_msg(strstr(error.text, path) && strstr(error.text, "locked"), "%s", error.text);
    ck_assert(state_stats(state).failing);
    for (int i = 0; i < 5; i++)
        told += state_flush(state, NOW_S, NULL) != HAR_OK;
    ck_assert_int_eq(told, 1);
    sqlite3_close(other);
    sync_state(state, NOW_S);
    ck_assert(!state_stats(state).failing);
    load_endpoints(state);
    ck_assert_uint_eq(seen.count, 100);
    close_state(state);
}
END_TEST

START_TEST(ten_thousand)
{
    struct state *state = open_state();
    for (int round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 10000; n++) {
            struct state_endpoint endpoint = sample_endpoint(n);
            state_note_endpoint(state, &endpoint);
        }
        ck_assert_uint_eq(state_stats(state).unwritten, 10000);
        sync_state(state, NOW_S);
    }
    load_endpoints(state);
    ck_assert_uint_eq(seen.count, 10000);
    ck_assert_uint_eq(state_stats(state).skipped, 0);
    close_state(state);
}
END_TEST

START_TEST(notes_are_bounded)
{
    struct state *state = open_state();
    for (unsigned n = 0; n < STATE_UNWRITTEN_ENTRIES + 10; n++) {
        const struct state_endpoint endpoint = sample_endpoint(n);
        state_note_endpoint(state, &endpoint);
    }
    ck_assert_uint_eq(state_stats(state).dropped, 10);
    const struct state_endpoint known = sample_endpoint(5);
    state_note_endpoint(state, &known);
    ck_assert_uint_eq(state_stats(state).dropped, 10);
    ck_assert_uint_eq(state_stats(state).unwritten, STATE_UNWRITTEN_ENTRIES);
    close_state(state);
}
END_TEST

START_TEST(no_state_at_all)
{
    const struct state_endpoint endpoint = sample_endpoint(7);
    const struct state_override override = sample_override();
    const struct state_transition transition = sample_transition("a", 1);
    const struct ranking_row answer = sample_answer();
    state_note_endpoint(NULL, &endpoint);
    state_note_override(NULL, &override);
    state_note_answer(NULL, &answer);
    state_note_transition(NULL, &transition);
    state_forget_endpoint(NULL, &endpoint);
    state_forget_override(NULL, "a", "b");
    state_forget_answer(NULL, "a");
    struct har_error error = {.code = HAR_OK};
    ck_assert_int_eq(state_flush(NULL, NOW_S, &error), HAR_OK);
    ck_assert_int_eq(state_sync(NULL, NOW_S, &error), HAR_OK);
    ck_assert_str_eq(load_endpoints(NULL), "");
    ck_assert_str_eq(load_overrides(NULL, NOW_S), "");
    ck_assert_str_eq(load_answers(NULL), "");
    ck_assert_int_eq(state_load_history(NULL, NULL, 9, see_transition, NULL, &error), HAR_OK);
    ck_assert_uint_eq(state_stats(NULL).dropped, 0);
    ck_assert_int_eq(state_close(NULL, NOW_S, &error), HAR_OK);
    ck_assert_int_eq(error.code, HAR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *tests = tcase_create("state");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, all_is_there_after_a_restart);
    tcase_add_test(tests, extremes);
    tcase_add_test(tests, the_last_note_counts);
    tcase_add_test(tests, keys_are_whole);
    tcase_add_test(tests, what_is_forgotten_is_gone);
    tcase_add_test(tests, who_is_not_known_is_forgotten);
    tcase_add_loop_test(tests, nonsense_is_passed_over, 0, sizeof nonsense / sizeof nonsense[0]);
    tcase_add_test(tests, a_transition_is_kept_whole);
    tcase_add_test(tests, history_over_restarts);
    tcase_add_test(tests, history_of_one_host_and_limits);
    tcase_add_test(tests, history_while_it_is_written);
    tcase_add_test(tests, history_is_bounded_in_number);
    tcase_add_test(tests, a_burst_is_written_by_itself);
    tcase_add_test(tests, what_is_old_goes);
    tcase_add_test(tests, nothing_is_old_at_the_start);
    tcase_add_test(tests, the_clock_is_set);
    tcase_add_test(tests, ages);
    tcase_add_test(tests, an_override_ends_by_itself);
    tcase_add_test(tests, nobody_waits_for_the_disk);
    tcase_add_test(tests, ten_thousand);
    tcase_add_test(tests, notes_are_bounded);
    tcase_add_test(tests, no_state_at_all);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
