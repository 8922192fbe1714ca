/*-------------------------------------------------------------------------
 * last.c
 *		Sealed results of verifications.
 *
 * The payload is {"mode":"since last","from":N,"size":N,"root":"...",
 * "batches":N,"transactions":N,"events":N,"findings":N}, and "first" where
 * there are findings: see doc/format.md.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "core/base64.h"
#include "ledger/datum.h"
#include "seal/last.h"

static bool read_record(uint64 *log_index, uint64 *size, char **root);
static bool read_tree(AtVerify *verify, uint64 size, AtMerkle *tree, char **root);
static char *root_text(const AtMerkle *tree);

void
at_last_find(AtVerify *verify)
{
	uint64 log_index;
	uint64 size;
	char *recorded;
	char *root;
	AtMerkle tree;

	if (!read_record(&log_index, &size, &recorded))
		return;
	if (size > 0 && size <= log_index && read_tree(verify, size, &tree, &root) &&
		strcmp(root, recorded) == 0)
	{
		verify->first = size;
		verify->first_tree = tree;
		return;
	}
	at_findings_add(
		verify->findings,
		&(AtFinding){.thing = AT_THING_CHECKPOINT,
					 .fault = AT_FAULT_CHANGED,
					 .object = psprintf(UINT64_FORMAT, size),
					 .place = psprintf("checkpoint of size " UINT64_FORMAT, size),
					 .expected = recorded,
					 .detail = psprintf("it is not what the result that is entry " UINT64_FORMAT
										" says was verified; all is verified again",
										log_index)});
}

/* The last result without findings. */
static bool
read_record(uint64 *log_index, uint64 *size, char **root)
{
	MemoryContext context = CurrentMemoryContext;
	bool found;

	SPI_connect();
	if (SPI_execute(
			"SELECT log_index, pg_catalog.json_extract_path_text(payload, 'size'), "
			"pg_catalog.json_extract_path_text(payload, 'root') FROM audit.log_entry "
			"WHERE kind OPERATOR(pg_catalog.=) '" AT_KIND_VERIFIED "' "
			"AND pg_catalog.json_extract_path_text(payload, 'findings') OPERATOR(pg_catalog.=) '0' "
			"ORDER BY log_index DESC LIMIT 1",
			true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the results in the log");
	found = SPI_processed > 0;
	if (found)
	{
		HeapTuple row = SPI_tuptable->vals[0];
		char *size_value = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
		char *root_value = SPI_getvalue(row, SPI_tuptable->tupdesc, 3);

		*log_index = pg_strtoint64(SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
		*size = size_value ? strtou64(size_value, NULL, 10) : 0;
		*root = MemoryContextStrdup(context, root_value ? root_value : "");
	}
	SPI_finish();
	return found;
}

/* The tree of this size, from the frontier that is stored; false if that contradicts itself. */
static bool
read_tree(AtVerify *verify, uint64 size, AtMerkle *tree, char **root)
{
	AtCheckpointReader *reader = at_checkpoint_reader_open(verify->snapshot);
	const AtCheckpointRow *row;
	bool sound;

	at_checkpoint_reader_start(reader, size, size);
	row = at_checkpoint_reader_next(reader);
	sound = row != NULL && row->is_sound;
	if (sound)
	{
		*tree = row->tree;
		*root = root_text(tree);
	}
	at_checkpoint_reader_close(reader);
	return sound;
}

static char *
root_text(const AtMerkle *tree)
{
	char *text = palloc(AT_BASE64_LEN(AT_HASH_LEN) + 1);
	AtWriter writer = at_writer(text, AT_BASE64_LEN(AT_HASH_LEN));
	AtHash root;

	if (!at_merkle_root(tree, &root))
		at_hash_failed();
	at_write_base64(&writer, &root, AT_HASH_LEN);
	text[writer.len] = '\0';
	return text;
}

char *
at_last_payload(AtVerify *verify)
{
	const AtFindings *findings = verify->findings;
	StringInfoData json;
	AtMerkle tree;
	char *root;

	if (!read_tree(verify, verify->log_size, &tree, &root))
		root = pstrdup("");
	initStringInfo(&json);
	appendStringInfo(
		&json,
		"{\"mode\":\"%s\",\"from\":" UINT64_FORMAT ",\"size\":" UINT64_FORMAT
		",\"root\":\"%s\",\"batches\":" UINT64_FORMAT ",\"transactions\":" UINT64_FORMAT
		",\"events\":" UINT64_FORMAT ",\"findings\":" UINT64_FORMAT,
		at_scope_mode(verify->scope), verify->first, verify->log_size, root, verify->batches,
		verify->transactions, verify->events, at_findings_count(findings));
	if (at_findings_kept(findings) > 0)
	{
		const AtFinding *first = at_findings_get(findings, 0);

		appendStringInfoString(&json, ",\"first\":");
		escape_json(&json, psprintf("%s %s", at_finding_name(first),
									first->object ? first->object : first->place));
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

TimestampTz
at_last_sealed_at(void)
{
	TimestampTz at = 0;

	SPI_connect();
	if (SPI_execute("SELECT pg_catalog.max(sealed_at) FROM audit.log_entry "
					"WHERE kind IN ('" AT_KIND_VERIFIED "', '" AT_KIND_BOOT
					"', '" AT_KIND_INCARNATION "')",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the results in the log");
	if (SPI_processed > 0)
	{
		bool isnull;
		Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			at = DatumGetTimestampTz(value);
	}
	SPI_finish();
	return at;
}
