/* What a client of the control socket sends: bytes, then lines, then requests. Pure: no socket, no
 * clock, no globals. */
#ifndef HAR_HARD_CONTROL_INPUT_H
#define HAR_HARD_CONTROL_INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "hard/control.h"

struct control_input {
    size_t count;   /* bytes there */
    size_t scanned; /* of these, how many are known to hold no line break */
    char bytes[CONTROL_LINE_MAX];
};

/* Nothing there yet. The bytes are left as they are. */
void control_input_init(struct control_input *input);

/* Where the next bytes go, and how many of them; 0 when it is full. */
char *control_input_room(struct control_input *input, size_t *room);
void control_input_added(struct control_input *input, size_t count);

/* Is there a whole line? Then *line is its bytes, *length in number, without the line break; NULs
 * may be among them. The same line until it is taken out. */
bool control_input_line(struct control_input *input, const char **line, size_t *length);
void control_input_take(struct control_input *input, size_t length);

/* Full, and not even one line. */
bool control_input_is_hopeless(struct control_input *input);

/* A line as a request: an object that has a text "command". NULL with error set (HAR_ERR_SYNTAX,
 * HAR_ERR_VALUE, HAR_ERR_MEMORY); its sentence repeats no byte of the line. */
json_t *control_input_parse(const char *line, size_t length, struct har_error *error);

#endif
