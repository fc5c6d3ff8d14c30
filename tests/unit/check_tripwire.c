/* hard/tripwire.h against real sockets on loopback. Its seconds are twentieths here: see
 * TRIPWIRE_SECOND_S in Makefile.am. */
#include "har_config.h"

#include "hard/tripwire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/support/unit_loop.h"

#define MANY 1000

static struct ev_loop *loop;

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = ev_loop_new(EVFLAG_AUTO);
}

static void tear_down(void)
{
    ev_loop_destroy(loop);
}

/* --- servers ---------------------------------------------------------------------------------- */

/* On the test's own loop. */
struct server {
    struct har_address address;
    int fd;
    uint16_t port;
    ev_io io;
    bool hangs_up; /* at once */
    int count;     /* connections */
    int fds[MANY];
};

static int listen_at(const struct har_address *address, uint16_t *port, int backlog)
{
    struct sockaddr_storage self;
    socklen_t length = har_address_to_sockaddr(address, *port, &self);
    int fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&self, length) < 0)
        return -1;
    ck_assert_int_eq(listen(fd, backlog), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&self, &length), 0);
    *port = ntohs(((struct sockaddr_in *)&self)->sin_port); /* in the same place for IPv6 */
    return fd;
}

static struct har_address parse(const char *text)
{
    struct har_address address;
    ck_assert_int_eq(har_address_parse(text, &address), 0);
    return address;
}

static void on_connection(struct ev_loop *ev, ev_io *io, int events)
{
    (void)ev;
    (void)events;
    struct server *server = io->data;
    int fd = accept(server->fd, NULL, NULL);
    if (fd < 0)
        return;
    ck_assert_int_lt(server->count, MANY);
    server->fds[server->count++] = fd;
    if (server->hangs_up)
        close(fd);
}

static void serve(struct server *server)
{
    ev_io_init(&server->io, on_connection, server->fd, EV_READ);
    server->io.data = server;
    ev_io_start(loop, &server->io);
}

static struct server *start_server(const char *address)
{
    struct server *server = calloc(1, sizeof *server);
    server->address = parse(address);
    server->fd = listen_at(&server->address, &server->port, SOMAXCONN);
    if (server->fd >= 0)
        serve(server);
    return server;
}

static void stop_server(struct server *server)
{
    ev_io_stop(loop, &server->io);
    close(server->fd);
    free(server);
}

/* With a reset instead of a close. */
static void reset(int fd)
{
    const struct linger linger = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

/* --- owners ----------------------------------------------------------------------------------- */

struct owner {
    struct tripwire *tripwire;
    int trips;
    enum tripwire_reason reason;
    bool rearms, closes; /* when tripped */
    int64_t tripped_us[32];
};

static void on_tripped(void *arg, enum tripwire_reason reason)
{
    struct owner *owner = arg;
    owner->tripped_us[owner->trips % 32] = har_now_us();
    owner->trips++;
    owner->reason = reason;
    if (owner->rearms)
        tripwire_rearm(owner->tripwire);
    if (owner->closes) {
        tripwire_close(owner->tripwire);
        owner->tripwire = NULL;
    }
}

static void open_patient(struct owner *owner, const struct server *server, double delay_max_s)
{
    *owner = (struct owner){.reason = (enum tripwire_reason)0xa5};
    owner->tripwire =
        tripwire_open(loop, &server->address, server->port, delay_max_s, on_tripped, owner);
    ck_assert_ptr_nonnull(owner->tripwire);
    ck_assert_int_eq(owner->trips, 0);
}

static void open_to(struct owner *owner, const struct server *server)
{
    open_patient(owner, server, TRIPWIRE_DELAY_MAX_S);
}

/* ... and sees it connected. */
static void open_until_connected(struct owner *owner, struct server *server)
{
    int before = server->count;
    open_to(owner, server);
    unit_loop_until(loop, &server->count, before + 1);
    unit_loop_for_ms(loop, 20);
    ck_assert_int_eq(owner->trips, 0);
}

static void expect_trip(struct owner *owner, enum tripwire_reason reason)
{
    unit_loop_until(loop, &owner->trips, 1);
    ck_assert_str_eq(tripwire_reason_text(owner->reason), tripwire_reason_text(reason));
}

/* The tripwire's end of the connection to a server in this process. */
static int client_fd(const struct server *server)
{
    for (int fd = 3; fd < 1000; fd++) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == server->port)
            return fd;
    }
    return -1;
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void say_goodbye(int fd)
{
    shutdown(fd, SHUT_WR);
}

static void close_it(int fd)
{
    close(fd);
}

static void say_something_and_close(int fd)
{
    ck_assert_int_eq(send(fd, "421 too many\r\n", 14, 0), 14);
    close(fd);
}

static const struct {
    void (*end)(int fd);
    enum tripwire_reason reason;
} endings[] = {{close_it, TRIPWIRE_CLOSED},
               {reset, TRIPWIRE_RESET},
               {say_goodbye, TRIPWIRE_CLOSED},
               {say_something_and_close, TRIPWIRE_CLOSED}};

START_TEST(every_end_is_told_once)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_until_connected(&owner, server);
    endings[_i].end(server->fds[0]);
    expect_trip(&owner, endings[_i].reason);
    unit_loop_for_ms(loop, 200);
    ck_assert_int_eq(owner.trips, 1);
    ck_assert_int_eq(server->count, 1); /* and not opened again by itself */
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(ipv6_works)
{
    struct server *server = start_server("::1");
    if (server->fd < 0)
        return; /* not on this machine */
    struct owner owner;
    open_until_connected(&owner, server);
    close(server->fds[0]);
    expect_trip(&owner, TRIPWIRE_CLOSED);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

/* A process that accepts one connection, says so, and does nothing more. */
static pid_t start_process(int fd, int said)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (accept(fd, NULL, NULL) < 0)
        usleep(1000);
    if (write(said, "", 1) != 1)
        _exit(1);
    while (true)
        pause();
}

START_TEST(a_killed_server_is_noticed_at_once)
{
    struct server server = {.address = parse("127.0.0.1")};
    int said[2];
    char byte;
    server.fd = listen_at(&server.address, &server.port, 16);
    ck_assert_int_eq(pipe(said), 0);
    pid_t pid = start_process(server.fd, said[1]);
    close(server.fd);
    struct owner owner;
    open_to(&owner, &server);
    unit_loop_for_ms(loop, 20);
    ck_assert_int_eq(read(said[0], &byte, 1), 1);
    ck_assert_int_eq(owner.trips, 0);
    int64_t killed_us = har_now_us();
    kill(pid, SIGKILL);
    expect_trip(&owner, TRIPWIRE_CLOSED);
    ck_assert_int_lt(owner.tripped_us[0] - killed_us, 1000000); /* 1 ms, on a machine with time */
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    tripwire_close(owner.tripwire);
}
END_TEST

START_TEST(a_server_that_never_accepts_trips_when_it_ends)
{
    struct server server = {.address = parse("127.0.0.1")};
    server.fd = listen_at(&server.address, &server.port, 16);
    struct owner owner;
    open_to(&owner, &server);
    unit_loop_for_ms(loop, 20);
    close(server.fd);
    expect_trip(&owner, TRIPWIRE_RESET);
    tripwire_close(owner.tripwire);
}
END_TEST

START_TEST(a_dead_host_is_asked_for)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_until_connected(&owner, server);
    static const struct {
        int level, option, value;
    } rows[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                {IPPROTO_TCP, TCP_KEEPIDLE, 10},
                {IPPROTO_TCP, TCP_KEEPINTVL, 2},
                {IPPROTO_TCP, TCP_KEEPCNT, 3},
                {IPPROTO_TCP, TCP_USER_TIMEOUT, 15500}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int value = -1;
        socklen_t length = sizeof value;
        ck_assert_int_eq(
            getsockopt(client_fd(server), rows[i].level, rows[i].option, &value, &length), 0);
        ck_assert_msg(value == rows[i].value, "row %zu: %d", i, value);
    }
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

static void run(const char *command)
{
    ck_assert_msg(system(command) == 0, "%s", command); /* NOLINT: the test's own words */
}

/* In a network of its own, at the other end of a cable: lives until its address is taken away. */
static pid_t start_host(int ready, int go)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid != 0)
        return pid;
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) < 0 || write(ready, "", 1) != 1 || read(go, &byte, 1) != 1)
        _exit(1);
    run("ip addr add 10.99.0.2/24 dev far && ip link set far up");
    struct har_address address = parse("10.99.0.2");
    uint16_t port = 4000;
    int fd = listen_at(&address, &port, 16);
    if (fd < 0 || write(ready, "", 1) != 1 || read(go, &byte, 1) != 1)
        _exit(1);
    run("ip addr flush dev far");
    while (write(ready, "", 1) == 1)
        pause();
    _exit(0);
}

START_TEST(a_dead_host_is_noticed)
{
    int ready[2], go[2];
    char byte, command[64];
    if (!unit_is_long() || geteuid() != 0)
        return;
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    ck_assert(pipe(ready) == 0 && pipe(go) == 0);
    pid_t pid = start_host(ready[1], go[0]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    run("ip link add near type veth peer name far && ip addr add 10.99.0.1/24 dev near");
    snprintf(command, sizeof command, "ip link set far netns %d && ip link set near up", (int)pid);
    run(command);
    ck_assert(write(go[1], "", 1) == 1 && read(ready[0], &byte, 1) == 1);
    struct server server = {.address = parse("10.99.0.2"), .port = 4000};
    struct owner owner;
    open_to(&owner, &server);
    unit_loop_for_ms(loop, 100);
    ck_assert(write(go[1], "", 1) == 1 && read(ready[0], &byte, 1) == 1);
    int64_t died_us = har_now_us();
    ck_assert(unit_loop_reaches(loop, &owner.trips, 1, 40.));
    ck_assert_str_eq(tripwire_reason_text(owner.reason), "timeout");
    printf("a dead host was noticed after %.1f s\n", (double)(har_now_us() - died_us) / 1e6);
    ck_assert_int_lt(owner.tripped_us[0] - died_us, 20000000);
    tripwire_close(owner.tripwire);
}
END_TEST

/* --- what it hears ---------------------------------------------------------------------------- */

/* Sends that much, or until the tripwire hangs up. Returns how much went out. */
static uint64_t chatter(int fd, uint64_t size_bytes)
{
    static const char text[8192];
    uint64_t sent_bytes = 0;
    int64_t deadline_us = har_now_us() + (int64_t)(UNIT_DEADLINE_S * 1e6);
    while (sent_bytes < size_bytes) {
        ssize_t sent = send(fd, text, sizeof text, MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            break;
        sent_bytes += sent > 0 ? (uint64_t)sent : 0;
        ev_run(loop, EVRUN_NOWAIT);
        ck_assert_int_lt(har_now_us(), deadline_us);
    }
    return sent_bytes;
}

START_TEST(what_the_server_says_is_thrown_away)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_until_connected(&owner, server);
    ck_assert_uint_ge(chatter(server->fds[0], TRIPWIRE_CHATTER_BYTES / 2), 500000);
    unit_loop_for_ms(loop, 20);
    ck_assert_int_eq(owner.trips, 0);
    close(server->fds[0]);
    expect_trip(&owner, TRIPWIRE_CLOSED);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(every_connection_may_say_as_much)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_to(&owner, server);
    for (int i = 0; i < 3; i++) {
        unit_loop_until(loop, &server->count, i + 1);
        chatter(server->fds[i], TRIPWIRE_CHATTER_BYTES / 2);
        close(server->fds[i]);
        unit_loop_until(loop, &owner.trips, i + 1);
        tripwire_rearm(owner.tripwire);
    }
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(who_says_too_much_is_left)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_until_connected(&owner, server);
    ck_assert_uint_lt(chatter(server->fds[0], UINT64_MAX), 100 * TRIPWIRE_CHATTER_BYTES);
    ck_assert_int_eq(owner.trips, 0);
    tripwire_rearm(owner.tripwire);
    unit_loop_until(loop, &server->count, 2);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

/* --- opening again ---------------------------------------------------------------------------- */

START_TEST(it_opens_again_after_the_next_good_check)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_until_connected(&owner, server);
    close(server->fds[0]);
    expect_trip(&owner, TRIPWIRE_CLOSED);
    for (int i = 0; i < 3; i++)
        tripwire_rearm(owner.tripwire);
    unit_loop_until(loop, &server->count, 2);
    for (int i = 0; i < 3; i++)
        tripwire_rearm(owner.tripwire); /* it is open: nothing to do */
    unit_loop_for_ms(loop, 200);
    ck_assert_int_eq(server->count, 2);
    reset(server->fds[1]);
    unit_loop_until(loop, &owner.trips, 2);
    ck_assert_int_eq(owner.reason, TRIPWIRE_RESET);
    unit_loop_for_ms(loop, 300);
    ck_assert_int_eq(server->count, 2); /* one good check was for one opening */
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(a_good_check_long_after_opens_it_too)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_until_connected(&owner, server);
    close(server->fds[0]);
    expect_trip(&owner, TRIPWIRE_CLOSED);
    unit_loop_for_ms(loop, 200); /* the delay is over */
    tripwire_rearm(owner.tripwire);
    unit_loop_until(loop, &server->count, 2);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

/* The delay after the nth trip, and some room for a loop whose time is not the clock's. */
static int64_t least_us(int n)
{
    double delay_s = TRIPWIRE_DELAY_S * (1 << n);
    if (delay_s > TRIPWIRE_DELAY_MAX_S)
        delay_s = TRIPWIRE_DELAY_MAX_S;
    return (int64_t)(delay_s * 1e6) - 15000;
}

START_TEST(a_server_that_hangs_up_at_once_is_left_alone_for_longer_and_longer)
{
    int wanted = unit_is_long() ? 11 : 5;
    struct server *server = start_server("127.0.0.1");
    server->hangs_up = true;
    struct owner owner;
    open_to(&owner, server);
    owner.rearms = true;
    ck_assert(unit_loop_reaches(loop, &owner.trips, wanted, unit_is_long() ? 90. : 20.));
    for (int i = 1; i < wanted; i++) {
        int64_t gap_us = owner.tripped_us[i] - owner.tripped_us[i - 1];
        ck_assert_msg(gap_us >= least_us(i - 1), "trip %d after %d us", i, (int)gap_us);
        ck_assert_msg(gap_us < (int64_t)(1.5 * TRIPWIRE_DELAY_MAX_S * 1e6), "trip %d", i);
    }
    ck_assert_int_eq(server->count, wanted);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(no_delay_is_longer_than_the_owner_says)
{
    struct server *server = start_server("127.0.0.1");
    server->hangs_up = true;
    struct owner owner;
    open_patient(&owner, server, 2 * TRIPWIRE_DELAY_S);
    owner.rearms = true;
    /* 0.05, 0.1 and then always 0.1 s; doubling, the last one alone would be 25 s */
    ck_assert(unit_loop_reaches(loop, &owner.trips, 10, 10.));
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(who_was_right_need_not_wait)
{
    struct server *server = start_server("127.0.0.1");
    server->hangs_up = true;
    struct owner owner;
    open_to(&owner, server);
    owner.rearms = true;
    unit_loop_until(loop, &owner.trips, 7); /* the next delay is 3.2 s */
    server->hangs_up = owner.rearms = false;
    tripwire_was_right(owner.tripwire);
    tripwire_rearm(owner.tripwire);
    ck_assert(unit_loop_reaches(loop, &server->count, 8, 1.));
    tripwire_was_right(owner.tripwire); /* it is open: nothing to do */
    tripwire_was_right(NULL);
    unit_loop_for_ms(loop, 100);
    ck_assert_int_eq(server->count, 8);
    ck_assert_int_eq(owner.trips, 7);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(a_minute_open_forgets_the_delay)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_to(&owner, server);
    owner.rearms = server->hangs_up = true;
    unit_loop_until(loop, &owner.trips, 5); /* the next delay would be 1.6 s */
    server->hangs_up = false;
    unit_loop_until(loop, &server->count, 6);
    unit_loop_for_ms(loop, (int)(TRIPWIRE_STEADY_S * 1000) + 200);
    tripwire_rearm(owner.tripwire); /* it is open */
    unit_loop_for_ms(loop, 20);
    ck_assert_int_eq(server->count, 6);
    close(server->fds[5]);
    unit_loop_until(loop, &owner.trips, 6);
    ck_assert(unit_loop_reaches(loop, &server->count, 7, 1.));
    close(server->fds[6]); /* and the first delay is the shortest again */
    unit_loop_until(loop, &owner.trips, 7);
    ck_assert(unit_loop_reaches(loop, &server->count, 8, 1.));
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

/* --- what cannot be connected ----------------------------------------------------------------- */

START_TEST(a_refused_connection_trips_each_time)
{
    struct server *server = start_server("127.0.0.1");
    ev_io_stop(loop, &server->io);
    close(server->fd);
    int before = unit_open_descriptors();
    struct owner owner;
    open_to(&owner, server);
    ck_assert_int_eq(owner.trips, 0); /* never from within a call */
    for (int i = 1; i <= 2; i++) {
        unit_loop_until(loop, &owner.trips, i);
        ck_assert_str_eq(tripwire_reason_text(owner.reason), "refused");
        ck_assert_int_eq(unit_open_descriptors(), before);
        if (i == 1)
            tripwire_rearm(owner.tripwire);
    }
    server->fd = listen_at(&server->address, &server->port, 16);
    ck_assert_int_ge(server->fd, 0);
    serve(server);
    tripwire_rearm(owner.tripwire);
    unit_loop_until(loop, &server->count, 1);
    ck_assert_int_eq(owner.trips, 2);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

START_TEST(an_address_without_a_route_is_silent)
{
    struct server server = {.address = parse("127.255.255.255"), .port = 80}; /* a broadcast */
    int before = unit_open_descriptors();
    struct owner owner;
    open_to(&owner, &server);
    unit_loop_for_ms(loop, 50);
    ck_assert_int_eq(owner.trips, 0);
    ck_assert_int_eq(unit_open_descriptors(), before);
    tripwire_close(owner.tripwire);
}
END_TEST

/* With an accept queue that is full, it is silent. */
START_TEST(a_connection_that_takes_too_long_is_left)
{
    struct server server = {.address = parse("127.0.0.1")};
    struct sockaddr_storage self;
    server.fd = listen_at(&server.address, &server.port, 0);
    int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = har_address_to_sockaddr(&server.address, server.port, &self);
    ck_assert_int_eq(connect(first, (struct sockaddr *)&self, length), 0);
    int before = unit_open_descriptors();
    struct owner owner;
    open_to(&owner, &server);
    tripwire_rearm(owner.tripwire); /* it is at it */
    ck_assert_int_eq(unit_open_descriptors(), before + 1);
    int64_t deadline_us = har_now_us() + (int64_t)(UNIT_DEADLINE_S * 1e6);
    while (unit_open_descriptors() > before && har_now_us() < deadline_us)
        unit_loop_for_ms(loop, 10);
    ck_assert_int_eq(unit_open_descriptors(), before);
    ck_assert_int_eq(owner.trips, 0);
    tripwire_close(owner.tripwire);
}
END_TEST

START_TEST(a_loop_that_was_late_loses_no_connection)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    open_to(&owner, server);
    usleep((useconds_t)(TRIPWIRE_CONNECT_S * 1e6) + 50000);
    unit_loop_until(loop, &server->count, 1);
    unit_loop_for_ms(loop, 20);
    close(server->fds[0]);
    expect_trip(&owner, TRIPWIRE_CLOSED);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

static void limit_descriptors(rlim_t limit)
{
    struct rlimit limits;
    getrlimit(RLIMIT_NOFILE, &limits);
    limits.rlim_cur = limit < limits.rlim_max ? limit : limits.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limits), 0);
}

START_TEST(without_a_descriptor_it_waits)
{
    struct server *server = start_server("127.0.0.1");
    struct owner owner;
    int first_free = dup(0);
    close(first_free);
    limit_descriptors((rlim_t)first_free);
    open_to(&owner, server);
    tripwire_rearm(owner.tripwire);
    unit_loop_for_ms(loop, 200);
    limit_descriptors(RLIM_INFINITY);
    ck_assert_int_eq(owner.trips, 0);
    ck_assert_int_eq(server->count, 0);
    tripwire_rearm(owner.tripwire);
    unit_loop_until(loop, &server->count, 1);
    tripwire_close(owner.tripwire);
    stop_server(server);
}
END_TEST

/* --- owners that come and go ------------------------------------------------------------------ */

START_TEST(it_may_be_closed_when_it_trips)
{
    struct server *server = start_server("127.0.0.1");
    int before = unit_open_descriptors();
    struct owner owner;
    open_until_connected(&owner, server);
    owner.closes = true;
    endings[_i].end(server->fds[0]);
    unit_loop_until(loop, &owner.trips, 1);
    ck_assert_ptr_null(owner.tripwire);
    if (endings[_i].end == say_goodbye)
        close(server->fds[0]);
    unit_loop_for_ms(loop, 200);
    ck_assert_int_eq(owner.trips, 1);
    ck_assert_int_eq(unit_open_descriptors(), before);
    stop_server(server);
}
END_TEST

/* Connecting, open, with news that were not read yet, and waiting for its delay. */
START_TEST(closed_at_any_stage_it_is_silent)
{
    struct server *server = start_server("127.0.0.1");
    int before = unit_open_descriptors();
    struct owner owners[4];
    tripwire_close(NULL);
    tripwire_rearm(NULL);
    for (int i = 1; i < 4; i++)
        open_until_connected(&owners[i], server);
    close(server->fds[2]);
    expect_trip(&owners[3], TRIPWIRE_CLOSED);
    tripwire_rearm(owners[3].tripwire);
    close(server->fds[1]);
    open_to(&owners[0], server);
    for (int i = 0; i < 4; i++)
        tripwire_close(owners[i].tripwire);
    unit_loop_for_ms(loop, 200);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(owners[i].trips, i == 3);
    close(server->fds[0]);
    if (server->count == 4) /* the one that was connecting had got as far as that */
        close(server->fds[3]);
    ck_assert_int_eq(unit_open_descriptors(), before);
    stop_server(server);
}
END_TEST

START_TEST(a_thousand_live_on_one_loop)
{
    static struct owner owners[MANY];
    limit_descriptors(2 * MANY + 100);
    struct server *server = start_server("127.0.0.1");
    int before = unit_open_descriptors();
    for (int i = 0; i < MANY; i++)
        open_to(&owners[i], server);
    unit_loop_until(loop, &server->count, MANY);
    unit_loop_for_ms(loop, 50);
    ck_assert_int_eq(unit_open_descriptors(), before + 2 * MANY);
    for (int i = 0; i < MANY; i++)
        i % 2 ? reset(server->fds[i]) : (void)close(server->fds[i]);
    int resets = 0;
    for (int i = 0; i < MANY; i++) {
        unit_loop_until(loop, &owners[i].trips, 1);
        resets += owners[i].reason == TRIPWIRE_RESET;
    }
    ck_assert_int_eq(resets, MANY / 2);
    ck_assert_int_eq(unit_open_descriptors(), before);
    for (int i = 0; i < MANY; i++)
        tripwire_close(owners[i].tripwire);
    stop_server(server);
}
END_TEST

START_TEST(reasons_have_the_words_of_the_log)
{
    ck_assert_str_eq(tripwire_reason_text(TRIPWIRE_CLOSED), "closed");
    ck_assert_str_eq(tripwire_reason_text(TRIPWIRE_RESET), "reset");
    ck_assert_str_eq(tripwire_reason_text(TRIPWIRE_TIMEOUT), "timeout");
}
END_TEST

static TCase *add_case(Suite *suite, const char *title)
{
    TCase *tcase = tcase_create(title);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, unit_is_long() ? 180 : 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("tripwire");
    const int ending_count = sizeof endings / sizeof endings[0];
    TCase *end = add_case(suite, "how it ends");
    tcase_add_loop_test(end, every_end_is_told_once, 0, ending_count);
    tcase_add_test(end, ipv6_works);
    tcase_add_test(end, a_killed_server_is_noticed_at_once);
    tcase_add_test(end, a_server_that_never_accepts_trips_when_it_ends);
    tcase_add_test(end, a_dead_host_is_asked_for);
    tcase_add_test(end, a_dead_host_is_noticed);
    tcase_add_test(end, what_the_server_says_is_thrown_away);
    tcase_add_test(end, every_connection_may_say_as_much);
    tcase_add_test(end, who_says_too_much_is_left);
    tcase_add_test(end, reasons_have_the_words_of_the_log);

    TCase *again = add_case(suite, "opening again");
    tcase_add_test(again, it_opens_again_after_the_next_good_check);
    tcase_add_test(again, a_good_check_long_after_opens_it_too);
    tcase_add_test(again, a_server_that_hangs_up_at_once_is_left_alone_for_longer_and_longer);
    tcase_add_test(again, no_delay_is_longer_than_the_owner_says);
    tcase_add_test(again, who_was_right_need_not_wait);
    tcase_add_test(again, a_minute_open_forgets_the_delay);
    tcase_add_test(again, a_refused_connection_trips_each_time);
    tcase_add_test(again, an_address_without_a_route_is_silent);
    tcase_add_test(again, a_connection_that_takes_too_long_is_left);
    tcase_add_test(again, a_loop_that_was_late_loses_no_connection);
    tcase_add_test(again, without_a_descriptor_it_waits);

    TCase *owners = add_case(suite, "owners");
    tcase_add_loop_test(owners, it_may_be_closed_when_it_trips, 0, ending_count);
    tcase_add_test(owners, closed_at_any_stage_it_is_silent);
    tcase_add_test(owners, a_thousand_live_on_one_loop);
    return unit_run(suite);
}
