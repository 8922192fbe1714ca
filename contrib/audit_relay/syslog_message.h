/*-------------------------------------------------------------------------
 * syslog_message.h
 *		An alert as a message of RFC 5424.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SYSLOG_MESSAGE_H
#define AT_SYSLOG_MESSAGE_H

#include <stddef.h>

#include "alert.h"
#include "config.h"

/* Longest message: what RFC 5425 says a receiver should be able to take. */
#define AT_SYSLOG_MAX 8192

/*
 * Write a message and return its length. host is where it comes from, an empty one stands for
 * none. What would not fit is cut off the text at its end, between characters.
 */
extern size_t at_syslog_write(char out[AT_SYSLOG_MAX], const AtSinkConfig *config, const char *host,
							  const AtAlert *alert);

#endif
