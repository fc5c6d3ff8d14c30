/* hard/candidates.h against a fake resolver with one zone, and against real ones. A second is short
 * here; nothing sleeps to hope. */
#include "har_config.h"

#include "hard/candidates_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "hard/forward_run.h"
#include "hard/log.h"
#include "tests/support/fake_upstream.h"

#define NAME "www.example.com"
#define SECOND_MS 100
#define SECOND_US (SECOND_MS * 1000)
#define TRY_MS 60 /* time limit of one of the forwarder's tries */
#define IN_FLIGHT_MAX 3000

static struct ev_loop *loop;
static struct forward *forward;
static struct candidates *candidates;
static struct fake fake;

/* What the fake says of any name. */
static struct {
    const char *ipv4, *ipv6; /* with blanks between; NULL: no answer */
    uint8_t rcode4, rcode6;
    uint32_t ttl_s;
} zone;

static size_t answer_from_zone(struct fake *self, uint8_t *message, size_t count)
{
    (void)self;
    bool ipv6 = message[count - 3] == 28;
    char texts[1024], *rest = texts;
    if ((ipv6 ? zone.ipv6 : zone.ipv4) == NULL)
        return 0;
    snprintf(texts, sizeof texts, "%s", ipv6 ? zone.ipv6 : zone.ipv4);
    message[3] |= ipv6 ? zone.rcode6 : zone.rcode4;
    for (char *text; (text = strsep(&rest, " ")) != NULL;) {
        struct har_address address;
        if (*text == '\0')
            continue;
        ck_assert_int_eq(har_address_parse(text, &address), 0);
        count = fake_add(message, count, ipv6 ? 28 : 1, zone.ttl_s, address.bytes, ipv6 ? 16 : 4);
    }
    return count;
}

static void set_up(void)
{
    struct har_error error = {0};
    loop = ev_loop_new(EVFLAG_AUTO);
    fake_start(&fake, loop, 0, 1);
    fake.answer = answer_from_zone;
    zone.ipv4 = "192.0.2.1";
    zone.ipv6 = "2001:db8::1";
    zone.ttl_s = 3600;
    struct config_upstream config = fake_config(&fake);
    forward = forward_new(loop, IN_FLIGHT_MAX, &error);
    forward_configure(forward, &config, 1, TRY_MS);
    candidates = candidates_new(loop, forward, &error);
    ck_assert_ptr_nonnull(candidates);
    ck_assert_uint_eq(candidates->second_ms, 1000);
    candidates->second_ms = SECOND_MS;
    log_set_level(LOG_ERR);
}

static void tear_down(void)
{
    ck_assert_uint_eq(forward->in_flight, 0); /* all watches have ended, so all questions */
    candidates_free(candidates);
    forward_free(forward);
    fake_stop(&fake);
    ev_loop_destroy(loop);
}

struct watcher {
    int calls;
    char addresses[4096]; /* of the last call */
    size_t count;
    bool complete;
    struct candidate_watch *watch;
    void (*then)(struct watcher *watcher); /* from within the call, or NULL */
    struct watcher *other;                 /* for that */
};

static void on_changed(void *arg, const struct har_address *addresses, size_t count, bool complete)
{
    struct watcher *watcher = arg;
    watcher->complete = complete;
    char text[HAR_ADDRESS_TEXT_MAX];
    watcher->calls++;
    watcher->count = count;
    watcher->addresses[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat(watcher->addresses, i > 0 ? " " : "");
        strcat(watcher->addresses, har_address_format(&addresses[i], text));
    }
    if (watcher->then != NULL)
        watcher->then(watcher);
    ev_break(loop, EVBREAK_ONE);
}

static void watch(struct watcher *watcher, bool ipv4, bool ipv6)
{
    int calls = watcher->calls;
    watcher->watch = candidates_watch(candidates, NAME, ipv4, ipv6, on_changed, watcher);
    ck_assert_ptr_nonnull(watcher->watch);
    ck_assert_int_eq(watcher->calls, calls);
}

static void assert_addresses(const struct watcher *watcher, const char *wanted)
{
    ck_assert_str_eq(watcher->addresses, wanted);
}

/* Watches for IPv4 until the first addresses are there. */
static void watch_ipv4(struct watcher *watcher, const char *wanted)
{
    memset(watcher, 0, sizeof *watcher);
    watch(watcher, true, false);
    fake_run_until(loop, &watcher->calls, 1);
    assert_addresses(watcher, wanted);
}

/* Watches for both families until the addresses of both are there. */
static void watch_both(struct watcher *watcher, const char *wanted)
{
    memset(watcher, 0, sizeof *watcher);
    watch(watcher, true, true);
    for (int calls = 1; strcmp(watcher->addresses, wanted) != 0; calls++)
        fake_run_until(loop, &watcher->calls, calls);
}

static enum candidates_state state_of(const struct watcher *watcher)
{
    struct candidates_counters counters;
    return candidates_state_of(watcher->watch, &counters);
}

static struct candidates_counters counters_of(const struct watcher *watcher)
{
    struct candidates_counters counters;
    memset(&counters, 0xa5, sizeof counters);
    candidates_state_of(watcher->watch, &counters);
    return counters;
}

static void run_until_state(const struct watcher *watcher, enum candidates_state state)
{
    int64_t end_us = har_now_us() + (int64_t)FAKE_DEADLINE_S * 1000000;
    while (state_of(watcher) != state && har_now_us() < end_us)
        fake_run_for_ms(loop, 5);
    ck_assert_str_eq(candidates_state_text(state_of(watcher)), candidates_state_text(state));
}

/* --- addresses ---------------------------------------------------------------------------------
 */

START_TEST(addresses_come_from_the_loop_in_order)
{
    struct watcher watcher;
    zone.ipv4 = "192.0.2.9 10.0.0.1 192.0.2.3 10.0.0.1";
    zone.ipv6 = "2001:db8::2 2001:db8::1";
    watch_both(&watcher, "10.0.0.1 192.0.2.3 192.0.2.9 2001:db8::1 2001:db8::2");
    ck_assert_int_eq(fake.asked, 2);
    ck_assert_int_eq(state_of(&watcher), CANDIDATES_RESOLVED);
    ck_assert_uint_eq(counters_of(&watcher).successes, 2);
    ck_assert_uint_eq(counters_of(&watcher).errors + counters_of(&watcher).timeouts, 0);
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(only_the_families_wanted_are_asked_for)
{
    struct watcher ipv4, ipv6 = {.calls = 0};
    watch_ipv4(&ipv4, "192.0.2.1");
    ck_assert_int_eq(fake.asked, 1);
    watch(&ipv6, false, true);
    fake_run_until(loop, &ipv6.calls, 1);
    assert_addresses(&ipv6, "2001:db8::1");
    ck_assert_int_eq(fake.asked, 2);
    ck_assert_int_eq(ipv4.calls, 1);
    candidates_unwatch(ipv4.watch);
    candidates_unwatch(ipv6.watch);
}
END_TEST

START_TEST(unusable_addresses_are_dropped)
{
    struct watcher watcher;
    zone.ipv4 = "0.0.0.0 192.0.2.1 255.255.255.255";
    watch_ipv4(&watcher, "192.0.2.1");
    ck_assert_uint_eq(counters_of(&watcher).unusable, 2);
    candidates_unwatch(watcher.watch);
}
END_TEST

/* --- over time ---------------------------------------------------------------------------------
 */

START_TEST(asked_again_when_the_ttl_runs_out)
{
    struct watcher watcher;
    int64_t began_us = har_now_us();
    zone.ttl_s = 1;
    watch_ipv4(&watcher, "192.0.2.1");
    zone.ipv4 = "192.0.2.2";
    fake_run_until(loop, &watcher.calls, 2);
    assert_addresses(&watcher, "192.0.2.2");
    zone.ipv4 = "192.0.2.2 192.0.2.4";
    fake_run_until(loop, &watcher.calls, 3);
    assert_addresses(&watcher, "192.0.2.2 192.0.2.4");
    ck_assert_int_eq(fake.asked, 3);
    ck_assert_int_ge(har_now_us() - began_us, 2 * SECOND_US); /* and not before */
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(another_order_is_no_change)
{
    struct watcher watcher;
    zone.ttl_s = 1;
    zone.ipv4 = "192.0.2.1 192.0.2.2 192.0.2.3";
    watch_ipv4(&watcher, zone.ipv4);
    zone.ipv4 = "192.0.2.3 192.0.2.1 192.0.2.2";
    fake_run_until(loop, &fake.asked, 2);
    fake_run_until(loop, &fake.asked, 3);
    ck_assert_int_eq(watcher.calls, 1);
    candidates_unwatch(watcher.watch);
}
END_TEST

static const struct {
    enum fake_mode mode;
    const char *ipv4;
    uint8_t rcode4;
    enum candidates_state state;
} failures[] = {
    {FAKE_SERVFAIL, "", 0, CANDIDATES_FAILED},
    {FAKE_SILENT, "", 0, CANDIDATES_FAILED},
    {FAKE_CUT, "192.0.2.2", 0, CANDIDATES_FAILED},
    {FAKE_ANSWERS, "", 9, CANDIDATES_FAILED}, /* NOTAUTH */
    {FAKE_ANSWERS, "", DNS_NXDOMAIN, CANDIDATES_NO_NAME},
    {FAKE_ANSWERS, "", DNS_NOERROR, CANDIDATES_NO_DATA},
    {FAKE_ANSWERS, "0.0.0.0", DNS_NOERROR, CANDIDATES_NO_DATA},
};

static void break_zone(int row)
{
    fake.mode = failures[row].mode;
    zone.ipv4 = failures[row].ipv4;
    zone.rcode4 = failures[row].rcode4;
}

static void mend_zone(const char *ipv4)
{
    fake.mode = FAKE_ANSWERS;
    zone.ipv4 = ipv4;
    zone.rcode4 = zone.rcode6 = 0;
}

START_TEST(the_last_known_addresses_stay)
{
    struct watcher watcher, late = {.calls = 0};
    zone.ttl_s = 1;
    watch_ipv4(&watcher, "192.0.2.1");
    break_zone(_i);
    run_until_state(&watcher, failures[_i].state);
    ck_assert_int_eq(watcher.calls, 1);
    watch(&late, true, false); /* who comes now is told the same */
    fake_run_until(loop, &late.calls, 1);
    assert_addresses(&late, "192.0.2.1");
    struct candidates_counters counters = counters_of(&watcher);
    bool no = failures[_i].state != CANDIDATES_FAILED, silent = fake.mode == FAKE_SILENT;
    ck_assert_uint_eq(counters.successes, no ? 2 : 1);
    ck_assert_uint_eq(counters.timeouts, silent ? 1 : 0);
    ck_assert_uint_eq(counters.errors, no || silent ? 0 : 1);
    candidates_unwatch(late.watch);
    mend_zone("192.0.2.7");
    candidates_refresh(watcher.watch); /* "no" may hold for a minute */
    fake_run_until(loop, &watcher.calls, 2);
    assert_addresses(&watcher, "192.0.2.7");
    ck_assert_int_eq(state_of(&watcher), CANDIDATES_RESOLVED);
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(that_nothing_is_known_is_told_once)
{
    struct watcher watcher = {.count = 99};
    break_zone(_i);
    watch(&watcher, true, false);
    fake_run_until(loop, &watcher.calls, 1);
    ck_assert_uint_eq(watcher.count, 0);
    ck_assert_int_eq(state_of(&watcher), failures[_i].state);
    int asked = fake.asked;
    candidates_refresh(watcher.watch);
    fake_run_until(loop, &fake.asked, asked + 1);
    fake_run_for_ms(loop, 20);
    ck_assert_int_eq(watcher.calls, 1);
    mend_zone("192.0.2.7");
    candidates_refresh(watcher.watch);
    fake_run_until(loop, &watcher.calls, 2);
    assert_addresses(&watcher, "192.0.2.7");
    candidates_unwatch(watcher.watch);
}
END_TEST

/* Most names have one family only, and some servers deny the whole name for the other. */
START_TEST(no_such_name_beside_addresses_is_well)
{
    struct watcher watcher = {.calls = 0};
    zone.rcode4 = DNS_NXDOMAIN;
    zone.ipv4 = "";
    watch_both(&watcher, "2001:db8::1");
    run_until_state(&watcher, CANDIDATES_RESOLVED);
    ck_assert(watcher.complete);
    assert_addresses(&watcher, "2001:db8::1");
    candidates_unwatch(watcher.watch);
}
END_TEST

/* One family is not made to wait for the other. */
START_TEST(what_is_known_is_told_at_once)
{
    struct watcher watcher = {.calls = 0};
    zone.ipv6 = NULL;
    watch(&watcher, true, true);
    fake_run_until(loop, &watcher.calls, 1);
    assert_addresses(&watcher, "192.0.2.1");
    ck_assert(!watcher.complete);
    ck_assert_uint_eq(counters_of(&watcher).timeouts, 0);
    run_until_state(&watcher, CANDIDATES_PARTLY);
    ck_assert_int_eq(watcher.calls, 2);
    ck_assert(watcher.complete);
    assert_addresses(&watcher, "192.0.2.1");
    candidates_unwatch(watcher.watch);
}
END_TEST

/* What an earlier run knew counts until it is known better, for each family by itself. */
START_TEST(recalled_addresses_stand_for_their_family)
{
    struct watcher watcher = {.calls = 0};
    struct har_address known[3];
    ck_assert_int_eq(har_address_parse("2001:db8::8", &known[0]), 0);
    ck_assert_int_eq(har_address_parse("192.0.2.9", &known[1]), 0);
    ck_assert_int_eq(har_address_parse("192.0.2.8", &known[2]), 0);
    zone.ipv4 = NULL;
    watch(&watcher, true, true);
    candidates_recall(watcher.watch, known, 3);
    fake_run_until(loop, &watcher.calls, 1);
    assert_addresses(&watcher, "192.0.2.8 192.0.2.9 2001:db8::8");
    ck_assert(!watcher.complete);
    fake_run_until(loop, &watcher.calls, 2);
    assert_addresses(&watcher, "192.0.2.8 192.0.2.9 2001:db8::1");
    ck_assert(!watcher.complete);
    run_until_state(&watcher, CANDIDATES_PARTLY);
    ck_assert(watcher.complete);
    assert_addresses(&watcher, "192.0.2.8 192.0.2.9 2001:db8::1");
    candidates_recall(watcher.watch, known, 1); /* too late */
    zone.ipv4 = "192.0.2.1";
    candidates_refresh(watcher.watch);
    run_until_state(&watcher, CANDIDATES_RESOLVED);
    assert_addresses(&watcher, "192.0.2.1 2001:db8::1");
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(recalled_addresses_go_when_there_are_none)
{
    struct watcher watcher = {.calls = 0};
    struct har_address known;
    ck_assert_int_eq(har_address_parse("2001:db8::8", &known), 0);
    zone.ipv6 = "";
    watch(&watcher, true, true);
    candidates_recall(watcher.watch, &known, 1);
    run_until_state(&watcher, CANDIDATES_RESOLVED);
    assert_addresses(&watcher, "192.0.2.1");
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(failures_are_asked_again_soon_then_less_often)
{
    struct watcher watcher = {.calls = 0};
    int64_t began_us = har_now_us();
    fake.mode = FAKE_SERVFAIL;
    watch(&watcher, true, false);
    fake_run_until(loop, &fake.asked, 2);
    ck_assert_int_ge(har_now_us() - began_us, SECOND_US);
    fake_run_until(loop, &fake.asked, 3);
    ck_assert_int_ge(har_now_us() - began_us, 3 * SECOND_US);
    ck_assert_uint_ge(watcher.watch->name->questions[0].retry_s, 4);
    fake.mode = FAKE_ANSWERS; /* after which it begins anew */
    fake_run_until(loop, &watcher.calls, 2);
    ck_assert_uint_eq(watcher.watch->name->questions[0].retry_s, 1);
    candidates_unwatch(watcher.watch);
}
END_TEST

/* Whatever its TTL, it is asked again within a minute; but not at once, as after a failure. */
START_TEST(a_no_holds_for_its_ttl_or_a_minute)
{
    struct watcher watcher = {.calls = 0};
    zone.ipv4 = "0.0.0.0";
    zone.ttl_s = _i == 0 ? 3600 : 30;
    watch(&watcher, true, false);
    run_until_state(&watcher, CANDIDATES_NO_DATA);
    double left_s = ev_timer_remaining(loop, &watcher.watch->name->questions[0].timer);
    double ttl_s = _i == 0 ? 60 : 30;
    ck_assert(left_s > (ttl_s - 10) * SECOND_MS / 1000); /* some of it has passed */
    ck_assert(left_s <= ttl_s * 1.1 * SECOND_MS / 1000);
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(a_family_without_address_loses_them_while_the_other_has_some)
{
    struct watcher watcher;
    zone.ttl_s = 1;
    watch_both(&watcher, "192.0.2.1 2001:db8::1");
    int calls = watcher.calls;
    zone.ipv6 = "";
    fake_run_until(loop, &watcher.calls, calls + 1);
    assert_addresses(&watcher, "192.0.2.1");
    ck_assert_int_eq(state_of(&watcher), CANDIDATES_RESOLVED);
    zone.ipv4 = ""; /* now there is nothing better */
    run_until_state(&watcher, CANDIDATES_NO_DATA);
    fake.mode = FAKE_SERVFAIL; /* and what is gone stays gone */
    candidates_refresh(watcher.watch);
    run_until_state(&watcher, CANDIDATES_FAILED);
    ck_assert_int_eq(watcher.calls, calls + 1);
    assert_addresses(&watcher, "192.0.2.1");
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(no_such_name_takes_nothing_away)
{
    struct watcher watcher;
    zone.ttl_s = 1;
    watch_both(&watcher, "192.0.2.1 2001:db8::1");
    int calls = watcher.calls;
    zone.ipv6 = "";
    zone.rcode6 = DNS_NXDOMAIN;
    run_until_state(&watcher, CANDIDATES_PARTLY);
    ck_assert_int_eq(watcher.calls, calls);
    assert_addresses(&watcher, "192.0.2.1 2001:db8::1");
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(servers_that_refuse_edns_are_asked_without)
{
    struct watcher watcher = {.calls = 0};
    fake.mode = FAKE_HEADER_FORMERR;
    watch(&watcher, true, false);
    fake_run_until(loop, &fake.asked, 1);
    ck_assert_uint_eq(fake.last[11], 1); /* an OPT record */
    fake_run_until(loop, &fake.asked, 2);
    ck_assert_uint_eq(fake.last[11], 0);
    candidates_unwatch(watcher.watch);
}
END_TEST

/* --- refresh -----------------------------------------------------------------------------------
 */

START_TEST(refresh_asks_again_but_not_twice_in_a_second)
{
    struct watcher watcher;
    int64_t began_us = har_now_us();
    watch_ipv4(&watcher, "192.0.2.1");
    zone.ipv4 = "192.0.2.2";
    for (int i = 0; i < 10; i++)
        candidates_refresh(watcher.watch);
    ck_assert_int_eq(watcher.calls, 1);
    fake_run_until(loop, &watcher.calls, 2);
    assert_addresses(&watcher, "192.0.2.2");
    ck_assert_int_ge(har_now_us() - began_us, SECOND_US);
    ck_assert_int_eq(fake.asked, 2);
    fake_run_for_ms(loop, 12 * SECOND_MS / 10); /* after which it may be at once */
    ck_assert_int_eq(fake.asked, 2);
    candidates_refresh(watcher.watch);
    fake_run_until(loop, &fake.asked, 3);
    candidates_unwatch(watcher.watch);
}
END_TEST

START_TEST(refresh_does_not_ask_beside_a_question)
{
    struct watcher watcher = {.calls = 0};
    struct config_upstream config = fake_config(&fake);
    forward_configure(forward, &config, 1, 10000);
    fake.mode = FAKE_SILENT;
    watch(&watcher, true, false);
    candidates_refresh(watcher.watch); /* before it was asked for the first time */
    fake_run_until(loop, &fake.asked, 1);
    fake_run_for_ms(loop, 11 * SECOND_MS / 10);
    candidates_refresh(watcher.watch);
    fake_run_for_ms(loop, 100);
    ck_assert_int_eq(fake.asked, 1);
    candidates_unwatch(watcher.watch);
}
END_TEST

/* --- watches -----------------------------------------------------------------------------------
 */

START_TEST(watches_of_a_name_share_its_questions)
{
    struct watcher first = {.calls = 0}, second = {.calls = 0}, late = {.calls = 0};
    watch(&first, true, false);
    watch(&second, true, false);
    fake_run_until(loop, &first.calls, 1);
    fake_run_until(loop, &second.calls, 1);
    watch(&late, true, false);
    fake_run_until(loop, &late.calls, 1);
    assert_addresses(&late, "192.0.2.1");
    ck_assert_int_eq(fake.asked, 1);
    ck_assert_int_eq(first.calls + second.calls, 2);
    candidates_unwatch(first.watch);
    candidates_unwatch(late.watch);
    zone.ipv4 = "192.0.2.2";
    candidates_refresh(second.watch); /* goes on for who is left */
    fake_run_until(loop, &second.calls, 2);
    ck_assert_int_eq(first.calls, 1);
    candidates_unwatch(second.watch);
    candidates_unwatch(NULL);
}
END_TEST

START_TEST(unwatched_at_any_stage_it_is_silent)
{
    struct watcher watcher = {.calls = 0};
    fake.mode = FAKE_SILENT;
    watch(&watcher, true, true);
    if (_i == 1)
        fake_run_until(loop, &fake.asked, 1);
    if (_i == 2) {
        mend_zone("192.0.2.1");
        fake_run_until(loop, &watcher.calls, 1);
    }
    int calls = watcher.calls;
    candidates_unwatch(watcher.watch);
    mend_zone("192.0.2.2");
    if (fake.asked > 0)
        fake_answer_last(&fake);
    fake_run_for_ms(loop, 2 * TRY_MS);
    ck_assert_int_eq(watcher.calls, calls);
    ck_assert_uint_eq(forward->in_flight, 0);
}
END_TEST

static void unwatch_self(struct watcher *watcher)
{
    candidates_unwatch(watcher->watch);
}

static void unwatch_other(struct watcher *watcher)
{
    candidates_unwatch(watcher->other->watch);
    watcher->other->watch = NULL;
}

static void unwatch_both(struct watcher *watcher)
{
    unwatch_other(watcher);
    unwatch_self(watcher);
}

static void watch_other(struct watcher *watcher)
{
    unwatch_self(watcher);
    watch(watcher->other, true, false);
}

START_TEST(watches_may_end_from_within)
{
    struct watcher first = {.calls = 0}, second = {.calls = 0};
    first.then = _i == 0 ? unwatch_self : _i == 1 ? unwatch_other : unwatch_both;
    first.other = &second;
    watch(&first, true, false);
    watch(&second, true, false);
    fake_run_until(loop, &first.calls, 1);
    if (_i == 0) {
        fake_run_until(loop, &second.calls, 1);
        candidates_unwatch(second.watch);
    }
    fake_run_for_ms(loop, 20);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, _i == 0 ? 1 : 0);
    if (_i == 1)
        candidates_unwatch(first.watch);
}
END_TEST

START_TEST(watches_may_begin_from_within)
{
    struct watcher first = {.calls = 0}, second = {.calls = 0};
    first.then = watch_other;
    first.other = &second;
    watch(&first, true, false);
    fake_run_until(loop, &second.calls, 1);
    assert_addresses(&second, "192.0.2.1");
    ck_assert_int_eq(fake.asked, 1); /* the name had a watch all the time */
    candidates_unwatch(second.watch);
}
END_TEST

/* --- many --------------------------------------------------------------------------------------
 */

#define MANY 2000

START_TEST(first_questions_are_spread)
{
    static struct watcher watchers[MANY];
    for (int i = 0; i < MANY; i++) {
        char name[64];
        snprintf(name, sizeof name, "host-%d.example.com", i * 7919 % MANY);
        watchers[i].watch =
            candidates_watch(candidates, name, true, false, on_changed, &watchers[i]);
    }
    const struct config_upstream patient = fake_config(&fake);
    forward_configure(forward, &patient, 1, 5000);
    fake_run_until(loop, &fake.asked, 1);
    ck_assert_int_lt(fake.asked, MANY / 2); /* and not all of them in one round */
    for (int i = 0; i < MANY; i++) {
        fake_run_until(loop, &watchers[i].calls, 1);
        assert_addresses(&watchers[i], "192.0.2.1");
        candidates_unwatch(watchers[i].watch);
    }
    ck_assert_int_eq(fake.asked, MANY);
}
END_TEST

START_TEST(a_question_that_finds_no_room_is_asked_later)
{
    struct watcher watcher = {.calls = 0};
    static const uint8_t query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
    struct config_upstream config = fake_config(&fake);
    struct forward_query *others[IN_FLIGHT_MAX];
    forward_configure(forward, &config, 1, 10000);
    fake.mode = FAKE_SILENT;
    for (int i = 0; i < IN_FLIGHT_MAX; i++)
        others[i] = forward_start(forward, query, sizeof query - 1, NULL, NULL);
    watch(&watcher, true, false);
    fake_run_until(loop, &watcher.calls, 1);
    ck_assert_uint_eq(watcher.count, 0);
    ck_assert_uint_eq(counters_of(&watcher).errors, 1);
    for (int i = 0; i < IN_FLIGHT_MAX; i++)
        forward_cancel(others[i]);
    fake.mode = FAKE_ANSWERS;
    fake_run_until(loop, &watcher.calls, 2);
    assert_addresses(&watcher, "192.0.2.1");
    candidates_unwatch(watcher.watch);
}
END_TEST

/* --- log ---------------------------------------------------------------------------------------
 */

/* Standard error into a pipe that is read to its end. */
static int catch_log(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_set_level(LOG_INFO);
    return ends[0];
}

/* The events of our names since the last call, in order. */
static void assert_log(int log, const char *wanted)
{
    char text[16384], found[1024] = "", *rest = text;
    ssize_t got = read(log, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *event = strstr(line, "event=resol"), *addresses = strstr(line, "addresses=");
        if (event == NULL || addresses == NULL)
            continue;
        strcat(found, found[0] != '\0' ? "; " : "");
        strncat(found, event + 6, strcspn(event + 6, " "));
        strcat(found, strchr(addresses, '='));
    }
    ck_assert_str_eq(found, wanted);
}

START_TEST(each_change_is_a_line_in_the_log)
{
    struct watcher watcher;
    int log = catch_log();
    zone.ttl_s = 1;
    watch_ipv4(&watcher, "192.0.2.1");
    assert_log(log, "resolved=192.0.2.1");
    zone.ipv4 = "192.0.2.1 192.0.2.2";
    fake_run_until(loop, &watcher.calls, 2);
    assert_log(log, "resolve-changed=\"192.0.2.1 192.0.2.2\"");
    fake.mode = FAKE_SERVFAIL;
    run_until_state(&watcher, CANDIDATES_FAILED);
    fake_run_until(loop, &fake.asked, 4); /* once more, which is no news */
    fake_run_for_ms(loop, 20);
    assert_log(log, "resolve-failed=\"192.0.2.1 192.0.2.2\"");
    fake.mode = FAKE_ANSWERS;
    run_until_state(&watcher, CANDIDATES_RESOLVED);
    assert_log(log, "resolve-recovered=\"192.0.2.1 192.0.2.2\"");
    fake_run_until(loop, &fake.asked, fake.asked + 1);
    zone.ipv4 = "";
    run_until_state(&watcher, CANDIDATES_NO_DATA);
    assert_log(log, "resolve-failed=\"192.0.2.1 192.0.2.2\"");
    candidates_unwatch(watcher.watch);
    close(log);
}
END_TEST

/* Both families come one after the other; that is one line. */
START_TEST(a_name_that_resolves_is_one_line)
{
    struct watcher watcher;
    int log = catch_log();
    watch_both(&watcher, "192.0.2.1 2001:db8::1");
    assert_log(log, "resolved=\"192.0.2.1 2001:db8::1\"");
    candidates_unwatch(watcher.watch);
    close(log);
}
END_TEST

/* --- real servers ------------------------------------------------------------------------------
 */

static uint16_t unused_port(void)
{
    struct fake other;
    fake_start(&other, loop, 0, 1);
    fake_stop(&other);
    return other.port;
}

static pid_t start_server(char *const *argv)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int nowhere = open("/dev/null", O_RDWR);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        setenv("PATH", "/usr/sbin:/usr/local/sbin:/sbin:/usr/bin:/bin", 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static void stop_server(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* It is asked until it is up. */
static void use_server(uint16_t port)
{
    struct config_upstream config = {.port = port};
    har_address_parse("127.0.0.1", &config.address);
    forward_configure(forward, &config, 1, 2000);
}

static struct watcher watch_name(const char *name, bool ipv4, bool ipv6, size_t wanted)
{
    static struct watcher watcher;
    memset(&watcher, 0, sizeof watcher);
    watcher.watch = candidates_watch(candidates, name, ipv4, ipv6, on_changed, &watcher);
    while (watcher.count != wanted || state_of(&watcher) == CANDIDATES_UNKNOWN)
        fake_run_until(loop, &watcher.calls, watcher.calls + 1);
    candidates_unwatch(watcher.watch);
    return watcher;
}

START_TEST(dnsmasq_answers)
{
    char port[32];
    uint16_t number = unused_port();
    snprintf(port, sizeof port, "--port=%u", number);
    const char *argv[] = {"dnsmasq",
                          "--keep-in-foreground",
                          "--conf-file=/dev/null",
                          port,
                          "--listen-address=127.0.0.1",
                          "--bind-interfaces",
                          "--no-resolv",
                          "--no-hosts",
                          "--user=",
                          "--pid-file=",
                          "--host-record=www.example.com,192.0.2.7,2001:db8::7,60",
                          "--cname=alias.example.com,www.example.com",
                          NULL};
    pid_t server = start_server((char *const *)argv);
    use_server(number);
    struct watcher watcher = watch_name("www.example.com", true, false, 1);
    assert_addresses(&watcher, "192.0.2.7");
    watcher = watch_name("alias.example.com", true, true, 2);
    assert_addresses(&watcher, "192.0.2.7 2001:db8::7");
    stop_server(server);
}
END_TEST

static const char knot_zone[] = "$ORIGIN example.com.\n"
                                "@ 60 SOA ns root 1 60 60 60 30\n"
                                "@ 60 NS ns\n"
                                "ns 60 A 127.0.0.1\n"
                                "www 60 A 192.0.2.8\n"
                                "www 60 AAAA 2001:db8::8\n"
                                "one 60 CNAME two\n"
                                "two 60 CNAME www\n"
                                "text 60 TXT nothing\n";

static void write_knot_files(const char *folder, uint16_t port)
{
    char path[256];
    snprintf(path, sizeof path, "%s/knot.conf", folder);
    FILE *file = fopen(path, "w");
    fprintf(file,
            "server:\n  rundir: %s\n  listen: 127.0.0.1@%u\n"
            "database:\n  storage: %s\n"
            "zone:\n- domain: example.com\n  storage: %s\n  file: zone\n"
            "  zonefile-sync: -1\n  journal-content: none\n",
            folder, port, folder, folder);
    fclose(file);
    snprintf(path, sizeof path, "%s/zone", folder);
    file = fopen(path, "w");
    fputs(knot_zone, file);
    for (int i = 1; i <= 100; i++) /* 1,600 bytes and more: over TCP */
        fprintf(file, "many 60 A 198.51.100.%d\n", i);
    fclose(file);
}

START_TEST(knot_answers)
{
    char folder[] = "check_candidates.XXXXXX", conf[64], command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *path = realpath(folder, NULL);
    uint16_t number = unused_port();
    write_knot_files(path, number);
    snprintf(conf, sizeof conf, "%s/knot.conf", folder);
    pid_t server = start_server((char *[]){(char *)"knotd", (char *)"-c", conf, NULL});
    use_server(number);
    struct watcher watcher = watch_name("www.example.com", true, true, 2);
    assert_addresses(&watcher, "192.0.2.8 2001:db8::8");
    watcher = watch_name("one.example.com", false, true, 1);
    assert_addresses(&watcher, "2001:db8::8");
    watch_name("many.example.com", true, false, 100);
    ck_assert_uint_ge(forward_counters(forward)->tcp, 1);
    watcher = watch_name("none.example.com", true, true, 0);
    watcher = watch_name("text.example.com", true, true, 0);
    stop_server(server);
    free(path);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("candidates");
    TCase *tests = tcase_create("candidates");
    int failure_count = (int)(sizeof failures / sizeof failures[0]);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, addresses_come_from_the_loop_in_order);
    tcase_add_test(tests, only_the_families_wanted_are_asked_for);
    tcase_add_test(tests, unusable_addresses_are_dropped);
    tcase_add_test(tests, asked_again_when_the_ttl_runs_out);
    tcase_add_test(tests, another_order_is_no_change);
    tcase_add_loop_test(tests, the_last_known_addresses_stay, 0, failure_count);
    tcase_add_loop_test(tests, that_nothing_is_known_is_told_once, 0, failure_count);
    tcase_add_test(tests, no_such_name_beside_addresses_is_well);
    tcase_add_test(tests, what_is_known_is_told_at_once);
    tcase_add_test(tests, recalled_addresses_stand_for_their_family);
    tcase_add_test(tests, recalled_addresses_go_when_there_are_none);
    tcase_add_test(tests, failures_are_asked_again_soon_then_less_often);
    tcase_add_loop_test(tests, a_no_holds_for_its_ttl_or_a_minute, 0, 2);
    tcase_add_test(tests, a_family_without_address_loses_them_while_the_other_has_some);
    tcase_add_test(tests, no_such_name_takes_nothing_away);
    tcase_add_test(tests, servers_that_refuse_edns_are_asked_without);
    tcase_add_test(tests, refresh_asks_again_but_not_twice_in_a_second);
    tcase_add_test(tests, refresh_does_not_ask_beside_a_question);
    tcase_add_test(tests, watches_of_a_name_share_its_questions);
    tcase_add_loop_test(tests, unwatched_at_any_stage_it_is_silent, 0, 3);
    tcase_add_loop_test(tests, watches_may_end_from_within, 0, 3);
    tcase_add_test(tests, watches_may_begin_from_within);
    tcase_add_test(tests, first_questions_are_spread);
    tcase_add_test(tests, a_question_that_finds_no_room_is_asked_later);
    tcase_add_test(tests, each_change_is_a_line_in_the_log);
    tcase_add_test(tests, a_name_that_resolves_is_one_line);
    tcase_add_test(tests, dnsmasq_answers);
    tcase_add_test(tests, knot_answers);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
