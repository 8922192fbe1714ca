/*-------------------------------------------------------------------------
 * init.c
 *		Creating the ledger of a database: tables, views, partitions, the
 *		first incarnation and entry 0 of the log.
 *
 * Locks: ShareUpdateExclusiveLock on audit.policy until the end of the
 * transaction, so that a ledger is created once.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/guc.h"
#include "ledger/init.h"
#include "ledger/log_read.h"
#include "ledger/owner.h"
#include "ledger/partition.h"
#include "ledger/shield.h"

PG_FUNCTION_INFO_V1(at_init);

/* Configuration tables, whose changes are events too. */
static const char *const configuration[] = {
	"policy",  "automatic", "alert_rule", "role",      "context_source",  "grant",
	"context", "category",  "event_type", "event_map", "attached_archive"};

static void create_objects(const char *owner);
static void begin_log(void);
static void audit_configuration(void);

Datum
at_init(PG_FUNCTION_ARGS)
{
	bool created = at_ledger_create(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	PG_RETURN_TEXT_P(cstring_to_text(created ? "ledger created" : "ledger exists already"));
}

bool
at_ledger_create(const char *owner)
{
	AtOwnerState state;

	if (at_ledger_exists())
		return false;

	LockRelationOid(at_audit_relid("policy"), ShareUpdateExclusiveLock);
	if (at_ledger_exists())
		return false;

	at_owner_enter(&state);
	create_objects(owner);
	begin_log();
	audit_configuration();
	at_owner_leave(&state);
	return true;
}

static void
create_objects(const char *owner)
{
	SPI_connect();
	if (SPI_execute("SELECT audit.create_ledger()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "audit.create_ledger() failed");
	at_partitions_create_roots();
	at_partitions_create_months(AT_PARTITION_MONTHS_AHEAD);
	if (SPI_execute("SELECT audit.create_views()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "audit.create_views() failed");
	if (SPI_execute("SELECT audit.create_alert_views()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "audit.create_alert_views() failed");
	if (SPI_execute("SELECT audit.create_person_views()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "audit.create_person_views() failed");
	if (SPI_execute("SELECT audit.create_figures()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "audit.create_figures() failed");
	at_shield(owner);
	SPI_finish();
}

/* The ledger's id: a random UUID, version 4. */
static void
draw_log_id(uint8 *log_id)
{
	if (!pg_strong_random(log_id, AT_LOG_ID_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not draw random bytes")));
	log_id[6] = (log_id[6] & 0x0f) | 0x40;
	log_id[8] = (log_id[8] & 0x3f) | 0x80;
}

static void
begin_log(void)
{
	AtIncarnation first = {.incarnation = 1,
						   .system_identifier = GetSystemIdentifier(),
						   .database_oid = MyDatabaseId,
						   .reason =
							   at_guc_debug_clock != 0 ? AT_LEDGER_FOR_TEST : AT_LEDGER_CREATED};
	AtLogHead head;

	draw_log_id(first.log_id);
	at_log_append_incarnation(&first);
	CommandCounterIncrement();

	at_log_head_init(&head);
	at_log_append_control(&head, first.incarnation, AT_KIND_BOOT,
						  "1:1:", at_log_origin_payload(&first));
}

/* By the public function, since capturing is not this room's business. */
static void
audit_configuration(void)
{
	SPI_connect();
	for (int i = 0; i < lengthof(configuration); i++)
	{
		const char *command = psprintf("SELECT audit.enable('audit.%s', context => 'system', "
									   "resource_type => 'audit.%s')",
									   configuration[i], configuration[i]);

		if (!OidIsValid(get_relname_relid(configuration[i], at_audit_schema())))
			continue;
		if (SPI_execute(command, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not audit audit.%s", configuration[i]);
	}
	SPI_finish();
}
