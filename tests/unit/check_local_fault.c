#include "hard/local_fault.h"

#include <string.h>

#include "tests/support/unit.h"

#define MS 1000
#define ENDPOINTS_MAX 8

/* A story is a string of steps, in simulated time:
 *
 *   ~N      N ms pass
 *   =N      N endpoints are checked from now on
 *   {...}   a view of the network, one letter an endpoint: f fine, c no carrier, n no route (each
 *           with an address of its own, m: all with the same), h here; and ! for a machine that is
 *           cut off
 *   NX      the check of endpoint N, begun now, ends with word X, one of:
 *             h here, b beyond, s silence, n no route, e local error, d no descriptors
 *   NX^M    the same, begun M ms ago
 *   .       the timer's call
 *
 * Each step but ~ and = may be followed by what it is to bring about: + begun, - ended; nothing
 * otherwise. A + may be followed by the cause, one of C R D E. */
struct story {
    const char *what, *steps;
};

struct player {
    struct local_fault fault;
    uint64_t votes[ENDPOINTS_MAX];
    int64_t now_us;
    const char *at;
};

static long number(struct player *player)
{
    char *end;
    long value = strtol(player->at, &end, 10);
    ck_assert_ptr_ne(end, player->at);
    player->at = end;
    return value;
}

static enum local_fault_change play_view(struct player *player)
{
    struct local_fault_view view = {.cut_off = false};
    for (uint8_t place = 1; *player->at != '}'; player->at++, place++) {
        struct har_address address = {AF_INET, {192, 0, 2, *player->at == 'm' ? 0 : place}};
        switch (*player->at) {
        case '!':
            view.cut_off = true;
            break;
        case 'f':
            local_fault_view_add(&view, &address, LINK_FINE);
            break;
        case 'h':
            local_fault_view_add(&view, &address, LINK_HERE);
            break;
        case 'c':
            local_fault_view_add(&view, &address, LINK_NO_CARRIER);
            break;
        default:
            local_fault_view_add(&view, &address, LINK_NO_ROUTE);
        }
    }
    player->at++;
    return local_fault_network(&player->fault, &view, player->now_us);
}

static enum local_fault_change play_result(struct player *player)
{
    static const char words[] = "hbsned";
    long endpoint = number(player), ago_ms = 0;
    const char *word = strchr(words, *player->at++);
    ck_assert_ptr_nonnull(word);
    if (*player->at == '^') {
        player->at++;
        ago_ms = number(player);
    }
    return local_fault_result(&player->fault, &player->votes[endpoint],
                              (enum local_fault_word)(word - words), player->now_us - ago_ms * MS,
                              player->now_us);
}

static void expect_change(struct player *player, enum local_fault_change change,
                          const struct story *story)
{
    static const char letters[] = " CRDE";
    enum local_fault_change wanted = *player->at == '+'   ? LOCAL_FAULT_BEGUN
                                     : *player->at == '-' ? LOCAL_FAULT_ENDED
                                                          : LOCAL_FAULT_SAME;
    ck_assert_msg(change == wanted, "%s: %d instead of %d before %s", story->what, change, wanted,
                  player->at);
    if (wanted != LOCAL_FAULT_SAME)
        player->at++;
    if (change == LOCAL_FAULT_BEGUN) {
        ck_assert_msg(letters[player->fault.cause] == *player->at, "%s: %s", story->what,
                      local_fault_cause_text(player->fault.cause));
        player->at++;
    }
}

/* As a player's own timer would: the fault is over when it says, not before and not after. */
static void play_step(struct player *player, const struct story *story)
{
    switch (*player->at) {
    case ' ':
        player->at++;
        return;
    case '~':
        player->at++;
        player->now_us += number(player) * MS;
        return;
    case '=':
        player->at++;
        local_fault_population(&player->fault, (size_t)number(player));
        return;
    case '{':
        player->at++;
        expect_change(player, play_view(player), story);
        return;
    case '.':
        player->at++;
        expect_change(player, local_fault_tick(&player->fault, player->now_us), story);
        return;
    default:
        expect_change(player, play_result(player), story);
    }
}

static struct player start(void)
{
    struct player player = {.now_us = 5000 * (int64_t)1000 * MS};
    memset(&player.fault, 0xa5, sizeof player.fault);
    local_fault_init(&player.fault);
    return player;
}

static struct player play(const struct story *story)
{
    struct player player = start();
    player.at = story->steps;
    while (*player.at != '\0') {
        play_step(&player, story);
        bool waits = local_fault_due_us(&player.fault) != LOCAL_FAULT_NEVER;
        ck_assert_msg(!waits || player.fault.lasts, "%s: due without a fault", story->what);
    }
    return player;
}

static void play_all(const struct story *stories, size_t count)
{
    for (size_t i = 0; i < count; i++)
        play(&stories[i]);
}
#define PLAY_ALL(stories) play_all(stories, sizeof stories / sizeof stories[0])

START_TEST(what_the_routes_say_decides)
{
    static const struct story stories[] = {
        {"no endpoints", "{}"},
        {"no endpoints, no network", "{!}"},
        {"all is fine", "=3 {fff}"},
        {"one subnet is gone", "=3 {fnn} {fcc} {fmn}"},
        {"one cable of two", "=2 {fc}"},
        {"the last cable", "=2 {cc}+C"},
        {"a cable, and routes through it", "=3 {ncn}+C"},
        {"no route to anybody", "=2 {nn}+R"},
        {"no route to the only server, and others to elsewhere", "=1 {n}"},
        {"the same with two services of it", "=2 {mm}"},
        {"no route to the only server, nor to anywhere", "=1 {n!}+R"},
        {"the only server's link", "=1 {c}+C"},
        {"all servers are here, no network", "=2 {hh!}"},
        {"one is here, the others beyond, no network", "=3 {hnn!}+R"},
        {"one is here, one beyond, which has no route", "=2 {hn}"},
        {"a network without a default route, and who is in it answers", "=2 {fn!}"},
    };
    PLAY_ALL(stories);
}
END_TEST

START_TEST(a_network_fault_ends_when_it_has_settled)
{
    static const struct story stories[] = {
        {"a second later", "=2 {ff} ~9000 {cc}+C ~60000 {ff} . ~999 . ~1 .-"},
        {"any call notices", "=2 {cc}+C ~50 {ff} ~1000 {ff}-"},
        {"a result too", "=2 {cc}+C ~50 {ff} ~1000 0b-"},
        {"on the way back it is something else", "=2 {cc}+C ~50 {nn} ~90000 {fn} ~1000 .-"},
        {"relapses do not end it", "=2 {cc}+C {ff} ~900 {cc} {ff} ~900 {nn} {ff} ~999 . ~1 .-"},
        {"a new view of the same is no news", "=2 {cc}+C ~9000 {cc} . ~9000 {cc} ."},
        {"only that server's route comes back", "=3 {nnn!}+R {nfn} ~1000 .-"},
        {"the endpoints are gone", "=2 {cc}+C ~50 =0 {} ~1000 .-"},
    };
    PLAY_ALL(stories);
}
END_TEST

/* up, for this long, down, for 100 ms, and so on for ten minutes. How many faults begin, and for
 * how much of the time the link was up and the ranking frozen all the same. */
static double flap(int64_t up_ms, int *begun)
{
    struct player player = start();
    local_fault_population(&player.fault, 1);
    const struct local_fault_view fine = {.fine = 1}, down = {.no_carrier = 1};
    int64_t frozen_ms = 0, total_ms = 0;
    *begun = 0;
    while (total_ms < 600000) {
        *begun += local_fault_network(&player.fault, &down, player.now_us) == LOCAL_FAULT_BEGUN;
        player.now_us += 100 * MS;
        local_fault_network(&player.fault, &fine, player.now_us);
        for (int64_t i = 0; i < up_ms; i += 10, player.now_us += 10 * MS) {
            local_fault_tick(&player.fault, player.now_us);
            frozen_ms += player.fault.lasts ? 10 : 0;
        }
        total_ms += up_ms + 100;
    }
    return (double)frozen_ms / (double)total_ms;
}

START_TEST(a_flapping_link_is_few_faults)
{
    static const struct {
        int64_t up_ms;
        int begun_min, begun_max;
        double frozen_min, frozen_max;
    } rows[] = {
        {200, 1, 1, 0.6, 0.7},    {900, 1, 1, 0.8, 1.0},     {1500, 2, 2, 0.9, 1.0},
        {5000, 4, 4, 0.9, 1.0},   {20000, 29, 31, 0.3, 0.5}, /* a log line every 10 s, at most */
        {61000, 9, 10, 0., 0.02},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int begun;
        double frozen = flap(rows[i].up_ms, &begun);
        ck_assert_msg(begun >= rows[i].begun_min && begun <= rows[i].begun_max, "%d ms: %d times",
                      (int)rows[i].up_ms, begun);
        ck_assert_msg(frozen >= rows[i].frozen_min && frozen <= rows[i].frozen_max,
                      "%d ms: frozen %.2f", (int)rows[i].up_ms, frozen);
    }
}
END_TEST

START_TEST(faults_in_a_row_settle_longer_until_it_is_calm)
{
    static const struct story story = {
        "1, 2, 4, 8, 8, and 1 again",
        "=1 {c}+C {f} ~1000 .-     {c}+C {f} ~1999 . ~1 .-    {c}+C {f} ~3999 . ~1 .-"
        "   {c}+C {f} ~7999 . ~1 .-    {c}+C {f} ~7999 . ~1 .-"
        "   ~59999 {c}+C {f} ~7999 . ~1 .-    ~60000 {c}+C {f} ~1000 .-"};
    play(&story);
}
END_TEST

START_TEST(a_server_that_answers_outweighs_the_routes)
{
    static const struct story stories[] = {
        {"begun after the view", "=2 {nn}+R ~10 0b ~1000 .-"},
        {"begun before: it was on its way", "=2 {nn}+R ~10 0b^11 ~90000 . 1n 0n ."},
        {"one that is here proves nothing", "=3 {hnn}+R ~10 0h ~90000 ."},
        {"nor does silence", "=2 {cc}+C ~10 0s ~90000 ."},
        {"until the next view", "=2 {nn}+R ~10 0b ~500 {nn} ~5000 . 0b ~1000 .-"},
    };
    PLAY_ALL(stories);
}
END_TEST

START_TEST(without_descriptors_nothing_is_known)
{
    static const struct story stories[] = {
        {"one check is enough", "=4 0d+D"},
        {"and one ends it", "=4 0d+D ~500 1b ~999 . ~1 .-"},
        {"not one that has its descriptor from before", "=4 0d+D ~500 1b^501 ~9000 ."},
        {"one that found no route had a descriptor", "=4 0d+D ~500 1n ~1000 .-"},
        {"one that failed otherwise too", "=4 0d+D ~500 1e ~1000 .-"},
        {"on the edge it is one fault", "=4 0d+D ~9 1b ~9 2d ~500 3b ~600 1d ~9 2b ~999 . ~1 .-"},
        {"whatever the network", "=2 {nn}+R ~10 0d ~10 {ff} ~9000 . 1b ~1000 .-"},
        {"the endpoints are gone", "=2 0d+D =0 . ~1000 .-"},
    };
    PLAY_ALL(stories);
}
END_TEST

START_TEST(every_check_may_fail_locally)
{
    static const struct story stories[] = {
        {"all of them", "=3 0e ~1 1e ~9000 2e+E"},
        {"one of them twice is one", "=3 0e 1e 0e 1e 0e"},
        {"the only one", "=1 0e+E"},
        {"one was fine in between", "=3 0e 1e ~5 2b ~5 0e 1e ~5 2e+E"},
        {"one that was fine had begun before", "=3 0e ~5 2b^6 1e 2e+E"},
        {"it began with the first failure", "=3 0e ~5 2b^5 1e 2e 0e+E"},
        {"silence is not local", "=3 0e 1e 2s 0e 1e"},
        {"nor what a server here says", "=3 0e 1e 2h 0e 1e"},
        {"errors and no routes", "=3 0n 1n 2e+E"},
        {"no routes alone are what the view is for", "=3 0n 1n 2n 0n 1n"},
        {"no routes, after an error that is past", "=2 0e 1b 0n 1n 0n 1n"},
        {"a new endpoint has not failed yet", "=2 0e =3 1e 0e 2e+E"},
        {"one that left does not count", "=3 0e 1e =2 0e 1e+E"},
        {"over with the first that is not", "=2 0e 1e+E ~10 0e 1s ~999 . ~1 .-"},
        {"not with one of before", "=2 0e ~5 1e+E ~5 0b^11 ~9000 ."},
        {"nor after a change of endpoints", "=2 0e ~5 1e+E =3 ~5 0b^11 ~9000 . 0b ~1000 .-"},
        {"the endpoints are gone", "=1 0e+E =0 . ~1000 .-"},
    };
    PLAY_ALL(stories);
}
END_TEST

START_TEST(the_most_telling_cause_is_shown)
{
    static const struct {
        struct story story;
        enum local_fault_cause cause;
    } rows[] = {
        {{"one after the other", "=1 {c}+C {n!}"}, LOCAL_FAULT_NO_ROUTE},
        {{"descriptors come first", "=1 {c}+C 0d"}, LOCAL_FAULT_NO_DESCRIPTORS},
        {{"the network before checks", "=1 0e+E {c}"}, LOCAL_FAULT_NO_CARRIER},
        {{"the last one while it settles", "=1 {c}+C {f} ~10 ."}, LOCAL_FAULT_NO_CARRIER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct player player = play(&rows[i].story);
        ck_assert_msg(player.fault.lasts && player.fault.cause == rows[i].cause, "%s: %s",
                      rows[i].story.what, local_fault_cause_text(player.fault.cause));
    }
}
END_TEST

START_TEST(a_host_with_a_server_here_does_without_the_network)
{
    static const struct {
        struct story story;
        bool covers, covers_here;
    } rows[] = {
        {{"no fault", "=2 {hf}"}, false, false},
        {{"the network", "=2 {hn!}+R"}, true, false},
        {{"settling", "=2 {hn!}+R {hf} ~10 ."}, true, false},
        {{"descriptors", "=2 0d+D"}, true, true},
        {{"both", "=2 {hn!}+R 0d"}, true, true},
        {{"both, one over", "=2 {hn!}+R 0d ~1 0h"}, true, false},
        {{"every check", "=2 0e 1e+E"}, true, true},
        {{"over", "=2 0d+D ~1 1h ~1000 .-"}, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct player player = play(&rows[i].story);
        ck_assert_msg(local_fault_covers(&player.fault, false) == rows[i].covers, "%s",
                      rows[i].story.what);
        ck_assert_msg(local_fault_covers(&player.fault, true) == rows[i].covers_here, "%s",
                      rows[i].story.what);
    }
}
END_TEST

START_TEST(a_check_that_began_in_it_is_spoiled)
{
    static const struct story none = {"none", "=2 {ff}"},
                              one = {"one", "=2 {cc}+C ~100 {ff} ~1000 .-"},
                              two = {"a second one", "=2 {cc}+C ~100 {ff} ~1000 .- ~5000 {cc}+C"};
    struct player player = play(&none);
    ck_assert(!local_fault_spoiled(&player.fault, 0));
    player = play(&one);
    ck_assert(local_fault_spoiled(&player.fault, player.now_us - 1));
    ck_assert(!local_fault_spoiled(&player.fault, player.now_us));
    player = play(&two);
    ck_assert(local_fault_spoiled(&player.fault, player.now_us - 5000 * MS - 1));
    ck_assert(!local_fault_spoiled(&player.fault, player.now_us - 5000 * MS));
}
END_TEST

START_TEST(the_timer_is_due_when_it_ends)
{
    static const struct story quiet = {"nothing to wait for", "=1 {f}"};
    static const struct story lasting = {"nor while it lasts", "=1 {c}+C"};
    static const struct story settling = {"settling", "=1 {c}+C ~70 {f} ~30 ."};
    struct player player = play(&quiet);
    ck_assert_int_eq(local_fault_due_us(&player.fault), LOCAL_FAULT_NEVER);
    player = play(&lasting);
    ck_assert_int_eq(local_fault_due_us(&player.fault), LOCAL_FAULT_NEVER);
    player = play(&settling);
    ck_assert_int_eq(local_fault_due_us(&player.fault),
                     player.now_us - 30 * MS + LOCAL_FAULT_SETTLE_US);
    player.now_us = local_fault_due_us(&player.fault);
    ck_assert_int_eq(local_fault_tick(&player.fault, player.now_us - 1), LOCAL_FAULT_SAME);
    ck_assert_int_eq(local_fault_tick(&player.fault, player.now_us), LOCAL_FAULT_ENDED);
    ck_assert_int_eq(local_fault_due_us(&player.fault), LOCAL_FAULT_NEVER);
}
END_TEST

START_TEST(results_have_their_word)
{
    static const struct {
        enum check_reason reason;
        enum link_route route;
        bool has_descriptors;
        enum local_fault_word word;
    } rows[] = {
        {REASON_OK, LINK_FINE, true, WORD_BEYOND},
        {REASON_OK, LINK_HERE, true, WORD_HERE},
        {REASON_OK, LINK_NO_ROUTE, true, WORD_BEYOND},
        {REASON_CONNECT_REFUSED, LINK_FINE, true, WORD_BEYOND},
        {REASON_CONNECT_REFUSED, LINK_HERE, true, WORD_HERE},
        {REASON_TLS_FAILED, LINK_FINE, true, WORD_BEYOND},
        {REASON_RESPONSE_TIMEOUT, LINK_FINE, true, WORD_BEYOND},
        {REASON_BAD_STATUS, LINK_FINE, true, WORD_BEYOND},
        {REASON_BAD_BODY, LINK_FINE, true, WORD_BEYOND},
        {REASON_CLOSED, LINK_FINE, true, WORD_BEYOND},
        {REASON_DNS_FAILED, LINK_FINE, true, WORD_SILENCE},
        {REASON_UNREACHABLE, LINK_FINE, true, WORD_SILENCE}, /* a router says so */
        {REASON_UNREACHABLE, LINK_HERE, true, WORD_SILENCE},
        {REASON_UNREACHABLE, LINK_NO_ROUTE, true, WORD_NO_ROUTE},
        {REASON_UNREACHABLE, LINK_NO_CARRIER, true, WORD_NO_ROUTE},
        {REASON_CONNECT_TIMEOUT, LINK_FINE, true, WORD_SILENCE},
        {REASON_CONNECT_TIMEOUT, LINK_NO_CARRIER, true, WORD_NO_ROUTE},
        {REASON_LOCAL_ERROR, LINK_FINE, true, WORD_LOCAL_ERROR},
        {REASON_LOCAL_ERROR, LINK_FINE, false, WORD_NO_DESCRIPTORS},
        {REASON_LOCAL_ERROR, LINK_HERE, false, WORD_NO_DESCRIPTORS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(local_fault_word(rows[i].reason, rows[i].route, rows[i].has_descriptors) ==
                          rows[i].word,
                      "row %zu: %s", i, check_reason_text(rows[i].reason));
}
END_TEST

START_TEST(causes_have_the_words_of_the_log)
{
    static const char *const words[] = {"none", "no carrier", "no route", "no descriptors",
                                        "every check failed locally"};
    for (int i = 0; i <= LOCAL_FAULT_EVERY_CHECK; i++)
        ck_assert_str_eq(local_fault_cause_text((enum local_fault_cause)i), words[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("local_fault");
    TCase *tests = tcase_create("local_fault");
    tcase_add_test(tests, what_the_routes_say_decides);
    tcase_add_test(tests, a_network_fault_ends_when_it_has_settled);
    tcase_add_test(tests, a_flapping_link_is_few_faults);
    tcase_add_test(tests, faults_in_a_row_settle_longer_until_it_is_calm);
    tcase_add_test(tests, a_server_that_answers_outweighs_the_routes);
    tcase_add_test(tests, without_descriptors_nothing_is_known);
    tcase_add_test(tests, every_check_may_fail_locally);
    tcase_add_test(tests, the_most_telling_cause_is_shown);
    tcase_add_test(tests, a_host_with_a_server_here_does_without_the_network);
    tcase_add_test(tests, a_check_that_began_in_it_is_spoiled);
    tcase_add_test(tests, the_timer_is_due_when_it_ends);
    tcase_add_test(tests, results_have_their_word);
    tcase_add_test(tests, causes_have_the_words_of_the_log);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
