/*-------------------------------------------------------------------------
 * record.h
 *		What was told by way of the ring, on its way into the trail: here, or
 *		in that of the primary server.
 *
 * Records of the same origin, one after the other, make one transaction, whose row has
 * the identity of the origin.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RECORD_H
#define AT_RECORD_H

#include "base/ring.h"
#include "ledger/dispatch.h"
#include "ledger/target.h"

/* A record, taken apart; what it consists of points into its bytes. */
typedef struct AtRecord
{
	AtRingRecord ring;
	AtOrigin *origin;
	int origin_len; /* bytes of it, with which the record begins */
	AtDispatch dispatch;
	bool taken; /* by a group */
	int group;  /* which; 0: none */
} AtRecord;

/* Take one apart, in the current memory context; false if it is none. */
extern bool at_record_read(const AtRingRecord *ring, AtRecord *record);

/*
 * Those from one on, and before another one, that have its origin: mark them as taken by the group
 * of this number. Returns how many they are. So records fall into groups in the same way wherever
 * that is done.
 */
extern int at_record_take_group(AtRecord *record, int from, int until, int group);

/* Make texts of the origin valid in the encoding of this database. */
extern void at_record_clean_origin(AtOrigin *origin);

/* The same of one text; NULL stays NULL. */
extern char *at_record_clean(char *text);

/*
 * Append its event to the running transaction, which is recorded for the origin. The target is that
 * of the event before, zero at first. Members of extra may be NULL.
 */
extern void at_record_append(const AtRecord *record, AtTarget *target, StringInfo extra);

#endif
