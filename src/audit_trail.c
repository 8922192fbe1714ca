/*-------------------------------------------------------------------------
 * audit_trail.c
 *		Module load: a table of contents.
 *
 * During preload everything is installed. Loaded into a single session,
 * the library only captures: no shared memory, no workers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "alert/alert.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "base/lifted.h"
#include "base/ring.h"
#include "base/run.h"
#include "base/shmem.h"
#include "base/worker.h"
#include "capture/baseline.h"
#include "capture/direct.h"
#include "capture/evolve.h"
#include "capture/policy.h"
#include "capture/truncate.h"
#include "core/hash.h"
#include "domain/emit.h"
#include "guard/catalogs.h"
#include "guard/chunk.h"
#include "guard/guard.h"
#include "guard/membership.h"
#include "ledger/append.h"
#include "ledger/cold_leftover.h"
#include "ledger/event_type.h"
#include "ledger/maintenance.h"
#include "ledger/origin.h"
#include "ledger/reader.h"
#include "ledger/retention_class.h"
#include "ledger/source.h"
#include "ledger/statement.h"
#include "ledger/subject_key.h"
#include "ledger/transaction.h"
#include "observe/collector.h"
#include "observe/denials.h"
#include "observe/privileges.h"
#include "observe/reads.h"
#include "observe/sessions.h"
#include "observe/table_reads.h"
#include "observe/watched.h"
#include "query/latency.h"
#include "retention/archive_files.h"
#include "retention/archive_month.h"
#include "retention/drop_empty.h"
#include "retention/erase.h"
#include "retention/hold.h"
#include "retention/keeper.h"
#include "retention/plan.h"
#include "retention/policy.h"
#include "retention/purge.h"
#include "retention/store_files.h"
#include "seal/sealer.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	if (!at_hash_init())
		elog(ERROR, "SHA-256 of libcrypto does not compute what it should");

	at_guc_init(); /* first: the others read settings */
	at_catalog_init();
	at_append_init();
	at_cold_leftover_init();
	at_transaction_init(); /* after append: its callback then runs before */
	at_maintenance_init(); /* the same */
	at_source_init();
	at_event_type_init();
	at_reader_init();
	at_retention_class_init();
	at_statement_init();
	at_origin_init();
	at_subject_key_init();
	at_policy_init();
	at_direct_init();
	at_reads_init();
	at_watched_init();
	at_table_reads_init();
	at_truncate_init();
	at_latency_init();
	at_baseline_init();
	at_guard_init();
	at_catalogs_init();
	at_membership_init();
	at_chunk_init();
	at_evolve_init(); /* after guard: what it does when a command ends is not looked at */
	at_alert_init();
	at_emit_init();
	at_seal_init();
	at_collector_init();
	at_keeper_init();
	at_archive_month_init(); /* after the keeper, of which it is a step */
	at_archive_files_init(); /* behind it */
	at_store_files_init();   /* and behind that */
	at_retention_policy_init();
	at_privileges_init();
	at_denials_init(); /* after all that may refuse */
	at_hold_init();
	at_plan_init();
	at_purge_init(); /* after keeper: its steps come behind */
	at_drop_empty_init();
	at_erase_init(); /* likewise */
	if (process_shared_preload_libraries_in_progress)
	{
		at_shmem_init();
		at_lifted_init();
		at_ring_init();
		at_sessions_init();
		at_worker_init();
		at_run_init();
	}
}
