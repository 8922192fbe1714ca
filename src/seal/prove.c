/*-------------------------------------------------------------------------
 * prove.c
 *		Proofs for outsiders, and their verification, as SQL functions.
 *
 * Every proof is verified before it is given out: what was changed in the
 * ledger makes an error here, and not a proof that fails elsewhere.
 *
 * A proof ends in a signed note, so it is bytes: see base/note_text.h.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/checkpoint_file.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/note_text.h"
#include "core/event_proof.h"
#include "ledger/anchor_receipt.h"
#include "ledger/log_read.h"
#include "ledger/gap.h"
#include "ledger/log_tree.h"
#include "ledger/read.h"
#include "seal/place.h"

/* Base64 makes four bytes of three, and a text has less than a gigabyte. */
#define BODY_MAX (512 * 1024 * 1024)

static AtText prove(const char *event_id);
static void read_event(AtText *body, uint64 tx_id, uint32 ordinal, const AtPlace *place,
					   Snapshot snapshot);
static void prove_entry(AtTlogProof *log, const AtCheckpoint *checkpoint, Snapshot snapshot);
static void check_own(const AtEventProof *proof, const AtPlace *place,
					  const AtCheckpoint *checkpoint);
static AtText write_proof(const AtEventProof *proof);
static Datum check_proof(FunctionCallInfo fcinfo, AtText text);
static Datum check_consistency(FunctionCallInfo fcinfo, AtText old_note, AtText new_note);

PG_FUNCTION_INFO_V1(at_prove);
PG_FUNCTION_INFO_V1(at_prove_bytes);
PG_FUNCTION_INFO_V1(at_prove_consistency);
PG_FUNCTION_INFO_V1(at_check_proof);
PG_FUNCTION_INFO_V1(at_check_proof_bytes);
PG_FUNCTION_INFO_V1(at_check_consistency);
PG_FUNCTION_INFO_V1(at_check_consistency_bytes);

pg_noreturn static void
no_proof(const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("there is no proof"),
					errdetail("%s", detail), errhint("%s", hint)));
}

/* A proof of ours that is none, since rows of the ledger are not as they were sealed. */
static void
demand(AtError error)
{
	if (error != AT_OK)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("the audit ledger does not give a proof that holds"),
						errdetail("What was found: %s.", at_error_text(error)),
						errhint("SELECT * FROM audit.verify();")));
}

/* prove(event_id text): the proof, for the newest signed checkpoint */
Datum
at_prove(PG_FUNCTION_ARGS)
{
	char *event_id = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(at_note_to_text(prove(event_id), "audit.prove_bytes()"));
}

/* prove_bytes(event_id text): the same */
Datum
at_prove_bytes(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(at_note_to_bytes(prove(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

static AtText
prove(const char *event_id)
{
	AtEventProof proof = {0};
	AtCheckpointFile file;
	AtPlace place;
	Snapshot snapshot;
	AtEventName name = at_event_name_read(event_id);

	at_checkpoint_file_read(&file);
	if (!file.has_note)
		no_proof("No checkpoint of the log was signed yet.", "SELECT * FROM audit.doctor();");

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (!at_place_find(&place, name.tx_id, name.ordinal, file.last.size, snapshot))
		no_proof(
			"There is no such event, no signed checkpoint has it yet, or it was purged with its "
			"transaction.",
			"SELECT audit.seal_now(); who has a proof from before a purge can go on using that.");
	read_event(&proof.body, name.tx_id, name.ordinal, &place, snapshot);
	proof.number = place.number;
	proof.entry = (AtText){place.entry, place.entry_len};
	demand(at_place_prove(&place, &proof.path, snapshot));
	proof.log.index = place.log_index;
	proof.log.checkpoint = at_cosigned(at_text(file.note), file.last.size, snapshot);
	prove_entry(&proof.log, &file.last, snapshot);
	UnregisterSnapshot(snapshot);
	check_own(&proof, &place, &file.last);
	return write_proof(&proof);
}

/* An event that was purged has its place in the log, and its bytes nowhere. */
static void
demand_not_purged(const AtPlace *place, Snapshot snapshot)
{
	if (at_gaps_have(at_gaps_read(snapshot), place->log_index, place->number))
		no_proof("It was purged; its hash is in the log all the same.",
				 "Who has a copy with a proof can go on using that.");
}

static void
read_event(AtText *body, uint64 tx_id, uint32 ordinal, const AtPlace *place, Snapshot snapshot)
{
	AtEventReader *reader = at_event_reader_open(snapshot);
	const AtEventRow *row;
	char *bytes;

	at_event_reader_start(reader, AT_EVENTS_INDEXED, tx_id, ordinal);
	row = at_event_reader_next(reader);
	if (row == NULL || row->place != ordinal)
	{
		demand_not_purged(place, snapshot);
		demand(AT_ERR_BODY);
	}
	body->len = at_event_body_size(&row->body);
	if (body->len > BODY_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the event is too large for a proof as text"),
						errdetail("It has %zu bytes; %d are the limit.", body->len, BODY_MAX),
						errhint("Prove another event of the same transaction: all of them are "
								"chained.")));
	bytes = palloc(body->len);
	at_event_body_write(&row->body, (uint8 *) bytes);
	body->data = bytes;
	at_event_reader_close(reader);
}

static void
prove_entry(AtTlogProof *log, const AtCheckpoint *checkpoint, Snapshot snapshot)
{
	AtLogTree *tree = at_log_tree_open(snapshot);

	demand(at_proof_make_inclusion(&log->proof, log->index, checkpoint->size, at_log_tree_subtree,
								   tree));
	at_log_tree_close(tree);
}

/* As a verifier does, but for the signature. */
static void
check_own(const AtEventProof *proof, const AtPlace *place, const AtCheckpoint *checkpoint)
{
	AtEntryBody entry;
	AtHash leaf;

	if (!at_hash_leaf(proof->entry.data, proof->entry.len, &leaf))
		demand(AT_ERR_LIBCRYPTO);
	demand(at_proof_verify_inclusion(&proof->log.proof, proof->log.index, checkpoint->size, &leaf,
									 &checkpoint->root));
	if (!at_entry_body_read(&entry, (const uint8 *) proof->entry.data, proof->entry.len))
		demand(AT_ERR_ENTRY);
	if (!at_hash_leaf(proof->body.data, proof->body.len, &leaf))
		demand(AT_ERR_LIBCRYPTO);
	demand(at_proof_verify_inclusion(&proof->path, proof->number, entry.leaf_count, &leaf,
									 &entry.root));
}

static AtText
write_proof(const AtEventProof *proof)
{
	size_t room = AT_EVENT_PROOF_ROOM(proof->body.len, proof->entry.len);
	size_t size = AT_TLOG_PROOF_HEAD_MAX + room + proof->log.checkpoint.len;
	char *buffer = palloc_extended(room, MCXT_ALLOC_HUGE);
	char *bytes = palloc_extended(size, MCXT_ALLOC_HUGE);
	AtWriter writer = at_writer(bytes, size);
	AtError error = at_event_proof_write(&writer, proof, buffer, room);

	if (error != AT_OK)
		elog(ERROR, "could not write a proof: %s", at_error_text(error));
	return (AtText){writer.data, writer.len};
}

/* prove_consistency(old_size bigint, new_size bigint): the hashes, one a line */
Datum
at_prove_consistency(PG_FUNCTION_ARGS)
{
	int64 old_size = PG_GETARG_INT64(0);
	int64 new_size = PG_GETARG_INT64(1);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtLogTree *tree = at_log_tree_open(snapshot);
	AtProof proof = {0};
	AtHash old_root;
	AtHash new_root;
	char bytes[AT_PROOF_TEXT_MAX];
	AtWriter writer = at_writer(bytes, sizeof(bytes));

	if (old_size <= 0 || old_size > new_size || !at_log_tree_root(tree, new_size, &new_root))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no consistency proof from size " INT64_FORMAT " to " INT64_FORMAT,
						old_size, new_size),
				 errdetail("Sizes are from 1 to that of the log, the old one first."),
				 errhint("SELECT max(size) FROM audit.checkpoint;")));
	if (!at_log_tree_root(tree, old_size, &old_root))
		demand(AT_ERR_SOURCE);
	demand(at_proof_make_consistency(&proof, old_size, new_size, at_log_tree_subtree, tree));
	demand(at_proof_verify_consistency(&proof, old_size, new_size, &old_root, &new_root));
	at_log_tree_close(tree);
	UnregisterSnapshot(snapshot);
	at_proof_write(&writer, &proof);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(writer.data, writer.len));
}

static AtPublicKey
get_key(FunctionCallInfo fcinfo, int number)
{
	AtPublicKey key;
	AtError error = at_key_read_public(&key, at_note_from_text(PG_GETARG_TEXT_PP(number)));

	if (error == AT_OK && key.type != AT_KEY_NOTE)
		error = AT_ERR_KEY_PURPOSE;
	if (error != AT_OK)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("this is not the public key of a log"),
						errdetail("What is wrong: %s.", at_error_text(error)),
						errhint("It has the form name+id+base64.")));
	return key;
}

/* The verdict; that libcrypto failed is none. */
static Datum
make_verdict(FunctionCallInfo fcinfo, AtError error, int64 size, const char *event_id)
{
	TupleDesc desc;
	Datum values[4] = {0};
	bool nulls[4] = {false, error == AT_OK, error != AT_OK, error != AT_OK};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (error == AT_ERR_LIBCRYPTO)
		elog(ERROR, "%s", at_error_text(error));
	values[0] = BoolGetDatum(error == AT_OK);
	values[1] = CStringGetTextDatum(at_error_text(error));
	values[2] = Int64GetDatum(size);
	if (event_id != NULL)
		values[3] = CStringGetTextDatum(event_id);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* check_proof(proof text, public_key text): (valid, reason, size, event_id) */
Datum
at_check_proof(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(check_proof(fcinfo, at_note_from_text(PG_GETARG_TEXT_PP(0))));
}

/* check_proof(proof bytea, public_key text): the same */
Datum
at_check_proof_bytes(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(check_proof(fcinfo, at_note_from_bytes(PG_GETARG_BYTEA_PP(0))));
}

static Datum
check_proof(FunctionCallInfo fcinfo, AtText text)
{
	AtPublicKey key = get_key(fcinfo, 1);
	AtTrust trust = {.log_key = &key};
	AtEventProof proof;
	AtProven proven;
	char *name = "";
	char *buffer = palloc_extended(text.len + 1, MCXT_ALLOC_HUGE);
	AtError error = at_event_proof_read(&proof, text, buffer, text.len + 1);

	if (error == AT_OK)
		error = at_event_proof_verify(&proof, &trust, &proven);
	if (error == AT_OK)
		name = proven.is_event ? psprintf(UINT64_FORMAT ".%u", (uint64) proven.event.tx_id,
										  proven.event.ordinal)
							   : psprintf(UINT64_FORMAT, (uint64) proven.transaction.tx_id);
	return make_verdict(fcinfo, error, error == AT_OK ? proven.checkpoint.size : 0, name);
}

/* Hashes, whatever newlines there are behind them. */
static AtError
read_hashes(AtProof *proof, AtText text)
{
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;

	AtText lines =
		at_text(psprintf("%.*s%s", (int) text.len, text.data, text.len > 0 ? "\n\n" : "\n"));
	AtError error = at_proof_read(proof, &lines);

	return error == AT_OK && lines.len > 0 ? AT_ERR_HASH_LINE : error;
}

/*
 * check_consistency(old_checkpoint text, new_checkpoint text, proof text, public_key text,
 * old_public_key text): (valid, reason, size); no old key means the same one
 */
Datum
at_check_consistency(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(check_consistency(fcinfo, at_note_from_text(PG_GETARG_TEXT_PP(0)),
									  at_note_from_text(PG_GETARG_TEXT_PP(1))));
}

/* The same of bytea, bytea, text, text and text. */
Datum
at_check_consistency_bytes(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(check_consistency(fcinfo, at_note_from_bytes(PG_GETARG_BYTEA_PP(0)),
									  at_note_from_bytes(PG_GETARG_BYTEA_PP(1))));
}

static Datum
check_consistency(FunctionCallInfo fcinfo, AtText old_note, AtText new_note)
{
	AtPublicKey key = get_key(fcinfo, 3);
	bool same_key = VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(4)) == 0;
	AtPublicKey old_key = same_key ? key : get_key(fcinfo, 4);
	AtCheckpoint old_checkpoint;
	AtCheckpoint new_checkpoint;
	AtProof proof;
	AtError error = at_checkpoint_open(&old_checkpoint, old_note, &(AtTrust){.log_key = &old_key});

	if (error == AT_OK)
		error = at_checkpoint_open(&new_checkpoint, new_note, &(AtTrust){.log_key = &key});
	if (error == AT_OK && !at_text_equal(old_checkpoint.origin, new_checkpoint.origin))
		error = AT_ERR_ORIGIN;
	if (error == AT_OK)
		error = read_hashes(&proof, at_note_from_text(PG_GETARG_TEXT_PP(2)));
	if (error == AT_OK)
		error = at_proof_verify_consistency(&proof, old_checkpoint.size, new_checkpoint.size,
											&old_checkpoint.root, &new_checkpoint.root);
	return make_verdict(fcinfo, error, error == AT_OK ? new_checkpoint.size : 0, NULL);
}
