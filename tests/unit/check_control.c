/* hard/control.h against real clients on a real socket: well-behaved ones, many at once, and those
 * that mean harm. The handlers are made up. */
#include "har_config.h"

#include "hard/control.h"

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hard/control_run.h"
#include "tests/support/unit.h"

#define DEADLINE_S 10.

static struct ev_loop *loop;
static struct control *control;
static char folder[] = "/tmp/check_control.XXXXXX";
static char path[80];

/* --- Handlers ----------------------------------------------------------------------------------
 */

static struct control_request *kept; /* what "wait" was asked last */
static int waiting, gone;            /* requests that wait, and that went away */

/* Says back what it was told. */
static void echo(void *arg, const json_t *request, struct control_request *reply_to)
{
    ck_assert_ptr_eq(arg, &kept);
    control_reply(reply_to, json_pack("{sO}", "said", json_object_get(request, "say")));
}

static void on_gone(void *arg)
{
    ck_assert_ptr_eq(arg, &gone);
    waiting--;
    gone++;
}

static void wait_for_it(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    (void)request;
    kept = reply_to;
    waiting++;
    control_defer(reply_to, on_gone, &gone);
}

/* An array of as many ones as asked for: n * 2 - 1 bytes and some around. */
static void large(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    json_t *ones = json_array(), *one = json_integer(1);
    for (json_int_t i = json_integer_value(json_object_get(request, "n")); i > 0; i--)
        json_array_append(ones, one);
    json_decref(one);
    control_reply(reply_to, json_pack("{so}", "ones", ones));
}

static void fail_it(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    (void)request;
    control_fail(reply_to, "%s: not configured", "x\xc3\xa9\x1b");
}

static void refuse(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    (void)request;
    control_reply(reply_to, json_pack("{sbss}", "ok", 0, "error", "no"));
}

static void forget(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    (void)request;
    (void)reply_to;
}

static void lack(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    (void)request;
    control_reply(reply_to, NULL);
}

static void who(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    (void)request;
    control_reply(reply_to, json_pack("{sI}", "uid", (json_int_t)control_uid(reply_to)));
}

/* What it was told, as it is. */
static void text(void *arg, const json_t *request, struct control_request *reply_to)
{
    (void)arg;
    const json_t *said = json_object_get(request, "say");
    control_reply_text(reply_to, json_string_value(said), json_string_length(said));
}

static const struct control_handler handlers[] = {
    {"echo", echo, false},   {"wait", wait_for_it, false}, {"large", large, false},
    {"fail", fail_it, true}, {"refuse", refuse, false},    {"forget", forget, false},
    {"lack", lack, false},   {"who", who, true},           {"text", text, false},
    {NULL, NULL, false},
};

/* --- Around each test --------------------------------------------------------------------------
 */

static void listen_at(const char *at)
{
    struct har_error error = {.code = HAR_OK};
    ck_assert_msg(control_listen(control, at, &error) == HAR_OK, "%s", error.text);
}

static void set_up(void)
{
    struct har_error error = {.code = HAR_OK};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
    loop = ev_loop_new(EVFLAG_AUTO);
    control = control_new(loop, handlers, &kept, &error);
    ck_assert_msg(control != NULL, "%s", error.text);
    listen_at(path);
}

static void tear_down(void)
{
    control_free(control);
    ev_loop_destroy(loop);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing is left there */
}

/* One round of the loop, and no longer than a moment. */
static void on_moment(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)timer;
    (void)events;
}

static void turn(void)
{
    ev_timer moment;
    ev_timer_init(&moment, on_moment, 0.01, 0.);
    ev_now_update(loop);
    ev_timer_start(loop, &moment);
    ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &moment);
}

#define RUN_UNTIL(condition)                                                                       \
    do {                                                                                           \
        double until_s = ev_time() + DEADLINE_S;                                                   \
        bool so = false;                                                                           \
        while (!(so = (condition)) && ev_time() < until_s)                                         \
            turn();                                                                                \
        ck_assert_msg(so, "still not: %s", #condition);                                            \
    } while (0)

/* --- Clients -----------------------------------------------------------------------------------
 */

static int connect_at(const char *at)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, at);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static int new_client(void)
{
    int fd = connect_at(path);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void say_bytes(int fd, const char *bytes, size_t count)
{
    ck_assert_int_eq(send(fd, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
}

static void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* What came, up to a line break and no further. Enough for a small answer. */
static char heard[4096];
static size_t heard_bytes;

/* Returns true when a line is there; at the end of the connection *end is set. */
static bool hear(int fd, bool *end)
{
    while (heard_bytes + 1 < sizeof heard) {
        ssize_t got = recv(fd, heard + heard_bytes, 1, 0);
        if (got <= 0) {
            *end = got == 0 || errno == ECONNRESET;
            return false;
        }
        if (heard[heard_bytes++] == '\n')
            return true;
    }
    ck_abort_msg("an answer without an end");
}

static const char *answer(int fd)
{
    bool end = false, whole = false;
    heard_bytes = 0;
    RUN_UNTIL((whole = hear(fd, &end)) || end);
    ck_assert_msg(whole, "closed without an answer");
    heard[heard_bytes - 1] = '\0';
    return heard;
}

static const char *ask(int fd, const char *line)
{
    say(fd, line);
    say(fd, "\n");
    return answer(fd);
}

static void expect_closed(int fd)
{
    bool end = false;
    heard_bytes = 0;
    RUN_UNTIL(hear(fd, &end) || end);
    ck_assert_msg(end, "something came: %.*s", (int)heard_bytes, heard);
    close(fd);
}

/* Is the daemon still there for others? */
static void expect_well(void)
{
    int fd = new_client();
    ck_assert_str_eq(ask(fd, "{\"command\":\"echo\",\"say\":1}"), "{\"said\":1,\"ok\":true}");
    close(fd);
}

/* Standard error goes into a pipe until captured_log. */
static int log_fd, stderr_fd;

static void capture_log(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    stderr_fd = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_fd = ends[0];
}

static const char *captured_log(void)
{
    static char text[8192];
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    ssize_t length = read(log_fd, text, sizeof text - 1);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    close(log_fd);
    return text;
}

static int open_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

/* --- Answers -----------------------------------------------------------------------------------
 */

static const struct {
    const char *line, *answer;
} exchanges[] = {
    {"{\"command\":\"echo\",\"say\":[1,\"a\"]}", "{\"said\":[1,\"a\"],\"ok\":true}"},
    {"{\"command\": \"echo\", \"say\": \"\xc3\xa9\xc2\x9b\\n\"}\r",
     "{\"said\":\"\\u00E9\\u009B\\n\",\"ok\":true}"},
    {"{\"command\":\"fail\"}", "{\"ok\":false,\"error\":\"x\\u00E9\\u001B: not configured\"}"},
    {"{\"command\":\"refuse\"}", "{\"ok\":false,\"error\":\"no\"}"},
    {"{\"command\":\"forget\"}", "{\"ok\":false,\"error\":\"forget: hard has no answer\"}"},
    {"{\"command\":\"status\"}", "{\"ok\":false,\"error\":\"unknown command; this hard knows echo, "
                                 "wait, large, fail, refuse, forget, lack, who, text\"}"},
    {"", "{\"ok\":false,\"error\":\"the line is not JSON, as seen at byte 0\"}"},
    {"{\"command\":\"\xff\"}",
     "{\"ok\":false,\"error\":\"the line is not JSON, as seen at byte 12\"}"},
    {"[]", "{\"ok\":false,\"error\":\"a request is an object with a text \\\"command\\\"\"}"},
};

START_TEST(a_line_is_answered_with_a_line)
{
    int fd = new_client();
    ck_assert_str_eq(ask(fd, exchanges[_i].line), exchanges[_i].answer);
    ck_assert_str_eq(ask(fd, exchanges[_i].line), exchanges[_i].answer);
    close(fd);
}
END_TEST

START_TEST(a_line_with_nul_is_an_error)
{
    int fd = new_client();
    say_bytes(fd, "{\"command\":\"echo\",\"say\":1}\0\n", 28);
    ck_assert_ptr_nonnull(strstr(answer(fd), "\"ok\":false"));
    ck_assert_str_eq(ask(fd, "{\"command\":\"echo\",\"say\":1}"), "{\"said\":1,\"ok\":true}");
    close(fd);
}
END_TEST

START_TEST(requests_sent_ahead_are_answered_in_order)
{
    int fd = new_client();
    char lines[500 * 32] = "", wanted[64];
    for (int i = 0, length = 0; i < 500; i++)
        length += sprintf(lines + length, "{\"command\":\"echo\",\"say\":%d}\n", i);
    say(fd, lines);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 500; i++) {
        snprintf(wanted, sizeof wanted, "{\"said\":%d,\"ok\":true}", i);
        ck_assert_str_eq(answer(fd), wanted);
    }
    expect_closed(fd);
}
END_TEST

START_TEST(pieces_make_a_line)
{
    int fd = new_client();
    for (const char *at = "{\"command\":\"echo\",\"say\":1}\n"; *at != '\0'; at++) {
        say_bytes(fd, at, 1);
        turn();
    }
    ck_assert_str_eq(answer(fd), "{\"said\":1,\"ok\":true}");
    close(fd);
}
END_TEST

START_TEST(the_asking_user_is_known)
{
    char wanted[64];
    int fd = new_client();
    snprintf(wanted, sizeof wanted, "{\"uid\":%u,\"ok\":true}", (unsigned)geteuid());
    ck_assert_str_eq(ask(fd, "{\"command\":\"who\"}"), wanted);
    close(fd);
}
END_TEST

START_TEST(a_change_is_logged_with_its_user_and_nothing_else_is)
{
    char wanted[200];
    int fd = new_client();
    capture_log();
    ask(fd, "{\"command\":\"echo\",\"say\":1}");
    ask(fd, "{\"command\":\"who\",\"name\":\"a\\nb\",\"candidate\":\"c\",\"state\":[]}");
    const char *line = captured_log();
    snprintf(wanted, sizeof wanted,
             "event=control uid=%u command=who host=\"a\\x0ab\" candidate=c result=ok\n",
             (unsigned)geteuid());
    ck_assert_msg(strstr(line, wanted) != NULL, "%s", line);
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    close(fd);
}
END_TEST

START_TEST(a_change_that_is_refused_is_not_told_as_done)
{
    int fd = new_client();
    capture_log();
    ask(fd, "{\"command\":\"fail\",\"name\":\"a\"}");
    const char *line = captured_log();
    ck_assert_msg(strstr(line, " command=fail host=a result=refused\n") != NULL, "%s", line);
    close(fd);
}
END_TEST

/* More than a socket takes at once. */
START_TEST(a_large_answer_arrives_whole)
{
    static char bytes[5000000];
    size_t count = 0, wanted = strlen("{\"ones\":[],\"ok\":true}\n") + 2 * 2000000 - 1;
    int fd = new_client();
    ssize_t got = 0;
    say(fd, "{\"command\":\"large\",\"n\":2000000}\n{\"command\":\"echo\",\"say\":1}\n");
    RUN_UNTIL((got = recv(fd, bytes + count, wanted - count, 0)) > 0 &&
              (count += (size_t)got) == wanted);
    ck_assert_int_eq(memcmp(bytes, "{\"ones\":[1,1,", 13), 0);
    ck_assert_int_eq(memcmp(bytes + count - 15, ",1],\"ok\":true}\n", 15), 0);
    ck_assert_str_eq(answer(fd), "{\"said\":1,\"ok\":true}");
    close(fd);
}
END_TEST

START_TEST(an_answer_may_be_written_already)
{
    static const char line[] = "{\"command\":\"text\",\"say\":\"{\\\"ok\\\": 1}\"}";
    int fd = new_client();
    ck_assert_str_eq(ask(fd, line), "{\"ok\": 1}");
    control->output_max = strlen("{\"ok\": 1}\n");
    ck_assert_str_eq(ask(fd, line), "{\"ok\": 1}");
    control->output_max = 100;
    char longer[200];
    snprintf(longer, sizeof longer, "{\"command\":\"text\",\"say\":\"%0100d\"}", 1);
    ck_assert_str_eq(ask(fd, longer),
                     "{\"ok\":false,\"error\":\"the answer is too large: ask for fewer names\"}");
    expect_closed(fd);
}
END_TEST

START_TEST(an_answer_that_is_too_large_is_an_error)
{
    static const char line[] = "{\"command\":\"large\",\"n\":1000}";
    int fd = new_client();
    /* The ones, what is around them, and a line break. */
    control->output_max = 2 * 1000 - 1 + strlen("{\"ones\":[],\"ok\":true}\n");
    ck_assert_uint_eq(strlen(ask(fd, line)) + 1, control->output_max);
    control->output_max--;
    ck_assert_str_eq(ask(fd, line),
                     "{\"ok\":false,\"error\":\"the answer is too large: ask for fewer names\"}");
    expect_closed(fd);
    expect_well();
}
END_TEST

START_TEST(a_lack_of_memory_is_an_error)
{
    int fd = new_client();
    ck_assert_str_eq(ask(fd, "{\"command\":\"lack\"}"),
                     "{\"ok\":false,\"error\":\"out of memory\"}");
    expect_closed(fd);
    expect_well();
}
END_TEST

/* --- Deferred answers --------------------------------------------------------------------------
 */

START_TEST(an_answer_may_come_later)
{
    int fd = new_client(), other = new_client();
    say(fd, "{\"command\":\"wait\"}\n{\"command\":\"echo\",\"say\":2}\n");
    RUN_UNTIL(waiting == 1);
    ck_assert_str_eq(ask(other, "{\"command\":\"echo\",\"say\":1}"), "{\"said\":1,\"ok\":true}");
    ck_assert_int_eq(recv(fd, heard, 1, 0), -1); /* nor is the second one answered yet */
    control_reply(kept, json_pack("{ss}", "said", "later"));
    ck_assert_str_eq(answer(fd), "{\"said\":\"later\",\"ok\":true}");
    ck_assert_str_eq(answer(fd), "{\"said\":2,\"ok\":true}");
    close(fd);
    close(other);
    RUN_UNTIL(control->client_count == 0);
    ck_assert_int_eq(gone, 0); /* it was answered before */
}
END_TEST

/* 0: closes; 1: sends a little more and closes; 2: closes with an answer unread before it. */
START_TEST(a_deferred_request_ends_with_its_client)
{
    int fd = new_client();
    say(fd, _i == 2 ? "{\"command\":\"echo\",\"say\":1}\n{\"command\":\"wait\"}\n"
                    : "{\"command\":\"wait\"}\n");
    RUN_UNTIL(waiting == 1);
    if (_i == 1)
        say(fd, "{\"comm");
    close(fd);
    RUN_UNTIL(gone == 1);
    ck_assert_int_eq(waiting, 0);
    ck_assert_uint_eq(control->client_count, 0);
    expect_well();
}
END_TEST

START_TEST(who_closed_one_half_still_waits)
{
    int fd = new_client();
    say(fd, "{\"command\":\"wait\"}\n");
    shutdown(fd, SHUT_WR);
    RUN_UNTIL(waiting == 1 && control->clients->finished);
    ck_assert_int_eq(gone, 0);
    control_fail(kept, "later");
    ck_assert_str_eq(answer(fd), "{\"ok\":false,\"error\":\"later\"}");
    expect_closed(fd);
    ck_assert_uint_eq(control->client_count, 0);
    ck_assert_int_eq(gone, 0); /* it was answered before */
}
END_TEST

START_TEST(the_end_cancels_what_waits)
{
    int fds[5];
    for (int i = 0; i < 5; i++) {
        fds[i] = new_client();
        say(fds[i], "{\"command\":\"wait\"}\n");
    }
    RUN_UNTIL(waiting == 5);
    control_free(control);
    control = NULL;
    ck_assert_int_eq(gone, 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(recv(fds[i], heard, 1, 0), 0);
        close(fds[i]);
    }
}
END_TEST

START_TEST(waiting_is_not_idling)
{
    int fd = new_client();
    control->idle_s = 0.05;
    say(fd, "{\"command\":\"wait\"}\n");
    RUN_UNTIL(waiting == 1);
    int idler = new_client();
    expect_closed(idler); /* so the time is over */
    control_fail(kept, "later");
    ck_assert_str_eq(answer(fd), "{\"ok\":false,\"error\":\"later\"}");
    close(fd);
}
END_TEST

START_TEST(too_much_ahead_of_what_waits_ends_it)
{
    static char line[CONTROL_LINE_MAX];
    int fd = new_client();
    memset(line, ' ', sizeof line);
    say(fd, "{\"command\":\"wait\"}\n");
    RUN_UNTIL(waiting == 1);
    say_bytes(fd, line, sizeof line);
    say(fd, "x");
    RUN_UNTIL(gone == 1);
    expect_closed(fd);
    expect_well();
}
END_TEST

/* --- Clients that mean harm --------------------------------------------------------------------
 */

START_TEST(who_says_nothing_is_closed)
{
    control->idle_s = 0.1;
    int fd = new_client();
    expect_closed(fd);
    expect_well();
}
END_TEST

/* A byte now and then does not count. */
START_TEST(who_never_ends_a_line_is_closed)
{
    control->idle_s = 0.2;
    int fd = new_client();
    RUN_UNTIL(control->client_count == 1);
    RUN_UNTIL(send(fd, " ", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
    close(fd);
    expect_well();
}
END_TEST

START_TEST(who_does_not_fetch_is_closed)
{
    control->idle_s = 0.2;
    int fd = new_client();
    say(fd, "{\"command\":\"large\",\"n\":2000000}\n");
    RUN_UNTIL(control->client_count == 1);
    RUN_UNTIL(control->client_count == 0);
    close(fd);
    expect_well();
}
END_TEST

/* It is told why, and no more of it is read. */
START_TEST(who_says_a_gigabyte_is_closed)
{
    static char block[1 << 20];
    int64_t left = INT64_C(1) << 30;
    int fd = new_client();
    memset(block, 'x', sizeof block);
    double end = ev_time() + DEADLINE_S;
    while (left > 0 && ev_time() < end) {
        ssize_t sent = send(fd, block, sizeof block, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            break;
        left -= sent > 0 ? sent : 0;
        turn();
    }
    ck_assert_int_gt(left, INT64_C(1) << 29);
    ck_assert_str_eq(answer(fd), "{\"ok\":false,\"error\":\"a request is at most 64 KiB\"}");
    expect_closed(fd);
    expect_well();
}
END_TEST

START_TEST(the_longest_request_is_taken)
{
    static char line[CONTROL_LINE_MAX + 1];
    int fd = new_client();
    memset(line, ' ', CONTROL_LINE_MAX);
    memcpy(line, "{\"command\":\"echo\",\"say\":1}", 26);
    line[CONTROL_LINE_MAX - 1] = '\n';
    say(fd, line);
    ck_assert_str_eq(answer(fd), "{\"said\":1,\"ok\":true}");
    close(fd);
}
END_TEST

START_TEST(nested_bombs_are_errors)
{
    static char line[CONTROL_LINE_MAX];
    int fd = new_client();
    memset(line, _i == 0 ? '[' : '{', sizeof line);
    line[sizeof line - 1] = '\n';
    say_bytes(fd, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(answer(fd), "not JSON"));
    close(fd);
    expect_well();
}
END_TEST

/* 0: with much to come; 1: a reset, for an answer was not read. */
START_TEST(who_leaves_in_the_middle_of_an_answer_harms_nobody)
{
    int fd = new_client();
    say(fd, "{\"command\":\"large\",\"n\":2000000}\n");
    RUN_UNTIL(recv(fd, heard, _i == 0 ? 100 : 1, 0) > 0);
    ck_assert_uint_eq(control->client_count, 1);
    close(fd);
    RUN_UNTIL(control->client_count == 0);
    expect_well();
}
END_TEST

START_TEST(who_comes_and_goes_harms_nobody)
{
    turn();
    int before = open_descriptors();
    for (int i = 0; i < 300; i++) {
        int fd = new_client();
        if (i % 3 == 1)
            say(fd, "{\"command\":\"wait\"}\n");
        if (i % 3 == 2)
            turn();
        close(fd);
        turn();
    }
    RUN_UNTIL(control->client_count == 0);
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(waiting, 0);
    expect_well();
}
END_TEST

/* --- Many --------------------------------------------------------------------------------------
 */

START_TEST(a_hundred_at_once_are_all_answered)
{
    int fds[100], served = 0, turned_away = 0;
    capture_log();
    for (int i = 0; i < 100; i++) {
        RUN_UNTIL((fds[i] = connect_at(path)) >= 0);
        ssize_t sent = send(fds[i], "{\"command\":\"echo\",\"say\":1}\n", 27, MSG_NOSIGNAL);
        ck_assert(sent == 27 || errno == EPIPE);
    }
    for (int i = 0; i < 100; i++) {
        if (strcmp(answer(fds[i]), "{\"said\":1,\"ok\":true}") == 0)
            served++;
        else if (strcmp(heard, "{\"ok\":false,\"error\":\"too many are asking: try again\"}") == 0)
            turned_away++;
    }
    const char *line = captured_log();
    ck_assert_ptr_nonnull(strstr(line, "event=control-refused error=\"too many clients\"\n"));
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1); /* once */
    ck_assert_int_eq(served, CONTROL_CLIENTS_MAX);
    ck_assert_int_eq(turned_away, 100 - CONTROL_CLIENTS_MAX);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    RUN_UNTIL(control->client_count == 0);
    expect_well();
}
END_TEST

/* Without turning in circles meanwhile. */
START_TEST(without_descriptors_clients_wait)
{
    struct rlimit limit, none;
    int fd = new_client();
    say(fd, "{\"command\":\"echo\",\"say\":1}\n");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    RUN_UNTIL(ev_is_active(&control->pause));
    ck_assert(!ev_is_active(&control->accepting));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_str_eq(answer(fd), "{\"said\":1,\"ok\":true}");
    close(fd);
}
END_TEST

/* --- Where it listens --------------------------------------------------------------------------
 */

START_TEST(another_path_takes_over_and_clients_stay)
{
    char other[90];
    int fd = new_client();
    snprintf(other, sizeof other, "%s.2", path);
    ck_assert_str_eq(ask(fd, "{\"command\":\"echo\",\"say\":1}"), "{\"said\":1,\"ok\":true}");
    listen_at(other);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_str_eq(ask(fd, "{\"command\":\"echo\",\"say\":2}"), "{\"said\":2,\"ok\":true}");
    close(fd);
    fd = connect_at(other);
    ck_assert_str_eq(ask(fd, "{\"command\":\"echo\",\"say\":3}"), "{\"said\":3,\"ok\":true}");
    close(fd);
}
END_TEST

START_TEST(a_path_that_cannot_be_used_changes_nothing)
{
    struct har_error error = {.code = HAR_OK};
    ck_assert_int_eq(control_listen(control, folder, &error), HAR_ERR_VALUE);
    ck_assert_msg(strstr(error.text, "not a socket") != NULL, "%s", error.text);
    expect_well();
}
END_TEST

START_TEST(the_same_path_again_is_nothing_to_do_or_made_again)
{
    int fd = control->socket.fd;
    listen_at(path);
    ck_assert_int_eq(control->socket.fd, fd);
    expect_well();
    unlink(path);
    listen_at(path);
    expect_well();
}
END_TEST

/* --- All ---------------------------------------------------------------------------------------
 */

static void add_harm(TCase *tests)
{
    tcase_add_test(tests, who_says_nothing_is_closed);
    tcase_add_test(tests, who_never_ends_a_line_is_closed);
    tcase_add_test(tests, who_does_not_fetch_is_closed);
    tcase_add_test(tests, who_says_a_gigabyte_is_closed);
    tcase_add_test(tests, the_longest_request_is_taken);
    tcase_add_loop_test(tests, nested_bombs_are_errors, 0, 2);
    tcase_add_loop_test(tests, who_leaves_in_the_middle_of_an_answer_harms_nobody, 0, 2);
    tcase_add_test(tests, who_comes_and_goes_harms_nobody);
}

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tests = tcase_create("control");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_line_is_answered_with_a_line, 0,
                        (int)(sizeof exchanges / sizeof exchanges[0]));
    tcase_add_test(tests, a_line_with_nul_is_an_error);
    tcase_add_test(tests, requests_sent_ahead_are_answered_in_order);
    tcase_add_test(tests, pieces_make_a_line);
    tcase_add_test(tests, the_asking_user_is_known);
    tcase_add_test(tests, a_change_is_logged_with_its_user_and_nothing_else_is);
    tcase_add_test(tests, a_change_that_is_refused_is_not_told_as_done);
    tcase_add_test(tests, a_large_answer_arrives_whole);
    tcase_add_test(tests, an_answer_may_be_written_already);
    tcase_add_test(tests, an_answer_that_is_too_large_is_an_error);
    tcase_add_test(tests, a_lack_of_memory_is_an_error);
    tcase_add_test(tests, an_answer_may_come_later);
    tcase_add_loop_test(tests, a_deferred_request_ends_with_its_client, 0, 3);
    tcase_add_test(tests, who_closed_one_half_still_waits);
    tcase_add_test(tests, the_end_cancels_what_waits);
    tcase_add_test(tests, waiting_is_not_idling);
    tcase_add_test(tests, too_much_ahead_of_what_waits_ends_it);
    add_harm(tests);
    tcase_add_test(tests, a_hundred_at_once_are_all_answered);
    tcase_add_test(tests, without_descriptors_clients_wait);
    tcase_add_test(tests, another_path_takes_over_and_clients_stay);
    tcase_add_test(tests, a_path_that_cannot_be_used_changes_nothing);
    tcase_add_test(tests, the_same_path_again_is_nothing_to_do_or_made_again);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
