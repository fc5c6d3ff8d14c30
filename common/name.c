#include "common/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LABEL_MAX 63 /* bytes; RFC 1035 section 2.3.4 */

int har_name_key(const char *name, char key[HAR_NAME_MAX + 1])
{
    size_t length = strnlen(name, HAR_NAME_MAX + 2);
    if (length > 1 && name[length - 1] == '.')
        length--;
    if (length == 0 || length > HAR_NAME_MAX)
        return -1;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        key[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    key[length] = '\0';
    return (int)length;
}

/* Not isalnum(3): what a name may hold does not depend on the locale. */
static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

const char *har_name_problem(const char *key)
{
    for (;;) {
        size_t label = strcspn(key, ".");
        if (label == 0)
            return "an empty label";
        if (label > LABEL_MAX)
            return "a label of more than 63 bytes";
        if (key[0] == '-' || key[label - 1] == '-')
            return "a label that begins or ends with '-'";
        for (size_t i = 0; i < label; i++) {
            if (!is_name_character(key[i]))
                return "a character that is not a letter, digit, '-' or '_'";
        }
        if (key[label] == '\0')
            return NULL;
        key += label + 1;
    }
}
