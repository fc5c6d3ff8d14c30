/* One connection for one query. Answers that do not fit into a datagram are rare, and this way none
 * of them waits behind another's (RFC 7766 section 6.2 would have them share). */
#include "hard/forward_run.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTIONS_MAX 128
#define LENGTH_BYTES ((size_t)2) /* before each message: RFC 1035 section 4.2.2 */

struct forward_tcp {
    struct forward_query *query;
    struct ev_io io;
    size_t sent; /* of length and query */
    size_t got;  /* of length and answer */
    uint8_t length[LENGTH_BYTES];
    uint8_t *answer; /* NULL until its length is known */
    size_t count;
};

static bool would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void wait_for(struct forward_tcp *tcp, int events)
{
    struct ev_loop *loop = tcp->query->forward->loop;
    ev_io_stop(loop, &tcp->io);
    ev_io_set(&tcp->io, tcp->io.fd, events);
    ev_io_start(loop, &tcp->io);
}

/* In one segment where it fits: RFC 7766 section 8. */
static void send_query(struct forward_tcp *tcp)
{
    struct forward_query *query = tcp->query;
    uint8_t length[LENGTH_BYTES] = {(uint8_t)(query->count >> 8), (uint8_t)query->count};
    size_t of_length = tcp->sent < LENGTH_BYTES ? LENGTH_BYTES - tcp->sent : 0;
    size_t of_query = tcp->sent - (LENGTH_BYTES - of_length);
    struct iovec parts[] = {
        {.iov_base = length + LENGTH_BYTES - of_length, .iov_len = of_length},
        {.iov_base = query->bytes + of_query, .iov_len = query->count - of_query}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(tcp->io.fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
        if (!would_wait())
            forward_try_failed(query, forward_reason_of_errno(errno));
        return;
    }
    tcp->sent += (size_t)sent;
    if (tcp->sent == LENGTH_BYTES + query->count)
        wait_for(tcp, EV_READ);
}

/* Where the next bytes belong, and how many are wanted there. */
static size_t wanted(struct forward_tcp *tcp, uint8_t **where)
{
    if (tcp->got < LENGTH_BYTES) {
        *where = tcp->length + tcp->got;
        return LENGTH_BYTES - tcp->got;
    }
    *where = tcp->answer + (tcp->got - LENGTH_BYTES);
    return LENGTH_BYTES + tcp->count - tcp->got;
}

/* The length is known. False when the try is over. */
static bool make_room(struct forward_tcp *tcp)
{
    tcp->count = (size_t)tcp->length[0] << 8 | tcp->length[1];
    if (tcp->count < DNS_HEADER_BYTES) {
        forward_try_failed(tcp->query, FORWARD_MALFORMED);
        return false;
    }
    tcp->answer = malloc(tcp->count);
    if (tcp->answer == NULL)
        forward_try_failed(tcp->query, FORWARD_LOCAL_ERROR);
    return tcp->answer != NULL;
}

/* A connection cannot be forged as a datagram can: what does not fit is the upstream's own. The
 * answer outlives the try, which ends when it is taken. */
static void take_answer(struct forward_tcp *tcp)
{
    struct forward_query *query = tcp->query;
    uint8_t *answer = tcp->answer;
    tcp->answer = NULL;
    if (dns_id(answer) != dns_id(query->bytes) || !forward_take(query, answer, tcp->count))
        forward_try_failed(query, FORWARD_MALFORMED);
    free(answer);
}

static void receive_answer(struct forward_tcp *tcp)
{
    uint8_t *where;
    size_t count = wanted(tcp, &where);
    ssize_t got = recv(tcp->io.fd, where, count, 0);
    if (got < 0 && would_wait())
        return;
    if (got <= 0) {
        forward_try_failed(tcp->query,
                           got < 0 ? forward_reason_of_errno(errno) : FORWARD_MALFORMED);
        return;
    }
    tcp->got += (size_t)got;
    if ((size_t)got < count)
        return;
    if (tcp->answer != NULL)
        take_answer(tcp);
    else if (make_room(tcp))
        receive_answer(tcp); /* most often it is there already */
}

static void on_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)loop;
    (void)events;
    struct forward_tcp *tcp = io->data;
    if (tcp->sent < LENGTH_BYTES + tcp->query->count)
        send_query(tcp);
    else
        receive_answer(tcp);
}

enum forward_reason forward_tcp_start(struct forward_query *query)
{
    struct forward *forward = query->forward;
    if (forward->connections >= CONNECTIONS_MAX)
        return FORWARD_LOCAL_ERROR;
    struct forward_tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL)
        return FORWARD_LOCAL_ERROR;
    int fd = forward_connect(query, SOCK_STREAM);
    if (fd < 0) {
        int error = errno;
        free(tcp);
        return forward_reason_of_errno(error);
    }
    tcp->query = query;
    ev_io_init(&tcp->io, on_ready, fd, EV_WRITE);
    tcp->io.data = tcp;
    ev_io_start(forward->loop, &tcp->io);
    query->tcp = tcp;
    forward->connections++;
    return FORWARD_ANSWERED;
}

void forward_tcp_leave(struct forward_query *query)
{
    struct forward_tcp *tcp = query->tcp;
    if (tcp == NULL)
        return;
    query->tcp = NULL;
    query->forward->connections--;
    ev_io_stop(query->forward->loop, &tcp->io);
    close(tcp->io.fd);
    free(tcp->answer);
    free(tcp);
}
