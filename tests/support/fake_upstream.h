/* A resolver on loopback that does as it is told, on the test's own loop. */
#ifndef HAR_TESTS_SUPPORT_FAKE_UPSTREAM_H
#define HAR_TESTS_SUPPORT_FAKE_UPSTREAM_H

#include <arpa/inet.h>
#include <ev.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"
#include "hard/dns_wire.h"
#include "tests/support/unit.h"

#define FAKE_DEADLINE_S 20.
#define FAKE_KEPT 4096 /* questions */

enum fake_mode {
    FAKE_ANSWERS,
    FAKE_SILENT,
    FAKE_SERVFAIL,
    FAKE_REFUSED,
    FAKE_HEADER_ALONE,   /* SERVFAIL */
    FAKE_HEADER_FORMERR, /* alone */
    FAKE_WRONG_ID,
    FAKE_WRONG_QUESTION,
    FAKE_WRONG_SOURCE,
    FAKE_NO_RESPONSE, /* sends the question back */
    FAKE_CUT,
    FAKE_TWICE,
    FAKE_TRUNCATED /* and over TCP: see fake_tcp */
};

enum fake_tcp {
    FAKE_TCP_ANSWERS,
    FAKE_TCP_PIECES, /* byte by byte */
    FAKE_TCP_STALLS, /* in the midst of the message */
    FAKE_TCP_CLOSES, /* there */
    FAKE_TCP_WRONG_ID,
    FAKE_TCP_TINY, /* a message of two bytes */
    FAKE_TCP_DEAF  /* takes no connection */
};

struct fake {
    struct ev_loop *loop;
    uint16_t port;
    struct ev_io udp, tcp;
    struct ev_io connection; /* the last one */
    enum fake_mode mode;
    enum fake_tcp tcp_mode;
    uint8_t
        number; /* the answer is 192.0.2.number, unless answer says something else, or 0: none */
    size_t (*answer)(struct fake *fake, uint8_t *message, size_t question_end);
    void *arg;
    int asked, asked_tcp; /* breaks the loop when it changes */
    int closed;           /* connections, by the other side */
    struct sockaddr_in from[FAKE_KEPT];
    uint16_t ids[FAKE_KEPT];
    uint8_t last[DNS_MESSAGE_MAX_BYTES]; /* the last question as received */
    size_t last_count;
};

static inline int fake_socket(int type, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline uint16_t fake_port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

/* Appends a record for the name asked for. Returns the new size. */
static inline size_t fake_add(uint8_t *message, size_t count, uint16_t type, uint32_t ttl_s,
                              const void *data, uint16_t data_bytes)
{
    uint8_t record[] = {0xc0,
                        12,
                        0,
                        (uint8_t)type,
                        0,
                        1,
                        0,
                        0,
                        (uint8_t)(ttl_s >> 8),
                        (uint8_t)ttl_s,
                        0,
                        (uint8_t)data_bytes};
    memcpy(message + count, record, sizeof record);
    memcpy(message + count + sizeof record, data, data_bytes);
    message[7]++;
    return count + sizeof record + data_bytes;
}

/* Makes a question that ends at end an answer without records. */
static inline size_t fake_begin(uint8_t *message, size_t end, unsigned rcode)
{
    message[2] |= 0x80;
    message[3] = (uint8_t)(0x80 | rcode);
    memset(message + 6, 0, 6);
    return end;
}

static inline size_t fake_make(struct fake *fake, uint8_t *message, unsigned rcode)
{
    size_t end = 0;
    ck_assert(dns_question(fake->last, fake->last_count, &end));
    memcpy(message, fake->last, end);
    size_t count = fake_begin(message, end, rcode);
    if (rcode != 0)
        return count;
    if (fake->answer != NULL)
        return fake->answer(fake, message, count);
    return fake_add(message, count, 1, 60, (uint8_t[]){192, 0, 2, fake->number}, 4);
}

/* One answer, as its mode wants it. */
static inline size_t fake_spoil(struct fake *fake, uint8_t *message)
{
    size_t count;
    switch (fake->mode) {
    case FAKE_SERVFAIL:
        return fake_make(fake, message, DNS_SERVFAIL);
    case FAKE_REFUSED:
        return fake_make(fake, message, DNS_REFUSED);
    case FAKE_HEADER_ALONE:
        fake_make(fake, message, DNS_SERVFAIL);
        message[5] = 0;
        return DNS_HEADER_BYTES;
    case FAKE_HEADER_FORMERR:
        fake_make(fake, message, DNS_FORMERR);
        message[5] = 0;
        return DNS_HEADER_BYTES;
    case FAKE_WRONG_ID:
        count = fake_make(fake, message, 0);
        message[0] ^= 0x55;
        return count;
    case FAKE_WRONG_QUESTION:
        count = fake_make(fake, message, 0);
        message[13] ^= 1;
        return count;
    case FAKE_NO_RESPONSE:
        memcpy(message, fake->last, fake->last_count);
        return fake->last_count;
    case FAKE_CUT:
        return fake_make(fake, message, 0) - 1;
    case FAKE_TRUNCATED:
        count = fake_make(fake, message, DNS_NXDOMAIN);
        message[2] |= 2;
        message[3] = 0x80;
        return count;
    case FAKE_ANSWERS:
    case FAKE_SILENT:
    case FAKE_WRONG_SOURCE:
    case FAKE_TWICE:
        break;
    }
    return fake_make(fake, message, 0);
}

static inline void fake_send(int fd, const uint8_t *message, size_t count,
                             const struct sockaddr_in *to)
{
    ck_assert_int_eq(sendto(fd, message, count, 0, (const struct sockaddr *)to, sizeof *to),
                     (ssize_t)count);
}

/* Answers what was asked last, whatever the mode was then. */
static inline void fake_answer_last(struct fake *fake)
{
    static uint8_t message[DNS_MESSAGE_MAX_BYTES];
    const struct sockaddr_in *to = &fake->from[(fake->asked - 1) % FAKE_KEPT];
    size_t count = fake_spoil(fake, message);
    if (count == 0)
        return;
    if (fake->mode == FAKE_WRONG_SOURCE) {
        int other = fake_socket(SOCK_DGRAM, 0);
        fake_send(other, message, count, to);
        close(other);
        return;
    }
    fake_send(fake->udp.fd, message, count, to);
    if (fake->mode == FAKE_TWICE)
        fake_send(fake->udp.fd, message, count, to);
}

static inline void fake_on_udp(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)events;
    struct fake *fake = io->data;
    struct sockaddr_in *from = &fake->from[fake->asked % FAKE_KEPT];
    socklen_t length = sizeof *from;
    ssize_t got;
    while ((got = recvfrom(io->fd, fake->last, sizeof fake->last, 0, (struct sockaddr *)from,
                           &length)) > 0) {
        fake->last_count = (size_t)got;
        fake->ids[fake->asked++ % FAKE_KEPT] = dns_id(fake->last);
        if (fake->mode != FAKE_SILENT)
            fake_answer_last(fake);
        from = &fake->from[fake->asked % FAKE_KEPT];
    }
    ev_break(loop, EVBREAK_ONE);
}

static inline void fake_say(struct fake *fake, int fd)
{
    static uint8_t message[DNS_MESSAGE_MAX_BYTES + 2];
    size_t count = fake_make(fake, message + 2, 0);
    message[0] = (uint8_t)(count >> 8);
    message[1] = (uint8_t)count;
    message[2] ^= fake->tcp_mode == FAKE_TCP_WRONG_ID;
    if (fake->tcp_mode == FAKE_TCP_TINY)
        message[0] = 0, message[1] = 2;
    count = fake->tcp_mode == FAKE_TCP_STALLS || fake->tcp_mode == FAKE_TCP_CLOSES ? 20 : count + 2;
    size_t piece = fake->tcp_mode == FAKE_TCP_PIECES ? 1 : count;
    for (size_t at = 0; at < count; at += piece)
        ck_assert_int_eq(send(fd, message + at, piece, MSG_NOSIGNAL), (ssize_t)piece);
    if (fake->tcp_mode == FAKE_TCP_CLOSES)
        shutdown(fd, SHUT_RDWR);
}

static inline void fake_on_connection(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)events;
    struct fake *fake = io->data;
    uint8_t message[1024];
    ssize_t got = recv(io->fd, message, sizeof message, 0);
    if (got <= 0) {
        fake->closed++;
        ev_io_stop(loop, io);
        close(io->fd);
    } else {
        /* Length and question in one segment: RFC 7766 section 8. */
        ck_assert_int_gt(got, 2);
        ck_assert_int_eq(message[0] << 8 | message[1], got - 2);
        fake->last_count = (size_t)got - 2;
        memcpy(fake->last, message + 2, fake->last_count);
        fake->asked_tcp++;
        fake_say(fake, io->fd);
    }
    ev_break(loop, EVBREAK_ONE);
}

static inline void fake_on_accept(struct ev_loop *loop, struct ev_io *io, int events)
{
    (void)events;
    struct fake *fake = io->data;
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ev_io_init(&fake->connection, fake_on_connection, fd, EV_READ);
    fake->connection.data = fake;
    ev_io_start(loop, &fake->connection);
}

/* Both transports on one port, which is a random one where port is 0. */
static inline void fake_start(struct fake *fake, struct ev_loop *loop, uint16_t port,
                              uint8_t number)
{
    int udp = -1, tcp = -1;
    memset(fake, 0, sizeof *fake);
    for (int tries = 0; tries < 100 && tcp < 0; tries++) {
        if (udp >= 0)
            close(udp);
        udp = fake_socket(SOCK_DGRAM, port);
        tcp = udp < 0 ? -1 : fake_socket(SOCK_STREAM, fake_port_of(udp));
    }
    ck_assert_int_ge(tcp, 0);
    ck_assert_int_eq(listen(tcp, 16), 0);
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &(int){4 << 20}, sizeof(int));
    fake->loop = loop;
    fake->number = number;
    fake->port = fake_port_of(udp);
    ev_io_init(&fake->udp, fake_on_udp, udp, EV_READ);
    ev_io_init(&fake->tcp, fake_on_accept, tcp, EV_READ);
    fake->udp.data = fake->tcp.data = fake;
    ev_io_start(loop, &fake->udp);
    ev_io_start(loop, &fake->tcp);
}

static inline void fake_stop(struct fake *fake)
{
    ev_io_stop(fake->loop, &fake->udp);
    ev_io_stop(fake->loop, &fake->tcp);
    ev_io_stop(fake->loop, &fake->connection);
    close(fake->udp.fd);
    close(fake->tcp.fd);
}

static inline struct config_upstream fake_config(const struct fake *fake)
{
    struct config_upstream config = {.port = fake->port};
    ck_assert_int_eq(har_address_parse("127.0.0.1", &config.address), 0);
    return config;
}

/* --- the loop --------------------------------------------------------------------------------- */

static inline void fake_on_deadline(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)events;
    *(bool *)timer->data = true;
    ev_break(loop, EVBREAK_ONE);
}

/* Runs the loop until *count is at least wanted; what changes it breaks the loop. */
static inline void fake_run_until(struct ev_loop *loop, const int *count, int wanted)
{
    bool late = false;
    struct ev_timer deadline;
    ev_timer_init(&deadline, fake_on_deadline, FAKE_DEADLINE_S, 0.);
    deadline.data = &late;
    ev_now_update(loop);
    ev_timer_start(loop, &deadline);
    while (*count < wanted && !late)
        ev_run(loop, 0);
    ev_timer_stop(loop, &deadline);
    ck_assert_msg(!late, "still waiting: %d of %d", *count, wanted);
}

/* Runs the loop for some time, for what should not happen. */
static inline void fake_run_for_ms(struct ev_loop *loop, int ms)
{
    bool over = false;
    struct ev_timer timer;
    ev_timer_init(&timer, fake_on_deadline, ms / 1000., 0.);
    timer.data = &over;
    ev_now_update(loop);
    ev_timer_start(loop, &timer);
    while (!over)
        ev_run(loop, 0);
}

#endif
