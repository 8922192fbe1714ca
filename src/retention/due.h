/*-------------------------------------------------------------------------
 * due.h
 *		Which months of the ledger may be archived.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DUE_H
#define AT_DUE_H

#include "datatype/timestamp.h"

/* A month of a retention class, with the partitions that are not archived yet. */
typedef struct AtMonth
{
	int16 retention_class;
	int year;
	int month; /* from 1 */
	TimestampTz from;
	TimestampTz until;

	/* their oids; InvalidOid: archived, or not there */
	Oid event;
	Oid transaction;
} AtMonth;

/*
 * The oldest month of a class (0: of any) that ended before a time and has rows; false if there is
 * none.
 */
extern bool at_month_find(int16 retention_class, TimestampTz before, AtMonth *month);

/*
 * The month of a partition of this name, without oids; false for one that is of none, as default
 * partitions.
 */
extern bool at_month_read(const char *partition, AtMonth *month);

/* The name of a partition of it: event_1_202601. */
extern char *at_month_partition(const AtMonth *month, const char *table);

#endif
