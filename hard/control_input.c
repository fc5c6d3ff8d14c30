#include "hard/control_input.h"

#include <string.h>

void control_input_init(struct control_input *input)
{
    input->count = input->scanned = 0;
}

char *control_input_room(struct control_input *input, size_t *room)
{
    *room = sizeof input->bytes - input->count;
    return input->bytes + input->count;
}

void control_input_added(struct control_input *input, size_t count)
{
    input->count += count;
}

/* No byte is looked at twice, however small the pieces are in which they come. */
bool control_input_line(struct control_input *input, const char **line, size_t *length)
{
    const char *from = input->bytes + input->scanned;
    const char *end = memchr(from, '\n', input->count - input->scanned);
    if (end == NULL) {
        input->scanned = input->count;
        return false;
    }
    input->scanned = (size_t)(end - input->bytes);
    *line = input->bytes;
    *length = input->scanned;
    return true;
}

void control_input_take(struct control_input *input, size_t length)
{
    size_t taken = length + 1;
    input->count -= taken;
    input->scanned = 0;
    memmove(input->bytes, input->bytes + taken, input->count);
}

bool control_input_is_hopeless(struct control_input *input)
{
    const char *line;
    size_t length;
    return input->count == sizeof input->bytes && !control_input_line(input, &line, &length);
}

/* jansson bounds how deep values may be nested (JSON_PARSER_MAX_DEPTH), and refuses NUL characters
 * and what is not UTF-8. */
json_t *control_input_parse(const char *line, size_t length, struct har_error *error)
{
    json_error_t problem;
    json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &problem);
    if (request == NULL && json_error_code(&problem) == json_error_out_of_memory) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    if (request == NULL) {
        har_fail(error, HAR_ERR_SYNTAX, "the line is not JSON, as seen at byte %d",
                 problem.position);
        return NULL;
    }
    if (json_is_string(json_object_get(request, "command")))
        return request;
    har_fail(error, HAR_ERR_VALUE, "a request is an object with a text \"command\"");
    json_decref(request);
    return NULL;
}
