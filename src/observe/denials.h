/*-------------------------------------------------------------------------
 * denials.h
 *		What was refused for want of privilege is an event.
 *
 * access.denied, with op R: the message, the object where it is known, and
 * the client's command without its literals. Whatever raises
 * insufficient_privilege counts - a table, column, function, schema, an object of
 * others, a row that row security refuses - at every level of nesting, and also where a function
 * catches the error. The same refusal is told once a command of the client.
 *
 * Caveat: rows that row security hides are no refusal.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DENIALS_H
#define AT_DENIALS_H

/* Install the hooks. */
extern void at_denials_init(void);

#endif
