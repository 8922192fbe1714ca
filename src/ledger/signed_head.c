/*-------------------------------------------------------------------------
 * signed_head.c
 *		May the head of the log be signed, after what was signed last?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/string.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "core/base64.h"
#include "ledger/datum.h"
#include "ledger/log_tree.h"
#include "ledger/public_key.h"
#include "ledger/signed_head.h"

static char *find_problem(const AtCheckpoint *last, const char *origin, const AtMerkle *head,
						  Snapshot snapshot);
static char *check_beginning(const AtCheckpoint *last, const AtMerkle *head, Snapshot snapshot);
static bool was_signed_before(uint64 size);
static bool is_declared(const AtCheckpoint *last, uint64 size);
static char *what_was_signed(const AtCheckpoint *last);

char *
at_signed_head_problem(const AtCheckpoint *last, const char *origin, const AtMerkle *head,
					   Snapshot snapshot)
{
	char *problem = find_problem(last, origin, head, snapshot);

	return problem != NULL && is_declared(last, head->size) ? NULL : problem;
}

/* The name is UTF-8, and not ours: it may not be in the encoding of the database. */
static char *
name_other_log(const char *origin)
{
	return psprintf("the last checkpoint of the file is of another log, \"%s\"",
					pg_is_ascii(origin) ? origin : "...");
}

static char *
find_problem(const AtCheckpoint *last, const char *origin, const AtMerkle *head, Snapshot snapshot)
{
	if (last == NULL)
		return was_signed_before(head->size)
				   ? pstrdup("the log was signed before, and the checkpoint file has no checkpoint")
				   : NULL;
	if (!at_text_equal(last->origin, at_text(origin)))
		return name_other_log(pnstrdup(last->origin.data, last->origin.len));
	if (last->size > head->size)
		return psprintf("the log has " UINT64_FORMAT
						" entries, and the last signed checkpoint had " UINT64_FORMAT,
						(uint64) head->size, (uint64) last->size);
	return check_beginning(last, head, snapshot);
}

/* The consistency proof that every verifier could ask for. */
static char *
check_beginning(const AtCheckpoint *last, const AtMerkle *head, Snapshot snapshot)
{
	AtLogTree *tree = at_log_tree_open(snapshot);
	AtProof proof = {0};
	AtHash root;
	AtError error;

	if (!at_merkle_root(head, &root))
		at_hash_failed();
	error = last->size == 0 ? AT_ERR_EMPTY_TREE
							: at_proof_make_consistency(&proof, last->size, head->size,
														at_log_tree_subtree, tree);
	if (error == AT_OK)
		error = at_proof_verify_consistency(&proof, last->size, head->size, &last->root, &root);
	at_log_tree_close(tree);
	return error == AT_OK
			   ? NULL
			   : psprintf("the log does not have the signed checkpoint of size " UINT64_FORMAT
						  " as its beginning: %s",
						  (uint64) last->size, at_error_text(error));
}

/*
 * The first key is the end of the log when its first checkpoint is signed: the
 * sealer signs before it seals more.
 */
static bool
was_signed_before(uint64 size)
{
	char *sql =
		psprintf("SELECT FROM audit.log_entry WHERE kind OPERATOR(pg_catalog.=) '" AT_KIND_KEY
				 "' AND log_index OPERATOR(pg_catalog.<) " UINT64_FORMAT " LIMIT 1",
				 size - 1);
	bool found;

	SPI_connect();
	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the keys of the log");
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/*
 * Does the newest declaration name this checkpoint? One that names none must be
 * the end of the log, lest it also covers a file that is lost later.
 */
static bool
is_declared(const AtCheckpoint *last, uint64 size)
{
	char *wanted = what_was_signed(last);
	bool found;

	SPI_connect();
	if (SPI_execute("SELECT pg_catalog.json_extract_path_text(payload, 'after'), log_index "
					"FROM audit.log_entry WHERE kind OPERATOR(pg_catalog.=) '" AT_KIND_DECLARED
					"' ORDER BY log_index DESC LIMIT 1",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the declarations of the log");
	found = SPI_processed > 0;
	if (found)
	{
		char *after = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		char *place = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

		found = after != NULL && strcmp(after, wanted) == 0 &&
				(last != NULL || pg_strtoint64(place) + 1 == size);
	}
	SPI_finish();
	return found;
}

/* Size and root, as a checkpoint has them; "none" without one. */
static char *
what_was_signed(const AtCheckpoint *last)
{
	char root[AT_BASE64_LEN(AT_HASH_LEN) + 1];
	AtWriter writer = at_writer(root, sizeof(root) - 1);

	if (last == NULL)
		return pstrdup("none");
	at_write_base64(&writer, &last->root, AT_HASH_LEN);
	root[writer.len] = '\0';
	return psprintf(UINT64_FORMAT " %s", (uint64) last->size, root);
}

bool
at_signed_head_is(const AtCheckpoint *last, const AtMerkle *head)
{
	AtHash root;

	if (!at_merkle_root(head, &root))
		at_hash_failed();
	return last->size == head->size && memcmp(&last->root, &root, sizeof(root)) == 0;
}

void
at_signed_head_declare(AtLogHead *head, int32 incarnation, const AtCheckpoint *last,
					   const char *reason)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"after\":\"%s\",\"by\":", what_was_signed(last));
	escape_json(&json, GetUserNameFromId(GetSessionUserId(), false));
	appendStringInfoString(&json, ",\"reason\":");
	escape_json(&json, reason);
	appendStringInfoChar(&json, '}');
	at_log_append_control(head, incarnation, AT_KIND_DECLARED, NULL, json.data);
}
