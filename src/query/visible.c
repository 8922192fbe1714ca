/*-------------------------------------------------------------------------
 * visible.c
 *		What views and row security ask about their reader, and the masking
 *		of what the reader may not see.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/json_scan.h"
#include "ledger/reader.h"
#include "ledger/subject_key.h"
#include "query/reveal.h"

/* As capture masks a column. */
#define MASK "\"***\""

/* What of an event's extra tells neither values nor persons. */
static const char *const harmless[] = {
	"trigger_depth", "statement",   "maintenance", "partition", "moved",    "moved_from",
	"only_counted",  "query_bytes", "rewritten",   "dropped",   "lost_key", "standby",
};

/* What tells whose personal values a row has, and how they were salted. */
static const char *const personal[] = {"subject", "former_subject", "nonce"};

/* Is the value of this member shown? */
typedef bool (*ShownMember)(AtJsonSlice key, const void *arg);

/* For visible_extra(). */
typedef struct ExtraRights
{
	bool values;
	bool personal;
} ExtraRights;

PG_FUNCTION_INFO_V1(at_may_read);
PG_FUNCTION_INFO_V1(at_may_read_alert);
PG_FUNCTION_INFO_V1(at_may_read_some);
PG_FUNCTION_INFO_V1(at_may_read_all);
PG_FUNCTION_INFO_V1(at_is_shielded);
PG_FUNCTION_INFO_V1(at_visible_values);
PG_FUNCTION_INFO_V1(at_visible_extra);
PG_FUNCTION_INFO_V1(at_visible_sentence);

static text *mask(text *json, ShownMember shown, const void *arg);

Datum
at_may_read(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(at_reader_sees_event(PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(1)));
}

Datum
at_may_read_alert(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(at_reader_sees_alert(PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(1)));
}

/* What an alert says, which may have values in it. */
Datum
at_visible_sentence(PG_FUNCTION_ARGS)
{
	if (!at_reader_sees_sentence(PG_GETARG_INT32(1), PG_GETARG_TIMESTAMPTZ(2)))
		PG_RETURN_TEXT_P(cstring_to_text("***"));
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

Datum
at_may_read_some(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(at_reader_sees_some());
}

Datum
at_may_read_all(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(at_reader_sees_all());
}

/* The owner of a relation, and whether its row security binds that owner too. */
static Oid
read_owner(Oid relid, bool *is_bound)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);

	Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);
	Oid owner = class->relowner;

	*is_bound =
		class->relrowsecurity && class->relforcerowsecurity && !has_bypassrls_privilege(owner);
	ReleaseSysCache(tuple);
	return owner;
}

/* Does row security bind the views, which read with the rights of their owner? */
static bool
is_shielded(Oid *view_owner)
{
	bool is_bound;
	bool unused;
	Oid owner = read_owner(at_ledger_relid(AT_LEDGER_EVENT), &is_bound);

	*view_owner = read_owner(at_audit_relid("events"), &unused);
	return is_bound && owner == *view_owner;
}

/*
 * A restore may leave the ledger without its owner (pg_restore --no-owner).
 * Views then read with the rights of a superuser, whom no policy binds.
 */
Datum
at_is_shielded(PG_FUNCTION_ARGS)
{
	Oid owner;

	if (!at_reader_sees_all() && !is_shielded(&owner))
		ereport(
			ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("row security of the audit ledger is not in force"),
			 errdetail("View audit.events belongs to \"%s\", as after a restore without owners.",
					   GetUserNameFromId(owner, false)),
			 errhint("Ask a superuser: SELECT audit.shield();")));
	PG_RETURN_BOOL(true);
}

/* ---- masking ---- */

static bool
never(AtJsonSlice key, const void *arg)
{
	return false;
}

/* Null stays null: whether there is a value is no value. */
Datum
at_visible_values(PG_FUNCTION_ARGS)
{
	int32 target_id = PG_GETARG_INT32(1);
	TimestampTz tx_at = PG_GETARG_TIMESTAMPTZ(2);

	if (!at_reader_sees_values(target_id, tx_at))
		PG_RETURN_TEXT_P(mask(PG_GETARG_TEXT_PP(0), never, NULL));
	if (!at_subject_keys_used())
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_TEXT_P(at_reveal(PG_GETARG_TEXT_PP(0), at_reader_sees_personal(target_id, tx_at)));
}

static bool
is_one_of(AtJsonSlice key, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (at_json_slice_is(key, names[i]))
			return true;
	return false;
}

static bool
shown_extra(AtJsonSlice key, const void *arg)
{
	const ExtraRights *rights = arg;

	if (!rights->values)
		return is_one_of(key, harmless, lengthof(harmless));
	return rights->personal || !is_one_of(key, personal, lengthof(personal));
}

Datum
at_visible_extra(PG_FUNCTION_ARGS)
{
	int32 target_id = PG_GETARG_INT32(1);
	TimestampTz tx_at = PG_GETARG_TIMESTAMPTZ(2);
	ExtraRights rights = {.values = at_reader_sees_values(target_id, tx_at),
						  .personal = at_reader_sees_personal(target_id, tx_at)};

	if (rights.values && rights.personal)
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_TEXT_P(mask(PG_GETARG_TEXT_PP(0), shown_extra, &rights));
}

/* A member of the object, up to and with its colon; the scan then stands on its value. */
static AtJsonSlice
copy_key(AtJsonScan *in, StringInfo out)
{
	AtJsonSlice key = at_json_string(in);

	appendStringInfoChar(out, '"');
	appendBinaryStringInfo(out, in->start, in->len);
	appendStringInfoString(out, "\":");
	at_json_next(in); /* the colon */
	at_json_next(in);
	return key;
}

/* An object with its values masked, but for those that are shown; all else is masked whole. */
static text *
mask(text *json, ShownMember shown, const void *arg)
{
	StringInfoData out;
	AtJsonScan in;
	int members = 0;

	at_json_start(&in, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
	if (!at_json_next(&in) || in.kind != '{')
		return cstring_to_text(in.kind == 'n' ? "null" : MASK);

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	while (at_json_next(&in) && in.kind != '}')
	{
		CHECK_FOR_INTERRUPTS();
		if (in.kind != '"')
			continue; /* the comma */
		if (members++ > 0)
			appendStringInfoChar(&out, ',');

		bool is_shown = shown(copy_key(&in, &out), arg) || in.kind == 'n';
		AtJsonSlice value = at_json_value(&in);

		if (is_shown)
			appendBinaryStringInfo(&out, value.data, value.len);
		else
			appendStringInfoString(&out, MASK);
	}
	appendStringInfoChar(&out, '}');
	return cstring_to_text_with_len(out.data, out.len);
}
