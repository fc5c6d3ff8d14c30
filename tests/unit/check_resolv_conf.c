#include "hard/resolv_conf.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"

#define FILE_NAME "check_resolv_conf.file"
#define RESOLVED_NAME "check_resolv_conf.resolved"

static void assert_upstreams(const struct config_upstream *upstreams, size_t count,
                             const char *wanted, const char *what)
{
    char found[2048] = "", text[HAR_ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(upstreams[i].port, 53);
        har_address_format(&upstreams[i].address, text);
        size_t length = strlen(found);
        snprintf(found + length, sizeof found - length, "%s%s", i > 0 ? " " : "", text);
        if (upstreams[i].scope_id != 0)
            strcat(found, "%lo");
    }
    ck_assert_msg(strcmp(found, wanted) == 0, "%s: %s", what, found);
}

/* From exactly as many bytes, without a NUL, so that a sanitizer sees a step too far. */
static void parse(const char *text, const char *wanted)
{
    struct config_upstream upstreams[CONFIG_UPSTREAMS_MAX];
    size_t size_bytes = strlen(text);
    char *exact = malloc(size_bytes > 0 ? size_bytes : 1);
    memcpy(exact, text, size_bytes);
    memset(upstreams, 0xa5, sizeof upstreams);
    size_t count = resolv_conf_parse(exact, size_bytes, upstreams);
    free(exact);
    assert_upstreams(upstreams, count, wanted, text);
}

START_TEST(lines_are_read_as_glibc_does)
{
    parse("", "");
    parse("nameserver 192.0.2.1", "192.0.2.1");
    parse("# made by\nsearch example.com\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\n"
          "options edns0\n",
          "192.0.2.1 2001:db8::1");
    parse("nameserver  \t 192.0.2.1 \t\nnameserver 192.0.2.2#x\nnameserver 192.0.2.3;x\n"
          "nameserver 192.0.2.4\r\nnameserver 192.0.2.5 more\n",
          "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5");
    parse("\n\n\nnameserver 127.0.0.1\nnameserver ::1", "127.0.0.1 ::1");
}
END_TEST

START_TEST(other_lines_are_passed_over)
{
    static const char *const lines[] = {" nameserver 192.0.2.1",
                                        "#nameserver 192.0.2.1",
                                        ";nameserver 192.0.2.1",
                                        "nameserver",
                                        "nameserver ",
                                        "nameserver\n192.0.2.1",
                                        "nameservers 192.0.2.1",
                                        "nameserver192.0.2.1",
                                        "NAMESERVER 192.0.2.1",
                                        "nameserver 192.0.2",
                                        "nameserver example",
                                        "nameserver 192.0.2.256",
                                        "nameserver 0.0.0.0",
                                        "nameserver 224.0.0.1",
                                        "nameserver ::",
                                        "nameserver fe80::1",
                                        "nameserver fe80::1%",
                                        "nameserver fe80::1%no-such-if",
                                        "nameserver fe80::1%0",
                                        "nameserver fe80::1%+1",
                                        "nameserver 192.0.2.1:53",
                                        "nameserver [2001:db8::1]"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s\nnameserver 192.0.2.9\n", lines[i]);
        parse(text, "192.0.2.9");
        parse(lines[i], "");
    }
    char text[600] = "nameserver ";
    memset(text + 11, '1', 500);
    parse(text, "");
    memcpy(text + 11, "fe80::1%", 8);
    parse(text, "");
}
END_TEST

START_TEST(link_local_ones_have_an_interface)
{
    char text[128];
    parse("nameserver fe80::1%lo", "fe80::1%lo");
    snprintf(text, sizeof text, "nameserver fe80::1%%%u", if_nametoindex("lo"));
    parse(text, "fe80::1%lo");
    parse("nameserver 2001:db8::1%lo", "2001:db8::1"); /* needs none */
}
END_TEST

START_TEST(each_is_taken_once_and_sixteen_at_most)
{
    char text[2048] = "", wanted[512] = "";
    for (int i = 1; i <= 20; i++) {
        char line[64];
        snprintf(line, sizeof line, "nameserver 192.0.2.%d\nnameserver 192.0.2.1\n", i);
        strcat(text, line);
        snprintf(line, sizeof line, "%s192.0.2.%d", i > 1 ? " " : "", i);
        if (i <= 16)
            strcat(wanted, line);
    }
    parse(text, wanted);
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void load(const char *wanted)
{
    struct config_upstream own[2] = {{.port = 53}, {.port = 5300}};
    struct config_upstream upstreams[CONFIG_UPSTREAMS_MAX];
    har_address_parse("127.0.0.1", &own[0].address);
    har_address_parse("127.0.0.2", &own[1].address);
    memset(upstreams, 0xa5, sizeof upstreams);
    size_t count = resolv_conf_load(FILE_NAME, RESOLVED_NAME, own, 2, upstreams);
    assert_upstreams(upstreams, count, wanted, "loaded");
}

static void remove_files(void)
{
    unlink(FILE_NAME);
    unlink(RESOLVED_NAME);
}

START_TEST(our_own_addresses_are_left_out)
{
    write_file(FILE_NAME, "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 192.0.2.1\n");
    load("127.0.0.2 192.0.2.1"); /* on that one we have another port */
    write_file(FILE_NAME, "nameserver 127.0.0.1\n");
    load("");
}
END_TEST

START_TEST(a_missing_file_names_none)
{
    load("");
    write_file(RESOLVED_NAME, "nameserver 192.0.2.1\n");
    load("");
}
END_TEST

START_TEST(behind_the_stub_of_resolved)
{
    write_file(FILE_NAME, "nameserver 127.0.0.53\n");
    load("127.0.0.53"); /* the only one that is known */
    write_file(RESOLVED_NAME, "nameserver 127.0.0.1\nnameserver 192.0.2.2\n");
    load("192.0.2.2");
    write_file(FILE_NAME, "nameserver 127.0.0.54\n");
    load("192.0.2.2");
    write_file(FILE_NAME, "nameserver 192.0.2.1\n");
    load("192.0.2.1");
    write_file(RESOLVED_NAME, "");
    write_file(FILE_NAME, "nameserver 127.0.0.53\n");
    load("");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resolv_conf");
    TCase *tests = tcase_create("resolv_conf");
    tcase_add_checked_fixture(tests, remove_files, remove_files);
    tcase_add_test(tests, lines_are_read_as_glibc_does);
    tcase_add_test(tests, other_lines_are_passed_over);
    tcase_add_test(tests, link_local_ones_have_an_interface);
    tcase_add_test(tests, each_is_taken_once_and_sixteen_at_most);
    tcase_add_test(tests, our_own_addresses_are_left_out);
    tcase_add_test(tests, a_missing_file_names_none);
    tcase_add_test(tests, behind_the_stub_of_resolved);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
