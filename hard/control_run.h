/* Inside the control room: what control.c and control_client.c share. Nobody else's to include but
 * the tests', who shorten the times. */
#ifndef HAR_HARD_CONTROL_RUN_H
#define HAR_HARD_CONTROL_RUN_H

#include <ev.h>

#include "hard/control.h"
#include "hard/control_input.h"
#include "hard/control_socket.h"

#define CONTROL_PRIORITY (-1) /* results of checks go first */

struct control {
    struct ev_loop *loop;
    const struct control_handler *handlers;
    void *arg;
    double idle_s;        /* CONTROL_IDLE_S */
    size_t output_max;    /* CONTROL_OUTPUT_MAX */
    unsigned clients_max; /* CONTROL_CLIENTS_MAX */
    struct control_socket socket;
    ev_io accepting;
    ev_timer pause; /* no descriptor for a client: accepts none for a while */
    struct control_client *clients;
    unsigned client_count;
    bool crowded; /* that has been logged */
};

struct control_request {
    struct control_client *client;
    const char *command;   /* the handler's */
    bool open;             /* not answered yet */
    bool refused;          /* answered with an error */
    control_gone_fn *gone; /* NULL: not deferred */
    void *gone_arg;
};

/* It takes turns: a request is read, answered, and the answer sent, before the next one. */
struct control_client {
    struct control *control;
    struct control_client *next, **link; /* in control->clients */
    int fd;
    uid_t uid;
    ev_io reading, writing;
    ev_timer idle; /* until a request is there, until an answer is gone; not while it is made */
    struct control_request request;
    char *output; /* what is being sent, or NULL */
    size_t output_bytes, sent_bytes;
    bool closing;  /* after the output */
    bool finished; /* it sends nothing more */
    struct control_input input;
};

/* Takes over fd; without memory it is closed. */
void control_client_start(struct control *control, int fd, uid_t uid);

/* Cancels its request and closes it. */
void control_client_end(struct control_client *client);

/* Answers its request with an object, which it steals; then, if need be, closes it. */
void control_client_send(struct control_client *client, json_t *answer);

/* The same with what is written already, which it borrows. */
void control_client_send_text(struct control_client *client, const char *text, size_t bytes);

/* {"ok": false, "error": text}, or NULL without memory. */
json_t *control_error(const char *text);

/* Has a line taken up by its handler. When it returns the request is answered or deferred. */
void control_dispatch(struct control_request *request, const char *line, size_t length);

#endif
