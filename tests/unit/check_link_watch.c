/* hard/link_watch.h against the kernel, each test in a network of its own: loopback, and a cable
 * whose both ends, near and far, are here. Needs root or user namespaces, and ip(8); is skipped
 * without. */
#include "har_config.h"

#include "hard/link_watch.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/support/unit_loop.h"

#define SKIPPED 77 /* to automake */

static struct ev_loop *loop;
static struct link_watch *watch;
static int calls;

/* --- the network ------------------------------------------------------------------------------ */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        perror(path); /* then what follows fails */
    if (fd >= 0)
        close(fd);
}

static bool leave_network(void)
{
    char text[64];
    uid_t user = geteuid();
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return false;
    snprintf(text, sizeof text, "0 %u 1", (unsigned)user);
    write_file("/proc/self/uid_map", text);
    return true;
}

/* Arguments of ip(8), one command a line. */
static void ip(const char *commands)
{
    FILE *pipe = popen("ip -batch - 2>&1", "w"); /* NOLINT: the test's own words */
    ck_assert_ptr_nonnull(pipe);
    fputs(commands, pipe);
    ck_assert_msg(pclose(pipe) == 0, "ip %s", commands);
}

static bool can_test(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(leave_network() && system("ip link add near type veth peer name far") == 0 ? 0 : 1);
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void on_changed(void *arg)
{
    ++*(int *)arg;
}

/* No address is tentative: duplicates are not looked for. */
static void set_up(void)
{
    ck_assert(leave_network());
    ip("link set lo up\n"
       "link add near type veth peer name far\n");
    write_file("/proc/sys/net/ipv6/conf/near/accept_dad", "0");
    write_file("/proc/sys/net/ipv6/conf/far/accept_dad", "0");
    struct har_error error = {.code = HAR_OK};
    loop = ev_loop_new(EVFLAG_AUTO);
    calls = 0;
    watch = link_watch_new(loop, on_changed, &calls, &error);
    ck_assert_msg(watch != NULL, "%s", error.text);
}

static void tear_down(void)
{
    link_watch_free(watch);
    ev_loop_destroy(loop);
}

#define CONNECT                                                                                    \
    "link set far up\n"                                                                            \
    "link set near up\n"                                                                           \
    "addr add 10.99.0.1/24 dev near\n"                                                             \
    "addr add 2001:db8::1/64 dev near nodad\n"
#define ROUTE                                                                                      \
    "route add default via 10.99.0.2\n"                                                            \
    "route add default via 2001:db8::2\n"

/* --- looking ---------------------------------------------------------------------------------- */

static enum link_route look(const char *text)
{
    struct har_address address;
    ck_assert_int_eq(har_address_parse(text, &address), 0);
    return link_watch_look(watch, &address);
}

/* One letter for each way: fine, here, no carrier, no route; to a neighbour and to somebody further
 * away in IPv4, the same in IPv6; and ! when all is cut off. */
static const char *ways(void)
{
    static char found[8];
    static const char *const addresses[] = {"10.99.0.2", "192.0.2.1", "2001:db8::2",
                                            "2001:db8:1::1"};
    memset(found, 0, sizeof found);
    unit_loop_for_ms(loop, 20); /* what it knows of carriers is news by then, or forgotten */
    for (int i = 0; i < 4; i++)
        found[i] = "fhcn"[look(addresses[i])];
    if (link_watch_is_cut_off(watch))
        found[4] = '!';
    return found;
}

/* The kernel takes up an IPv6 address after the command that adds it has ended, even without a look
 * for duplicates. */
static void wait_for_ways(const char *commands, const char *wanted)
{
    int64_t deadline_us = har_now_us() + (int64_t)(UNIT_DEADLINE_S * 1e6);
    while (strcmp(ways(), wanted) != 0)
        ck_assert_msg(har_now_us() < deadline_us, "%s: %s, not %s", commands, ways(), wanted);
}

static void wait_for_look(const char *text, enum link_route wanted)
{
    int64_t deadline_us = har_now_us() + (int64_t)(UNIT_DEADLINE_S * 1e6);
    while (look(text) != wanted) {
        ck_assert_msg(har_now_us() < deadline_us, "%s: %d, not %d", text, look(text), wanted);
        unit_loop_for_ms(loop, 10);
    }
}

START_TEST(a_machine_with_loopback_only)
{
    ck_assert_str_eq(ways(), "nnnn!");
    ck_assert_int_eq(look("127.0.0.1"), LINK_HERE);
    ck_assert_int_eq(look("::1"), LINK_HERE);
    ip("link set lo down\n");
    ck_assert_int_eq(look("127.0.0.1"), LINK_HERE);
    ck_assert_int_eq(look("::1"), LINK_HERE);
}
END_TEST

START_TEST(every_way_to_lose_the_network_shows)
{
    static const struct {
        const char *commands, *ways;
    } rows[] = {
        {CONNECT, "fnfn"},
        {ROUTE, "ffff"},
        {"link set far down\n", "cccc!"},
        {"link set far up\n", "ffff"},
        {"route del default via 10.99.0.2\n", "fnff"},
        {"route del default via 2001:db8::2\n", "fnfn"},
        {ROUTE, "ffff"},
        {"addr del 10.99.0.1/24 dev near\n", "nnff"},
        {"addr del 2001:db8::1/64 dev near\n", "nnnn!"},
        {"addr add 10.99.0.1/24 dev near\naddr add 2001:db8::1/64 dev near nodad\n", "fnff"},
        {"route add default via 10.99.0.2\n", "ffff"},
        {"link set near down\n", "nnnn!"},
        {"link set near up\n", "fnnn"}, /* as ever: what IPv6 had is gone for good */
        {"addr add 2001:db8::1/64 dev near nodad\n" ROUTE, "ffff"},
        {"link del near\n", "nnnn!"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ip(rows[i].commands);
        wait_for_ways(rows[i].commands, rows[i].ways);
    }
}
END_TEST

START_TEST(routes_may_forbid)
{
    static const char *const kinds[] = {"unreachable", "prohibit", "blackhole", "throw"};
    char commands[200];
    ip(CONNECT ROUTE);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        snprintf(commands, sizeof commands,
                 "route %s %s 192.0.2.0/24\nroute %s %s 2001:db8:1::/48\n", "add", kinds[i], "add",
                 kinds[i]);
        ip(commands);
        bool throws = strcmp(kinds[i], "throw") == 0; /* as if there were none in that table */
        ck_assert_msg(look("192.0.2.1") == LINK_NO_ROUTE, "%s", kinds[i]);
        ck_assert_msg(look("2001:db8:1::1") == LINK_NO_ROUTE || throws, "%s", kinds[i]);
        snprintf(commands, sizeof commands,
                 "route %s %s 192.0.2.0/24\nroute %s %s 2001:db8:1::/48\n", "del", kinds[i], "del",
                 kinds[i]);
        ip(commands);
    }
    wait_for_ways("none forbids", "ffff");
}
END_TEST

START_TEST(a_route_without_an_address_is_none)
{
    ip("link set far up\nlink set near up\n"
       "route add 192.0.2.0/24 dev near\n");
    ck_assert_int_eq(look("192.0.2.1"), LINK_NO_ROUTE);
    ip("addr add 10.99.0.1/24 dev near\n");
    ck_assert_int_eq(look("192.0.2.1"), LINK_FINE);
}
END_TEST

/* A link-local one reaches neighbours, and nobody behind a router. */
START_TEST(a_link_local_address_is_for_neighbours)
{
    ip("link set far up\nlink set near up\n"
       "addr add fe80::7/64 dev near nodad\n"
       "route add 2001:db8::/64 dev near\n"
       "route add default via fe80::2 dev near\n");
    wait_for_ways("link-local", "nnfn!");
}
END_TEST

START_TEST(addresses_of_this_machine_are_here)
{
    ip(CONNECT "addr add 192.0.2.7/32 dev lo\n");
    wait_for_look("10.99.0.1", LINK_HERE);
    wait_for_look("2001:db8::1", LINK_HERE);
    wait_for_look("192.0.2.7", LINK_HERE);
    ck_assert(!link_watch_is_cut_off(watch));
}
END_TEST

/* fe80::/64 and its like come with every interface, and dev lo routes end here. */
START_TEST(routes_that_lead_nowhere_do_not_count)
{
    ip("link set far up\nlink set near up\n"
       "addr add 169.254.7.7/16 dev near\n"
       "addr add 10.99.0.1/32 dev near\n"
       "route add 192.0.2.0/24 dev lo\n"
       "route add unreachable default metric 4000\n");
    ck_assert(link_watch_is_cut_off(watch));
    ip("route add 198.51.100.0/24 dev near\n");
    ck_assert(!link_watch_is_cut_off(watch));
}
END_TEST

START_TEST(a_way_out_is_found_in_any_table_and_behind_many_others)
{
    static char commands[200000];
    ip("link set far up\nlink set near up\n"
       "addr add 10.99.0.1/32 dev near\n");
    ck_assert(link_watch_is_cut_off(watch));
    ip("route add 198.51.100.0/24 dev near table 77\n");
    ck_assert(!link_watch_is_cut_off(watch));
    ip("route flush table 77\n");
    size_t length = 0;
    for (int i = 0; i < 2000; i++)
        length += (size_t)snprintf(commands + length, sizeof commands - length,
                                   "route add blackhole 10.%d.%d.0/24\n", i / 250, i % 250);
    ip(commands);
    ck_assert(link_watch_is_cut_off(watch));
    ip("route add 198.51.100.0/24 dev near\n");
    ck_assert(!link_watch_is_cut_off(watch));
}
END_TEST

START_TEST(several_hops_are_one_way)
{
    ip(CONNECT "route add 192.0.2.0/24 nexthop via 10.99.0.2 nexthop via 10.99.0.3\n"
               "route del 10.99.0.0/24\n");
    ck_assert_int_eq(look("192.0.2.1"), LINK_FINE);
    ck_assert(!link_watch_is_cut_off(watch));
}
END_TEST

START_TEST(without_netlink_all_seems_fine)
{
    struct har_address address;
    ck_assert_int_eq(har_address_parse("192.0.2.1", &address), 0);
    ck_assert_int_eq(link_watch_look(NULL, &address), LINK_FINE);
    ck_assert_int_eq(har_address_parse("::1", &address), 0);
    ck_assert_int_eq(link_watch_look(NULL, &address), LINK_HERE);
    ck_assert_int_eq(har_address_parse("127.9.9.9", &address), 0);
    ck_assert_int_eq(link_watch_look(NULL, &address), LINK_HERE);
    ck_assert(!link_watch_is_cut_off(NULL));
    ck_assert(!link_watch_take(NULL));
    link_watch_free(NULL);
}
END_TEST

/* --- news ------------------------------------------------------------------------------------- */

/* Until nothing was new for some time: the kernel has afterthoughts, such as a carrier that it
 * reports up to a second late. */
static void be_quiet_for(int ms)
{
    do {
        calls = 0;
        unit_loop_for_ms(loop, ms);
    } while (link_watch_take(watch) || calls > 0);
}

static void be_quiet(void)
{
    be_quiet_for(LINK_WATCH_REST_MS + 2 * LINK_WATCH_GATHER_MS);
}

START_TEST(every_change_is_noticed)
{
    static const char *const changes[] = {
        "link set near up\n",
        "addr add 10.99.0.1/24 dev near\n",
        "route add 192.0.2.0/24 via 10.99.0.2\n",
        "route del 192.0.2.0/24\n",
        "addr del 10.99.0.1/24 dev near\n",
        "addr add 2001:db8::1/64 dev near nodad\n",
        "route add 2001:db8:1::/48 via 2001:db8::2\n",
        "route del 2001:db8:1::/48\n",
        "link set far down\n",
        /* what is neither an address nor a route, and what is no route */
        "link set far mtu 1400\n",
        "addr add 10.99.2.1/32 dev near\n",
        "addr change 10.99.2.1/32 dev near valid_lft 900 preferred_lft 900\n",
        "addr add 2001:db8:2::1/128 dev far nodad noprefixroute\n",
        "addr change 2001:db8:2::1/128 dev far noprefixroute valid_lft 900 preferred_lft 900\n",
    };
    ip("link set far up\n");
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        be_quiet_for(i < 2 ? LINK_WATCH_REST_MS + 200 : 200);
        ip(changes[i]);
        int64_t deadline_us = har_now_us() + (int64_t)(UNIT_DEADLINE_S * 1e6);
        while (!link_watch_take(watch)) {
            ck_assert_msg(har_now_us() < deadline_us, "%s", changes[i]);
            unit_loop_for_ms(loop, 10);
        }
    }
}
END_TEST

START_TEST(what_was_there_at_the_start_is_no_news)
{
    unit_loop_for_ms(loop, 3 * LINK_WATCH_GATHER_MS);
    ck_assert_int_eq(calls, 0);
    ck_assert(!link_watch_take(watch));
}
END_TEST

/* Two changes, one after the other has been seen. Returns how long that took. */
static int64_t two_changes_us(void)
{
    be_quiet();
    int64_t began_us = har_now_us();
    ip("addr add 10.99.1.1/24 dev near\n");
    unit_loop_for_ms(loop, 10);
    ip("addr del 10.99.1.1/24 dev near\n");
    return har_now_us() - began_us;
}

START_TEST(many_changes_are_one_call)
{
    ip(CONNECT);
    for (int attempt = 0; two_changes_us() > (LINK_WATCH_GATHER_MS - 20) * 1000; attempt++)
        ck_assert_int_lt(attempt, 20); /* a busy machine */
    ck_assert_int_eq(calls, 0);
    unit_loop_for_ms(loop, LINK_WATCH_REST_MS + 3 * LINK_WATCH_GATHER_MS);
    ck_assert_int_eq(calls, 1);
}
END_TEST

/* A change every few ms: a call a second, and one more when it is over. */
START_TEST(a_storm_is_a_call_a_second)
{
    int64_t began_us = har_now_us();
    while (har_now_us() - began_us < 2500000) {
        ip("addr add 10.99.1.1/24 dev near\naddr del 10.99.1.1/24 dev near\n");
        ev_run(loop, EVRUN_NOWAIT);
    }
    int wanted = calls + 1;
    ck_assert_int_ge(calls, 2);
    ck_assert_int_le(calls, 1 + (int)((har_now_us() - began_us) / (LINK_WATCH_REST_MS * 1000)));
    ip("addr add 10.99.1.1/24 dev near\n");
    unit_loop_until(loop, &calls, wanted);
}
END_TEST

/* How many messages netlink could not deliver, to any socket of this process's. */
static unsigned dropped(void)
{
    char line[256];
    unsigned sum = 0;
    FILE *table = fopen("/proc/net/netlink", "re");
    while (fgets(line, sizeof line, table) != NULL) {
        unsigned drops;
        if (sscanf(line, "%*s 0 %*u %*s %*u %*u %*u %*u %u", &drops) == 1)
            sum += drops;
    }
    fclose(table);
    return sum;
}

START_TEST(news_that_found_no_room_are_news)
{
    static char commands[400000];
    size_t length = 0;
    ip(CONNECT);
    be_quiet();
    for (int i = 0; i < 2000; i++)
        length += (size_t)snprintf(commands + length, sizeof commands - length,
                                   "route add blackhole 10.%d.%d.0/24\n", i / 250, i % 250);
    ip(commands);
    ck_assert_uint_gt(dropped(), 0);
    ck_assert(link_watch_take(watch)); /* although the first thing to be had is the error */
    ip("route flush type blackhole\n");
    unit_loop_until(loop, &calls, 1);
    be_quiet();
    ip("addr add 10.99.1.1/24 dev near\n");
    unit_loop_until(loop, &calls, 1);
}
END_TEST

START_TEST(what_was_taken_is_not_told_again)
{
    ip(CONNECT);
    be_quiet();
    ck_assert(!link_watch_take(watch));
    ip("addr add 10.99.1.1/24 dev near\n");
    ck_assert(link_watch_take(watch)); /* before the loop knows */
    ck_assert(!link_watch_take(watch));
    unit_loop_for_ms(loop, 3 * LINK_WATCH_GATHER_MS);
    ck_assert_int_eq(calls, 0);
    ip("addr del 10.99.1.1/24 dev near\n");
    unit_loop_until(loop, &calls, 1);
    ck_assert(!link_watch_take(watch));
}
END_TEST

/* ip link set far down, in no time. */
static void pull_cable(void)
{
    struct ifreq far = {.ifr_name = "far"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &far), 0);
    far.ifr_flags = (short)(far.ifr_flags & ~IFF_UP);
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &far), 0);
    close(fd);
}

/* What was known of carriers before the news is forgotten with them. */
START_TEST(a_cable_that_was_pulled_shows_with_the_news)
{
    ip(CONNECT);
    be_quiet();
    ck_assert_int_eq(look("10.99.0.2"), LINK_FINE);
    pull_cable();
    int64_t deadline_us = har_now_us() + (int64_t)(UNIT_DEADLINE_S * 1e6);
    while (!link_watch_take(watch))
        ck_assert_int_lt(har_now_us(), deadline_us);
    ck_assert_int_eq(look("10.99.0.2"), LINK_NO_CARRIER);
}
END_TEST

/* One after the other too fast to be taken is still told. */
START_TEST(what_was_not_taken_is_told)
{
    ip(CONNECT);
    ck_assert(link_watch_take(watch));
    int64_t taken_us = har_now_us();
    ip("addr add 10.99.1.1/24 dev near\n");
    bool again = link_watch_take(watch);
    ck_assert(!again || har_now_us() - taken_us >= LINK_WATCH_GATHER_MS * 1000);
    if (!again)
        unit_loop_until(loop, &calls, 1);
}
END_TEST

static void on_changed_free(void *arg)
{
    ++*(int *)arg;
    link_watch_free(watch);
    watch = NULL;
}

START_TEST(it_may_be_freed_when_it_calls)
{
    struct har_error error = {.code = HAR_OK};
    link_watch_free(watch);
    int before = unit_open_descriptors();
    watch = link_watch_new(loop, on_changed_free, &calls, &error);
    ck_assert_int_eq(unit_open_descriptors(), before + 2);
    ip(CONNECT ROUTE);
    ways();
    unit_loop_until(loop, &calls, 1);
    ck_assert_int_eq(unit_open_descriptors(), before);
    unit_loop_for_ms(loop, 3 * LINK_WATCH_GATHER_MS);
    ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(freed_with_a_call_ahead_it_is_silent)
{
    ip(CONNECT);
    unit_loop_for_ms(loop, 10);
    link_watch_free(watch);
    watch = NULL;
    unit_loop_for_ms(loop, 3 * LINK_WATCH_GATHER_MS);
    ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(without_descriptors_there_is_none)
{
    int before = unit_open_descriptors(), first_free = dup(0);
    close(first_free);
    for (int spare = 0; spare < 2; spare++) {
        struct rlimit limit;
        struct har_error error = {.code = HAR_OK};
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = (rlim_t)(first_free + spare);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_ptr_null(link_watch_new(loop, on_changed, &calls, &error));
        ck_assert(spare > 0 || !link_watch_is_cut_off(watch)); /* nobody can tell */
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        ck_assert_int_eq(error.code, HAR_ERR_IO);
        ck_assert_ptr_nonnull(strstr(error.text, "Too many open files"));
        ck_assert_int_eq(unit_open_descriptors(), before);
    }
}
END_TEST

static TCase *add_case(Suite *suite, const char *title)
{
    TCase *tcase = tcase_create(title);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    if (!can_test()) {
        puts("skipped: this needs ip(8), and root or user namespaces");
        return SKIPPED;
    }
    Suite *suite = suite_create("link_watch");
    TCase *looks = add_case(suite, "looking");
    tcase_add_test(looks, a_machine_with_loopback_only);
    tcase_add_test(looks, every_way_to_lose_the_network_shows);
    tcase_add_test(looks, routes_may_forbid);
    tcase_add_test(looks, a_route_without_an_address_is_none);
    tcase_add_test(looks, a_link_local_address_is_for_neighbours);
    tcase_add_test(looks, addresses_of_this_machine_are_here);
    tcase_add_test(looks, routes_that_lead_nowhere_do_not_count);
    tcase_add_test(looks, a_way_out_is_found_in_any_table_and_behind_many_others);
    tcase_add_test(looks, several_hops_are_one_way);
    tcase_add_test(looks, without_netlink_all_seems_fine);

    TCase *news = add_case(suite, "news");
    tcase_add_test(news, every_change_is_noticed);
    tcase_add_test(news, what_was_there_at_the_start_is_no_news);
    tcase_add_test(news, many_changes_are_one_call);
    tcase_add_test(news, a_storm_is_a_call_a_second);
    tcase_add_test(news, news_that_found_no_room_are_news);
    tcase_add_test(news, what_was_taken_is_not_told_again);
    tcase_add_test(news, a_cable_that_was_pulled_shows_with_the_news);
    tcase_add_test(news, what_was_not_taken_is_told);
    tcase_add_test(news, it_may_be_freed_when_it_calls);
    tcase_add_test(news, freed_with_a_call_ahead_it_is_silent);
    tcase_add_test(news, without_descriptors_there_is_none);
    return unit_run(suite);
}
