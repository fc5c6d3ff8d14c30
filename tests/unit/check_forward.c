/* hard/forward.h against fake upstreams on loopback. Nothing here sleeps to hope; what does not
 * come within FAKE_DEADLINE_S fails. */
#include "har_config.h"

#include "hard/forward_run.h"

#include <dirent.h>
#include <stdio.h>

#include "tests/support/fake_upstream.h"

#define SHORT_MS 60  /* time limit of a try that is meant to run into it */
#define LONG_MS 5000 /* of one that is not */
#define FAKES 3

static const uint8_t question[] = "\xab\xcd\1\0\0\1\0\0\0\0\0\1"
                                  "\3www\7example\3com\0\0\1\0\1"
                                  "\0\0\x29\4\xd0\0\0\0\0\0";

static struct ev_loop *loop;
static struct forward *forward;
static struct fake fakes[FAKES];
static struct config_upstream configs[FAKES];

static void set_up(void)
{
    loop = ev_loop_new(EVFLAG_AUTO);
    for (int i = 0; i < FAKES; i++) {
        fake_start(&fakes[i], loop, 0, (uint8_t)(i + 1));
        configs[i] = fake_config(&fakes[i]);
    }
}

/* When nothing is in flight, all ids are free. */
static void assert_ids_are_given_back(void)
{
    if (forward == NULL || forward->in_flight > 0)
        return;
    for (int id = 0; id <= UINT16_MAX; id++)
        ck_assert_uint_eq(forward->by_id[id], 0);
    ck_assert_uint_eq(forward->connections, 0);
}

static void tear_down(void)
{
    assert_ids_are_given_back();
    forward_free(forward);
    for (int i = 0; i < FAKES; i++)
        fake_stop(&fakes[i]);
    ev_loop_destroy(loop);
}

/* With room for one query there is none for probes. */
static void use(size_t upstreams, uint32_t timeout_ms, size_t in_flight_max)
{
    struct har_error error = {0};
    forward = forward_new(loop, in_flight_max, &error);
    ck_assert_ptr_nonnull(forward);
    forward_configure(forward, configs, upstreams, timeout_ms);
}

struct outcome {
    int calls;
    enum forward_reason reason;
    uint8_t number; /* whose answer it is */
    struct forward_query *query;
};

static void on_done(void *arg, const struct forward_answer *answer)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    outcome->reason = answer->reason;
    outcome->number = 0;
    ck_assert((answer->reason == FORWARD_ANSWERED) == (answer->bytes != NULL));
    if (answer->bytes != NULL) {
        ck_assert_uint_eq(dns_id(answer->bytes), 0xabcd);
        ck_assert_uint_ge(answer->count, DNS_HEADER_BYTES);
        if (dns_entries(answer->bytes, DNS_ANSWER) > 0)
            outcome->number = answer->bytes[answer->count - 1];
    }
    ev_break(loop, EVBREAK_ONE);
}

static void start(struct outcome *outcome)
{
    memset(outcome, 0xa5, sizeof *outcome);
    outcome->calls = 0;
    outcome->query = forward_start(forward, question, sizeof question, on_done, outcome);
    ck_assert_ptr_nonnull(outcome->query);
    ck_assert_int_eq(outcome->calls, 0);
}

/* One query from start to end. */
static struct outcome ask(void)
{
    struct outcome outcome;
    start(&outcome);
    fake_run_until(loop, &outcome.calls, 1);
    return outcome;
}

static void assert_answer(const struct outcome *outcome, uint8_t number)
{
    ck_assert_str_eq(forward_reason_text(outcome->reason), "answered");
    ck_assert_uint_eq(outcome->number, number);
    ck_assert_int_eq(outcome->calls, 1);
}

static void assert_failure(const struct outcome *outcome, enum forward_reason reason)
{
    ck_assert_str_eq(forward_reason_text(outcome->reason), forward_reason_text(reason));
    ck_assert_int_eq(outcome->calls, 1);
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* --- one upstream ----------------------------------------------------------------------------- */

START_TEST(an_answer_comes_back_as_it_is)
{
    use(1, LONG_MS, 1);
    struct outcome outcome = ask();
    assert_answer(&outcome, 1);
    /* Nothing but the id of what was asked is changed. */
    ck_assert_uint_eq(fakes[0].last_count, sizeof question);
    ck_assert_mem_eq(fakes[0].last + 2, question + 2, sizeof question - 2);
    const struct forward_counters *counters = forward_counters(forward);
    ck_assert_uint_eq(counters->queries, 1);
    ck_assert_uint_eq(counters->answered, 1);
    ck_assert_uint_eq(counters->tries, 1);
    ck_assert_uint_eq(counters->dropped + counters->timeouts + counters->failed, 0);
}
END_TEST

START_TEST(large_queries_are_asked_too)
{
    static uint8_t large[4000];
    struct outcome outcome = {0};
    memcpy(large, question, sizeof question);
    use(1, LONG_MS, 1);
    ck_assert_ptr_nonnull(forward_start(forward, large, sizeof large, on_done, &outcome));
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 1);
    ck_assert_uint_eq(fakes[0].last_count, sizeof large);
}
END_TEST

/* RFC 6891 section 7: so do servers that know nothing of EDNS. */
START_TEST(formerr_may_be_a_header_alone)
{
    use(1, LONG_MS, 1);
    fakes[0].mode = FAKE_HEADER_FORMERR;
    struct outcome outcome = ask();
    assert_answer(&outcome, 0);
}
END_TEST

START_TEST(what_is_no_query_is_not_asked)
{
    uint8_t bytes[sizeof question];
    struct outcome outcome;
    use(1, LONG_MS, 4);
    for (size_t count = 0; count < 33; count++) /* cut before the end of the question */
        ck_assert_ptr_null(forward_start(forward, question, count, on_done, &outcome));
    memcpy(bytes, question, sizeof bytes);
    bytes[2] |= 0x80;
    ck_assert_ptr_null(forward_start(forward, bytes, sizeof bytes, on_done, &outcome));
    memcpy(bytes, question, sizeof bytes);
    bytes[5] = 2;
    ck_assert_ptr_null(forward_start(forward, bytes, sizeof bytes, on_done, &outcome));
    ck_assert_uint_eq(forward_counters(forward)->queries, 0);
}
END_TEST

START_TEST(ids_and_ports_vary)
{
    int same_ids = 0, ports = 0;
    use(1, LONG_MS, 1);
    for (int i = 0; i < 64; i++)
        ask();
    for (int i = 0; i < 64; i++) {
        bool new_port = true;
        for (int j = 0; j < i; j++) {
            same_ids += fakes[0].ids[i] == fakes[0].ids[j];
            new_port = new_port && fakes[0].from[i].sin_port != fakes[0].from[j].sin_port;
        }
        ports += new_port;
    }
    ck_assert_int_lt(same_ids, 6);
    ck_assert_int_ge(ports, 4); /* eight, unless one was never drawn */
    ck_assert_int_le(ports, 8);
}
END_TEST

START_TEST(ports_are_renewed)
{
    use(1, LONG_MS, 1);
    int descriptors = 0;
    static uint8_t used[65536];
    int ports = 0;
    for (int i = 0; i < 20000; i++) {
        ask();
        uint16_t port = fakes[0].from[(fakes[0].asked - 1) % FAKE_KEPT].sin_port;
        ports += used[port] == 0;
        used[port] = 1;
        if (i == 1000)
            descriptors = open_descriptors();
    }
    ck_assert_int_ge(ports, 16); /* 20,000 queries, at most 1,000 each */
    ck_assert_int_le(open_descriptors(), descriptors + 8);
}
END_TEST

/* Whoever answers must know the port, the id and the question, and be the one who was asked. */
START_TEST(other_messages_are_ignored_until_the_timeout)
{
    static const enum fake_mode modes[] = {FAKE_WRONG_ID, FAKE_WRONG_QUESTION, FAKE_WRONG_SOURCE,
                                           FAKE_NO_RESPONSE};
    use(1, SHORT_MS, 1);
    fakes[0].mode = modes[_i];
    struct outcome outcome = ask();
    assert_failure(&outcome, FORWARD_TIMEOUT);
    ck_assert_int_eq(fakes[0].asked, 2);
    ck_assert_uint_eq(forward_counters(forward)->timeouts, 2);
    /* The kernel keeps those of another source away from us. */
    ck_assert_uint_eq(forward_counters(forward)->dropped, modes[_i] == FAKE_WRONG_SOURCE ? 0 : 2);
}
END_TEST

/* Its id and question are right, and it comes to a port of ours; but not to that one. */
START_TEST(an_answer_from_another_upstream_is_ignored)
{
    struct outcome outcome;
    use(2, SHORT_MS, 1);
    fakes[0].mode = FAKE_REFUSED;
    fakes[1].mode = FAKE_SILENT;
    start(&outcome);
    fake_run_until(loop, &fakes[1].asked, 1);
    uint8_t answer[512];
    size_t count = fake_make(&fakes[1], answer, 0);
    fake_send(fakes[0].udp.fd, answer, count, &fakes[0].from[0]);
    fake_run_until(loop, &outcome.calls, 1);
    assert_failure(&outcome, FORWARD_TIMEOUT);
    ck_assert_uint_eq(forward_counters(forward)->dropped, 1);
}
END_TEST

START_TEST(the_answer_after_a_forged_one_is_taken)
{
    struct outcome outcome;
    use(1, LONG_MS, 1);
    fakes[0].mode = FAKE_WRONG_QUESTION;
    start(&outcome);
    fake_run_until(loop, &fakes[0].asked, 1);
    fakes[0].mode = FAKE_ANSWERS;
    fake_answer_last(&fakes[0]);
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 1);
    ck_assert_uint_eq(forward_counters(forward)->dropped, 1);
}
END_TEST

START_TEST(duplicates_and_late_answers_are_dropped)
{
    use(1, SHORT_MS, 1);
    fakes[0].mode = FAKE_TWICE;
    struct outcome outcome = ask();
    assert_answer(&outcome, 1);
    fake_run_for_ms(loop, 20);
    ck_assert_int_eq(outcome.calls, 1);
    ck_assert_uint_eq(forward_counters(forward)->dropped, 1);

    fakes[0].mode = FAKE_SILENT;
    struct outcome late = ask();
    assert_failure(&late, FORWARD_TIMEOUT);
    fakes[0].mode = FAKE_ANSWERS;
    fake_answer_last(&fakes[0]);
    fake_run_for_ms(loop, 20);
    ck_assert_int_eq(late.calls, 1);
    ck_assert_uint_eq(forward_counters(forward)->dropped, 2);
}
END_TEST

START_TEST(a_lost_packet_is_sent_again)
{
    struct outcome outcome;
    use(1, SHORT_MS, 1);
    fakes[0].mode = FAKE_SILENT;
    start(&outcome);
    fake_run_until(loop, &fakes[0].asked, 1);
    fakes[0].mode = FAKE_ANSWERS;
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 1);
    ck_assert_int_eq(fakes[0].asked, 2);
    ck_assert_uint_ne(fakes[0].ids[0], fakes[0].ids[1]); /* but for one in 65,536 */
}
END_TEST

START_TEST(nobody_there_is_known_at_once)
{
    use(1, LONG_MS, 1);
    fake_stop(&fakes[0]);
    struct outcome outcome = ask();
    assert_failure(&outcome, FORWARD_UNREACHABLE);
    ck_assert_uint_eq(forward_counters(forward)->timeouts, 0);
    fake_start(&fakes[0], loop, configs[0].port, 1);
    outcome = ask(); /* and that it is back, when it is asked again */
    assert_answer(&outcome, 1);
}
END_TEST

START_TEST(without_upstreams_queries_fail_later)
{
    struct outcome outcome;
    use(0, LONG_MS, 1);
    start(&outcome);
    fake_run_until(loop, &outcome.calls, 1);
    assert_failure(&outcome, FORWARD_NO_UPSTREAM);
}
END_TEST

/* --- the next one ----------------------------------------------------------------------------- */

START_TEST(the_next_one_is_asked_when_one_fails)
{
    static const struct {
        enum fake_mode mode;
        uint32_t timeout_ms;
    } rows[] = {{FAKE_SILENT, 200},           {FAKE_SERVFAIL, LONG_MS}, {FAKE_REFUSED, LONG_MS},
                {FAKE_HEADER_ALONE, LONG_MS}, {FAKE_CUT, LONG_MS},      {FAKE_WRONG_ID, 200}};
    use(2, rows[_i].timeout_ms, 1);
    struct outcome outcome = ask();
    assert_answer(&outcome, 1);
    fakes[0].mode = rows[_i].mode;
    fakes[1].mode = FAKE_SILENT; /* that is, slower than the first one */
    start(&outcome);
    fake_run_until(loop, &fakes[1].asked, 1);
    ck_assert_int_eq(fakes[0].asked, 2);
    fake_run_for_ms(loop, 20);
    fakes[0].mode = fakes[1].mode = FAKE_ANSWERS;
    fake_answer_last(&fakes[1]);
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 2);
    outcome = ask(); /* and it is the first from now on */
    assert_answer(&outcome, 2);
}
END_TEST

START_TEST(all_dead_is_a_failure_after_the_tries)
{
    use(FAKES, SHORT_MS, 1);
    for (int i = 0; i < FAKES; i++)
        fakes[i].mode = FAKE_SILENT;
    struct outcome outcome = ask();
    assert_failure(&outcome, FORWARD_TIMEOUT);
    ck_assert_int_eq(fakes[0].asked + fakes[1].asked + fakes[2].asked, 4);
    for (int i = 0; i < FAKES; i++)
        ck_assert_int_ge(fakes[i].asked, 1);
    ck_assert_uint_eq(forward_counters(forward)->failed, 1);
    /* None of them is given up: one that is back is found by asking. */
    fakes[2].mode = FAKE_ANSWERS;
    outcome = ask();
    assert_answer(&outcome, 3);
}
END_TEST

/* Each says so, so it may be right: none is the worse for it. */
START_TEST(what_all_refuse_is_refused_once_each)
{
    use(FAKES, LONG_MS, 1);
    for (int i = 0; i < FAKES; i++)
        fakes[i].mode = i == 2 ? FAKE_REFUSED : FAKE_SERVFAIL;
    struct outcome outcome = ask();
    assert_failure(&outcome, FORWARD_REFUSED);
    for (int i = 0; i < FAKES; i++)
        ck_assert_int_eq(fakes[i].asked, 1);
    for (int i = 0; i < FAKES; i++)
        fakes[i].mode = FAKE_ANSWERS;
    struct config_upstream other_order[] = {configs[2], configs[1], configs[0]};
    forward_configure(forward, other_order, FAKES, LONG_MS);
    outcome = ask();
    assert_answer(&outcome, 3);
}
END_TEST

START_TEST(the_fastest_is_found_by_probes)
{
    use(2, LONG_MS, 8);
    fakes[0].mode = FAKE_SILENT;
    struct outcome outcome;
    start(&outcome);
    fake_run_until(loop, &fakes[0].asked, 1);
    fake_run_until(loop, &fakes[1].asked, 1); /* a copy, whose answer nobody gets */
    ck_assert_uint_eq(forward_counters(forward)->probes, 1);
    fake_run_for_ms(loop, 20);
    ck_assert_int_eq(outcome.calls, 0);
    fake_answer_last(&fakes[0]);
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 1);
    outcome = ask(); /* the first one took 20 ms */
    assert_answer(&outcome, 2);
}
END_TEST

START_TEST(a_dead_one_is_probed_and_comes_back)
{
    use(2, SHORT_MS, 8);
    fakes[0].mode = FAKE_SILENT;
    struct outcome outcome = ask();
    assert_answer(&outcome, 2);
    fakes[0].mode = FAKE_ANSWERS;
    int before = fakes[0].asked, queries = 0;
    for (; fakes[0].asked == before; queries++) {
        outcome = ask();
        assert_answer(&outcome, 2);
        fake_run_for_ms(loop, 5);
        ck_assert_int_lt(queries, 4000);
    }
    /* Those who ask do not wait for it, and it is tried only now and then. */
    ck_assert_uint_eq(forward_counters(forward)->timeouts, 1);
    fake_stop(&fakes[1]);
    outcome = ask();
    assert_answer(&outcome, 1);
}
END_TEST

/* --- TCP -------------------------------------------------------------------------------------- */

START_TEST(truncated_is_asked_again_over_tcp)
{
    use(1, LONG_MS, 1);
    fakes[0].mode = FAKE_TRUNCATED;
    fakes[0].tcp_mode = _i == 0 ? FAKE_TCP_ANSWERS : FAKE_TCP_PIECES;
    int descriptors = open_descriptors();
    struct outcome outcome = ask();
    assert_answer(&outcome, 1);
    ck_assert_int_eq(fakes[0].asked, 1);
    ck_assert_int_eq(fakes[0].asked_tcp, 1);
    ck_assert_mem_eq(fakes[0].last + 2, question + 2, sizeof question - 2);
    ck_assert_uint_eq(forward_counters(forward)->tcp, 1);
    fake_run_until(loop, &fakes[0].closed, 1);
    ck_assert_int_le(open_descriptors(), descriptors + 1); /* a UDP socket */
}
END_TEST

START_TEST(connections_are_given_back)
{
    use(1, LONG_MS, 1);
    fakes[0].mode = FAKE_TRUNCATED;
    for (int i = 0; i < 200; i++) { /* more than there may be at a time */
        struct outcome outcome = ask();
        assert_answer(&outcome, 1);
        fake_run_until(loop, &fakes[0].closed, i + 1);
    }
}
END_TEST

static size_t large_answer(struct fake *fake, uint8_t *message, size_t count)
{
    (void)fake;
    for (int i = 0; i < 250; i++)
        count = fake_add(message, count, 16, 60, (uint8_t[240]){239}, 240);
    return fake_add(message, count, 1, 60, (uint8_t[]){192, 0, 2, 1}, 4);
}

START_TEST(answers_may_be_as_large_as_a_message)
{
    use(1, LONG_MS, 1);
    fakes[0].mode = FAKE_TRUNCATED;
    fakes[0].answer = large_answer;
    struct outcome outcome = ask();
    assert_answer(&outcome, 1);
}
END_TEST

START_TEST(the_next_one_is_asked_when_tcp_fails)
{
    static const struct {
        enum fake_tcp mode;
        uint32_t timeout_ms;
    } rows[] = {{FAKE_TCP_STALLS, SHORT_MS},
                {FAKE_TCP_CLOSES, LONG_MS},
                {FAKE_TCP_TINY, LONG_MS},
                {FAKE_TCP_WRONG_ID, LONG_MS},
                {FAKE_TCP_DEAF, LONG_MS}};
    use(2, rows[_i].timeout_ms, 1);
    fakes[0].mode = FAKE_TRUNCATED;
    fakes[0].tcp_mode = rows[_i].mode;
    if (rows[_i].mode == FAKE_TCP_DEAF) {
        ev_io_stop(loop, &fakes[0].tcp);
        ck_assert_int_eq(shutdown(fakes[0].tcp.fd, SHUT_RDWR), 0);
    }
    int descriptors = open_descriptors();
    struct outcome outcome = ask();
    assert_answer(&outcome, 2);
    if (rows[_i].mode != FAKE_TCP_DEAF)
        fake_run_until(loop, &fakes[0].closed, 1);
    ck_assert_int_le(open_descriptors(), descriptors + 2); /* UDP sockets */
}
END_TEST

/* --- cancelling ------------------------------------------------------------------------------- */

enum stage { NOT_SENT, SENT, ON_SECOND, ON_TCP, TCP_HALF, FAILED_LATER, STAGES };

START_TEST(cancelled_at_any_stage_it_is_silent)
{
    struct outcome outcome;
    enum stage stage = (enum stage)_i;
    bool tcp = stage == ON_TCP || stage == TCP_HALF;
    int descriptors = open_descriptors();
    use(stage == FAILED_LATER ? 0 : 2, stage == ON_SECOND ? SHORT_MS : LONG_MS, 8);
    fakes[0].mode = tcp ? FAKE_TRUNCATED : FAKE_SILENT;
    fakes[1].mode = FAKE_SILENT;
    fakes[0].tcp_mode = FAKE_TCP_STALLS;
    start(&outcome);
    if (stage == SENT)
        fake_run_until(loop, &fakes[0].asked, 1);
    if (stage == ON_SECOND)
        fake_run_until(loop, &fakes[1].asked, 2); /* a probe, and in earnest */
    if (stage == ON_TCP)
        while (forward_counters(forward)->tcp == 0)
            ev_run(loop, EVRUN_ONCE);
    if (stage == TCP_HALF) {
        fake_run_until(loop, &fakes[0].asked_tcp, 1);
        fake_run_for_ms(loop, 10);
    }
    forward_cancel(outcome.query);
    fakes[0].mode = fakes[1].mode = FAKE_ANSWERS;
    if (stage != NOT_SENT && !tcp && stage != FAILED_LATER)
        fake_answer_last(&fakes[0]);
    fake_run_for_ms(loop, 30);
    ck_assert_int_eq(outcome.calls, 0);
    forward_free(forward);
    forward = NULL;
    if (tcp)
        fake_run_until(loop, &fakes[0].closed, 1);
    ck_assert_int_eq(open_descriptors(), descriptors);
}
END_TEST

START_TEST(free_ends_what_is_under_way)
{
    struct outcome outcomes[100];
    int descriptors = open_descriptors();
    use(FAKES, LONG_MS, 100);
    for (int i = 0; i < FAKES; i++)
        fakes[i].mode = FAKE_SILENT;
    for (int i = 0; i < 50; i++)
        start(&outcomes[i]);
    fake_run_until(loop, &fakes[0].asked, 50);
    forward_free(forward);
    forward = NULL;
    fake_run_for_ms(loop, 10);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(outcomes[i].calls, 0);
    ck_assert_int_eq(open_descriptors(), descriptors);
    forward_free(NULL);
    forward_cancel(NULL);
}
END_TEST

/* Each one that is done starts another, cancels one and configures anew, from within done. */
struct chain {
    struct outcome outcome;
    struct outcome victim;
    int calls;
};

static void on_chain(void *arg, const struct forward_answer *answer)
{
    struct chain *chain = arg;
    ck_assert_int_eq(answer->reason, FORWARD_ANSWERED);
    chain->calls++;
    forward_cancel(chain->victim.query);
    forward_configure(forward, configs + chain->calls % 2, 2, LONG_MS);
    if (chain->calls < 200) {
        start(&chain->victim);
        ck_assert_ptr_nonnull(forward_start(forward, question, sizeof question, on_chain, chain));
    }
    ev_break(loop, EVBREAK_ONE);
}

START_TEST(done_may_do_anything)
{
    struct chain chain = {.calls = 0};
    use(2, LONG_MS, 8);
    start(&chain.victim);
    ck_assert_ptr_nonnull(forward_start(forward, question, sizeof question, on_chain, &chain));
    fake_run_until(loop, &chain.calls, 200);
}
END_TEST

/* --- many ------------------------------------------------------------------------------------- */

START_TEST(a_thousand_at_a_time)
{
    static struct outcome outcomes[1001];
    use(1, LONG_MS, 1000);
    fakes[0].mode = FAKE_SILENT;
    for (int i = 0; i < 1000; i++)
        start(&outcomes[i]);
    ck_assert_ptr_null(forward_start(forward, question, sizeof question, on_done, &outcomes[1000]));
    ck_assert_uint_eq(forward_counters(forward)->refused, 1);
    fake_run_until(loop, &fakes[0].asked, 1000);
    /* No two of them under one id. */
    static uint8_t used[65536];
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(used[fakes[0].ids[i]], 0);
        used[fakes[0].ids[i]] = 1;
    }
    /* Answered in another order, each by its id. */
    for (int i = 999; i >= 0; i--) {
        uint8_t answer[512];
        dns_set_id(fakes[0].last, fakes[0].ids[i]);
        size_t count = fake_make(&fakes[0], answer, 0);
        answer[count - 1] = (uint8_t)(i % 251);
        fake_send(fakes[0].udp.fd, answer, count, &fakes[0].from[i]);
    }
    for (int i = 0; i < 1000; i++) {
        fake_run_until(loop, &outcomes[i].calls, 1);
        assert_answer(&outcomes[i], (uint8_t)(i % 251));
    }
    ck_assert_ptr_nonnull(
        forward_start(forward, question, sizeof question, on_done, &outcomes[1000]));
}
END_TEST

START_TEST(a_thousand_time_out)
{
    static struct outcome outcomes[1000];
    use(2, SHORT_MS, 1001); /* and a probe */
    fakes[0].mode = fakes[1].mode = FAKE_SILENT;
    for (int i = 0; i < 1000; i++)
        start(&outcomes[i]);
    for (int i = 0; i < 1000; i++) {
        fake_run_until(loop, &outcomes[i].calls, 1);
        assert_failure(&outcomes[i], FORWARD_TIMEOUT);
    }
    const struct forward_counters *counters = forward_counters(forward);
    ck_assert_uint_eq(counters->timeouts, 4000 + counters->probes);
}
END_TEST

/* --- configuring ------------------------------------------------------------------------------ */

START_TEST(queries_at_one_that_is_gone_are_asked_elsewhere)
{
    struct outcome outcome;
    use(1, LONG_MS, 1);
    fakes[0].mode = FAKE_SILENT;
    start(&outcome);
    fake_run_until(loop, &fakes[0].asked, 1);
    forward_configure(forward, configs + 1, 1, LONG_MS);
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 2);
    start(&outcome);
    forward_configure(forward, NULL, 0, LONG_MS);
    ck_assert_int_eq(outcome.calls, 0);
    fake_run_until(loop, &outcome.calls, 1);
    assert_failure(&outcome, FORWARD_NO_UPSTREAM);
}
END_TEST

START_TEST(queries_at_one_that_stays_go_on)
{
    struct outcome outcome;
    struct config_upstream other_order[] = {configs[1], configs[0]};
    use(1, LONG_MS, 1);
    fakes[0].mode = FAKE_SILENT;
    start(&outcome);
    fake_run_until(loop, &fakes[0].asked, 1);
    forward_configure(forward, other_order, 2, LONG_MS);
    fake_answer_last(&fakes[0]);
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 1);
    ck_assert_int_eq(fakes[0].asked, 1);
    fakes[0].mode = FAKE_ANSWERS;
    outcome = ask(); /* what is known of it stays: known before unknown */
    assert_answer(&outcome, 1);
}
END_TEST

START_TEST(a_shorter_limit_counts_at_once)
{
    struct outcome first, second;
    use(1, 1000 * 1000, 2);
    fakes[0].mode = FAKE_SILENT;
    start(&first);
    forward_configure(forward, configs, 1, SHORT_MS);
    start(&second);
    fake_run_until(loop, &first.calls, 1);
    fake_run_until(loop, &second.calls, 1);
    assert_failure(&first, FORWARD_TIMEOUT);
}
END_TEST

/* A place is taken by another one: nothing of the one before is left in it. */
START_TEST(places_are_used_again)
{
    struct outcome outcome;
    use(1, LONG_MS, 1);
    for (int i = 0; i < 100; i++) { /* all its sockets are open */
        outcome = ask();
        assert_answer(&outcome, 1);
    }
    forward_configure(forward, configs + 1, 1, LONG_MS);
    forward_configure(forward, configs + 2, 1, LONG_MS);
    outcome = ask();
    assert_answer(&outcome, 3);
}
END_TEST

START_TEST(a_query_may_come_to_a_place_where_it_was)
{
    struct outcome outcome;
    use(2, LONG_MS, 1);
    fakes[0].mode = FAKE_REFUSED;
    fakes[1].mode = fakes[2].mode = FAKE_SILENT;
    start(&outcome);
    fake_run_until(loop, &fakes[1].asked, 1);
    forward_configure(forward, configs + 2, 1, LONG_MS);
    fake_run_until(loop, &fakes[2].asked, 1);
    fakes[0].mode = FAKE_ANSWERS;
    forward_configure(forward, configs, 1, LONG_MS);
    fake_run_until(loop, &outcome.calls, 1);
    assert_answer(&outcome, 1);
}
END_TEST

/* Sixteen others again and again: there is always room, and nothing is left behind. */
START_TEST(upstreams_come_and_go)
{
    struct config_upstream many[CONFIG_UPSTREAMS_MAX];
    static struct outcome outcomes[40];
    int descriptors = open_descriptors();
    use(1, LONG_MS, 100);
    fakes[0].mode = FAKE_SILENT;
    for (int i = 0; i < 40; i++) {
        for (int j = 0; j < CONFIG_UPSTREAMS_MAX; j++) {
            many[j] = configs[0];
            many[j].address.bytes[3] = (uint8_t)(2 + (i * CONFIG_UPSTREAMS_MAX + j) % 250);
        }
        start(&outcomes[i]);
        forward_configure(forward, many, CONFIG_UPSTREAMS_MAX, LONG_MS);
    }
    forward_configure(forward, configs + 1, 1, LONG_MS);
    for (int i = 0; i < 40; i++) {
        fake_run_until(loop, &outcomes[i].calls, 1);
        ck_assert(outcomes[i].reason == FORWARD_ANSWERED ||
                  outcomes[i].reason == FORWARD_UNREACHABLE ||
                  outcomes[i].reason == FORWARD_NO_UPSTREAM);
    }
    ck_assert_int_le(open_descriptors(), descriptors + 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forward");
    TCase *tests = tcase_create("forward");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_answer_comes_back_as_it_is);
    tcase_add_test(tests, large_queries_are_asked_too);
    tcase_add_test(tests, formerr_may_be_a_header_alone);
    tcase_add_test(tests, what_is_no_query_is_not_asked);
    tcase_add_test(tests, ids_and_ports_vary);
    tcase_add_test(tests, ports_are_renewed);
    tcase_add_test(tests, an_answer_from_another_upstream_is_ignored);
    tcase_add_loop_test(tests, other_messages_are_ignored_until_the_timeout, 0, 4);
    tcase_add_test(tests, the_answer_after_a_forged_one_is_taken);
    tcase_add_test(tests, duplicates_and_late_answers_are_dropped);
    tcase_add_test(tests, a_lost_packet_is_sent_again);
    tcase_add_test(tests, nobody_there_is_known_at_once);
    tcase_add_test(tests, without_upstreams_queries_fail_later);
    tcase_add_loop_test(tests, the_next_one_is_asked_when_one_fails, 0, 6);
    tcase_add_test(tests, all_dead_is_a_failure_after_the_tries);
    tcase_add_test(tests, what_all_refuse_is_refused_once_each);
    tcase_add_test(tests, the_fastest_is_found_by_probes);
    tcase_add_test(tests, a_dead_one_is_probed_and_comes_back);
    tcase_add_loop_test(tests, truncated_is_asked_again_over_tcp, 0, 2);
    tcase_add_test(tests, answers_may_be_as_large_as_a_message);
    tcase_add_test(tests, connections_are_given_back);
    tcase_add_loop_test(tests, the_next_one_is_asked_when_tcp_fails, 0, 5);
    tcase_add_loop_test(tests, cancelled_at_any_stage_it_is_silent, 0, STAGES);
    tcase_add_test(tests, free_ends_what_is_under_way);
    tcase_add_test(tests, done_may_do_anything);
    tcase_add_test(tests, a_thousand_at_a_time);
    tcase_add_test(tests, a_thousand_time_out);
    tcase_add_test(tests, queries_at_one_that_is_gone_are_asked_elsewhere);
    tcase_add_test(tests, queries_at_one_that_stays_go_on);
    tcase_add_test(tests, a_shorter_limit_counts_at_once);
    tcase_add_test(tests, a_query_may_come_to_a_place_where_it_was);
    tcase_add_test(tests, places_are_used_again);
    tcase_add_test(tests, upstreams_come_and_go);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
