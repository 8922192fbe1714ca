/*-------------------------------------------------------------------------
 * export_targets.c
 *		The versions of tables, beside the segments of an archive.
 *
 * Events have the names of their tables, which are sealed, and not their context. So whoever reads
 *an archive elsewhere takes that from here, as what this server says.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "core/target_list.h"
#include "ledger/datum.h"
#include "seal/export.h"

static void put_target(StringInfo bytes, HeapTuple row, TupleDesc desc);

void
at_export_targets(AtExport *export)
{
	StringInfoData bytes;
	AtWriter writer;
	AtHash checksum;

	SPI_connect();
	if (SPI_execute(
			"SELECT target_id, defined_at, table_schema, table_name, resource_type, context "
			"FROM audit.target ORDER BY target_id",
			true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the versions of tables");
	initStringInfo(&bytes);
	enlargeStringInfo(&bytes, AT_TARGET_LIST_ROOM);
	writer = at_writer(bytes.data, AT_TARGET_LIST_ROOM);
	at_target_list_write_head(&writer, at_log_id(), (uint32_t) SPI_processed);
	bytes.len = writer.len;
	for (uint64 i = 0; i < SPI_processed; i++)
		put_target(&bytes, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	if (!at_hash(bytes.data, bytes.len, &checksum))
		at_hash_failed();
	appendBinaryStringInfo(&bytes, (const char *) &checksum, sizeof(checksum));
	at_log_directory_write(&export->directory, AT_TARGET_LIST_PATH, bytes.data, bytes.len);
	SPI_finish();
}

static void
put_target(StringInfo bytes, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	AtColdTarget target = {
		.target_id = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull)),
		.schema = at_span_of(SPI_getvalue(row, desc, 3)),
		.table = at_span_of(SPI_getvalue(row, desc, 4)),
		.resource_type = at_span_of(SPI_getvalue(row, desc, 5)),
		.context = at_span_of(SPI_getvalue(row, desc, 6)),
	};
	TimestampTz defined_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &isnull));
	Size room = AT_TARGET_ROOM + target.schema.len + target.table.len + target.resource_type.len +
				target.context.len;
	AtWriter writer;

	enlargeStringInfo(bytes, room);
	writer = at_writer(bytes->data + bytes->len, room);
	at_target_list_write(&writer, &target, at_unix_microseconds(defined_at));
	bytes->len += writer.len;
}
