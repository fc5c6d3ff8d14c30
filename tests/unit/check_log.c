#include "hard/log.h"

#include <errno.h>
#include <regex.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"

static char output[8192];

/* Sends standard error into a pipe. Returns its end for reading. */
static int capture(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

static const char *captured(int fd)
{
    close(STDERR_FILENO);
    ssize_t length = read(fd, output, sizeof output - 1);
    ck_assert_int_ge(length, 0);
    output[length] = '\0';
    close(fd);
    return output;
}

static const char *after_event(const char *line)
{
    const char *event = strstr(line, "event=");
    ck_assert_ptr_nonnull(event);
    return event;
}

START_TEST(a_line_is_pairs)
{
    int fd = capture();
    log_event(LOG_NOTICE, "state", "host", "api.example.com", "gone", NULL, "state", "down", NULL);
    const char *line = captured(fd);
    regex_t expected;
    ck_assert_int_eq(regcomp(&expected,
                             "^time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                             "\\.[0-9]{3}Z level=notice event=state host=api\\.example\\.com "
                             "state=down\n$",
                             REG_EXTENDED | REG_NOSUB),
                     0);
    ck_assert_msg(regexec(&expected, line, 0, NULL, 0) == 0, "%s", line);
    regfree(&expected);
}
END_TEST

START_TEST(values_cannot_forge_lines_or_pairs)
{
    int fd = capture();
    log_event(LOG_ERR, "e", "a", "", "b", "two words", "c", "x\n\x1b[2Jtime=1", "d", "\"\\", "f",
              "k=v", "g", "\xc3\xa9\x7f", NULL);
    ck_assert_str_eq(after_event(captured(fd)),
                     "event=e a=\"\" b=\"two words\" c=\"x\\x0a\\x1b[2Jtime=1\" d=\"\\\"\\\\\" "
                     "f=\"k=v\" g=\"\xc3\xa9\\x7f\"\n");
}
END_TEST

START_TEST(a_long_line_is_cut_and_ended)
{
    char value[9000];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    int fd = capture();
    log_event(LOG_ERR, "e", "a", value, "b", value, NULL);
    const char *line = captured(fd);
    ck_assert_uint_eq(strlen(line), 4096);
    ck_assert_int_eq(line[4095], '\n');
}
END_TEST

START_TEST(less_urgent_lines_are_left_out)
{
    int fd = capture();
    log_event(LOG_INFO, "quiet", NULL);
    log_set_level(LOG_INFO);
    log_event(LOG_INFO, "loud", NULL);
    log_event(LOG_DEBUG, "quiet", NULL);
    const char *text = captured(fd);
    ck_assert_ptr_nonnull(strstr(text, "event=loud\n"));
    ck_assert_ptr_null(strstr(text, "quiet"));
}
END_TEST

/* Fails by the time limit of the test. */
START_TEST(a_reader_that_does_not_read_stops_nobody)
{
    int fd = capture();
    for (int i = 0; i < 5000; i++)
        log_event(LOG_ERR, "full", "a", "a value that fills the pipe in the end", NULL);
    ck_assert_ptr_nonnull(strstr(captured(fd), "event=full"));
}
END_TEST

START_TEST(errno_is_kept)
{
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_event(LOG_ERR, "nowhere", NULL);
    ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_test(tests, a_line_is_pairs);
    tcase_add_test(tests, values_cannot_forge_lines_or_pairs);
    tcase_add_test(tests, a_long_line_is_cut_and_ended);
    tcase_add_test(tests, less_urgent_lines_are_left_out);
    tcase_add_test(tests, a_reader_that_does_not_read_stops_nobody);
    tcase_add_test(tests, errno_is_kept);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
