/*-------------------------------------------------------------------------
 * current.c
 *		What the running transaction has recorded so far.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "ledger/transaction.h"

PG_FUNCTION_INFO_V1(at_current_tx_id);

/*
 * audit.current_tx_id(): the name of the running transaction in the trail;
 * NULL if no event of it stands.
 */
Datum
at_current_tx_id(PG_FUNCTION_ARGS)
{
	uint64 tx_id = at_transaction_current();

	if (tx_id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) tx_id);
}
