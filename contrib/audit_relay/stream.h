/*-------------------------------------------------------------------------
 * stream.h
 *		A connection to a receiver of syslog: tls://HOST:PORT, tcp://HOST:PORT,
 *		or unix:PATH (of a datagram socket of this machine).
 *-------------------------------------------------------------------------
 */
#ifndef AT_STREAM_H
#define AT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "alert.h"

typedef struct AtStream AtStream;

/*
 * Connect, in so many seconds. With TLS the receiver's certificate is verified, by
 * ca_file or, if that is empty, by what the system trusts. NULL, and a reason, if that fails.
 */
extern AtStream *at_stream_open(const char *address, const char *ca_file, int timeout,
								char reason[AT_REASON_MAX]);

/* Does a message need its length before it? Else each is a datagram. */
extern bool at_stream_is_framed(const AtStream *stream);

/* Send all of it. False, and a reason, if that fails or the receiver has closed the connection. */
extern bool at_stream_send(AtStream *stream, const char *bytes, size_t len,
						   char reason[AT_REASON_MAX]);

extern void at_stream_close(AtStream *stream);

#endif
