/*-------------------------------------------------------------------------
 * doctor_seal.c
 *		audit.doctor(): is the log sealed, signed and anchored?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/checkpoint_file.h"
#include "base/guc.h"
#include "base/shmem.h"
#include "guard/doctor.h"
#include "ledger/log_read.h"
#include "ledger/public_key.h"
#include "ledger/signed_head.h"

/* From when on unsealed transactions are a warning, and a problem, in seconds. */
#define AT_LAG_WARNING 60
#define AT_LAG_PROBLEM 600

#define SIGNING_REMEDY                                                                             \
	"SELECT audit.create_signing_key('/outside/of/the/data/directory/log.key', "                   \
	"'example.org/log'); -- then set audit_trail.signing_key_file to that file in the "            \
	"configuration file, and: SELECT pg_reload_conf();"

static void check_configured_key(const AtDoctor *doctor, const char *name, const AtPublicKey *last);
static void check_anchoring(const AtDoctor *doctor, const char *name);

/* A key of the log that no other vouches for, but the first. */
static bool
is_unendorsed(void)
{
	(void) at_doctor_query(
		"SELECT pg_catalog.count(*) > 1, (pg_catalog.array_agg(endorsed_by ORDER BY "
		"since_size DESC))[1] IS NULL FROM audit.public_keys");
	return strcmp(at_doctor_field(0, 1), "t") == 0 && strcmp(at_doctor_field(0, 2), "t") == 0;
}

/* An error, that the key cannot be read or is not for this log, is a finding. */
void
at_doctor_signing_key(const AtDoctor *doctor, const char *name)
{
	AtPublicKey last;
	bool was_signed = at_public_key_last(&last);

	if (at_signing_key_is_configured())
		check_configured_key(doctor, name, was_signed ? &last : NULL);
	else if (was_signed)
		at_doctor_report(doctor, name, PROBLEM, SIGNING_REMEDY,
						 "No key is named, and this log was signed: by key %08x until now.",
						 last.id);
	else
		at_doctor_report(
			doctor, name, WARN, SIGNING_REMEDY,
			"No key is named, so seals are not signed: who can write the files can rewrite "
			"all of the log.");
}

static void
check_configured_key(const AtDoctor *doctor, const char *name, const AtPublicKey *last)
{
	AtSigningKey key;
	uint32 id;

	at_signing_key_read(&key);
	explicit_bzero(key.key.seed, sizeof(key.key.seed));
	at_public_key_check(&key, last);
	id = key.key.public_key.id;
	if (last == NULL || !at_public_key_equal(&key.key.public_key, last))
		at_doctor_report(doctor, name, WARN, "SELECT audit.seal_now();",
						 "Key %08x can be read; the log will have it at the sealer's next pass.",
						 id);
	else if (is_unendorsed())
		at_doctor_report(doctor, name, WARN,
						 "Tell those who verify checkpoints the new public key: SELECT * FROM "
						 "audit.public_keys;",
						 "Key %08x took the place of another one, which did not endorse it.", id);
	else
		at_doctor_report(doctor, name, OK, NULL, "Key %08x can be read, and the log has it.", id);
}

/* Does the log continue what was signed last? */
void
at_doctor_checkpoints(const AtDoctor *doctor, const char *name)
{
	AtPublicKey key;
	AtCheckpointFile file;
	AtLogHead head;
	char *problem;

	if (!at_signing_key_is_configured())
	{
		at_doctor_report(doctor, name, OK, NULL, "No checkpoint is to be signed.");
		return;
	}
	at_checkpoint_file_read(&file);
	if (!at_public_key_last(&key))
	{
		at_doctor_report(
			doctor, name, WARN,
			"SELECT audit.seal_now(); -- if that does not help, see the check signing key",
			"The log does not have a key yet.");
		return;
	}
	at_log_head_read(GetActiveSnapshot(), &head);
	problem = at_signed_head_problem(file.has_note ? &file.last : NULL, key.name, &head.tree,
									 GetActiveSnapshot());
	if (problem != NULL)
		at_doctor_report(doctor, name, PROBLEM,
						 "Find out why. If it is lawful, say so for the record: SELECT "
						 "audit.new_incarnation('what was restored, from where, who decided it');",
						 "No checkpoint is signed: %s.", problem);
	else if (!file.has_note || !at_signed_head_is(&file.last, &head.tree))
		at_doctor_report(doctor, name, WARN,
						 "SELECT audit.seal_now(); -- if that does not help, see the server log",
						 "The log has " UINT64_FORMAT
						 " entries; the last signed checkpoint has " UINT64_FORMAT ".",
						 (uint64) head.tree.size, file.has_note ? (uint64) file.last.size : 0);
	else
		at_doctor_report(doctor, name, OK, NULL,
						 "The last signed checkpoint has all " UINT64_FORMAT " entries.",
						 (uint64) head.tree.size);
}

/* Is what was signed witnessed outside? */
void
at_doctor_anchor(const AtDoctor *doctor, const char *name)
{
	AtWorkerStatus worker;

	if (!at_signing_key_is_configured())
		at_doctor_report(doctor, name, OK, NULL,
						 "No checkpoint is to be signed, so none is anchored.");
	else if (at_guc_anchor_command[0] == '\0')
		at_doctor_report(
			doctor, name, WARN, AT_DOCTOR_SET("audit_trail.anchor_command"),
			"No command is named, so checkpoints stay on this machine: who has it and the key "
			"can rewrite all of the log.");
	else if (at_worker_status(AT_WORKER_ANCHORER, &worker) && worker.failures == 0 &&
			 worker.pid != 0)
		check_anchoring(doctor, name);
	else
		at_doctor_worker(doctor, name, AT_WORKER_ANCHORER);
}

static void
check_anchoring(const AtDoctor *doctor, const char *name)
{
	AtAnchorStatus status;
	AtHealth health = OK;
	char *remedy = NULL;
	char *detail;

	at_slot_get_anchor(at_slot_find(MyDatabaseId), &status);
	detail = status.anchored_at == 0
				 ? "No checkpoint was anchored yet."
				 : psprintf("The newest receipt is for " UINT64_FORMAT " of " UINT64_FORMAT
							" signed entries and came at %s.",
							status.anchored_size, status.signed_size,
							timestamptz_to_str(status.anchored_at));
	if (status.failures > 0)
	{
		health = WARN;
		detail =
			psprintf("%s Failed %d times since then: %s.", detail, status.failures, status.message);
		remedy = psprintf("As the server's user, in the data directory, run what the server log "
						  "calls the failed anchor command. When it works: SELECT * "
						  "FROM audit.anchor_now();");
	}
	else if (status.anchored_at == 0)
	{
		health = WARN;
		remedy = "SELECT audit.seal_now(); SELECT * FROM audit.anchor_now();";
	}
	if (status.overdue_since != 0)
	{
		health = PROBLEM;
		detail = psprintf("Older than audit_trail.anchor_max_age since %s. %s",
						  timestamptz_to_str(status.overdue_since), detail);
		if (remedy == NULL)
			remedy =
				"See the checks checkpoints and sealer, then: SELECT * FROM audit.anchor_now();";
	}
	at_doctor_report(doctor, name, health, remedy, "%s", detail);
}

/* How old is the oldest transaction of this server and database that no entry seals? */
void
at_doctor_sealing(const AtDoctor *doctor, const char *name)
{
	char *sql = psprintf(
		"SELECT pg_catalog.count(*), coalesce(pg_catalog.ceil(extract(epoch FROM "
		"pg_catalog.clock_timestamp() - pg_catalog.min(t.committed_at))), 0)::pg_catalog.int8 "
		"FROM (SELECT e.snapshot::pg_catalog.pg_snapshot AS seen FROM audit.log_entry AS e "
		"WHERE e.snapshot IS NOT NULL ORDER BY e.log_index DESC LIMIT 1) AS s "
		"JOIN audit.transaction AS t "
		"ON t.tx_id >= " INT64_FORMAT
		" + pg_catalog.pg_snapshot_xmin(s.seen)::pg_catalog.text::pg_catalog.int8 "
		"AND NOT pg_catalog.pg_visible_in_snapshot(t.xid::pg_catalog.text::pg_catalog.xid8, "
		"s.seen) "
		"WHERE t.system_identifier = " INT64_FORMAT " AND t.database_oid = %u",
		(int64) at_tx_id_base(at_incarnation_here()), (int64) GetSystemIdentifier(), MyDatabaseId);
	AtHealth health = OK;
	int64 count;
	int64 lag;

	(void) at_doctor_query(sql);
	count = pg_strtoint64(at_doctor_field(0, 1));
	lag = pg_strtoint64(at_doctor_field(0, 2));
	if (lag >= AT_LAG_PROBLEM)
		health = PROBLEM;
	else if (lag >= AT_LAG_WARNING)
		health = WARN;
	if (count == 0)
		at_doctor_report(doctor, name, OK, NULL, "All transactions are sealed.");
	else
		at_doctor_report(
			doctor, name, health,
			health == OK ? NULL : "SELECT audit.seal_now(); -- if that fails, see the check sealer",
			INT64_FORMAT " transactions await sealing, the oldest for " INT64_FORMAT " seconds.",
			count, lag);
}
