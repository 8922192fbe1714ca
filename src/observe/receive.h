/*-------------------------------------------------------------------------
 * receive.h
 *		Records that a standby sends, as they travel: audit.receive_records().
 *
 * The bytes are a number, the version of this form, and then of each record its number, its length
 * and itself; numbers grow. Numbers are as in base/wire.h.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RECEIVE_H
#define AT_RECEIVE_H

#include "base/ring.h"

/* Write what was read from the ring. */
extern void at_receive_write(const AtRingBatch *batch, StringInfo out);

/*
 * Which records of a stream, and of its last batch how many groups, are in the trail of this
 * database. False if none is.
 */
typedef struct AtReceived
{
	uint64 first;
	uint64 last;
	int records; /* of the batch */
	int groups;  /* that were committed */
} AtReceived;

extern bool at_receive_read_state(const char *stream, AtReceived *received);

#endif
