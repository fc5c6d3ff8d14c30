/* The control socket: one JSON object a line in, one JSON object a line out, in order. It knows
 * nothing of hosts; commands are a table of handlers that its owner fills. Lives on one loop, never
 * blocks it, and comes after the checks when both are ready.
 *
 * Who may connect is the kernel's to decide, by the socket file: mode 0660, the daemon's user and
 * group, so root, the daemon's own user and members of that group; or whom else its owner lets in
 * with chmod(1) or setfacl(1). A command that changes something is logged with the user who asked,
 * and result=ok or refused: event=control.
 *
 * Limits, so that no client costs more than it should: CONTROL_* below. An endless line gets an
 * error line and the client is closed; so is, without a word, one that takes CONTROL_IDLE_S to send
 * a request or to fetch an answer, or sends CONTROL_LINE_MAX ahead of a deferred one. Otherwise
 * requests may be sent ahead; each is taken up when the answer before it is gone.
 *
 * An answer is written out in one go, on the loop, but that to status: of many hosts it is made
 * over several rounds of the loop, 2 ms in each, and tells of each host what is so at its turn.
 *
 * The protocol
 * ============
 *
 * Texts are UTF-8; answers are ASCII, with the rest escaped. A key that is not known is ignored, on
 * both sides. Numbers ending in _s are whole seconds, in _us microseconds; times are ages or what
 * is left, so that nobody needs the daemon's clock. "null" below stands for "not known" or "none";
 * the key is there. Names are compared as everywhere: without case, one trailing dot ignored; an
 * alias stands for its host. A candidate is named by its label (`name`, by default its address or
 * host name, as written). Requests:
 *
 *   {"command": "status", "names": [NAME...]}          no names, or []: all hosts
 *   {"command": "explain", "name": NAME}
 *   {"command": "check", "name": NAME}                 answered when every check has ended
 *   {"command": "drain", "name": NAME, "candidate": LABEL, "for_s": N, "reason": TEXT}
 *   {"command": "force", "name": NAME, "candidate": LABEL, "state": "up" | "down",
 *                        "for_s": N, "reason": TEXT}
 *   {"command": "auto", "name": NAME, "candidate": LABEL}
 *   {"command": "reload"}
 *
 * for_s is 1 to CONTROL_FOR_MAX_S; without it there is no end. reason is up to
 * CONTROL_REASON_MAX bytes, and may be left out. An override is of a candidate: of all its
 * addresses, and of those that it will have. It takes the place of the one before.
 *
 * Every answer has "ok". If it is false there is "error", one sentence that says what to do, and
 * perhaps "errors", an array of lines for a person (reload: what hard -t would print). The errors
 * that each command may give, as a handler has to word them:
 *
 *   NAME: not configured; `harctl status` lists the names
 *   NAME: no candidate LABEL; it has LABEL, LABEL
 *   KEY: what is allowed
 *
 * Otherwise, status:
 *
 *   {"ok": true,
 *    "version": "0.1.0",
 *    "local_fault": null | "no route",   this machine is cut off, why; the ranking is frozen
 *    "hosts": [HOST...]}                 sorted by name; or in the order asked for, each once
 *
 * A HOST, and what each of its keys is:
 *
 *   {"host": "api.example.com",
 *    "aliases": ["www.example.com"],
 *    "status": "answer",         "answer"; "fail" and "forward": failure_mode none and forward;
 *                                null: nothing yet
 *    "answer": ["192.0.2.1"],    addresses as ranked, best first, over both families; how many
 *                                of them one answer holds is "answers"
 *    "answers": 1,
 *    "failing": false,           nobody is eligible: failure_mode decides
 *    "failure_mode": "all",      "all", "last", "none", "forward", "addresses"
 *    "restored": false,          the answer is that of an earlier run, until results are in
 *    "local_fault": null,        as above
 *    "selection": "best_rtt",    as configured
 *    "endpoints": [ENDPOINT...], as ranked, best first
 *    "names": [{"candidate": "n.example.com",     of the candidates that are host names
 *               "state": "no-such-name",          see below
 *               "problem": "has no address: there is no such name" | null}...]}
 *
 * The state of a name: "unknown" (nothing has come yet), "resolved", "partly" (one family is, the
 * other has no answer), "no-address", "no-such-name", "failed". The last known
 * addresses stay, whatever the state. problem goes on after the name in a sentence for a person.
 *
 * An ENDPOINT, one address of a candidate. A candidate that is a host name without addresses has
 * one, too, with a null address, state "unknown" or "down", and reason "dns-failed" if it failed:
 *
 *   {"candidate": "a",
 *    "address": "192.0.2.1", "port": 80,      port 0: check none
 *    "state": "up",                           "unknown", "up", "down": what checks say
 *    "since_s": 3720,                         how long it has been so; null: not known
 *    "override": null |
 *        {"kind": "drain",                    "drain", "up", "down": what the operator says
 *         "expires_s": 3480 | null,           null: without end
 *         "reason": "upgrade" | null},
 *    "class": "eligible",                     "eligible", "slow" (up, but over max_rtt),
 *                                             "unknown", "down", "drained": both of the above
 *    "rtt_us": 12345,                         smoothed, that by which it is ranked (rtt_mode)
 *    "connect_us": 4100, "total_us": 12345,   smoothed; these three null: never measured
 *    "reason": "ok", "detail": "status 200",  of the last result; null: none, nothing to say
 *    "weight": 100, "priority": 0,
 *    "share": 1.0}                            of the answers that begin with it: 0 to 1. Over both
 *                                             families, so that two may have 1.0; see family
 *
 * explain: {"ok": true, "version", "local_fault", as above,
 *    "host": HOST,
 *    "winner": {"candidate": "a", "address": "192.0.2.1"} | null,     who is answered first
 *    "runner_up": the same | null,            who would be, were the winner gone
 *    "gap_us": 1500 | null,                   latency of the runner-up over that of the winner;
 *                                             less than 0: it is faster. null: not measured, or
 *                                             latency does not count between them
 *    "needed_us": 10000 | null,               by how much it must be faster to take over: the
 *                                             larger of switch_margin and switch_ratio. null:
 *                                             latency does not decide
 *    "held_s": 12 | null,                     and not before that (switch_hold); null: no hold
 *    "why": ["b is drained for another 58m", ...]}    what else would change the answer and when:
 *                                             whole sentences without a full stop, perhaps none
 *
 * check: {"ok": true, "host": "api.example.com",
 *    "results": [{"candidate", "address", "port", "reason", "detail", "connect_us", "total_us",
 *                 "state"}...]}               as above, of this check; connect_us and total_us as
 *                                             measured, null if not. Nothing of endpoints that
 *                                             left meanwhile, or have check none. A name without
 *                                             addresses is here with the keys of its ENDPOINT
 *
 * drain, force, auto: {"ok": true, "host": "api.example.com", "candidate": "a",
 *    "override": as above | null, "answer": ["192.0.2.2"], "failing": false,
 *    "status": "answer", "failure_mode": "all"}      as they are now, and in a HOST
 *
 * reload: {"ok": true, "hosts": 2, "candidates": 5, "control_socket": the path as configured now},
 * or "ok" false with "errors", and the old configuration in force. */
#ifndef HAR_HARD_CONTROL_H
#define HAR_HARD_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

#define CONTROL_CLIENTS_MAX 64        /* at once; the next one gets an error line */
#define CONTROL_LINE_MAX 65536        /* bytes of a request, with its line break */
#define CONTROL_OUTPUT_MAX (16 << 20) /* bytes of an answer, with its line break */
#define CONTROL_IDLE_S 30.
#define CONTROL_FOR_MAX_S (365 * 86400)
#define CONTROL_REASON_MAX 200

struct ev_loop;
struct control;
struct control_request; /* one request of one client, to be answered once */

/* Takes up one request and answers reply_to with control_reply or control_fail, once: at once, or
 * later from the loop after control_defer. request is borrowed until it returns; it is an object,
 * but what its keys hold is the peer's: json_string_value and its kind return NULL for anything
 * else. */
typedef void control_handler_fn(void *arg, const json_t *request, struct control_request *reply_to);

struct control_handler {
    const char *command;
    control_handler_fn *handle;
    bool changes; /* something: it is logged with what came of it, and is not to be deferred */
};

/* handlers ends with a NULL command, and outlives the control; arg is for all of them. Listens
 * nowhere yet. SIGPIPE may do as it likes. Returns NULL with error set. */
struct control *control_new(struct ev_loop *loop, const struct control_handler *handlers, void *arg,
                            struct har_error *error);

/* Listens at path, and at no other path any more; clients that are there stay. Nothing to do if it
 * listens there already. path is copied; its folder is the caller's to make, and only the owner
 * must be able to write to it. A socket there that nobody answers is replaced; anything else is
 * left alone. Returns 0; or with error set, and everything as it was, HAR_ERR_VALUE (too long, or
 * what is there is no socket), HAR_ERR_BUSY (somebody answers there), HAR_ERR_IO, or
 * HAR_ERR_MEMORY. */
int control_listen(struct control *control, const char *path, struct har_error *error);

/* Cancels what was deferred, closes every client, and removes the socket if it is still ours. Not
 * from within a handler or a control_gone_fn. Takes NULL. */
void control_free(struct control *control);

/* The client went away: the request exists no more and is not to be answered. From the loop, or
 * from control_free, never from within another of these functions, and never when the request was
 * answered. A client that closed its sending half alone is still there. */
typedef void control_gone_fn(void *arg);

/* Keeps a request for later; gone is not NULL. A handler that returns without this and without an
 * answer has answered with an error. */
void control_defer(struct control_request *request, control_gone_fn *gone, void *arg);

/* Answers, and the request exists no more. Steals reply, an object; NULL, as from json_pack, is
 * answered as a lack of memory. "ok": true is added unless it has one. What is larger than
 * CONTROL_OUTPUT_MAX becomes an error line, and the client is closed. Never calls back. */
void control_reply(struct control_request *request, json_t *reply);

/* The same with an object that is written already, with its "ok": on one line, in ASCII, without
 * line break. It is borrowed. For who writes it piece by piece. */
void control_reply_text(struct control_request *request, const char *text, size_t bytes);

/* Answers {"ok": false, "error": the sentence}, in UTF-8. */
void control_fail(struct control_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Who asks: the user at the other end when it connected. */
uid_t control_uid(const struct control_request *request);

#endif
