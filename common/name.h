/* The one form under which a host name is stored, compared and looked up. Pure libc. */
#ifndef HAR_COMMON_NAME_H
#define HAR_COMMON_NAME_H

#define HAR_NAME_MAX 253 /* bytes without the trailing dot (RFC 1035 section 2.3.4, as text) */

/* Writes name with ASCII letters in lower case and without one trailing dot, NUL-terminated.
 * Returns its length in bytes, 1 to HAR_NAME_MAX, or -1 when that is not the length of any name;
 * then key is undefined. Does not look at the characters: see har_name_problem. */
int har_name_key(const char *name, char key[HAR_NAME_MAX + 1]);

/* What keeps a key from being a host name ("an empty label", "a label of more than 63 bytes",
 * "a character that is not a letter, digit, '-' or '_'"), or NULL. A label may begin with a digit
 * (RFC 1123 section 2.1) and hold an underscore, as names in use do. */
const char *har_name_problem(const char *key);

#endif
