/*-------------------------------------------------------------------------
 * number.c
 *		Numbers from the ledger's sequences.
 *
 * nextval() alone is not safe under wal_level = minimal: in the transaction
 * that creates the sequence it writes no WAL, but notes on the page that the
 * next 32 numbers are in the WAL already. After a crash they are drawn again
 * (PostgreSQL 15; CREATE SEQUENCE and nextval() in one transaction show it).
 * The ledger's first numbers are drawn in the transaction that creates it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xlog.h"
#include "commands/sequence.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "ledger/number.h"
#include "ledger/owner.h"

static void forget_logged(Oid sequence, int64 number);

int64
at_number_draw(const char *sequence)
{
	Oid relid = at_audit_relid(sequence);
	int64 number = nextval_internal(relid, false);

	if (!XLogIsNeeded())
		forget_logged(relid, number);
	return number;
}

/* setval() clears the page's note, so that the next nextval() writes WAL. */
static void
forget_logged(Oid sequence, int64 number)
{
	Relation rel = relation_open(sequence, AccessShareLock);
	bool logged = RelationNeedsWAL(rel);

	relation_close(rel, NoLock);
	if (logged)
		return;

	AtOwnerState state;

	at_owner_enter(&state);
	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(number));
	at_owner_leave(&state);
}
