/*-------------------------------------------------------------------------
 * command.h
 *		Shell commands of the configuration, in which a letter behind % stands
 *		for something.
 *
 * Values are put in as they are: callers give none with a character that means
 * anything to a shell, unless whoever writes the configuration has put it there.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COMMAND_H
#define AT_COMMAND_H

#include "base/child.h"

/* What a letter stands for. */
typedef struct AtCommandValue
{
	char letter;
	const char *value;
} AtCommandValue;

/* Does each % in it have one of these letters, or another %, behind it? For check hooks. */
extern bool at_command_is_sound(const char *command, const char *letters);

/* The command with its values, in the current context. */
extern char *at_command_expand(const char *command, const AtCommandValue *values, int count);

/*
 * Run it, without a transaction or within a query that can be cancelled. NULL if it ended well; or
 * else how it ended, in the current context, which is in the server's log then, with the command.
 * `what` says what it was for, as "the file \"x\" was not stored".
 */
extern const char *at_command_run(const char *command, int timeout_s, const char *what);

#endif
