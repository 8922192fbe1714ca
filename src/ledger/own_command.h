/*-------------------------------------------------------------------------
 * own_command.h
 *		Commands of our own on what the guard protects.
 *
 * The guard lets a utility command pass that was announced here, and only
 * that one: not what event triggers, or functions that it calls, do besides.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OWN_COMMAND_H
#define AT_OWN_COMMAND_H

/* Run one utility command that must succeed, by SPI, to which the caller is connected. */
extern void at_own_command(const char *command);

/*
 * For the guard: is this the text of the announced command? True once for
 * each at_own_command().
 */
extern bool at_own_command_begins(const char *query);

#endif
