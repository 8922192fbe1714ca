/*-------------------------------------------------------------------------
 * status.c
 *		SQL functions that ask for a seal and tell how far sealing has come.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/worker.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/read.h"

PG_FUNCTION_INFO_V1(at_seal_now);
PG_FUNCTION_INFO_V1(at_seal_lag);

/* The head of the log: (log_index, sealed_at, size, root). */
Datum
at_seal_now(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[4];
	bool nulls[4] = {false};
	char root[AT_HASH_LEN * 2 + 1];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	at_worker_run(AT_WORKER_SEALER);

	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtEntryReader *entries = at_entry_reader_open(snapshot);
	AtCheckpointReader *checkpoints = at_checkpoint_reader_open(snapshot);
	const AtEntryRow *entry = at_entry_reader_last(entries);
	const AtCheckpointRow *checkpoint = at_checkpoint_reader_last(checkpoints);

	if (entry == NULL || checkpoint == NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY), errmsg("the audit log is empty"),
						errhint("SELECT * FROM audit.verify();")));
	hex_encode((const char *) &checkpoint->root, AT_HASH_LEN, root);
	root[AT_HASH_LEN * 2] = '\0';
	values[0] = Int64GetDatum(entry->place);
	values[1] = TimestampTzGetDatum(at_pg_timestamp(entry->body.sealed_at));
	values[2] = Int64GetDatum(checkpoint->size);
	values[3] = CStringGetTextDatum(root);
	at_entry_reader_close(entries);
	at_checkpoint_reader_close(checkpoints);
	UnregisterSnapshot(snapshot);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* How much is not sealed yet: (transactions, age of the oldest). */
Datum
at_seal_lag(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[2];
	bool nulls[2] = {false};
	AtIncarnation current;
	AtWindow window = at_window_here();
	const AtTransactionRow *row;
	Interval age = {0};
	int64 oldest = PG_INT64_MAX;
	int64 count = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());

	if (at_incarnation_read_last(snapshot, &current))
		window.from = at_log_window_end(snapshot, current.incarnation);

	AtTransactionReader *reader = at_transaction_reader_open(snapshot);

	at_transaction_reader_start(reader, &window);
	while ((row = at_transaction_reader_next(reader)) != NULL)
	{
		count++;
		oldest = Min(oldest, row->body.committed_at);
	}
	at_transaction_reader_close(reader);
	UnregisterSnapshot(snapshot);

	values[0] = Int64GetDatum(count);
	nulls[1] = count == 0;
	age.time = GetCurrentTimestamp() - at_pg_timestamp(oldest);
	values[1] = IntervalPGetDatum(&age);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
