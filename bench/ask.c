#include "bench/ask.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 5

void ask_resolver(const char *name, char address[ASK_TEXT_MAX])
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;

    address[0] = '\0';
    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return;
    getnameinfo(found->ai_addr, found->ai_addrlen, address, ASK_TEXT_MAX, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
}

struct sockaddr_in ask_address(const char *address, const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};

    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        fprintf(stderr, "not an IPv4 address: %s\n", address);
        exit(2);
    }
    return name;
}

/* Sends a request and reads the answer up to the end of the connection, at most size - 1 bytes. */
static void converse(int connection, char *answer, size_t size)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    size_t used = 0;

    answer[0] = '\0';
    if (send(connection, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        return;
    for (ssize_t got; (got = recv(connection, answer + used, size - 1 - used, 0)) > 0;)
        used += (size_t)got;
    answer[used] = '\0';
}

void ask_http(const char *address, const char *port, char body[ASK_TEXT_MAX])
{
    struct sockaddr_in name = ask_address(address, port);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[4096] = "", *found;

    body[0] = '\0';
    if (connection < 0)
        return;
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(connection, (struct sockaddr *)&name, sizeof name) == 0)
        converse(connection, answer, sizeof answer);
    close(connection);
    found = strstr(answer, "\r\n\r\n");
    if (found)
        snprintf(body, ASK_TEXT_MAX, "%.*s", (int)strcspn(found + 4, "\n"), found + 4);
}

void pause_us(int64_t us)
{
    struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    nanosleep(&span, NULL);
}
