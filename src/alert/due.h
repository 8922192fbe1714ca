/*-------------------------------------------------------------------------
 * due.h
 *		Alerts that are told again: those that nobody has acknowledged, and
 *		those that nobody could hear.
 *
 * A row of audit.alert_delivery says when it is due. What was due up to
 * some place has been seen to; the passes keep that place.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DUE_H
#define AT_DUE_H

#include "datatype/timestamp.h"

/* A place among what is due. */
typedef struct AtDuePlace
{
	TimestampTz due_at;
	int64 delivery_id;
} AtDuePlace;

/*
 * See to what is due now and lies behind the place, at most so many; the place
 * moves. Returns how many were seen to. Needs SPI.
 */
extern int at_due_tell(AtDuePlace *place, int limit);

#endif
