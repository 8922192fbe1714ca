/*-------------------------------------------------------------------------
 * redact.h
 *		The text of a command without the secrets that it may hold.
 *
 * Nobody can tell which literal of a command is a password. So where a
 * command mentions secrets at all (PASSWORD, token, a connection string, ...) all of
 * its literals are replaced, those in dollar quotes too; any other text
 * stays as it is. Comments stay, and with them what somebody writes there.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REDACT_H
#define AT_REDACT_H

#include <stdbool.h>
#include <stddef.h>

/* Does the text mention a secret? */
extern bool at_mentions_secret(const char *text, size_t len);

/* How large the output can become, with a zero byte at its end. */
extern size_t at_redact_size(size_t len);

/*
 * Write the text with every string literal replaced by '***', and a zero byte; returns its
 * length. A literal that does not end goes up to the end. Bytes above 127 are
 * taken for letters, as SQL does.
 */
extern size_t at_redact(const char *text, size_t len, char *out);

/* The same, with 0 for each number as well: for those whose values are not to be told. */
extern size_t at_redact_values(const char *text, size_t len, char *out);

#endif
