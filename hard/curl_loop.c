#include "hard/curl_loop.h"

#include <stddef.h>
#include <sys/socket.h>

#include "common/clock.h"

/* Unlike SO_ERROR, this leaves the error of a failed connect to libcurl. */
static bool has_peer(int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

/* libcurl leaves a message for each transfer that has ended, and may end several in one go. This is
 * the only place where they are read: here libcurl is not on the stack, so that the callback is
 * free to start and cancel what it likes. A transfer that it removes takes its message along. */
static void report_ended(struct curl_loop *loop)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(loop->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        void *private;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        loop->ended(private, code);
    }
}

static void on_socket_ready(struct ev_loop *ev, struct ev_io *io, int events)
{
    (void)ev;
    struct curl_loop *loop = io->data;
    struct curl_loop_socket *socket = (struct curl_loop_socket *)io;
    if (socket->connected_us == 0 && has_peer(io->fd))
        socket->connected_us = har_now_us();
    int ready =
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(loop->multi, io->fd, ready, &running);
    report_ended(loop);
}

static void run_timers(struct curl_loop *loop)
{
    ev_timer_stop(loop->ev, &loop->timer);
    ev_prepare_stop(loop->ev, &loop->at_once);
    int running;
    curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    report_ended(loop);
}

static void on_timer(struct ev_loop *ev, struct ev_timer *timer, int events)
{
    (void)ev;
    (void)events;
    run_timers(timer->data);
}

static void on_at_once(struct ev_loop *ev, struct ev_prepare *at_once, int events)
{
    (void)ev;
    (void)events;
    run_timers(at_once->data);
}

/* libcurl wants to wait for a socket, or no longer. It passes back as known what curl_multi_assign
 * stored for the socket. */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct curl_loop *loop = arg;
    struct curl_loop_socket *socket = known;
    if (!socket) {
        if (what == CURL_POLL_REMOVE)
            return 0;
        void *private;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        socket = private;
        socket->io.data = loop;
        curl_multi_assign(loop->multi, fd, socket);
    }
    ev_io_stop(loop->ev, &socket->io);
    if (what == CURL_POLL_REMOVE)
        return 0;
    if ((what & CURL_POLL_IN) && socket->connected_us == 0) /* it waits for the peer to speak */
        socket->connected_us = har_now_us();
    ev_io_set(&socket->io, fd,
              (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    ev_io_start(loop->ev, &socket->io);
    return 0;
}

/* libcurl wants to be called in delay_ms, instead of whenever it wanted before; not at all for -1.
 * It must not be called from here, not even for 0, with which every transfer starts. For that the
 * timer alone would do, but make the loop poll once more; the prepare watcher serves all that start
 * together before it polls. Only what starts after the prepare watchers ran is left to the timer.
 */
static int want_timer(CURLM *multi, long delay_ms, void *arg)
{
    (void)multi;
    struct curl_loop *loop = arg;
    ev_timer_stop(loop->ev, &loop->timer);
    ev_prepare_stop(loop->ev, &loop->at_once);
    if (delay_ms >= 0) {
        ev_timer_set(&loop->timer, (double)delay_ms / 1000.0, 0.);
        ev_timer_start(loop->ev, &loop->timer);
    }
    if (delay_ms == 0)
        ev_prepare_start(loop->ev, &loop->at_once);
    return 0;
}

void curl_loop_socket_init(struct curl_loop_socket *socket)
{
    ev_io_init(&socket->io, on_socket_ready, -1, 0);
    socket->connected_us = 0;
}

int curl_loop_init(struct curl_loop *loop, struct ev_loop *ev, curl_loop_ended_fn *ended,
                   struct har_error *error)
{
    loop->ev = ev;
    loop->ended = ended;
    loop->multi = curl_multi_init();
    if (!loop->multi)
        return har_fail(error, HAR_ERR_CURL, "curl_multi_init failed");
    ev_timer_init(&loop->timer, on_timer, 0., 0.);
    loop->timer.data = loop;
    ev_prepare_init(&loop->at_once, on_at_once);
    loop->at_once.data = loop;
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    return 0;
}

void curl_loop_done(struct curl_loop *loop)
{
    curl_multi_cleanup(loop->multi);
    ev_timer_stop(loop->ev, &loop->timer);
    ev_prepare_stop(loop->ev, &loop->at_once);
}

bool curl_loop_add(struct curl_loop *loop, CURL *easy)
{
    return curl_multi_add_handle(loop->multi, easy) == CURLM_OK;
}

void curl_loop_remove(struct curl_loop *loop, CURL *easy)
{
    curl_multi_remove_handle(loop->multi, easy);
}
