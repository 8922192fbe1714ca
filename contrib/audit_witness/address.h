/*-------------------------------------------------------------------------
 * address.h
 *		Where a witness is: "127.0.0.1:7780", "[::1]:7780", or the path of a
 *		socket.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ADDRESS_H
#define AT_ADDRESS_H

#include <stdint.h>

/*
 * Listen: on this machine alone, whatever the address. The socket does not
 * block. Says on stdout where, once it does.
 */
extern int at_listen(const char *address);

/* Connect, with so many seconds for it and for each read and write; -1, and a message, if not. */
extern int at_connect(const char *address, int seconds);

/* Milliseconds since some point in the past. */
extern int64_t at_now_ms(void);

#endif
