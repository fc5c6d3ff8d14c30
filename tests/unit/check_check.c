/* hard/check.h against real sockets: test_server (plain) and `openssl s_server` (TLS), both on
 * loopback. Nothing here sleeps to hope; what does not come within DEADLINE_S fails. */
#include "har_config.h"

#include "hard/check_run.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"

#define DEADLINE_S 10.
#define NO_ROUTE "127.255.255.255" /* a broadcast: Linux has none for TCP, in whatever network */
#define SHORT_MS 250               /* time limit of a check that is meant to run into it */

/* --- peers ------------------------------------------------------------------------------------ */

/* A process that serves until the test ends. */
struct peer {
    pid_t pid;
    int in, out; /* its standard input and output */
    uint16_t port;
};

static void start_process(struct peer *peer, char *const *argv)
{
    int in[2], out[2];
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    peer->pid = fork();
    ck_assert_int_ge(peer->pid, 0);
    if (peer->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    peer->in = in[1];
    peer->out = out[0];
}

/* The port in the line that starts with word, which the process prints once it listens. */
static uint16_t read_port(const struct peer *peer, const char *word)
{
    char line[256];
    size_t length = 0;
    while (read(peer->out, &line[length], 1) == 1) {
        if (line[length] != '\n' && length + 2 < sizeof line) {
            length++;
            continue;
        }
        line[length] = '\0';
        if (strncmp(line, word, strlen(word)) == 0)
            return (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
        length = 0;
    }
    ck_abort_msg("the peer did not start");
}

static struct peer start_server(const char *address)
{
    const char *build = getenv("HAR_BUILDDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/support/test_server", build ? build : ".");
    struct peer peer;
    start_process(&peer, (char *[]){path, (char *)address, NULL});
    peer.port = read_port(&peer, "ready ");
    return peer;
}

static char *tls_folder; /* see make_certificates */

/* arguments: what s_server needs beside its address, such as "-cert good.pem -key good.key". */
static struct peer start_tls(const char *arguments)
{
    char command[1024];
    struct peer peer;
    snprintf(command, sizeof command, "cd %s && exec openssl s_server -accept 127.0.0.1:0 %s 2>&1",
             tls_folder, arguments);
    start_process(&peer, (char *[]){(char *)"/bin/sh", (char *)"-c", command, NULL});
    peer.port = read_port(&peer, "ACCEPT ");
    return peer;
}

static void stop_peer(struct peer *peer)
{
    kill(peer->pid, SIGKILL);
    close(peer->in);
    close(peer->out);
}

static int connect_to(in_addr_t host, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(host)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* One of test_server's control requests. The answer with its headers; the next call overwrites it.
 */
static const char *control_at(in_addr_t host, const struct peer *peer, const char *what)
{
    static char answer[65536];
    size_t length = 0;
    ssize_t got;
    int fd = connect_to(host, peer->port);
    dprintf(fd, "GET %s HTTP/1.1\r\n\r\n", what);
    while ((got = read(fd, answer + length, sizeof answer - 1 - length)) > 0)
        length += (size_t)got;
    close(fd);
    answer[length] = '\0';
    ck_assert_msg(strncmp(answer, "HTTP/1.1 200", 12) == 0, "%s: %s", what, answer);
    return answer;
}

static const char *control(const struct peer *peer, const char *what)
{
    return control_at(INADDR_LOOPBACK, peer, what);
}

/* A port of 127.0.0.1 that is bound: without listening it refuses, with an accept queue that is
 * full it is silent. The socket stays open until the test ends. */
static uint16_t closed_port(bool silent)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    if (silent) {
        ck_assert_int_eq(listen(fd, 0), 0);
        connect_to(INADDR_LOOPBACK, ntohs(address.sin_port));
    }
    return ntohs(address.sin_port);
}

/* --- checks ----------------------------------------------------------------------------------- */

static struct ev_loop *loop;
static struct checker *checker;

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    struct har_error error = {0};
    loop = ev_loop_new(EVFLAG_AUTO);
    checker = checker_new(loop, &error);
    ck_assert_msg(checker != NULL, "%s", error.text);
}

static void tear_down(void)
{
    checker_free(checker);
    ev_loop_destroy(loop);
}

struct outcome {
    int calls;
    struct check_result result;
};

static void on_done(void *arg, const struct check_result *result)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    outcome->result = *result;
    ev_break(loop, EVBREAK_ONE);
}

static void on_deadline(struct ev_loop *ev, struct ev_timer *timer, int events)
{
    (void)events;
    *(bool *)timer->data = true;
    ev_break(ev, EVBREAK_ONE);
}

/* Runs the loop until *count is wanted; what changes it breaks the loop. */
static void run_until(const int *count, int wanted)
{
    bool late = false;
    struct ev_timer deadline;
    ev_timer_init(&deadline, on_deadline, DEADLINE_S, 0.);
    deadline.data = &late;
    ev_now_update(loop);
    ev_timer_start(loop, &deadline);
    while (*count != wanted && !late)
        ev_run(loop, 0);
    ev_timer_stop(loop, &deadline);
    ck_assert_msg(!late, "still waiting: %d of %d", *count, wanted);
}

/* Runs the loop for some time, for what should not happen. */
static void run_for_ms(int ms)
{
    bool over = false;
    struct ev_timer timer;
    ev_timer_init(&timer, on_deadline, ms / 1000., 0.);
    timer.data = &over;
    ev_now_update(loop);
    ev_timer_start(loop, &timer);
    while (!over)
        ev_run(loop, 0);
}

static struct check_target target_of(const struct config_check *wanted)
{
    struct check_target target = {.check = wanted};
    ck_assert_int_eq(har_address_parse("127.0.0.1", &target.address), 0);
    return target;
}

/* Does one check from start to end. */
static struct check_result ask_target(const struct check_target *target)
{
    struct outcome outcome;
    memset(&outcome, 0xa5, sizeof outcome);
    outcome.calls = 0;
    struct check *check = check_start(checker, target, on_done, &outcome);
    ck_assert_ptr_nonnull(check);
    ck_assert_int_eq(outcome.calls, 0);
    run_until(&outcome.calls, 1);
    ck_assert_ptr_nonnull(memchr(outcome.result.detail, '\0', sizeof outcome.result.detail));
    for (const char *c = outcome.result.detail; *c; c++)
        ck_assert_msg(*c >= ' ' && *c <= '~', "unprintable: %s", outcome.result.detail);
    return outcome.result;
}

static struct check_result ask(const struct config_check *wanted)
{
    struct check_target target = target_of(wanted);
    return ask_target(&target);
}

static struct config_status_range good_statuses[] = {{200, 299}};
static char name[] = "api.example.com", root[] = "/";

/* What the configuration says without more words. */
static struct config_check plain(enum check_type type, uint16_t port)
{
    return (struct config_check){
        .type = type,
        .port = port,
        .path = root,
        .host = name,
        .statuses = good_statuses,
        .status_count = 1,
        .tls_verify = true,
        .timeout_ms = 5000,
    };
}

static void assert_result(const struct check_result *result, enum check_reason reason,
                          const char *detail, const char *what)
{
    ck_assert_msg(result->reason == reason, "%s: %s instead of %s (%s)", what,
                  check_reason_text(result->reason), check_reason_text(reason), result->detail);
    ck_assert_msg(strstr(result->detail, detail) != NULL, "%s: \"%s\" not in \"%s\"", what, detail,
                  result->detail);
}

static void expect(const struct config_check *wanted, enum check_reason reason, const char *detail)
{
    struct check_result result = ask(wanted);
    assert_result(&result, reason, detail, detail);
}

static regex_t compile(const char *expression)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB), 0);
    return regex;
}

static const enum check_type kinds[] = {CHECK_HTTP, CHECK_HTTPS, CHECK_TCP, CHECK_TLS};
#define KIND_COUNT ((int)(sizeof kinds / sizeof kinds[0]))

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* --- any kind --------------------------------------------------------------------------------- */

START_TEST(reasons_have_the_words_of_the_log)
{
    static const char *const words[] = {
        "ok",          "dns-failed", "connect-refused",  "connect-timeout",
        "unreachable", "tls-failed", "response-timeout", "bad-status",
        "bad-body",    "closed",     "local-error"};
    for (int i = 0; i <= REASON_LOCAL_ERROR; i++)
        ck_assert_str_eq(check_reason_text((enum check_reason)i), words[i]);
}
END_TEST

/* Local is only what another machine, or this one in a minute, could not see just the same. */
START_TEST(what_the_network_reports_is_no_local_error)
{
    static const struct {
        int error;
        enum check_reason reason;
    } rows[] = {{ECONNREFUSED, REASON_CONNECT_REFUSED},
                {ETIMEDOUT, REASON_CONNECT_TIMEOUT},
                {EHOSTUNREACH, REASON_UNREACHABLE},
                {ENETUNREACH, REASON_UNREACHABLE},
                {EACCES, REASON_UNREACHABLE},
                {EPERM, REASON_UNREACHABLE},
                {EINVAL, REASON_UNREACHABLE},
                {EADDRNOTAVAIL, REASON_UNREACHABLE},
                {ECONNRESET, REASON_CLOSED},
                {EMFILE, REASON_LOCAL_ERROR},
                {ENFILE, REASON_LOCAL_ERROR},
                {ENOBUFS, REASON_LOCAL_ERROR},
                {ENOMEM, REASON_LOCAL_ERROR}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(check_reason_of_errno(rows[i].error) == rows[i].reason, "%s",
                      strerror(rows[i].error));
}
END_TEST

START_TEST(none_is_always_up)
{
    struct config_check wanted = plain(CHECK_NONE, 0);
    expect(&wanted, REASON_OK, "");
}
END_TEST

START_TEST(a_port_without_a_listener_refuses)
{
    struct config_check wanted = plain(kinds[_i], closed_port(false));
    struct check_result result = ask(&wanted);
    assert_result(&result, REASON_CONNECT_REFUSED, "", "");
    ck_assert_uint_eq(result.connect_us, 0);
    ck_assert_uint_gt(result.total_us, 0);
}
END_TEST

START_TEST(a_silent_host_times_out)
{
    struct config_check wanted = plain(kinds[_i], closed_port(true));
    wanted.timeout_ms = SHORT_MS;
    struct check_result result = ask(&wanted);
    assert_result(&result, REASON_CONNECT_TIMEOUT, "", "");
    ck_assert_uint_eq(result.connect_us, 0);
    ck_assert_uint_ge(result.total_us, SHORT_MS * 1000 - 1000);
    ck_assert_uint_lt(result.total_us, SHORT_MS * 1000 + 2000000);
}
END_TEST

START_TEST(an_address_without_a_route_is_unreachable)
{
    struct config_check wanted = plain(kinds[_i], 80);
    struct check_target target = {.check = &wanted};
    ck_assert_int_eq(har_address_parse(NO_ROUTE, &target.address), 0);
    struct check_result result = ask_target(&target);
    assert_result(&result, REASON_UNREACHABLE, "Network is unreachable", "");
}
END_TEST

START_TEST(running_out_of_descriptors_is_a_local_error)
{
    struct config_check wanted = plain(kinds[_i], closed_port(false));
    int first_free = dup(0);
    close(first_free);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)first_free;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect(&wanted, REASON_LOCAL_ERROR, "Too many open files");
    /* The same handle, with a descriptor: nothing is left of the error. */
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    expect(&wanted, REASON_CONNECT_REFUSED, "");
}
END_TEST

START_TEST(ipv6_works)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&loopback, sizeof loopback) < 0)
        return; /* not on this machine */
    close(fd);
    struct peer server = start_server("[::1]:0");
    struct config_check wanted = plain(_i == 0 ? CHECK_HTTP : CHECK_TCP, server.port);
    struct check_target target = {.check = &wanted};
    ck_assert_int_eq(har_address_parse("::1", &target.address), 0);
    struct check_result result = ask_target(&target);
    assert_result(&result, REASON_OK, "", "");
    ck_assert_uint_gt(result.connect_us, 0);
}
END_TEST

/* --- http ------------------------------------------------------------------------------------- */

START_TEST(a_good_answer_is_ok)
{
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    control(&server, "/_set?delay=20");
    struct check_result result = ask(&wanted);
    assert_result(&result, REASON_OK, "status 200", "");
    ck_assert_uint_gt(result.connect_us, 0);
    ck_assert_uint_ge(result.total_us, result.connect_us + 20000);
}
END_TEST

START_TEST(the_request_is_what_was_configured)
{
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    char path[] = "/health/../x?full=1&a=%20";
    wanted.path = path;
    expect(&wanted, REASON_OK, "status 200");
    const char *stats = control(&server, "/_stats");
    char host[64];
    snprintf(host, sizeof host, "\"host\": \"api.example.com:%u\"", server.port);
    ck_assert_ptr_nonnull(strstr(stats, "\"line\": \"GET /health/../x?full=1&a=%20 HTTP/1.1\""));
    ck_assert_ptr_nonnull(strstr(stats, host));
    ck_assert_ptr_nonnull(strstr(stats, "\"user_agent\": \"har/" PACKAGE_VERSION "\""));
    ck_assert_ptr_nonnull(strstr(stats, "Connection: close\\u000d"));
}
END_TEST

START_TEST(headers_are_sent_and_replace_our_own)
{
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    char first[] = "X-First: one; two", empty[] = "X-Empty:", agent[] = "User-Agent: probe";
    char connection[] = "connection: keep-alive";
    wanted.headers = (char *[]){first, empty, agent, connection};
    wanted.header_count = 4;
    expect(&wanted, REASON_OK, "status 200");
    const char *stats = control(&server, "/_stats");
    ck_assert_ptr_nonnull(strstr(stats, "X-First: one; two\\u000d"));
    ck_assert_ptr_nonnull(strstr(stats, "X-Empty:\\u000d"));
    ck_assert_ptr_nonnull(strstr(stats, "\"user_agent\": \"probe\""));
    ck_assert_ptr_nonnull(strstr(stats, "connection: keep-alive"));
    ck_assert_ptr_null(strstr(stats, "Connection: close\\u000d"));
    ck_assert_ptr_null(strstr(stats, "har/"));

    wanted.header_count = 0; /* nothing of it stays in the handle */
    expect(&wanted, REASON_OK, "status 200");
    stats = control(&server, "/_stats");
    ck_assert_ptr_null(strstr(stats, "X-First"));
    ck_assert_ptr_nonnull(strstr(stats, "Connection: close\\u000d"));
}
END_TEST

START_TEST(head_asks_for_no_body)
{
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    wanted.method = METHOD_HEAD;
    expect(&wanted, REASON_OK, "status 200");
    ck_assert_ptr_nonnull(strstr(control(&server, "/_stats"), "\"line\": \"HEAD / HTTP/1.1\""));
    wanted.method = METHOD_GET; /* on the same handle */
    expect(&wanted, REASON_OK, "status 200");
    ck_assert_ptr_nonnull(strstr(control(&server, "/_stats"), "\"line\": \"GET / HTTP/1.1\""));
}
END_TEST

START_TEST(a_name_without_a_port_is_sent_for_port_80)
{
    in_addr_t host = INADDR_LOOPBACK + 0x700; /* 127.0.7.1 */
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = {htonl(host)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return; /* needs root and a port 80 that nobody else has: tested where it can be */
    close(fd);
    struct peer server = start_server("127.0.7.1:80");
    struct config_check wanted = plain(CHECK_HTTP, 80);
    struct check_target target = {.check = &wanted};
    ck_assert_int_eq(har_address_parse("127.0.7.1", &target.address), 0);
    struct check_result result = ask_target(&target);
    assert_result(&result, REASON_OK, "status 200", "");
    const char *stats = control_at(host, &server, "/_stats");
    ck_assert_ptr_nonnull(strstr(stats, "\"host\": \"api.example.com\""));
}
END_TEST

START_TEST(proxies_of_the_environment_are_ignored)
{
    char dead[64];
    snprintf(dead, sizeof dead, "http://127.0.0.1:%u", closed_port(false));
    setenv("http_proxy", dead, 1);
    setenv("https_proxy", dead, 1);
    setenv("all_proxy", dead, 1);
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    expect(&wanted, REASON_OK, "status 200");
}
END_TEST

/* What test_server does, and what it means. */
static const struct {
    const char *settings;
    enum check_reason reason;
    const char *detail;
} answers[] = {
    {"mode=ok&status=204", REASON_OK, "status 204"},
    {"mode=ok&status=199&body=", REASON_CLOSED, ""}, /* announces an answer that never comes */
    {"mode=ok&status=101", REASON_BAD_STATUS, "status 101"},
    {"mode=ok&status=404", REASON_BAD_STATUS, "status 404"},
    {"mode=ok&status=302&header=Location:+/elsewhere", REASON_BAD_STATUS, "status 302"},
    {"mode=half&status=500", REASON_BAD_STATUS, "status 500"},
    {"mode=hang", REASON_RESPONSE_TIMEOUT, "it said nothing"},
    {"mode=slow-body&delay=25", REASON_RESPONSE_TIMEOUT, "in the middle of its answer"},
    {"mode=drop", REASON_CLOSED, ""},
    {"mode=close", REASON_CLOSED, "Empty reply"},
    {"mode=reset", REASON_CLOSED, "reset by peer"},
    {"mode=half", REASON_CLOSED, "bytes remaining"},
    {"mode=endless-header", REASON_BAD_STATUS, "a header line is too long"},
    {"mode=endless-headers", REASON_BAD_STATUS, "headers of more than 65536 bytes"},
    {"mode=endless-body", REASON_OK, "status 200"},
    {"mode=garbage", REASON_BAD_STATUS, "no HTTP"},
    {"mode=plain", REASON_BAD_STATUS, "no HTTP"},
};
#define ANSWER_COUNT ((int)(sizeof answers / sizeof answers[0]))

START_TEST(every_answer_has_its_reason)
{
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    char settings[128];
    snprintf(settings, sizeof settings, "/_set?%s", answers[_i].settings);
    control(&server, settings);
    if (answers[_i].reason == REASON_RESPONSE_TIMEOUT)
        wanted.timeout_ms = SHORT_MS;
    struct check_result result = ask(&wanted);
    assert_result(&result, answers[_i].reason, answers[_i].detail, answers[_i].settings);
    ck_assert_uint_gt(result.connect_us, 0);
    ck_assert_uint_gt(result.total_us, 0);
    if (strcmp(answers[_i].settings, "mode=drop") != 0) /* then it reads nothing */
        ck_assert_ptr_nonnull(strstr(control(&server, "/_stats"), "\"requests\": 1,"));
}
END_TEST

START_TEST(status_ranges_decide)
{
    struct config_status_range ranges[] = {{200, 204}, {301, 301}, {500, 599}};
    static const struct {
        int status;
        bool good;
    } cases[] = {{200, true},  {204, true},  {205, false}, {300, false}, {301, true},
                 {302, false}, {499, false}, {500, true},  {599, true},  {600, false}};
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    wanted.statuses = ranges;
    wanted.status_count = 3;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char setting[64], detail[64];
        snprintf(setting, sizeof setting, "/_set?status=%d", cases[i].status);
        snprintf(detail, sizeof detail, "status %d", cases[i].status);
        control(&server, setting);
        expect(&wanted, cases[i].good ? REASON_OK : REASON_BAD_STATUS, detail);
    }
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
    struct config_status_range range = {200, 399};
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    wanted.statuses = &range;
    control(&server, "/_set?status=302&header=Location:+/elsewhere");
    expect(&wanted, REASON_OK, "status 302");
    ck_assert_ptr_nonnull(strstr(control(&server, "/_stats"), "\"requests\": 1,"));
}
END_TEST

START_TEST(the_body_decides)
{
    struct peer server = start_server("127.0.0.1:0");
    static const struct {
        const char *settings, *text, *expression;
        enum check_reason reason;
        const char *detail;
    } cases[] = {
        {"body=all+is+well", "is well", NULL, REASON_OK, "status 200"},
        {"body=all+is+well", "is bad", NULL, REASON_BAD_BODY, "text not in 11 bytes"},
        {"body=all+is+well", NULL, "^all .* w[e]ll$", REASON_OK, "status 200"},
        {"body=all+is+well", NULL, "^well", REASON_BAD_BODY, "no match in 11 bytes"},
        {"body=all+is+well", "all", "bad", REASON_BAD_BODY, "no match"},
        {"body=all+is+well", "bad", "all", REASON_BAD_BODY, "text not in"},
        {"body=", "x", NULL, REASON_BAD_BODY, "text not in 0 bytes"},
        {"body=", NULL, "x", REASON_BAD_BODY, "no match in 0 bytes"},
        {"body=", NULL, "^$", REASON_OK, "status 200"},
        {"body=a%00b", "b", NULL, REASON_OK, "status 200"},
        {"body=a%00b", NULL, "b$", REASON_OK, "status 200"},
        {"status=500&body=all", "all", NULL, REASON_BAD_STATUS, "status 500"},
        {"mode=slow-body&delay=1&body=all+is+well", "is well", NULL, REASON_OK, "status 200"},
        {"mode=endless-body&body=all", "all", NULL, REASON_OK, "status 200"},
        {"mode=endless-body&body=all", "none", NULL, REASON_BAD_BODY, "not in 65536 bytes"},
        {"mode=endless-body&body=all", NULL, "x{200}", REASON_OK, "status 200"},
        {"mode=endless-body&body=all", NULL, "y", REASON_BAD_BODY, "in 65536 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config_check wanted = plain(CHECK_HTTP, server.port);
        char settings[128];
        snprintf(settings, sizeof settings, "/_set?mode=ok&status=200&%s", cases[i].settings);
        control(&server, settings);
        regex_t regex = compile(cases[i].expression ? cases[i].expression : "");
        wanted.body = (char *)cases[i].text;
        wanted.body_regex = (char *)cases[i].expression;
        wanted.body_regex_compiled = &regex;
        struct check_result result = ask(&wanted);
        assert_result(&result, cases[i].reason, cases[i].detail, settings);
        regfree(&regex);
    }
}
END_TEST

/* --- tcp -------------------------------------------------------------------------------------- */

START_TEST(every_talk_has_its_reason)
{
    static const struct {
        const char *settings, *send, *expect;
        enum check_reason reason;
        const char *detail;
    } cases[] = {
        {"mode=hang", NULL, NULL, REASON_OK, ""},
        {"mode=hang", "PING\n", NULL, REASON_OK, ""},
        {"mode=hang", "PING\n", "PONG", REASON_RESPONSE_TIMEOUT, "it said nothing"},
        {"mode=hang", NULL, "220", REASON_RESPONSE_TIMEOUT, "it said nothing"},
        {"mode=drop", NULL, "220", REASON_CLOSED, "before it said anything"},
        {"mode=close", "PING\n", "PONG", REASON_CLOSED, "before it said anything"},
        {"mode=reset", "PING\n", "PONG", REASON_CLOSED, "reset by peer"},
        {"mode=plain&body=-ERR%1b", "PING\n", "+PONG", REASON_BAD_BODY, "in 5 bytes: -ERR?"},
        {"mode=plain&body=a%00%2BPONG", "PING\n", "+PONG", REASON_OK, ""},
        {"mode=banner&body=220+ready", NULL, "220 r", REASON_OK, ""},
        {"mode=banner&body=220+ready&delay=20", NULL, "220 ready", REASON_OK, ""},
        {"mode=banner&body=220+ready", "echo\n", "readyecho\n", REASON_OK, ""},
        {"mode=banner&body=220+ready", NULL, "221", REASON_RESPONSE_TIMEOUT, "not in 9 bytes"},
        {"mode=endless-headers", "PING\n", "PONG", REASON_BAD_BODY, "in 65536 bytes: HTTP/1.1"},
    };
    struct peer server = start_server("127.0.0.1:0");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer one = start_server("127.0.0.1:0");
        char settings[128];
        snprintf(settings, sizeof settings, "/_set?%s", cases[i].settings);
        control(&one, settings);
        struct config_check wanted = plain(CHECK_TCP, one.port);
        wanted.send = (char *)cases[i].send;
        wanted.expect = (char *)cases[i].expect;
        if (cases[i].reason == REASON_RESPONSE_TIMEOUT)
            wanted.timeout_ms = SHORT_MS;
        struct check_result result = ask(&wanted);
        assert_result(&result, cases[i].reason, cases[i].detail, settings);
        ck_assert_uint_gt(result.connect_us, 0);
        ck_assert_uint_ge(result.total_us, result.connect_us);
        stop_peer(&one);
    }
    stop_peer(&server);
}
END_TEST

/* --- TLS -------------------------------------------------------------------------------------- */

/* Makes, in a folder of its own, a CA and certificates of it: good (api.example.com), other
 * (another name) and expired; and client, which belongs to nobody. Once for all tests. */
static void make_certificates(void)
{
    static char folder[] = "/tmp/check_check.XXXXXX";
    tls_folder = mkdtemp(folder);
    ck_assert_ptr_nonnull(tls_folder);
    static const char script[] =
        "cd %s && exec >log 2>&1 || exit 1\n"
        "key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
        "leaf() {\n"
        "    openssl req $key -keyout $1.key -subj /CN=test -out $1.csr || return\n"
        "    echo \"subjectAltName=DNS:$2\" >$1.ext; name=$1; shift 2\n"
        "    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial \\\n"
        "        -extfile $name.ext -out $name.pem \"$@\"\n"
        "}\n"
        "openssl req -x509 $key -keyout ca.key -subj /CN=ca -days 2 -out ca.pem &&\n"
        "cp ca.pem same-ca.pem &&\n"
        "leaf good api.example.com -days 2 &&\n"
        "leaf other www.example.org -days 2 &&\n"
        "{ leaf expired api.example.com -days -1 ||\n" /* OpenSSL up to 3.3 */
        "  leaf expired api.example.com -not_before 20200101000000Z -not_after 20200102000000Z; "
        "}\n";
    char command[2048];
    snprintf(command, sizeof command, script, tls_folder);
    ck_assert_msg(system(command) == 0, "openssl failed: see %s/log", tls_folder);
}

static void remove_certificates(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", tls_folder);
    ck_assert_int_eq(system(command), 0);
}

/* Of one static buffer for each use at a time. */
static char *tls_file(const char *file)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", tls_folder, file);
    return path;
}

#define GOOD "-cert good.pem -key good.key -www"
#define OTHER "-cert other.pem -key other.key -www"
#define EXPIRED "-cert expired.pem -key expired.key -www"

START_TEST(certificates_decide)
{
    static const struct {
        const char *server;
        bool known_ca, verify;
        enum check_reason reason;
        const char *detail;
    } cases[] = {
        {GOOD, true, true, REASON_OK, ""},
        {GOOD " -no_tls1_3", true, true, REASON_OK, ""},
        {GOOD, false, true, REASON_TLS_FAILED, "issuer"},
        {OTHER, true, true, REASON_TLS_FAILED, "api.example.com"},
        {EXPIRED, true, true, REASON_TLS_FAILED, "expired"},
        {GOOD, false, false, REASON_OK, ""},
        {OTHER, true, false, REASON_OK, ""},
        {EXPIRED, true, false, REASON_OK, ""},
        {GOOD " -CAfile ca.pem -Verify 1 -verify_return_error", true, true, REASON_TLS_FAILED,
         "alert"},
        /* The name goes with the handshake: without it, other.pem would be shown. */
        {OTHER " -servername api.example.com -cert2 good.pem -key2 good.key", true, true, REASON_OK,
         ""},
    };
    enum check_type type = _i == 0 ? CHECK_HTTPS : CHECK_TLS;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer server = start_tls(cases[i].server);
        struct config_check wanted = plain(type, server.port);
        wanted.ca_file = cases[i].known_ca ? tls_file("ca.pem") : NULL;
        wanted.tls_verify = cases[i].verify;
        bool client_wanted = strstr(cases[i].server, "-Verify") != NULL;
        if (client_wanted && type == CHECK_TLS)
            wanted.expect =
                name; /* with TLS 1.3 the handshake succeeds, and then comes the alert */
        struct check_result result = ask(&wanted);
        assert_result(&result, cases[i].reason, cases[i].detail, cases[i].server);
        ck_assert_uint_gt(result.connect_us, 0); /* TCP's, whatever came of TLS */
        ck_assert_uint_gt(result.total_us, result.connect_us);
        stop_peer(&server);
    }
}
END_TEST

/* How often files were opened since the last call, as inotify tells. */
static int count_opened(int inotify)
{
    int count = 0;
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t got;
    while ((got = read(inotify, buffer, sizeof buffer)) > 0)
        count += (int)((size_t)got / sizeof(struct inotify_event)); /* a file's have no name */
    return count;
}

START_TEST(each_ca_file_is_read_once)
{
    struct peer server = start_tls(GOOD);
    struct config_check first = plain(CHECK_HTTPS, server.port), second = first, third = first;
    first.ca_file = tls_file("ca.pem");
    second.ca_file = tls_file("same-ca.pem");
    third.type = CHECK_TLS; /* with the system's, wherever that is */
    int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(inotify, first.ca_file, IN_OPEN), 0);
    ck_assert_int_ge(inotify_add_watch(inotify, second.ca_file, IN_OPEN), 0);
    int opened = 0;
    for (int round = 0; round < 10; round++) {
        expect(&first, REASON_OK, "status 200");
        expect(&second, REASON_OK, "status 200");
        ask(&third);
        opened += count_opened(inotify); /* now: equal ones in a row are told as one */
    }
    ck_assert_int_ge(opened, 2);
    ck_assert_int_le(opened, 4); /* each again, should all this take more than a minute */
    close(inotify);
}
END_TEST

START_TEST(a_client_certificate_is_shown)
{
    struct peer server = start_tls(GOOD " -CAfile ca.pem -Verify 1 -verify_return_error");
    struct config_check wanted = plain(CHECK_HTTPS, server.port);
    wanted.ca_file = tls_file("ca.pem");
    wanted.cert_file = tls_file("good.pem");
    wanted.key_file = tls_file("good.key");
    expect(&wanted, REASON_OK, "status 200");
    wanted.key_file = tls_file("missing.key");
    expect(&wanted, REASON_LOCAL_ERROR, "");
    wanted.key_file = tls_file("good.key");
    wanted.ca_file = tls_file("missing.pem");
    expect(&wanted, REASON_LOCAL_ERROR, "");
}
END_TEST

START_TEST(a_server_without_tls_fails_the_handshake)
{
    struct peer server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(_i == 0 ? CHECK_HTTPS : CHECK_TLS, server.port);
    control(&server, "/_set?mode=banner");
    struct check_result result = ask(&wanted);
    assert_result(&result, REASON_TLS_FAILED, "", "banner");
    ck_assert_uint_gt(result.connect_us, 0);
    stop_peer(&server);
    server = start_server("127.0.0.1:0");
    control(&server, "/_set?mode=hang");
    wanted.port = server.port;
    wanted.timeout_ms = SHORT_MS;
    result = ask(&wanted);
    assert_result(&result, REASON_RESPONSE_TIMEOUT, "in the TLS handshake", "hang");
    ck_assert_uint_gt(result.connect_us, 0);
    ck_assert_uint_lt(result.connect_us, SHORT_MS * 1000 / 2);
}
END_TEST

START_TEST(https_needs_an_answer)
{
    struct peer server = start_tls("-cert good.pem -key good.key"); /* says nothing */
    struct config_check wanted = plain(CHECK_HTTPS, server.port);
    wanted.ca_file = tls_file("ca.pem");
    wanted.timeout_ms = 1000;
    expect(&wanted, REASON_RESPONSE_TIMEOUT, "it said nothing");
    stop_peer(&server);
    server = start_tls("-cert good.pem -key good.key -rev"); /* reverses each line */
    wanted.port = server.port;
    expect(&wanted, REASON_BAD_STATUS, "no HTTP");
}
END_TEST

START_TEST(a_talk_goes_over_tls)
{
    static const struct {
        const char *send, *expect;
        enum check_reason reason;
        const char *detail;
    } cases[] = {
        {"olleh\n", "hello", REASON_OK, ""},
        {"olleh\n", NULL, REASON_OK, ""},
        {"olleh\n", "olleh", REASON_RESPONSE_TIMEOUT, "not in 6 bytes"},
        {NULL, "hello", REASON_RESPONSE_TIMEOUT, "it said nothing"},
        {"CLOSE\n", "hello", REASON_CLOSED, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer server = start_tls("-cert good.pem -key good.key -rev");
        struct config_check wanted = plain(CHECK_TLS, server.port);
        wanted.ca_file = tls_file("ca.pem");
        wanted.timeout_ms = cases[i].reason == REASON_RESPONSE_TIMEOUT ? 1000 : 5000;
        wanted.send = (char *)cases[i].send;
        wanted.expect = (char *)cases[i].expect;
        struct check_result result = ask(&wanted);
        assert_result(&result, cases[i].reason, cases[i].detail, cases[i].send);
        ck_assert_uint_gt(result.connect_us, 0);
        ck_assert_uint_gt(result.total_us, result.connect_us);
        stop_peer(&server);
    }
}
END_TEST

/* Runs the loop until the peer has printed text. */
static void run_until_printed(const struct peer *peer, const char *text)
{
    char printed[8192] = "";
    size_t length = 0;
    struct pollfd heard = {.fd = peer->out, .events = POLLIN};
    for (double start = ev_time(); !strstr(printed, text);) {
        ck_assert_msg(ev_time() < start + DEADLINE_S, "no \"%s\" in %s", text, printed);
        run_for_ms(5);
        if (poll(&heard, 1, 0) <= 0)
            continue;
        ssize_t got = read(peer->out, printed + length, sizeof printed - 1 - length);
        ck_assert_msg(got > 0, "no \"%s\" in %s", text, printed);
        length += (size_t)got;
    }
}

START_TEST(the_last_word_over_tls_arrives)
{
    struct peer server = start_tls("-cert good.pem -key good.key");
    struct config_check wanted = plain(CHECK_TLS, server.port);
    wanted.ca_file = tls_file("ca.pem");
    wanted.send = (char *)"hello\n";
    expect(&wanted, REASON_OK, "");
    run_until_printed(&server, "hello\n");
}
END_TEST

/* When libcurl starts a transfer it may close idle connections on which the peer has spoken or
 * gone, once in a second. That of a tls check that talks is not to be taken for one. */
START_TEST(another_check_does_not_end_a_tls_talk)
{
    struct peer server = start_tls("-cert good.pem -key good.key");
    struct peer plain_server = start_server("127.0.0.1:0");
    struct config_check wanted = plain(CHECK_TLS, server.port);
    struct config_check other = plain(CHECK_HTTP, plain_server.port);
    wanted.ca_file = other.ca_file = tls_file("ca.pem"); /* for both to be in one multi handle */
    wanted.send = (char *)"hello\n";
    wanted.expect = (char *)"220 ready";
    struct check_target target = target_of(&wanted), other_target = target_of(&other);
    struct outcome outcome = {0}, other_outcome = {0};
    ck_assert_ptr_nonnull(check_start(checker, &target, on_done, &outcome));
    run_until_printed(&server, "hello\n");

    bool replies = _i == 0;
    if (replies)
        ck_assert_int_eq(write(server.in, "220 ready\n", 10), 10);
    else
        kill(server.pid, SIGKILL);
    poll(NULL, 0, 1500); /* all this comes in while the loop does not run */
    ck_assert_ptr_nonnull(check_start(checker, &other_target, on_done, &other_outcome));
    run_until(&outcome.calls, 1);
    assert_result(&outcome.result, replies ? REASON_OK : REASON_CLOSED, "", "");
    run_until(&other_outcome.calls, 1);
}
END_TEST

/* --- starting and cancelling ------------------------------------------------------------------ */

START_TEST(a_cancelled_check_is_silent)
{
    /* Before the loop ran, while connecting, while waiting for an answer. */
    struct peer server = start_server("127.0.0.1:0");
    control(&server, "/_set?mode=hang");
    uint16_t ports[] = {server.port, closed_port(true), closed_port(false)};
    for (int port = 0; port < 3; port++) {
        for (int iterations = 0; iterations < 6; iterations++) {
            struct config_check wanted = plain(kinds[_i], ports[port]);
            wanted.expect = name;
            struct check_target target = target_of(&wanted);
            struct outcome outcome = {0};
            struct check *check = check_start(checker, &target, on_done, &outcome);
            ck_assert_ptr_nonnull(check);
            for (int i = 0; i < iterations; i++)
                ev_run(loop, EVRUN_NOWAIT);
            if (outcome.calls > 0)
                continue; /* refused at once */
            check_cancel(check);
            memset(&wanted, 0xa5, sizeof wanted);
            memset(&target, 0xa5, sizeof target);
            run_for_ms(10);
            ck_assert_int_eq(outcome.calls, 0);
        }
    }
    check_cancel(NULL);
}
END_TEST

START_TEST(a_check_is_cancelled_in_the_middle_of_an_answer)
{
    struct peer server = start_server("127.0.0.1:0");
    control(&server, "/_set?mode=slow-body&delay=5");
    struct config_check wanted = plain(CHECK_HTTP, server.port);
    wanted.body = name; /* so that it keeps text */
    struct check_target target = target_of(&wanted);
    struct outcome outcome = {0};
    struct check *check = check_start(checker, &target, on_done, &outcome);
    for (double start = ev_time(); ev_time() < start + DEADLINE_S;) {
        run_for_ms(5);
        if (strstr(control(&server, "/_stats"), "\"requests\": 1,"))
            break;
    }
    run_for_ms(30);
    ck_assert_int_eq(outcome.calls, 0);
    check_cancel(check);
    run_for_ms(30);
    ck_assert_int_eq(outcome.calls, 0);
}
END_TEST

START_TEST(a_tls_talk_is_cancelled)
{
    struct peer server = start_tls("-cert good.pem -key good.key -rev");
    struct config_check wanted = plain(CHECK_TLS, server.port);
    wanted.ca_file = tls_file("ca.pem");
    wanted.expect = name;
    struct check_target target = target_of(&wanted);
    int before = 0;
    for (int ms = 0; ms < 60; ms += 6) {
        struct outcome outcome = {0};
        struct check *check = check_start(checker, &target, on_done, &outcome);
        run_for_ms(ms);
        ck_assert_int_eq(outcome.calls, 0);
        check_cancel(check);
        run_for_ms(1);
        ck_assert_int_eq(outcome.calls, 0);
        if (ms == 0)
            before = open_descriptors();
    }
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* Checks that start one another from within done, and cancel one another. */
struct chain {
    const struct check_target *target;
    struct check *check;
    struct chain *rival; /* cancelled when this one ends first; or NULL */
    int ended, left;
};

static void on_chain_done(void *arg, const struct check_result *result)
{
    (void)result;
    struct chain *chain = arg;
    chain->check = NULL;
    chain->ended++;
    if (chain->rival) {
        check_cancel(chain->rival->check);
        chain->rival->check = NULL;
    }
    if (chain->left-- == 0) {
        ev_break(loop, EVBREAK_ONE);
    } else {
        chain->check = check_start(checker, chain->target, on_chain_done, chain);
        if (chain->rival)
            chain->rival->check = check_start(checker, chain->target, on_chain_done, chain->rival);
    }
}

START_TEST(done_may_start_and_cancel)
{
    struct peer server = start_server("127.0.0.1:0");
    control(&server, "/_set?mode=drop"); /* ends a handshake, too */
    /* One that is accepted, one refused, and one that fails within the first call of libcurl. */
    uint16_t ports[] = {server.port, closed_port(false), 80};
    for (int port = 0; port < 3; port++) {
        struct config_check wanted = plain(kinds[_i], ports[port]);
        struct check_target target = target_of(&wanted);
        if (port == 2)
            har_address_parse(NO_ROUTE, &target.address);
        struct chain single = {.target = &target, .left = 20};
        single.check = check_start(checker, &target, on_chain_done, &single);
        run_until(&single.ended, 21);

        struct chain a = {.target = &target, .left = 20}, b = {.target = &target, .left = 20};
        a.rival = &b;
        b.rival = &a;
        a.check = check_start(checker, &target, on_chain_done, &a);
        b.check = check_start(checker, &target, on_chain_done, &b);
        for (double start = ev_time(); a.check || b.check;) {
            run_for_ms(5);
            ck_assert(ev_time() < start + DEADLINE_S);
        }
        ck_assert_int_ge(a.ended + b.ended, 21);
    }
}
END_TEST

START_TEST(a_thousand_checks_leave_no_descriptor)
{
    static const char *const settings[] = {"/_set?mode=ok", "/_set?mode=close", "/_set?mode=reset",
                                           "/_set?mode=half", "/_set?mode=hang"};
    struct peer server = start_server("127.0.0.1:0"), talker = start_server("127.0.0.1:0");
    control(&talker, "/_set?mode=banner");
    struct config_check wanted[KIND_COUNT];
    struct check_target targets[KIND_COUNT];
    for (int i = 0; i < KIND_COUNT; i++) {
        bool tls = kinds[i] == CHECK_HTTPS || kinds[i] == CHECK_TLS;
        wanted[i] = plain(kinds[i], tls ? talker.port : server.port);
        targets[i] = target_of(&wanted[i]);
    }
    int before = 0;
    for (int round = 0; round < 51; round++) {
        control(&server, settings[round % 5]);
        bool hangs = round % 5 == 4;
        struct outcome outcome = {0};
        struct check *checks[20];
        for (int i = 0; i < 20; i++)
            checks[i] = check_start(checker, &targets[i % KIND_COUNT], on_done, &outcome);
        run_until(&outcome.calls, hangs ? 15 : 20);
        for (int i = 0; hangs && i < 20; i++) {
            if (kinds[i % KIND_COUNT] == CHECK_HTTP)
                check_cancel(checks[i]);
        }
        if (round == 0)
            before = open_descriptors();
    }
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* --------------------------------------------------------------------------------------------- */

static TCase *add_case(Suite *suite, const char *title)
{
    TCase *tcase = tcase_create(title);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("check");
    TCase *any = add_case(suite, "any kind");
    tcase_add_test(any, reasons_have_the_words_of_the_log);
    tcase_add_test(any, what_the_network_reports_is_no_local_error);
    tcase_add_test(any, none_is_always_up);
    tcase_add_loop_test(any, a_port_without_a_listener_refuses, 0, KIND_COUNT);
    tcase_add_loop_test(any, a_silent_host_times_out, 0, KIND_COUNT);
    tcase_add_loop_test(any, an_address_without_a_route_is_unreachable, 0, KIND_COUNT);
    tcase_add_loop_test(any, running_out_of_descriptors_is_a_local_error, 0, KIND_COUNT);
    tcase_add_loop_test(any, ipv6_works, 0, 2);

    TCase *http = add_case(suite, "http");
    tcase_add_test(http, a_good_answer_is_ok);
    tcase_add_test(http, the_request_is_what_was_configured);
    tcase_add_test(http, headers_are_sent_and_replace_our_own);
    tcase_add_test(http, head_asks_for_no_body);
    tcase_add_test(http, a_name_without_a_port_is_sent_for_port_80);
    tcase_add_test(http, proxies_of_the_environment_are_ignored);
    tcase_add_loop_test(http, every_answer_has_its_reason, 0, ANSWER_COUNT);
    tcase_add_test(http, status_ranges_decide);
    tcase_add_test(http, a_redirect_is_not_followed);
    tcase_add_test(http, the_body_decides);

    TCase *tcp = add_case(suite, "tcp");
    tcase_add_test(tcp, every_talk_has_its_reason);

    TCase *tls = add_case(suite, "TLS");
    tcase_add_unchecked_fixture(tls, make_certificates, remove_certificates);
    tcase_add_loop_test(tls, certificates_decide, 0, 2);
    tcase_add_test(tls, each_ca_file_is_read_once);
    tcase_add_test(tls, a_client_certificate_is_shown);
    tcase_add_loop_test(tls, a_server_without_tls_fails_the_handshake, 0, 2);
    tcase_add_test(tls, https_needs_an_answer);
    tcase_add_test(tls, a_talk_goes_over_tls);
    tcase_add_test(tls, the_last_word_over_tls_arrives);
    tcase_add_loop_test(tls, another_check_does_not_end_a_tls_talk, 0, 2);
    tcase_add_test(tls, a_tls_talk_is_cancelled);

    TCase *order = add_case(suite, "starting and cancelling");
    tcase_add_loop_test(order, a_cancelled_check_is_silent, 0, KIND_COUNT);
    tcase_add_test(order, a_check_is_cancelled_in_the_middle_of_an_answer);
    tcase_add_loop_test(order, done_may_start_and_cancel, 0, KIND_COUNT);
    tcase_add_test(order, a_thousand_checks_leave_no_descriptor);
    return unit_run(suite);
}
