#include "hard/link_watch.h"

#include <errno.h>
#include <ev.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define REPLY_BYTES                                                                                \
    8192               /* what the kernel puts into one datagram of a dump, unless asked for more */
#define DRAIN_MAX 256  /* messages in one turn of the loop */
#define KNOWN_US 10000 /* what an interface was asked for, before the next news */
#define LOOPBACK_INDEX 1 /* in every namespace */

#ifndef IFF_LOWER_UP /* <linux/if.h> has it, but clashes with <net/if.h> */
#define IFF_LOWER_UP 0x10000
#endif

struct link_watch {
    struct ev_loop *loop;
    link_watch_changed_fn *changed;
    void *arg;
    int news_fd, ask_fd;
    ev_io news;
    ev_timer call;       /* runs while something is to be told */
    int64_t called_us;   /* or 0 */
    int64_t taken_us;    /* or 0 */
    uint32_t last_asked; /* nlmsg_seq */

    int known_index; /* an interface whose carrier was asked for, or 0 */
    bool known_carrier;
    int64_t known_us;
};

/* --- news ------------------------------------------------------------------------------------- */

/* The changes themselves do not matter, only that there were any. Whatever else recv says, ENOBUFS
 * above all, means that something was missed. */
static bool drain(struct link_watch *watch)
{
    char byte;
    for (int count = 0; count < DRAIN_MAX; count++) {
        if (recv(watch->news_fd, &byte, sizeof byte, MSG_DONTWAIT) < 0 &&
            (errno == EAGAIN || errno == EINTR))
            return count > 0;
    }
    return true;
}

static void take_note(struct link_watch *watch)
{
    watch->known_index = 0;
    if (ev_is_active(&watch->call))
        return;
    double wait_s = LINK_WATCH_GATHER_MS / 1000.;
    if (watch->called_us != 0) {
        double rested_s = (double)(har_now_us() - watch->called_us) / 1e6;
        if (rested_s + wait_s < LINK_WATCH_REST_MS / 1000.)
            wait_s = LINK_WATCH_REST_MS / 1000. - rested_s;
    }
    ev_timer_set(&watch->call, wait_s, 0.);
    ev_timer_start(watch->loop, &watch->call);
}

static void on_news(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    struct link_watch *watch = io->data;
    if (drain(watch))
        take_note(watch);
}

static void on_call(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct link_watch *watch = timer->data;
    watch->called_us = har_now_us();
    watch->changed(watch->arg);
}

bool link_watch_take(struct link_watch *watch)
{
    if (watch == NULL)
        return false;
    if (drain(watch))
        take_note(watch);
    int64_t now_us = har_now_us();
    if (!ev_is_active(&watch->call) ||
        (watch->taken_us != 0 && now_us - watch->taken_us < LINK_WATCH_GATHER_MS * 1000))
        return false;
    watch->taken_us = now_us;
    ev_timer_stop(watch->loop, &watch->call);
    return true;
}

/* --- questions -------------------------------------------------------------------------------- */

/* One message of the kernel's. */
struct reply {
    union {
        struct nlmsghdr header;
        char bytes[REPLY_BYTES];
    };
    size_t size_bytes; /* of what came; the message itself may have been longer */
};

/* Asks, and waits for the answer, which is there once send returns. 0, or an errno: the kernel's
 * own answer, or EIO when there is none to be had. */
static int ask(struct link_watch *watch, struct nlmsghdr *request, struct reply *reply)
{
    request->nlmsg_seq = ++watch->last_asked;
    if (send(watch->ask_fd, request, request->nlmsg_len, 0) < 0)
        return EIO;
    do {
        ssize_t got = recv(watch->ask_fd, reply->bytes, sizeof reply->bytes, MSG_DONTWAIT);
        if (got < (ssize_t)sizeof reply->header)
            return EIO;
        reply->size_bytes = (size_t)got;
    } while (reply->header.nlmsg_seq != request->nlmsg_seq);
    if (reply->header.nlmsg_type != NLMSG_ERROR)
        return 0;
    const struct nlmsgerr *problem = NLMSG_DATA(&reply->header);
    return reply->size_bytes >= NLMSG_LENGTH(sizeof *problem) ? -problem->error : EIO;
}

/* An attribute of a route, at least size_bytes long, or NULL. bytes: from the header on. */
static const void *attribute(const struct nlmsghdr *header, unsigned type, size_t size_bytes)
{
    const struct rtmsg *route = NLMSG_DATA(header);
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof *route))
        return NULL;
    size_t left_bytes = header->nlmsg_len - NLMSG_LENGTH(sizeof *route);
    for (const struct rtattr *attr = RTM_RTA(route); RTA_OK(attr, left_bytes);
         attr = RTA_NEXT(attr, left_bytes)) {
        if ((attr->rta_type & NLA_TYPE_MASK) == type && RTA_PAYLOAD(attr) >= size_bytes)
            return RTA_DATA(attr);
    }
    return NULL;
}

/* The interface that a route leads to, or 0. */
static int interface_of(const struct nlmsghdr *header)
{
    int index = 0;
    const void *found = attribute(header, RTA_OIF, sizeof index);
    if (found != NULL)
        memcpy(&index, found, sizeof index);
    return index;
}

static bool ask_carrier(struct link_watch *watch, int index)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } request = {.header = {.nlmsg_len = sizeof request,
                            .nlmsg_type = RTM_GETLINK,
                            .nlmsg_flags = NLM_F_REQUEST},
                 .link = {.ifi_family = AF_UNSPEC, .ifi_index = index}};
    struct reply reply;
    if (ask(watch, &request.header, &reply) != 0 || reply.header.nlmsg_type != RTM_NEWLINK ||
        reply.size_bytes < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        return true;
    const struct ifinfomsg *link = NLMSG_DATA(&reply.header);
    return (link->ifi_flags & IFF_LOWER_UP) != 0;
}

/* Whoever looks at a thousand servers finds the same interface at the end of most routes, and to
 * ask for it takes longer than for the route. */
static bool has_carrier(struct link_watch *watch, int index)
{
    int64_t now_us = har_now_us();
    if (watch->known_index != index || now_us - watch->known_us > KNOWN_US) {
        watch->known_carrier = ask_carrier(watch, index);
        watch->known_index = index;
        watch->known_us = now_us;
    }
    return watch->known_carrier;
}

static size_t address_bytes(int family)
{
    return family == AF_INET ? 4 : 16;
}

static bool is_link_local(int family, const uint8_t *bytes)
{
    return family == AF_INET ? bytes[0] == 169 && bytes[1] == 254
                             : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* An address of ours that whoever is at the end of the route can answer: IPv6 takes a link-local
 * one, which every interface has, for want of a better, but routers do not pass it on. */
static bool has_source(const struct nlmsghdr *header, int family)
{
    const uint8_t *source = attribute(header, RTA_PREFSRC, address_bytes(family));
    return source != NULL && (family == AF_INET || !is_link_local(family, source) ||
                              attribute(header, RTA_GATEWAY, 0) == NULL);
}

static int ask_route(struct link_watch *watch, const struct har_address *address,
                     struct reply *reply)
{
    size_t size_bytes = address_bytes(address->family);
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        struct rtattr attr;
        uint8_t bytes[sizeof address->bytes];
    } request = {.header = {.nlmsg_len = (uint32_t)(offsetof(typeof(request), bytes) + size_bytes),
                            .nlmsg_type = RTM_GETROUTE,
                            .nlmsg_flags = NLM_F_REQUEST},
                 .route = {.rtm_family = (unsigned char)address->family,
                           .rtm_dst_len = (unsigned char)(size_bytes * 8)},
                 .attr = {.rta_type = RTA_DST, .rta_len = (unsigned short)RTA_LENGTH(size_bytes)}};
    memcpy(request.bytes, address->bytes, size_bytes);
    return ask(watch, &request.header, reply);
}

/* As the kernel says to a route that is not there or forbids (ip-route(8): unreachable, prohibit,
 * blackhole), and to IPv6 when it has none. Any other error is a question that went wrong. */
static enum link_route route_of_errno(int error)
{
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EACCES:
    case EINVAL:
    case EAFNOSUPPORT:
    case EOPNOTSUPP:
        return LINK_NO_ROUTE;
    default:
        return LINK_FINE;
    }
}

/* Even while the loopback interface is down, it is nobody else's. */
static bool is_loopback(const struct har_address *address)
{
    static const uint8_t loopback_ipv6[16] = {[15] = 1};
    return address->family == AF_INET ? address->bytes[0] == 127
                                      : memcmp(address->bytes, loopback_ipv6, 16) == 0;
}

enum link_route link_watch_look(struct link_watch *watch, const struct har_address *address)
{
    if (is_loopback(address))
        return LINK_HERE;
    if (watch == NULL)
        return LINK_FINE;
    struct reply reply;
    int error = ask_route(watch, address, &reply);
    if (error != 0)
        return route_of_errno(error);
    if (reply.header.nlmsg_type != RTM_NEWROUTE || reply.header.nlmsg_len > reply.size_bytes ||
        reply.size_bytes < NLMSG_LENGTH(sizeof(struct rtmsg)))
        return LINK_FINE;
    const struct rtmsg *route = NLMSG_DATA(&reply.header);
    if (route->rtm_type == RTN_LOCAL)
        return LINK_HERE;
    if (!has_source(&reply.header, route->rtm_family))
        return LINK_NO_ROUTE;
    int index = interface_of(&reply.header);
    return index == 0 || has_carrier(watch, index) ? LINK_FINE : LINK_NO_CARRIER;
}

/* --- any way out ------------------------------------------------------------------------------ */

/* Routes that every interface has once it is up, whether it is connected to anything or not. */
static bool is_automatic(const struct nlmsghdr *header, const struct rtmsg *route)
{
    const uint8_t *to = attribute(header, RTA_DST, address_bytes(route->rtm_family));
    return to != NULL && (is_link_local(route->rtm_family, to) ||
                          (route->rtm_family == AF_INET6 && to[0] == 0xff));
}

static bool leads_out(const struct nlmsghdr *header)
{
    const struct rtmsg *route = NLMSG_DATA(header);
    return header->nlmsg_type == RTM_NEWROUTE && header->nlmsg_len >= NLMSG_LENGTH(sizeof *route) &&
           route->rtm_type == RTN_UNICAST &&
           !(route->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD | RTNH_F_LINKDOWN)) &&
           interface_of(header) != LOOPBACK_INDEX && !is_automatic(header, route);
}

/* On whatever interface: that of a router may be on loopback. */
static bool is_address(const struct nlmsghdr *header)
{
    const struct ifaddrmsg *address = NLMSG_DATA(header);
    return header->nlmsg_type == RTM_NEWADDR &&
           header->nlmsg_len >= NLMSG_LENGTH(sizeof *address) && address->ifa_scope < RT_SCOPE_LINK;
}

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_MORE };

typedef bool wanted_fn(const struct nlmsghdr *header);

static enum answer find(const struct reply *reply, wanted_fn *wanted)
{
    size_t left_bytes = reply->size_bytes;
    for (const struct nlmsghdr *header = &reply->header; NLMSG_OK(header, left_bytes);
         header = NLMSG_NEXT(header, left_bytes)) {
        if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
            return ANSWER_NO; /* an error: this kernel has no such addresses */
        if (wanted(header))
            return ANSWER_YES;
    }
    return ANSWER_MORE;
}

/* Does the kernel list anything that is wanted? When in doubt it does. On a socket of its own, so
 * that nothing is left behind in the other when it stops at the first: there may be a million. */
static bool any(unsigned short type, int family, wanted_fn *wanted)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg body; /* or ifaddrmsg, which is shorter */
    } request = {.header = {.nlmsg_len = sizeof request,
                            .nlmsg_type = type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
                 .body = {.rtm_family = (unsigned char)family}};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return true;
    enum answer answer = send(fd, &request, sizeof request, 0) < 0 ? ANSWER_YES : ANSWER_MORE;
    while (answer == ANSWER_MORE) {
        struct reply reply;
        ssize_t got = recv(fd, reply.bytes, sizeof reply.bytes, MSG_DONTWAIT);
        reply.size_bytes = got > 0 ? (size_t)got : 0;
        answer = got > 0 ? find(&reply, wanted) : ANSWER_YES;
    }
    close(fd);
    return answer == ANSWER_YES;
}

static bool has_way_out(int family)
{
    return any(RTM_GETADDR, family, is_address) && any(RTM_GETROUTE, family, leads_out);
}

bool link_watch_is_cut_off(struct link_watch *watch)
{
    return watch != NULL && !has_way_out(AF_INET) && !has_way_out(AF_INET6);
}

/* ---------------------------------------------------------------------------------------------- */

static int open_netlink(uint32_t groups)
{
    struct sockaddr_nl self = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&self, sizeof self) < 0) {
        int problem = errno;
        close(fd);
        errno = problem;
        return -1;
    }
    return fd;
}

struct link_watch *link_watch_new(struct ev_loop *loop, link_watch_changed_fn *changed, void *arg,
                                  struct har_error *error)
{
    struct link_watch *watch = malloc(sizeof *watch);
    if (watch == NULL) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    *watch = (struct link_watch){.loop = loop, .changed = changed, .arg = arg};
    watch->news_fd = open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                  RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
    watch->ask_fd = watch->news_fd < 0 ? -1 : open_netlink(0);
    ev_timer_init(&watch->call, on_call, 0., 0.);
    ev_io_init(&watch->news, on_news, watch->news_fd, EV_READ);
    watch->call.data = watch->news.data = watch;
    if (watch->ask_fd < 0) {
        har_fail(error, HAR_ERR_IO, "cannot watch the network (netlink): %s", strerror(errno));
        link_watch_free(watch);
        return NULL;
    }
    ev_io_start(loop, &watch->news);
    return watch;
}

void link_watch_free(struct link_watch *watch)
{
    if (watch == NULL)
        return;
    ev_io_stop(watch->loop, &watch->news);
    ev_timer_stop(watch->loop, &watch->call);
    if (watch->news_fd >= 0)
        close(watch->news_fd);
    if (watch->ask_fd >= 0)
        close(watch->ask_fd);
    free(watch);
}
