/* hard/control_input.h: lines out of bytes, however they come, and requests out of lines. */
#include "hard/control_input.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/unit.h"

static struct control_input *input;

static void set_up(void)
{
    input = malloc(sizeof *input);
    memset(input, 0xa5, sizeof *input);
    control_input_init(input);
}

static void tear_down(void)
{
    free(input);
}

/* As much as fits. Returns how much that was. */
static size_t add(const char *bytes, size_t count)
{
    size_t room;
    char *to = control_input_room(input, &room);
    count = count < room ? count : room;
    memcpy(to, bytes, count);
    control_input_added(input, count);
    return count;
}

static void expect_line(const char *wanted)
{
    const char *line = NULL;
    size_t length = 12345;
    ck_assert(control_input_line(input, &line, &length));
    ck_assert_uint_eq(length, strlen(wanted));
    ck_assert_mem_eq(line, wanted, length);
    control_input_take(input, length);
}

static void expect_none(void)
{
    const char *line = NULL;
    size_t length = 12345;
    ck_assert(!control_input_line(input, &line, &length));
    ck_assert_ptr_null(line);
    ck_assert_uint_eq(length, 12345);
}

START_TEST(lines_come_in_order)
{
    add("first\n\nthird\nrest", 17);
    expect_line("first");
    expect_line("");
    expect_line("third");
    expect_none();
    add("\n", 1);
    expect_line("rest");
    expect_none();
}
END_TEST

START_TEST(a_line_is_the_same_until_it_is_taken)
{
    const char *line, *again;
    size_t length, length_again;
    add("one\ntwo\n", 8);
    ck_assert(control_input_line(input, &line, &length));
    ck_assert(control_input_line(input, &again, &length_again));
    ck_assert_ptr_eq(line, again);
    ck_assert_uint_eq(length, length_again);
    control_input_take(input, length);
    expect_line("two");
}
END_TEST

START_TEST(a_line_may_come_byte_by_byte)
{
    for (const char *at = "abc\nd"; *at != '\0'; at++) {
        expect_none();
        add(at, 1);
        if (*at == '\n')
            expect_line("abc");
    }
    expect_none();
}
END_TEST

START_TEST(the_longest_line_fits_and_one_more_is_hopeless)
{
    static char bytes[CONTROL_LINE_MAX];
    const char *line;
    size_t length;
    memset(bytes, 'x', sizeof bytes);
    add(bytes, sizeof bytes - 1);
    ck_assert(!control_input_is_hopeless(input));
    add("\n", 1);
    ck_assert(!control_input_is_hopeless(input));
    ck_assert(control_input_line(input, &line, &length));
    ck_assert_uint_eq(length, CONTROL_LINE_MAX - 1);
    control_input_take(input, length);
    ck_assert_uint_eq(add(bytes, sizeof bytes), CONTROL_LINE_MAX);
    ck_assert(control_input_is_hopeless(input));
    ck_assert_uint_eq(add("\n", 1), 0);
}
END_TEST

/* --- Requests ----------------------------------------------------------------------------------
 */

START_TEST(a_request_is_an_object_with_a_command)
{
    struct har_error error = {.code = HAR_OK};
    const char *line = " {\"command\": \"status\", \"names\": [\"\xc3\xa9\"]} \r";
    json_t *request = control_input_parse(line, strlen(line), &error);
    ck_assert_ptr_nonnull(request);
    ck_assert_int_eq(error.code, HAR_OK);
    ck_assert_str_eq(json_string_value(json_object_get(request, "command")), "status");
    json_decref(request);
}
END_TEST

static const struct {
    const char *line;
    size_t length; /* 0: that of the text */
    enum har_code code;
} refused[] = {
    {"", 0, HAR_ERR_SYNTAX},
    {"status", 0, HAR_ERR_SYNTAX},
    {"{", 0, HAR_ERR_SYNTAX},
    {"{\"command\": \"status\"} {}", 0, HAR_ERR_SYNTAX},
    {"{\"command\": \"status\", \"command\": \"drain\"}", 0, HAR_ERR_SYNTAX},
    {"{\"command\": \"status\"}\0", 22, HAR_ERR_SYNTAX},
    {"\0{\"command\": \"status\"}", 22, HAR_ERR_SYNTAX},
    {"{\"command\": \"a\\u0000b\"}", 0, HAR_ERR_SYNTAX},
    {"{\"command\": \"\xff\"}", 0, HAR_ERR_SYNTAX},
    {"{\"command\": \"\xed\xa0\x80\"}", 0, HAR_ERR_SYNTAX},
    {"[]", 0, HAR_ERR_VALUE},
    {"{}", 0, HAR_ERR_VALUE},
    {"{\"command\": null}", 0, HAR_ERR_VALUE},
    {"{\"command\": [\"status\"]}", 0, HAR_ERR_VALUE},
};

START_TEST(anything_else_is_an_error)
{
    struct har_error error = {.code = HAR_OK};
    const char *line = refused[_i].line;
    size_t length = refused[_i].length > 0 ? refused[_i].length : strlen(line);
    ck_assert_ptr_null(control_input_parse(line, length, &error));
    ck_assert_int_eq(error.code, refused[_i].code);
    ck_assert_uint_gt(strlen(error.text), 0);
    for (const char *at = error.text; *at != '\0'; at++)
        ck_assert_msg(*at >= ' ' && *at <= '~', "%s", error.text);
}
END_TEST

/* As deep as a line can be, where a parser that follows it to the end has no stack left. */
START_TEST(nesting_has_an_end)
{
    static char line[CONTROL_LINE_MAX];
    struct har_error error = {.code = HAR_OK};
    size_t length = (size_t)sprintf(line, "{\"command\": ");
    memset(line + length, '[', sizeof line - length);
    ck_assert_ptr_null(control_input_parse(line, sizeof line, &error));
    ck_assert_int_eq(error.code, HAR_ERR_SYNTAX);
}
END_TEST

static size_t left; /* allocations that succeed */

static void *scarce_malloc(size_t size)
{
    return left-- > 0 ? malloc(size) : (left = 0, NULL);
}

START_TEST(no_memory_is_an_error_at_any_point)
{
    const char *line = "{\"command\": \"status\", \"names\": [\"a\", {\"b\": 1.5}]}";
    json_t *request = NULL;
    json_set_alloc_funcs(scarce_malloc, free);
    size_t until = 0;
    for (; request == NULL && until < 1000; until++) {
        struct har_error error = {.code = HAR_OK};
        left = until;
        request = control_input_parse(line, strlen(line), &error);
        ck_assert_int_eq(request == NULL, error.code != HAR_OK);
    }
    ck_assert_uint_gt(until, 5);
    ck_assert_ptr_nonnull(request);
    json_decref(request);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control_input");
    TCase *tests = tcase_create("lines and requests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, lines_come_in_order);
    tcase_add_test(tests, a_line_is_the_same_until_it_is_taken);
    tcase_add_test(tests, a_line_may_come_byte_by_byte);
    tcase_add_test(tests, the_longest_line_fits_and_one_more_is_hopeless);
    tcase_add_test(tests, a_request_is_an_object_with_a_command);
    tcase_add_loop_test(tests, anything_else_is_an_error, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(tests, nesting_has_an_end);
    tcase_add_test(tests, no_memory_is_an_error_at_any_point);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
