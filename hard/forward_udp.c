/* Sockets on random ports. The kernel draws a port when a socket is connected, from the range that
 * the machine's owner set aside for that (ip_local_port_range), and with numbers that cannot be
 * guessed; to draw from all ports would take those of services that start later. */
#include "hard/forward_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

/* Until another port takes over: who watches one has little time to guess, and an address that this
 * machine has lost is not held on to. */
#define USES_MAX 1000
#define LIFE_US 10000000
#define READ_MAX 64 /* messages, before others get their turn */

static void close_socket(struct forward_socket *socket)
{
    struct forward *forward = socket->forward;
    if (forward->reading == socket)
        forward->reading = NULL;
    ev_io_stop(forward->loop, &socket->io);
    close(socket->io.fd);
    free(socket);
}

/* Takes no new tries. */
static void retire(struct forward_socket *socket)
{
    if (socket->home != NULL)
        *socket->home = NULL;
    socket->home = NULL;
    if (TAILQ_EMPTY(&socket->tries))
        close_socket(socket);
}

void forward_udp_retire(struct forward_place *place)
{
    for (int i = 0; i < FORWARD_POOL; i++) {
        if (place->pool[i] != NULL)
            retire(place->pool[i]);
    }
}

/* What an ICMP message says is of no one try, but of the address and port: all of them have failed.
 * Retired first, or new tries would come as old ones go. The last one closes it. */
static void fail_all(struct forward_socket *socket, enum forward_reason reason)
{
    struct forward *forward = socket->forward;
    retire(socket);
    while (forward->reading == socket)
        forward_try_failed(TAILQ_FIRST(&socket->tries), reason);
}

static bool is_for(const struct forward_socket *socket, const struct forward_query *query)
{
    return query != NULL && query->socket == socket;
}

static void take(struct forward_socket *socket, size_t count)
{
    struct forward *forward = socket->forward;
    struct forward_query *query = NULL;
    if (count >= DNS_HEADER_BYTES)
        query = forward_find(forward, dns_id(forward->buffer));
    if (!is_for(socket, query) || !forward_take(query, forward->buffer, count))
        forward->counters.dropped++;
}

static void on_readable(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)loop;
    (void)events;
    struct forward_socket *socket = io->data;
    struct forward *forward = socket->forward;
    forward->reading = socket;
    for (int i = 0; i < READ_MAX && forward->reading == socket; i++) {
        ssize_t got = recv(io->fd, forward->buffer, sizeof forward->buffer, 0);
        if (got >= 0)
            take(socket, (size_t)got);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            fail_all(socket, forward_reason_of_errno(errno));
    }
    forward->reading = NULL;
}

static struct forward_socket *open_socket(const struct forward_query *query)
{
    struct forward_socket *socket = calloc(1, sizeof *socket);
    int fd = socket != NULL ? forward_connect(query, SOCK_DGRAM) : -1;
    if (fd < 0) {
        int error = errno;
        free(socket);
        errno = error;
        return NULL;
    }
    socket->forward = query->forward;
    socket->opened_us = query->sent_us;
    TAILQ_INIT(&socket->tries);
    ev_io_init(&socket->io, on_readable, fd, EV_READ);
    socket->io.data = socket;
    ev_io_start(query->forward->loop, &socket->io);
    return socket;
}

static struct forward_socket *pick_socket(const struct forward_query *query)
{
    struct forward *forward = query->forward;
    struct forward_socket **home =
        &forward->places[query->place].pool[random_below(&forward->random, FORWARD_POOL)];
    struct forward_socket *socket = *home;
    if (socket != NULL &&
        (socket->uses >= USES_MAX || query->sent_us - socket->opened_us > LIFE_US))
        retire(socket);
    if (*home == NULL) {
        *home = open_socket(query);
        if (*home != NULL)
            (*home)->home = home;
    }
    return *home;
}

enum forward_reason forward_udp_send(struct forward_query *query)
{
    struct forward_socket *socket = pick_socket(query);
    if (socket == NULL)
        return forward_reason_of_errno(errno);
    socket->uses++;
    ssize_t sent = send(socket->io.fd, query->bytes, query->count, MSG_NOSIGNAL);
    /* What a socket remembers of an earlier message, it reports once, instead of sending. */
    if (sent < 0 && errno == ECONNREFUSED)
        sent = send(socket->io.fd, query->bytes, query->count, MSG_NOSIGNAL);
    /* A full buffer loses it, as any hop may. */
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
        return forward_reason_of_errno(errno);
    query->socket = socket;
    TAILQ_INSERT_TAIL(&socket->tries, query, in_socket);
    return FORWARD_ANSWERED;
}

void forward_udp_leave(struct forward_query *query)
{
    struct forward_socket *socket = query->socket;
    if (socket == NULL)
        return;
    query->socket = NULL;
    TAILQ_REMOVE(&socket->tries, query, in_socket);
    if (socket->home == NULL && TAILQ_EMPTY(&socket->tries))
        close_socket(socket);
}
