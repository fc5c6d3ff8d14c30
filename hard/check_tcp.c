/* A TCP connection, and what may be said over it. The talk itself is also that of check_tls.c. */
#include "har_config.h"

#include "hard/check_run.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define RECEIVE_BYTES 4096

/* --- the talk --------------------------------------------------------------------------------- */

static void talk_wait(struct check *check, int events)
{
    struct ev_io *io = &check->talk.io;
    if (ev_is_active(io) && (io->events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(check->checker->loop, io);
    ev_io_set(io, check->talk.fd, events);
    ev_io_start(check->checker->loop, io);
}

/* What came was not what was expected: shows how it began. */
static void talk_end_unexpected(struct check *check)
{
    const struct check_text *text = &check->text;
    int shown_bytes = text->size_bytes < 60 ? (int)text->size_bytes : 60;
    check_end(check, REASON_BAD_BODY, "expected text not in %zu bytes: %.*s", text->size_bytes,
              shown_bytes, text->bytes);
}

/* Takes in what came. True when the check goes on. */
static bool talk_take(struct check *check, const char *bytes, size_t size_bytes)
{
    const char *expect = check->target->check->expect;
    size_t expect_bytes = strlen(expect);
    /* A match may begin in what is known and end in what is new. */
    size_t known_bytes = check->text.size_bytes;
    size_t from_bytes = known_bytes < expect_bytes ? 0 : known_bytes - (expect_bytes - 1);
    if (!check_text_append(&check->text, bytes, size_bytes)) {
        check_end(check, REASON_LOCAL_ERROR, "out of memory");
        return false;
    }
    if (check_text_holds(&check->text, expect, from_bytes)) {
        check_end(check, REASON_OK, NULL);
        return false;
    }
    if (check_text_full(&check->text)) {
        talk_end_unexpected(check);
        return false;
    }
    return true;
}

static void talk_receive(struct check *check)
{
    char buffer[RECEIVE_BYTES];
    ssize_t got;
    while ((got = check->talk.transport->recv(check, buffer, sizeof buffer)) > 0) {
        if (!talk_take(check, buffer, (size_t)got))
            return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        talk_wait(check, EV_READ);
    else if (got < 0)
        check->talk.transport->end_broken(check);
    else if (check->text.size_bytes > 0)
        talk_end_unexpected(check);
    else
        check_end(check, REASON_CLOSED, "before it said anything");
}

static void talk_go_on(struct check *check)
{
    const char *text = check->target->check->send;
    size_t size_bytes = text ? strlen(text) : 0;
    while (check->talk.sent_bytes < size_bytes) {
        ssize_t sent = check->talk.transport->send(check, text + check->talk.sent_bytes,
                                                   size_bytes - check->talk.sent_bytes);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            talk_wait(check, EV_WRITE);
            return;
        }
        if (sent < 0) {
            check->talk.transport->end_broken(check);
            return;
        }
        check->talk.sent_bytes += (size_t)sent;
    }
    if (check->target->check->expect)
        talk_receive(check);
    else
        check_end(check, REASON_OK, NULL);
}

static void on_talk_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)loop;
    (void)events;
    talk_go_on(io->data);
}

void talk_start(struct check *check, const struct talk_transport *transport)
{
    check->talk.transport = transport;
    ev_io_stop(check->checker->loop, &check->talk.io);
    ev_io_init(&check->talk.io, on_talk_ready, check->talk.fd, 0);
    check->talk.io.data = check;
    talk_go_on(check);
}

void talk_stop(struct check *check)
{
    ev_io_stop(check->checker->loop, &check->talk.io);
}

void talk_time_out(struct check *check)
{
    if (check->talk.sent_bytes == 0 && check->target->check->send)
        check_end(check, REASON_RESPONSE_TIMEOUT, "it takes nothing");
    else if (check->text.size_bytes == 0)
        check_end(check, REASON_RESPONSE_TIMEOUT, "it said nothing");
    else
        check_end(check, REASON_RESPONSE_TIMEOUT, "expected text not in %zu bytes",
                  check->text.size_bytes);
}

/* --- tcp -------------------------------------------------------------------------------------- */

static ssize_t tcp_send(struct check *check, const void *bytes, size_t size_bytes)
{
    return send(check->talk.fd, bytes, size_bytes, MSG_NOSIGNAL);
}

static ssize_t tcp_recv(struct check *check, void *buffer, size_t size_bytes)
{
    return recv(check->talk.fd, buffer, size_bytes, 0);
}

/* ETIMEDOUT, EHOSTUNREACH: the server was there a moment ago. */
static void tcp_end_broken(struct check *check)
{
    enum check_reason reason = check_reason_of_errno(errno);
    check_end(check, reason == REASON_LOCAL_ERROR ? reason : REASON_CLOSED, "%s", strerror(errno));
}

static const struct talk_transport tcp_transport = {tcp_send, tcp_recv, tcp_end_broken};

static int tcp_connect(const struct check *check)
{
    struct sockaddr_storage peer;
    socklen_t size_bytes =
        har_address_to_sockaddr(&check->target->address, check->target->check->port, &peer);
    return connect(check->talk.fd, (const struct sockaddr *)&peer, size_bytes);
}

/* Connecting once more tells how the first attempt fares. Unlike SO_ERROR, which is 0 for one that
 * is still under way, it is right even when the socket was not really ready. */
static void on_connecting(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)loop;
    (void)events;
    struct check *check = io->data;
    if (tcp_connect(check) < 0 && errno != EISCONN) {
        int error = errno;
        if (error != EALREADY && error != EINPROGRESS)
            check_end_not_connected(check, error);
        return;
    }
    int64_t connect_us = har_now_us() - check->started_us;
    check->result.connect_us = connect_us > 0 ? (uint32_t)connect_us : 1;
    talk_start(check, &tcp_transport);
}

static void on_tcp_timeout(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct check *check = timer->data;
    if (check->result.connect_us == 0)
        check_end(check, REASON_CONNECT_TIMEOUT, NULL);
    else
        talk_time_out(check);
}

static void tcp_start(struct check *check)
{
    check->talk.fd =
        socket(check->target->address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ev_io_init(&check->talk.io, on_connecting, check->talk.fd, EV_WRITE);
    if (check->talk.fd < 0 || (tcp_connect(check) < 0 && errno != EINPROGRESS)) {
        check_end_not_connected(check, errno);
        return;
    }
    check->talk.io.data = check;
    ev_io_start(check->checker->loop, &check->talk.io);
    check_set_timer(check, on_tcp_timeout, (int64_t)check->target->check->timeout_ms * 1000);
}

/* A plain close: to the server, a client that came and left. A reset (SO_LINGER 0), which HAProxy
 * prefers, would spare this machine a socket in TIME_WAIT, 60 s of some 250 bytes of kernel memory;
 * but many servers log it as an error, some count it against the client and shut it out in the end,
 * and it takes back what is still on its way. */
static void tcp_release(struct check *check)
{
    talk_stop(check);
    if (check->talk.fd >= 0)
        close(check->talk.fd);
}

const struct check_kind check_kind_tcp = {tcp_start, tcp_release};
