/*-------------------------------------------------------------------------
 * purge.h
 *		Carrying approved purges out, month by month.
 *
 * For each month of an approved request there are two transactions of the
 * keeper:
 *
 *	order	the batches of the month are verified; the leaves that go are listed;
 *			the order is sealed as a record of the log, and the list kept
 *	carry	once the order is signed, and anchored if that is wanted: the rows
 *			go, and a record that says so is sealed
 *
 * A crash in between leaves an order, which the next run carries out. A hold
 * that comes in between makes the order void, and another one is made.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PURGE_H
#define AT_PURGE_H

#include "ledger/control.h"
#include "ledger/gap.h"

/* A month of an approved request, and how far it is. */
typedef struct AtPurgeMonth
{
	int64 request_id;
	int64 approval_id;
	char *requested_by;
	char *approved_by;
	char *from; /* as the request has it */
	char *until;
	int64 deletion_id; /* of its order; 0: none yet */
} AtPurgeMonth;

/* Raise an error unless what was sealed of the month is as it was sealed (order.c). */
extern void at_purge_check(const AtPurgeMonth *month);

/* Make the order, or seal that nothing goes after all (order.c). */
extern void at_purge_order(AtControl *control, const AtPurgeMonth *month);

/* Let the rows go that the order names (carry_out.c). */
extern void at_purge_carry_out(AtControl *control, const AtPurgeMonth *month);

/* Append a record of the log and the row of audit.deletion for it; deletion_id 0 is the record's.
 */
extern int64 at_deletion_append(AtControl *control, const char *kind, const char *phase,
								int64 deletion_id, const char *certificate,
								const struct varlena *gaps, const struct varlena *sessions);

/* Register the keeper's steps. */
extern void at_purge_init(void);

#endif
