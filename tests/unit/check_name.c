#include "common/name.h"

#include <string.h>

#include "tests/support/unit.h"

/* A name of that many bytes, in labels of at most 63. */
static void make_name(char *out, size_t length)
{
    memset(out, 'a', length);
    for (size_t i = 63; i + 1 < length; i += 64)
        out[i] = '.';
    out[length] = '\0';
}

static void check_key(const char *name, const char *expected)
{
    char key[HAR_NAME_MAX + 1];
    memset(key, '#', sizeof key);
    ck_assert_int_eq(har_name_key(name, key), (int)strlen(expected));
    ck_assert_str_eq(key, expected);
}

START_TEST(key_is_lower_case_without_one_dot)
{
    check_key("api.example.com", "api.example.com");
    check_key("API.Example.COM", "api.example.com");
    check_key("AZaz09-_.", "azaz09-_");
    check_key("api.example.com.", "api.example.com");
    check_key("api.example.com..", "api.example.com.");
    check_key("a", "a");
    check_key("a.", "a");
    /* The neighbours of the letters, and bytes that a locale might take for letters. */
    check_key("@[`{", "@[`{");
    check_key("\xc3\x84", "\xc3\x84");
}
END_TEST

START_TEST(key_has_1_to_253_bytes)
{
    char name[HAR_NAME_MAX + 3], key[HAR_NAME_MAX + 1];
    ck_assert_int_eq(har_name_key("", key), -1);
    make_name(name, HAR_NAME_MAX);
    check_key(name, name);

    strcat(name, ".");
    ck_assert_int_eq(har_name_key(name, key), HAR_NAME_MAX);
    ck_assert_uint_eq(strlen(key), HAR_NAME_MAX);

    strcat(name, ".");
    ck_assert_int_eq(har_name_key(name, key), -1);
    make_name(name, HAR_NAME_MAX + 1);
    ck_assert_int_eq(har_name_key(name, key), -1);
}
END_TEST

START_TEST(good_names_have_no_problem)
{
    static const char *const good[] = {"a", "a.b", "1.2.3", "_dns._udp.a", "a-b.c_d", "a--b", "0"};
    char label[64];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(har_name_problem(good[i]) == NULL, "%s", good[i]);
    memset(label, 'a', 63);
    label[63] = '\0';
    ck_assert_ptr_null(har_name_problem(label));
}
END_TEST

static void check_problem(const char *key, const char *word)
{
    const char *problem = har_name_problem(key);
    ck_assert_msg(problem != NULL, "%s has no problem", key);
    ck_assert_msg(strstr(problem, word) != NULL, "%s: %s", key, problem);
}

START_TEST(bad_names_have_one)
{
    static const char strange[] = " /:@[`{~\x7f\x80\xff\n\t*%";
    char name[66], *end = name + 64;
    check_problem("", "empty");
    check_problem(".", "empty");
    check_problem("a.", "empty");
    check_problem(".a", "empty");
    check_problem("a..b", "empty");
    memset(name, 'a', 64);
    strcpy(end, "");
    check_problem(name, "63");
    strcpy(end, ".");
    check_problem(name, "63");
    check_problem("-a", "'-'");
    check_problem("a-", "'-'");
    check_problem("a.-b.c", "'-'");
    check_problem("a.b-.c", "'-'");
    check_problem("-", "'-'");
    check_problem("A", "character"); /* a key is lower case */
    for (const char *at = strange; *at != '\0'; at++)
        check_problem((char[]){'a', *at, 'b', '\0'}, "character");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("name");
    TCase *tcase = tcase_create("name");
    tcase_add_test(tcase, key_is_lower_case_without_one_dot);
    tcase_add_test(tcase, key_has_1_to_253_bytes);
    tcase_add_test(tcase, good_names_have_no_problem);
    tcase_add_test(tcase, bad_names_have_one);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
