/*-------------------------------------------------------------------------
 * health.h
 *		A page that tells how it goes: HTTP, on this machine alone.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HEALTH_H
#define AT_HEALTH_H

#include "config.h"
#include "sink.h"

/* Listen on 127.0.0.1:PORT or [::1]:PORT; -1, and an error was said, if that cannot be. */
extern int at_health_listen(const char *address);

/* Answer one client that waits, in a second: 200 if all sinks deliver, else 503. */
extern void at_health_answer(int listener, const AtConfig *config, AtSink *const *sinks);

#endif
