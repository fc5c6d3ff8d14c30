/* test_server: a small HTTP and TCP server that misbehaves on request, for the tests and for
 * scripts/quickstart.
 *
 *     test_server [OPTION]... ADDRESS:PORT...
 *
 * Listens on each ADDRESS:PORT ("127.0.1.1:8080", "[::1]:0"; port 0 lets the system choose) and
 * prints one line for each, in the order given, once it accepts connections there:
 *
 *     ready 127.0.1.1:8080
 *
 * SIGTERM and SIGINT end it with exit status 0. Wrong usage is 2, an address that cannot be bound
 * is 1. Each connection has one request and is then closed.
 *
 *     --mode MODE      what to do with a connection (below); default ok
 *     --delay MS       wait so long before the first byte of an answer; default 0
 *     --status N       of the answer, 100 to 999; default 200
 *     --header LINE    one more header of the answer, "Location: http://elsewhere/"
 *     --body TEXT      default "this is ADDRESS:PORT\n", with the address that was asked
 *     --control A:P    one more socket, which answers the two requests below in every mode. Its
 *                      line is "control ADDRESS:PORT"
 *
 * Modes. "The request" is all up to the empty line of HTTP, or one line of anything else.
 *
 *     ok               the whole answer
 *     hang             says nothing, until the client goes away
 *     drop             closes at once, without reading
 *     close            closes after the request
 *     reset            resets the connection after the request
 *     half             the headers, half of the body they promise, and the end
 *     endless-header   one header line that goes on until the client goes away
 *     endless-headers  header lines until the client goes away
 *     endless-body     headers, the body, and then "x" until the client goes away
 *     slow-body        headers, then the body byte by byte, with the delay before each
 *     garbage          an answer that is not HTTP
 *     plain            the body alone, without a status line or headers, and the end
 *     banner           sends the body in two halves before it reads, with the delay before each,
 *                      then sends back what it receives
 *
 * Requests that are answered rather than served, on the control socket and, in every mode that
 * reads a request (all but drop and banner), on the others too:
 *
 *     GET /_set?mode=hang&delay=50     changes the settings of all sockets for later connections;
 *                                      keys are the options above, values are URL-encoded (so a
 *                                      body can hold %00). 400 when one is wrong; then nothing
 *                                      has changed
 *     GET /_stats                      JSON: {"connections": 12, "requests": 11, "line": "GET /
 *                                      HTTP/1.1", "host": "api.example.com", "user_agent":
 *                                      "har/1.0", "request": "..."}: counts since the start, and
 *                                      the last request's first line, two headers and whole text.
 *                                      What is answered here, or on the control socket, does not
 *                                      count
 */
#include "har_config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX_BYTES 16384
#define BODY_MAX_BYTES 4096
#define HEADER_MAX_BYTES 512
#define ADDRESS_TEXT_MAX 64
#define CONNECTION_STACK_BYTES (256 * 1024)

struct connection;

struct mode {
    const char *name;
    void (*serve)(struct connection *connection);
    bool reads_request;
};

struct settings {
    const struct mode *mode;
    unsigned delay_ms;
    unsigned status;
    char header[HEADER_MAX_BYTES];
    bool has_body; /* else the default */
    char body[BODY_MAX_BYTES];
    size_t body_bytes;
};

struct stats {
    unsigned long connections, requests;
    char request[REQUEST_MAX_BYTES]; /* the last one */
};

struct server {
    pthread_mutex_t lock; /* of the two below */
    struct settings settings;
    struct stats stats;
};

struct listener {
    struct server *server;
    int fd;
    bool control;
    char name[ADDRESS_TEXT_MAX];
};

struct connection {
    const struct listener *listener;
    int fd;
    struct settings settings; /* as they were when it was accepted */
    char request[REQUEST_MAX_BYTES];
    size_t request_bytes;
};

static bool send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void sleep_ms(unsigned ms)
{
    poll(NULL, 0, (int)ms);
}

/* --- modes ------------------------------------------------------------------------------------ */

static const char *body_of(struct connection *connection, size_t *size)
{
    struct settings *settings = &connection->settings;
    if (!settings->has_body) {
        int length = snprintf(settings->body, sizeof settings->body, "this is %s\n",
                              connection->listener->name);
        settings->body_bytes = (size_t)length;
    }
    *size = settings->body_bytes;
    return settings->body;
}

/* The headers; promised is the Content-Length, or -1 for none. */
static bool send_head(struct connection *connection, long promised)
{
    const struct settings *settings = &connection->settings;
    char head[HEADER_MAX_BYTES + 256];
    char length[48] = "";
    if (promised >= 0)
        snprintf(length, sizeof length, "Content-Length: %ld\r\n", promised);
    snprintf(head, sizeof head,
             "HTTP/1.1 %u Test\r\nContent-Type: text/plain\r\nConnection: close\r\n%s%s%s\r\n",
             settings->status, length, settings->header, settings->header[0] ? "\r\n" : "");
    return send_all(connection->fd, head, strlen(head));
}

static bool wants_no_body(const struct connection *connection)
{
    return strncmp(connection->request, "HEAD ", 5) == 0;
}

static void serve_ok(struct connection *connection)
{
    size_t size;
    const char *body = body_of(connection, &size);
    if (send_head(connection, (long)size) && !wants_no_body(connection))
        send_all(connection->fd, body, size);
}

static void serve_hang(struct connection *connection)
{
    char ignored[512];
    while (recv(connection->fd, ignored, sizeof ignored, 0) > 0)
        continue;
}

static void serve_nothing(struct connection *connection)
{
    (void)connection;
}

static void serve_reset(struct connection *connection)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void serve_half(struct connection *connection)
{
    size_t size;
    const char *body = body_of(connection, &size);
    if (send_head(connection, (long)size))
        send_all(connection->fd, body, size / 2);
}

static void send_endlessly(struct connection *connection, const char *text)
{
    while (send_all(connection->fd, text, strlen(text)))
        continue;
}

static void serve_endless_header(struct connection *connection)
{
    static const char start[] = "HTTP/1.1 200 Test\r\nX-Filler: ";
    if (send_all(connection->fd, start, sizeof start - 1))
        send_endlessly(connection, "and so on, and so on, and so on, and so on, and so on, ");
}

static void serve_endless_headers(struct connection *connection)
{
    static const char start[] = "HTTP/1.1 200 Test\r\n";
    if (send_all(connection->fd, start, sizeof start - 1))
        send_endlessly(connection, "X-Filler: and so on, and so on, and so on, and so on\r\n");
}

static void serve_endless_body(struct connection *connection)
{
    size_t size;
    const char *body = body_of(connection, &size);
    if (send_head(connection, -1) && send_all(connection->fd, body, size))
        send_endlessly(connection,
                       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void serve_slow_body(struct connection *connection)
{
    size_t size;
    const char *body = body_of(connection, &size);
    if (!send_head(connection, (long)size))
        return;
    for (size_t i = 0; i < size; i++) {
        sleep_ms(connection->settings.delay_ms);
        if (!send_all(connection->fd, &body[i], 1))
            return;
    }
}

static void serve_garbage(struct connection *connection)
{
    static const char garbage[] = "\x16\x03\x01 \x1b[31mnot HTTP\r\n\r\n\x00\xff";
    send_all(connection->fd, garbage, sizeof garbage - 1);
}

static void serve_plain(struct connection *connection)
{
    size_t size;
    const char *body = body_of(connection, &size);
    send_all(connection->fd, body, size);
}

static void note_request(struct connection *connection);

static void serve_banner(struct connection *connection)
{
    size_t size;
    const char *body = body_of(connection, &size);
    if (!send_all(connection->fd, body, size / 2))
        return;
    sleep_ms(connection->settings.delay_ms);
    if (!send_all(connection->fd, body + size / 2, size - size / 2))
        return;
    for (;;) {
        ssize_t got = recv(connection->fd, connection->request, REQUEST_MAX_BYTES - 1, 0);
        if (got <= 0)
            return;
        connection->request[got] = '\0';
        note_request(connection);
        if (!send_all(connection->fd, connection->request, (size_t)got))
            return;
    }
}

static const struct mode modes[] = {
    {"ok", serve_ok, true},
    {"hang", serve_hang, true},
    {"drop", serve_nothing, false},
    {"close", serve_nothing, true},
    {"reset", serve_reset, true},
    {"half", serve_half, true},
    {"endless-header", serve_endless_header, true},
    {"endless-headers", serve_endless_headers, true},
    {"endless-body", serve_endless_body, true},
    {"slow-body", serve_slow_body, true},
    {"garbage", serve_garbage, true},
    {"plain", serve_plain, true},
    {"banner", serve_banner, false},
};

/* --- settings --------------------------------------------------------------------------------- */

static bool set_mode(struct settings *settings, const char *value)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, value) == 0) {
            settings->mode = &modes[i];
            return true;
        }
    }
    return false;
}

static bool set_number(unsigned *number, const char *value, unsigned low, unsigned high)
{
    char *end;
    errno = 0;
    unsigned long parsed = strtoul(value, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)value[0]) || *end || parsed < low || parsed > high)
        return false;
    *number = (unsigned)parsed;
    return true;
}

static bool set_setting(struct settings *settings, const char *key, const char *value, size_t size)
{
    if (strcmp(key, "mode") == 0)
        return set_mode(settings, value);
    if (strcmp(key, "delay") == 0)
        return set_number(&settings->delay_ms, value, 0, 3600 * 1000);
    if (strcmp(key, "status") == 0)
        return set_number(&settings->status, value, 100, 999);
    if (strcmp(key, "header") == 0 && size < sizeof settings->header) {
        memcpy(settings->header, value, size + 1);
        return true;
    }
    if (strcmp(key, "body") == 0 && size < sizeof settings->body) {
        memcpy(settings->body, value, size + 1);
        settings->body_bytes = size;
        settings->has_body = true;
        return true;
    }
    return false;
}

/* Decodes %XX and '+' in place. Returns the new length. */
static size_t url_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (in[0] == '%' && isxdigit((unsigned char)in[1]) && isxdigit((unsigned char)in[2])) {
            char hex[3] = {in[1], in[2], '\0'};
            *out++ = (char)strtol(hex, NULL, 16);
            in += 2;
        } else {
            *out++ = *in == '+' ? ' ' : *in;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

/* Applies "mode=hang&delay=50", wholly or not at all. */
static bool set_from_query(struct server *server, char *query)
{
    pthread_mutex_lock(&server->lock);
    struct settings changed = server->settings;
    bool good = true;
    char *rest;
    for (char *pair = strtok_r(query, "&", &rest); pair && good;
         pair = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        good = value && set_setting(&changed, pair, value, url_decode(value));
    }
    if (good)
        server->settings = changed;
    pthread_mutex_unlock(&server->lock);
    return good;
}

/* --- statistics ------------------------------------------------------------------------------- */

static void note_request(struct connection *connection)
{
    struct server *server = connection->listener->server;
    pthread_mutex_lock(&server->lock);
    server->stats.requests++;
    memcpy(server->stats.request, connection->request, sizeof server->stats.request);
    pthread_mutex_unlock(&server->lock);
}

static void print_json_string(FILE *out, const char *text, size_t size)
{
    putc('"', out);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

/* The value of a header in a request's text, without its line end; empty when it is missing. */
static void print_json_header(FILE *out, const char *request, const char *name)
{
    const char *line = strchr(request, '\n');
    for (; line; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            line += strlen(name) + 1;
            line += strspn(line, " ");
            break;
        }
    }
    print_json_string(out, line ? line : "", line ? strcspn(line, "\r\n") : 0);
}

/* A new string for free(3), or NULL. */
static char *format_stats(struct server *server)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    pthread_mutex_lock(&server->lock);
    const struct stats *stats = &server->stats;
    fprintf(out, "{\"connections\": %lu, \"requests\": %lu, \"line\": ", stats->connections,
            stats->requests);
    print_json_string(out, stats->request, strcspn(stats->request, "\r\n"));
    fputs(", \"host\": ", out);
    print_json_header(out, stats->request, "Host");
    fputs(", \"user_agent\": ", out);
    print_json_header(out, stats->request, "User-Agent");
    fputs(", \"request\": ", out);
    print_json_string(out, stats->request, strlen(stats->request));
    fputs("}\n", out);
    pthread_mutex_unlock(&server->lock);
    fclose(out);
    return text;
}

/* --- connections ------------------------------------------------------------------------------ */

static bool request_is_whole(const struct connection *connection)
{
    const char *text = connection->request;
    if (strncmp(text, "GET ", 4) == 0 || strncmp(text, "HEAD ", 5) == 0)
        return strstr(text, "\r\n\r\n") || strstr(text, "\n\n");
    return strchr(text, '\n') != NULL;
}

/* Reads a request. False when the client closed before it was whole, or sent too much. */
static bool read_request(struct connection *connection)
{
    while (connection->request_bytes < REQUEST_MAX_BYTES - 1) {
        ssize_t got = recv(connection->fd, connection->request + connection->request_bytes,
                           REQUEST_MAX_BYTES - 1 - connection->request_bytes, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        connection->request_bytes += (size_t)got;
        connection->request[connection->request_bytes] = '\0';
        if (request_is_whole(connection))
            return true;
    }
    return false;
}

static void answer_control(const struct connection *connection, unsigned status, const char *body)
{
    char head[128];
    snprintf(head, sizeof head,
             "HTTP/1.1 %u Control\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
             strlen(body));
    if (send_all(connection->fd, head, strlen(head)))
        send_all(connection->fd, body, strlen(body));
}

/* True when the request was one of the two that change or show the server itself. */
static bool serve_control(struct connection *connection)
{
    static const char set[] = "GET /_set?", stats[] = "GET /_stats";
    struct server *server = connection->listener->server;
    if (strncmp(connection->request, set, sizeof set - 1) == 0) {
        char *query = connection->request + sizeof set - 1;
        query[strcspn(query, " \r\n")] = '\0';
        bool good = set_from_query(server, query);
        answer_control(connection, good ? 200 : 400, good ? "set\n" : "not set\n");
        return true;
    }
    if (strncmp(connection->request, stats, sizeof stats - 1) == 0) {
        char *text = format_stats(server);
        answer_control(connection, text ? 200 : 500, text ? text : "");
        free(text);
        return true;
    }
    if (connection->listener->control)
        answer_control(connection, 404, "GET /_set?KEY=VALUE or GET /_stats\n");
    return connection->listener->control;
}

static void serve(struct connection *connection)
{
    const struct settings *settings = &connection->settings;
    if (connection->listener->control || settings->mode->reads_request) {
        if (!read_request(connection) || serve_control(connection))
            return;
        note_request(connection);
    }
    sleep_ms(settings->delay_ms);
    settings->mode->serve(connection);
}

static void *connection_main(void *arg)
{
    struct connection *connection = arg;
    serve(connection);
    close(connection->fd);
    free(connection);
    return NULL;
}

static void start_connection(const struct listener *listener, int fd)
{
    struct server *server = listener->server;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return;
    }
    connection->listener = listener;
    connection->fd = fd;
    pthread_mutex_lock(&server->lock);
    connection->settings = server->settings;
    server->stats.connections += !listener->control;
    pthread_mutex_unlock(&server->lock);

    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, CONNECTION_STACK_BYTES);
    if (pthread_create(&thread, &attributes, connection_main, connection) != 0) {
        close(fd);
        free(connection);
    }
    pthread_attr_destroy(&attributes);
}

static void *listener_main(void *arg)
{
    const struct listener *listener = arg;
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start_connection(listener, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            sleep_ms(10); /* until a connection ends */
    }
    return NULL;
}

/* --- start ------------------------------------------------------------------------------------ */

/* Splits "127.0.0.1:80" or "[::1]:80" in place. */
static bool split_address(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    if (text[0] != '[')
        return strchr(text, ':') == NULL;
    size_t length = strlen(text);
    if (text[length - 1] != ']')
        return false;
    text[length - 1] = '\0';
    *host = text + 1;
    return true;
}

static void name_listener(struct listener *listener)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    getsockname(listener->fd, (struct sockaddr *)&bound, &length);
    getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(listener->name, sizeof listener->name,
             bound.ss_family == AF_INET6 ? "[%.40s]:%.5s" : "%.40s:%.5s", host, port);
}

static bool open_listener(struct listener *listener, const char *text)
{
    char copy[ADDRESS_TEXT_MAX];
    char *host, *port;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *address;
    snprintf(copy, sizeof copy, "%s", text);
    if (!split_address(copy, &host, &port) || getaddrinfo(host, port, &hints, &address) != 0) {
        fprintf(stderr, "test_server: %s is not ADDRESS:PORT\n", text);
        return false;
    }
    int one = 1;
    listener->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool good = bind(listener->fd, address->ai_addr, address->ai_addrlen) == 0 &&
                listen(listener->fd, SOMAXCONN) == 0;
    if (good)
        name_listener(listener);
    else
        fprintf(stderr, "test_server: %s: %s\n", text, strerror(errno));
    freeaddrinfo(address);
    return good;
}

static bool start_listener(struct server *server, const char *text, bool control)
{
    struct listener *listener = calloc(1, sizeof *listener); /* lives as long as the process */
    pthread_t thread;
    if (!listener)
        return false;
    listener->server = server;
    listener->control = control;
    if (!open_listener(listener, text) ||
        pthread_create(&thread, NULL, listener_main, listener) != 0) {
        free(listener);
        return false;
    }
    pthread_detach(thread);
    printf("%s %s\n", control ? "control" : "ready", listener->name);
    fflush(stdout);
    return true;
}

static int usage(void)
{
    fputs("usage: test_server [--mode MODE] [--delay MS] [--status N] [--header LINE]\n"
          "                   [--body TEXT] [--control ADDRESS:PORT] ADDRESS:PORT...\n"
          "modes:",
          stderr);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        fprintf(stderr, " %s", modes[i].name);
    fputs("\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"mode", required_argument, NULL, 's'},
        {"delay", required_argument, NULL, 's'},
        {"status", required_argument, NULL, 's'},
        {"header", required_argument, NULL, 's'},
        {"body", required_argument, NULL, 's'},
        {"control", required_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    struct server server = {.lock = PTHREAD_MUTEX_INITIALIZER,
                            .settings = {.mode = &modes[0], .status = 200}};
    const char *control = NULL;
    int option, index;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == 'c')
            control = optarg;
        else if (option != 's' ||
                 !set_setting(&server.settings, options[index].name, optarg, strlen(optarg)))
            return usage();
    }
    if (optind == argc)
        return usage();

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* in all threads: main waits for them */
    if (control && !start_listener(&server, control, true))
        return 1;
    for (int i = optind; i < argc; i++) {
        if (!start_listener(&server, argv[i], false))
            return 1;
    }
    int signal_number;
    sigwait(&signals, &signal_number);
    _exit(0); /* not through main's return: the threads still use its variables */
}
