/*-------------------------------------------------------------------------
 * catalog.h
 *		Where the extension and its ledger are in this database.
 *
 * All answers are cached in the backend; a relcache invalidation flips a
 * flag and the next question looks again.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CATALOG_H
#define AT_CATALOG_H

#include "storage/lockdefs.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "core/body.h"

#define AT_SCHEMA    "audit"
#define AT_EXTENSION "audit_trail"

/* Tables that at_append() writes; at_ledger_names[] has their names in this order. */
typedef enum AtLedgerTable
{
	AT_LEDGER_EVENT,
	AT_LEDGER_TRANSACTION,
	AT_LEDGER_SESSION,
	AT_LEDGER_TARGET,
	AT_LEDGER_INCARNATION,
	AT_LEDGER_LOG_ENTRY,
	AT_LEDGER_LEAF_TILE,
	AT_LEDGER_LOG_TILE,
	AT_LEDGER_CHECKPOINT,
	AT_LEDGER_ANCHOR_RECEIPT,
	AT_LEDGER_SEGMENT,
	AT_LEDGER_ALERT,
	AT_LEDGER_ALERT_ACTION,
	AT_LEDGER_ALERT_DELIVERY,
	AT_LEDGER_ALERT_PASS,
	AT_LEDGER_ALERT_MATCH,
	AT_LEDGER_ALERT_JUDGEMENT,
	AT_LEDGER_KEEPER_RUN,
	AT_LEDGER_DELETION,
	AT_LEDGER_TABLES
} AtLedgerTable;

extern const char *const at_ledger_names[AT_LEDGER_TABLES];

/* Is there a ledger in this database? Needs a transaction, raises nothing. */
extern bool at_ledger_exists(void);

/* Oid of a ledger table; ERRCODE_AT_NO_LEDGER if there is none. */
extern Oid at_ledger_relid(AtLedgerTable table);

/*
 * Let one process at a time append to a table by passes: hold a lock that
 * stands for the table until the end of the transaction. It is no lock of the
 * table itself: those, VACUUM and REINDEX CONCURRENTLY take, and the latter
 * waits under it for everybody who waits for a pass.
 */
extern void at_ledger_lock_passes(AtLedgerTable table);

/*
 * Lock tables and their partitions as whoever writes them, before anything of them is read. REINDEX
 * locks a table first and its indexes then, and would wait for a lock on an index that a reader has
 * who waits for one on the table.
 */
extern void at_ledger_lock_to_write(const AtLedgerTable *tables, int count);

/* Does this session hold a lock on the relation, of this mode or one behind it in their list? */
extern bool at_lock_is_held(Oid relid, LOCKMODE first);

/* A registered snapshot taken now, in a parallel query too. Needs a ledger. */
extern Snapshot at_snapshot_of_now(void);

/* Oid of the schema audit; InvalidOid without one. */
extern Oid at_audit_schema(void);

/* Oid of a relation in the schema audit (sequence, configuration table); same error. */
extern Oid at_audit_relid(const char *name);

/* Is the relation a ledger table, or a partition or TOAST table of one? */
extern bool at_is_ledger_relation(Relation rel);

/* The ledger's id, AT_LOG_ID_LEN bytes that stay valid for the transaction; same error. */
extern const uint8 *at_log_id(void);

/*
 * By audit.incarnation: the one that was begun in this server and database, or else
 * the one after the last; same error. See at_incarnation_here().
 */
extern int32 at_incarnation_listed(void);

/* Was the ledger created for tests, or is it just being created? See clock.h; needs a ledger. */
extern bool at_ledger_is_for_test(void);

/* Has an incarnation been begun in this server and database? False without a ledger. */
extern bool at_incarnation_begun(void);

/* The extension's owner, who owns configuration and ledger; InvalidOid without extension. */
extern Oid at_extension_owner(void);

/* Register the invalidation callback. */
extern void at_catalog_init(void);

#endif
