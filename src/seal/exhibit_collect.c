/*-------------------------------------------------------------------------
 * exhibit_collect.c
 *		The transactions of the events in a bundle of evidence, their sessions,
 *		and the batches that they are in.
 *
 * Whence a session came is bound by the transaction that wrote it, the
 * session's first. So that one comes along, without events unless those are selected too.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "core/bytes.h"
#include "ledger/gap.h"
#include "ledger/log_read.h"
#include "ledger/owner.h"
#include "ledger/read.h"
#include "seal/exhibit.h"
#include "seal/place.h"

static void read_transactions(AtExhibit *exhibit, Snapshot snapshot);
static void add_transaction(AtExhibit *exhibit, AtTransactionReader *reader, uint64 tx_id,
							const char *event_id);
static void read_sessions(AtExhibit *exhibit, Snapshot snapshot);
static void add_session(AtExhibit *exhibit, AtSessionReader *reader, uint64 session_id);
static void find_writers(AtExhibit *exhibit);
static void add_writers(AtExhibit *exhibit, Snapshot snapshot);
static void sort_transactions(AtExhibit *exhibit);

void
at_exhibit_collect(AtExhibit *exhibit)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());

	read_transactions(exhibit, snapshot);
	read_sessions(exhibit, snapshot);
	find_writers(exhibit);
	add_writers(exhibit, snapshot);
	UnregisterSnapshot(snapshot);
}

static void
read_transactions(AtExhibit *exhibit, Snapshot snapshot)
{
	AtTransactionReader *reader = at_transaction_finder_open(snapshot);

	for (size_t i = 0; i < exhibit->selected_count; i++)
	{
		const AtEventName *name = &exhibit->selected[i];

		CHECK_FOR_INTERRUPTS();
		if (i == 0 || name->tx_id != exhibit->selected[i - 1].tx_id)
		{
			char *event_id = psprintf(UINT64_FORMAT ".%u", name->tx_id, name->ordinal);

			add_transaction(exhibit, reader, name->tx_id, event_id);
			exhibit->transaction[exhibit->transaction_count - 1].first_event = i;
			pfree(event_id);
		}
		exhibit->transaction[exhibit->transaction_count - 1].event_count++;
	}
	at_transaction_reader_close(reader);
}

static void
add_transaction(AtExhibit *exhibit, AtTransactionReader *reader, uint64 tx_id, const char *event_id)
{
	size_t count = exhibit->transaction_count;
	const AtTransactionRow *row;
	char *bytes;

	at_transaction_finder_start(reader, tx_id);
	row = at_transaction_reader_next(reader);
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND), errmsg("there is no event %s to prove", event_id),
				 errdetail("No committed transaction " UINT64_FORMAT " is recorded.", tx_id),
				 errhint("See event_id in audit.events. Events of the transaction that is running "
						 "cannot be proved before it commits.")));
	if (row->digest_is_odd)
		at_exhibit_broken(psprintf("The digest of transaction " UINT64_FORMAT " is none.", tx_id));
	if (exhibit->transaction == NULL)
		exhibit->transaction = palloc(sizeof(AtExhibitTransaction));
	else if ((count & (count - 1)) == 0)
		exhibit->transaction =
			repalloc_huge(exhibit->transaction, 2 * count * sizeof(AtExhibitTransaction));

	bytes = palloc_extended(at_transaction_body_size(&row->body), MCXT_ALLOC_HUGE);
	exhibit->transaction[exhibit->transaction_count++] = (AtExhibitTransaction){
		.tx_id = tx_id,
		.session_id = row->body.session_id,
		.wrote_session = row->body.session_digest.data != NULL,
		.body = {bytes, at_transaction_body_write(&row->body, (uint8 *) bytes) - (uint8 *) bytes},
	};
}

/* Each once, ascending. */
static void
read_sessions(AtExhibit *exhibit, Snapshot snapshot)
{
	size_t count = exhibit->transaction_count;
	AtSessionReader *reader = at_session_reader_open(snapshot);
	uint64 *ids = palloc_extended(sizeof(uint64) * count, MCXT_ALLOC_HUGE);

	for (size_t i = 0; i < count; i++)
		ids[i] = exhibit->transaction[i].session_id;
	qsort(ids, count, sizeof(uint64), at_exhibit_compare);
	exhibit->session = palloc_extended(sizeof(AtEvidenceSession) * count, MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || ids[i] != ids[i - 1])
			add_session(exhibit, reader, ids[i]);
	pfree(ids);
	at_session_reader_close(reader);
}

static void
add_session(AtExhibit *exhibit, AtSessionReader *reader, uint64 session_id)
{
	const AtSessionBody *body = at_session_reader_find(reader, session_id);
	char *bytes;

	if (body == NULL)
		at_exhibit_broken(psprintf("Session " UINT64_FORMAT " is missing.", session_id));
	bytes = palloc(at_session_body_size(body));
	exhibit->session[exhibit->session_count++] = (AtEvidenceSession){
		.session_id = session_id,
		.body = {bytes, at_session_body_write(body, (uint8 *) bytes) - (uint8 *) bytes},
	};
}

/* Nobody vouches for the session: since its first transaction was purged, or for no good reason. */
pg_noreturn static void
no_writer(uint64 session_id)
{
	const AtGaps *gaps = at_gaps_read(GetActiveSnapshot());

	for (int i = 0; i < gaps->ndeletions; i++)
	{
		const AtDeletion *deletion = &gaps->deletion[i];

		for (size_t at = 0; deletion->problem == NULL && at < deletion->sessions_len;
			 at += AT_SESSION_LEN)
			if (at_get_u64(deletion->sessions + at) == session_id)
				ereport(
					ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("there is no evidence of session " UINT64_FORMAT " as a whole any more",
							session_id),
					 errdetail(
						 "The transaction that vouched for it was purged, by deletion " INT64_FORMAT
						 ".",
						 deletion->deletion_id),
					 errhint("SELECT audit.prove(event_id) proves an event without its "
							 "session; SELECT audit.export_deletion(" INT64_FORMAT
							 ") tells of the purge.",
							 deletion->deletion_id)));
	}
	at_exhibit_broken(psprintf("No transaction wrote session " UINT64_FORMAT ".", session_id));
}

/*
 * The transaction that wrote each session: one of ours, or else by the index over sessions. It is
 * read as the ledger's owner, since who may make evidence need not be able to read tables.
 */
static void
find_writers(AtExhibit *exhibit)
{
	static const char *const sql = "SELECT tx_id FROM audit.transaction "
								   "WHERE session_id = $1 AND session_digest IS NOT NULL LIMIT 1";
	Oid types[] = {INT8OID};
	AtOwnerState state;
	SPIPlanPtr plan = NULL;

	for (size_t i = 0; i < exhibit->transaction_count; i++)
	{
		const AtExhibitTransaction *transaction = &exhibit->transaction[i];

		if (transaction->wrote_session)
			for (size_t low = 0, high = exhibit->session_count; low < high;)
			{
				size_t middle = low + (high - low) / 2;
				AtEvidenceSession *session = &exhibit->session[middle];

				if (session->session_id == transaction->session_id)
					session->tx_id = transaction->tx_id;
				if (session->session_id < transaction->session_id)
					low = middle + 1;
				else
					high = middle;
			}
	}

	at_owner_enter(&state);
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	for (size_t i = 0; i < exhibit->session_count; i++)
	{
		AtEvidenceSession *session = &exhibit->session[i];
		Datum id = Int64GetDatum(session->session_id);
		bool isnull;

		if (session->tx_id != 0)
			continue;
		if (plan == NULL)
			plan = SPI_prepare(sql, 1, types);
		if (SPI_execute_plan(plan, &id, NULL, true, 1) != SPI_OK_SELECT || SPI_processed == 0)
			no_writer(session->session_id);
		session->tx_id =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		SPI_freetuptable(SPI_tuptable);
	}
	PopActiveSnapshot();
	SPI_finish();
	at_owner_leave(&state);
}

/* Those that no selected event is of. */
static void
add_writers(AtExhibit *exhibit, Snapshot snapshot)
{
	AtTransactionReader *reader = at_transaction_finder_open(snapshot);
	size_t count = exhibit->transaction_count;

	for (size_t i = 0; i < exhibit->session_count; i++)
	{
		uint64 tx_id = exhibit->session[i].tx_id;

		if (bsearch(&tx_id, exhibit->transaction, count, sizeof(AtExhibitTransaction),
					at_exhibit_compare) == NULL)
			add_transaction(exhibit, reader, tx_id, "of a session");
	}
	at_transaction_reader_close(reader);
	sort_transactions(exhibit);
}

/* One that wrote two sessions is there twice. */
static void
sort_transactions(AtExhibit *exhibit)
{
	AtExhibitTransaction *all = exhibit->transaction;
	size_t count = 0;

	qsort(all, exhibit->transaction_count, sizeof(AtExhibitTransaction), at_exhibit_compare);
	for (size_t i = 0; i < exhibit->transaction_count; i++)
		if (i == 0 || all[i].tx_id != all[count - 1].tx_id)
			all[count++] = all[i];
	exhibit->transaction_count = count;
}

int
at_exhibit_compare(const void *a, const void *b)
{
	uint64 left = *(const uint64 *) a;
	uint64 right = *(const uint64 *) b;

	return (left > right) - (left < right);
}

const AtEventName *
at_exhibit_place(AtExhibit *exhibit, uint64 size, uint64 *needed)
{
	static AtEventName missing;

	*needed = 0;
	for (size_t i = 0; i < exhibit->transaction_count; i++)
	{
		AtExhibitTransaction *transaction = &exhibit->transaction[i];

		CHECK_FOR_INTERRUPTS();
		if (!at_place_find_batch(&transaction->log_index, transaction->tx_id, size,
								 exhibit->snapshot))
		{
			missing = (AtEventName){.tx_id = transaction->tx_id, .ordinal = 1};
			if (transaction->event_count > 0)
				missing = exhibit->selected[transaction->first_event];
			return &missing;
		}
		*needed = Max(*needed, transaction->log_index + 1);
	}
	return NULL;
}
