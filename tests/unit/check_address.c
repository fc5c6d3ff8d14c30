#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/support/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct har_address parse(const char *text)
{
    struct har_address address;
    memset(&address, 0x5a, sizeof address);
    ck_assert_msg(har_address_parse(text, &address) == 0, "%s", text);
    return address;
}

START_TEST(parses_and_formats)
{
    static const struct {
        const char *text, *canonical;
        int family;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", AF_INET},
        {"0.0.0.0", "0.0.0.0", AF_INET},
        {"255.255.255.255", "255.255.255.255", AF_INET},
        {"::", "::", AF_INET6},
        {"::1", "::1", AF_INET6},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", AF_INET6},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", AF_INET6},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", AF_INET6},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1", AF_INET6},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         AF_INET6},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[HAR_ADDRESS_TEXT_MAX];
        memset(text, '#', sizeof text);
        struct har_address address = parse(cases[i].text);
        ck_assert_int_eq(address.family, cases[i].family);
        ck_assert_ptr_eq(har_address_format(&address, text), text);
        ck_assert_str_eq(text, cases[i].canonical);
    }
}
END_TEST

START_TEST(bytes_are_in_network_order_and_the_rest_is_zero)
{
    static const uint8_t expected[16] = {192, 0, 2, 1};
    struct har_address address = parse("192.0.2.1");
    ck_assert_mem_eq(address.bytes, expected, sizeof expected);
    static const uint8_t expected6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x0a};
    address = parse("2001:db8::a");
    ck_assert_mem_eq(address.bytes, expected6, sizeof expected6);
}
END_TEST

START_TEST(refuses_what_is_no_address)
{
    static const char *const bad[] = {
        "",           " ",          "192.0.2",   "192.0.2.256", "192.0.2.1 ",    "192.0.2.1:80",
        "0xc0.0.2.1", "192.0.2.01", "1.2.3.4.5", "::1%lo",      "[::1]",         ":",
        ":::",        "1::2::3",    "2001:db8",  "12345::",     "::192.0.2.256", "localhost",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct har_address address, before;
        memset(&address, 0x5a, sizeof address);
        before = address;
        ck_assert_msg(har_address_parse(bad[i], &address) == -1, "%s", bad[i]);
        ck_assert_mem_eq(&address, &before, sizeof address);
    }
}
END_TEST

START_TEST(parses_and_formats_with_a_port)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"192.0.2.1:1", "192.0.2.1:1"},
        {"192.0.2.1:65535", "192.0.2.1:65535"},
        {"192.0.2.1", "192.0.2.1:53"},
        {"[2001:DB8::1]:5300", "[2001:db8::1]:5300"},
        {"2001:db8::1", "[2001:db8::1]:53"},
        {"2001:db8::1:5300", "[2001:db8::1:5300]:53"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[HAR_ADDRESS_PORT_TEXT_MAX];
        struct har_address address;
        uint16_t port = 53;
        memset(text, '#', sizeof text);
        memset(&address, 0x5a, sizeof address);
        ck_assert_msg(har_address_port_parse(cases[i].text, &address, &port) == 0, "%s",
                      cases[i].text);
        ck_assert_ptr_eq(har_address_port_format(&address, port, text), text);
        ck_assert_str_eq(text, cases[i].canonical);
    }
}
END_TEST

START_TEST(refuses_what_is_no_address_with_a_port)
{
    static const char *const bad[] = {
        "",
        ":",
        ":53",
        "[",
        "[]",
        "[]:53",
        "]:53",
        "[::1]",
        "[::1]:",
        "[::1]53",
        "[::1]x:53",
        "[::1:53",
        "::1]:53",
        "[[::1]]:53",
        "[192.0.2.1]:53",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:053",
        "192.0.2.1:+53",
        "192.0.2.1: 53",
        "192.0.2.1:53 ",
        "192.0.2.1:65536",
        "192.0.2.1:99999",
        "192.0.2.1:100000",
        "192.0.2.1:18446744073709551669",
        "192.0.2.1:53:53",
        "localhost:53",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:53",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct har_address address, before;
        uint16_t port = 0x5a5a;
        memset(&address, 0x5a, sizeof address);
        before = address;
        ck_assert_msg(har_address_port_parse(bad[i], &address, &port) == -1, "%s", bad[i]);
        ck_assert_mem_eq(&address, &before, sizeof address);
        ck_assert_uint_eq(port, 0x5a5a);
    }
}
END_TEST

START_TEST(knows_what_cannot_be_a_server)
{
    static const struct {
        const char *text, *word; /* NULL: usable */
    } cases[] = {
        {"0.0.0.0", "this network"},
        {"0.255.255.255", "this network"},
        {"1.0.0.0", NULL},
        {"127.0.0.1", NULL},
        {"169.254.1.1", NULL},
        {"223.255.255.255", NULL},
        {"224.0.0.0", "multicast"},
        {"239.255.255.255", "multicast"},
        {"240.0.0.0", "reserved"},
        {"255.255.255.255", "reserved"},
        {"::", "unspecified"},
        {"::1", NULL},
        {"::2", NULL},
        {"2001:db8::1", NULL},
        {"fd00::1", NULL},
        {"fe7f::1", NULL},
        {"fe80::1", "link-local"},
        {"febf::1", "link-local"},
        {"ff00::1", "multicast"},
        {"ffff::1", "multicast"},
        {"::ffff:192.0.2.1", "IPv4"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct har_address address = parse(cases[i].text);
        const char *problem = har_address_unusable(&address);
        if (cases[i].word == NULL)
            ck_assert_msg(problem == NULL, "%s: %s", cases[i].text, problem);
        else
            ck_assert_msg(problem != NULL && strstr(problem, cases[i].word) != NULL, "%s: %s",
                          cases[i].text, problem != NULL ? problem : "usable");
    }
}
END_TEST

START_TEST(equal_means_same_family_and_bytes)
{
    struct har_address a = parse("192.0.2.1"), b = parse("192.0.2.2"), c = parse("2001:db8::1");
    struct har_address d = parse("2001:DB8:0::1"), e = parse("2001:db8::2");
    ck_assert(har_address_equal(&a, &a));
    ck_assert(!har_address_equal(&a, &b));
    ck_assert(har_address_equal(&c, &d));
    ck_assert(!har_address_equal(&c, &e));
    /* 192.0.2.1 and the IPv6 address that begins with the same bytes. */
    struct har_address f = parse("c000:201::");
    ck_assert(!har_address_equal(&a, &f));
}
END_TEST

START_TEST(fills_a_socket_address)
{
    struct sockaddr_storage storage;
    struct har_address address = parse("192.0.2.1");
    memset(&storage, 0x5a, sizeof storage);
    ck_assert_uint_eq(har_address_to_sockaddr(&address, 8080, &storage),
                      sizeof(struct sockaddr_in));
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&storage;
    ck_assert_int_eq(ipv4->sin_family, AF_INET);
    ck_assert_uint_eq(ntohs(ipv4->sin_port), 8080);
    ck_assert_uint_eq(ntohl(ipv4->sin_addr.s_addr), 0xc0000201);

    address = parse("2001:db8::1");
    memset(&storage, 0x5a, sizeof storage);
    ck_assert_uint_eq(har_address_to_sockaddr(&address, 65535, &storage),
                      sizeof(struct sockaddr_in6));
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&storage;
    ck_assert_int_eq(ipv6->sin6_family, AF_INET6);
    ck_assert_uint_eq(ntohs(ipv6->sin6_port), 65535);
    ck_assert_mem_eq(&ipv6->sin6_addr, address.bytes, 16);
    ck_assert_uint_eq(ipv6->sin6_flowinfo, 0);
    ck_assert_uint_eq(ipv6->sin6_scope_id, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tcase = tcase_create("address");
    tcase_add_test(tcase, parses_and_formats);
    tcase_add_test(tcase, bytes_are_in_network_order_and_the_rest_is_zero);
    tcase_add_test(tcase, refuses_what_is_no_address);
    tcase_add_test(tcase, parses_and_formats_with_a_port);
    tcase_add_test(tcase, refuses_what_is_no_address_with_a_port);
    tcase_add_test(tcase, knows_what_cannot_be_a_server);
    tcase_add_test(tcase, equal_means_same_family_and_bytes);
    tcase_add_test(tcase, fills_a_socket_address);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
