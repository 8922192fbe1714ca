/*-------------------------------------------------------------------------
 * baseline.h
 *		The rows that a table has already, as events: audit.record_baseline().
 *
 * A baseline is recorded in one transaction and under one snapshot: first an
 * event of op 'B' without key and values, whose extra.baseline.snapshot is the
 * text of the snapshot, then one of op 'B' for each row. Events of
 * transactions that the snapshot sees are contained in it; those of all
 * others come after it, whatever the clocks say.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BASELINE_H
#define AT_BASELINE_H

#include "postgres_ext.h"

/* Record the rows of an audited table now; returns how many. See audit.record_baseline(). */
extern uint64 at_baseline_record(Oid relid, int batch_size);

/*
 * Have a background worker record the baseline when this transaction has
 * committed, since the lock that audit.enable() holds would keep writers
 * waiting meanwhile.
 */
extern void at_baseline_request(Oid relid);

/* Register the end-of-transaction callback. */
extern void at_baseline_init(void);

#endif
