/*-------------------------------------------------------------------------
 * emit.h
 *		audit.emit(): what an application says has happened.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EMIT_H
#define AT_EMIT_H

/* Register the callbacks. */
extern void at_emit_init(void);

#endif
