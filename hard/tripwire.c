#include "hard/tripwire.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_BYTES 65536 /* thrown away in one turn of the loop */

enum state {
    STATE_IDLE,    /* no connection. The timer: not to be made again yet */
    STATE_CONNECT, /* the timer: until when */
    STATE_OPEN     /* the timer: until it is steady */
};

struct tripwire {
    struct ev_loop *loop;
    struct har_address address;
    uint16_t port;
    enum state state;
    bool rearmed; /* idle: to be made again */
    int fd;       /* or -1 */
    ev_io io;
    ev_timer timer;
    double delay_s; /* the last one; 0: none lately */
    double delay_max_s;
    uint64_t heard_bytes;
    tripwire_tripped_fn *tripped;
    void *arg;
};

const char *tripwire_reason_text(enum tripwire_reason reason)
{
    switch (reason) {
    case TRIPWIRE_CLOSED:
        return "closed";
    case TRIPWIRE_RESET:
        return "reset";
    case TRIPWIRE_TIMEOUT:
        return "timeout";
    case TRIPWIRE_REFUSED:
        return "refused";
    }
    return "?";
}

static void set_timer(struct tripwire *tripwire, double after_s)
{
    ev_timer_stop(tripwire->loop, &tripwire->timer);
    ev_timer_set(&tripwire->timer, after_s, 0.);
    ev_timer_start(tripwire->loop, &tripwire->timer);
}

static void watch(struct tripwire *tripwire, int events)
{
    ev_io_stop(tripwire->loop, &tripwire->io);
    ev_io_set(&tripwire->io, tripwire->fd, events);
    ev_io_start(tripwire->loop, &tripwire->io);
}

static void hang_up(struct tripwire *tripwire)
{
    ev_io_stop(tripwire->loop, &tripwire->io);
    ev_timer_stop(tripwire->loop, &tripwire->timer);
    if (tripwire->fd >= 0)
        close(tripwire->fd);
    tripwire->fd = -1;
    tripwire->state = STATE_IDLE;
    tripwire->rearmed = false;
}

/* A timer that does not run when the connection goes is one that was steady. */
static void give_up(struct tripwire *tripwire)
{
    bool steady = tripwire->state == STATE_OPEN && !ev_is_active(&tripwire->timer);
    hang_up(tripwire);
    if (steady) {
        tripwire->delay_s = 0.;
        return;
    }
    tripwire->delay_s = tripwire->delay_s > 0. ? tripwire->delay_s * 2 : TRIPWIRE_DELAY_S;
    if (tripwire->delay_s > tripwire->delay_max_s)
        tripwire->delay_s = tripwire->delay_max_s;
    set_timer(tripwire, tripwire->delay_s);
}

/* --- connecting ------------------------------------------------------------------------------- */

/* Failing, they leave a tripwire that learns less, and a connection all the same. */
static void set_options(int fd)
{
    static const int on = 1, idle_s = TRIPWIRE_IDLE_S, probe_s = TRIPWIRE_PROBE_S,
                     probes = TRIPWIRE_PROBES;
    /* The kernel asks at 10, 12 and 14 s, and looks whether the time is up at 16: just before. */
    static const unsigned give_up_ms =
        (TRIPWIRE_IDLE_S + TRIPWIRE_PROBE_S * TRIPWIRE_PROBES) * 1000 - 500;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe_s, sizeof probe_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &give_up_ms, sizeof give_up_ms);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* For the first time, and again to learn how that fares; see check_tcp.c. 0, or an errno. */
static int try_connect(const struct tripwire *tripwire)
{
    struct sockaddr_storage peer;
    socklen_t size_bytes = har_address_to_sockaddr(&tripwire->address, tripwire->port, &peer);
    int result = connect(tripwire->fd, (const struct sockaddr *)&peer, size_bytes);
    return result == 0 || errno == EISCONN ? 0 : errno;
}

/* A server that ends may close what it has accepted before it closes what accepts: the check after
 * the trip still finds it. Now it is gone. */
static void fail_connecting(struct tripwire *tripwire, int error)
{
    give_up(tripwire);
    if (error == ECONNREFUSED || error == ECONNRESET)
        tripwire->tripped(tripwire->arg, TRIPWIRE_REFUSED); /* last: it may be gone after this */
}

static void go_on_connecting(struct tripwire *tripwire, bool in_time)
{
    int error = try_connect(tripwire);
    if (in_time && (error == EINPROGRESS || error == EALREADY)) {
        watch(tripwire, EV_WRITE);
        return;
    }
    if (error != 0) {
        fail_connecting(tripwire, error);
        return;
    }
    tripwire->state = STATE_OPEN;
    tripwire->heard_bytes = 0;
    set_timer(tripwire, TRIPWIRE_STEADY_S);
    watch(tripwire, EV_READ);
}

/* Even if that fails at once: it is the loop that may call back. */
static void start_connecting(struct tripwire *tripwire)
{
    tripwire->state = STATE_CONNECT;
    tripwire->fd = socket(tripwire->address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (tripwire->fd < 0) {
        give_up(tripwire);
        return;
    }
    set_options(tripwire->fd);
    set_timer(tripwire, TRIPWIRE_CONNECT_S);
    try_connect(tripwire);
    watch(tripwire, EV_WRITE);
}

/* --- waiting for the end ---------------------------------------------------------------------- */

/* The kernel reports what it last heard of the way to a host that it gives up, if anything:
 * EHOSTUNREACH and the like for ETIMEDOUT. */
static enum tripwire_reason reason_of_errno(int error)
{
    return error == ECONNRESET || error == EPIPE ? TRIPWIRE_RESET : TRIPWIRE_TIMEOUT;
}

static bool is_nothing_yet(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS ||
           error == ENOMEM;
}

/* With MSG_TRUNC, what TCP received is dropped where it is (tcp(7)). */
static void listen_for_end(struct tripwire *tripwire)
{
    ssize_t got = recv(tripwire->fd, NULL, TURN_BYTES, MSG_TRUNC | MSG_DONTWAIT);
    if (got > 0) {
        tripwire->heard_bytes += (uint64_t)got;
        if (tripwire->heard_bytes > TRIPWIRE_CHATTER_BYTES)
            give_up(tripwire);
        return;
    }
    if (got < 0 && is_nothing_yet(errno))
        return;
    enum tripwire_reason reason = got == 0 ? TRIPWIRE_CLOSED : reason_of_errno(errno);
    give_up(tripwire);
    tripwire->tripped(tripwire->arg, reason); /* last: it may be gone after this */
}

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    struct tripwire *tripwire = io->data;
    if (tripwire->state == STATE_OPEN)
        listen_for_end(tripwire);
    else
        go_on_connecting(tripwire, true);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct tripwire *tripwire = timer->data;
    switch (tripwire->state) {
    case STATE_CONNECT: /* it may be our own loop that was late */
        go_on_connecting(tripwire, false);
        return;
    case STATE_OPEN: /* steady: see give_up */
        return;
    case STATE_IDLE:
        if (tripwire->rearmed)
            start_connecting(tripwire);
    }
}

/* ---------------------------------------------------------------------------------------------- */

struct tripwire *tripwire_open(struct ev_loop *loop, const struct har_address *address,
                               uint16_t port, double delay_max_s, tripwire_tripped_fn *tripped,
                               void *arg)
{
    struct tripwire *tripwire = malloc(sizeof *tripwire);
    if (tripwire == NULL)
        return NULL;
    *tripwire = (struct tripwire){
        .loop = loop, .address = *address, .port = port, .fd = -1, .tripped = tripped, .arg = arg};
    tripwire->delay_max_s = delay_max_s < TRIPWIRE_DELAY_MAX_S ? delay_max_s : TRIPWIRE_DELAY_MAX_S;
    ev_io_init(&tripwire->io, on_ready, -1, 0);
    ev_timer_init(&tripwire->timer, on_timer, 0., 0.);
    tripwire->io.data = tripwire->timer.data = tripwire;
    start_connecting(tripwire);
    return tripwire;
}

void tripwire_was_right(struct tripwire *tripwire)
{
    if (tripwire == NULL || tripwire->state != STATE_IDLE)
        return;
    ev_timer_stop(tripwire->loop, &tripwire->timer);
    tripwire->delay_s = 0.;
}

void tripwire_rearm(struct tripwire *tripwire)
{
    if (tripwire == NULL || tripwire->state != STATE_IDLE)
        return;
    if (ev_is_active(&tripwire->timer))
        tripwire->rearmed = true;
    else
        start_connecting(tripwire);
}

void tripwire_close(struct tripwire *tripwire)
{
    if (tripwire == NULL)
        return;
    hang_up(tripwire);
    free(tripwire);
}
