/* How the benchmarks' clients ask where a name leads. */
#ifndef HAR_BENCH_ASK_H
#define HAR_BENCH_ASK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define ASK_TEXT_MAX INET6_ADDRSTRLEN

/* The address that getaddrinfo(3) puts first for name; empty when it fails. */
void ask_resolver(const char *name, char address[ASK_TEXT_MAX]);

/* What the server behind address:port says in the one line of its body, after which it closes the
 * connection; empty when it does not, or in 5 s. */
void ask_http(const char *address, const char *port, char body[ASK_TEXT_MAX]);

/* Of dotted decimals and a number; exits when address is none. */
struct sockaddr_in ask_address(const char *address, const char *port);

void pause_us(int64_t us);

#endif
