/* How long a change takes from the check that saw it to getaddrinfo(3).
 *
 *   visible NAME ADDRESS PORT CHANGES
 *
 * Serves HTTP on ADDRESS:PORT, the first choice for NAME in a running hard whose rise and fall are
 * 1, and by turns closes every connection without an answer or answers 200. Prints one line for
 * each change, "down" or "up" and the microseconds from the moment at which the server ended the
 * first check that went the other way to the end of the first lookup of NAME that did. Looks every
 * 100 us, so as to leave the processor to hard. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/ask.h"
#include "common/clock.h"

#define DEADLINE_US 10000000
#define POLL_US 100

struct server {
    int listener;
    pthread_mutex_t lock; /* of the two below */
    bool well;            /* answers 200 */
    int64_t turned_us;    /* when the first check after a turn was ended; 0 not yet */
};

static void die(const char *what)
{
    fprintf(stderr, "visible: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void answer_one(struct server *server, int connection)
{
    static const char ok[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    char request[4096];
    bool well;

    if (recv(connection, request, sizeof request, 0) <= 0)
        return;
    pthread_mutex_lock(&server->lock);
    well = server->well;
    if (server->turned_us == 0)
        server->turned_us = har_now_us();
    pthread_mutex_unlock(&server->lock);
    if (well)
        send(connection, ok, sizeof ok - 1, MSG_NOSIGNAL);
}

static void *serve(void *arg)
{
    struct server *server = arg;

    for (int connection; (connection = accept(server->listener, NULL, NULL)) >= 0;) {
        answer_one(server, connection);
        close(connection);
    }
    die("accept");
    return NULL;
}

static int listen_on(const char *address, const char *port)
{
    struct sockaddr_in name = ask_address(address, port);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(listener, 64) != 0)
        die("listen");
    return listener;
}

/* True when getaddrinfo's first answer for name is address. */
static bool answers(const char *name, const char *address)
{
    char text[ASK_TEXT_MAX];

    ask_resolver(name, text);
    return strcmp(text, address) == 0;
}

/* Waits until address is, or is not, the answer. Returns when that was seen. */
static int64_t await_answer(const char *name, const char *address, bool wanted)
{
    int64_t began_us = har_now_us();

    while (answers(name, address) != wanted) {
        if (har_now_us() - began_us > DEADLINE_US) {
            fprintf(stderr, "visible: %s is still %s %s after %d s\n", name,
                    wanted ? "not" : "answered with", address, DEADLINE_US / 1000000);
            exit(1);
        }
        pause_us(POLL_US);
    }
    return har_now_us();
}

static int64_t turned_us(struct server *server)
{
    int64_t us;

    pthread_mutex_lock(&server->lock);
    us = server->turned_us;
    pthread_mutex_unlock(&server->lock);
    return us;
}

static void turn(struct server *server, bool well)
{
    pthread_mutex_lock(&server->lock);
    server->well = well;
    server->turned_us = 0;
    pthread_mutex_unlock(&server->lock);
}

int main(int argc, char **argv)
{
    struct server server = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    unsigned long changes;
    bool well = true;

    if (argc != 5) {
        fputs("usage: visible NAME ADDRESS PORT CHANGES\n", stderr);
        return 2;
    }
    changes = strtoul(argv[4], NULL, 10);
    server.listener = listen_on(argv[2], argv[3]);
    turn(&server, well);
    if ((errno = pthread_create(&thread, NULL, serve, &server)) != 0)
        die("pthread_create");
    await_answer(argv[1], argv[2], true);

    for (unsigned long i = 0; i < changes; i++) {
        int64_t began_us, seen_us;

        pause_us(200000 + random() % 200000); /* another place between two publications each time */
        well = !well;
        turn(&server, well);
        seen_us = await_answer(argv[1], argv[2], well);
        began_us = turned_us(&server);
        if (began_us == 0) {
            fputs("visible: the answer moved without a check of ours\n", stderr);
            return 1;
        }
        printf("%s %lld\n", well ? "up" : "down", (long long)(seen_us - began_us));
    }
    return 0;
}
